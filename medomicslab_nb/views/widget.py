"""Widgets of our own: an ES module and a stylesheet in ``widgets/``, without a bundler.

A module may import others that lie beside it (``import { x } from "./other.js"``). A model carries all of them, and
``widgets/loader.js`` loads each once a page, however many widgets are shown: what a page has imported it never forgets.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Any

import anywidget
import traitlets

from medomicslab_nb.notebook import find_shipped
from medomicslab_nb.views.language import texts_of

_IMPORT = re.compile(r"""(?P<before>^(?:import|export)\b[^;'"]*)(?P<quote>["'])\./(?P<name>[\w.-]+\.js)(?P=quote)""",
                     re.MULTILINE)
_LOADER = "loader.js"
_SHARED = "common.css"


class Widget(anywidget.AnyWidget):
    """Base of our widgets: ``class Form(Widget, module="form")`` shows ``widgets/form.js`` with ``form.css``.

    Attributes
    ----------
    texts : dict
        The texts of the catalogue's file of the same name, in the chosen language.
    """

    texts = traitlets.Dict().tag(sync=True)
    _modules: traitlets.List[Any] = traitlets.List().tag(sync=True)
    module: str
    _linked: list[tuple[str, str]]

    def __init_subclass__(cls, module: str = "", **kwargs: Any) -> None:
        if module:
            cls.module = module
            cls._esm = read_source(_LOADER)
            cls._css = read_source(_SHARED) + read_source(f"{module}.css")
            cls._linked = linked(f"{module}.js")
        super().__init_subclass__(**kwargs)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(texts=texts_of(self.module), _modules=self._linked, **kwargs)
        self._own_layout = None if "layout" in kwargs else self.layout

    def close(self) -> None:
        """Close it with its layout, which ipywidgets would keep, and the browser with it every view."""
        super().close()
        if self._own_layout is not None:
            self._own_layout.close()


def linked(name: str) -> list[tuple[str, str]]:
    """A module with every module that it imports from beside it: name and text, each once and after what it imports.

    The names end with a digest of the text and of all that it imports: the same name is the same module, whichever
    version of the package a page's kernels have. Imports name ``linked:other.js#digest`` in place of ``./other.js``.
    """
    found: dict[str, tuple[str, str]] = {}
    _collect(name, found)
    return list(found.values())


def _collect(name: str, found: dict[str, tuple[str, str]]) -> str:
    """Add a module after what it imports; gives its name with the digest."""
    def named(match: re.Match[str]) -> str:
        return f'{match["before"]}"linked:{_collect(match["name"], found)}"'

    if name not in found:
        text = _IMPORT.sub(named, read_source(name))
        found[name] = (f"{name}#{hashlib.sha256(text.encode()).hexdigest()[:16]}", text)
    return found[name][0]


@cache
def read_source(name: str) -> str:
    """A file of ``widgets/``, from the checkout or from the installed package."""
    return find_shipped("_widgets", "widgets", name).read_text(encoding="utf-8")

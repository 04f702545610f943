"""Widgets of our own: an ES module and a stylesheet in ``widgets/``, without a bundler.

A module may import others that lie beside it (``import { x } from "./other.js"``). anywidget hands one text to the
browser, so each such import is replaced by a ``data:`` address of the module that it names.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from typing import Any

import anywidget
import traitlets

from medomicslab_nb.notebook import find_shipped
from medomicslab_nb.views.language import texts_of

_IMPORT = re.compile(r"""(?P<before>^(?:import|export)\b[^;'"]*)(?P<quote>["'])\./(?P<name>[\w.-]+\.js)(?P=quote)""",
                     re.MULTILINE)
_SHARED = "common.css"


class Widget(anywidget.AnyWidget):
    """Base of our widgets: ``class Form(Widget, module="form")`` shows ``widgets/form.js`` with ``form.css``.

    Attributes
    ----------
    texts : dict
        The texts of the catalogue's file of the same name, in the chosen language.
    """

    texts = traitlets.Dict().tag(sync=True)
    module: str

    def __init_subclass__(cls, module: str = "", **kwargs: Any) -> None:
        if module:
            cls.module = module
            cls._esm = linked(f"{module}.js")
            cls._css = read_source(_SHARED) + read_source(f"{module}.css")
        super().__init_subclass__(**kwargs)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(texts=texts_of(self.module), **kwargs)


def linked(name: str) -> str:
    """A module's text in which what it imports from beside it stands as data addresses."""
    def address(found: re.Match[str]) -> str:
        content = base64.b64encode(linked(found["name"]).encode()).decode()
        return f"{found['before']}{found['quote']}data:text/javascript;base64,{content}{found['quote']}"

    return _IMPORT.sub(address, read_source(name))


@cache
def read_source(name: str) -> str:
    """A file of ``widgets/``, from the checkout or from the installed package."""
    return find_shipped("_widgets", "widgets", name).read_text(encoding="utf-8")

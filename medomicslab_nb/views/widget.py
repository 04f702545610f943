"""Widgets of our own: an ES module and a stylesheet in ``widgets/``, without a bundler.

A module may import others that lie beside it (``import { x } from "./other.js"``). anywidget hands one text to the
browser, so that text carries every module once and gives each an address before it is imported.
"""

from __future__ import annotations

import json
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

# Modules come in an order in which each follows what it imports. Their addresses are given up once all is loaded.
_LOADER = """const modules = %s;
const addresses = {};
for (const [name, source] of modules) {
  const text = source.replace(/"linked:([^"]+)"/g, (_, other) => JSON.stringify(addresses[other]));
  addresses[name] = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
}
const { default: widget } = await import(addresses[modules.at(-1)[0]]);
Object.values(addresses).forEach((address) => URL.revokeObjectURL(address));
export default widget;
"""


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
    """A module's text, complete in itself: with every module that it imports from beside it, each once."""
    found: dict[str, str] = {}
    _collect(name, found)
    return read_source(name) if len(found) == 1 else _LOADER % json.dumps(list(found.items()))


def _collect(name: str, found: dict[str, str]) -> None:
    """Add a module after what it imports; its imports name ``linked:other.js`` in place of ``./other.js``."""
    source = read_source(name)
    for match in _IMPORT.finditer(source):
        if match["name"] not in found:
            _collect(match["name"], found)
    found[name] = _IMPORT.sub(r'\g<before>"linked:\g<name>"', source)


@cache
def read_source(name: str) -> str:
    """A file of ``widgets/``, from the checkout or from the installed package."""
    return find_shipped("_widgets", "widgets", name).read_text(encoding="utf-8")

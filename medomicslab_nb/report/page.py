"""One HTML file that opens offline: plotly.js embedded once, no address outside the file.

What a page may do is fixed by a content security policy in its head: nothing is loaded, and only the scripts whose
checksums it lists run. So a script that hides in a column name stays text even if it slipped through the escaping.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

_PICTURE = re.compile(r"data:image/(?:svg\+xml;base64,(?P<svg>[\w+/=\s]+)|[\w+.-]+;base64,[\w+/=]+)")
_DRAW = """
"use strict";
const config = {responsive: true, displaylogo: false, displayModeBar: "hover", plotlyServerURL: "", topojsonURL: "",
                modeBarButtonsToRemove: ["sendDataToCloud", "lasso2d", "select2d"]};
const width = 640;
function draw(place) {
  if (place.dataset.drawn || !place.offsetParent) return;
  place.dataset.drawn = "1";
  const content = JSON.parse(document.getElementById(place.dataset.source).textContent);
  Plotly.newPlot(place, content.data, content.layout, config);
}
function drawAll() { document.querySelectorAll(".figure").forEach(draw); }
document.querySelectorAll("details").forEach(part => part.addEventListener("toggle", drawAll));
window.addEventListener("beforeprint", () => document.querySelectorAll(".js-plotly-plot").forEach(
  place => Plotly.relayout(place, {width: width})));
window.addEventListener("afterprint", () => document.querySelectorAll(".js-plotly-plot").forEach(
  place => Plotly.relayout(place, {width: null, autosize: true})));
drawAll();
"""


def render_page(template: str, content: Mapping[str, Any], *, draws: bool) -> str:
    """A page from a template in ``pages/``; with plotly.js when it ``draws`` figures."""
    return _environment().get_template(template).render(
        **content, style=_style(), scripts=[Markup(text) for text in _scripts()] if draws else [], policy=_policy())


def visible_text(page: str) -> str:
    """What a reader may see of a page, tags and their attributes too; digits of pixels and scripts are no text."""
    return readable(re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.DOTALL))


def readable(text: str) -> str:
    """A text without the digits of its embedded pictures; of SVG pictures what is written in them."""
    return html.unescape(_PICTURE.sub(_read_picture, text))


def _read_picture(match: re.Match[str]) -> str:
    if match["svg"] is None:
        return ""
    # An address in a text has no end that is sure: what follows the first gap is read as text too.
    rest = match["svg"].split(maxsplit=1)[1:]
    digits = re.sub(r"[^A-Za-z0-9+/]", "", match["svg"].split("=")[0])
    whole = digits[:-1] if len(digits) % 4 == 1 else digits
    drawn = readable(base64.b64decode(whole + "=" * (-len(whole) % 4)).decode(errors="replace"))
    # Parts of one line of text may have styles of their own.
    return "\n".join([drawn, re.sub(r"</?tspan\b[^>]*>", "", drawn), *rest])


def texts_of(content: Any) -> Iterator[str]:
    """Every text in a structure of JSON types, names included."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from texts_of(value)
    elif isinstance(content, list):
        for value in content:
            yield from texts_of(value)


def inert_json(text: str) -> Markup:
    """JSON for a data block: ``<``, ``>`` and ``&`` as escapes, so that no text can end the block."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _environment() -> Environment:
    # StrictUndefined: a name that the evidence lacks is a fault of ours, not an empty place in a report.
    found = Environment(loader=PackageLoader("medomicslab_nb.report", "pages"), undefined=StrictUndefined,
                        autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True)
    found.filters["inert"] = inert_json
    return found


def _style() -> Markup:
    return Markup((Path(__file__).parent / "pages" / "report.css").read_text(encoding="utf-8"))


@cache
def _scripts() -> tuple[str, str]:
    """plotly.js and the few lines that draw the figures."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs(), _DRAW


@cache
def _policy() -> str:
    # A script's checksum is taken of the text between its tags; HTML reads CRLF as LF.
    sums = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
                    for text in _scripts())
    return ("default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; "
            f"style-src 'unsafe-inline'; script-src {sums}")

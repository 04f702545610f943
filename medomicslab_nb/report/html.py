"""The report as one HTML file that opens offline: plotly.js embedded once, no address outside the file.

What the page may do is fixed by a content security policy in its head: nothing is loaded, and only the scripts whose
checksums it lists run. So a script that hides in a column name stays text even if it slipped through the escaping.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from medomicslab_nb.errors import ProtectionError
from medomicslab_nb.files import write_bytes
from medomicslab_nb.protect import identifiers_in
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.card import card_of
from medomicslab_nb.report.evidence import evidence, gallery, identifiers_of, part_records, rows_of, study_evidence
from medomicslab_nb.report.figures import figures_of
from medomicslab_nb.report.picture import Picture
from medomicslab_nb.study import Study

FILE = "report.html"

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


def write_report(record: RunRecord) -> Path:
    """Write ``report.html`` into the run's folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ProtectionError
        A patient identifier would have entered the report.
    """
    sections = [{**_section(one, number), "card": card_of(one, identifiers_of(one))}
                for number, one in enumerate([record, *part_records(record)])]
    if sections[1:]:
        sections[0]["warnings"] = []  # each part shows its own
    content = {"run": sections[0], "parts": sections[1:], "title": f"{sections[0]['title']} · {record.id}"}
    return _write(record.path / FILE, "run.html.j2", content, _drawn(sections), identifiers_of(record))


def write_study_report(study: Study) -> Path:
    """Write ``report.html`` into the study's folder: its tables and every run, newest first.

    Raises
    ------
    ProtectionError
        A patient identifier would have entered the report.
    """
    content = study_evidence(study)
    newest = {run["stage"]: run["run"] for run in reversed(content["runs"]) if run["status"] == "completed"}
    runs = [_section(record, number) for number, record in enumerate(reversed(study.runs))]
    for run in runs:
        run["newest"] = newest.get(run["stage"]) == run["run"]
    return _write(study.path / FILE, "study.html.j2", {"study": content, "runs": runs, "title": f"Study {study.name}"},
                  _drawn(runs), study.identifiers())


def _drawn(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [picture for section in sections for picture in section["pictures"]]


def _section(record: RunRecord, number: int) -> dict[str, Any]:
    """The evidence of a run with its figures, each under an id of its own in the page."""
    drawn = figures_of(record) if record.status == "completed" else []
    return {**evidence(record), "gallery": gallery(record) if record.status == "completed" else [],
            "pictures": [_picture(picture, f"figure-{number}-{place}") for place, picture in enumerate(drawn)],
            "card": []}


def _picture(picture: Picture, place: str) -> dict[str, Any]:
    return {"id": place, "title": picture.title, "caption": picture.caption, "json": picture.figure.to_json(),
            "height": picture.figure.layout.height, "columns": [str(name) for name in picture.numbers.columns],
            "rows": rows_of(picture.numbers.head(400)), "n_rows": len(picture.numbers)}


def _write(path: Path, template: str, content: dict[str, Any], drawn: list[dict[str, Any]],
           identifiers: frozenset[str]) -> Path:
    page = _environment().get_template(template).render(
        **content, style=_style(), scripts=[Markup(text) for text in _scripts()] if drawn else [], policy=_policy())
    _refuse_identifiers(page, drawn, identifiers, path)
    write_bytes(path, page.encode())
    return path


def _refuse_identifiers(page: str, drawn: list[dict[str, Any]], identifiers: frozenset[str], path: Path) -> None:
    """Look for identifiers in all text of the page and of its figures; digits of plotted numbers are no text."""
    visible = re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.DOTALL)
    texts = [visible, *(text for picture in drawn for text in _texts_of(json.loads(picture["json"])))]
    found = identifiers_in("\n".join(texts), identifiers)
    if found:
        raise ProtectionError(f"{len(found)} patient identifiers would have entered the report", where=path.parent.name,
                              todo="Look for identifiers among column names, labels and settings; then run again")


@cache
def _environment() -> Environment:
    # StrictUndefined: a name that the evidence lacks is a fault of ours, not an empty place in a report.
    found = Environment(loader=PackageLoader("medomicslab_nb.report", "pages"), undefined=StrictUndefined,
                        autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True)
    found.filters["inert"] = inert_json
    return found


def inert_json(text: str) -> Markup:
    """JSON for a data block: ``<``, ``>`` and ``&`` as escapes, so that no text can end the block."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


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


def _texts_of(content: Any) -> Iterator[str]:
    """Every text in a structure of JSON types, names included."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from _texts_of(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts_of(value)

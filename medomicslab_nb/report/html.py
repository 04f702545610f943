"""The report of a run, or of a whole study, as one HTML file that opens offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import ProtectionError
from medomicslab_nb.files import write_bytes
from medomicslab_nb.protect import identifiers_in
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.card import card_of
from medomicslab_nb.report.evidence import evidence, gallery, identifiers_of, part_records, rows_of, study_evidence
from medomicslab_nb.report.figures import figures_of
from medomicslab_nb.report.page import render_page, texts_of, visible_text
from medomicslab_nb.report.picture import Picture
from medomicslab_nb.study import Study

FILE = "report.html"


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
    page = render_page(template, content, draws=bool(drawn))
    _refuse_identifiers(page, drawn, identifiers, path)
    write_bytes(path, page.encode())
    return path


def _refuse_identifiers(page: str, drawn: list[dict[str, Any]], identifiers: frozenset[str], path: Path) -> None:
    """Look for identifiers in all text of the page and of its figures; digits of plotted numbers are no text."""
    texts = [visible_text(page), *(text for picture in drawn for text in texts_of(json.loads(picture["json"])))]
    found = identifiers_in("\n".join(texts), identifiers)
    if found:
        raise ProtectionError(f"{len(found)} patient identifiers would have entered the report", where=path.parent.name,
                              todo="Look for identifiers among column names, labels and settings; then run again")

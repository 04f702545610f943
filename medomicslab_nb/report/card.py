"""The model card of a run as plain values, for the report's page."""

from __future__ import annotations

import html
from typing import Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub_all
from medomicslab_nb.record import RunRecord

_MODEL = "models/default.skops"


def card_of(record: RunRecord, identifiers: frozenset[str]) -> list[dict[str, Any]]:
    """The sections of a run's model card; none where the run kept no model that can be read."""
    path = record.path / _MODEL
    if record.stage != "models" or record.status != "completed" or not path.is_file():
        return []
    # Slow to import, and needed for a run that kept a model only.
    from medomicslab_nb.models.model_card import card_sections, run_facts
    from medomicslab_nb.models.model_file import load

    try:
        sections = card_sections(load(path), run_facts(record))
    except MedomicsError:
        return []
    found = [{"heading": section.heading, "tripod": section.tripod, "text": _lines(section.text),
              "columns": list(section.table[0]) if section.table else [],
              "rows": [list(row.values()) for row in section.table]} for section in sections]
    return scrub_all(found, identifiers)  # type: ignore[no-any-return]


def _lines(paragraphs: tuple[str, ...]) -> list[list[str]]:
    """Paragraphs of Markdown as kind (text, item or code) and words; the page escapes them itself."""
    from medomicslab_nb.models.model_card import OPEN

    found = []
    for paragraph in paragraphs:
        if paragraph.startswith("```"):
            found.append(["code", html.unescape(paragraph.strip("`").strip())])
            continue
        for line in paragraph.splitlines():
            kind = "item" if line.startswith("- ") else "text"
            found.append([kind, html.unescape(line.removeprefix("- ").replace("`", "").replace(OPEN, OPEN.strip("*")))])
    return found

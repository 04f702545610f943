"""Scores in the columns of small tables: a line of names ("Date  OMS  IK") over lines of values ("04/02  1  80 %")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import listed
from medomicslab_nb.text.rules.tables import Cell, cells

_VALUES = {"ecog": r"(?P<value>[0-4])(?:\s?/\s?[45])?", "karnofsky": r"(?P<value>100|[1-9]0)\s?%?",
           "gleason": r"(?P<value>10|[6-9])(?:\s?/\s?10)?", "isup": r"(?:isup\s?|gg\s?)?(?P<value>[1-5])",
           "uicc_edition": r"(?P<value>[6-9])(?:th|e|eme)?", "grade": r"g?(?P<value>[1-3])"}
_UNITS = {"karnofsky": "%"}


def in_columns(note: Note, *attributes: str) -> Iterator[Found]:
    """What stands in the columns of these attributes."""
    if not note.has(*(name for name, attribute in _names().items() if attribute in attributes)):
        return
    for cell in _cells(note):
        attribute = _names().get(note.folded[cell.name_start:cell.name_end], "")
        said = _value(attribute).fullmatch(note.folded[cell.start:cell.end]) if attribute in attributes else None
        if said:
            yield Found(attribute, cell.start, cell.end, said["value"], _UNITS.get(attribute, ""))


@lru_cache(maxsize=1)
def _cells(note: Note) -> list[Cell]:
    """The cells of a note, found once for all rules."""
    return list(cells(note))


@cache
def _names() -> dict[str, str]:
    return {name: attribute for attribute in _VALUES for name in listed("columns", attribute)}


@cache
def _value(attribute: str) -> re.Pattern[str]:
    return re.compile(_VALUES[attribute])

"""Facts: what a note says, where it says so, and who or what read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["suggested", "accepted", "edited", "rejected", "added"]
"""``suggested`` by a rule and seen by nobody; otherwise what an annotator did with it, or ``added``."""

COLUMNS = ("patient", "note", "date", "language", "section", "attribute", "start", "end", "text", "value", "unit",
           "qualifier", "context", "rule", "rule_version", "status", "annotator", "time")
"""Columns of the fact table, one row a mention."""


@dataclass(frozen=True)
class Found:
    """What a rule finds, in offsets of the folded note."""

    attribute: str
    start: int
    end: int
    value: str
    unit: str = ""
    qualifier: str = ""
    """What narrows the value: the prefix of a T, the score of a HER2, the drugs of a regimen."""
    context: tuple[str, ...] = ()
    """What the rule itself knows of it, beside what the sentence says."""


@dataclass(frozen=True)
class Fact:
    """One mention: ``note[start:end] == text``, in code points of the note as stored."""

    attribute: str
    start: int
    end: int
    text: str
    value: str
    unit: str = ""
    qualifier: str = ""
    context: tuple[str, ...] = ()
    """Out of negated, uncertain, family, history and planned, in this order."""
    section: str = ""
    rule: str = ""
    rule_version: int = 0
    status: Status = "suggested"
    annotator: str = ""
    time: str = ""
    """When an annotator decided, UTC; empty for what a rule found, so that equal runs give equal tables."""


@dataclass(frozen=True)
class NoteKey:
    """Whose note it is, and which."""

    patient: str
    note: str
    date: str = ""
    """Day of the note as YYYY-MM-DD; empty where it is not known."""
    language: str = ""


def fact_table(rows: Iterable[tuple[NoteKey, Fact]]) -> pd.DataFrame:
    """The fact table, with :data:`COLUMNS`, in the order of ``rows``."""
    import pandas as pd

    table = pd.DataFrame([_row(key, fact) for key, fact in rows], columns=list(COLUMNS))
    whole = {"start": "int64", "end": "int64", "rule_version": "int64"}
    return table.astype({name: whole.get(name, "str") for name in COLUMNS})


def _row(key: NoteKey, fact: Fact) -> tuple[object, ...]:
    return (key.patient, key.note, key.date, key.language, fact.section, fact.attribute, fact.start, fact.end,
            fact.text, fact.value, fact.unit, fact.qualifier, ";".join(fact.context), fact.rule, fact.rule_version,
            fact.status, fact.annotator, fact.time)

"""Annotations as a CSV table for spreadsheets: one row a span.

A cell that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with an
apostrophe: reading takes one away. Relations, notes without a span and whether a note is finished have no place here.
The table begins with a byte-order mark, by which spreadsheets know UTF-8; comma or semicolon are read as separators.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import groupby

import pandas as pd

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import safe_cells
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote, with_steady_ids
from medomicslab_nb.text.exchange.refusing import allowed_labels, check_label, decoded, encoded, refused
from medomicslab_nb.text.span import ADDED, Span, no_span

_OF_NOTE = ("note", "sha256", "annotator", "language")
_OF_SPAN = ("attribute", "start", "end", "text", "value", "unit", "qualifier", "context", "rule", "rule_version",
            "status", "id", "time")
COLUMNS = (*_OF_NOTE, *_OF_SPAN)
_NEEDED = ("note", "attribute", "start", "end", "text")


def write_csv(notes: Iterable[AnnotatedNote]) -> bytes:
    """The table's bytes; spans keep the order that they have.

    Raises
    ------
    DataError
        A text has half a character.
    """
    rows = [[*(_quoted(getattr(note, name)) for name in _OF_NOTE), *(_quoted(_cell(span, name)) for name in _OF_SPAN)]
            for note in notes for span in note.spans]
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    text = safe_cells(frame).to_csv(index=False, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    return ("\ufeff" + text).encode()


def read_csv(content: bytes, *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    """Notes of a table that has at least the columns note, attribute, start, end and text.

    The notes come without their texts: give them with :meth:`AnnotatedNote.with_text`, which checks the offsets.

    Raises
    ------
    DataError
        A column is missing, or a row does not fit. Names the row; nothing is imported then.
    """
    allowed = allowed_labels(known)
    rows = _rows(decoded(content, "import"))
    spans = [(tuple(row.get(name, "") for name in _OF_NOTE), _span(row, number, allowed))
             for number, row in enumerate(rows, 2)]
    spans.sort(key=lambda each: each[0])  # stable: within a note they stay as they are
    return [_note(key, [span for _, span in each]) for key, each in groupby(spans, key=lambda each: each[0])]


def _cell(span: Span, name: str) -> str | int:
    if name == "context":
        return ";".join(span.context)
    cell: str | int = getattr(span, name)
    return cell


def _quoted(cell: str | int) -> str | int:
    if isinstance(cell, int):
        return cell
    encoded(cell, "CSV")
    return f"'{cell}" if cell.startswith("'") else cell


def _rows(text: str) -> list[Mapping[str, str]]:
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    try:
        head, *rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)) or [[]]
    except csv.Error:
        raise refused("this is no whole CSV table") from None
    missing = [name for name in _NEEDED if name not in head]
    if missing or len(set(head)) < len(head):
        raise refused(f"there is no column '{missing[0]}'" if missing else "two columns have the same name")
    if any(len(row) not in (0, len(head)) for row in rows):
        raise refused("a row has more or fewer cells than the first one")
    return [dict(zip(head, (cell.removeprefix("'") for cell in row), strict=True)) for row in rows if row]


def _span(row: Mapping[str, str], number: int, known: frozenset[str]) -> Span:
    try:
        check_label(row["attribute"], known)
        return _made(row)
    except MedomicsError as error:
        raise refused(f"row {number}: {error.found}") from None
    except ValueError:
        raise refused(f"row {number}: the begin or end is no whole number") from None


def _made(row: Mapping[str, str]) -> Span:
    start, end, text = int(row["start"]), int(row["end"]), row["text"]
    if start < 0 or end - start != len(text):
        raise no_span("the text of a span is longer or shorter than its begin and end say")
    # In a note of nothing but this text, the span is all of it: what else is wrong of it is found there.
    span = Span.of(text, row["attribute"], 0, len(text), value=row.get("value", ""), unit=row.get("unit", ""),
                   qualifier=row.get("qualifier", ""), context=filter(None, row.get("context", "").split(";")),
                   status=row.get("status") or ADDED)
    others = {name: row.get(name, "") for name in ("rule", "rule_version", "id", "time")}
    return Span(**{**span.__dict__, **others, "start": start, "end": end})


def _note(key: tuple[str, ...], spans: list[Span]) -> AnnotatedNote:
    note, sha256, annotator, language = key
    kept = tuple(spans) if all(span.id for span in spans) else with_steady_ids(spans)
    return AnnotatedNote(note, sha256, kept, annotator=annotator, language=language).checked()

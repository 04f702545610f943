"""Treatments of cancer by name: drugs, regimens, operations that remove a tumour or its organ, modalities."""

from __future__ import annotations

from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.terms import named


def find(note: Note) -> Iterator[Found]:
    """The treatments that the lexicons drugs, regimens, operations and modalities name."""
    for hit in named(note):
        if hit.term.attribute == "treatment":
            for value in hit.term.value.split(";"):
                yield Found("treatment", hit.start, hit.end, value.strip(), qualifier=hit.term.qualifier)

"""Histological types by name: ICD-O-3.2 morphology with behaviour, benign tumours too."""

from __future__ import annotations

from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.terms import named


def find(note: Note) -> Iterator[Found]:
    """The types that ``lexicons/histology.csv`` names."""
    for hit in named(note):
        if hit.term.attribute == "histology":
            yield Found("histology", hit.start, hit.end, hit.term.value)

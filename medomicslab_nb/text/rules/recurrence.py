"""Recurrence or relapse of the cancer, not of other diseases; risks and scores of recurrence are none.

Notes
-----
Challenge set (*not real notes*), the half not looked at: F1 .87 in French (n 14) and 1.0 in English (n 14); once it
was read, all of it: 1.0 (n 26) and 1.0 (n 27). E3C layer 3, gold by simulated annotators, half of development, by
value: .92 (n 7) and .96 (n 57). Limits: other diseases are known by the words right beside.
"""

from __future__ import annotations

from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import follows, is_of_other, is_unreal, named, stated, with_context


def find(note: Note) -> Iterator[Found]:
    """The recurrences that ``lexicons/outcomes.csv`` names."""
    hits = [hit for hit in named(note, "recurrence")
            if not (is_unreal(note, hit.start, hit.end) or is_of_other(note, hit))]
    for hit in hits:
        found = stated(note, "recurrence", hit.start, hit.end, "recurrence")
        first = len(hits) > 1 and follows(note, hit.start, "first")
        yield with_context(found, "history") if first else found

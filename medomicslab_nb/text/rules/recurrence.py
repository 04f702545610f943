"""Recurrence or relapse of the cancer, not of other diseases; risks and scores of recurrence are none."""

from __future__ import annotations

from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import clause_after, clause_before, is_unreal, named, stated, words

_BESIDE = 30  # characters in which another disease is named


def find(note: Note) -> Iterator[Found]:
    """The recurrences that ``lexicons/outcomes.csv`` names."""
    for hit in named(note, "recurrence"):
        if not (is_unreal(note, hit.start, hit.end) or _is_of_other(note, hit)):
            yield stated(note, "recurrence", hit.start, hit.end, "recurrence")


def _is_of_other(note: Note, hit: Hit) -> bool:
    """Recurrent pneumonia, récidive herniaire, relapse of depression."""
    after = clause_after(note, hit.end)[:_BESIDE].partition(",")[0]
    before = clause_before(note, hit.start)[-_BESIDE:].rpartition(",")[2]
    return bool(words("elsewhere").search(after) or words("elsewhere").search(before))

"""Of which disease a stage or grade is said: a cancer, or one of those in ``lexicons/graded_diseases.yaml``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import alternation, listed, phrases

_BEFORE, _AFTER = 70, 45  # characters of the sentence in which the disease is looked for
_BREAK = re.compile(r"[;.\n]|\b(?:et|and|mais|but|with|avec)\b|,")
_PENALTY = {";": 60, ".": 60, "\n": 60, ",": 12}

Kind = Literal["cancer", "other", ""]


def disease_of(note: Note, start: int, end: int, others: Sequence[str] = ("other",)) -> Kind:
    """The kind of the nearest disease to a stretch of its sentence; empty when none is near.

    Parameters
    ----------
    others
        Lists of the lexicon whose words are other diseases.
    """
    begin, stop = note.sentence_at(start)
    before = note.folded[max(begin, start - _BEFORE):start]
    after = note.folded[end:min(max(stop, end), end + _AFTER)]
    pattern = _diseases(tuple(others))
    near = [(_distance(before[match.end():]), _kind(match)) for match in pattern.finditer(before)]
    near += [(_distance(after[:match.start()]), _kind(match)) for match in pattern.finditer(after)]
    return min(near)[1] if near else ""


def _kind(match: re.Match[str]) -> Kind:
    return "cancer" if match["cancer"] else "other"


def _distance(between: str) -> int:
    """How far apart, in characters; a sign or a conjunction between them counts for more."""
    return len(between) + sum(_PENALTY.get(match[0], 8) for match in _BREAK.finditer(between))


@cache
def _diseases(others: tuple[str, ...]) -> re.Pattern[str]:
    other = alternation(word for name in others for word in listed("graded_diseases", name))
    return re.compile(rf"\b(?:(?P<cancer>{phrases('graded_diseases', 'cancer')})|{other})\b")

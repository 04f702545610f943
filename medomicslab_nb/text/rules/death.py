"""Death of the patient, or that the patient is alive: names in ``lexicons/outcomes.csv``.

Death of cells, of relatives (none in French notes, in the context family in English ones), risks and fears of death
are none.

Notes
-----
Challenge set (*not real notes*), the half not looked at: F1 .89 in French (n 12) and .87 in English (n 14); once it
was read, all of it: 1.0 (n 26) and 1.0 (n 25). E3C layer 3, gold by simulated annotators, half of development, by
value: 1.0 (n 9) and .93 (n 26). Limits: whose death it is, is known within a clause only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import follows, is_relatives, named, precedes

_CAUSE = re.compile(r"\W{1,3}non[- ]?(?:cancer|tum|relapse|onco)")


def find(note: Note) -> Iterator[Found]:
    """What a note says of the patient's being alive."""
    for hit in named(note, "death"):
        relatives = is_relatives(note, hit.start, hit.end)
        if not _is_none(note, hit) and not (relatives and note.language == "fr"):
            context = (("family",) if relatives else ()) + (("negated",) if _is_denied(note, hit) else ())
            yield Found("death", hit.start, hit.end, hit.term.value, context=context)


def _is_none(note: Note, hit: Hit) -> bool:
    if hit.term.value == "alive" and precedes(note, hit.end, "alive_none_after"):
        return True
    return follows(note, hit.start, "death_none_before") or precedes(note, hit.end, "death_none_after")


def _is_denied(note: Note, hit: Hit) -> bool:
    return follows(note, hit.start, "death_not", 1) or (
        precedes(note, hit.end, "death_not") and not _CAUSE.match(note.folded, hit.end))

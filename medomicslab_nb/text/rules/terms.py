"""Names of tumours and treatments in a note: one pass over all their lexicons, which several rules read."""

from __future__ import annotations

from functools import cache, lru_cache

from medomicslab_nb.text.lexicon import FOLDER, Hit, Lexicon, read_terms
from medomicslab_nb.text.note import Note

_LEXICONS = ("histology", "operations", "modalities", "regimens", "drugs")


@lru_cache(maxsize=1)
def named(note: Note) -> tuple[Hit, ...]:
    """The tumours and treatments that a note names, in order; those of the note that was read last are kept."""
    return tuple(_lexicon().find(note))


@cache
def _lexicon() -> Lexicon:
    terms = [term for name in _LEXICONS for term in read_terms(FOLDER / f"{name}.csv", any_order=True)]
    return Lexicon(terms, passing=True)

"""Primary sites: the organ that a mention of a cancer or tumour names as its origin, as ICD-O topography.

An organ of ``lexicons/sites.csv`` counts directly before or after a tumour with nothing but the words of
``lexicons/site_words.yaml`` between (breast cancer, cancer primitif du sein gauche), within its name (renal cell
carcinoma), joined to such an organ by "and", or named by the tumour itself (hepatocellular, NSCLC). Organs of
metastases do not count.

No annotated corpus: the gold and the challenge set leave sites out. Tested on sentences of its own
(``test_site.py``).

Limits: three characters, no quadrants or lobes; an origin that is told in another sentence is not found; "liver
tumour" counts though it may turn out to be a metastasis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit, lexicon
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import phrases, word_lists
from medomicslab_nb.text.rules.terms import named

_LISTS = "site_words"
_WORDS = re.compile(r"[^\W_]+|[^\w\s'-]")
_MOST = 8  # words between a tumour and its organ
_FAR = 80  # characters between them


def find(note: Note) -> Iterator[Found]:
    """Organs beside a cancer or tumour, those that are joined to them by "and", and those in its name (NSCLC)."""
    names = [hit for hit in named(note) if hit.term.attribute == "histology" and not hit.term.value.endswith("/0")]
    hits = list(lexicon("sites").find(note))
    tumours = [hit for hit in hits if hit.term.attribute == "tumour"] + names
    organs = [hit for hit in hits if hit.term.attribute == "site"] if tumours else []
    for organ in _origins(note, organs, tumours):
        yield Found("site", organ.start, organ.end, organ.term.value)
    for name in names:
        if name.term.qualifier and not any(name.start <= organ.start < name.end for organ in organs):
            yield Found("site", name.start, name.end, name.term.qualifier)


def _origins(note: Note, organs: Sequence[Hit], tumours: Sequence[Hit]) -> list[Hit]:
    """The organs in which a tumour arose."""
    origins = {organ.start for organ in organs if any(_is_origin(note, organ, tumour) for tumour in tumours)}
    for one, other in pairwise(organs):
        if one.start in origins and _only(note, one.end, other.start, "joined"):
            origins.add(other.start)
    for other, one in pairwise(reversed(organs)):
        if other.start in origins and _only(note, one.end, other.start, "listed"):
            origins.add(one.start)
    return [organ for organ in organs if organ.start in origins]


def _is_origin(note: Note, organ: Hit, tumour: Hit) -> bool:
    """Whether an organ stands within a tumour's name, before it (breast cancer) or after it (cancer du sein)."""
    if abs(organ.start - tumour.start) > _FAR + (tumour.end - tumour.start):
        return False
    within = tumour.start <= organ.start < tumour.end
    before = organ.end <= tumour.start and _only(note, organ.end, tumour.start, "before")
    after = tumour.end <= organ.start and _only(note, tumour.end, organ.start, "after") and _is_of(note, tumour, organ)
    return (within or before or after) and not _is_none(note, organ, tumour)


def _is_of(note: Note, tumour: Hit, organ: Hit) -> bool:
    """Whether the words between a tumour and the organ after it do not say that it grows into it or came there."""
    words = _WORDS.findall(note.folded, tumour.start, organ.start)
    if any(one in _allowed("invading") and other in _allowed("articles") for one, other in pairwise(words)):
        return False
    before = note.folded[max(tumour.start - 40, 0):tumour.start]
    within = _allowed("within").intersection(_WORDS.findall(note.folded, tumour.end, organ.start))
    return not (within and _last_word("secondary_before").search(before))


def _is_none(note: Note, organ: Hit, tumour: Hit) -> bool:
    """Whether the tumour arose elsewhere, or is nobody's."""
    start, end = min(organ.start, tumour.start), max(organ.end, tumour.end)
    before, after = note.folded[max(start - 40, 0):start], note.folded[end:end + 40]
    if _next_word("secondary_after").match(after) or _next_word("general_after").match(after):
        return True
    if _last_word("general_before").search(before):
        return True
    return note.folded.startswith("tum", tumour.start) and bool(_last_word("secondary_before").search(before))


def _only(note: Note, start: int, end: int, name: str) -> bool:
    """Whether nothing but words of a list stands in a stretch."""
    if end - start > _FAR or "\n\n" in note.folded[start:end]:
        return False
    words = _WORDS.findall(note.folded, start, end)
    fewest = 0 if name in ("before", "after") else 1
    return fewest <= len(words) <= _MOST and all(word in _allowed(name) for word in words)


@cache
def _allowed(name: str) -> frozenset[str]:
    return frozenset(str(word) for word in word_lists(_LISTS)[name])


@cache
def _next_word(name: str) -> re.Pattern[str]:
    return re.compile(rf"[\s'-]+{phrases(_LISTS, name)}\b")


@cache
def _last_word(name: str) -> re.Pattern[str]:
    """One of the words at the end of a stretch, with articles and prepositions after it at most."""
    articles = r"(?:[\s'-]+(?:de|du|des|d|l|le|la|les|of|for|the|a|an|contre|un))*"
    return re.compile(rf"\b{phrases(_LISTS, name)}{articles}[\s'-]*$")

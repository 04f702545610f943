"""Metastases by organ: one fact an organ named, "unspecified" where none is.

A head (métastase, mets, secondary deposit, metastatic) has its organs after it ("métastases osseuses et hépatiques",
"metastatic to the liver"), before it ("bone and liver mets", "nodules pulmonaires métastatiques") or as the heading of
its line ("Foie : ..."). Names stand in ``lexicons/metastases.csv``, the words that may stand between in
``lexicons/outcome_words.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import is_relatives, is_unreal, named, precedes
from medomicslab_nb.text.rules.phrases import listed

_HEADS = ("head", "weak")
_REACH = 80  # characters between a head and an organ, at most
_LINE = 40  # characters of a line that is broken because it is long
_TOKEN = re.compile(r"[^\W_]+|[.;?!\n]")
_LIST = re.compile(r"[\s,/&+()'-]*(?:(?:and|et|or|ou|ni|nor|the|le|la|les|l|aux?)\b[\s'/-]*)*")


def find(note: Note) -> Iterator[Found]:
    """The metastases of a note."""
    hits = list(named(note, "metastasis"))
    taken: set[int] = set()
    for at, hit in enumerate(hits):
        if not hit.term.qualifier:
            yield _found(note, hit.start, hit.end, hit.term.value)
        elif hit.term.qualifier in _HEADS and not _is_none(note, hit):
            yield from _of_head(note, hits, at, taken)


def _is_none(note: Note, head: Hit) -> bool:
    written = note.folded[head.start:head.end]
    return written == "met" or precedes(note, head.end, "metastasis_none_after") or is_unreal(note, head)


def _of_head(note: Note, hits: Sequence[Hit], at: int, taken: set[int]) -> Iterator[Found]:
    """The facts of one head; ``taken`` are the organs that belong to one already."""
    head = hits[at]
    if head.term.qualifier == "weak":
        before = _before(note, hits, at, loose=True)
        if before and _has_lesion(note, hits[before[0]].start, head.end) and not re.match(r"\s(?:a|au|aux|to)\b", note.folded[head.end:]):
            yield from _facts(note, hits, at, before)
        return
    before = _before(note, hits, at, loose=False)
    organs = before + _after(note, hits, at, linked=bool(before))
    organs = organs or _before(note, hits, at, loose=True) or _heading(note, hits, at)
    fresh = [each for each in organs if each not in taken]
    taken.update(fresh)
    if organs:
        yield from _facts(note, hits, at, fresh)
    else:
        yield _found(note, head.start, head.end, head.term.value)


def _facts(note: Note, hits: Sequence[Hit], at: int, organs: Sequence[int]) -> Iterator[Found]:
    """A fact an organ, with the head where they stand side by side."""
    head, values = hits[at], set()
    for each in organs:
        organ = hits[each]
        if organ.term.value in values:
            continue
        values.add(organ.term.value)
        start, end = min(organ.start, head.start), max(organ.end, head.end)
        beside = len(_TOKEN.findall(note.folded[min(organ.end, head.end):max(organ.start, head.start)])) <= 1
        if abs(each - at) == 1 and beside and ":" not in note.folded[start:end]:
            yield _found(note, start, end, organ.term.value)
        elif (each < at and "\t" in note.folded[organ.end:head.start]) or ":" in note.folded[organ.end:head.start]:
            yield _found(note, head.start, head.end, organ.term.value)
        else:
            yield _found(note, organ.start, organ.end, organ.term.value)


def _found(note: Note, start: int, end: int, value: str) -> Found:
    return Found("metastasis", start, end, value, context=("family",) if is_relatives(note, start, end) else ())


def _after(note: Note, hits: Sequence[Hit], at: int, *, linked: bool) -> list[int]:
    """The organs after a head; ``linked``: only those that a word or a sign joins to it."""
    organs: list[int] = []
    end = hits[at].end
    for number in range(at + 1, len(hits)):
        organ = hits[number]
        gap = note.folded[end:organ.start]
        if organ.term.qualifier != "organ" or not _joined(note, end, organ.start, "between") or precedes(note, organ.end, "origin_after", 1):
            break
        if not organs and (re.match(r"\s*(?:,|(?:and|et|or|ou)\b)", gap) or (linked and not re.search(r"\b(?:to|in|of|dans|au|aux|du)\b|[:(]", gap))):
            break
        organs.append(number)
        end = organ.end
    return organs


def _before(note: Note, hits: Sequence[Hit], at: int, *, loose: bool) -> list[int]:
    """The organs before a head: right before it, or ``loose``, with lesions and doubts between."""
    if not at or hits[at - 1].term.qualifier != "organ":
        return []
    gap = note.folded[hits[at - 1].end:hits[at].start]
    close = re.fullmatch(r"[\s'-]*(?:(?:right|left|droite?s?|gauches?|bilateral|node|nodal)[\s]+)?", gap) and "\t" not in gap and "\n" not in gap
    if not (close or (loose and _joined(note, hits[at - 1].end, hits[at].start, "between_back"))):
        return []
    organs = [at - 1]
    while organs[0] and hits[organs[0] - 1].term.qualifier == "organ" and _LIST.fullmatch(
            note.folded, hits[organs[0] - 1].end, hits[organs[0]].start):
        organs.insert(0, organs[0] - 1)
    return organs


def _heading(note: Note, hits: Sequence[Hit], at: int) -> list[int]:
    """The organ that heads the line: "Liver: simple cysts, no metastasis"."""
    start = max(note.sentence_at(hits[at].start)[0], note.folded.rfind("\n", 0, hits[at].start) + 1)
    for number in range(at):
        organ = hits[number]
        if start <= organ.start and organ.term.qualifier == "organ":
            heads = len(note.folded[start:organ.start].split()) <= 1 and re.match(r"[ \w]{0,12}[:\t]", note.folded[organ.end:])
            return [number] if heads else []
    return []


def _has_lesion(note: Note, start: int, end: int) -> bool:
    begin = max(note.sentence_at(start)[0], start - 25)
    return any(word in _set("lesion") for word in _TOKEN.findall(note.folded[begin:end]))


def _joined(note: Note, start: int, end: int, name: str) -> bool:
    """Whether nothing but words of a list stands between two places, on one line or a list's next."""
    gap = note.folded[start:end]
    if len(gap) > _REACH or ("\n" in gap and not _goes_on(note, start, gap)):
        return False
    return all(token in _set(name) or token == "\n" or token.isdecimal() for token in _TOKEN.findall(gap))


def _goes_on(note: Note, start: int, gap: str) -> bool:
    """Whether a new line goes on with the same: a list's member, or a line broken for its length."""
    end_of_line = start + gap.index("\n")
    long = end_of_line - note.folded.rfind("\n", 0, start) > _LINE
    return bool(re.search(r"\n\s*[-*•]", gap)) or (long and gap.count("\n") == 1)


@cache
def _set(name: str) -> frozenset[str]:
    return frozenset(listed("outcome_words", name))

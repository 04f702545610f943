"""Metastases by organ: one fact an organ named, "unspecified" where none is.

A head (métastase, mets, secondary deposit, metastatic) has its organs after it ("métastases osseuses et hépatiques",
"metastatic to the liver"), before it ("bone and liver mets", "nodules pulmonaires métastatiques") or as the heading of
its line ("Foie : ..."). Names stand in ``lexicons/metastases.csv``, the words that may stand between in
``lexicons/outcome_words.yaml``.

Notes
-----
Challenge set (*not real notes*), the half not looked at: F1 .80 in French (n 38) and .72 in English (n 31); once it
was read, all of it: .98 (n 93) and .97 (n 58). E3C layer 3, gold by simulated annotators, half of development, by
value: .81 (n 33) and .80 (n 190), places alone .93 and .95. Limits: an organ that another part of the sentence names
is not found, which leaves "unspecified".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import (
    clause_after,
    follows,
    is_unreal,
    named,
    precedes,
    stated,
    with_context,
    words,
)
from medomicslab_nb.text.rules.phrases import listed, word_lists

_HEADS = ("head", "weak", "spread")  # of the last two, only those with an organ
_REACH = 80  # characters between a head and an organ, at most
_LINE = 40  # characters of a line that is broken because it is long
_METABOLIC = re.compile(r"[\d><]\s?mets$")  # metabolic equivalents: 4 METs
_TOKEN = re.compile(r"[^\W_]+|[.;?!\n]")
_LIST = re.compile(r"[\s,/&+()'-]*(?:(?:and|et|or|ou|ni|nor|the|le|la|les|l|du|de|aux?)\b[\s'/-]*)*")
_NEW_MEMBER = re.compile(r"\s*(?:,|(?:and|et|or|ou)\b)")
_LINK = re.compile(r"\b(?:to|in|of|dans|au|aux|du)\b|[:(]")
_ANSWER = re.compile(r"(?:\s?[:(=]\s?[^\s,;)]+\)?)?")  # what is said of the organ before: "liver: no"
_WITH = re.compile(r"\b(?:with|avec)\s$")
_SIDE = re.compile(r"[\s'-]*(?:(?:right|left|droite?s?|gauches?|bilateral|nodes?)\s+)?")
_PARTED = re.compile(r"[:\t]|\b(?:no|none|aucune?|pas|non|absente?s?)\b")


def find(note: Note) -> Iterator[Found]:
    """The metastases of a note."""
    hits = list(named(note, "metastasis"))
    taken: set[int] = set()
    yield from _coded(note)
    of_heads = [found for at, hit in enumerate(hits) if hit.term.qualifier in _HEADS and not _is_none(note, hit)
                for found in _of_head(note, hits, at, taken)]
    yield from of_heads
    said = {(note.sentence_at(found.start), found.value) for found in of_heads}
    for hit in hits:  # a Krukenberg tumour, i.e. an ovarian metastasis: said once
        if not hit.term.qualifier and (note.sentence_at(hit.start), hit.term.value) not in said:
            yield stated(note, "metastasis", hit.start, hit.end, hit.term.value)


def _coded(note: Note) -> Iterator[Found]:
    """Organs by the codes of the TNM: M1 OSS, M1(HEP)."""
    if note.has("m1"):
        codes = word_lists("outcome_words")["m1_codes"]
        for match in note.search(re.compile(rf"m1[a-d]?[\s(:]{{0,2}}(?P<code>{'|'.join(codes)})\b")):
            yield Found("metastasis", match.start(), match.end(), codes[match["code"]])


def _is_none(note: Note, head: Hit) -> bool:
    """Whether none is stated: risks, markers, a line of treatment; a search counts where it was negative."""
    written = note.folded[head.start:head.end]
    if written == "met" or _METABOLIC.search(note.folded, max(head.start - 8, 0), head.end):
        return True
    if precedes(note, head.end, "metastasis_none_after"):
        return True
    if follows(note, head.start, "searched_before", 2):
        return not words("negative").search(clause_after(note, head.end))
    return is_unreal(note, head.start, head.end) or follows(note, head.start, "metastasis_none_before")


def _of_head(note: Note, hits: Sequence[Hit], at: int, taken: set[int]) -> Iterator[Found]:
    """The facts of one head; ``taken`` are the organs that belong to one already."""
    head = hits[at]
    if head.term.qualifier == "weak":
        organs = _before(note, hits, at, loose=True) if _is_lesion(note, head) else []
    else:
        close = _before(note, hits, at, loose=False)
        organs = close + _after(note, hits, at, linked=bool(close))
        organs = organs or _before(note, hits, at, loose=True) or _heading(note, hits, at)
    fresh = [each for each in organs if each not in taken]
    taken.update(fresh)
    if not organs and head.term.qualifier == "head":
        yield stated(note, "metastasis", head.start, head.end, head.term.value)
    yield from _facts(note, hits, at, fresh)


def _facts(note: Note, hits: Sequence[Hit], at: int, organs: Sequence[int]) -> Iterator[Found]:
    """A fact an organ: the first with the head, the others alone."""
    head, values, end, context = hits[at], set[str](), hits[at].end, ""
    nearest = min(organs, key=lambda each: abs(each - at), default=at)
    for each in organs:
        organ = hits[each]
        answer = _ANSWER.match(note.folded, end, organ.start) if values else None
        context = _answered(note, answer.end() if answer else end, organ.start, context)
        end = max(end, organ.end)
        if organ.term.value in values:
            continue
        values.add(organ.term.value)
        span = (organ.start, organ.end) if each != nearest else _stretch(note, head, organ)
        found = stated(note, "metastasis", *span, organ.term.value)
        yield with_context(found, context) if context and context not in found.context else found


def _answered(note: Note, start: int, end: int, before: str) -> str:
    """What the words between a head and an organ say of it: "metastases to bone, none in liver or brain"."""
    if start >= end:
        return ""
    if words("doubt_after").search(note.folded, start, end):
        return "uncertain"
    if words("excluded").search(note.folded, start, end):
        return "negated"
    return "" if words("included").search(note.folded, start, end) else before


def _stretch(note: Note, head: Hit, organ: Hit) -> tuple[int, int]:
    """Where the mention of a head and its nearest organ stands: without words between them that say more."""
    if organ.start > head.start:
        parted = _PARTED.search(note.folded, head.end, organ.start)
        return (organ.start if parted else head.start), organ.end
    close = _SIDE.fullmatch(note.folded, organ.end, head.start)
    return (organ.start if close else head.start), head.end


def _after(note: Note, hits: Sequence[Hit], at: int, *, linked: bool) -> list[int]:
    """The organs after a head; ``linked``: only those that a word or a sign joins to it."""
    organs: list[int] = []
    end = hits[at].end
    for number in range(at + 1, len(hits)):
        organ = hits[number]
        if organ.term.qualifier != "organ" or not _joined(note, end, organ.start, "between"):
            break
        gap = note.folded[end:organ.start]
        if _is_of_next(note, hits, number) and not _NEW_MEMBER.match(gap):
            break  # oligometastatic disease with a single vertebral metastasis
        if not organs and (_NEW_MEMBER.match(gap) or (linked and not _LINK.search(gap))):
            break
        if precedes(note, organ.end, "origin_after", 1):  # metastatic breast cancer to the liver
            end, linked = organ.end, True
            continue
        organs.append(number)
        end = organ.end
    return organs


def _is_of_next(note: Note, hits: Sequence[Hit], number: int) -> bool:
    """Whether a head stands right after an organ."""
    following = hits[number + 1:number + 2]
    return bool(following and following[0].term.qualifier == "head"
                and _SIDE.fullmatch(note.folded, hits[number].end, following[0].start))


def _before(note: Note, hits: Sequence[Hit], at: int, *, loose: bool) -> list[int]:
    """The organs before a head: right before it, or ``loose``, with lesions and doubts between."""
    last = at - 1
    if last < 0 or hits[last].term.qualifier not in ("organ", "lesion"):
        return []
    if not (_SIDE.fullmatch(note.folded, hits[last].end, hits[at].start)
            or (loose and _joined(note, hits[last].end, hits[at].start, "between_back"))):
        return []
    if follows(note, hits[last].start, "origin_before", 1) and not _WITH.search(note.folded[:hits[last].start][-6:]):
        return []
    first = last
    while first and hits[first - 1].term.qualifier == "organ" and _LIST.fullmatch(
            note.folded, hits[first - 1].end, hits[first].start):
        first -= 1
    return list(range(first, at))


def _heading(note: Note, hits: Sequence[Hit], at: int) -> list[int]:
    """The organ that heads the line: "Liver: simple cysts, no metastasis"."""
    start = max(note.sentence_at(hits[at].start)[0], note.folded.rfind("\n", 0, hits[at].start) + 1)
    first = next((number for number in range(at) if hits[number].start >= start), at)
    organ = hits[first]
    if organ.term.qualifier != "organ" or len(note.folded[start:organ.start].split()) > 1:
        return []
    return [first] if re.match(r"[ \w]{0,12}[:\t]", note.folded[organ.end:hits[at].start]) else []


def _is_lesion(note: Note, head: Hit) -> bool:
    """Whether a weak head qualifies a lesion, and is not secondary to something."""
    begin = max(note.sentence_at(head.start)[0], head.start - _LINE)
    before = _TOKEN.findall(note.folded[begin:head.start])
    secondary_to = re.match(r"\s(?:a|au|aux|to)\b", note.folded[head.end:])
    return any(word in _set("lesion") for word in before) and not secondary_to


def _joined(note: Note, start: int, end: int, name: str) -> bool:
    """Whether nothing but words of a list stands between two places, on one line or a list's next."""
    gap = note.folded[start:end]
    if len(gap) > _REACH or ("\n" in gap and not _goes_on(note, start, gap)):
        return False
    parts = _TOKEN.findall(gap)
    tumour = max((at for at, part in enumerate(parts) if part in _set("tumour")), default=-1)
    linked = tumour < 0 or _LINK.search(" ".join(parts[tumour + 1:]))
    if name == "between" and (not linked or _set("from") & set(parts[:max(tumour, 0)])):
        return False  # d'un adénocarcinome colique
    return all(part in _set(name) or part == "\n" or part.isdecimal() for part in parts)


def _goes_on(note: Note, start: int, gap: str) -> bool:
    """Whether a new line goes on with the same: a list's member, or a line broken for its length."""
    end_of_line = start + gap.index("\n")
    long = end_of_line - note.folded.rfind("\n", 0, start) > _LINE
    return bool(re.search(r"\n\s*[-*•]", gap)) or (long and gap.count("\n") == 1)


@cache
def _set(name: str) -> frozenset[str]:
    return frozenset(word for phrase in listed("outcome_words", name) for word in re.findall(r"[^\W_]+", phrase))

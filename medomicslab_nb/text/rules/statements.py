"""What is said of scores, grades and stages that general words of context do not know: conditions, earlier values.

"Reserved for stage III" and "KPS 50 would be a reason to stop" are no facts of the patient; in "OMS 2 il y a un mois,
OMS 3 aujourd'hui" the first is history; "90 au lieu de 70" negates the second; in "her husband is ECOG 2" it is the
family's. The words stand in ``lexicons/statements.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import phrases

_NEAR = 90  # characters before a value in which words may speak of it


_EARLIER_YEAR = re.compile(r"\b(?:in|en)\s(?:19|20)\d\d,?\s(?:\w+\s){1,2}(?:had|avait|presentait)\b")
_RANGE = re.compile(r"\s?(?:[-/,]|a|to|ou|or|et|and)?\s?")
_TO = re.compile(r"\W*(?:to|a|en|vers|into|->|→)\b")
_LATELY = re.compile(r"\b(?:over|in|during|for|sur|depuis|pendant)\s(?:the|le|la|l')?\s?(?:last|past|dernier).*")


def stated(note: Note, mentions: Iterable[Found]) -> Iterator[Found]:
    """The mentions that state something of the patient, with history or negated where another takes their place."""
    found = sorted(mentions, key=lambda each: (each.attribute, each.start))
    clauses = [_clauses(note, found, number) for number in range(len(found))]
    general = [_is_general(note, mention, *clause) for mention, clause in zip(found, clauses, strict=True)]
    for number in range(len(found)):
        ends = [other for other in (number - 1, number + 1)
                if 0 <= other < len(found) and _joined(note, found[min(number, other)], found[max(number, other)])]
        if not any(general[each] for each in (number, *ends)):
            yield _dated(note, found, number, *clauses[number])


def _is_general(note: Note, mention: Found, before: str, after: str) -> bool:
    """Whether the clause speaks of a condition, a goal or other patients, or only compares with the value."""
    said = before + note.folded[mention.start:mention.end]
    compared = _around("compared", after=r"\W{1,3}(?:\w{1,4}\W{1,2})?[\d+=]+\W*$").search(said)
    return bool(compared or _words("general_before").search(said) or _words("general_after").search(after))


def _joined(note: Note, one: Found, other: Found) -> bool:
    """Whether two mentions are the ends of a range."""
    between = note.folded[one.end:other.start]
    return one.attribute == other.attribute and _RANGE.fullmatch(between) is not None


def _dated(note: Note, found: Sequence[Found], number: int, before: str, after: str) -> Found:
    mention, following = found[number], found[number + 1:number + 2]
    rejected = _around("rejected", before=r"\W{0,3}").match(after)
    if rejected or _around("instead", after=r"\W{0,3}(?:\w+\W{1,3}){0,2}$").search(before):
        return replace(mention, context=("negated",))
    if _of_a_relative(note, mention):
        return replace(mention, context=("family",))
    before += note.folded[mention.start:mention.end]
    after = _LATELY.sub("", after)
    second = number > 0 and _follows(note, found[number - 1], mention)
    earlier = (_EARLIER_YEAR.search(before) or (second and _words("beside_now").search(before))
               or (_words("earlier_before").search(before) and not _words("now").search(before + after)))
    if earlier or _words("earlier_after").search(after) or any(_replaced(note, mention, other, before)
                                                               for other in following):
        return replace(mention, context=("history",))
    return mention


def _follows(note: Note, one: Found, other: Found) -> bool:
    """Whether a sentence gives another value of the same score before."""
    return one.attribute == other.attribute and one.start >= note.sentence_at(other.start)[0]


def _of_a_relative(note: Note, mention: Found) -> bool:
    """Whether the clause begins with a relative and does not turn back to the patient."""
    begin, _ = note.sentence_at(mention.start)
    clause = note.folded[begin:mention.start].rpartition(";")[2]
    said = _around("relatives", before=r"\W*(?:(?:an?|the|his|her|sa|son|un|une|le|la|l)\W)?").match(clause)
    return said is not None and not _words("patient").search(clause, said.end())


def _replaced(note: Note, mention: Found, other: Found, before: str) -> bool:
    """Whether the next mention is said to be what holds now."""
    if other.attribute != mention.attribute or other.value == mention.value or not 0 < other.start - mention.end < 100:
        return False
    between = note.folded[mention.end:other.start]
    between = _around("now", before=r"^[\s(%]*").sub("", between)  # said of the mention itself
    after = _around("now", before=r"[\s,(]*").match(note.folded[other.end:other.end + 40])
    arrow = "→" in between or "->" in between
    changed = (_TO.match(between) and _words("changing").search(before)
               and not _words("ranging").search(before))
    return bool(arrow or changed or after or _words("now").search(between) or _words("changed").search(between))


def _clauses(note: Note, found: Sequence[Found], number: int) -> tuple[str, str]:
    """The clause before a mention, from the one before it on, and the one after it, as far as the next sign."""
    mention = found[number]
    begin, stop = note.sentence_at(mention.start)
    same = [each for each in found[max(number - 1, 0):number + 2]
            if each is not mention and each.attribute == mention.attribute]
    last = max((each.end for each in same if begin < each.end <= mention.start), default=-1)
    before = note.folded[max(begin, last, mention.start - _NEAR):mention.start]
    if last >= 0:
        before = re.split(r"[,;]", before)[-1]
    first = min((each.start for each in same if each.start >= mention.end), default=stop)
    after = note.folded[mention.end:max(min(stop, first, mention.end + 50), mention.end)]
    return before.rpartition(";")[2], re.split(r"[,;.\n]", after)[0]


@cache
def _words(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{phrases('statements', name)}\b")


@cache
def _around(name: str, *, before: str = "", after: str = "") -> re.Pattern[str]:
    """The words of a list between two patterns."""
    return re.compile(rf"{before}\b{phrases('statements', name)}\b{after}")

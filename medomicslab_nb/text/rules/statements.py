"""What is said of scores, grades and stages that general words of context do not know: conditions, earlier values.

"Reserved for stage III" and "KPS 50 would be a reason to stop" are no facts of the patient; in "OMS 2 il y a un mois,
OMS 3 aujourd'hui" the first is history; "90 au lieu de 70" negates the second. The words stand in
``lexicons/statements.yaml``.
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


_LATELY = re.compile(r"\b(?:over|in|during|for|sur|depuis|pendant)\s(?:the|le|la|l')?\s?(?:last|past|dernier).*")


def stated(note: Note, mentions: Iterable[Found]) -> Iterator[Found]:
    """The mentions that state something of the patient, with history or negated where another takes their place."""
    found = sorted(mentions, key=lambda each: (each.attribute, each.start))
    for number, mention in enumerate(found):
        before, after = _clauses(note, found, number)
        if not (_words("general_before").search(before) or _words("general_after").search(after)):
            yield _dated(note, mention, before, after, found[number + 1:number + 2])


def _dated(note: Note, mention: Found, before: str, after: str, following: Sequence[Found]) -> Found:
    if re.search(rf"\b{phrases('statements', 'instead')}\W{{0,3}}(?:\w+\W){{0,2}}$", before):
        return replace(mention, context=("negated",))
    before += note.folded[mention.start:mention.end]
    after = _LATELY.sub("", after)
    earlier = _words("earlier_before").search(before) and not _words("now").search(before)
    if earlier or _words("earlier_after").search(after) or any(_replaced(note, mention, other) for other in following):
        return replace(mention, context=("history",))
    return mention


def _replaced(note: Note, mention: Found, other: Found) -> bool:
    """Whether the next mention is said to be what holds now."""
    if other.attribute != mention.attribute or other.value == mention.value or not 0 < other.start - mention.end < 100:
        return False
    between = note.folded[mention.end:other.start]
    between = re.sub(rf"^[\s(%]*{phrases('statements', 'now')}\b", "", between)  # said of the mention itself
    after = re.match(rf"[\s,(]*{phrases('statements', 'now')}\b", note.folded[other.end:other.end + 40])
    arrow = "→" in between or "->" in between
    return bool(arrow or after or _words("now").search(between) or _words("changed").search(between))


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

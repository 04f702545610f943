"""Names of courses and conditions in a note: one pass over their lexicons, and what the words beside a name say.

The rules response, recurrence, metastasis, comorbidity, menopause and death read it. Words stand in
``lexicons/outcome_words.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, lru_cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import FOLDER, Hit, Lexicon, read_terms
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import phrases

_LEXICONS = ("outcomes", "metastases", "comorbidities")
_BESIDE = 30  # characters before and after a name in which another disease is named
_PHRASE, _WORD = 30, 9  # characters of a phrase and of a word between, at most as they are looked at
_NEAR = 70  # characters before and after a name in which words say what it is


def named(note: Note, attribute: str) -> Iterator[Hit]:
    """The terms of an attribute that a note names, in order."""
    return (hit for hit in _all(note) if hit.term.attribute == attribute)


@lru_cache(maxsize=1)
def _all(note: Note) -> tuple[Hit, ...]:
    """All terms of the note that was read last."""
    return tuple(_lexicon().find(note))


@cache
def _lexicon() -> Lexicon:
    return Lexicon(term for name in _LEXICONS for term in read_terms(FOLDER / f"{name}.csv"))


def clause_before(note: Note, at: int) -> str:
    """What stands before a place in its sentence, from the last semicolon or full stop on."""
    return re.split(r"[;.]\s|\n", note.folded[max(note.sentence_at(at)[0], at - _NEAR):at])[-1]


def clause_after(note: Note, at: int) -> str:
    """What stands after a place, up to the next semicolon or full stop."""
    return re.split(r"[;.](?:\s|$)|\n", note.folded[at:at + _NEAR])[0]


def follows(note: Note, at: int, name: str, between: int = 0) -> bool:
    """Whether words of the list ``name`` stand right before a place, with at most so many others between."""
    before, reach = clause_before(note, at), _PHRASE + _WORD * between
    if len(before) > reach:
        before = before[-reach:].partition(" ")[2]
    return bool(_last(name, between).search(before))


def precedes(note: Note, at: int, name: str, between: int = 0) -> bool:
    """Whether words of the list ``name`` stand right after a place, with at most so many others between."""
    return bool(_next(name, between).match(clause_after(note, at)))


def is_unreal(note: Note, start: int, end: int) -> bool:
    """Whether a risk, a condition, a study or the time until something is spoken of."""
    return follows(note, start, "unreal_before", 2) or precedes(note, end, "unreal_after")


def stated(note: Note, attribute: str, start: int, end: int, value: str, qualifier: str = "") -> Found:
    """A mention with the answer that follows it ("diabetes: no"), a relative's, denied or in doubt by its neighbours.

    The answer belongs to the mention, so that it is not taken for its neighbour's in the table.
    """
    answer = _answer().match(note.folded, end)
    context = ["family"] if is_relatives(note, start, end) else []
    if (answer and answer["no"]) or follows(note, start, "denied_before"):
        context.append("negated")
    if precedes(note, end, "doubt_after") or follows(note, start, "doubt_before"):
        context.append("uncertain")
    return Found(attribute, start, answer.end() if answer else end, value, qualifier=qualifier, context=tuple(context))


def with_context(found: Found, *contexts: str) -> Found:
    """The mention with further contexts."""
    return replace(found, context=(*found.context, *contexts))


def in_order(note: Note, mentions: Iterable[Found]) -> Iterator[Found]:
    """Mentions of one attribute, those with history after which another holds: "previously PR, now PD"."""
    found = sorted(mentions, key=lambda each: each.start)
    for number, mention in enumerate(found):
        following = next((each for each in found[number + 1:] if each.start >= mention.end), mention)
        earlier = following.value != mention.value and (
            follows(note, mention.start, "earlier_before", 1)
            or words("now_between").search(note.folded, mention.end, following.start))
        yield with_context(mention, "history") if earlier else mention


@cache
def _answer() -> re.Pattern[str]:
    no, yes = (phrases("outcome_words", name) for name in ("answer_no", "answer_yes"))
    return re.compile(rf"\s?[:=(\s]\s?(?:(?P<no>{no})|{yes})(?=\s*(?:[.;,)\n\t]|$)|\s+[a-z]+\s?[:=])")


def is_of_other(note: Note, hit: Hit) -> bool:
    """Whether another disease is named beside: recurrent pneumonia, récidive herniaire, progression of dyspnoea."""
    after = clause_after(note, hit.end)[:_BESIDE].partition(",")[0]
    earlier, _, before = clause_before(note, hit.start)[-_BESIDE:].rpartition(",")
    if words("ordinal").fullmatch(before.strip()):  # diarrhée à Clostridioides, deuxième récidive
        before = earlier
    return bool(words("elsewhere").search(after) or words("elsewhere").search(before))


def is_relatives(note: Note, start: int, end: int) -> bool:
    """Whether what is said is a relative's: named before in the clause and no one after, or right after."""
    before = clause_before(note, start)
    if _heading().match(note.folded, note.sentence_at(start)[0], start):
        before = note.folded[note.sentence_at(start)[0]:start]
    relatives = list(words("relative").finditer(before))
    if relatives and not words("own").search(before, relatives[-1].end()):
        return True
    return precedes(note, end, "relative_after")


@cache
def _heading() -> re.Pattern[str]:
    """A relative who heads a sentence: all of it is about him or her."""
    return re.compile(rf"\W*{words('relative').pattern}\s?:")


@cache
def words(name: str) -> re.Pattern[str]:
    """Any of the words of a list."""
    return re.compile(rf"(?<![^\W_]){phrases('outcome_words', name)}(?![^\W_])")


@cache
def _last(name: str, between: int) -> re.Pattern[str]:
    return re.compile(rf"{words(name).pattern}(?:[\s'/-]+[^\W_]+){{0,{between}}}[\s'/:(-]*$")


@cache
def _next(name: str, between: int) -> re.Pattern[str]:
    return re.compile(rf"(?:[\s'/-]+[^\W_]+){{0,{between}}}[\s'/:(-]*{words(name).pattern}")

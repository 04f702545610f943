"""What is said of a mention: negated, uncertain, a relative's, earlier, or planned.

The method is that of ConText [1]_: words such as "sans" or "was ruled out" (``context_fr.yaml``,
``context_en.yaml``) say something of what follows or precedes them in their sentence, as far as the next word or sign
that ends their reach; longer phrases that only look like one ("sans doute", "gram negative") say nothing. Beyond a
comma the reach goes on through a list ("no fever, cough or rash") and not into a new statement.

What a section says (``sections.yaml``) holds for every mention in it. What is negated is neither history nor uncertain
by the words that are negated with it: "no history of stroke" and "sans lésion suspecte" are negated.

Notes
-----
Layer 1 of E3C, events with their gold spans, 36 French and 48 English case reports, 5 folds (``benchmarks/text.py``):
F1 of negation .94 (95 % interval .91 to .97) in French and .87 (.82 to .91) in English, of uncertainty .73 (.50 to .84)
and .44 (.31 to .57). These flatter: the errors on four fifths of these documents were read while the lexicons grew. On
the fifth never read (every fifth document by name, 7 and 9 of them, 18 and 30 negated events) the F1 of negation is .79
and .77, of uncertainty .50 and .00 (4 and 7 uncertain events). Only these figures say what to expect of other notes.
Family, history and plans have no gold there; they are tested by sentences. Limits: what a relative has is taken to the
end of the clause; a year alone is taken for the past; irony, questions of a letter and references across sentences are
not understood.

References
----------
.. [1] Harkema H, Dowling JN, Thornblade T, Chapman WW. ConText: an algorithm for determining negation, experiencer, and
   temporal status from clinical reports. J Biomed Inform 2009;42:839-851.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from typing import NamedTuple

from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.context_triggers import SIGNS, Effect, Mark, tokens_of, triggers
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.sections import section_context


@dataclass(frozen=True)
class Reach:
    """How far words reach, in words of a sentence."""

    words: int = 30
    beside: int = 4
    """Of what stands close by its mention on either side (probable)."""
    next: int = 1
    """Of what stands right beside its mention (non-invasive, tumour-free)."""
    bare_commas: bool = True
    """Whether a list goes on after a comma when no "or" or "and" ends it."""
    conjunctions: bool = True
    """Whether what is negated goes on after "and"."""
    prepositions: bool = True
    """Whether a preposition of time, place or means ends the reach (no metastasis on CT)."""


def contexts(note: Note, spans: Sequence[tuple[int, int]], reach: Reach | None = None) -> list[tuple[str, ...]]:
    """The context of each span, in folded offsets: names out of ``CONTEXTS``, in their order."""
    by_sentence: dict[tuple[int, int], list[int]] = {}
    for number, (start, _) in enumerate(spans):
        by_sentence.setdefault(note.sentence_at(start), []).append(number)
    found: list[tuple[str, ...]] = [()] * len(spans)
    for (begin, end), numbers in by_sentence.items():
        sentence = Sentence(note, begin, end, [spans[number] for number in numbers], reach or Reach())
        for number in numbers:
            section = section_context(note.section_at(spans[number][0]))
            found[number] = _in_order({*sentence.said_of(*spans[number]), section})
    return found


def _in_order(said: set[str]) -> tuple[str, ...]:
    if said & {"negated", "family"}:  # what is not so, or a relative's, is nobody's earlier time
        said.discard("history")
    return tuple(name for name in CONTEXTS if name in said)


class Scope(NamedTuple):
    """The words of a sentence of which a context is said, in numbers of tokens."""

    start: int
    end: int
    context: str
    mark: int
    """Where the words stand that say it."""
    spares_examinations: bool = False


class Sentence:
    """One sentence, the patterns in it and what they reach."""

    def __init__(self, note: Note, begin: int, end: int, spans: Sequence[tuple[int, int]], reach: Reach) -> None:
        tokens = tokens_of(note.folded, begin, end)
        self._keys, self._starts = tokens.keys, tokens.starts
        self._reach = reach
        held = _Held(self._tokens_in(*span) for span in spans)
        self._marks = [mark for mark in triggers(note.language).marks(self._keys) if not held.holds(mark)]
        self._roles = self._find_roles()
        self._negations = {mark.end - 1 for mark in self._marks if _negates_a_phrase(mark.effects)}

    def said_of(self, start: int, end: int) -> set[str]:
        """The contexts of the words between two folded offsets."""
        first, last = self._tokens_in(start, end)
        examination = "examination" in self._roles[first:last]
        return {context for token in range(first, last) for context, spares_examinations in self._said.get(token, ())
                if not (examination and spares_examinations)}

    def _tokens_in(self, start: int, end: int) -> tuple[int, int]:
        """The tokens in a stretch of the note, from the one that the stretch begins in."""
        return max(bisect_right(self._starts, start) - 1, 0), bisect_left(self._starts, end)

    def _find_roles(self) -> list[str]:
        """What each token does to the reach of others: its sign, or the role of its pattern; empty for most."""
        roles = [key if key in SIGNS else "" for key in self._keys]
        for mark in self._marks:
            role = _role_of(mark.effects)
            roles[mark.start:mark.end] = [role] * (mark.end - mark.start)
        return roles

    @cached_property
    def _said(self) -> dict[int, set[tuple[str, bool]]]:
        """What is said of each token: the context, and whether it is not said of examinations."""
        said: dict[int, set[tuple[str, bool]]] = {}
        for scope in self._scopes:
            for token in range(scope.start, scope.end):
                said.setdefault(token, set()).add((scope.context, scope.spares_examinations))
        return said

    @cached_property
    def _scopes(self) -> list[Scope]:
        """What each pattern reaches; not of those that are negated themselves ("no history of")."""
        found = [scope for mark in self._marks for scope in self._scopes_of(mark)]
        negated_at: dict[int, int] = {}  # the first pattern that negates a token
        for scope in found:
            if scope.context == "negated":
                negated_at |= {token: min(scope.mark, negated_at.get(token, scope.mark))
                               for token in range(scope.start, scope.end)}
        return [scope for scope in found
                if scope.context not in _NEGATED_AWAY or negated_at.get(scope.mark, scope.mark) >= scope.mark]

    def _scopes_of(self, mark: Mark) -> Iterator[Scope]:
        for context, direction in mark.effects:
            stretches = list(self._stretches(mark, direction))
            if context == "negated":  # the words of "was not seen" after the first are negated too
                stretches.append((mark.start + 1, mark.end))
            for start, end in stretches:
                if start < end:
                    yield Scope(start, end, context, mark.start, direction in _OF_FINDINGS)

    def _stretches(self, mark: Mark, direction: str) -> Iterator[tuple[int, int]]:
        """What a pattern says something of."""
        direction = self._side(mark, direction)
        if direction in ("before", "before_verb", "clause", "around"):
            yield mark.end, self._forward(mark, _VERBS_PASS[direction])
        if direction in ("after", "after_finding", "around"):
            yield self._backward(mark), mark.start
        if direction == "listed":
            yield mark.end, self._list_end(mark.end)
        if direction in ("beside", "close_after"):
            yield self._near(mark.start, -self._reach.beside), mark.start
        if direction == "beside":
            yield mark.end, self._near(mark.end, self._reach.beside)
        if direction == "right_after":
            yield self._near(mark.start, -self._reach.next), mark.start
        if direction == "next":
            yield mark.end, self._near(mark.end, self._reach.next)
        if direction == "itself":
            yield mark.start, mark.end

    def _side(self, mark: Mark, direction: str) -> str:
        """The side on which a pattern says something, where what follows it decides that."""
        if direction in ("answer", "either"):  # "Fever: no." but "Course: no fever"
            return "after" if self._closes(mark) else "before"
        return "" if direction == "right_after" and not self._closes(mark) else direction

    def _forward(self, mark: Mark, verbs: int) -> int:
        """Where the reach of a pattern ends that stands before what it is said of.

        A verb ends it that is not one of the next ``verbs`` words.
        """
        end, depth = min(len(self._keys), mark.end + self._reach.words), 0
        for at in range(mark.end, end):
            role = self._roles[at]
            if role == ")" and not depth:
                return at
            if role == "found":  # "no lesion was seen": as far as these words
                return at + 2
            depth += (role == "(") - (role == ")")
            if role and not depth and self._ends(at, mark, verbs):
                return at
        return end

    def _list_end(self, begin: int) -> int:
        """Where a list ends whose members may have articles: "évoqués : un sarcome, une tumeur ou un abcès"."""
        end = min(begin + self._reach.words, len(self._keys))
        return next((at for at in range(begin, end) if self._roles[at] in _LIST_ENDS), end)

    def _ends(self, at: int, mark: Mark, verbs: int) -> bool:
        role, distance = self._roles[at], at - mark.end
        if role == "verb":
            return distance >= verbs
        if role == "preposition":
            return self._reach.prepositions and verbs < _ANY and (distance > 0 or verbs == _VERBS_PASS["around"])
        said = self._roles[mark.end:at]
        if role == ",":
            return self._new_statement(at, said) or not self._list_goes_on(at, "example" in said)
        if role == "and":
            return not self._joins(at, "example" in said)
        return role in _ENDS and (role != ":" or distance > 0)

    def _new_statement(self, comma: int, said: Sequence[str]) -> bool:
        """Whether a list that "or" has ended is followed by ", and"."""
        return "or" in said and self._roles[comma + 1:comma + 2] == ["and"]

    def _list_goes_on(self, comma: int, examples: bool) -> bool:
        """Whether what follows a comma is a further member of a list, and no new statement.

        Examples may have articles: "no complaint, such as a cough, a fever".
        """
        joined, member, opening = False, True, -1 if examples else comma + 1
        for at in range(comma + 1, min(comma + 1 + self._reach.words, len(self._keys))):
            role = self._roles[at]
            if role == "or" or (role == "and" and self._joins(at)):
                joined = True
            elif role == "example" and at == comma + 1:
                return True
            elif role in ("verb", "found") or (role in _STATES and member) or (role == "article" and at == opening):
                return joined
            elif role in _ENDS or role in (_TRIGGER, _PREDICATE, "and", "preposition", ")"):
                return joined or (self._reach.bare_commas and at - comma > 1)
            member = member and role not in (",", "or", "and")
        return joined or self._reach.bare_commas

    def _joins(self, conjunction: int, examples: bool = False) -> bool:
        """Whether "and" goes on with the same: no article, no verb follows closely, nothing that says otherwise."""
        following = self._roles[conjunction + 1:conjunction + 1 + _CLOSELY]
        openings = _STATES if examples else ("article", *_STATES)
        if not following or following[0] in (*openings, "preposition", "stop", _TRIGGER, _PREDICATE):
            return False
        ends = next((at for at, role in enumerate(following) if role in _ENDS or role == ","), len(following))
        return self._reach.conjunctions and "verb" not in following[:ends]

    def _backward(self, mark: Mark) -> int:
        """Where the reach of a pattern begins that stands after what it is said of."""
        joined, begin = False, max(mark.start - self._reach.words, 0)
        for at in range(mark.start - 1, begin - 1, -1):
            role = self._roles[at]
            joined = joined or role in ("and", "or")
            verb = role == "verb" and at < mark.start - 1
            if role in _ENDS or role == "state" or at in self._negations or verb or (role == "," and not joined):
                return at + 1
        return begin

    def _closes(self, mark: Mark) -> bool:
        """Whether a pattern is followed by nothing that it could belong to: "tumour-free." but not "free zone"."""
        return mark.end == len(self._keys) or self._roles[mark.end] not in ("", "article")

    def _near(self, at: int, words: int) -> int:
        """How far something reaches that stands close by, to one side."""
        place, step = at, 1 if words > 0 else -1
        for _ in range(abs(words)):
            token = place if step > 0 else place - 1
            if not 0 <= token < len(self._keys) or self._roles[token] in _CLOSE_ENDS:
                break
            place += step
        return place


_ENDS = frozenset(("stop", ";", ":"))
_LIST_ENDS = _ENDS | {"verb"}
_STATES = ("state", "number", "predicate")  # what makes a statement: "no fever, pulse normal", "no fever, Hb 9"
_CLOSE_ENDS = _ENDS | {"verb", "and", "or", ",", "(", ")"}
_TRIGGER = "trigger"
_PREDICATE = "predicate"  # a trigger that stands after what it is said of
_FOLLOWING = ("after", "after_finding", "close_after", "right_after")
_CLOSELY = 6  # words after "and" among which a verb tells that a new statement begins
_ANY = 1000
_VERBS_PASS = {"before": 1, "before_verb": 4, "around": 2, "clause": _ANY}
_OF_FINDINGS = ("after_finding", "close_after", "answer")
_NEGATED_AWAY = ("uncertain", "history", "planned")


@cache
def _role_of(effects: tuple[Effect, ...]) -> str:
    """What the words of a pattern do to the reach of others."""
    role = next((name for name, direction in effects if not direction), "")
    return role or (_PREDICATE if all(direction in _FOLLOWING for _, direction in effects) else _TRIGGER)


@cache
def _negates_a_phrase(effects: tuple[Effect, ...]) -> bool:
    """Whether words negate more than the next word ("non")."""
    return any(name == "negated" and direction != "next" for name, direction in effects)


class _Held:
    """The mentions of a sentence, in numbers of tokens: which patterns lie within one of them."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._reached = [0, *accumulate((end for _, end in ordered), max)]

    def holds(self, mark: Mark) -> bool:
        """Whether a mention has the words of a pattern within it, and more: "non-Hodgkin", "triple negative"."""
        before = self._reached[bisect_left(self._starts, mark.start)]
        until = self._reached[bisect_right(self._starts, mark.start)]
        return before >= mark.end or until > mark.end

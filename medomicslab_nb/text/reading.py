"""From a note to its facts: every rule, then the context of what they found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.context import contexts
from medomicslab_nb.text.facts import Fact, Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import RULES
from medomicslab_nb.text.rules.rule import Rule


def read_note(note: Note, rules: Iterable[Rule] = RULES.values()) -> list[Fact]:
    """The facts of a note, by their place in it.

    A rule's mentions of one attribute never lie within one another: the longer one stays. Mentions of different
    attributes may overlap (triple negative says three things).
    """
    found = [(rule, mention) for rule in rules for mention in _longest(_tidied(note, each) for each in rule.find(note))]
    said = contexts(note, [(mention.start, mention.end) for _, mention in found])
    facts = [_fact(note, rule, mention, context) for (rule, mention), context in zip(found, said, strict=True)]
    return sorted(facts, key=lambda fact: (fact.start, fact.end, fact.attribute, fact.value))


def _tidied(note: Note, mention: Found) -> Found:
    """A mention without blanks at its ends, with the bracket that closes it right after and none that opens before."""
    start, end = mention.start, mention.end
    for opening, closing in ("()", "[]"):
        open_ones = note.folded.count(opening, start, end) - note.folded.count(closing, start, end)
        if open_ones == 1 and note.folded.startswith(closing, end):
            end += 1
        elif open_ones == -1 and note.folded.endswith(closing, start, end):
            end -= 1
    text = note.folded[start:end]
    return replace(mention, start=end - len(text.lstrip()), end=start + len(text.rstrip())) if text.strip() else mention


def _longest(found: Iterable[Found]) -> Iterator[Found]:
    """What is left when mentions within longer ones of the same attribute are dropped, and repetitions."""
    reach: dict[str, tuple[int, int]] = {}
    seen: set[Found] = set()
    for mention in sorted(found, key=lambda each: (each.start, -each.end)):
        start, end = reach.get(mention.attribute, (-1, -1))
        within = mention.end <= end and (mention.start, mention.end) != (start, end)
        if not within and mention not in seen:
            seen.add(mention)
            reach[mention.attribute] = (mention.start, mention.end)
            yield mention


def _fact(note: Note, rule: Rule, mention: Found, said: Sequence[str]) -> Fact:
    start, end = note.source(mention.start, mention.end)
    context = {*mention.context, *said}
    if rule.says_negation and "negated" not in mention.context:
        context.discard("negated")
    if rule.says_history and "history" not in mention.context:
        context.discard("history")
    return Fact(mention.attribute, start, end, note.text[start:end], mention.value, mention.unit, mention.qualifier,
                tuple(name for name in CONTEXTS if name in context), note.section_at(mention.start), rule.name,
                rule.version)

"""What people decided about a note's facts, in place of what rules found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import cast

from medomicslab_nb.text.agreement import match_spans
from medomicslab_nb.text.facts import Fact, Status
from medomicslab_nb.text.span import SUGGESTED, Span, suggestion_id

ADJUDICATION = "adjudication"
"""The annotator whose word is final."""


def decided(found: Sequence[Fact], spans: Mapping[str, Sequence[Span]]) -> tuple[list[Fact], int]:
    """Facts of a note with what annotators decided.

    Parameters
    ----------
    found : sequence of Fact
        By rules.
    spans : mapping
        Each annotator's spans of the note as its text is now. What the adjudicator says counts alone; of several
        annotators without one, what all of them say.

    Returns
    -------
    facts : list of Fact
        An answer to a fact takes its place, and leaves what else was found there (radiochemotherapy is two treatments);
        any other decision takes the place of every fact of the same attribute that it overlaps. Rejected facts stay,
        as rejected.
    disputed : int
        Decisions that not all annotators took: they do not count.
    """
    answers = {name: [span for span in own if span.status != SUGGESTED] for name, own in spans.items()}
    answers = {name: own for name, own in answers.items() if own}
    if ADJUDICATION in answers:
        answers = {ADJUDICATION: answers[ADJUDICATION]}
    if not answers:
        return list(found), 0
    names = sorted(answers)
    shared = reduce(_both, (answers[name] for name in names))
    disputed = sum(len(own) - len(shared) for own in answers.values())
    who = names[0] if len(names) == 1 else " + ".join(names)
    facts = [*_open(found, shared), *(_fact(span, who, found) for span in shared)]
    return sorted(facts, key=lambda fact: (fact.start, fact.end, fact.attribute, fact.value)), disputed


def _open(found: Sequence[Fact], shared: Sequence[Span]) -> list[Fact]:
    """The facts that nobody has decided about."""
    identifiers = [suggestion_id(fact.attribute, fact.start, fact.end, fact.value) for fact in found]
    answered = {span.id for span in shared}
    others = [span for span in shared if span.id not in set(identifiers)]
    return [fact for fact, identifier in zip(found, identifiers, strict=True)
            if identifier not in answered and not any(_same_place(fact, span) for span in others)]


def _both(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """What two annotators say alike: place, value, context, and whether it holds."""
    pairs = [(one[first], other[second]) for first, second in match_spans(one, other)]
    return [first for first, second in pairs if (first.value, first.context, first.status == "rejected") == (
        second.value, second.context, second.status == "rejected")]


def _same_place(fact: Fact, span: Span) -> bool:
    return fact.attribute == span.attribute and fact.start < span.end and span.start < fact.end


def _fact(span: Span, annotator: str, found: Sequence[Fact]) -> Fact:
    section = next((fact.section for fact in found if fact.start <= span.start < fact.end), "")
    version = int(span.rule_version) if span.rule_version.isdigit() else 0
    return replace(Fact(span.attribute, span.start, span.end, span.text, span.value, span.unit, span.qualifier,
                        span.context, section, span.rule, version), status=cast(Status, span.status),
                   annotator=annotator, time=span.time)

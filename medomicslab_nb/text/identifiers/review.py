"""What people decided about the identifiers of notes: labels of the review screen, suggestions, and the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from medomicslab_nb.text.annotation_labels import LabelGroup
from medomicslab_nb.text.attributes import Attribute
from medomicslab_nb.text.identifiers.finding import Identifier, find_identifiers
from medomicslab_nb.text.identifiers.known import KnownIdentifiers
from medomicslab_nb.text.language import detect_language
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.span import REJECTED, SUGGESTED, Span

REVIEW = "review"
"""Rule of an identifier that a person marked."""

_KINDS = Path(__file__).with_name("kinds.yaml")


@cache
def identifier_labels() -> tuple[LabelGroup, ...]:
    """The kinds of identifiers as labels, in groups."""
    groups: dict[str, Any] = yaml.safe_load(_KINDS.read_text(encoding="utf-8"))
    return tuple(LabelGroup(name, group["title"], tuple(
        Attribute(kind, title, "term", "", "any") for kind, title in group["kinds"].items()))
        for name, group in groups.items())


def suggested(known: KnownIdentifiers | None) -> Callable[[str, str], Iterable[Span]]:
    """What suggests the identifiers that rules find, as spans for the review screen."""
    def suggest(text: str, language: str) -> Iterable[Span]:
        spoken = language if language in ("fr", "en") else detect_language(text).code or "fr"
        for one in find_identifiers(Note(text, spoken), known):
            yield Span.of(text, one.kind, one.start, one.end, rule=one.rule, rule_version="1", status=SUGGESTED)
    return suggest


def settled(text: str, found: Sequence[Identifier], spans: Iterable[Span]) -> list[Identifier]:
    """The identifiers of a note as a reviewer left them.

    Parameters
    ----------
    found : sequence of Identifier
        By rules.
    spans : iterable of Span
        Of all reviewers. What anybody marked is replaced, even where somebody else rejected it: a doubt protects. What
        was only rejected is not; what nobody decided stays as rules found it.
    """
    answers = [span for span in spans if span.status != SUGGESTED]
    marked = [span for span in answers if span.status != REJECTED]
    dropped = [span for span in answers if span.status == REJECTED]
    kept = [one for one in found if not any(_overlap(one, span) for span in dropped) or
            any(_overlap(one, span) for span in marked)]
    own = [Identifier(span.attribute, span.start, span.end, span.text, REVIEW) for span in marked]
    return _without_overlaps(text, [*own, *kept])


def _overlap(one: Identifier, span: Span) -> bool:
    return one.start < span.end and span.start < one.end


def _without_overlaps(text: str, every: Iterable[Identifier]) -> list[Identifier]:
    """Stretches that overlap become one, of the kind of the one that begins first; people's before rules'."""
    merged: list[Identifier] = []
    for one in sorted(every, key=lambda each: (each.start, each.rule != REVIEW, -each.end)):
        if merged and one.start < merged[-1].end:
            first, end = merged[-1], max(merged[-1].end, one.end)
            merged[-1] = Identifier(first.kind, first.start, end, text[first.start:end], first.rule)
        else:
            merged.append(one)
    return merged

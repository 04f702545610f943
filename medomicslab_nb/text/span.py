"""Spans of a note and relations between them: what an annotator says, and what rules suggest."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_json
from medomicslab_nb.text.attributes import CONTEXTS

SUGGESTED, ACCEPTED, EDITED, REJECTED, ADDED = STATUSES = ("suggested", "accepted", "edited", "rejected", "added")
HOLDING = (ACCEPTED, EDITED, ADDED)
"""Statuses of what an annotator says the note says."""


@dataclass(frozen=True)
class Span:
    """Characters of a note and what they say.

    Attributes
    ----------
    start, end : int
        Code points of the note's text as stored.
    text : str
        ``note[start:end]``.
    value, unit, qualifier : str
        Normalised, as in the fact table.
    context : tuple of str
        Out of ``CONTEXTS``, in their order.
    rule, rule_version : str
        Of the pre-annotation; empty where an annotator added the span.
    status : str
        One of ``STATUSES``.
    id : str
        Unique within a note and annotator. That of a pre-annotation is made of attribute, place and value, so that the
        same one is known again when it is suggested anew, whatever became of it.
    time : str
        UTC, ISO 8601: when it was last changed. Set when it is stored.
    """

    attribute: str
    start: int
    end: int
    text: str
    value: str = ""
    unit: str = ""
    qualifier: str = ""
    context: tuple[str, ...] = ()
    rule: str = ""
    rule_version: str = ""
    status: str = ADDED
    id: str = ""
    time: str = ""

    @classmethod
    def of(cls, note: str, attribute: str, start: int, end: int, *, value: str = "", unit: str = "",
           qualifier: str = "", context: Iterable[str] = (), rule: str = "", rule_version: str = "",
           status: str = ADDED) -> Span:
        """A span of a note's text, with an identifier of its own.

        Raises
        ------
        DataError
            It lies outside the note or is empty; a context or status that does not exist; no attribute.
        """
        named = frozenset(context)
        made = cls(attribute, start, end, note[max(start, 0):max(end, 0)], value, unit, qualifier,
                   tuple(name for name in CONTEXTS if name in named), rule, rule_version, status,
                   id=suggestion_id(attribute, start, end, value) if rule else uuid.uuid4().hex[:16])
        check_span(made, note)
        if len(made.context) < len(named):
            raise no_span(f"there is no context '{min(named - set(CONTEXTS))}'")
        return made

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Span:
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        return cls(**{**known, "context": tuple(known.get("context", ()))})


def suggestion_id(attribute: str, start: int, end: int, value: str) -> str:
    """The identifier of a pre-annotation, by which the answer to it is known."""
    return sha256_json([attribute, start, end, value])[:16]


@dataclass(frozen=True)
class Relation:
    """That one span belongs to another: a size to its lesion, a dose to its treatment."""

    kind: str
    source: str
    """Identifier of a span."""
    target: str
    id: str = ""


def check_span(span: Span, note: str) -> None:
    """Refuse a span that is not one of that note.

    Raises
    ------
    DataError
        It lies outside the note, is empty, holds another text, or has an attribute, context, status or identifier that
        does not exist.
    """
    if not 0 <= span.start < span.end <= len(note):
        raise no_span("a span is empty or lies outside the note")
    if note[span.start:span.end] != span.text:
        raise no_span("the text of a span is not what the note holds there")
    if not span.attribute or not span.id:
        raise no_span("a span has no attribute or no identifier")
    if span.status not in STATUSES:
        raise no_span(f"there is no status '{span.status}'")
    if span.context != tuple(name for name in CONTEXTS if name in span.context):
        raise no_span("the context of a span is none of " + ", ".join(CONTEXTS) + ", in this order")


def in_order(spans: Iterable[Span]) -> list[Span]:
    """Spans in the order of the text; of those that begin together the longest first."""
    return sorted(spans, key=lambda span: (span.start, -span.end, span.attribute, span.value, span.id))


def no_span(found: str) -> DataError:
    """The error of a span or relation that cannot be."""
    return DataError(found, where="annotations", todo="Open the note again and annotate it as it is now")

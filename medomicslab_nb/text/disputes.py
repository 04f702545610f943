"""What two annotators of a note say alike, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medomicslab_nb.text.agreement import match_spans
from medomicslab_nb.text.span import Span, in_order


@dataclass(frozen=True)
class Dispute:
    """Two overlapping spans of one attribute that say different things, or a span that only one annotator has."""

    left: Span | None
    right: Span | None

    @property
    def sides(self) -> tuple[Span, ...]:
        """The spans that there are, left before right."""
        return tuple(span for span in (self.left, self.right) if span is not None)

    @property
    def start(self) -> int:
        return min(span.start for span in self.sides)

    @property
    def end(self) -> int:
        return max(span.end for span in self.sides)


def settle(left: Sequence[Span], right: Sequence[Span]) -> tuple[list[Span], list[Dispute]]:
    """What both say, and where they differ, each in the order of the text.

    Both say the same where the spans overlap and attribute, value and context are equal: the left one is taken then,
    with its begin and end. Overlapping spans of one attribute that differ are one dispute, all others one each.
    """
    pairs = [(left[one], right[other]) for one, other in match_spans(left, right)]
    paired = {id(span) for pair in pairs for span in pair}
    alike = [(one.value, one.context) == (other.value, other.context) for one, other in pairs]
    agreed = [one for (one, _), same in zip(pairs, alike, strict=True) if same]
    disputes = [Dispute(one, other) for (one, other), same in zip(pairs, alike, strict=True) if not same]
    disputes += [Dispute(one, None) for one in left if id(one) not in paired]
    disputes += [Dispute(None, other) for other in right if id(other) not in paired]
    return in_order(agreed), sorted(disputes, key=lambda each: each.start)

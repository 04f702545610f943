"""What rules find against what people say is there: precision, recall and F1 with exact intervals, by attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import beta

from medomicslab_nb.text.facts import Fact

Same = Callable[[Fact, Fact], bool]


@dataclass(frozen=True)
class Score:
    """Counts of one attribute: found and there, found and not there, there and not found."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def precision(self) -> float:
        """Share of what was found that is there; 1 when nothing was found."""
        found = self.right + self.wrong
        return self.right / found if found else 1.0

    @property
    def recall(self) -> float:
        """Share of what is there that was found; 1 when nothing is there."""
        there = self.right + self.missed
        return self.right / there if there else 1.0

    @property
    def f1(self) -> float:
        """2 right / (2 right + wrong + missed); 1 when nothing is there and nothing was found."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0

    def recall_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The exact interval of recall (Clopper and Pearson 1934)."""
        return exact_interval(self.right, self.right + self.missed, confidence)


def exact_interval(right: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of ``right`` in ``n``; (0, 1) when n is 0."""
    tail = (1 - confidence) / 2
    lower = float(beta.ppf(tail, right, n - right + 1)) if right else 0.0
    upper = float(beta.ppf(1 - tail, right + 1, n - right)) if right < n else 1.0
    return lower, upper


def overlaps(one: Fact, other: Fact) -> bool:
    """Whether two mentions of the same attribute share a character."""
    return one.attribute == other.attribute and one.start < other.end and other.start < one.end


def same_value(one: Fact, other: Fact) -> bool:
    """Whether two mentions overlap and say the same value."""
    return overlaps(one, other) and one.value == other.value


def same_fact(one: Fact, other: Fact) -> bool:
    """Whether two mentions overlap and say the same value in the same context."""
    return same_value(one, other) and set(one.context) == set(other.context)


def score(there: Sequence[Fact], found: Iterable[Fact], same: Same = same_fact) -> dict[str, Score]:
    """Counts by attribute for one note; each mention counts once, and answers for one other at most."""
    open_ones = list(there)
    counts: dict[str, Score] = {}
    for fact in found:
        match = next((other for other in open_ones if same(fact, other)), None)
        if match is not None:
            open_ones.remove(match)
        one = Score(right=1) if match is not None else Score(wrong=1)
        counts[fact.attribute] = counts.get(fact.attribute, Score()) + one
    for fact in open_ones:
        counts[fact.attribute] = counts.get(fact.attribute, Score()) + Score(missed=1)
    return counts

"""Counts of right, wrong and missed, and the exact interval beside scipy's."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from medomicslab_nb.text.facts import Fact
from medomicslab_nb.text.scoring import Score, exact_interval, overlaps, same_fact, same_value, score


def fact(start: int, end: int, value: str = "T2", context: tuple[str, ...] = (), attribute: str = "t_category") -> Fact:
    return Fact(attribute, start, end, "x" * (end - start), value, context=context)


def test_each_mention_counts_once() -> None:
    counts = score([fact(0, 4)], [fact(0, 2), fact(2, 4)])["t_category"]
    assert (counts.right, counts.wrong, counts.missed) == (1, 1, 0)


@pytest.mark.parametrize(("found", "same", "right"), [
    (fact(2, 9), overlaps, 1), (fact(4, 9), overlaps, 0), (fact(0, 4, "T3"), overlaps, 1),
    (fact(0, 4, "T3"), same_value, 0),
    (fact(0, 4, context=("negated",)), same_value, 1), (fact(0, 4, context=("negated",)), same_fact, 0),
    (fact(0, 4, attribute="n_category"), overlaps, 0)])
def test_what_counts_as_the_same(found: Fact, same: object, right: int) -> None:
    assert score([fact(0, 4)], [found], same).get("t_category", Score()).right == right  # type: ignore[arg-type]


def test_f1_of_counts_and_of_nothing() -> None:
    one = Score(right=6, wrong=2, missed=4)
    assert (one.precision, one.recall, one.f1) == (0.75, 0.6, pytest.approx(2 * 0.75 * 0.6 / 1.35))
    assert (Score().precision, Score().recall, Score().f1) == (1, 1, 1)
    assert Score(missed=1).f1 == 0 and Score(wrong=1).f1 == 0


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (3, 7), (93, 100)])
def test_exact_interval_is_that_of_scipy(right: int, n: int) -> None:
    expected = binomtest(right, n).proportion_ci(0.95, method="exact")
    assert exact_interval(right, n) == pytest.approx((expected.low, expected.high))


def test_exact_interval_of_nothing() -> None:
    assert exact_interval(0, 0) == (0, 1)

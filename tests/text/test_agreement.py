"""Agreement of annotators, by hand-counted examples and by other people's implementations."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.intervals import Interval
from medomicslab_nb.text.agreement import (
    TOGETHER,
    Agreement,
    agreement,
    agreement_of_pairs,
    fleiss_presence,
    match_spans,
)


@dataclass(frozen=True)
class Said:
    attribute: str
    start: int
    end: int
    value: str = ""
    context: tuple[str, ...] = ()


def by_name(found: list[Agreement]) -> dict[str, Agreement]:
    return {one.attribute: one for one in found}


def drawn(seed: int, notes: int = 30, places: int = 10) -> tuple[dict[str, list[Said]], dict[str, list[Said]]]:
    """Two annotators who see the same places of each note and mostly say the same of them."""
    rng = random.Random(seed)
    first: dict[str, list[Said]] = {}
    second: dict[str, list[Said]] = {}
    for number in range(notes):
        first[str(number)], second[str(number)] = [], []
        for place in range(places):
            attribute, value = rng.choice([("grade", "123"), ("stage", "IV")])
            true = rng.choice(value)
            for said in (first, second):
                if rng.random() < 0.6:
                    seen = true if rng.random() < 0.7 else rng.choice(value)
                    context = ("negated",) if rng.random() < 0.3 else ()
                    start = place * 10 + rng.randrange(3)
                    said[str(number)].append(Said(attribute, start, start + 4, seen, context))
    return first, second


def test_f1_by_hand() -> None:
    first = {"a": [Said("grade", 0, 5), Said("grade", 10, 15), Said("stage", 20, 22)], "b": []}
    second = {"a": [Said("grade", 0, 5), Said("grade", 12, 17)], "b": [Said("grade", 3, 4)]}
    found = by_name(agreement(first, second))
    together, grade, stage = found[TOGETHER], found["grade"], found["stage"]
    assert (grade.first, grade.second, grade.exact, grade.overlapping) == (2, 3, 1, 2)
    assert grade.f1_exact.estimate == pytest.approx(2 * 1 / 5)
    assert grade.f1_overlap.estimate == pytest.approx(2 * 2 / 5)
    assert stage.f1_exact.estimate == 0  # only one of them marked any
    assert together.f1_overlap.estimate == pytest.approx(2 * 2 / 6)


def test_attributes_match_only_themselves_and_touching_spans_not_at_all() -> None:
    assert match_spans([Said("grade", 0, 5)], [Said("stage", 0, 5)]) == []
    assert match_spans([Said("grade", 0, 5)], [Said("grade", 5, 9)]) == []


def test_matching_is_one_to_one_and_as_large_as_possible() -> None:
    # Greedily the long one takes the second, which lies best upon it, and leaves the short one alone.
    long, short = Said("grade", 0, 20), Said("grade", 15, 20)
    assert match_spans([long, short], [Said("grade", 0, 4), Said("grade", 2, 20)]) == [(0, 0), (1, 1)]


def test_among_the_best_placed_the_equal_value_is_matched() -> None:
    first = [Said("grade", 0, 4, "1"), Said("grade", 0, 4, "2")]
    assert match_spans(first, first[::-1]) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_scikit_learns(seed: int) -> None:
    first, second = drawn(seed)
    found = by_name(agreement(first, second, draws=10))
    for name in ("grade", "stage"):
        pairs = [(first[note][one], second[note][other]) for note in first
                 for one, other in match_spans(first[note], second[note]) if first[note][one].attribute == name]
        values = cohen_kappa_score([one.value for one, _ in pairs], [other.value for _, other in pairs])
        contexts = cohen_kappa_score([str(one.context) for one, _ in pairs], [str(other.context) for _, other in pairs])
        assert found[name].value.kappa.estimate == pytest.approx(values, abs=1e-12)
        assert found[name].context.kappa.estimate == pytest.approx(contexts, abs=1e-12)
        assert found[name].value.pairs == len(pairs)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_of_presence_is_scikit_learns(seed: int) -> None:
    first, second = drawn(seed, places=2)
    present = [[any(said.attribute == "grade" for said in notes[note]) for note in first] for notes in (first, second)]
    found = by_name(agreement(first, second, draws=10))["grade"].presence
    assert found.kappa.estimate == pytest.approx(cohen_kappa_score(*present), abs=1e-12)
    assert found.observed == pytest.approx(np.mean(np.equal(*present)))


def test_together_takes_chance_within_each_attribute() -> None:
    # Two attributes, each with two values used half and half: chance is .5 within each, and would be .25 over both.
    first = {"a": [Said(name, 10 * place, 10 * place + 5, value)
                   for name in ("grade", "stage") for place, value in enumerate(name[:1] * 2 + name[1:2] * 2)]}
    second = {"a": [Said(said.attribute, said.start, said.end, value)
                    for said, value in zip(first["a"], "grgrstst", strict=True)]}
    found = by_name(agreement(first, second))[TOGETHER].value
    assert found.observed == 0.5
    assert found.kappa.estimate == pytest.approx(0)


def test_only_notes_that_both_have_read_count() -> None:
    first = {"a": [Said("grade", 0, 5)], "b": [Said("grade", 0, 5)], "c": []}
    second: dict[str, list[Said]] = {"a": [Said("grade", 0, 5)], "c": []}
    found = by_name(agreement(first, second))["grade"]
    assert (found.notes, found.first, found.f1_exact.estimate) == (2, 1, 1)
    assert found.presence.kappa.estimate == 1


def test_where_nothing_was_marked_nothing_is_claimed() -> None:
    found = agreement({"a": [], "b": []}, {"a": [], "b": []})
    assert [one.attribute for one in found] == [TOGETHER]
    assert all(math.isnan(interval.estimate) for interval in
               (found[0].f1_exact, found[0].f1_overlap, found[0].value.kappa, found[0].presence.kappa))


def test_one_category_throughout_has_no_kappa_and_the_agreement_is_said() -> None:
    same = {note: [Said("recurrence", 0, 5, "recurrence")] for note in "abc"}
    found = by_name(agreement(same, same))["recurrence"]
    assert math.isnan(found.value.kappa.estimate)
    assert (found.value.observed, found.value.pairs) == (1, 3)


def test_no_note_in_common_is_an_error() -> None:
    with pytest.raises(DataError, match="no note in common"):
        agreement({"a": []}, {"b": []})


def test_intervals_are_of_notes_not_of_mentions() -> None:
    """A hundred mentions in two notes say no more of other notes than two: sampling notes, the limits are 0 and 1."""
    first = {"a": [Said("grade", 10 * place, 10 * place + 5) for place in range(50)],
             "b": [Said("grade", 10 * place, 10 * place + 5) for place in range(50)]}
    second = {"a": first["a"], "b": [Said("grade", said.start + 5, said.end + 5) for said in first["b"]]}
    found = by_name(agreement(first, second))["grade"].f1_exact
    assert (found.estimate, found.lower, found.upper) == (0.5, 0, 1)


def test_the_same_seed_gives_the_same_interval_and_it_holds_the_estimate() -> None:
    first, second = drawn(7)
    one, again = agreement(first, second), agreement(first, second)
    assert one == again
    assert all(part.lower <= part.estimate <= part.upper for part in (one[0].f1_overlap, one[0].value.kappa))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Eighty notes with one mention each; true overlap F1 is .8. 95 % intervals of 200 draws of the study."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        agree = rng.random(80) < 0.8
        first = {str(note): [Said("grade", 0, 5)] for note in range(80)}
        second = {str(note): [Said("grade", 0 if same else 10, 5 if same else 15)] for note, same in enumerate(agree)}
        found: Interval = agreement(first, second, draws=200)[0].f1_overlap
        held += found.lower <= 0.8 <= found.upper
    assert 0.88 <= held / 200 <= 0.99


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_whoever_comes_first(seed: int) -> None:
    first, second = drawn(seed, notes=6)
    for one, other in zip(agreement(first, second, draws=5), agreement(second, first, draws=5), strict=True):
        assert one.f1_exact == other.f1_exact
        assert one.overlapping == other.overlapping
        assert repr(one.presence) == repr(other.presence)  # NaN equals NaN then


def test_several_annotators_are_compared_two_by_two() -> None:
    said = {"a": [Said("grade", 0, 5)]}
    found = agreement_of_pairs({"Anne": said, "Ben": said, "Chloé": {"a": []}, "Dan": {"z": []}})
    assert list(found) == [("Anne", "Ben"), ("Anne", "Chloé"), ("Ben", "Chloé")]
    assert found["Anne", "Ben"][0].f1_exact.estimate == 1
    assert found["Anne", "Chloé"][0].f1_exact.estimate == 0


def test_fleiss_kappa_of_presence_is_statsmodels() -> None:
    rng = np.random.default_rng(1)
    yes = rng.random((40, 3)) < np.linspace(0.1, 0.9, 40)[:, None]
    annotators = [{str(note): [Said("grade", 0, 5)] * int(yes[note, who]) for note in range(40)} for who in range(3)]
    table, _ = aggregate_raters(yes.astype(int))
    assert fleiss_presence(annotators, "grade") == pytest.approx(fleiss_kappa(table))


def test_fleiss_kappa_that_does_not_exist() -> None:
    assert math.isnan(fleiss_presence([], "grade"))
    assert math.isnan(fleiss_presence([{"a": []}], "grade"))
    assert math.isnan(fleiss_presence([{"a": []}, {"a": []}], "grade"))

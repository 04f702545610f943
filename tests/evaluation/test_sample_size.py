"""Sample sizes against the published worked examples and simulated shrinkage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.sample_size import (
    binary_criteria,
    continuous_criteria,
    expected_shrinkage,
    linear_shrinkage,
    maximal_r2,
    maximal_r2_survival,
    multiclass_criteria,
    multiclass_shrinkage,
    sample_size,
    size_for_shrinkage,
    survival_criteria,
)


@pytest.mark.parametrize(("r2", "parameters", "prevalence", "published"), [
    # The manual of pmsampsize 1.1.3, which is by the authors of the criteria; older versions rounded (668).
    (0.288, 24, 0.174, (623, 662, 221)),
    # Its tests of criteria 1 and 3, which no version rounds.
    (0.55, 24, 0.174, (255, None, 221)), (0.288, 36, 0.174, (934, None, 221)), (0.288, 24, 0.25, (623, None, 289))])
def test_binary_examples(r2, parameters, prevalence, published):
    found = binary_criteria(parameters, r2, prevalence)
    for name, n in zip(("shrinkage", "optimism", "overall risk"), published, strict=True):
        assert n is None or found[name] == n


@pytest.mark.parametrize(("r2", "parameters", "rate", "published"), [
    # The manual and the tests of pmsampsize. It reports the largest of the others as its criterion 3, and rounds the
    # events of 10,000 patients up, which moves criterion 2 by one patient.
    (0.051, 30, 0.065, (5143, 1039)), (0.051, 25, 0.065, (4286, 866)), (0.065, 25, 0.065, (3335, 859)),
    (0.051, 50, 0.065, (8572, 1731)), (0.051, 25, 0.1, (4286, 731))])
def test_survival_examples(r2, parameters, rate, published):
    found = survival_criteria(parameters, r2, rate=rate, follow_up=2.07, horizon=2)
    assert found["shrinkage"] == published[0]
    assert found["optimism"] == pytest.approx(published[1], abs=1)
    assert found["overall risk"] < found["shrinkage"]


@pytest.mark.parametrize(("r2", "parameters", "published"), [
    # The manual and the tests of pmsampsize, mean 1.9, standard deviation 0.6.
    (0.2, 25, (918, 401, 259)), (0.3, 25, (574, 351, 259)), (0.2, 50, (1924, 801, 284))])
def test_continuous_examples(r2, parameters, published):
    found = continuous_criteria(parameters, r2, mean=1.9, deviation=0.6)
    assert (found["shrinkage"], found["optimism"], found["residual deviation"]) == published
    assert found["mean"] < found["shrinkage"]


def test_multiclass_example():
    # The worked example of Pate et al. 2023 (ovarian tumours), with the R2 that their program takes from C-statistics.
    pairs = [0.116, 0.179, 0.497, 0.168, 0.185, 0.499, 0.372, 0.329, 0.128, 0.210]
    found = multiclass_criteria(17, [2557, 186, 176, 467, 120], pairs=pairs)
    assert found["shrinkage"] == pytest.approx(13136, rel=0.005)  # their R2 are known to three digits
    assert (found["optimism"], found["overall risk"]) == (1477, 524)
    # The second example of their program; its third criterion always allows for five classes (664).
    found = multiclass_criteria(17, [50, 100, 150])
    assert (found["shrinkage"], found["optimism"]) == (2660, 714)
    assert found["overall risk"] == 574


def test_the_third_criterion_is_the_smallest_that_is_precise_enough():
    rate, horizon, follow_up = 0.065, 2.0, 2.07
    n = survival_criteria(30, 0.051, rate=rate, follow_up=follow_up, horizon=horizon)["overall risk"]

    def distance(n):
        width = 1.959964 * np.sqrt(rate / n / follow_up)
        return max(abs(np.exp(-rate * horizon) - np.exp(-(rate + side * width) * horizon)) for side in (-1, 1))

    assert distance(n) <= 0.05 < distance(n - 1)


@settings(max_examples=60)
@given(st.integers(1, 600), st.floats(0.001, 0.7), st.integers(5, 20_000))
def test_shrinkage_is_the_inverse_of_the_size(parameters, r2, n):
    shrinkage = expected_shrinkage(n, parameters, r2)
    assert r2 <= shrinkage < 1
    if r2 * 1.0001 < shrinkage < 0.9999:
        assert abs(size_for_shrinkage(parameters, r2, shrinkage) - n) <= 1


def test_maximal_r2():
    # Riley BMJ 2020: .75 at a prevalence of .5, .33 at .05 (table 1: 0.33).
    assert maximal_r2([0.5, 0.5]) == pytest.approx(0.75)
    assert maximal_r2([0.05, 0.95]) == pytest.approx(0.33, abs=0.005)
    assert maximal_r2([1.0, 0.0]) == 0
    assert maximal_r2_survival(0.065 * 2.07) == pytest.approx(0.555, abs=0.001)


@pytest.mark.parametrize(("n", "excess"), [(150, 0.12), (400, 0.05), (1000, 0.02)])
def test_expected_shrinkage_against_new_patients(n, excess):
    """The calibration slope of logistic regressions in new patients, on average.

    The formula is asymptotic: in small samples it promises more than is kept, as its docstring says.
    """
    rng, parameters = np.random.default_rng(0), 15
    effects = np.where(np.arange(parameters) < 5, 0.45, 0.0)
    new = rng.normal(size=(20_000, parameters))
    outcome = rng.random(20_000) < 1 / (1 + np.exp(-new @ effects))
    # R2 of the true model.
    chance = 1 / (1 + np.exp(-new @ effects))
    r2 = 1 - np.exp(-2 * (np.log(np.where(outcome, chance, 1 - chance)).mean() - np.log(0.5)))
    slopes = []
    for _ in range(60):
        X = rng.normal(size=(n, parameters))
        y = rng.random(n) < 1 / (1 + np.exp(-X @ effects))
        fitted = GLM(y, np.column_stack([np.ones(n), X]), family=Binomial()).fit().params
        score = fitted[0] + new @ fitted[1:]
        slopes.append(GLM(outcome, np.column_stack([np.ones(20_000), score]), family=Binomial()).fit().params[1])
    assert expected_shrinkage(n, parameters, r2) - np.mean(slopes) == pytest.approx(excess, abs=0.025)


def test_linear_shrinkage_at_the_edges():
    assert linear_shrinkage(26, 25, 0.2) == 0
    # The apparent R2 is the sum of 0.2 * 74 and 25, over 99.
    assert linear_shrinkage(100, 25, 0.2) == pytest.approx(1 + 23 / (100 * np.log(1 - 39.8 / 99)))
    assert linear_shrinkage(100, 2, 0.2) == 1
    assert linear_shrinkage(918, 25, 0.2) >= 0.9 > linear_shrinkage(917, 25, 0.2)


def test_sizes_for_a_binary_endpoint():
    endpoint = Endpoint("relapse", np.arange(100) < 30, pd.RangeIndex(100))
    size = sample_size(endpoint, 10)
    assert size.r2 == pytest.approx(0.15 * maximal_r2([0.3, 0.7]))
    assert size.criteria == binary_criteria(10, size.r2, 0.3)
    assert (size.n, size.events, size.events_per_parameter) == (100, 30, 3)
    assert not size.enough
    text = " ".join(size.sentences())
    assert f"needs {size.needed:,} patients ({size.needed_events:,} with the event)" in text
    assert "This study has 100 (30 with the event): 3 events per parameter." in text
    assert f"Expected shrinkage {size.shrinkage:.2f}" in text
    assert f"factor {1 / size.shrinkage:.2g}" in text


def test_half_the_effects():
    n = round(size_for_shrinkage(20, 0.1, 0.52))
    endpoint = Endpoint("y", np.arange(n) < n // 3, pd.RangeIndex(n))
    assert "Expected shrinkage 0.52" in sample_size(endpoint, 20, r2=0.1).sentences()[-1]
    assert "about a factor 1.9" in sample_size(endpoint, 20, r2=0.1).sentences()[-1]


def test_sizes_for_the_other_kinds():
    rng, index = np.random.default_rng(0), pd.RangeIndex(3000)
    time = rng.exponential(3, 3000)
    survival = sample_size(Endpoint("os", time < 2, index, np.minimum(time, 2)), 3)
    assert survival.r2 == pytest.approx(0.15 * maximal_r2_survival(survival.share))
    assert survival.enough
    assert "That is enough" in survival.sentences()[-1]
    late = Endpoint("os", time < 2, index, np.minimum(time, 2) + 1, entry=np.ones(3000))
    assert sample_size(late, 3, horizon=1.5).criteria["optimism"] == survival.criteria["optimism"]
    continuous = sample_size(Endpoint("volume", rng.normal(10, 2, 3000), index), 25, r2=0.2)
    assert continuous.criteria["shrinkage"] == 918
    assert "(0" not in " ".join(continuous.sentences())
    classes = Endpoint("type", rng.choice(3, 3000, p=[0.5, 0.3, 0.2]), index, classes=("a", "b", "c"))
    several = sample_size(classes, 17)
    counts = np.bincount(classes.outcome)
    assert several.criteria == multiclass_criteria(17, counts)
    assert several.shrinkage == multiclass_shrinkage(17, counts)
    assert "in the smallest class" in several.sentences()[0]
    # Radiomics: far more parameters than patients.
    many = sample_size(Endpoint("os", np.arange(51) < 19, pd.RangeIndex(51)), 600)
    assert "next to nothing about new patients" in many.sentences()[-1]
    assert "0.032 events per parameter" in many.sentences()[1]
    assert many.needed > 10_000


def test_what_cannot_be():
    with pytest.raises(SettingsError, match="above its maximum"):
        binary_criteria(10, 0.6, 0.1)
    with pytest.raises(SettingsError, match="cannot be had"):
        binary_criteria(10, 0.95, 0.5)
    with pytest.raises(ValueError, match="below 1"):
        binary_criteria(0, 0.1, 0.1)
    with pytest.raises(SettingsError, match="not between 0 and 1"):
        expected_shrinkage(100, 5, 0.0)
    assert "mean" not in continuous_criteria(5, 0.2, mean=0.0, deviation=1.0)
    for outcome, time in ((np.ones(9, bool), None), (np.zeros(9, bool), np.ones(9)), (np.full(9, 2.5), None)):
        with pytest.raises(DataError, match="the same in all patients"):
            sample_size(Endpoint("y", outcome, pd.RangeIndex(9), time), 3)

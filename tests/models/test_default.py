"""The default: what inner cross-validation may choose, and that it finds what is there and nothing that is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import fold_numbers
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.default import (
    DEFAULT,
    LEARNERS,
    USUAL_WEIGHT,
    choose_weight,
    fit_models,
    inner_fold_numbers,
)
from medomicslab_nb.models.learners import FOREST, RIDGE
from medomicslab_nb.models.nested import cross_validate
from tests.models.conftest import core


@pytest.fixture
def generated():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    endpoint = Endpoint("y", truth + rng.normal(size=300) > 0, pd.RangeIndex(300))
    return endpoint, truth, rng.normal(size=300), fold_numbers(endpoint.event, 5, 0)


def test_weight_leaves_the_usual_one_only_for_a_clear_gain(generated):
    endpoint, truth, noise, inner = generated
    assert choose_weight(truth, noise, endpoint, inner) == 1.0
    assert choose_weight(noise, truth, endpoint, inner) == 0.0
    assert choose_weight(truth, truth, endpoint, inner) == USUAL_WEIGHT


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_default_is_the_weighted_sum_of_its_members(kind, few_trees):
    design, endpoint = core(kind)
    models = fit_models(design.frame, endpoint, categorical=design.categorical, learners=LEARNERS.values())
    default = models[DEFAULT]
    if len(default.weights) == 2:
        expected = sum(weight * models[name].score(design.frame)
                       for weight, name in zip(default.weights, (RIDGE, FOREST), strict=True))
        assert default.score(design.frame) == pytest.approx(expected)
    alone = fit_models(design.frame, endpoint, categorical=design.categorical, learners=[DEFAULT])[DEFAULT]
    assert alone.score(design.frame) == pytest.approx(default.score(design.frame), abs=0)


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_probabilities_are_calibrated_on_average(kind, few_trees):
    design, endpoint = core(kind, 400)
    model = fit_models(design.frame, endpoint, categorical=design.categorical, horizon=800.0)[DEFAULT]
    fresh, truth = core(kind, 400) if kind == "binary" else core(kind, 401)
    probability = model.probability(model.score(fresh.frame))
    observed = truth.event if kind == "binary" else truth.event & (truth.time <= 800)
    assert probability.mean() == pytest.approx(observed.mean(), abs=0.06)


def test_small_training_folds_use_fewer_inner_folds_or_say_so():
    few = Endpoint("y", np.arange(30) < 3, pd.RangeIndex(30))
    assert inner_fold_numbers(few, 5, 0).max() == 2
    with pytest.raises(DataError, match="1 of 30 patients with the event: too few"):
        inner_fold_numbers(Endpoint("y", np.arange(30) < 1, pd.RangeIndex(30)), 5, 0)


def test_permuted_labels_give_chance(few_trees):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 10)) + rng.normal(size=(120, 1))).add_prefix("x")
    values = []
    for _ in range(8):
        endpoint = Endpoint("y", rng.permutation(np.arange(120) < 60), pd.Index([f"{i:03d}" for i in range(120)]))
        folds = cross_validate(Design(frame, {"all": tuple(frame.columns)}), endpoint, learners=[DEFAULT], folds=3,
                               repeats=1, inner_folds=3)["folds"]
        values.append(folds["value"].mean())
    assert np.mean(values) == pytest.approx(0.5, abs=max(0.03, 3 * np.std(values, ddof=1) / np.sqrt(8)))


def test_forest_takes_over_where_nothing_is_linear():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    endpoint = Endpoint("y", (frame["a"] * frame["b"] > 0).to_numpy(), pd.Index([f"{i:03d}" for i in range(300)]))
    model = fit_models(frame, endpoint)[DEFAULT]
    assert model.weights == [1.0]
    assert "forest" in model.chosen


def test_strong_signal_is_found(few_trees):
    design, endpoint = core("survival", 200)
    folds = cross_validate(design, endpoint, learners=list(LEARNERS.values()), folds=3, repeats=1)["folds"]
    assert folds.groupby("learner")["value"].mean().min() > 0.6

"""Fitting: inner folds, sets of blocks, harmonised blocks, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models import fitting
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.fitting import FitOptions, Patients, default_horizon, fit_models, inner_fold_numbers
from medomicslab_nb.models.learners.problem import SearchOptions
from medomicslab_nb.models.preparation_settings import PreparationSettings
from tests.models.conftest import ids, outcome_of, two_blocks, with_centres

BOTH = {"both": ("clinical", "genes")}


def test_small_training_folds_use_fewer_inner_folds_or_say_so():
    few = Endpoint("y", np.arange(30) < 3, ids(30))
    assert inner_fold_numbers(few, 5, 0).max() == 2
    with pytest.raises(DataError, match="1 of 30 patients in the smallest class or with the event: too few"):
        inner_fold_numbers(Endpoint("y", np.arange(30) < 1, ids(30)), 5, 0)
    with pytest.raises(DataError, match="0 of 30"):
        inner_fold_numbers(Endpoint("y", np.zeros(30, bool), ids(30)), 5, 0)
    classes = Endpoint("y", np.array([0] * 10 + [1] * 10 + [2] * 3), ids(23), classes=("a", "b", "c"))
    assert inner_fold_numbers(classes, 5, 0).max() == 2
    tied = Endpoint("y", np.array([0.0] * 25 + [1.0, 2, 3, 4, 5]), ids(30))
    assert inner_fold_numbers(tied, 5, 0).max() == 4


@pytest.mark.parametrize("censored", [0, 1, 2, 5])
def test_survival_needs_events_and_hardly_any_censoring(censored):
    """Of an aggressive disease nearly everybody's death is known: that is no reason to refuse."""
    event = np.ones(40, dtype=bool)
    event[:censored] = False
    endpoint = Endpoint("os", event, ids(40), np.arange(1.0, 41))
    numbers = inner_fold_numbers(endpoint, 5, 0)
    assert numbers.max() == 4
    assert (np.bincount(numbers[event]) >= 6).all()


@pytest.mark.parametrize("censored", [0, 1])
def test_survival_without_censoring_is_fitted(censored, few_trees):
    patients = two_blocks("survival", 100)
    event = np.ones(100, dtype=bool)
    event[:censored] = False
    patients = replace(patients, endpoint=replace(patients.endpoint, outcome=event))
    model = fit_models(patients, BOTH, [DEFAULT])["both", DEFAULT]
    assert np.isfinite(model.score(patients.frame)).all()


def test_a_preparation_is_fitted_once_for_all_learners_and_sets(few_trees, monkeypatch):
    calls = []
    original = fitting._preparation
    monkeypatch.setattr(fitting, "_preparation",
                        lambda patients, blocks, options: calls.append(blocks) or original(patients, blocks, options))
    sets = {"clinical": ("clinical",), "genes": ("genes",), **BOTH}
    fit_models(two_blocks("binary"), sets, [DEFAULT, "ridge", "forest"], FitOptions(inner_folds=3))
    # Each block on all training patients, and in each of three inner folds.
    assert sorted(calls) == [("clinical",)] * 4 + [("genes",)] * 4


def test_inner_folds_that_are_too_large_to_keep_give_the_same(few_trees, monkeypatch):
    patients = two_blocks("binary")
    kept = fit_models(patients, BOTH, [DEFAULT, "lasso"])
    monkeypatch.setattr(fitting, "_KEPT_BYTES", 0)
    anew = fit_models(patients, BOTH, [DEFAULT, "lasso"])
    for name, model in kept.items():
        assert np.array_equal(model.score(patients.frame), anew[name].score(patients.frame))


def test_only_measured_blocks_are_harmonised():
    patients = with_centres(two_blocks("binary"))
    model = fit_models(patients, BOTH, ["ridge"], FitOptions(harmonised=("genes",)))["both", "ridge"]
    combat = {part.block: part.preparation.combat_ is not None for part in model.parts}
    assert combat == {"clinical": False, "genes": True}
    without = fit_models(patients, BOTH, ["ridge"], FitOptions(
        harmonised=("genes",), preparation=PreparationSettings(harmonisation=False)))["both", "ridge"]
    assert all(part.preparation.combat_ is None for part in without.parts)


def test_harmonisation_helps_where_centres_differ():
    patients = with_centres(two_blocks("binary", 400, p=4), shift=6.0)
    aucs = {}
    for harmonised in ((), ("genes",)):
        model = fit_models(patients.take(np.arange(200)), {"genes": ("genes",)}, ["ridge"],
                           FitOptions(harmonised=harmonised))["genes", "ridge"]
        rest = patients.take(np.arange(200, 400))
        score = model.score(rest.frame, rest.companions.centre)
        event = rest.endpoint.event
        aucs[harmonised] = np.mean(score[event][:, None] > score[~event])
    assert aucs["genes",] > aucs[()] + 0.02


def test_seed_and_horizon():
    patients = two_blocks("survival", 150)
    assert default_horizon(patients.endpoint) == np.median(patients.endpoint.time[patients.endpoint.event])
    model = fit_models(patients, BOTH, ["ridge"], FitOptions(horizon=0.7))["both", "ridge"]
    assert model.horizon == 0.7
    one, two = (fit_models(patients, BOTH, ["forest"], FitOptions(search=SearchOptions(seed=seed)))["both", "forest"]
                for seed in (0, 1))
    assert not np.array_equal(one.score(patients.frame), two.score(patients.frame))


def test_learner_that_cannot_predict_the_outcome_is_refused_first():
    with pytest.raises(DataError, match="'lightgbm' cannot predict a survival outcome"):
        fit_models(two_blocks("survival"), BOTH, ["lightgbm"])
    with pytest.raises(DataError, match="'forest' cannot use times of entry"):
        fit_models(two_blocks("truncated"), BOTH, [DEFAULT])


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival"])
@pytest.mark.parametrize("learner", ["ridge", "forest", "lasso", "plain", "svm"])
def test_columns_that_say_nothing_give_everybody_about_the_average(kind, learner, few_trees):
    """Noise, a constant, and a column that hardly anybody has: finite, and hardly spread once calibrated."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"noise": rng.normal(size=100), "same": 3.0, "rare": np.nan}, index=ids(100))
    frame.iloc[0, 2] = 1.0
    endpoint = outcome_of(np.zeros(100), kind)
    model = fit_models(Patients(frame, endpoint, {"x": ("noise", "same", "rare")}), {"all": ("x",)},
                       [learner])["all", learner]
    predicted = model.probability(model.score(frame))
    assert np.isfinite(predicted).all()
    if kind == "continuous":
        assert predicted.std() < 0.6 * endpoint.outcome.std()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival"])
def test_constant_columns_alone_give_the_average(kind, few_trees):
    frame = pd.DataFrame({"same": np.full(90, 2.0)}, index=ids(90))
    endpoint = outcome_of(np.random.default_rng(0).normal(size=90), kind)
    model = fit_models(Patients(frame, endpoint, {"x": ("same",)}), {"all": ("x",)}, [DEFAULT])["all", DEFAULT]
    predicted = model.probability(model.score(frame))
    assert np.ptp(predicted, axis=0) == pytest.approx(0.0, abs=1e-9)
    if kind in ("binary", "continuous"):
        assert predicted[0] == pytest.approx(endpoint.outcome.mean(), abs=1e-6)


def test_more_columns_than_patients(few_trees):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 300)), index=ids(60)).add_prefix("g")
    for kind in ("binary", "survival"):
        patients = Patients(frame, outcome_of(2 * frame["g0"].to_numpy(), kind), {"x": tuple(frame.columns)})
        for learner, model in fit_models(patients, {"all": ("x",)}, [DEFAULT, "lasso", "elastic net"]).items():
            assert np.isfinite(model.score(frame)).all(), learner

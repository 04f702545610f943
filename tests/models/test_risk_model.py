"""What a score means: calibration and risks by hand, and predictions that do not depend on company."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.evaluation.competing import aalen_johansen
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.fitting import FitOptions, fit_models
from medomicslab_nb.models.risk_model import RiskModel, calibrate
from tests.models.conftest import KINDS, ids, outcome_of, two_blocks, with_centres

SURVIVAL = ("survival", "competing", "truncated")
ALL = {"all": ("clinical", "genes")}


def example(kind: str, n: int = 300, seed: int = 0) -> tuple[np.ndarray, Endpoint]:
    """A score and an outcome that follows it."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(n, 3) if kind == "multiclass" else n)
    if kind == "multiclass":
        chance = softmax(1.7 * score + [0.5, 0, -0.5], axis=1)
        codes = np.array([rng.choice(3, p=row) for row in chance])
        return score, Endpoint("y", codes, ids(n), classes=("a", "b", "c"))
    return score, outcome_of(1.2 * score, kind, seed)


def model_of(score: np.ndarray, endpoint: Endpoint, horizon: float | None = None) -> RiskModel:
    found = calibrate(score, endpoint)
    return RiskModel(endpoint.kind, list(endpoint.classes), [], [], [], found.slope, found.offset, found.hazard,
                     horizon, [], {}, "")


def test_binary_calibration_is_a_logistic_regression():
    score, endpoint = example("binary")
    found = calibrate(score, endpoint)
    expected = LogisticRegression(C=1e6, tol=1e-9).fit(score[:, None], endpoint.event)
    # Hardly any penalty, however many patients: the calibration of a right model must not shrink.
    assert found.slope == pytest.approx(expected.coef_[0, 0], rel=0.01)
    model = model_of(score, endpoint)
    assert model.probability(score) == pytest.approx(1 / (1 + np.exp(-(found.offset + found.slope * score))))
    assert model.probability(score).mean() == pytest.approx(endpoint.event.mean(), abs=1e-3)


def test_calibration_of_classes_is_that_of_other_code():
    score, endpoint = example("multiclass")
    found = calibrate(score, endpoint)

    def loss(values):
        position = values[0] * score + values[1:]
        likelihood = -log_softmax(position, axis=1)[np.arange(len(score)), endpoint.outcome].mean()
        return likelihood + 0.1 / 300 / 2 * values @ values

    expected = minimize(loss, [1.0, 0, 0, 0], method="Nelder-Mead",
                        options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 5000}).x
    assert found.slope == pytest.approx(expected[0], abs=1e-3)
    # Only the differences of offsets mean anything.
    assert found.offset - found.offset.mean() == pytest.approx(expected[1:] - expected[1:].mean(), abs=2e-3)
    shares = model_of(score, endpoint).probability(score)
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(score)))
    assert shares.mean(axis=0) == pytest.approx(np.bincount(endpoint.outcome) / len(score), abs=2e-3)


def test_continuous_calibration_is_least_squares():
    score, endpoint = example("continuous")
    found = calibrate(score, endpoint)
    assert [found.slope, found.offset] == pytest.approx(np.polyfit(score, endpoint.outcome, 1))
    assert model_of(score, endpoint).probability(score) == pytest.approx(found.offset + found.slope * score)


@pytest.mark.parametrize("kind", SURVIVAL)
def test_survival_slope_and_baseline_are_those_of_other_code(kind):
    score, endpoint = example(kind)
    found = calibrate(score, endpoint)
    cox = PHReg(endpoint.time, score[:, None], status=endpoint.event.astype(float), entry=endpoint.entry,
                ties="breslow").fit()
    assert found.slope == pytest.approx(cox.params[0], rel=0.01)
    times = np.sort(endpoint.time[endpoint.event])
    started = np.full(len(score), -np.inf) if endpoint.entry is None else endpoint.entry
    weight = np.exp(found.slope * score)
    hazard = np.cumsum([1 / weight[(endpoint.time >= t) & (started < t)].sum() for t in times])
    ours = found.hazard["event"][np.searchsorted(found.hazard["times"], times, side="right") - 1]
    assert ours == pytest.approx(hazard, rel=1e-9)
    if kind == "competing":
        other = PHReg(endpoint.time, score[:, None], status=(endpoint.cause == 2).astype(float), ties="breslow").fit()
        assert found.hazard["competing_slope"] == pytest.approx(other.params[0], abs=0.01)


@pytest.mark.parametrize("kind", ["survival", "truncated"])
def test_risk_is_that_of_the_formula(kind):
    score, endpoint = example(kind)
    model = model_of(score, endpoint, 1.0)
    times = [0.0, 0.3, 1.0, 2.5, 99.0]
    risk = model.risk_at(score, times)
    for column, t in enumerate(times):
        hazard = model.hazard["event"][model.hazard["times"] <= t]
        total = hazard[-1] if len(hazard) else 0.0
        assert risk[:, column] == pytest.approx(1 - np.exp(-total * np.exp(model.slope * score)))
    assert (risk[:, 0] == 0).all()
    assert np.array_equal(model.probability(score), risk[:, 2])
    # Exactly at an event time its jump counts.
    at = model.hazard["times"][3]
    assert (model.risk_at(score, [at]) > model.risk_at(score, [at - 1e-9])).all()


def test_cumulative_incidences_and_freedom_add_up_and_rise():
    score, endpoint = example("competing")
    model = model_of(score, endpoint, 1.0)
    # The same hazards with the causes exchanged give the incidence of the other cause.
    swapped = {"times": model.hazard["times"], "event": model.hazard["competing"], "competing": model.hazard["event"],
               "competing_slope": model.slope}
    other = replace_hazard(model, swapped, model.hazard["competing_slope"])
    times = np.concatenate([[0.0], model.hazard["times"], [1e3]])
    first, second = model.risk_at(score, times), other.risk_at(score, times)
    at = np.searchsorted(model.hazard["times"], times, side="right") - 1
    both = [np.where(at < 0, 0.0, model.hazard[name][np.maximum(at, 0)]) for name in ("event", "competing")]
    free = np.exp(-(np.exp(model.slope * score)[:, None] * both[0]
                    + np.exp(model.hazard["competing_slope"] * score)[:, None] * both[1]))
    assert np.abs(first + second + free - 1).max() < 1e-9
    assert (np.diff(first, axis=1) >= 0).all() and (first >= 0).all() and (first <= 1).all()
    # Never more than if competing events did not exist.
    alone = 1 - np.exp(-np.exp(model.slope * score)[:, None] * both[0])
    assert (first <= alone + 1e-12).all() and (first < alone - 1e-3).any()


def replace_hazard(model: RiskModel, hazard: dict, slope: float) -> RiskModel:
    return RiskModel(**{**model.get_params(deep=False), "hazard": hazard, "slope": slope})


def test_incidence_of_a_constant_score_is_that_of_aalen_and_johansen():
    _, endpoint = example("competing", 600)
    score = np.zeros(600)
    model = model_of(score, endpoint, 1.0)
    assert model.slope == 0.0
    found = aalen_johansen(endpoint.time, endpoint.cause)
    early = found.times < 2
    assert model.risk_at(score[:1], found.times[early])[0] == pytest.approx(found.estimate[early], abs=3e-3)
    _, endpoint = example("survival", 600)
    model = model_of(score, endpoint, 1.0)
    alone = aalen_johansen(endpoint.time, endpoint.event.astype(int))
    early = alone.times < 2
    assert model.risk_at(score[:1], alone.times[early])[0] == pytest.approx(alone.estimate[early], abs=5e-3)


def test_cause_that_nobody_had_in_training_is_no_competitor():
    score, endpoint = example("competing")
    seen = np.flatnonzero(endpoint.cause < 2)
    model = model_of(score[seen], endpoint.take(seen), 1.0)
    assert model.hazard["competing"] is None
    assert ((model.probability(score) > 0) & (model.probability(score) < 1)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_that_points_the_wrong_way_has_no_slope(kind):
    score, endpoint = example(kind)
    model = model_of(-score, endpoint, 1.0)
    assert model.slope == 0.0
    if kind == "competing":  # the score may still tell who has the competing event
        return
    predicted = model.probability(score)
    assert np.ptp(predicted, axis=0) == pytest.approx(0.0, abs=1e-12)
    if kind in ("binary", "continuous"):
        assert predicted[0] == pytest.approx(endpoint.outcome.mean())
    if kind == "multiclass":
        assert predicted[0] == pytest.approx(np.bincount(endpoint.outcome) / len(score), abs=5e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_that_separates_perfectly_is_finite(kind):
    n = 60
    _, endpoint = example(kind, n)
    score = np.eye(3)[endpoint.outcome] if kind == "multiclass" else endpoint.outcome.astype(float)
    if kind in SURVIVAL:
        score = -endpoint.time
    model = model_of(score, endpoint, 1.0)
    assert np.isfinite(model.slope) and model.slope > 0
    assert np.isfinite(model.probability(score)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_far_outside_of_training_give_finite_risks(kind):
    """A column in another unit, say: a risk of 0 or 1, and never a missing one or a warning."""
    score, endpoint = example(kind)
    model = model_of(score, endpoint, 1.0)
    for extreme in (np.full_like(score[:2], 1e5), np.full_like(score[:2], -1e5)):
        assert np.isfinite(model.probability(extreme)).all()
        if kind in SURVIVAL:
            risk = model.risk_at(extreme, [0.0, 0.5, 1.0])
            assert np.isfinite(risk).all() and (risk >= 0).all() and (risk <= 1).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "truncated"])
def test_a_patient_alone_is_predicted_as_in_company(kind, few_trees):
    patients = with_centres(two_blocks(kind))
    frame = patients.frame.copy()
    frame.iloc[::7, 3:] = np.nan
    frame.iloc[::5, 0] = np.nan
    patients = replace(patients, frame=frame)
    centre = patients.companions.centre
    model = fit_models(patients, ALL, [DEFAULT], FitOptions(harmonised=("genes",)))["all", DEFAULT]
    together = model.score(frame, centre)
    for row in (0, 1, 5, 35):
        alone = model.score(frame.iloc[[row]], centre.iloc[[row]])
        assert alone[0] == pytest.approx(together[row], abs=1e-12)
    shuffled = np.random.default_rng(0).permutation(len(frame))
    # Other columns beside them and another order of both change nothing.
    other = frame.iloc[shuffled, ::-1].assign(unknown=1.0)
    assert model.score(other, centre) == pytest.approx(together[shuffled], abs=1e-12)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival", "competing"])
def test_predictions_are_right_on_average_in_new_patients(kind, few_trees):
    patients = two_blocks(kind, 500)
    fresh = two_blocks(kind, 500, seed=7)
    model = fit_models(patients, ALL, [DEFAULT], FitOptions(horizon=1.0))["all", DEFAULT]
    predicted = model.probability(model.score(fresh.frame))
    truth = fresh.endpoint
    if kind == "multiclass":
        assert predicted.mean(axis=0) == pytest.approx(np.bincount(truth.outcome) / 500, abs=0.06)
    elif kind in SURVIVAL:
        cause = truth.event.astype(int) if truth.cause is None else truth.cause
        found = aalen_johansen(truth.time, cause)
        observed = found.estimate[np.searchsorted(found.times, 1.0, side="right") - 1]
        assert predicted.mean() == pytest.approx(observed, abs=0.05)
    else:
        assert predicted.mean() == pytest.approx(truth.outcome.mean(), abs=0.06 if kind == "binary" else 0.3)


def test_cut_offs_and_thresholds_are_quantiles_of_out_of_fold_scores(few_trees):
    patients = two_blocks("binary", 200)
    model = fit_models(patients, ALL, ["forest"], FitOptions(groups=3))["all", "forest"]
    assert len(model.cut_offs) == 2 and model.cut_offs[0] < model.cut_offs[1]
    # A forest knows its own patients: cut at these scores, far fewer than a third would lie between.
    own = model.score(patients.frame)
    fresh = model.score(two_blocks("binary", 2000, seed=5).frame)
    assert np.mean(fresh < model.cut_offs[0]) == pytest.approx(1 / 3, abs=0.1)
    assert np.mean(own < model.cut_offs[0]) > np.mean(fresh < model.cut_offs[0])
    assert set(model.thresholds) == {"sensitivity 0.9", "specificity 0.9"}
    truth = two_blocks("binary", 2000, seed=5).endpoint.event
    assert np.mean(fresh[truth] >= model.thresholds["sensitivity 0.9"]) == pytest.approx(0.9, abs=0.08)
    assert np.mean(fresh[~truth] < model.thresholds["specificity 0.9"]) == pytest.approx(0.9, abs=0.08)


def test_frame_without_rows_has_no_scores():
    patients = two_blocks("binary")
    model = fit_models(patients, ALL, ["ridge"])["all", "ridge"]
    assert model.score(patients.frame.iloc[:0]).shape == (0,)
    assert isinstance(model.parts[0].present(patients.frame.iloc[:0]), np.ndarray)
    assert pd.Index(model.columns).equals(patients.frame.columns)

"""Coverage by simulation, quantiles by hand, and what cannot be promised is not given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.conformal import Conformal, calibrate, conformal_quantile
from medomicslab_nb.evaluation.endpoints import Endpoint


def endpoint(outcome, **extra) -> Endpoint:
    return Endpoint("y", np.asarray(outcome), pd.Index([f"P{i:05d}" for i in range(len(outcome))]), **extra)


def test_quantile_by_hand():
    scores = np.arange(1, 10) / 10
    assert conformal_quantile(scores, 0.1) == 0.9  # ceil(10 * .9) = 9th of 9
    assert conformal_quantile(scores, 0.2) == 0.8
    assert conformal_quantile(scores, 0.05) == np.inf  # ceil(9.5) = 10th of 9
    assert conformal_quantile(np.arange(1, 20) / 10, 0.05) == 1.9
    assert conformal_quantile(np.array([]), 0.1) == np.inf


def test_binary_sets_by_hand():
    known = endpoint([False] * 4 + [True] * 4)
    conformal = calibrate(known, np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9]), positive="relapse")
    assert conformal.classes == ("no", "relapse")
    # ceil(5 * .6) = 3rd: of class no 1 - p = .1 .2 .3 .6, of class relapse .1 .2 .3 .6.
    assert conformal.limits(0.4) == pytest.approx([0.3, 0.3])
    sets = conformal.sets(np.array([0.05, 0.3, 0.5, 0.7, 0.95]), alpha=0.4)
    assert sets.tolist() == [[True, False], [True, False], [False, False], [False, True], [False, True]]


@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_split_coverage_holds_in_each_class_however_wrong_the_probabilities(alpha):
    rng = np.random.default_rng(0)
    covered = {0: [], 1: [], 2: []}
    for _ in range(300):
        outcome = rng.choice(3, size=260, p=[0.6, 0.3, 0.1])
        wrong = softmax(3 * rng.normal(size=(260, 3)) + np.eye(3)[outcome] + [0, 1, -2], axis=1)
        conformal = calibrate(endpoint(outcome[:200], classes=("a", "b", "c")), wrong[:200])
        sets = conformal.sets(wrong[200:], alpha=alpha)
        for k in covered:
            rows = outcome[200:] == k
            if rows.any():
                covered[k].append(sets[rows, k].mean())
    for k, values in covered.items():
        error = np.std(values) / np.sqrt(len(values))
        assert np.mean(values) >= 1 - alpha - 3 * error, k
        # Not by giving everything: at most 1 / (n_k + 1) above.
        assert np.mean(values) <= 1 - alpha + 1.5 / (200 * [0.6, 0.3, 0.1][k]) + 3 * error, k


def test_cross_conformal_coverage_with_out_of_fold_probabilities_and_the_final_model():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(40):
        x = rng.normal(size=(1100, 4))
        y = rng.random(1100) < expit(x[:, 0] - 0.5)
        model = LogisticRegression()
        out_of_fold = cross_val_predict(model, x[:150], y[:150], cv=5, method="predict_proba")[:, 1]
        conformal = calibrate(endpoint(y[:150]), out_of_fold)
        sets = conformal.sets(model.fit(x[:150], y[:150]).predict_proba(x[150:])[:, 1], alpha=0.1)
        covered.append([sets[y[150:] == bool(k), k].mean() for k in (0, 1)])
    error = np.std(covered, axis=0) / np.sqrt(len(covered))
    assert (np.mean(covered, axis=0) >= 0.9 - 3 * error).all()


def test_intervals_of_a_continuous_outcome_cover():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        predicted = rng.normal(size=150)
        outcome = predicted + 1 + rng.standard_t(3, size=150)  # biased and heavy-tailed
        conformal = calibrate(endpoint(outcome[:100]), predicted[:100])
        lower, upper = conformal.interval(predicted[100:], alpha=0.1)
        covered.append(((outcome[100:] >= lower) & (outcome[100:] <= upper)).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)
    assert np.mean(covered) >= 0.9 - 3 * np.std(covered) / np.sqrt(300)


def test_a_small_class_is_in_every_set_and_that_is_said():
    conformal = calibrate(endpoint([False] * 30 + [True] * 5), np.linspace(0.01, 0.9, 35))
    assert conformal.sets(np.array([0.0001]), alpha=0.1)[0, 1]
    (note,) = conformal.notes(0.1)
    assert note == ("Class 'yes' has 5 patients with an out-of-fold prediction, and 90% coverage needs 9: "
                    "'yes' is in every prediction set.")
    assert conformal.notes(0.2) == ()
    few = calibrate(endpoint([1.0, 2.0]), np.zeros(2))
    assert np.isinf(few.interval(np.zeros(1))[1]).all()
    assert "infinite" in few.notes()[0]


def test_survival_is_refused_under_censoring_and_taken_where_all_is_known():
    time, event = np.array([1.0, 2.0, 5.0, 6.0]), np.array([True, False, True, False])
    risk = np.array([0.9, 0.2, 0.3, 0.1])
    with pytest.raises(DataError, match="1 of 4 patients left follow-up before the horizon"):
        calibrate(endpoint(event, time=time), risk, horizon=3.0)
    with pytest.raises(DataError, match="needs a horizon"):
        calibrate(endpoint(event, time=time), risk)
    with pytest.raises(DataError, match="entered late"):
        calibrate(endpoint(event, time=time, entry=np.array([0.0, 1, 0, 0])), risk, horizon=1.5)
    known = calibrate(endpoint(event, time=time), risk, horizon=1.5)
    assert [part.tolist() for part in known.scores] == [pytest.approx([0.1, 0.2, 0.3]), pytest.approx([0.1])]
    competing = calibrate(endpoint(event, time=time, cause=np.array([1, 2, 1, 0]), causes=("e", "other")), risk,
                          horizon=3.0)
    assert len(competing.scores[0]) == 3


def test_missing_predictions_and_a_wrong_alpha_are_refused():
    with pytest.raises(DataError, match="1 of 2 patients have no out-of-fold prediction"):
        calibrate(endpoint([True, False]), np.array([0.5, np.nan]))
    with pytest.raises(DataError, match="alpha is 1"):
        calibrate(endpoint([True, False]), np.array([0.5, 0.4])).limits(1.0)


def test_plain_values_give_the_same_sets():
    conformal = calibrate(endpoint([False] * 20 + [True] * 20), np.linspace(0, 1, 40))
    again = Conformal.from_dict(conformal.to_dict())
    assert np.array_equal(again.limits(0.1), conformal.limits(0.1))
    with pytest.raises(ValueError, match="calibration"):
        Conformal.from_dict({"classes": ["a", "b"], "scores": [np.zeros(2)]})

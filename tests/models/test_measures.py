"""Measures of a held-out fold, by other code."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sksurv.metrics import brier_score, concordance_index_censored, concordance_index_ipcw, cumulative_dynamic_auc
from sksurv.util import Surv

from medomicslab_nb.models.fitting import FitOptions, fit_models
from medomicslab_nb.models.measures import fold_measures
from tests.models.conftest import two_blocks

SETS = {"all": ("clinical", "genes")}


def fold(kind: str):
    patients = two_blocks(kind, 200)
    train, test = patients.take(np.arange(120)), patients.take(np.arange(120, 200))
    model = fit_models(train, SETS, ["ridge"], FitOptions(horizon=1.0, inner_folds=3))["all", "ridge"]
    score = model.score(test.frame)
    return model, score, test.endpoint, train.endpoint, fold_measures(model, score, test.endpoint, train.endpoint)


def test_binary():
    model, score, test, _, found = fold("binary")
    probability = model.probability(score)
    assert found == pytest.approx({"auc": roc_auc_score(test.event, score),
                                   "auprc": average_precision_score(test.event, score),
                                   "brier": brier_score_loss(test.event, probability)})


def test_multiclass():
    model, score, test, _, found = fold("multiclass")
    probability = model.probability(score)
    chosen = probability.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(test.outcome, chosen))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(test.outcome, chosen))
    assert found["auc_ovr"] == pytest.approx(np.mean([roc_auc_score(test.outcome == k, score[:, k]) for k in range(3)]))
    assert found["brier"] == pytest.approx(np.mean(((probability - np.eye(3)[test.outcome])**2).sum(axis=1)))


def test_continuous():
    model, score, test, _, found = fold("continuous")
    predicted = model.probability(score)
    assert found == pytest.approx({"r2": r2_score(test.outcome, predicted),
                                   "rmse": root_mean_squared_error(test.outcome, predicted),
                                   "mae": mean_absolute_error(test.outcome, predicted)})


def test_survival():
    model, score, test, train, found = fold("survival")
    known, tested = (Surv.from_arrays(endpoint.event, endpoint.time) for endpoint in (train, test))
    assert found["c_index"] == pytest.approx(concordance_index_censored(test.event, test.time, score)[0])
    auc, _ = cumulative_dynamic_auc(known, tested[test.time < train.time.max()], score[test.time < train.time.max()],
                                    [1.0])
    assert found["auc_at_horizon"] == pytest.approx(auc[0], abs=0.02)
    _, brier = brier_score(known, tested, 1 - model.risk_at(score, [1.0]), [1.0])
    assert found["brier_at_horizon"] == pytest.approx(brier[0], abs=0.005)
    uno = concordance_index_ipcw(known, tested, score, tau=np.quantile(test.time, 0.8))[0]
    assert found["uno_c"] == pytest.approx(uno, abs=0.05)
    assert 0 < found["integrated_brier"] < 0.25


@pytest.mark.parametrize("kind", ["competing", "truncated"])
def test_what_does_not_exist_is_nan_and_not_a_number(kind):
    _, _, _, _, found = fold(kind)
    assert np.isfinite(found["c_index"])
    assert np.isnan(found["uno_c"])


def test_a_fold_of_one_class_has_no_auc():
    model, _, test, train, _ = fold("binary")
    ones = test.take(np.flatnonzero(test.event))
    found = fold_measures(model, np.arange(len(ones), dtype=float), ones, train)
    assert np.isnan(found["auc"]) and np.isfinite(found["brier"])

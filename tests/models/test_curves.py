"""Curves against scikit-learn and counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve as sklearn_roc

from medomicslab_nb.models.curves import kaplan_meier_curve, roc_curve


def test_roc_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    observed = rng.random(300) < 0.4
    score = np.round(rng.normal(size=300) + observed, 1)
    curve = roc_curve(observed, score[:, None], seed=0, confidence=0.95)
    fpr, tpr, _ = sklearn_roc(observed, score)
    assert curve["tpr"].to_numpy()[1:] == pytest.approx(np.interp(curve["fpr"], fpr, tpr)[1:])
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(roc_auc_score(observed, score), abs=0.005)
    assert (curve["lower"] <= curve["upper"]).all()


def test_kaplan_meier_by_hand():
    curve = kaplan_meier_curve(np.array([True, False, True, True]), np.array([2.0, 2, 3, 5]), 0.95)
    assert curve["time"].tolist() == [0, 2, 3, 5]
    assert curve["survival"].tolist() == pytest.approx([1, 3 / 4, 3 / 8, 0])
    assert curve["at_risk"].tolist() == [4, 4, 2, 1]
    assert curve["events"].tolist() == [0, 1, 1, 1]


def test_patients_who_enter_late_are_not_at_risk_before():
    event, time, entry = np.array([True, True, True]), np.array([3.0, 5, 6]), np.array([0.0, 2, 4])
    curve = kaplan_meier_curve(event, time, 0.95, entry=entry)
    assert curve.iloc[0][["time", "survival", "at_risk"]].tolist() == [0, 1, 1]
    events = curve[curve["events"] > 0]
    assert events["time"].tolist() == [3, 5, 6]
    assert events["at_risk"].tolist() == [2, 2, 1]
    assert events["survival"].tolist() == pytest.approx([1 / 2, 1 / 4, 0])


def test_group_without_events_stays_at_one():
    curve = kaplan_meier_curve(np.zeros(3, bool), np.array([1.0, 2, 3]), 0.95)
    assert (curve[["survival", "lower", "upper"]] == 1).all(axis=None)


def test_events_at_time_zero_are_a_row_after_the_start():
    curve = kaplan_meier_curve(np.array([True, False, True, True]), np.array([0.0, 0, 3, 5]), 0.95)
    assert curve["time"].tolist() == [0, 0, 3, 5]
    assert curve["events"].tolist() == [0, 1, 1, 1]
    assert curve["survival"].tolist() == pytest.approx([1, 3 / 4, 3 / 8, 0])
    assert curve["at_risk"].tolist() == [4, 4, 2, 1]
    censored = kaplan_meier_curve(np.array([False, True]), np.array([0.0, 2]), 0.95)
    assert censored["time"].tolist() == [0, 2]

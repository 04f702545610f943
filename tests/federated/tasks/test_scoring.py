"""Scores by the kind of model, and values that travel beside others."""

from __future__ import annotations

import numpy as np
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import pack, unpack
from medomicslab_nb.federated.tasks.scoring import SCORES, as_question, from_question, score
from medomicslab_nb.stages import load

MODEL = {"model": "regression", "kind": "logistic", "intercept": 1.0, "coef": np.array([2.0, -1.0])}


def test_a_regression_by_hand():
    np.testing.assert_allclose(score(MODEL, np.array([[1.0, 3.0], [0.0, 0.0]])), [0.0, 1.0])


@pytest.mark.parametrize("name", SCORES)
def test_every_kind_of_model_has_its_function(name):
    assert callable(load(SCORES[name]))


def test_a_model_travels_under_names_of_its_own():
    sent = unpack(pack({**as_question(MODEL), "coef": np.zeros(3), "part": "all"}))
    found = from_question(sent)
    assert set(found) == set(MODEL) and found["kind"] == "logistic"
    np.testing.assert_array_equal(found["coef"], MODEL["coef"])


def test_unknown_models_and_scores_that_are_no_numbers():
    with pytest.raises(DataError, match="kind of model"):
        score({"model": "oracle"}, np.zeros((1, 2)))
    with pytest.raises(DataError, match="no finite numbers"):
        score({**MODEL, "intercept": float("inf")}, np.zeros((1, 2)))

"""The default: what inner cross-validation may choose, and that it finds what is there and nothing that is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import fold_numbers
from medomicslab_nb.models.default import DEFAULT, USUAL_WEIGHT, WEIGHTS, choose_weight
from medomicslab_nb.models.fitting import Patients, fit_models
from tests.models.conftest import ids, outcome_of, two_blocks

ALL = {"all": ("x",)}


@pytest.fixture
def generated():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    endpoint = Endpoint("y", truth + rng.normal(size=300) > 0, ids(300))
    return endpoint, truth, rng.normal(size=300), fold_numbers(endpoint.strata, 5, 0)


def test_weight_leaves_the_usual_one_only_for_a_clear_gain(generated):
    endpoint, truth, noise, inner = generated
    assert choose_weight(truth, noise, endpoint, inner) == 1.0
    assert choose_weight(noise, truth, endpoint, inner) == 0.0
    assert choose_weight(truth, truth, endpoint, inner) == USUAL_WEIGHT
    assert USUAL_WEIGHT in WEIGHTS
    assert choose_weight(truth, noise, endpoint, np.zeros(300, dtype=int)) == USUAL_WEIGHT


@pytest.mark.parametrize("kind", ["multiclass", "continuous", "survival", "competing"])
def test_weight_of_every_kind_of_outcome(kind):
    rng = np.random.default_rng(0)
    truth, noise = rng.normal(size=300), rng.normal(size=300)
    endpoint = outcome_of(2 * truth, kind)
    if kind == "multiclass":
        truth, noise = np.outer(truth, [-1, 0, 1]), rng.normal(size=(300, 3))
    inner = fold_numbers(endpoint.strata, 5, 0)
    assert choose_weight(truth, noise, endpoint, inner) == 1.0
    assert choose_weight(noise, truth, endpoint, inner) == 0.0


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival"])
def test_default_is_the_weighted_sum_of_its_members(kind, few_trees):
    patients = replace(two_blocks(kind), blocks={"x": ("a", "b", "c", "g0")})
    models = fit_models(patients, ALL, [DEFAULT, "ridge", "forest"])
    default = models["all", DEFAULT]
    assert sum(part.weight for part in default.parts) == pytest.approx(1.0)
    expected = sum(part.weight * models["all", part.kind].score(patients.frame) for part in default.parts)
    assert default.score(patients.frame) == pytest.approx(expected, abs=1e-12)
    alone = fit_models(patients, ALL, [DEFAULT])["all", DEFAULT]
    assert np.array_equal(alone.score(patients.frame), default.score(patients.frame))


def test_forest_takes_over_where_nothing_is_linear():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"), index=ids(300))
    endpoint = Endpoint("y", (frame["a"] * frame["b"] > 0).to_numpy(), frame.index)
    model = fit_models(Patients(frame, endpoint, {"x": ("a", "b", "c")}), ALL, [DEFAULT])["all", DEFAULT]
    assert [(part.kind, part.weight) for part in model.parts] == [("forest", 1.0)]
    assert "1.00 forest" in model.chosen

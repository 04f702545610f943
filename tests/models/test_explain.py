"""SHAP values add up exactly, column by column, and models survive storage."""

from __future__ import annotations

import numpy as np
import pytest
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from medomicslab_nb.models.default import LEARNERS, fit_models
from medomicslab_nb.models.explain import load_model, model_bytes, shap_values
from tests.models.conftest import core


@pytest.fixture(params=["binary", "survival"])
def fitted(request, few_trees):
    design, endpoint = core(request.param)
    return design, fit_models(design.frame, endpoint, categorical=design.categorical, learners=LEARNERS.values())


def test_shap_values_add_up_to_the_score(fitted):
    design, models = fitted
    for model in models.values():
        values, base = shap_values(model, design.frame)
        assert list(values.columns) == list(design.frame.columns)
        assert values.sum(axis=1).to_numpy() + base == pytest.approx(model.score(design.frame), abs=1e-6)


def test_linear_shap_is_the_closed_form(fitted):
    design, models = fitted
    model = models["ridge"]
    values, _ = shap_values(model, design.frame)
    moved = design.frame.assign(age=design.frame["age"] + 1.0)
    slope = model.score(moved) - model.score(design.frame)
    age = design.frame["age"]
    assert values["age"].to_numpy() == pytest.approx(slope * (age - age.mean()).to_numpy(), abs=1e-8)


def test_model_bytes_give_the_same_scores_and_are_deterministic(fitted):
    design, models = fitted
    for model in models.values():
        content = model_bytes(model)
        assert np.array_equal(load_model(content).score(design.frame), model.score(design.frame))


def test_bad_input_83_foreign_types_in_a_model_file_are_refused():
    class Foreign:
        pass

    Foreign.__module__ = "tests.models.conftest"
    with pytest.raises(UntrustedTypesFoundException):
        load_model(skops.io.dumps({"model": Foreign()}))

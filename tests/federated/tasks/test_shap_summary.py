"""Mean absolute SHAP values over sites against those of the pooled patients."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks import scoring, shap_summary
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared, standardise
from medomicslab_nb.federated.tasks.shap_summary import mean_shap
from tests.federated.tasks.conftest import at_site, drive

LINEAR = {"model": "regression", "kind": "logistic", "intercept": 1.0, "coef": np.array([0.5, -1.0, 0.8, -0.6])}
COLUMNS = Preparation(("age", "size"), {"stage": ("I", "II", "III")})


def interacting(values, matrix):
    """A score that no sum of the columns makes."""
    return values["weight"] * matrix[:, 0] * matrix[:, 1] + np.tanh(matrix[:, 2] - matrix[:, 3])


def hospitals(sizes=(60, 35), seed=0) -> dict[str, SitePatients]:
    rng = np.random.default_rng(seed)
    return {"ab"[number]: at_site(pd.DataFrame({"age": rng.normal(60 + number, 9, n), "size": rng.gamma(2, 2, n),
                                                "stage": rng.choice(["I", "II", "III"], n)}),
                                  rng.random(n) < 0.5, testing=rng.random(n) < 0.2)
            for number, n in enumerate(sizes)}


def pooled(sites, preparation) -> np.ndarray:
    return np.concatenate([prepared(one, preparation.values(), 1) for one in sites.values()])


def test_a_regression_is_exact():
    sites = hospitals()
    preparation = drive(standardise(COLUMNS), sites)
    found = drive(mean_shap(preparation, LINEAR), sites)
    parts = pooled(sites, preparation) * LINEAR["coef"]
    expected = {"age": np.abs(parts[:, 0]).mean(), "size": np.abs(parts[:, 1]).mean(),
                "stage": np.abs(parts[:, 2] + parts[:, 3]).mean()}
    assert found["column"].tolist() == sorted(expected, key=expected.get, reverse=True)
    assert found.set_index("column")["mean_shap"].to_dict() == pytest.approx(expected, abs=1e-12)


def test_any_other_model_is_as_all_orders_of_the_columns_together_say(monkeypatch):
    monkeypatch.setattr(scoring, "SCORES", {"interacting": f"{__name__}:interacting"})
    monkeypatch.setattr(scoring, "load", lambda _: interacting)
    sites = hospitals()
    preparation = drive(standardise(COLUMNS), sites)
    model = {"model": "interacting", "weight": 0.7}
    found = drive(mean_shap(preparation, model), sites).set_index("column")["mean_shap"]
    matrix, groups = pooled(sites, preparation), np.array([0, 1, 2, 2])
    values = np.zeros((len(matrix), 3))
    for order in permutations(range(3)):
        for place, player in enumerate(order):
            without, with_it = (np.where(np.isin(groups, order[:end]), matrix, 0.0) for end in (place, place + 1))
            values[:, player] += (interacting(model, with_it) - interacting(model, without)) / 6
    # Age and size only interact: a permutation and its reverse together give each half of what they do.
    np.testing.assert_allclose(found[["age", "size", "stage"]], np.abs(values).mean(axis=0), atol=1e-12)


def test_how_patients_lie_on_sites_and_in_chunks_does_not_matter(monkeypatch):
    monkeypatch.setattr(scoring, "SCORES", {"interacting": "anything"})
    monkeypatch.setattr(scoring, "load", lambda _: interacting)
    model = {"model": "interacting", "weight": 0.7}
    sites = hospitals()
    preparation = drive(standardise(COLUMNS), sites)
    found = drive(mean_shap(preparation, model, seed=3), sites)
    frame = pd.concat([one.training_part.frame for one in sites.values()])
    together = {"all": at_site(frame, np.zeros(len(frame), dtype=bool))}
    monkeypatch.setattr(shap_summary, "_CHUNK", 7)
    pd.testing.assert_frame_equal(drive(mean_shap(preparation, model, seed=3), together), found, rtol=1e-10)


def test_one_sum_for_each_column_leaves():
    sites = hospitals()
    preparation = drive(standardise(COLUMNS), sites, minimum=5)
    log = []
    drive(mean_shap(preparation, LINEAR, part="testing"), sites, minimum=5, log=log)
    for site, _, release in log:
        assert release.values["total"].shape == (3,)
        assert release.cells == (release.patients,) == (int(sites[site].testing.sum()),)


def test_a_rare_category_counts_as_missing_here_too():
    sites = hospitals()
    frame = sites["a"].frame.assign(stage=["III", *["I", "II"] * 29, "I"])
    sites["a"] = at_site(frame, sites["a"].endpoint.outcome)
    preparation = drive(standardise(COLUMNS), sites, minimum=5)
    without = at_site(frame.assign(stage=frame["stage"].replace("III", np.nan)), sites["a"].endpoint.outcome)
    pd.testing.assert_frame_equal(drive(mean_shap(preparation, LINEAR), sites, minimum=5),
                                  drive(mean_shap(preparation, LINEAR), {**sites, "a": without}, minimum=5))


def test_a_category_with_one_level_moves_nothing():
    sites = {name: at_site(one.frame.assign(ward="A"), one.endpoint.outcome) for name, one in hospitals().items()}
    preparation = drive(standardise(Preparation(COLUMNS.numeric, {**COLUMNS.categories, "ward": ("A",)})), sites)
    found = drive(mean_shap(preparation, LINEAR), sites)
    assert found["column"].iloc[-1] == "ward" and found["mean_shap"].iloc[-1] == 0


def test_unknown_models():
    sites = hospitals()
    with pytest.raises(DataError, match="kind of model"):
        drive(mean_shap(drive(standardise(COLUMNS), sites), {"model": "oracle"}), sites)

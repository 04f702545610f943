"""Logistic regression over sites is that of all patients together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings as tried, strategies as st
from sklearn.linear_model import LogisticRegression

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import only
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.logistic import fit_logistic, logistic_step
from medomicslab_nb.federated.tasks.preparation import Preparation, prepare
from medomicslab_nb.federated.tasks.schema import check_schema
from tests.federated.tasks.conftest import at_site, drive, pooled, pooled_matrix, sites_with_gaps


def over_sites(penalty):
    schema = yield from check_schema(FederatedSettings(outcome="disease"))
    preparation = yield from prepare(schema)
    return preparation, (yield from fit_logistic(preparation, penalty))


def sklearn_fit(matrix, outcome, penalty):
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(matrix, outcome)
    return np.append(model.intercept_, model.coef_)


def found(model):
    return np.append(model.intercept, model.coef)


@pytest.mark.realdata
def test_heart_as_scikit_learn(heart):
    preparation, model = drive(over_sites(1.0), heart)
    matrix, outcome = pooled_matrix(heart, preparation), pooled(heart)[1]
    assert np.abs(found(model) - sklearn_fit(matrix, outcome, 1.0)).max() < 1e-6
    assert model.rounds <= 8


@pytest.mark.realdata
def test_heart_as_statsmodels(heart):
    preparation, model = drive(over_sites(0.0), heart)
    matrix, outcome = pooled_matrix(heart, preparation), pooled(heart)[1]
    other = sm.Logit(outcome.astype(float), sm.add_constant(matrix)).fit(disp=0, tol=1e-12, method="newton")
    assert np.abs(found(model) - other.params).max() < 1e-6
    assert model.log_likelihood == pytest.approx(other.llf, rel=1e-9)
    errors = model.in_units()["standard_error"].to_numpy() * model.scale
    np.testing.assert_allclose(errors, other.bse[1:], rtol=1e-6)


@given(sites_with_gaps(), st.sampled_from([0.01, 1.0, 30.0]))
@tried(max_examples=40)
def test_any_sites_as_scikit_learn(sites, penalty):
    try:
        preparation, model = drive(over_sites(penalty), sites)
    except DataError as error:
        assert "no predictor" in error.found
        return
    matrix, outcome = pooled_matrix(sites, preparation), pooled(sites)[1]
    assert np.abs(found(model) - sklearn_fit(matrix, outcome, penalty)).max() < 1e-6


@pytest.mark.realdata
@pytest.mark.parametrize("chosen", [["cleveland"], ["cleveland", "hungarian", "va"]])
def test_one_site_alone_and_without_one(heart, chosen):
    preparation, model = drive(only(over_sites(1.0), chosen), heart)
    some = {site: heart[site] for site in chosen}
    assert np.abs(found(model) - sklearn_fit(pooled_matrix(some, preparation), pooled(some)[1], 1.0)).max() < 1e-6


@pytest.mark.realdata
def test_a_minimum_changes_little_and_is_said(heart):
    """With small counts as missing at their sites, the model is still nearly the same."""
    exact, model = drive(over_sites(1.0), heart)
    guarded, other = drive(over_sites(1.0), heart, minimum=5)
    said = [note for note in guarded.notes if "counts as missing at" in note and "every site" not in note]
    assert [note.split("'")[1] for note in said] == ["ca"] and "hungarian, switzerland, va" in said[0]
    assert not [note for note in exact.notes if "every site" not in note]
    assert np.abs(found(model) - found(other)).max() < 0.1


def test_another_outcome_is_refused_at_the_site():
    patients = at_site(pd.DataFrame({"x": np.arange(9.0)}), np.arange(9.0))
    with pytest.raises(DataError, match="continuous and not of two classes"):
        drive(fit_logistic(drive(prepare(drive(check_schema(FederatedSettings(outcome="y", algorithm="linear")),
                                               {"a": patients})), {"a": patients})), {"a": patients})


def test_a_site_with_few_patients_releases_nothing():
    rng = np.random.default_rng(0)
    sites = {name: at_site(pd.DataFrame({"x": rng.normal(size=n)}), np.arange(n) % 2 == 0)
             for name, n in (("large", 60), ("tiny", 4))}
    log = []
    with pytest.raises(DataError, match="tiny"):
        drive(over_sites(1.0), sites, minimum=5, log=log)
    assert [site for site, _, _ in log] == ["large"]


def test_probabilities_of_one_still_have_information():
    patients = at_site(pd.DataFrame({"x": np.ones(6)}), np.arange(6) % 2 == 0)
    values = Preparation(("x",), {}, mean=np.zeros(1), scale=np.ones(1)).values()
    told = logistic_step(patients, {**values, "coef": np.array([0.0, 40.0])}, 1).values
    assert told["information"][0, 0] == pytest.approx(6 * np.exp(-40), rel=1e-12)
    assert told["log_likelihood"] == pytest.approx(-3 * 40)
    far = logistic_step(patients, {**values, "coef": np.array([0.0, 4000.0])}, 1).values
    assert far["log_likelihood"] == -3 * 4000 and far["gradient"].tolist() == [-3, -3]

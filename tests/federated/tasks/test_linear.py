"""Linear regression over sites is that of all patients together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings as tried, strategies as st
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.linear import fit_linear
from medomicslab_nb.federated.tasks.preparation import prepare
from medomicslab_nb.federated.tasks.schema import check_schema
from tests.federated.tasks.conftest import at_site, drive, pooled, pooled_matrix, sites_with_gaps


def over_sites(penalty):
    schema = yield from check_schema(FederatedSettings(outcome="y", algorithm="linear"))
    preparation = yield from prepare(schema)
    return preparation, (yield from fit_linear(preparation, penalty))


def found(model):
    return np.append(model.intercept, model.coef)


@pytest.fixture(scope="module")
def heart_rate(heart):
    """The largest heart rate, where it is known, from the other columns."""
    sites = {}
    for site, patients in heart.items():
        known = patients.where(patients.frame["thalach"].notna().to_numpy())
        sites[site] = at_site(known.frame.drop(columns="thalach"), known.frame["thalach"].to_numpy())
    return sites


@pytest.mark.realdata
def test_heart_as_statsmodels(heart_rate):
    preparation, model = drive(over_sites(0.0), heart_rate)
    matrix, outcome = pooled_matrix(heart_rate, preparation), pooled(heart_rate)[1]
    other = sm.OLS(outcome, sm.add_constant(matrix)).fit()
    assert np.abs(found(model) - other.params).max() < 1e-9
    np.testing.assert_allclose(np.sqrt(np.diag(model.covariance)), other.bse[1:], rtol=1e-9)
    assert model.log_likelihood == pytest.approx(other.llf, rel=1e-12) and model.rounds == 2
    assert model.in_units()["ratio"].isna().all()


@pytest.mark.realdata
def test_heart_as_scikit_learn(heart_rate):
    preparation, model = drive(over_sites(1.0), heart_rate)
    other = Ridge(alpha=1.0, solver="cholesky").fit(pooled_matrix(heart_rate, preparation), pooled(heart_rate)[1])
    assert np.abs(found(model) - np.append(other.intercept_, other.coef_)).max() < 1e-9


@given(sites_with_gaps(), st.sampled_from([0.01, 1.0, 30.0]), st.sampled_from([1e-4, 1.0, 1e4]),
       st.sampled_from([0.0, 1e3]))
@tried(max_examples=40)
def test_any_sites_as_scikit_learn(sites, penalty, unit, offset):
    rng = np.random.default_rng(len(sites["a"]))
    sites = {site: replace(one, endpoint=replace(one.endpoint, outcome=(rng.normal(size=len(one)) + offset) * unit))
             for site, one in sites.items()}
    try:
        preparation, model = drive(over_sites(penalty), sites)
    except DataError as error:
        assert "no predictor" in error.found
        return
    other = Ridge(alpha=penalty, solver="svd").fit(pooled_matrix(sites, preparation), pooled(sites)[1])
    assert np.abs(found(model) - np.append(other.intercept_, other.coef_)).max() < 1e-9 * unit * max(offset, 1)


def test_an_exact_line_is_found():
    sites = {name: at_site(pd.DataFrame({"x": start + np.arange(9.0)}), 3 + 2 * (start + np.arange(9.0)))
             for name, start in (("a", 0.0), ("b", 100.0))}
    _, model = drive(over_sites(0.0), sites)
    table = model.in_units()
    assert table["coefficient"][0] == pytest.approx(2, rel=1e-12)
    assert model.intercept_in_units == pytest.approx(3, rel=1e-10)
    assert table["standard_error"][0] < 1e-10


def test_too_few_patients_are_said():
    sites = {"a": at_site(pd.DataFrame(np.random.default_rng(0).normal(size=(4, 3)), columns=list("xyz")),
                          np.arange(4.0))}
    with pytest.raises(DataError, match="4 patients are too few for 4 coefficients"):
        drive(over_sites(0.0), sites)


def test_a_penalty_fits_more_columns_than_patients():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 50)), columns=[f"x{number}" for number in range(50)])
    outcome = 100 + frame["x0"].to_numpy() + rng.normal(size=30)
    sites = {name: at_site(frame[rows], outcome[rows]) for name, rows in (("a", slice(0, 12)), ("b", slice(12, 30)))}
    _, model = drive(over_sites(2.0), sites)
    expected = Ridge(alpha=2.0).fit(StandardScaler().fit_transform(frame), outcome)
    np.testing.assert_allclose(model.coef, expected.coef_, atol=1e-10)
    assert model.in_units()["standard_error"].isna().all(), "there is no residual variance"


def test_another_outcome_is_refused_at_the_site():
    sites = {"a": at_site(pd.DataFrame({"x": np.arange(9.0)}), np.arange(9) % 2 == 0)}
    preparation = drive(prepare(drive(check_schema(FederatedSettings(outcome="y")), sites)), sites)
    with pytest.raises(DataError, match="binary and not a number"):
        drive(fit_linear(preparation), sites)

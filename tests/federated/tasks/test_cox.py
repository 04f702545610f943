"""Cox regression over sites against statsmodels with the sites as strata, on the pooled patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.cox import CoxRegression
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.cox import cox_step, fit_cox, partial_likelihood
from medomicslab_nb.federated.tasks.preparation import Preparation, standardise
from tests.federated.tasks.conftest import at_site, drive

TIES = ("efron", "breslow")
STATSMODELS = 1e-8  # largest difference of a coefficient on the standardised scale; the requirement is 1e-4


def read_hn(folder) -> dict[str, SitePatients]:
    """Head and neck: two hospitals, in which HPV is unknown for 62 % and 40 %.

    The site of the tumour is left out: nobody of the few in whom it is not known died.
    """
    table = pd.read_csv(folder / "hn" / "hn_train_hospitals.csv")
    columns = ["age_years", "t_stage", "n_stage", "hpv"]
    return {site: at_site(rows[columns], rows["death_event"].to_numpy(dtype=bool), name="death", unit="days",
                          time=rows["death_time_days"].to_numpy(dtype=float))
            for site, rows in table.groupby("hospital")}


def simulated(seed=0, sizes=(120, 70, 90), step=5.0) -> dict[str, SitePatients]:
    """Sites with baseline hazards of their own, tied times and gaps from 0 to 40 %."""
    rng = np.random.default_rng(seed)
    sites = {}
    for number, n in enumerate(sizes):
        values = rng.normal(size=(n, 4)) * [1, 10, 0.1, 2] + [0, 60, number, 5]
        stage = rng.choice(["I", "II", "III"], n, p=[0.5, 0.3, 0.2])
        hazard = 0.02 * (number + 1) * np.exp(values @ [0.5, -0.03, 1, 0.1] + 0.6 * (stage == "III"))
        death, end = rng.exponential(1 / hazard), rng.uniform(5, 80, n)
        values[rng.random((n, 4)) < 0.2 * number] = np.nan
        frame = pd.DataFrame(values, columns=list("pqrs")).assign(stage=stage)
        frame.loc[rng.random(n) < 0.1 * number, "stage"] = None
        sites["abc"[number]] = at_site(frame, death <= end, time=np.ceil(np.minimum(death, end) / step) * step,
                                       testing=rng.random(n) < 0.2)
    return sites


def preparation_of(sites) -> Preparation:
    """Of all columns, without asking the sites which they have."""
    frame = pd.concat([one.training_part.frame for one in sites.values()])
    categorical = next(iter(sites.values())).categorical
    return Preparation(tuple(name for name in frame if name not in categorical),
                       {name: tuple(sorted(frame[name].dropna().unique())) for name in categorical})


def pooled(sites) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Prepared by pandas and scikit-learn, with time, event and site."""
    parts = {name: one.training_part for name, one in sites.items()}
    frame = pd.concat([part.frame for part in parts.values()])
    coded = [frame[[name]] if name not in parts[min(parts)].categorical else
             pd.get_dummies(frame[name], prefix=name, drop_first=True, dtype=float).where(frame[name].notna())
             for name in frame]
    coded.sort(key=lambda part: part.columns[0] not in frame)  # numbers first
    matrix = StandardScaler().fit_transform(SimpleImputer().fit_transform(pd.concat(coded, axis=1)))
    return (matrix, np.concatenate([part.endpoint.time for part in parts.values()]),
            np.concatenate([part.endpoint.event for part in parts.values()]),
            np.repeat(list(parts), [len(part) for part in parts.values()]))


def assert_equals_statsmodels(sites, ties):
    found = drive(_fit(preparation_of(sites), 0.0, ties), sites)
    matrix, time, event, strata = pooled(sites)
    model = PHReg(time, matrix, status=event.astype(float), strata=strata, ties=ties)
    fitted = model.fit(method="newton", tol=1e-12, maxiter=100, disp=0)
    assert np.abs(found.coef - fitted.params).max() <= STATSMODELS
    np.testing.assert_allclose(found.covariance, fitted.cov_params(), rtol=1e-6, atol=1e-9)
    assert found.log_likelihood == pytest.approx(model.loglike(fitted.params), rel=1e-10)
    assert found.intercept == 0 and found.kind == "cox" and len(found.columns) == matrix.shape[1]


def _fit(preparation, penalty, ties="efron"):
    return (yield from fit_cox((yield from standardise(preparation)), penalty, ties))


@pytest.mark.realdata
@pytest.mark.parametrize("ties", TIES)
def test_hospitals_with_unequal_gaps_give_the_pooled_fit(real_data, ties):
    assert_equals_statsmodels(read_hn(real_data), ties)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("seed", range(3))
def test_simulated_sites_give_the_pooled_fit(ties, seed):
    assert_equals_statsmodels(simulated(seed), ties)


@pytest.mark.parametrize("ties", TIES)
def test_ridge_is_that_of_the_pooled_regression(ties):
    sites = simulated()
    found = drive(_fit(preparation_of(sites), 7.5, ties), sites)
    matrix, time, event, strata = pooled(sites)
    expected = CoxRegression(ties, alpha=7.5).fit(matrix, time, event, strata=strata)
    np.testing.assert_allclose(found.coef, expected.coef_, atol=1e-9)
    np.testing.assert_allclose(found.covariance, expected.covariance_, rtol=1e-6)


def test_late_entry_counts_from_after_its_time():
    rng = np.random.default_rng(4)
    matrix, coef = rng.normal(size=(60, 2)), np.array([0.3, -0.5])
    time = rng.integers(2, 12, 60).astype(float)
    entry, event = np.floor(rng.uniform(0, 1, 60) * time), rng.random(60) < 0.6
    endpoint = Endpoint("death", event, pd.RangeIndex(60), time, entry=entry)
    hazard, expected = np.exp(matrix @ coef), 0.0
    for t in np.unique(time[event]):
        dying = event & (time == t)
        at_risk = (time >= t) & (entry < t)
        expected += np.log(hazard[dying]).sum() - dying.sum() * np.log(hazard[at_risk].sum())
    found = partial_likelihood(matrix, endpoint, coef, "breslow")
    assert found["log_likelihood"] == pytest.approx(expected, abs=1e-10)
    nearby = partial_likelihood(matrix, endpoint, coef + np.array([1e-6, 0]), "breslow")
    assert (nearby["log_likelihood"] - found["log_likelihood"]) / 1e-6 == pytest.approx(found["gradient"][0], abs=1e-3)


def test_a_site_without_events_adds_nothing():
    sites = simulated()
    quiet = at_site(sites["a"].frame.head(30), np.zeros(30, dtype=bool), time=np.arange(30.0))
    preparation = drive(standardise(preparation_of(sites)), sites)
    alone = drive(fit_cox(preparation), sites)
    np.testing.assert_array_equal(drive(fit_cox(preparation), {**sites, "quiet": quiet}).coef, alone.coef)


def test_few_events_are_shown_to_the_policy():
    sites = simulated()
    few = at_site(sites["a"].frame, np.arange(120) < 3, time=np.arange(120.0))
    with pytest.raises(DataError, match="counts are below 5"):
        drive(_fit(preparation_of(sites), 1.0), {**sites, "few": few}, minimum=5)


def test_what_leaves_is_said_in_words():
    sites = simulated()
    preparation = drive(standardise(preparation_of(sites)), sites)
    release = cox_step(sites["a"], {**preparation.values(), "coef": np.zeros(6), "ties": "efron"}, 5)
    part = sites["a"].training_part
    assert set(release.values) == {"log_likelihood", "gradient", "information"}
    assert release.cells == (len(part), part.endpoint.events)
    assert f"{part.endpoint.events} events among {len(part)} patients" in release.words


def test_what_differs_between_sites_alone_has_no_effect_within_them():
    sites = simulated()
    marked = {name: at_site(one.frame.assign(scanner=float(number)), one.endpoint.outcome, time=one.endpoint.time)
              for number, (name, one) in enumerate(sites.items())}
    found = drive(_fit(preparation_of(marked), 0.0), marked)
    position = found.columns.index("scanner")
    assert found.coef[position] == 0 and np.isnan(found.covariance[position, position])


def test_separation_asks_for_a_penalty():
    sites = {name: at_site(pd.DataFrame({"x": np.repeat([0.0, 1.0], 20), "y": np.tile([0.0, 1.0, 2, 3], 10)}),
                           np.repeat([False, True], 20), time=np.arange(40.0, 0, -1)) for name in "ab"}
    with pytest.raises(DataError, match="grows without end") as caught:
        drive(_fit(preparation_of(sites), 0.0), sites)
    assert "penalty" in str(caught.value)
    assert np.isfinite(drive(_fit(preparation_of(sites), 1.0), sites).coef).all()


def test_an_outcome_without_follow_up():
    sites = {"a": at_site(pd.DataFrame({"x": np.arange(20.0)}), np.arange(20) % 2 == 0)}
    with pytest.raises(DataError, match="no follow-up time"):
        drive(_fit(preparation_of(sites), 0.0), sites)

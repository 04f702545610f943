"""The leakage lint: every kind of leak in several disguises, what is clean, and the formulas behind it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, chi2_contingency, f_oneway, norm, pearsonr
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, StandardScaler
from sksurv.compare import compare_survival
from sksurv.datasets import load_flchain, load_gbsg2
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.nonparametric import nelson_aalen_estimator
from sksurv.util import Surv

from medomicslab_nb.evaluation import leak_cut_point, leak_fitted, leak_rows
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import association, aucs, hazard_residuals, standardised, target_numbers
from medomicslab_nb.evaluation.leak_time import pair_concordance
from medomicslab_nb.evaluation.leakage import (
    KINDS,
    Finding,
    lint_data,
    lint_estimator,
    lint_procedure,
    optimal_cut_points,
)

N = 160


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def binary(rng, n=N, p=15, effect=0.7) -> tuple[pd.DataFrame, Endpoint]:
    values = rng.normal(size=(n, p))
    index = pd.Index([f"P{row:04d}" for row in range(n)])
    outcome = effect * (values[:, 0] + values[:, 1]) + rng.logistic(size=n) > 0
    return pd.DataFrame(values, index=index, columns=[f"x{i}" for i in range(p)]), Endpoint("y", outcome, index)


def survival(rng, n=N, p=15, effect=0.7) -> tuple[pd.DataFrame, Endpoint]:
    frame, endpoint = binary(rng, n, p)
    times = rng.exponential(1000 * np.exp(-effect * frame["x0"]))
    ends = rng.uniform(100, 2500, n)
    return frame, Endpoint("os", times <= ends, endpoint.patients, np.ceil(np.minimum(times, ends)))


def strange_names(rng, n) -> pd.Index:
    return pd.Index([f"{value:09d}" for value in rng.choice(10**9, n, replace=False)])


def noise(rng, n=120, p=500) -> tuple[pd.DataFrame, Endpoint]:
    index = strange_names(rng, n)
    frame = pd.DataFrame(rng.normal(size=(n, p)), index=index, columns=[f"g{i}" for i in range(p)])
    return frame, Endpoint("y", rng.random(n) < 0.5, index)


def best_columns(frame, endpoint, k) -> list[str]:
    return list(frame.columns[np.argsort(-association(frame.to_numpy(), target_numbers(endpoint)))[:k]])


def alarms(findings) -> set[str]:
    return {finding.kind for finding in findings if finding.level == "alarm"}


# -- the outcome in disguise ------------------------------------------------------------------------------------------


def _flipped(rng, frame, y):
    return {"z": (y ^ (rng.random(len(y)) < 0.05)).astype(int)}


def _u_shaped(rng, frame, y):
    return {"z": np.where(y, rng.choice([-1, 1], len(y)) * rng.uniform(1, 3, len(y)), rng.uniform(-0.9, 0.9, len(y)))}


def _difference(rng, frame, y):
    before = rng.normal(50, 10, len(y))
    return {"before": before, "after": before + y + rng.normal(0, 0.1, len(y))}


def _ratio(rng, frame, y):
    dose = np.exp(rng.normal(size=len(y)))
    return {"given": dose, "left": dose * np.where(y, 2.0, 1.0)}


def _agreement(rng, frame, y):
    first = rng.random(len(y)) < 0.5
    return {"first": first.astype(int), "second": (first ^ y).astype(int)}


def _cells(rng, frame, y):
    first = rng.integers(0, 3, len(y))
    second = np.where(y, (3 - first) % 3, (3 - first + rng.integers(1, 3, len(y))) % 3)
    return {"first": np.array(list("abc"))[first], "second": np.array(list("xyz"))[second]}


def _sum_of_three(rng, frame, y):
    first, second = rng.normal(0, 3, (2, len(y)))
    return {"a": first, "b": second, "c": y + rng.normal(0, 0.1, len(y)) - first - second}


def _filled_in(rng, frame, y):
    return {"z": np.where(y & (rng.random(len(y)) < 0.6), rng.normal(size=len(y)), np.nan)}


def _decimals(rng, frame, y):
    return {"z": np.where(y, np.round(rng.normal(50, 10, len(y)), 2), np.round(rng.normal(50, 10, len(y))))}


def _odd(rng, frame, y):
    return {"z": 2 * rng.integers(0, 100, len(y)) + y}


def _note(rng, frame, y):
    return {"z": [" ".join(rng.choice(["pain", "fever", "mass", "scan"], 4)) + (" palliative" if positive else "")
                  for positive in y]}


def _encoded(rng, frame, y):
    return {"z": pd.Series(y.astype(float)).groupby(rng.integers(0, 30, len(y))).transform("mean").to_numpy()}


def _fitted_score(rng, frame, y):
    return {"z": RandomForestClassifier(40, random_state=0).fit(frame, y).predict_proba(frame)[:, 1]}


@pytest.mark.parametrize("make", [_flipped, _u_shaped, _difference, _ratio, _agreement, _cells,
                                  _sum_of_three, _filled_in, _decimals, _odd, _note, _encoded, _fitted_score])
def test_an_outcome_in_disguise_is_named(rng, make):
    frame, endpoint = binary(rng)
    assert "outcome_in_disguise" in alarms(lint_data(frame.assign(**make(rng, frame, endpoint.outcome)), endpoint))


def test_two_dates_that_make_the_follow_up_are_named(rng):
    frame, endpoint = survival(rng)
    start = pd.Timestamp("2010-01-01") + pd.to_timedelta(rng.integers(0, 2000, N), "D")
    findings = lint_data(frame.assign(start=start, last=start + pd.to_timedelta(endpoint.time, "D")), endpoint)
    (exact,) = [finding for finding in findings if finding.kind == "outcome_in_disguise"]
    assert "'start'" in exact.where
    assert "'last'" in exact.where


def test_the_outcome_of_several_classes_or_a_continuous_one_is_named(rng):
    frame, _ = binary(rng)
    codes = rng.integers(0, 3, N)
    classes = Endpoint("y", codes, frame.index, classes=("a", "b", "c"))
    coded = frame.assign(z=np.array([5, 1, 3])[codes] + rng.normal(0, 0.2, N))
    assert alarms(lint_data(coded, classes)) == {"outcome_in_disguise"}
    value = rng.normal(size=N)
    continuous = Endpoint("y", value, frame.index)
    folded = frame.assign(z=np.where(value > 0, value, 10 - value))
    assert alarms(lint_data(folded, continuous)) == {"outcome_in_disguise"}
    part = rng.normal(size=N)
    assert alarms(lint_data(frame.assign(a=part, b=value - part), continuous)) == {"outcome_in_disguise"}


def test_a_cause_of_death_in_real_data_is_named():
    frame, target = load_flchain()
    endpoint = Endpoint("death", target["death"].astype(bool), frame.index, target["futime"].astype(float))
    rows = np.arange(0, len(frame), 10)
    findings = lint_data(frame.iloc[rows].astype(dict.fromkeys(("chapter", "sex", "mgus"), object)),
                         endpoint.take(rows))
    assert [finding.where for finding in findings if finding.level == "alarm"] == ["'chapter'"]


# -- time -------------------------------------------------------------------------------------------------------------


def test_values_after_the_event_are_named(rng):
    frame, endpoint = survival(rng)
    assert "time_after_event" in alarms(lint_data(frame.assign(visits=rng.poisson(endpoint.time / 90)), endpoint))
    second_line = (rng.exponential(600, N) < endpoint.time).astype(int)
    assert "time_after_event" in alarms(lint_data(frame.assign(second_line=second_line), endpoint))
    taken = pd.DataFrame({"taken": rng.uniform(0, 900, N)}, index=frame.index)
    assert alarms(lint_data(frame, endpoint, dates=taken)) == {"time_after_event"}


def test_bad_input_92_dates_after_the_index_date_are_named(rng):
    frame, endpoint = binary(rng)
    index_dates = pd.Series(pd.Timestamp("2015-01-01"), index=frame.index)
    before = (index_dates - pd.Timedelta(days=3)).to_frame("taken")
    late = before.copy()
    late.iloc[0] += pd.Timedelta(days=30)
    assert not lint_data(frame, endpoint, dates=before, index_dates=index_dates)
    assert alarms(lint_data(frame, endpoint, dates=late, index_dates=index_dates)) == {"time_after_event"}


@pytest.mark.parametrize("effect", [0.0, 1.0, 3.0])
def test_a_strong_predictor_does_not_go_with_follow_up(effect):
    for seed in range(5):
        frame, endpoint = survival(np.random.default_rng(seed), effect=effect)
        findings = lint_data(frame, endpoint)
        assert not alarms(findings)
        assert not any(finding.kind == "time_after_event" for finding in findings)


# -- rows -------------------------------------------------------------------------------------------------------------


def visits(rng, name, copies=2):
    values, outcome = rng.normal(size=(80, 15)), rng.random(80) < 0.5
    rows = rng.permutation(np.repeat(np.arange(80), copies))
    number = pd.Series(rows).groupby(rows).cumcount().to_numpy()
    index = pd.Index([name(patient, visit) for patient, visit in zip(rows, number, strict=True)])
    frame = pd.DataFrame(values[rows] + 1.2 * rng.normal(size=(len(rows), 15)), index=index,
                         columns=[f"x{i}" for i in range(15)])
    return frame, Endpoint("y", outcome[rows], index), rows


@pytest.mark.parametrize("name", [
    lambda patient, visit: f"P{patient}",
    lambda patient, visit: f"P{patient:03d}_{visit}",
    lambda patient, visit: f"pat{patient}-v{visit + 1}",
    lambda patient, visit: f"P{patient}" if visit else f"p-{patient:03d}",
    lambda patient, visit: f"{1000 + patient}{'ab'[visit]}",
    lambda patient, visit: f"{patient:03d} " + ("pre" if visit else "post"),
])
def test_a_patient_in_two_folds_is_named_by_the_identifiers(rng, name):
    frame, endpoint, _ = visits(rng, name)
    folds = rng.permutation(np.arange(len(frame)) % 5)
    assert "patient_in_two_folds" in alarms(lint_data(frame, endpoint, splits=folds))
    assert "patient_in_two_folds" in alarms(lint_data(frame, endpoint))


def test_a_patient_in_two_folds_is_named_by_groups_or_a_column(rng):
    frame, endpoint, rows = visits(rng, lambda patient, visit: f"R{patient * 7919 + visit * 104729}")
    splitter = KFold(5, shuffle=True, random_state=0)
    assert "patient_in_two_folds" in alarms(lint_data(frame, endpoint, groups=rows, splits=splitter))
    assert not lint_data(frame, endpoint, groups=rows, splits=rows % 5)
    assert "patient_in_two_folds" in alarms(lint_data(frame.assign(patient_id=[f"q{row}" for row in rows]), endpoint))


def test_lesions_of_a_patient_with_other_outcomes_are_named(rng):
    frame, endpoint, _ = visits(rng, lambda patient, visit: f"S{patient:03d}-L{visit}")
    per_lesion = Endpoint("y", endpoint.outcome ^ (rng.random(len(frame)) < 0.3), frame.index)
    folds = rng.permutation(np.arange(len(frame)) % 5)
    assert "patient_in_two_folds" in alarms(lint_data(frame, per_lesion, splits=folds))


def test_what_raises_the_risk_of_a_competing_event_does_not_go_with_follow_up(rng):
    frame, _ = binary(rng, n=400)
    hazard = np.exp(3.0 * frame["x0"].to_numpy())
    times, kind = rng.exponential(1000 / hazard), np.where(rng.random(400) < 0.5, 1, 2)
    ends = rng.uniform(100, 2500, 400)
    cause = np.where(times <= ends, kind, 0)
    competing = Endpoint("relapse", cause == 1, frame.index, np.minimum(times, ends), cause=cause,
                         causes=("relapse", "death"))
    assert "time_after_event" not in {finding.kind for finding in lint_data(frame, competing)}


def test_rows_that_are_trained_and_tested_on_are_named(rng):
    frame, endpoint = binary(rng)
    assert alarms(lint_data(frame, endpoint, splits=[(np.arange(100), np.arange(90, N))])) == {"patient_in_two_folds"}


def test_identifiers_of_a_centre_and_a_number_are_no_visits(rng):
    frame, endpoint = binary(rng)
    frame.index = pd.Index([f"{centre:02d}-{patient:03d}" for centre in range(8) for patient in range(20)])
    assert not alarms(lint_data(frame, endpoint))


def _copied(rng, values):
    return values[:40]


def _jittered(rng, values):
    return values[:40] + 0.15 * rng.normal(size=(40, values.shape[1]))


def _scaled(rng, values):
    return values[:40] * rng.uniform(0.3, 3, (40, 1))


def _mixed(rng, values):
    first, second = rng.integers(len(values), size=(2, 40))
    share = rng.random((40, 1))
    return values[first] * share + values[second] * (1 - share)


@pytest.mark.parametrize("make", [_copied, _jittered, _scaled, _mixed])
@pytest.mark.parametrize("p", [15, 1500])
def test_duplicated_rows_are_named(rng, make, p):
    frame, endpoint = binary(rng, n=100, p=p)
    values = np.exp(frame.to_numpy())
    made = pd.DataFrame(np.vstack([values, make(rng, values)]), columns=frame.columns)
    made.index = strange_names(rng, len(made))
    outcome = np.concatenate([endpoint.outcome, endpoint.outcome[:40]])
    assert "duplicated_rows" in alarms(lint_data(made, Endpoint("y", outcome, made.index)))


def test_equal_rows_of_few_coarse_values_are_chance(rng):
    frame = pd.DataFrame(rng.integers(0, 3, (300, 5)), columns=list("abcde")).assign(age=rng.integers(40, 80, 300))
    endpoint = Endpoint("y", rng.random(300) < 0.5, frame.index)
    assert frame.duplicated().any()
    assert not lint_data(frame, endpoint)
    doubled = pd.concat([frame, frame.iloc[:60]], ignore_index=True)
    outcome = np.concatenate([endpoint.outcome, endpoint.outcome[:60]])
    assert alarms(lint_data(doubled, Endpoint("y", outcome, doubled.index))) == {"duplicated_rows"}


def test_intrinsic_dimension_of_a_plane_in_many_columns(rng):
    matrix = rng.uniform(size=(2000, 2)) @ rng.normal(size=(2, 50))
    distance = np.sort(np.sqrt(((matrix[:400, None] - matrix[None]) ** 2).sum(axis=2)), axis=1)[:, 1:33]
    assert leak_rows._dimension(distance) == pytest.approx(2, abs=0.15)


# -- prepared on all patients -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [20, 100, 250])
def test_columns_selected_from_noise_are_named(rng, k):
    frame, endpoint = noise(rng)
    assert "fitted_outside" in alarms(lint_data(frame[best_columns(frame, endpoint, k)], endpoint))
    assert not lint_data(frame.iloc[:, :k], endpoint)


def test_the_best_columns_of_a_larger_table_are_named(rng):
    frame, endpoint = noise(rng)
    assert alarms(lint_data(frame[best_columns(frame, endpoint, 6)], endpoint, pool=frame)) == {"fitted_outside"}
    assert not lint_data(frame.iloc[:, :6], endpoint, pool=frame)


def test_means_of_the_class_in_the_gaps_are_named(rng):
    frame, endpoint = binary(rng)
    gaps = rng.random(N) < 0.3
    by_class, by_all = frame["x5"].copy(), frame["x5"].copy()
    for side in (endpoint.outcome, ~endpoint.outcome):
        by_class[gaps & side] = frame["x5"][~gaps & side].mean()
    by_all[gaps] = frame["x5"][~gaps].mean()
    assert alarms(lint_data(frame.assign(x5=by_class), endpoint)) == {"fitted_outside"}
    (found,) = lint_data(frame.assign(x5=by_all), endpoint)
    assert (found.kind, found.level) == ("fitted_outside", "notice")


def test_columns_scaled_on_all_patients_get_a_notice(rng):
    frame, endpoint = binary(rng)
    (found,) = lint_data((frame - frame.mean()) / frame.std(), endpoint)
    assert (found.kind, found.level) == ("fitted_outside", "notice")
    assert "mean 0" in found.what


def test_harmonisation_with_the_outcome_is_named(rng):
    frame, _ = binary(rng, p=40)
    centre = rng.integers(0, 4, N)
    outcome = rng.random(N) < np.array([0.2, 0.5, 0.5, 0.8])[centre]
    values = frame.to_numpy() + rng.normal(size=(4, 40))[centre] + outcome[:, None] * rng.normal(size=40)
    design = np.column_stack([centre[:, None] == np.arange(4), outcome]).astype(float)
    effects = np.linalg.lstsq(design, values, rcond=None)[0]
    adjusted = frame * 0 + values - design[:, :4] @ effects[:4]
    places = pd.Series(centre, index=frame.index).map("H{}".format)
    endpoint = Endpoint("y", outcome, frame.index)
    found = [finding for finding in lint_data(adjusted, endpoint, centre=places) if "harmonised" in finding.what]
    assert [finding.level for finding in found] == ["alarm"]
    centred = frame * 0 + values - pd.DataFrame(values).groupby(centre).transform("mean").to_numpy()
    found = [finding for finding in lint_data(centred, endpoint, centre=places) if "harmonised" in finding.what]
    assert [finding.level for finding in found] == ["notice"]


# -- cut-points -------------------------------------------------------------------------------------------------------


def _log_rank(high, endpoint):
    return compare_survival(Surv.from_arrays(endpoint.event, endpoint.time), high)[0]


def _chi_squared(high, endpoint):
    table = np.histogram2d(high, endpoint.event, bins=2)[0]
    return chi2_contingency(table, correction=False)[0]


def _youden(high, endpoint):
    return abs(high[endpoint.event].mean() - high[~endpoint.event].mean())


@pytest.mark.parametrize(("criterion", "make"), [(_log_rank, survival), (_chi_squared, binary), (_youden, binary)])
def test_a_cut_where_the_outcome_is_best_separated_is_named(criterion, make):
    found = []
    for seed in range(6):
        frame, endpoint = make(np.random.default_rng(seed), n=120, effect=0.8)
        cut = max(np.sort(frame["x0"])[12:-12], key=lambda value: criterion((frame["x0"] > value).to_numpy(), endpoint))
        words = pd.DataFrame({"group": np.where(frame["x0"] > cut, "a: high", "b: low")})
        found += optimal_cut_points(words, endpoint, pool=frame[["x0"]].reset_index(drop=True))
    assert len(found) == 6
    assert sum(finding.level == "alarm" for finding in found) >= 4


def test_a_cut_chosen_without_the_outcome_is_not_named():
    named = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        frame, endpoint = binary(rng)
        cut = frame["x0"].quantile(rng.uniform(0.2, 0.8))
        named += optimal_cut_points(frame.assign(high=frame["x0"] > cut), endpoint)
    assert sum(finding.level == "alarm" for finding in named) <= 2


# -- centres ----------------------------------------------------------------------------------------------------------


def hospitals(rng, shift):
    frame, _ = noise(rng, 240, 20)
    place = rng.integers(0, 3, 240)
    outcome = rng.random(240) < np.array([0.2, 0.5, 0.8])[place]
    frame = frame + shift * rng.normal(size=(3, 20))[place]
    return frame, Endpoint("y", outcome, frame.index), pd.Series(place, frame.index).map("H{}".format)


def test_a_centre_that_stands_for_the_outcome_is_named(rng):
    frame, endpoint, centre = hospitals(rng, 1.0)
    assert alarms(lint_data(frame, endpoint, centre=centre)) == {"centre_as_proxy"}
    plain, endpoint, centre = hospitals(rng, 0.0)
    assert alarms(lint_data(plain.assign(Manufacturer=centre), endpoint)) == {"centre_as_proxy"}
    assert not alarms(lint_data(plain, endpoint, centre=centre))


def test_centres_that_differ_are_clean_when_the_outcome_is_told_within_them(rng):
    frame, _, centre = hospitals(rng, 0.5)
    outcome = 2.5 * rng.normal(size=240) + (centre == "H2") > 0
    endpoint = Endpoint("y", outcome.to_numpy(), frame.index)
    told = frame.assign(marker=outcome + rng.normal(0, 0.7, 240))
    assert not alarms(lint_data(told, endpoint, centre=centre))


def test_a_position_that_goes_with_the_outcome_is_named(rng):
    frame, endpoint = binary(rng)
    order = np.argsort(endpoint.outcome + rng.normal(0, 0.6, N))
    counted = frame.iloc[order].assign(row=np.arange(N))
    assert alarms(lint_data(counted, endpoint.take(order))) == {"centre_as_proxy"}


# -- estimators and procedures ----------------------------------------------------------------------------------------


class Remembers(ClassifierMixin, BaseEstimator):
    """Knows the outcomes of patients by their identifiers, and learns a little."""

    known: dict[str, float] = {}

    def fit(self, rows, outcome):
        self.classes_ = np.array([0, 1])
        self.model_ = LogisticRegression().fit(rows, outcome)
        return self

    def predict_proba(self, rows):
        told = np.array([type(self).known[name] for name in rows.index])
        share = 0.7 * self.model_.predict_proba(rows)[:, 1] + 0.3 * told
        return np.column_stack([1 - share, share])


class ByBatch(TransformerMixin, BaseEstimator):
    """Scales whatever it is given by itself."""

    def fit(self, rows, outcome=None):
        self.n_ = len(rows)
        return self

    def transform(self, rows):
        return (rows - rows.mean()) / (rows.std(ddof=0) + 1e-9)


def logistic() -> LogisticRegression:
    return LogisticRegression(max_iter=1000)


@pytest.mark.parametrize("estimator", [
    make_pipeline(StandardScaler(), logistic()),
    make_pipeline(SelectKBest(k=5), logistic()),
    RandomForestClassifier(30),
    make_pipeline(FunctionTransformer(np.tanh), logistic()),
    GridSearchCV(LogisticRegression(max_iter=200), {"C": np.logspace(-2, -1, 20)}, cv=2),
])
def test_an_honest_estimator_is_clean(rng, estimator):
    frame, endpoint = binary(rng, p=30)
    assert not lint_estimator(estimator, frame, endpoint)


def test_honest_estimators_of_other_outcomes_are_clean(rng):
    assert not lint_estimator(CoxPHSurvivalAnalysis(alpha=1), *survival(rng))
    frame, codes = load_iris(return_X_y=True, as_frame=True)
    endpoint = Endpoint("y", codes.to_numpy(), frame.index, classes=("a", "b", "c"))
    assert not lint_estimator(make_pipeline(StandardScaler(), logistic()), frame, endpoint)


def test_what_an_estimator_brings_along_is_named(rng):
    frame, endpoint = binary(rng, p=30)
    outcome = endpoint.outcome
    fitted = SelectKBest(k=5).fit(frame, outcome)
    model = logistic().fit(frame, outcome)
    for estimator in (
            make_pipeline(StandardScaler().fit(frame), logistic()),
            make_pipeline(FrozenEstimator(fitted), logistic()),
            make_pipeline(SelectFromModel(model, prefit=True), logistic()),
            make_pipeline(FunctionTransformer(fitted.transform), logistic()),
            make_pipeline(FunctionTransformer(partial(lambda part, rows: part.transform(rows), fitted)), logistic()),
            make_pipeline(FunctionTransformer(lambda rows, middle: rows - middle, kw_args={"middle": frame.mean()}),
                          logistic()),
            FrozenEstimator(model), model):
        assert alarms(lint_estimator(estimator, frame, endpoint)) == {"fitted_outside"}


def test_columns_chosen_before_are_named_in_any_wrapping(rng):
    frame, endpoint = noise(rng, p=200)
    columns = best_columns(frame, endpoint, 8)
    for estimator in (make_pipeline(FunctionTransformer(lambda rows: rows[columns]), logistic()),
                      make_pipeline(FunctionTransformer(pd.DataFrame.filter, kw_args={"items": columns}), logistic())):
        assert alarms(lint_estimator(estimator, frame, endpoint)) == {"fitted_outside"}
    some = list(frame.columns[:8])
    honest = make_pipeline(FunctionTransformer(lambda rows: rows[some]), logistic())
    assert not lint_estimator(honest, frame, endpoint)


def test_memory_and_a_look_at_other_patients_are_named(rng):
    frame, endpoint = binary(rng)
    Remembers.known = dict(zip(frame.index, endpoint.outcome.astype(float), strict=True))
    assert any("still tells the true ones" in finding.what for finding in lint_estimator(Remembers(), frame, endpoint))
    batch = lint_estimator(make_pipeline(ByBatch(), logistic()), frame, endpoint)
    assert ["with the other patients" in finding.what for finding in batch] == [True]


def test_a_threshold_that_is_the_best_cut_is_named(rng):
    frame, endpoint = binary(rng, p=2)
    cut = max(np.sort(frame["x0"])[16:-16], key=lambda value: _chi_squared((frame["x0"] > value).to_numpy(), endpoint))
    estimator = make_pipeline(Binarizer(threshold=float(cut)), logistic())
    assert alarms(lint_estimator(estimator, frame, endpoint)) == {"optimal_cut_point"}


def test_an_estimator_that_cannot_be_fitted_gets_a_notice(rng):
    frame, endpoint = binary(rng)
    (found,) = lint_estimator(logistic(), frame.assign(words="a"), endpoint)
    assert (found.level, "ValueError" in found.what) == ("notice", True)


def test_a_procedure_that_selects_outside_is_named(rng):
    frame, endpoint = noise(rng, n=80, p=300)

    def outside(rows, truth):
        return cross_val_score(logistic(), rows[best_columns(rows, truth, 10)], truth.outcome, scoring="roc_auc").mean()

    def inside(rows, truth):
        return cross_val_predict(make_pipeline(SelectKBest(k=10), logistic()), rows, truth.outcome,
                                 method="decision_function")

    assert alarms(lint_procedure(outside, frame, endpoint)) == {"fitted_outside"}
    assert not lint_procedure(inside, frame, endpoint)


# -- what is clean ----------------------------------------------------------------------------------------------------


def test_real_tables_of_packages_raise_no_alarm():
    for load in (load_breast_cancer, load_wine, load_iris, load_diabetes):
        table = load(as_frame=True)
        target, rows = table.target.to_numpy(), table.data.index
        if load is load_breast_cancer:
            endpoint = Endpoint("y", target == 0, rows)
        elif load is load_diabetes:
            endpoint = Endpoint("y", target.astype(float), rows)
        else:
            endpoint = Endpoint("y", target, rows, classes=tuple(map(str, table.target_names)))
        assert not alarms(lint_data(table.data, endpoint))
    frame, target = load_gbsg2()
    endpoint = Endpoint("os", target["cens"].astype(bool), frame.index, target["time"].astype(float))
    assert not lint_data(frame.astype(dict.fromkeys(frame.select_dtypes("category"), object)), endpoint)


@pytest.mark.parametrize("n", [1, 2, 5, 19, 30])
def test_few_patients_raise_nothing(rng, n):
    frame, endpoint = binary(rng, n=n)
    assert not lint_data(frame, endpoint)


def test_degenerate_columns_raise_nothing(rng):
    frame, endpoint = binary(rng)
    odd = frame.assign(constant=1.0, empty=np.nan, infinite=np.inf, none=None, words="same")
    assert not lint_data(odd, endpoint)
    one_class = Endpoint("y", np.ones(N, dtype=bool), frame.index)
    assert not lint_data(odd, one_class)
    assert not lint_data(frame.iloc[:, :0], endpoint)


def test_rows_and_outcomes_must_match(rng):
    frame, endpoint = binary(rng)
    with pytest.raises(ValueError, match="159 rows"):
        lint_data(frame.iloc[1:], endpoint)


def test_findings_are_sentences_that_can_be_compared(rng):
    frame, endpoint = binary(rng)
    first, second = (lint_data(frame.assign(copy=endpoint.outcome.astype(float)), endpoint) for _ in range(2))
    assert first == second
    for finding in first:
        assert isinstance(finding, Finding)
        assert finding.kind in KINDS
        assert finding.what.endswith(".")
        assert not any(name in finding.what for name in frame.index)


# -- formulas ---------------------------------------------------------------------------------------------------------


def test_aucs_are_those_of_scikit_learn(rng):
    values, positive = np.round(rng.normal(size=(80, 7)), 1), rng.random(80) < 0.4
    expected = [roc_auc_score(positive, column) for column in values.T]
    np.testing.assert_allclose(aucs(values, positive), expected, rtol=0, atol=1e-12)


def test_martingale_residuals_use_the_nelson_aalen_hazard(rng):
    _, endpoint = survival(rng)
    times, hazard = nelson_aalen_estimator(endpoint.event, endpoint.time)
    expected = endpoint.event - hazard[np.searchsorted(times, endpoint.time)]
    np.testing.assert_allclose(hazard_residuals(endpoint), expected, rtol=0, atol=1e-12)
    assert hazard_residuals(endpoint).sum() == pytest.approx(0, abs=1e-9)


def test_association_is_the_correlation_and_the_chi_squared_of_classes(rng):
    frame, endpoint = binary(rng)
    expected = abs(pearsonr(frame["x0"], endpoint.outcome)[0]) * np.sqrt(N - 1)
    assert association(frame.to_numpy(), target_numbers(endpoint))[0] == pytest.approx(expected, abs=1e-12)
    codes = rng.integers(0, 3, N)
    values = frame.to_numpy()[:, 0]
    overall = values.var() * N
    within = sum(values[codes == code].var() * (codes == code).sum() for code in range(3))
    wanted = norm.isf(chi2.sf((N - 1) * (1 - within / overall), 2) / 2)
    classes = Endpoint("y", codes, frame.index, classes=("a", "b", "c"))
    assert association(values[:, None], target_numbers(classes))[0] == pytest.approx(wanted, abs=1e-9)


def test_concordance_of_pairs_is_that_of_scikit_survival(rng):
    frame, endpoint = survival(rng, n=70)
    value, _ = pair_concordance(frame.to_numpy(), endpoint.time + rng.uniform(0, 1e-3, 70), endpoint.event)
    expected = concordance_index_censored(endpoint.event, endpoint.time, frame["x0"])[0]
    assert value[0] == pytest.approx(expected, abs=0.01)


def test_log_rank_of_every_cut_is_that_of_scikit_survival(rng):
    frame, endpoint = survival(rng, n=60)
    rounded = Endpoint("os", endpoint.event, endpoint.patients, np.ceil(endpoint.time / 100))
    order = np.argsort(frame["x0"].to_numpy())
    ends = np.arange(5, 55)
    statistics = leak_cut_point._log_rank(rounded.take(order), ends) ** 2
    ordered = rounded.take(order)
    expected = [compare_survival(Surv.from_arrays(ordered.event, ordered.time), np.arange(60) < end)[0] for end in ends]
    np.testing.assert_allclose(statistics, expected, rtol=1e-9)


def test_f_of_centres_is_that_of_scipy(rng):
    values, codes = rng.normal(size=(90, 1)), rng.integers(0, 3, 90)
    design = (codes[:, None] == np.arange(3)).astype(float)
    expected = f_oneway(*(values[codes == code, 0] for code in range(3)))[0]
    assert leak_fitted._median_f(standardised(values), np.ones((90, 1)), design) == pytest.approx(expected, rel=1e-9)


def test_rows_that_lack_most_values_are_no_mixtures_of_others():
    rng = np.random.default_rng(11)
    index = pd.Index([f"P{i:03d}" for i in range(120)])
    frame = pd.DataFrame(rng.normal(size=(120, 14)), index=index, columns=[f"x{i}" for i in range(14)])
    frame.iloc[100:, 1:] = np.nan  # on a line, once they are filled with means
    endpoint = Endpoint("y", rng.random(120) < 0.4, index)
    assert not [finding for finding in lint_data(frame, endpoint) if finding.kind == "duplicated_rows"]

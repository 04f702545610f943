"""Learners: the values that scikit-learn and scikit-survival give at the same penalty, and the choice they state."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import fold_numbers
from medomicslab_nb.models.learners import LEARNERS, linear
from medomicslab_nb.models.learners.linear import (
    ELASTIC_NET,
    LASSO,
    PLAIN,
    RIDGE,
    is_linear,
    linear_coefficients,
    linear_intercept,
    penalties,
    scale_coefficients,
)
from medomicslab_nb.models.learners.problem import (
    InnerFold,
    Problem,
    SearchOptions,
    best_candidate,
    raw_score,
    refuse_kind,
    target,
)
from medomicslab_nb.models.learners.trees import FOREST
from tests.models.conftest import outcome_of

PLAIN_KINDS = ("binary", "multiclass", "continuous", "survival", "truncated")
SHAPES = {"tall": (90, 7), "wide": (50, 140)}
WEAK = 12  # a position on the path where the penalty is small


def matrix_of(shape: str, seed: int = 0) -> np.ndarray:
    """Standardised columns, as the preparation gives them, of which neighbours are correlated."""
    n, p = SHAPES[shape]
    values = np.random.default_rng(seed).normal(size=(n, p))
    values[:, 1:] += 0.6 * values[:, :-1]
    return (values - values.mean(axis=0)) / values.std(axis=0)


def example(kind: str, shape: str = "tall") -> tuple[np.ndarray, Endpoint]:
    matrix = matrix_of(shape)
    return matrix, outcome_of(matrix[:, 0] - 0.7 * matrix[:, 3], kind)


def problem(kind: str, shape: str = "tall", folds: int = 4, **options) -> Problem:
    matrix, endpoint = example(kind, shape)
    numbers = fold_numbers(endpoint.strata, folds, 0)
    inner = [InnerFold(np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold), matrix[numbers != fold],
                       matrix[numbers == fold]) for fold in range(folds)]
    return Problem(endpoint, matrix, inner, SearchOptions(**options))


def ridge_by_others(kind: str, matrix: np.ndarray, endpoint: Endpoint, strength: float) -> np.ndarray:
    """Linear predictor of the training rows, by other code on the original columns."""
    n = len(matrix)
    if kind == "binary":
        return LogisticRegression(C=1 / (strength * n), tol=1e-10, max_iter=10_000, solver="newton-cg").fit(
            matrix, endpoint.event).decision_function(matrix)
    if kind == "multiclass":
        return _softmax_regression(matrix, endpoint, strength)
    if kind == "continuous":
        return Ridge(alpha=strength * n).fit(matrix, endpoint.outcome).predict(matrix)
    if kind == "survival":
        return CoxPHSurvivalAnalysis(alpha=strength * n, ties="breslow").fit(matrix, target(endpoint)).predict(matrix)
    model = PHReg(endpoint.time, matrix, status=endpoint.event.astype(float), entry=endpoint.entry, ties="breslow")
    found = minimize(lambda b: -model.loglike(b) + strength * n / 2 * b @ b, np.zeros(matrix.shape[1]),
                     jac=lambda b: -model.score(b) + strength * n * b, method="L-BFGS-B",
                     options={"gtol": 1e-9, "ftol": 1e-14, "maxiter": 5000}).x
    return matrix @ found


def _softmax_regression(matrix, endpoint, strength):
    classes, p = len(endpoint.classes), matrix.shape[1]

    def loss(flat):
        weights, offset = flat[:classes * p].reshape(classes, p), flat[classes * p:]
        logs = log_softmax(matrix @ weights.T + offset, axis=1)
        wrong = np.exp(logs) - np.eye(classes)[endpoint.outcome]
        value = -logs[np.arange(len(matrix)), endpoint.outcome].mean() + strength / 2 * (weights**2).sum()
        slopes = wrong.T @ matrix / len(matrix) + strength * weights
        return value, np.concatenate([slopes.ravel(), wrong.mean(axis=0)])

    found = minimize(loss, np.zeros(classes * (p + 1)), jac=True, method="L-BFGS-B",
                     options={"gtol": 1e-9, "ftol": 1e-15, "maxiter": 20_000}).x
    return matrix @ found[:classes * p].reshape(classes, p).T + found[classes * p:]


def without_level(scores: np.ndarray) -> np.ndarray:
    return scores - scores.mean(axis=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", PLAIN_KINDS)
def test_ridge_path_is_that_of_other_code_on_the_original_columns(kind, shape):
    matrix, endpoint = example(kind, shape)
    path = RIDGE.path(endpoint, matrix, matrix, SearchOptions())
    assert path.shape[:2] == (len(matrix), len(linear.PENALTIES))
    for position in (0, 4, WEAK):
        expected = ridge_by_others(kind, matrix, endpoint, penalties(matrix)[position])
        ours, theirs = without_level(path[:, position]), without_level(expected)
        assert np.abs(ours - theirs).max() < 0.02 * theirs.std()
        if kind in ("binary", "continuous"):
            assert path[:, position].mean() == pytest.approx(expected.mean(), abs=0.005 * expected.std())


@pytest.mark.parametrize("shape", SHAPES)
# With times of entry lasso is refused: see test_entry_times_are_refused_where_they_would_be_ignored.
@pytest.mark.parametrize(("learner", "kind"), [(learner, kind) for learner in (RIDGE, LASSO) for kind in PLAIN_KINDS
                                               if (learner, kind) != (LASSO, "truncated")])
def test_path_holds_the_single_fits_and_coefficients_reproduce_scores(learner, kind, shape):
    matrix, endpoint = example(kind, shape)
    test = matrix_of(shape, seed=1)
    path = learner.path(endpoint, matrix, test, SearchOptions())
    for position in (0, WEAK):
        model = learner.fit(endpoint, matrix, position, SearchOptions())
        single = raw_score(model, test)
        tolerance = 0.01 if learner is RIDGE else 0.02
        assert without_level(path[:, position]) == pytest.approx(without_level(single),
                                                                 abs=tolerance * max(single.std(), 1e-3))
        assert is_linear(model) and model.n_features_in_ == matrix.shape[1]
        by_hand = test @ linear_coefficients(model).T + linear_intercept(model)
        assert by_hand == pytest.approx(single, abs=1e-9)


def test_coefficients_of_a_scaled_model_are_those_of_the_columns():
    scale = np.random.default_rng(3).uniform(0.1, 5, SHAPES["tall"][1])
    for kind in PLAIN_KINDS:
        matrix, endpoint = example(kind)
        matrix = matrix + 2.0  # not centred: an intercept must follow, too
        for learner in (RIDGE, LASSO) if kind != "truncated" else (RIDGE,):
            model = learner.fit(endpoint, matrix * scale, WEAK, SearchOptions())
            before = raw_score(model, matrix * scale)
            scale_coefficients(model, scale)
            assert raw_score(model, matrix) == pytest.approx(before, abs=1e-9)
            assert matrix @ linear_coefficients(model).T + linear_intercept(model) == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("learner", [LASSO, ELASTIC_NET], ids=lambda learner: learner.name)
def test_lasso_and_elastic_net_are_those_of_other_code(learner, shape):
    for kind in ("binary", "continuous", "survival"):
        matrix, endpoint = example(kind, shape)
        strengths = learner.strengths(endpoint, matrix)
        assert strengths[-1] == pytest.approx(strengths[0] / 100)
        path = learner.path(endpoint, matrix, matrix, SearchOptions())
        for position in (4, 8):
            ours, theirs = path[:, position], _sparse_by_others(kind, matrix, endpoint, strengths[position],
                                                                learner.l1_share)
            # 300 passes are enough for a choice, and end before the last digits.
            assert np.corrcoef(ours, theirs)[0, 1] > 0.99
            assert ours.std() == pytest.approx(theirs.std(), rel=0.1)


def _sparse_by_others(kind, matrix, endpoint, strength, share):
    if kind == "continuous":
        return ElasticNet(alpha=strength, l1_ratio=share, tol=1e-10, max_iter=100_000).fit(
            matrix, endpoint.outcome).predict(matrix)
    if kind == "survival":
        return CoxnetSurvivalAnalysis(alphas=[strength], l1_ratio=share, tol=1e-10, max_iter=1_000_000).fit(
            matrix, target(endpoint)).predict(matrix)
    return LogisticRegression(C=1 / (strength * len(matrix)), l1_ratio=share, solver="saga", tol=1e-7,
                              max_iter=100_000, random_state=1).fit(matrix, endpoint.event).decision_function(matrix)


@pytest.mark.parametrize("shape", SHAPES)
def test_largest_penalty_of_cox_is_that_of_scikit_survival(shape):
    matrix, endpoint = example("survival", shape)
    endpoint = replace(endpoint, time=np.ceil(endpoint.time * 8))  # with ties
    for learner in (LASSO, ELASTIC_NET):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weak penalties do not converge with more columns than patients
            expected = CoxnetSurvivalAnalysis(n_alphas=3, l1_ratio=learner.l1_share).fit(
                matrix, target(endpoint)).alphas_[0]
        assert learner.strengths(endpoint, matrix)[0] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival"])
@pytest.mark.parametrize("learner", [LASSO, ELASTIC_NET], ids=lambda learner: learner.name)
def test_strongest_sparse_penalty_selects_nothing_and_the_next_something(learner, kind):
    matrix, endpoint = example(kind)
    first = linear_coefficients(learner.fit(endpoint, matrix, 0, SearchOptions()))
    third = linear_coefficients(learner.fit(endpoint, matrix, 2, SearchOptions()))
    assert np.abs(first).max() < 1e-3 * np.abs(third).max()


def test_plain_is_that_of_statsmodels_and_scikit_learn():
    matrix, endpoint = example("binary")
    found = PLAIN.tune(problem("binary")).estimator
    expected = sm.Logit(endpoint.event.astype(float), sm.add_constant(matrix)).fit(disp=0).params
    assert linear_coefficients(found) == pytest.approx(expected[1:], abs=1e-3)
    assert linear_intercept(found) == pytest.approx(expected[0], abs=1e-3)
    matrix, endpoint = example("continuous")
    found = PLAIN.tune(problem("continuous")).estimator
    assert raw_score(found, matrix) == pytest.approx(LinearRegression().fit(matrix, endpoint.outcome).predict(matrix))
    for kind in ("survival", "truncated"):
        matrix, endpoint = example(kind)
        found = linear_coefficients(PLAIN.tune(problem(kind)).estimator)
        model = PHReg(endpoint.time, matrix, status=endpoint.event.astype(float), entry=endpoint.entry, ties="efron")
        assert found == pytest.approx(model.fit().params, abs=1e-4)


def test_plain_with_strata_is_that_of_statsmodels():
    matrix, endpoint = example("survival")
    strata = np.random.default_rng(0).choice(["x", "y"], len(matrix))
    given = problem("survival")
    found = PLAIN.tune(Problem(given.endpoint, given.matrix, given.inner, given.options, strata)).estimator
    expected = PHReg(endpoint.time, matrix, status=endpoint.event.astype(float), strata=strata, ties="efron").fit()
    assert found.coef_ == pytest.approx(expected.params, abs=1e-4)
    assert linear_coefficients(PLAIN.tune(given).estimator) != pytest.approx(expected.params, abs=1e-3)


@pytest.mark.parametrize("kind", PLAIN_KINDS)
def test_plain_with_more_columns_than_patients_or_a_copied_column_is_finite_or_said(kind):
    for matrix in (matrix_of("wide"), np.repeat(matrix_of("tall")[:, :2], 2, axis=1)):
        endpoint = outcome_of(matrix[:, 0], kind)
        inner = [InnerFold(np.arange(0, len(matrix), 2), np.arange(1, len(matrix), 2), matrix[::2], matrix[1::2])]
        try:
            tuned = PLAIN.tune(Problem(endpoint, matrix, inner))
        except DataError as error:
            assert "predictors" in str(error) or "columns" in str(error)
        else:
            assert np.isfinite(tuned.unseen).all()
            assert np.isfinite(raw_score(tuned.estimator, matrix)).all()


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_the_penalty_is_the_one_of_highest_held_out_likelihood(kind):
    given = problem(kind)
    tuned = RIDGE.tune(given)
    values = []
    for fold in given.inner:
        outcome, scores = given.endpoint.take(fold.test), RIDGE.path(
            given.endpoint.take(fold.train), fold.train_matrix, fold.test_matrix, given.options)
        if kind == "binary":
            values.append([-np.mean(np.log1p(np.exp(np.where(outcome.event, -score, score)))) for score in scores.T])
        else:
            values.append([_partial_likelihood(outcome, score) for score in scores.T])
    best = int(np.argmax(np.mean(values, axis=0)))
    assert tuned.chosen == f"penalty {penalties(given.matrix)[best]:.3g}"
    assert raw_score(tuned.estimator, given.matrix) == pytest.approx(
        raw_score(RIDGE.fit(given.endpoint, given.matrix, best, given.options), given.matrix), abs=0)
    for fold in given.inner:
        alone = RIDGE.fit(given.endpoint.take(fold.train), fold.train_matrix, best, given.options)
        assert without_level(tuned.unseen[fold.test]) == pytest.approx(
            without_level(raw_score(alone, fold.test_matrix)), abs=2e-3)


def _partial_likelihood(endpoint, score):
    terms = [score[i] - np.log(np.exp(score[endpoint.time >= endpoint.time[i]]).sum())
             for i in np.flatnonzero(endpoint.event)]
    return np.mean(terms)


def test_best_candidate_leaves_out_folds_without_a_value():
    nan = np.nan
    assert best_candidate([np.array([1.0, 2, nan]), np.array([nan, 0, nan])]) == 0
    assert best_candidate([np.array([1.0, 3, nan]), np.array([nan, 0, nan])]) == 1
    assert best_candidate([np.array([nan, nan])]) == 0


def test_forest_is_scikit_learns_and_scores_training_patients_out_of_bag(few_trees):
    given = problem("binary")
    tuned = FOREST.tune(given)
    expected = RandomForestClassifier(40, min_samples_leaf=3, oob_score=True, random_state=0).fit(
        given.matrix, given.endpoint.event)
    assert np.array_equal(tuned.unseen, expected.oob_decision_function_[:, 1])
    assert np.array_equal(raw_score(tuned.estimator, given.matrix), expected.predict_proba(given.matrix)[:, 1])
    # Out of bag, not in the sample: the forest knows its own patients nearly by heart.
    assert roc_auc_score(given.endpoint.event, tuned.unseen) < roc_auc_score(
        given.endpoint.event, raw_score(tuned.estimator, given.matrix)) - 0.05


@pytest.mark.parametrize("kind", ["multiclass", "continuous", "survival"])
def test_out_of_bag_scores_are_those_of_the_trees_that_did_not_see_the_patient(kind, few_trees):
    given = problem(kind)
    tuned = FOREST.tune(given)
    forest, n = tuned.estimator, len(given.matrix)
    total, count = np.zeros(tuned.unseen.shape), np.zeros(n)
    for tree in forest.estimators_:
        drawn = np.random.RandomState(tree.random_state).randint(0, n, n)
        rows = np.setdiff1d(np.arange(n), drawn)
        values = tree.predict_proba(given.matrix[rows]) if kind == "multiclass" else tree.predict(given.matrix[rows])
        total[rows] += values
        count[rows] += 1
    assert tuned.unseen == pytest.approx(total / (count if total.ndim == 1 else count[:, None]), rel=1e-6)
    if kind == "survival":
        slow = RandomSurvivalForest(40, min_samples_leaf=3, max_features=2, random_state=0).fit(
            given.matrix, target(given.endpoint))
        assert raw_score(forest, given.matrix) == pytest.approx(slow.predict(given.matrix))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival"])
def test_support_vectors_choose_the_candidate_with_the_best_held_out_discrimination(kind):
    from medomicslab_nb.evaluation.metrics import discrimination

    learner, given = LEARNERS["svm"], problem(kind, folds=3)
    tuned = learner.tune(given)
    values, scores = {}, {}
    for strength in learner.grid["C"]:
        found, unseen = [], np.zeros_like(tuned.unseen)
        for fold in given.inner:
            model = clone(learner.build(given.endpoint, {"C": strength}, given.options)).fit(
                fold.train_matrix, target(given.endpoint.take(fold.train)))
            unseen[fold.test] = raw_score(model, fold.test_matrix)
            found.append(discrimination(given.endpoint.take(fold.test), unseen[fold.test]))
        values[strength], scores[strength] = np.mean(found), unseen
    best = max(values, key=lambda strength: values[strength])
    assert tuned.chosen == f"C {best}"
    assert tuned.unseen == pytest.approx(scores[best])


@pytest.mark.parametrize("name", ["boosting", "lightgbm", "xgboost"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival"])
def test_boosting_finds_the_signal_and_scores_higher_for_more(name, kind, monkeypatch):
    if name != "boosting":
        pytest.importorskip(name)
    learner, given = LEARNERS[name], problem(kind, folds=2)
    if kind not in learner.kinds:
        with pytest.raises(DataError, match=f"'{name}' cannot predict a {kind} outcome"):
            refuse_kind(learner, given.endpoint)
        return
    monkeypatch.setitem(learner.grid, "trees", (30,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of libraries about names of columns
        tuned = learner.tune(given)
        again = learner.tune(given)
        score = raw_score(tuned.estimator, given.matrix)
    assert np.array_equal(tuned.unseen, again.unseen)
    truth = given.matrix[:, 0] - 0.7 * given.matrix[:, 3]
    assert np.corrcoef(score[:, 2] - score[:, 0] if kind == "multiclass" else score, truth)[0, 1] > 0.6
    assert tuned.unseen.shape == score.shape


def test_a_search_tries_no_more_candidates_than_were_asked_for(monkeypatch):
    learner, tried = LEARNERS["svm"], []
    judge = type(learner).judge
    monkeypatch.setattr(type(learner), "judge", lambda self, *args: tried.append(args[2]) or judge(self, *args))
    learner.tune(problem("binary", trials=3))
    assert len(tried) == 3


def test_balanced_weights_are_those_of_scikit_learn():
    matrix = matrix_of("tall")
    endpoint = Endpoint("y", matrix[:, 0] > np.quantile(matrix[:, 0], 0.8), outcome_of(matrix[:, 0], "binary").patients)
    options = SearchOptions(balanced=True)
    found = RIDGE.fit(endpoint, matrix, 8, options)
    expected = LogisticRegression(C=1 / (penalties(matrix)[8] * len(matrix)), class_weight="balanced", tol=1e-9,
                                  max_iter=10_000).fit(matrix, endpoint.event)
    assert raw_score(found, matrix) == pytest.approx(expected.decision_function(matrix), abs=5e-3)
    assert linear_intercept(found) > linear_intercept(RIDGE.fit(endpoint, matrix, 8, SearchOptions()))
    assert LEARNERS["svm"].build(endpoint, {"C": 1.0}, options).class_weight == "balanced"
    assert LEARNERS["boosting"].build(endpoint, {"trees": 10, "learning_rate": 0.1, "depth": 2},
                                      options).class_weight == "balanced"


def test_scores_of_support_vectors_and_boosting_point_the_right_way():
    matrix, endpoint = example("binary")
    model = LEARNERS["svm"].build(endpoint, {"C": 1.0}, SearchOptions()).fit(matrix, target(endpoint))
    assert isinstance(model, SVC)
    assert roc_auc_score(endpoint.event, raw_score(model, matrix)) > 0.8


@pytest.mark.parametrize("name", ["forest", "lasso", "elastic net", "boosting", "svm", "lightgbm", "xgboost"])
def test_entry_times_are_refused_where_they_would_be_ignored(name):
    with pytest.raises(DataError, match="cannot"):
        refuse_kind(LEARNERS[name], example("truncated")[1])
    for able in (RIDGE, PLAIN):
        refuse_kind(able, example("truncated")[1])


def test_cox_path_that_breaks_down_is_cut_and_filled():
    # A predictor that orders the times perfectly has no finite coefficient without a penalty.
    time = np.arange(1.0, 41)
    endpoint = Endpoint("os", np.ones(40, bool), outcome_of(time, "binary").patients, time)
    matrix = np.column_stack([-time * 1e3, np.random.default_rng(0).normal(size=40)])
    path = RIDGE.path(endpoint, matrix, matrix, SearchOptions())
    assert path.shape == (40, len(linear.PENALTIES))
    assert np.isfinite(path).all()


@pytest.mark.parametrize("kind", PLAIN_KINDS)
def test_a_single_column_of_zeros_gives_everybody_the_same_score(kind):
    matrix = np.zeros((60, 1))
    endpoint = outcome_of(np.random.default_rng(0).normal(size=60), kind)
    inner = [InnerFold(np.arange(0, 60, 2), np.arange(1, 60, 2), matrix[::2], matrix[1::2])]
    learners = [RIDGE, PLAIN] if kind == "truncated" else [RIDGE, LASSO, PLAIN, FOREST, LEARNERS["svm"]]
    for learner in learners:
        score = raw_score(learner.tune(Problem(endpoint, matrix, inner)).estimator, matrix)
        assert np.ptp(score, axis=0) == pytest.approx(0.0, abs=1e-9)

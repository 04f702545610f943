"""SHAP values against their definition: the mean over all orders of what a column adds, by brute force."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC, SVR
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.svm import FastSurvivalSVM
from sksurv.util import Surv

from medomicslab_nb.errors import Cancelled, DataError
from medomicslab_nb.evaluation.cox import CoxRegression
from medomicslab_nb.models.learners.problem import raw_score
from medomicslab_nb.models.learners.searched import CoxBoosting
from medomicslab_nb.models.shap_values import (
    LINEAR,
    TREES,
    column_groups,
    exact_attribution,
    mixed_predictions,
    permutation_attribution,
)
from medomicslab_nb.progress import Event, Progress


def data(n: int = 80, p: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Centred columns of which the last is noise; a risk with an interaction, a class and a survival time."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, p))
    matrix -= matrix.mean(axis=0)
    risk = matrix[:, 0] + matrix[:, 1] * matrix[:, 0]
    time = np.ceil(rng.exponential(100 * np.exp(-risk)))
    return matrix, risk + rng.normal(size=n), risk + rng.logistic(size=n) > 0, time


def shapley(value, players: int) -> np.ndarray:
    """Shapley values of a game, ``value`` from a set of players to numbers, by the sum over all subsets."""
    total = 0
    rows = []
    for player in range(players):
        others = [other for other in range(players) if other != player]
        total = 0
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for subset in combinations(others, size):
                total = total + weight * (value({*subset, player}) - value(set(subset)))
        rows.append(total)
    return np.array(rows)


def path_dependent(tree, leaf: np.ndarray, row: np.ndarray, known: set[int], node: int = 0) -> float:
    """Expected value of a tree where only some columns are known: unknown ones follow the training weights."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left == -1:
        return float(leaf[node])
    column = tree.feature[node]
    if column in known:
        goes_left = np.float32(row[column]) <= tree.threshold[node]
        return path_dependent(tree, leaf, row, known, left if goes_left else right)
    weights = tree.weighted_n_node_samples
    return (weights[left] * path_dependent(tree, leaf, row, known, left)
            + weights[right] * path_dependent(tree, leaf, row, known, right)) / weights[node]


def attribution(estimator, matrix):
    return exact_attribution(estimator, lambda rows: raw_score(estimator, rows), matrix)


def ensembles():
    matrix, value, positive, time = data()
    outcome = Surv.from_arrays(positive, time)
    classifier = RandomForestClassifier(6, max_depth=4, random_state=0).fit(matrix, positive)
    regressor = RandomForestRegressor(6, max_depth=4, random_state=0).fit(matrix, value)
    forests = [RandomSurvivalForest(6, max_depth=4, low_memory=low, random_state=0).fit(matrix, outcome)
               for low in (True, False)]
    boosting = GradientBoostingSurvivalAnalysis(n_estimators=8, subsample=0.5, random_state=0).fit(matrix, outcome)
    mean = [(each.tree_, 1 / 6) for each in classifier.estimators_]
    yield "classifier", classifier, mean, lambda tree: tree.value[:, 0, 1] / tree.value[:, 0].sum(axis=1)
    yield "regressor", regressor, [(each.tree_, 1 / 6) for each in regressor.estimators_], lambda t: t.value[:, 0, 0]
    yield "survival", forests[0], [(each.tree_, 1 / 6) for each in forests[0].estimators_], lambda t: t.value[:, 0, 0]
    events = forests[1].is_event_time_
    yield ("survival with curves", forests[1], [(each.tree_, 1 / 6) for each in forests[1].estimators_],
           lambda t: t.value[:, events, 0].sum(axis=1))
    yield ("boosting", boosting, [(each.tree_, boosting.learning_rate) for each in boosting.estimators_[:, 0]],
           lambda t: t.value[:, 0, 0])


@pytest.mark.parametrize(("estimator", "trees", "leaf"), [pytest.param(*rest, id=name) for name, *rest in ensembles()])
def test_trees_have_the_shapley_values_of_the_path_dependent_game(estimator, trees, leaf):
    matrix, *_ = data()
    found = attribution(estimator, matrix)
    assert found is not None
    assert found.method == TREES
    assert not found.error.any()
    assert found.base + found.values.sum(axis=1) == pytest.approx(raw_score(estimator, matrix), abs=1e-5)
    for row in (0, 17, 42):
        def game(known, row=row):
            return sum(weight * path_dependent(tree, leaf(tree), matrix[row], known) for tree, weight in trees)

        assert found.values[row] == pytest.approx(shapley(game, 4), abs=1e-5)
        assert float(found.base) == pytest.approx(game(set()), abs=1e-5)


@pytest.mark.parametrize("make", [
    lambda m, value, positive, time: LogisticRegression().fit(m, positive),
    lambda m, value, positive, time: LinearRegression().fit(m, value),
    lambda m, value, positive, time: CoxnetSurvivalAnalysis(l1_ratio=0.1).fit(m, Surv.from_arrays(positive, time)),
    lambda m, value, positive, time: FastSurvivalSVM(random_state=0).fit(m, Surv.from_arrays(positive, time)),
    lambda m, value, positive, time: CoxRegression().fit(m, time, positive),
], ids=["logistic", "linear", "coxnet", "survival svm", "cox"])
def test_linear_models_have_the_shapley_values_of_the_game_with_means(make):
    matrix, value, positive, time = data()
    estimator = make(matrix, value, positive, time)
    found = attribution(estimator, matrix)
    assert found is not None
    assert found.method == LINEAR

    for row in (0, 33):
        def game(known, row=row):
            # A linear model's mean over patients is its value at the mean.
            mixed = np.where([column in known for column in range(4)], matrix[row], matrix)
            return raw_score(estimator, mixed).mean()

        assert found.values[row] == pytest.approx(shapley(game, 4), abs=1e-9)
        assert float(found.base) == pytest.approx(game(set()), abs=1e-9)


def classes(value: np.ndarray) -> np.ndarray:
    return np.digitize(value, np.quantile(value, [0.3, 0.7]))


@pytest.mark.parametrize("estimator", [
    LogisticRegression(), RandomForestClassifier(5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, early_stopping=False)], ids=["logistic", "forest", "boosting"])
def test_several_classes_have_values_for_each(estimator):
    matrix, value, *_ = data(150)
    estimator.fit(matrix, classes(value))
    found = attribution(estimator, matrix)
    assert found is not None
    assert found.values.shape == (150, 4, 3)
    assert found.base + found.values.sum(axis=1) == pytest.approx(raw_score(estimator, matrix), abs=1e-5)


@pytest.mark.parametrize("estimator", [
    HistGradientBoostingClassifier(max_iter=20, early_stopping=False),
    HistGradientBoostingRegressor(max_iter=20, early_stopping=False)], ids=["classifier", "regressor"])
def test_histogram_boosting_is_exact(estimator):
    matrix, value, positive, _ = data(150)
    estimator.fit(matrix, positive if isinstance(estimator, HistGradientBoostingClassifier) else value)
    found = attribution(estimator, matrix)
    assert found is not None
    assert found.base + found.values.sum(axis=1) == pytest.approx(raw_score(estimator, matrix), abs=1e-8)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "classes"])
def test_lightgbm_is_exact(kind):
    lightgbm = pytest.importorskip("lightgbm")
    matrix, value, positive, _ = data(150)
    make = lightgbm.LGBMRegressor if kind == "regressor" else lightgbm.LGBMClassifier
    outcome = {"regressor": value, "classifier": positive, "classes": classes(value)}[kind]
    estimator = make(n_estimators=10, n_jobs=1, verbose=-1).fit(matrix, outcome)
    margin = estimator.predict(matrix, raw_score=True)
    found = exact_attribution(estimator, lambda rows: estimator.predict(rows, raw_score=True), matrix)
    assert found is not None
    assert found.base + found.values.sum(axis=1) == pytest.approx(margin, abs=1e-8)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "classes", "survival"])
def test_xgboost_is_exact(kind):
    xgboost = pytest.importorskip("xgboost")
    matrix, value, positive, time = data(150)
    if kind == "survival":
        estimator = CoxBoosting({"n_estimators": 10, "n_jobs": 1}).fit(matrix, Surv.from_arrays(positive, time))
        margin = estimator.predict
    else:
        make = xgboost.XGBRegressor if kind == "regressor" else xgboost.XGBClassifier
        outcome = {"regressor": value, "classifier": positive, "classes": classes(value)}[kind]
        estimator = make(n_estimators=10, n_jobs=1).fit(matrix, outcome)

        def margin(rows):
            return estimator.predict(rows, output_margin=True)

    found = exact_attribution(estimator, margin, matrix)
    assert found is not None
    assert found.base + found.values.sum(axis=1) == pytest.approx(margin(matrix), abs=1e-5)


def test_other_estimators_have_no_exact_values():
    matrix, _, positive, _ = data()
    assert attribution(SVC().fit(matrix, positive), matrix) is None


def sampled(predict, matrix, background, groups, players, **options):
    return permutation_attribution(
        lambda present, row: mixed_predictions(predict, matrix, background[row], groups, present), players,
        len(matrix), len(background), **options)


def test_permutations_come_close_to_the_shapley_values_of_the_background():
    matrix, value, *_ = data(60)
    model = SVR().fit(matrix, value)
    rows, background = matrix[:8], matrix[20:36]
    found = sampled(model.predict, rows, background, np.arange(4), 4, permutations=512)
    assert found.base + found.values.sum(axis=1) == pytest.approx(model.predict(rows), abs=1e-10)
    for i, row in enumerate(rows):
        def game(known, row=row):
            mixed = np.where([column in known for column in range(4)], row, background)
            return model.predict(mixed).mean()

        expected = shapley(game, 4)
        assert np.all(np.abs(found.values[i] - expected) < 4 * found.error[i] + 1e-9)
        assert np.all(found.error[i] < 0.1)
    assert found.method == "512 permutations, antithetic"


def test_the_stated_error_is_that_of_repetitions():
    matrix, value, *_ = data(60)
    model = SVR().fit(matrix, value)
    draws = [sampled(model.predict, matrix[:3], matrix, np.arange(4), 4, permutations=16, seed=seed)
             for seed in range(60)]
    observed = np.std([draw.values for draw in draws], axis=0, ddof=1)
    stated = np.sqrt(np.mean([draw.error**2 for draw in draws], axis=0))
    assert np.median(observed / stated) == pytest.approx(1, abs=0.2)


def test_permutations_of_a_linear_function_are_exact_but_for_the_background():
    matrix, *_ = data()
    weights = np.array([1.0, -2.0, 0.5, 0.0])
    found = sampled(lambda rows: rows @ weights, matrix, matrix[:1], np.arange(4), 4)
    assert found.values == pytest.approx((matrix - matrix[0]) * weights, abs=1e-12)
    assert found.values[:, 3] == pytest.approx(0, abs=1e-12)  # a column that is not used
    assert found.error == pytest.approx(0, abs=1e-7)


def test_columns_of_one_player_enter_together():
    matrix, *_ = data()
    groups = column_groups(["a", "b", "b", "c"], ["a", "b", "c"])
    found = sampled(lambda rows: rows[:, 1] * rows[:, 2], matrix, matrix[:1], groups, 3)
    assert found.values[:, 1] == pytest.approx(matrix[:, 1] * matrix[:, 2] - matrix[0, 1] * matrix[0, 2], abs=1e-12)
    assert found.values[:, [0, 2]] == pytest.approx(0, abs=1e-12)


def test_several_outputs_add_up_each():
    matrix, value, *_ = data(60)
    model = SVR().fit(matrix, value)

    def predict(rows):
        return np.stack([model.predict(rows), np.exp(model.predict(rows))], axis=1)

    found = sampled(predict, matrix, matrix, np.arange(4), 4, permutations=8)
    assert found.values.shape == (60, 4, 2)
    assert found.base + found.values.sum(axis=1) == pytest.approx(predict(matrix), abs=1e-10)


def test_large_work_takes_fewer_permutations(monkeypatch):
    monkeypatch.setattr("medomicslab_nb.models.shap_values.MOST_PREDICTIONS", 5_000)
    matrix, *_ = data(100)
    found = sampled(lambda rows: rows.sum(axis=1), matrix, matrix, np.arange(4), 4, permutations=1000)
    assert found.method == "10 permutations, antithetic"


def test_the_same_seed_gives_the_same_values():
    matrix, value, *_ = data(60)
    model = SVR().fit(matrix, value)
    first, second, third = (sampled(model.predict, matrix, matrix, np.arange(4), 4, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.values, second.values)
    assert not np.array_equal(first.values, third.values)


def test_progress_and_cancel():
    matrix, *_ = data()
    events: list[Event] = []
    sampled(lambda rows: rows[:, 0], matrix, matrix, np.arange(4), 4, permutations=8,
            progress=Progress([events.append]))
    assert [event.done for event in events] == [0, 1, 2, 3, 4, 4]
    with pytest.raises(Cancelled):
        sampled(lambda rows: rows[:, 0], matrix, matrix, np.arange(4), 4,
                progress=Progress([events.append], cancelled=lambda: len(events) > 9))


def test_without_a_background_there_is_an_error():
    matrix, *_ = data()
    with pytest.raises(DataError, match="no patient to compare with"):
        sampled(lambda rows: rows[:, 0], matrix, matrix[:0], np.arange(4), 4)

"""Boosted trees over sites: against XGBoost at one site, against all patients together, and what leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.special import expit, logit
from sklearn.metrics import r2_score, roc_auc_score
from sksurv.metrics import concordance_index_censored

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Question, Release, Task, only
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.settings import TreesSettings
from medomicslab_nb.federated.tasks.moments import quantile_edges
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared, standardise
from medomicslab_nb.federated.tasks.scoring import score as any_score
from medomicslab_nb.federated.tasks.tree_growth import bins_of
from medomicslab_nb.federated.tasks.trees import Trees, edge_matrix, fit_trees
from tests.federated.tasks.conftest import HEART, HEART_COLUMNS, at_site, drive

SITES = ("east", "north", "west")
COLUMNS = tuple("abcd")
PREPARATION = Preparation(COLUMNS, {}, mean=np.zeros(4), scale=np.ones(4))
EDGES = {name: np.linspace(-1.5, 1.5, 9) for name in COLUMNS}
Log = list[tuple[str, Question, Release]]


def some_sites(kind: str = "binary", seed: int = 0, size: int = 1) -> dict[str, SitePatients]:
    generator = np.random.default_rng(seed)
    sites = {}
    for number, site in enumerate(SITES):
        n = (80, 130, 60)[number] * size
        x = generator.normal((number - 1) * 0.7, 1.0, (n, 4))
        risk = 1.5 * (x[:, 0] > 0.4) - 1.5 * (x[:, 1] > 0) * (x[:, 2] > 0) + 0.5 * x[:, 3]
        outcome, time = {"binary": (generator.random(n) < expit(2 * risk), None),
                         "continuous": (10 + risk + generator.normal(scale=0.5, size=n), None),
                         "survival": (generator.random(n) < 0.7, 1 + 20 * generator.exponential(np.exp(-risk)))}[kind]
        sites[site] = at_site(pd.DataFrame(x, columns=list(COLUMNS)), outcome, time=time, testing=np.arange(n) % 3 == 0)
    return sites


def fitted(sites: Mapping[str, SitePatients], *, minimum: int = 1, log: Log | None = None, names: Any = SITES,
           **settings: Any) -> Trees:
    return drive(only(fit_trees(PREPARATION, EDGES, TreesSettings(**settings)), names), sites, minimum, log)


def matrix_of(patients: SitePatients, part: str, preparation: Preparation = PREPARATION) -> np.ndarray:
    return prepared(patients, {**preparation.values(), "part": part}, 1)


# What must be exact

@pytest.mark.parametrize(("kind", "objective"), [("binary", "binary:logistic"), ("continuous", "reg:squarederror")])
def test_one_site_is_xgboost_on_the_same_bins(kind: str, objective: str) -> None:
    sites = some_sites(kind, size=3)
    found = fitted(sites, names=("north",), rounds=25, depth=3, learning_rate=0.3)
    matrix = matrix_of(sites["north"], "training")
    bins = bins_of(matrix, edge_matrix(PREPARATION, EDGES)).astype(float)
    outcome = sites["north"].training_part.endpoint.outcome.astype(float)
    base = expit(found.base) if kind == "binary" else found.base
    theirs = xgboost.train({"objective": objective, "max_depth": 3, "eta": 0.3, "lambda": 1.0, "min_child_weight": 0,
                            "tree_method": "exact", "base_score": base, "nthread": 1},
                           xgboost.DMatrix(bins, outcome), 25).predict(xgboost.DMatrix(bins), output_margin=True)
    np.testing.assert_allclose(found.score(matrix), theirs, atol=2e-5)
    assert np.std(theirs) > 0.5


def test_the_score_to_start_from_is_the_mean_of_all() -> None:
    sites = some_sites("continuous")
    outcome = np.concatenate([sites[site].training_part.endpoint.outcome for site in SITES])
    assert fitted(sites, rounds=1).base == pytest.approx(outcome.mean(), rel=1e-12)


def test_leaves_are_newton_steps_over_all_patients() -> None:
    """Whoever grew a tree: with the splits given, each leaf is that of boosting on all patients together."""
    sites = some_sites()
    trees = fitted(sites, rounds=12, learning_rate=0.4)
    matrix = np.concatenate([matrix_of(sites[site], "training") for site in SITES])
    outcome = np.concatenate([sites[site].training_part.endpoint.outcome for site in SITES])
    bins, score = bins_of(matrix, trees.edges), np.full(len(matrix), trees.base)
    for column, split, step in zip(trees.column, trees.bin, trees.step, strict=True):
        second = np.where(bins[:, column[0]] > split[0], 2, 1)
        leaf = 2 * (second - 1) + (bins[np.arange(len(bins)), column[second]] > split[second])
        chance = expit(score)
        for number in range(4):
            rows = leaf == number
            expected = -0.4 * (chance - outcome)[rows].sum() / ((chance * (1 - chance))[rows].sum() + 1)
            assert step[number] == pytest.approx(expected, abs=1e-12)
        score += step[leaf]
    np.testing.assert_allclose(trees.score(matrix), score, atol=1e-12)


def test_the_tree_of_the_largest_gain_is_kept() -> None:
    log: Log = []
    trees = fitted(some_sites(), rounds=6, log=log)
    grown = [release.values for _, question, release in log if "depth" in question.values]
    for number, (column, split) in enumerate(zip(trees.column, trees.bin, strict=True)):
        best = max(grown[3 * number:3 * number + 3], key=lambda values: values["gain"])
        assert np.array_equal(best["column"], column) and np.array_equal(best["bin"], split)


def test_leaves_end_at_the_rates_of_all_patients() -> None:
    """After many rounds on one split the probabilities are those on either side, of all sites together."""
    sites = some_sites()
    edges = {**{name: np.array([]) for name in COLUMNS}, "a": np.array([0.4])}
    trees = drive(fit_trees(PREPARATION, edges, TreesSettings(rounds=300, depth=1)), sites)
    parts = [sites[site].training_part for site in SITES]
    high = np.concatenate([part.frame["a"] > 0.4 for part in parts])
    outcome = np.concatenate([part.endpoint.outcome for part in parts])
    for value, side in ((1.0, high), (0.0, ~high)):
        assert trees.score(np.full((1, 4), value))[0] == pytest.approx(logit(outcome[side].mean()), abs=1e-3)


def test_repeats_are_equal_to_the_byte() -> None:
    first, again = (fitted(some_sites(), rounds=5).values() for _ in range(2))
    assert all(np.asarray(first[name]).tobytes() == np.asarray(again[name]).tobytes() for name in first)


def test_categories_are_cut_between_no_and_yes() -> None:
    generator = np.random.default_rng(1)
    stage = generator.choice(["I", "II"], 80)
    patients = at_site(pd.DataFrame({"a": generator.normal(size=80), "stage": stage}), stage == "II")
    preparation = drive(standardise(Preparation(("a",), {"stage": ("I", "II")})), {"one": patients})
    trees = drive(fit_trees(preparation, {"a": np.array([0.0])}, TreesSettings(rounds=3, depth=1)), {"one": patients})
    assert set(trees.column.ravel()) == {1}
    assert roc_auc_score(stage == "II", trees.score(matrix_of(patients, "all", preparation))) == 1.0


# What must be learnt

def reached(trees: Trees, sites: Mapping[str, SitePatients]) -> float:
    """AUC, C-index or R2 in the patients who judge, C-index as the mean over sites."""
    parts = [sites[site].testing_part.endpoint for site in SITES]
    scores = [trees.score(matrix_of(sites[site], "testing")) for site in SITES]
    if parts[0].kind == "survival":
        return float(np.mean([concordance_index_censored(part.outcome, part.time, score)[0]
                              for part, score in zip(parts, scores, strict=True)]))
    outcome = np.concatenate([part.outcome for part in parts])
    measure = roc_auc_score if parts[0].kind == "binary" else r2_score
    return float(measure(outcome, np.concatenate(scores)))


@pytest.mark.parametrize("kind", ["binary", "continuous", "survival"])
def test_together_beats_the_mean_of_alone(kind: str) -> None:
    more = []
    for seed in range(6):
        sites = some_sites(kind, seed)
        together = fitted(sites, minimum=5)
        alone = [reached(fitted(sites, minimum=5, names=(site,)), sites) for site in SITES]
        more.append(reached(together, sites) - np.mean(alone))
        assert together.losses[-1] < together.losses[0] - 0.05
    assert np.mean(more) > 0.02


def test_permuted_outcomes_give_chance() -> None:
    found = []
    for seed in range(20):
        sites = some_sites(seed=seed)
        outcome = np.random.default_rng(seed).permutation(
            np.concatenate([sites[site].endpoint.outcome for site in SITES]))
        ends = np.cumsum([len(sites[site]) for site in SITES])[:-1]
        sites = {site: replace(sites[site], endpoint=replace(sites[site].endpoint, outcome=part))
                 for site, part in zip(SITES, np.split(outcome, ends), strict=True)}
        found.append(reached(fitted(sites, minimum=5, rounds=10), sites))
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(20) < 0.05


@pytest.mark.realdata
@pytest.mark.parametrize("seed", range(3))
def test_heart_together_is_no_worse_than_the_median_alone(heart: dict[str, SitePatients], seed: int) -> None:
    sites = {site: replace(heart[site], testing=np.random.default_rng([seed, number]).random(len(heart[site])) < 0.3)
             for number, site in enumerate(HEART)}

    def auc(names: tuple[str, ...]) -> float:
        preparation = drive(only(standardise(Preparation(HEART_COLUMNS, {}, ("chol", "trestbps"))), names), sites)
        edges = drive(only(quantile_edges(preparation, 16), names), sites, 5)
        trees = drive(only(fit_trees(preparation, edges, TreesSettings()), names), sites)
        scores = [trees.score(matrix_of(sites[site], "testing", preparation)) for site in HEART]
        return float(roc_auc_score(np.concatenate([sites[site].testing_part.endpoint.outcome for site in HEART]),
                                   np.concatenate(scores)))

    assert auc(HEART) >= np.median([auc((site,)) for site in HEART])


# What leaves

def test_every_leaf_that_leaves_holds_enough_patients() -> None:
    log: Log = []
    fitted(some_sites(), minimum=9, log=log, depth=4)
    assert len(log) == 3 * 41
    for _, question, release in log:
        assert min(release.cells) == release.patients >= 9
        if "candidate_column" in question.values:
            assert np.count_nonzero(release.values["hessian"]) == len(release.cells)


def test_splits_are_at_edges_that_all_share_and_no_value_leaves() -> None:
    log: Log = []
    trees = fitted(some_sites(), minimum=5, log=log)
    grown = [release.values for _, question, release in log if "depth" in question.values]
    for values in grown:
        assert set(values) == {"column", "bin", "gain", "loss", "n"}
        assert values["column"].dtype.kind == values["bin"].dtype.kind == "i"
        assert np.isin(values["bin"][values["column"] >= 0], range(9)).all()
    assert all(set(release.values) == {"gradient", "hessian"} for _, question, release in log
               if "candidate_column" in question.values)
    assert np.isin(trees.edges, np.append(EDGES["a"], np.inf)).all()


def test_a_site_that_is_too_small_to_split_gives_one_leaf() -> None:
    sites = some_sites()
    sites["west"] = sites["west"].where(np.arange(60) < 20)  # 13 of them in training
    log: Log = []
    fitted(sites, minimum=7, log=log, rounds=2)
    west = [(question, release) for site, question, release in log if site == "west"]
    assert all((release.values["column"] == -1).all() for question, release in west if "depth" in question.values)
    assert all(release.cells == (13,) for _, release in west)


def test_words_of_a_release() -> None:
    log: Log = []
    fitted(some_sites(), minimum=5, log=log, rounds=1, depth=1)
    start, grown, leaves = (log[3 * number][2].words for number in range(3))
    assert start == "sums of gradient and hessian in 1 leaf of a tree, over 53 patients, at least 53 in each"
    assert grown.startswith("columns and bins where a tree splits 53 patients into 2 leaves, at least ")
    assert leaves.startswith("sums of gradient and hessian in 2 leaves of a tree, over 53 patients, at least ")


def test_a_stored_model_scores_the_same() -> None:
    sites = some_sites()
    trees = fitted(sites, rounds=4)
    matrix = matrix_of(sites["east"], "all")
    assert np.array_equal(any_score(trees.values(), matrix), trees.score(matrix))


def test_several_classes_are_refused_at_the_site() -> None:
    patients = some_sites()["east"]
    classes = replace(patients.endpoint, outcome=np.arange(len(patients)) % 3, classes=("1", "2", "3"))
    task: Task = fit_trees(PREPARATION, EDGES, TreesSettings())
    with pytest.raises(DataError, match=r"site east.*two classes"):
        drive(task, {"east": replace(patients, endpoint=classes)})

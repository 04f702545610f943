"""Runs beside each other: every one is listed, and only those on the same patients and folds are tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from medomicslab_nb.inputs import TrackedStudy
from medomicslab_nb.models.compare_runs import compare_pairs, compare_runs
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.record import RunRecord
from medomicslab_nb.runner import _commit
from medomicslab_nb.stages import StageResult
from medomicslab_nb.study import create_study

N, FOLDS, REPEATS = 60, 5, 2


@pytest.fixture
def study(tmp_path):
    return create_study(tmp_path / "study")


def models_run(study, *, seed=0, effect=0.0, n=N, split=0, flip=0, replays=None, repeats=REPEATS, folds=FOLDS,
               **settings) -> RunRecord:
    """A completed run with made-up folds: ``effect`` on each fold's value, ``split`` the seed of the folds."""
    rng = np.random.default_rng(7)
    parsed = ModelsSettings.parse({"outcome": "relapse", **settings})
    record = RunRecord.create(study.path / "runs", "models", parsed.digest(study.path), {
        "settings": parsed.model_dump(mode="json"), "settings_version": 1, "replays": replays})
    patients = np.array([f"PAT{i:03d}" for i in range(n)])
    cut = np.random.default_rng(split)
    parts = [pd.DataFrame({"patient": patients, "blocks": "a", "learner": "x", "repeat": repeat,
                           "fold": cut.permutation(np.arange(n) % folds), "score": 0.0,
                           "observed": (np.arange(n) + flip) % 3 == 0}) for repeat in range(repeats)]
    noise = np.random.default_rng(seed + 100).normal(0, 0.01, repeats * folds)
    values = 0.7 + 0.1 * rng.normal(size=repeats * folds) + effect + noise
    rows = [{"blocks": "a", "learner": learner, "repeat": i // folds, "fold": i % folds, "metric": metric,
             "value": value + shift, "n_train": 48, "n_test": 12}
            for learner, shift in (("x", 0.0), ("y", -0.2)) for metric in ("auc", "brier")
            for i, value in enumerate(values)]
    result = StageResult({"predictions": pd.concat(parts), "folds": pd.DataFrame(rows)},
                         {"metric": "auc", "estimate": float(values.mean()), "lower": None, "upper": 0.9, "n": n,
                          "events": 20, "default": "x", "blocks": "a"})
    _commit(record, TrackedStudy(study.path), result, frozenset())
    return record


def test_every_completed_run_is_listed_with_what_it_differs_in(study):
    first = models_run(study)
    second = models_run(study, learner="ridge", jobs=2)
    third = models_run(study, replays=first.id)
    failed = RunRecord.create(study.path / "runs", "models", "d" * 64, {"settings": {}})
    failed.update(status="failed")
    table = compare_runs(study)
    assert list(table["run"]) == [first.id, second.id, third.id]
    assert list(table["settings"]) == ["learner=default", "learner=ridge", "learner=default"]
    assert list(table["replays"]) == ["", "", first.id]
    row = table.iloc[0]
    assert (row["outcome"], row["blocks"], row["learner"], row["n"], row["events"], row["metric"]) == (
        "relapse", "a", "x", 60, 20, "auc")
    assert np.isnan(row["lower"])
    assert row["upper"] == 0.9
    assert row["estimate"] == first.metrics["estimate"]
    assert row["stale"] == ""


def test_a_pair_on_the_same_folds_has_the_corrected_t_interval(study):
    one, other = models_run(study), models_run(study, seed=1, effect=0.05, learner="ridge")
    (row,) = compare_pairs(study).to_dict("records")
    assert (row["one"], row["other"], row["compared"], row["reason"]) == (one.id, other.id, True, "")
    assert row["settings"] == "learner: default / ridge"

    def of(record):
        folds = record.table("folds")
        return folds[(folds["learner"] == "x") & (folds["metric"] == "auc")].sort_values(["repeat", "fold"])["value"]

    difference = of(other).to_numpy() - of(one).to_numpy()
    error = np.sqrt((1 / 10 + 12 / 48) * difference.var(ddof=1))
    width = student.ppf(0.975, 9) * error
    assert row["difference"] == pytest.approx(difference.mean())
    assert (row["lower"], row["upper"]) == pytest.approx((difference.mean() - width, difference.mean() + width))
    assert row["p"] == pytest.approx(2 * student.sf(abs(difference.mean()) / error, 9))
    assert row["p_holm"] == row["p"] < 0.05
    assert row["n_folds"] == 10


def test_p_values_are_adjusted_over_the_pairs_and_replays_count_once(study):
    first = models_run(study)
    models_run(study, seed=1, effect=0.01, learner="ridge")
    models_run(study, seed=2, effect=0.005, learner="forest")
    models_run(study, replays=first.id)
    table = compare_pairs(study)
    assert len(table) == 3
    assert table["p_holm"].to_numpy() == pytest.approx(multipletests(table["p"], method="holm")[1])
    assert (table["p_holm"] >= table["p"]).all()


@pytest.mark.parametrize(("change", "reason"), [
    ({"n": 59}, "they were validated on different patients"),
    ({"split": 1}, "their patients were split into other folds"),
    ({"flip": 1}, "the outcome of some patients is not the same in both"),
    ({"repeats": 3}, "their patients were split into other folds"),
    ({"repeats": 1, "folds": 1, "validation": "external"}, "has a single test set"),
    ({"validation": "leave one centre out"}, "was not cross-validated"),
])
def test_runs_on_other_patients_or_folds_are_not_compared(study, change, reason):
    models_run(study)
    models_run(study, **change)
    (row,) = compare_pairs(study).to_dict("records")
    assert not row["compared"]
    assert reason in row["reason"]
    assert np.isnan([row["difference"], row["p"], row["p_holm"]]).all()


def test_runs_of_other_outcomes_and_runs_without_folds(study):
    models_run(study)
    models_run(study, outcome="death")
    assert compare_pairs(study).empty
    empty = models_run(study)
    (empty.path / "tables" / "folds.parquet").unlink()
    (row,) = compare_pairs(study).to_dict("records")
    assert row["reason"] == f"run {empty.id} published no folds"


def test_a_study_without_runs_gives_empty_tables(study):
    assert compare_runs(study).empty
    assert compare_pairs(study).empty
    assert "p_holm" in compare_pairs(study).columns

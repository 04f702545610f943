"""Cost of nested cross-validation: against scikit-learn's, of the full default, in repeats, and with 20,000 genes.

``ridge_ratio``: 300 nested fits of ridge on 351 x 600, same folds and candidates, to ``GridSearchCV`` inside
``cross_val_score`` (runs in turn, medians). ``default_s``: the full default (three blocks, ComBat, ablation) on
200 x 1,000 with two processes. ``repeats_ratio``: time of four repeats to that of two. ``omics_mb``: peak memory of
the largest process with 20,000 genes x 1,000 patients.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import fold_numbers, make_splits
from medomicslab_nb.models import fitting
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.fitting import FitOptions, Patients
from medomicslab_nb.models.learners.linear import Penalised
from medomicslab_nb.models.nested import cross_validation_cases, evaluate_fold
from medomicslab_nb.models.stage import block_sets
from medomicslab_nb.parallel import map_cases, require_all, single_thread
from medomicslab_nb.progress import Progress

_STRENGTHS = tuple(np.logspace(1, -2, 12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of the comparison with scikit-learn")
    parser.add_argument("--no-omics", action="store_true", help="leave out 20,000 genes x 1,000 patients")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {**ridge(options.runs), **full_default(), **({} if options.no_omics else omics())}
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")


def ridge(runs: int) -> dict[str, float]:
    """Ours and scikit-learn's: 5 outer x 5 inner folds x 12 penalties on 351 x 600."""
    patients = generated(351, {"radiomics": 600})
    times: dict[str, list[float]] = {"ours": [], "sklearn": []}
    for _ in range(runs):
        for name, function in (("ours", _ours), ("sklearn", _sklearn)):
            start = time.perf_counter()
            with single_thread():
                value = function(patients)
            times[name].append(time.perf_counter() - start)
            print(f"{name}: AUC {value:.4f} in {times[name][-1]:.2f} s")
    return {"ridge_ratio": round(float(np.median(times["ours"]) / np.median(times["sklearn"])), 3)}


def _ours(patients: Patients) -> float:
    learner = Penalised("ridge", 0.0, "", _STRENGTHS)
    fitting.LEARNERS["ridge"], before = learner, fitting.LEARNERS["ridge"]
    try:
        splits = make_splits(patients.endpoint, folds=5, repeats=1, seed=0)
        cases = cross_validation_cases(patients, splits, folds=5, repeats=1, sets={"all": ("radiomics",)},
                                       learners=["ridge"], options=FitOptions())
        folds = pd.concat([evaluate_fold(case)["folds"] for case in cases])
    finally:
        fitting.LEARNERS["ridge"] = before
    return float(folds.loc[folds["metric"] == "auc", "value"].mean())


def _sklearn(patients: Patients) -> float:
    """The same folds and penalties; scored by log loss inside, as ours."""
    x, y = patients.frame.to_numpy(), patients.endpoint.event
    splits = make_splits(patients.endpoint, folds=5, repeats=1, seed=0)
    outer = splits.set_index("patient")["fold"].reindex(patients.frame.index).to_numpy()
    values = []
    for fold in range(5):
        train, test = np.flatnonzero(outer != fold), np.flatnonzero(outer == fold)
        inner = PredefinedSplit(fold_numbers(patients.endpoint.take(train).strata, 5, 0))
        n = len(train) * 0.8
        grid = {"logisticregression__C": [1 / (strength * max(1.0, 600 / n) * n) for strength in _STRENGTHS]}
        search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)), grid, cv=inner,
                              scoring="neg_log_loss", n_jobs=1)
        values += list(cross_val_score(search, x, y, cv=[(train, test)], scoring="roc_auc", n_jobs=1))
    return float(np.mean(values))


def full_default() -> dict[str, float]:
    """200 x 1,000 in three blocks, with centres: every combination of blocks, both baselines, 5 x 2 and 5 x 4 folds."""
    patients = generated(200, {"clinical": 20, "radiomics": 380, "genes": 600}, centres=3)
    seconds = {}
    for repeats in (2, 4):
        start = time.perf_counter()
        _default(patients, repeats)
        seconds[repeats] = time.perf_counter() - start
    return {"default_s": round(seconds[2], 1), "repeats_ratio": round(seconds[4] / seconds[2], 2)}


def omics() -> dict[str, float]:
    """20,000 genes x 1,000 patients, one repeat."""
    patients = generated(1000, {"genes": 20_000})
    start = time.perf_counter()
    _default(patients, 1)
    seconds = time.perf_counter() - start
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"omics_s": round(seconds, 1), "omics_mb": round(peak / 1024)}


def _default(patients: Patients, repeats: int) -> float:
    splits = make_splits(patients.endpoint, folds=5, repeats=repeats, seed=0)
    options = FitOptions(harmonised=tuple(block for block in patients.blocks if block != "clinical"))
    cases = cross_validation_cases(patients, splits, folds=5, repeats=repeats,
                                   sets=block_sets(list(patients.blocks), subsets=True),
                                   learners=[DEFAULT, "ridge", "forest"], options=options)
    results = require_all(map_cases(evaluate_fold, {case.name: case for case in cases}, jobs=2, progress=Progress(),
                                    label="folds"), "folds")
    folds = pd.concat([tables["folds"] for tables in results.values()])
    return float(folds.loc[folds["metric"] == "auc", "value"].mean())


def generated(n: int, blocks: dict[str, int], *, centres: int = 0, seed: int = 0) -> Patients:
    """Correlated predictors by block, an outcome that depends on some, and centres that shift all but clinical."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 8))
    centre = np.array([f"C{i % max(centres, 1)}" for i in range(n)])
    frames = {}
    for block, width in blocks.items():
        values = factors @ rng.normal(size=(8, width)) / 2 + rng.normal(size=(n, width))
        if block != "clinical" and centres:
            values += rng.normal(size=(centres, width))[np.arange(n) % centres]
        frames[block] = pd.DataFrame(values, columns=[f"{block}{i}" for i in range(width)])
    index = pd.Index([f"P{i:04d}" for i in range(n)], name="patient")
    frame = pd.concat(frames.values(), axis=1).set_axis(index)
    event = factors[:, 0] + factors[:, 1] + rng.logistic(size=n) > 0
    companions = Companions(pd.Series(centre, index=index)) if centres else Companions()
    return Patients(frame, Endpoint("response", event, index),
                    {block: tuple(part.columns) for block, part in frames.items()}, (), companions)


if __name__ == "__main__":
    main()

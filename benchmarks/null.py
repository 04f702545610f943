"""Permutation null of the whole models pipeline: with labels permuted, cross-validated results must be chance.

The full default: three blocks and four centres, ComBat, imputation, univariate selection, the penalty and the weights
chosen by inner folds, stacking. Positive control: the same with features selected outside of the folds, which must look
like a result. Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_selection import f_classif

from medomicslab_nb.evaluation.endpoints import Endpoint, survival_endpoint
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.fitting import FitOptions
from medomicslab_nb.models.learners.problem import SearchOptions
from medomicslab_nb.models.nested import cross_validate
from medomicslab_nb.models.preparation_settings import PreparationSettings
from medomicslab_nb.parallel import map_cases, require_all
from medomicslab_nb.progress import PlainLines, Progress

_PATIENTS = 400
_BLOCKS = {"clinical": 8, "radiomics": 60, "genes": 120}
_CENTRES = 4
_MISSING = 0.1
_NOISE = 1000
_SELECTED = 20
_CONTROLS = 10


def main() -> None:
    options = _options()
    progress = Progress([PlainLines(every_s=30)])
    figures = transbig_null(options, progress) if options.transbig else generated_null(options, progress)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")
    if not figures["passed"]:
        raise SystemExit("the null or its positive control is not as it must be")


def generated_null(options: argparse.Namespace, progress: Progress) -> dict[str, float | int | bool]:
    """Mean AUC over permutations, its bound, and the positive control."""
    values = _scores(honest_auc, range(options.permutations), options, progress, "permutations")
    controls = _scores(leaking_auc, range(min(_CONTROLS, options.permutations)), options, progress,
                       "positive control")
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    bound = max(0.015, 3 * error)
    distance = abs(float(values.mean()) - 0.5)
    return {"patients": _PATIENTS, "permutations": len(values), "mean_auc": round(float(values.mean()), 4),
            "sd": round(float(values.std(ddof=1)), 4), "se": round(error, 4), "bound": round(bound, 4),
            "distance": round(distance, 4), "positive_control": round(float(controls.mean()), 4),
            "passed": bool(distance <= bound and controls.mean() > 0.6)}


def transbig_null(options: argparse.Namespace, progress: Progress) -> dict[str, float | int | bool]:
    """TRANSBIG's C-index within its distribution under permuted outcomes."""
    observed = float(_scores(transbig_c_index, [-1], options, progress, "observed")[0])
    values = _scores(transbig_c_index, range(options.permutations), options, progress, "permutations")
    p = (1 + int((values >= observed).sum())) / (1 + len(values))
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {"permutations": len(values), "c_index": round(observed, 4), "null_mean": round(float(values.mean()), 4),
            "null_sd": round(float(values.std(ddof=1)), 4), "null_q95": round(float(np.quantile(values, 0.95)), 4),
            "p": round(p, 4), "passed": bool(abs(values.mean() - 0.5) <= max(0.015, 3 * error))}


def honest_auc(permutation: int) -> dict[str, pd.DataFrame]:
    """The full default's AUC on generated patients whose labels were permuted."""
    frame, labels, centre = generated_patients()
    permuted = np.random.default_rng([1, permutation]).permutation(labels)
    blocks = {block: tuple(name for name in frame.columns if name.startswith(block)) for block in _BLOCKS}
    options = FitOptions(preparation=PreparationSettings(selection="univariate"), harmonised=("radiomics", "genes"),
                         search=SearchOptions(seed=permutation))
    return _cross_validated(Design(frame, blocks), _endpoint(permuted), permutation, options, Companions(centre))


def leaking_auc(permutation: int) -> dict[str, pd.DataFrame]:
    """The same with the best of many noise features selected on all patients, the test folds included."""
    rng = np.random.default_rng([2, permutation])
    labels = rng.permutation(generated_patients()[1])
    noise = rng.normal(size=(_PATIENTS, _NOISE))
    best = np.argsort(-f_classif(noise, labels)[0], kind="stable")[:_SELECTED]
    names = [f"noise{i}" for i in range(_SELECTED)]
    frame = pd.DataFrame(noise[:, best], columns=names, index=_index(_PATIENTS))
    return _cross_validated(_design(frame), _endpoint(labels), permutation)


def transbig_c_index(permutation: int) -> dict[str, pd.DataFrame]:
    """The default's C-index on TRANSBIG; -1 leaves the outcomes as they are."""
    from sksurv.datasets import load_breast_cancer

    predictors, outcome = load_breast_cancer()
    patients = pd.Index([f"P{i:03d}" for i in range(len(predictors))], name="patient")
    endpoint = survival_endpoint("dmfs", pd.Series(outcome["t.tdm"], patients, name="time"),
                                 pd.Series(outcome["e.tdm"], patients, name="event"), unit="days")
    if permutation >= 0:
        rows = np.random.default_rng([3, permutation]).permutation(len(patients))
        endpoint = replace(endpoint.take(rows), patients=endpoint.patients)
    categorical = ("er", "grade")
    frame = predictors.set_axis(patients).astype(dict.fromkeys(categorical, str))
    design = Design(frame, {"all": tuple(frame.columns)}, categorical)
    return _cross_validated(design, endpoint, max(permutation, 0))


def generated_patients() -> tuple[pd.DataFrame, np.ndarray, pd.Series]:
    """Correlated predictors of several centres, and an outcome that depends on both: once permuted, nothing does."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(_PATIENTS, 5))
    centre = np.arange(_PATIENTS) % _CENTRES
    parts = []
    for block, width in _BLOCKS.items():
        values = factors @ rng.normal(size=(5, width)) + rng.normal(size=(_PATIENTS, width))
        if block != "clinical":
            values = values * rng.uniform(0.5, 2, size=(_CENTRES, width))[centre] + rng.normal(size=(_CENTRES, width))[
                centre]
        values[rng.random(values.shape) < _MISSING] = np.nan
        parts.append(pd.DataFrame(values, columns=[f"{block}{i}" for i in range(width)]))
    index = _index(_PATIENTS)
    risk = 1 / (1 + np.exp(1 - factors[:, 0] - factors[:, 1] - 0.5 * (centre == 0)))
    return (pd.concat(parts, axis=1).set_axis(index), rng.random(_PATIENTS) < risk,
            pd.Series([f"centre {i}" for i in centre], index=index))


def _design(frame: pd.DataFrame) -> Design:
    return Design(frame, {"all": tuple(frame.columns)})


def _endpoint(labels: np.ndarray) -> Endpoint:
    return Endpoint("label", labels, _index(len(labels)))


def _index(n: int) -> pd.Index:
    return pd.Index([f"P{i:03d}" for i in range(n)], name="patient")


def _cross_validated(design: Design, endpoint: Endpoint, seed: int, options: FitOptions | None = None,
                     companions: Companions | None = None) -> dict[str, pd.DataFrame]:
    folds = cross_validate(design, endpoint, learners=(DEFAULT,), seed=seed, options=options,
                           companions=companions)["folds"]
    return {"value": pd.DataFrame({"value": [folds.loc[folds["metric"] == endpoint.metric, "value"].mean()]})}


def _scores(function: object, numbers: range | list[int], options: argparse.Namespace, progress: Progress,
            label: str) -> np.ndarray:
    results = require_all(map_cases(function, {str(i): i for i in numbers}, jobs=options.jobs, progress=progress,
                                    label=label), label)
    return np.array([tables["value"]["value"].iloc[0] for tables in results.values()])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--permutations", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=0, help="processes at once; 0: one per core")
    parser.add_argument("--transbig", action="store_true", help="null distribution of TRANSBIG's C-index, with p")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()

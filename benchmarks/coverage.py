"""Do the intervals hold what they say? Coverage of the AUC's on new patients and in cross-validation; a right slope.

External: binormal scores, the true AUC known. Cross-validation: a ridge on ten predictors of which five matter, its
true AUC on 20,000 other patients; five folds, two repeats (the default) and ten. Calibration: a right model, fitted on
2,000 patients and judged on 2,000 others.
Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from medomicslab_nb.evaluation.calibration import cox_slope, logistic_calibration
from medomicslab_nb.evaluation.delong import external_auc_interval
from medomicslab_nb.evaluation.intervals import bootstrap_auc, corrected_resampled_t
from medomicslab_nb.evaluation.metrics import auc
from medomicslab_nb.parallel import map_cases, require_all
from medomicslab_nb.progress import PlainLines, Progress

RANGE = (0.935, 0.965)
SLOPE_TOLERANCE = 0.02

_EXTERNAL = [(n, area) for n in (100, 200) for area in (0.75, 0.9)]
_PREVALENCE = 0.3
_CV_SIZES = (50, 100, 200)
_FOLDS = 5
_EFFECTS = np.array([0.8, -0.6, 0.5, -0.4, 0.3, 0, 0, 0, 0, 0])
_INTERCEPT = -0.5
_LARGE = 20_000
_SLOPE_PATIENTS = 2000
_BATCH = 20

Batch = tuple[int, int, int, Mapping[str, float]]
"""Number of the question, first repetition, repetitions, and what the question is asked for."""


def main() -> None:
    options = _options()
    progress = Progress([PlainLines(every_s=30)])
    figures = external_coverage(options, progress) | cv_coverage(options, progress) | slopes(options, progress)
    figures["passed"] = passed = bool(
        all(RANGE[0] <= value <= RANGE[1] for name, value in figures.items() if name.startswith("coverage_external_"))
        and abs(figures["calibration_slope"] - 1) <= SLOPE_TOLERANCE)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")
    if not passed:
        raise SystemExit("an interval does not cover as it must, or a right model's slope is not 1")


def external_coverage(options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    figures: dict[str, Any] = {"external_repetitions": options.repetitions}
    for number, (n, area) in enumerate(_EXTERNAL):
        hits = _repeat(external_hits, 1 + number, options.repetitions, {"n": n, "auc": area}, options, progress)
        label = f"{n}_auc{round(100 * area)}"
        figures[f"coverage_external_{label}"] = round(float(hits["hit"].mean()), 4)
        figures[f"coverage_percentile_bootstrap_{label}"] = round(float(hits["bootstrap"].mean()), 4)
    return figures


def cv_coverage(options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Corrected resampled t, for the true AUC of the model of all patients and for the mean over such models."""
    repetitions = options.cv_repetitions or max(options.repetitions // 4, 1)
    figures: dict[str, Any] = {"cv_repetitions": repetitions}
    for number, n in enumerate(_CV_SIZES):
        for repeats in (2, 10):
            found = _repeat(cv_hits, 10 + 10 * number + repeats, repetitions, {"n": n, "repeats": repeats}, options,
                            progress)
            label = f"{n}" if repeats == 2 else f"{n}_x10"
            mean = found["true"].mean()
            figures[f"coverage_cv_{label}"] = round(float(_covers(found, found["true"]).mean()), 4)
            figures[f"coverage_cv_of_mean_{label}"] = round(float(_covers(found, mean).mean()), 4)
            figures[f"cv_bias_{label}"] = round(float((found["estimate"] - found["true"]).mean()), 4)
            figures[f"cv_width_{label}"] = round(float((found["upper"] - found["lower"]).mean()), 4)
    return figures


def slopes(options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    repetitions = max(options.repetitions // 10, 2)
    found = _repeat(right_model, 100, repetitions, {}, options, progress)
    figures: dict[str, Any] = {"slope_repetitions": repetitions}
    for name in ("calibration_slope", "cox_slope"):
        figures[name] = round(float(found[name].mean()), 4)
        figures[f"{name}_se"] = round(float(found[name].std(ddof=1) / np.sqrt(repetitions)), 4)
    return figures


def external_hits(batch: Batch) -> dict[str, pd.DataFrame]:
    _, _, _, asked = batch
    n, area = int(asked["n"]), asked["auc"]
    distance = np.sqrt(2) * norm.ppf(area)

    def one(rng: np.random.Generator) -> dict[str, float]:
        observed = rng.random(n) < _PREVALENCE
        score = rng.normal(size=n) + distance * observed
        interval = external_auc_interval(observed, score)
        percentile = bootstrap_auc(observed, score, draws=400, seed=int(rng.integers(2**31)))
        return {"hit": interval.lower <= area <= interval.upper,
                "bootstrap": percentile.lower <= area <= percentile.upper}

    return _each(batch, one)


def cv_hits(batch: Batch) -> dict[str, pd.DataFrame]:
    _, _, _, asked = batch
    n, repeats = int(asked["n"]), int(asked["repeats"])

    def one(rng: np.random.Generator) -> dict[str, float]:
        predictors, observed = _patients(n, rng)
        while min(observed.sum(), (~observed).sum()) < _FOLDS:
            predictors, observed = _patients(n, rng)
        folds = RepeatedStratifiedKFold(n_splits=_FOLDS, n_repeats=repeats, random_state=int(rng.integers(2**31)))
        values = [auc(observed[test], _ridge(predictors[train], observed[train]).decision_function(predictors[test]))
                  for train, test in folds.split(predictors, observed)]
        interval = corrected_resampled_t(np.array(values), n_train=n * (1 - 1 / _FOLDS), n_test=n / _FOLDS,
                                         null=0.5, bounds=(0, 1))
        others, outcome = _patients(_LARGE, rng)
        true = auc(outcome, _ridge(predictors, observed).decision_function(others))
        return {"true": true, "estimate": interval.estimate, "lower": interval.lower, "upper": interval.upper}

    return _each(batch, one)


def right_model(batch: Batch) -> dict[str, pd.DataFrame]:
    """Slopes of logistic and Cox models of the three predictors that matter."""
    effects = np.array([0.8, -0.6, 0.4])

    def one(rng: np.random.Generator) -> dict[str, float]:
        x, new = rng.normal(size=(2, _SLOPE_PATIENTS, 3))
        y, new_y = (rng.random(_SLOPE_PATIENTS) < expit(_INTERCEPT + part @ effects) for part in (x, new))
        fitted = GLM(y.astype(float), np.column_stack([np.ones(len(x)), x]), Binomial()).fit().params
        slope = logistic_calibration(new_y, expit(fitted[0] + new @ fitted[1:])).slope.estimate
        (time, event), (new_time, new_event) = (_followed(part @ effects, rng) for part in (x, new))
        coefficients = CoxPHSurvivalAnalysis(ties="efron").fit(x, Surv.from_arrays(event, time)).coef_
        return {"calibration_slope": slope, "cox_slope": cox_slope(new_event, new_time, new @ coefficients).estimate}

    return _each(batch, one)


def _patients(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    predictors = rng.normal(size=(n, len(_EFFECTS)))
    return predictors, rng.random(n) < expit(_INTERCEPT + predictors @ _EFFECTS)


def _followed(predictor: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    time, censoring = rng.exponential(np.exp(-predictor)), rng.exponential(2, len(predictor))
    return np.minimum(time, censoring), time <= censoring


def _ridge(predictors: np.ndarray, observed: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=1.0).fit(predictors, observed)


def _covers(found: pd.DataFrame, true: Any) -> pd.Series:
    return (found["lower"] <= true) & (true <= found["upper"])


def _each(batch: Batch, one: Callable[[np.random.Generator], dict[str, float]]) -> dict[str, pd.DataFrame]:
    number, first, count, _ = batch
    return {"rows": pd.DataFrame([one(np.random.default_rng([number, first + k])) for k in range(count)])}


def _repeat(function: Callable[[Batch], dict[str, pd.DataFrame]], number: int, repetitions: int,
            asked: Mapping[str, float], options: argparse.Namespace, progress: Progress) -> pd.DataFrame:
    label = " ".join([function.__name__, *(f"{name} {value:g}" for name, value in asked.items())])
    batches = {str(first): (number, first, min(_BATCH, repetitions - first), asked)
               for first in range(0, repetitions, _BATCH)}
    results = require_all(map_cases(function, batches, jobs=options.jobs, progress=progress, label=label), label)
    return pd.concat([tables["rows"] for tables in results.values()], ignore_index=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000, help="of the external tests; slopes a tenth of it")
    parser.add_argument("--cv-repetitions", type=int, default=0, help="of each cross-validation; 0: a quarter")
    parser.add_argument("--jobs", type=int, default=0, help="processes at once; 0: one per core")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()

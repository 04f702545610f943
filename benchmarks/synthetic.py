"""Does the models stage find what is true in the synthetic cohort, and nothing in its zero-effect twin?

Recall: of the five true predictors, those among the ten features that the default's SHAP values rank highest, mean over
seeds. Twin: the default's cross-validated C-index where survival depends on nothing. Features are tables (no images):
clinical, 500 genes and 30 simulated image features. Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from medomicslab_nb.data.synthetic import ORACLE_C, draw_cohort
from medomicslab_nb.data.synthetic_omics import FEATURE_OF
from medomicslab_nb.data.synthetic_study import add_cohort
from medomicslab_nb.evaluation.endpoints import Endpoint, find_endpoint
from medomicslab_nb.models.blocks import Design, build_design
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.explain import FinalCase, fit_final
from medomicslab_nb.models.nested import cross_validate
from medomicslab_nb.parallel import map_cases, require_all
from medomicslab_nb.progress import PlainLines, Progress
from medomicslab_nb.study import create_study

_TOP = 10
_WANTED = 0.8


def main() -> None:
    options = _options()
    progress = Progress([PlainLines(every_s=30)])
    found = _per_seed(recall, options.patients, options, progress, "recall")
    twin = _per_seed(twin_c_index, options.twin_patients, options, progress, "zero-effect twin")
    print(found.drop(columns="top").to_string(index=False))
    figures = _figures(found, twin["c_index"].to_numpy(), options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")
    if not figures["passed"]:
        raise SystemExit("recall, oracle or zero-effect twin is not as it must be")


def _figures(found: pd.DataFrame, twin: np.ndarray, options: argparse.Namespace) -> dict[str, float | int | bool]:
    error = float(twin.std(ddof=1) / np.sqrt(len(twin)))
    mean, c = float(found["recall"].mean()), float(twin.mean())
    oracle = found["oracle_c"]
    passed = mean >= _WANTED and abs(c - 0.5) <= 3 * error and oracle.between(*ORACLE_C).all()
    shares = {f"found_{name}": round(float(found[name].le(_TOP).mean()), 4) for name in FEATURE_OF}
    return {"patients": options.patients, "twin_patients": options.twin_patients, "seeds": len(found),
            "features": int(found["features"].iloc[0]), "oracle_c": round(float(oracle.mean()), 4),
            "oracle_c_lowest": round(float(oracle.min()), 4), "oracle_c_highest": round(float(oracle.max()), 4),
            "recall_at_10": round(mean, 4), "recall_at_10_lowest": round(float(found["recall"].min()), 4), **shares,
            "twin_c_index": round(c, 4), "twin_se": round(error, 4), "passed": bool(passed)}


def recall(case: tuple[int, int]) -> dict[str, pd.DataFrame]:
    """Rank of each true predictor in the default fitted on all patients, and the share in the first ten."""
    patients, seed = case
    design, endpoint, oracle = _study(patients, seed, null=False)
    final = fit_final(FinalCase("all", design.frame, design.categorical, design.block_of, endpoint, DEFAULT,
                                inner_folds=5, seed=seed, horizon=None, explain=True))
    order = pd.Index(final["importance"]["feature"])
    ranks = {name: int(order.get_loc(feature)) + 1 for name, feature in FEATURE_OF.items()}
    row = {"seed": seed, "features": design.frame.shape[1], "oracle_c": oracle, **ranks,
           "recall": float(np.mean([rank <= _TOP for rank in ranks.values()])), "top": " ".join(order[:_TOP])}
    return {"value": pd.DataFrame([row])}


def twin_c_index(case: tuple[int, int]) -> dict[str, pd.DataFrame]:
    """Mean C-index of the default over five folds, where there is nothing to find."""
    patients, seed = case
    design, endpoint, _ = _study(patients, seed, null=True)
    folds = cross_validate(design, endpoint, learners=(DEFAULT,), folds=5, repeats=1, seed=seed)["folds"]
    return {"value": pd.DataFrame([{"seed": seed, "c_index": folds["value"].mean()}])}


def _study(patients: int, seed: int, *, null: bool) -> tuple[Design, Endpoint, float]:
    """Predictors and endpoint as the models stage finds them in a study, and the oracle's C."""
    cohort = draw_cohort(patients, seed=seed, null=null)
    with tempfile.TemporaryDirectory() as folder:
        study = create_study(Path(folder) / "study")
        add_cohort(study, cohort, images=False)
        endpoint = find_endpoint(study, "os")
        design = build_design(study, endpoint, blocks={}, predictors={})
    return design, endpoint.restrict(design.frame.index), cohort.oracle_c


def _per_seed(function: object, patients: int, options: argparse.Namespace, progress: Progress,
              label: str) -> pd.DataFrame:
    cases = {str(seed): (patients, seed) for seed in range(options.seeds)}
    results = require_all(map_cases(function, cases, jobs=options.jobs, progress=progress, label=label), label)
    return pd.concat([tables["value"] for tables in results.values()], ignore_index=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--twin-patients", type=int, default=200, help="fewer, because each is fitted five times")
    parser.add_argument("--jobs", type=int, default=0, help="processes at once; 0: one per core")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""The models stage: from the study's tables to a validated, explained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint, find_endpoint
from medomicslab_nb.evaluation.splits import check_cohort_folds, check_folds, study_splits
from medomicslab_nb.models import tables
from medomicslab_nb.models.blocks import Design, build_design, find_disguises, predictor_warnings
from medomicslab_nb.models.default import LEARNERS, default_horizon
from medomicslab_nb.models.explain import FinalCase, fit_final
from medomicslab_nb.models.nested import FoldCase, data_digest, evaluate_fold, fold_cases, gather
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.parallel import map_cases, require_all
from medomicslab_nb.stages import StageResult

MODEL_FILE = "default.skops"
METRIC_WORDS = {"auc": "AUC", "c_index": "C-index"}

_EVENTS_PER_PREDICTOR = 10
_FEW_EVENTS = 100


def run(study: Any, settings: ModelsSettings, progress: Any) -> StageResult:
    """Build, validate by repeated nested cross-validation, explain and keep a model.

    Raises
    ------
    DataError
        The endpoint, the predictors or the number of patients do not allow it.
    """
    complete = find_endpoint(study, settings.outcome, time=settings.time, positive=settings.positive)
    splits = study_splits(study, complete, folds=settings.folds, repeats=settings.repeats, seed=settings.seed)
    endpoint, notes = _in_cohort(study, complete, settings.cohort)
    design = build_design(study, endpoint, blocks=settings.blocks, predictors=settings.predictors)
    endpoint = endpoint.restrict(design.frame.index)
    check_folds(endpoint, settings.folds)
    check_cohort_folds(splits, endpoint, folds=settings.folds, repeats=settings.repeats)
    horizon = _horizon(endpoint, settings.horizon)
    disguises = find_disguises(design, endpoint)
    warnings = [*complete.notes, *notes, *design.notes, *predictor_warnings(design, disguises),
                *_small_sample(design, endpoint)]

    sets = block_sets(design, alone=settings.ablation)
    cases = [case for name, part in sets.items()
             for case in fold_cases(name, part, endpoint, splits, folds=settings.folds, repeats=settings.repeats,
                                    learners=_learners(settings), inner_folds=settings.inner_folds,
                                    seed=settings.seed, horizon=horizon)]
    results = _cross_validate(study, cases, settings, progress)
    finals = _final_models(sets, endpoint, settings, horizon, progress)
    result = _result(endpoint, sets, results, finals, settings, horizon, warnings)
    return replace(result, metrics={**result.metrics, "disguised": [disguise.column for disguise in disguises]})


def block_sets(design: Design, *, alone: bool) -> dict[str, Design]:
    """The sets of blocks to model: each alone (when asked for), then all together."""
    names = list(design.blocks)
    sets = {name: design.part([name]) for name in names} if alone else {}
    return {**sets, " + ".join(names): design.part(names)}


def _learners(settings: ModelsSettings) -> tuple[str, ...]:
    """Names of the learners in tables, the reported one first."""
    return tuple(dict.fromkeys([LEARNERS[settings.learner], *(LEARNERS.values() if settings.compare else ())]))


def _in_cohort(study: Any, endpoint: Endpoint, name: str) -> tuple[Endpoint, list[str]]:
    """The endpoint's patients that are in the cohort, and a note when that leaves some out."""
    if name == "all" or not (name or study.publishes("cohort")):
        return endpoint, []
    cohort = study.table(name) if name else study.published("cohort")
    members = cohort.index if cohort.index.name == study.id_column else pd.Index(cohort["patient"])
    kept = endpoint.restrict(members)
    if not len(kept):
        raise DataError("no patient of the cohort has the outcome", where=f"cohort {name or 'of the data run'}",
                        todo="Choose another cohort, or name the table of patients in the setting 'cohort'")
    left_out = len(endpoint) - len(kept)
    note = [f"{left_out} of {len(endpoint)} patients with an outcome are not in the cohort."] if left_out else []
    return kept, note


def _horizon(endpoint: Endpoint, wanted: float | None) -> float | None:
    if endpoint.time is None:
        return None
    if wanted is not None and wanted > endpoint.time.max():
        raise DataError(f"nobody is followed as long as the horizon ({wanted:g} {endpoint.unit})",
                        where=f"endpoint {endpoint.name}", todo="Choose an earlier horizon")
    return default_horizon(endpoint) if wanted is None else wanted


def _cross_validate(study: Any, cases: Sequence[FoldCase], settings: ModelsSettings,
                    progress: Any) -> dict[str, Any]:
    digests = {case.blocks: "" for case in cases}
    for case in cases:
        digests[case.blocks] = digests[case.blocks] or data_digest(case.frame, case.endpoint)
    results = map_cases(evaluate_fold, {case.name: case for case in cases}, cache=study.cache("models"),
                        keys={case.name: case.key(digests[case.blocks]) for case in cases}, jobs=settings.jobs,
                        progress=progress, label="nested cross-validation")
    return require_all(results, "nested cross-validation")


def _final_models(sets: dict[str, Design], endpoint: Endpoint, settings: ModelsSettings, horizon: float | None,
                  progress: Any) -> dict[str, Any]:
    cases = {name: FinalCase(name, part.frame, part.categorical,
                             part.block_of, endpoint, LEARNERS[settings.learner],
                             settings.inner_folds, settings.seed, horizon, settings.explain)
             for name, part in sets.items()}
    results = map_cases(fit_final, cases, cache=None, keys=None, jobs=settings.jobs, progress=progress,
                        label="final models")
    return require_all(results, "final models")


def _result(endpoint: Endpoint, sets: dict[str, Design], results: dict[str, Any], finals: dict[str, Any],
            settings: ModelsSettings, horizon: float | None, warnings: list[str]) -> StageResult:
    headline = LEARNERS[settings.learner]
    predictions, folds = gather(results, "predictions"), gather(results, "folds")
    main = {"predictions": predictions[predictions["learner"] == headline],
            "folds": folds[folds["learner"] == headline]}
    performance = tables.performance(predictions, folds, endpoint, headline=headline, seed=settings.seed,
                                     confidence=settings.confidence)
    reference = "clinical" if "clinical" in sets else next(iter(sets))
    ablation = tables.ablation(main["folds"], {name: part.frame.shape[1] for name, part in sets.items()}, reference,
                               settings.confidence)
    published = {"predictions": predictions, "performance": performance, "folds": folds,
                 "calibration": tables.calibration(predictions, endpoint, horizon, settings.confidence)}
    if endpoint.time is None:
        published["roc"] = tables.roc(predictions, endpoint, seed=settings.seed, confidence=settings.confidence)
    else:
        published["kaplan_meier"] = tables.kaplan_meier(main["predictions"], settings.confidence)
    if settings.explain:
        published |= {name: gather(finals, name) for name in ("importance", "shap")}
    if len(sets) > 1:
        published["ablation"] = ablation
        warnings = [*warnings, *_added_value(ablation, endpoint, settings.confidence)]
    best = list(sets)[-1]
    return StageResult(published, _headline(performance, endpoint, best, headline, horizon),
                       {MODEL_FILE: finals[best]["model"]["content"].iloc[0]}, tuple(warnings))


def _headline(performance: pd.DataFrame, endpoint: Endpoint, blocks: str, learner: str,
              horizon: float | None) -> dict[str, Any]:
    """The headline numbers: those of all blocks together, and each set of blocks beside them."""
    rows = performance[(performance["aggregation"] == tables.FOLD_MEAN) & (performance["metric"] == endpoint.metric)]
    own = rows[rows["learner"] == learner].set_index("blocks")
    main = own.loc[blocks]
    return {"metric": endpoint.metric, "estimate": float(main["estimate"]), "lower": _json(main["lower"]),
            "upper": _json(main["upper"]), "n": len(endpoint), "events": endpoint.events, "default": learner,
            "blocks": blocks, "by_blocks": {str(name): float(value) for name, value in own["estimate"].items()},
            "by_learner": {str(row.learner): float(row.estimate) for row in rows.itertuples()
                           if row.blocks == blocks},
            "horizon": horizon, "unit": endpoint.unit}


def _json(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _small_sample(design: Design, endpoint: Endpoint) -> list[str]:
    """What the size of the sample means, in words."""
    rare = min(endpoint.events, len(endpoint) - endpoint.events) if endpoint.time is None else endpoint.events
    predictors = design.frame.shape[1]
    warnings = []
    if rare < _EVENTS_PER_PREDICTOR * predictors:
        warnings.append(f"There are {rare / predictors:.1f} events per predictor ({rare} events, {predictors} "
                        f"predictors); below {_EVENTS_PER_PREDICTOR}, models change much from sample to sample.")
    if rare < _FEW_EVENTS:
        warnings.append(f"With {rare} events the estimates below are uncertain: read the intervals, not the "
                        "estimates alone, and validate on other patients before any use.")
    return warnings


def _added_value(ablation: pd.DataFrame, endpoint: Endpoint, confidence: float) -> list[str]:
    """One sentence for all blocks together: do they add anything to the reference?"""
    row = ablation.iloc[-1]
    added = " + ".join(part for part in row["blocks"].split(" + ") if part != row["reference"])
    if not np.isfinite(row["difference_lower"]):
        return []
    if row["difference_lower"] > 0:
        verdict = f"{added} improved the prediction"
    elif row["difference_upper"] < 0:
        verdict = f"{added} made the prediction worse"
    else:
        verdict = f"no evidence that {added} adds to {row['reference']}"
    return [f"Adding {added} to {row['reference']} changed the {METRIC_WORDS[endpoint.metric]} by "
            f"{row['difference']:+.3f} ({confidence:.0%} CI {row['difference_lower']:+.3f} to "
            f"{row['difference_upper']:+.3f}): {verdict}."]

"""Runs of a study side by side, and, where they were validated on the same folds, tested against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.evaluation.intervals import corrected_resampled_t
from medomicslab_nb.files import canonical_json, read_document
from medomicslab_nb.settings import Execution, marker
from medomicslab_nb.stages import get_stage

STAGE = "models"

_KEYS = ["repeat", "fold"]
_OUTCOME = ("observed", "time", "event", "entry", "cause")
# Settings that have a column of their own, or change no value of a fold.
_OWN_COLUMNS = ("outcome", "validation", "confidence", "reason", "explain")


def compare_runs(study: Any, stage: str = STAGE) -> pd.DataFrame:
    """Every completed run of the models stage, oldest first.

    Returns
    -------
    DataFrame
        run, when, outcome, validation, blocks, learner, n, events, metric, estimate, lower, upper (of the headline
        model), settings (those in which the runs differ, as ``name=value``), replays (the run that it repeats), stale
        (names of the inputs that changed since).
    """
    runs = _completed(study, stage)
    differing = _differing(runs, stage)
    rows = []
    for record in runs:
        settings, metrics = record.settings, record.metrics
        rows.append({
            "run": record.id, "when": record.finished, "outcome": settings.get("outcome", ""),
            "validation": settings.get("validation", "cross-validation"), "blocks": metrics.get("blocks", ""),
            "learner": metrics.get("default", ""), "n": metrics.get("n"), "events": metrics.get("events"),
            "metric": metrics.get("metric", ""), **{name: _number(metrics.get(name)) for name in
                                                    ("estimate", "lower", "upper")},
            "settings": _words(settings, differing), "replays": _replays(record), "stale": ", ".join(record.stale)})
    return pd.DataFrame(rows, columns=["run", "when", "outcome", "validation", "blocks", "learner", "n", "events",
                                       "metric", "estimate", "lower", "upper", "settings", "replays", "stale"])


def compare_pairs(study: Any, stage: str = STAGE, *, confidence: float = 0.95) -> pd.DataFrame:
    """Every pair of completed runs of one outcome: the paired difference of their headline models, fold by fold.

    Runs are compared only when outcome, patients and folds are the same: then each fold has a value of both, and the
    mean difference has the corrected resampled t interval (Nadeau and Bengio 2003; see
    :func:`~medomicslab_nb.evaluation.intervals.corrected_resampled_t`). p-values are two-sided, and adjusted by Holm's
    method over all pairs that could be compared. A run that was chosen because it came out best is not tested by this:
    that takes other patients.

    Returns
    -------
    DataFrame
        one, other, compared (bool), reason (why not), metric, difference (other - one), lower, upper, p, p_holm,
        n_folds, settings (in which the two differ). Replays are left out: they repeat a run.
    """
    runs = [record for record in _completed(study, stage) if not _replays(record)]
    read = {record.id: _validation(record) for record in runs}
    rows = [_pair(one, other, read[one.id], read[other.id], stage, confidence)
            for one, other in combinations(runs, 2)
            if one.settings.get("outcome") == other.settings.get("outcome")]
    table = pd.DataFrame(rows, columns=["one", "other", "compared", "reason", "metric", "difference", "lower", "upper",
                                        "p", "p_holm", "n_folds", "settings"])
    known = table["p"].notna()
    if known.any():
        table.loc[known, "p_holm"] = multipletests(table.loc[known, "p"].astype(float), method="holm")[1]
    return table


@dataclass(frozen=True)
class _Validation:
    """How a run's headline model did in each fold, and what it was tested on."""

    metric: str
    values: pd.DataFrame
    """Index repeat and fold; columns value, n_train, n_test."""
    patients: str
    folds: str
    outcome: str
    """Digests of the held-out patients, of the fold of each, and of their outcome."""


def _pair(one: Any, other: Any, first: _Validation | str, second: _Validation | str, stage: str,
          confidence: float) -> dict[str, Any]:
    row = {"one": one.id, "other": other.id, "compared": False, "reason": _why_not(first, second), "metric": "",
           "difference": np.nan, "lower": np.nan, "upper": np.nan, "p": np.nan, "p_holm": np.nan, "n_folds": 0,
           "settings": _against(one, other, stage)}
    if row["reason"] or isinstance(first, str) or isinstance(second, str):
        return row
    both = first.values.join(second.values["value"].rename("other"), how="inner")
    difference = (both["other"] - both["value"]).to_numpy(dtype=float)
    found = corrected_resampled_t(difference, n_train=float(both["n_train"].mean()),
                                  n_test=float(both["n_test"].mean()), confidence=confidence)
    return row | {"compared": True, "metric": first.metric, "difference": found.estimate, "lower": found.lower,
                  "upper": found.upper, "p": found.p, "n_folds": int(np.isfinite(difference).sum())}


def _why_not(first: _Validation | str, second: _Validation | str) -> str:
    """Why two runs cannot be compared, in words; empty when they can."""
    for found in (first, second):
        if isinstance(found, str):
            return found
    assert isinstance(first, _Validation)
    assert isinstance(second, _Validation)
    checks = ((first.metric == second.metric, "their measures are not the same"),
              (first.patients == second.patients, "they were validated on different patients"),
              (first.outcome == second.outcome, "the outcome of some patients is not the same in both"),
              (first.folds == second.folds, "their patients were split into other folds"))
    return next((reason for equal, reason in checks if not equal), "")


def _validation(record: Any) -> _Validation | str:
    """What a run published of its folds, or why that cannot be compared."""
    metrics = record.metrics
    try:
        folds, predictions = record.table("folds"), record.table("predictions")
        own = folds[(folds["blocks"] == metrics["blocks"]) & (folds["learner"] == metrics["default"])
                    & (folds["metric"] == metrics["metric"])]
        held = predictions[(predictions["blocks"] == metrics["blocks"])
                           & (predictions["learner"] == metrics["default"])]
        held = held.sort_values(["repeat", "patient"], kind="stable")
        values = own.set_index(_KEYS)[["value", "n_train", "n_test"]].sort_index()
    except (KeyError, MedomicsError):
        return f"run {record.id} published no folds"
    if len(values) < 2:
        return f"run {record.id} has a single test set: its patients, not folds, would have to be compared"
    if record.settings.get("validation", "cross-validation") != "cross-validation":
        return f"run {record.id} was not cross-validated"
    outcome = [column for column in _OUTCOME if column in held.columns]
    once = held.drop_duplicates("patient")
    return _Validation(str(metrics["metric"]), values, _digest(once["patient"]),
                       _digest(held[["patient", *_KEYS]].itertuples(index=False, name=None)),
                       _digest(once[outcome].itertuples(index=False, name=None)))


def _digest(rows: Iterable[Any]) -> str:
    return hashlib.sha256("\n".join(map(repr, rows)).encode()).hexdigest()


def _completed(study: Any, stage: str) -> list[Any]:
    return [record for record in study.runs if record.stage == stage and record.status == "completed"]


def _replays(record: Any) -> str:
    return str(read_document(record.path / "run.json", "run").get("replays") or "")


def _differing(runs: Sequence[Any], stage: str) -> list[str]:
    """Names of the settings in which runs differ, in the order of the form; how the work is done is no difference."""
    fields = get_stage(stage).settings_class().model_fields
    names = [name for name, field in fields.items() if not marker(field, Execution) and name not in _OWN_COLUMNS]
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    return [name for name in names
            if len({canonical_json(_value(record.settings, name, defaults)) for record in runs}) > 1]


def _value(settings: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> Any:
    """A setting of a run; of one that is older than the setting, its default."""
    if name in settings:
        return settings[name]
    default = defaults[name]
    return default.model_dump(mode="json") if hasattr(default, "model_dump") else default


def _words(settings: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name}={_plain(settings[name])}" for name in names if name in settings)


def _against(one: Any, other: Any, stage: str) -> str:
    """The settings in which two runs differ, with both values."""
    first, second = one.settings, other.settings
    return ", ".join(f"{name}: {_plain(first.get(name, ''))} / {_plain(second.get(name, ''))}"
                     for name in _differing([one, other], stage))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)

"""Performance in subgroups of patients and in each centre, with small cells hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.delong import EXTERNAL_AUC, external_auc_interval
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import Interval, bootstrap_discrimination
from medomicslab_nb.protect import SMALLEST_CELL

UNKNOWN = "unknown"
"""Name of the group of the patients whose group is missing."""

COLUMNS = ["group", "n", "events", "metric", "estimate", "lower", "upper", "interval", "note"]

_SMALL = f"hidden: fewer than {SMALLEST_CELL} patients"
_SMALL_CLASS = f"hidden: fewer than {SMALLEST_CELL} patients with, or without, the event"
_SMALL_CATEGORY = f"hidden: fewer than {SMALLEST_CELL} patients of some class"
_BY_DIFFERENCE = "hidden: otherwise a smaller group could be computed by difference"


def subgroup_performance(endpoint: Endpoint, scores: np.ndarray, groups: pd.Series, *, draws: int = 1000,
                         seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """Discrimination in each group of patients.

    Counts of 1 to 4 patients, of one class too, are hidden with all that could tell them: the performance of such a
    group and, as totals are known elsewhere, as many other groups (smallest first) as it takes for the hidden ones to
    be two or more with at least five patients of each class together. This protects one table; two overlapping
    groupings of few patients can still be played against each other.

    Parameters
    ----------
    endpoint : Endpoint
    scores : ndarray, shape (n,) or (n, repeats); multi-class (n, classes) or (n, classes, repeats)
        Of held-out patients, in the endpoint's order.
    groups : Series, index = patient
        Centre, sex, ...; patients without one are the group ``unknown``. For a number, pass intervals (``pd.cut``).

    Returns
    -------
    DataFrame
        One row per group, sorted by name: group, n and events (missing where hidden; of a multi-class or continuous
        outcome events are missing throughout), metric, estimate, lower, upper, interval (method), note (why something
        is missing, or empty).

    Raises
    ------
    DataError
        ``groups`` repeats a patient.
    """
    if not groups.index.is_unique:
        raise DataError(f"{int(groups.index.duplicated().sum())} rows repeat a patient, so the group is not clear",
                        where=f"grouping '{groups.name}'", todo="Keep it in a table with one row per patient")
    names = groups.reindex(endpoint.patients)
    labels = np.array([UNKNOWN if missing else str(value) for value, missing in zip(names, names.isna(), strict=True)])
    members = {name: np.flatnonzero(labels == name) for name in sorted(set(labels))}
    sizes = np.array([len(rows) for rows in members.values()])
    hidden_n = _hidden(sizes[:, None], forced=np.zeros(len(sizes), dtype=bool))
    classes = np.array([_class_counts(endpoint, rows) for rows in members.values()]).reshape(len(sizes), -1)
    hidden = _hidden(classes, forced=hidden_n)
    rows = []
    for k, (name, rows_in) in enumerate(members.items()):
        note = _why(endpoint, sizes[k], classes[k]) if hidden[k] else ""
        rows.append(_row(endpoint, scores, rows_in, name, note, bool(hidden_n[k]), draws, seed, confidence))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64", "events": "Int64"})


def _row(endpoint: Endpoint, scores: np.ndarray, rows: np.ndarray, name: str, note: str, hide_n: bool, draws: int,
         seed: int, confidence: float) -> dict[str, object]:
    part = endpoint.take(rows)
    found, method = Interval(float("nan"), float("nan"), float("nan")), ""
    if not note:
        found, method = _performance(part, scores[rows], draws, seed, confidence)
        note = "" if np.isfinite(found.estimate) else "not defined: too few classes or comparable pairs"
    counted = part.kind in ("binary", "survival")
    hide_events = note.startswith("hidden") or not counted
    return {"group": name, "n": pd.NA if hide_n else len(part), "events": pd.NA if hide_events else part.events,
            "metric": part.metric, "estimate": found.estimate, "lower": found.lower, "upper": found.upper,
            "interval": method, "note": note}


def _performance(endpoint: Endpoint, scores: np.ndarray, draws: int, seed: int,
                 confidence: float) -> tuple[Interval, str]:
    if endpoint.kind == "binary" and scores.ndim == 1:
        return external_auc_interval(endpoint.event, scores, confidence=confidence), EXTERNAL_AUC
    interval = bootstrap_discrimination(endpoint, scores, draws=draws, seed=seed, confidence=confidence)
    return interval, f"percentile bootstrap of patients, {draws} samples"


def _class_counts(endpoint: Endpoint, rows: np.ndarray) -> np.ndarray:
    """Patients of each class (of a survival endpoint: with and without the event); continuous: none to tell apart."""
    if endpoint.kind == "continuous":
        return np.array([len(rows)])
    width = max(len(endpoint.classes), 2)
    return np.bincount(endpoint.outcome[rows].astype(int), minlength=width)


def _hidden(counts: np.ndarray, *, forced: np.ndarray) -> np.ndarray:
    """Which groups must not show their counts, shape (groups,), of counts of shape (groups, classes)."""
    hidden = forced | _small(counts).any(axis=1)
    for k in np.argsort(counts.sum(axis=1), kind="stable"):
        together = counts[hidden].sum(axis=0)
        if not hidden.any() or (hidden.sum() >= 2 and not _small(together).any()):
            break
        hidden[k] = True
    return hidden


def _small(counts: np.ndarray) -> np.ndarray:
    return (counts > 0) & (counts < SMALLEST_CELL)


def _why(endpoint: Endpoint, size: int, classes: np.ndarray) -> str:
    if _small(np.array(size)):
        return _SMALL
    if _small(classes).any():
        return _SMALL_CATEGORY if endpoint.kind == "multiclass" else _SMALL_CLASS
    return _BY_DIFFERENCE

"""ROC and Kaplan-Meier curves of out-of-fold predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medomicslab_nb.evaluation.calibration import kaplan_meier
from medomicslab_nb.evaluation.intervals import bootstrap_weights

_GRID = np.linspace(0, 1, 101)
_DRAWS = 200


def roc_curve(observed: np.ndarray, scores: np.ndarray, *, seed: int, confidence: float) -> pd.DataFrame:
    """Sensitivity at each false positive rate, mean over repeats, with a pointwise bootstrap band.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    scores : ndarray, shape (n, repeats)

    Returns
    -------
    DataFrame
        fpr (0 to 1 in steps of .01), tpr, lower, upper.
    """
    draws = np.concatenate(list(bootstrap_weights(len(observed), _DRAWS, seed)))
    bands = np.mean([_sensitivity(draws, observed, score) for score in scores.T], axis=0)
    lower, upper = np.nanquantile(bands, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    tpr = np.mean([_sensitivity(np.ones((1, len(observed))), observed, score)[0] for score in scores.T], axis=0)
    return pd.DataFrame({"fpr": _GRID, "tpr": tpr, "lower": lower, "upper": upper})


def kaplan_meier_curve(event: np.ndarray, time: np.ndarray, confidence: float, *,
                       entry: np.ndarray | None = None) -> pd.DataFrame:
    """Survival from time 0 on with log-log limits, patients at risk just before each time, and events at it."""
    times, survival, limits = kaplan_meier(event, time, confidence, entry=entry)
    started = np.full(len(time), -np.inf) if entry is None else entry
    events = np.array([int(event[time == at].sum()) for at in times])
    at_risk = np.array([int(((time >= at) & (started < at)).sum()) for at in times])
    start = pd.DataFrame({"time": [0.0], "survival": [1.0], "lower": [1.0], "upper": [1.0],
                          "at_risk": [int((started <= 0).sum())], "events": [0]})
    curve = pd.DataFrame({"time": times, "survival": survival, "lower": limits[0], "upper": limits[1],
                          "at_risk": at_risk, "events": events})
    # Events at time 0 follow the start as a row of their own; without them that row would only repeat the start.
    return pd.concat([start, curve[(curve["time"] > 0) | (curve["events"] > 0)]], ignore_index=True)


def _sensitivity(weights: np.ndarray, observed: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Sensitivity on the grid of false positive rates for each weighted sample, shape (samples, 101)."""
    order = np.argsort(-score, kind="stable")
    # One point per group of tied scores.
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    cases = np.cumsum(np.add.reduceat(weights[:, order] * observed[order], starts, axis=1), axis=1)
    others = np.cumsum(np.add.reduceat(weights[:, order] * ~observed[order], starts, axis=1), axis=1)
    rows = [np.interp(_GRID, np.append(0, other / other[-1]), np.append(0, case / case[-1]))
            if other[-1] and case[-1] else np.full(len(_GRID), np.nan)
            for case, other in zip(cases, others, strict=True)]
    return np.array(rows)

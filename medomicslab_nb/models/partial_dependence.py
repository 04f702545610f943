"""Partial dependence: what the model predicts on average where one feature is set to each value of a grid [1]_.

The grid stays between the 2.5th and the 97.5th percentile of the patients: nothing is extrapolated beyond what was
observed of the feature. Combinations with other features may still never have been observed: where features depend on
each other, the curve mixes their effects.

References
----------
.. [1] Friedman JH. Greedy function approximation. Ann Stat 2001;29:1189-1232. Individual curves: Goldstein A, et al.
   J Comput Graph Stat 2015;24:44-65.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.intervals import bootstrap_weights
from medomicslab_nb.progress import Progress

if TYPE_CHECKING:
    from medomicslab_nb.models.explain import Predictors
    from medomicslab_nb.models.risk_model import RiskModel

POINTS = 20
"""Values on the grid of a number."""
RANGE = (0.025, 0.975)
"""Quantiles of the patients between which the grid lies."""
SPREAD = (0.1, 0.9)
"""Quantiles over patients of their own curves."""

_DRAWS = 1000
_ROWS = 20_000  # that are predicted at once

Predict = Callable[[pd.DataFrame, "pd.Series | None"], np.ndarray]


def model_dependence(model: RiskModel, patients: Predictors, features: Sequence[str], *,
                     times: Sequence[float] = (), block_of: Mapping[str, str] | None = None, seed: int = 0,
                     confidence: float = 0.95, progress: Progress | None = None) -> pd.DataFrame:
    """Partial dependence of what a model's score means: probability, risk by each time, or predicted value.

    Parameters
    ----------
    times : sequence of float
        Of a survival model; default its horizon.

    Returns
    -------
    DataFrame
        As :func:`partial_dependence`; ``output`` is the class, the time, or empty.
    """
    if model.kind == "survival":
        at = [float(time) for time in times] or [float(model.horizon or np.nan)]
        outputs = [f"{time:g}" for time in at]
    else:
        at, outputs = [], list(model.classes) if model.kind == "multiclass" else [""]

    def predict(frame: pd.DataFrame, centre: pd.Series | None) -> np.ndarray:
        score = model.score(frame, centre)
        return model.risk_at(score, at) if model.kind == "survival" else model.probability(score)

    return partial_dependence(predict, patients.frame[model.columns], features, centre=patients.centre,
                              outputs=outputs, categorical=model.categorical, block_of=block_of, seed=seed,
                              confidence=confidence, progress=progress)


def partial_dependence(predict: Predict, frame: pd.DataFrame, features: Sequence[str], *,
                       centre: pd.Series | None = None, outputs: Sequence[str] = ("",),
                       categorical: Sequence[str] = (), block_of: Mapping[str, str] | None = None, seed: int = 0,
                       confidence: float = 0.95, progress: Progress | None = None) -> pd.DataFrame:
    """Mean prediction over the patients, in whom one feature at a time is set to each value of its grid.

    A patient in whom the feature is missing does not take part in its curve.

    Parameters
    ----------
    predict : callable
        From a frame and its centres to (n,) or (n, n_outputs). A row's prediction depends on no other row.
    frame : DataFrame, shape (n, n_columns)
    features : sequence of str
    outputs : sequence of str
        Names of the predictions.
    categorical : sequence of str
        Columns whose grid is every category that was observed.

    Returns
    -------
    DataFrame
        feature, block, output, value (of a category its position), category, mean, lower, upper (percentile bootstrap
        of patients), p10, p90 (of the patients' own curves), n. A feature without any value has no rows.

    Raises
    ------
    DataError
        There is no such column.
    """
    for feature in features:
        if feature not in frame.columns:
            raise DataError(f"there is no column '{feature}'", where="partial dependence",
                            todo="Choose among the model's predictors")
    tables = []
    with (progress or Progress()).task("partial dependence", total=len(features)) as step:
        for feature in features:
            category = feature in set(categorical)
            values = grid_of(frame[feature], categorical=category)
            if len(values):
                known = frame[feature].notna().to_numpy()
                curves = _curves(predict, frame[known], None if centre is None else centre[known], feature, values)
                for place, output in enumerate(outputs):
                    table = _summary(curves[:, :, place], seed, confidence)
                    table.insert(0, "category", [str(value) for value in values] if category else "")
                    table.insert(0, "value", np.arange(len(values), dtype=float) if category else values.astype(float))
                    table.insert(0, "output", output)
                    table.insert(0, "block", (block_of or {}).get(feature, ""))
                    table.insert(0, "feature", feature)
                    tables.append(table)
            step()
    columns = ["feature", "block", "output", "value", "category", "mean", "lower", "upper", "p10", "p90", "n"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def grid_of(values: pd.Series, *, categorical: bool = False) -> np.ndarray:
    """The values at which a curve is computed: all categories, all of few numbers, or equal steps; sorted.

    Numbers lie between the quantiles :data:`RANGE` of the patients, and so within what was observed.
    """
    known = values.dropna()
    if categorical:
        return np.array(sorted(known.unique()), dtype=object)
    if not len(known):
        return np.empty(0)
    numbers = known.to_numpy(dtype=float)
    low, high = np.quantile(numbers, RANGE)
    distinct = np.unique(numbers)
    inside = distinct[(distinct >= low) & (distinct <= high)]
    if 0 < len(inside) <= POINTS and len(distinct) <= POINTS:
        # Of two values one may be rarer than the quantile: both belong to the curve.
        return distinct if len(distinct) == 2 else inside
    return np.linspace(low, high, POINTS)


def _curves(predict: Predict, frame: pd.DataFrame, centre: pd.Series | None, feature: str,
            values: np.ndarray) -> np.ndarray:
    """Predictions, shape (n, n_values, n_outputs)."""
    n = len(frame)
    size = max(1, _ROWS // n)
    parts = []
    for start in range(0, len(values), size):
        here = values[start:start + size]
        rows = np.tile(np.arange(n), len(here))
        stacked = frame.iloc[rows].reset_index(drop=True)
        stacked[feature] = pd.Series(np.repeat(here, n), dtype=frame[feature].dtype)
        found = predict(stacked, None if centre is None else centre.iloc[rows].reset_index(drop=True))
        parts.append(np.asarray(found, dtype=float).reshape(len(here), n, -1))
    return np.concatenate(parts).transpose(1, 0, 2)


def _summary(curves: np.ndarray, seed: int, confidence: float) -> pd.DataFrame:
    """Mean with its interval and spread over patients, of curves of shape (n, n_values)."""
    n = len(curves)
    lower = upper = np.full(curves.shape[1], np.nan)
    if n > 1:
        weights = np.concatenate(list(bootstrap_weights(n, _DRAWS, seed))) / n
        lower, upper = np.quantile(weights @ curves, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    low, high = np.quantile(curves, SPREAD, axis=0)
    return pd.DataFrame({"mean": curves.mean(axis=0), "lower": lower, "upper": upper, "p10": low, "p90": high, "n": n})

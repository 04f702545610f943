"""Nomogram of a linear model: points for each value of each predictor, and the risk for each total.

The predictor with the largest effect over its displayed values spans 0 to 100 points; all others have the same scale.
The total gives the model's score, and so its prediction, without any approximation: a value between two displayed ones
(or beyond them) has its points by a straight line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.models.explain import Predictors, explain_score
from medomicslab_nb.models.learners.linear import is_linear
from medomicslab_nb.models.selection_frequency import used_columns

if TYPE_CHECKING:
    from medomicslab_nb.models.risk_model import RiskModel

MOST_LINES = 30
"""Predictors of which a nomogram can still be read."""

_WHERE = "nomogram"
_TICKS = 6  # displayed values of a number, about
_TOTALS = 101
_DISPLAYED = (0.025, 0.975)  # quantiles of the patients between which a number's values are displayed
_NONE = 1e-12


@dataclass(frozen=True, eq=False)
class Nomogram:
    """Points and what they mean.

    Attributes
    ----------
    points : DataFrame
        feature, block, value, category, contribution (to the score), points, n (patients with any number, of this
        category, or without a value). Numbers have two rows or more, in order; categories one each; ``category``
        "missing" stands for a value that is not known.
    total : DataFrame
        total_points, score, and probability (binary), prediction (continuous), or one row for each time with time and
        risk (survival).
    lowest_score, score_per_point : float
        score = lowest_score + score_per_point * total points.
    """

    points: pd.DataFrame
    total: pd.DataFrame
    lowest_score: float
    score_per_point: float


def nomogram(model: RiskModel, patients: Predictors, *, times: Sequence[float] = ()) -> Nomogram:
    """Draw up the nomogram of a model whose parts are all linear.

    A patient in whom a whole block is missing is not covered: the model gives such a block no points at all.

    Parameters
    ----------
    patients : Predictors
        Whose values are displayed; best the training patients.
    times : sequence of float
        Of a survival model; default its horizon.

    Raises
    ------
    DataError
        A part is not linear, there are several classes, centres are harmonised, or the model uses more than
        :data:`MOST_LINES` predictors or none.
    """
    _check(model)
    columns = used_columns(model)
    if not columns:
        raise DataError("the model predicts the same for everybody", where=_WHERE, todo="Give it other predictors")
    if len(columns) > MOST_LINES:
        raise DataError(f"the model uses {len(columns)} predictors; a nomogram of more than {MOST_LINES} cannot be "
                        "read", where=_WHERE, todo="Use the lasso, or a selection of fewer predictors")
    frame = patients.frame[model.columns]
    lines = [_line(model, frame, column) for column in columns]
    largest = max(float(np.ptp(line["contribution"])) for line in lines)
    if largest < _NONE:
        raise DataError("no predictor has an effect over the values of these patients", where=_WHERE,
                        todo="Give the training patients")
    for line in lines:
        line["points"] = (line["contribution"] - line["contribution"].min()) / largest * 100
    points = pd.concat(lines, ignore_index=True)
    base = float(explain_score(model, Predictors(frame.head(1))).base)
    lowest = base + sum(float(line["contribution"].min()) for line in lines)
    most = sum(float(line["points"].max()) for line in lines)
    return Nomogram(points, _totals(model, lowest, largest / 100, most, times), lowest, largest / 100)


def total_points(found: Nomogram, frame: pd.DataFrame) -> np.ndarray:
    """Total points of patients, shape (n,): read off the table of points as one would by hand.

    NaN for a patient with a missing value or a category that the nomogram does not show.
    """
    total = np.zeros(len(frame))
    for feature, line in found.points.groupby("feature", sort=False):
        total += _read(line, frame[feature])
    return total


def _check(model: RiskModel) -> None:
    if model.kind == "multiclass":
        raise DataError("there is one score for each class, and no single total of points", where=_WHERE,
                        todo="Choose a binary outcome")
    others = [part.kind for part in model.parts if not is_linear(part.estimator)]
    if others:
        raise DataError(f"a nomogram needs a linear model; '{others[0]}' is none", where=_WHERE,
                        todo="Set 'learner' to ridge, lasso, elastic net or plain")
    if any(part.preparation.combat_ is not None for part in model.parts):
        raise DataError("the points would differ from centre to centre, which are harmonised", where=_WHERE,
                        todo="Fit the model without harmonisation")


def _line(model: RiskModel, frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Displayed values of a predictor and what each adds to the score."""
    category = column in set(model.categorical)
    known = frame[column].dropna()
    values: list[Any] = sorted(known.unique()) if category else list(_ticks(known.to_numpy(dtype=float)))
    blocks = [part.block for part in model.parts if column in part.preparation.columns_]
    shown: list[Any] = [*values, None] if _missing_has_points(model, column) else values
    rows = frame.iloc[np.zeros(len(shown), dtype=int)].reset_index(drop=True)
    rows[column] = pd.Series(shown, dtype=object if category else float)
    rows = _with_other_values(model, rows, column)
    contribution = explain_score(model, Predictors(rows)).values[:, rows.columns.get_loc(column)]
    names = [str(value) for value in values] if category else [""] * len(values)
    numbers = [float(place) for place in range(len(values))] if category else [float(value) for value in values]
    counts = [int((known == value).sum()) if category else len(known) for value in values]
    gap = len(shown) - len(values)
    return pd.DataFrame({"feature": column, "block": blocks[0], "value": [*numbers, *[np.nan] * gap],
                         "category": [*names, *["missing"] * gap], "contribution": contribution,
                         "n": [*counts, *[len(frame) - len(known)] * gap]})


def _missing_has_points(model: RiskModel, column: str) -> bool:
    """Whether a missing value alone has points: not where it is imputed from other columns or makes a block missing."""
    parts = [part for part in model.parts if column in part.preparation.columns_]
    return all(len(part.columns) > 1 and not part.preparation.regressions_ for part in parts)


def _with_other_values(model: RiskModel, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """The same rows with a value in every other column, so that no block is missing; a linear model adds them up."""
    for other in rows.columns:
        if other != column and rows[other].isna().any():
            rows[other] = "" if other in set(model.categorical) else 0.0
    return rows


def _ticks(numbers: np.ndarray) -> np.ndarray:
    """Round values between the displayed quantiles; all of few; two at least where there are two."""
    distinct = np.unique(numbers)
    if len(distinct) <= _TICKS:
        return distinct
    low, high = np.quantile(numbers, _DISPLAYED)
    if not high > low:
        return distinct[[0, -1]]
    power = 10.0 ** np.floor(np.log10((high - low) / _TICKS))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda size: abs((high - low) / size - _TICKS))
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return ticks if len(ticks) > 1 else np.array([low, high])


def _totals(model: RiskModel, lowest: float, per_point: float, most: float, times: Sequence[float]) -> pd.DataFrame:
    total = np.linspace(0, most, _TOTALS)
    score = lowest + per_point * total
    table = pd.DataFrame({"total_points": total, "score": score})
    if model.kind != "survival":
        name = "probability" if model.kind == "binary" else "prediction"
        return table.assign(**{name: model.probability(score)})
    at = [float(time) for time in times] or [float(model.horizon or np.nan)]
    risks = model.risk_at(score, at)
    return pd.concat([table.assign(time=time, risk=risks[:, place]) for place, time in enumerate(at)],
                     ignore_index=True)


def _read(line: pd.DataFrame, column: pd.Series) -> np.ndarray:
    """Points of each patient's value, shape (n,)."""
    gap = line[line["category"] == "missing"]
    shown = line[line["category"] != "missing"]
    missing = float(gap["points"].iloc[0]) if len(gap) else np.nan
    if (shown["category"] != "").any():
        points = column.map(dict(zip(shown["category"], shown["points"], strict=True))).astype(float)
    else:
        first, last = shown.iloc[0], shown.iloc[-1]
        width = last["value"] - first["value"]
        slope = (last["points"] - first["points"]) / width if width else 0.0
        points = first["points"] + slope * (column.astype(float) - first["value"])
    return points.where(column.notna(), missing).to_numpy(dtype=float)

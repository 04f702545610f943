"""How often each column was used by the models of a cross-validation: how stable a selection is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sksurv.ensemble import RandomSurvivalForest

from medomicslab_nb.models.learners.linear import is_linear, linear_coefficients

if TYPE_CHECKING:
    from medomicslab_nb.models.risk_model import RiskModel

_FORESTS = (RandomForestClassifier, RandomForestRegressor, RandomSurvivalForest)


def used_columns(model: RiskModel) -> list[str]:
    """Original columns on which a model's score depends, in the model's order.

    Of a linear part those with a coefficient other than 0, of a forest those at which a tree splits, of any other part
    those that its preparation kept.
    """
    used = {column for part in model.parts if part.weight
            for column, active in zip(part.preparation.columns_, _active(part.estimator, part.preparation.columns_),
                                      strict=True) if active}
    return [column for column in model.columns if column in used]


def selection_frequency(selected: Sequence[Collection[str]], columns: Sequence[str], *,
                        block_of: Mapping[str, str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of the models in which each column was used, most frequent first.

    Parameters
    ----------
    selected : sequence of collections of str
        The columns that each model used, e.g. :func:`used_columns` of each outer fold's.
    columns : sequence of str
        All that could have been used.
    block_of : mapping, optional
        The block of each column.

    Returns
    -------
    DataFrame
        feature, block, selected (number of models), n (models), share, lower, upper (Wilson's interval). Models share
        most of their training patients, which the interval does not know: it describes these models, and is too narrow
        for another sample of patients. Shares are NaN without any model.
    """
    n = len(selected)
    counts = pd.Series(0, index=pd.Index(columns), dtype=int)
    for names in selected:
        counts[counts.index.isin(set(names))] += 1
    intervals = {count: _wilson(count, n, confidence) for count in counts.unique()}
    table = pd.DataFrame({"feature": list(columns), "block": [(block_of or {}).get(column, "") for column in columns],
                          "selected": counts.to_numpy(), "n": n,
                          "share": counts.to_numpy() / n if n else np.nan,
                          "lower": [intervals[count][0] for count in counts],
                          "upper": [intervals[count][1] for count in counts]})
    return table.sort_values("selected", ascending=False, kind="stable", ignore_index=True)


def _active(estimator: Any, columns: Sequence[str]) -> np.ndarray:
    """Prepared columns that the estimator uses, bool, shape (n_prepared,)."""
    if is_linear(estimator):
        return np.asarray(np.atleast_2d(linear_coefficients(estimator)).any(axis=0))
    if isinstance(estimator, _FORESTS):
        split = np.concatenate([tree.tree_.feature[tree.tree_.children_left >= 0] for tree in estimator.estimators_])
        return np.bincount(split, minlength=len(columns)) > 0
    return np.ones(len(columns), dtype=bool)


def _wilson(count: int, n: int, confidence: float) -> tuple[float, float]:
    if not n:
        return float("nan"), float("nan")
    found = binomtest(int(count), n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)

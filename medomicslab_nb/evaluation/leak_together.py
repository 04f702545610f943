"""Leakage: several columns that give the outcome together, though none tells much by itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from medomicslab_nb.evaluation.checks import NEARLY_PERFECT
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import (
    MIN_PATIENTS,
    Finding,
    association,
    aucs,
    class_indicators,
    some,
    standardised,
    target_numbers,
)

_NOT_MONOTONE = 0.97
_CELLS = 0.97
_WEAK = 0.85  # AUC up to which a column tells little by itself
_WEAK_R2 = 0.7  # the same of a follow-up time or a continuous outcome
_SUM_R2 = 0.98
_EXACT = 0.9999
_PAIR_R2 = 0.5  # from which a pair is looked at closely
_PAIR_COLUMNS = 1_000
_FEW_COLUMNS = 5
_PRODUCT_COLUMNS = 200
_CELL_COLUMNS = 60
_LEVELS = 10
_TREE_COLUMNS = 200
_TREE_PATIENTS = 10  # on either side of each class


def _finding(columns: Sequence[str], what: str, value: float, n: int) -> Finding:
    return Finding("outcome_in_disguise", "alarm", what, some(columns), "Find out how and when the columns came about; "
                   "leave them out unless they were known before the outcome", round(float(value), 4), n)


def outcome_in_several(frame: pd.DataFrame, numeric: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Columns that give the outcome exactly, or a few that give it although none does by itself.

    Parameters
    ----------
    frame : DataFrame, shape (n, p)
        All predictors.
    numeric : DataFrame, shape (n, fewer)
        Its numeric columns, and dates as days, without those that were named already.
    """
    cells = _in_cells(frame, endpoint) if len(frame) >= 2 * MIN_PATIENTS else None
    if cells is not None:
        yield cells
        return
    usable = numeric.loc[:, numeric.notna().mean() >= 0.8]
    usable = usable.loc[:, usable.nunique() > 1]
    if len(usable) < 2 * MIN_PATIENTS or usable.shape[1] < 2:
        return
    targets = _exact_targets(endpoint)
    exact = _exact_sum(usable, targets) or _few_add_up(usable, targets)
    if exact is not None:
        yield exact
        return
    strength = association(usable.to_numpy(), target_numbers(endpoint))
    chosen = usable.iloc[:, np.sort(np.argsort(-strength, kind="stable")[:_PAIR_COLUMNS])]
    pair = _pair(chosen, endpoint, targets)
    if pair is None and usable.shape[1] <= _TREE_COLUMNS:
        pair = _shallow_tree(usable, endpoint)
    if pair is not None:
        yield pair


def _exact_targets(endpoint: Endpoint) -> dict[str, np.ndarray]:
    """What columns could add up to; a logarithm turns products and ratios into sums."""
    if endpoint.time is not None:
        return {"the follow-up time": endpoint.time, "the outcome": endpoint.event.astype(float)}
    return {"the outcome" if endpoint.kind != "multiclass" else f"class {position + 1} of the outcome": column
            for position, column in enumerate(target_numbers(endpoint).T)}


def _forms(usable: pd.DataFrame, target: np.ndarray) -> Iterator[tuple[str, pd.DataFrame, np.ndarray]]:
    """The columns and the target as they are, and as logarithms where they are positive."""
    yield "sum or difference", usable, target
    positive = usable.loc[:, (usable > 0).all()]
    if positive.shape[1] >= 2:
        yield "product or ratio", positive.apply(np.log), np.log(target) if (target > 0).all() else target


def _exact_sum(usable: pd.DataFrame, targets: Mapping[str, np.ndarray]) -> Finding | None:
    """A linear relation without error between the target and all columns (three patients or more per column)."""
    for name, target in targets.items():
        for form, columns, values in _forms(usable, target):
            rows = columns.notna().all(axis=1).to_numpy()
            if rows.sum() < max(3 * columns.shape[1], 2 * MIN_PATIENTS) or np.ptp(values[rows]) == 0:
                continue
            matrix = standardised(columns.to_numpy()[rows])
            goal = standardised(values[rows][:, None])[:, 0]
            weights, *_ = np.linalg.lstsq(matrix, goal, rcond=None)
            explained = 1 - float(((goal - matrix @ weights) ** 2).mean())
            if explained >= _EXACT:
                strongest = [str(columns.columns[i]) for i in np.argsort(-np.abs(weights), kind="stable")
                             if abs(weights[i]) > 0.01 * np.abs(weights).max()]
                return _finding(strongest, f"A {form} of {some(strongest)} is {name} (R2 "
                                f"{explained:.5f}, n = {int(rows.sum())}).", explained, int(rows.sum()))
    return None


def _pair(usable: pd.DataFrame, endpoint: Endpoint, targets: Mapping[str, np.ndarray]) -> Finding | None:
    """Two columns whose sum, difference, product or ratio gives the target, while neither does by itself."""
    for name, target in targets.items():
        for form, columns, values in _forms(usable, target):
            found = _best_pair(standardised(columns.to_numpy()), values, name == "the follow-up time")
            if found is not None:
                pair = [str(columns.columns[i]) for i in found[0]]
                return _finding(pair, f"A {form} of {some(pair)} gives {name} ({found[1]:.3f}), and "
                                "neither does by itself.", found[1], len(usable))
        if usable.shape[1] <= _PRODUCT_COLUMNS and endpoint.kind == "binary":
            crossed = _crossed(usable, target == 1)
            if crossed is not None:
                pair = [str(usable.columns[i]) for i in crossed[0]]
                return _finding(pair, f"{some(pair)} together give {name} ({crossed[1]:.3f}), and "
                                "neither does by itself.", crossed[1], len(usable))
    return None


def _best_pair(matrix: np.ndarray, target: np.ndarray, timed: bool) -> tuple[tuple[int, int], float] | None:
    """The pair with the highest R2 for the target, when it is (nearly) the target and each alone is not."""
    goal = standardised(target[:, None])[:, 0]
    alone = matrix.T @ goal / len(goal)  # shape (p,)
    between = matrix.T @ matrix / len(goal)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = ((alone[:, None] ** 2 + alone[None, :] ** 2 - 2 * between * np.outer(alone, alone))
                     / (1 - between**2))
    explained[~np.isfinite(explained) | (np.abs(between) > 1 - 1e-12)] = 0.0
    candidates = np.argsort(-np.triu(explained, 1), axis=None)[:20]
    for first, second in zip(*np.unravel_index(candidates, explained.shape), strict=True):
        if explained[first, second] < _PAIR_R2:
            return None
        value = _gives(matrix[:, [first, second]], target, timed)
        if value is not None:
            return (int(first), int(second)), value
    return None


def _gives(matrix: np.ndarray, target: np.ndarray, timed: bool) -> float | None:
    """How well a weighted sum of a few standardised columns gives the target; None unless nearly, and no one alone."""
    goal = standardised(target[:, None])[:, 0]
    score = matrix @ np.linalg.lstsq(matrix, goal, rcond=None)[0]
    if timed or len(np.unique(target)) > 2:
        value = 1 - float(((goal - score) ** 2).mean())
        alone = float(((matrix.T @ goal / len(goal)) ** 2).max())
        return value if value >= _SUM_R2 and alone <= _WEAK_R2 else None
    value, *singles = aucs(np.column_stack([score, matrix]), target == target.max())
    weak = max(max(single, 1 - single) for single in singles) <= _WEAK
    return float(value) if value >= NEARLY_PERFECT and weak else None


def _few_add_up(usable: pd.DataFrame, targets: Mapping[str, np.ndarray]) -> Finding | None:
    """Three to five columns of which a weighted sum nearly gives the target: those that matter most in a regression."""
    for name, target in targets.items():
        for form, columns, values in _forms(usable, target):
            rows = columns.notna().all(axis=1).to_numpy()
            n, p = int(rows.sum()), columns.shape[1]
            if p < 3 or n < max(3 * p, 2 * MIN_PATIENTS) or np.ptp(values[rows]) == 0:
                continue
            matrix = standardised(columns.to_numpy()[rows])
            goal = standardised(values[rows][:, None])[:, 0]
            inverse = np.linalg.pinv(matrix.T @ matrix)
            weights = inverse @ (matrix.T @ goal)
            strength = np.abs(weights) / np.sqrt(np.maximum(np.diag(inverse), 1e-300))
            for count in range(3, min(p, _FEW_COLUMNS) + 1):
                used = np.sort(np.argsort(-strength, kind="stable")[:count])
                value = _gives(matrix[:, used], values[rows], name == "the follow-up time")
                if value is not None:
                    names = [str(column) for column in columns.columns[used]]
                    return _finding(names, f"A {form} of {some(names)} gives {name} ({value:.3f}), and none does by "
                                    "itself.", value, n)
    return None


def _in_cells(frame: pd.DataFrame, endpoint: Endpoint) -> Finding | None:
    """Two columns of few values that together tell the outcome of the other patients, while neither does by itself."""
    indicators = class_indicators(endpoint)
    few = {str(name): codes for name in frame.columns if 2 <= (codes := pd.factorize(
        frame[name], use_na_sentinel=False)[0]).max() + 1 <= _LEVELS}
    if len(few) < 2 or len(few) > _CELL_COLUMNS or not indicators.shape[1]:
        return None
    alone = {name: _shares_tell(codes, indicators) for name, codes in few.items()}
    weak = [name for name in few if alone[name] <= _WEAK]
    for first, second in combinations(weak, 2):
        value = _shares_tell(few[first] * _LEVELS + few[second], indicators)
        if value >= _CELLS:
            return _finding([first, second], f"{some([first, second])} together give the outcome ({value:.3f}), and "
                            "neither does by itself.", value, len(frame))
    return None


def _shares_tell(codes: np.ndarray, indicators: np.ndarray) -> float:
    """Least AUC, over classes, of the share of a class among the other patients with the same code."""
    size = np.bincount(codes)[codes]
    shares = [(np.bincount(codes, of_class)[codes] - of_class) / np.maximum(size - 1, 1) for of_class in indicators.T]
    return float(min(aucs(share[:, None], of_class == 1)[0] for share, of_class in zip(shares, indicators.T,
                                                                                      strict=True)))


def _crossed(usable: pd.DataFrame, positive: np.ndarray) -> tuple[tuple[int, int], float] | None:
    """Two columns that give the outcome by whether they agree: their product about the middle, or shared cells."""
    values = usable.to_numpy()
    middles = np.stack([np.nanmedian(values, axis=0), np.nanmean(values, axis=0)])
    for middle in middles:
        centred = np.nan_to_num(values - middle)
        signs = np.sign(centred)
        for first in range(values.shape[1] - 1):
            products = signs[:, [first]] * signs[:, first + 1:]
            share = np.abs(products.T @ (positive - positive.mean())) / (
                np.sqrt((products - products.mean(axis=0)).var(axis=0)) * positive.std() * len(positive) + 1e-12)
            for offset in np.flatnonzero(share >= 0.9):
                second = first + 1 + int(offset)
                value, *singles = aucs(np.column_stack([products[:, offset], centred[:, [first, second]]]), positive)
                if (max(value, 1 - value) >= _NOT_MONOTONE
                        and max(max(single, 1 - single) for single in singles) <= _WEAK):
                    return (first, second), float(max(value, 1 - value))
    return None


def _shallow_tree(usable: pd.DataFrame, endpoint: Endpoint) -> Finding | None:
    """A tree of three questions that is (nearly) always right about patients it has not seen."""
    indicators = class_indicators(endpoint)
    if endpoint.kind not in ("binary", "multiclass"):
        return None
    if min(indicators.sum(axis=0).min(), (1 - indicators).sum(axis=0).min()) < _TREE_PATIENTS:
        return None
    values = usable.fillna(usable.median()).to_numpy()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        shares = cross_val_predict(tree, values, endpoint.outcome, cv=folds, method="predict_proba")
    if endpoint.kind == "binary":
        shares = shares[:, 1:]
    told = min(aucs(shares[:, [i]], of_class == 1)[0] for i, of_class in enumerate(indicators.T))
    alone = max(aucs(values, of_class == 1).max() for of_class in indicators.T)
    alone = max(alone, 1 - min(aucs(values, of_class == 1).min() for of_class in indicators.T))
    if told < NEARLY_PERFECT or alone > _WEAK:
        return None
    used = np.flatnonzero(tree.fit(values, endpoint.outcome).feature_importances_ > 0).tolist()
    names = [str(usable.columns[i]) for i in used]
    return _finding(names, f"Three questions about {some(names)} give the outcome (AUC {told:.3f} in "
                    "patients that they were not chosen on), and no column does by itself.", told, len(usable))


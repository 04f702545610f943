"""Leakage: the place, the machine or the order in which patients came stands for the outcome."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import (
    MIN_PATIENTS,
    Finding,
    association,
    numbers,
    target_numbers,
)

KIND = "centre_as_proxy"

PLACES = frozenset({"centre", "center", "site", "hospital", "hopital", "institution", "clinic", "scanner", "vendor",
                    "manufacturer", "machine", "batch", "plate", "protocol", "kernel", "lot", "run", "device",
                    "station", "country", "city", "coil", "sequencer", "lab", "laboratory", "department"})
"""Words of a column's name that say where or how, not what."""

_AXES = 40
_CENTRES = 30
_TOLD = 0.58  # from which predictions count as telling the outcome
_GAIN = 0.04
_TODO = ("Compare within centres, validate by leaving one centre out, and leave out columns that tell centres, or "
         "harmonise them inside the folds")


def centre_as_proxy(frame: pd.DataFrame, endpoint: Endpoint, *, categorical: Sequence[str] = (),
                    centre: pd.Series | None = None) -> list[Finding]:
    """Whether the outcome is told through the centre, and not within it.

    Centres come from ``centre``, else from columns that are named so, and the letters with which identifiers begin.
    Alarm: out-of-fold predictions tell the outcome over all patients, as the centre alone does, but not among the
    patients of a centre. Notice: predictions lose much within centres.

    A counter among the predictors (an identifier, a position) that goes with the outcome is named as well.
    """
    if len(frame) < 2 * MIN_PATIENTS:
        return []
    findings = list(_counters(frame, numbers(frame, categorical), endpoint))
    candidates = list(_places(frame, centre))
    usable = [(name, codes) for name, codes in candidates if _tells(codes, endpoint)]
    if not usable:
        return findings
    score = _out_of_fold(_matrix(frame, categorical), endpoint)
    for name, codes in usable:
        finding = _judge(name, codes, score, endpoint)
        if finding is not None:
            findings.append(finding)
    return findings


def _places(frame: pd.DataFrame, centre: pd.Series | None) -> Iterator[tuple[str, np.ndarray]]:
    """Groups of patients by place: a name and a code for each patient (-1 = unknown)."""
    sources: list[tuple[str, pd.Series]] = []
    if centre is not None:
        sources.append((str(centre.name or "centre"), centre if len(centre) == len(frame) and (
            not centre.index.equals(frame.index) and isinstance(centre.index, pd.RangeIndex)) else
            centre[~centre.index.duplicated()].reindex(frame.index)))
    sources.extend((str(name), frame[name]) for name in frame.columns if _named_place(str(name)))
    prefix = pd.Series(frame.index.astype(str)).str.extract(r"^([A-Za-z]+)[\s_\-.]*\d", expand=False)
    sources.append(("identifiers' first letters", prefix))
    seen: list[np.ndarray] = []
    for name, values in sources:
        codes = pd.factorize(values.to_numpy())[0]
        sizes = np.bincount(codes[codes >= 0]) if (codes >= 0).any() else np.array([])
        if 2 <= len(sizes) <= _CENTRES and not any(np.array_equal(codes, other) for other in seen):
            seen.append(codes)
            yield name, codes


def _named_place(name: str) -> bool:
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return any(word in PLACES for word in words) and not {"tumour", "tumor", "primary", "metastasis"} & set(words)


def _tells(codes: np.ndarray, endpoint: Endpoint) -> bool:
    """Whether the outcome differs between centres, beyond chance."""
    rows = codes >= 0
    if rows.sum() < 2 * MIN_PATIENTS:
        return False
    indicators = (codes[rows, None] == np.arange(codes.max() + 1)).astype(float)
    strength = association(indicators, target_numbers(endpoint)[rows])
    return bool(strength.max() > norm.isf(0.005 / len(strength)))


def _matrix(frame: pd.DataFrame, categorical: Sequence[str]) -> np.ndarray:
    """All predictors as numbers, without the outcome: medians for gaps, gaps and categories as columns."""
    numeric = numbers(frame, categorical)
    gaps = numeric.isna().loc[:, numeric.isna().any()].astype(float)
    others = frame.drop(columns=numeric.columns).astype(object)
    few = others.loc[:, others.nunique() <= 20]
    coded = pd.get_dummies(few.astype(str), dtype=float) if few.shape[1] else pd.DataFrame(index=frame.index)
    filled = numeric.fillna(numeric.median()).fillna(0.0)
    wide = gaps.shape[1] > 500
    return np.column_stack([part.to_numpy() for part in (filled, coded, *(() if wide else (gaps,)))])


def _out_of_fold(matrix: np.ndarray, endpoint: Endpoint) -> np.ndarray:
    """Out-of-fold predictions of ridge regression and a forest together, shape (n, k), of the outcome as numbers."""
    target = target_numbers(endpoint)
    result = np.zeros(target.shape)
    for train, test in KFold(5, shuffle=True, random_state=0).split(matrix):
        scale = StandardScaler()
        rows, others = scale.fit_transform(matrix[train]), scale.transform(matrix[test])
        if rows.shape[1] > _AXES:
            axes = PCA(min(_AXES, len(train) - 1), random_state=0).fit(rows)
            rows, others = axes.transform(rows), axes.transform(others)
        ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 9)))
        forest = RandomForestRegressor(60, min_samples_leaf=5, max_features="sqrt", random_state=0)
        goal = target[train] if target.shape[1] > 1 else target[train, 0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for model in (ridge, forest):
                predicted = model.fit(rows, goal).predict(others)
                result[test] += predicted.reshape(len(test), -1)
    return result / 2


def _judge(name: str, codes: np.ndarray, score: np.ndarray, endpoint: Endpoint) -> Finding | None:
    rows = np.flatnonzero(codes >= 0)
    groups = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    pooled, _ = _told(score, [rows], endpoint)
    within, error = _told(score, groups, endpoint)
    means = np.stack([target_numbers(endpoint)[group].mean(axis=0) for group in groups])
    alone, _ = _told(means[codes], [rows], endpoint)
    if not pooled >= _TOLD or not pooled - within > _GAIN:
        return None
    only = within - 1.28 * error <= 0.5 and within + 0.5 * error < pooled and within - 0.5 < (pooled - 0.5) / 2
    grave = only and pooled - within > 1.64 * error and alone > 0.5 + (pooled - 0.5) / 2
    return Finding(KIND, "alarm" if grave else "notice", f"Predictions tell the outcome over all patients "
                   f"({pooled:.3f}), as '{name}' alone does ({alone:.3f}), but "
                   f"{'not' if grave else 'less'} among the patients of one ({within:.3f}).", f"'{name}'", _TODO,
                   round(pooled - within, 4), len(rows))


def _told(score: np.ndarray, groups: Sequence[np.ndarray], endpoint: Endpoint) -> tuple[float, float]:
    """Share of pairs in a group that the score orders as the outcome does, weighted by pairs, and its error.

    AUC (several classes: its mean over classes), Harrell's concordance, or concordance with a continuous outcome.
    """
    right, pairs, size = 0.0, 0.0, 0.0
    for group in groups:
        for column in range(score.shape[1]):
            good, count, cases = _ordered_pairs(score[group, column], column, endpoint.take(group))
            right, pairs, size = right + good, pairs + count, size + cases / score.shape[1]
    if not pairs:
        return float("nan"), float("nan")
    return right / pairs, 0.55 / np.sqrt(max(size, 1.0))


def _ordered_pairs(score: np.ndarray, column: int, part: Endpoint) -> tuple[float, float, float]:
    """Pairs in the right order (ties half), comparable pairs, and the effective number of patients behind them."""
    target = target_numbers(part)[:, min(column, target_numbers(part).shape[1] - 1)]
    if part.kind == "survival":
        assert part.time is not None
        cases = np.flatnonzero(part.event)
        comparable = part.time[cases][:, None] < part.time[None, :]
        sign = np.sign(score[cases][:, None] - score[None, :])
        size = float(len(cases))
    elif part.kind == "continuous":
        cases = np.arange(len(score))
        comparable = target[:, None] > target[None, :]
        sign = np.sign(score[:, None] - score[None, :])
        size = float(len(score))
    else:
        cases, others = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
        sign = np.sign(score[cases][:, None] - score[others][None, :])
        comparable = np.ones(sign.shape, dtype=bool)
        size = 2 * len(cases) * len(others) / max(len(target), 1)
    count = float(comparable.sum())
    return float(((1 + sign) / 2)[comparable].sum()), count, size if count else 0.0


def _counters(frame: pd.DataFrame, numeric: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Whole numbers without repeats or large gaps (identifiers, positions) among the predictors."""
    for name in numeric.columns:
        column = numeric[name].to_numpy()
        if np.isnan(column).any() or (column != np.round(column)).any() or len(np.unique(column)) < len(column):
            continue
        if np.ptp(column) > 3 * len(column):
            continue
        strength = float(association(column[:, None], target_numbers(endpoint))[0])
        grave = strength > norm.isf(1e-4)
        yield Finding(KIND, "alarm" if grave else "notice", f"'{name}' is a counter (an identifier or a position)"
                      f"{', and the outcome goes with it' if grave else ''} (|z| = {strength:.1f}).", f"'{name}'",
                      "Leave it out: the order in which patients came is no property of theirs", round(strength, 3),
                      len(frame))

"""Leakage: cut-points chosen by the outcome of the patients in whom they are then tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import MIN_PATIENTS, Finding, numbers, target_numbers

KIND = "optimal_cut_point"

_LEVELS = 4
_SMALLEST_GROUP = 5
_LARGEST_SHARE = 0.25  # of the patients, that people ask to be on either side when they search
_LEAST_CUTS = 10
_MANY_CUTS = 25  # below it, the best cut is met by chance too often for an alarm
_SOME_Z, _SURE_Z = 0.5, 1.5  # a cut that tells (next to) nothing does no harm, whatever it was chosen by
_NEAR_BEST = 0.02
_TODO = "Give the values themselves; a cut-point is chosen inside the folds, or taken from earlier work"


def optimal_cut_points(frame: pd.DataFrame, endpoint: Endpoint, *, categorical: Sequence[str] = (),
                       pool: pd.DataFrame | None = None) -> list[Finding]:
    """Columns of two to four groups that cut another column exactly where it separates the outcome best.

    Parameters
    ----------
    pool : DataFrame, shape (n, more), optional
        Columns that are no predictors but may be what was cut.

    Notes
    -----
    Alarm: the cut is the best of all by chi-squared, log-rank (score test), Youden's index or accuracy, among cuts
    that leave some smallest share (up to a quarter) on either side. Notice: it is the best and customary as well
    (median, mean, quartile, tertile, round number), it tells little, or it is among the best 2 %. Where the
    measurement is in no table, this cannot be known.
    """
    if len(frame) < MIN_PATIENTS:
        return []
    sources = numbers(frame if pool is None else pd.concat(
        [frame, pool.drop(columns=[name for name in pool.columns if name in frame.columns])], axis=1), categorical)
    sources = sources.loc[:, sources.nunique() >= _LEAST_CUTS]
    values = sources.to_numpy()
    findings = []
    for name, codes in _grouped(frame):
        for position in np.flatnonzero(_cuts_exactly(codes, values)).tolist():
            if sources.columns[position] == name:
                continue
            finding = _judge(name, str(sources.columns[position]), codes, values[:, position], endpoint)
            if finding is not None:
                findings.append(finding)
                break
    return findings


def cut_is_best(values: np.ndarray, threshold: float, endpoint: Endpoint) -> float:
    """Share of possible cuts that separate the outcome better than one at a threshold; NaN where nothing is cut."""
    known = ~np.isnan(values)
    if not known.any() or not values[known].min() <= threshold < values[known].max():
        return float("nan")
    share, strength = _best_share(values[known], values[known] > threshold, endpoint.take(np.flatnonzero(known)))
    return share if strength >= _SURE_Z else float("nan")


def _grouped(frame: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Columns of few values, as codes (NaN = missing), in no particular order of the groups."""
    for name in frame.columns:
        codes, uniques = pd.factorize(frame[name])
        if 2 <= len(uniques) <= _LEVELS:
            yield str(name), np.where(codes < 0, np.nan, codes)


def _cuts_exactly(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which columns of values (n, p) have their groups side by side, without overlap; bool, shape (p,)."""
    groups = [codes == code for code in np.unique(codes[~np.isnan(codes)])]
    if min(group.sum() for group in groups) < _SMALLEST_GROUP or not values.shape[1]:
        return np.zeros(values.shape[1], dtype=bool)
    low = np.stack([np.where(np.isnan(values[group]), np.inf, values[group]).min(axis=0) for group in groups])
    high = np.stack([np.where(np.isnan(values[group]), -np.inf, values[group]).max(axis=0) for group in groups])
    order = np.argsort(low, axis=0)
    low, high = np.take_along_axis(low, order, axis=0), np.take_along_axis(high, order, axis=0)
    return np.asarray(np.isfinite(low).all(axis=0) & (high[:-1] < low[1:]).all(axis=0))


def _judge(name: str, source: str, codes: np.ndarray, values: np.ndarray, endpoint: Endpoint) -> Finding | None:
    """Every boundary between neighbouring groups, within the patients of both."""
    known = ~np.isnan(codes) & ~np.isnan(values)
    groups = pd.Series(values[known]).groupby(codes[known]).min().sort_values().index
    shares, usual, strength = [], False, 0.0
    for first, second in pairwise(groups):
        rows = np.flatnonzero(known & ((codes == first) | (codes == second)))
        upper = codes[rows] == second
        share, z = _best_share(values[rows], upper, endpoint.take(rows))
        shares.append(share)
        strength = max(strength, z)
        usual |= len(groups) == 2 and _customary(values[rows], upper)
    worst = max(shares)
    if not worst <= _NEAR_BEST or strength < _SOME_Z:
        return None
    few = len(np.unique(values[known])) < _MANY_CUTS
    level = "alarm" if worst == 0 and not usual and not few and strength >= _SURE_Z else "notice"
    where = "where it separates" if worst == 0 else "close to where it separates"
    also = ", which is a usual cut as well (middle, quartile, tertile or round number)" if usual else ""
    return Finding(KIND, "alarm" if level == "alarm" else "notice", f"'{name}' cuts '{source}' {where} the outcome of "
                   f"these patients best{also}.", f"'{name}'", _TODO, round(worst, 4), int(known.sum()))


def _best_share(values: np.ndarray, upper: np.ndarray, endpoint: Endpoint) -> tuple[float, float]:
    """Share of better cuts, by the criterion and smallest group that favour this cut most, and the |z| of this cut."""
    n = len(values)
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order]) > 0) + 1  # patients below each possible cut
    size = int((~upper).sum()) if values[upper].min() > values[~upper].max() else int(upper.sum())
    here = np.flatnonzero(ends == size)
    if len(ends) < _LEAST_CUTS or not len(here):
        return float("nan"), 0.0
    best = 1.0
    smaller = np.minimum(ends, n - ends)
    for criterion in _criteria(order, ends, endpoint):
        # The largest of the smallest groups that people may have asked for, given that this cut was allowed.
        for smallest in np.unique(smaller[smaller <= min(_LARGEST_SHARE * n, smaller[here[0]])]):
            allowed = smaller >= smallest
            if allowed.sum() >= _LEAST_CUTS:
                best = min(best, float((criterion[allowed] > criterion[here[0]] + 1e-9).mean()))
    return best, float(_z(target_numbers(endpoint)[order], ends)[here[0]])


def _criteria(order: np.ndarray, ends: np.ndarray, endpoint: Endpoint) -> Iterator[np.ndarray]:
    """What a cut may have been chosen by, for each possible cut, shape (n_cuts,)."""
    target, n = target_numbers(endpoint)[order], len(order)
    yield _z(target, ends)
    if endpoint.kind == "survival":
        yield _log_rank(endpoint.take(order), ends)
        return
    if endpoint.kind == "binary":
        below = np.cumsum(target[:, 0])[ends - 1]
        cases = target[:, 0].sum()
        yield np.abs(below / cases - (ends - below) / (n - cases))  # Youden's index
        right = below + (n - ends - (cases - below))
        yield np.maximum(right, n - right).astype(float)  # accuracy


def _z(target: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Root of the chi-squared (score) statistic of each cut: of the mean outcome below and above."""
    n = len(target)
    centred = target - target.mean(axis=0)
    sums = np.cumsum(centred, axis=0)[ends - 1]
    spread = np.maximum(centred.var(axis=0), 1e-12)
    return np.sqrt((sums**2 / spread).sum(axis=1) / (ends * (n - ends) / n))


def _log_rank(ordered: Endpoint, ends: np.ndarray) -> np.ndarray:
    """Log-rank |z| of each cut of patients who are sorted by the cut column, shape (n_cuts,).

    Variance by the hypergeometric formula at each time of an event (Mantel 1966).
    """
    assert ordered.time is not None
    entry = ordered.entry if ordered.entry is not None else np.full(len(ordered), -np.inf)
    observed = np.cumsum(ordered.event)[ends - 1].astype(float)
    expected, variance = np.zeros(len(ends)), np.zeros(len(ends))
    for time in np.unique(ordered.time[ordered.event]):
        at_risk = (ordered.time >= time) & (entry < time)
        n, events = int(at_risk.sum()), int((ordered.event & (ordered.time == time)).sum())
        below = np.cumsum(at_risk)[ends - 1]
        expected += events * below / n
        if n > 1:
            variance += events * (n - events) / (n - 1) * (below / n) * (1 - below / n)
    return np.asarray(np.abs(observed - expected) / np.sqrt(np.maximum(variance, 1e-12)))


def _customary(values: np.ndarray, upper: np.ndarray) -> bool:
    """Whether people choose this cut without looking at the outcome: median, mean, quartile, tertile, round number."""
    low = min((values[upper], values[~upper]), key=np.max)
    high = max((values[upper], values[~upper]), key=np.max)
    below, above = float(low.max()), float(high.min())
    quantile = np.abs(len(low) / len(values) - np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4])).min() <= 0.5 / len(values)
    step = 10.0 ** np.round(np.log10(values.std()))
    step = step / 2 if step >= 10 else step  # ages are cut at 65 as well as at 60
    rounded = np.floor(above / step) * step >= below  # a multiple of the step lies in the gap, ends included
    return bool(quantile or rounded or below <= values.mean() <= above)

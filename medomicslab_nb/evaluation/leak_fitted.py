"""Leakage: tables that were prepared on all patients. What selection, imputation and harmonisation leave behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import (
    MIN_PATIENTS,
    Finding,
    association,
    class_indicators,
    numbers,
    some,
    standardised,
    target_numbers,
)

KIND = "fitted_outside"

_SELECTED_P = 1e-4
_CHOSEN_P = 1e-6
_LEAST_COLUMNS = 10
_MOST_FROM_NOISE = 5.2  # |z| that the best of a million columns without any effect stays below
_TOP_SHARE = 0.8
_EXACT = 1e-6
_HARMONISED = 0.15  # median F of centres, where 1 is expected


def fitted_outside(frame: pd.DataFrame, endpoint: Endpoint, *, categorical: Sequence[str] = (),
                   centre: pd.Series | None = None, pool: pd.DataFrame | None = None) -> list[Finding]:
    """What a table shows of having been prepared on all its patients.

    Parameters
    ----------
    centre : Series of text, index = patient, optional
    pool : DataFrame, shape (n, more), optional
        The table from which the columns were taken, with the others that were not.
    """
    numeric = numbers(frame, categorical)
    if len(numeric) < MIN_PATIENTS or numeric.empty:
        return []
    findings = [] if pool is None else list(chosen_from(numeric, numbers(pool), endpoint))
    if not findings:
        findings.extend(_cut_off(numeric, endpoint))
    findings.extend(_imputed(numeric, endpoint))
    findings.extend(_scaled(numeric))
    if centre is not None:
        findings.extend(_harmonised(numeric, centre.reindex(frame.index), endpoint))
    return findings


# -- selection --------------------------------------------------------------------------------------------------------


def chosen_from(chosen: pd.DataFrame, pool: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Whether columns are the ones of a larger table that go best with the outcome of these very patients."""
    names = [name for name in chosen.columns if name in pool.columns]
    others = pool.columns.difference(names, sort=False)
    if len(names) < 3 or len(others) < max(10, len(names)):
        return
    strength = pd.Series(association(pool.to_numpy(), target_numbers(endpoint)), index=pool.columns)
    best = set(strength.nlargest(len(names)).index)
    hits = len(best & set(names))
    # Each of them is among the best by chance with the share of the table that was chosen.
    chance = float(binom.sf(hits - 1, len(names), len(names) / len(strength)))
    if hits >= _TOP_SHARE * len(names) and chance < _CHOSEN_P:
        yield Finding(KIND, "alarm", f"{hits} of the {len(names)} columns used are the {len(names)} of {len(strength)} "
                      "that go best with the outcome of all these patients.", some(names), "Give all columns, and let "
                      "them be selected inside the folds", round(hits / len(names), 4), len(chosen))


def _cut_off(numeric: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Columns that all go with the outcome, hardly more than a threshold asks for: what selection from noise leaves.

    Whatever the effects are, as long as small ones are at least as common as larger ones, |z| falls as often into
    [0, c] as into [c, 2 c]. Hardly any in [0, c], many just above c and none that noise could not reach tells of a
    selection. Columns that go together count as fewer (participation ratio of their correlations).
    """
    values = numeric.loc[:, numeric.nunique() > 1].to_numpy()
    if values.shape[1] < _LEAST_COLUMNS:
        return
    strength = np.sort(association(values, target_numbers(endpoint)))
    count, share = len(strength), _independent_share(values)
    if np.quantile(strength, 0.9) > _MOST_FROM_NOISE:
        return
    cuts = np.concatenate([strength[strength > 0.5], strength[strength > 0.5] - 1e-9])
    best = (1.0, 0.0)
    for cut in cuts:
        below, above = int((strength < cut).sum()), int(((strength >= cut) & (strength < 2 * cut)).sum())
        if below > 0.2 * count or above < 0.5 * count:
            continue
        excess = np.median(strength[strength >= cut] - cut)
        beyond = cut + excess <= norm.isf(norm.sf(cut) * 0.2)
        if beyond:
            best = min(best, (float(binom.logcdf(below, below + above, 0.5)) * share, cut))
    if best[0] < np.log(_SELECTED_P):
        yield Finding(KIND, "alarm", f"Nearly all of {count} columns go with the outcome, hardly more than a threshold "
                      f"(|z| = {best[1]:.2f}) asks for, and almost none does not: they were selected by the outcome of "
                      "these patients.", "columns", "Give all columns, and let them be selected inside the folds",
                      round(best[1], 3), len(numeric))


def _independent_share(values: np.ndarray) -> float:
    """Share of the columns that count as independent, from the eigenvalues of their correlations."""
    matrix = standardised(values)
    n, p = matrix.shape
    gram = (matrix @ matrix.T if p > n else matrix.T @ matrix) / n
    first, second = np.trace(gram), float((gram**2).sum())
    # Without any correlation the sum of squares is p + p (p - 1) / n.
    noise = p * (p - 1) / n
    return float(np.clip(first**2 / max(second - noise, first**2 / p) / p, 1 / p, 1.0))


# -- imputation and scaling -------------------------------------------------------------------------------------------


def _imputed(numeric: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Columns of measurements in which one value is far too common, and is the mean or median of the others."""
    indicators = class_indicators(endpoint)
    filled, by_class = [], []
    for name in numeric.columns:
        column = numeric[name].to_numpy()
        codes, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        if len(codes) < max(MIN_PATIENTS, 0.3 * len(column)):
            continue
        common = codes[counts >= max(4, 0.02 * len(column))]
        if any(_class_mean(column, value, of_class == 1) for value in common for of_class in indicators.T):
            by_class.append(str(name))
        elif any(_is_middle(column, value) for value in common):
            filled.append(str(name))
    if by_class:
        yield Finding(KIND, "alarm", f"Missing values of {some(by_class)} were filled in with the mean or median of "
                      "the patients with the same outcome.", some(by_class), "Give the values as they were, with gaps: "
                      "they are imputed inside the folds, without the outcome", float(len(by_class)), len(numeric))
    if filled:
        yield Finding(KIND, "notice", f"Missing values of {some(filled)} were filled in with the mean or median of all "
                      "patients.", some(filled), "Give the values as they were, with gaps: they are imputed inside the "
                      "folds", float(len(filled)), len(numeric))


def _is_middle(column: np.ndarray, value: float) -> bool:
    """Whether a value is the mean of the other values, or their median to more digits than they are written with."""
    return _middle_of(column[~np.isnan(column) & (column != value)], value)


def _middle_of(others: np.ndarray, value: float) -> bool:
    """Whether a value is the mean or median of others, with more digits than they are written with (or four)."""
    near = min(abs(others.mean() - value), abs(np.median(others) - value)) <= _EXACT * others.std()
    return bool(near and (_decimals(value) >= 4 or _decimals(value) > max(_decimals(x) for x in others[:200])))


def _decimals(value: float) -> int:
    """Decimals that a number is written with, at most 12."""
    text = f"{value:.12g}"
    return len(text.partition(".")[2]) if "e" not in text else 12


def _class_mean(column: np.ndarray, value: float, positive: np.ndarray) -> bool:
    """Whether only one class has a value, and it is that class's mean or median."""
    owners = column == value
    for side in (positive, ~positive):
        if not owners[~side].any() and owners[side].any():
            others = column[side & ~owners & ~np.isnan(column)]
            if len(others) >= 5 and _middle_of(others, value) and side.mean() ** owners.sum() < 0.05:
                return True
    return False


def _scaled(numeric: pd.DataFrame) -> Iterator[Finding]:
    """Tables with mean 0 and variance 1, or from 0 to 1, over exactly these patients."""
    continuous = numeric.loc[:, numeric.nunique() >= max(10, 0.2 * len(numeric))]
    if continuous.shape[1] < 3:
        return
    mean, spread = continuous.mean(), continuous.std(ddof=0)
    centred = mean.abs() <= _EXACT * spread
    unit = (spread - 1).abs().le(_EXACT) | (continuous.std(ddof=1) - 1).abs().le(_EXACT)
    ranged = continuous.min().abs().le(_EXACT) & (continuous.max() - 1).abs().le(_EXACT)
    robust = continuous.median().abs() <= _EXACT * spread
    for words, which in (("have mean 0 and standard deviation 1 over", centred & unit), ("have mean 0 over", centred),
                         ("run from 0 to 1 over", ranged), ("have median 0 over", robust)):
        if which.mean() > 0.5:
            yield Finding(KIND, "notice", f"{int(which.sum())} of {len(which)} columns {words} exactly these patients: "
                          "they were scaled on all of them.", some([str(name) for name in which.index[which]]),
                          "Give the values before scaling; columns are scaled inside the folds",
                          round(float(which.mean()), 3), len(numeric))
            return


# -- harmonisation ----------------------------------------------------------------------------------------------------


def _harmonised(numeric: pd.DataFrame, centre: pd.Series, endpoint: Endpoint) -> Iterator[Finding]:
    """Centres that are more alike than chance allows: harmonised on all patients, or even given the outcome.

    The median over columns of the F statistic of centres is near 1 where centres do not differ, and higher where they
    do. After a harmonisation it is near 0: as the columns are, or, when the outcome was a covariate, given the outcome.
    """
    rows = centre.notna().to_numpy()
    codes = pd.factorize(centre[rows])[0]
    sizes = np.bincount(codes)
    continuous = numeric[rows].loc[:, numeric[rows].nunique() >= 10]
    if len(sizes) < 2 or sizes.min() < 5 or continuous.shape[1] < _LEAST_COLUMNS:
        return
    design = (codes[:, None] == np.arange(len(sizes))).astype(float)
    target = target_numbers(endpoint)[rows]
    values = standardised(continuous.to_numpy())
    plain = _median_f(values, np.ones((len(codes), 1)), design)
    given = _median_f(values, np.column_stack([np.ones(len(codes)), target]), design)
    if min(plain, given) >= _HARMONISED:
        return
    with_outcome = given < 0.3 * plain
    yield Finding(KIND, "alarm" if with_outcome else "notice", "The columns were harmonised between centres on all "
                  f"patients{' with the outcome as a covariate' if with_outcome else ''} (F of centres "
                  f"{'given the outcome ' if with_outcome else ''}{min(plain, given):.3f}, 1 is expected).", "columns",
                  "Give the values before harmonisation; it is fitted inside the folds, never with the outcome",
                  round(min(plain, given), 4), int(rows.sum()))


def _median_f(values: np.ndarray, base: np.ndarray, design: np.ndarray) -> float:
    """Median over columns of the F of ``design`` beyond ``base``."""
    small, full = _orthonormal(base), _orthonormal(np.column_stack([base, design]))
    left = (values**2).sum(axis=0) - ((small.T @ values) ** 2).sum(axis=0)
    rest = (values**2).sum(axis=0) - ((full.T @ values) ** 2).sum(axis=0)
    degrees = full.shape[1] - small.shape[1]
    if not degrees:
        return float("inf")
    return float(np.median((left - rest) / degrees / np.maximum(rest / (len(values) - full.shape[1]), 1e-12)))


def _orthonormal(matrix: np.ndarray) -> np.ndarray:
    vectors, singular, _ = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(vectors[:, singular > 1e-9 * singular[0]])

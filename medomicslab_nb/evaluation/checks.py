"""Checks that both the data stage and the models stage make, as pure functions on arrays and frames.

None of them changes a value: each says what it found, and the caller decides whether that is an error.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

NEARLY_PERFECT = 0.99
"""AUC, concordance or rank correlation from which a single predictor is taken for the outcome in disguise."""

_SCREENING_PAIRS = 1_000
_SCREENING_MARGIN = 0.05
_BLOCK_COLUMNS = 500
_MIN_PATIENTS = 10
_MAX_CHANCE = 0.05

# Measurements that are never zero in a living patient, as words of a column name (English, French, common codes).
NEVER_ZERO = frozenset({
    "age", "bmi", "imc", "weight", "poids", "height", "chol", "cholesterol", "sbp", "dbp", "trestbps", "systolic",
    "diastolic", "bp", "pulse", "thalach", "hr", "temperature", "hemoglobin", "haemoglobin", "hemoglobine", "hb", "hgb",
    "hematocrit", "haematocrit", "hct", "albumin", "albumine", "creatinine", "sodium", "potassium", "glucose",
    "glycemia", "platelets", "plaquettes", "leukocytes", "leucocytes", "wbc", "rbc"})
_NEVER_ZERO_PHRASES = (("blood", "pressure"), ("heart", "rate"))


@dataclass(frozen=True)
class Disguise:
    """A predictor that tells the outcome (nearly) perfectly on its own."""

    column: str
    measure: str
    """``auc``, ``concordance``, ``correlation``, ``recoding`` or ``filled in``."""
    value: float
    n: int
    """Patients in whom the comparison was possible."""

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        words = {
            "auc": "separates the outcome's classes (nearly) perfectly by itself",
            "concordance": "orders the times to the event (nearly) perfectly by itself",
            "correlation": "is (nearly) a function of the outcome",
            "recoding": "is (nearly) the outcome under other labels",
            "filled in": "is filled in (nearly) exactly when the outcome is present",
        }
        return f"{words[self.measure]} ({self.measure} {self.value:.3f}, n = {self.n})"


def disguised_predictors(
    predictors: pd.DataFrame,
    *,
    outcome: pd.Series | None = None,
    time: pd.Series | None = None,
    event: pd.Series | None = None,
    threshold: float = NEARLY_PERFECT,
) -> list[Disguise]:
    """Predictors that are the outcome in disguise.

    Parameters
    ----------
    predictors : DataFrame, shape (n_patients, n_predictors)
        Numbers, booleans or categories; missing values allowed.
    outcome : Series, shape (n_patients,), optional
        Classes, or numbers with more than ten different values (a continuous outcome).
    time, event : Series, shape (n_patients,), optional
        Follow-up time and whether the event was seen, for a survival outcome.
    threshold : float
        AUC, concordance (both in either direction) or absolute rank correlation from which a predictor is named.

    Returns
    -------
    list of Disguise
        In the order of the columns, at most one for each. What separates a handful of patients by chance (normal
        approximation, corrected for the number of predictors, above .05) is left out.

    Notes
    -----
    Rows are matched by position. A categorical predictor, five patients or more per category on average (an
    identifier would separate anything), is scored by the share of the class in each category.
    """
    if outcome is None and (time is None or event is None):
        raise ValueError("give the outcome, or time and event")
    found: dict[str, Disguise] = {}
    numeric = _as_numbers(predictors)
    if outcome is None:
        assert time is not None and event is not None
        target = event.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        _collect(found, _by_concordance(numeric, np.asarray(time, dtype=float), target, threshold))
    elif is_continuous(outcome):
        target = np.asarray(outcome, dtype=float)
        _collect(found, _by_correlation(numeric, target, threshold))
        return _in_order(found, predictors)
    else:
        target = pd.Series(pd.factorize(np.asarray(outcome))[0], dtype=float).replace(-1, np.nan).to_numpy()
    for code in _classes(target):
        positive = np.where(np.isnan(target), np.nan, target == code)
        _collect(found, _by_auc(numeric, positive, threshold, "auc"))
        _collect(found, _by_auc(_presence(predictors), positive, threshold, "filled in"))
        _collect(found, _by_recoding(predictors.drop(columns=numeric.columns), positive, threshold))
    return _in_order(found, predictors)


def is_continuous(outcome: pd.Series) -> bool:
    """Whether an outcome is a number with more than ten different values."""
    return pd.api.types.is_numeric_dtype(outcome) and outcome.nunique() > 10


def after_index_date(dates: pd.Series, index_dates: pd.Series) -> pd.Series:
    """Which dates lie after the index date of their patient.

    Parameters
    ----------
    dates : Series of datetime, index = patient (may repeat: several visits)
    index_dates : Series of datetime, index = patient (each once)

    Returns
    -------
    Series of bool, indexed like ``dates``
        False where either date is missing. The time of day is ignored.
    """
    reference = index_dates.reindex(dates.index)
    late = dates.dt.normalize().to_numpy() > reference.dt.normalize().to_numpy()
    return pd.Series(late, index=dates.index)


def impossible_zeros(values: pd.Series) -> int:
    """How many zeros of a column look like missing values written as 0; none gives 0.

    Two rules: the column's name holds a measurement that is never zero in a living patient (:data:`NEVER_ZERO`);
    or, in a column with more than ten different values, all positive, two zeros or more lie apart from the rest,
    by more than the interquartile range and a quarter of the median of the other values.
    """
    numbers = pd.to_numeric(values, errors="coerce").dropna().to_numpy(dtype=float)
    zeros = int((numbers == 0).sum())
    if not zeros or _never_zero(str(values.name)):
        return zeros
    others = numbers[numbers != 0]
    if zeros < 2 or len(np.unique(others)) <= 10 or others.min() < 0:
        return 0
    low, middle, high = np.quantile(others, [0.25, 0.5, 0.75])
    return zeros if others.min() > max(high - low, middle / 4) else 0


def endpoint_faults(*, outcome: pd.Series | None = None, time: pd.Series | None = None,
                    event: pd.Series | None = None) -> list[str]:
    """What makes an outcome unusable for modelling, as sentences; empty when nothing does.

    One class only, no events, negative or infinite times. Missing values are not faults: such patients have no
    outcome and are left out elsewhere.
    """
    faults = []
    classes = event if event is not None else outcome
    if classes is not None and classes.nunique() < 2:
        what = "no value at all" if classes.nunique() == 0 else "one class only"
        faults.append(f"the outcome '{classes.name}' has {what}")
    if time is not None:
        numbers = time.to_numpy(dtype=float, na_value=np.nan)
        for what, wrong in (("negative", numbers < 0), ("infinite", np.isinf(numbers))):
            if wrong.any():
                faults.append(f"the follow-up time '{time.name}' is {what} in {int(wrong.sum())} patients")
    return faults


def _never_zero(name: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Za-z][a-z]+|[A-Z]+|[a-z]+", name)]
    pairs = set(pairwise(words))
    return any(word in NEVER_ZERO for word in words) or any(pair in pairs for pair in _NEVER_ZERO_PHRASES)


def _as_numbers(predictors: pd.DataFrame) -> pd.DataFrame:
    numeric = predictors.select_dtypes(include=["number", "bool", "boolean"])
    return numeric.astype("float64").replace([np.inf, -np.inf], np.nan)


def _presence(predictors: pd.DataFrame) -> pd.DataFrame:
    """1 where a value is there, only for columns with something missing."""
    missing = predictors.isna()
    return (~missing.loc[:, missing.any()]).astype(float)


def _classes(target: np.ndarray) -> np.ndarray:
    """The classes to hold against all others: one of two, all of several."""
    codes = np.unique(target[~np.isnan(target)])
    return codes[:1] if len(codes) == 2 else codes if len(codes) > 2 else codes[:0]


def _collect(found: dict[str, Disguise], more: list[Disguise]) -> None:
    for disguise in more:
        found.setdefault(disguise.column, disguise)


def _in_order(found: dict[str, Disguise], predictors: pd.DataFrame) -> list[Disguise]:
    return [found[name] for name in predictors.columns if name in found]


def _by_auc(numeric: pd.DataFrame, positive: np.ndarray, threshold: float, measure: str) -> list[Disguise]:
    """Columns with an AUC >= threshold in either direction, by ranks (ties count half)."""
    cases, controls = np.flatnonzero(positive == 1), np.flatnonzero(positive == 0)
    if not len(cases) or not len(controls):
        return []
    candidates = _screened(numeric, *_some_pairs(cases, controls), threshold)
    ranks = candidates.iloc[np.concatenate([cases, controls])].rank()
    n_1 = candidates.iloc[cases].notna().sum().to_numpy()
    n_0 = candidates.iloc[controls].notna().sum().to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = (ranks.iloc[: len(cases)].sum().to_numpy() - n_1 * (n_1 + 1) / 2) / (n_1 * n_0)
        z = np.abs(auc - 0.5) / np.sqrt((n_1 + n_0 + 1) / (12 * n_1 * n_0))
    strength = np.maximum(auc, 1 - auc)
    return [
        Disguise(name, measure, float(s), int(a + b))
        for name, s, a, b, deviation in zip(candidates.columns, strength, n_1, n_0, z, strict=True)
        if a and b and a + b >= _MIN_PATIENTS and s >= threshold and _beyond_chance(deviation, len(numeric.columns))
    ]


def _some_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs drawn from the product of two sets of positions; the draw is fixed."""
    rng = np.random.default_rng(0)
    return rng.choice(first, _SCREENING_PAIRS), rng.choice(second, _SCREENING_PAIRS)


def _screened(numeric: pd.DataFrame, first: np.ndarray, second: np.ndarray, threshold: float) -> pd.DataFrame:
    """The columns that may reach the threshold, by a sample of pairs: computing ranks of all would be slow."""
    rough, _ = _concordance(numeric, first, second)
    return numeric.loc[:, rough >= threshold - _SCREENING_MARGIN]


def _beyond_chance(z: float, comparisons: int) -> bool:
    return math.erfc(z / math.sqrt(2)) * comparisons < _MAX_CHANCE


def _by_correlation(numeric: pd.DataFrame, target: np.ndarray, threshold: float) -> list[Disguise]:
    strength = numeric.corrwith(pd.Series(target, index=numeric.index), method="spearman").abs()
    counts = numeric[~np.isnan(target)].notna().sum()
    return [Disguise(name, "correlation", float(strength[name]), int(counts[name])) for name in numeric.columns
            if strength[name] >= threshold and counts[name] >= _MIN_PATIENTS]


def _by_concordance(numeric: pd.DataFrame, time: np.ndarray, event: np.ndarray, threshold: float) -> list[Disguise]:
    """Columns whose order is (nearly) that of the event times, screened on some pairs and confirmed on all."""
    first, second = _comparable_pairs(time, event)
    if len(first) > _SCREENING_PAIRS:
        sample = np.random.default_rng(0).choice(len(first), _SCREENING_PAIRS, replace=False)
        candidates = _screened(numeric, first[sample], second[sample], threshold)
    else:
        candidates = numeric
    exact, pairs = _concordance(candidates, first, second)
    counts = candidates.notna().sum()
    # Few pairs are ordered by chance: with fewer than ten events nothing is claimed.
    return [Disguise(name, "concordance", float(value), int(counts[name]))
            for name, value, n in zip(candidates.columns, exact, pairs, strict=True)
            if value >= threshold and n >= 100 and np.nansum(event) >= _MIN_PATIENTS]


def _comparable_pairs(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (i, j) of pairs in which i had the event before j's time."""
    cases = np.flatnonzero(event == 1)
    later = time[cases][:, None] < time[None, :]
    first, second = np.nonzero(later)
    return cases[first], second


def _concordance(numeric: pd.DataFrame, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concordance in the better direction, and pairs with both values, for each column."""
    values = numeric.to_numpy()
    strength, counts = np.full(values.shape[1], 0.5), np.zeros(values.shape[1], dtype=int)
    for start in range(0, values.shape[1], _BLOCK_COLUMNS):
        block = slice(start, start + _BLOCK_COLUMNS)
        sign = np.sign(values[first, block] - values[second, block])  # shape (n_pairs, n_columns), NaN = missing
        counts[block] = n = (~np.isnan(sign)).sum(axis=0)
        mean = np.divide(np.nansum(sign, axis=0), n, out=np.zeros(len(n)), where=n > 0)
        strength[block] = 0.5 + np.abs(mean) / 2
    return strength, counts


def _by_recoding(categories: pd.DataFrame, positive: np.ndarray, threshold: float) -> list[Disguise]:
    """Columns whose categories' shares of the class have an AUC >= threshold."""
    own, others = {}, {}
    for name in categories.columns:
        known = categories[name].notna().to_numpy() & ~np.isnan(positive)
        groups = pd.Series(positive[known]).groupby(categories[name].astype(str).to_numpy()[known])
        if 2 <= groups.ngroups <= known.sum() / 5:
            rows = np.flatnonzero(known)
            own[name] = groups.transform("mean").set_axis(rows)
            others[name] = ((groups.transform("sum") - positive[known]) / (groups.transform("size") - 1)).set_axis(rows)
    positions = range(len(positive))
    # A share counts the patient too, so rare cases seem foretold: the other patients must agree beyond chance.
    agreeing = _by_auc(pd.DataFrame(others, index=positions), positive, 0.5, "recoding")
    confirmed = {found.column for found in agreeing}
    return [found for found in _by_auc(pd.DataFrame(own, index=positions), positive, threshold, "recoding")
            if found.column in confirmed]

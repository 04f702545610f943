"""Leakage: the outcome in disguise. One column that tells it too well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm, rankdata, spearmanr

from medomicslab_nb.evaluation.checks import NEARLY_PERFECT, disguised_predictors
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import (
    MIN_PATIENTS,
    Finding,
    auc_error,
    aucs,
    class_indicators,
    numbers,
    standardised,
    target_numbers,
    unlike_the_commonest,
)
from medomicslab_nb.evaluation.leak_together import outcome_in_several

KIND = "outcome_in_disguise"

_TODO = "Find out how and when the column came about; leave it out unless it was known before the outcome"
_NEIGHBOURS = 3  # on each side along a column
_SHARED = 0.8  # share of the patients with the same value as another
_CATEGORIES = 20
_NOT_MONOTONE = 0.97
_WEAK = 0.85  # AUC up to which a column tells little by itself
_NOISY = 0.95  # lower bound of an AUC that no marker of a disease reaches alone
_STRONG = 0.90
_NOISY_TIME, _STRONG_TIME = 0.90, 0.82  # the same of a concordance with event times
_FAR_AHEAD = 0.12  # in AUC, before the next best column that is no copy of it
_ONE_SIDED = 0.3  # share of the patients with the outcome who have the mark that nobody else has
_ONE_SIDED_P = 1e-6
_PAIR_COLUMNS = 1_000
_TOO_GOOD_P = 1e-6
_WORD_PATIENTS = 5
_WORDS = 300


def outcome_in_disguise(frame: pd.DataFrame, endpoint: Endpoint,
                        categorical: Sequence[str] = ()) -> list[Finding]:
    """Columns that tell the outcome by themselves or together as only its copy can.

    Parameters
    ----------
    frame : DataFrame, shape (n, p)
        Predictors, rows as in ``endpoint``. Texts and dates may be among them.
    """
    numeric = with_dates(frame, numbers(frame, categorical))
    others = frame.drop(columns=[name for name in numeric.columns if name in frame.columns])
    found: dict[str, Finding] = {}
    for more in (_alone(frame, endpoint), _along(numeric, endpoint), _written(frame, others, endpoint),
                 _too_good_means(numeric, endpoint), _noisy(numeric, others, endpoint)):
        for finding in more:
            if found.get(finding.where, finding).level == "notice" or finding.where not in found:
                found[finding.where] = finding
    named = [name for name in frame.columns if f"'{name}'" in found]
    several = outcome_in_several(frame.drop(columns=named), numeric.drop(columns=named, errors="ignore"), endpoint)
    return [*found.values(), *several]


def with_dates(frame: pd.DataFrame, numeric: pd.DataFrame) -> pd.DataFrame:
    """The numeric columns, and dates as days, so that a difference of two dates is seen as well."""
    dates = frame.select_dtypes(include=["datetime", "datetimetz"])
    if dates.empty:
        return numeric
    days = dates.apply(lambda column: (column - column.min()) / pd.Timedelta(days=1)).astype(float)
    return pd.concat([numeric, days], axis=1)


def _finding(level: str, where: str, what: str, value: float, n: int, todo: str = _TODO) -> Finding:
    return Finding(KIND, "alarm" if level == "alarm" else "notice", what, where, todo, round(float(value), 4), n)


# -- one column -------------------------------------------------------------------------------------------------------


def _alone(frame: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """What :func:`~medomicslab_nb.evaluation.checks.disguised_predictors` names, for every kind of outcome."""
    index = frame.index
    if endpoint.kind == "survival":
        found = disguised_predictors(frame, time=pd.Series(endpoint.time, index=index),
                                     event=pd.Series(endpoint.event, index=index))
    elif endpoint.kind == "multiclass":
        yield from _every_class(frame, endpoint)
        return
    else:
        found = disguised_predictors(frame, outcome=pd.Series(endpoint.outcome, index=index))
    for disguise in found:
        yield _finding("alarm", f"'{disguise.column}'", f"'{disguise.column}' {disguise.sentence}.", disguise.value,
                       disguise.n)


def _every_class(frame: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """A column that tells one class of several may be an honest one; a copy of the outcome tells all of them."""
    names = [{found.column: found for found in disguised_predictors(frame, outcome=pd.Series(of_class, frame.index))}
             for of_class in class_indicators(endpoint).T.astype(bool)]
    for column in frame.columns:
        told = [found[column] for found in names if column in found]
        if not told:
            continue
        everyone = len(told) == len(names)
        what = "every class" if everyone else f"{len(told)} of {len(names)} classes"
        yield _finding("alarm" if everyone else "notice", f"'{column}'",
                       f"'{column}' tells {what} of the outcome (nearly) perfectly by itself.",
                       min(found.value for found in told), told[0].n)


def _along(numeric: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Columns along which the outcome is that of the neighbours, in whatever order the classes come.

    Neighbours with the same value are left out first: the others with that value are a group of their own.
    """
    if len(numeric) < MIN_PATIENTS or numeric.empty:
        return
    indicators = class_indicators(endpoint)
    if indicators.shape[1]:
        values = np.column_stack([aucs(_neighbour_means(numeric, of_class), of_class == 1)
                                  for of_class in indicators.T]).min(axis=1)
    else:
        values = _correlation(_neighbour_means(numeric, rankdata(endpoint.outcome)), rankdata(endpoint.outcome))
    if endpoint.time is not None:
        ranks = rankdata(endpoint.time)
        values = np.maximum(values, _correlation(_neighbour_means(numeric, ranks), ranks))
    for name, value in zip(numeric.columns, values, strict=True):
        if value >= _NOT_MONOTONE:
            yield _finding("alarm" if value >= NEARLY_PERFECT or _monotone(numeric[name], endpoint) < _WEAK else
                           "notice", f"'{name}'", f"Patients with neighbouring values of '{name}' have the same "
                           f"outcome ({value:.3f}, n = {len(numeric)}).", value, len(numeric))


def _monotone(column: pd.Series, endpoint: Endpoint) -> float:
    """The best AUC of a column by its order alone; 0 for continuous outcomes, where copies are near 1 in any order."""
    values = [aucs(column.to_numpy()[:, None], of_class == 1)[0] for of_class in class_indicators(endpoint).T]
    return float(max((max(value, 1 - value) for value in values), default=0.0))


def _neighbour_means(numeric: pd.DataFrame, target: np.ndarray) -> np.ndarray:
    """Mean outcome of the nearest others along each column, shape (n, p): of equal values where there are any."""
    n, reach = len(numeric), _NEIGHBOURS
    result = np.empty(numeric.shape)
    values = numeric.to_numpy()
    for position in range(values.shape[1]):
        order = np.argsort(values[:, position], kind="stable")
        ordered, outcome = values[order, position], target[order]
        sums = np.concatenate([[0.0], np.cumsum(outcome)])
        low, high = np.maximum(np.arange(n) - reach, 0), np.minimum(np.arange(n) + reach + 1, n)
        same_low, same_high = _runs(ordered)
        shared = same_high - same_low > 1
        # Columns in which values are shared are read value by value, others by a window.
        many = shared if shared.mean() >= _SHARED else same_high - same_low > 2 * reach
        low, high = np.where(many, same_low, low), np.where(many, same_high, high)
        result[order, position] = (sums[high] - sums[low] - outcome) / np.maximum(high - low - 1, 1)
    return result


def _runs(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last position (exclusive) of each value's equals in a sorted column; missing values are equal."""
    changes = np.flatnonzero(~((ordered[1:] == ordered[:-1]) | (np.isnan(ordered[1:]) & np.isnan(ordered[:-1])))) + 1
    edges = np.concatenate([[0], changes, [len(ordered)]])
    run = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    return edges[run], edges[run + 1]


def _correlation(values: np.ndarray, target: np.ndarray) -> np.ndarray:
    return standardised(values).T @ standardised(target[:, None])[:, 0] / len(target)


def _too_good_means(numeric: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Columns whose values are the outcome's mean among the patients who have them: categories coded by the outcome.

    The means of groups scatter about any value that was not computed from them. chi-squared below what that scatter
    leaves by chance (p < 1e-6) tells that they were.
    """
    if endpoint.kind in ("survival", "multiclass"):
        return
    target = endpoint.outcome.astype(float)
    for name in numeric.columns:
        column = numeric[name].to_numpy()
        known = ~np.isnan(column)
        codes, inverse, counts = np.unique(column[known], return_inverse=True, return_counts=True)
        large = counts >= 2
        if large.sum() < 6 or known.sum() > counts.sum() or counts[large].sum() < 0.8 * known.sum():
            continue
        means = np.bincount(inverse, target[known]) / counts
        slope, offset = np.polyfit(codes[large], means[large], 1, w=np.sqrt(counts[large]))
        residual = means[large] - slope * codes[large] - offset
        scatter = float(((target[known] - means[inverse]) ** 2).sum() / max(known.sum() - len(codes), 1))
        statistic = float((counts[large] * residual**2).sum() / max(scatter, 1e-12))
        explained = 1 - residual.var() / max(means[large].var(), 1e-12)
        if explained > 0.8 and chi2.cdf(statistic, large.sum() - 2) < _TOO_GOOD_P:
            yield _finding("alarm", f"'{name}'", f"The values of '{name}' are the outcome's means among the patients "
                           f"who share them ({int(large.sum())} values).", explained, int(known.sum()),
                           "Encode categories by the outcome inside the folds only")


# -- marks: what is written, and how ----------------------------------------------------------------------------------


def _written(frame: pd.DataFrame, others: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Marks that only patients with the outcome have: a value that is filled in, a word, a number of decimals."""
    if len(frame) < MIN_PATIENTS:
        return
    for of_class in class_indicators(endpoint).T:
        marks = dict(_marks(frame, others))
        for name, (mark, words, level) in marks.items():
            purity = _one_sided(mark, of_class == 1, len(marks))
            if purity is not None:
                column = name.partition("\n")[0]
                yield _finding(level, f"'{column}'", f"'{column}' {words} in {purity:.0%} of one side of the outcome "
                               "and in (nearly) nobody of the other.", purity, len(mark))


def _marks(frame: pd.DataFrame, others: pd.DataFrame) -> Iterator[tuple[str, tuple[np.ndarray, str, str]]]:
    missing = frame.isna()
    for name in missing.columns[missing.any()]:
        yield f"{name}\nmissing", (missing[name].to_numpy(), "is missing", "alarm")
        yield f"{name}\nfilled", (~missing[name].to_numpy(), "is filled in", "alarm")
    if frame.shape[1] <= _PAIR_COLUMNS:
        for name in frame.select_dtypes(include=["number", "bool"]).columns:
            yield from _in_digits(name, frame[name])
    for name in others.columns:
        # A stage or a diagnosis may be an honest one; a word that somebody wrote knows more.
        level = "alarm" if others[name].nunique() > _CATEGORIES else "notice"
        for word, mark in _words(others[name]).items():
            yield f"{name}\n{word}", (mark, f"holds '{word}'", level)


def _in_digits(name: str, column: pd.Series) -> Iterator[tuple[str, tuple[np.ndarray, str, str]]]:
    values = column.to_numpy(dtype=float, na_value=np.nan)
    codes = np.unique(values[np.isfinite(values)])
    if len(codes) == 2:
        yield f"{name}\nupper", (values == codes[1], f"is {codes[1]:g}", "notice")
        yield f"{name}\nlower", (values == codes[0], f"is {codes[0]:g}", "notice")
        return
    finer = _finer(column)
    if finer is not None:
        yield f"{name}\ndecimals", (finer, "is written with more decimals", "alarm")
    if len(codes) > 10 and (codes == np.round(codes)).all():
        yield f"{name}\nodd", (np.nan_to_num(values) % 2 == 1, "is odd", "alarm")


def _finer(column: pd.Series) -> np.ndarray | None:
    """Which values have more decimals than the coarsest kind in the column; None where all are alike."""
    values = column.to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(values)
    for decimals in range(4):
        scaled = values * 10**decimals
        with np.errstate(invalid="ignore"):
            coarse = known & (np.abs(scaled - np.round(scaled)) < 1e-6 * np.maximum(1.0, np.abs(scaled)) * 1e-3)
        share = coarse.sum() / max(known.sum(), 1)
        if share > 0.99:
            return None
        if share > 0.25:
            return known & ~coarse
    return None


def _words(column: pd.Series) -> dict[str, np.ndarray]:
    """Words (texts) or whole values (categories) that several patients have, and who has them."""
    texts = column.astype("string").str.lower().fillna("").to_numpy(dtype=object)
    if pd.api.types.is_datetime64_any_dtype(column):
        return {}
    owners: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        for word in set(re.findall(r"[^\W_]{2,}", text)):
            owners.setdefault(word, []).append(row)
    common = sorted((word for word, rows in owners.items() if len(rows) >= _WORD_PATIENTS),
                    key=lambda word: (-len(owners[word]), word))[:_WORDS]
    return {word: np.isin(np.arange(len(texts)), owners[word]) for word in common}


def _one_sided(mark: np.ndarray, positive: np.ndarray, comparisons: int) -> float | None:
    """Share of one side of the outcome with the mark, when (nearly) nobody of the other has it, beyond chance."""
    for side in (positive, ~positive):
        inside, outside = int(mark[side].sum()), int(mark[~side].sum())
        if inside < 5 or outside > 0.01 * (~side).sum() or inside < _ONE_SIDED * side.sum() or (~side).sum() < 10:
            continue
        chance = inside * np.log(side.mean()) + (outside * np.log(len(side)) if outside else 0.0)
        if chance < np.log(_ONE_SIDED_P / comparisons):
            return inside / int(side.sum())
    return None


# -- noisy copies -----------------------------------------------------------------------------------------------------


def _noisy(numeric: pd.DataFrame, others: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """A column far ahead of all others, and stronger than markers of diseases are: the outcome with some errors.

    Columns of two values are compared by the AUC of the normal marker that has their sensitivity and specificity.
    """
    if len(numeric) < MIN_PATIENTS:
        return
    columns = pd.concat([numeric, _codes(others, endpoint)], axis=1)
    strength = _strengths(columns, endpoint)
    if strength.empty:
        return
    position = int(np.argmax(strength["value"].to_numpy()))
    best = str(strength.index[position])
    value, lower = (float(strength[name].to_numpy()[position]) for name in ("value", "lower"))
    ahead = value - _next_best(columns, strength["value"], best)
    needed, notable = (_NOISY, _STRONG) if endpoint.kind != "survival" else (_NOISY_TIME, _STRONG_TIME)
    if ahead < _FAR_AHEAD or lower < notable:
        return
    yield _finding("alarm" if lower >= needed else "notice", f"'{best}'",
                   f"'{best}' alone tells the outcome far better than every other column, and better than markers of "
                   f"diseases do ({value:.3f}, {ahead:.3f} above the next).", value, len(columns))


def _codes(others: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """Categories by the outcome's mean among the other patients who share them."""
    target = target_numbers(endpoint)[:, 0]
    coded = {}
    for name in others.columns:
        groups = others[name].astype(str).to_numpy()
        table = pd.Series(target).groupby(groups)
        if 2 <= table.ngroups <= min(10, len(target) // 10):
            sizes, sums = table.transform("size").to_numpy(), table.transform("sum").to_numpy()
            coded[name] = sums / sizes
    return pd.DataFrame(coded, index=others.index)


def _strengths(columns: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """Equal-information AUC (survival: concordance with the event times) of each column, and its lower bound."""
    values = columns.to_numpy()
    if endpoint.kind in ("continuous", "multiclass") or not values.shape[1]:
        return pd.DataFrame({"value": [], "lower": []})
    cases, controls = int(endpoint.event.sum()), int((~endpoint.event).sum())
    if min(cases, controls) < 5:
        return pd.DataFrame({"value": [], "lower": []})
    value = aucs(values, endpoint.event)
    value = np.maximum(value, 1 - value)
    lower = value - norm.isf(0.05) * auc_error(value, cases, controls)
    for position in range(values.shape[1]):
        codes = np.unique(values[:, position][~np.isnan(values[:, position])])
        if len(codes) == 2:
            value[position], lower[position] = _two_valued(values[:, position] == codes[1], endpoint.event)
    table = pd.DataFrame({"value": value, "lower": lower}, index=columns.columns)
    if endpoint.time is None:
        return table
    with_time = _by_time(values, endpoint)
    known = np.maximum(np.minimum((~np.isnan(values[endpoint.event])).sum(axis=0), unlike_the_commonest(values)), 1)
    error = np.sqrt(np.maximum(with_time * (1 - with_time), 0.0) / known) + 1 / known
    timed = pd.DataFrame({"value": with_time, "lower": with_time - norm.isf(0.05) * error}, index=columns.columns)
    # Events of patients followed for different times are told by follow-up alone: only near-copies count.
    return timed.where(timed["value"] >= table["value"], table.where(table["lower"] >= _NOISY, timed))


def _two_valued(mark: np.ndarray, event: np.ndarray) -> tuple[float, float]:
    """AUC of the normal marker with the sensitivity and specificity of a mark, and its lower 95 % bound."""
    rates, variances = [], []
    for side, hit in ((event, mark), (~event, ~mark)):
        n = int(side.sum())
        rate = (int(hit[side].sum()) + 0.5) / (n + 1)
        rates.append(norm.ppf(rate))
        variances.append(rate * (1 - rate) / ((n + 1) * norm.pdf(norm.ppf(rate)) ** 2))
    distance, error = abs(sum(rates)), np.sqrt(sum(variances))
    # A mark that nearly everybody, or nearly nobody, has tells little whatever its rates.
    if not 0.05 < mark.mean() < 0.95:
        return 0.5, 0.5
    return (float(norm.cdf(distance / np.sqrt(2))),
            float(norm.cdf((distance - norm.isf(0.05) * error) / np.sqrt(2))))


def _by_time(values: np.ndarray, endpoint: Endpoint) -> np.ndarray:
    from medomicslab_nb.evaluation.leak_time import pair_concordance

    assert endpoint.time is not None
    concordance, _ = pair_concordance(values, endpoint.time, endpoint.event)
    return np.maximum(concordance, 1 - concordance)


def _next_best(columns: pd.DataFrame, strength: pd.Series, best: str) -> float:
    """The strongest other column that is no copy of the best one (rank correlation below .9)."""
    for name in strength.drop(best).sort_values(ascending=False).index[:10]:
        pair = columns[[best, name]].dropna()
        if len(pair) < MIN_PATIENTS or abs(spearmanr(pair[best], pair[name])[0]) < 0.9:
            return float(strength[name])
    return 0.5

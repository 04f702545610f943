"""Confidence intervals: bootstrap of patients, and the corrected resampled t for cross-validation.

Every bootstrap is vectorised: a sample is a row of weights, how often each patient is in it, and a measure is computed
for many rows at once. The interval for an AUC on new patients is :mod:`~medomicslab_nb.evaluation.delong`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import t as student

from medomicslab_nb.evaluation.endpoints import Endpoint

_CHUNK = 4_000_000  # cells of a chunk of bootstrap weights

# Share of simulated studies in which the 95 % interval held the true AUC, lowest and highest over the kinds of signal,
# by number of patients: with up to two repeats, and with ten. See undercoverage_warning.
_CV_COVERAGE = {50: ((0.87, 0.94), (0.86, 0.90)), 100: ((0.89, 0.95), (0.87, 0.91)), 200: ((0.92, 0.97), (0.89, 0.94))}
_FEW_REPEATS = 2
_ENOUGH = 0.935

Measure = Callable[[np.ndarray], np.ndarray]
"""A measure of many weighted samples at once: from weights, shape (samples, n), to values, shape (samples,)."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence limits, and the p-value against the value under the null, where asked for."""

    estimate: float
    lower: float
    upper: float
    p: float = float("nan")


def corrected_resampled_t(values: np.ndarray, *, n_train: float, n_test: float, confidence: float = 0.95,
                          null: float = 0.0, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Interval:
    """Mean over the folds of a repeated cross-validation with an interval that allows for shared training patients.

    The variance of the mean of J folds is ``(1 / J + n_test / n_train) s^2``, with J - 1 degrees of freedom [1]_.

    Parameters
    ----------
    values : ndarray, shape (J,)
        One value per fold; NaN where the measure does not exist: such folds are left out.
    n_train, n_test : float
        Mean numbers of patients in training and test folds.
    null : float
        Value that the p-value (two-sided) is against.
    bounds : tuple of float
        Values beyond which the measure does not exist; limits are cut there.

    Returns
    -------
    Interval
        Limits and p are NaN with fewer than two folds. With no variance the limits are the mean itself.

    References
    ----------
    .. [1] Nadeau C, Bengio Y. Inference for the generalization error. Mach Learn 2003;52:239-281.
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Interval(float(values[0]) if len(values) else float("nan"), float("nan"), float("nan"))
    mean = float(values.mean())
    error = corrected_standard_error(values, n_train=n_train, n_test=n_test)
    freedom = len(values) - 1
    width = float(student.ppf((1 + confidence) / 2, freedom)) * error
    if error == 0:
        return Interval(mean, mean, mean, float(mean == null))
    p = float(2 * student.sf(abs(mean - null) / error, freedom))
    return Interval(mean, max(bounds[0], mean - width), min(bounds[1], mean + width), p)


def undercoverage_warning(n: int, confidence: float = 0.95, *, repeats: int = 2) -> str | None:
    """What to say when :func:`corrected_resampled_t` is known to promise more than it holds; None where it is not.

    Measured for the AUC of a ridge on ten predictors and its true value on 20,000 other patients, with five folds and
    300 to 500 studies per size: 95 % intervals held it in 94, 95 and 97 % of studies of 50, 100 and 200 patients with
    a clear signal (true AUC about .75) and two repeats, and in 90, 91 and 92 % with ten (benchmarks/coverage.py); with
    a weak signal (about .57) or 15 % events the figures are the lower ones of the table below. More repeats narrow the
    interval more than they add information: two are the default.

    Parameters
    ----------
    n : int
        Patients in the cross-validation.
    repeats : int
        Repeats of the folds.
    """
    size = max((size for size in _CV_COVERAGE if size <= n), default=min(_CV_COVERAGE))
    few = repeats <= _FEW_REPEATS
    lowest, highest = _CV_COVERAGE[size][0 if few else 1]
    if lowest >= _ENOUGH or (n > max(_CV_COVERAGE) and few):
        return None
    other = "" if confidence == 0.95 else f" Those of {confidence:.0%} were not measured."
    return ("Intervals from cross-validation are narrower than they should be here: in simulated studies of "
            f"{size} patients (five folds, {'two' if few else 'ten'} repeats), 95% intervals held the true AUC in "
            f"{lowest:.0%} to {highest:.0%} of studies, least often with a weak signal or few events.{other}")


def corrected_standard_error(values: np.ndarray, *, n_train: float, n_test: float) -> float:
    """Standard error of the mean over folds; see :func:`corrected_resampled_t`. Needs two values or more."""
    return float(np.sqrt((1 / len(values) + n_test / n_train) * np.var(values, ddof=1)))


def bootstrap(measure: Measure, n: int, *, draws: int = 1000, seed: int = 0, confidence: float = 0.95,
              corrected: bool = False) -> Interval:
    """Any measure that takes weights, with an interval over bootstrap samples of patients.

    Parameters
    ----------
    measure : callable
        From weights of shape (samples, n) to the measure of each sample, shape (samples,); NaN where it does not exist.
    corrected : bool
        BCa limits (bias-corrected and accelerated [1]_), for which the measure is also computed n times with one
        patient left out, instead of percentiles.

    Returns
    -------
    Interval
        Samples in which the measure does not exist are left out of the limits; without any left they are NaN.

    References
    ----------
    .. [1] Efron B. Better bootstrap confidence intervals. J Am Stat Assoc 1987;82:171-185.
    """
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    estimate = float(measure(np.ones((1, n)))[0])
    values = np.concatenate([measure(weights) for weights in bootstrap_weights(n, draws, seed)])
    if corrected:
        return _corrected_percentile(estimate, values, measure(1 - np.eye(n)), confidence)
    return _percentile(estimate, values, confidence)


def bootstrap_auc(observed: np.ndarray, scores: np.ndarray, *, draws: int = 1000, seed: int = 0,
                  confidence: float = 0.95, corrected: bool = False) -> Interval:
    """AUC with an interval over bootstrap samples of patients; see :func:`bootstrap`.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    scores : ndarray, shape (n,) or (n, repeats)
        With several columns the mean of their AUCs is estimated; a sample takes the same patients in all.

    Returns
    -------
    Interval
        Samples with one class only are left out of the limits.
    """
    measure = _mean_over_columns(weighted_auc, np.asarray(observed, dtype=bool), scores)
    return bootstrap(measure, len(observed), draws=draws, seed=seed, confidence=confidence, corrected=corrected)


def bootstrap_auprc(observed: np.ndarray, scores: np.ndarray, *, draws: int = 1000, seed: int = 0,
                    confidence: float = 0.95) -> Interval:
    """Average precision with a percentile interval; see :func:`bootstrap_auc`."""
    measure = _mean_over_columns(weighted_auprc, np.asarray(observed, dtype=bool), scores)
    return bootstrap(measure, len(observed), draws=draws, seed=seed, confidence=confidence)


def bootstrap_mean(losses: np.ndarray, *, draws: int = 1000, seed: int = 0, confidence: float = 0.95) -> Interval:
    """Mean of a loss per patient (Brier, log loss, absolute error) with a percentile interval.

    Parameters
    ----------
    losses : ndarray, shape (n,)
        E.g. ``(probability - observed) ** 2``; with repeats, each patient's mean over them.
    """
    losses = np.asarray(losses, dtype=float)
    return bootstrap(lambda weights: weights @ losses / weights.sum(axis=1), len(losses), draws=draws, seed=seed,
                     confidence=confidence)


def bootstrap_c_index(event: np.ndarray, time: np.ndarray, scores: np.ndarray, *, entry: np.ndarray | None = None,
                      draws: int = 1000, seed: int = 0, confidence: float = 0.95) -> Interval:
    """C-index with a percentile interval over bootstrap samples of patients; see :func:`bootstrap_auc`.

    Needs n x n memory: meant for up to some thousand patients. ``entry`` as in
    :func:`~medomicslab_nb.evaluation.metrics.c_index`.
    """
    return bootstrap(_concordance_measure(event, time, scores, entry), len(event), draws=draws, seed=seed,
                     confidence=confidence)


def bootstrap_discrimination(endpoint: Endpoint, scores: np.ndarray, *, draws: int = 1000, seed: int = 0,
                             confidence: float = 0.95, within: np.ndarray | None = None) -> Interval:
    """The endpoint's measure of discrimination with a percentile interval over bootstrap samples of patients.

    Parameters
    ----------
    scores : ndarray, shape (n,) or (n, repeats); multi-class (n, classes) or (n, classes, repeats)
        With repeats the mean of the measure over them is estimated; a sample takes the same patients in all.
    within : ndarray of str, shape (n,), optional
        Centre of each patient: the mean of the measure within centres is estimated, each weighted by its patients.
        Pairs of patients of two centres tell how far these differ, and compare scores of two models.
    """
    return bootstrap(_discrimination_measure(endpoint, scores, within), len(endpoint), draws=draws, seed=seed,
                     confidence=confidence)


def bootstrap_difference(endpoint: Endpoint, first: np.ndarray, second: np.ndarray, *, draws: int = 1000,
                         seed: int = 0, confidence: float = 0.95, within: np.ndarray | None = None) -> Interval:
    """Discrimination of ``first`` minus that of ``second`` on the same patients; see :func:`bootstrap_discrimination`.

    p (two-sided) is twice the smaller share of samples on one side of 0, at least 1 / (draws + 1).
    """
    one, other = (_discrimination_measure(endpoint, scores, within) for scores in (first, second))
    n = len(endpoint)
    values = np.concatenate([one(weights) - other(weights) for weights in bootstrap_weights(n, draws, seed)])
    estimate = float((one(np.ones((1, n))) - other(np.ones((1, n))))[0])
    found, known = _percentile(estimate, values, confidence), values[~np.isnan(values)]
    if np.isnan(found.lower):
        return found
    tail = (1 + min(int((known <= 0).sum()), int((known >= 0).sum()))) / (len(known) + 1)
    return Interval(found.estimate, found.lower, found.upper, min(1.0, 2 * tail))


def _discrimination_measure(endpoint: Endpoint, scores: np.ndarray, within: np.ndarray | None = None) -> Measure:
    if within is not None:
        return _mean_within(endpoint, np.asarray(scores, dtype=float), within)
    if endpoint.kind == "survival" and endpoint.time is not None:
        return _concordance_measure(endpoint.event, endpoint.time, scores, endpoint.entry)
    if endpoint.kind == "binary":
        return _mean_over_columns(weighted_auc, endpoint.event, scores)
    if endpoint.kind == "continuous":
        return _mean_over_columns(weighted_r2, endpoint.outcome, scores)
    return _macro_auc(endpoint.outcome, np.asarray(scores, dtype=float))


def _mean_within(endpoint: Endpoint, scores: np.ndarray, within: np.ndarray) -> Measure:
    """Mean over groups of patients, weighted by their sizes in the sample; groups without a value are left out."""
    members = [np.flatnonzero(within == name) for name in np.unique(within)]
    measures = [_discrimination_measure(endpoint.take(rows), scores[rows]) for rows in members]

    def measure(weights: np.ndarray) -> np.ndarray:
        sizes = np.array([weights[:, rows].sum(axis=1) for rows in members])
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.array([one(weights[:, rows]) for one, rows in zip(measures, members, strict=True)])
            known = ~np.isnan(values)
            return (np.where(known, values, 0) * sizes).sum(axis=0) / (known * sizes).sum(axis=0)

    return measure


def _concordance_measure(event: np.ndarray, time: np.ndarray, scores: np.ndarray, entry: np.ndarray | None) -> Measure:
    comparable = comparable_pairs(event, time, entry).astype(np.float32)
    columns = [comparable * concordance(score) for score in _columns(scores)]

    def measure(weights: np.ndarray) -> np.ndarray:
        single = weights.astype(np.float32)
        # Every pair counts as often as both its patients are in the sample.
        pairs = ((single @ comparable) * single).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.mean([((single @ agree) * single).sum(axis=1) / pairs for agree in columns], axis=0)

    return measure


def bootstrap_weights(n: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each patient is in each bootstrap sample: chunks of shape (samples, n) that add up to ``draws``."""
    rng = np.random.default_rng(seed)
    size = max(1, _CHUNK // n)
    for start in range(0, draws, size):
        count = min(size, draws - start)
        drawn = rng.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(float)


def comparable_pairs(event: np.ndarray, time: np.ndarray, entry: np.ndarray | None = None, *,
                     rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Pairs (i, j) in which i is known to have had the event first: bool, shape (n, n), or those of some i only.

    i had the event before j's time, or at the same time at which j's follow-up ended without it; with ``entry`` (left
    truncation) only when j was under observation by then.
    """
    first = time[rows, None]
    comparable = event[rows, None] & ((first < time[None, :]) | ((first == time[None, :]) & ~event[None, :]))
    return comparable if entry is None else comparable & (entry[None, :] < first)


def concordance(score: np.ndarray, *, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """1 where i scores higher than j, one half in ties, float32 of shape (n, n), or those of some i only."""
    difference = score[rows, None] - score[None, :]
    # Ties are judged as scikit-survival does: equal within 1e-8.
    tied = np.abs(difference) <= 1e-8
    return np.where(tied, 0.5, difference > 0).astype(np.float32)


def weighted_auc(weights: np.ndarray, observed: np.ndarray, score: np.ndarray) -> np.ndarray:
    """AUC of each weighted sample, shape (samples,), by the Mann-Whitney statistic with ties counted half."""
    order, starts = _tied_groups(score)
    cases, others = _class_sums(weights, observed, order, starts)
    below = np.cumsum(others, axis=1) - others / 2
    with np.errstate(invalid="ignore"):
        return (cases * below).sum(axis=1) / (cases.sum(axis=1) * others.sum(axis=1))


def weighted_auprc(weights: np.ndarray, observed: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Average precision of each weighted sample, shape (samples,): precision at each score, by the cases it adds.

    NaN in a sample with one class only.
    """
    order, starts = _tied_groups(-score)
    cases, others = _class_sums(weights, observed, order, starts)
    found, wrong = np.cumsum(cases, axis=1), np.cumsum(others, axis=1)
    precision = found / np.maximum(found + wrong, 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (cases * precision).sum(axis=1) / found[:, -1]
    return np.where((found[:, -1] > 0) & (wrong[:, -1] > 0), values, np.nan)


def weighted_r2(weights: np.ndarray, outcome: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Share of variance explained in each weighted sample, shape (samples,), against the sample's own mean."""
    centred = outcome - outcome.mean()
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weights @ centred / total
        spread = weights @ centred**2 - total * mean**2
        # What rounding leaves of no spread is no spread.
        spread = np.where(spread > 1e-12 * (weights @ centred**2), spread, np.nan)
        return 1 - weights @ (outcome - predicted) ** 2 / spread


def _macro_auc(outcome: np.ndarray, scores: np.ndarray) -> Measure:
    """Mean over classes that a sample has, and over repeats, of one-vs-rest AUCs."""
    classes = [k for k in range(scores.shape[1]) if (outcome == k).any()]
    repeats = scores.reshape(*scores.shape[:2], -1)

    def measure(weights: np.ndarray) -> np.ndarray:
        values = np.array([[weighted_auc(weights, outcome == k, repeats[:, k, r]) for k in classes]
                           for r in range(repeats.shape[2])])  # shape (repeats, classes, samples)
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            return (np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)).mean(axis=0)

    return measure


def _mean_over_columns(measure: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray], outcome: np.ndarray,
                       scores: np.ndarray) -> Measure:
    columns = _columns(scores)
    return lambda weights: np.mean([measure(weights, outcome, score) for score in columns], axis=0)


def _columns(scores: np.ndarray) -> list[np.ndarray]:
    values = np.asarray(scores, dtype=float)
    return [values] if values.ndim == 1 else list(values.T)


def _tied_groups(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of the scores, and where in it each group of equal ones starts."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    return order, np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def _class_sums(weights: np.ndarray, observed: np.ndarray, order: np.ndarray,
                starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of cases and of others in each group of equal scores, each of shape (samples, groups)."""
    ordered, cases = weights[:, order], observed[order]
    positive = ordered * cases
    if len(starts) == len(order):
        return positive, ordered - positive
    return (np.add.reduceat(positive, starts, axis=1), np.add.reduceat(ordered - positive, starts, axis=1))


def _percentile(estimate: float, values: np.ndarray, confidence: float) -> Interval:
    values = values[~np.isnan(values)]
    if not len(values) or np.isnan(estimate):
        return Interval(estimate, float("nan"), float("nan"))
    lower, upper = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(lower), float(upper))


def _corrected_percentile(estimate: float, values: np.ndarray, left_out: np.ndarray, confidence: float) -> Interval:
    """BCa limits; percentiles where no sample, or every sample, is below the estimate."""
    known, without = values[~np.isnan(values)], left_out[~np.isnan(left_out)]
    below = (np.mean(known < estimate) + np.mean(known <= estimate)) / 2 if len(known) else 0.0
    if not 0 < below < 1:
        return _percentile(estimate, values, confidence)
    influence = without.mean() - without
    spread = float(np.sum(influence**2)) ** 1.5
    acceleration = float(np.sum(influence**3)) / (6 * spread) if spread > 0 else 0.0
    bias = ndtri(below)
    edges = bias + ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    lower, upper = np.quantile(known, ndtr(bias + edges / (1 - acceleration * edges)))
    return Interval(estimate, float(lower), float(upper))

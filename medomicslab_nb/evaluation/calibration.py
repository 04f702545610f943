"""Calibration: slope, intercept, and predicted against observed risk in groups of similar predicted risk.

A slope of 1 is perfect, below 1 the predictions are too extreme; an intercept ("calibration in the large") of 0 is
perfect, above 0 they are too low on average [1]_. What does not exist for the data is NaN.

References
----------
.. [1] Van Calster B, et al. Calibration: the Achilles heel of predictive analytics. BMC Med 2019;17:230.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import norm, t as student
from sksurv.nonparametric import kaplan_meier_estimator
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from medomicslab_nb.evaluation.competing import aalen_johansen
from medomicslab_nb.evaluation.cox import breslow_hazard
from medomicslab_nb.evaluation.intervals import Interval

COLUMNS = ["bin", "n", "predicted", "observed", "lower", "upper"]

_NONE = Interval(float("nan"), float("nan"), float("nan"))
_ITERATIONS = 50
_FARTHEST = 100.0  # shift of logits with which every probability is 0 or 1
_CLOSEST = 1e-6  # to 0 and 1 that a probability may be: its logit would be infinite


@dataclass(frozen=True)
class Calibration:
    """Slope (p against 1) and intercept (p against 0) with Wald limits."""

    slope: Interval
    intercept: Interval


@dataclass(frozen=True)
class SurvivalCalibration:
    """Cox slope of the linear predictor, and events observed over events expected by a horizon."""

    slope: Interval
    ratio: Interval
    """Observed over expected: 1 is perfect, above 1 the predicted risks are too low on average."""


def logistic_calibration(observed: np.ndarray, probability: np.ndarray, *, confidence: float = 0.95) -> Calibration:
    """Calibration of probabilities of a binary outcome.

    The slope b of ``logit P(y = 1) = a + b logit(p)``, and the intercept of the same model with b = 1. NaN with one
    class only; the slope also when the probabilities separate the classes or are all the same. Probabilities are kept
    1e-6 away from 0 and 1.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    probability : ndarray, shape (n,)
    """
    observed = np.asarray(observed, dtype=bool)
    if observed.all() or not observed.any() or np.isnan(probability).any():
        return Calibration(_NONE, _NONE)
    position = logit(np.clip(probability, _CLOSEST, 1 - _CLOSEST))
    intercept = _in_the_large(observed, position, confidence)
    if _separated(observed, position) or np.ptp(position) == 0:
        return Calibration(_NONE, intercept)
    with np.errstate(over="ignore"):  # of the odds far out, where a probability is 0 to the last digit
        fitted = GLM(observed.astype(float), np.column_stack([np.ones_like(position), position]), Binomial()).fit()
    return Calibration(_wald(fitted, 1, 1.0, confidence) if fitted.converged else _NONE, intercept)


def _in_the_large(observed: np.ndarray, position: np.ndarray, confidence: float) -> Interval:
    """The intercept with which as many events are expected as were seen.

    By Brent's method, since Newton steps run away where probabilities are near 0 and 1 and wrong.
    """
    estimate = brentq(lambda shift: float(expit(position + shift).sum() - observed.sum()), -_FARTHEST, _FARTHEST,
                      xtol=1e-12)
    expected = expit(position + estimate)
    return _limited(estimate, float((expected * (1 - expected)).sum() ** -0.5), 0.0, confidence)


def class_calibration(outcome: np.ndarray, probability: np.ndarray, classes: tuple[str, ...], *,
                      confidence: float = 0.95) -> pd.DataFrame:
    """:func:`logistic_calibration` of each class against the rest.

    Parameters
    ----------
    outcome : ndarray of int, shape (n,)
        Position in ``classes``.
    probability : ndarray, shape (n, classes)

    Returns
    -------
    DataFrame
        class, n, events (patients of the class), slope, slope_lower, slope_upper, intercept, intercept_lower,
        intercept_upper; one row per class, NaN for a class that nobody has.
    """
    rows = []
    for k, name in enumerate(classes):
        found = logistic_calibration(outcome == k, probability[:, k], confidence=confidence)
        rows.append({"class": name, "n": len(outcome), "events": int((outcome == k).sum()),
                     **_limits("slope", found.slope), **_limits("intercept", found.intercept)})
    return pd.DataFrame(rows)


def linear_calibration(outcome: np.ndarray, predicted: np.ndarray, *, confidence: float = 0.95) -> Calibration:
    """Calibration of predictions of a continuous outcome.

    The slope of the regression of outcome on prediction, and the mean of outcome minus prediction as the intercept,
    with Student limits. NaN with fewer than three patients; the slope also when the predictions are all the same.
    """
    outcome, predicted = np.asarray(outcome, dtype=float), np.asarray(predicted, dtype=float)
    if len(outcome) < 3 or np.isnan(predicted).any():
        return Calibration(_NONE, _NONE)
    intercept = _wald(OLS(outcome - predicted, np.ones((len(outcome), 1))).fit(), 0, 0.0, confidence,
                      freedom=len(outcome) - 1)
    if np.ptp(predicted) == 0:
        return Calibration(_NONE, intercept)
    # Centred, so that a large mean costs the slope no digits.
    fitted = OLS(outcome, np.column_stack([np.ones_like(predicted), predicted - predicted.mean()])).fit()
    return Calibration(_wald(fitted, 1, 1.0, confidence, freedom=len(outcome) - 2), intercept)


def survival_calibration(event: np.ndarray, time: np.ndarray, score: np.ndarray, risk: np.ndarray, horizon: float, *,
                         entry: np.ndarray | None = None, confidence: float = 0.95) -> SurvivalCalibration:
    """Calibration of a survival model on held-out patients [1]_.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Linear predictor: log hazard up to a constant.
    risk : ndarray, shape (n,)
        Predicted probability of the event by ``horizon``, in the unit of ``time``.
    entry : ndarray, shape (n,), optional
        Left truncation.

    Returns
    -------
    SurvivalCalibration
        The slope by Cox regression (Efron's ties): NaN without events, with a constant score, or when the order of
        scores is the order of events (the slope would be infinite). The ratio of Kaplan-Meier's risk to the mean
        predicted one, the latter taken as known: NaN when nobody is followed that far. With ``entry`` the observed
        risk is that of these patients by their events, after the predicted hazards were multiplied to fit them.

    References
    ----------
    .. [1] McLernon DJ, et al. Assessing performance and clinical usefulness in prediction models with survival
       outcomes. Ann Intern Med 2023;176:105-114.
    """
    slope = cox_slope(event, time, score, entry=entry, confidence=confidence)
    expected = float(np.mean(risk)) if len(risk) else float("nan")
    if not expected > 0:
        return SurvivalCalibration(slope, _NONE)
    if entry is not None:
        return SurvivalCalibration(slope, _truncated_ratio(event, time, entry, risk, horizon, confidence))
    observed, lower, upper = observed_risk(event, time, horizon, confidence)
    return SurvivalCalibration(slope, Interval(observed / expected, lower / expected, upper / expected))


def _truncated_ratio(event: np.ndarray, time: np.ndarray, entry: np.ndarray, risk: np.ndarray, horizon: float,
                     confidence: float) -> Interval:
    """Observed over expected of patients who entered late.

    Kaplan-Meier's risk would be that of everybody, also of those who had the event before they could enter, and these
    had the higher risks: a perfect model would seem to predict too little. Instead the predicted cumulative hazards
    are multiplied by the factor that fits the events (Breslow's, with Wald limits of its logarithm), and the mean risks
    of the same patients after and before that are compared.
    """
    seen = event & (time <= horizon)
    if not seen.any() or time.max() < horizon:
        return _NONE
    hazard = -np.log1p(-np.clip(risk, 1e-12, 1 - 1e-12))
    cumulative = breslow_hazard(time, seen, np.log(hazard), entry)[1]
    steps = np.diff(cumulative, prepend=0.0)
    events = np.unique(time[seen], return_counts=True)[1]
    error = float(np.sqrt((steps**2 / events).sum())) / float(cumulative[-1])
    width = float(norm.ppf((1 + confidence) / 2)) * error
    factors = float(cumulative[-1]) * np.exp([0.0, -width, width])
    estimate, lower, upper = (float(-np.expm1(-factor * hazard).mean() / risk.mean()) for factor in factors)
    return Interval(estimate, lower, upper)


def cox_slope(event: np.ndarray, time: np.ndarray, score: np.ndarray, *, entry: np.ndarray | None = None,
              confidence: float = 0.95) -> Interval:
    """Coefficient of the score in a Cox regression (Efron's ties); see :func:`survival_calibration`.

    A patient with ``entry`` (left truncation) is at risk after that time, not at it. statsmodels' ``PHReg``, against
    which this is tested, takes a second for 2,000 patients; one coefficient is had in milliseconds.
    """
    score, event = np.asarray(score, dtype=float), np.asarray(event, dtype=bool)
    if not event.any() or np.isnan(score).any() or np.ptp(score) == 0:
        return _NONE
    start = np.full(len(time), -np.inf) if entry is None else np.asarray(entry, dtype=float)
    if _monotone(event, time, start, score):
        return _NONE
    # Neither centre nor scale of the score may decide whether the search converges.
    scale = float(score.std())
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        estimate, error = _fit_cox(event, np.asarray(time, dtype=float), start, (score - score.mean()) / scale)
    return _limited(estimate / scale, error / scale, 1.0, confidence)


def calibration_bins(observed: np.ndarray, probability: np.ndarray, *, bins: int = 10,
                     confidence: float = 0.95) -> pd.DataFrame:
    """Observed share of events, with Wilson intervals [1]_, by quantiles of predicted probability.

    Returns
    -------
    DataFrame
        bin (from 1), n, predicted (mean), observed, lower, upper; fewer bins when predictions tie.

    References
    ----------
    .. [1] Wilson EB. Probable inference. J Am Stat Assoc 1927;22:209-212.
    """
    rows = []
    for number, rows_in in _groups(probability, bins):
        events, n = int(observed[rows_in].sum()), len(rows_in)
        lower, upper = proportion_confint(events, n, alpha=1 - confidence, method="wilson")
        rows.append((number, n, probability[rows_in].mean(), events / n, lower, upper))
    return pd.DataFrame(rows, columns=COLUMNS)


def survival_calibration_bins(event: np.ndarray, time: np.ndarray, risk: np.ndarray, horizon: float, *, bins: int = 5,
                              confidence: float = 0.95, entry: np.ndarray | None = None,
                              cause: np.ndarray | None = None) -> pd.DataFrame:
    """Observed risk by ``horizon`` with log-log limits, by quantiles of predicted risk.

    One minus Kaplan-Meier, or with competing events Aalen-Johansen's cumulative incidence; see :func:`observed_risk`.

    Parameters
    ----------
    risk : ndarray, shape (n,)
        Predicted probability of the event by ``horizon``.
    horizon : float
        In the unit of ``time``. A bin in which nobody is followed that far has NaN.
    """
    rows = []
    for number, rows_in in _groups(risk, bins):
        observed, lower, upper = observed_risk(event[rows_in], time[rows_in], horizon, confidence,
                                               entry=None if entry is None else entry[rows_in],
                                               cause=None if cause is None else cause[rows_in])
        rows.append((number, len(rows_in), risk[rows_in].mean(), observed, lower, upper))
    return pd.DataFrame(rows, columns=COLUMNS)


def observed_risk(event: np.ndarray, time: np.ndarray, horizon: float, confidence: float = 0.95, *,
                  entry: np.ndarray | None = None,
                  cause: np.ndarray | None = None) -> tuple[float, float, float]:
    """Kaplan-Meier risk by ``horizon`` and its limits; NaN when nobody is followed that far.

    With ``entry`` (left truncation) a patient is at risk from there on. With ``cause`` (competing events) it is the
    cumulative incidence of cause 1 [1]_: to Kaplan-Meier, who had a competing event could still have the event.
    Without an event by ``horizon`` the upper limit is that of Clopper and Pearson [2]_ for the patients whose outcome
    by then is known: log-log limits do not exist there.

    References
    ----------
    .. [1] Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based on censored
       observations. Scand J Stat 1978;5:141-150.
    .. [2] Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the case of the binomial.
       Biometrika 1934;26:404-413.
    """
    if not len(time) or time.max() < horizon:
        return float("nan"), float("nan"), float("nan")
    if not (event & (time <= horizon)).any():
        return 0.0, 0.0, _limit_without_events(time, horizon, confidence, entry, cause)
    if cause is not None:
        return aalen_johansen(time, cause, entry, confidence=confidence).at(horizon)
    times, survival, limits = kaplan_meier(event, time, confidence, entry=entry)
    at = int(np.searchsorted(times, horizon, side="right")) - 1
    return float(1 - survival[at]), float(1 - limits[1, at]), float(1 - limits[0, at])


def _limit_without_events(time: np.ndarray, horizon: float, confidence: float, entry: np.ndarray | None,
                          cause: np.ndarray | None) -> float:
    """Upper Clopper-Pearson limit of a risk of which no event was seen, by the patients followed to ``horizon``."""
    known = time >= horizon if entry is None else (time >= horizon) & (entry <= horizon)
    if cause is not None:
        known |= cause > 1  # who had a competing event will not have this one
    n = int(known.sum())
    return float(1 - ((1 - confidence) / 2) ** (1 / n)) if n else float("nan")


def kaplan_meier(event: np.ndarray, time: np.ndarray, confidence: float = 0.95, *,
                 entry: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, survival, and log-log limits of shape (2, times), [1, 1] until the first event."""
    if not event.any():
        times = np.unique(time)
        return times, np.ones(len(times)), np.ones((2, len(times)))
    times, survival, limits = kaplan_meier_estimator(event, time, time_enter=entry, conf_level=confidence,
                                                     conf_type="log-log")
    return times, survival, limits


def _groups(values: np.ndarray, bins: int) -> list[tuple[int, np.ndarray]]:
    """Rows of each quantile group that is not empty, numbered from 1."""
    codes = pd.qcut(values, min(bins, len(values)), labels=False, duplicates="drop")
    if np.ptp(values) == 0:
        codes = np.zeros(len(values), dtype=int)
    return [(number, np.flatnonzero(codes == code)) for number, code in enumerate(np.unique(codes), start=1)]


def _fit_cox(event: np.ndarray, time: np.ndarray, entry: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Coefficient and standard error of one covariate by Newton's method; NaN when it does not converge."""
    order = np.lexsort((np.arange(len(time)), time))
    time, entry, event, score = time[order], entry[order], event[order], score[order]
    moments, group = np.unique(time[event], return_inverse=True)
    ties = np.bincount(group)
    # Efron: the l-th of d tied events has l / d of their hazards taken out of its risk set.
    taken = (np.arange(len(group)) - (np.cumsum(ties) - ties)[group]) / ties[group]
    first, by_entry = np.searchsorted(time, moments, side="left"), np.argsort(entry, kind="stable")
    not_entered = np.searchsorted(entry[by_entry], moments, side="left")

    def derivatives(coefficient: float) -> tuple[float, float, float]:
        hazard = np.exp(coefficient * score)
        sums = []
        for values in (hazard, hazard * score, hazard * score**2):
            at_risk = _suffix(values)[first] - _suffix(values[by_entry])[not_entered]
            tied = np.bincount(group, weights=values[event])
            sums.append(at_risk[group] - taken * tied[group])
        mean, square = sums[1] / sums[0], sums[2] / sums[0]
        likelihood = coefficient * score[event].sum() - np.log(sums[0]).sum()
        return float(likelihood), float(score[event].sum() - mean.sum()), float((square - mean**2).sum())

    coefficient, (likelihood, slope, information) = 0.0, derivatives(0.0)
    for _ in range(_ITERATIONS):
        step = slope / information if information > 0 else float("nan")
        # A step too far lowers the likelihood, or makes hazards infinite.
        while not (found := derivatives(coefficient + step))[0] >= likelihood - 1e-10 * abs(likelihood):
            step /= 2
            if not abs(step) > 1e-12:
                return float("nan"), float("nan")
        coefficient, (likelihood, slope, information) = coefficient + step, found
        if abs(step) < 1e-9:
            return coefficient, information**-0.5
    return float("nan"), float("nan")


def _suffix(values: np.ndarray) -> np.ndarray:
    """Sums from each position to the end, and a final zero."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)


def _wald(fitted: Any, position: int, null: float, confidence: float, *, freedom: float = np.inf) -> Interval:
    """A coefficient of a statsmodels fit with limits and p against ``null``."""
    return _limited(float(fitted.params[position]), float(fitted.bse[position]), null, confidence, freedom=freedom)


def _limited(estimate: float, error: float, null: float, confidence: float, *, freedom: float = np.inf) -> Interval:
    width = float(student.ppf((1 + confidence) / 2, freedom)) * error
    p = float(2 * student.sf(abs(estimate - null) / error, freedom)) if error != 0 else float(estimate == null)
    return Interval(estimate, estimate - width, estimate + width, p)


def _limits(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}


def _separated(observed: np.ndarray, position: np.ndarray) -> bool:
    cases, others = position[observed], position[~observed]
    return bool(cases.min() >= others.max() or cases.max() <= others.min())


def _monotone(event: np.ndarray, time: np.ndarray, entry: np.ndarray, score: np.ndarray) -> bool:
    """Whether each event is that of the highest (or each of the lowest) score at risk: no finite slope fits best."""
    highest = lowest = True
    for i in np.flatnonzero(event):
        at_risk = score[(time >= time[i]) & (entry < time[i])]
        highest &= bool(score[i] >= at_risk.max())
        lowest &= bool(score[i] <= at_risk.min())
        if not (highest or lowest):
            return False
    return True

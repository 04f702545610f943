"""Cox regression with left truncation and strata, and cause-specific hazards for competing events.

The partial likelihood and its derivatives are statsmodels'; what it leaves open is added: a fit that says when no
finite answer exists, and the baseline hazard. A patient is at risk in ``(entry, time]``: not yet at an event at the
very time of entry, as in R's ``Surv(entry, time, event)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.base import BaseEstimator
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint

Ties = Literal["efron", "breslow"]

_STEPS = 100  # Newton steps; a fit with a finite answer needs about six
_CONVERGED = 1e-8  # of a step, in standard deviations of the columns; the next would be of the order of its square
_HALVINGS = 30
_SINGULAR = 1e-10  # smallest over largest eigenvalue of the information where every coefficient is 0
_FLAT = 1e-7  # information left of that at 0 when a coefficient runs away: reached when it multiplies hazards by 10^7
_RUNAWAY = 30.0  # standard deviation of the log hazard beyond which nobody's hazard is still a number
_WHERE = "Cox regression"


class CoxRegression(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Cox proportional hazards regression.

    Parameters
    ----------
    ties : {"efron", "breslow"}
        Approximation of the partial likelihood where events share a time [1]_.
    alpha : float
        Ridge penalty: ``alpha / 2 * sum(coef ** 2)`` is taken off the log partial likelihood, as in scikit-survival, so
        columns should be on one scale. 0: none. Standard errors then come from the penalised information: they are
        too small to be those of the coefficients, which are biased on purpose.

    Attributes
    ----------
    coef_, standard_errors_ : ndarray, shape (n_columns,)
        Log hazard ratio per unit of each column.
    covariance_ : ndarray, shape (n_columns, n_columns)
    centre_ : ndarray, shape (n_columns,)
        Mean of each column: the linear predictor is 0 there, and the baseline hazard that of such a patient.
    columns_ : list of str
    log_likelihood_, null_log_likelihood_ : float
        Log partial likelihood, unpenalised, of the fit and of no effects.
    strata_ : list of str
        Labels; one empty label without strata.
    baseline_times_, baseline_hazard_ : dict of str to ndarray
        For each stratum the event times and the cumulative baseline hazard from then on (Breslow's estimator, with
        either rule for ties).
    followed_to_ : dict of str to float
        For each stratum the longest follow-up.

    References
    ----------
    .. [1] Therneau TM, Grambsch PM. Modeling survival data: extending the Cox model. Springer 2000, chapter 3.
    """

    def __init__(self, ties: Ties = "efron", alpha: float = 0.0) -> None:
        self.ties = ties
        self.alpha = alpha

    def fit(self, X: np.ndarray | pd.DataFrame, time: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None,
            strata: Sequence[Any] | np.ndarray | None = None) -> Self:
        """Fit by Newton's method.

        Parameters
        ----------
        X : ndarray or DataFrame, shape (n, n_columns)
            Numbers without gaps.
        time : ndarray, shape (n,)
            End of follow-up.
        event : ndarray of bool, shape (n,)
        entry : ndarray, shape (n,), optional
            Left truncation: time from which each row is at risk, below ``time``.
        strata : sequence, shape (n,), optional
            Groups with a baseline hazard of their own.

        Raises
        ------
        DataError
            Missing values; entry at or after the end; no events, or (without a penalty) not more than columns; columns
            that carry nothing beyond the others; a coefficient that grows without end because the column separates
            who had the event (monotone likelihood); no convergence.
        """
        columns, values = _matrix(X)
        event = np.asarray(event, dtype=bool)
        time, entry = _times(time, event, entry)
        labels = np.zeros(len(time), dtype=int).astype(str) if strata is None else np.array([str(v) for v in strata])
        self.strata_ = [""] if strata is None else sorted(set(labels.tolist()))
        if not len(values) == len(time) == len(labels):
            raise ValueError("X, time, event, entry and strata differ in length")
        self._check_events(int(event.sum()), len(columns))
        self.columns_ = columns
        self.n_features_in_ = len(columns)
        self.centre_ = values.mean(axis=0)
        scale = values.std(axis=0)
        # A column that varies by rounding alone is constant.
        constant = scale <= 1e-12 * np.abs(self.centre_)
        if constant.any() and not self.alpha:
            raise _collinear(columns, constant)
        scale = np.where(constant, 1.0, scale)
        ranks, entry_ranks = _ranked(time, entry)
        model = PHReg(ranks, np.where(constant, 0.0, (values - self.centre_) / scale), status=event.astype(float),
                      entry=entry_ranks, strata=np.unique(labels, return_inverse=True)[1], ties=self.ties,
                      missing="none")
        start = np.zeros(len(columns))
        # Far from the maximum hazards overflow: the step is halved then, or the fit refused.
        with np.errstate(all="ignore"):
            standardised, information = _maximise(model, self.alpha / scale**2, columns)
        self.coef_ = standardised / scale
        self.covariance_ = np.linalg.inv(information) / np.outer(scale, scale)
        self.standard_errors_ = np.sqrt(np.diag(self.covariance_))
        self.log_likelihood_ = float(model.loglike(standardised))
        self.null_log_likelihood_ = float(model.loglike(start))
        self._fit_baseline(self.predict(values), time, event, entry, labels if strata is not None else None)
        return self

    def _check_events(self, events: int, columns: int) -> None:
        if self.ties not in ("efron", "breslow"):
            raise ValueError(f"ties is '{self.ties}', not 'efron' or 'breslow'")
        if self.alpha < 0:
            raise ValueError(f"alpha is {self.alpha}, below 0")
        if not events:
            raise DataError("no patient had the event", where=_WHERE,
                            todo="Check how the event column is coded, or choose another endpoint")
        if events <= columns and not self.alpha:
            raise DataError(f"{events} events are too few for {columns} columns", where=_WHERE,
                            todo="Use fewer columns, or a penalised model")

    def _fit_baseline(self, linear: np.ndarray, time: np.ndarray, event: np.ndarray, entry: np.ndarray | None,
                      labels: np.ndarray | None) -> None:
        self.baseline_times_: dict[str, np.ndarray] = {}
        self.baseline_hazard_: dict[str, np.ndarray] = {}
        self.followed_to_: dict[str, float] = {}
        for stratum in self.strata_:
            rows = np.ones(len(time), dtype=bool) if labels is None else labels == stratum
            self.baseline_times_[stratum], self.baseline_hazard_[stratum] = breslow_hazard(
                time[rows], event[rows], linear[rows], None if entry is None else entry[rows])
            self.followed_to_[stratum] = float(time[rows].max())

    def predict(self, X: np.ndarray | pd.DataFrame) -> np.ndarray:
        """Log hazard ratio against a patient with the mean of every column, shape (n,)."""
        values = X[self.columns_] if isinstance(X, pd.DataFrame) else X
        return (np.asarray(values, dtype=float) - self.centre_) @ self.coef_

    def cumulative_hazard(self, times: Sequence[float] | np.ndarray, stratum: str = "") -> np.ndarray:
        """Cumulative baseline hazard at each time, shape (n_times,); NaN after the stratum's last follow-up."""
        if stratum not in self.baseline_times_:
            raise DataError("a stratum was not there when the model was fitted", where=_WHERE,
                            todo=f"Known are: {', '.join(self.strata_)}")
        at = np.asarray(times, dtype=float)
        steps = np.searchsorted(self.baseline_times_[stratum], at, side="right")
        hazard = np.concatenate([[0.0], self.baseline_hazard_[stratum]])[steps]
        return np.where(at > self.followed_to_[stratum], np.nan, hazard)

    def risk_at(self, X: np.ndarray | pd.DataFrame, times: Sequence[float] | np.ndarray,
                strata: Sequence[Any] | np.ndarray | None = None) -> np.ndarray:
        """Probability of the event by each time, shape (n, n_times): ``1 - exp(-H(t) exp(linear predictor))``.

        NaN after the last follow-up of the patient's stratum. With competing events this is not the probability that
        the event will be seen: see :func:`incidence_at`.
        """
        linear = self.predict(X)
        labels = _labels(strata, len(linear))
        risk = np.empty((len(linear), len(times)))
        for stratum in sorted(set(labels)):
            rows = np.array([label == stratum for label in labels], dtype=bool)
            risk[rows] = -np.expm1(-np.exp(linear[rows])[:, None] * self.cumulative_hazard(times, stratum))
        return risk

    def table(self, confidence: float = 0.95) -> pd.DataFrame:
        """Hazard ratio of each column with its Wald interval: column, hazard_ratio, lower, upper, p (two-sided)."""
        width = norm.ppf((1 + confidence) / 2) * self.standard_errors_
        return pd.DataFrame({
            "column": self.columns_, "hazard_ratio": np.exp(self.coef_), "lower": np.exp(self.coef_ - width),
            "upper": np.exp(self.coef_ + width), "p": 2 * norm.sf(np.abs(self.coef_) / self.standard_errors_)})


def fit_cause_specific(X: np.ndarray | pd.DataFrame, endpoint: Endpoint, *, ties: Ties = "efron", alpha: float = 0.0,
                       strata: Sequence[Any] | np.ndarray | None = None) -> dict[str, CoxRegression]:
    """A Cox regression for each cause, in which patients with another cause are censored when it happens.

    Coefficients say how a predictor acts on the *rate* of a cause among patients still free of all of them; a predictor
    may lower the cumulative incidence of a cause by raising a competitor's rate [1]_.

    Returns
    -------
    dict of str to CoxRegression
        By cause, in the order of ``endpoint.causes``; one, by the endpoint's name, without competing events.

    Raises
    ------
    DataError
        As :meth:`CoxRegression.fit`, with the cause.

    References
    ----------
    .. [1] Putter H, Fiocco M, Geskus RB. Tutorial in biostatistics: competing risks and multi-state models. Stat Med
       2007;26:2389-2430.
    """
    assert endpoint.time is not None
    cause = endpoint.outcome.astype(int) if endpoint.cause is None else endpoint.cause
    names = endpoint.causes or (endpoint.name,)
    models = {}
    for number, name in enumerate(names, start=1):
        try:
            models[name] = CoxRegression(ties, alpha).fit(X, endpoint.time, cause == number, endpoint.entry, strata)
        except DataError as error:
            raise DataError(error.found, where=f"{error.where}, cause {name}", todo=error.todo) from error
    return models


def incidence_at(models: Mapping[str, CoxRegression], X: np.ndarray | pd.DataFrame,
                 times: Sequence[float] | np.ndarray,
                 strata: Sequence[Any] | np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Cumulative incidence of each cause for each patient, from cause-specific hazards.

    The product-integral of the hazards' matrix, whose jump at an event time is spread evenly over the interval before
    it: survival there falls by ``exp(-sum of the jumps)``, and what it loses is shared in proportion to the causes'
    jumps. The incidences stay within [0, 1], add up to one minus survival, and are :meth:`CoxRegression.risk_at` with
    a single cause; ``1 - sum of the jumps`` would turn negative for a patient at high risk.

    Parameters
    ----------
    models : mapping of str to CoxRegression
        Of every cause, from the same patients: see :func:`fit_cause_specific`.

    Returns
    -------
    dict of str to ndarray, shape (n, n_times)
        NaN after the last follow-up of the patient's stratum.
    """
    n = len(X)
    labels = _labels(strata, n)
    found = {name: np.empty((n, len(times))) for name in models}
    for stratum in sorted(set(labels)):
        rows = np.flatnonzero([label == stratum for label in labels])
        part = X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
        for name, values in _incidence(models, part, np.asarray(times, dtype=float), stratum).items():
            found[name][rows] = values
    return found


def breslow_hazard(time: np.ndarray, event: np.ndarray, linear: np.ndarray,
                   entry: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Event times, and the cumulative baseline hazard from each of them on [1]_; both empty without events.

    Parameters
    ----------
    linear : ndarray, shape (n,)
        Log hazard ratio against the patient whose hazard is estimated.
    entry : ndarray, shape (n,), optional
        The hazard of times at which nobody is at risk yet counts as 0.

    References
    ----------
    .. [1] Breslow N. Covariance analysis of censored survival data. Biometrics 1974;30:89-99.
    """
    times, counts = np.unique(time[event], return_counts=True)
    at_risk = weight_at_risk(times, time, np.exp(linear), entry)
    return times, np.cumsum(counts / at_risk)


def weight_at_risk(at: np.ndarray, time: np.ndarray, weight: np.ndarray,
                   entry: np.ndarray | None = None) -> np.ndarray:
    """Sum of the weights of patients with ``entry < at <= time``, shape of ``at``."""
    present = _weight_from(at, time, weight)
    return present if entry is None else present - _weight_from(at, entry, weight)


def _weight_from(at: np.ndarray, time: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum of the weights of patients with ``time >= at``."""
    order = np.argsort(time, kind="stable")
    # Summed from the end, so that the small risk sets of late times keep their digits.
    sums = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
    return sums[np.searchsorted(time[order], at, side="left")]


def _matrix(X: np.ndarray | pd.DataFrame) -> tuple[list[str], np.ndarray]:
    values = np.asarray(X, dtype=float)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"X has the shape {values.shape}, not (patients, columns)")
    names = X.columns if isinstance(X, pd.DataFrame) else [f"x{number}" for number in range(values.shape[1])]
    gaps = int((~np.isfinite(values)).any(axis=1).sum())
    if gaps:
        raise DataError(f"{gaps} patients have missing or infinite values", where=_WHERE,
                        todo="Impute them, or leave these patients out")
    return [str(name) for name in names], values


def _times(time: np.ndarray, event: np.ndarray,
           entry: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    time = np.asarray(time, dtype=float)
    if len(time) != len(event) or (entry is not None and len(entry) != len(time)):
        raise ValueError("X, time, event, entry and strata differ in length")
    entry = None if entry is None else np.asarray(entry, dtype=float)
    if not np.isfinite(time).all() or (entry is not None and not np.isfinite(entry).all()):
        raise DataError("times are missing or infinite", where=_WHERE, todo="Correct them in the table")
    late = 0 if entry is None else int((entry >= time).sum())
    if late:
        raise DataError(f"{late} patients enter at or after the end of their follow-up", where=_WHERE,
                        todo="Leave them out: they were never seen at risk")
    return time, entry


def _ranked(time: np.ndarray, entry: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Times and entries by rank, an entry after a follow-up that ends at the same time.

    statsmodels counts a patient as at risk at an event at the very time of entry; with these ranks nobody is, and times
    below 0, which it refuses, pass. The likelihood depends on the order of times alone.
    """
    if entry is None:
        return np.unique(time, return_inverse=True)[1].astype(float), None
    order = np.unique(np.concatenate([time, entry]))
    return 2.0 * np.searchsorted(order, time), 2.0 * np.searchsorted(order, entry) + 1


def _maximise(model: Any, penalty: np.ndarray, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and the (penalised) information there, in units of the model's columns."""

    def objective(at: np.ndarray) -> float:
        return float(model.loglike(at) - penalty @ at**2 / 2)

    def information_at(at: np.ndarray) -> np.ndarray:
        return np.diag(penalty) - model.hessian(at)

    found = np.zeros(len(columns))
    information = information_at(found)
    roots, directions = np.linalg.eigh(information)
    if roots[0] <= _SINGULAR * roots[-1]:
        raise _collinear(columns, np.abs(directions[:, 0]) > 0.05)
    # With a penalty there always is an answer, however large the effects.
    floor, ceiling = (0.0, np.inf) if penalty.any() else (_FLAT * float(roots[0]), _RUNAWAY)
    value = objective(found)
    for _ in range(_STEPS):
        step = np.linalg.solve(information, model.score(found) - penalty * found)
        if np.abs(step).max() <= _CONVERGED:
            return found + step, information_at(found + step)
        step, value = _damped(objective, found, step, value)
        found = found + step
        if np.std(model.exog @ found) > ceiling:
            raise _separated(columns, np.abs(found) > 0.5 * np.abs(found).max())
        information = information_at(found)
        if not np.isfinite(information).all():
            break
        roots, directions = np.linalg.eigh(information)
        if roots[0] <= floor:
            raise _separated(columns, np.abs(directions[:, 0]) > 0.5 * np.abs(directions[:, 0]).max())
    raise DataError("the fit did not converge", where=_WHERE,
                    todo="Look for columns with extreme values, use fewer columns, or a penalised model")


def _damped(objective: Any, found: np.ndarray, step: np.ndarray, value: float) -> tuple[np.ndarray, float]:
    """The step, halved until it does not lower the objective, and the objective there."""
    for _ in range(_HALVINGS):
        reached = objective(found + step)
        if np.isfinite(reached) and reached >= value - 1e-9 * (1 + abs(value)):
            return step, reached
        step = step / 2
    return step, value


def _few(columns: list[str], which: np.ndarray) -> str:
    names = [name for name, chosen in zip(columns, which, strict=True) if chosen]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _collinear(columns: list[str], which: np.ndarray) -> DataError:
    return DataError(f"columns are constant or follow from each other: {_few(columns, which)}", where=_WHERE,
                     todo="Leave one of them out, or use a penalised model")


def _separated(columns: list[str], which: np.ndarray) -> DataError:
    return DataError(f"the hazard ratio of {_few(columns, which)} grows without end: patients with and without the "
                     "event are separated (monotone likelihood)", where=_WHERE,
                     todo="Leave the column out, join its rare classes, or use a penalised model")


def _labels(strata: Sequence[Any] | np.ndarray | None, n: int) -> list[str]:
    labels = [""] * n if strata is None else [str(value) for value in strata]
    if len(labels) != n:
        raise ValueError("X and strata differ in length")
    return labels


def _incidence(models: Mapping[str, CoxRegression], X: np.ndarray | pd.DataFrame, times: np.ndarray,
               stratum: str) -> dict[str, np.ndarray]:
    """Of patients of one stratum; see :func:`incidence_at`."""
    last = min(model.followed_to_.get(stratum, -np.inf) for model in models.values())
    grid = np.unique(np.concatenate([np.concatenate([model.baseline_times_.get(stratum, np.empty(0))
                                                     for model in models.values()]), [last]]))
    jumps = np.stack([np.exp(model.predict(X))[:, None]
                      * np.diff(model.cumulative_hazard(grid, stratum), prepend=0.0)[None, :]
                      for model in models.values()])  # shape (causes, n, grid)
    total = jumps.sum(axis=0)
    hazard = np.cumsum(total, axis=1)
    lost = np.exp(-(hazard - total)) * -np.expm1(-total)
    share = np.divide(jumps, total, out=np.zeros_like(jumps), where=total > 0)
    incidence = np.concatenate([np.zeros((*jumps.shape[:2], 1)), np.cumsum(lost * share, axis=2)], axis=2)
    at = incidence[:, :, np.searchsorted(grid, times, side="right")]
    return dict(zip(models, np.where(times > last, np.nan, at), strict=True))

"""Regressions whose sums come from sites: Newton's method over sites, and the model that it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import norm

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Answers, Question, Task, Values
from medomicslab_nb.federated.tasks.preparation import Preparation

_STEPS = 100  # questions; a fit with a finite answer needs about six
_HALVINGS = 30
_SINGULAR = 1e-10  # smallest over largest eigenvalue of the information at the start
_FLAT = 1e-7  # information left of that at the start when a coefficient runs away
_CONSTANT = 1e-14  # information of a column, as a share of the largest, that is rounding error
_NOISE = 1e-14  # gain of a step, as a share of the objective, that is rounding error


@dataclass(frozen=True)
class Maximum:
    """What :func:`newton` found.

    Attributes
    ----------
    at : ndarray, shape (n,)
        Exactly 0 for a parameter about which the patients say nothing (a constant column).
    covariance : ndarray, shape (n, n)
        Inverse of the (penalised) information; NaN for such a parameter.
    log_likelihood : float
        Without the penalty.
    rounds : int
        Questions that were asked.
    """

    at: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    rounds: int


@dataclass(frozen=True)
class Regression:
    """A regression over sites.

    Attributes
    ----------
    kind : str
        "logistic", "linear" or "cox".
    columns : tuple of str
        Prepared columns.
    intercept : float
        For the mean of every column; 0 for Cox, where it is in the baseline hazard.
    coef : ndarray, shape (n_columns,)
        On the standardised scale: log odds ratio, difference of means or log hazard ratio per standard deviation.
    covariance : ndarray, shape (n_columns, n_columns)
        Of ``coef``; inverse of the information, penalty included. NaN for a constant column, of which nothing is known.
    log_likelihood : float
        Without the penalty.
    rounds : int
        Questions that were asked.
    mean, scale : ndarray, shape (n_columns,)
        Of the preparation.
    """

    kind: str
    columns: tuple[str, ...]
    intercept: float
    coef: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    rounds: int
    mean: np.ndarray
    scale: np.ndarray

    @property
    def intercept_in_units(self) -> float:
        """The linear predictor where every column, in its own unit, is 0."""
        return float(self.intercept - self.mean @ (self.coef / self.scale))

    def in_units(self, confidence: float = 0.95) -> pd.DataFrame:
        """Coefficients per unit of each column with Wald intervals.

        Returns
        -------
        DataFrame
            column, coefficient, standard_error, lower, upper, ratio (odds or hazard ratio; empty for a linear
            regression), standardised (the coefficient per standard deviation). Intervals are those of the
            coefficient, and with a penalty too narrow: they know nothing of its bias.
        """
        coefficient = self.coef / self.scale
        error = np.sqrt(np.diag(self.covariance)) / self.scale
        width = norm.ppf((1 + confidence) / 2) * error
        with np.errstate(over="ignore"):  # of a column with a very large unit
            ratio = np.full(len(coefficient), np.nan) if self.kind == "linear" else np.exp(coefficient)
        return pd.DataFrame({"column": self.columns, "coefficient": coefficient, "standard_error": error,
                             "lower": coefficient - width, "upper": coefficient + width, "ratio": ratio,
                             "standardised": self.coef})

    def values(self) -> dict[str, Any]:
        """What a site needs to score patients."""
        return {"model": "regression", "kind": self.kind, "intercept": self.intercept, "coef": self.coef}

    def score(self, matrix: np.ndarray) -> np.ndarray:
        """See :func:`score`."""
        return score(self.values(), matrix)


def score(values: Values, matrix: np.ndarray) -> np.ndarray:
    """Logit, prediction or log hazard ratio of prepared patients, shape (n,)."""
    return np.asarray(matrix @ values["coef"] + values["intercept"])


def with_intercept(matrix: np.ndarray) -> np.ndarray:
    """A column of ones before the others."""
    return np.column_stack([np.ones(len(matrix)), matrix])


def as_regression(kind: str, preparation: Preparation, found: Maximum) -> Regression:
    """The model with what was found; with one parameter more than columns, the first is the intercept."""
    extra = len(found.at) - len(preparation.columns)
    return Regression(kind, preparation.columns, float(found.at[:extra].sum()), found.at[extra:],
                      found.covariance[extra:, extra:], found.log_likelihood, found.rounds, preparation.mean,
                      preparation.scale)


def newton(step: str, values: Values, each: Mapping[str, Values], *, names: Sequence[str], penalty: np.ndarray,
           tolerance: float = 1e-10, where: str = "regression") -> Task:
    """Maximise a concave log likelihood that is a sum over sites, less ``penalty @ at**2 / 2``.

    Parameters
    ----------
    step : str
        A step that answers ``values["coef"]``, shape (n,), with ``log_likelihood``, ``gradient`` (n,) and
        ``information`` (n, n), the negative second derivatives, summed over its patients.
    values, each : mapping
        What the step needs besides.
    names : sequence of str
        Of the parameters, for errors.
    penalty : ndarray, shape (n,)
        0 for a parameter without one, such as an intercept.
    tolerance : float
        Largest change at which it stops, as a share of the largest parameter or, if that is smaller, of 1. The last
        change is made without another question.

    Returns
    -------
    Maximum

    Raises
    ------
    DataError
        Columns follow from each other, a parameter grows without end, or there is no convergence: in all cases the
        advice is a penalty.
    """
    at = change = np.zeros(len(names))
    before, free, floor = -np.inf, np.ones(len(names), dtype=bool), 0.0
    halvings = 0
    detail: dict[str, float] = {}
    for number in range(1, _STEPS + 1):
        answers = yield Question(step, {**values, "coef": at + change}, f"Newton step {number}", each, detail=detail)
        log_likelihood, gradient, information = _summed(answers)
        objective = log_likelihood - float(penalty @ (at + change)**2) / 2
        if not objective >= before - 1e-9 * (1 + abs(before)) and halvings < _HALVINGS:
            change, halvings = change / 2, halvings + 1
            continue
        at, before, halvings, detail = at + change, objective, 0, {"loss": -log_likelihood}
        information = information + np.diag(penalty)
        if number == 1:
            free, floor = _checked(information, penalty, names, where)
        change, covariance = _solved(information, gradient - penalty * at, free, names, floor, where)
        gain = float(change @ (gradient - penalty * at))
        small = np.abs(change).max() <= tolerance * max(1.0, np.abs(at).max())
        if number > 1 and (small or gain <= _NOISE * abs(objective)):
            return Maximum(at + change, covariance, log_likelihood, number)
    raise DataError("the fit did not converge", where=where, todo="Set a penalty, or leave out columns with extremes")


def _summed(answers: Answers) -> tuple[float, np.ndarray, np.ndarray]:
    log_likelihood, gradient, information = (
        sum(np.asarray(values[name]) for values in answers.values()) for name in ("log_likelihood", "gradient",
                                                                                   "information"))
    return float(log_likelihood), np.asarray(gradient), np.asarray(information)


def _checked(information: np.ndarray, penalty: np.ndarray, names: Sequence[str],
             where: str) -> tuple[np.ndarray, float]:
    """Parameters about which there is information, and the eigenvalue below which one runs away."""
    # Without the penalty, which would give an effect of 0 error bars that tell of no patient.
    free = np.diag(information) - penalty > _CONSTANT * np.diag(information).max(initial=0.0)
    if not free.any():
        raise DataError("no column varies", where=where, todo="Use other columns")
    roots, directions = np.linalg.eigh(information[np.ix_(free, free)])
    if roots[0] <= _SINGULAR * roots[-1]:
        members = np.flatnonzero(free)[np.abs(directions[:, 0]) > 0.05]
        raise DataError(f"columns follow from each other: {_listed(names, members)}", where=where,
                        todo="Leave one of them out, or set a penalty")
    # With a penalty there is always an answer, however large the effects.
    return free, 0.0 if penalty.any() else _FLAT * float(roots[0])


def _solved(information: np.ndarray, gradient: np.ndarray, free: np.ndarray, names: Sequence[str], floor: float,
            where: str) -> tuple[np.ndarray, np.ndarray]:
    """Newton's step and the inverse information, with nothing for what is not free."""
    inner = information[np.ix_(free, free)]
    roots, directions = np.linalg.eigh(inner)
    if roots[0] <= floor:
        main = np.abs(directions[:, 0])
        raise DataError(f"the effect of {_listed(names, np.flatnonzero(free)[main > 0.5 * main.max()])} grows without "
                        "end: it separates patients with and without the outcome", where=where,
                        todo="Set a penalty, leave the column out, or join its rare classes")
    factor = cho_factor(inner, lower=True)
    change, covariance = np.zeros(len(names)), np.full(information.shape, np.nan)
    change[free] = cho_solve(factor, gradient[free])
    covariance[np.ix_(free, free)] = cho_solve(factor, np.eye(len(inner)))
    return change, covariance


def _listed(names: Sequence[str], which: np.ndarray) -> str:
    shown = ", ".join(f"'{names[position]}'" for position in which[:5])
    return shown + (f" and {len(which) - 5} more" if len(which) > 5 else "")

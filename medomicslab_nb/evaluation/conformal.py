"""Conformal prediction: sets of classes and intervals that hold the truth with a stated probability.

The calibration scores come from predictions of patients by models that did not see them. If those patients and a new
one are exchangeable (same hospital mix, same period, same selection) the coverage holds whatever the model; it is an
average over patients (per class, for classes), not a promise for each patient. With out-of-fold scores ("cross-
conformal") the model that is applied was fitted on somewhat more patients than those that gave the scores: coverage
is then approximate and, in practice, a little above what is stated [2]_.

References
----------
.. [1] Vovk V, Gammerman A, Shafer G. Algorithmic learning in a random world. Springer 2005 (Mondrian: chapter 4).
.. [2] Vovk V. Cross-conformal predictors. Ann Math Artif Intell 2015;74:9-28.
.. [3] Sadinle M, Lei J, Wasserman L. Least ambiguous set-valued classifiers. J Am Stat Assoc 2019;114:223-234.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Conformal:
    """Calibration scores: how far patients with a known outcome were from their prediction.

    Attributes
    ----------
    classes : tuple of str
        Classes in the order of the probabilities' columns; empty for a continuous outcome.
    scores : tuple of ndarray
        Sorted. Per class: 1 - probability of the own class, of the patients of that class. Continuous: one array of
        absolute residuals.
    """

    classes: tuple[str, ...]
    scores: tuple[np.ndarray, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "scores": [np.asarray(part, dtype=float) for part in self.scores]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Conformal:
        """What :meth:`to_dict` gave."""
        scores = tuple(np.sort(np.asarray(part, dtype=float)) for part in content["scores"])
        classes = tuple(str(name) for name in content["classes"])
        if len(scores) != max(1, len(classes)) or any(part.ndim != 1 or np.isnan(part).any() for part in scores):
            raise ValueError("calibration scores")
        return cls(classes, scores)

    def limits(self, alpha: float) -> np.ndarray:
        """Largest score that is still covered, one per class (or one), shape (K,); infinite with too few patients."""
        _check_alpha(alpha)
        return np.array([conformal_quantile(part, alpha) for part in self.scores])

    def sets(self, probabilities: np.ndarray, *, alpha: float = 0.1) -> np.ndarray:
        """Which classes are in each patient's prediction set: bool, shape (n, K).

        Class-conditional ("Mondrian") least ambiguous sets: class k is in the set when 1 - p_k is at most the
        conformal quantile of class k, so that of the patients *of each class* at least 1 - alpha have it in their
        set [1]_ [3]_. A set may be empty (unlike every class) or full (the model cannot tell).

        Parameters
        ----------
        probabilities : ndarray, shape (n, K), or (n,) for two classes: of the second one
        alpha : float
            Share of patients of each class in whom it may be missing from the set.
        """
        if not self.classes:
            raise TypeError("a continuous outcome has intervals, not sets")
        return 1 - _two_columns(probabilities) <= self.limits(alpha) + _ROUNDING

    def interval(self, predicted: np.ndarray, *, alpha: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limit, each of shape (n,): prediction -+ the conformal quantile of absolute residuals."""
        if self.classes:
            raise TypeError("classes have sets, not intervals")
        width = float(self.limits(alpha)[0])
        return predicted - width, predicted + width

    def notes(self, alpha: float = 0.1) -> tuple[str, ...]:
        """In whole sentences: what is trivially covered because there are too few patients."""
        need = int(np.ceil(1 / alpha - _ROUNDING)) - 1
        names = self.classes or ("",)
        return tuple(
            f"{f'Class {name!r} has' if name else 'There are'} {len(part)} patients with an out-of-fold prediction, "
            f"and {1 - alpha:.0%} coverage needs {need}: "
            + (f"'{name}' is in every prediction set." if name else "the intervals are infinite.")
            for name, part, limit in zip(names, self.scores, self.limits(alpha), strict=True) if np.isinf(limit))


def conformal_quantile(scores: np.ndarray, alpha: float) -> float:
    """The ceil((n + 1) (1 - alpha))-th smallest of n scores; infinite when there are fewer.

    Of n + 1 exchangeable scores the last is at most this with probability >= 1 - alpha.
    """
    n = len(scores)
    rank = int(np.ceil((n + 1) * (1 - alpha) - _ROUNDING))
    return float(np.sort(scores)[rank - 1]) if rank <= n else float("inf")


def calibrate(endpoint: Endpoint, predicted: np.ndarray, *, positive: str = "yes", negative: str = "no",
              horizon: float | None = None) -> Conformal:
    """Calibration scores of patients with out-of-fold predictions.

    Parameters
    ----------
    endpoint : Endpoint
    predicted : ndarray, shape (n,) or (n, K)
        In the endpoint's order, each patient once, by a model that did not see them: probability of the positive
        class, of each class, predicted value, or (survival) risk by the horizon.
    horizon : float, optional
        Survival: the time by which everybody's state must be known.

    Raises
    ------
    DataError
        Predictions are missing, or the endpoint is survival with patients censored before the horizon.
    """
    predicted = np.asarray(predicted, dtype=float)
    unknown = int(np.isnan(predicted.reshape(len(predicted), -1)).any(axis=1).sum())
    if unknown or len(predicted) != len(endpoint):
        raise DataError(f"{unknown or abs(len(endpoint) - len(predicted))} of {len(endpoint)} patients have no "
                        "out-of-fold prediction", where="conformal prediction", todo="Run the stage again")
    if endpoint.kind == "continuous":
        return Conformal((), (np.sort(np.abs(endpoint.outcome - predicted)),))
    if endpoint.kind == "multiclass":
        observed, classes = endpoint.outcome.astype(int), endpoint.classes
    else:
        happened = _by_horizon(endpoint, horizon) if endpoint.kind == "survival" else endpoint.event
        observed, classes = happened.astype(int), (negative, positive)
    own = 1 - _two_columns(predicted)[np.arange(len(observed)), observed]
    return Conformal(tuple(classes), tuple(np.sort(own[observed == k]) for k in range(len(classes))))


def _by_horizon(endpoint: Endpoint, horizon: float | None) -> np.ndarray:
    """Whether each patient had the event by the horizon; refused unless that is known of all."""
    assert endpoint.time is not None
    if horizon is None:
        raise DataError("conformal prediction of a survival endpoint needs a horizon", where="conformal prediction",
                        todo="State the time to which the risk refers")
    if endpoint.cause is not None:
        # Who had a competing event will never have this one: known, and without the event.
        known = (endpoint.time >= horizon) | (endpoint.cause > 0)
    else:
        known = (endpoint.time >= horizon) | endpoint.event
    censored = int((~known).sum())
    if censored or (endpoint.entry is not None and bool((endpoint.entry > 0).any())):
        what = f"{censored} of {len(endpoint)} patients left follow-up before the horizon" if censored else \
            "patients entered late"
        raise DataError(f"{what}: under censoring or late entry the simple conformal sets do not have the coverage "
                        "that they claim, and none is given", where="conformal prediction",
                        todo="Choose an earlier horizon at which everybody's state is known, or use the risk alone")
    return endpoint.event & (endpoint.time <= horizon)


def _two_columns(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of every class, shape (n, K)."""
    probabilities = np.asarray(probabilities, dtype=float)
    return np.column_stack([1 - probabilities, probabilities]) if probabilities.ndim == 1 else probabilities


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise DataError(f"alpha is {alpha:g}", where="conformal prediction", todo="Choose it between 0 and 1, e.g. 0.1")

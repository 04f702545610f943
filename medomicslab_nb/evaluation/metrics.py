"""Measures of a prediction: discrimination, overall error and calibration.

A measure that does not exist for the data (one class only, no comparable pair) is NaN, never an arbitrary number.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logit
from sklearn.metrics import brier_score_loss, roc_auc_score
from sksurv.exceptions import NoComparablePairException
from sksurv.metrics import concordance_index_censored
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from medomicslab_nb.evaluation.endpoints import Endpoint


def auc(observed: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve; ties count half. NaN with one class only.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Higher means more likely positive.
    """
    if observed.all() or not observed.any():
        return float("nan")
    return float(roc_auc_score(observed, score))


def c_index(event: np.ndarray, time: np.ndarray, score: np.ndarray) -> float:
    """Harrell's concordance: of comparable pairs, the share in which who had the event earlier has the higher score.

    Ties in score count half. NaN without a comparable pair.

    Parameters
    ----------
    event : ndarray of bool, shape (n,)
    time : ndarray, shape (n,)
    score : ndarray, shape (n,)
        A risk: higher means earlier event. It *does not accept* survival probabilities.

    References
    ----------
    .. [1] Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Stat Med 1996;15:361-387.
    """
    if not event.any():
        return float("nan")
    try:
        # With one time for all, numerator and denominator are both zero.
        with np.errstate(invalid="ignore"):
            return float(concordance_index_censored(event, time, score)[0])
    except NoComparablePairException:
        return float("nan")


def discrimination(endpoint: Endpoint, score: np.ndarray) -> float:
    """AUC of a binary endpoint, C-index of a survival endpoint."""
    if endpoint.time is None:
        return auc(endpoint.event, score)
    return c_index(endpoint.event, endpoint.time, score)


def log_likelihood(endpoint: Endpoint, score: np.ndarray) -> float:
    """Mean log likelihood of linear predictors: per patient (binary, logistic) or per event (Cox, Breslow's ties).

    Higher is better. NaN for a survival endpoint without events.
    """
    if endpoint.time is None:
        return float(-np.mean(np.logaddexp(0, np.where(endpoint.event, -score, score))))
    order = np.argsort(-endpoint.time, kind="stable")
    time, event, ordered = -endpoint.time[order], endpoint.event[order], score[order]
    if not event.any():
        return float("nan")
    # Everybody followed at least as long is at risk, ties included.
    at_risk = np.logaddexp.accumulate(ordered)[np.searchsorted(time, time, side="right") - 1]
    return float(np.mean((ordered - at_risk)[event]))


def brier(observed: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared difference between probability and outcome (0 or 1); 0 is perfect, lower is better."""
    return float(brier_score_loss(observed, probability))


def calibration_slope(observed: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of calibration.

    The slope b of ``logit P(y = 1) = a + b logit(p)`` (1 is perfect, below 1 too extreme), and the intercept of the
    same model with b = 1 ("calibration in the large": 0 is perfect, above 0 too low on average) [1]_. NaN with one
    class only, or when the probabilities separate the classes.

    References
    ----------
    .. [1] Van Calster B, et al. Calibration: the Achilles heel of predictive analytics. BMC Med 2019;17:230.
    """
    if observed.all() or not observed.any():
        return float("nan"), float("nan")
    position = logit(np.clip(probability, 1e-6, 1 - 1e-6))
    outcome = observed.astype(float)
    intercept = GLM(outcome, np.ones((len(outcome), 1)), Binomial(), offset=position).fit().params[0]
    if _separated(observed, position) or np.ptp(position) == 0:
        return float("nan"), float(intercept)
    slope = GLM(outcome, np.column_stack([np.ones_like(position), position]), Binomial()).fit().params[1]
    return float(slope), float(intercept)


def _separated(observed: np.ndarray, position: np.ndarray) -> bool:
    cases, others = position[observed], position[~observed]
    return bool(cases.min() >= others.max() or cases.max() <= others.min())

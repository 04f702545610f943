"""How well a model does at one site, in sums that can be added up over sites; no score of a patient is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit, logit

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import cox_slope, linear_calibration, logistic_calibration
from medomicslab_nb.evaluation.delong import delong, external_auc_interval
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.messages import Values
from medomicslab_nb.federated.tasks.concordance import concordance_of
from medomicslab_nb.federated.tasks.cox import partial_likelihood

MEASURES: Mapping[str, str] = {"binary": "AUC", "survival": "C-index", "continuous": "R2"}
"""Measure of discrimination, by kind of endpoint."""

_FARTHEST = float(logit(1 - 1e-6))  # logit that enters recalibration, as in evaluation.calibration
_WIDTH = 1.959963984540054  # standard errors of a 95 % interval


def measures(endpoint: Endpoint, score: np.ndarray) -> dict[str, float]:
    """What a site tells of its patients; what does not exist for them is left out.

    ``estimate``, ``standard_error``, ``lower``, ``upper`` (95 %) of the measure, ``calibration_intercept`` and
    ``calibration_slope``, and sums by which sites are joined.

    Raises
    ------
    DataError
        An outcome of several classes.
    """
    if endpoint.kind not in _BY_KIND:
        raise DataError("an outcome of several classes cannot be judged over sites", where="federated evaluation",
                        todo="Choose a binary outcome, a number, or one with follow-up")
    found = _BY_KIND[endpoint.kind](endpoint, score)
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def recalibration(endpoint: Endpoint, score: np.ndarray, coef: np.ndarray) -> Values:
    """Log likelihood, gradient and information of the calibration of scores, summed over the site.

    Parameters
    ----------
    coef : ndarray
        Survival: the slope. Binary: the intercept with a slope of 1 alone, or with it intercept and slope of the
        regression that has both. The two models have no parameter in common, so that they are fitted at once.
    """
    if endpoint.kind == "survival":
        return partial_likelihood(score[:, None], endpoint, coef)
    position = np.clip(score, -_FARTHEST, _FARTHEST)
    one = np.ones((len(score), 1))
    parts = [_logistic(endpoint.event, one, position, coef[:1])]
    if len(coef) > 1:
        parts.append(_logistic(endpoint.event, np.column_stack([one, position]), np.zeros(len(score)), coef[1:]))
    information = np.zeros((len(coef), len(coef)))
    information[:1, :1] = parts[0][2]
    if len(coef) > 1:
        information[1:, 1:] = parts[1][2]
    return {"log_likelihood": float(sum(part[0] for part in parts)),
            "gradient": np.concatenate([part[1] for part in parts]), "information": information}


def squares(outcome: np.ndarray, predicted: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Sums of a continuous outcome by which :func:`r2_of` and a calibration slope are had, shape (7,).

    With ``e`` the error and ``d``, ``f`` the outcome and the prediction less their mean over all sites: of e^2, d^2,
    e^4, e^2 d^2, d^4, d f and f^2.
    """
    e2 = (outcome - predicted) ** 2
    d, f = outcome - means[0], predicted - means[1]
    return np.array([part.sum() for part in (e2, d**2, e2**2, e2 * d**2, d**4, d * f, f**2)])


def r2_of(sums: np.ndarray) -> tuple[float, float]:
    """R2 and its standard error (infinitesimal jackknife) from sums as :func:`squares` gives; NaN without spread."""
    e2, d2, e4, e2d2, d4 = sums[:5]
    if not d2 > 0:
        return float("nan"), float("nan")
    rest = e2 / d2
    return float(1 - rest), float(np.sqrt(max(e4 - 2 * rest * e2d2 + rest**2 * d4, 0.0)) / d2)


def r2_limits(estimate: float, error: float) -> tuple[float, float]:
    """95 % limits of R2."""
    return estimate - _WIDTH * error, min(estimate + _WIDTH * error, 1.0)


def _binary(endpoint: Endpoint, score: np.ndarray) -> dict[str, float]:
    event, probability = endpoint.event, expit(score)
    area = external_auc_interval(event, score)
    calibration = logistic_calibration(event, probability)
    return {"estimate": area.estimate, "standard_error": float(np.sqrt(delong(event, score)[1][0, 0])),
            "lower": area.lower, "upper": area.upper, "calibration_intercept": calibration.intercept.estimate,
            "calibration_slope": calibration.slope.estimate, "observed": event.sum(), "expected": probability.sum(),
            "squared_error": ((probability - event) ** 2).sum(), "score": score.sum(),
            "score_squares": (score**2).sum()}


def _survival(endpoint: Endpoint, score: np.ndarray) -> dict[str, float]:
    assert endpoint.time is not None
    found = concordance_of(endpoint, score)
    lower, upper = found.limits()
    slope = cox_slope(endpoint.event, endpoint.time, score, entry=endpoint.entry)
    return {"estimate": found.estimate, "standard_error": found.standard_error, "lower": lower, "upper": upper,
            "calibration_slope": slope.estimate, "pairs": found.pairs}


def _continuous(endpoint: Endpoint, score: np.ndarray) -> dict[str, float]:
    outcome = endpoint.outcome
    estimate, error = r2_of(squares(outcome, score, np.array([outcome.mean(), score.mean()])))
    lower, upper = r2_limits(estimate, error)
    calibration = linear_calibration(outcome, score)
    return {"estimate": estimate, "standard_error": error, "lower": lower, "upper": upper,
            "calibration_intercept": calibration.intercept.estimate, "calibration_slope": calibration.slope.estimate,
            "observed": outcome.sum(), "expected": score.sum()}


_BY_KIND: Mapping[str, Callable[[Endpoint, np.ndarray], dict[str, float]]] = {
    "binary": _binary, "survival": _survival, "continuous": _continuous}


def _logistic(event: np.ndarray, columns: np.ndarray, offset: np.ndarray,
              coef: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    linear = columns @ coef + offset
    probability = expit(linear)
    weighted = columns * (probability * (1 - probability))[:, None]
    return (float(-np.logaddexp(0, np.where(event, -linear, linear)).sum()), columns.T @ (event - probability),
            columns.T @ weighted)

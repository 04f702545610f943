"""Measures of a prediction: discrimination and overall error of the four kinds of outcome.

A measure that does not exist for the data (one class only, no comparable pair) is NaN, never an arbitrary number; so
is one of scores that hold NaN. Higher scores mean more risk, or more of the outcome. Calibration has a module of its
own, and so have measures at a threshold (decision) and by a time (survival_metrics).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import log_softmax
from scipy.stats import rankdata
from sksurv.exceptions import NoComparablePairException
from sksurv.metrics import concordance_index_censored

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import logistic_calibration
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import comparable_pairs, concordance, weighted_auprc

_CHUNK = 4_000_000  # cells of a block of pairs


def discrimination(endpoint: Endpoint, score: np.ndarray) -> float:
    """The endpoint's measure of discrimination.

    Binary: :func:`auc`; multi-class: :func:`auc_ovr`; continuous: :func:`r2`; survival: :func:`c_index`, with the
    endpoint's times of entry, and with competing events as ends of follow-up.

    Parameters
    ----------
    score : ndarray, shape (n,), multi-class (n, classes)
        Continuous: the predicted value itself, in the endpoint's unit.
    """
    if endpoint.kind == "multiclass":
        return auc_ovr(endpoint.outcome, score)
    if endpoint.kind == "continuous":
        return r2(endpoint.outcome, score)
    if endpoint.time is None:
        return auc(endpoint.event, score)
    return c_index(endpoint.event, endpoint.time, score, entry=endpoint.entry)


def log_likelihood(endpoint: Endpoint, score: np.ndarray) -> float:
    """Mean log likelihood of linear predictors; higher is better.

    Per patient: binary (logistic), multi-class (softmax of the row) and continuous (normal with variance one half, up
    to a constant: minus the mean squared error). Survival: Cox's partial likelihood per event with Breslow's ties;
    NaN without events.
    """
    if endpoint.kind == "multiclass":
        _check_classes(endpoint.outcome, score)
        return float(log_softmax(score, axis=1)[np.arange(len(endpoint)), endpoint.outcome].mean())
    if endpoint.kind == "continuous":
        return -float(np.mean((endpoint.outcome - score) ** 2))
    if endpoint.time is None:
        return float(-np.mean(np.logaddexp(0, np.where(endpoint.event, -score, score))))
    return _cox_log_likelihood(endpoint.event, endpoint.time, endpoint.entry, np.asarray(score, dtype=float))


def auc(observed: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve; ties count half. NaN with one class only.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Higher means more likely positive.
    """
    observed = np.asarray(observed, dtype=bool)
    cases = int(observed.sum())
    if cases in (0, len(observed)):
        return float("nan")
    # The Mann-Whitney statistic: a tenth of the time of sklearn.metrics.roc_auc_score, which selection calls often.
    ranks = rankdata(score)
    return float((ranks[observed].sum() - cases * (cases + 1) / 2) / (cases * (len(observed) - cases)))


def auc_ovr(outcome: np.ndarray, score: np.ndarray) -> float:
    """Mean over classes of the AUC of each against the rest, every class with the same weight [1]_.

    Classes that no patient has are left out of the mean. NaN with fewer than two classes.

    Parameters
    ----------
    outcome : ndarray of int, shape (n,)
        Position of the class.
    score : ndarray, shape (n, classes)

    References
    ----------
    .. [1] Fawcett T. An introduction to ROC analysis. Pattern Recognit Lett 2006;27:861-874.
    """
    _check_classes(outcome, score)
    present = np.unique(outcome)
    if len(present) < 2:
        return float("nan")
    return float(np.mean([auc(outcome == k, score[:, k]) for k in present]))


def r2(outcome: np.ndarray, predicted: np.ndarray) -> float:
    """Share of variance explained, against the mean of these patients; negative when worse than their mean.

    NaN with fewer than two patients or a constant outcome.
    """
    outcome = np.asarray(outcome, dtype=float)
    if len(outcome) < 2 or np.ptp(outcome) == 0:
        return float("nan")
    return float(1 - np.sum((outcome - predicted) ** 2) / np.sum((outcome - outcome.mean()) ** 2))


def c_index(event: np.ndarray, time: np.ndarray, score: np.ndarray, *, entry: np.ndarray | None = None) -> float:
    """Harrell's concordance: of comparable pairs, the share in which who had the event earlier has the higher score.

    Ties in score count half. NaN without a comparable pair.

    Parameters
    ----------
    event : ndarray of bool, shape (n,)
    time : ndarray, shape (n,)
    score : ndarray, shape (n,)
        A risk: higher means earlier event. It *does not accept* survival probabilities.
    entry : ndarray, shape (n,), optional
        Left truncation: a pair is comparable only when the later of the two was under observation when the earlier
        one had the event (``entry < time of the event``).

    References
    ----------
    .. [1] Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Stat Med 1996;15:361-387.
    """
    if not event.any() or np.isnan(score).any():
        return float("nan")
    if entry is not None:
        return _truncated_c_index(event, time, entry, score)
    try:
        # With one time for all, numerator and denominator are both zero.
        with np.errstate(invalid="ignore"):
            return float(concordance_index_censored(event, time, score)[0])
    except NoComparablePairException:
        return float("nan")


def auprc(observed: np.ndarray, score: np.ndarray) -> float:
    """Area under the precision-recall curve, as average precision; by chance it is the prevalence [1]_.

    NaN with one class only.

    References
    ----------
    .. [1] Saito T, Rehmsmeier M. The precision-recall plot is more informative. PLoS One 2015;10:e0118432.
    """
    observed = np.asarray(observed, dtype=bool)
    if observed.all() or not observed.any() or np.isnan(score).any():
        return float("nan")
    return float(weighted_auprc(np.ones((1, len(observed))), observed, np.asarray(score, dtype=float))[0])


def brier(observed: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared difference between probability and outcome; 0 is perfect, lower is better.

    Parameters
    ----------
    observed : ndarray of bool or of int, shape (n,)
        The positive class, or the position of the class.
    probability : ndarray, shape (n,) or (n, classes)
        With several classes the squares are added over classes, as Brier did: 0 to 2, with two classes twice what
        it is for the positive class alone.
    """
    probability = np.asarray(probability, dtype=float)
    if probability.ndim == 1:
        return float(np.mean((probability - np.asarray(observed, dtype=bool)) ** 2))
    _check_classes(observed, probability)
    return float(np.mean(np.sum((probability - np.eye(probability.shape[1])[observed]) ** 2, axis=1)))


def log_loss(observed: np.ndarray, probability: np.ndarray) -> float:
    """Mean of minus the log probability of what was observed; 0 is perfect. For shapes see :func:`brier`.

    Probabilities are kept 2.2e-16 away from 0, as in scikit-learn: one that was 0 for what happened costs 36.
    """
    probability = np.asarray(probability, dtype=float)
    if probability.ndim == 1:
        of_observed = np.where(observed, probability, 1 - probability)
    else:
        _check_classes(observed, probability)
        of_observed = probability[np.arange(len(probability)), observed]
    return -float(np.mean(np.log(np.clip(of_observed, np.finfo(float).eps, 1))))


def accuracy(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Share of patients whose class is the predicted one; by chance it is the share of the largest class."""
    return float(np.mean(np.asarray(observed) == np.asarray(predicted))) if len(observed) else float("nan")


def balanced_accuracy(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the classes that some patient has of the share of its patients recognised. NaN with one class only."""
    observed, predicted = np.asarray(observed), np.asarray(predicted)
    classes = np.unique(observed)
    if len(classes) < 2:
        return float("nan")
    return float(np.mean([np.mean(predicted[observed == k] == k) for k in classes]))


def mean_absolute_error(outcome: np.ndarray, predicted: np.ndarray) -> float:
    """Mean distance between value and prediction, in the unit of the outcome."""
    return float(np.mean(np.abs(np.asarray(outcome, dtype=float) - predicted))) if len(outcome) else float("nan")


def root_mean_squared_error(outcome: np.ndarray, predicted: np.ndarray) -> float:
    """Root of the mean squared distance between value and prediction, in the unit of the outcome."""
    if not len(outcome):
        return float("nan")
    return float(np.sqrt(np.mean((np.asarray(outcome, dtype=float) - predicted) ** 2)))


def calibration_slope(observed: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of :func:`~medomicslab_nb.evaluation.calibration.logistic_calibration`, without limits."""
    found = logistic_calibration(observed, probability)
    return found.slope.estimate, found.intercept.estimate


def _check_classes(outcome: np.ndarray, score: np.ndarray) -> None:
    """Refuse scores that do not have one column per class: numpy would broadcast them into some number."""
    shape = np.shape(score)
    if len(shape) != 2 or shape[0] != len(outcome) or (len(outcome) and int(np.max(outcome)) >= shape[1]):
        raise DataError(f"scores of shape {shape} do not fit {len(outcome)} patients", where="multi-class outcome",
                        todo="Pass one row per patient and one column per class")


def _truncated_c_index(event: np.ndarray, time: np.ndarray, entry: np.ndarray, score: np.ndarray) -> float:
    agree = pairs = 0.0
    for rows in _event_blocks(event):
        comparable = comparable_pairs(event, time, entry, rows=rows)
        agree += float((concordance(score, rows=rows) * comparable).sum(dtype=float))
        pairs += float(comparable.sum())
    return agree / pairs if pairs else float("nan")


def _cox_log_likelihood(event: np.ndarray, time: np.ndarray, entry: np.ndarray | None, score: np.ndarray) -> float:
    if not event.any():
        return float("nan")
    if entry is not None:
        parts = [score[rows] - _log_sum_at_risk(time, entry, score, rows) for rows in _event_blocks(event)]
        return float(np.concatenate(parts).mean())
    order = np.argsort(-time, kind="stable")
    backwards, happened, ordered = -time[order], event[order], score[order]
    # Everybody followed at least as long is at risk, ties included.
    at_risk = np.logaddexp.accumulate(ordered)[np.searchsorted(backwards, backwards, side="right") - 1]
    return float(np.mean((ordered - at_risk)[happened]))


def _log_sum_at_risk(time: np.ndarray, entry: np.ndarray, score: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Log of the summed hazards of those under observation at the time of each row."""
    at_risk = (time[None, :] >= time[rows, None]) & (entry[None, :] < time[rows, None])
    return np.logaddexp.reduce(np.where(at_risk, score[None, :], -np.inf), axis=1)


def _event_blocks(event: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of the events, in blocks that make tables of pairs of bounded size."""
    positions = np.flatnonzero(event)
    size = max(1, _CHUNK // len(event))
    for start in range(0, len(positions), size):
        yield positions[start:start + size]

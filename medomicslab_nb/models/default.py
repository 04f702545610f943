"""The one named default: a weighted average of ridge regression (2/3) and a random forest (1/3).

Each is standardised by its out-of-fold scores among the training patients. Inner cross-validation chooses the penalty
of the ridge, by held-out likelihood (the order of patients alone chooses more by chance), and leaves the weight 2/3
only for one that is better by more than a standard error. Nothing looks at a test patient.
"""

from __future__ import annotations

import numpy as np

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import corrected_standard_error
from medomicslab_nb.evaluation.metrics import discrimination

DEFAULT = "default: ridge + forest"
"""Name of the default in every table."""

USUAL_WEIGHT = 2 / 3
"""Share of the ridge in the default, unless inner cross-validation clearly speaks for another."""

WEIGHTS = (0.0, 1 / 3, USUAL_WEIGHT, 1.0)


def choose_weight(ridge: np.ndarray, forest: np.ndarray, endpoint: Endpoint, inner: np.ndarray) -> float:
    """Weight of the ridge: the usual one, unless another discriminates better by more than one standard error.

    Parameters
    ----------
    ridge, forest : ndarray, shape (n,) or (n, n_classes)
        Standardised scores of the training patients by models that did not see them.
    inner : ndarray of int, shape (n,)
        Inner folds; the standard error is that of the paired differences over them, corrected for shared patients.
    """
    folds = [np.flatnonzero(inner == fold) for fold in range(int(inner.max()) + 1)]
    values = np.array([[_agreement(endpoint.take(rows), (w * ridge + (1 - w) * forest)[rows]) for rows in folds]
                       for w in WEIGHTS])
    gains = values - values[WEIGHTS.index(USUAL_WEIGHT)]
    gains = gains[:, ~np.isnan(gains).any(axis=0)]
    if gains.shape[1] < 2:
        return USUAL_WEIGHT
    errors = np.array([corrected_standard_error(gain, n_train=len(folds) - 1, n_test=1) for gain in gains])
    means = gains.mean(axis=1)
    clear = np.where(means > errors, means, -np.inf)
    return WEIGHTS[int(np.argmax(clear))] if np.isfinite(clear).any() else USUAL_WEIGHT


def _agreement(endpoint: Endpoint, score: np.ndarray) -> float:
    """Discrimination; of a continuous outcome the correlation, since a standardised score has another scale."""
    if endpoint.kind != "continuous":
        return discrimination(endpoint, score)
    known = len(score) > 1 and np.ptp(score) > 0 and np.ptp(endpoint.outcome) > 0
    return float(np.corrcoef(score, endpoint.outcome)[0, 1]) if known else float("nan")

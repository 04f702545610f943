"""ComBat: centres brought to one location and scale, feature by feature, with the outcome kept out.

Arrays are (patients, features).
"""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

FEWEST = 5
"""Training patients of a centre, with fewer of which it is left as it is."""

FEWEST_NEW = 20
"""Patients of a centre that was not in training, from which it is harmonised by its own predictors."""

_TINY = 1e-12  # of the pooled variance in a centre's, of the mean in the pooled deviation: rounding error
_STEPS = 1000
_TOLERANCE = 1e-10

_Moments = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Count, mean and sum of squares about the mean of each feature in one centre, without missing values."""


class ComBat(BaseEstimator):
    """Parametric empirical Bayes ComBat [1]_, fitted on training patients and applied to others.

    A value ``y`` of feature g in centre i is standardised by the feature's grand mean and pooled within-centre
    standard deviation, ``z = (y - mean_g) / sigma_g``; the centre's mean and variance of ``z`` are shrunk towards
    those of its other features, and ``y* = mean_g + sigma_g (z - gamma_ig) / sqrt(delta_ig)``.

    There are no covariates, and the outcome is no argument: harmonisation that preserves the outcome carries it
    into the test patients.

    Missing values stay missing and do not count. A feature that is constant in a centre is moved there, not scaled;
    one that is constant in every centre becomes constant. With one feature there is nothing to shrink towards. A
    single centre is the reference, and stays as it is.

    Attributes
    ----------
    centres_ : list of str
        Centres with parameters.
    left_ : list of str
        Centres with fewer than 5 training patients: never harmonised.
    mean_, sigma_ : ndarray, shape (n_features,)
    location_, scale_ : ndarray, shape (n_centres, n_features)
        In the unit of the features: ``y* = mean_ + (y - location_) / scale_``.

    References
    ----------
    .. [1] Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using empirical Bayes
       methods. Biostatistics 2007;8:118-127.
    """

    def fit(self, values: np.ndarray, centre: np.ndarray) -> Self:
        """Learn each centre's location and scale.

        Parameters
        ----------
        values : ndarray, shape (n_patients, n_features)
        centre : ndarray of str or missing, shape (n_patients,)
        """
        names, counts = np.unique(_names(centre), return_counts=True)
        self.left_ = [str(name) for name, count in zip(names, counts, strict=True) if name and count < FEWEST]
        self.centres_ = [str(name) for name, count in zip(names, counts, strict=True) if name and count >= FEWEST]
        parts = [_moments(values[_names(centre) == name]) for name in self.centres_]
        self._standardise(parts, values.shape[1])
        if len(parts) == 1:
            self.location_, self.scale_ = self.mean_[None].copy(), np.ones((1, values.shape[1]))
            return self
        fitted = [self._parameters(part) for part in parts]
        shape = (len(parts), values.shape[1])
        self.location_ = np.array([location for location, _ in fitted]).reshape(shape)
        self.scale_ = np.array([scale for _, scale in fitted]).reshape(shape)
        return self

    def transform(self, values: np.ndarray, centre: np.ndarray | None) -> np.ndarray:
        """Harmonised values.

        A row of a centre that was in training depends on nothing but itself. A new centre with 20 patients or more
        is harmonised by the predictors of all its rows, without their outcomes; the rest stays as it is. See
        :meth:`notes`.
        """
        result = np.array(values, dtype=float)
        if centre is None:
            return result
        names = _names(centre)
        for name in np.unique(names):
            rows = names == name
            if name in self.centres_:
                position = self.centres_.index(name)
                location, scale = self.location_[position], self.scale_[position]
            elif self._is_transductive(name, rows):
                location, scale = self._parameters(_moments(result[rows]))
            else:
                continue
            result[rows] = self.mean_ + (result[rows] - location) / scale
        return result

    def notes(self, centre: np.ndarray | None) -> list[str]:
        """What a reader must know about these patients' centres, in whole sentences."""
        if centre is None:
            return ["No centre was given, so the values were left unharmonised."]
        names, notes = _names(centre), []
        for name in np.unique(names):
            rows = names == name
            if name in self.centres_:
                continue
            if not name:
                notes.append(f"For {int(rows.sum())} of {len(rows)} patients the centre is not known: their values "
                             "were left unharmonised.")
            elif name in self.left_:
                notes.append(f"Centre '{name}' has fewer than {FEWEST} training patients: its values were left "
                             "unharmonised.")
            elif self._is_transductive(name, rows):
                notes.append(f"Centre '{name}' was not in training: it was harmonised by the predictors of its own "
                             f"{int(rows.sum())} patients together, without their outcomes (transductive), so it "
                             "cannot be repeated for one of them alone.")
            else:
                notes.append(f"Centre '{name}' was not in training and has fewer than {FEWEST_NEW} patients: its "
                             "values were left unharmonised.")
        return notes

    def _is_transductive(self, name: str, rows: np.ndarray) -> bool:
        return bool(name and self.centres_ and name not in self.left_ and rows.sum() >= FEWEST_NEW)

    def _standardise(self, moments: list[_Moments], n_features: int) -> None:
        """Grand mean and pooled standard deviation of each feature over the centres."""
        count = sum((count for count, _, _ in moments), np.zeros(n_features))
        total = sum((count * mean for count, mean, _ in moments), np.zeros(n_features))
        squares = sum((squares for _, _, squares in moments), np.zeros(n_features))
        self.mean_ = total / np.maximum(count, 1)
        sigma = np.sqrt(squares / np.maximum(count, 1))
        # Constant in every centre: no scale of its own, and 0 marks it.
        self.sigma_ = np.where(sigma > _TINY * np.abs(self.mean_), sigma, 0.0)

    def _parameters(self, moments: _Moments) -> tuple[np.ndarray, np.ndarray]:
        """Location and scale of a centre, each of shape (n_features,)."""
        varies = self.sigma_ > 0
        sigma = np.where(varies, self.sigma_, 1.0)
        count, mean, squares = moments
        gamma = np.where(count > 0, mean - self.mean_, 0.0) / sigma
        delta = np.ones_like(gamma)
        gamma[varies], delta[varies] = _posterior(count[varies], gamma[varies], (squares / sigma ** 2)[varies])
        return self.mean_ + sigma * gamma, np.sqrt(delta)


def _names(centre: np.ndarray) -> np.ndarray:
    """Centres as text, empty where missing."""
    return np.where(pd.isna(centre), "", np.asarray(centre, dtype=object).astype(str)).astype(str)


def _moments(values: np.ndarray) -> _Moments:
    missing = np.isnan(values)
    count = len(values) - missing.sum(axis=0).astype(float)
    mean = np.where(missing, 0.0, values).sum(axis=0) / np.maximum(count, 1)
    deviation = values - mean
    deviation[missing] = 0.0
    return count, mean, np.square(deviation, out=deviation).sum(axis=0)


def _posterior(count: np.ndarray, gamma_hat: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Empirical Bayes estimates of a centre's means and variances of the standardised features.

    Priors, from the centre's features: normal with their mean and variance for the means, inverse gamma with their
    moments for the variances. The conditional means of both are iterated until they stand.
    """
    delta_hat = squares / np.maximum(count - 1, 1)
    spread = (count > 1) & (delta_hat > _TINY)
    seen = count > 0
    constant = (count > 1) & ~spread
    if spread.sum() < 2 or seen.sum() < 2:
        return gamma_hat, np.where(spread, delta_hat, 1.0)
    gamma_bar, tau2 = gamma_hat[seen].mean(), gamma_hat[seen].var(ddof=1)
    m, s2 = delta_hat[spread].mean(), delta_hat[spread].var(ddof=1)
    s2 = max(s2, 1e-10 * m ** 2)  # equal variances: the prior is sharp, not infinite
    a, b = (2 * s2 + m ** 2) / s2, (m * s2 + m ** 3) / s2
    gamma, delta = gamma_hat, np.where(spread, delta_hat, m)
    for _ in range(_STEPS):
        new_gamma = (tau2 * count * gamma_hat + delta * gamma_bar) / (tau2 * count + delta)
        new_delta = (0.5 * (squares + count * (gamma_hat - new_gamma) ** 2) + b) / (count / 2 + a - 1)
        change = max(np.abs(new_gamma - gamma).max(), (np.abs(new_delta - delta) / delta).max())
        gamma, delta = new_gamma, new_delta
        if change < _TOLERANCE:
            break
    return gamma, np.where(constant, 1.0, delta)

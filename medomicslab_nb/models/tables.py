"""The tables that the models stage publishes, made from out-of-fold predictions and folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import calibration_bins, survival_calibration_bins
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import Interval, bootstrap_auc, bootstrap_c_index, corrected_resampled_t
from medomicslab_nb.evaluation.metrics import brier, calibration_slope
from medomicslab_nb.models.curves import kaplan_meier_curve, roc_curve

FOLD_MEAN = "fold mean"
POOLED = "pooled"

_CORRECTED_T = "corrected resampled t over folds (Nadeau and Bengio 2003)"
_BOOTSTRAP = "percentile bootstrap of patients, 1000 samples"
_DRAWS = 1000


def performance(predictions: pd.DataFrame, folds: pd.DataFrame, endpoint: Endpoint, *, headline: str, seed: int,
                confidence: float) -> pd.DataFrame:
    """Every measure of every set of blocks and learner: mean over folds, and pooled over patients."""
    rows = []
    for (blocks, learner), part in _by_model(folds):
        mean = fold_mean(part, confidence)
        rows.append((blocks, learner, endpoint.metric, FOLD_MEAN, mean, _CORRECTED_T))
        scores = score_matrix(_select(predictions, blocks, learner), endpoint)
        rows.append((blocks, learner, endpoint.metric, POOLED, _pooled(endpoint, scores, seed, confidence),
                     _BOOTSTRAP))
        if endpoint.time is None:
            rows += [(blocks, learner, metric, POOLED, interval, "none")
                     for metric, interval in _probability_measures(_select(predictions, blocks, learner))]
    return pd.DataFrame([{
        "blocks": blocks, "learner": learner, "default": learner == headline, "metric": metric,
        "aggregation": aggregation, "estimate": interval.estimate, "lower": interval.lower, "upper": interval.upper,
        "n": len(endpoint), "events": endpoint.events, "interval": method}
        for blocks, learner, metric, aggregation, interval, method in rows])


def fold_mean(folds: pd.DataFrame, confidence: float) -> Interval:
    """Mean over the folds of one model, with the corrected resampled t interval."""
    return corrected_resampled_t(folds["value"].to_numpy(), n_train=folds["n_train"].mean(),
                                 n_test=folds["n_test"].mean(), confidence=confidence, null=0.5, bounds=(0, 1))


def score_matrix(predictions: pd.DataFrame, endpoint: Endpoint) -> np.ndarray:
    """Out-of-fold scores of one model, shape (n_patients, repeats), in the endpoint's order.

    Raises
    ------
    DataError
        A patient has no score in some repeat: no measure would be of all patients.
    """
    wide = predictions.pivot(index="patient", columns="repeat", values="score").reindex(endpoint.patients)
    without = int(wide.isna().any(axis=1).sum())
    if without:
        raise DataError(f"{without} of {len(wide)} patients lack an out-of-fold score", where="predictions",
                        todo="Run the stage again with another seed")
    return wide.to_numpy()


def ablation(folds: pd.DataFrame, n_features: dict[str, int], reference: str, confidence: float) -> pd.DataFrame:
    """Every set of blocks against the reference, fold by fold: the difference with its interval and p-value."""
    indexed = {blocks: part.set_index(["repeat", "fold"]) for blocks, part in folds.groupby("blocks", sort=False)}
    rows = []
    for blocks, part in indexed.items():
        mean = fold_mean(part, confidence)
        gain = Interval(0.0, np.nan, np.nan)
        if blocks != reference:
            gain = corrected_resampled_t((part["value"] - indexed[reference]["value"]).to_numpy(),
                                         n_train=part["n_train"].mean(), n_test=part["n_test"].mean(),
                                         confidence=confidence)
        rows.append({"blocks": blocks, "n_features": n_features[str(blocks)], "estimate": mean.estimate,
                     "lower": mean.lower, "upper": mean.upper, "difference": gain.estimate,
                     "difference_lower": gain.lower, "difference_upper": gain.upper, "p": gain.p,
                     "reference": reference})
    return pd.DataFrame(rows)


def roc(predictions: pd.DataFrame, endpoint: Endpoint, *, seed: int, confidence: float) -> pd.DataFrame:
    """ROC curves of a binary endpoint."""
    return _per_model(predictions, lambda part: roc_curve(endpoint.event, score_matrix(part, endpoint), seed=seed,
                                                          confidence=confidence))


def kaplan_meier(predictions: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Survival of held-out patients above and below their training fold's median score, first repeat only.

    In the first repeat every patient is held out once, so no one counts twice.
    """
    parts = []
    for blocks, part in predictions[predictions["repeat"] == 0].groupby("blocks", sort=False):
        for group, high in (("low risk", False), ("high risk", True)):
            held = part[part["high_risk"] == high]
            if len(held):
                curve = kaplan_meier_curve(held["event"].to_numpy(bool), held["time"].to_numpy(float), confidence)
                parts.append(_labelled(curve, blocks=blocks, group=group))
    return pd.concat(parts, ignore_index=True)


def calibration(predictions: pd.DataFrame, endpoint: Endpoint, horizon: float | None,
                confidence: float) -> pd.DataFrame:
    """Predicted against observed risk, predictions averaged over repeats; ``horizon`` is NaN for a binary endpoint."""
    column = "probability" if horizon is None else "risk_at_horizon"

    def bins(part: pd.DataFrame) -> pd.DataFrame:
        mean = part.groupby("patient")[column].mean().reindex(endpoint.patients).to_numpy()
        if endpoint.time is None or horizon is None:
            return calibration_bins(endpoint.event, mean, confidence=confidence)
        return survival_calibration_bins(endpoint.event, endpoint.time, mean, horizon, confidence=confidence)

    return _per_model(predictions, bins).assign(horizon=np.nan if horizon is None else horizon)


def _pooled(endpoint: Endpoint, scores: np.ndarray, seed: int, confidence: float) -> Interval:
    if endpoint.time is None:
        return bootstrap_auc(endpoint.event, scores, draws=_DRAWS, seed=seed, confidence=confidence)
    return bootstrap_c_index(endpoint.event, endpoint.time, scores, draws=_DRAWS, seed=seed, confidence=confidence)


def _probability_measures(predictions: pd.DataFrame) -> Iterator[tuple[str, Interval]]:
    """Brier score, calibration slope and intercept, each the mean over repeats."""
    values = []
    for _, part in predictions.groupby("repeat"):
        observed, probability = part["observed"].to_numpy(bool), part["probability"].to_numpy()
        values.append((brier(observed, probability), *calibration_slope(observed, probability)))
    means = np.mean(values, axis=0)
    for metric, value in zip(("brier", "calibration_slope", "calibration_intercept"), means, strict=True):
        yield metric, Interval(float(value), np.nan, np.nan)


def _by_model(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    yield from frame.groupby(["blocks", "learner"], sort=False)


def _select(predictions: pd.DataFrame, blocks: str, learner: str) -> pd.DataFrame:
    return predictions[(predictions["blocks"] == blocks) & (predictions["learner"] == learner)]


def _per_model(predictions: pd.DataFrame, make: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """One table per set of blocks and learner, below each other."""
    return pd.concat([_labelled(make(part), blocks=blocks, learner=learner)
                      for (blocks, learner), part in _by_model(predictions)], ignore_index=True)


def _labelled(frame: pd.DataFrame, **labels: str) -> pd.DataFrame:
    for position, (name, value) in enumerate(labels.items()):
        frame.insert(position, name, value)
    return frame

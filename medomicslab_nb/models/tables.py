"""The tables that the models stage publishes, made from held-out predictions and folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation import calibration as calibrations
from medomicslab_nb.evaluation.competing import aalen_johansen
from medomicslab_nb.evaluation.decision import decision_curve, operating_point, survival_decision_curve
from medomicslab_nb.evaluation.delong import delong_test, external_auc_interval
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import (
    Interval,
    bootstrap_difference,
    bootstrap_discrimination,
    corrected_resampled_t,
)
from medomicslab_nb.evaluation.risk_groups import compare_groups
from medomicslab_nb.evaluation.subgroups import subgroup_performance
from medomicslab_nb.models.curves import kaplan_meier_curve, roc_curve

FOLD_MEAN = "fold mean"
POOLED = "pooled"
HELD_OUT = "held out"
"""Aggregations: mean over folds; all folds' patients together; patients of an external, sealed or centre-wise test."""

CORRECTED_T = "corrected resampled t over folds (Nadeau and Bengio 2003)"
BOOTSTRAP = "percentile bootstrap of patients, 1000 samples"
WITHIN = "mean within centres, weighted by their patients; percentile bootstrap of patients, 1000 samples"
DELONG = "DeLong on the logit scale, Student's t"

_DRAWS = 1000
_DECISION_DRAWS = 200
_BOUNDS = {"r2": (-np.inf, 1.0), "rmse": (0.0, np.inf), "mae": (0.0, np.inf), "brier": (0.0, 2.0)}
_GROUPS = {2: ("low risk", "high risk"), 3: ("low risk", "intermediate risk", "high risk"),
           4: ("lowest quarter", "second quarter", "third quarter", "highest quarter")}


def performance(predictions: pd.DataFrame, folds: pd.DataFrame, endpoint: Endpoint, *, headline: str, seed: int,
                confidence: float, horizon: float | None, cross_validated: bool,
                within: np.ndarray | None = None) -> pd.DataFrame:
    """Every measure of every set of blocks and learner.

    Parameters
    ----------
    endpoint : Endpoint
        Of the patients that were held out.
    cross_validated : bool
        Means over folds are then the estimates; otherwise one test set, or the mean within centres, is.
    within : ndarray of str, shape (n,), optional
        Centre of each patient, where every centre was held out in turn.
    """
    rows = []
    for (blocks, learner), part in _by_model(folds):
        own = _select(predictions, blocks, learner)
        if cross_validated:
            rows += [(blocks, learner, metric, FOLD_MEAN, fold_mean(of_metric, endpoint, confidence), CORRECTED_T)
                     for metric, of_metric in part.groupby("metric", sort=False)]
        aggregation = POOLED if cross_validated else HELD_OUT
        main, method = _pooled(endpoint, score_matrix(own, endpoint), seed, confidence, single=not cross_validated,
                               within=within)
        rows.append((blocks, learner, endpoint.metric, aggregation, main, method))
        if not cross_validated:
            rows += _single_fold(part, endpoint, blocks, learner)
        rows += [(blocks, learner, metric, aggregation, interval, method)
                 for metric, interval, method in _calibration_measures(own, endpoint, horizon, confidence)]
    return pd.DataFrame([{
        "blocks": blocks, "learner": learner, "default": learner == headline, "metric": metric,
        "aggregation": aggregation, "estimate": interval.estimate, "lower": interval.lower, "upper": interval.upper,
        "n": len(endpoint), "events": endpoint.events, "interval": method}
        for blocks, learner, metric, aggregation, interval, method in rows])


def fold_mean(folds: pd.DataFrame, endpoint: Endpoint, confidence: float) -> Interval:
    """Mean over the folds of one model and measure, with the corrected resampled t interval."""
    metric = str(folds["metric"].iloc[0])
    null = endpoint.chance if metric == endpoint.metric else np.nan
    return corrected_resampled_t(folds["value"].to_numpy(dtype=float), n_train=folds["n_train"].mean(),
                                 n_test=folds["n_test"].mean(), confidence=confidence, null=null,
                                 bounds=_BOUNDS.get(metric, (0.0, 1.0)))


def score_matrix(predictions: pd.DataFrame, endpoint: Endpoint) -> np.ndarray:
    """Held-out scores of one model, in the endpoint's order.

    Shape (n_patients, repeats), of several classes (n_patients, n_classes, repeats); of a continuous outcome the
    predicted values.

    Raises
    ------
    DataError
        A patient has no score in some repeat: no measure would be of all patients.
    """
    if endpoint.kind == "multiclass":
        return np.stack([_wide(predictions, f"score: {name}", endpoint) for name in endpoint.classes], axis=1)
    return _wide(predictions, "predicted" if endpoint.kind == "continuous" else "score", endpoint)


def _wide(predictions: pd.DataFrame, column: str, endpoint: Endpoint) -> np.ndarray:
    wide = predictions.pivot(index="patient", columns="repeat", values=column).reindex(endpoint.patients)
    without = int(wide.isna().any(axis=1).sum())
    if without:
        raise DataError(f"{without} of {len(wide)} patients lack an out-of-fold score", where="predictions",
                        todo="Run the stage again with another seed")
    return wide.to_numpy()


def held_out_interval(endpoint: Endpoint, scores: np.ndarray, *, seed: int, confidence: float,
                      within: np.ndarray | None = None) -> Interval:
    """Discrimination in patients that the model did not learn from, by :func:`score_matrix`'s scores."""
    return _pooled(endpoint, scores, seed, confidence, single=True, within=within)[0]


def ablation(folds: pd.DataFrame, predictions: pd.DataFrame, endpoint: Endpoint, *,
             sizes: Mapping[str, tuple[int, int]], reference: str, seed: int, confidence: float,
             cross_validated: bool, within: np.ndarray | None = None) -> pd.DataFrame:
    """Every set of blocks against the reference, on the same folds or the same held-out patients.

    Parameters
    ----------
    folds, predictions
        Of one learner.
    sizes : mapping
        Features, and patients with a value in any of them, of each set.

    Returns
    -------
    DataFrame
        blocks, n_features, n_patients, estimate with limits, difference to the reference with limits, p, p_holm (over
        the sets), reference, interval (method).
    """
    folds = folds[folds["metric"] == endpoint.metric]
    indexed = {str(blocks): part.set_index(["repeat", "fold"]) for blocks, part in folds.groupby("blocks", sort=False)}
    rows = []
    for blocks, part in indexed.items():
        if cross_validated:
            mean, gain, method = fold_mean(part, endpoint, confidence), _gain(part, indexed[reference], confidence), \
                CORRECTED_T
        else:
            scores, other = (score_matrix(predictions[predictions["blocks"] == name], endpoint)
                             for name in (blocks, reference))
            mean, _ = _pooled(endpoint, scores, seed, confidence, single=True, within=within)
            gain, method = _held_out_gain(endpoint, scores, other, seed, confidence, within)
        if blocks == reference:
            gain = Interval(0.0, np.nan, np.nan)
        features, patients = sizes[blocks]
        rows.append({"blocks": blocks, "n_features": features, "n_patients": patients, "estimate": mean.estimate,
                     "lower": mean.lower, "upper": mean.upper, "difference": gain.estimate,
                     "difference_lower": gain.lower, "difference_upper": gain.upper, "p": gain.p, "p_holm": np.nan,
                     "reference": reference, "interval": method})
    table = pd.DataFrame(rows)
    known = table["p"].notna()
    if known.any():
        table.loc[known, "p_holm"] = multipletests(table.loc[known, "p"], method="holm")[1]
    return table


def _gain(part: pd.DataFrame, reference: pd.DataFrame, confidence: float) -> Interval:
    return corrected_resampled_t((part["value"] - reference["value"]).to_numpy(dtype=float),
                                 n_train=part["n_train"].mean(), n_test=part["n_test"].mean(), confidence=confidence)


def _held_out_gain(endpoint: Endpoint, scores: np.ndarray, other: np.ndarray, seed: int, confidence: float,
                   within: np.ndarray | None) -> tuple[Interval, str]:
    """Paired difference on patients that no model learned from."""
    if endpoint.kind == "binary" and within is None:
        return delong_test(endpoint.event, scores[:, 0], other[:, 0], confidence=confidence), "DeLong's paired test"
    return (bootstrap_difference(endpoint, scores, other, draws=_DRAWS, seed=seed, confidence=confidence,
                                 within=within), BOOTSTRAP if within is None else WITHIN)


def roc(predictions: pd.DataFrame, endpoint: Endpoint, *, seed: int, confidence: float) -> pd.DataFrame:
    """ROC curves of a binary endpoint."""
    return _per_model(predictions, lambda part: roc_curve(endpoint.event, score_matrix(part, endpoint), seed=seed,
                                                          confidence=confidence))


def kaplan_meier(predictions: pd.DataFrame, groups: int, confidence: float) -> pd.DataFrame:
    """Survival of held-out patients by risk group, cut at their training fold's quantiles, first repeat only.

    In the first repeat every patient is held out once, so no one counts twice.
    """
    return _by_group(predictions, groups, lambda held: kaplan_meier_curve(
        held["event"].to_numpy(bool), held["time"].to_numpy(float), confidence, entry=_or_none(held, "entry")))


def cumulative_incidence(predictions: pd.DataFrame, groups: int, confidence: float) -> pd.DataFrame:
    """Cumulative incidence (Aalen-Johansen) of the event in held-out patients by risk group, first repeat only."""
    def curve(held: pd.DataFrame) -> pd.DataFrame:
        found = aalen_johansen(held["time"].to_numpy(float), held["cause"].to_numpy(int), _or_none(held, "entry"),
                               confidence=confidence)
        return pd.DataFrame({"time": found.times, "incidence": found.estimate, "lower": found.lower,
                             "upper": found.upper, "at_risk": found.at_risk, "events": found.events})
    return _by_group(predictions, groups, curve)


def groups_compared(predictions: pd.DataFrame, groups: int) -> pd.DataFrame:
    """Risk groups of held-out patients: median survival, hazard ratio to the lowest, log-rank test stratified by fold.

    First repeat only. Competing events count as the end of follow-up: hazards are those of the event itself.
    """
    rows = []
    for blocks, part in predictions[predictions["repeat"] == 0].groupby("blocks", sort=False):
        found = compare_groups(part["risk_group"].to_numpy(int), part["time"].to_numpy(float),
                               part["event"].to_numpy(bool), entry=_or_none(part, "entry"),
                               strata=part["fold"].to_numpy())
        for line in found.groups.itertuples():
            ratio = found.hazard_ratios.get(int(line.group), Interval(np.nan, np.nan, np.nan))
            rows.append({"blocks": blocks, "group": _GROUPS[groups][int(line.group)], "n": line.n,
                         "events": line.events, "median_survival": line.median_survival,
                         "hazard_ratio": ratio.estimate, "lower": ratio.lower, "upper": ratio.upper,
                         "log_rank": found.statistic, "p": found.p})
    return pd.DataFrame(rows)


def operating_points(predictions: pd.DataFrame, endpoint: Endpoint, confidence: float) -> pd.DataFrame:
    """Sensitivity, specificity and predictive values at thresholds of the training folds, first repeat only."""
    parts = []
    points = [column for column in predictions.columns if column.startswith("at ")]
    for blocks, part in predictions[predictions["repeat"] == 0].groupby("blocks", sort=False):
        for point in points:
            # Every fold has a threshold of its own: what is left of it is who was above.
            found = operating_point(part["observed"].to_numpy(bool), part[point].to_numpy(float), 0.5,
                                    confidence=confidence).drop(columns="events")
            found["threshold"] = f"training {point.removeprefix('at ')}"
            parts.append(_labelled(found, blocks=str(blocks)).assign(prevalence=endpoint.event.mean()))
    table = pd.concat(parts, ignore_index=True)
    return table[["blocks", "threshold", "metric", "estimate", "lower", "upper", "n", "prevalence"]]


def decision(predictions: pd.DataFrame, endpoint: Endpoint, horizon: float | None, *, seed: int,
             confidence: float) -> pd.DataFrame:
    """Decision curves: net benefit of the model, of treating everybody and of treating nobody; first repeat only."""
    parts = []
    for blocks, part in predictions[predictions["repeat"] == 0].groupby("blocks", sort=False):
        own = part.set_index("patient").reindex(endpoint.patients)
        options = {"draws": _DECISION_DRAWS, "seed": seed, "confidence": confidence}
        if endpoint.time is None:
            curve = decision_curve(endpoint.event, own["probability"].to_numpy(float), **options)
        else:
            assert horizon is not None
            curve = survival_decision_curve(endpoint.event, endpoint.time, own["risk_at_horizon"].to_numpy(float),
                                            horizon, cause=endpoint.cause, entry=endpoint.entry, **options)
        parts.append(_labelled(curve, blocks=blocks))
    return pd.concat(parts, ignore_index=True)


def calibration(predictions: pd.DataFrame, endpoint: Endpoint, horizon: float | None,
                confidence: float) -> pd.DataFrame:
    """Predicted against observed risk, predictions averaged over repeats; ``horizon`` is NaN without follow-up.

    Of several classes every one against the rest (column ``class``).
    """
    def bins(part: pd.DataFrame) -> pd.DataFrame:
        if endpoint.kind == "multiclass":
            return pd.concat([_labelled(calibrations.calibration_bins(
                endpoint.outcome == code, _mean(part, f"probability: {name}", endpoint), confidence=confidence),
                **{"class": name}) for code, name in enumerate(endpoint.classes)], ignore_index=True)
        if endpoint.kind == "binary":
            return calibrations.calibration_bins(endpoint.event, _mean(part, "probability", endpoint),
                                                 confidence=confidence)
        assert endpoint.time is not None and horizon is not None
        return calibrations.survival_calibration_bins(endpoint.event, endpoint.time,
                                                      _mean(part, "risk_at_horizon", endpoint), horizon,
                                                      confidence=confidence, entry=endpoint.entry,
                                                      cause=endpoint.cause)

    return _per_model(predictions, bins).assign(horizon=np.nan if horizon is None else horizon)


def by_subgroup(predictions: pd.DataFrame, endpoint: Endpoint, columns: Mapping[str, pd.Series], *, seed: int,
                confidence: float) -> pd.DataFrame:
    """Discrimination by centre and other subgroups; cells of fewer than five patients are hidden."""
    parts = []
    for blocks, part in predictions.groupby("blocks", sort=False):
        scores = score_matrix(part, endpoint)
        for name, groups in columns.items():
            table = subgroup_performance(endpoint, scores, groups, draws=_DRAWS, seed=seed, confidence=confidence)
            parts.append(_labelled(table, blocks=str(blocks), subgroup=name))
    return pd.concat(parts, ignore_index=True)


def _single_fold(folds: pd.DataFrame, endpoint: Endpoint, blocks: str,
                 learner: str) -> list[tuple[str, str, str, str, Interval, str]]:
    """The other measures of one external or sealed test, without limits; of several centres they have no mean."""
    if len(folds[["repeat", "fold"]].drop_duplicates()) > 1:
        return []
    return [(blocks, learner, str(line.metric), HELD_OUT, Interval(float(line.value), np.nan, np.nan), "none")
            for line in folds.itertuples() if line.metric != endpoint.metric]


def _pooled(endpoint: Endpoint, scores: np.ndarray, seed: int, confidence: float, *,
            single: bool, within: np.ndarray | None = None) -> tuple[Interval, str]:
    if within is not None:
        return bootstrap_discrimination(endpoint, scores, draws=_DRAWS, seed=seed, confidence=confidence,
                                        within=within), WITHIN
    if single and endpoint.kind == "binary":
        return external_auc_interval(endpoint.event, scores[:, 0], confidence=confidence), DELONG
    return bootstrap_discrimination(endpoint, scores, draws=_DRAWS, seed=seed, confidence=confidence), BOOTSTRAP


def _calibration_measures(predictions: pd.DataFrame, endpoint: Endpoint, horizon: float | None,
                          confidence: float) -> Iterator[tuple[str, Interval, str]]:
    """Calibration slope and intercept, or observed over expected, in the first repeat."""
    own = predictions[predictions["repeat"] == 0].set_index("patient").reindex(endpoint.patients)
    if endpoint.kind == "binary":
        found = calibrations.logistic_calibration(endpoint.event, own["probability"].to_numpy(float),
                                                  confidence=confidence)
        yield "calibration_slope", found.slope, "Wald, logistic regression"
        yield "calibration_intercept", found.intercept, "Wald, logistic regression"
    elif endpoint.kind == "continuous":
        found = calibrations.linear_calibration(endpoint.outcome, own["predicted"].to_numpy(float),
                                                confidence=confidence)
        yield "calibration_slope", found.slope, "Student, linear regression"
        yield "calibration_intercept", found.intercept, "Student"
    elif endpoint.kind == "survival" and endpoint.cause is None:
        assert endpoint.time is not None and horizon is not None
        risk = own["risk_at_horizon"].to_numpy(float)
        position = np.log(-np.log1p(-np.clip(risk, 1e-9, 1 - 1e-9)))
        of_survival = calibrations.survival_calibration(endpoint.event, endpoint.time, position, risk, horizon,
                                                        entry=endpoint.entry, confidence=confidence)
        yield "calibration_slope", of_survival.slope, "Wald, Cox regression"
        yield ("observed_over_expected", of_survival.ratio,
               "Kaplan-Meier, log-log" if endpoint.entry is None else "Breslow, Wald on the log scale")


def _by_group(predictions: pd.DataFrame, groups: int, make: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for blocks, part in predictions[predictions["repeat"] == 0].groupby("blocks", sort=False):
        for number, name in enumerate(_GROUPS[groups]):
            held = part[part["risk_group"] == number]
            if len(held):
                parts.append(_labelled(make(held), blocks=str(blocks), group=name))
    return pd.concat(parts, ignore_index=True)


def _or_none(frame: pd.DataFrame, column: str) -> np.ndarray | None:
    return frame[column].to_numpy(float) if column in frame else None


def _mean(part: pd.DataFrame, column: str, endpoint: Endpoint) -> np.ndarray:
    """Mean over repeats, in the endpoint's order."""
    return part.groupby("patient")[column].mean().reindex(endpoint.patients).to_numpy(float)


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

"""What is measured in each held-out fold, by kind of endpoint; the first measure is the one that is compared."""

from __future__ import annotations

import numpy as np

from medomicslab_nb.evaluation import metrics
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.survival_metrics import (
    brier_by_time,
    evaluation_times,
    integrated_brier,
    time_dependent_auc,
    uno_c,
)
from medomicslab_nb.models.risk_model import RiskModel

_TIMES = 20  # at which the Brier score is integrated


def fold_measures(model: RiskModel, score: np.ndarray, held_out: Endpoint, train: Endpoint) -> dict[str, float]:
    """The measures of one held-out fold by name; NaN where one does not exist there.

    Parameters
    ----------
    score : ndarray, shape (n,) or (n, n_classes)
        Of :meth:`RiskModel.score`.
    train : Endpoint
        Of the training patients, whose censoring weights the survival measures.
    """
    predicted = model.probability(score)
    if held_out.kind == "continuous":
        return {"r2": metrics.r2(held_out.outcome, predicted),
                "rmse": metrics.root_mean_squared_error(held_out.outcome, predicted),
                "mae": metrics.mean_absolute_error(held_out.outcome, predicted)}
    main = {held_out.metric: metrics.discrimination(held_out, score)}
    if held_out.kind == "survival":
        return main | _survival(model, score, held_out, train)
    if held_out.kind == "multiclass":
        return main | {"accuracy": metrics.accuracy(held_out.outcome, predicted.argmax(axis=1)),
                       "balanced_accuracy": metrics.balanced_accuracy(held_out.outcome, predicted.argmax(axis=1)),
                       "brier": metrics.brier(held_out.outcome, predicted)}
    return main | {"auprc": metrics.auprc(held_out.event, score), "brier": metrics.brier(held_out.event, predicted)}


def _survival(model: RiskModel, score: np.ndarray, held_out: Endpoint, train: Endpoint) -> dict[str, float]:
    assert model.horizon is not None
    at = [model.horizon]
    times = evaluation_times(train, held_out, count=_TIMES)
    integrated = (integrated_brier(train, held_out, model.risk_at(score, times), times, draws=1).interval.estimate
                  if len(times) > 1 else np.nan)
    return {"uno_c": uno_c(train, held_out, score, draws=1).interval.estimate,
            "auc_at_horizon": float(time_dependent_auc(train, held_out, score, at, draws=1)["estimate"].iloc[0]),
            "brier_at_horizon": float(brier_by_time(train, held_out, model.risk_at(score, at), at,
                                                    draws=1)["estimate"].iloc[0]),
            "integrated_brier": float(integrated)}

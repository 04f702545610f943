"""The final model, fitted on every patient of development: explained, described, and kept as a file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation import conformal
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.explain import Estimation, Labels, Predictors, explanation_tables
from medomicslab_nb.models.fitting import FitOptions, Patients, fit_models
from medomicslab_nb.models.model_file import EndpointSummary, ModelFile, design_schema, save
from medomicslab_nb.models.nomogram import nomogram
from medomicslab_nb.models.out_of_distribution import fit_applicability, prepared_matrix
from medomicslab_nb.models.partial_dependence import model_dependence
from medomicslab_nb.models.risk_model import RiskModel

_CURVES = 6  # features whose partial dependence is shown


def fit_final(patients: Patients, blocks: tuple[str, ...], learner: str, options: FitOptions) -> RiskModel:
    """The model of some blocks, fitted on all patients."""
    return fit_models(patients, {"final": blocks}, [learner], options)["final", learner]


def explanations(model: RiskModel, patients: Patients, name: str, *, seed: int, confidence: float,
                 progress: Any) -> dict[str, pd.DataFrame]:
    """SHAP values, partial dependence and, for a linear model, the nomogram.

    Parameters
    ----------
    name : str
        The set of blocks, as tables call it.
    """
    own = Predictors(patients.frame[model.columns], patients.companions.centre)
    block_of = {column: block for block, columns in patients.blocks.items() for column in columns}
    labels = Labels(name, block_of, patients.categorical, patients.endpoint.classes)
    times = [model.horizon] if model.horizon is not None else []
    tables = explanation_tables(model, own, labels, times=times, estimation=Estimation(seed=seed, progress=progress),
                                confidence=confidence)
    top = list(dict.fromkeys(tables["importance"].sort_values("mean_abs_shap", ascending=False, kind="stable")[
        "feature"]))[:_CURVES]
    tables["partial_dependence"] = model_dependence(model, own, top, times=times, block_of=block_of, seed=seed,
                                                    confidence=confidence, progress=progress)
    # Forests, several classes and harmonised blocks have none.
    with suppress(DataError):
        found = nomogram(model, own, times=times)
        tables |= {"nomogram_points": found.points, "nomogram_risk": found.total}
    return tables


def model_file(model: RiskModel, patients: Patients, design: Design, study: Any, *, predicted: np.ndarray | None,
               positive: str, run: str, digest: str) -> bytes:
    """The final model with all that a prediction needs, as a file's content.

    Parameters
    ----------
    predicted : ndarray or None
        What models that did not see them predicted for the patients, each once, for conformal prediction sets.
    """
    endpoint = patients.endpoint
    content = ModelFile(model=model, columns=design_schema(study, design),
                        endpoint=EndpointSummary.of(endpoint, horizon=model.horizon, positive=positive),
                        applicability=fit_applicability(*prepared_matrix(model, patients.frame[model.columns],
                                                                          patients.companions.centre)),
                        conformal=_conformal(endpoint, predicted, model.horizon, positive), run=run, digest=digest)
    return save(content, identifiers=study.identifiers())


def _conformal(endpoint: Endpoint, predicted: np.ndarray | None, horizon: float | None,
               positive: str) -> conformal.Conformal | None:
    if predicted is None:
        return None
    # Under censoring there is no valid set: see conformal.calibrate.
    with suppress(DataError):
        return conformal.calibrate(endpoint, predicted, positive=positive or "yes", horizon=horizon)
    return None


def once_predicted(predictions: pd.DataFrame, endpoint: Endpoint) -> np.ndarray:
    """The first repeat's held-out predictions, in the endpoint's order: shape (n,) or (n, n_classes)."""
    own = predictions[predictions["repeat"] == 0].set_index("patient").reindex(endpoint.patients)
    columns: Mapping[str, list[str]] = {
        "binary": ["probability"], "continuous": ["predicted"], "survival": ["risk_at_horizon"],
        "multiclass": [f"probability: {name}" for name in endpoint.classes]}
    values = own[columns[endpoint.kind]].to_numpy(float)
    return values if endpoint.kind == "multiclass" else values[:, 0]

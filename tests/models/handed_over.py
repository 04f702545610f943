"""Fitted models of every kind of endpoint, with what goes into a model file."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from medomicslab_nb.evaluation.conformal import calibrate
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.fitting import Patients, fit_models
from medomicslab_nb.models.model_file import EndpointSummary, ModelFile, column_schema, package_versions
from medomicslab_nb.models.out_of_distribution import fit_applicability, prepared_matrix

BLOCKS = {"clinical": ("age", "size", "stage"), "genes": ("g0", "g1", "g2", "g3")}
KINDS = ("binary", "multiclass", "continuous", "survival")


def predictors(n: int, seed: int) -> pd.DataFrame:
    """Age, size with gaps, stage, and four genes."""
    rng = np.random.default_rng(seed)
    patients = pd.Index([f"PAT{seed}{i:05d}" for i in range(n)], name="patient")
    frame = pd.DataFrame({"age": rng.normal(60, 9, n), "size": rng.lognormal(3, 0.5, n)}, index=patients)
    frame.loc[rng.random(n) < 0.1, "size"] = np.nan
    frame["stage"] = rng.choice(["1", "2", "3"], n).astype(object)
    return frame.join(pd.DataFrame(rng.normal(size=(n, 4)), columns=list(BLOCKS["genes"]), index=patients))


def endpoint(frame: pd.DataFrame, kind: str, seed: int = 0) -> Endpoint:
    rng = np.random.default_rng(seed)
    n = len(frame)
    risk = ((frame["age"] - 60) / 9 + (frame["stage"] == "3") + frame["g0"]).to_numpy()
    if kind == "survival":
        time, censored = rng.exponential(100 * np.exp(-risk)), rng.exponential(300, n)
        return Endpoint("os", time <= censored, frame.index, np.minimum(time, censored), "days")
    if kind == "multiclass":
        noisy = risk + rng.logistic(size=n)
        return Endpoint("grade", np.digitize(noisy, [-0.5, 1]), frame.index, classes=("low", "middle", "high"))
    if kind == "continuous":
        return Endpoint("volume", risk + rng.normal(size=n), frame.index, unit="ml")
    return Endpoint("relapse", rng.random(n) < expit(risk), frame.index)


def fitted(kind: str, learner: str = "ridge", n: int = 120) -> tuple[ModelFile, pd.DataFrame]:
    """A model file of that kind, and its training patients."""
    frame = predictors(n, 0)
    outcome = endpoint(frame, kind)
    model = fit_models(Patients(frame, outcome, BLOCKS, ("stage",)), {"all": tuple(BLOCKS)}, [learner])["all", learner]
    matrix, columns = prepared_matrix(model, frame)
    # In-sample predictions serve here: nothing in these tests is about coverage.
    conformal = None if kind == "survival" else calibrate(outcome, model.probability(model.score(frame)))
    schema = column_schema(frame, categorical=("stage",), units={"size": "mm"},
                           block_of={name: block for block, names in BLOCKS.items() for name in names},
                           table_of={name: block for block, names in BLOCKS.items() for name in names})
    return ModelFile(model, schema, EndpointSummary.of(outcome, horizon=model.horizon),
                     fit_applicability(matrix, columns), conformal, package_versions(), "20260101T000000Z-models-0",
                     "d"), frame

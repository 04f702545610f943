"""Small generated studies: clinical predictors with gaps and categories, wide genes, both kinds of outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models import learners
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column

PATIENT = Column(role="identifier", type="text")


@pytest.fixture
def few_trees(monkeypatch):
    """Forests of 40 trees: enough for what is not about accuracy."""
    monkeypatch.setattr(learners, "TREES", 40)


def clinical(n: int = 90, seed: int = 0) -> pd.DataFrame:
    """Age and stage matter; the marker is missing in a fifth of the patients."""
    rng = np.random.default_rng(seed)
    age, stage = rng.normal(60, 9, n), rng.choice(["I", "II", "III"], n)
    marker = np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n))
    risk = (age - 60) / 9 + (stage == "III") * 1.5 - 0.4
    time = np.ceil(rng.exponential(900 * np.exp(-risk)))
    return pd.DataFrame({"patient": [f"{i:04d}" for i in range(n)], "age": age, "stage": stage, "marker": marker,
                         "response": (risk + rng.logistic(size=n) > 0).astype(int),
                         "days": np.minimum(time, 1500.0), "dead": time <= 1500})


COLUMNS = {"patient": PATIENT, "age": Column(unit="years"), "stage": Column(type="category"), "marker": Column(),
           "response": Column(role="outcome", type="boolean"),
           "days": Column(role="time", unit="days", endpoint="os"),
           "dead": Column(role="event", type="boolean", endpoint="os")}


def genes(n: int = 90, p: int = 12, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(n, p)), columns=[f"g{i}" for i in range(p)],
                        index=pd.Index([f"{i:04d}" for i in range(n)], name="patient"))


@pytest.fixture
def study(tmp_path) -> Study:
    """90 patients: table clinical (endpoints response and os), table genes (block genes)."""
    made = create_study(tmp_path / "study")
    made.add_table("clinical", clinical(), columns=COLUMNS)
    made.add_table("genes", genes(), block="genes", default_column=Column(), transposed=True)
    return made


def core(kind: str, n: int = 90) -> tuple[Design, Endpoint]:
    """Design and endpoint without a study."""
    frame = clinical(n).set_index("patient")
    survival = kind == "survival"
    endpoint = Endpoint(kind, frame["dead" if survival else "response"].to_numpy(bool), frame.index,
                        frame["days"].to_numpy() if survival else None)
    predictors = pd.concat([frame[["age", "marker"]], frame["stage"].astype(object)], axis=1)
    return Design(predictors, {"clinical": tuple(predictors.columns)}, ("stage",)), endpoint

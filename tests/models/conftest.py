"""Small generated studies and patients: clinical predictors with gaps and categories, wide genes, every outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.fitting import Patients
from medomicslab_nb.models.learners import trees
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column

PATIENT = Column(role="identifier", type="text")

KINDS = ("binary", "multiclass", "continuous", "survival", "competing", "truncated")
"""Kinds of endpoint, survival also with competing events and with times of entry."""


@pytest.fixture
def few_trees(monkeypatch):
    """Forests of 40 trees: enough for what is not about accuracy."""
    monkeypatch.setattr(trees, "TREES", 40)


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


def ids(n: int) -> pd.Index:
    return pd.Index([f"{i:04d}" for i in range(n)], name="patient")


def outcome_of(risk: np.ndarray, kind: str, seed: int = 0) -> Endpoint:
    """An endpoint that rises with the risk."""
    rng = np.random.default_rng(seed)
    n = len(risk)
    noisy = risk + rng.logistic(size=n) / 2
    if kind == "binary":
        return Endpoint("y", noisy > np.median(noisy), ids(n))
    if kind == "multiclass":
        return Endpoint("y", np.digitize(noisy, np.quantile(noisy, [0.3, 0.7])), ids(n), classes=("a", "b", "c"))
    if kind == "continuous":
        return Endpoint("y", 5 + 3 * noisy, ids(n), unit="ml")
    died, other, end = rng.exponential(np.exp(-risk)), rng.exponential(2, n), rng.uniform(0.5, 4, n)
    if kind == "competing":
        time = np.minimum(np.minimum(died, other), end)
        cause = np.select([died == time, other == time], [1, 2], 0)
        return Endpoint("y", cause == 1, ids(n), time, "years", cause=cause, causes=("relapse", "death"))
    endpoint = Endpoint("y", died <= end, ids(n), np.minimum(died, end), "years")
    return endpoint if kind == "survival" else replace(endpoint, entry=endpoint.time * rng.uniform(0, 0.6, n))


def two_blocks(kind: str = "binary", n: int = 120, p: int = 6, seed: int = 0) -> Patients:
    """Clinical a, b and c (a category), and genes of which g0 matters: patients in the order of their identifiers."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"], index=ids(n))
    frame["c"] = pd.Series(rng.choice(["x", "y", "z"], n), index=frame.index, dtype=object)
    frame = frame.join(pd.DataFrame(rng.normal(size=(n, p)), columns=[f"g{i}" for i in range(p)], index=frame.index))
    risk = frame["a"] + (frame["c"] == "z") + 0.7 * frame["g0"]
    return Patients(frame, outcome_of(risk.to_numpy(), kind, seed),
                    {"clinical": ("a", "b", "c"), "genes": tuple(f"g{i}" for i in range(p))}, ("c",))


def with_centres(patients: Patients, names: tuple[str, ...] = ("A", "B", "C"), shift: float = 2.0) -> Patients:
    """The same with centres, whose genes are measured on other scales."""
    rng = np.random.default_rng(8)
    centre = pd.Series(rng.choice(np.array(names, dtype=object), len(patients.endpoint)), index=patients.frame.index)
    frame, columns = patients.frame.copy(), list(patients.blocks["genes"])
    for number, name in enumerate(names):
        rows = (centre == name).to_numpy()
        frame.loc[rows, columns] = frame.loc[rows, columns] * (1 + number) + shift * number
    return replace(patients, frame=frame, companions=replace(patients.companions, centre=centre))


def with_perturbed(patients: Patients, noise: Mapping[str, float], count: int = 2) -> Patients:
    """The same with perturbed values of some columns."""
    rng = np.random.default_rng(9)
    index = patients.frame.index
    parts = [pd.DataFrame({"patient": index, "perturbation": f"growth {number}",
                           **{column: patients.frame[column].to_numpy() + amount * rng.normal(size=len(index))
                              for column, amount in noise.items()}}) for number in range(count)]
    companions = Companions(patients.companions.centre, pd.concat(parts, ignore_index=True))
    return replace(patients, companions=companions)

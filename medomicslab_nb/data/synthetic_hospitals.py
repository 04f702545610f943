"""Four generated hospitals in which the disease is the same and the patients are not: why their models differ.

In every hospital the risk of a recurrence follows one formula (:data:`EFFECTS`). What differs is how many patients a
hospital has, whom it sees, and what it measures. Nothing is measured on people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from medomicslab_nb.tables import Column

STAGES = ("I", "II", "III")

INTERCEPT = -1.5
EFFECTS = MappingProxyType({"stage=II": 0.9, "stage=III": 1.8, "age": 0.06, "size": 0.5, "haemoglobin": -0.4})
"""Log odds ratio of a recurrence, for a stage against stage I, and for a unit of the other columns."""

CENTRES = MappingProxyType({"age": 60.0, "size": 3.0, "haemoglobin": 13.0})
"""Where the intercept holds: in stage I."""

DECOYS = MappingProxyType({"sodium": (140.0, 3.0), "potassium": (4.2, 0.4), "platelets": (260.0, 60.0),
                           "creatinine": (80.0, 15.0), "leucocytes": (7.0, 1.8)})
"""Mean and standard deviation of columns without any effect."""


@dataclass(frozen=True)
class Hospital:
    """Whom a hospital sees, and what it measures.

    Attributes
    ----------
    stages : tuple of float
        Shares of the stages.
    age, size, haemoglobin : tuple of float
        Mean and standard deviation: years, cm, g/dL.
    unknown : mapping
        Share of patients of whom a column is not known.
    zero : tuple of str
        Columns that are not measured, and stored as 0.
    """

    patients: int
    stages: tuple[float, float, float]
    age: tuple[float, float]
    size: tuple[float, float]
    haemoglobin: tuple[float, float] = (13.0, 1.5)
    unknown: Mapping[str, float] = field(default_factory=dict)
    zero: tuple[str, ...] = ()


HOSPITALS: Mapping[str, Hospital] = MappingProxyType({
    "alpha": Hospital(800, (0.35, 0.35, 0.30), (61, 11), (3.4, 1.4)),
    "beta": Hospital(500, (0.30, 0.40, 0.30), (66, 9), (3.6, 1.4), unknown={"size": 0.15, "platelets": 0.3}),
    "gamma": Hospital(300, (0.80, 0.20, 0.00), (54, 5), (1.8, 0.5)),
    "delta": Hospital(160, (0.20, 0.40, 0.40), (68, 8), (3.8, 1.4), (12.0, 1.6), zero=("haemoglobin",))})
"""A cancer centre, a regional hospital, a screening clinic (younger patients, small tumours, no stage III), and a small
hospital that has no haemoglobin."""

COLUMNS: Mapping[str, Column] = {
    "hospital": Column(role="centre", type="category"),
    "age": Column(unit="years", type="integer"),
    "stage": Column(type="category"),
    "size": Column(unit="cm", description="largest diameter of the tumour"),
    "haemoglobin": Column(unit="g/dL", description="0 means not measured (every patient of delta)"),
    "sodium": Column(unit="mmol/L"), "potassium": Column(unit="mmol/L"), "platelets": Column(unit="10^9/L"),
    "creatinine": Column(unit="µmol/L"), "leucocytes": Column(unit="10^9/L"),
    "recurrence": Column(role="outcome", type="boolean", description="within three years")}
"""Data dictionary."""


def draw_hospitals(seed: int = 0) -> pd.DataFrame:
    """The patients of all hospitals, one row each, index = patient.

    Each hospital is drawn from ``(seed, hospital)``, so that none changes another.
    """
    parts = [_patients(name, hospital, np.random.default_rng([seed, place]))
             for place, (name, hospital) in enumerate(HOSPITALS.items())]
    frame = pd.concat(parts, ignore_index=True)
    return frame.set_index(pd.Index([f"HOSP-{number:04d}" for number in range(1, len(frame) + 1)], name="patient"))


def log_odds(frame: pd.DataFrame) -> np.ndarray:
    """The true log odds of a recurrence, shape (n,), of patients of whom everything is known."""
    numbers = sum(EFFECTS[name] * (frame[name] - centre) for name, centre in CENTRES.items())
    stages = sum(EFFECTS[f"stage={stage}"] * (frame["stage"] == stage) for stage in STAGES[1:])
    return np.asarray(INTERCEPT + numbers + stages, dtype=float)


def _patients(name: str, hospital: Hospital, draw: np.random.Generator) -> pd.DataFrame:
    n = hospital.patients
    frame = pd.DataFrame({
        "hospital": name, "age": np.clip(draw.normal(*hospital.age, n).round(), 25, 90).astype(int),
        "stage": draw.choice(STAGES, n, p=hospital.stages),
        "size": np.clip(draw.normal(*hospital.size, n), 0.4, 9).round(1),
        "haemoglobin": np.clip(draw.normal(*hospital.haemoglobin, n), 7, 18).round(1),
        **{decoy: draw.normal(mean, sd, n).round(1) for decoy, (mean, sd) in DECOYS.items()}})
    frame["recurrence"] = draw.random(n) < 1 / (1 + np.exp(-log_odds(frame)))
    for column, share in hospital.unknown.items():
        frame[column] = frame[column].mask(draw.random(n) < share)
    return frame.assign(**dict.fromkeys(hospital.zero, 0.0))

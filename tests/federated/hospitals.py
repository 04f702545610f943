"""Small hospitals for tests of the command line: studies with a clinical table, made from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column

SETTINGS = {"outcome": "death", "predictors": {"clinical": ["age", "dose", "smoker"]}, "external": False,
            "compare": False, "explain": False}
"""A run of few rounds."""
COLUMNS = {"age": Column(role="predictor", type="number"), "dose": Column(role="predictor", type="number"),
           "smoker": Column(role="predictor", type="number"), "death": Column(role="outcome", type="integer")}


def patients(site: str, n: int, seed: int) -> pd.DataFrame:
    """Patients whose death depends on age, dose and smoking; a few gaps."""
    random = np.random.default_rng(seed)
    age, dose = random.normal(62, 9, n).round(1), random.normal(66, 4, n).round(1)
    smoker = random.integers(0, 2, n)
    risk = 1 / (1 + np.exp(-((age - 62) / 9 - 0.1 * (dose - 66) + smoker - 0.5)))
    frame = pd.DataFrame({"patient": [f"{site}-{i:04d}" for i in range(n)], "age": age, "dose": dose,
                          "smoker": smoker.astype(float), "death": (random.random(n) < risk).astype(int)})
    frame.loc[:7, "dose"] = np.nan
    return frame


def hospital(folder: Path, site: str, *, n: int = 80, seed: int = 0, frame: pd.DataFrame | None = None) -> Study:
    """A study with these patients, or with those of the seed."""
    study = create_study(folder)
    frame = patients(site, n, seed) if frame is None else frame
    add_patients(study, frame)
    return study


def add_patients(study: Study, frame: pd.DataFrame) -> None:
    """Give a study these patients, in place of those that it had."""
    guess = Column(role="predictor", type="number")
    study.add_table("clinical", frame, columns={name: COLUMNS.get(name, guess) for name in frame if name != "patient"})

"""Notes of the synthetic cohort, in French and English; the wordings are in ``synthetic_notes.yaml``.

Two notes per patient: the first consultation and the tumour board. What they say agrees with the clinical table and
the tumour's truth; what is missing there is said to be unknown. Hospital alpha writes French, beta English, gamma both.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from medomicslab_nb.data.synthetic import Cohort, generator

_WORDINGS = Path(__file__).with_name("synthetic_notes.yaml")
_LANGUAGES = {"alpha": ("fr", "fr"), "beta": ("en", "en"), "gamma": ("fr", "en")}
_DATES = {"fr": "%d/%m/%Y", "en": "%Y-%m-%d"}
_CONSULTATION = ("opening", "ecog", "smoking", "symptoms", "examination", "nodes", "weight")
_BOARD = ("opening", "stage", "p16", "imaging", "metastases", "plan")


def draw_notes(cohort: Cohort) -> pd.DataFrame:
    """The notes: patient, note, date, language, text; by patient and date."""
    rows = []
    for i, patient in enumerate(cohort.clinical.index):
        clinical, truth = cohort.clinical.loc[patient], cohort.truth.loc[patient]
        rng = generator(cohort.seed, "notes", i)
        languages = _LANGUAGES[clinical["hospital"]]
        # The board meets between the imaging and the start of treatment.
        dates = (clinical["diagnosis_date"], clinical["imaging_date"] + pd.Timedelta(days=4))
        for number, (kind, language, date) in enumerate(zip(("consultation", "board"), languages, dates, strict=True)):
            rows.append({"patient": patient, "note": f"{patient}-{number + 1}", "date": date, "language": language,
                         "text": _text(kind, language, clinical, truth, rng)})
    return pd.DataFrame(rows)


@cache
def _wordings() -> dict[str, Any]:
    return dict(yaml.safe_load(_WORDINGS.read_text(encoding="utf-8")))


def _text(kind: str, language: str, clinical: pd.Series, truth: pd.Series, rng: np.random.Generator) -> str:
    wordings = _wordings()[language]
    facts = _facts(clinical, truth, wordings["words"], _DATES[language])
    sentences = []
    for topic in _CONSULTATION if kind == "consultation" else _BOARD:
        offered = wordings[kind][topic]
        if isinstance(offered, dict):
            offered = offered[_case(topic, clinical)]
        sentences.append(offered[int(rng.integers(len(offered)))].format(**facts))
    return " ".join(sentences)


def _case(topic: str, clinical: pd.Series) -> str:
    """Which wordings a topic with cases takes."""
    if topic == "nodes":
        return "N0" if clinical["n_stage"] == "N0" else "positive"
    if topic == "p16":
        return "unknown" if pd.isna(clinical["p16"]) else str(clinical["p16"])
    return str(clinical["smoking"]) + ("_unknown" if pd.isna(clinical["pack_years"]) else "")


def _facts(clinical: pd.Series, truth: pd.Series, words: dict[str, str], date_format: str) -> dict[str, Any]:
    length, width = int(truth["length_mm"]), int(truth["width_mm"])
    comma = words["left"] == "gauche"
    return {"age": clinical["age"], "sex": words[clinical["sex"]],
            "a": words[clinical["sex"] + "_a"], "e": words[clinical["sex"] + "_e"], "side": words[clinical["side"]],
            "subsite": words[clinical["subsite"]], "ecog": clinical["ecog"], "t_stage": clinical["t_stage"],
            "n_stage": clinical["n_stage"], "weight_kg": f"{clinical['weight_kg']:.0f}",
            "height_cm": f"{100 * clinical['height_m']:.0f}",
            "pack_years": "" if pd.isna(clinical["pack_years"]) else f"{clinical['pack_years']:.0f}",
            "length_mm": length, "width_mm": width, "length_cm": _number(length / 10, comma=comma),
            "width_cm": _number(width / 10, comma=comma), "suv_mean": _number(truth["suv_mean"], comma=comma),
            "start": f"{clinical['index_date']:{date_format}}"}


def _number(value: float, *, comma: bool) -> str:
    text = f"{value:.1f}"
    return text.replace(".", ",") if comma else text

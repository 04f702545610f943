"""Notes in a study, for tests that need some; written for them, no real notes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column

FRENCH = (
    "Compte rendu de consultation n° {number}.\nATCD : HTA, tabagisme sevré à 20 PA.\n"
    "Carcinome canalaire infiltrant du sein gauche, pT{t}N0M0, grade SBR II. RE 90 %, HER2 négatif, "
    "Ki-67 : {ki67} %. Pas de métastase hépatique. OMS {ecog}.\nConduite à tenir : radiothérapie 50 Gy.")
ENGLISH = (
    "Clinic letter no. {number}.\nThe patient has an invasive ductal carcinoma of the right breast, pT{t} N1 M0, "
    "grade 3. ER positive, HER2 negative, Ki-67 {ki67} %. No evidence of recurrence. ECOG {ecog}. She denies smoking.\n"
    "Plan: adjuvant chemotherapy.")


def add_notes(study: Study, patients: Sequence[str], *, name: str = "notes", each: int = 1) -> None:
    """Add the table of :func:`note_rows`."""
    frame = note_rows(patients, each=each).rename(columns={"patient": study.id_column})
    study.add_table(name, frame, block="notes", level="visit", date_column="date", columns={
        "note": Column(role="ignore", type="text"), "date": Column(role="date", type="date"),
        "text": Column(role="ignore", type="text")})


def note_rows(patients: Sequence[str], *, each: int = 1) -> pd.DataFrame:
    """Notes: ``each`` French and English ones in turn for every patient, all different."""
    rows = []
    for number, patient in enumerate(patient for patient in patients for _ in range(each)):
        text = (FRENCH if number % 2 == 0 else ENGLISH).format(number=number, t=1 + number % 3, ki67=5 + number % 60,
                                                              ecog=number % 3)
        rows.append((patient, f"note-{number}", pd.Timestamp("2020-01-01") + pd.Timedelta(days=number % 300), text))
    return pd.DataFrame(rows, columns=["patient", "note", "date", "text"])

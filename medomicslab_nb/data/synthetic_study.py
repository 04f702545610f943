"""The synthetic cohort in a study: its tables, its notes and its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from medomicslab_nb.data.synthetic import Cohort
from medomicslab_nb.data.synthetic_dicom import write_images
from medomicslab_nb.data.synthetic_notes import draw_notes
from medomicslab_nb.progress import Progress
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column, TableInfo

FOLDER = "images/synthetic"
"""Where the image files lie in the study."""

SOURCE = "synthetic"

CLINICAL: Mapping[str, Column] = {
    "hospital": Column(role="centre", type="category"),
    "diagnosis_date": Column(role="date", type="date"),
    "imaging_date": Column(role="ignore", type="date", description="day of the PET/CT"),
    "index_date": Column(role="index_date", type="date", description="start of treatment; follow-up begins here"),
    "age": Column(type="integer", unit="years"),
    "sex": Column(type="category"),
    "height_m": Column(unit="m"),
    "weight_kg": Column(unit="kg"),
    "ecog": Column(type="integer", description="ECOG performance status"),
    "smoking": Column(type="category"),
    "pack_years": Column(unit="pack-years", description="0 for those who never smoked"),
    "p16": Column(type="category", description="immunohistochemistry, a sign of HPV"),
    "side": Column(type="category", description="side of the tumour, the patient's own"),
    "subsite": Column(type="category"),
    "t_stage": Column(type="category", description="by size: T1 to 20 mm, T2 to 40 mm, T3 above"),
    "n_stage": Column(type="category"),
    "last_contact_date": Column(role="ignore", type="date"),
    "os_event": Column(role="event", type="boolean", endpoint="os", description="death"),
    "os_days": Column(role="time", type="number", unit="days", endpoint="os", description="from the index date")}
"""Data dictionary of the clinical table."""

_TRUTH = Column(role="ignore", description="truth of the generator: never a predictor")


def add_cohort(study: Study, cohort: Cohort, progress: Progress | None = None, *,
               images: bool = True) -> tuple[TableInfo, ...]:
    """Add a cohort's tables to a study, and its images.

    Tables ``clinical`` (endpoint ``os``), ``genes``, ``notes`` and ``truth``, of which the last two hold no
    predictor; with images ``images`` and ``protocol``, without them ``radiomics``.

    Parameters
    ----------
    images : bool
        Write DICOM and NIfTI files to :data:`FOLDER` of the study and import the DICOM series. Otherwise the table
        ``radiomics`` stands in for measured features.

    Raises
    ------
    StudyError
        The files cannot be written.
    """
    progress = progress or Progress()
    if images:
        from medomicslab_nb.data.images import import_dicom

        write_images(cohort, study.path / FOLDER, progress)
        import_dicom(study, study.path / FOLDER / "dicom", progress=progress)
    patient = {study.id_column: Column(role="identifier", type="text")}
    added = [
        _add(study, "clinical", cohort.clinical, {**patient, **CLINICAL}, date_column="diagnosis_date"),
        study.add_table("genes", cohort.genes.rename_axis(study.id_column), block="genes", default_column=Column(),
                        source=SOURCE, transposed=True),
        _add(study, "notes", draw_notes(cohort).set_index("patient"), {
            **patient, "note": Column(role="ignore", type="text"), "date": Column(role="date", type="date"),
            "language": Column(role="ignore", type="category"), "text": Column(role="ignore", type="text")},
            block="notes", level="visit", date_column="date"),
        _add(study, "truth", cohort.truth, {**patient, **dict.fromkeys(cohort.truth.columns, _TRUTH)}, block="truth")]
    if not images:
        added.append(_add(study, "radiomics", cohort.radiomics, patient, block="radiomics"))
    return tuple(added)


def _add(study: Study, name: str, frame: pd.DataFrame, columns: Mapping[str, Column], *, block: str = "clinical",
         level: Literal["patient", "visit"] = "patient", date_column: str | None = None) -> TableInfo:
    return study.add_table(name, frame.rename_axis(study.id_column).reset_index(), block=block, level=level,
                           date_column=date_column, columns=columns, source=SOURCE)

"""The leakage lint over a study and the settings of its models stage."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medomicslab_nb.evaluation.dates import check_dates, index_dates
from medomicslab_nb.evaluation.leakage import Finding, chosen_from, lint_data
from medomicslab_nb.evaluation.sealed import find_seal
from medomicslab_nb.evaluation.splits import split_name
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.study_patients import StudyPatients, read_outcome, study_patients
from medomicslab_nb.tables import Column, TableInfo

MANY_RUNS = 10
"""Models runs of one outcome from which it is said that they were many."""

_OUTCOME_ROLES = ("outcome", "time", "event", "identifier")


def lint_study(study: Any, settings: ModelsSettings) -> list[Finding]:
    """What a study and its settings show of leakage, before anything is modelled.

    Parameters
    ----------
    study : Study
    settings : ModelsSettings

    Returns
    -------
    list of Finding
        Alarms first. Tables with values from after the index date are named, and nothing more is looked at, because
        the models stage refuses them. Patients of a sealed test are left out.

    Raises
    ------
    DataError
        The endpoint or the predictors cannot be used for another reason; see
        :func:`~medomicslab_nb.models.study_patients.study_patients`.
    """
    late = _late_tables(study, settings)
    if late:
        return late
    seal = find_seal(study, read_outcome(study, settings))
    chosen = study_patients(study, settings, without=None if seal is None else seal.patients)
    patients = chosen.patients
    findings = [
        *lint_data(patients.frame, patients.endpoint, categorical=patients.categorical,
                   centre=patients.companions.centre, splits=_stored_splits(study, chosen, settings),
                   pool=_not_used(study, chosen), blocks=patients.blocks),
        *_selected(study, chosen),
        *_many_runs(study, settings, len(patients.endpoint)),
    ]
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.level != "alarm")


def _late_tables(study: Any, settings: ModelsSettings) -> list[Finding]:
    """Tables whose values are dated after their patients' index dates."""
    dates = index_dates(study)
    wanted = {table for tables in settings.blocks.values() for table in tables}
    findings = []
    for name, info in study.tables.items():
        if name in {*settings.visits, *settings.external.values()} or (wanted and name not in wanted) or not (
                info.level == "patient" and _predicts(info)):
            continue
        checked = check_dates(study.table(name), info, dates)
        if checked is not None and checked.late.any():
            findings.append(Finding(
                "time_after_event", "alarm", f"{int(checked.late.sum())} of {len(checked.late)} rows of table '{name}' "
                "are dated after the index date of their patient.", f"table {name}, column {checked.column}",
                "Keep only what was known at the index date, or leave the table out of the blocks",
                round(float(checked.late.mean()), 4), len(checked.late)))
    return findings


def _predicts(info: TableInfo) -> bool:
    """Whether a table has predictors: dates of follow-up come after the index date, as they must."""
    return (info.default_column or Column(role="ignore")).role == "predictor" or any(
        column.role == "predictor" for column in info.columns.values())


def _stored_splits(study: Any, chosen: StudyPatients, settings: ModelsSettings) -> pd.DataFrame | None:
    """The folds that the study keeps for this outcome; None before the first run, and for other kinds of validation."""
    if settings.validation != "cross-validation":
        return None
    return study.splits(split_name(chosen.complete.name, folds=settings.folds,  # type: ignore[no-any-return]
                                   seed=settings.seed))


def _not_used(study: Any, chosen: StudyPatients) -> pd.DataFrame:
    """Numeric columns of the study's patients that are neither predictors nor outcomes: what may have been cut."""
    index = chosen.patients.frame.index
    parts = []
    for name, info in study.tables.items():
        if info.level != "patient" or info.transposed:
            continue
        frame = study.table(name)
        if frame.index.name != study.id_column or frame.index.has_duplicates:
            continue
        columns = [column for column in frame.select_dtypes(include="number").columns
                   if info.column(column).role not in _OUTCOME_ROLES and column not in chosen.patients.frame.columns]
        parts.append(frame[columns].reindex(index))
    pool = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=index)
    return pool.loc[:, ~pool.columns.duplicated()]


def _selected(study: Any, chosen: StudyPatients) -> list[Finding]:
    """Columns that the settings name, when they are the best ones of their table for this outcome."""
    findings = []
    frame = chosen.patients.frame
    for table, columns in chosen.design.predictors.items():
        whole = study.table(table)
        if len(columns) >= whole.shape[1] / 2 or whole.index.has_duplicates:
            continue
        numeric = whole.select_dtypes(include=["number", "bool"])
        numeric = numeric[[column for column in numeric.columns
                           if study.info(table).column(column).role not in _OUTCOME_ROLES]]
        used = [column for column in columns if column in numeric.columns]
        pool = numeric.reindex(frame.index).astype(float)
        findings.extend(chosen_from(pool[used], pool, chosen.patients.endpoint))
    return findings


def _many_runs(study: Any, settings: ModelsSettings, n: int) -> list[Finding]:
    """Completed models runs of this outcome with different settings."""
    digests = {run.digest for run in study.runs if run.stage == "models" and run.status == "completed"
               and run.settings.get("outcome") == settings.outcome}
    if len(digests) < MANY_RUNS:
        return []
    return [Finding("many_runs", "notice", f"{len(digests)} models of '{settings.outcome}' were made with different "
                    "settings on these patients: the best of them looks better than it is.", "runs of the study",
                    "Report all of them, or judge the one that was chosen on a sealed or an external test",
                    float(len(digests)), n)]

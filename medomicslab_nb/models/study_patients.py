"""The patients of a study as models take them: outcome, predictors by block, and what accompanies these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint, as_category, find_endpoint
from medomicslab_nb.evaluation.event_dates import endpoint_from_dates
from medomicslab_nb.evaluation.landmark import landmark
from medomicslab_nb.evaluation.sealed import Seal, seal
from medomicslab_nb.models.blocks import Design, build_design
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.fitting import Patients
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.tables import TableInfo

CLINICAL = "clinical"
"""The block that is never harmonised between centres: what a clinician wrote down has no scanner."""

PERTURBED = "perturbed"
"""Table of the radiomics stage with features of perturbed images and contours, and of other readers."""

_KEYS = ("patient", "modality", "lesion", "roi", "perturbation")


@dataclass(frozen=True)
class StudyPatients:
    """The patients of a study that are modelled.

    Attributes
    ----------
    patients : Patients
    design : Design
        Where the predictors come from.
    complete : Endpoint
        Of all patients with an outcome, in the cohort or not: what splits are made of, so that the choice of a
        cohort moves nobody.
    notes : tuple of str
        What was left out or decided, in whole sentences.
    """

    patients: Patients
    design: Design
    complete: Endpoint
    notes: tuple[str, ...]


def study_patients(study: Any, settings: ModelsSettings, *, without: pd.Index | None = None,
                   keep_empty: bool = False) -> StudyPatients:
    """Collect the patients that a model is developed on.

    Parameters
    ----------
    without : Index, optional
        Patients that development must not see.
    keep_empty : bool
        As in :func:`~medomicslab_nb.models.blocks.build_design`.

    Raises
    ------
    DataError
        The endpoint or the predictors cannot be used, or nobody is left.
    """
    complete = read_outcome(study, settings)
    if without is not None:
        complete = complete.restrict(complete.patients.difference(without, sort=False))
    endpoint, notes = in_cohort(study, complete, settings.cohort)
    if settings.landmark is not None:
        endpoint = landmark(endpoint, settings.landmark)
        notes += [note for note in endpoint.notes if note not in complete.notes]
    own = _WithoutTables(study, frozenset(settings.external.values()))
    design = build_design(own, endpoint, blocks=settings.blocks, predictors=settings.predictors,
                          complete=settings.complete, visits=settings.visits, landmark=settings.landmark or 0.0,
                          keep_empty=keep_empty)
    patients, more = with_companions(own, design, endpoint, settings)
    return StudyPatients(patients, design, complete, (*complete.notes, *notes, *design.notes, *more))


def external_patients(study: Any, settings: ModelsSettings, development: StudyPatients) -> StudyPatients:
    """The patients of other tables, with the predictors of development.

    Raises
    ------
    DataError
        No external tables are named, one of them lacks the outcome, or patients are in both.
    """
    if not settings.external:
        raise DataError("no external tables are named", where="setting 'external'",
                        todo="Name them by the table that each stands for, e.g. {clinical: clinical_b}")
    other = _OtherTables(study, settings.external)
    endpoint = read_outcome(other, settings)
    if settings.landmark is not None:
        endpoint = landmark(endpoint, settings.landmark)
    blocks = {block: tuple(table for table in tables if table in settings.external)
              for block, tables in development.design.tables.items()}
    names = {table: columns for table, columns in development.design.predictors.items()
             if table in settings.external and table not in settings.visits}
    _refuse_other_units(study, settings.external, {*endpoint.columns, *(
        (table, column) for table, columns in names.items() for column in columns)})
    design = build_design(other, endpoint, blocks=blocks, predictors=names, complete=settings.complete,
                          visits=settings.visits, landmark=settings.landmark or 0.0, keep_empty=True)
    shared = len(design.frame.index.intersection(development.patients.frame.index))
    if shared:
        raise DataError(f"{shared} patients are in the development and in the external tables", where="external",
                        todo="Remove them from one of both")
    notes = [f"External: {note}" for note in (*endpoint.notes, *design.notes)]
    whole, more = _as_in(development.design, design)
    patients, _ = with_companions(other, whole, endpoint, settings)
    return StudyPatients(patients, whole, endpoint, (*notes, *(f"External: {note}" for note in more)))


def sealed_patients(study: Any, settings: ModelsSettings, development: StudyPatients,
                    sealed: pd.Index) -> StudyPatients:
    """The patients of the study's sealed test, with the predictors of development."""
    complete = read_outcome(study, settings)
    found = study_patients(study, settings, without=complete.patients.difference(sealed, sort=False), keep_empty=True)
    whole, more = _as_in(development.design, found.design)
    patients = replace(found.patients, frame=whole.frame, blocks=development.patients.blocks,
                       categorical=whole.categorical)
    notes = [f"Sealed test: {note}" for note in (*found.notes, *more) if note not in development.notes]
    return StudyPatients(patients, whole, found.complete, tuple(notes))


def _as_in(development: Design, design: Design) -> tuple[Design, list[str]]:
    """A design with the columns of development: those that it lacks are missing values."""
    own = _names(design)
    frame = design.frame.rename(columns={own[key]: name for key, name in _names(development).items() if key in own})
    frame = frame.reindex(columns=development.frame.columns)
    lacking = frame.columns[frame.isna().all()]
    known = set(development.categorical)
    categorical = [column for column in frame.columns if column in known]
    frame[categorical] = frame[categorical].astype(object).where(frame[categorical].notna(), None).map(
        as_category, na_action="ignore")
    numeric = [column for column in frame.columns if column not in known]
    numbers = frame[numeric].apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = (numbers.isna() & frame[numeric].notna()).sum()
    for column in wrong.index[wrong > 0]:
        raise DataError(f"{int(wrong[column])} values of '{column}' are no numbers, as they were in development",
                        where="predictors", todo="Correct them in the table")
    frame[numeric] = numbers
    notes = []
    if len(lacking):
        notes.append(f"{len(lacking)} of {len(frame.columns)} predictors have no value there and count as missing.")
    for column in categorical:
        new = int((frame[column].notna() & ~frame[column].isin(development.frame[column].dropna())).sum())
        if new:
            notes.append(f"'{column}' has categories that development does not know in {new} of {len(frame)} patients: "
                         "check that they are coded in the same way.")
    return replace(development, frame=frame, notes=()), notes


def _names(design: Design) -> dict[tuple[str, str], str]:
    """What a design calls each column of each table."""
    counts = Counter(column for columns in design.predictors.values() for column in columns)
    return {(table, column): f"{table}: {column}" if counts[column] > 1 else column
            for table, columns in design.predictors.items() for column in columns}


def _refuse_other_units(study: Any, external: Mapping[str, str], columns: set[tuple[str, str]]) -> None:
    """The dictionary of development is that of the external tables: it would take months for days."""
    for table, column in sorted(columns):
        if table not in external:
            continue
        here, there = study.info(table).column(column).unit, study.info(external[table]).column(column).unit
        if here and there and here != there:
            raise DataError(f"'{column}' is in {there}, and in development in {here}", where=f"table {external[table]}",
                            todo="Convert the values, or correct the unit in the data dictionary")


def together(first: Patients, second: Patients) -> Patients:
    """The patients of both, in this order."""
    a, b = first.endpoint, second.endpoint
    if (a.kind, a.classes, a.causes) != (b.kind, b.classes, b.causes):
        raise DataError("the outcome has other classes or causes there", where=f"endpoint {a.name}",
                        todo="Code it in the same way in all tables")
    parts = {name: np.concatenate([one, two]) for name in ("outcome", "time", "entry", "cause")
             if (one := getattr(a, name)) is not None and (two := getattr(b, name)) is not None}
    endpoint = replace(a, patients=a.patients.append(b.patients), **parts)
    centres = [part.companions.centre for part in (first, second) if part.companions.centre is not None]
    companions = replace(first.companions, centre=pd.concat(centres) if centres else None)
    return replace(first, frame=pd.concat([first.frame, second.frame]), endpoint=endpoint, companions=companions)


def seal_patients(study: Any, outcome: str, *, share: float, centres: Sequence[str] = (), seed: int = 0) -> Seal:
    """Seal a test set of an endpoint: patients at random, or whole centres by name; see :func:`seal`."""
    endpoint = find_endpoint(study, outcome)
    if not centres:
        return seal(study, endpoint, share=share, seed=seed)
    centre = _column_of_role(study, "centre", "", endpoint.patients)
    if centre is None:
        raise DataError("the centres of the patients are not known", where="sealed test",
                        todo="Give a column the role 'centre' in the data dictionary")
    return seal(study, endpoint, seed=seed, by="centre", centre=centre, centres=centres)


def read_outcome(study: Any, settings: ModelsSettings) -> Endpoint:
    """The endpoint of the settings, for everybody who has it, but for the patients of external tables."""
    if not isinstance(study, _OtherTables):
        study = _WithoutTables(study, frozenset(settings.external.values()))
    if settings.dates is not None:
        return endpoint_from_dates(study, settings.outcome, settings.dates)
    return find_endpoint(study, settings.outcome, time=settings.time, positive=settings.positive, kind=settings.kind)


def with_companions(study: Any, design: Design, endpoint: Endpoint,
                    settings: ModelsSettings) -> tuple[Patients, list[str]]:
    """The patients of a design, with their centres and perturbed features, and notes on these."""
    index = design.frame.index
    centre = _column_of_role(study, "centre", settings.centre, index)
    stratum = _column_of_role(study, "stratum", "", index) if settings.learner == "plain" else None
    companions = Companions(centre, _perturbed(study, design), stratum)
    blocks = {name: columns for name, columns in design.blocks.items() if columns}
    patients = Patients(design.frame, endpoint.restrict(index), blocks, design.categorical, companions)
    notes = []
    if centre is not None and int(centre.isna().sum()):
        notes.append(f"The centre of {int(centre.isna().sum())} of {len(centre)} patients is not known.")
    if stratum is not None and endpoint.kind == "survival":
        notes.append(f"Effects are those within the {stratum.nunique()} groups of '{stratum.name}' (stratified Cox "
                     "regression); predicted risks are averages over these groups, whose risks may differ.")
    return patients, notes


def in_cohort(study: Any, endpoint: Endpoint, name: str) -> tuple[Endpoint, list[str]]:
    """The endpoint's patients that are in the cohort (empty: the published one, if any), and a note on who is not."""
    if name == "all" or not (name or study.publishes("cohort")):
        return endpoint, []
    cohort = study.table(name) if name else study.published("cohort")
    members = cohort.index if cohort.index.name == study.id_column else pd.Index(cohort["patient"])
    kept = endpoint.restrict(members)
    if not len(kept):
        raise DataError("no patient of the cohort has the outcome", where=f"cohort {name or 'of the data run'}",
                        todo="Choose another cohort, or name the table of patients in the setting 'cohort'")
    left_out = len(endpoint) - len(kept)
    note = [f"{left_out} of {len(endpoint)} patients with an outcome are not in the cohort."] if left_out else []
    return kept, note


def _column_of_role(study: Any, role: str, wanted: str, patients: pd.Index) -> pd.Series | None:
    """The column of that name, or the only one of that role, as text by patient."""
    if wanted == "none":
        return None
    owners = [(table, column) for table, info in study.tables.items() for column, entry in info.columns.items()
              if (column == wanted if wanted else entry.role == role) and info.level == "patient"]
    if wanted and not owners:
        raise DataError(f"there is no column '{wanted}'", where=f"setting '{role}'",
                        todo="Name a column of a table with one row per patient")
    if len(owners) > 1:
        places = ", ".join(f"'{column}' of table {table}" for table, column in owners)
        raise DataError(f"several columns may be the {role}: {places}", where=f"setting '{role}'",
                        todo="Name one in the settings, or 'none'")
    if not owners:
        return None
    (table, column), = owners
    frame = study.table(table)
    if column not in frame.columns:
        if isinstance(study, _OtherTables):  # external patients may come from one place, and need not name it
            return None
        raise DataError(f"there is no column '{column}'", where=f"table {table}",
                        todo="Correct the data dictionary or import the table again")
    values = frame[column]
    return values[~values.index.duplicated()].map(as_category, na_action="ignore").reindex(patients)


def _perturbed(study: Any, design: Design) -> pd.DataFrame | None:
    """Features under perturbation, one row a patient and perturbation; the original values are the predictors.

    Patients with several lesions are left out: their predictors are those of one, or of all together. None where the
    study has no perturbed values, or where none of its features are predictors.
    """
    if not study.publishes(PERTURBED):
        return None
    table = study.published(PERTURBED)
    if table.index.name == study.id_column:
        table = table.rename_axis("patient").reset_index()
    features = [column for column in table.columns if column not in _KEYS and column in design.frame.columns]
    if not features:
        return None
    keys = ["patient", "perturbation", *(["modality"] if "modality" in table else [])]
    several = table.loc[table.duplicated(keys), "patient"].unique()
    single = table[~table["patient"].isin(several) & table["patient"].isin(design.frame.index)]
    # One row for each modality, in which the features of the others are missing.
    return single.groupby(["patient", "perturbation"], sort=True)[features].first().reset_index()


class _WithoutTables:
    """A study as if it did not hold some tables."""

    def __init__(self, study: Any, hidden: frozenset[str]) -> None:
        self._study = study
        self._hidden = hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    @property
    def tables(self) -> dict[str, TableInfo]:
        return {name: info for name, info in self._study.tables.items() if name not in self._hidden}


class _OtherTables:
    """A study in which other tables stand under the names, and with the dictionaries, of those of development."""

    def __init__(self, study: Any, names: Mapping[str, str]) -> None:
        self._study = study
        self._names = names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    @property
    def tables(self) -> dict[str, TableInfo]:
        return dict(self._infos())

    def _infos(self) -> Iterator[tuple[str, TableInfo]]:
        for name in self._names:
            # A table of a run has no entry of its own.
            with suppress(KeyError):
                yield name, self._study.tables[name]

    def info(self, name: str) -> TableInfo:
        return self._study.info(name)  # type: ignore[no-any-return]

    def table(self, name: str) -> pd.DataFrame:
        if name not in self._names:
            raise DataError(f"nothing stands for table '{name}'", where="setting 'external'",
                            todo="Name the table of the external patients")
        return self._study.table(self._names[name])  # type: ignore[no-any-return]

    def publishes(self, name: str) -> bool:
        del name
        return False

"""The patients of one site, as steps see them."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint, Kind, as_category, find_endpoint
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.study_patients import in_cohort, read_outcome, study_patients

KINDS: dict[str, Kind] = {"logistic": "binary", "linear": "continuous", "cox": "survival", "kaplan-meier": "survival"}
"""Kind of endpoint of each algorithm; the others take survival where there is a follow-up time, a number if it has more
than ten different values, else two classes."""


@dataclass(frozen=True)
class SitePatients:
    """Predictors and outcome of a site's patients.

    Attributes
    ----------
    frame : DataFrame, shape (n_patients, n_columns)
        Numbers as float, categories as text, gaps as missing; index = patient, which never leaves.
    categorical : tuple of str
    endpoint : Endpoint
        In the frame's order.
    testing : ndarray of bool, shape (n_patients,)
        Who judges the model and takes no part in training.
    """

    frame: pd.DataFrame
    categorical: tuple[str, ...]
    endpoint: Endpoint
    testing: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def training_part(self) -> SitePatients:
        """Those who train the model."""
        return self.where(~self.testing)

    @cached_property
    def testing_part(self) -> SitePatients:
        """Those who judge it."""
        return self.where(self.testing)

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """What a step may keep of these patients for the next round, so as not to work it out again."""
        return {}

    def where(self, rows: np.ndarray) -> SitePatients:
        """The patients of these rows (bool, shape (n_patients,))."""
        if rows.all():
            return self
        # By position: looking patients up by name takes longer than all the sums of a round.
        return replace(self, frame=self.frame[rows], endpoint=self.endpoint.take(np.flatnonzero(rows)),
                       testing=self.testing[rows])


def read_patients(study: Any, settings: FederatedSettings, site: str = "") -> tuple[SitePatients, tuple[str, ...]]:
    """The patients of a study folder, and notes in whole sentences.

    Parameters
    ----------
    site : str
        Name of the site that the study is, where it is one: some sites only judge.

    Raises
    ------
    DataError
        The endpoint or the predictors cannot be used.
    """
    if settings.algorithm == "kaplan-meier":
        return _followed(study, settings)
    found = study_patients(study, _as_models(study, settings), keep_empty=True)
    frame, endpoint = found.patients.frame, found.patients.endpoint
    _refuse_without_time(settings, endpoint)
    frame = frame.drop(columns=[name for name in (settings.site_column, *settings.test) if name in frame.columns])
    categorical = tuple(name for name in found.patients.categorical if name in frame.columns)
    patients = SitePatients(frame, categorical, endpoint, _testing(study, settings, frame.index))
    return _as_site(patients, site, settings), found.notes


def _followed(study: Any, settings: FederatedSettings) -> tuple[SitePatients, tuple[str, ...]]:
    """Everybody with the outcome, and nothing else of them, for a curve."""
    models = _as_models(study, settings)
    complete = read_outcome(study, models)
    endpoint, notes = in_cohort(study, complete, models.cohort)
    _refuse_without_time(settings, endpoint)
    frame = pd.DataFrame(index=endpoint.patients)
    return SitePatients(frame, (), endpoint, np.zeros(len(frame), dtype=bool)), (*complete.notes, *notes)


def _refuse_without_time(settings: FederatedSettings, endpoint: Endpoint) -> None:
    if KINDS.get(settings.algorithm) == "survival" and endpoint.kind != "survival":
        raise DataError("it has no follow-up time", where=f"endpoint {settings.outcome}",
                        todo="Set 'time' to its column, or give that column the role 'time' in the data dictionary")


def split_by_column(study: Any, settings: FederatedSettings,
                    patients: SitePatients) -> tuple[dict[str, SitePatients], tuple[str, ...]]:
    """Simulated sites: the patients of each value of the column, by that value, and notes.

    Raises
    ------
    DataError
        There is no such column, or it has one value only.
    """
    values = column_of(study, settings.site_column, "site_column").reindex(patients.frame.index)
    values = values.map(as_category, na_action="ignore")
    names = sorted(values.dropna().unique())
    if len(names) < 2:
        raise DataError(f"'{settings.site_column}' has {len(names)} values, and a federation two sites or more",
                        where="setting 'site_column'", todo="Name the column that tells the hospitals apart")
    unknown = int(values.isna().sum())
    notes = (f"{unknown} of {len(values)} patients have no value in '{settings.site_column}' and are at no site.",) \
        if unknown else ()
    parts = {name: patients.where((values == name).to_numpy(dtype=bool, na_value=False)) for name in names}
    return {name: _as_site(part, name, settings) for name, part in parts.items()}, notes


def column_of(study: Any, name: str, setting: str) -> pd.Series:
    """A column with one row a patient, by patient."""
    owners = [table for table, info in study.tables.items() if info.level == "patient" and name in study.table(table)]
    if len(owners) != 1:
        found = "is in no table with one row per patient" if not owners else f"is in several: {', '.join(owners)}"
        raise DataError(f"the column '{name}' {found}", where=f"setting '{setting}'", todo="Name another column")
    column = study.table(owners[0])[name]
    return column[~column.index.duplicated()]


def _as_site(patients: SitePatients, site: str, settings: FederatedSettings) -> SitePatients:
    """At a site that only judges, everybody does."""
    return replace(patients, testing=np.ones(len(patients), dtype=bool)) if site in settings.test_sites else patients


def _as_models(study: Any, settings: FederatedSettings) -> ModelsSettings:
    # Columns that are named are all columns: no other table than theirs is looked into.
    tables = {"predictors": tuple(settings.predictors)} if settings.predictors else {}
    kind = _kind(study, settings)
    return ModelsSettings(outcome=settings.outcome, blocks=tables, time=settings.time, positive=settings.positive,
                          predictors=settings.predictors, centre="none", kind="auto" if kind == "survival" else kind)


def _kind(study: Any, settings: FederatedSettings) -> Kind:
    """What the outcome is to the algorithm."""
    if settings.algorithm in KINDS:
        return KINDS[settings.algorithm]
    if settings.time:
        return "survival"
    with suppress(DataError):  # which says of a number what is wrong; of classes the caller finds out
        found = find_endpoint(study, settings.outcome, positive=settings.positive).kind
        return "continuous" if found == "continuous" else "binary"
    return "binary"


def _testing(study: Any, settings: FederatedSettings, patients: pd.Index) -> np.ndarray:
    """Who judges the model: as the column says, else a share by hash, so that a new patient moves nobody else."""
    if settings.test:
        (name, wanted), = settings.test.items()
        values = column_of(study, name, "test").reindex(patients).map(as_category, na_action="ignore")
        return np.asarray((values == wanted).to_numpy(dtype=bool, na_value=False))
    return np.array([is_held_out(str(patient), settings.seed, settings.holdout) for patient in patients], dtype=bool)


def is_held_out(patient: str, seed: int, share: float) -> bool:
    """Whether a patient is among the share that judges the model: by a hash of seed and identifier."""
    digest = hashlib.sha256(f"{seed}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share

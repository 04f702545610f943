"""What a run of the models stage would do with its settings: whom it takes, what it fits, whether that is enough.

Nothing is fitted, nothing is written, and no sealed test is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.sample_size import SampleSize, sample_size
from medomicslab_nb.evaluation.sealed import find_seal
from medomicslab_nb.evaluation.splits import check_folds
from medomicslab_nb.models.fitting import Patients, refuse_learners
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.stage import block_sets, learners_of
from medomicslab_nb.models.study_patients import read_outcome, study_patients
from medomicslab_nb.models.words import parameters


@dataclass(frozen=True)
class Block:
    """A block of predictors: how many there are, and how many patients have a value in any of them."""

    name: str
    predictors: int
    patients: int


@dataclass(frozen=True)
class Outline:
    """What would be done.

    Attributes
    ----------
    endpoint : Endpoint
        Of the patients of development.
    blocks : tuple of Block
    learners : tuple of str
        The one that is reported comes first.
    sets : int
        Sets of blocks that are modelled.
    folds : int
        Times that patients are held out, over all repeats.
    fits : int
        Models that are fitted, about: those of inner folds included, without tuning.
    size : SampleSize
        What a model of all blocks needs, and what there is.
    """

    endpoint: Endpoint
    blocks: tuple[Block, ...]
    learners: tuple[str, ...]
    sets: int
    folds: int
    fits: int
    size: SampleSize


def outline(study: Any, settings: ModelsSettings) -> Outline:
    """Read what the settings name and say what a run would do.

    Raises
    ------
    DataError
        The endpoint or the predictors cannot be used, a learner cannot predict this kind of endpoint, or there are
        fewer patients of a class than folds.
    """
    seal = find_seal(study, read_outcome(study, settings))
    patients = study_patients(study, settings, without=None if seal is None else seal.patients).patients
    learners, sets = learners_of(settings), block_sets(list(patients.blocks), subsets=settings.ablation)
    refuse_learners(learners, patients.endpoint)
    folds = _held_out(patients, settings)
    # Blocks that are stacked are fitted once for all sets.
    units = len(patients.blocks) if settings.fusion == "late" else len(sets)
    each = len(learners) * units * (settings.inner_folds + 1)
    further = settings.subsamples + settings.permutations * settings.folds
    return Outline(patients.endpoint, _blocks(patients), learners, len(sets), folds,
                   folds * each + further * each // len(learners),
                   sample_size(patients.endpoint, parameters(patients), horizon=settings.horizon))


def _held_out(patients: Patients, settings: ModelsSettings) -> int:
    if settings.validation == "cross-validation":
        check_folds(patients.endpoint, settings.folds)
        return settings.folds * settings.repeats
    if settings.validation != "leave one centre out":
        return 1
    if patients.companions.centre is None:
        raise DataError("there is no column of role centre", where="setting 'centre'",
                        todo="Name the column, or choose another validation")
    return int(patients.companions.centre.nunique())


def _blocks(patients: Patients) -> tuple[Block, ...]:
    return tuple(Block(name, len(columns), int(patients.frame[list(columns)].notna().any(axis=1).sum()))
                 for name, columns in patients.blocks.items())

"""Fit learners on training patients: every block on its own, then every set of blocks from what its blocks gave.

What several learners and sets share is computed once: the preparation of a block, its inner folds, and the scores of
its members. Nothing here sees a test patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.decision import threshold_at_sensitivity, threshold_at_specificity
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import fold_numbers
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.default import DEFAULT, choose_weight
from medomicslab_nb.models.fusion import block_factors, stack
from medomicslab_nb.models.learners import FOREST, LEARNERS, RIDGE
from medomicslab_nb.models.learners.linear import Penalised, scale_coefficients
from medomicslab_nb.models.learners.problem import (
    InnerFold,
    Problem,
    SearchOptions,
    Tuned,
    best_candidate,
    criterion,
    refuse_kind,
)
from medomicslab_nb.models.preparation import Preparation
from medomicslab_nb.models.preparation_settings import PreparationSettings
from medomicslab_nb.models.risk_model import Part, RiskModel, calibrate

TARGET = 0.9
"""Sensitivity, and specificity, of the two operating points that every binary model has."""

PENALISED = (DEFAULT, *(name for name, learner in LEARNERS.items() if isinstance(learner, Penalised)))
"""Learners that can give every block a penalty of its own; of the default, its ridge."""

_KEPT_BYTES = 300_000_000  # inner folds up to this size are prepared once for all learners

Sets = Mapping[str, tuple[str, ...]]
"""Names of sets of blocks, and the blocks of each."""


@dataclass(frozen=True)
class FitOptions:
    """How models are fitted: everything but the patients."""

    fusion: Literal["late", "early", "penalised"] = "late"
    preparation: PreparationSettings = field(default_factory=PreparationSettings)
    search: SearchOptions = field(default_factory=SearchOptions)
    inner_folds: int = 5
    horizon: float | None = None
    groups: int = 2
    """Risk groups, cut at quantiles of the training patients' scores."""
    harmonised: tuple[str, ...] = ()
    """Blocks that ComBat may change: measurements of a device, never what a clinician wrote down."""

    @property
    def seed(self) -> int:
        return self.search.seed

    def canonical(self) -> dict[str, Any]:
        """As JSON types, for the key of a cached result."""
        return asdict(self) | {"preparation": self.preparation.model_dump(mode="json")}


@dataclass(frozen=True)
class Patients:
    """Training patients: their predictors by block, their outcome, and what accompanies them.

    Attributes
    ----------
    frame : DataFrame, shape (n, n_columns)
        In the endpoint's order.
    blocks : mapping
        Columns of each block.
    """

    frame: pd.DataFrame
    endpoint: Endpoint
    blocks: Mapping[str, tuple[str, ...]]
    categorical: tuple[str, ...] = ()
    companions: Companions = field(default_factory=Companions)

    def take(self, rows: np.ndarray) -> Patients:
        """Some patients, given by position."""
        frame = self.frame.iloc[rows]
        return replace(self, frame=frame, endpoint=self.endpoint.take(rows),
                       companions=self.companions.restrict(frame.index))


def fit_models(patients: Patients, sets: Sets, learners: Sequence[str],
               options: FitOptions | None = None) -> dict[tuple[str, str], RiskModel]:
    """Fit every learner on every set of blocks.

    Parameters
    ----------
    learners : sequence of str
        Names as in tables: :data:`DEFAULT`, or of :data:`LEARNERS`.

    Returns
    -------
    dict
        (set, learner) to its model.

    Raises
    ------
    DataError
        Too few patients with an outcome to choose a model, or a learner that cannot predict this kind of endpoint.
    """
    options = options or FitOptions()
    refuse_learners(learners, patients.endpoint)
    inner = inner_fold_numbers(patients.endpoint, options.inner_folds, options.seed)
    fitted: dict[tuple[str, ...], dict[str, _Member]] = {}
    models = {}
    for name, blocks in sets.items():
        units = [(block,) for block in blocks] if options.fusion == "late" else [tuple(blocks)]
        for unit in units:
            if unit not in fitted:
                fitted[unit] = _fit_unit(patients, unit, learners, inner, options)
        for learner in learners:
            member = _stacked([fitted[unit][learner] for unit in units], patients.endpoint)
            models[name, learner] = _model(member, patients, blocks, options)
    return models


def refuse_learners(learners: Sequence[str], endpoint: Endpoint) -> None:
    """Refuse learners that cannot predict this kind of endpoint.

    Raises
    ------
    DataError
    """
    for learner in learners:
        for name in _members_of(learner):
            refuse_kind(LEARNERS[name], endpoint)


def inner_fold_numbers(endpoint: Endpoint, folds: int, seed: int) -> np.ndarray:
    """Inner fold of each training patient, shape (n,); fewer folds when there are fewer events than folds."""
    counts = np.bincount(endpoint.strata, minlength=len(endpoint.classes))
    # Quartiles may be empty, where values repeat; classes must not be.
    known = counts[counts > 0] if endpoint.kind == "continuous" else counts
    least = int(known.min()) if len(counts) > 1 else 0
    strata = endpoint.strata
    if endpoint.kind == "survival":
        least = endpoint.events
        # Nobody needs to be censored: a few that are go where chance puts them.
        strata = strata if len(endpoint) - least >= folds else np.zeros(len(endpoint), dtype=int)
    if least < 2:
        raise DataError(f"a training fold has {least} of {len(endpoint)} patients in the smallest class or with the "
                        "event: too few to choose a model", where=f"endpoint {endpoint.name}",
                        todo="Use fewer folds, or add patients")
    return fold_numbers(strata, min(folds, least), seed)


@dataclass(frozen=True)
class _Member:
    """Fitted parts, and their joint standardised score of the training patients by models that did not see them."""

    parts: list[Part]
    unseen: np.ndarray
    chosen: str
    lacking: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Patients without the block."""


def _members_of(learner: str) -> tuple[str, ...]:
    return (RIDGE.name, FOREST.name) if learner == DEFAULT else (learner,)


def _fit_unit(patients: Patients, blocks: tuple[str, ...], learners: Sequence[str], inner: np.ndarray,
              options: FitOptions) -> dict[str, _Member]:
    """Every learner on the columns of some blocks, by the patients that have a value in any of them."""
    columns = [column for block in blocks for column in patients.blocks[block]]
    present = patients.frame[columns].notna().any(axis=1).to_numpy()
    rows = np.flatnonzero(present)
    own = replace(patients.take(rows), frame=patients.frame.iloc[rows][columns])
    where = " + ".join(blocks)
    numbers = _numbers_of(own.endpoint, inner[rows], options, where)
    preparation = _preparation(own, blocks, options)
    problem = Problem(own.endpoint, preparation.transform(own.frame, own.companions.centre),
                      _Inner(own, blocks, numbers, options), options.search, _strata(own.companions))
    base = {name: _standardised(_tuned(LEARNERS[name], problem, own, blocks, preparation, options), where, name,
                                columns, preparation)
            for learner in learners for name in _members_of(learner)}
    members = {learner: _mixture(base, own.endpoint, numbers) if learner == DEFAULT else base[learner]
               for learner in learners}
    return {name: replace(member, unseen=_everybody(member.unseen, rows, len(present)), lacking=~present)
            for name, member in members.items()}


def _strata(companions: Companions) -> np.ndarray | None:
    return None if companions.stratum is None else companions.stratum.fillna("unknown").to_numpy(dtype=str)


def _numbers_of(endpoint: Endpoint, inner: np.ndarray, options: FitOptions, where: str) -> np.ndarray:
    """The inner folds of the patients that have the block: made anew where one of them lacks an outcome."""
    strata = np.arange(len(endpoint.classes)) if endpoint.classes else np.unique(endpoint.strata)
    counts = np.array([np.bincount(inner[endpoint.strata == stratum], minlength=int(inner.max()) + 1)
                       for stratum in strata])
    if counts.size and len(counts) > 1 and (counts > 0).all():
        return inner
    try:
        return inner_fold_numbers(endpoint, options.inner_folds, options.seed)
    except DataError as error:
        raise DataError(f"only {len(endpoint)} training patients have it, too few with an outcome to learn from",
                        where=f"block {where}", todo="Leave the block out, or use fewer folds") from error


@dataclass(frozen=True)
class _Inner:
    """The inner folds of one unit; kept when they are small, prepared anew on every pass when they are not."""

    patients: Patients
    blocks: tuple[str, ...]
    numbers: np.ndarray
    options: FitOptions
    kept: list[InnerFold] = field(default_factory=list)

    def __iter__(self) -> Iterator[InnerFold]:
        if self.kept:
            yield from self.kept
            return
        folds = int(self.numbers.max()) + 1
        small = self.patients.frame.size * 8 * folds <= _KEPT_BYTES
        made = []
        for number in range(folds):
            fold = self._prepared(number)
            if small:
                made.append(fold)
            yield fold
        self.kept.extend(made)

    def _prepared(self, number: int) -> InnerFold:
        train, test = np.flatnonzero(self.numbers != number), np.flatnonzero(self.numbers == number)
        own, held_out = self.patients.take(train), self.patients.frame.iloc[test]
        preparation = _preparation(own, self.blocks, self.options)
        centre = self.patients.companions.restrict(held_out.index).centre
        return InnerFold(train, test, preparation.transform(own.frame, own.companions.centre),
                         preparation.transform(held_out, centre))


def _preparation(patients: Patients, blocks: tuple[str, ...], options: FitOptions) -> Preparation:
    """The preparation of one unit, fitted; harmonisation only where every block of it may be harmonised."""
    settings = options.preparation
    if not set(blocks) <= set(options.harmonised):
        settings = settings.model_copy(update={"harmonisation": False})
    known = set(patients.categorical)
    categorical = [column for column in patients.frame.columns if column in known]
    return Preparation(settings, categorical, options.seed).fit(patients.frame, patients.endpoint,
                                                                patients.companions)


def _tuned(learner: Any, problem: Problem, patients: Patients, blocks: tuple[str, ...], preparation: Preparation,
           options: FitOptions) -> Tuned:
    if options.fusion == "penalised" and isinstance(learner, Penalised) and len(blocks) > 1:
        return _tuned_by_block(learner, problem, patients, blocks, preparation)
    return learner.tune(problem)  # type: ignore[no-any-return]


def _tuned_by_block(learner: Penalised, problem: Problem, patients: Patients, blocks: tuple[str, ...],
                    preparation: Preparation) -> Tuned:
    """Penalised regression with a penalty of its own for each block, chosen by inner cross-validation."""
    block_of = {column: block for block in blocks for column in patients.blocks[block]}

    def scales(factors: Mapping[str, float], columns: Sequence[str]) -> np.ndarray:
        return np.array([factors[block_of[column]] for column in columns])

    folds = list(problem.inner)
    if any(fold.train_matrix.shape[1] != problem.matrix.shape[1] for fold in folds):
        raise DataError("the inner folds do not keep the same columns, because of selection or of a column that hardly "
                        "varies", where="setting 'fusion'",
                        todo="Leave selection out and such columns too, or fuse late")

    def value(factors: dict[str, float]) -> float:
        scale = scales(factors, preparation.columns_)
        values = [criterion(problem.endpoint.take(fold.test), learner.path(
            problem.endpoint.take(fold.train), fold.train_matrix * scale, fold.test_matrix * scale, problem.options),
            by_likelihood=True) for fold in folds]
        return float(np.nanmean(values, axis=0)[best_candidate(values)])

    factors = block_factors(blocks, value)
    scale = scales(factors, preparation.columns_)
    scaled = [replace(fold, train_matrix=fold.train_matrix * scale, test_matrix=fold.test_matrix * scale)
              for fold in folds]
    tuned = learner.tune(replace(problem, matrix=problem.matrix * scale, inner=scaled))
    scale_coefficients(tuned.estimator, scale)
    words = ", ".join(f"{block} x{1 / factor**2:.3g}" for block, factor in factors.items())
    return replace(tuned, chosen=f"{tuned.chosen}, penalty by block {words}")


def _standardised(tuned: Tuned, block: str, kind: str, columns: list[str], preparation: Preparation) -> _Member:
    centre = tuned.unseen.mean(axis=0)
    spread = float((tuned.unseen - centre).std())
    # A model without any opinion has no spread, only rounding errors.
    scale = spread if spread > 1e-9 * max(1.0, float(np.abs(centre).max())) else 1.0
    centre = float(centre) if np.ndim(centre) == 0 else centre
    part = Part(block, kind, columns, preparation, tuned.estimator, centre, scale, 1.0)
    return _Member([part], (tuned.unseen - centre) / scale, tuned.chosen)


def _mixture(base: Mapping[str, _Member], endpoint: Endpoint, inner: np.ndarray) -> _Member:
    """The default: ridge and forest with their weights."""
    ridge, forest = base[RIDGE.name], base[FOREST.name]
    weight = choose_weight(ridge.unseen, forest.unseen, endpoint, inner)
    return _weighted([ridge, forest], [weight, 1 - weight], [RIDGE.name, FOREST.name])


def _stacked(members: list[_Member], endpoint: Endpoint) -> _Member:
    """The members of several blocks, weighted by stacking."""
    found = stack([member.unseen for member in members], endpoint, [member.lacking for member in members])
    if len(members) == 1 and not np.any(found.absent[0]):
        return members[0]
    told = [replace(member, parts=[_part(member.parts[0], absent=effect), *member.parts[1:]])
            for member, effect in zip(members, found.absent, strict=True)]
    joint = _weighted(told, list(found.weights), [member.parts[0].block for member in members])
    unseen = joint.unseen.copy()
    for member, weight, effect in zip(members, found.weights, found.absent, strict=True):
        if weight:
            unseen[member.lacking] += effect
    return replace(joint, unseen=unseen, chosen=joint.chosen if len(members) > 1 else members[0].chosen)


def _part(part: Part, **changed: Any) -> Part:
    return Part(**{**part.get_params(deep=False), **changed})


def _weighted(members: list[_Member], weights: list[float], names: list[str]) -> _Member:
    chosen = [(member, weight, name) for member, weight, name in zip(members, weights, names, strict=True) if weight]
    parts = [_part(part, weight=part.weight * weight)
             for member, weight, _ in chosen for part in member.parts]
    unseen = sum((weight * member.unseen for member, weight, _ in chosen), np.zeros_like(members[0].unseen))
    return _Member(parts, unseen, " + ".join(f"{weight:.2f} {name} ({member.chosen})"
                                             for member, weight, name in chosen))


def _everybody(unseen: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Scores of all training patients: 0, that of an average one, for those without the block."""
    scores = np.zeros((n, *unseen.shape[1:]))
    scores[rows] = unseen
    return scores


def _model(member: _Member, patients: Patients, blocks: Sequence[str], options: FitOptions) -> RiskModel:
    endpoint = patients.endpoint
    calibration = calibrate(member.unseen, endpoint)
    columns = [column for block in blocks for column in patients.blocks[block]]
    known = set(patients.categorical)
    cut_offs = []
    if endpoint.kind != "multiclass":
        cut_offs = np.quantile(member.unseen, np.arange(1, options.groups) / options.groups).tolist()
    horizon = None
    if endpoint.kind == "survival":
        horizon = default_horizon(endpoint) if options.horizon is None else options.horizon
    return RiskModel(endpoint.kind, list(endpoint.classes), member.parts, columns,
                     [column for column in columns if column in known], calibration.slope, calibration.offset,
                     calibration.hazard, horizon, cut_offs, _thresholds(member.unseen, endpoint), member.chosen)


def _thresholds(unseen: np.ndarray, endpoint: Endpoint) -> dict[str, float]:
    """Operating points of a binary outcome, from training patients' scores by models that did not see them."""
    if endpoint.kind != "binary":
        return {}
    return {f"sensitivity {TARGET:g}": threshold_at_sensitivity(endpoint.event, unseen, TARGET),
            f"specificity {TARGET:g}": threshold_at_specificity(endpoint.event, unseen, TARGET)}


def default_horizon(endpoint: Endpoint) -> float:
    """The median time of the events."""
    assert endpoint.time is not None
    return float(np.median(endpoint.time[endpoint.event]))

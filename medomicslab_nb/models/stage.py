"""The models stage: from the study's tables to a validated, explained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.bootstrap_632 import estimate_632
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leakage import lint_data
from medomicslab_nb.evaluation.permutation import permutation_p
from medomicslab_nb.evaluation.sealed import find_seal, open_seal
from medomicslab_nb.evaluation.splits import check_cohort_folds, check_folds, study_splits
from medomicslab_nb.models import tables, words
from medomicslab_nb.models.blocks import find_disguises, predictor_warnings
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.final import explanations, fit_final, model_file, once_predicted
from medomicslab_nb.models.fitting import PENALISED, FitOptions, Patients, Sets, default_horizon, refuse_learners
from medomicslab_nb.models.learners.problem import SearchOptions
from medomicslab_nb.models.nested import FoldCase, cross_validation_cases, data_digest, evaluate_fold, gather
from medomicslab_nb.models.predict import MODEL_FILE
from medomicslab_nb.models.selection_frequency import selection_frequency
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.study_patients import (
    CLINICAL,
    StudyPatients,
    external_patients,
    read_outcome,
    sealed_patients,
    study_patients,
    together,
)
from medomicslab_nb.models.validation import (
    PermutedCase,
    SubsampleCase,
    centre_cases,
    evaluate_permutation,
    evaluate_subsample,
    held_out_case,
)
from medomicslab_nb.parallel import CaseResult, map_cases, require_all
from medomicslab_nb.stages import StageResult

SCORE = "clinical score"
"""Name of the baseline that a clinician knows, in tables."""

_MOST_SUBSETS = 4  # blocks of which every combination is modelled; with more, each alone, left out, and all


def run(study: Any, settings: ModelsSettings, progress: Any) -> StageResult:
    """Build, validate, explain and keep a model.

    Raises
    ------
    DataError
        The endpoint, the predictors or the number of patients do not allow it.
    """
    plan = _plan(study, settings)
    results = _evaluate(study, plan, settings, progress)
    predictions, folds = gather(results, "predictions"), gather(results, "folds")
    tested = plan.tested.restrict(pd.Index(predictions["patient"].unique()))
    held_out = _HeldOut(predictions, folds, tested)
    published = _published(plan, held_out, settings)
    published |= _by_repetition(study, plan, held_out, settings, progress)
    used = gather(results, "used")
    if len(selected := _selection(used, plan)):
        published["selection"] = selected
    model = fit_final(plan.patients, tuple(plan.patients.blocks), plan.headline, plan.options)
    if settings.explain:
        published |= explanations(model, plan.patients, plan.full, seed=settings.seed,
                                  confidence=settings.confidence, progress=progress)
    content = model_file(model, plan.patients, plan.design, study, positive=settings.positive,
                         predicted=_for_conformal(plan, held_out), run=getattr(study, "run_id", ""),
                         digest=settings.digest(study.path))
    disguises = find_disguises(plan.design, plan.patients.endpoint)
    published["lint"] = _lint(plan.patients)
    warnings = [*plan.notes, *words.alarms(published["lint"]), *words.once(gather(results, "notes")["note"]),
                *predictor_warnings(plan.design, disguises),
                *words.sample(plan.patients, settings, cross_validated=plan.cross_validated),
                *words.findings(published, plan.patients.endpoint, settings.confidence)]
    metrics = {**_metrics(published["performance"], plan, tested), "chosen": model.chosen,
               "disguised": [disguise.column for disguise in disguises]}
    return StageResult(published, metrics, {MODEL_FILE: content}, tuple(dict.fromkeys(warnings)))


_MOST_TOLD = 15


@dataclass(frozen=True)
class _Plan:
    """What a run does, decided before anything is fitted."""

    patients: Patients
    development: StudyPatients
    cases: list[FoldCase]
    sets: Sets
    full: str
    """Name of the set of all blocks."""
    headline: str
    """The learner that is reported and kept."""
    options: FitOptions
    tested: Endpoint
    """Of everybody who may be held out."""
    cross_validated: bool
    centre: pd.Series | None
    subgroups: dict[str, pd.Series]
    notes: tuple[str, ...]

    @property
    def design(self) -> Any:
        return self.development.design

    def within(self, tested: Endpoint) -> np.ndarray | None:
        """The centre of each held-out patient, where every centre was held out in turn; None otherwise."""
        if not self.cases[0].centre or self.centre is None:
            return None
        return self.centre.reindex(tested.patients).to_numpy(dtype=str)

    @property
    def reference(self) -> str:
        """The set that the others are compared with."""
        return CLINICAL if CLINICAL in self.sets else next(iter(self.sets))


@dataclass(frozen=True)
class _HeldOut:
    """What came out of the held-out patients."""

    predictions: pd.DataFrame
    folds: pd.DataFrame
    tested: Endpoint

    def of(self, learner: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Predictions and folds of one learner, without the clinical score, which is a plain regression too."""
        predictions, folds = (table[(table["learner"] == learner) & (table["blocks"] != SCORE)]
                              for table in (self.predictions, self.folds))
        return predictions, folds


def block_sets(blocks: Sequence[str], *, subsets: bool) -> dict[str, tuple[str, ...]]:
    """The sets of blocks to model, by name: the combinations (when asked for), then all together."""
    sizes: Iterable[int] = range(1, len(blocks))
    if len(blocks) > _MOST_SUBSETS:
        sizes = (1, len(blocks) - 1)
    chosen = [part for size in sizes for part in combinations(blocks, size)] if subsets else []
    return {" + ".join(part): part for part in [*chosen, tuple(blocks)]}


def learners_of(settings: ModelsSettings) -> tuple[str, ...]:
    """Names of the learners that are fitted, as in tables; the one that is reported comes first."""
    headline = DEFAULT if settings.learner == "default" else settings.learner
    return tuple(dict.fromkeys([headline, *((DEFAULT, "ridge", "forest") if settings.compare else ())]))


def _plan(study: Any, settings: ModelsSettings) -> _Plan:
    if settings.validation == "external" and not settings.external:
        raise DataError("no table of external patients is named", where="setting 'external'",
                        todo="Name one for each table, such as {clinical: clinical_b}")
    everybody = read_outcome(study, settings)
    seal = find_seal(study, everybody)
    development = study_patients(study, settings, without=None if seal is None else seal.patients)
    patients = development.patients
    sets = block_sets(list(patients.blocks), subsets=settings.ablation)
    options = fit_options(settings, patients)
    headline = learners_of(settings)[0]
    learners = learners_of(settings)
    _refuse_what_cannot_be(study, settings, patients, learners)
    notes = [*development.notes, *(seal.notes if seal else ())]
    tested = patients
    if settings.validation == "cross-validation":
        check_folds(patients.endpoint, settings.folds)
        splits = study_splits(study, development.complete, folds=settings.folds, repeats=settings.repeats,
                              seed=settings.seed)
        check_cohort_folds(splits, patients.endpoint, folds=settings.folds, repeats=settings.repeats)
        cases = cross_validation_cases(patients, splits, folds=settings.folds, repeats=settings.repeats, sets=sets,
                                       learners=learners, options=options)
    elif settings.validation == "leave one centre out":
        cases = centre_cases(patients, sets=sets, learners=learners, options=options)
    else:
        test = (external_patients(study, settings, development) if settings.validation == "external"
                else _sealed(study, settings, development, everybody))
        notes += test.notes
        tested = together(patients, test.patients)
        cases = [held_out_case(patients, test.patients, tested, sets=sets, learners=learners, options=options)]
    cases = _with_score(cases, settings, patients)
    return _Plan(patients, development, cases, cases[0].sets, " + ".join(patients.blocks), headline, options,
                 tested.endpoint, settings.validation == "cross-validation", tested.companions.centre,
                 _subgroups(study, settings, tested), tuple(notes))


def _refuse_what_cannot_be(study: Any, settings: ModelsSettings, patients: Patients, learners: Sequence[str]) -> None:
    """Refuse settings that contradict the data or each other: before anything is fitted, or a sealed test opened."""
    refuse_learners(learners, patients.endpoint)
    if settings.balanced and patients.endpoint.kind not in ("binary", "multiclass"):
        raise DataError(f"a {patients.endpoint.kind} outcome has no classes to weight", where="setting 'balanced'",
                        todo="Set it to no")
    if settings.fusion == "penalised" and learners[0] not in PENALISED and len(patients.blocks) > 1:
        raise DataError(f"learner '{settings.learner}' has no penalty for each block", where="setting 'fusion'",
                        todo="Use 'late' or 'early', or the learner default, ridge, lasso or elastic net")
    if settings.clinical_score:
        _refuse_score(settings, patients)
    for name in settings.subgroups:
        _owners(study, name)


def _refuse_score(settings: ModelsSettings, patients: Patients) -> None:
    if SCORE in patients.blocks:
        raise DataError(f"a block is called '{SCORE}'", where="setting 'clinical_score'", todo="Give it another name")
    unknown = [column for column in settings.clinical_score if column not in patients.frame.columns]
    if unknown:
        raise DataError(f"there is no predictor '{unknown[0]}'", where="setting 'clinical_score'",
                        todo="Name columns that are predictors")


def fit_options(settings: ModelsSettings, patients: Patients) -> FitOptions:
    """The settings of the stage that concern fitting."""
    horizon = _horizon(patients.endpoint, settings.horizon)
    search = SearchOptions(settings.seed, settings.balanced, settings.search == "optuna", settings.trials)
    harmonised = tuple(block for block in patients.blocks if block != CLINICAL)
    return FitOptions(settings.fusion, settings.preparation, search, settings.inner_folds, horizon, settings.groups,
                      harmonised)


def _horizon(endpoint: Endpoint, wanted: float | None) -> float | None:
    if endpoint.time is None:
        return None
    if wanted is not None and wanted > endpoint.time.max():
        raise DataError(f"nobody is followed as long as the horizon ({wanted:g} {endpoint.unit})",
                        where=f"endpoint {endpoint.name}", todo="Choose an earlier horizon")
    return default_horizon(endpoint) if wanted is None else wanted


def _sealed(study: Any, settings: ModelsSettings, development: StudyPatients, everybody: Endpoint) -> StudyPatients:
    """The sealed patients: opens the seal, which is written down first."""
    if not settings.reason.strip():
        raise DataError("no reason is given", where="sealed test",
                        todo="Say in the setting 'reason' why it is opened, which can be done once")
    found = open_seal(study, everybody, run=getattr(study, "run_id", "") or "no run",
                      digest=settings.digest(study.path), reason=settings.reason)
    return sealed_patients(study, settings, development, found.patients)


def _with_score(cases: list[FoldCase], settings: ModelsSettings, patients: Patients) -> list[FoldCase]:
    """The cases with the clinical score as one more block, alone in its set."""
    if not settings.clinical_score:
        return cases
    blocks = {**patients.blocks, SCORE: settings.clinical_score}
    return [replace(case, patients=replace(case.patients, blocks=blocks), score=SCORE) for case in cases]


def _subgroups(study: Any, settings: ModelsSettings, patients: Patients) -> dict[str, pd.Series]:
    """The columns by which performance is also reported, the centre first."""
    index = patients.frame.index
    found = {} if patients.companions.centre is None else {"centre": patients.companions.centre}
    for name in settings.subgroups:
        values = pd.concat([study.table(table)[name] for table in _owners(study, name)])
        found[name] = values[~values.index.duplicated()].map(str, na_action="ignore").reindex(index)
    return found


def _owners(study: Any, column: str) -> list[str]:
    """The tables with one row per patient that hold a column by which performance is also reported."""
    found = [table for table, info in study.tables.items() if info.level == "patient" and column in info.columns]
    if not found:
        raise DataError(f"there is no column '{column}'", where="setting 'subgroups'", todo="Correct the setting")
    return found


def _evaluate(study: Any, plan: _Plan, settings: ModelsSettings, progress: Any) -> dict[str, Any]:
    digest = data_digest(plan.cases[0].patients)
    label = "nested cross-validation" if plan.cross_validated else "training and test"
    results = map_cases(evaluate_fold, {case.name: case for case in plan.cases}, cache=study.cache("models"),
                        keys={case.name: case.key(digest) for case in plan.cases}, jobs=settings.jobs,
                        progress=progress, label=label, detail=_told(plan))
    return require_all(results, label)


def _told(plan: _Plan) -> Callable[[str, CaseResult], dict[str, Any]]:
    """What is told of a finished fold: which one, and the measure of the reported learner by set of blocks.

    Of many sets only all blocks together: the last event of a run must stay short. Centres and tests that are held out
    tell no values: of a small centre nothing may be said, and a test is to be looked at once.
    """
    cases = {case.name: case for case in plan.cases}
    metric, shown = plan.tested.metric, list(plan.sets) if len(plan.sets) <= _MOST_TOLD else [plan.full]
    shown = shown if plan.cross_validated else []

    def tell(name: str, result: CaseResult) -> dict[str, Any]:
        told = {"repeat": cases[name].repeat, "fold": cases[name].fold, "metric": metric}
        if result.error is not None:
            return {**told, "failed": True}
        folds = result.tables["folds"]
        own = folds[(folds["metric"] == metric) & (folds["learner"] == plan.headline)].set_index("blocks")["value"]
        return {**told, "values": {blocks: _json(own[blocks]) for blocks in shown}}

    return tell


def _published(plan: _Plan, held_out: _HeldOut, settings: ModelsSettings) -> dict[str, pd.DataFrame]:
    """The tables that are made of held-out predictions."""
    predictions, folds = held_out.of(plan.headline)
    tested, horizon = held_out.tested, plan.options.horizon
    within = plan.within(tested)
    options = {"seed": settings.seed, "confidence": settings.confidence}
    published = {"predictions": held_out.predictions, "folds": held_out.folds,
                 "performance": tables.performance(
                     held_out.predictions, held_out.folds, tested, headline=plan.headline, horizon=horizon,
                     cross_validated=plan.cross_validated, within=within, **options)}
    published["performance"]["default"] &= published["performance"]["blocks"] != SCORE
    if len(plan.sets) > 1:
        published["ablation"] = tables.ablation(folds, predictions, tested, sizes=_sizes(plan),
                                                reference=plan.reference, within=within,
                                                cross_validated=plan.cross_validated,
                                                **options)
    if tested.kind != "continuous":
        published["calibration"] = tables.calibration(held_out.predictions, tested, horizon, settings.confidence)
    if tested.kind in ("binary", "survival"):
        published["decision"] = tables.decision(predictions, tested, horizon, **options)
    if tested.kind == "binary":
        published["roc"] = tables.roc(held_out.predictions, tested, **options)
        published["operating_points"] = tables.operating_points(predictions, tested, settings.confidence)
    if tested.kind == "survival":
        published["kaplan_meier"] = tables.kaplan_meier(predictions, settings.groups, settings.confidence)
        published["risk_groups"] = tables.groups_compared(predictions, settings.groups)
    if tested.cause is not None:
        published["cumulative_incidence"] = tables.cumulative_incidence(predictions, settings.groups,
                                                                        settings.confidence)
    if plan.subgroups:
        full = predictions[predictions["blocks"] == plan.full]
        published["subgroups"] = tables.by_subgroup(full, tested, plan.subgroups, **options)
    return published


def _lint(patients: Patients) -> pd.DataFrame:
    """What the predictors show of leakage, alarms first; ``medomicslab lint`` also looks at the rest of the study."""
    found = lint_data(patients.frame, patients.endpoint, categorical=patients.categorical,
                      centre=patients.companions.centre, blocks=patients.blocks)
    rows = [(finding.level, finding.kind, finding.what, finding.where, finding.todo, finding.value, finding.n)
            for finding in found]
    return pd.DataFrame(rows, columns=["level", "kind", "what", "where", "todo", "value", "n"]).astype(
        dict.fromkeys(["level", "kind", "what", "where", "todo"], "str") | {"value": float, "n": int})


def _sizes(plan: _Plan) -> dict[str, tuple[int, int]]:
    """Features of each set of blocks, and patients with a value in any of them."""
    frame = plan.patients.frame
    columns = {name: [column for block in blocks for column in plan.patients.blocks[block]]
               for name, blocks in plan.sets.items()}
    return {name: (len(names), int(frame[names].notna().any(axis=1).sum())) for name, names in columns.items()}


def _by_repetition(study: Any, plan: _Plan, held_out: _HeldOut, settings: ModelsSettings,
                   progress: Any) -> dict[str, pd.DataFrame]:
    """The permutation test and the .632+ estimate, where they are asked for."""
    found = {}
    sets = {plan.full: tuple(plan.patients.blocks)}
    common = (plan.patients, sets, plan.headline, plan.options)
    digest = data_digest(plan.patients)
    if settings.permutations:
        cases: dict[str, Any] = {str(number): PermutedCase(number, *common, settings.folds)
                                 for number in range(settings.permutations + 1)}
        values = _repeated(study, evaluate_permutation, cases, digest, settings, progress, "permutations")["null"]
        observed, null = float(values["value"].iloc[0]), values["value"].iloc[1:].to_numpy()
        p = permutation_p(observed, null, confidence=settings.confidence)
        found["permutation"] = pd.DataFrame([{
            "blocks": plan.full, "metric": held_out.tested.metric, "observed": observed, "null_mean": null.mean(),
            "null_sd": null.std(ddof=1) if len(null) > 1 else np.nan, "permutations": len(null), "p": p.estimate,
            "lower": p.lower, "upper": p.upper, "n": len(plan.patients.endpoint)}])
    if settings.subsamples:
        cases = {str(number): SubsampleCase(number, *common) for number in range(settings.subsamples + 1)}
        values = _repeated(study, evaluate_subsample, cases, digest, settings, progress, "subsamples")["subsamples"]
        apparent, left_out = float(values["value"].iloc[0]), values["value"].iloc[1:]
        estimate = estimate_632(apparent, float(left_out.mean()), plan.patients.endpoint.chance,
                                patients=len(plan.patients.endpoint), predictors=plan.patients.frame.shape[1])
        found["plus_632"] = pd.DataFrame([{
            "blocks": plan.full, "metric": plan.patients.endpoint.metric, "apparent": apparent,
            "left_out": estimate.out_of_bag, "left_out_sd": left_out.std(ddof=1), "overfitting": estimate.overfitting,
            "estimate_632": estimate.point_632, "estimate_632_plus": estimate.point_632_plus,
            "subsamples": len(left_out), "n": len(plan.patients.endpoint), "notes": " ".join(estimate.notes)}])
    return found


def _repeated(study: Any, function: Any, cases: dict[str, Any], digest: str, settings: ModelsSettings, progress: Any,
              label: str) -> dict[str, pd.DataFrame]:
    results = require_all(map_cases(function, cases, cache=study.cache("models"),
                                    keys={name: case.key(digest) for name, case in cases.items()},
                                    jobs=settings.jobs, progress=progress, label=label), label)
    return {name: gather(results, name) for name in next(iter(results.values()))}


def _selection(used: pd.DataFrame, plan: _Plan) -> pd.DataFrame:
    """How often each column was used over the folds, by set of blocks, for the reported learner."""
    own = used[used["learner"] == plan.headline]
    block_of = {column: block for block, columns in plan.patients.blocks.items() for column in columns}
    parts = []
    for name, blocks in plan.sets.items():
        of_set = own[own["blocks"] == name]
        if of_set.empty:
            continue
        columns = [column for block in blocks for column in plan.patients.blocks[block]]
        chosen = [set(part["feature"]) for _, part in of_set.groupby(["repeat", "fold"])]
        # A model that uses every column leaves no rows.
        chosen += [set(columns)] * (len(plan.cases) - len(chosen))
        table = selection_frequency(chosen, columns, block_of=block_of)
        table.insert(0, "blocks", name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _for_conformal(plan: _Plan, held_out: _HeldOut) -> np.ndarray | None:
    """Held-out predictions of the patients of development; None where others were held out."""
    if len(held_out.tested) != len(plan.patients.endpoint):
        return None
    predictions, _ = held_out.of(plan.headline)
    return once_predicted(predictions[predictions["blocks"] == plan.full], plan.patients.endpoint)


def _metrics(performance: pd.DataFrame, plan: _Plan, tested: Endpoint) -> dict[str, Any]:
    """The headline numbers: those of all blocks together, and each set of blocks beside them."""
    aggregation = tables.FOLD_MEAN if plan.cross_validated else tables.HELD_OUT
    rows = performance[(performance["aggregation"] == aggregation) & (performance["metric"] == tested.metric)]
    own = rows[rows["default"]].set_index("blocks")
    main = own.loc[plan.full]
    return {"metric": tested.metric, "estimate": _json(main["estimate"]), "lower": _json(main["lower"]),
            "upper": _json(main["upper"]), "n": len(tested), "events": tested.events, "default": plan.headline,
            "blocks": plan.full, "by_blocks": {str(name): _json(value) for name, value in own["estimate"].items()},
            "by_learner": {str(row.learner): _json(row.estimate) for row in rows.itertuples()
                           if row.blocks == plan.full},
            "horizon": plan.options.horizon, "unit": tested.unit}


def _json(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

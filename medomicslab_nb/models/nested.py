"""Nested validation: one case per training and test set of patients; everything is learned inside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medomicslab_nb.cache import Cache
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.risk_groups import risk_groups
from medomicslab_nb.evaluation.splits import fold_rows, make_splits
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.fitting import FitOptions, Patients, Sets, fit_models
from medomicslab_nb.models.measures import fold_measures
from medomicslab_nb.models.risk_model import RiskModel
from medomicslab_nb.models.selection_frequency import used_columns

CASE_VERSION = 3
"""Raised when :func:`evaluate_fold` gives other results."""

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "scikit-survival", "statsmodels")
"""Libraries whose versions change results."""

_OF_LEARNERS = {"lightgbm": "lightgbm", "xgboost": "xgboost-cpu"}


@dataclass(frozen=True)
class FoldCase:
    """Patients to train on and patients to test on.

    Attributes
    ----------
    patients : Patients
        All of them, training and test.
    train, test : ndarray of int
        Rows.
    sets : mapping
        Sets of blocks that are modelled, by name.
    learners : tuple of str
        Names as in tables.
    centre : str
        The centre that is held out, where that is how patients are divided.
    score : str
        Block of a clinical score, to which a plain regression is fitted as a baseline; empty: none.
    """

    repeat: int
    fold: int
    patients: Patients
    train: np.ndarray
    test: np.ndarray
    sets: Sets
    learners: tuple[str, ...]
    options: FitOptions
    centre: str = ""
    score: str = ""

    @property
    def name(self) -> str:
        return f"repeat {self.repeat} | fold {self.fold}"

    def key(self, content: str) -> str:
        """Key in the cache; ``content`` is :func:`data_digest` of the patients."""
        rows = hashlib.sha256(self.train.tobytes() + b"|" + self.test.tobytes()).hexdigest()
        settings = {"sets": {name: list(blocks) for name, blocks in self.sets.items()},
                    "learners": list(self.learners), "repeat": self.repeat, "fold": self.fold,
                    "options": self.options.canonical(), "centre": self.centre, "score": self.score}
        return Cache.key([content, rows], settings, CASE_VERSION, packages_of(self.learners, self.options))


def packages_of(learners: Sequence[str], options: FitOptions) -> tuple[str, ...]:
    """Libraries whose versions change the results of these learners."""
    extras = [package for name, package in _OF_LEARNERS.items() if name in learners]
    return (*PACKAGES, *extras, *(["optuna"] if options.search.optuna else []))


def cross_validation_cases(patients: Patients, splits: pd.DataFrame, *, folds: int, repeats: int, sets: Sets,
                           learners: Sequence[str], options: FitOptions) -> list[FoldCase]:
    """The cases of a repeated cross-validation."""
    cases = []
    for repeat in range(repeats):
        number = fold_rows(splits, patients.endpoint.patients, repeat)
        cases += [FoldCase(repeat, fold, patients, np.flatnonzero(number != fold), np.flatnonzero(number == fold),
                           sets, tuple(learners), options) for fold in range(folds)]
    return cases


def cross_validate(design: Design, endpoint: Endpoint, *, learners: Sequence[str], folds: int = 5, repeats: int = 2,
                   seed: int = 0, options: FitOptions | None = None,
                   companions: Companions | None = None) -> dict[str, pd.DataFrame]:
    """Repeated nested cross-validation without a study, in this process: tables ``predictions`` and ``folds``.

    All blocks of the design are used together, as ``options.fusion`` says.

    Parameters
    ----------
    design, endpoint
        For the same patients in the same order.
    learners : sequence of str
        Names as in tables.
    """
    splits = make_splits(endpoint, folds=folds, repeats=repeats, seed=seed)
    patients = Patients(design.frame, endpoint, design.blocks, design.categorical, companions or Companions())
    cases = cross_validation_cases(patients, splits, folds=folds, repeats=repeats,
                                   sets={"all": tuple(design.blocks)}, learners=learners,
                                   options=options or FitOptions())
    results = {case.name: evaluate_fold(case) for case in cases}
    return {table: gather(results, table) for table in ("predictions", "folds")}


def evaluate_fold(case: FoldCase) -> dict[str, pd.DataFrame]:
    """Fit on the training patients, predict the others.

    Returns
    -------
    dict
        ``predictions``, ``folds`` (one row a measure), ``used`` (columns that a model uses, where it does not use
        all) and ``notes`` (what the preparation had to decide).
    """
    train = case.patients.take(case.train)
    models = fit_models(train, case.sets, case.learners, case.options)
    if case.score:
        models |= fit_models(train, {case.score: (case.score,)}, ["plain"], case.options)
    frame = case.patients.frame.iloc[case.test]
    held_out = case.patients.endpoint.take(case.test)
    centre = case.patients.companions.restrict(frame.index).centre
    predictions, folds, used = [], [], []
    notes: dict[str, None] = {}
    for (name, learner), model in models.items():
        score = model.score(frame, centre)
        label = {"blocks": name, "learner": learner, "repeat": case.repeat, "fold": case.fold}
        predictions.append(_predictions(label, model, score, held_out))
        folds += [label | {"metric": metric, "value": value, "n_train": len(case.train), "n_test": len(case.test),
                           "events_test": held_out.events, "chosen": model.chosen, "centre": case.centre}
                  for metric, value in fold_measures(model, score, held_out, train.endpoint).items()]
        columns = used_columns(model)
        if len(columns) < len(model.columns):
            # A model that uses nothing at all has a row without a name: no row means that it uses everything.
            used += [label | {"feature": column} for column in columns or [""]]
        notes |= dict.fromkeys(f"Block {part.block}: {note}" for part in model.parts for note in (
            *part.preparation.notes_, *part.preparation.centre_notes(centre)))
    return {"predictions": pd.concat(predictions, ignore_index=True), "folds": pd.DataFrame(folds),
            "used": pd.DataFrame(used, columns=["blocks", "learner", "repeat", "fold", "feature"]),
            "notes": pd.DataFrame({"note": pd.Series(list(notes), dtype="str")})}


def _predictions(label: Mapping[str, object], model: RiskModel, score: np.ndarray, held_out: Endpoint) -> pd.DataFrame:
    """One row a patient: score, what it means, risk group and outcome."""
    frame = pd.DataFrame({"patient": held_out.patients.to_numpy(), **label})
    probability = model.probability(score)
    if held_out.kind == "multiclass":
        for code, name in enumerate(held_out.classes):
            frame[f"score: {name}"], frame[f"probability: {name}"] = score[:, code], probability[:, code]
        names = np.array(held_out.classes)
        return frame.assign(predicted=names[probability.argmax(axis=1)], observed=names[held_out.outcome])
    frame["score"] = score
    if held_out.kind == "continuous":
        return frame.assign(predicted=probability, observed=held_out.outcome)
    frame["risk_group"] = risk_groups(score, model.cut_offs)
    if held_out.kind == "binary":
        above = {f"at {name}": score >= threshold for name, threshold in model.thresholds.items()}
        return frame.assign(probability=probability, observed=held_out.event, **above)
    parts = {name: values for name in ("entry", "cause") if (values := getattr(held_out, name)) is not None}
    return frame.assign(time=held_out.time, event=held_out.event, risk_at_horizon=probability, **parts)


def data_digest(patients: Patients) -> str:
    """The sha256 of predictors, patients, outcome and companions."""
    frame, endpoint = patients.frame, patients.endpoint
    digest = hashlib.sha256(repr((list(frame.columns), sorted(patients.blocks.items()), patients.categorical,
                                  endpoint.classes, endpoint.causes)).encode())
    digest.update("\x00".join(endpoint.patients).encode())
    numeric = frame.select_dtypes("number")
    digest.update(np.ascontiguousarray(numeric.to_numpy(dtype=float)).tobytes())
    digest.update(_as_text(frame.drop(columns=numeric.columns)))
    for values in (endpoint.outcome, endpoint.time, endpoint.entry, endpoint.cause):
        digest.update(b"|" + (b"" if values is None else values.tobytes()))
    companions = patients.companions
    for companion in (companions.centre, companions.perturbed, companions.stratum):
        digest.update(b"|" + (b"" if companion is None else _as_text(companion.reset_index())))
    return digest.hexdigest()


def _as_text(frame: pd.DataFrame) -> bytes:
    return repr(frame.astype(object).where(frame.notna(), None).to_numpy().tolist()).encode()


def gather(results: Mapping[str, Mapping[str, pd.DataFrame]], table: str) -> pd.DataFrame:
    """One table of all cases, in their order."""
    return pd.concat([tables[table] for tables in results.values()], ignore_index=True)

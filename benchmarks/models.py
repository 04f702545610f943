"""The named default beside plain baselines, under the same folds or on the same fixed test, on any table.

Plain baselines: ridge, random forest, and, with at least ten events per column, regression without a penalty. Other
learners are listed with ``--others``, not claimed. Last lines: ``default``, ``best_baseline``, ``interval`` (of the
default), ``wall_ratio`` (default to the baselines together).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from medomicslab_nb.evaluation.endpoints import (
    Endpoint,
    binary_endpoint,
    continuous_endpoint,
    multiclass_endpoint,
    survival_endpoint,
)
from medomicslab_nb.evaluation.intervals import Interval
from medomicslab_nb.evaluation.splits import make_splits
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.fitting import FitOptions, Patients, default_horizon
from medomicslab_nb.models.learners.problem import SearchOptions
from medomicslab_nb.models.nested import FoldCase, cross_validation_cases, evaluate_fold
from medomicslab_nb.models.study_patients import together
from medomicslab_nb.models.tables import fold_mean, held_out_interval, score_matrix
from medomicslab_nb.models.validation import centre_cases
from medomicslab_nb.parallel import single_thread

BASELINES = ("ridge", "forest", "plain")
OTHERS = ("lasso", "elastic net", "boosting", "svm")
_EVENTS_PER_COLUMN = 10
_MUCH_MISSING = 0.2


def main() -> None:
    options = _options()
    patients = read_patients(options.csv, options)
    test = read_patients(options.test, options, like=patients) if options.test else None
    endpoint = patients.endpoint
    baselines = [name for name in BASELINES if name != "plain"
                 or endpoint.events >= _EVENTS_PER_COLUMN * patients.frame.shape[1]]
    learners: list[tuple[str, ...]] = [(DEFAULT,), tuple(baselines)]
    learners += [(name,) for name in OTHERS] if options.others else []
    times, values = {}, {}
    for group in learners:
        start = time.perf_counter()
        with single_thread():
            values |= evaluate(patients, test, group, options)
        times[group] = time.perf_counter() - start
    print(f"n={len(endpoint)} events={endpoint.events} predictors={patients.frame.shape[1]} metric={endpoint.metric}")
    if options.centre and test is None:
        for name in (DEFAULT, *baselines):
            for centre, interval in values[name][1].items():
                print(f"{name} on {centre}={interval.estimate:.4f} ({interval.lower:.4f} to {interval.upper:.4f})")
    for name in [name for group in learners[1:] for name in group]:
        print(f"{name}={values[name][0].estimate:.4f}")
    print(f"default={values[DEFAULT][0].estimate:.4f}")
    print(f"best_baseline={max(values[name][0].estimate for name in baselines):.4f}")
    print(f"interval={values[DEFAULT][0].lower:.4f},{values[DEFAULT][0].upper:.4f}")
    print(f"wall_ratio={times[(DEFAULT,)] / times[tuple(baselines)]:.2f}")


def evaluate(patients: Patients, test: Patients | None, learners: tuple[str, ...],
             options: argparse.Namespace) -> dict[str, tuple[Interval, dict[str, Interval]]]:
    """Each learner's estimate with its interval, and those of every centre where centres are held out."""
    cases = _cases(patients, test, learners, options)
    tables = [evaluate_fold(case) for case in cases]
    found = {}
    for learner in learners:
        folds = pd.concat([table["folds"] for table in tables])
        predictions = pd.concat([table["predictions"] for table in tables])
        folds = folds[(folds["learner"] == learner) & (folds["metric"] == patients.endpoint.metric)]
        predictions = predictions[predictions["learner"] == learner]
        if test is None and not options.centre:
            found[learner] = (fold_mean(folds, patients.endpoint, 0.95), {})
            continue
        everybody = cases[0].patients.endpoint
        by_centre = {case.centre: _interval(predictions, everybody.take(case.test)) for case in cases if case.centre}
        centre = None if test is not None else patients.companions.centre
        tested = everybody.restrict(pd.Index(predictions["patient"]))
        found[learner] = (_interval(predictions, tested, centre), by_centre)
    return found


def _interval(predictions: pd.DataFrame, tested: Endpoint, centre: pd.Series | None = None) -> Interval:
    own = predictions[predictions["patient"].isin(tested.patients)]
    within = None if centre is None else centre.reindex(tested.patients).to_numpy(dtype=str)
    return held_out_interval(tested, score_matrix(own, tested), seed=0, confidence=0.95, within=within)


def _cases(patients: Patients, test: Patients | None, learners: tuple[str, ...],
           options: argparse.Namespace) -> list[FoldCase]:
    horizon = None if patients.endpoint.time is None else default_horizon(patients.endpoint)
    fit = FitOptions(search=SearchOptions(seed=options.seed), horizon=horizon)
    sets = {"all": ("all",)}
    if test is not None:
        everybody, n = together(patients, test), len(patients.endpoint)
        rows = n + np.arange(len(test.endpoint))
        return [FoldCase(0, 0, everybody, np.arange(n), rows, sets, learners, fit)]
    if options.centre:
        return centre_cases(patients, sets=sets, learners=learners, options=fit)
    splits = make_splits(patients.endpoint, folds=options.folds, repeats=options.repeats, seed=options.seed)
    return cross_validation_cases(patients, splits, folds=options.folds, repeats=options.repeats, sets=sets,
                                  learners=learners, options=fit)


def read_patients(path: Path, options: argparse.Namespace, like: Patients | None = None) -> Patients:
    """One block of all columns: numbers as they are, everything else as categories; like another table's."""
    frame = pd.read_csv(path, dtype={options.id: str}).set_index(options.id)
    if like is not None:
        frame.index = "test " + frame.index.astype(str)
    frame = frame.sort_index()
    endpoint = _endpoint(frame, options)
    if like is not None and like.endpoint.classes != endpoint.classes:
        raise SystemExit("the outcome has other classes in the test file")
    missing = frame.isna().sum()
    for column, count in missing[missing >= _MUCH_MISSING * len(frame)].items():
        print(f"missing: {column} in {count} of {len(frame)} patients")
    centre = frame[options.centre].map(str, na_action="ignore") if options.centre else None
    columns = [name for name in (options.outcome, options.time, options.event, options.centre, *options.drop) if name]
    frame = frame[options.features] if options.features else frame.drop(columns=columns)
    values, categorical = numbers_and_categories(frame.reindex(endpoint.patients))
    if like is not None:
        values, categorical = values.reindex(columns=like.frame.columns), like.categorical
    return Patients(values, endpoint, {"all": tuple(values.columns)}, categorical, Companions(centre))


def numbers_and_categories(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Columns with a value, numbers as float and the rest as text; and the names of the latter."""
    frame = frame.loc[:, frame.notna().any()]
    categorical = tuple(frame.select_dtypes(exclude=["number", "bool"]).columns)
    values = frame.astype({name: float for name in frame.columns if name not in categorical})
    for name in categorical:
        values[name] = frame[name].map(str, na_action="ignore").astype(object)
    return values, categorical


def _endpoint(frame: pd.DataFrame, options: argparse.Namespace) -> Endpoint:
    if not options.outcome:
        return survival_endpoint(options.event, frame[options.time], frame[options.event], positive=options.positive)
    outcome = frame[options.outcome]
    classes = outcome.nunique()
    if classes == 2 or options.positive:
        positive = options.positive or ("" if set(outcome.dropna().unique()) <= {0, 1}
                                        else str(sorted(outcome.dropna().unique())[-1]))
        return binary_endpoint(options.outcome, outcome, positive=positive)
    if pd.api.types.is_numeric_dtype(outcome) and classes > 10:
        return continuous_endpoint(options.outcome, outcome)
    return multiclass_endpoint(options.outcome, outcome)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--id", required=True, help="column that identifies patients")
    parser.add_argument("--outcome", default="", help="column of a binary, multi-class or continuous outcome")
    parser.add_argument("--time", default="", help="column of follow-up time")
    parser.add_argument("--event", default="", help="column of the event")
    parser.add_argument("--positive", default="", help="class that counts as the event")
    parser.add_argument("--features", type=lambda text: text.split(","), default=[], help="columns; default all others")
    parser.add_argument("--centre", default="", help="column of the hospital: each is held out in turn")
    parser.add_argument("--test", type=Path, help="table with the same columns: one fixed test")
    parser.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="not a predictor (repeatable)")
    parser.add_argument("--others", action="store_true", help="also list other learners")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if bool(options.outcome) == bool(options.time and options.event):
        parser.error("give --outcome, or --time and --event")
    return options


if __name__ == "__main__":
    main()

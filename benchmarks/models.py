"""The named default beside plain ridge and plain forest, under the same folds, on any table.

Last lines: ``default``, ``best_baseline``, ``interval`` (of the default), ``wall_ratio`` (default to both baselines).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

from medomicslab_nb.evaluation.endpoints import Endpoint, binary_endpoint, survival_endpoint
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.learners import FOREST, RIDGE
from medomicslab_nb.models.nested import cross_validate
from medomicslab_nb.models.tables import fold_mean
from medomicslab_nb.parallel import single_thread


def main() -> None:
    options = _options()
    frame = pd.read_csv(options.csv, dtype={options.id: str}).set_index(options.id).sort_index()
    endpoint = _endpoint(frame, options)
    columns = [name for name in (options.outcome, options.time, options.event, *options.drop) if name]
    design = design_of(frame.drop(columns=columns).reindex(endpoint.patients))
    times, values = {}, {}
    for learners in ((DEFAULT,), (RIDGE, FOREST)):
        start = time.perf_counter()
        with single_thread():
            folds = cross_validate(design, endpoint, learners=learners, folds=options.folds, repeats=options.repeats,
                                   seed=options.seed)["folds"]
        times[learners] = time.perf_counter() - start
        values |= {learner: fold_mean(part, 0.95) for learner, part in folds.groupby("learner")}
    print(f"n={len(endpoint)} events={endpoint.events} predictors={design.frame.shape[1]} metric={endpoint.metric}")
    for learner in (RIDGE, FOREST):
        print(f"{learner}={values[learner].estimate:.4f}")
    print(f"default={values[DEFAULT].estimate:.4f}")
    print(f"best_baseline={max(values[RIDGE].estimate, values[FOREST].estimate):.4f}")
    print(f"interval={values[DEFAULT].lower:.4f},{values[DEFAULT].upper:.4f}")
    print(f"wall_ratio={times[(DEFAULT,)] / times[(RIDGE, FOREST)]:.2f}")


def design_of(frame: pd.DataFrame) -> Design:
    """One block of all columns: numbers as they are, everything else as categories."""
    frame = frame.loc[:, frame.notna().any()]
    categorical = tuple(frame.select_dtypes(exclude="number").columns)
    values = frame.astype({name: float for name in frame.columns if name not in categorical})
    for name in categorical:
        values[name] = frame[name].map(str, na_action="ignore").astype(object)
    return Design(values, {"all": tuple(values.columns)}, categorical)


def _endpoint(frame: pd.DataFrame, options: argparse.Namespace) -> Endpoint:
    if options.outcome:
        return binary_endpoint(options.outcome, frame[options.outcome], positive=options.positive)
    return survival_endpoint(options.event, frame[options.time], frame[options.event], positive=options.positive)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--id", required=True, help="column that identifies patients")
    parser.add_argument("--outcome", default="", help="column of a binary outcome")
    parser.add_argument("--time", default="", help="column of follow-up time")
    parser.add_argument("--event", default="", help="column of the event")
    parser.add_argument("--positive", default="", help="class that counts as the event")
    parser.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="not a predictor (repeatable)")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if bool(options.outcome) == bool(options.time and options.event):
        parser.error("give --outcome, or --time and --event")
    return options


if __name__ == "__main__":
    main()

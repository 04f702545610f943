"""Federated over the sites of a table beside all patients together, by other code: same coefficients, same metric?

Each site's rows become a study folder of their own. Together they are fitted by scikit-learn (logistic) or statsmodels
(Cox, stratified by site, Efron's ties unless ``--ties`` says otherwise), with mean imputation and standardisation over
all training patients. Zeros that the run takes for missing values are missing on both sides, and printed. The smallest
released count is 1 here, so that rare values are not left out of one side; ``--minimum 5`` is what sites do by default.

Judged are the patients of ``--test COLUMN=VALUE`` (where COLUMN is the site's, that site trains nothing), else a fifth
of each site's, by hash. Last lines: ``coef_max_diff``, ``metric_pooled``, ``metric_federated``, ``metric_local_min``,
``metric_local_max``, ``ms_per_round_local``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import medomicslab_nb as ml
from medomicslab_nb.data.importing import PreparedTable, prepare_file
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import as_category, binary_endpoint
from medomicslab_nb.evaluation.metrics import auc, c_index
from medomicslab_nb.federated.coordinator import TASK
from medomicslab_nb.federated.model_file import read_model
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column

TABLE = "clinical"


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        coordinator = ml.create_study(root / "coordinator", id_column=options.id)
        prepared = prepare_file(coordinator, options.csv, TABLE, id_column=options.id)
        frame, columns = _described(prepared, options)
        features = options.features or tuple(name for name, entry in columns.items() if entry.role == "predictor")
        sites = make_sites(root, frame, columns, options)
        report(fitted(coordinator, sites, features, options), frame, features, options)


def fitted(coordinator: Study, sites: dict[str, Path], features: tuple[str, ...], options: argparse.Namespace) -> Any:
    """The run; with a ridge penalty of 1 on both sides where none was asked for and no finite answer exists."""
    try:
        return ml.run("federated", coordinator, make_settings(sites, features, options), sinks=[])
    except DataError as error:
        if options.penalty is not None or "penalty" not in error.todo:
            raise
        print(f"without a penalty there is no finite answer ({error.found}): the penalty is 1")
    options.penalty = 1.0
    return ml.run("federated", coordinator, make_settings(sites, features, options), sinks=[])


def make_sites(root: Path, frame: pd.DataFrame, columns: dict[str, Column],
               options: argparse.Namespace) -> dict[str, Path]:
    """A study folder for each site, with the same data dictionary."""
    folders = {}
    for number, (site, rows) in enumerate(frame.groupby(options.site, sort=True)):
        study: Study = ml.create_study(root / f"site{number}", id_column=options.id)
        study.add_table(TABLE, rows.drop(columns=options.site), columns={
            name: entry for name, entry in columns.items() if name != options.site})
        folders[as_category(site)] = study.path
    return folders


def make_settings(sites: dict[str, Path], features: tuple[str, ...], options: argparse.Namespace) -> dict[str, Any]:
    chosen = {"outcome": options.event or options.outcome, "time": options.time or "", "ties": options.ties,
              "algorithm": "cox" if options.time else "logistic", "penalty": options.penalty or 0.0,
              "predictors": {TABLE: features}, "sites": {name: str(path) for name, path in sites.items()},
              "external": False, "explain": False, "bins": 1000, "policy": {
                  "minimum_patients": 1, "minimum_events": 0, "minimum_count": options.minimum}}
    if options.test:
        column, value = options.test
        chosen |= {"test_sites": [value], "holdout": 0.0} if column == options.site else {"test": {column: value}}
    return chosen


def report(run: Any, frame: pd.DataFrame, features: tuple[str, ...], options: argparse.Namespace) -> None:
    described = run.table("columns")
    zeros = tuple(described.loc[described["zero_is_missing"], "column"])
    fitted = run.table("coefficients").set_index("column")
    train, judged = _parts(frame, options)
    values = _numbers(train, features, zeros, fitted.index)
    mean, scale, coefficients = pooled(values, train, options)
    prepared = read_model(run.path / "models" / "federated_model.json").preparation
    moments = max(_relative(prepared["mean"], mean), _relative(prepared["scale"], scale))
    difference = float(np.abs(fitted.loc[values.columns, "standardised"].to_numpy() - coefficients).max())
    tested = (_numbers(judged, features, zeros, fitted.index).fillna(pd.Series(mean, values.columns)) - mean)
    score = (tested / scale).to_numpy() @ coefficients
    metrics = run.metrics
    print(f"sites={metrics['sites']} train={len(train)} judged={len(judged)} columns={values.shape[1]} "
          f"zeros_taken_for_missing={','.join(zeros) or 'none'} ties={options.ties} penalty={options.penalty or 0.0}")
    for text in run.warnings:
        print(f"note: {text}")
    print(run.table("performance").to_string(index=False))
    print(f"standardisation_max_diff={moments:.3g}")
    print(f"coef_max_diff={difference:.3g}")
    print(f"metric_pooled={_metric(judged, score, options):.6f}")
    print(f"metric_federated={metrics['federated']:.6f}")
    print(f"metric_local_min={metrics['alone_lowest']:.6f}")
    print(f"metric_local_max={metrics['alone_highest']:.6f}")
    print(f"ms_per_round_local={_ms_per_round(run.path):.2f}")


def pooled(values: pd.DataFrame, train: pd.DataFrame, options: argparse.Namespace
           ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, standard deviations and standardised coefficients of all training patients, by other libraries."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    matrix = scaler.fit_transform(SimpleImputer(keep_empty_features=True).fit_transform(values))
    assert scaler.mean_ is not None and scaler.scale_ is not None
    return scaler.mean_, scaler.scale_, _fit(matrix, train, options)


def _fit(matrix: np.ndarray, train: pd.DataFrame, options: argparse.Namespace) -> np.ndarray:
    if options.time:
        from statsmodels.duration.hazard_regression import PHReg

        if options.penalty:
            from medomicslab_nb.evaluation.cox import CoxRegression

            return CoxRegression(options.ties, options.penalty).fit(
                matrix, train[options.time].to_numpy(float), train[options.event].to_numpy(bool),
                strata=train[options.site].astype(str).to_numpy()).coef_
        model = PHReg(train[options.time].to_numpy(float), matrix, status=train[options.event].to_numpy(float),
                      strata=train[options.site].astype("category").cat.codes.to_numpy(), ties=options.ties)
        return np.asarray(model.fit(method="newton", tol=1e-12).params)
    outcome = train[options.outcome].to_numpy(float)
    if options.penalty:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=1 / options.penalty, solver="newton-cholesky", tol=1e-12,
                                  max_iter=500).fit(matrix, outcome).coef_[0]
    import statsmodels.api as sm

    return np.asarray(sm.Logit(outcome, sm.add_constant(matrix, has_constant="add")).fit(
        method="newton", disp=False, tol=1e-12, maxiter=100).params)[1:]


def _described(prepared: PreparedTable, options: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, Column]]:
    """Rows with site and outcome, and the dictionary as the options say."""
    outcome = [name for name in (options.outcome, options.event) if name]
    own = {options.site: Column(role="centre", type="category"), **{
        name: Column(role="outcome", type="boolean") for name in outcome}}
    if options.time:
        own[options.time] = Column(role="time", type="number")
    if options.test and options.test[0] != options.site:
        own[options.test[0]] = Column(role="ignore", type="category")
    frame = prepared.frame.dropna(subset=[options.site, *outcome, *([options.time] if options.time else [])])
    for name in outcome:  # yes and no, 1 and 0, true and false
        endpoint = binary_endpoint(name, frame[name])
        frame[name] = pd.Series(endpoint.outcome.astype(int), endpoint.patients).reindex(frame.index)
    return frame, {**prepared.columns, **own}


def _parts(frame: pd.DataFrame, options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    if options.test:
        judged = frame[options.test[0]].map(as_category, na_action="ignore").eq(options.test[1]).to_numpy()
    else:
        from medomicslab_nb.federated.patients import is_held_out

        judged = np.array([is_held_out(str(patient), 0, 0.2) for patient in frame[options.id]])
    return frame[~judged], frame[judged]


def _numbers(frame: pd.DataFrame, features: tuple[str, ...], zeros: tuple[str, ...],
             fitted: pd.Index) -> pd.DataFrame:
    """Numbers and indicators, with gaps; the levels of a category are those that the run named."""
    made = {}
    for name in features:
        if name in fitted:
            made[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
            if name in zeros:
                made[name] = made[name].mask(made[name] == 0)
        for column in fitted:
            base, sign, level = str(column).rpartition("=")
            if sign and base == name:
                made[column] = (frame[name].astype(str) == level).astype(float).where(frame[name].notna())
    return pd.DataFrame(made, index=frame.index)[list(fitted)]  # in the order of the run's means and scales


def _metric(judged: pd.DataFrame, score: np.ndarray, options: argparse.Namespace) -> float:
    """AUC over all judged patients; C-index within sites, weighted by their comparable pairs, as strata have it."""
    if not options.time:
        return auc(judged[options.outcome].to_numpy(bool), score)
    pairs, good = 0.0, 0.0
    for _, rows in judged.assign(score=score).groupby(options.site):
        time, event = rows[options.time].to_numpy(float), rows[options.event].to_numpy(bool)
        usable = _pairs(time, event)
        if usable:
            pairs, good = pairs + usable, good + usable * c_index(event, time, rows["score"].to_numpy())
    return good / pairs


def _pairs(time: np.ndarray, event: np.ndarray) -> int:
    first = event[:, None] & ((time[:, None] < time[None, :]) | ((time[:, None] == time[None, :]) & ~event[None, :]))
    return int(first.sum())


def _relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))


def _ms_per_round(folder: Path) -> float:
    events = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    last = [event for event in events if event["task"] == TASK][-1]
    return 1000 * float(last["elapsed_s"]) / max(1, int(last["done"]))


def _pair(text: str) -> tuple[str, str]:
    column, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError("give COLUMN=VALUE")
    return column, value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--id", required=True, help="column of patients' identifiers")
    parser.add_argument("--site", required=True, help="column of sites")
    parser.add_argument("--outcome", help="column of a binary outcome")
    parser.add_argument("--time", help="column of follow-up")
    parser.add_argument("--event", help="column of the event")
    parser.add_argument("--features", type=lambda text: tuple(text.split(",")), help="columns; default: all predictors")
    parser.add_argument("--test", type=_pair, help="COLUMN=VALUE of the patients who judge")
    parser.add_argument("--penalty", type=float, help="ridge penalty on standardised columns; default: none")
    parser.add_argument("--ties", choices=("efron", "breslow"), default="efron")
    parser.add_argument("--minimum", type=int, default=1, help="smallest count that leaves a site")
    options = parser.parse_args()
    if bool(options.outcome) == bool(options.time) or bool(options.time) != bool(options.event):
        parser.error("give --outcome, or --time and --event")
    return options


if __name__ == "__main__":
    main()

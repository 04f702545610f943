"""Outcomes of the data dictionary: kind, events, follow-up, and the groups that Table 1 compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import SurvfuncRight

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.checks import is_continuous
from medomicslab_nb.evaluation.endpoints import (
    Endpoint,
    EndpointColumns,
    binary_endpoint,
    declared_endpoints,
    endpoint_columns,
    survival_endpoint,
)

MOST_GROUPS = 10


@dataclass(frozen=True)
class Outcome:
    """One endpoint of the dictionary, or a column, as it is."""

    name: str
    kind: Literal["binary", "survival", "multiclass", "continuous"]
    table: str
    column: str
    """Column of the classes, of the event, or of the number."""
    time_column: str = ""
    endpoint: Endpoint | None = None
    """None where it cannot be modelled as binary or survival outcome."""
    groups: pd.Series | None = None
    """Label of each patient (index = patient), for Table 1; None for continuous outcomes."""
    fault: str = ""
    """Why it cannot be used (bad input 48); empty when it can."""


def list_outcomes(study: CorrectedStudy, wanted: str = "") -> list[Outcome]:
    """The outcome that is wanted first, then every other endpoint of the dictionary.

    Raises
    ------
    DataError
        The wanted one is neither an endpoint nor a column, or several.
    """
    first = [_outcome(study, wanted, endpoint_columns(study, wanted))] if wanted else []
    return first + [_declared(study, name, columns) for name, columns in declared_endpoints(study.tables).items()
                    if name != wanted]


def outcome_table(outcomes: list[Outcome]) -> pd.DataFrame:
    """Endpoint, kind, patients, events, percent with the event, median follow-up (reverse Kaplan-Meier) and unit."""
    rows = [_row(outcome) for outcome in outcomes]
    return pd.DataFrame(rows, columns=["endpoint", "kind", "n", "events", "percent", "median_follow_up", "unit"])


def median_follow_up(time: np.ndarray, event: np.ndarray) -> float:
    """Median follow-up by the reverse Kaplan-Meier method (Schemper & Smith 1996); NaN when it is not reached.

    Parameters
    ----------
    time, event : ndarray, shape (n_patients,)
        Follow-up, and whether the event was seen: it counts as censoring here.
    """
    if not (~event).any():
        return float("nan")
    return float(SurvfuncRight(time, (~event).astype(int)).quantile(0.5))


def _row(outcome: Outcome) -> dict[str, object]:
    endpoint = outcome.endpoint
    if endpoint is None:
        n = 0 if outcome.groups is None else len(outcome.groups)
        return {"endpoint": outcome.name, "kind": outcome.kind, "n": n, "events": pd.NA, "percent": np.nan,
                "median_follow_up": np.nan, "unit": ""}
    follow_up = np.nan if endpoint.time is None else median_follow_up(endpoint.time, endpoint.event)
    return {"endpoint": outcome.name, "kind": endpoint.kind, "n": len(endpoint), "events": endpoint.events,
            "percent": 100 * endpoint.events / len(endpoint), "median_follow_up": follow_up, "unit": endpoint.unit}


def _declared(study: CorrectedStudy, name: str, columns: list[EndpointColumns]) -> Outcome:
    """An endpoint of the dictionary; one whose columns are not clear is listed with its fault."""
    try:
        return _outcome(study, name, endpoint_columns(study, name))
    except DataError as error:
        kind: Literal["survival", "binary"] = "survival" if columns[0].time else "binary"
        return Outcome(name, kind, columns[0].table, columns[0].outcome, columns[0].time,
                       fault=f"{error.found}. {error.todo}")


def _outcome(study: CorrectedStudy, name: str, source: EndpointColumns) -> Outcome:
    table, column, time = source.table, source.outcome, source.time
    values = study.table(table)[column]
    if not time and is_continuous(values):
        return Outcome(name, "continuous", table, column)
    try:
        endpoint = _endpoint(study, name, table, column, time)
    except DataError as error:
        several = values.nunique() > 2 and not time
        groups = _labels(values) if 2 <= values.nunique() <= MOST_GROUPS and values.index.is_unique else None
        fault = "" if groups is not None and not time else f"{error.found}. {error.todo}"
        kind: Literal["binary", "survival", "multiclass"] = \
            "survival" if time else "multiclass" if several else "binary"
        return Outcome(name, kind, table, column, time, groups=groups if not time else None, fault=fault)
    if endpoint.time is None:
        return Outcome(name, "binary", table, column, endpoint=endpoint, groups=_labels(values))
    words = pd.Series(np.where(endpoint.event, "event", "no event"), index=endpoint.patients)
    return Outcome(name, "survival", table, column, time, endpoint, words)


def _endpoint(study: CorrectedStudy, name: str, table: str, column: str, time: str) -> Endpoint:
    frame = study.table(table)
    if frame.index.name != study.id_column or frame.index.has_duplicates:
        raise DataError("the table does not have one row for each patient", where=f"table {table}",
                        todo="Keep the outcome in a table that does")
    if not time:
        return binary_endpoint(name, frame[column])
    return survival_endpoint(name, frame[time], frame[column], unit=study.tables[table].column(time).unit)


def _labels(values: pd.Series) -> pd.Series:
    return values.dropna().map(label)


def label(value: object) -> str:
    """A category as people write it: 1, not 1.0."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)

"""Outcomes of the data dictionary: kind, events, follow-up, and the groups that Table 1 compares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoint_columns import EndpointColumns, declared_endpoints, endpoint_columns
from medomicslab_nb.evaluation.endpoints import Endpoint, Kind, read_endpoint
from medomicslab_nb.evaluation.follow_up import median_follow_up

MOST_GROUPS = 10


@dataclass(frozen=True)
class Outcome:
    """One endpoint of the dictionary, or a column, as it is."""

    name: str
    kind: Kind
    table: str
    column: str
    """Column of the classes, of the event, or of the number."""
    time_column: str = ""
    endpoint: Endpoint | None = None
    """None where it cannot be modelled, or not before its kind or its positive class is set."""
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


def _row(outcome: Outcome) -> dict[str, object]:
    endpoint = outcome.endpoint
    row: dict[str, object] = {"endpoint": outcome.name, "kind": outcome.kind, "events": pd.NA, "percent": np.nan,
                              "median_follow_up": np.nan, "unit": ""}
    if endpoint is None:
        return {**row, "n": 0 if outcome.groups is None else len(outcome.groups)}
    row |= {"n": len(endpoint), "unit": endpoint.unit}
    if endpoint.kind in ("multiclass", "continuous"):
        return row
    follow_up = np.nan if endpoint.time is None else median_follow_up(endpoint).estimate
    return {**row, "events": endpoint.events, "percent": 100 * endpoint.events / len(endpoint),
            "median_follow_up": follow_up}


def _declared(study: CorrectedStudy, name: str, columns: list[EndpointColumns]) -> Outcome:
    """An endpoint of the dictionary; one whose columns are not clear is listed with its fault."""
    try:
        return _outcome(study, name, endpoint_columns(study, name))
    except DataError as error:
        kind: Kind = "survival" if columns[0].time else "binary"
        return Outcome(name, kind, columns[0].table, columns[0].outcome, columns[0].time,
                       fault=f"{error.found}. {error.todo}")


def _outcome(study: CorrectedStudy, name: str, source: EndpointColumns) -> Outcome:
    table, column, time = source.table, source.outcome, source.time
    values = study.table(table)[column]
    try:
        endpoint = read_endpoint(study, name, source)
    except DataError as error:
        several = values.nunique() > 2 and not time
        groups = _labels(values) if 2 <= values.nunique() <= MOST_GROUPS and values.index.is_unique else None
        fault = "" if groups is not None and not time else f"{error.found}. {error.todo}"
        kind: Kind = "survival" if time else "multiclass" if several else "binary"
        return Outcome(name, kind, table, column, time, groups=groups if not time else None, fault=fault)
    return Outcome(name, endpoint.kind, table, column, time, endpoint, _groups(endpoint, values))


def _groups(endpoint: Endpoint, values: pd.Series) -> pd.Series | None:
    """What Table 1 compares."""
    if endpoint.kind == "survival":
        return pd.Series(np.where(endpoint.event, "event", "no event"), index=endpoint.patients)
    shown = endpoint.kind == "binary" or 0 < len(endpoint.classes) <= MOST_GROUPS
    return _labels(values) if shown else None


def _labels(values: pd.Series) -> pd.Series:
    return values.dropna().map(label)


def label(value: object) -> str:
    """A category as people write it: 1, not 1.0."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)

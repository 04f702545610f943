"""Endpoints: what is predicted, checked once and then trusted.

A binary endpoint is a column of two classes; a survival endpoint is a pair of columns, follow-up time and whether
the event was seen by then. Both are found through the data dictionary.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.checks import endpoint_faults
from medomicslab_nb.tables import TableInfo

_YES = frozenset({"1", "1.0", "true", "yes", "oui", "event", "dead", "deceased", "positive"})
_NO = frozenset({"0", "0.0", "false", "no", "non", "none", "censored", "alive", "negative"})


@dataclass(frozen=True)
class Endpoint:
    """What is predicted for each patient.

    Attributes
    ----------
    event : ndarray of bool, shape (n,)
        Binary: the positive class. Survival: the event was seen at ``time``; otherwise follow-up ended there.
    time : ndarray of float, shape (n,), or None
        Follow-up in ``unit``; None for a binary endpoint.
    patients : Index, shape (n,)
        Identifiers, each once, sorted.
    columns : tuple of (table, column)
        Where it comes from: never predictors.
    notes : tuple of str
        What had to be decided or left out, in whole sentences.
    """

    name: str
    event: np.ndarray
    patients: pd.Index
    time: np.ndarray | None = None
    unit: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def kind(self) -> Literal["binary", "survival"]:
        return "binary" if self.time is None else "survival"

    @property
    def metric(self) -> Literal["auc", "c_index"]:
        """The measure of discrimination that goes with the kind."""
        return "auc" if self.time is None else "c_index"

    @property
    def events(self) -> int:
        """Patients of the positive class, or with the event."""
        return int(self.event.sum())

    def __len__(self) -> int:
        return len(self.event)

    def take(self, rows: np.ndarray) -> Endpoint:
        """The same endpoint for some patients, given by position."""
        time = None if self.time is None else self.time[rows]
        return replace(self, event=self.event[rows], time=time, patients=self.patients[rows])

    def restrict(self, patients: pd.Index) -> Endpoint:
        """The same endpoint for the patients that are in ``patients``, in the endpoint's order."""
        return self.take(np.flatnonzero(self.patients.isin(patients)))


@dataclass(frozen=True)
class EndpointColumns:
    """The columns that make an endpoint, as the dictionary has them."""

    table: str
    outcome: str
    """Column of the classes, or of the event."""
    time: str = ""
    """Column of the follow-up; empty for an outcome without."""
    notes: tuple[str, ...] = ()
    """What had to be decided, in whole sentences."""


def binary_endpoint(name: str, outcome: pd.Series, *, positive: str = "") -> Endpoint:
    """An endpoint of two classes.

    Parameters
    ----------
    outcome : Series, index = patient (each once)
        Classes; patients without one are left out, with a note.
    positive : str
        The positive class. Needed unless the classes are numbers 0 and 1 or words for no and yes.

    Raises
    ------
    DataError
        One class only, more than two without ``positive``, or classes of which the positive one is not clear.
    """
    known, notes = _known(name, outcome.to_frame("outcome"))
    _refuse(name, endpoint_faults(outcome=known["outcome"].rename(name)))
    event = _as_event(name, known["outcome"], positive)
    _refuse(name, endpoint_faults(outcome=pd.Series(event, name=name)))
    return Endpoint(name, event, known.index, notes=notes)


def survival_endpoint(name: str, time: pd.Series, event: pd.Series, *, unit: str = "", positive: str = "") -> Endpoint:
    """An endpoint with follow-up.

    Parameters
    ----------
    time, event : Series, index = patient (each once)
        Follow-up time, and whether the event was seen; patients without either are left out, with a note.

    Raises
    ------
    DataError
        Negative or infinite times, times that are no numbers, no event, or events that are not clearly yes or no.
    """
    numbers = pd.to_numeric(time, errors="coerce")
    unreadable = int((numbers.isna() & time.notna()).sum())
    if unreadable:
        raise DataError(f"{unreadable} follow-up times are no numbers", where=f"endpoint {name}, column {time.name}",
                        todo="Correct them in the table")
    _refuse(name, endpoint_faults(time=numbers.rename(str(time.name))))
    known, notes = _known(name, pd.DataFrame({"time": numbers, "event": event}))
    happened = _as_event(name, known["event"], positive)
    if not happened.any():
        raise DataError("no patient had the event", where=f"endpoint {name}",
                        todo="Check how the event column is coded, or choose another endpoint")
    return Endpoint(name, happened, known.index, known["time"].to_numpy(dtype=float), unit, notes=notes)


def find_endpoint(study: Any, name: str, *, time: str = "", positive: str = "") -> Endpoint:
    """The endpoint of that name in a study.

    Parameters
    ----------
    study : Study
    name : str
        An endpoint of the data dictionary, or a column.
    time : str
        Follow-up column, when ``name`` is an event column that the dictionary does not pair with one.
    positive : str
        The class that counts as the event.

    Raises
    ------
    DataError
        No such endpoint, or one that cannot be used: see :func:`binary_endpoint`, :func:`survival_endpoint`.
    """
    source = endpoint_columns(study, name, time=time)
    frame = study.table(source.table)
    _check_patient_level(frame, study.id_column, source.table)
    for column in filter(None, (source.outcome, source.time)):
        if column not in frame.columns:
            raise DataError(f"there is no column '{column}'", where=f"table {source.table}",
                            todo="Correct the data dictionary or import the table again")
    columns = tuple((source.table, column) for column in (source.outcome, source.time) if column)
    if source.time:
        unit = study.tables[source.table].column(source.time).unit
        endpoint = survival_endpoint(name, frame[source.time], frame[source.outcome], unit=unit, positive=positive)
    else:
        endpoint = binary_endpoint(name, frame[source.outcome], positive=positive)
    return replace(endpoint, columns=columns, notes=(*source.notes, *endpoint.notes))


def endpoint_columns(study: Any, name: str, *, time: str = "") -> EndpointColumns:
    """Where an endpoint is: by its name in the dictionary, or by a column's name.

    An event or outcome that shares its endpoint with a follow-up time is a survival outcome, by whichever name it
    is asked for.

    Parameters
    ----------
    study : Study
        Or anything with its ``tables`` and ``table``.
    time : str
        Follow-up column, instead of the one in the dictionary.

    Raises
    ------
    DataError
        No such endpoint or column, or several.
    """
    declared = declared_endpoints(study.tables)
    candidates = declared.get(name) or _of_column(study, name, declared)
    if not candidates:
        raise _unknown(study.tables, name, declared)
    _refuse_several(name, candidates)
    source = candidates[0]
    if time:
        return replace(source, time=time)
    _refuse_apart(study.tables, source)
    return replace(source, notes=_decided(study.tables[source.table], source, name))


def declared_endpoints(tables: Mapping[str, TableInfo]) -> dict[str, list[EndpointColumns]]:
    """Every endpoint of the dictionary with the columns that may make it: one where the dictionary is clear."""
    found: dict[str, list[EndpointColumns]] = {}
    for table, info in tables.items():
        times = _by_endpoint(info, "time")
        for endpoint, columns in _by_endpoint(info, "event", "outcome").items():
            found.setdefault(endpoint, []).extend(
                EndpointColumns(table, column, time) for column in columns for time in times.get(endpoint, [""]))
    return found


def _by_endpoint(info: TableInfo, *roles: str) -> dict[str, list[str]]:
    """Columns of these roles by their endpoint, in the order of the dictionary."""
    found: dict[str, list[str]] = {}
    for name, column in info.columns.items():
        if column.role in roles:
            found.setdefault(column.endpoint or name, []).append(name)
    return found


def _of_column(study: Any, name: str, declared: Mapping[str, Sequence[EndpointColumns]]) -> list[EndpointColumns]:
    """A column of that name in each table that has it, with the time that the dictionary pairs it with."""
    owners = [table for table, info in study.tables.items()
              if name in info.columns or name in study.table(table).columns]
    paired = {table: [source for sources in declared.values() for source in sources
                      if (source.table, source.outcome) == (table, name)] for table in owners}
    return [source for table in owners for source in paired[table] or [EndpointColumns(table, name)]]


def _refuse_several(name: str, candidates: Sequence[EndpointColumns]) -> None:
    if len(candidates) == 1:
        return
    places = "; ".join(f"{' with '.join(filter(None, (source.outcome, source.time)))} of table {source.table}"
                       for source in candidates)
    raise DataError(f"several columns may be the outcome '{name}': {places}", where="outcome",
                    todo="Give each its own endpoint in the data dictionary, or the role 'ignore' to all but one")


def _refuse_apart(tables: Mapping[str, TableInfo], source: EndpointColumns) -> None:
    """Refuse to take an event for an outcome without follow-up when its time is in another table."""
    endpoint = tables[source.table].column(source.outcome).endpoint
    apart = [table for table, info in tables.items() if endpoint and endpoint in _by_endpoint(info, "time")]
    if apart and not source.time:
        raise DataError(f"the event of endpoint '{endpoint}' is in table {source.table}, its follow-up time in table "
                        f"{apart[0]}", where="outcome", todo="Bring both into one table")


def _unknown(tables: Mapping[str, TableInfo], name: str, declared: Mapping[str, Any]) -> DataError:
    columns = [column for info in tables.values() for column in info.columns]
    near = difflib.get_close_matches(name, [*declared, *columns], n=1)
    known = f"Endpoints of the data dictionary: {', '.join(declared) or 'none'}"
    return DataError(f"there is no endpoint or column '{name}'", where="outcome",
                     todo=f"Did you mean '{near[0]}'?" if near else known)


def _decided(info: TableInfo, source: EndpointColumns, name: str) -> tuple[str, ...]:
    """How a column was understood that says less than an endpoint does."""
    if source.time and name != (info.column(source.outcome).endpoint or source.outcome):
        return (f"'{name}' is the event of an endpoint with follow-up, so it was used with its time '{source.time}'.",)
    if not source.time and info.column(source.outcome).role == "event":
        return (f"'{source.outcome}' is an event without a follow-up time: it was used as yes or no, as if everybody "
                "had been followed equally long.",)
    return ()


def _check_patient_level(frame: pd.DataFrame, id_column: str, table: str) -> None:
    if frame.index.name != id_column:
        raise DataError(f"the table has no identifier column '{id_column}'", where=f"table {table}",
                        todo="Import it with the column that identifies patients")
    repeated = int(frame.index.duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} rows repeat a patient, so the outcome is not clear", where=f"table {table}",
                        todo="Keep the outcome in a table with one row per patient")


def _known(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Patients with a complete endpoint, sorted by identifier, and a note on the others."""
    known = frame.dropna().sort_index()
    left_out = len(frame) - len(known)
    if known.empty:
        raise DataError("no patient has this outcome", where=f"endpoint {name}", todo="Check the table")
    if not left_out:
        return known, ()
    return known, (f"{left_out} of {len(frame)} patients have no value for '{name}' and were left out.",)


def _refuse(name: str, faults: Sequence[str]) -> None:
    if faults:
        raise DataError("; ".join(faults), where=f"endpoint {name}",
                        todo="Correct the table, or choose another endpoint")


def _as_event(name: str, values: pd.Series, positive: str) -> np.ndarray:
    """True where the event happened or the class is the positive one."""
    texts = values.map(_label)
    classes = sorted(texts.unique())
    if positive:
        if positive not in classes:
            raise DataError(f"no patient has the class '{positive}'", where=f"endpoint {name}",
                            todo=f"Set 'positive' to one of: {', '.join(classes[:10])}")
        return (texts == positive).to_numpy()
    words = texts.str.lower()
    if not set(words) <= _YES | _NO:
        few = f": {', '.join(classes)}" if len(classes) <= 10 else ""
        raise DataError(f"it is not clear which of its {len(classes)} values is the event", where=f"endpoint {name}",
                        todo=f"Set 'positive' to the class that counts as the event{few}")
    return words.isin(_YES).to_numpy()


def _label(value: Any) -> str:
    """A class as people write it: 1, not 1.0."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)

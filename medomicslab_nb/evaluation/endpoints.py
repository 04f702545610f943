"""Endpoints: what is predicted, checked once and then trusted.

A binary endpoint is a column of two classes; a survival endpoint is a pair of columns, follow-up time and whether
the event was seen by then. Both are found through the data dictionary.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.checks import endpoint_faults

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
class _Source:
    """The columns that make an endpoint, as the dictionary has them."""

    table: str
    outcome: str
    time: str = ""


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
    tables = study.tables
    source = _find(tables, name, time)
    frame = study.table(source.table)
    _check_patient_level(frame, study.id_column, source.table)
    for column in filter(None, (source.outcome, source.time)):
        if column not in frame.columns:
            raise DataError(f"there is no column '{column}'", where=f"table {source.table}",
                            todo="Correct the data dictionary or import the table again")
    columns = tuple((source.table, column) for column in (source.outcome, source.time) if column)
    if not source.time:
        return replace(binary_endpoint(name, frame[source.outcome], positive=positive), columns=columns)
    unit = tables[source.table].column(source.time).unit
    endpoint = survival_endpoint(name, frame[source.time], frame[source.outcome], unit=unit, positive=positive)
    return replace(endpoint, columns=columns)


def _find(tables: Mapping[str, Any], name: str, time: str) -> _Source:
    declared = list(_declared(tables))
    for source, endpoint in declared:
        if endpoint == name and not time:
            return source
    owners = [table for table, info in tables.items() if name in info.columns]
    if len(owners) == 1:
        return _Source(owners[0], name, time)
    if owners:
        raise DataError(f"'{name}' is a column of several tables ({', '.join(owners)})", where="outcome",
                        todo="Declare one of them as the endpoint in the data dictionary")
    known = list(dict.fromkeys(endpoint for _, endpoint in declared))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Endpoints of the data dictionary: {', '.join(known) or 'none'}"
    raise DataError(f"there is no endpoint or column '{name}'", where="outcome", todo=hint)


def _declared(tables: Mapping[str, Any]) -> Iterator[tuple[_Source, str]]:
    """Every endpoint of the dictionary, in the order of tables and columns."""
    for table, info in tables.items():
        events = {column.endpoint or name: name for name, column in info.columns.items() if column.role == "event"}
        times = {column.endpoint or name: name for name, column in info.columns.items() if column.role == "time"}
        for endpoint, event in events.items():
            if endpoint in times:
                yield _Source(table, event, times[endpoint]), endpoint
        for name, column in info.columns.items():
            if column.role == "outcome":
                yield _Source(table, name), column.endpoint or name


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

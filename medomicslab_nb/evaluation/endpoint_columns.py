"""Where endpoints are in a study: the columns that make them, found through the data dictionary."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from medomicslab_nb.errors import DataError
from medomicslab_nb.tables import TableInfo


@dataclass(frozen=True)
class EndpointColumns:
    """The columns that make an endpoint, as the dictionary has them."""

    table: str
    outcome: str
    """Column of the classes, or of the event."""
    time: str = ""
    """Column of the follow-up; empty for an outcome without."""
    entry: str = ""
    """Column of the time from which each patient is under observation; empty: from the beginning."""
    cause: str = ""
    """Column of what ended follow-up, which may be ``outcome`` itself; empty: no competing events."""
    notes: tuple[str, ...] = ()
    """What had to be decided, in whole sentences."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(filter(None, (self.outcome, self.time, self.entry, self.cause))))


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
    if time:
        candidates = [replace(source, time=time, entry=source.entry or entry) for source in candidates
                      for entry in _by_endpoint(study.tables[source.table], "entry").get("", [""])]
    _refuse_several(name, candidates)
    source = candidates[0]
    _refuse_apart(study.tables, source)
    return source if time else replace(source, notes=_decided(study.tables[source.table], source, name))


def declared_endpoints(tables: Mapping[str, TableInfo]) -> dict[str, list[EndpointColumns]]:
    """Every endpoint of the dictionary with the columns that may make it: one where the dictionary is clear.

    An entry that names no endpoint belongs to every endpoint with follow-up of its table.
    """
    found: dict[str, list[EndpointColumns]] = {}
    for table, info in tables.items():
        times, causes, entries = (_by_endpoint(info, role) for role in ("time", "cause", "entry"))
        outcomes = _by_endpoint(info, "event", "outcome")
        for endpoint in dict.fromkeys([*outcomes, *causes]):
            shared = entries.get("", []) if endpoint in times else []
            parts = product(outcomes.get(endpoint) or causes[endpoint], times.get(endpoint, [""]),
                            entries.get(endpoint) or shared or [""], causes.get(endpoint, [""]))
            found.setdefault(endpoint, []).extend(EndpointColumns(table, *columns) for columns in parts)
    return found


def _by_endpoint(info: TableInfo, *roles: str) -> dict[str, list[str]]:
    """Columns of these roles by their endpoint, in the order of the dictionary; an entry may name none."""
    found: dict[str, list[str]] = {}
    for name, column in info.columns.items():
        if column.role in roles:
            found.setdefault(column.endpoint or ("" if column.role == "entry" else name), []).append(name)
    return found


def _of_column(study: Any, name: str, declared: Mapping[str, Sequence[EndpointColumns]]) -> list[EndpointColumns]:
    """A column of that name in each table that has it, with what the dictionary pairs it with."""
    owners = [table for table, info in study.tables.items()
              if name in info.columns or name in study.table(table).columns]
    paired = {table: [source for sources in declared.values() for source in sources
                      if source.table == table and name in (source.outcome, source.cause)] for table in owners}
    return [source for table in owners for source in paired[table] or [EndpointColumns(table, name)]]


def _refuse_several(name: str, candidates: Sequence[EndpointColumns]) -> None:
    if len(candidates) == 1:
        return
    places = "; ".join(f"{' with '.join(source.columns)} of table {source.table}" for source in candidates)
    raise DataError(f"several columns may be the outcome '{name}': {places}", where="outcome",
                    todo="Give each its own endpoint in the data dictionary, or the role 'ignore' to all but one; name "
                         "tables of external patients in the setting 'external'")


_HALVES = {"time": "follow-up time", "entry": "time of entry", "cause": "cause"}


def _refuse_apart(tables: Mapping[str, TableInfo], source: EndpointColumns) -> None:
    """Refuse to take an event for one without time, entry or cause when they are in another table."""
    endpoint = tables[source.table].column(source.outcome).endpoint
    for role, words in _HALVES.items():
        apart = [table for table, info in tables.items() if endpoint and endpoint in _by_endpoint(info, role)]
        if apart and not getattr(source, role):
            raise DataError(f"the event of endpoint '{endpoint}' is in table {source.table}, its {words} in table "
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

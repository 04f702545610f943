"""Index dates, and whether the values of a table were known by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api import types

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.checks import after_index_date
from medomicslab_nb.tables import TableInfo, index_date_columns


@dataclass(frozen=True)
class DateCheck:
    """How the rows of a table stand to the index dates."""

    column: str
    """Column with the date of each row; or the one that may hold it, when it is not ``declared``."""
    late: pd.Series
    """Rows dated after the index date: bool, index = patient."""
    undated: int = 0
    """Rows of which the date or the patient's index date is missing."""
    declared: bool = True
    """Whether the dictionary names the column as the date of the rows. If not, nothing was compared."""


def index_dates(study: Any, owners: Sequence[tuple[str, str]] | None = None) -> pd.Series | None:
    """Each patient's index date (datetime, index = patient, each once); None when nothing names it.

    It is the column of role ``index_date``, or, where no column has that role, the study's ``index_date``.

    Parameters
    ----------
    study : Study
        Or anything with its ``tables``, ``table``, ``index_date``, ``id_column`` and ``name``.
    owners : sequence of (table, column), optional
        What may hold the dates, where it is known already.

    Raises
    ------
    DataError
        No column or several hold it, it does not hold dates, or a patient has several.
    """
    owners = index_date_columns(study.tables, study.index_date) if owners is None else owners
    if not owners and not study.index_date:
        return None
    if not owners:
        raise DataError(f"no table has the index date '{study.index_date}'", where=f"study {study.name}",
                        todo="Import the table that holds it, or give its column the role 'index_date'")
    if len(owners) > 1:
        places = ", ".join(f"'{column}' of table {table}" for table, column in owners)
        raise DataError(f"several columns hold the index date: {places}", where=f"study {study.name}",
                        todo="Give one of them the role 'index_date' in the data dictionary, and no other")
    (table, column), = owners
    frame = study.table(table)
    if frame.index.name != study.id_column or column not in frame.columns:
        raise DataError(f"it has no column '{column if column not in frame.columns else study.id_column}'",
                        where=f"table {table}", todo="Import it again with identifiers and index dates")
    return _once_each(as_dates(frame[column], table), table)


def check_dates(frame: pd.DataFrame, info: TableInfo, dates: pd.Series | None) -> DateCheck | None:
    """The rows of a table against the index dates; None without index dates or without dates in the table.

    Parameters
    ----------
    frame : DataFrame, index = patient
    dates : Series or None
        As :func:`index_dates` gives them.
    """
    if dates is None:
        return None
    if info.date_column in frame.columns:
        own = as_dates(frame[info.date_column], info.name)
        undated = int((own.isna() | dates.reindex(own.index).isna().to_numpy()).sum())
        return DateCheck(str(info.date_column), after_index_date(own, dates), undated)
    found = [column for column in info.columns if info.columns[column].role == "date" and column != dates.name]
    if len(found) != 1:
        return None
    return DateCheck(found[0], pd.Series(data=False, index=frame.index), declared=False)


def as_dates(values: pd.Series, table: str) -> pd.Series:
    """Dates, or text written as ISO 8601, as datetime.

    Raises
    ------
    DataError
        Something else; with the count of texts that are no dates.
    """
    if types.is_datetime64_any_dtype(values):
        return values
    where, todo = f"table {table}, column {values.name}", "Write dates as 2021-04-30"
    if types.is_numeric_dtype(values) and values.notna().any():
        raise DataError("it holds numbers, not dates", where=where, todo=todo)
    dates = pd.to_datetime(values, errors="coerce", format="ISO8601")
    unreadable = int((dates.isna() & values.notna()).sum())
    if unreadable:
        raise DataError(f"{unreadable} of {len(values)} values are no dates", where=where, todo=todo)
    return dates


def _once_each(dates: pd.Series, table: str) -> pd.Series:
    known = dates.dropna()
    unclear = int((known.groupby(level=0).nunique() > 1).sum())
    if unclear:
        raise DataError(f"{unclear} patients have several index dates", where=f"table {table}, column {dates.name}",
                        todo="Keep one index date for each patient")
    return known[~known.index.duplicated()]

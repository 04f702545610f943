"""A file into the study: read, dictionary guessed, corrections applied, stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types

from medomicslab_nb.data.dictionary import doubts, guess_columns, is_wide
from medomicslab_nb.data.reading import PARQUET, SPREADSHEETS, TEXT_FILES, read_table
from medomicslab_nb.data.values import DateOrder
from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.protect import identifiers_in, scrub
from medomicslab_nb.study import Study
from medomicslab_nb.tables import NOTES, Column, TableInfo

Level = Literal["patient", "lesion", "visit"]

MANY_COLUMNS = 50
"""A table of more predictors than this, and no endpoint, forms a block of its own name."""


@dataclass(frozen=True)
class PreparedTable:
    """A table that was read and described, but is not in the study yet: what the form shows for correction."""

    name: str
    frame: pd.DataFrame
    columns: dict[str, Column]
    default_column: Column | None
    block: str
    level: Level
    date_column: str | None
    transposed: bool
    """Stored as float32, one row a feature: wide tables of numbers only."""
    source: str
    notes: tuple[str, ...]
    """What was decided while reading, in whole sentences."""


def prepare_file(
    study: Study,
    path: str | Path,
    name: str | None = None,
    *,
    id_column: str | None = None,
    sheet: str | None = None,
    block: str | None = None,
    level: Level = "patient",
    date_column: str | None = None,
    columns: Mapping[str, Column | Mapping[str, Any]] | None = None,
    date_order: DateOrder | None = None,
    replace: bool = False,
) -> PreparedTable:
    """Read a file and guess its data dictionary, without storing anything. Parameters as :func:`import_file`."""
    path = Path(path).expanduser()
    name = name or name_from(path)
    old = study.tables.get(name)
    known = study.identifiers()
    _check_free(name, old, known, replace=replace)
    read = read_table(path, id_column=id_column, usual_id_column=study.id_column, sheet=sheet, date_order=date_order,
                      patients=known)
    where = f"file {path.name}"
    frame, notes = _renamed(read.frame, read.id_column, study.id_column, where)
    identifiers = known | set(frame[study.id_column])
    _refuse_identifiers(name, block or "", [str(column) for column in frame.columns], identifiers)
    if block == NOTES and level == "patient":
        level = "visit"  # a patient has several notes
    check_rows(frame, study.id_column, level, date_column, where, several=block == NOTES)
    guessed = guess_columns(frame, study.id_column)
    if block == NOTES:  # names and texts of notes predict nothing
        guessed = {column: entry if entry.role in ("identifier", "date") else Column(role="ignore", type="text")
                   for column, entry in guessed.items()}
    wide = is_wide(frame)
    kept = _corrections(study, old, frame) if old else {}
    guessed = corrected({**guessed, **kept}, columns or {}, frame.columns, where)
    notes += [f"Corrections to the dictionary that were kept from the replaced table: {len(kept)}."] if kept else []
    notes += doubts(guessed)
    transposed = wide and all(types.is_numeric_dtype(frame[column]) for column in frame.columns
                              if column != study.id_column) and level == "patient"
    return PreparedTable(name, frame, guessed, Column() if wide else None,
                         block or (name if wide else _block(name, guessed)), level, date_column, transposed,
                         scrub(path.name, identifiers), (*read.notes, *notes))


def _check_free(name: str, old: TableInfo | None, known: Collection[str], *, replace: bool) -> None:
    """Refuse a name that a table of the study has, unless that table is to be replaced."""
    if old and not replace:
        raise DataError(f"there is a table '{scrub(name, known)}' already", where="study",
                        todo="Give --name, or --replace to replace it")


def _refuse_identifiers(name: str, block: str, columns: list[str], identifiers: Collection[str]) -> None:
    """Refuse names that hold a patient's identifier: they are shown in every table, figure and report."""
    for place, texts in (("the table's name", [name]), ("the block's name", [block]), ("column names", columns)):
        count = sum(bool(identifiers_in(text, identifiers)) for text in texts)
        if count:
            raise ProtectionError(f"a patient identifier is in {place} ({count})", where="table to be added",
                                  todo="Names are shown in results: choose others. If the columns are patients, add "
                                       "the table of clinical data first")


def _corrections(study: Study, old: TableInfo, frame: pd.DataFrame) -> dict[str, Column]:
    """Entries of a table's dictionary that differ from what was guessed, for the columns of its successor."""
    guessed = guess_columns(study.table(old.name).reset_index(), study.id_column)
    return {name: column for name, column in old.columns.items()
            if name in frame.columns and column != guessed.get(name, old.default_column or Column())}


def add_prepared(study: Study, table: PreparedTable) -> TableInfo:
    """Store a prepared table in the study."""
    frame = _float32(table, study.id_column) if table.transposed else table.frame
    return study.add_table(table.name, frame, block=table.block, level=table.level, date_column=table.date_column,
                           columns=table.columns, default_column=table.default_column, source=table.source,
                           transposed=table.transposed)


def import_file(
    study: Study,
    path: str | Path,
    name: str | None = None,
    *,
    id_column: str | None = None,
    sheet: str | None = None,
    block: str | None = None,
    level: Level = "patient",
    date_column: str | None = None,
    columns: Mapping[str, Column | Mapping[str, Any]] | None = None,
    date_order: DateOrder | None = None,
    replace: bool = False,
) -> TableInfo:
    """Read a table, guess its data dictionary, and store it in the study.

    Parameters
    ----------
    study : Study
    path : path
        CSV, TSV, semicolon-separated text, Excel or Parquet.
    name : str, optional
        Name of the table in the study; default: the file's name.
    id_column : str, optional
        Column of the patient identifiers in the file; default: the study's, else the one with a usual name.
    sheet : str, optional
        Sheet of a workbook; needed when several hold tables.
    block : str, optional
        Block of predictors; default: ``clinical``, or the table's name for tables of many columns.
    level : {"patient", "visit", "lesion"}
        What one row is. Rows must be unique by patient, or by patient and date at level ``visit``.
    date_column : str, optional
        Date of the row's values; needed at level ``visit``.
    columns : mapping of column name to Column, or to some of its fields, optional
        Corrections to the guessed dictionary.
    date_order : {"day-first", "month-first"}, optional
        Needed only where a column of dates can be read both ways.
    replace : bool
        Whether a table of that name is replaced; the corrections to its dictionary are kept.

    Raises
    ------
    DataError
        What makes the file unusable as it is, or a table of that name. Nothing is stored then.
    ProtectionError
        A patient identifier in the name of the table, its block or a column.
    """
    return add_prepared(study, prepare_file(study, path, name, id_column=id_column, sheet=sheet, block=block,
                                            level=level, date_column=date_column, columns=columns,
                                            date_order=date_order, replace=replace))


def name_from(path: Path) -> str:
    """A table's name from a file's: letters, digits, ``_`` and ``-``."""
    stem = path.name[:-3] if path.suffix.lower() == ".gz" else path.name
    if Path(stem).suffix.lower() in (*TEXT_FILES, *SPREADSHEETS, *PARQUET):
        stem = Path(stem).stem
    return re.sub(r"[^A-Za-z0-9_\-]+", "_", stem).strip("_-")[:64] or "table"


def _renamed(frame: pd.DataFrame, found: str, wanted: str, where: str) -> tuple[pd.DataFrame, list[str]]:
    if found == wanted:
        return frame, []
    if wanted in frame.columns:
        raise DataError(f"the study's identifier column is '{wanted}', but the identifiers were named '{found}'",
                        where=where, todo=f"Rename the other column '{wanted}' in the file")
    return frame.rename(columns={found: wanted}), [f"Column '{found}' is called '{wanted}' in the study."]


def check_rows(frame: pd.DataFrame, id_column: str, level: Level, date_column: str | None, where: str, *,
               several: bool = False) -> None:
    """Refuse rows that repeat a patient, or a patient and date at level visit (bad input 44).

    ``several`` rows of a patient and day, also without a date, may be right: notes.
    """
    if date_column is not None:
        if date_column not in frame.columns:
            raise DataError(f"there is no date column '{date_column}'", where=where,
                            todo="Name one of the columns of dates: " + (", ".join(_dates(frame)) or "there is none"))
        if not types.is_datetime64_any_dtype(frame[date_column]):
            raise DataError(f"column '{date_column}' holds no dates", where=where, todo="Write dates as 2021-04-30")
    if level == "lesion" or several:
        return
    if level == "visit" and date_column is None:
        raise DataError("a table of visits needs the column with their dates", where=where,
                        todo="Name it: date_column")
    keys = [id_column] if level == "patient" else [id_column, str(date_column)]
    repeated = frame.duplicated(keys, keep=False)
    if repeated.any():
        what = "patient" if level == "patient" else "patient and date"
        visits = ", or import it as level 'visit' with its date column" if level == "patient" else ""
        raise DataError(f"{int(repeated.sum())} rows share their {what} with another row "
                        f"({frame.loc[repeated, id_column].nunique()} patients)", where=where,
                        todo=f"Keep one row for each {what}{visits}")


def _dates(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if types.is_datetime64_any_dtype(frame[name])]


def corrected(guessed: Mapping[str, Column], changes: Mapping[str, Column | Mapping[str, Any]],
              known: pd.Index, where: str) -> dict[str, Column]:
    """The dictionary with corrections: whole entries, or some fields of one.

    Raises
    ------
    DataError
        A column that the table does not have.
    """
    columns = dict(guessed)
    for name, change in changes.items():
        if name not in known:
            raise DataError(f"there is no column '{name}' to correct", where=where,
                            todo="Check the spelling of the column's name")
        before = columns.get(name, Column())
        columns[name] = change if isinstance(change, Column) else Column(**{**before.model_dump(), **change})
    return columns


def _block(name: str, columns: Mapping[str, Column]) -> str:
    predictors = sum(column.role == "predictor" for column in columns.values())
    endpoints = any(column.role in ("outcome", "event", "cause") for column in columns.values())
    return name if predictors > MANY_COLUMNS and not endpoints else "clinical"


def _float32(table: PreparedTable, id_column: str) -> pd.DataFrame:
    """Numbers of a wide table as float32, indexed by patient."""
    frame = table.frame.set_index(id_column)
    values = frame.to_numpy(dtype="float64", na_value=np.nan)
    with np.errstate(over="ignore"):
        small = values.astype("float32")
    lost = int((np.isinf(small) & ~np.isinf(values)).sum())
    if lost:
        raise DataError(f"{lost} values are too large to be stored in single precision", where=f"file {table.source}",
                        todo="Rescale them or take their logarithm")
    return pd.DataFrame(small, index=frame.index, columns=frame.columns)

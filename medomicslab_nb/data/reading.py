"""Files of tables into flat frames: identifiers stay text, and what was decided is told."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from medomicslab_nb.data.spreadsheet import read_spreadsheet
from medomicslab_nb.data.text_file import SEPARATORS, read_text_file
from medomicslab_nb.data.values import Cells, DateOrder, convert, not_infinite, row_numbers
from medomicslab_nb.errors import DataError

TEXT_FILES = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data", ".gz")
SPREADSHEETS = (".xlsx", ".xlsm")
PARQUET = (".parquet", ".pq")
_OTHER_PROGRAMS = {".xls": "an old Excel file", ".ods": "an OpenDocument spreadsheet", ".sav": "an SPSS file",
                   ".dta": "a Stata file", ".sas7bdat": "a SAS file", ".rds": "an R file", ".rdata": "an R file"}
_LISTED = 30
_ID_NAMES = ("patient", "patientid", "pid", "subject", "subjectid", "id", "caseid", "sampleid", "sample", "usubjid",
             "identifier", "identifiant", "idpatient", "nip", "ipp", "barcode", "bcrpatientbarcode")
_NO_NAMES = ("", "Unnamed: 0")
"""How programs head a column of row numbers."""
_FEATURE_NAMES = ("", "id", "identifier", "gene", "geneid", "genename", "genesymbol", "symbol", "hugosymbol", "feature",
                  "probe", "probeid", "ensemblid", "entrezid")
"""Names of a first column that holds features as easily as patients."""
_DOUBT = ("Each row was taken for a patient, but the columns are named as patients could be. If they are patients, add "
          "the table of clinical data first: the file is then transposed.")


@dataclass(frozen=True)
class ReadTable:
    """A table as it was read."""

    frame: pd.DataFrame
    """One row per row of the file (per patient when transposed); the identifier column is text."""
    notes: tuple[str, ...] = ()
    """What was decided or changed, in whole sentences without identifiers."""
    id_column: str = ""
    separator: str = ""
    """Name of the separator of a text file: comma, semicolon, tab or bar."""
    decimal: str = "."
    encoding: str = ""
    transposed: bool = False
    """Whether the file had patients as columns."""
    sheet: str = field(default="")


def read_table(
    path: str | Path,
    *,
    id_column: str | None = None,
    usual_id_column: str = "patient",
    sheet: str | None = None,
    date_order: DateOrder | None = None,
    patients: Collection[str] = (),
) -> ReadTable:
    """Read a table from CSV, TSV, semicolon-separated text (also gzip), Excel or Parquet.

    Parameters
    ----------
    path : path
        The file; its ending says the format.
    id_column : str, optional
        Column of the patient identifiers. Without it, ``usual_id_column`` or the column with a usual name is taken.
    usual_id_column : str
        How the study calls that column.
    sheet : str, optional
        Sheet of a workbook; needed when several hold tables.
    date_order : {"day-first", "month-first"}, optional
        Needed only where a column of dates can be read both ways.
    patients : collection of str
        Identifiers known from other tables: a file whose columns are these patients (genes x patients) is transposed.

    Raises
    ------
    DataError
        What makes the file unusable as it is, with file, column and row number, never with a cell's content.
    """
    path = Path(path).expanduser()
    where = f"file {path.name}"
    _check_file(path, where)
    if path.suffix.lower() in PARQUET:
        return _from_parquet(path, where, id_column, usual_id_column)
    read = ReadTable(pd.DataFrame())
    if path.suffix.lower() in SPREADSHEETS:
        cells = read_spreadsheet(path, where, sheet)
    else:
        file = read_text_file(path, where,
                              lambda text: text in (id_column, usual_id_column) or _plain(text) in _ID_NAMES)
        cells = file.cells
        read = replace(read, separator=SEPARATORS[file.separator], encoding=file.encoding, notes=file.notes)
    cells, notes = _tidy(cells, patients)
    read = replace(read, notes=(*read.notes, *notes))
    if _patients_are_columns(cells.names, id_column, patients):
        cells, notes = _without_annotations(cells, patients)
        return _transposed(cells, replace(read, notes=(*read.notes, *notes)), id_column or usual_id_column)
    position, notes = _find_id_column(cells, id_column, usual_id_column, patients)
    if position and cells.names[0] in _NO_NAMES:
        notes = [*notes, *_check_row_numbers(cells.columns[0], where)]
        cells = replace(cells, names=cells.names[1:], columns=cells.columns[1:])
        position -= 1
    read = replace(read, id_column=cells.names[position] or usual_id_column, notes=(*read.notes, *notes))
    read = _assemble(cells, read, position, date_order)
    doubtful = not patients and _plain(cells.names[position]) in _FEATURE_NAMES and _like_patients(read)
    return replace(read, notes=(*read.notes, _DOUBT)) if doubtful else read


def _check_file(path: Path, where: str) -> None:
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "there is no such file"
        raise DataError(what, where=where, todo="Check the path")
    if path.stat().st_size == 0:
        raise DataError("the file is empty (0 bytes)", where=where, todo="Export the table again")
    suffix = path.suffix.lower()
    if suffix in _OTHER_PROGRAMS:
        raise DataError(f"this is {_OTHER_PROGRAMS[suffix]}, which cannot be read", where=where,
                        todo="Save it as .xlsx, CSV or Parquet")
    if suffix not in (*TEXT_FILES, *SPREADSHEETS, *PARQUET):
        raise DataError(f"the ending '{path.suffix}' is not that of a table", where=where,
                        todo="Tables are read from CSV, TSV, Excel (.xlsx) and Parquet files")


def _tidy(cells: Cells, patients: Collection[str]) -> tuple[Cells, list[str]]:
    """Names without white space and each once; empty columns without a name left out."""
    names = [name.strip() for name in cells.names]
    notes = ["White space around column names was removed."] if names != list(cells.names) else []
    keep = [i for i, name in enumerate(names) if i == 0 or name or not _blank(cells.columns[i])]
    unnamed = [str(i + 1) for i in keep[1:] if not names[i]]
    if unnamed:
        raise _unnamed(_some(unnamed), cells.where)
    names = [names[i] for i in keep]
    if len(set(names)) < len(names) and _mostly_numbers(names):
        raise _no_header(cells.where)
    check_names(names, cells.where, hidden=patients)
    if not len(cells.columns[0]):
        raise DataError("the table has column names but no rows", where=cells.where, todo="Export the table again")
    return replace(cells, names=tuple(names), columns=tuple(cells.columns[i] for i in keep)), notes


def _unnamed(columns: str, where: str) -> DataError:
    return DataError(f"columns without a name: {columns} (counted from 1)", where=where,
                     todo="Give every column one name in the first row, and put no title above it")


def _check_row_numbers(first: pa.Array, where: str) -> list[str]:
    """Refuse a first column without a name unless it counts the rows, or is empty: it is left out then."""
    if _blank(first):
        return []
    counts = pc.utf8_trim_whitespace(first).to_pylist()
    if counts not in ([str(i + start) for i in range(len(first))] for start in (0, 1)):
        raise _unnamed("'1'", where)
    return ["The first column has no name and counts the rows; it was left out."]


def check_names(names: Sequence[str], where: str, hidden: Collection[str] = ()) -> None:
    """Refuse column names that occur twice (bad input 43); identifiers among them are not repeated."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = f"{len(twice)} patients" if set(twice) & set(hidden) else _some(twice)
        raise DataError(f"column names occur more than once: {shown}", where=where,
                        todo="Give every column a name of its own")


def _mostly_numbers(names: Sequence[str]) -> bool:
    return sum(_is_number(name) for name in names) >= len(names) / 2


def _no_header(where: str) -> DataError:
    return DataError("the first row holds numbers, not column names", where=where,
                     todo="Add a first row with a name for every column")


def _blank(column: pa.Array) -> bool:
    return not pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py()


def _some(names: Sequence[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(f"'{name}'" for name in names[:limit]) + more


def _assemble(cells: Cells, read: ReadTable, position: int, date_order: DateOrder | None) -> ReadTable:
    """The frame of a table with one row per patient or visit; ``position``: of the identifiers' column."""
    name = read.id_column
    ids, more = _identifiers(cells.columns[position], f"{cells.where}, column '{name}'", cells.first_row)
    rest = [i for i in range(len(cells.names)) if i != position]
    values = convert(replace(cells, names=tuple(cells.names[i] for i in rest),
                             columns=tuple(cells.columns[i] for i in rest)),
                     date_order=date_order, comma_expected=read.separator == "semicolon")
    columns = {name: ids, **values.columns}
    order = [name if i == position else cells.names[i] for i in range(len(cells.names))]
    return replace(read, frame=pd.DataFrame({column: columns[column] for column in order}),
                   decimal=values.decimal, notes=(*read.notes, *more, *values.notes))


def _find_id_column(cells: Cells, wanted: str | None, usual_name: str,
                    patients: Collection[str]) -> tuple[int, list[str]]:
    names = cells.names
    if wanted in names:
        return names.index(wanted), []
    if wanted is None:
        if usual_name in names:
            return names.index(usual_name), []
        usual = [i for i, name in enumerate(names) if _plain(name) in _ID_NAMES]
        usual = usual[:1] if usual and _plain(names[usual[0]]) in _ID_NAMES[:4] else usual
        if len(usual) == 1:
            return usual[0], [f"Identifiers are taken from column '{names[usual[0]]}'."]
    if not names[0]:
        return 0, ["Identifiers are taken from the first column, which has no name."]
    if _mostly_numbers(names):
        raise _no_header(cells.where)
    # A wide header may well be one of patients: it is counted, not repeated.
    listed = f"the columns are {_some(names)}" if len(names) <= _LISTED else f"the file has {len(names)} columns"
    orientation = "" if patients else ". If its columns are patients, add the table of clinical data first"
    if wanted is None:
        raise DataError("no column has a usual name for patient identifiers", where=cells.where,
                        todo=f"Name the identifier column; {listed}{orientation}")
    near = difflib.get_close_matches(wanted.lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    hint = next((f"Did you mean '{name}'?" for name in names if near and name.lower() == near[0]), "")
    raise DataError(f"there is no column '{wanted}' with the identifiers", where=cells.where,
                    todo=hint or f"Name the identifier column; {listed}{orientation}")


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _identifiers(column: pa.Array, place: str, first_row: int) -> tuple[pd.Series, list[str]]:
    """Identifiers as text, exactly as written but for white space around them; none may be empty."""
    trimmed = pc.utf8_trim_whitespace(column)
    notes = []
    changed = pc.sum(pc.not_equal(trimmed, column)).as_py()
    if changed:
        notes.append(f"White space was removed from {changed} identifier{'s' if changed > 1 else ''}.")
    empty = np.asarray(pc.equal(trimmed, "").to_numpy(zero_copy_only=False), dtype=bool)
    if empty.any():
        raise DataError(f"{int(empty.sum())} identifiers are empty ({row_numbers(empty, first_row)})", where=place,
                        todo="Give every row the identifier of its patient, or delete the row")
    return pd.Series(trimmed.to_pandas(), dtype="str"), notes


def _patients_are_columns(names: Sequence[str], id_column: str | None, patients: Collection[str]) -> bool:
    """Whether most column names are known patients (omics as genes x patients)."""
    if not patients or (id_column and id_column in names):
        return False
    known = set(patients)
    matches = sum(name in known for name in names[1:])
    return matches >= 2 and matches >= (len(names) - 1) / 2


def _shape(name: str) -> str:
    """How a name is built: identifiers of one study differ in their digits."""
    return re.sub(r"\d+", "0", name)


def _without_annotations(cells: Cells, patients: Collection[str]) -> tuple[Cells, list[str]]:
    """Features x patients without columns that are no patients, such as a gene's length.

    A column stays when it is a known patient or is named as one is; names of the others are not told, since some of
    them may be patients.
    """
    known, shapes = set(patients), {_shape(name) for name in patients}
    keep = [0, *(i for i, name in enumerate(cells.names) if i and (name in known or _shape(name) in shapes))]
    names, columns = tuple(cells.names[i] for i in keep), tuple(cells.columns[i] for i in keep)
    left_out = len(cells.names) - len(keep)
    notes = [f"{left_out} columns that are not named as the known patients are were left out."] if left_out else []
    return replace(cells, names=names, columns=columns), notes


def _like_patients(read: ReadTable) -> bool:
    """Whether the columns of numbers are named as patients could be: alike but for their digits."""
    rest = read.frame.drop(columns=read.id_column)
    if rest.shape[1] < 3 or not all(pd.api.types.is_numeric_dtype(kind) for kind in rest.dtypes):
        return False
    shape, count = Counter(map(_shape, map(str, rest.columns))).most_common(1)[0]
    return "0" in shape and count >= 0.9 * rest.shape[1]


def _transposed(cells: Cells, read: ReadTable, id_column: str) -> ReadTable:
    """Patients x features from a file of features x patients; every value is a number."""
    labels, _ = _identifiers(cells.columns[0], f"{cells.where}, first column", cells.first_row)
    check_names(labels.tolist(), f"{cells.where}, first column (names of the features)")
    values = convert(Cells(cells.names[1:], cells.columns[1:], cells.where),
                     comma_expected=read.separator == "semicolon")
    # Columns are patients here: no column name may be named.
    texts = sum(not pd.api.types.is_numeric_dtype(column.dtype) for column in values.columns.values())
    if texts:
        raise DataError(f"{texts} of {len(values.columns)} patients' columns hold something else than numbers",
                        where=cells.where, todo="Leave only feature names and numbers in a features x patients file")
    numbers = np.column_stack([np.asarray(column, dtype=float) for column in values.columns.values()])
    frame = pd.DataFrame(numbers.T, columns=labels.tolist())
    frame.insert(0, id_column, pd.Series(cells.names[1:], dtype="str"))
    return replace(read, frame=frame, id_column=id_column, transposed=True, decimal=values.decimal,
                   notes=(*read.notes, "The file has patients as columns; it was transposed."))


def _from_parquet(path: Path, where: str, id_column: str | None, usual_id_column: str) -> ReadTable:
    try:
        frame = pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"the file is not a readable Parquet table ({type(error).__name__})", where=where,
                        todo="Export the table again") from None
    if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=frame.index.name or id_column or usual_id_column)
    frame.columns = frame.columns.map(str)
    if frame.empty:
        raise DataError("the table has no rows or no columns", where=where, todo="Export the table again")
    empty = pa.array([], pa.string())
    position, notes = _find_id_column(Cells(tuple(frame.columns), (empty,) * frame.shape[1], where), id_column,
                                      usual_id_column, ())
    name = frame.columns[position]
    if position and frame.columns[0] in _NO_NAMES:
        notes = [*notes, *_check_row_numbers(pa.array(frame.iloc[:, 0].astype("str"), pa.string()), where)]
        frame = frame.iloc[:, 1:].copy()
    frame[name], more = _parquet_identifiers(frame[name], f"{where}, column '{name}'")
    for column in frame.columns.drop(name):
        frame[column] = _parquet_values(frame[column], f"{where}, column '{column}'")
    return ReadTable(frame, (*notes, *more), id_column=name)


def _parquet_identifiers(values: pd.Series, place: str) -> tuple[pd.Series, list[str]]:
    notes = []
    if pd.api.types.is_numeric_dtype(values):
        notes.append("Identifiers are stored as numbers in the file: leading zeros, if there were any, are gone.")
        whole = values.dropna()
        values = values.astype("Int64") if (whole == np.trunc(whole)).all() else values
    missing = values.isna()
    texts, more = _identifiers(pa.array(values.astype("str").mask(missing, ""), pa.string()), place, 1)
    return texts, notes + more


def _parquet_values(values: pd.Series, place: str) -> pd.Series:
    if pd.api.types.is_float_dtype(values):
        not_infinite(values.to_numpy(dtype=float, na_value=np.nan), place)
    if values.dtype == object:
        kinds = {type(value) for value in values.dropna()}
        if not kinds <= {str}:
            raise DataError(f"the cells hold {', '.join(sorted(kind.__name__ for kind in kinds))}, not one value each",
                            where=place, todo="Store one number, date or text in every cell")
        return values.astype("str")
    return values

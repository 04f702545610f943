"""One sheet of an Excel workbook to cells of text: merged cells are refused, formats of identifiers are kept."""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.cell.cell import Cell
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from medomicslab_nb.data.values import Cells
from medomicslab_nb.errors import DataError


def read_spreadsheet(path: Path, where: str, sheet: str | None = None) -> Cells:
    """The cells of one sheet as text.

    Numbers keep the leading zeros that their cell format shows, dates become ISO text, formulas their stored value.

    Raises
    ------
    DataError
        Not a workbook, several sheets and none named, merged cells (bad input 52), formulas without a stored value,
        an empty sheet.
    """
    chosen = _sheet(_workbook(path, where), where, sheet)
    where = f"{where}, sheet '{chosen.title}'"
    if chosen.merged_cells.ranges:
        merged = sorted(str(area) for area in chosen.merged_cells.ranges)
        header = any(area.min_row == 1 for area in chosen.merged_cells.ranges)
        raise DataError(f"{'header ' if header else ''}cells are merged ({', '.join(merged[:5])})", where=where,
                        todo="Unmerge them, give every column one name in the first row, and fill every cell")
    _refuse_open_formulas(chosen, _workbook(path, where, formulas=True)[chosen.title], where)
    rows = [[_text(cell) for cell in row] for row in chosen.iter_rows()]
    while rows and not any(rows[-1]):
        rows.pop()
    if len(rows) < 2:
        raise DataError("the sheet holds no table", where=where, todo="Name the sheet that holds it")
    columns = tuple(pa.array(column, pa.string()) for column in zip(*rows[1:], strict=True))
    return Cells(tuple(rows[0]), columns, where)


def _workbook(path: Path, where: str, *, formulas: bool = False) -> openpyxl.Workbook:
    try:
        with warnings.catch_warnings():
            # openpyxl warns about parts it leaves out (drop-down lists, print settings): none is a cell's value.
            warnings.simplefilter("ignore", UserWarning)
            return openpyxl.load_workbook(path, data_only=not formulas)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError):
        raise DataError("the file is not a readable .xlsx workbook", where=where,
                        todo="Open it in your spreadsheet program and save it again as .xlsx or CSV") from None


def _refuse_open_formulas(values: Worksheet, formulas: Worksheet, where: str) -> None:
    """Refuse formulas without a stored value: other programs than spreadsheets do not compute them."""
    # A formula whose result is an empty text has no value either, but is stored as a text ("str").
    rows = [cell.row for row in formulas.iter_rows() for cell in row if cell.data_type == "f"
            and (value := values.cell(cell.row, cell.column)).value is None and value.data_type != "str"]
    if rows:
        affected = sorted(set(rows))
        more = f" and {len(affected) - 5} more" if len(affected) > 5 else ""
        raise DataError(f"{len(rows)} formulas have no stored value (rows {', '.join(map(str, affected[:5]))}{more})",
                        where=where, todo="Open and save the file in a spreadsheet program")


def _sheet(book: openpyxl.Workbook, where: str, name: str | None) -> Worksheet:
    filled = {sheet.title: sheet for sheet in book.worksheets if sheet.max_row > 1 and sheet.max_column > 1}
    if name is not None:
        if name in filled:
            return filled[name]
        raise DataError(f"there is no sheet '{name}' with a table", where=where,
                        todo=f"The sheets are: {', '.join(filled)}")
    if len(filled) != 1:
        found = f"{len(filled)} sheets hold tables ({', '.join(filled)})" if filled else "no sheet holds a table"
        raise DataError(found, where=where, todo="Name the sheet")
    return next(iter(filled.values()))


def _text(cell: Cell) -> str:
    value: Any = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, (int, float)) and float(value).is_integer() and abs(value) < 1e16:
        digits = str(int(value))
        # A format such as 00000 is how spreadsheets show identifiers with leading zeros (bad input 39).
        return digits.zfill(len(cell.number_format)) if re.fullmatch("0{2,}", cell.number_format) else digits
    return str(value)

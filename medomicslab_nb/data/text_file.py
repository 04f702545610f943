"""Delimited text (CSV, TSV, semicolons, gzip) to cells of text: encoding, separator, header and row lengths."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from medomicslab_nb.data.values import Cells
from medomicslab_nb.errors import DataError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE_RECORDS = 20
_SAMPLE_CHARACTERS = 1_000_000
# Files of another kind that often carry a table's name; magic bytes, what it is, what to do.
_FOREIGN = (
    (b"PK\x03\x04", "a zipped file or a spreadsheet", "Name a spreadsheet .xlsx; unpack a zip file first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", "Save it as .xlsx or CSV"),
    (b"%PDF", "a PDF", "Export the table as CSV"),
    (b"PAR1", "a Parquet file", "Name it .parquet"),
    (b"<!DOCTYPE", "a web page", "Download the table itself"),
    (b"<html", "a web page", "Download the table itself"),
    (b"{", "JSON", "Export the table as CSV"),
)


@dataclass(frozen=True)
class TextFile:
    """What a delimited text file holds, and how it was written."""

    cells: Cells
    separator: str
    encoding: str
    notes: tuple[str, ...]


def read_text_file(path: Path, where: str, is_identifier: Callable[[str], bool]) -> TextFile:
    """Read a delimited text file as text, every row with as many fields as the header.

    Parameters
    ----------
    path : path
    where : str
        What errors name.
    is_identifier : function
        Whether a column of that name holds the identifiers. Rows that are one field longer than the header begin
        with row names, as R writes them, only where no column does.

    Raises
    ------
    DataError
        Empty, of another kind, one column only, or rows of different lengths (with row numbers).
    """
    raw = _bytes(path, where)
    text, encoding = _decode(raw, where)
    text = re.sub(r"\r(?!\n)", "\n", text)  # line ends of old Macs
    head = _head(text)
    separator = _separator(head, where)
    header, lines = _header(text, separator, where)
    notes = [] if encoding == "UTF-8" else [f"The file is not UTF-8; it was read as {encoding}."]
    if _one_field_more(head, separator, len(header)):
        if any(map(is_identifier, header)):
            raise DataError("every row has one field more than the header: decimal commas in a comma-separated file, "
                            "or row names without a header", where=where,
                            todo="Export the table with semicolons or decimal points, or name the first column")
        header = ["", *header]
        notes.append("Every row has one field more than the header: the first one was taken for row names.")
    columns = _columns(text, separator, len(header), lines, where)
    return TextFile(Cells(tuple(header), columns, where), separator, encoding, tuple(notes))


def _bytes(path: Path, where: str) -> bytes:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the file cannot be read ({type(error).__name__})", where=where,
                        todo="Check the file and the right to read it") from None
    if not raw.strip():
        raise DataError("the file is empty", where=where, todo="Export the table again")
    start = raw.lstrip()[:16]
    for magic, kind, todo in _FOREIGN:
        if start.lower().startswith(magic.lower()):
            raise DataError(f"this is {kind}, not a text table", where=where, todo=todo)
    return raw


def _decode(raw: bytes, where: str) -> tuple[str, str]:
    """Text and the name of its encoding: UTF-8, UTF-16 by its mark, else Windows-1252 (of which Latin-1 is part)."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace"), "UTF-16"
    if b"\0" in raw[:65_536]:
        raise DataError("this is not a text table (it holds binary data)", where=where,
                        todo="Export the table as CSV, Excel (.xlsx) or Parquet")
    for encoding, name in (("utf-8-sig", "UTF-8"), ("cp1252", "Latin-1 (Windows-1252)")):
        try:
            return raw.decode(encoding), name
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1"), "Latin-1"


def _records(text: str, separator: str, count: int) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return list(islice((record for record in reader if record), count))
    except csv.Error:
        return []


def _head(text: str) -> str:
    """The first lines: a wide file is too large to be parsed once for each separator."""
    end = 0
    for _ in range(_SAMPLE_RECORDS):
        end = text.find("\n", end) + 1
        if not end:
            return text
        if end > _SAMPLE_CHARACTERS:
            break
    return text[:end]


def _separator(text: str, where: str) -> str:
    """The separator by which most of the first rows have the header's number of fields."""
    best, score = "", (0.0, 0)
    csv.field_size_limit(max(csv.field_size_limit(), 10_000_000))
    for separator in SEPARATORS:
        records = _records(text, separator, _SAMPLE_RECORDS)
        widths = [len(record) for record in records]
        if not widths or widths[0] < 2:
            continue
        # R's files with row names have one field more in every row than in the header.
        same = max(sum(w == widths[0] + extra for w in widths[1:]) for extra in (0, 1)) / max(1, len(widths) - 1)
        if (same, widths[0]) > score:
            best, score = separator, (same, widths[0])
    if not best:
        raise DataError("this is not a table with several columns (no comma, semicolon, tab or bar separates them)",
                        where=where, todo="Export the table as CSV, with the identifiers in one of its columns")
    return best


def _header(text: str, separator: str, where: str) -> tuple[list[str], int]:
    """Column names, and the number of lines up to the end of the header."""
    reader = csv.reader(_lines(text), delimiter=separator)
    try:
        header = next(record for record in reader if record)
    except csv.Error:
        raise _unclosed(where) from None
    return header, reader.line_num


def _lines(text: str) -> Iterator[str]:
    """Lines with their ends, one after the other, without a copy of the text."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _one_field_more(text: str, separator: str, header: int) -> bool:
    """Whether each of the first rows has one field more than the header."""
    rows = _records(text, separator, _SAMPLE_RECORDS)[1:]
    return bool(rows) and all(len(row) == header + 1 and row[-1] != "" for row in rows)


def _columns(text: str, separator: str, width: int, header_lines: int, where: str) -> tuple[pa.Array, ...]:
    names = [str(i) for i in range(width)]
    odd: list[tuple[int, int]] = []

    def note_row(row: pyarrow.csv.InvalidRow) -> str:
        odd.append((row.number, row.actual_columns))
        return "skip"

    encoded = text.encode()
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(encoded),
            # One thread, so that row numbers are known; one block that holds the longest row.
            read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=header_lines, use_threads=False,
                                                 block_size=max(1 << 20, min(len(encoded), 1 << 30))),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True,
                                                   invalid_row_handler=note_row),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()),
                                                       null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        raise _unclosed(where) from None
    if odd:
        row, fields = odd[0]
        raise DataError(f"row {row} has {fields} fields, the header has {width}; {len(odd)} such rows", where=where,
                        todo="Put quotation marks around cells that hold the separator, or export the table again")
    columns = tuple(column.combine_chunks() for column in table.columns)
    # A quotation mark that is never closed swallows the rest of the file in silence.
    if text.count('"') % 2 and any(pc.any(pc.match_substring(column, "\n")).as_py() for column in columns):
        raise _unclosed(where)
    return columns


def _unclosed(where: str) -> DataError:
    return DataError("the rows cannot be told apart (a quotation mark is probably not closed)", where=where,
                     todo="Export the table again")

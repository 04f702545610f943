"""Cells of text to numbers, dates, booleans or text, one column at a time; what could be read in two ways is refused.

Nothing is guessed in silence: a column is a number only when every cell is, and a number or date with two readings
is a :class:`~medomicslab_nb.errors.DataError` that says what to state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from medomicslab_nb.errors import DataError

DateOrder = Literal["day-first", "month-first"]

MISSING = ("", "NA", "N/A", "n/a", "na", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "NULL", "null", "?", ".")
"""Cells that mean "not known". They are looked for in values only, never in column names or identifiers."""

_MISSING = pa.array(MISSING)
_CODE = r"^[+-]?0\d|^[+-]?\d{16,}$"
_INTEGER = r"^[+-]?\d+$"
_COMMA_NUMBER = r"^[+-]?\d*,\d+([eE][+-]?\d+)?$"
_CODE_WITH_COMMA = r"^[+-]?0\d"
_COMMA_THOUSAND = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_POINT_NUMBER = r"^[+-]?\d*\.\d+([eE][+-]?\d+)?$"
_POINT_THOUSAND = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_PERCENT = r"^[+-]?(\d+([.,]\d*)?|[.,]\d+)\s*%$"
_GROUPED = r"^[+-]?\d{1,3}([., \x{00a0}\x{202f}']\d{3})+([.,]\d+)?$"
_PLAIN = r"^[+-]?\d+([.,]\d+)?$"
_ISO_DATE = r"^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?$"
_LOCAL_DATE = r"^\d{1,2}([/.-])\d{1,2}[/.-]\d{4}( \d{1,2}:\d{2}(:\d{2})?)?$"
_SHORT_DATE = r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{2}$"


@dataclass(frozen=True)
class Cells:
    """A table as it was read: column names, and one array of text for each, all of one length."""

    names: tuple[str, ...]
    columns: tuple[pa.Array, ...]
    where: str
    """What errors name: the file, and the sheet where there is one."""
    first_row: int = 2
    """Row number of the first value, as a spreadsheet counts."""


@dataclass(frozen=True)
class Converted:
    """Values of all columns, with what was decided on the way."""

    columns: dict[str, pd.Series | np.ndarray]
    """Arrays for numbers, which is fast for wide tables; series for dates, booleans and text."""
    notes: tuple[str, ...]
    decimal: str
    """``,`` when a column has decimal commas, else ``.``."""


def convert(cells: Cells, *, date_order: DateOrder | None = None, comma_expected: bool = False) -> Converted:
    """Numbers, dates, booleans or text for every column.

    Parameters
    ----------
    cells : Cells
    date_order : {"day-first", "month-first"}, optional
        What 03/04/2021 means; needed only where a whole column could be read both ways.
    comma_expected : bool
        Whether the file's form (fields separated by semicolons) speaks for decimal commas.

    Raises
    ------
    DataError
        Infinite numbers, decimal comma and point in one column, thousands separators, mixed or ambiguous dates.
    """
    known = [_known(column) for column in cells.columns]
    proven = any(column.type == pa.string() and _comma_proven(column) for column in known)
    comma = proven or (comma_expected and not any(_point_proven(column) for column in cells.columns))
    converted: dict[str, pd.Series | np.ndarray] = {}
    notes: list[str] = []
    for name, column, raw in zip(cells.names, known, cells.columns, strict=True):
        place = f"{cells.where}, column '{name}'"
        if column.type == pa.string():
            converted[name], note = _from_text(column, place, cells.first_row, date_order, comma=comma)
            notes += [f"Column '{name}': {note}."] if note else []
        else:
            converted[name] = _from_numbers(column, raw if proven else None, place)
        if pd.api.types.is_numeric_dtype(converted[name].dtype) and _has_percent(raw):
            notes.append(f"Column '{name}': percent signs were left out, 5% is 5.")
    return Converted(converted, tuple(notes), "," if proven else ".")


def not_infinite(values: np.ndarray, place: str) -> None:
    """Refuse infinite numbers (bad input 46)."""
    count = int(np.isinf(values).sum())
    if count:
        raise DataError(f"infinite values: {count}", where=place,
                        todo="Find out where they come from (a division by zero, a logarithm of zero) and leave "
                             "such cells empty")


def row_numbers(where: Iterable[bool], first_row: int, limit: int = 5) -> str:
    """``rows 3, 8 and 4 more``: where a mask is true, as a spreadsheet counts."""
    rows = [first_row + i for i, wrong in enumerate(where) if wrong]
    more = f" and {len(rows) - limit} more" if len(rows) > limit else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:limit]))}{more}"


def _known(column: pa.Array) -> pa.Array:
    """The column as numbers when every cell is one, else as text without white space, missing cells as null."""
    numbers = _numbers(column)
    if numbers is not None:
        return numbers
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.is_in(text, value_set=_MISSING), pa.scalar(None, pa.string()), text)
    text = pc.replace_substring_regex(text, pattern=r"^\x{2212}([\d.,])", replacement=r"-\1")  # the typeset minus
    if _n(text) and _count(text, _PERCENT) == _n(text):
        text = pc.replace_substring_regex(text, pattern=r"\s*%$", replacement="")
    numbers = _numbers(text)
    return text if numbers is None else numbers


def _numbers(column: pa.Array) -> pa.Array | None:
    """The column as float64; None when a cell is no number or looks like a code."""
    try:
        numbers = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        return None
    # Codes are whole numbers: the slow look at the text is needed for those only.
    whole = pc.all(pc.equal(numbers, pc.trunc(numbers))).as_py()
    return None if whole and pc.any(_matches(column, _CODE)).as_py() else numbers


def _matches(column: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(column, pattern)


def _count(column: pa.Array, pattern: str) -> int:
    return int(pc.sum(_matches(column, pattern)).as_py() or 0)


def _n(column: pa.Array) -> int:
    return len(column) - column.null_count


def _mask(matched: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(matched, pa.scalar(value=False)).to_numpy(zero_copy_only=False), dtype=bool)


def _comma_proven(column: pa.Array) -> bool:
    """Whether a column of numbers has a comma that cannot separate thousands."""
    commas = _count(column, _COMMA_NUMBER)
    return commas > 0 and commas + _count(column, _INTEGER) == _n(column) and _count(column, _COMMA_THOUSAND) < commas


def _point_proven(column: pa.Array) -> bool:
    """Whether a column has a decimal point that cannot separate thousands."""
    text = pc.utf8_trim_whitespace(column)
    return _count(text, _POINT_NUMBER) > _count(text, _POINT_THOUSAND)


def _has_percent(column: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring(column, "%")).as_py())


def _from_numbers(numbers: pa.Array, cells: pa.Array | None, place: str) -> np.ndarray:
    """Integers where all cells are whole and known, else float64. ``cells``: the text, when commas are decimal."""
    values = np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=float)
    not_infinite(values, place)
    if cells is not None:
        points = _count(cells, r"\.")
        if points and points == _count(cells, _POINT_THOUSAND):
            raise DataError("the point may separate thousands or decimals, since other columns have decimal commas",
                            where=place, todo="Write these numbers without thousands separators")
    # A NaN differs from itself, so a column with missing values stays float64.
    if np.array_equal(values, np.trunc(values)) and np.abs(values).max(initial=0) < 2**53:
        return values.astype(np.int64)
    return values


def _from_text(column: pa.Array, place: str, first_row: int, date_order: DateOrder | None,
               *, comma: bool) -> tuple[pd.Series, str]:
    """What a column that is not plain numbers holds, and a note when something was decided."""
    n = _n(column)
    _refuse_percents(column, place)
    if _count(column, _COMMA_NUMBER):
        numbers = _comma_numbers(column, place, comma=comma)
        if numbers is not None:
            return numbers, "decimal commas were read as decimals"
    _refuse_thousands(column, place)
    dates = _dates(column, place, first_row, date_order)
    if dates is not None:
        return dates
    if n and _count(column, r"^(?i:true|false)$") == n:
        return _booleans(column), ""
    text = pd.Series(column.to_pandas(), dtype="str")
    if _count(column, _CODE):
        return text, "kept as text, since numbers have leading zeros or more than 15 digits"
    numeric = _mask(_matches(column, r"^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?$"))
    odd = text.notna().to_numpy() & ~numeric
    if n and odd.sum() <= 0.2 * n:
        return text, f"kept as text, since cells are not numbers ({row_numbers(odd, first_row)})"
    return text, ""


def _comma_numbers(column: pa.Array, place: str, *, comma: bool) -> pd.Series | None:
    """Numbers with decimal commas; None when the column holds something else too."""
    n, commas = _n(column), _count(column, _COMMA_NUMBER)
    points = _count(column, _POINT_NUMBER)
    if commas + points + _count(column, _INTEGER) < n or _count(column, _CODE_WITH_COMMA):
        return None
    if points:
        raise DataError(f"{commas} numbers have a decimal comma and {points} a decimal point", where=place,
                        todo="Write all of them in one way")
    if not comma and commas == _count(column, _COMMA_THOUSAND):
        raise DataError("the comma may separate thousands or decimals", where=place,
                        todo="Write these numbers without thousands separators and with a decimal point")
    numbers = pc.cast(pc.replace_substring(column, ",", "."), pa.float64())
    return pd.Series(np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=float))


def _refuse_percents(column: pa.Array, place: str) -> None:
    """Refuse numbers of which only some have a percent sign: 5% may stand beside 5 or 0.05."""
    percents, plain = _count(column, _PERCENT), _count(column, _PLAIN)
    if percents and plain and percents + plain == _n(column):
        raise DataError(f"{percents} numbers have a percent sign and {plain} have none", where=place,
                        todo="Write all of them in one way")


def _refuse_thousands(column: pa.Array, place: str) -> None:
    grouped = _count(column, _GROUPED)
    plain = _count(column, _PLAIN)
    both = _mask(_matches(column, _GROUPED)) | _mask(_matches(column, _PLAIN))
    if grouped and plain < _n(column) == both.sum():
        raise DataError(f"{grouped} numbers have thousands separators", where=place,
                        todo="Write numbers without thousands separators")


def _booleans(column: pa.Array) -> pd.Series:
    values = pd.Series(pc.utf8_lower(column).to_pandas(), dtype="str")
    truths = values.map({"true": True, "false": False})
    return truths.astype("boolean") if values.isna().any() else truths.astype("bool")


def _dates(column: pa.Array, place: str, first_row: int,
           date_order: DateOrder | None) -> tuple[pd.Series, str] | None:
    """Dates, when the column holds nothing else; None when it holds few or none (bad input 41)."""
    n = _n(column)
    styles = {"year-month-day": _count(column, _ISO_DATE), "with a four-digit year last": _count(column, _LOCAL_DATE),
              "with a two-digit year": _count(column, _SHORT_DATE)}
    total = sum(styles.values())
    if not n or total < n / 2:
        return None
    used = {style: count for style, count in styles.items() if count}
    if len(used) > 1:
        raise DataError("dates are written in different ways: "
                        + ", ".join(f"{count} {style}" for style, count in used.items()),
                        where=place, todo="Write all of them as 2021-04-30")
    if total < n:
        dated = _mask(_matches(column, "|".join([_ISO_DATE, _LOCAL_DATE, _SHORT_DATE])))
        odd = ~dated & _mask(pc.is_valid(column))
        raise DataError(f"{n - total} of {n} cells are not dates ({row_numbers(odd, first_row)})", where=place,
                        todo="Write dates as 2021-04-30 and leave the cell empty where the date is not known")
    if styles["with a two-digit year"]:
        raise DataError("the years of the dates have two digits", where=place, todo="Write dates as 2021-04-30")
    text = pd.Series(column.to_pandas(), dtype="str")
    if styles["year-month-day"]:
        return _parsed(text, "%Y-%m-%d", place, first_row), ""
    order = _order_of(text, place, date_order)
    values = text.str.replace(r"[.-]", "/", regex=True)
    return _parsed(values, "%d/%m/%Y" if order == "day-first" else "%m/%d/%Y", place, first_row), \
        f"dates were read {order}"


def _order_of(text: pd.Series, place: str, date_order: DateOrder | None) -> DateOrder:
    """Day or month first, as the whole column says, or as stated when it fits both."""
    separators = text.dropna().str.extract(r"^\d+([/.-])\d+([/.-])")
    if separators.stack().nunique() > 1:
        raise DataError("dates are written with different separators", where=place,
                        todo="Write all of them as 2021-04-30")
    parts = text.dropna().str.extract(r"^(\d+)\D(\d+)").astype(int)
    first, second = int((parts[0] > 12).sum()), int((parts[1] > 12).sum())
    if first and second:
        raise DataError(f"{first} dates have the day first and {second} the month first", where=place,
                        todo="Write all of them as 2021-04-30")
    seen: DateOrder | None = "day-first" if first else "month-first" if second else None
    if seen is None and date_order is None:
        raise DataError("the dates can be read with the day or with the month first", where=place,
                        todo="State the date order ('day-first' or 'month-first'), or write dates as 2021-04-30")
    if seen and date_order and seen != date_order:
        raise DataError(f"the dates have the {seen.removesuffix('-first')} first, but '{date_order}' was stated",
                        where=place, todo=f"State '{seen}', or write dates as 2021-04-30")
    return seen or date_order  # type: ignore[return-value]


def _parsed(text: pd.Series, day_format: str, place: str, first_row: int) -> pd.Series:
    """Dates of one style, with the time of day where all or some cells have one."""
    parts = text.str.replace("T", " ").str.partition(" ")
    days = pd.to_datetime(parts[0], format=day_format, errors="coerce")
    clock = parts[2].astype("str")
    clock = clock.where(clock.str.count(":") == 2, clock + ":00").where(clock.str.contains(":"), "00:00:00")
    hours = pd.to_timedelta(clock, errors="coerce")
    dates = days + hours
    wrong = (dates.isna() & text.notna()).to_numpy()
    if wrong.any():
        raise DataError(f"dates that the calendar does not have: {int(wrong.sum())} ({row_numbers(wrong, first_row)})",
                        where=place, todo="Correct them")
    return dates.astype("datetime64[ns]")

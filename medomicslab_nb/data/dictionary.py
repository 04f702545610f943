"""The data dictionary as guessed from names and values, to be shown for correction, and as a summary table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import pandas as pd
from pandas.api import types

from medomicslab_nb.tables import Column, TableInfo

WIDE = 500
"""More numeric columns than this: one entry of the dictionary stands for all of them."""

_TIME = frozenset({"time", "t", "duration", "followup", "fu", "futime", "survtime", "temps", "duree", "delai"})
_CENSORED = frozenset({"cens", "censor", "censored", "censoring", "censure"})
_EVENT = frozenset({"event", "e", "status", "fustat", "evenement", "statut", "indicator"}) | _CENSORED
_HALF = (_TIME | _EVENT) - {"t", "e"}
"""Words that say enough by themselves: a column T is a stage as often as a time."""
_ENDPOINTS = frozenset({"os", "dfs", "rfs", "pfs", "dmfs", "mfs", "dss", "dfi", "pfi", "efs", "lfs", "css", "ttp",
                        "lrfs"})
_OUTCOMES = frozenset({"outcome", "target", "label", "endpoint"})
_CENTRES = frozenset({"hospital", "site", "centre", "center", "institution", "hopital", "centre_id", "center_id",
                      "site_id", "etablissement"})
_INDEX_DATES = frozenset({"index_date", "date_index", "baseline_date"})
_UNITS = {"years": "years", "year": "years", "yr": "years", "yrs": "years", "ans": "years", "months": "months",
          "month": "months", "mois": "months", "weeks": "weeks", "days": "days", "day": "days", "jours": "days",
          "hours": "hours", "mm": "mm", "cm": "cm", "mm3": "mm3", "cm3": "cm3", "ml": "mL", "kg": "kg", "mg": "mg",
          "gy": "Gy", "hu": "HU", "suv": "SUV", "mmhg": "mmHg", "bpm": "beats/min", "percent": "%", "pct": "%",
          "mgdl": "mg/dL", "ngml": "ng/mL", "mmoll": "mmol/L", "gl": "g/L"}
_FOLLOW_UP = frozenset({"years", "months", "weeks", "days"})
"""Units that make a column with the name of an endpoint its follow-up time."""

DOUBTFUL_EVENT = "guessed: 1 means that the event was seen; columns named censor often mean the opposite"
HALF = "guessed: time or event of an endpoint whose other half was not found"
_LONGEST_CATEGORY = 80  # characters
MOST_CODES = 10
"""An event of a wide table has at most this many codes."""


def guess_columns(frame: pd.DataFrame, id_column: str) -> dict[str, Column]:
    """The data dictionary of a table, guessed from the names and values of its columns.

    Parameters
    ----------
    frame : DataFrame
        As :func:`~medomicslab_nb.data.reading.read_table` gives it.
    id_column : str

    Returns
    -------
    dict of str to Column
        Pairs of follow-up time and event share an ``endpoint``. Free text is ignored; whatever is not clear stays a
        predictor. For a wide table (more than :data:`WIDE` numeric columns) only the columns that are no plain
        numeric predictor are listed.
    """
    wide = is_wide(frame)
    columns = {str(name): guess_column(frame[name]) for name, kind in frame.dtypes.items()
               if name != id_column and not (wide and types.is_numeric_dtype(kind))}
    pairs = pairs_of_endpoints(frame.drop(columns=id_column, errors="ignore"))
    paired = {name for time, event, _ in pairs for name in (time, event)}
    for name in map(str, frame.columns):
        if name not in paired and name != id_column and half_of_endpoint(frame, name):
            columns[name] = guess_column(frame[name]).model_copy(update={"role": "ignore", "description": HALF})
    for time, event, endpoint in pairs:
        columns[time] = guess_column(frame[time]).model_copy(update={"role": "time", "endpoint": endpoint})
        columns[event] = guess_column(frame[event]).model_copy(
            update={"role": "event", "endpoint": endpoint, "type": "boolean",
                    "description": DOUBTFUL_EVENT if censors(event) else "guessed: 1 means that the event was seen"})
    if id_column not in frame.columns:
        return columns
    return {id_column: Column(role="identifier", type="text"), **columns}


def is_wide(frame: pd.DataFrame) -> bool:
    """Whether the table has so many numeric columns that one entry stands for all of them."""
    return sum(types.is_numeric_dtype(kind) for kind in frame.dtypes) > WIDE


def guess_column(values: pd.Series) -> Column:
    """Role, type and unit of one column by itself."""
    name = str(values.name)
    if types.is_datetime64_any_dtype(values):
        return Column(role="index_date" if name.lower() in _INDEX_DATES else "date", type="date")
    if types.is_numeric_dtype(values):
        role = "outcome" if name.lower() in _OUTCOMES and values.nunique() == 2 else "predictor"
        return Column(role=role, type=_number_type(values), unit=unit_of(name))
    levels, n = values.nunique(), values.count()
    odd = not_numbers(values)
    doubt = f"guessed: {n} values are numbers but for {odd}" if odd <= n / 2 and odd > 0 else ""
    if name.lower() in _CENTRES and 2 <= levels <= 50:
        return Column(role="centre", type="category")
    if (levels > 20 and levels > n / 10) or _is_free_text(values):
        return Column(role="ignore", type="text", description=doubt or "guessed: free text or codes")
    return Column(role="outcome" if name.lower() in _OUTCOMES else "predictor", type="category",
                  description=doubt)


def _is_free_text(values: pd.Series) -> bool:
    """Whether half of the values are longer than the name of a category can be, as notes are."""
    return bool(values.dropna().astype(str).str.len().median() > _LONGEST_CATEGORY)


def not_numbers(values: pd.Series) -> int:
    """How many of a text column's known values are no numbers."""
    return int(pd.to_numeric(values.dropna().astype(str), errors="coerce").isna().sum())


def censors(name: str) -> bool:
    """Whether a column's name says that 1 may mean censored, not that the event was seen."""
    return not _CENSORED.isdisjoint(_words(name))


def half_of_endpoint(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column looks like a follow-up time or an event.

    In a wide table genes have names such as EFS: a column of many values is no event there.
    """
    words = [word for word in _words(name) if word not in _UNITS]
    stem = "_".join(word for word in words if word not in _TIME | _EVENT)
    if stem in _ENDPOINTS:
        return frame[name].nunique() <= MOST_CODES or not is_wide(frame)
    return not stem and not _HALF.isdisjoint(words) and not types.is_datetime64_any_dtype(frame[name])


def doubts(columns: Mapping[str, Column]) -> list[str]:
    """What must be checked in a guessed dictionary, as sentences."""
    guessed = [(name, column.role, column.description) for name, column in columns.items()]
    events = [name for name, role, text in guessed if (role, text) == ("event", DOUBTFUL_EVENT)]
    halves = [name for name, role, text in guessed if (role, text) == ("ignore", HALF)]
    return [*(f"Check that 1 means the event in '{name}'; columns named censor often mean the opposite."
              for name in events),
            *(f"Column '{name}' looks like the time or the event of an endpoint without the other half, and is "
              "ignored; give it a role." for name in halves)]


def unit_of(name: str) -> str:
    """The unit that a column's name ends with, such as ``years`` in ``age_years``; empty when there is none."""
    words = _words(name)
    for count in (2, 1):
        unit = _UNITS.get("".join(words[-count:])) if len(words) > count else None
        if unit:
            return unit
    return ""


def _number_type(values: pd.Series) -> str:
    if types.is_bool_dtype(values):
        return "boolean"
    known = values.dropna()
    if not len(known) or not (known % 1 == 0).all():
        return "number"
    return "boolean" if set(known.unique()) == {0, 1} else "integer"


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]


def pairs_of_endpoints(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(time, event, endpoint) of columns whose names and values make a survival endpoint.

    Names such as ``t.tdm`` and ``e.tdm``, ``os_time`` and ``os_event``, ``OS`` and ``OS.time``, ``OS_MONTHS``
    and ``OS_STATUS``, ``time`` and ``status`` are recognised. The time must be a number, the event have two values,
    and either be the only one.
    """
    times: dict[str, list[str]] = defaultdict(list)
    events: dict[str, list[str]] = defaultdict(list)
    for name in map(str, frame.columns):
        words = [word for word in _words(name) if word not in _UNITS]
        stem = "_".join(word for word in words if word not in _TIME | _EVENT)
        if any(word in _TIME for word in words) or (stem in _ENDPOINTS and unit_of(name) in _FOLLOW_UP):
            if types.is_numeric_dtype(frame[name]) and not types.is_bool_dtype(frame[name]):
                times[stem].append(name)
        elif (any(word in _EVENT for word in words) or stem in _ENDPOINTS) and frame[name].nunique() == 2:
            events[stem].append(name)
    return [(times[stem][0], events[stem][0], stem or "survival") for stem in times
            if len(times[stem]) == 1 and len(events[stem]) == 1]


DICTIONARY_COLUMNS = ("table", "column", "role", "type", "unit", "endpoint", "level", "n", "missing", "unique",
                      "minimum", "median", "maximum", "note")


def summarize(info: TableInfo, frame: pd.DataFrame) -> pd.DataFrame:
    """The dictionary of one table beside what its columns hold; a wide table's plain columns take one row.

    Parameters
    ----------
    info : TableInfo
    frame : DataFrame, index = patient

    Returns
    -------
    DataFrame with the columns of :data:`DICTIONARY_COLUMNS`
    """
    plain = unlisted(info, frame)
    rows = [_row(info, frame[name]) for name in frame.columns.difference(plain, sort=False)]
    if plain:
        rows.append(_row_of_many(info, frame[plain]))
    return pd.DataFrame(rows, columns=list(DICTIONARY_COLUMNS))


def unlisted(info: TableInfo, frame: pd.DataFrame) -> list[str]:
    """Columns for which the table's default entry stands; none unless it has one."""
    return [] if info.default_column is None else [name for name in frame.columns if name not in info.columns]


def _row(info: TableInfo, values: pd.Series) -> dict[str, object]:
    column = info.column(str(values.name))
    row = {"table": info.name, "column": str(values.name), **_entry(column), "level": info.level,
           "n": int(values.count()), "missing": int(values.isna().sum()), "unique": int(values.nunique()),
           "note": column.description}
    if types.is_numeric_dtype(values) and not types.is_bool_dtype(values):
        row |= {"minimum": float(values.min()), "median": float(values.median()), "maximum": float(values.max())}
    elif types.is_datetime64_any_dtype(values) and values.notna().any():
        row["note"] = f"{values.min():%Y-%m} to {values.max():%Y-%m}"
    return row


def _row_of_many(info: TableInfo, frame: pd.DataFrame) -> dict[str, object]:
    values = frame.to_numpy(dtype="float32", na_value=float("nan"))
    missing = int(pd.isna(values).sum())
    middle = pd.Series(values.ravel())
    return {"table": info.name, "column": f"({frame.shape[1]} columns)", **_entry(info.column("")),
            "level": info.level, "n": len(frame), "missing": missing, "unique": pd.NA, "minimum": float(middle.min()),
            "median": float(middle.median()), "maximum": float(middle.max()),
            "note": "all columns together; missing counts cells"}


def _entry(column: Column) -> dict[str, str]:
    return {"role": column.role, "type": column.type, "unit": column.unit, "endpoint": column.endpoint}

"""Endpoints built from dates: overall, progression-free and disease-free survival and the like.

Time is counted in whole days from the anchor date; the time of day is ignored. A patient's follow-up ends with the
first of: an event that counts, a competing event, the last contact, the administrative end, the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.dates import as_dates, index_dates
from medomicslab_nb.evaluation.endpoints import Endpoint, check_patient_level, survival_endpoint
from medomicslab_nb.evaluation.event_dates_settings import DAYS, EventDates
from medomicslab_nb.evaluation.landmark import in_days

_ANCHOR = "index date"  # name of the anchor's column where it is the study's index date
_ISO_DAY = len("2021-04-30")


def endpoint_from_dates(study: Any, name: str, recipe: EventDates) -> Endpoint:
    """The endpoint that a study's date columns make.

    Parameters
    ----------
    study : Study
    name : str
        What the endpoint is called, e.g. ``os``.

    Raises
    ------
    DataError
        A column that is in no table or in several, a table with several rows per patient, no index date where it is
        the anchor; and what :func:`build_endpoint` refuses.
    """
    owners = {column: _owner(study, column, recipe.table) for column in recipe.columns}
    parts = {column: _column(study, table, column) for column, table in owners.items()}
    index = index_dates(study)
    if not recipe.anchor:
        if index is None:
            raise DataError("the study has no index date from which time could be counted", where=f"endpoint {name}",
                            todo="Set 'anchor' to a date column, or give a column the role 'index_date'")
        parts[_ANCHOR] = index
    frame = pd.DataFrame(parts)
    endpoint = build_endpoint(name, frame, recipe)
    columns = tuple((table, column) for column, table in owners.items())
    notes = (*endpoint.notes, *_before_prediction(endpoint, frame, recipe, index))
    return replace(endpoint, patients=endpoint.patients.rename(study.id_column), columns=columns, notes=notes)


def build_endpoint(name: str, dates: pd.DataFrame, recipe: EventDates) -> Endpoint:
    """An endpoint from dates, with what was left out or decided as notes with counts.

    Parameters
    ----------
    dates : DataFrame, index = patient (each once)
        The columns that ``recipe`` names, and ``index date`` where it names no anchor.

    Returns
    -------
    Endpoint
        With ``entry`` where the recipe has one, with ``cause`` where it has competing events.

    Raises
    ------
    DataError
        A missing column, values that are no dates, a patient twice, an event or a last contact before the anchor
        (a negative time), or nobody with the event.

    Notes
    -----
    Left out with a note: patients without anchor or entry date; without an event, when the last contact is missing;
    whose anchor lies after the administrative end; and whose follow-up ends on the day of entry or before. An event
    after the last contact is known all the same, so it counts. An event after the administrative end or the maximum
    is not seen: follow-up ends there. Entry before the anchor means observation from the anchor on.
    """
    days = _days(name, dates, recipe)
    follow_up = _follow_up(days, len(recipe.events))
    keep, left_out = _observed(days, follow_up, recipe)
    if not keep.any():
        raise DataError("no patient has the dates that it needs", where=f"endpoint {name}",
                        todo=" ".join(left_out) or "Check the date columns")
    unit = DAYS[recipe.unit]
    kept = pd.DataFrame({"time": follow_up.end / unit, "event": follow_up.code == 1, "entry": days.entry / unit,
                         "cause": _causes(follow_up, recipe)}, index=dates.index)[keep]
    endpoint = survival_endpoint(
        name, kept["time"], kept["event"], unit=recipe.unit, entry=kept["entry"] if recipe.entry else None,
        cause=kept["cause"] if recipe.competing else None, cause_of_interest=_interest(recipe))
    notes = (*left_out, *_imprecise(dates, recipe), *_decided(days, follow_up, keep, recipe), *endpoint.notes)
    return replace(endpoint, notes=notes)


@dataclass(frozen=True)
class _Days:
    """Dates as days from each patient's anchor, float; NaN = missing. Each of shape (n,) but for ``events``."""

    events: np.ndarray
    """The events that count and then the competing ones, by priority: shape (n, n_columns)."""
    contact: np.ndarray
    end: np.ndarray
    """Administrative end; infinity without one."""
    stop: np.ndarray
    """When follow-up ends at the latest: administrative end or maximum."""
    entry: np.ndarray
    """Not below 0."""
    anchored: np.ndarray
    """Whether there is an anchor: bool."""


@dataclass(frozen=True)
class _FollowUp:
    """How each patient's follow-up ends; each of shape (n,)."""

    first: np.ndarray
    """Days to the first event of either kind, seen or not; infinity without one."""
    which: np.ndarray
    """Column of the first event; of no meaning without one."""
    end: np.ndarray
    """Days to the end of follow-up; NaN when it is not known."""
    code: np.ndarray
    """0 = follow-up ends without event, 1 = event, 2 = competing event."""


def _days(name: str, dates: pd.DataFrame, recipe: EventDates) -> _Days:
    anchor = recipe.anchor or _ANCHOR
    columns = tuple(dict.fromkeys((anchor, *recipe.columns)))
    _check_frame(name, dates, columns)
    read = {column: _calendar(as_dates(dates[column], f"for endpoint {name}")) for column in columns}
    day = {column: _difference(values, read[anchor]) for column, values in read.items()}
    _refuse_negative(name, {column: day[column] for column in (*recipe.events, *recipe.competing, recipe.last_contact)
                            if column})
    end = np.full(len(dates), np.inf)
    if recipe.administrative is not None:
        end = _difference(pd.Series(pd.Timestamp(recipe.administrative), dates.index), read[anchor])
    maximum = np.inf if recipe.maximum is None else in_days(recipe.maximum, recipe.unit)
    return _Days(events=np.column_stack([day[column] for column in (*recipe.events, *recipe.competing)]),
                 contact=day[recipe.last_contact] if recipe.last_contact else end, end=end,
                 stop=np.minimum(end, maximum),
                 entry=np.maximum(day[recipe.entry], 0) if recipe.entry else np.zeros(len(dates)),
                 anchored=read[anchor].notna().to_numpy())


def _check_frame(name: str, dates: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in dates.columns]
    if missing:
        raise DataError(f"there is no column '{missing[0]}'", where=f"endpoint {name}", todo="Correct its settings")
    repeated = int(dates.index.duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} rows repeat a patient, so the dates are not clear", where=f"endpoint {name}",
                        todo="Keep these dates in a table with one row per patient")


def _calendar(values: pd.Series) -> pd.Series:
    """Days of the calendar: without time of day and time zone."""
    return values.dt.tz_localize(None).dt.normalize()


def _difference(values: pd.Series, anchor: pd.Series) -> np.ndarray:
    """Days from the anchor, float; NaN where either is missing."""
    return (values - anchor).dt.days.to_numpy(dtype=float, na_value=np.nan)


def _refuse_negative(name: str, days: dict[str, np.ndarray]) -> None:
    counts = {column: int((values < 0).sum()) for column, values in days.items()}
    wrong = [f"'{column}' in {count} patients" for column, count in counts.items() if count]
    if wrong:
        raise DataError(f"times would be negative, because dates lie before the anchor: {', '.join(wrong)}",
                        where=f"endpoint {name}",
                        todo="Correct the dates, leave these patients out, or choose another anchor")


def _follow_up(days: _Days, n_events: int) -> _FollowUp:
    dated = np.where(np.isnan(days.events), np.inf, days.events)
    first, which = dated.min(axis=1), dated.argmin(axis=1)  # argmin: the first column of several on one day
    happened = np.isfinite(first)
    seen = happened & (first <= days.stop)
    # An event after the end of follow-up shows that the patient was free of it until then.
    unseen = np.where(happened, days.stop, np.minimum(days.contact, days.stop))
    return _FollowUp(first, which, np.where(seen, first, unseen), np.where(~seen, 0, np.where(which < n_events, 1, 2)))


def _observed(days: _Days, follow_up: _FollowUp, recipe: EventDates) -> tuple[np.ndarray, tuple[str, ...]]:
    """Patients whose follow-up is known and observed, and notes on the others."""
    faults = {
        "have no anchor date": ~days.anchored,
        "have no date of entry": np.isnan(days.entry),
        "have neither an event nor a date of last contact": np.isnan(follow_up.end),
        "have an anchor date after the administrative end": days.end < 0,
        "have an event or the end of their follow-up on the day of entry under observation, or before":
            (follow_up.end <= days.entry) & bool(recipe.entry),
    }
    keep, notes = np.ones(len(days.contact), dtype=bool), []
    for words, wrong in faults.items():
        count = int((wrong & keep).sum())
        keep &= ~wrong
        if count:
            notes.append(f"{count} of {len(keep)} patients {words} and were left out.")
    return keep, tuple(notes)


def _interest(recipe: EventDates) -> str:
    return " or ".join(recipe.events)


def _causes(follow_up: _FollowUp, recipe: EventDates) -> np.ndarray:
    """Name of what ended each follow-up, None for no event; the events that count share one name."""
    names = [*[_interest(recipe)] * len(recipe.events), *recipe.competing]
    causes: np.ndarray = np.array(names, dtype=object)[follow_up.which]
    causes[follow_up.code == 0] = None
    return causes


def _decided(days: _Days, follow_up: _FollowUp, keep: np.ndarray, recipe: EventDates) -> tuple[str, ...]:
    """What was decided for the patients that are kept."""
    seen, happened = follow_up.code > 0, np.isfinite(follow_up.first)
    moved = int((keep & seen & (follow_up.first > days.contact)).sum())
    late = int((keep & happened & ~seen).sum())
    notes = []
    if moved and recipe.last_contact:
        notes.append(f"{moved} patients have an event after their last contact: the event counts, and the last "
                     "contact was moved to it.")
    if late:
        notes.append(f"{late} patients have their first event after the end of follow-up (administrative end or "
                     "maximum): it is not counted.")
    if len(recipe.events) > 1:
        counts = np.bincount(follow_up.which[keep & (follow_up.code == 1)], minlength=len(recipe.events))
        shares = ", ".join(f"'{column}' in {count}" for column, count in zip(recipe.events, counts, strict=False))
        notes.append(f"What counted as the event: {shares} patients.")
    return tuple(notes)


def _imprecise(dates: pd.DataFrame, recipe: EventDates) -> tuple[str, ...]:
    """Texts that give a month or a year only: pandas reads them as its first day."""
    texts = [dates[column].dropna().astype(str).str.strip() for column in recipe.columns
             if not types.is_datetime64_any_dtype(dates[column])]
    count = sum(int((values.str.len() < _ISO_DAY).sum()) for values in texts)
    return (f"{count} dates name no day: the first of the month or year was taken.",) if count else ()


def _before_prediction(endpoint: Endpoint, frame: pd.DataFrame, recipe: EventDates,
                       index: pd.Series | None) -> tuple[str, ...]:
    """Time that a patient could not have failed to live through: between the anchor and the index date."""
    if index is None or not recipe.anchor or recipe.entry:
        return ()
    start = as_dates(frame.loc[endpoint.patients, recipe.anchor], f"for endpoint {endpoint.name}")
    early = int((_calendar(index.reindex(endpoint.patients)) > _calendar(start)).sum())
    if not early:
        return ()
    return (f"For {early} patients time is counted from before the index date, so the time in between could not show "
            "an event: set 'entry' to the index date, or count from it.",)


def _owner(study: Any, column: str, table: str) -> str:
    """The table that holds a column: the one that is set, else the only one, tables of patients first."""
    if table and table not in study.tables:
        raise DataError(f"there is no table '{table}'", where="setting 'table'",
                        todo=f"The tables are: {', '.join(study.tables)}")
    names = [table] if table else list(study.tables)
    owners = [name for name in names if column in study.tables[name].columns or column in study.table(name).columns]
    found = [name for name in owners if study.tables[name].level == "patient"] or owners
    if len(found) != 1:
        where = f"they are in tables {', '.join(found)}" if found else "it is in no table"
        raise DataError(f"it is not clear where the dates '{column}' are: {where}", where="dates of the endpoint",
                        todo="Set 'table' to the one to use" if found else "Correct the name")
    return found[0]


def _column(study: Any, table: str, column: str) -> pd.Series:
    """A column of a table of patients, checked to hold dates."""
    frame = study.table(table)
    check_patient_level(frame, study.id_column, table)
    if column not in frame.columns:
        raise DataError(f"there is no column '{column}'", where=f"table {table}",
                        todo="Correct the data dictionary or import the table again")
    as_dates(frame[column], table)
    return frame[column]

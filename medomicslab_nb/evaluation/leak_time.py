"""Leakage: values from after the moment of prediction, by their dates or because they go with follow-up itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from medomicslab_nb.evaluation.checks import after_index_date
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import Finding, column_blocks, numbers, unlike_the_commonest

KIND = "time_after_event"

_PAIRS = 4_000
_DIFFERING = 0.02  # share of the pairs that must differ in a column
_ALARM = 0.75  # concordance with the times of events and with those of censored patients
_NOTICE = 0.66
_LEAST = 15  # events, and censored patients
_TODO_DATES = "Keep only what was known at the index date"
_TODO_TIME = "Leave it out, or use its value at the anchor date (a landmark analysis for later values)"


def time_after_event(frame: pd.DataFrame, endpoint: Endpoint, *, categorical: Sequence[str] = (),
                     dates: pd.DataFrame | pd.Series | None = None,
                     index_dates: pd.Series | None = None) -> list[Finding]:
    """Dates after the index date or the end of follow-up, and columns that go with the length of follow-up.

    Parameters
    ----------
    dates : DataFrame or Series, index = patient (may repeat), optional
        When values were measured: dates, compared with ``index_dates``, or numbers, counted like the follow-up time
        from its anchor.
    index_dates : Series of datetime, index = patient (each once), optional
        Moment of prediction; for a survival outcome the anchor of its follow-up.
    """
    findings = list(_dated(frame, endpoint, dates, index_dates))
    if endpoint.kind == "survival":
        findings.extend(_with_follow_up(frame, numbers(frame, categorical), endpoint))
    return findings


def _dated(frame: pd.DataFrame, endpoint: Endpoint, dates: pd.DataFrame | pd.Series | None,
           index_dates: pd.Series | None) -> Iterator[Finding]:
    given = pd.DataFrame(index=frame.index) if dates is None else pd.DataFrame(dates)
    own = frame.select_dtypes(include=["datetime", "datetimetz"])
    for source in (given, own.drop(columns=[name for name in own.columns if name in given.columns])):
        for name in source.columns:
            column = source[name]
            if pd.api.types.is_numeric_dtype(column):
                yield from _offsets(column, endpoint)
            elif index_dates is not None:
                yield from _late(pd.to_datetime(column), index_dates)
            elif name in own.columns:
                yield Finding(KIND, "notice", f"'{name}' is a date and there are no index dates to compare it with.",
                              f"'{name}'", "Give the index dates, or leave the date out", float("nan"),
                              int(column.notna().sum()))


def _late(column: pd.Series, index_dates: pd.Series) -> Iterator[Finding]:
    late = after_index_date(column, index_dates)
    if late.any():
        yield Finding(KIND, "alarm", f"{int(late.sum())} of {len(late)} values of '{column.name}' are dated after the "
                      "index date.", f"'{column.name}'", _TODO_DATES, round(float(late.mean()), 4), len(late))


def _offsets(column: pd.Series, endpoint: Endpoint) -> Iterator[Finding]:
    """Times of measurement counted from the anchor: after the end of follow-up, or after the anchor."""
    numbers_ = column.astype(float)
    if endpoint.time is None:
        late, words = numbers_ > 0, "measured after the index date"
    else:
        ends = pd.Series(endpoint.time, index=endpoint.patients)
        ends = ends[~ends.index.duplicated()].reindex(numbers_.index)
        late, words = numbers_ >= ends, "measured at or after the end of follow-up"
        if not late.any():
            late, words = numbers_ > 0, "measured after the anchor date"
    if late.any():
        grave = "end of follow-up" in words or endpoint.time is None
        yield Finding(KIND, "alarm" if grave else "notice", f"{int(late.sum())} of {len(late)} values of "
                      f"'{column.name}' were {words}.", f"'{column.name}'", _TODO_DATES if grave else _TODO_TIME,
                      round(float(late.mean()), 4), len(late))


def _with_follow_up(frame: pd.DataFrame, numeric: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Columns that order the times of events *and* the times at which follow-up of the others ended.

    What raises the risk of the event says nothing about when the others left, given that they were still there. Only
    what grows with follow-up itself (visits, later treatments, last values) orders both, in the same direction.
    """
    assert endpoint.time is not None
    columns = pd.concat([numeric, frame.isna().loc[:, frame.isna().any()].astype(float).add_prefix("missing: "),
                         _levels(frame, numeric)], axis=1)
    # What raises the risk of a competing event may raise that of the event too: only ends of follow-up count.
    ended = ~endpoint.event if endpoint.cause is None else endpoint.cause == 0
    if min(endpoint.events, int(ended.sum())) < _LEAST or columns.empty:
        return
    values = columns.to_numpy()
    of_events, _ = pair_concordance(values, endpoint.time, endpoint.event)
    of_others, _ = pair_concordance(values, endpoint.time, ended)
    same = (of_events - 0.5) * (of_others - 0.5) > 0
    both = np.minimum(np.abs(of_events - 0.5), np.abs(of_others - 0.5)) + 0.5
    # A mark of a few patients, and a column with gaps, order as surely as those few allow.
    known = columns.notna().to_numpy()
    sides = np.minimum(known[endpoint.event].sum(axis=0), known[ended].sum(axis=0))
    error = 0.6 / np.sqrt(np.maximum(np.minimum(unlike_the_commonest(values), sides), 1))
    sure = both - 0.5 > norm.isf(0.01 / values.shape[1]) * error
    for position in np.flatnonzero(same & sure & (both >= _NOTICE)).tolist():
        name = str(columns.columns[position])
        yield Finding(KIND, "alarm" if both[position] >= _ALARM else "notice", f"'{name}' goes with the length of "
                      f"follow-up, with or without the event (concordance {both[position]:.3f} in both).", f"'{name}'",
                      _TODO_TIME, round(float(both[position]), 4), len(columns))


def _levels(frame: pd.DataFrame, numeric: pd.DataFrame) -> pd.DataFrame:
    """Each category with ten patients or more, as 0 and 1."""
    parts = {}
    for name in frame.columns.difference(numeric.columns):
        counts = frame[name].astype(str).where(frame[name].notna()).value_counts()
        for level in counts.index[(counts >= 10)][:20]:
            parts[f"{name}: {level}"] = (frame[name].astype(str) == level).astype(float)
    return pd.DataFrame(parts, index=frame.index)


def pair_concordance(values: np.ndarray, time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, int]:
    """Share of pairs in which the patient with the earlier event has the higher value, shape (p,), ties left out.

    On a sample of the comparable pairs, always the same one; 0.5 where no pair differs.
    """
    cases = np.flatnonzero(event)
    first, second = np.nonzero(time[cases][:, None] < time[None, :])
    first = cases[first]
    if not len(first):
        return np.full(values.shape[1], 0.5), 0
    if len(first) > _PAIRS:
        chosen = np.random.default_rng(0).choice(len(first), _PAIRS, replace=False)
        first, second = first[chosen], second[chosen]
    result = np.full(values.shape[1], 0.5)
    for block in column_blocks(values.shape[1]):
        sign = np.nan_to_num(np.sign(values[first, block] - values[second, block]))
        differing = np.abs(sign).sum(axis=0)
        lead = sign.sum(axis=0) / (2 * np.maximum(differing, 1))
        result[block] = np.where(differing >= _DIFFERING * len(first), 0.5 + lead, 0.5)
    return result, len(first)

"""Landmark analysis: prediction at a time after the index date, from what was known by then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.event_dates_settings import DAYS


def landmark(endpoint: Endpoint, at: float) -> Endpoint:
    """The endpoint of the patients who are still at risk at the landmark, with time counted from there [1]_.

    Patients with an event or the end of their follow-up by ``at`` are left out, and those who come under observation
    after it. The others are all observed from the landmark on, so nobody enters late any more.

    Parameters
    ----------
    endpoint : Endpoint
        With follow-up.
    at : float
        Time after the anchor, in the endpoint's unit.

    Raises
    ------
    DataError
        No follow-up, a landmark below 0 or not finite, or nobody at risk or with an event after it.

    Notes
    -----
    Predictors must be known by the landmark: :func:`known_by` says which rows of a table of visits are.

    References
    ----------
    .. [1] Anderson JR, Cain KC, Gelber RD. Analysis of survival by tumor response. J Clin Oncol 1983;1:710-719.
    """
    where = f"endpoint {endpoint.name}"
    if endpoint.time is None:
        raise DataError("a landmark needs an outcome with follow-up", where=where,
                        todo="Choose an endpoint with a follow-up time, or no landmark")
    if not (np.isfinite(at) and at >= 0):
        raise DataError("the landmark is no time after the anchor", where=where, todo="Set it to 0 or more")
    over = endpoint.time <= at
    later = np.zeros(len(endpoint), dtype=bool) if endpoint.entry is None else endpoint.entry > at
    kept = endpoint.take(np.flatnonzero(~over & ~later))
    if not len(kept) or not kept.outcome.any():
        what = "has the event after" if len(kept) else "is at risk at"
        raise DataError(f"nobody {what} the landmark {at:g} {endpoint.unit}".rstrip(), where=where,
                        todo="Choose an earlier landmark")
    assert kept.time is not None
    return replace(kept, time=kept.time - at, entry=None, notes=(*endpoint.notes, *_notes(endpoint, at, over, later)))


def _notes(endpoint: Endpoint, at: float, over: np.ndarray, later: np.ndarray) -> tuple[str, ...]:
    competing = np.zeros(len(endpoint), dtype=bool) if endpoint.cause is None else endpoint.cause > 1
    left_out = {"the event": over & endpoint.outcome, "a competing event": over & competing,
                "the end of their follow-up": over & ~endpoint.outcome & ~competing}
    counts = [f"{int(rows.sum())} had {words} by then" for words, rows in left_out.items() if rows.any()]
    if (~over & later).any():
        counts.append(f"{int((~over & later).sum())} came under observation later")
    told = f": {', '.join(counts)}" if counts else ""
    n, kept = len(endpoint), int((~over & ~later).sum())
    return (f"Time is counted from the landmark {at:g} {endpoint.unit}".rstrip()
            + f", at which {kept} of {n} patients are at risk{told}.",)


def known_by(dates: pd.Series, index_dates: pd.Series, at: float = 0.0, *, unit: str = "days") -> pd.Series:
    """Which values were known at a time after the index date; those without a date were not, as far as is known.

    Parameters
    ----------
    dates : Series of datetime, index = patient (may repeat)
        Date of each row of values.
    index_dates : Series of datetime, index = patient (each once)
    at : float
        Time after the index date, in ``unit``.

    Returns
    -------
    Series of bool, indexed like ``dates``
        The time of day is ignored.

    Raises
    ------
    DataError
        A unit of time that is not known.
    """
    return days_since(dates, index_dates) <= in_days(at, unit)


def days_since(dates: pd.Series, index_dates: pd.Series) -> pd.Series:
    """Calendar days from each patient's index date, float, indexed like ``dates``; NaN where either is missing."""
    start, own = (values.dt.tz_localize(None).dt.normalize().to_numpy()
                  for values in (index_dates.reindex(dates.index), dates))
    return pd.Series((own - start) / np.timedelta64(1, "D"), index=dates.index)


def in_days(amount: float, unit: str) -> float:
    """A time in days, rounded so that 12 months and 1 year are the same to the last digit.

    Raises
    ------
    DataError
        The unit is none of :data:`~medomicslab_nb.evaluation.event_dates_settings.DAYS`.
    """
    if unit not in DAYS:
        raise DataError(f"it is not known how many days the unit '{unit}' has", where="unit of time",
                        todo=f"Use one of: {', '.join(DAYS)}")
    return round(amount * DAYS[unit], 9)

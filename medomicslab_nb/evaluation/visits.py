"""Change between visits: several dated rows a patient become one row of predictors.

Nothing dated after the end of the window is ever used: the window must end at the time of the prediction or before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.dates import as_dates
from medomicslab_nb.evaluation.landmark import days_since, in_days

MEASURES = ("baseline", "last", "change", "relative", "slope", "visits")


def changes(frame: pd.DataFrame, date_column: str, index_dates: pd.Series, *, window: tuple[float, float],
            unit: str = "days", how: Sequence[str] = MEASURES, columns: Sequence[str] = ()) -> pd.DataFrame:
    """How measurements changed from the index date to a later window.

    Parameters
    ----------
    frame : DataFrame, index = patient (several rows each)
        A table of level visit.
    date_column : str
        Date of each row. Rows without date, and rows of patients without index date, are not used.
    index_dates : Series of datetime, index = patient (each once)
    window : (float, float)
        The later value is the last one dated after ``window[0]`` and not after ``window[1]``, in ``unit`` from the
        index date. Its end is the landmark, before which nothing may be predicted.
    how : sequence of str
        Which of :data:`MEASURES`: ``baseline`` (the last known value at or before the index date), ``last`` (in the
        window), ``change`` (last - baseline), ``relative`` ((last - baseline) / baseline; NaN for a baseline of 0;
        of opposite sign for a negative one), ``slope`` (per ``unit``, by least squares over the baseline and every
        later value to the end of the window; NaN unless they are of two days or more) and ``visits`` (how many
        values that are).
    columns : sequence of str
        What to measure; empty: every numeric column but the date.

    Returns
    -------
    DataFrame, shape (n_patients, n_columns x n_measures), float64
        Patients in the order of ``index_dates``; columns called ``COLUMN MEASURE``. NaN where a value that is needed
        is missing.

    Raises
    ------
    DataError
        Two rows of one patient with the same time point (bad input 44), dates that are none, a column that is
        missing, holds no numbers or infinite ones, a window that does not lie after the index date, an unknown
        measure or unit.
    """
    names = _columns(frame, date_column, columns)
    unknown = [measure for measure in how if measure not in MEASURES]
    if unknown or not how:
        raise DataError(f"there is no measure of change '{', '.join(unknown)}'", where="changes between visits",
                        todo=f"Use some of: {', '.join(MEASURES)}")
    if not 0 <= window[0] < window[1] < np.inf:
        raise DataError("the window does not lie after the index date", where="changes between visits",
                        todo="Give its start, 0 or more, and its end, which is later")
    start, end = (in_days(limit, unit) for limit in window)
    dates = as_dates(frame[date_column], "of visits")
    _refuse_repeated(dates)
    numbers = {name: _numbers(frame[name]) for name in names}
    day = days_since(dates, index_dates).to_numpy()
    usable = np.flatnonzero(day <= end)
    usable = usable[np.argsort(dates.to_numpy()[usable], kind="stable")]
    values = pd.DataFrame(numbers, index=frame.index, columns=names, dtype=float).iloc[usable]
    measures = _measures(values, day[usable], start)
    measures["slope"] *= in_days(1, unit)
    parts = [measures[measure].reindex(index_dates.index).add_suffix(f" {measure}") for measure in how]
    made = pd.concat(parts, axis=1)[[f"{name} {measure}" for name in names for measure in how]].astype(float)
    return made.fillna({f"{name} visits": 0.0 for name in names})


def _measures(values: pd.DataFrame, day: np.ndarray, start: float) -> dict[str, pd.DataFrame]:
    """Every measure of every column as patients x columns; slope per day.

    Parameters
    ----------
    values : DataFrame, index = patient (several rows each), in the order of time
    day : ndarray, shape (n_rows,)
        Days from the index date.
    """
    days = pd.DataFrame(np.where(values.notna(), day[:, None], np.nan), values.index, values.columns)
    before, after = day <= 0, day > 0
    baseline, last = _last(values[before]), _last(values[day > start])
    used, used_days = pd.concat([baseline, values[after]]), pd.concat([_last(days[before]), days[after]])
    change = last - baseline
    return {"baseline": baseline, "last": last, "change": change, "relative": change / baseline.where(baseline != 0),
            "slope": _slopes(used, used_days), "visits": used.groupby(level=0).count()}


def _last(values: pd.DataFrame) -> pd.DataFrame:
    """Each patient's last known value of each column."""
    return values.groupby(level=0).last()


def _slopes(values: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Least-squares slope of value on day for each patient and column; NaN where all values are of one day."""
    own = [part - part.groupby(level=0).transform("mean") for part in (values, days)]
    product, square = ((part * own[1]).groupby(level=0).sum() for part in own)
    # Days are whole numbers, so that the squares of one day are exactly 0.
    return product / square.where(square > 0)


def _columns(frame: pd.DataFrame, date_column: str, columns: Sequence[str]) -> list[str]:
    for name in (date_column, *columns):
        if name not in frame.columns:
            raise DataError(f"there is no column '{name}'", where="table of visits", todo="Correct the name")
    return list(dict.fromkeys(columns)) or [
        str(name) for name, kind in frame.dtypes.items() if name != date_column and types.is_numeric_dtype(kind)]


def _refuse_repeated(dates: pd.Series) -> None:
    known = dates.dropna()
    keys = pd.DataFrame({"patient": known.index, "date": known.to_numpy()})
    repeated = int(keys.duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} rows repeat a patient and a time point, so it is not clear which value counts",
                        where=f"table of visits, column {dates.name}", todo="Keep one row for each patient and date")


def _numbers(values: pd.Series) -> np.ndarray:
    if not types.is_numeric_dtype(values):
        raise DataError("it holds no numbers, so that no change can be told", where=f"table of visits, column "
                        f"{values.name}", todo="Leave it out, or correct it")
    numbers: np.ndarray = values.to_numpy(dtype=float, na_value=np.nan)
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise DataError(f"{infinite} values are infinite", where=f"table of visits, column {values.name}",
                        todo="Correct them, or mark them as missing")
    return numbers

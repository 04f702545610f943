"""The cohort: inclusion criteria one after the other, and how many patients each leaves."""

from __future__ import annotations

import operator
from typing import Any

import pandas as pd
from pandas.api import types

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.outcomes import label
from medomicslab_nb.data.settings import CohortStep
from medomicslab_nb.errors import SettingsError

_COMPARISONS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
_LISTED = 10
"""Categories that an error lists."""


def select_cohort(study: CorrectedStudy, steps: tuple[CohortStep, ...]) -> tuple[pd.Index, pd.DataFrame]:
    """The patients that pass every step, and the counts of the flow chart.

    Returns
    -------
    patients : Index
        Sorted identifiers.
    flow : DataFrame
        ``step`` (0 = everyone), ``label``, ``patients`` that remain, ``excluded`` by the step.

    Notes
    -----
    A patient for whom the column is missing does not pass.
    """
    remaining = study.patients
    rows = [(0, "Patients in the tables", len(remaining), 0)]
    for number, step in enumerate(steps, start=1):
        before = len(remaining)
        remaining = remaining[remaining.isin(passing(study, step))]
        rows.append((number, step.label, len(remaining), before - len(remaining)))
    return remaining, pd.DataFrame(rows, columns=["step", "label", "patients", "excluded"])


def passing(study: CorrectedStudy, step: CohortStep) -> pd.Index:
    """Patients with at least one row that fits a step.

    Raises
    ------
    SettingsError
        No such table or column, no value to compare with, or one of another type than the column.
    """
    where = f"cohort step '{step.label}'"
    if step.table not in study.tables or step.column not in study.table(step.table).columns:
        raise SettingsError(f"there is no column '{step.column}' in a table '{step.table}'", where=where,
                            todo=f"The tables are: {', '.join(study.tables)}")
    values = study.table(step.table)[step.column].dropna()
    if step.keep == "not missing":
        return values.index.unique()
    if step.value is None or (step.keep == "in") != isinstance(step.value, tuple):
        raise SettingsError("'in' needs a list of values, every other comparison one value", where=where,
                            todo="Set 'value'")
    if step.keep in ("==", "!=", "in"):
        shown = study.tables[step.table].column(step.column).role not in ("identifier", "ignore")
        fits = _isin(values, step.value if isinstance(step.value, tuple) else (step.value,), where, shown=shown)
        fits = ~fits if step.keep == "!=" else fits
    else:
        fits = _compared(values, step, where)
    return values.index[fits].unique()


def _isin(values: pd.Series, wanted: tuple[Any, ...], where: str, *, shown: bool) -> pd.Series:
    """Which values are among the wanted ones; a wanted one that never occurs is a slip of the pen and is refused."""
    keys = values.map(_key)
    missing = sum(not (keys == _key(value)).any() for value in wanted)
    if missing:
        raise SettingsError(f"{missing} of {len(wanted)} values to compare with never occur", where=where,
                            todo=_categories(values) if shown else "Check how they are written")
    return keys.isin([_key(value) for value in wanted])


def _key(value: object) -> str:
    """A value as it is compared: 1, 1.0 and true are the same, and dates have a time only where it is not midnight."""
    if isinstance(value, pd.Timestamp):
        return value.isoformat().removesuffix("T00:00:00")
    text = label(value)
    return {"true": "1", "false": "0"}.get(text.lower(), text)


def _categories(values: pd.Series) -> str:
    found = sorted(values.map(label).unique())
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return f"The column holds: {', '.join(found[:_LISTED])}{more}"


def _compared(values: pd.Series, step: CohortStep, where: str) -> pd.Series:
    try:
        wanted = pd.Timestamp(str(step.value)) if types.is_datetime64_any_dtype(values) else float(step.value)  # type: ignore[arg-type]
        numbers = values if types.is_datetime64_any_dtype(values) else values.astype(float)
    except (TypeError, ValueError):
        raise SettingsError(f"'{step.keep}' cannot compare the column '{step.column}' with that value", where=where,
                            todo="Give a number for a column of numbers, a date such as 2021-04-30 for dates") from None
    return _COMPARISONS[step.keep](numbers, wanted)  # type: ignore[no-any-return]

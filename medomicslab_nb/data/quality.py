"""What is wrong or doubtful in the tables: one finding a line, with severity, count and advice.

Severity ``error``: modelling must refuse. ``warning``: a reader must know. ``note``: worth a look.
No finding repeats a value or an identifier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api import types

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.dictionary import DOUBTFUL_EVENT, not_numbers
from medomicslab_nb.data.importing import MANY_COLUMNS
from medomicslab_nb.data.linkage import near_matches
from medomicslab_nb.data.outcomes import Outcome
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.checks import Disguise, disguised_predictors, impossible_zeros
from medomicslab_nb.evaluation.dates import check_dates as compare_dates, index_dates

_USED = ("predictor", "outcome", "time", "event", "entry", "stratum", "centre")
"""Roles of the columns that are looked at; an empty cause is no missing value but the end of follow-up."""

QUALITY_COLUMNS = ("table", "column", "check", "severity", "n", "finding", "advice")
MUCH_MISSING = 0.2
FEW_EVENTS = 10
_OUTLIER_RANGES = 3.0
_MOST_LINES = 10
"""Findings of one kind in one table beyond which they take one line together."""


@dataclass(frozen=True)
class Finding:
    """One line of the quality table."""

    table: str
    column: str
    check: str
    severity: Literal["error", "warning", "note"]
    n: int
    """Patients, rows or columns that it concerns."""
    finding: str
    advice: str

    @property
    def sentence(self) -> str:
        """The finding as a sentence for the report."""
        place = f"Table '{self.table}'" if self.table else "Index date"
        column = f", column '{self.column}'" if self.column else ""
        return f"{place}{column}: {self.finding}. {self.advice}."


def check_table(study: CorrectedStudy, table: str) -> list[Finding]:
    """Findings that one table shows by itself."""
    frame = study.table(table)
    predictors = frame[study.names_of(table, *_USED)]
    found = [finding for check in _COLUMN_CHECKS for finding in check(table, predictors)]
    # A measurement with a few words among its values was guessed to be free text, which is ignored.
    found += _nearly_numbers(table, frame[study.names_of(table, *_USED, "ignore")])
    found += _censored(study, table)
    measured = study.names_of(table, "predictor")
    if len(measured) <= MANY_COLUMNS:  # a zero of an expression value is one
        found += _zeros(table, frame[measured])
    return [*_rows(study, table), *_summed(found)]


def check_outcomes(study: CorrectedStudy, outcomes: list[Outcome]) -> list[Finding]:
    """One class only, negative times (48), few events, and predictors that are the outcome in disguise (49)."""
    found = []
    for outcome in outcomes:
        if outcome.fault:
            found.append(Finding(outcome.table, outcome.column, "outcome unusable", "error", 0,
                                 f"'{outcome.name}' cannot be used as an outcome: {outcome.fault.rstrip('.')}",
                                 "Correct the table or choose another outcome"))
            continue
        found += _few_events(outcome)
    if outcomes and not outcomes[0].fault:
        for table in study.tables:
            found += _summed(list(_disguised(study, table, outcomes[0])))
    return found


def check_links(study: CorrectedStudy) -> list[Finding]:
    """Patients of a table that no other table knows (bad input 47)."""
    found = []
    indexes = {name: study.table(name).index for name in study.tables
               if study.table(name).index.name == study.id_column}
    for name, ids in indexes.items():
        if len(indexes) < 2:
            break
        others = pd.Index(sorted(set().union(*(other for table, other in indexes.items() if table != name))))
        unmatched = int((~ids.unique().isin(others)).sum())
        if not unmatched:
            continue
        near = near_matches(ids, others)
        hint = f"; {near} would match but for case, leading zeros or punctuation" if near else ""
        none = unmatched == ids.nunique()
        found.append(Finding(name, study.id_column, "no match", "error" if none else "warning", unmatched,
                             f"{unmatched} of {ids.nunique()} patients are in no other table{hint}",
                             "Write identifiers in the same way in every table" if near or none else
                             "Check that these patients have no data elsewhere"))
    return found


def check_size(study: CorrectedStudy) -> list[Finding]:
    """More columns of predictors than patients (bad input 50)."""
    found = []
    for table in study.tables:
        predictors, patients = len(study.names_of(table, "predictor")), study.table(table).index.nunique()
        if predictors > patients:
            found.append(Finding(table, "", "more columns than patients", "warning", predictors,
                                 f"{predictors} predictors for {patients} patients",
                                 "Expect models to fit chance: use penalised models and look at their intervals"))
    return found


def check_dates(study: CorrectedStudy) -> list[Finding]:
    """Predictors dated after the index date of their patient, or not known to come before it (bad input 92)."""
    try:
        dates = index_dates(study)
    except DataError as error:
        return [Finding("", "", "index date unusable", "error", 0, f"{error.where}: {error.found}", error.todo)]
    return [finding for table in study.tables if study.names_of(table, "predictor")
            for finding in _dated(study, table, dates)]


def _dated(study: CorrectedStudy, table: str, dates: pd.Series | None) -> Iterator[Finding]:
    try:
        checked = compare_dates(study.table(table), study.tables[table], dates)
    except DataError as error:
        yield Finding(table, str(study.tables[table].date_column), "dates unusable", "error", 0, error.found,
                      error.todo)
        return
    if checked is None:
        return
    late, column = checked.late, checked.column
    if late.any():
        yield Finding(table, column, "after the index date", "error", int(late.sum()),
                      f"{int(late.sum())} rows with predictors are dated after the index date "
                      f"({late.index[late].nunique()} patients)",
                      "Leave these rows out: they were not known when the prediction would be made")
    if checked.undated:
        yield Finding(table, column, "date not known", "warning", checked.undated,
                      f"for {checked.undated} rows the date or the index date is missing",
                      "It cannot be told whether they come before the index date")
    if not checked.declared:
        yield Finding(table, column, "date not declared", "warning", len(late),
                      "nothing says that it is the date of the table's values, so they were not compared with the "
                      "index dates", "If it is, import the table again with this column as its date column")


def quality_table(findings: list[Finding]) -> pd.DataFrame:
    """Findings as a table, errors first, otherwise in the order given."""
    rank = {"error": 0, "warning": 1, "note": 2}
    rows = [astuple(finding) for finding in sorted(findings, key=lambda finding: rank[finding.severity])]
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS)).astype({"n": "int64"})


# -- checks of columns: (table, frame) -> findings ---------------------------------------------------------------


def _missing(table: str, frame: pd.DataFrame) -> Iterator[Finding]:
    counts = frame.isna().sum()
    for name, count in counts[counts > 0].items():
        if count == len(frame):
            yield Finding(table, str(name), "all missing", "warning", int(count), "every value is missing",
                          "Leave the column out, or find its values")
        elif count > MUCH_MISSING * len(frame):
            yield Finding(table, str(name), "missing", "warning" if count > len(frame) / 2 else "note", int(count),
                          f"{count} of {len(frame)} values are missing ({100 * count / len(frame):.0f}%)",
                          "Ask why they are missing: values missing for a reason bias a model")


def _constant(table: str, frame: pd.DataFrame) -> Iterator[Finding]:
    same = _one_value(frame)
    for name in frame.columns[same]:
        yield Finding(table, str(name), "constant", "note", len(frame), "every known value is the same",
                      "It tells nothing: leave it out")


def _one_value(frame: pd.DataFrame) -> np.ndarray:
    """Columns with exactly one different known value; numbers by their range, which is fast for wide tables."""
    same = np.zeros(frame.shape[1], dtype=bool)
    for i, (name, kind) in enumerate(frame.dtypes.items()):
        if not types.is_numeric_dtype(kind) or types.is_bool_dtype(kind):
            same[i] = frame[name].nunique() == 1
    numeric = [i for i, kind in enumerate(frame.dtypes) if types.is_numeric_dtype(kind)
               and not types.is_bool_dtype(kind)]
    values = frame.iloc[:, numeric]
    same[numeric] = (values.min() == values.max()).to_numpy(dtype=bool)
    return same


def _infinite(table: str, frame: pd.DataFrame) -> Iterator[Finding]:
    numeric = _numeric(frame)
    counts = np.isinf(numeric.to_numpy(dtype=float, na_value=np.nan)).sum(axis=0)
    for name, count in zip(numeric.columns, counts, strict=True):
        if count:
            yield Finding(table, str(name), "infinite", "error", int(count), f"infinite values: {count}",
                          "Find out where they come from and leave such cells empty")


def _outliers(table: str, frame: pd.DataFrame) -> Iterator[Finding]:
    numeric = _numeric(frame)
    values = numeric.to_numpy(dtype=float, na_value=np.nan)
    known = ~np.isnan(values).all(axis=0)
    if not known.any():
        return
    low, high = np.nanquantile(values[:, known], [0.25, 0.75], axis=0)
    reach = _OUTLIER_RANGES * (high - low)
    outside = (values[:, known] < low - reach) | (values[:, known] > high + reach)
    counts = np.where(reach > 0, outside.sum(axis=0), 0)
    for name, count in zip(numeric.columns[known], counts, strict=True):
        if count:
            yield Finding(table, str(name), "outliers", "note", int(count),
                          f"values more than {_OUTLIER_RANGES:.0f} interquartile ranges outside the quartiles: {count}",
                          "Check units and typing errors; keep true values")


def _nearly_numbers(table: str, frame: pd.DataFrame) -> Iterator[Finding]:
    for name, kind in frame.dtypes.items():
        if types.is_string_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
            known, odd = int(frame[name].count()), not_numbers(frame[name])
            if 0 < odd <= known / 2:
                yield Finding(table, str(name), "not all numbers", "warning", odd,
                              f"{odd} of {known} values are not numbers, so all were kept as text",
                              "Correct them in the file and import it again")


def _censored(study: CorrectedStudy, table: str) -> Iterator[Finding]:
    info = study.tables[table]
    for name in study.names_of(table, "event"):
        if info.column(name).description == DOUBTFUL_EVENT:  # a description in the user's words shows that it was seen
            yield Finding(table, name, "event or censored", "warning", int(study.table(table)[name].count()),
                          f"check that 1 means the event in '{name}'; columns named censor often mean the opposite",
                          "If it does, describe the column in the dictionary; if not, exchange 0 and 1 in the file")


def _rare(table: str, frame: pd.DataFrame) -> Iterator[Finding]:
    for name, kind in frame.dtypes.items():
        if not types.is_numeric_dtype(kind):
            counts = frame[name].value_counts()
            few = int((counts[counts > 0] < 5).sum())
            if few:
                yield Finding(table, str(name), "rare categories", "note", few,
                              f"categories with fewer than 5 patients: {few} of {int((counts > 0).sum())}",
                              "Consider merging them with others")


def _zeros(table: str, frame: pd.DataFrame) -> list[Finding]:
    numeric = _numeric(frame)
    with_zeros = numeric.columns[(numeric == 0).any().to_numpy(dtype=bool)]
    counts = ((str(name), impossible_zeros(numeric[name])) for name in with_zeros)
    return [Finding(table, name, "impossible zeros", "warning", count,
                    f"values of 0, which probably mean missing: {count}", "Leave these cells empty in the file")
            for name, count in counts if count]


_COLUMN_CHECKS: tuple[Callable[[str, pd.DataFrame], Iterator[Finding]], ...] = (
    _missing, _constant, _infinite, _outliers, _rare)


# -- checks of rows and outcomes ---------------------------------------------------------------------------------


def _rows(study: CorrectedStudy, table: str) -> Iterator[Finding]:
    frame, info = study.table(table), study.tables[table]
    keys = frame.index.to_series()
    if info.level == "patient" and keys.duplicated().any():
        count = int(keys.duplicated(keep=False).sum())
        yield Finding(table, study.id_column, "repeated patients", "error", count,
                      f"{count} rows share their patient with another row", "Keep one row for each patient")
    # A hash of each row: comparing the rows of a wide table takes seconds.
    same = int(pd.util.hash_pandas_object(frame, index=False).duplicated().sum()) if frame.shape[1] > 1 else 0
    if same and (frame.nunique() > 1).sum() > 3:
        yield Finding(table, "", "equal rows", "warning", same,
                      f"rows equal to another row in every column but the identifier: {same}",
                      "Check whether patients were entered twice")


def _few_events(outcome: Outcome) -> Iterator[Finding]:
    endpoint = outcome.endpoint
    if endpoint is None:
        return
    smaller = min(endpoint.events, len(endpoint) - endpoint.events) if endpoint.kind == "binary" else endpoint.events
    if smaller < FEW_EVENTS:
        found = {"survival": f"has {smaller} events", "continuous": f"is known in {smaller} patients",
                 "binary": f"has {smaller} patients in the smaller class",
                 "multiclass": f"has {smaller} patients in the smallest class"}[endpoint.kind]
        yield Finding(outcome.table, outcome.column, "few events", "warning", smaller, f"'{outcome.name}' {found}",
                      "Too few to develop or validate a model")
    for note in endpoint.notes:
        yield Finding(outcome.table, outcome.column, "outcome", "note", 0, note.rstrip("."),
                      "They are not in the analysis of this outcome" if "left out" in note else
                      "Check that this is meant")


def _disguised(study: CorrectedStudy, table: str, outcome: Outcome) -> Iterator[Finding]:
    names = [name for name in study.names_of(table, "predictor") if name not in (outcome.column, outcome.time_column)]
    frame = study.table(table)
    if frame.index.name != study.id_column or frame.index.has_duplicates or not names:
        return
    for disguise in _disguises(study, outcome, frame[names]):
        yield Finding(table, disguise.column, "outcome in disguise", "warning", disguise.n,
                      f"it {disguise.sentence}; outcome '{outcome.name}'",
                      "Leave it out unless it is known before the outcome")


def _disguises(study: CorrectedStudy, outcome: Outcome, predictors: pd.DataFrame) -> list[Disguise]:
    """The check with the outcome brought into the rows of the predictors."""
    endpoint = outcome.endpoint
    if endpoint is not None and endpoint.time is not None:
        known = pd.DataFrame({"time": endpoint.time, "event": endpoint.event.astype(float)}, index=endpoint.patients)
        aligned = known.reindex(predictors.index)
        return disguised_predictors(predictors, time=aligned["time"], event=aligned["event"])
    values = study.table(outcome.table)[outcome.column]
    return disguised_predictors(predictors, outcome=values.reindex(predictors.index))


def _numeric(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = [types.is_numeric_dtype(kind) and not types.is_bool_dtype(kind) for kind in frame.dtypes]
    return frame.loc[:, numbers]


def _summed(findings: list[Finding]) -> list[Finding]:
    """More than ten findings of one check, table and severity take one line together."""
    summed = []
    for (table, check, severity), group in groupby(findings, lambda one: (one.table, one.check, one.severity)):
        members = list(group)
        if len(members) <= _MOST_LINES:
            summed += members
            continue
        names = ", ".join(f"'{one.column}'" for one in members[:3])
        summed.append(Finding(table, f"({len(members)} columns)", check, severity, len(members),
                              f"{len(members)} columns, among them {names}: {members[0].finding}", members[0].advice))
    return summed

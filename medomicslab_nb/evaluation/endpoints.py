"""Endpoints: what is predicted, checked once and then trusted.

A binary endpoint is a column of two classes, a multi-class one of several, a continuous one of numbers; a survival
endpoint is a pair of columns, follow-up time and whether the event was seen by then, with, where there are any, the
time at which each patient comes under observation and what ended follow-up. All are found through the data dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.checks import endpoint_faults, is_continuous
from medomicslab_nb.evaluation.endpoint_columns import EndpointColumns, endpoint_columns
from medomicslab_nb.tables import TableInfo

_YES = frozenset({"1", "1.0", "true", "yes", "oui", "event", "dead", "deceased", "positive"})
_NO = frozenset({"0", "0.0", "false", "no", "non", "none", "censored", "alive", "negative"})


Kind = Literal["binary", "multiclass", "continuous", "survival"]

MOST_CLASSES = 20
"""More classes than this are taken for an outcome of several classes only on request."""

METRICS: dict[Kind, str] = {"binary": "auc", "multiclass": "auc_ovr", "continuous": "r2", "survival": "c_index"}
"""The measure by which predictions of each kind are compared."""

CHANCE = {"auc": 0.5, "auc_ovr": 0.5, "r2": 0.0, "c_index": 0.5}
"""What a model without any information reaches."""

_QUANTILES = 4  # groups of similar values by which folds of a continuous outcome are stratified


@dataclass(frozen=True)
class Endpoint:
    """What is predicted for each patient.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
        bool (binary: the positive class; survival: the event was seen at ``time``, otherwise follow-up ended there),
        int (multi-class: position in ``classes``) or float (continuous, in ``unit``).
    time : ndarray of float, shape (n,), or None
        Survival: follow-up in ``unit``, counted from the anchor date.
    patients : Index, shape (n,)
        Identifiers, each once, sorted.
    columns : tuple of (table, column)
        Where it comes from: never predictors.
    notes : tuple of str
        What had to be decided or left out, in whole sentences.
    classes : tuple of str
        Names of a multi-class outcome's classes.
    entry : ndarray of float, shape (n,), or None
        Survival with left truncation: time from which each patient is under observation, below ``time``.
    cause : ndarray of int, shape (n,), or None
        Survival with competing events: 0 = follow-up ended, 1 = the event, 2 and more = ``causes[cause - 1]``.
        ``outcome`` is ``cause == 1``.
    causes : tuple of str
        Names of the event and its competitors.
    """

    name: str
    outcome: np.ndarray
    patients: pd.Index
    time: np.ndarray | None = None
    unit: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)
    classes: tuple[str, ...] = ()
    entry: np.ndarray | None = None
    cause: np.ndarray | None = None
    causes: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        if self.time is not None:
            return "survival"
        if self.classes:
            return "multiclass"
        return "binary" if self.outcome.dtype == bool else "continuous"

    @property
    def event(self) -> np.ndarray:
        """Binary: the positive class. Survival: the event was seen. bool, shape (n,)."""
        if self.kind in ("binary", "survival"):
            return self.outcome
        raise TypeError(f"a {self.kind} endpoint has no events")

    @property
    def strata(self) -> np.ndarray:
        """Group of each patient, int, shape (n,), by which folds are stratified: class, event, or quartile."""
        if self.kind != "continuous":
            return self.outcome.astype(int)
        edges = np.quantile(self.outcome, np.linspace(0, 1, _QUANTILES + 1)[1:-1])
        return np.searchsorted(edges, self.outcome, side="right")

    @property
    def metric(self) -> str:
        """The measure of discrimination that goes with the kind."""
        return METRICS[self.kind]

    @property
    def chance(self) -> float:
        """The value of :attr:`metric` without any information."""
        return CHANCE[self.metric]

    @property
    def events(self) -> int:
        """Patients of the positive class or with the event; of the smallest class; of a continuous outcome, all."""
        if self.kind == "multiclass":
            return int(np.bincount(self.outcome, minlength=len(self.classes)).min())
        return len(self) if self.kind == "continuous" else int(self.outcome.sum())

    def __len__(self) -> int:
        return len(self.outcome)

    def take(self, rows: np.ndarray) -> Endpoint:
        """The same endpoint for some patients, given by position."""
        parts = {name: values[rows] for name in ("time", "entry", "cause")
                 if (values := getattr(self, name)) is not None}
        return replace(self, outcome=self.outcome[rows], patients=self.patients[rows], **parts)

    def restrict(self, patients: pd.Index) -> Endpoint:
        """The same endpoint for the patients that are in ``patients``, in the endpoint's order."""
        return self.take(np.flatnonzero(self.patients.isin(patients)))


def binary_endpoint(name: str, outcome: pd.Series, *, positive: str = "") -> Endpoint:
    """An endpoint of two classes.

    Parameters
    ----------
    outcome : Series, index = patient (each once)
        Classes; patients without one are left out, with a note.
    positive : str
        The positive class. Needed unless the classes are numbers 0 and 1 or words for no and yes.

    Raises
    ------
    DataError
        One class only, more than two without ``positive``, or classes of which the positive one is not clear.
    """
    known, notes = _known(name, outcome.to_frame("outcome"))
    _refuse(name, endpoint_faults(outcome=known["outcome"].rename(name)))
    event = _as_event(name, known["outcome"], positive)
    _refuse(name, endpoint_faults(outcome=pd.Series(event, name=name)))
    return Endpoint(name, event, known.index, notes=notes)


def multiclass_endpoint(name: str, outcome: pd.Series) -> Endpoint:
    """An endpoint of three classes or more.

    Parameters
    ----------
    outcome : Series, index = patient (each once)
        Classes; patients without one are left out, with a note. Numbers are ordered by value, then come words.

    Raises
    ------
    DataError
        Fewer than three classes, or an infinite one.
    """
    known, notes = _known(name, outcome.to_frame("outcome"))
    labels = known["outcome"].astype(object).map(as_category)
    _refuse(name, [*endpoint_faults(outcome=known["outcome"].rename(name)), *_infinite(name, known["outcome"])])
    classes = sorted(labels.unique(), key=_order)
    if len(classes) == 2:
        raise DataError("the outcome has two classes only", where=f"endpoint {name}", todo="Set 'kind' to binary")
    codes = pd.Categorical(labels, categories=classes).codes.astype(int)
    return Endpoint(name, codes, known.index, notes=notes, classes=tuple(classes))


def continuous_endpoint(name: str, outcome: pd.Series, *, unit: str = "") -> Endpoint:
    """An endpoint that is a number.

    Parameters
    ----------
    outcome : Series, index = patient (each once)
        Numbers in ``unit``; patients without one are left out, with a note.

    Raises
    ------
    DataError
        Values that are no numbers or infinite, or everywhere the same.
    """
    numbers = _as_numbers(name, outcome, "values of the outcome")
    _refuse(name, _infinite(name, numbers))
    known, notes = _known(name, numbers.to_frame("outcome"))
    if known["outcome"].nunique() < 2:
        raise DataError("every patient has the same value", where=f"endpoint {name}",
                        todo="Check the table, or choose another endpoint")
    return Endpoint(name, known["outcome"].to_numpy(dtype=float), known.index, unit=unit, notes=notes)


def survival_endpoint(name: str, time: pd.Series, event: pd.Series | None = None, *, unit: str = "",
                      positive: str = "", entry: pd.Series | None = None, cause: pd.Series | None = None,
                      cause_of_interest: str = "") -> Endpoint:
    """An endpoint with follow-up.

    Parameters
    ----------
    time, event : Series, index = patient (each once)
        Follow-up time, and whether the event was seen; patients without either are left out, with a note. Without
        ``event``, ``cause`` tells.
    positive : str
        The value of ``event`` that counts as the event.
    entry : Series, index = patient, optional
        Time from which a patient is under observation (left truncation), counted like ``time``; patients without
        one are left out, with a note.
    cause : Series, index = patient, optional
        What ended follow-up; empty, 0 or a word such as "censored" means that nothing did. Every cause but
        ``cause_of_interest`` is a competing event.
    cause_of_interest : str
        May be empty where there is one cause only or they are numbers, of which 1 then is the event.

    Raises
    ------
    DataError
        Times that are negative, infinite or no numbers, entry at or after the end of follow-up, no event, events
        that are not clearly yes or no, or event and cause that contradict each other.
    """
    if event is None and cause is None:
        raise ValueError("give the event or the cause")
    frame = pd.DataFrame({"time": _times(name, time)})
    frame["event"] = True if event is None else event
    frame["entry"] = 0.0 if entry is None else _times(name, entry)
    known, notes = _known(name, frame)
    if entry is not None:
        _refuse_late(name, known)
    happened = np.ones(len(known), dtype=bool) if event is None else _as_event(name, known["event"], positive)
    codes: np.ndarray | None = None
    causes: tuple[str, ...] = ()
    if cause is not None:
        labels = cause.reindex(known.index).astype(object).map(as_category, na_action="ignore")
        codes, causes = _as_causes(name, labels, cause_of_interest)
        if event is not None:
            _refuse_contradiction(name, happened, codes)
        happened = codes == 1
        notes = (*notes, *_competing(causes, codes))
    if not happened.any():
        raise DataError("no patient had the event", where=f"endpoint {name}",
                        todo="Check how the event column is coded, or choose another endpoint")
    return Endpoint(name, happened, known.index, known["time"].to_numpy(dtype=float), unit, notes=notes,
                    entry=None if entry is None else known["entry"].to_numpy(dtype=float), cause=codes, causes=causes)


def find_endpoint(study: Any, name: str, *, time: str = "", positive: str = "",
                  kind: Kind | Literal["auto"] = "auto") -> Endpoint:
    """The endpoint of that name in a study.

    Parameters
    ----------
    study : Study
    name : str
        An endpoint of the data dictionary, or a column.
    time : str
        Follow-up column, when ``name`` is an event column that the dictionary does not pair with one.
    positive : str
        The class or cause that counts as the event.
    kind : str
        ``auto``: survival with a follow-up time; binary with two classes or with ``positive``; continuous for numbers
        with more than ten different values; several classes for 3 to 20 categories. Whatever else is not clear.

    Raises
    ------
    DataError
        No such endpoint, one of which the kind is not clear, or one that cannot be used: see :func:`binary_endpoint`,
        :func:`multiclass_endpoint`, :func:`continuous_endpoint`, :func:`survival_endpoint`.
    """
    return read_endpoint(study, name, endpoint_columns(study, name, time=time), positive=positive, kind=kind)


def read_endpoint(study: Any, name: str, source: EndpointColumns, *, positive: str = "",
                  kind: Kind | Literal["auto"] = "auto") -> Endpoint:
    """The endpoint that these columns make; parameters and errors as for :func:`find_endpoint`."""
    frame, info = study.table(source.table), study.tables[source.table]
    check_patient_level(frame, study.id_column, source.table)
    for column in source.columns:
        if column not in frame.columns:
            raise DataError(f"there is no column '{column}'", where=f"table {source.table}",
                            todo="Correct the data dictionary or import the table again")
    wanted = _asked(name, source, kind) if kind != "auto" else _kind(name, source, frame[source.outcome], info,
                                                                     positive)
    notes = source.notes
    if wanted == "survival":
        endpoint = _with_follow_up(name, source, frame, info, positive)
    elif wanted == "multiclass":
        endpoint = multiclass_endpoint(name, frame[source.outcome])
    elif wanted == "continuous":
        endpoint = continuous_endpoint(name, frame[source.outcome], unit=info.column(source.outcome).unit)
    else:
        endpoint = binary_endpoint(name, frame[source.outcome], positive=positive)
    if source.time and wanted != "survival":
        notes = (f"'{source.outcome}' was used without its follow-up time '{source.time}', as if everybody had been "
                 "followed equally long.",)
    columns = tuple((source.table, column) for column in source.columns)
    return replace(endpoint, columns=columns, notes=(*notes, *endpoint.notes))


def _with_follow_up(name: str, source: EndpointColumns, frame: pd.DataFrame, info: TableInfo,
                    positive: str) -> Endpoint:
    cause = frame[source.cause] if source.cause else None
    event = None if source.cause == source.outcome else frame[source.outcome]
    return survival_endpoint(name, frame[source.time], event, unit=info.column(source.time).unit,
                             positive="" if source.cause else positive,
                             entry=frame[source.entry] if source.entry else None, cause=cause,
                             cause_of_interest=positive if source.cause else "")


def _asked(name: str, source: EndpointColumns, kind: str) -> str:
    """A kind that was set, where the columns allow it."""
    if kind not in get_args(Kind):
        raise DataError(f"there is no kind of endpoint '{kind}'", where=f"endpoint {name}",
                        todo=f"Set 'kind' to auto, {', '.join(get_args(Kind))}")
    if kind == "survival" and not source.time:
        raise DataError("it has no follow-up time", where=f"endpoint {name}",
                        todo="Set 'time' to its column, or give that column the role 'time' in the data dictionary")
    return kind


def _kind(name: str, source: EndpointColumns, values: pd.Series, info: TableInfo, positive: str) -> str:
    """What an outcome is, by its dictionary and its values.

    Raises
    ------
    DataError
        It is not clear.
    """
    if source.time:
        return "survival"
    classes = values.nunique()
    if positive or classes <= 2:
        return "binary"
    column, numeric = info.column(source.outcome), pd.api.types.is_numeric_dtype(values)
    declared = column.type
    named = declared in ("category", "text") and column.role not in ("event", "cause")
    if declared == "date" or pd.api.types.is_datetime64_any_dtype(values):
        raise DataError("it holds dates", where=f"endpoint {name}",
                        todo="Choose another outcome, or build an endpoint from the dates")
    if numeric and not named and is_continuous(values):
        return "continuous"
    if (named or not (numeric or source.outcome in info.columns)) and classes <= MOST_CLASSES:
        return "multiclass"
    raise DataError(f"it is not clear what kind of outcome its {classes} different values make",
                    where=f"endpoint {name}", todo="Set 'kind' to multiclass or continuous, or 'positive' to the class "
                    f"that counts as the event{_listed(sorted(values.dropna().map(as_category).unique(), key=_order))}")


def check_patient_level(frame: pd.DataFrame, id_column: str, table: str) -> None:
    """Refuse a table that has no identifiers or several rows for a patient."""
    if frame.index.name != id_column:
        raise DataError(f"the table has no identifier column '{id_column}'", where=f"table {table}",
                        todo="Import it with the column that identifies patients")
    repeated = int(frame.index.duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} rows repeat a patient, so the outcome is not clear", where=f"table {table}",
                        todo="Keep the outcome in a table with one row per patient")


def _known(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Patients with a complete endpoint, sorted by identifier, and a note on the others."""
    known = frame.dropna().sort_index()
    left_out = len(frame) - len(known)
    if known.empty:
        raise DataError("no patient has this outcome", where=f"endpoint {name}", todo="Check the table")
    if not left_out:
        return known, ()
    return known, (f"{left_out} of {len(frame)} patients have no value for '{name}' and were left out.",)


def _refuse(name: str, faults: Sequence[str]) -> None:
    if faults:
        raise DataError("; ".join(faults), where=f"endpoint {name}",
                        todo="Correct the table, or choose another endpoint")


def _infinite(name: str, values: pd.Series) -> list[str]:
    """An outcome's infinite values as a fault."""
    if not pd.api.types.is_numeric_dtype(values):
        return []
    count = int(np.isinf(values.to_numpy(dtype=float, na_value=np.nan)).sum())
    return [f"the outcome '{name}' is infinite in {count} patients"] if count else []


def _as_numbers(name: str, values: pd.Series, what: str) -> pd.Series:
    """Numbers as float; anything else is an error with a count."""
    dates = pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values)
    numbers = pd.Series(np.nan, values.index) if dates else pd.to_numeric(values, errors="coerce").astype(float)
    unreadable = int((numbers.isna() & values.notna()).sum())
    if unreadable:
        raise DataError(f"{unreadable} {what} are no numbers", where=f"endpoint {name}, column {values.name}",
                        todo="Correct them in the table")
    return numbers


def _times(name: str, values: pd.Series) -> pd.Series:
    """Times as float, none of them negative or infinite."""
    numbers = _as_numbers(name, values, "follow-up times")
    _refuse(name, endpoint_faults(time=numbers.rename(str(values.name))))
    return numbers


def _refuse_late(name: str, known: pd.DataFrame) -> None:
    late = int((known["entry"] >= known["time"]).sum())
    if late:
        raise DataError(f"{late} of {len(known)} patients come under observation when their follow-up has ended, or "
                        "later", where=f"endpoint {name}",
                        todo="Correct both times, or leave these patients out: they were never observed")


def _as_causes(name: str, labels: pd.Series, interest: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cause of each patient as a code, 0 for none and 1 for the event, and the names of the codes from 1 on."""
    nothing = labels.isna() | labels.astype("str").str.strip().str.lower().isin(_NO | {""})
    found = sorted(labels[~nothing].unique(), key=_order)
    if not found:
        raise DataError("no patient had the event", where=f"endpoint {name}",
                        todo="Check how the cause column is coded, or choose another endpoint")
    first = interest or (found[0] if len(found) == 1 or "1" in found else "")
    if first not in found:
        what = f"no patient has the cause '{interest}'" if interest else "it is not clear which cause is the event"
        raise DataError(what, where=f"endpoint {name}",
                        todo=f"Set 'positive' to the cause that counts as the event{_listed(found)}")
    causes = (first, *(cause for cause in found if cause != first))
    codes = pd.Categorical(labels.where(~nothing), categories=causes).codes.astype(int) + 1
    return codes, causes


def _refuse_contradiction(name: str, happened: np.ndarray, codes: np.ndarray) -> None:
    """An event needs a cause; the cause of interest needs an event. A competing one may count as event or not."""
    wrong = int((happened & (codes == 0)).sum() + (~happened & (codes == 1)).sum())
    if wrong:
        raise DataError(f"event and cause contradict each other in {wrong} of {len(codes)} patients",
                        where=f"endpoint {name}", todo="Correct them in the table")


def _competing(causes: Sequence[str], codes: np.ndarray) -> tuple[str, ...]:
    """Which events compete, as a note."""
    if len(causes) < 2:
        return ()
    counts = ", ".join(f"'{cause}' ({int((codes == code).sum())})" for code, cause in enumerate(causes[1:], start=2))
    return (f"'{causes[0]}' counts as the event; competing events: {counts}.",)


def _as_event(name: str, values: pd.Series, positive: str) -> np.ndarray:
    """True where the event happened or the class is the positive one."""
    texts = values.map(as_category)
    classes = sorted(texts.unique())
    if positive:
        if positive not in classes:
            raise DataError(f"no patient has the class '{positive}'", where=f"endpoint {name}",
                            todo=f"Set 'positive' to one of: {', '.join(classes[:10])}")
        return (texts == positive).to_numpy()
    words = texts.str.lower()
    if not set(words) <= _YES | _NO:
        raise DataError(f"it is not clear which of its {len(classes)} values is the event", where=f"endpoint {name}",
                        todo=f"Set 'positive' to the class that counts as the event{_listed(classes)}")
    return words.isin(_YES).to_numpy()


def as_category(value: Any) -> str:
    """A class or category as people write it: 1, not 1.0, as whole numbers are read where some are missing."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _order(label: str) -> tuple[float, str]:
    """Numbers by value, before words."""
    try:
        return float(label), ""
    except ValueError:
        return float("inf"), label


def _listed(classes: Sequence[str]) -> str:
    """A few classes for the end of an advice."""
    return f": {', '.join(classes)}" if len(classes) <= 10 else ""

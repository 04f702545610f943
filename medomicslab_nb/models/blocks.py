"""Blocks of predictors: one design matrix per block, joined on patients.

Nothing is learned here: categories stay categories and missing values stay missing until a training fold is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.evaluation.checks import Disguise, disguised_predictors
from medomicslab_nb.evaluation.dates import as_dates, check_dates, index_dates
from medomicslab_nb.evaluation.endpoints import Endpoint, as_category
from medomicslab_nb.evaluation.visits import changes
from medomicslab_nb.tables import Column, TableInfo

_NUMERIC = ("number", "integer", "boolean")
_MUCH_MISSING = 0.2
_MOST_NAMED = 5
_OUTCOME_ROLES = ("outcome", "time", "event", "entry", "cause")


@dataclass(frozen=True)
class Design:
    """Predictors of all blocks.

    Attributes
    ----------
    frame : DataFrame, shape (n_patients, n_columns)
        Numeric columns as float, categorical ones as text; index = patient, in the endpoint's order.
    blocks : mapping
        Columns of each block.
    categorical : tuple of str
        Columns that are categories.
    tables : mapping
        Tables of each block.
    predictors : mapping
        Columns of each table that are used.
    notes : tuple of str
        What was left out, in whole sentences.
    """

    frame: pd.DataFrame
    blocks: Mapping[str, tuple[str, ...]]
    categorical: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    predictors: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    @property
    def block_of(self) -> dict[str, str]:
        """Block of each column."""
        return {column: block for block, columns in self.blocks.items() for column in columns}

    def part(self, names: Sequence[str]) -> Design:
        """Only these blocks."""
        columns = [column for name in names for column in self.blocks[name]]
        return Design(self.frame[columns], {name: self.blocks[name] for name in names},
                      tuple(column for column in self.categorical if column in set(columns)))


def build_design(study: Any, endpoint: Endpoint, *, blocks: Mapping[str, tuple[str, ...]],
                 predictors: Mapping[str, tuple[str, ...]], complete: bool = False,
                 visits: Mapping[str, tuple[float, float]] | None = None, landmark: float = 0.0,
                 keep_empty: bool = False) -> Design:
    """Collect the predictors of a study.

    Parameters
    ----------
    blocks : mapping
        Tables of each block; empty: every imported table of patients, by its own block.
    predictors : mapping
        Columns by table; for tables not listed, every predictor of the dictionary.
    complete : bool
        Only patients that are in every table; otherwise those in any, with missing values where they are not.
    visits : mapping, optional
        Window, in the endpoint's unit of time from the index date, of each table with several dated rows per patient:
        its predictors are how values changed until then.
    landmark : float
        Time from which the endpoint is counted: no window may end after it.
    keep_empty : bool
        Columns in which nobody has a value stay: those of patients to be predicted, who may lack a whole block.

    Raises
    ------
    DataError
        A table has several rows per patient, dates after the index date, values that do not fit the dictionary, or
        nothing to predict from; no patient is left.
    """
    visits = visits or {}
    chosen, notes = _chosen_tables(study, blocks, {**visits, **predictors})
    dates = index_dates(study)
    parts: dict[str, _Part] = {}
    for block, tables in chosen.items():
        for table in tables:
            parts[table] = (_visits_part(study, table, block, endpoint, predictors.get(table), dates, visits[table],
                                         landmark) if table in visits else
                            _table_part(study, table, block, endpoint, predictors.get(table), dates))
            notes.extend(parts[table].notes)
    parts = {name: part for name, part in parts.items() if part.frame.shape[1]}
    used = {name: tuple(part.frame.columns) for name, part in parts.items()}
    parts = _distinct_names(parts)
    if not parts:
        raise DataError("there is nothing to predict from", where="predictors",
                        todo="Give columns the role 'predictor' in the data dictionary, or add a table")
    patients, note = _patients(endpoint, parts, complete=complete)
    frame = pd.concat([part.frame.reindex(patients) for part in parts.values()], axis=1)
    empty = frame.columns[frame.isna().all()]
    design = Design(frame, _block_columns(parts),
                    tuple(column for part in parts.values() for column in part.categorical), (*notes, *note),
                    {block: tuple(table for table in tables if table in used) for block, tables in chosen.items()
                     if used.keys() & set(tables)}, used)
    return design if keep_empty else _without(design, empty)


def find_disguises(design: Design, endpoint: Endpoint) -> list[Disguise]:
    """Predictors that are the outcome in disguise; design and endpoint hold the same patients in the same order."""
    index = design.frame.index
    if endpoint.time is None:
        return disguised_predictors(design.frame, outcome=pd.Series(endpoint.outcome, index=index))
    event = pd.Series(endpoint.event, index=index)
    return disguised_predictors(design.frame, time=pd.Series(endpoint.time, index=index), event=event)


def predictor_warnings(design: Design, disguises: Sequence[Disguise]) -> list[str]:
    """What a reader must know about the predictors, in whole sentences."""
    warnings = [f"'{disguise.column}' {disguise.sentence}: check that it was known before the outcome, or remove it; "
                "every result below rests on it." for disguise in disguises]
    warnings += _gaps(design)
    n, p = design.frame.shape
    if p > n:
        warnings.append(f"There are more predictors ({p}) than patients ({n}): expect unstable models and "
                        "importances; only the cross-validated numbers count.")
    return warnings


def _gaps(design: Design) -> list[str]:
    """The columns of which much is missing among the patients that have their block; none for wide blocks."""
    said = []
    for block, columns in design.blocks.items():
        own = design.frame[list(columns)]
        own = own[own.notna().any(axis=1)]
        missing = own.isna().sum()
        gaps = missing[missing >= _MUCH_MISSING * len(own)]
        if 0 < len(gaps) <= _MOST_NAMED:
            said += [f"'{column}' is missing in {count} of {len(own)} patients of block {block}: what is missing is "
                     "filled in inside the training folds, and that it is missing may itself be a predictor."
                     for column, count in gaps.items()]
        elif len(gaps):
            said.append(f"{len(gaps)} of {len(columns)} columns of block {block} are missing in "
                        f"{_MUCH_MISSING:.0%} of its patients or more.")
    return said


@dataclass(frozen=True)
class _Part:
    """The predictors of one table."""

    block: str
    frame: pd.DataFrame
    categorical: tuple[str, ...]
    notes: tuple[str, ...] = ()


def _chosen_tables(study: Any, blocks: Mapping[str, tuple[str, ...]],
                   predictors: Mapping[str, Any]) -> tuple[dict[str, list[str]], list[str]]:
    """Tables of each block, and notes on tables that cannot be used."""
    if blocks:
        return {block: list(tables) for block, tables in blocks.items() if tables}, []
    chosen: dict[str, list[str]] = {}
    notes = []
    for name, info in study.tables.items():
        if not _has_predictors(info):
            continue
        if info.level != "patient" and name not in predictors:
            visits = "; the setting 'visits' makes predictors of it" if info.level == "visit" else ""
            notes.append(f"Table '{name}' has several rows per patient (level {info.level}) and was left out{visits}.")
        else:
            chosen.setdefault(info.block, []).append(name)
    # Clinical predictors come first: everything else is judged by what it adds to them.
    return dict(sorted(chosen.items(), key=lambda item: (item[0] != "clinical", item[0]))), notes


def _has_predictors(info: TableInfo) -> bool:
    """Whether anything in the table is meant to predict: images, protocols, notes and the like are not."""
    unlisted = info.n_columns > len(info.columns) and (info.default_column or Column()).role == "predictor"
    return unlisted or any(column.role == "predictor" for column in info.columns.values())


def _table_part(study: Any, name: str, block: str, endpoint: Endpoint, columns: Sequence[str] | None,
                dates: pd.Series | None) -> _Part:
    """One table's predictors, checked against its dictionary."""
    try:
        frame, info = study.table(name), study.info(name)
    except StudyError as error:
        raise DataError(error.found, where=f"block {block}", todo=error.todo) from None
    if frame.index.name != study.id_column:
        raise DataError(f"the table has no identifier column '{study.id_column}'", where=f"table {name}",
                        todo="Import it with the column that identifies patients, or leave it out of the blocks")
    repeated = int(frame.index.duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} rows repeat a patient", where=f"table {name}",
                        todo="Bring it to one row per patient first, or leave it out of the blocks")
    names = _predictor_names(name, frame, info, endpoint, columns)
    notes = _date_notes(name, frame, info, dates) if names else ()
    kinds = {column: _kind(frame[column], info.column(column).type, column in info.columns) for column in names}
    unusable = [column for column, kind in kinds.items() if kind in ("text", "date")]
    if unusable:
        notes += (f"Table '{name}': {_some(unusable)} hold text or dates and were left out.",)
    numeric = _numbers(name, frame[[column for column, kind in kinds.items() if kind in _NUMERIC]])
    categorical = frame[[column for column, kind in kinds.items() if kind == "category"]]
    values = pd.concat([numeric, categorical.astype(object).where(categorical.notna(), None).map(
        as_category, na_action="ignore")], axis=1)
    values = values[[column for column in names if column not in unusable]]
    return _Part(block, values, tuple(categorical.columns), notes)


def _visits_part(study: Any, name: str, block: str, endpoint: Endpoint, columns: Sequence[str] | None,
                 dates: pd.Series | None, window: tuple[float, float], landmark: float) -> _Part:
    """How the values of a table with several dated rows per patient changed within a window."""
    frame, info = study.table(name), study.info(name)
    where = f"table {name}, setting 'visits'"
    if dates is None or not info.date_column:
        lack = "the study has no index date" if dates is None else "its rows have no date"
        raise DataError(f"{lack}, so changes cannot be dated", where=where,
                        todo="Name the index date, and the date column of the table when it is imported")
    if window[1] > landmark:
        raise DataError(f"the window ends at {window[1]:g}, after time 0 of the analysis ({landmark:g})", where=where,
                        todo="Set 'landmark' to the end of the window or later: patients with an event before it "
                             "could not have been measured")
    names = [column for column in _predictor_names(name, frame, info, endpoint, columns)
             if column != info.date_column]
    found = changes(frame, info.date_column, dates, window=window, unit=endpoint.unit or "days", columns=names)
    measured = found[found.notna().any(axis=1)].rename_axis(study.id_column)
    own = as_dates(frame[info.date_column], name)
    undated = int((own.isna() | dates.reindex(own.index).isna().to_numpy()).sum())
    notes = (f"Table '{name}': {undated} of {len(frame)} rows have no date or no index date and were left out.",)
    return _Part(block, measured, (), notes if undated else ())


def _predictor_names(table: str, frame: pd.DataFrame, info: Any, endpoint: Endpoint,
                     columns: Sequence[str] | None) -> list[str]:
    target = {column for owner, column in endpoint.columns if owner == table}
    if columns is None:
        return [column for column in frame.columns if info.column(column).role == "predictor" and column not in target]
    for column in columns:
        if column not in frame.columns:
            raise DataError(f"there is no column '{column}'", where=f"table {table}, setting 'predictors'",
                            todo="Correct the setting")
        if column in target or info.column(column).role in _OUTCOME_ROLES:
            raise DataError(f"'{column}' is an outcome and cannot predict one", where=f"table {table}",
                            todo="Remove it from the setting 'predictors'")
    return list(dict.fromkeys(columns))


def _kind(values: pd.Series, declared: str, listed: bool) -> str:
    """The declared type; what it looks like for columns that the dictionary does not list."""
    if listed or declared != "number" or pd.api.types.is_numeric_dtype(values):
        return declared
    return "date" if pd.api.types.is_datetime64_any_dtype(values) else "category"


def _numbers(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float; text that is no number is an error with a count."""
    if all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes):
        numbers = frame.astype(float) if not _is_float(frame) else frame
    else:
        numbers = frame.apply(lambda column: pd.to_numeric(column, errors="coerce")).astype(float)
        wrong = (numbers.isna() & frame.notna()).sum()
        for column in wrong.index[wrong > 0]:
            raise DataError(f"{int(wrong[column])} values of '{column}' are no numbers", where=f"table {table}",
                            todo="Correct them, or declare the column a category in the data dictionary")
    infinite = numbers.abs().eq(float("inf")).sum()
    for column in infinite.index[infinite > 0]:
        raise DataError(f"{int(infinite[column])} values of '{column}' are infinite", where=f"table {table}",
                        todo="Correct them, or mark them as missing")
    return numbers


def _is_float(frame: pd.DataFrame) -> bool:
    return all(kind in ("float32", "float64") for kind in frame.dtypes)


def _date_notes(name: str, frame: pd.DataFrame, info: Any, dates: pd.Series | None) -> tuple[str, ...]:
    """Refuse a table with values measured after the patients' index date; say what could not be compared."""
    checked = check_dates(frame, info, dates)
    if checked is None:
        return ()
    late = int(checked.late.sum())
    if late:
        raise DataError(f"{late} of {len(frame)} patients have values dated after their index date",
                        where=f"table {name}, column {checked.column}",
                        todo="Keep only what was known at the index date, or leave the table out of the blocks")
    if not checked.declared:
        return (f"Table '{name}' was not compared with the index dates: nothing says that '{checked.column}' is the "
                "date of its values.",)
    if not checked.undated:
        return ()
    return (f"Table '{name}': for {checked.undated} of {len(frame)} patients the date or the index date is missing, so "
            "their values may come from after the index date.",)


def _distinct_names(parts: Mapping[str, _Part]) -> dict[str, _Part]:
    """Columns that several tables share get their table's name in front."""
    counts = pd.Series([column for part in parts.values() for column in part.frame.columns]).value_counts()
    shared = set(counts.index[counts > 1])
    result = {}
    for table, part in parts.items():
        names = {column: f"{table}: {column}" for column in part.frame.columns if column in shared}
        result[table] = replace(part, frame=part.frame.rename(columns=names),
                                categorical=tuple(names.get(column, column) for column in part.categorical))
    return result


def _patients(endpoint: Endpoint, parts: Mapping[str, _Part], *, complete: bool) -> tuple[pd.Index, list[str]]:
    """Patients of the endpoint that are in every table, or in any, and notes on those that are not in all."""
    held = pd.DataFrame({table: endpoint.patients.isin(part.frame.index) for table, part in parts.items()})
    kept = held.all(axis=1) if complete else held.any(axis=1)
    if not kept.any():
        which = "every table" if complete else "any table"
        raise DataError(f"no patient with an outcome is in {which}", where=f"tables {', '.join(parts)}",
                        todo="Check that identifiers are written the same way in all of them")
    notes = []
    lost = int((~kept).sum())
    if lost:
        where = f"in {'every' if complete else 'any'} table ({', '.join(parts)})"
        notes.append(f"{lost} of {len(kept)} patients with an outcome are not {where} and were left out.")
    for table in parts:
        lacking = int((kept & ~held[table]).sum())
        if lacking:
            notes.append(f"{lacking} of {int(kept.sum())} patients are not in table '{table}': its model is made "
                         "from the others, and what lacking it means is learned in training.")
    return endpoint.patients[kept.to_numpy()], notes


def _block_columns(parts: Mapping[str, _Part]) -> dict[str, tuple[str, ...]]:
    blocks: dict[str, tuple[str, ...]] = {}
    for part in parts.values():
        blocks[part.block] = blocks.get(part.block, ()) + tuple(part.frame.columns)
    return blocks


def _without(design: Design, columns: Iterable[str]) -> Design:
    """Without columns in which nobody has a value."""
    empty = set(columns)
    if not empty:
        return design
    blocks = {name: tuple(column for column in members if column not in empty)
              for name, members in design.blocks.items()}
    if not all(blocks.values()):
        bare = next(name for name, members in blocks.items() if not members)
        raise DataError("none of its columns holds a value", where=f"block {bare}",
                        todo="Correct the table or leave the block out")
    note = f"{_some(sorted(empty))} hold no value at all and were left out."
    return replace(design, frame=design.frame.drop(columns=list(empty)), blocks=blocks,
                   categorical=tuple(column for column in design.categorical if column not in empty),
                   notes=(*design.notes, note))


def _some(columns: Sequence[str]) -> str:
    """Names of columns for a sentence, five at most."""
    shown = ", ".join(f"'{column}'" for column in columns[:5])
    return f"columns {shown}" + (f" and {len(columns) - 5} more" if len(columns) > 5 else "")

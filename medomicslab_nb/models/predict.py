"""Apply a model file to new patients: the table is checked against what the model was trained on, then predicted.

What cannot be right is refused (a column that is missing, text where numbers were, another unit, a patient twice);
what can be but was never seen in training is predicted and flagged.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError, RunError
from medomicslab_nb.evaluation.endpoints import as_category
from medomicslab_nb.evaluation.risk_groups import risk_groups
from medomicslab_nb.files import read_document, sha256_of
from medomicslab_nb.models.model_file import ColumnSchema, ModelFile, load
from medomicslab_nb.models.out_of_distribution import prepared_matrix
from medomicslab_nb.protect import safe_cells

MODEL_FILE = "default.skops"
"""Name of the model file in a run's folder ``models``."""

ALPHA = 0.1
"""Share of patients whose prediction set or interval may miss the truth."""

_MISSING = frozenset({"", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "none", "?", "."})
_SHOWN = 5
_GROUPS = {1: ("low risk", "high risk"), 2: ("low risk", "intermediate risk", "high risk"),
           3: ("lowest quarter", "second quarter", "third quarter", "highest quarter")}
_WHERE = "table of new patients"
# Validation schemes in which whoever was held out is among the final model's training patients.
_ALL_TRAINED = ("cross-validation", "leave one centre out")


@dataclass
class _Checked:
    """New patients in the model's own columns, and what is to be said of each."""

    frame: pd.DataFrame
    flags: list[list[str]] = field(default_factory=list)

    def flag(self, rows: np.ndarray, text: str) -> None:
        for row in np.flatnonzero(rows):
            if text not in self.flags[row]:
                self.flags[row].append(text)


def predict(model_file: ModelFile, table: pd.DataFrame, centre: pd.Series | None = None, *,
            units: Mapping[str, str] | None = None, alpha: float = ALPHA) -> pd.DataFrame:
    """Predict new patients.

    Parameters
    ----------
    table : DataFrame
        Index = patient, each once. Columns in any order; others than the model's are ignored.
    centre : Series, index = patient, optional
        Centre of each patient, for a model that harmonises between centres.
    units : mapping, optional
        Unit by column, where the table has a data dictionary; a unit other than in training is refused.
    alpha : float
        Share of patients whose prediction set or interval may miss the truth.

    Returns
    -------
    DataFrame, one row per patient in the order of ``table``
        patient; score (multi-class: ``score: CLASS``); probability, ``probability: CLASS``, predicted or
        risk_at_horizon with horizon; prediction_set, or lower and upper; risk_group; distance and distance_limit (see
        :mod:`~medomicslab_nb.models.out_of_distribution`); flags, in words, separated by semicolons.

    Raises
    ------
    DataError
        No patient, a patient twice, missing columns (unless a whole block is missing), text or infinite values where
        numbers were, another unit.

    Notes
    -----
    Predictions of the training patients themselves are too good; :func:`predict_study` flags them.
    """
    checked = _check_table(model_file, table, units or {})
    model = model_file.model
    centre = None if centre is None else centre.reindex(checked.frame.index)
    _flag_centres(model, checked, centre)
    score = model.score(checked.frame, centre)
    estimate = model.probability(score)
    columns: dict[str, Any] = {"patient": checked.frame.index.to_numpy()}
    columns |= _estimates(model_file, score, estimate)
    columns |= _conformal(model_file, estimate, alpha)
    if model_file.endpoint.kind != "multiclass":
        columns["risk_group"] = _risk_groups(model.cut_offs, score)
    columns |= _distances(model_file, checked, centre)
    columns["flags"] = ["; ".join(flags) for flags in checked.flags]
    return pd.DataFrame(columns)


def predict_study(study: Any, run_id: str, tables: str | Sequence[str], *, centre: str = "",
                  alpha: float = ALPHA) -> pd.DataFrame:
    """Predict the patients of tables of a study by the model of one of its runs.

    Parameters
    ----------
    study : Study
    run_id : str
        A completed run of the stage "models".
    tables : str or sequence of str
        Tables of the study; a patient of any of them is predicted.
    centre : str
        Column of one of the tables with each patient's centre.

    Raises
    ------
    RunError
        The run has no model, or its file was changed.
    DataError
        See :func:`predict`.
    """
    model_file = load_run_model(study, run_id)
    names = [tables] if isinstance(tables, str) else list(tables)
    frames = {name: study.table(name) for name in names}
    for name, frame in frames.items():
        if frame.index.name != study.id_column:
            raise DataError(f"the table has no identifier column '{study.id_column}'", where=f"table {name}",
                            todo="Import it with the column that identifies patients")
        _refuse_repeated(frame, f"table {name}")
    infos = {name: study.info(name) for name in names}
    joined = joined_tables(model_file, frames)
    units = {column: infos[name].column(column).unit for name, frame in frames.items() for column in frame.columns}
    units |= {f"{name}: {column}": infos[name].column(column).unit for name, frame in frames.items()
              for column in frame.columns}
    found = predict(model_file, joined, _centre_column(joined, centre), units=units, alpha=alpha)
    trained = found["patient"].isin(_training_patients(study.run(run_id)))
    found["flags"] = [_and(flags, "was among the training patients: no test of the model") if known else flags
                      for flags, known in zip(found["flags"], trained, strict=True)]
    return found


def predict_tables(study: Any, run_id: str, tables: Sequence[str], *, read: Callable[..., Any],
                   centre: str = "") -> pd.DataFrame:
    """Predict the patients of tables of a study, or of files that are not in it; see :func:`predict_study`.

    Parameters
    ----------
    tables : sequence of str
        Names of tables, or paths of files.
    read : callable
        Reads a file: ``read(path, usual_id_column=...)`` gives an object with ``frame`` and ``id_column``.

    Raises
    ------
    DataError
        Tables and files are mixed, or a file has no identifiers.
    """
    files = [path for name in tables if (path := Path(name).expanduser()).is_file()]
    if not files:
        return predict_study(study, run_id, tables, centre=centre)
    if len(files) < len(tables):
        raise DataError("tables of the study and files are mixed", where=_WHERE,
                        todo="Give only the one or the other")
    frames = {}
    for path in files:
        found = read(path, usual_id_column=study.id_column)
        frame = found.frame.rename(columns={found.id_column: study.id_column}).set_index(study.id_column)
        _refuse_repeated(frame, f"file {path.name}")
        frames[path.stem] = frame
    model_file = load_run_model(study, run_id)
    joined = joined_tables(model_file, frames)
    return predict(model_file, joined, _centre_column(joined, centre))


def joined_tables(model_file: ModelFile, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Several tables side by side, patients of any of them, with the columns named as the model knows them.

    A column that several training tables shared is known to the model as ``TABLE: COLUMN``.
    """
    known = {column.name for column in model_file.columns}
    parts = [frame.rename(columns={column: f"{name}: {column}" for column in frame.columns
                                   if f"{name}: {column}" in known}) for name, frame in frames.items()]
    owners = pd.Series([column for part in parts for column in part.columns], dtype=object).value_counts()
    twice = [column for column in owners.index[owners > 1] if column in known]
    if twice:
        raise DataError(f"column '{twice[0]}' is in several of the tables", where=_WHERE,
                        todo="Leave it in the one that is meant")
    parts = [part[[column for column in part.columns if owners[column] == 1]] for part in parts]
    return pd.concat(parts, axis=1) if len(parts) > 1 else parts[0]


def load_run_model(study: Any, run_id: str, name: str = MODEL_FILE) -> ModelFile:
    """The model file of a run, checked against the record.

    Raises
    ------
    RunError
        The run keeps no such model, or the file is missing or was changed since.
    """
    record = study.run(run_id)
    models = read_document(record.path / "run.json", "run")["models"]
    path = record.path / "models" / name
    if record.status != "completed" or name not in models or not path.is_file():
        raise RunError("the run has no model", where=f"run {record.id}",
                       todo="Choose a completed run of stage 'models'")
    if sha256_of(path) != models[name]["sha256"]:
        raise RunError("the model file was changed since the run: its checksum is another", where=f"run {record.id}",
                       todo="Restore it from a copy, or replay the run")
    return load(path)


def write_csv(predictions: pd.DataFrame, path: Path) -> None:
    """Write predictions for a spreadsheet; an existing file is never overwritten.

    Raises
    ------
    DataError
        The file exists or cannot be written.
    """
    text = safe_cells(predictions).to_csv(index=False)
    try:
        with path.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
    except FileExistsError:
        raise DataError("the file exists and is not overwritten", where=path.name,
                        todo="Choose another name") from None
    except OSError as error:
        raise DataError(f"the file could not be written ({error.strerror or type(error).__name__})", where=path.name,
                        todo="Check the folder and its permissions") from None


# -- the table --------------------------------------------------------------------------------------------------------


def _check_table(model_file: ModelFile, table: pd.DataFrame, units: Mapping[str, str]) -> _Checked:
    if not len(table):
        raise DataError("it holds no patient", where=_WHERE, todo="Give one row per patient")
    _refuse_repeated(table, _WHERE)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"{len(twice)} column names occur twice", where=_WHERE, todo="Rename the columns")
    absent = _absent_blocks(model_file, table)
    columns = {column.name: column for column in model_file.columns}
    _refuse_units(columns, table, units)
    values: dict[str, Any] = {}
    for name, column in columns.items():
        if name not in table.columns:
            values[name] = pd.Series(np.nan if column.kind == "number" else None, index=table.index,
                                     dtype=float if column.kind == "number" else object)
        elif column.kind == "number":
            values[name] = _numbers(table[name], column)
        else:
            values[name] = _categories(table[name], column)
    frame = pd.DataFrame(values, index=table.index)[list(columns)]
    checked = _Checked(frame, [[] for _ in range(len(frame))])
    everyone = np.ones(len(frame), dtype=bool)
    for block in absent:
        checked.flag(everyone, f"block '{block}' is missing: it counts as in training")
    _flag_rows(model_file, checked, absent)
    return checked


def _refuse_repeated(table: pd.DataFrame, where: str) -> None:
    repeated = int(table.index.duplicated().sum())
    if repeated:
        raise DataError(f"{repeated} rows repeat a patient", where=where, todo="Bring it to one row per patient first")


def _absent_blocks(model_file: ModelFile, table: pd.DataFrame) -> list[str]:
    """Blocks of which the table has no column at all; other missing columns are refused where the model uses them."""
    blocks = model_file.blocks
    here = {block: [name for name in names if name in table.columns] for block, names in blocks.items()}
    absent = [block for block, names in here.items() if not names]
    used = {name for part in model_file.model.parts for name in part.preparation.needed_}
    lacking = [name for block, names in blocks.items() if block not in absent or len(absent) == len(blocks)
               for name in names if name in used and name not in table.columns]
    if lacking:
        known = {column.name for column in model_file.columns}
        others = {str(name).casefold(): name for name in table.columns if name not in known}
        near = difflib.get_close_matches(lacking[0].casefold(), list(others), n=1)
        hint = f" (is '{others[near[0]]}' meant?)" if near else ""
        raise DataError(f"{len(lacking)} of the {len(used)} columns that the model uses are missing: "
                        f"{_some(lacking)}{hint}",
                        where=_WHERE, todo="Name the columns as in training; leave cells empty where a value is not "
                                           "known")
    return absent


def _refuse_units(columns: Mapping[str, ColumnSchema], table: pd.DataFrame, units: Mapping[str, str]) -> None:
    other = [name for name, column in columns.items()
             if name in table.columns and column.unit and units.get(name) and units[name] != column.unit]
    if other:
        raise DataError(f"{len(other)} columns are in another unit than in training, e.g. '{other[0]}' in "
                        f"'{units[other[0]]}' instead of '{columns[other[0]].unit}'", where=_WHERE,
                        todo="Convert the values, or correct the data dictionary")


def _numbers(values: pd.Series, column: ColumnSchema) -> pd.Series:
    """Numbers as float, also from text; anything else is refused with a count."""
    if pd.api.types.is_datetime64_any_dtype(values):
        raise DataError(f"'{column.name}' holds dates, and was a number in training", where=_WHERE,
                        todo="Give the number that it was in training")
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype(float)
    else:
        plain = values.astype(object).map(_without_missing)
        numbers = pd.to_numeric(plain, errors="coerce").astype(float)
        wrong = int((numbers.isna() & plain.notna()).sum())
        if wrong:
            raise DataError(f"{wrong} of {len(values)} values of '{column.name}' are no numbers", where=_WHERE,
                            todo="Correct them, or leave the cells empty")
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise DataError(f"{infinite} of {len(values)} values of '{column.name}' are infinite", where=_WHERE,
                        todo="Correct them, or leave the cells empty")
    return numbers


def _categories(values: pd.Series, column: ColumnSchema) -> pd.Series:
    """Categories as text, written as in training where only the type differs (1, 1.0 and "1")."""
    known = set(column.categories)

    def text(value: Any) -> Any:
        value = _without_missing(value)
        if value is None:
            return None
        written = str(value).strip()
        if written in known:
            return written
        return next((other for other in _spellings(written) if other in known), written)

    return pd.Series([text(value) for value in values], index=values.index, dtype=object)


def _spellings(text: str) -> list[str]:
    """The same whole number in other types' spelling."""
    try:
        number = float(text)
    except ValueError:
        return []
    if not number.is_integer():
        return []
    return [str(int(number)), str(number)]


def _without_missing(value: Any) -> Any:
    if isinstance(value, str):
        return None if value.strip().lower() in _MISSING else value
    return None if pd.isna(value) else value


def _flag_rows(model_file: ModelFile, checked: _Checked, absent: Sequence[str]) -> None:
    """What was never seen in training: values beyond its range, new categories, patients without a value."""
    frame = checked.frame
    numbers = [column for column in model_file.columns if column.kind == "number" and column.block not in absent]
    values = frame[[column.name for column in numbers]].to_numpy(dtype=float)
    # A column without any value in training has no range: whatever is in it now was never seen.
    lower = np.array([np.inf if column.lower is None else column.lower for column in numbers])
    upper = np.array([-np.inf if column.upper is None else column.upper for column in numbers])
    # Values that went through single precision or text are not beyond their own range.
    slack = 1e-6 * np.maximum(np.abs(lower), np.abs(upper))
    slack[~np.isfinite(slack)] = 0.0
    with np.errstate(invalid="ignore"):
        beyond = (values < lower - slack) | (values > upper + slack)
    for row in np.flatnonzero(beyond.any(axis=1)):
        names = [numbers[position].name for position in np.flatnonzero(beyond[row])]
        checked.flags[row].append(f"outside of the training range: {_some(names)}")
    for column in model_file.columns:
        if column.kind == "category" and column.block not in absent:
            unseen = frame[column.name].notna() & ~frame[column.name].isin(column.categories)
            checked.flag(unseen.to_numpy(), f"a category that was not seen in training: '{column.name}'")
    empty = frame.isna().all(axis=1).to_numpy()
    checked.flag(empty, "no value at all: this is the prediction of an average training patient")
    for block, names in model_file.blocks.items():
        if block not in absent and len(model_file.blocks) > 1:
            without = frame[list(names)].isna().all(axis=1).to_numpy() & ~empty
            checked.flag(without, f"no value in block '{block}': it counts as in training")


def _flag_centres(model: Any, checked: _Checked, centre: pd.Series | None) -> None:
    """How patients of centres that were not in training, or are not known, are harmonised."""
    for part in model.parts:
        present = part.present(checked.frame)
        groups = {"": present} if centre is None else {
            str(name): present & centre.fillna("").eq(name).to_numpy() for name in centre.fillna("").unique()}
        for rows in groups.values():
            for note in part.preparation.centre_notes(None if centre is None else centre[rows]) if rows.any() else ():
                checked.flag(rows, note.rstrip("."))


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _training_patients(record: Any) -> pd.Index:
    """Who the model was fitted on, as far as the run's tables tell: the model file itself names nobody."""
    if record.settings.get("validation", "cross-validation") not in _ALL_TRAINED or "predictions" not in record.tables:
        return pd.Index([], dtype=object)
    return pd.Index(record.table("predictions")["patient"].unique())


def _and(flags: str, flag: str) -> str:
    return f"{flags}; {flag}" if flags else flag


def _centre_column(table: pd.DataFrame, centre: str) -> pd.Series | None:
    if not centre:
        return None
    if centre not in table.columns:
        raise DataError(f"there is no column '{centre}'", where=_WHERE, todo="Name the column of the centres")
    return table[centre].map(as_category, na_action="ignore")


# -- the predictions --------------------------------------------------------------------------------------------------


def _estimates(model_file: ModelFile, score: np.ndarray, estimate: np.ndarray) -> dict[str, Any]:
    endpoint = model_file.endpoint
    if endpoint.kind == "multiclass":
        names = endpoint.classes
        return {**{f"score: {name}": score[:, k] for k, name in enumerate(names)},
                **{f"probability: {name}": estimate[:, k] for k, name in enumerate(names)},
                "most_likely": np.array(names, dtype=object)[np.argmax(estimate, axis=1)]}
    if endpoint.kind == "survival":
        return {"score": score, "horizon": endpoint.horizon, "risk_at_horizon": estimate}
    return {"score": score, "probability" if endpoint.kind == "binary" else "predicted": estimate}


def _conformal(model_file: ModelFile, estimate: np.ndarray, alpha: float) -> dict[str, Any]:
    conformal = model_file.conformal
    if conformal is None:
        return {}
    if not conformal.classes:
        lower, upper = conformal.interval(estimate, alpha=alpha)
        return {"lower": lower, "upper": upper}
    sets = conformal.sets(estimate, alpha=alpha)
    return {"prediction_set": [" or ".join(name for name, held in zip(conformal.classes, row, strict=True) if held)
                               or "none" for row in sets]}


def _risk_groups(cut_offs: Sequence[float], score: np.ndarray) -> np.ndarray:
    """Names of the groups between the cut-offs; a score at a cut-off belongs above, as in the run's tables."""
    count = len(cut_offs)
    names = _GROUPS.get(count) or tuple(f"risk group {number + 1} of {count + 1}" for number in range(count + 1))
    return np.array(names if count else ("",), dtype=object)[risk_groups(score, cut_offs)]


def _distances(model_file: ModelFile, checked: _Checked, centre: pd.Series | None) -> dict[str, Any]:
    applicability = model_file.applicability
    if applicability is None:
        return {}
    distance = applicability.distance(prepared_matrix(model_file.model, checked.frame, centre)[0])
    checked.flag(distance > applicability.limit, "unlike the training patients: nothing was checked there")
    return {"distance": distance, "distance_limit": applicability.limit}

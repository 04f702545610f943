"""The study folder: tables with their data dictionary, splits, runs and cache. The only state that stages share."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import MedomicsError, RunError, StudyError
from medomicslab_nb.files import (
    FORMAT_PREFIX,
    read_document,
    read_table,
    sha256_json,
    sha256_of,
    table_bytes,
    write_bytes,
    write_yaml,
)
from medomicslab_nb.record import RunRecord, read_record
from medomicslab_nb.settings import SettingsPart

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
LISTING = "*"  # the input that stands for "which tables there are"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}")
_LOCK_TIMEOUT_S = 60.0
_FEATURE = "feature"  # column of feature names in a transposed table


class Column(SettingsPart):
    """One entry of the data dictionary."""

    role: Literal["identifier", "predictor", "outcome", "time", "event", "date", "index_date", "centre",
                  "ignore"] = "predictor"
    """What the column is used for."""
    type: Literal["number", "integer", "category", "boolean", "text", "date"] = "number"
    """How its values are read."""
    unit: str = ""
    """Unit of its values, e.g. ``mm`` or ``days``."""
    endpoint: str = ""
    """Endpoint that it belongs to (roles outcome, time and event); empty: the column's own name."""
    description: str = ""
    """What it means, in words."""


@dataclass(frozen=True)
class TableInfo:
    """What a table's YAML file says of it."""

    name: str
    block: str = "clinical"
    """Block of predictors that the table forms: clinical, genes, radiomics, ..."""
    level: Literal["patient", "lesion", "visit"] = "patient"
    """What one row is."""
    id_column: str = "patient"
    date_column: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    default_column: Column | None = None
    """Entry of every column that ``columns`` does not list (wide omics tables)."""
    source: str = ""
    """Name of the file that it came from."""
    n_rows: int = 0
    n_columns: int = 0
    transposed: bool = False
    """Stored as float32, one row a feature and one column a patient (omics)."""
    file: str = ""
    sha256: str = ""

    def column(self, name: str) -> Column:
        """The dictionary's entry of a column; a plain predictor where it has none."""
        return self.columns.get(name) or self.default_column or Column()

    def to_dict(self) -> dict[str, Any]:
        """As stored: the defaults of each column are left out."""
        content = {key: getattr(self, key) for key in self.__dataclass_fields__}
        content["columns"] = {name: column.model_dump(exclude_defaults=True) for name, column in self.columns.items()}
        content["default_column"] = self.default_column and self.default_column.model_dump(exclude_defaults=True)
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TableInfo:
        values = {key: content[key] for key in cls.__dataclass_fields__ if key in content}
        values["columns"] = {name: Column(**column) for name, column in values["columns"].items()}
        default = values.get("default_column")
        values["default_column"] = None if default is None else Column(**default)
        return cls(**values)


@dataclass(frozen=True)
class Input:
    """A table as a run reads it: the name in the settings, what it resolved to, and its checksum."""

    name: str
    ref: str
    sha256: str


class Study:
    """A study folder. Use :func:`create_study` or :func:`open_study`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._about = read_document(path / "study.yaml", "study", FORMAT_VERSION)

    @property
    def name(self) -> str:
        return str(self._about["name"])

    @property
    def id_column(self) -> str:
        """Name of the column that identifies patients in every table."""
        return str(self._about["id_column"])

    @property
    def index_date(self) -> str | None:
        """Name of the column with each patient's index date, or None."""
        return self._about.get("index_date")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held for a commit only; an operating system lock that dies with its process.

        Raises
        ------
        StudyError
            Another process held it for a minute.
        """
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.path / ".lock", timeout=_LOCK_TIMEOUT_S):
                yield
        except Timeout:
            raise StudyError("another process has been writing to the study for a minute", where=self.name,
                             todo="Wait for it to end or stop it, then try again") from None

    # -- tables ---------------------------------------------------------------------------------------------------

    @property
    def tables(self) -> dict[str, TableInfo]:
        """The imported tables by name, in alphabetical order."""
        return {name: self.info(name) for name in self._table_names()}

    def _table_names(self) -> list[str]:
        return sorted(path.stem for path in (self.path / "tables").glob("*.yaml") if "." not in path.stem)

    def info(self, name: str) -> TableInfo:
        """The dictionary of an imported table; for a run's table, one in which every column is a predictor."""
        if self._is_imported(name):
            return self._info_at(f"tables/{name}.yaml")
        return self._plain_info(name)

    def _is_imported(self, name: str) -> bool:
        return "." not in name and (self.path / "tables" / f"{name}.yaml").exists()

    def _plain_info(self, name: str) -> TableInfo:
        return TableInfo(name=name, block=name, id_column=self.id_column)

    def _info_at(self, ref: str) -> TableInfo:
        return TableInfo.from_dict(read_document(self.path / ref, "table", FORMAT_VERSION))

    def table(self, name: str) -> pd.DataFrame:
        """A table by the name that settings use.

        Parameters
        ----------
        name : str
            An imported table, or a table that a completed run publishes (the newest run that is not stale), or
            exactly ``RUN_ID/NAME``.

        Returns
        -------
        DataFrame
            Indexed by patient identifier (text) when the table has the study's identifier column.

        Raises
        ------
        StudyError
            No such table; the message gives the nearest name.
        """
        return self._read(self.resolve(name))

    def resolve(self, name: str) -> Input:
        """What a table's name stands for now; see :meth:`table`."""
        if self._is_imported(name):
            info = self._info_at(f"tables/{name}.yaml")
            return Input(name, self._dictionary_ref(info), self._sha256_of(info))
        record = self._publisher(name)
        table = name.rpartition("/")[2]
        return Input(name, f"runs/{record.id}/tables/{table}.parquet", record.table_hashes[table])

    def publishes(self, name: str) -> bool:
        """Whether a completed run has published a table of that name, stale or not."""
        return any(record.status == "completed" and name in record.tables for record in self.runs)

    def _publisher(self, name: str) -> RunRecord:
        run_id, _, table = name.rpartition("/")
        if run_id:
            record = self.run(run_id)
            record.table_path(table)
            return record
        publishers = [record for record in reversed(self.runs)
                      if record.status == "completed" and table in record.tables]
        for record in publishers:
            if not record.stale:
                return record
        if publishers:
            changed = ", ".join(publishers[0].stale)
            raise StudyError(f"table '{table}' is stale: {changed} changed since the run that made it",
                             where=f"study {self.name}", todo=f"Run stage '{publishers[0].stage}' again")
        published = {table for record in self.runs if record.status == "completed" for table in record.tables}
        known = sorted({*self._table_names(), *published})
        near = difflib.get_close_matches(name, known, n=1)
        todo = f"Did you mean '{near[0]}'?" if near else f"Known tables: {', '.join(known) or 'none yet'}"
        raise StudyError(f"there is no table '{name}'", where=f"study {self.name}", todo=todo)

    def _read(self, source: Input) -> pd.DataFrame:
        if not source.ref.endswith(".yaml"):
            frame = read_table(self.path / source.ref)
            return self._indexed(frame)
        info = self._info_at(source.ref)
        frame = read_table(self.path / "tables" / info.file)
        if info.transposed:
            frame = frame.set_index(_FEATURE).T
            frame.columns.name = None
            frame.index = frame.index.astype(str)
            frame.index.name = self.id_column
            return frame
        return self._indexed(frame)

    def _indexed(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.set_index(self.id_column) if self.id_column in frame.columns else frame

    def add_table(self, name: str, frame: pd.DataFrame, *, block: str = "clinical",
                  level: Literal["patient", "lesion", "visit"] = "patient", date_column: str | None = None,
                  columns: Mapping[str, Column] | None = None, default_column: Column | None = None,
                  source: str = "", transposed: bool = False) -> TableInfo:
        """Store a table; one of the same name is replaced, its old file is kept for the runs that used it.

        Parameters
        ----------
        name : str
            Letters, digits, ``_`` and ``-``.
        frame : DataFrame
            Flat, with the study's identifier column as text; for ``transposed``, indexed by patient, features as
            columns, all numeric: stored as float32, one row a feature.
        block, level, date_column, columns, default_column, source, transposed
            See :class:`TableInfo`.

        Raises
        ------
        StudyError
            A bad name, no identifier column, identifiers that are not text or are missing.
        """
        check_name(name)
        self._check_identifiers(name, frame.index.to_series() if transposed else frame.get(self.id_column))
        flat = _transpose(frame) if transposed else frame.reset_index(drop=True)
        content = table_bytes(flat, f"table {name}", compress=not transposed)
        info = TableInfo(name=name, block=block, level=level, id_column=self.id_column, date_column=date_column,
                         columns=dict(columns or {}), default_column=default_column, source=Path(source).name,
                         n_rows=len(frame), n_columns=frame.shape[1], transposed=transposed)
        return self._commit_table(info, content)

    def _check_identifiers(self, name: str, identifiers: pd.Series | None) -> None:
        if identifiers is None:
            raise StudyError(f"there is no identifier column '{self.id_column}'", where=f"table {name}",
                             todo="Rename the column that identifies patients")
        texts = identifiers.map(lambda value: isinstance(value, str) and value != "")
        if not texts.all():
            raise StudyError(f"{int((~texts).sum())} identifiers are missing or no text", where=f"table {name}",
                             todo="Give every row its patient's identifier, as text")

    def _commit_table(self, info: TableInfo, content: bytes) -> TableInfo:
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        info = replace(info, file=f"{info.name}-{digest[:8]}.parquet", sha256=digest)
        with self.lock():
            write_bytes(self.path / "tables" / info.file, content)
            self._commit_info(info)
        return info

    def _commit_info(self, info: TableInfo) -> None:
        """Write the dictionary under its own hash, kept for replay, then the pointer, last."""
        content = {"format": FORMAT_PREFIX + "table", "format_version": FORMAT_VERSION, **info.to_dict()}
        write_yaml(self.path / self._dictionary_ref(info), content)
        write_yaml(self.path / "tables" / f"{info.name}.yaml", content)

    def _dictionary_ref(self, info: TableInfo) -> str:
        return f"tables/{info.name}.{self._sha256_of(info)[:16]}.yaml"

    @staticmethod
    def _sha256_of(info: TableInfo) -> str:
        """Checksum of values and dictionary together: a corrected role changes results as a value does."""
        return sha256_json(info.to_dict())

    def update_columns(self, name: str, columns: Mapping[str, Column]) -> TableInfo:
        """Correct entries of a table's data dictionary.

        Raises
        ------
        StudyError
            No such table or column.
        """
        if not self._is_imported(name):
            raise StudyError(f"there is no imported table '{name}'", where=f"study {self.name}",
                             todo=f"Known tables: {', '.join(self._table_names()) or 'none yet'}")
        with self.lock():
            info = self.info(name)
            unknown = [column for column in columns if info.default_column is None and column not in info.columns]
            if unknown:
                raise StudyError(f"there is no column '{unknown[0]}'", where=f"table {name}",
                                 todo=f"Its columns: {', '.join(info.columns)}")
            info = replace(info, columns={**info.columns, **columns})
            self._commit_info(info)
        return info

    def identifiers(self) -> frozenset[str]:
        """Every patient identifier in the imported tables: what must not leave the study.

        Identifiers of replaced tables are included; a damaged file is passed over, since this is asked for while
        an error is being reported, too.
        """
        infos = [self._info_at(f"tables/{path.name}") for path in (self.path / "tables").glob("*.yaml")]
        files = {info.file: info for info in infos}
        return frozenset(found for info in files.values() for found in _identifiers_of(self.path / "tables", info))

    # -- splits ---------------------------------------------------------------------------------------------------

    def splits(self, name: str) -> pd.DataFrame | None:
        """The stored split of that name (patient, repeat, fold), or None before it is made."""
        found = self.resolve_splits(name)
        return None if found is None else read_table(self.path / found.ref)

    def resolve_splits(self, name: str) -> Input | None:
        path = self.path / "splits" / f"{name}.yaml"
        if not path.exists():
            return None
        content = read_document(path, "splits", FORMAT_VERSION)
        return Input(f"splits/{name}", f"splits/{content['file']}", content["sha256"])

    def save_splits(self, name: str, frame: pd.DataFrame) -> None:
        """Store a split. Older versions stay for the runs that used them.

        Raises
        ------
        StudyError
            A patient already in the split would change fold: splits are made once.
        """
        import hashlib

        check_name(name)
        content = table_bytes(frame.reset_index(drop=True), f"splits {name}")
        digest = hashlib.sha256(content).hexdigest()
        with self.lock():
            old = Study.splits(self, name)
            if old is not None and len(old.merge(frame)) != len(old):
                raise StudyError("patients would change folds", where=f"splits {name}",
                                 todo="Splits are made once per study; use another seed for another split")
            file = f"{name}-{digest[:8]}.parquet"
            write_bytes(self.path / "splits" / file, content)
            write_yaml(self.path / "splits" / f"{name}.yaml",
                       {"format": FORMAT_PREFIX + "splits", "format_version": FORMAT_VERSION,
                        "name": name, "file": file, "sha256": digest})

    # -- runs -----------------------------------------------------------------------------------------------------

    @property
    def runs(self) -> list[RunRecord]:
        """Every run, oldest first; a folder without a record yet (being made) is left out."""
        folders = sorted((self.path / "runs").glob("*/run.json"))
        return [RunRecord(path.parent) for path in folders]

    def run(self, run_id: str) -> RunRecord:
        """The run of that identifier.

        Raises
        ------
        RunError
            No such run; the message gives the nearest identifier.
        """
        path = self.path / "runs" / run_id
        if not re.fullmatch(r"[\w\-]+", run_id) or not (path / "run.json").exists():
            near = difflib.get_close_matches(run_id, [record.id for record in self.runs], n=1)
            todo = f"Did you mean '{near[0]}'?" if near else f"'medomicslab runs {self.path.name}' lists them"
            raise RunError(f"there is no run '{run_id}'", where=f"study {self.name}", todo=todo)
        return read_record(path)

    def cache(self, stage: str) -> Cache:
        """The stage's cache of per-case results; it may be deleted at any time."""
        return Cache(self.path / "cache" / stage)

    def __repr__(self) -> str:
        return f"Study({self.name!r}, tables={self._table_names()}, runs={len(self.runs)})"


class TrackedStudy(Study):
    """A study as a run sees it: what is read is checked, noted, and, for a replay, pinned to what was read before.

    Attributes
    ----------
    inputs : dict
        What was read, by name.
    """

    def __init__(self, path: Path, pins: Sequence[Mapping[str, str]] | None = None) -> None:
        super().__init__(path)
        self.pins = None if pins is None else {pin["name"]: Input(**pin) for pin in pins}
        self.inputs: dict[str, Input] = {}

    def note(self, source: Input) -> None:
        """Note something as read."""
        self.inputs[source.name] = source

    def resolve(self, name: str) -> Input:
        if self.pins is not None:
            if name not in self.pins:
                raise RunError(f"the run to repeat did not read '{name}'", where=f"study {self.name}",
                               todo="The program has changed since: run the stage anew instead")
            source = self.pins[name]
        else:
            source = super().resolve(name)
        if name not in self.inputs:
            check_input(self.path, source)
            self.note(source)
        return source

    def publishes(self, name: str) -> bool:
        return super().publishes(name) if self.pins is None else name in self.pins

    def _table_names(self) -> list[str]:
        names = super()._table_names()
        if self.pins is not None:
            names = self.pins[LISTING].ref.split() if LISTING in self.pins else []
        return names

    @property
    def tables(self) -> dict[str, TableInfo]:
        names = self._table_names()
        self.note(_listing(names))
        return {name: self.info(name) for name in names}

    def info(self, name: str) -> TableInfo:
        source = self.resolve(name)
        return self._info_at(source.ref) if source.ref.endswith(".yaml") else self._plain_info(name)

    def resolve_splits(self, name: str) -> Input | None:
        key = f"splits/{name}"
        found = super().resolve_splits(name) if self.pins is None else self.pins.get(key)
        if found is not None:
            check_input(self.path, found)
            self.note(found)
        return found


def _listing(names: Sequence[str]) -> Input:
    return Input(LISTING, " ".join(names), sha256_json(list(names)))


def check_input(study: Path, source: Input) -> None:
    """Check that an input's file still is what its checksum says.

    Raises
    ------
    StudyError
        It is missing or was changed outside of the program.
    """
    if source.name == LISTING or source.name.startswith("run:"):
        return
    path, expected = study / source.ref, source.sha256
    if source.ref.endswith(".yaml"):
        info = TableInfo.from_dict(read_document(path, "table", FORMAT_VERSION))
        if Study._sha256_of(info) != source.sha256:
            raise StudyError("the data dictionary was changed outside of medomicslab_nb", where=path.name,
                             todo="Import the table again or restore the file from a copy")
        path, expected = study / "tables" / info.file, info.sha256
    if not path.exists():
        raise StudyError("the file is missing", where=path.name, todo="Restore it from a copy or import it again")
    if sha256_of(path) != expected:
        raise StudyError("the file was changed outside of medomicslab_nb: its checksum is another", where=path.name,
                         todo="Import the table again or restore the file from a copy")


def stale_inputs(record: RunRecord) -> tuple[str, ...]:
    """Names of the inputs of a run that stand for something else now, or are damaged or gone."""
    study = Study(record.path.parent.parent)
    return tuple(source["name"] for source in record.inputs if _is_stale(study, Input(**source)))


def _is_stale(study: Study, source: Input) -> bool:
    try:
        if source.name == LISTING:
            return _listing(study._table_names()).sha256 != source.sha256
        if source.name.startswith("run:"):
            return bool(study.run(source.ref).stale)
        if source.name.startswith("splits/"):
            now = study.resolve_splits(source.name.removeprefix("splits/"))
            return now is None or now.sha256 != source.sha256 or not (study.path / now.ref).exists()
        now = study.resolve(source.name)
        return now.sha256 != source.sha256 or not _file_of(study, now).exists()
    except MedomicsError:
        return True


def _file_of(study: Study, source: Input) -> Path:
    if source.ref.endswith(".yaml"):
        return study.path / "tables" / study._info_at(source.ref).file
    return study.path / source.ref


def _transpose(frame: pd.DataFrame) -> pd.DataFrame:
    """Patients x features (float64 or other) to one row a feature, float32, with the features' names in a column."""
    import numpy as np
    import pandas as pd

    values = np.ascontiguousarray(frame.to_numpy(dtype="float32", na_value=np.nan).T)
    stored = pd.DataFrame(values, columns=frame.index.astype(str))
    stored.insert(0, _FEATURE, [str(name) for name in frame.columns])
    return stored


def _identifiers_of(folder: Path, info: TableInfo) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / info.file
    try:
        if info.transposed:
            return [name for name in pq.read_schema(path).names if name != _FEATURE]
        values = pq.read_table(path, columns=[info.id_column])[info.id_column].unique()
    except (OSError, pa.ArrowException):
        return []
    return [str(value) for value in values.to_pylist()]


def check_name(name: str) -> None:
    """Refuse a name that is no plain file name.

    Raises
    ------
    StudyError
    """
    if not _NAME.fullmatch(name):
        raise StudyError("a table's name must be letters, digits, _ and -, at most 64", where="study",
                         todo="Choose another name")


def create_study(path: str | Path, *, name: str = "", id_column: str = "patient",
                 index_date: str | None = None) -> Study:
    """Make a new study folder.

    Raises
    ------
    StudyError
        The folder exists and holds something else than an empty folder.
    """
    folder = Path(path).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError("the folder exists and is not empty", where=folder.name,
                         todo="Choose another name, or open it if it is a study")
    write_yaml(folder / "study.yaml", {"format": FORMAT_PREFIX + "study", "format_version": FORMAT_VERSION,
                                       "name": name or folder.resolve().name, "id_column": id_column,
                                       "index_date": index_date})
    for part in ("tables", "splits", "runs", "cache"):
        (folder / part).mkdir(exist_ok=True)
    return Study(folder.resolve())


def open_study(path: str | Path) -> Study:
    """Open a study folder.

    Raises
    ------
    StudyError
        There is none, or it was written by a newer program.
    """
    folder = Path(path).expanduser()
    if not (folder / "study.yaml").exists():
        raise StudyError("this is no study folder (study.yaml is missing)", where=folder.name or str(path),
                         todo=f"Make one with: medomicslab new {folder.name or 'my_study'}")
    return Study(folder.resolve())

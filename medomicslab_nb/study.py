"""The study folder: tables with their data dictionary, splits, runs and cache. The only state that stages share."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import RunError, StudyError
from medomicslab_nb.files import FORMAT_PREFIX, read_document, read_table, table_bytes, write_bytes, write_yaml
from medomicslab_nb.record import RunRecord, read_record
from medomicslab_nb.tables import FEATURE, Column, Input, TableInfo, check_name, features_as_rows, identifiers_of

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1
RUN_TABLE = "run-table "
"""Begins the names of inputs that are a run's table, whatever has been imported under that name."""

_LOCK_TIMEOUT_S = 60.0


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
            return Input(name, info.ref(), info.checksum())
        return self._of_run(name, name)

    def _of_run(self, name: str, noted_as: str) -> Input:
        record = self._publisher(name)
        table = name.rpartition("/")[2]
        return Input(noted_as, f"runs/{record.id}/tables/{table}.parquet", record.table_hashes[table])

    def published(self, name: str) -> pd.DataFrame:
        """A table that a run publishes, as :meth:`table` finds it, but never an imported one of the same name."""
        return self._read(self.resolve_published(name))

    def resolve_published(self, name: str) -> Input:
        """What a run's table of that name stands for now; its input is named ``run-table NAME``."""
        return self._of_run(name, RUN_TABLE + name)

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
            frame = frame.set_index(FEATURE).T
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
        flat = features_as_rows(frame) if transposed else frame.reset_index(drop=True)
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
        digest = hashlib.sha256(content).hexdigest()
        info = replace(info, file=f"{info.name}-{digest[:8]}.parquet", sha256=digest)
        with self.lock():
            write_bytes(self.path / "tables" / info.file, content)
            self._commit_info(info)
        return info

    def _commit_info(self, info: TableInfo) -> None:
        """Write the dictionary under its own hash, kept for replay, then the pointer, last."""
        content = {"format": FORMAT_PREFIX + "table", "format_version": FORMAT_VERSION, **info.to_dict()}
        write_yaml(self.path / info.ref(), content)
        write_yaml(self.path / "tables" / f"{info.name}.yaml", content)

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
        return frozenset(found for info in files.values() for found in identifiers_of(self.path / "tables", info))

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
        """Store a split (patient, repeat, fold), or add to the stored one what it lacks.

        Older versions stay for the runs that used them. Two runs at once with different repeats both get theirs.

        Raises
        ------
        StudyError
            A patient already in the split would change fold: splits are made once.
        """
        check_name(name)
        with self.lock():
            old = Study.splits(self, name)
            merged = frame if old is None else _merge_splits(name, old, frame)
            content = table_bytes(merged.reset_index(drop=True), f"splits {name}")
            digest = hashlib.sha256(content).hexdigest()
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

    def cache(self, stage: str) -> Cache | None:
        """The stage's cache of per-case results; it may be deleted at any time."""
        return Cache(self.path / "cache" / stage)

    def __repr__(self) -> str:
        return f"Study({self.name!r}, tables={self._table_names()}, runs={len(self.runs)})"


def _merge_splits(name: str, old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The old rows as they are, then the new ones of patients and repeats that the old ones lack."""
    import pandas as pd

    keys = ["patient", "repeat"]
    shared = old.merge(new, on=keys, suffixes=("", "_new"))
    if (shared["fold"] != shared["fold_new"]).any():
        raise StudyError("patients would change folds", where=f"splits {name}",
                         todo="Splits are made once per study; use another seed for another split")
    return pd.concat([old, new]).drop_duplicates(keys)


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

"""What a run reads: noted, checked, pinned for a replay, and found stale when it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import MedomicsError, RunError, StudyError
from medomicslab_nb.files import read_document, sha256_json, sha256_of
from medomicslab_nb.record import RunRecord
from medomicslab_nb.study import FORMAT_VERSION, RUN_TABLE, Study
from medomicslab_nb.tables import IMAGES, Input, TableInfo, index_date_columns

LISTING = "*"
"""The input that stands for "which tables there are"."""
INDEX_DATES = "index dates"
"""The input that stands for "which columns hold the index dates", for stages that read no other table."""
MANIFEST = ".yaml"
"""Suffix of an image that is a DICOM series: a document of kind "series" that lists its files."""
FILE = "file "
"""Begins the names of inputs that are a file outside of the study's tables, such as a parameter file."""


FOLDER = "folder "
"""Begins the names of inputs that stand for "which files there are" of a pattern, such as those of annotators."""


class TrackedStudy(Study):
    """A study as a run sees it: what is read is checked, noted, and, for a replay, pinned to what was read before.

    Attributes
    ----------
    inputs : dict
        What was read, by name.
    run_id : str
        The run that reads.
    """

    def __init__(self, path: Path, pins: Sequence[Mapping[str, str]] | None = None, run_id: str = "") -> None:
        super().__init__(path)
        self.run_id = run_id
        self.pins = None if pins is None else {pin["name"]: Input(**pin) for pin in pins}
        self.inputs: dict[str, Input] = {}

    def note(self, source: Input) -> None:
        """Note something as read."""
        self.inputs[source.name] = source

    def resolve(self, name: str) -> Input:
        return self._checked(super().resolve(name) if self.pins is None else self._pinned(name))

    def resolve_published(self, name: str) -> Input:
        return self._checked(super().resolve_published(name) if self.pins is None else self._pinned(RUN_TABLE + name))

    def _pinned(self, name: str) -> Input:
        if self.pins is None or name not in self.pins:
            raise RunError(f"the run to repeat did not read '{name}'", where=f"study {self.name}",
                           todo="The program has changed since: run the stage anew instead")
        return self.pins[name]

    def _checked(self, source: Input) -> Input:
        """An input that is noted as read, its file checked the first time."""
        if source.name not in self.inputs:
            check_input(self.path, source)
            self.note(source)
        return source

    def file(self, path: str) -> Path:
        """A file that settings name, relative to the study or absolute; noted as read.

        Raises
        ------
        StudyError
            It is missing, or, in a replay, another than then.
        """
        full = self.path / Path(path).expanduser()
        if not full.is_file():
            raise StudyError("the file is missing", where=f"file {full.name}", todo="Correct its path in the settings")
        name = FILE + full.name
        found = Input(name, str(Path(path).expanduser()), sha256_of(full)) if self.pins is None else self._pinned(name)
        self._checked(found)
        return full

    def files(self, pattern: str) -> list[Path]:
        """The files of a pattern, relative to the study, each noted as read; and noted which there are."""
        source = _files(self, pattern) if self.pins is None else self._pinned(FOLDER + pattern)
        self.note(source)
        return [self.file(name) for name in json.loads(source.ref)]

    def publishes(self, name: str) -> bool:
        return super().publishes(name) if self.pins is None else RUN_TABLE + name in self.pins

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

    def index_date_columns(self) -> list[tuple[str, str]]:
        """Table and column that may hold the index dates, noted without the tables that hold none."""
        source = _index_dates(self) if self.pins is None else self._pinned(INDEX_DATES)
        self.note(source)
        return [(table, column) for table, column in json.loads(source.ref)]

    def info(self, name: str) -> TableInfo:
        source = self.resolve(name)
        return self._info_at(source.ref) if source.ref.endswith(".yaml") else self._plain_info(name)

    def cache(self, stage: str) -> Cache | None:
        """None in a replay: one that read stored results would prove nothing."""
        return super().cache(stage) if self.pins is None else None

    def resolve_splits(self, name: str) -> Input | None:
        key = f"splits/{name}"
        found = super().resolve_splits(name) if self.pins is None else self.pins.get(key)
        if found is not None:
            check_input(self.path, found)
            self.note(found)
        return found


def _listing(names: Sequence[str]) -> Input:
    return Input(LISTING, " ".join(names), sha256_json(list(names)))


def _index_dates(study: Study) -> Input:
    tables = {name: study._info_at(f"tables/{name}.yaml") for name in Study._table_names(study)}
    found = index_date_columns(tables, study.index_date)
    return Input(INDEX_DATES, json.dumps(found), sha256_json(found))


def _files(study: Study, pattern: str) -> Input:
    found = sorted(path.relative_to(study.path).as_posix() for path in study.path.glob(pattern))
    return Input(FOLDER + pattern, json.dumps(found), sha256_json(found))


def check_input(study: Path, source: Input) -> None:
    """Check that an input's file still is what its checksum says.

    Raises
    ------
    StudyError
        It is missing or was changed outside of the program.
    """
    if source.name in (LISTING, INDEX_DATES) or source.name.startswith(("run:", FOLDER)):
        return
    path, expected = study / source.ref, source.sha256
    if _is_table(source):
        info = Study(study)._info_at(source.ref)
        if info.checksum() != source.sha256:
            raise StudyError("the data dictionary was changed outside of medomicslab_nb", where=path.name,
                             todo="Import the table again or restore the file from a copy")
        path, expected = study / "tables" / info.file, info.sha256
    if not path.exists():
        raise StudyError("the file is missing", where=path.name, todo="Restore it from a copy or import it again")
    if sha256_of(path) != expected:
        raise StudyError("the file was changed outside of medomicslab_nb: its checksum is another", where=path.name,
                         todo="Import the table again or restore the file from a copy")


def named_files(study: Study, source: Input) -> dict[Path, str]:
    """The image and contour files that a table of images names, with the sha256 that they had when they were added."""
    if not _is_table(source) or study._info_at(source.ref).block != IMAGES:
        return {}
    frame = study._read(source)
    found: dict[Path, str] = {}
    for column in (name for name in frame.columns if f"{name}_sha256" in frame.columns):
        named = frame[column].fillna("") != ""
        for path, expected in frame.loc[named, [column, f"{column}_sha256"]].itertuples(index=False):
            found[study.path / path] = str(expected)
            if path.endswith(MANIFEST):
                found |= series_files(study.path, study.path / path)
    return found


def series_files(study: Path, manifest: Path) -> dict[Path, str]:
    """The DICOM files of a series, with their sha256."""
    content = read_document(manifest, "series", FORMAT_VERSION)
    return {study / entry["path"]: str(entry["sha256"]) for entry in content["files"]}


def stale_inputs(record: RunRecord) -> tuple[str, ...]:
    """Names of the inputs of a run that stand for something else now, or are damaged or gone."""
    study = Study(record.path.parent.parent)
    return tuple(source["name"] for source in record.inputs if _is_stale(study, Input(**source)))


def _is_stale(study: Study, source: Input) -> bool:
    try:
        if source.name == LISTING:
            return _listing(study._table_names()).sha256 != source.sha256
        if source.name == INDEX_DATES:
            return _index_dates(study).sha256 != source.sha256
        if source.name.startswith("run:"):
            return bool(study.run(source.ref).stale)
        if source.name.startswith("splits/"):
            return not (study.path / source.ref).exists()  # splits only ever grow: the old rows still stand
        if source.name.startswith(FOLDER):
            return _files(study, source.name.removeprefix(FOLDER)).sha256 != source.sha256
        if source.name.startswith(FILE):
            return sha256_of(study.path / source.ref) != source.sha256
        now = _resolved(study, source.name)
        return now.sha256 != source.sha256 or not _file_of(study, now).exists()
    except (MedomicsError, OSError):
        return True


def _is_table(source: Input) -> bool:
    """Whether it is an imported table: its dictionary is what is referred to."""
    return source.ref.startswith("tables/") and not source.name.startswith(FILE)


def _resolved(study: Study, name: str) -> Input:
    if name.startswith(RUN_TABLE):
        return study.resolve_published(name.removeprefix(RUN_TABLE))
    return study.resolve(name)


def _file_of(study: Study, source: Input) -> Path:
    if source.ref.endswith(".yaml"):
        return study.path / "tables" / study._info_at(source.ref).file
    return study.path / source.ref

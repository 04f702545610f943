"""Running a stage: makes the run's folder, calls the stage, commits what it hands back; verify and replay.

Also the program of the child process that a button starts: ``python -m medomicslab_nb.runner RUN_FOLDER``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import Cancelled, MedomicsError, RunError, SettingsError
from medomicslab_nb.files import sha256_of, table_bytes, write_bytes, write_yaml
from medomicslab_nb.inputs import TrackedStudy, named_files
from medomicslab_nb.parallel import single_thread
from medomicslab_nb.progress import Progress, Sink
from medomicslab_nb.protect import refuse_secrets, scrub, scrub_all
from medomicslab_nb.record import RunRecord, environment, read_record
from medomicslab_nb.settings import Settings
from medomicslab_nb.stages import Stage, StageResult, get_stage, load
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.tables import Input

RUN_FOLDER = "MEDOMICSLAB_RUN"
"""Environment variable by which ``medomicslab run`` hands a prepared run folder to the notebook's kernel."""

_children: list[subprocess.Popen[bytes]] = []


def run(stage: str, study: Study | str | Path, settings: Settings | Mapping[str, Any] | str | Path | None = None, *,
        sinks: Sequence[Sink] | None = None) -> RunRecord:
    """Run a stage on a study, in this process, and return its record.

    Parameters
    ----------
    stage : str
        A name in ``STAGES``.
    study : Study or path
        The study folder.
    settings : mapping, YAML or JSON text, path or settings object
        See :meth:`medomicslab_nb.settings.Settings.parse`.
    sinks : sequence of functions, optional
        Where progress is shown; by default a bar in a notebook or a terminal, and plain lines elsewhere.

    Raises
    ------
    SettingsError
        Before anything is made: a setting is unknown or wrong.
    ProtectionError
        Before anything is made: a setting holds a secret or a patient identifier.
    RunError
        The stage failed; the record with status ``failed`` and the traceback stay in the run's folder.
    """
    opened, spec, parsed = check(stage, study, settings)
    record = _adopted(opened, spec, parsed) or _create(opened, spec, parsed)
    return _execute(record, opened, spec, parsed, sinks=sinks)


def check(stage: str, study: Study | str | Path,
          settings: Settings | Mapping[str, Any] | str | Path | None) -> tuple[Study, Stage, Settings]:
    """Everything that can be refused before a run is made: the stage, the study, the settings."""
    spec = get_stage(stage)
    opened = study if isinstance(study, Study) else open_study(study)
    identifiers = opened.identifiers()
    try:
        parsed = spec.settings_class().parse(settings)
    except SettingsError as error:  # an unknown name may be an identifier
        raise error.mapped(lambda text: scrub(text, identifiers)) from None
    refuse_secrets(parsed.model_dump(mode="json"), identifiers, f"settings of stage '{stage}'")
    return opened, spec, parsed


def prepare(stage: str, study: Study | str | Path,
            settings: Settings | Mapping[str, Any] | str | Path | None = None) -> RunRecord:
    """Check everything and make the run folder, for another process to fill (see :data:`RUN_FOLDER`)."""
    return _create(*check(stage, study, settings))


def start(stage: str, study: Study | str | Path,
          settings: Settings | Mapping[str, Any] | str | Path | None = None) -> RunRecord:
    """Run a stage in a child process that survives the notebook's kernel; returns at once.

    The record tells status and progress, from any process; :meth:`RunRecord.cancel` stops it.
    """
    record = prepare(stage, study, settings)
    with (record.path / "output.txt").open("wb") as output:
        child = subprocess.Popen([sys.executable, "-m", "medomicslab_nb.runner", str(record.path)],
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                 start_new_session=True, env={k: v for k, v in os.environ.items() if k != RUN_FOLDER})
    record.set_process(child.pid, own_group=True)
    # Nobody waits for it: a zombie counts as dead, and is reaped when the next child is made.
    _children[:] = [*(old for old in _children if old.poll() is None), child]
    return record


def _create(study: Study, spec: Stage, settings: Settings, replays: str | None = None) -> RunRecord:
    digest = settings.digest(study.path)
    values = settings.model_dump(mode="json")
    record = RunRecord.create(study.path / "runs", spec.name, digest, {
        "settings": values, "settings_version": settings.version, "environment": environment(), "replays": replays})
    write_yaml(record.path / "settings.yaml", values)
    return record


def _adopted(study: Study, spec: Stage, settings: Settings) -> RunRecord | None:
    """The folder that the launcher prepared for this run, once; None when there is none."""
    folder = os.environ.get(RUN_FOLDER)
    if not folder or not (Path(folder) / "run.json").exists():
        return None
    record = read_record(Path(folder))
    # One notebook may run several stages: only the prepared one takes the folder, and only once.
    if record.stage != spec.name or record.path.parent.parent != study.path or record.status != "running":
        return None
    del os.environ[RUN_FOLDER]
    if record.digest != settings.digest(study.path):
        raise SettingsError("the notebook runs other settings than it was started with", where=f"run {record.id}",
                            todo="Pass 'settings' from the parameters cell on unchanged")
    record.set_process(os.getpid())
    return record


def _execute(record: RunRecord, study: Study, spec: Stage, settings: Settings, *, sinks: Sequence[Sink] | None = None,
             pins: Sequence[Mapping[str, str]] | None = None) -> RunRecord:
    tracked = TrackedStudy(study.path, pins, record.id)
    progress = Progress([record.progress_sink, *(default_sinks() if sinks is None else sinks)],
                        record.cancel_requested)
    try:
        function = spec.load_function()
        with single_thread():
            result = function(tracked, settings, progress)
        progress.check()
        _commit(record, tracked, result, study.identifiers())
    except (KeyboardInterrupt, Cancelled):
        _end(record, tracked, "cancelled", error="cancelled by the user")
        raise Cancelled(where=f"run {record.id}", todo="Run it again: finished cases are kept") from None
    except Exception as error:
        raise _failure(record, study, tracked, error) from None
    return record


def default_sinks() -> list[Sink]:
    """A bar where one can be shown, plain lines elsewhere."""
    if "ipykernel" in sys.modules:
        return [load("medomicslab_nb.views.progress:NotebookBar")()]
    if sys.stderr.isatty():
        return [load("medomicslab_nb.cli:TerminalBar")()]
    return [load("medomicslab_nb.progress:PlainLines")()]


def _commit(record: RunRecord, tracked: TrackedStudy, result: StageResult, identifiers: frozenset[str]) -> None:
    """Write what the stage handed back; the record, written last, makes the run complete."""
    tables = {}
    for name, frame in result.tables.items():
        path = record.path / "tables" / f"{name}.parquet"
        write_bytes(path, table_bytes(frame.reset_index(drop=True), f"table {name}"))
        tables[name] = {"sha256": sha256_of(path), "rows": len(frame)}
    models = {}
    for name, content in result.models.items():
        write_bytes(record.path / "models" / name, content)
        models[name] = {"sha256": sha256_of(record.path / "models" / name)}
    _end(record, tracked, "completed", tables=tables, models=models, metrics=scrub_all(result.metrics, identifiers),
         warnings=scrub_all(result.warnings, identifiers))


def _end(record: RunRecord, tracked: TrackedStudy, status: str, **fields: Any) -> None:
    record.update(status=status, finished=datetime.now(UTC).isoformat(),
                  inputs=[asdict(source) for _, source in sorted(tracked.inputs.items())], **fields)


def _failure(record: RunRecord, study: Study, tracked: TrackedStudy, error: Exception) -> MedomicsError:
    """Keep the evidence, free of identifiers, and return the error that the user sees."""
    try:
        identifiers = study.identifiers()
    except MedomicsError:  # a damaged table must not hide the first error
        identifiers = frozenset()
    known = error if isinstance(error, MedomicsError) else RunError(
        f"the stage failed: {type(error).__name__}: {error}", where=f"run {record.id}",
        todo="error.txt in the run's folder holds the traceback")
    seen = known.mapped(lambda text: scrub(text, identifiers))
    try:
        write_bytes(record.path / "error.txt", scrub("".join(traceback.format_exception(error)), identifiers).encode())
        _end(record, tracked, "failed", error=str(seen))
    except MedomicsError as second:  # the disk is full: the process's end marks the run as failed
        print(f"The record of run {record.id} could not be completed. {second}", file=sys.stderr)
    return seen


# -- verify and replay ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """One thing that was compared: what, whether it is equal, and in words what was found."""

    what: str
    equal: bool
    found: str


def verify(record: RunRecord) -> list[Comparison]:
    """Hash again what the run read and wrote and the settings that it was run with."""
    spec = get_stage(record.stage)
    study = open_study(record.path.parent.parent)
    digest = spec.settings_class().parse(record.settings).digest(study.path)
    found = [Comparison("settings", digest == record.digest, "digest as recorded" if digest == record.digest
                        else "the digest is another: run.json was changed or the stage has a new settings version")]
    stale = record.stale
    for source in record.inputs:
        equal = source["name"] not in stale
        found.append(Comparison(f"input {source['name']}", equal, "unchanged" if equal else "changed since the run"))
        found += _compare_files(study, Input(**source))
    for name, expected in record.table_hashes.items():
        path = record.path / "tables" / f"{name}.parquet"
        equal = path.exists() and sha256_of(path) == expected
        found.append(Comparison(f"table {name}", equal, "unchanged" if equal else "missing or changed since the run"))
    return found


def _compare_files(study: Study, source: Input) -> list[Comparison]:
    """Hash again the images and contours that a table names; they lie where they lay, perhaps outside the study."""
    files = named_files(study, source)
    changed = sum(not path.is_file() or sha256_of(path) != expected for path, expected in files.items())
    if not files:
        return []
    return [Comparison(f"files of input {source.name}", not changed, f"{len(files)} unchanged" if not changed
                       else f"{changed} of {len(files)} are missing or were changed since they were added")]


def replay(record: RunRecord, *, sinks: Sequence[Sink] | None = None) -> tuple[RunRecord, list[Comparison]]:
    """Run again with the same settings on what the run read then, as a new run, and compare table by table.

    Raises
    ------
    RunError
        The run is not completed, or what it read is gone or damaged.
    """
    if record.status != "completed":
        raise RunError(f"a run that is {record.status} cannot be replayed", where=f"run {record.id}",
                       todo="Replay a completed run")
    spec = get_stage(record.stage)
    study = open_study(record.path.parent.parent)
    settings = spec.settings_class().parse(record.settings)
    again = _execute(_create(study, spec, settings, replays=record.id), study, spec, settings,
                     sinks=sinks, pins=record.inputs)
    return again, compare(record, again)


def compare(one: RunRecord, other: RunRecord) -> list[Comparison]:
    """Two runs, table by table, byte by byte."""
    before, after = one.table_hashes, other.table_hashes
    found = []
    for name in sorted({*before, *after}):
        equal = before.get(name) == after.get(name)
        words = "same bytes" if equal else "differs" if name in before and name in after else "only in one of the two"
        found.append(Comparison(f"table {name}", equal, words))
    return found


def main(arguments: Sequence[str]) -> int:
    """The child process of :func:`start`."""
    record = read_record(Path(arguments[0]))
    spec = get_stage(record.stage)
    study = open_study(record.path.parent.parent)
    try:
        _execute(record, study, spec, spec.settings_class().parse(record.settings), sinks=[])
    except MedomicsError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

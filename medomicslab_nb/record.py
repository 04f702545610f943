"""The run record: what was run, on what, with what, when, and what came out. It lives in the run's folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from medomicslab_nb.errors import RunError, StudyError
from medomicslab_nb.files import read_document, read_table, write_bytes, write_json
from medomicslab_nb.processes import born, lives
from medomicslab_nb.progress import Event
from medomicslab_nb.stages import load

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "medomicslab_nb/run"
FORMAT_VERSION = 1
_PACKAGES = ("medomicslab-nb", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "scikit-survival", "statsmodels",
             "shap", "SimpleITK", "pyradiomics-bhklab", "torch", "spacy", "flwr")
_GRACE_S = 5.0


class RunRecord:
    """A run, read from its folder: always its present state, also from another process.

    Attributes
    ----------
    path : Path
        The run's folder, ``runs/<UTC microseconds>-<stage>-<digest8>`` in its study.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, runs: Path, stage: str, digest: str, content: Mapping[str, Any]) -> RunRecord:
        """Make a new run folder, never an existing one, and write its first record with status ``running``."""
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            started = datetime.now(UTC)
            path = runs / f"{started:%Y%m%dT%H%M%S%fZ}-{stage}-{digest[:8]}"
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                break
        record = cls(path)
        record.set_process(os.getpid())
        write_json(path / "run.json", {
            "format": FORMAT, "format_version": FORMAT_VERSION, "id": path.name, "stage": stage, "digest": digest,
            "status": "running", "started": started.isoformat(), "finished": None, "inputs": [], "tables": {},
            "models": {}, "metrics": {}, "warnings": [], "error": None, **content})
        return record

    def update(self, **fields: Any) -> None:
        """Change fields of the record; only the process that runs it does this."""
        write_json(self.path / "run.json", {**self._content(), **fields})

    def _content(self) -> dict[str, Any]:
        return read_document(self.path / "run.json", "run", FORMAT_VERSION)

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def stage(self) -> str:
        return str(self._content()["stage"])

    @property
    def digest(self) -> str:
        """The sha256 of the settings, see :meth:`medomicslab_nb.settings.Settings.digest`."""
        return str(self._content()["digest"])

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return dict(self._content()["settings"])

    @property
    def inputs(self) -> list[dict[str, str]]:
        """What was read: name, ref (a path in the study or a run's table) and sha256 of each."""
        return list(self._content()["inputs"])

    @property
    def metrics(self) -> dict[str, Any]:
        return dict(self._content()["metrics"])

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._content()["warnings"])

    @property
    def environment(self) -> dict[str, Any]:
        return dict(self._content()["environment"])

    @property
    def started(self) -> str:
        return str(self._content()["started"])

    @property
    def finished(self) -> str | None:
        return self._content()["finished"]  # type: ignore[no-any-return]

    @property
    def status(self) -> str:
        """``running``, ``completed``, ``failed`` or ``cancelled``; a run whose process died has failed."""
        return self._status(self._content())

    @property
    def stored_status(self) -> str:
        """The status as it was last written, whether or not the process still lives."""
        return str(self._content()["status"])

    def _status(self, content: Mapping[str, Any]) -> str:
        status = str(content["status"])
        if status != "running" or self.is_alive():
            return status
        # The process may have written its last word between the two looks.
        status = str(self._content()["status"])
        if status != "running":
            return status
        return "cancelled" if self.cancel_requested() else "failed"

    @property
    def error(self) -> str | None:
        """Why the run failed, in one message, or None."""
        content = self._content()
        if content["status"] == "running" and self._status(content) == "failed":
            return ("Its process ended without a word (killed, or the machine stopped). "
                    "Run it again: finished cases are kept")
        return content["error"]  # type: ignore[no-any-return]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the published tables."""
        return tuple(self._content()["tables"])

    @property
    def table_hashes(self) -> dict[str, str]:
        """The sha256 of every published table."""
        return {name: str(entry["sha256"]) for name, entry in self._content()["tables"].items()}

    def table_path(self, name: str) -> Path:
        """The file of a published table.

        Raises
        ------
        RunError
            The run publishes no such table.
        """
        known = self.tables
        if name not in known:
            raise RunError(f"the run publishes no table '{name}'", where=f"run {self.id}",
                           todo=f"It publishes: {', '.join(known) or 'none'}")
        return self.path / "tables" / f"{name}.parquet"

    def table(self, name: str) -> pd.DataFrame:
        """A published table as it is stored."""
        return read_table(self.table_path(name))

    @property
    def stale(self) -> tuple[str, ...]:
        """Names of the inputs that changed since the run."""
        return load("medomicslab_nb.inputs:stale_inputs")(self)  # type: ignore[no-any-return]

    def report(self) -> Report:
        """Write ``report.html`` into the run's folder and return it, to be shown in a notebook."""
        return Report(load("medomicslab_nb.report.html:write_report")(self))

    # -- the process behind it -----------------------------------------------------------------------------------

    def set_process(self, pid: int, *, own_group: bool = False) -> None:
        """Note which process does the work; a file of its own, so that parent and child never overwrite each other."""
        content = {"pid": pid, "born": born(pid), "host": _host(), "own_group": own_group}
        write_bytes(self.path / "process.json", json.dumps(content).encode())

    def _process(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.path / "process.json").read_text()))
        except (OSError, ValueError):
            return {}

    def is_alive(self) -> bool:
        """Whether the process that does the work still lives. On another host it is believed to."""
        process = self._process()
        if not process:
            return False
        # One of an older version, which kept the time of day instead, has ended: its program was replaced.
        return process["host"] != _host() or lives(process["pid"], process.get("born", ""))

    def cancel_requested(self) -> bool:
        return (self.path / "cancel").exists()

    def cancel(self, grace_s: float = _GRACE_S) -> None:
        """Ask the run to stop: a file that its next step notices; then signals to its process group.

        Parameters
        ----------
        grace_s : float
            Seconds to wait before an interrupt, and again before the process is killed. Only a run started as a
            child process is signalled.
        """
        (self.path / "cancel").touch()
        process = self._process()
        if not process.get("own_group") or process.get("host") != _host():
            return
        for send in (signal.SIGINT, signal.SIGKILL):
            end = time.monotonic() + grace_s
            while time.monotonic() < end:
                if not self.is_alive():
                    return
                time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process["pid"], send)

    def wait(self, timeout_s: float | None = None) -> str:
        """Wait until the run has ended and return its status, or the present one after ``timeout_s`` seconds."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self.status == "running" and (end is None or time.monotonic() < end):
            time.sleep(0.1)
        return self.status

    def progress(self) -> dict[str, Any] | None:
        """The last event of the run's progress, or None before the first."""
        try:
            with (self.path / "progress.jsonl").open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4096))
                lines = stream.read().splitlines()
        except OSError:
            return None
        for line in reversed(lines):
            # A line may be half written at this moment.
            with contextlib.suppress(ValueError):
                return dict(json.loads(line))
        return None

    def progress_sink(self, event: Event) -> None:
        """A sink that appends events to ``progress.jsonl``, where any other process can follow them."""
        with (self.path / "progress.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(event)) + "\n")

    def __repr__(self) -> str:
        return f"RunRecord({self.id!r}, status={self.status!r})"

    def _repr_mimebundle_(self, **_: Any) -> Any:
        return load("medomicslab_nb.views.record_view:mimebundle")(self)


class Report:
    """A written report; in a notebook a link that works from the notebook's own folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Report: {os.path.relpath(self.path)}"

    def _repr_html_(self) -> str:
        link = Path(os.path.relpath(self.path)).as_posix()
        return f'<p>Report: <a href="{quote(link)}" target="_blank">{escape(link)}</a></p>'


def _host() -> str:
    """The machine, so that it is known again without being named."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:16]


def environment() -> dict[str, Any]:
    """Python, platform and the versions of the packages that decide numbers."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    system = f"{platform.system()} {platform.machine()}"
    return {"python": platform.python_version(), "platform": system, "packages": versions}


def read_record(path: Path) -> RunRecord:
    """The record in a run folder.

    Raises
    ------
    RunError
        The folder holds no readable record.
    """
    record = RunRecord(path)
    try:
        record.stage  # noqa: B018  (reads and checks the file)
    except StudyError as error:
        raise RunError(f"the run's record cannot be read: {error.found}", where=f"run {path.name}",
                       todo="Restore run.json from a copy or ignore the run") from None
    return record

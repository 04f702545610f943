"""Programs that go on after the command that started them, known again by number and time of birth.

A process is ended by both, never by name: a number that another program has got since is left alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from medomicslab_nb.errors import RunError
from medomicslab_nb.files import write_json
from medomicslab_nb.processes import born, lives

_QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0",
          "FLWR_LOG_LEVEL": "WARNING"}


@dataclass(frozen=True)
class Running:
    """A program that was started.

    Attributes
    ----------
    name : str
        What it is: "superlink", "supernode".
    home : Path
        Its folder; ``NAME.process.json`` and ``NAME.log`` in it are this program's.
    pid : int
    birth : str
        What tells it from another of the same number, see :func:`~medomicslab_nb.processes.born`.
    """

    name: str
    home: Path
    pid: int
    birth: str

    @property
    def log(self) -> Path:
        return self.home / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        return self._process() is not None

    def processes(self) -> list[psutil.Process]:
        """The program and the processes that it has started."""
        process = self._process()
        return [] if process is None else [process, *process.children(recursive=True)]

    def _process(self) -> psutil.Process | None:
        try:
            return psutil.Process(self.pid) if lives(self.pid, self.birth) else None
        except psutil.NoSuchProcess:
            return None


def environment(home: Path) -> dict[str, str]:
    """What every process of Flower is started with: a home of its own, and nobody is told of it."""
    return {**os.environ, **_QUIET, "FLWR_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def start(name: str, home: Path, module: str, arguments: Sequence[str] = (),
          extra: Mapping[str, str] | None = None) -> Running:
    """Start a module of this package as a program of its own, or find it running.

    Raises
    ------
    RunError
        It cannot be started.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = find(name, home)
    if before is not None:
        return before
    log = home / f"{name}.log"
    with log.open("ab") as stream:
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=stream,
                                   stderr=stream, env={**environment(home), **(extra or {})}, start_new_session=True)
    try:
        birth = born(process.pid)
    except ProcessLookupError:
        raise RunError(f"the {name} ended at once", where=str(log), todo="Its log says why") from None
    process.returncode = 0  # it lives on: without this Python warns that nobody waited for it
    running = Running(name, home, process.pid, birth)
    write_json(_file(name, home), {"pid": running.pid, "born": running.birth})
    return running


def claim(name: str, home: Path) -> None:
    """Note that this very process is the program of this home."""
    write_json(_file(name, home), {"pid": os.getpid(), "born": born(os.getpid())})


def find(name: str, home: Path) -> Running | None:
    """The program of this home, if it runs."""
    try:
        stored = json.loads(_file(name, home).read_bytes())
        running = Running(name, home, int(stored["pid"]), str(stored["born"]))
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return running if running.alive else None


def stop(running: Running, patience_s: float = 10.0) -> None:
    """End a program and what it has started; nothing else, and nothing if it has ended already."""
    processes = running.processes()
    for process in processes[:1]:
        _signal(process.terminate)
    _, left = psutil.wait_procs(processes, timeout=patience_s)
    for process in left:
        _signal(process.kill)
    psutil.wait_procs(left, timeout=patience_s)
    _file(running.name, running.home).unlink(missing_ok=True)


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return


def _file(name: str, home: Path) -> Path:
    return home / f"{name}.process.json"

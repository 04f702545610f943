"""A federation of real processes on this machine, made and run by the commands that people type."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml

import medomicslab_nb as ml
from medomicslab_nb.cli import main
from medomicslab_nb.federated.approval import code_hash
from medomicslab_nb.federated.launch import find_superlink, supernode_status
from medomicslab_nb.record import RunRecord
from medomicslab_nb.study import Study, create_study, open_study
from tests.federated.hospitals import SETTINGS, add_patients, hospital

QUICK = {**SETTINGS, "algorithm": "linear", "patience": 0.05}
"""A run of six rounds, which waits for nobody for more than three minutes."""

_PATIENCE_S = 40.0
RULES = ("minimum_patients=20", "minimum_events=5", "minimum_count=5")


def medomicslab(*words: object, code: int = 0) -> str:
    """What a command prints; its exit code must be this one."""
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        found = main([str(word) for word in words])
    assert found == code, told.getvalue()
    return told.getvalue()


def copy_package(folder: Path) -> Path:
    """A copy of the package in this folder; gives the package."""
    package = Path(ml.__file__).parent
    return Path(shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__")))


def wait_until(true: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


@dataclass
class LiveFederation:
    """A coordinator's folder ``hn`` and hospitals, all below one folder."""

    root: Path
    port: int
    names: tuple[str, ...]
    nodes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    @classmethod
    def found(cls, root: Path, *names: str) -> LiveFederation:
        """Found a federation; its hospitals have joined and their nodes run."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = int(taken.getsockname()[1])
        made = cls(root, port, names)
        copy_package(made.code)
        code_hash()  # is kept: what is edited while the tests run changes neither side
        medomicslab("federation", "new", made.hn, "--address", f"127.0.0.1:{port}")
        create_study(root / "coordinator")
        try:
            made._begin()
        except BaseException:
            made.end()
            raise
        return made

    def _begin(self) -> None:
        for name in self.names:
            self.join(name)
        self.heal()

    @property
    def code(self) -> Path:
        """What is installed at the hospitals: a copy, so that an edit in the meantime is no fault of theirs."""
        return self.root / "code"

    @property
    def hn(self) -> Path:
        """The coordinator's folder."""
        return self.root / "hn"

    def join(self, name: str, *rules: str, register: bool = True) -> None:
        """What coordinator and hospital do from the invitation to the registration."""
        hospital(self.root / name, name, n=160, seed=sum(map(ord, name)))
        medomicslab("federation", "invite", self.hn, name)
        given = [word for rule in (*RULES, *rules) for word in ("-s", rule)]
        medomicslab("site", "init", self.root / name, "--invitation", self.hn / "invitations" / f"{name}.yaml", *given)
        if register:
            medomicslab("federation", "register", self.hn, name, self.root / name / "site" / "keys" / "public.pem")

    def start(self, name: str, code: Path | None = None) -> None:
        """Start a hospital's node, with the package of this folder where another than usual is given."""
        code = code or self.code
        environment = {**os.environ, "PYTHONPATH": str(code)}
        log = (self.root / f"{name}.log").open("a")
        with log:
            self.nodes[name] = subprocess.Popen([sys.executable, "-m", "medomicslab_nb", "site", "start",
                                                 str(self.root / name)],
                                                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                text=True, env=environment, cwd=code)

    def wait_connected(self, name: str) -> None:
        wait_until(lambda: self.state(name)["state"] == "connected", f"{name} to connect")

    def state(self, name: str) -> dict[str, Any]:
        return supernode_status(self.root / name / "site" / "flower")

    def processes(self, name: str) -> list[psutil.Process]:
        """All of a hospital's processes."""
        node = psutil.Process(self.nodes[name].pid)
        return [node, *node.children(recursive=True)]

    def pause(self, name: str) -> None:
        """Hold a hospital as a machine does that is short of everything."""
        for process in self.processes(name):
            process.suspend()

    def go_on(self, name: str) -> None:
        """Let a hospital that was held go on."""
        for process in self.processes(name):
            process.resume()

    def kill(self, name: str) -> None:
        """End a hospital as a power cut does."""
        for process in self.processes(name):
            process.send_signal(signal.SIGKILL)
        self.nodes.pop(name).wait()

    def end(self) -> None:
        """Stop what was started, and nothing else."""
        for name in list(self.nodes):
            self.kill(name)
        medomicslab("federation", "stop", self.hn)

    def study(self, name: str) -> Study:
        return open_study(self.root / name)

    def approve(self, settings: dict[str, Any], *names: str) -> None:
        """A plan of these settings, approved by hospitals."""
        given, plan = self.root / "settings.yaml", self.root / "plan.yaml"
        given.write_text(yaml.safe_dump({**QUICK, **settings}))
        medomicslab("federation", "plan", self.hn, "--settings", given, "--out", plan)
        for name in names:
            medomicslab("site", "approve", self.root / name, plan, "--yes")

    def run(self, **settings: Any) -> RunRecord:
        """A run over the federation, in this process."""
        return ml.run("federated", self.root / "coordinator",
                      {**QUICK, "federation": str(self.hn), "backend": "deploy", "deadline": 60, **settings})

    @contextmanager
    def running(self, **settings: Any) -> Iterator[Future[RunRecord]]:
        """A run that goes on while something happens to the federation; it ends with the block at the latest."""
        with ThreadPoolExecutor(1) as thread:
            future = thread.submit(self.run, **settings)
            try:
                yield future
            finally:
                if not future.done():
                    self.last_run.cancel()

    def heal(self) -> None:
        """Server and all hospitals at work again, whatever was done to them."""
        if find_superlink(self.hn) is None:
            medomicslab("federation", "start", self.hn)
        for name in self.names:
            if name not in self.nodes:
                self.start(name)
        for name in self.names:
            self.wait_connected(name)

    @contextmanager
    def other_patients(self, name: str, frame: pd.DataFrame) -> Iterator[None]:
        """A hospital with other patients for a while."""
        study = self.study(name)
        before = study.table("clinical").reset_index()
        add_patients(study, frame)
        try:
            yield
        finally:
            add_patients(study, before)

    @property
    def last_run(self) -> RunRecord:
        return self.study("coordinator").runs[-1]

    def rounds(self, name: str, run: RunRecord) -> list[int]:
        """The rounds of a run that a hospital has answered, by its audit log."""
        return [entry["round"] for entry in self.audit(name) if (entry["run"], entry["event"]) == (run.id, "released")]

    def audit(self, name: str) -> list[dict[str, Any]]:
        """A hospital's audit log."""
        path = self.root / name / "site" / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []



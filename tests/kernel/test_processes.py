from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from medomicslab_nb.processes import born, lives
from medomicslab_nb.record import RunRecord


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_process_lives_until_it_ends(child) -> None:
    birth = born(child.pid)
    assert lives(child.pid, birth)
    assert not lives(child.pid, f"{birth}0")
    child.kill()
    psutil.wait_procs([psutil.Process(child.pid)], timeout=0)  # a zombie until its parent asks
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert not lives(child.pid, birth)
    child.wait()
    assert not lives(child.pid, birth)
    with pytest.raises(ProcessLookupError):
        born(child.pid)


def test_a_run_lives_though_the_machines_clock_is_set(monkeypatch, tmp_path, child) -> None:
    record = RunRecord.create(tmp_path, "models", "0" * 64, {})
    record.set_process(child.pid)
    from psutil import _pslinux

    before = psutil.Process(child.pid).create_time()
    real = _pslinux.boot_time()
    monkeypatch.setattr(_pslinux, "boot_time", lambda: real + 3.0)  # what the kernel says when the clock went on by 3 s
    assert psutil.Process(child.pid).create_time() == pytest.approx(before + 3.0)
    assert record.status == "running"


def test_own_process() -> None:
    assert lives(os.getpid(), born(os.getpid()))

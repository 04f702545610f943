"""Running, cancelling, verifying and replaying, on the generated stage, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import psutil
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import Cancelled, ProtectionError, RunError, SettingsError
from medomicslab_nb.record import RunRecord
from medomicslab_nb.runner import RUN_FOLDER, prepare, replay, start, verify


def quiet(study: ml.Study, **settings: object) -> RunRecord:
    return ml.run("generated", study, settings, sinks=[])


def wait_for(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def test_a_run_leaves_a_complete_folder(study: ml.Study) -> None:
    run = quiet(study, cases=3)
    assert run.status == "completed" and run.tables == ("features",) and run.metrics == {"cases": 3, "failed": 0}
    assert run.path.parent == study.path / "runs"
    assert {p.name for p in run.path.iterdir()} == {
        "run.json",
        "settings.yaml",
        "progress.jsonl",
        "process.json",
        "tables",
    }
    assert run.settings["bin_width"] == 25.0
    assert [source["name"] for source in run.inputs] == ["numbers"]
    assert run.environment["packages"]["numpy"]
    assert run.progress() == {**(run.progress() or {}), "task": "cases", "done": 3, "finished": True}
    with pytest.raises(RunError, match="publishes no table 'featurs'"):
        run.table("featurs")


def test_bad_input_59_60_61_85_are_refused_before_anything_is_made(study: ml.Study) -> None:
    for settings, error in (
        ({"binn_width": 1}, SettingsError),
        ({"cases": "many"}, SettingsError),
        ({"label": "token=abcdef"}, ProtectionError),
        ({"label": "see PAT-001"}, ProtectionError),
        ({"PAT-001": 1}, SettingsError),
    ):
        with pytest.raises(error) as caught:
            ml.run("generated", study, settings)
        assert "PAT-001" not in str(caught.value) and "abcdef" not in str(caught.value)
    assert study.runs == []
    with pytest.raises(SettingsError, match="Did you mean 'models'"):
        ml.run("model", study, {})


def test_bad_input_85_no_identifier_in_errors_logs_or_records(study: ml.Study) -> None:
    with pytest.raises(RunError) as caught:
        quiet(study, fault="raise-identifier")
    (run,) = study.runs
    assert run.status == "failed" and "[redacted]" in str(caught.value)
    for path in run.path.rglob("*"):
        if path.is_file():
            assert b"PAT-0" not in path.read_bytes(), path.name
    assert "Traceback" in (run.path / "error.txt").read_text()
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_bad_input_67_crashing_case_in_a_run_is_reported(study: ml.Study) -> None:
    run = quiet(study, cases=4, fault="crash-always", jobs=2)
    assert run.status == "completed" and run.metrics == {"cases": 3, "failed": 1}
    assert "worker process died" in run.warnings[0]


def test_bad_input_68_worker_killed_once_in_a_run(study: ml.Study, log: Path) -> None:
    run = quiet(study, cases=4, fault="crash-once", jobs=2)
    assert run.metrics == {"cases": 4, "failed": 0}


def test_interrupt_cancels(study: ml.Study) -> None:
    """A real interrupt (SIGINT) in a real process, as the notebook's stop button sends it."""
    program = (
        "import sys, medomicslab_nb as ml\nml.run('generated', sys.argv[1], {'cases': 100, 'seconds': .2}, sinks=[])"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(study.path)], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: study.runs and study.runs[0].progress() and study.runs[0].progress()["done"] > 1)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert study.runs[0].status == "cancelled"
    assert "Cancelled" in errors and child.returncode != 0


def test_cancel_by_file(study: ml.Study) -> None:
    program = (
        "import sys, medomicslab_nb as ml\nml.run('generated', sys.argv[1], {'cases': 100, 'seconds': .2}, sinks=[])"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(study.path)], stderr=subprocess.DEVNULL)
    wait_for(lambda: study.runs and study.runs[0].progress() and study.runs[0].progress()["done"] > 1)
    study.runs[0].cancel()
    assert child.wait(30) != 0
    assert study.runs[0].status == "cancelled"


def test_child_process_run_is_found_again_and_cancelled(study: ml.Study) -> None:
    started = start("generated", study, {"cases": 200, "seconds": 0.2, "jobs": 2})
    assert started.status == "running"
    wait_for(lambda: (started.progress() or {"done": 0})["done"] > 1)
    (found,) = ml.open_study(study.path).runs
    assert found.id == started.id and found.status == "running" and found.is_alive()
    found.cancel()
    assert found.wait(30) == "cancelled"


def test_child_process_run_survives_its_parent(study: ml.Study, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom medomicslab_nb.runner import start\n"
        "print(start('generated', sys.argv[1], {'cases': 5, 'seconds': .3}).id)"
    )
    subprocess.run([sys.executable, "-c", program, str(study.path)], check=True, capture_output=True)
    (found,) = study.runs
    assert found.status == "running"
    assert found.wait(60) == "completed" and found.metrics["cases"] == 5


def test_bad_input_62_killed_process_counts_as_failed_and_the_rerun_continues(study: ml.Study, log: Path) -> None:
    started = start("generated", study, {"cases": 12, "seconds": 0.2})
    wait_for(lambda: (started.progress() or {"done": 0})["done"] > 3)
    os.kill(json.loads((started.path / "process.json").read_text())["pid"], signal.SIGKILL)
    assert started.wait(10) == "failed" and "ended without a word" in str(started.error)
    done = len(log.read_text().split())
    again = quiet(study, cases=12)
    assert again.status == "completed"
    assert 12 <= len(log.read_text().split()) <= 13 and done >= 3, "finished cases are not computed again"


def test_bad_input_62_workers_do_not_outlive_a_killed_process(study: ml.Study) -> None:
    """Only the run's own process is killed, not its group, as a kernel is when memory runs out."""
    started = start("generated", study, {"cases": 100, "seconds": 0.5, "jobs": 2})
    wait_for(lambda: (started.progress() or {"done": 0})["done"] > 1)
    main = psutil.Process(json.loads((started.path / "process.json").read_text())["pid"])
    workers = [child for child in main.children(recursive=True) if "popen_loky" in " ".join(child.cmdline())]
    assert len(workers) == 2
    main.kill()
    _, alive = psutil.wait_procs(workers, timeout=15)
    assert alive == []


def test_hung_child_is_killed_in_the_end(study: ml.Study) -> None:
    started = start("generated", study, {"cases": 2, "seconds": 600.0})
    wait_for(lambda: started.progress())
    started.cancel(grace_s=1.0)
    assert started.wait(10) == "cancelled"


def test_prepared_folder_is_adopted_once_and_only_by_the_same_settings(
    study: ml.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare("generated", study, {"cases": 2})
    monkeypatch.setenv(RUN_FOLDER, str(prepared.path))
    assert quiet(study, cases=2).id == prepared.id
    assert quiet(study, cases=2).id != prepared.id
    other = prepare("generated", study, {"cases": 2})
    monkeypatch.setenv(RUN_FOLDER, str(other.path))
    with pytest.raises(SettingsError, match="other settings"):
        quiet(study, cases=3)


def test_bad_input_65_a_run_never_writes_into_an_existing_folder(
    study: ml.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs in the same microsecond: the clock stands still for the second one's first try."""
    from medomicslab_nb import record

    first = quiet(study, cases=2)
    before = first.table_hashes
    clock = [datetime.fromisoformat(first.started), datetime.fromisoformat(first.started) + timedelta(seconds=1)]

    class StandingClock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return clock.pop(0)

    monkeypatch.setattr(record, "datetime", StandingClock)
    second = quiet(study, cases=2)
    assert not clock and second.id != first.id and first.table_hashes == before


def test_verify_finds_every_kind_of_change(study: ml.Study, numbers: pd.DataFrame) -> None:
    run = quiet(study, cases=2)
    assert all(item.equal for item in verify(run))
    table = run.path / "tables" / "features.parquet"
    content = table.read_bytes()
    table.write_bytes(content + b"x")
    assert [item.what for item in verify(run) if not item.equal] == ["table features"]
    table.write_bytes(content)
    study.add_table("numbers", numbers.assign(value=0.0))
    assert [item.what for item in verify(run) if not item.equal] == ["input numbers"]
    record = json.loads((run.path / "run.json").read_text())
    record["settings"]["bin_width"] = 1.0
    (run.path / "run.json").write_text(json.dumps(record))
    assert [item.what for item in verify(run) if not item.equal] == ["settings", "input numbers"]


def test_replay_uses_what_was_read_then(study: ml.Study, numbers: pd.DataFrame) -> None:
    run = quiet(study, cases=2)
    study.add_table("numbers", numbers.assign(value=0.0))
    again, found = replay(run, sinks=[])
    assert all(item.equal for item in found) and again.table_hashes == run.table_hashes
    assert quiet(study, cases=2).table_hashes != run.table_hashes


def test_replay_computes_everything_again(study: ml.Study, log: Path) -> None:
    """A replay that read the cache would prove nothing."""
    run = quiet(study, cases=3)
    quiet(study, cases=3)
    assert len(log.read_text().split()) == 3
    _, found = replay(run, sinks=[])
    assert all(item.equal for item in found)
    assert len(log.read_text().split()) == 6


def test_replay_of_a_damaged_input_is_refused(study: ml.Study) -> None:
    run = quiet(study, cases=2)
    (study.path / "tables" / study.info("numbers").file).unlink()
    with pytest.raises(ml.MedomicsError, match="missing"):
        replay(run, sinks=[])


def test_cancelled_run_is_raised_as_cancelled(study: ml.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare("generated", study, {"cases": 2})
    prepared.cancel()
    monkeypatch.setenv(RUN_FOLDER, str(prepared.path))
    with pytest.raises(Cancelled):
        quiet(study, cases=2)
    assert prepared.status == "cancelled"

"""Templates run headless: papermill, kernels that die, time limits, and the same result as everywhere else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import RunError, SettingsError
from medomicslab_nb.notebook import find_shipped, find_template, run_notebook

TEMPLATE = Path(__file__).parent / "generated" / "generated.ipynb"


def test_find_template_and_missing_one() -> None:
    assert find_template("01_data.ipynb").exists()
    with pytest.raises(RunError, match="missing from the installation"):
        find_shipped("_templates", "templates", "99_nothing.ipynb")


def test_study_gets_a_notebook_for_each_stage_and_one_for_its_runs(study: ml.Study) -> None:
    import papermill

    from medomicslab_nb.lab import RUNS, copy_templates

    folder = copy_templates(study)
    assert {"01_data.ipynb", "02_radiomics.ipynb", "03_models.ipynb", RUNS} <= {path.name for path in folder.iterdir()}
    (folder / RUNS).write_text((folder / RUNS).read_text().replace("# Runs", "# Mine"))
    copy_templates(study)
    assert "# Mine" in (folder / RUNS).read_text(), "what is there is never overwritten"
    ml.run("generated", study, {"cases": 2}, sinks=[])
    done = papermill.execute_notebook(folder / RUNS, folder / "out.ipynb", cwd=str(folder), progress_bar=False)
    shown = done.cells[-1].outputs[0]["data"]
    assert "widget-view" not in str(shown) and "generated" in shown["text/html"]


def test_run_folder_keeps_the_executed_notebook(study: ml.Study) -> None:
    run = run_notebook("generated", study, {"cases": 3})
    notebook = json.loads((run.path / "notebook.ipynb").read_text())
    assert run.status == "completed" and (run.path / "report.html").exists()
    assert str(study.path) not in json.dumps(notebook["cells"]), "no absolute path in the notebook's cells"
    assert (run.path / "notebook.ipynb").stat().st_size < 2_000_000
    assert not any("widget-state" in key for key in notebook["metadata"].get("widgets", {}))


def test_byte_parity_of_process_child_papermill_and_command(study: ml.Study, tmp_path: Path) -> None:
    settings = {"cases": 4, "bin_width": 7.5}
    hashes = [ml.run("generated", study, settings, sinks=[]).table_hashes]
    from medomicslab_nb.runner import start

    child = start("generated", study, settings)
    assert child.wait(60) == "completed"
    hashes.append(child.table_hashes)
    papermill = [
        sys.executable,
        "-m",
        "papermill",
        str(TEMPLATE),
        str(tmp_path / "out.ipynb"),
        "-p",
        "study",
        str(study.path),
    ]
    yaml_file = tmp_path / "parameters.yaml"
    yaml_file.write_text("settings:\n  cases: 4\n  bin_width: 7.5\n")
    for extra in (
        ["-p", "settings", json.dumps(settings)],
        ["-y", "settings: {cases: 4, bin_width: 7.5}"],
        ["-f", str(yaml_file)],
    ):
        subprocess.run([*papermill, *extra], check=True, capture_output=True)
        hashes.append(study.runs[-1].table_hashes)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "medomicslab_nb",
            "run",
            "generated",
            "--study",
            str(study.path),
            "-s",
            "cases=4",
            "-s",
            "bin_width=7.5",
        ],
        check=True,
        capture_output=True,
    )
    hashes.append(study.runs[-1].table_hashes)
    assert len(study.runs) == 6 and all(found == hashes[0] for found in hashes)
    assert len({run.digest for run in study.runs}) == 1


def test_bad_input_59_unknown_setting_makes_no_run(study: ml.Study) -> None:
    with pytest.raises(SettingsError, match="bin_width"):
        run_notebook("generated", study, {"binn_width": 1})
    assert study.runs == []


def test_failed_stage_keeps_notebook_and_names_the_reason(study: ml.Study) -> None:
    with pytest.raises(RunError, match=r"\[redacted\]"):
        run_notebook("generated", study, {"fault": "raise-identifier"})
    (run,) = study.runs
    assert run.status == "failed"
    text = (run.path / "notebook.ipynb").read_text()
    assert '"output_type": "error"' in text and "PAT-0" not in text


def test_bad_input_62_killed_kernel(study: ml.Study) -> None:
    def kill() -> None:
        while not (study.runs and study.runs[0].progress()):
            time.sleep(0.1)
        os.kill(json.loads((study.runs[0].path / "process.json").read_text())["pid"], signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(RunError, match="kernel died"):
        run_notebook("generated", study, {"cases": 200, "seconds": 0.1})
    assert study.runs[0].status == "failed"


def test_bad_input_63_time_out(study: ml.Study) -> None:
    with pytest.raises(RunError, match="time limit of 4 s"):
        run_notebook("generated", study, {"cases": 1000, "seconds": 0.1}, timeout_s=4)
    (run,) = study.runs
    assert run.status == "failed" and not run.is_alive()


def test_bad_input_66_kernel_start_fails_once(study: ml.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = tmp_path / "fail-once"
    flag.touch()
    monkeypatch.setenv("GENERATED_KERNEL_FAILS_ONCE", str(flag))
    run = run_notebook("generated", study, {"cases": 2})
    assert run.status == "completed" and not flag.exists()


def test_bad_input_61_secret_through_plain_papermill_is_refused_by_name(study: ml.Study, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            str(TEMPLATE),
            str(tmp_path / "out.ipynb"),
            "-p",
            "study",
            str(study.path),
            "-p",
            "settings",
            '{"label": "password=hunter2"}',
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "'label' looks like a secret" in done.stderr
    assert study.runs == []


def test_bad_input_85_numeric_identifiers_leave_the_notebook_whole(study: ml.Study, tmp_path: Path) -> None:
    """An identifier of digits only also stands inside decimal numbers of the file."""
    from medomicslab_nb.notebook import _scrub_notebook

    study.add_table("other", pd.DataFrame({"patient": ["123456", "PAT-0001"], "x": [1.0, 2.0]}))
    path = tmp_path / "notebook.ipynb"
    output = {"output_type": "stream", "name": "stdout", "text": ["patient 123456 and PAT-0001\n"]}
    cell = {"cell_type": "code", "outputs": [output], "metadata": {"papermill": {"duration": 2.123456}}}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}}))
    _scrub_notebook(path, study)
    found = json.loads(path.read_text())["cells"][0]
    assert found["outputs"][0]["text"] == ["patient [redacted] and [redacted]\n"]
    assert found["metadata"]["papermill"]["duration"] == 2.123456

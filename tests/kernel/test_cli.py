"""The command: what it prints, how it fails."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import medomicslab_nb as ml
from medomicslab_nb.cli import TerminalBar, describe, main
from medomicslab_nb.cli_parts import assign
from medomicslab_nb.errors import SettingsError
from medomicslab_nb.progress import Progress
from tests.imaging.contour_factory import at_slice, write_rtstruct
from tests.imaging.dicom_factory import AXIAL, write_series


def test_new_status_runs_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "s")
    assert main(["new", folder]) == 0
    assert main(["status", folder]) == 0
    assert "no runs yet" in capsys.readouterr().out
    assert main(["new", folder]) == 1
    error = capsys.readouterr().err
    assert error.startswith("medomicslab: ") and "Traceback" not in error


def test_run_verify_replay(study: ml.Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "generated", "--study", str(study.path), "-s", "cases=2"]) == 0
    run = study.runs[0]
    assert run.id in capsys.readouterr().out
    assert main(["verify", str(study.path), run.id]) == 0
    assert main(["replay", str(study.path), run.id]) == 0
    assert "same bytes" in capsys.readouterr().out
    (run.path / "tables" / "features.parquet").write_bytes(b"x")
    assert main(["verify", str(study.path), run.id]) == 1
    assert main(["report", str(study.path), "no-such-run"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "generated", "-s", "binn_width=1"],
        ["run", "generatde"],
        ["run", "generated", "-s", "cases"],
        ["run", "generated", "-s", "cases=many"],
        ["run", "models", "-s", "outcom=x"],
        ["run", "generated", "-s", "cases.a=1"],
    ],
)
def test_bad_input_59_60_typos_on_the_command_line(
    study: ml.Study, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--study", str(study.path)]) != 0
    error = capsys.readouterr().err
    assert error.startswith("medomicslab: ") and "Traceback" not in error and error.count("\n") == 1
    assert study.runs == []


def test_unknown_model_setting_in_a_real_process(study: ml.Study) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "medomicslab_nb",
            "run",
            "models",
            "--study",
            str(study.path),
            "-s",
            "outcome=x",
            "-s",
            "fold=3",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "did you mean 'folds'" in done.stderr and "Traceback" not in done.stderr


def test_debug_shows_the_traceback(study: ml.Study) -> None:
    with pytest.raises(SettingsError):
        main(["--debug", "run", "generated", "--study", str(study.path), "-s", "binn_width=1"])


def test_add_with_corrections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = str(tmp_path / "s"), tmp_path / "clinical.csv"
    file.write_text("patient,age,answer\nP-0001,40,1\nP-0002,50,0\nP-0003,60,1\n")
    assert main(["new", folder]) == 0
    assert main(["add", folder, str(file), "--column", "answer.role=outcome", "--column", "age.unit=years"]) == 0
    info = ml.open_study(folder).info("clinical")
    assert (info.column("answer").role, info.column("age").unit) == ("outcome", "years")
    for wrong in ("answer", "answer.rol=outcome", "answer.role=outcom", "anwser.role=outcome"):
        assert main(["add", folder, str(file), "--column", wrong]) == 1
        assert "Traceback" not in capsys.readouterr().err
    assert main(["add", folder, str(file), str(file), "--name", "x"]) == 1


def test_add_images_prints_counts_and_no_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, export, key = str(tmp_path / "s"), tmp_path / "export", str(tmp_path / "our.key")
    files = write_series(export / "GEHEIM" / "ct")
    write_series(export / "GEHEIM" / "broken", series=2, modality="MR")[7].unlink()
    write_rtstruct(export / "GEHEIM" / "rs.dcm", [("GTV", at_slice([[(2, 2), (7, 2), (7, 9)]], 4, AXIAL))])
    (export / "autorun.inf").write_text("open=viewer.exe")
    assert main(["new", folder]) == 0
    assert main(["add", folder, str(export), "--roi", "gtv*"]) == 0
    text = capsys.readouterr().out
    assert "images: 1 patients, 1 images, 1 ROIs" in text and "Left out (1): the file is no DICOM file" in text
    assert "Problem (1):" in text and "slices are missing" in text
    assert "SECRET" not in text and "GEHEIM" not in text and "dictionary is a guess" not in text
    assert main(["add", folder, str(files[0].parent), "--modality", "PT"]) == 1
    assert "no image of modality PT" in capsys.readouterr().err
    assert main(["key", key]) == 0 and main(["key", key]) == 1
    assert main(["new", folder + "2"]) == 0
    clinical = tmp_path / "clinical.csv"
    clinical.write_text("patient,age,seen\nSECRET-4711,40,2020-01-02\nOTHER-0815,50,2020-01-03\n")
    assert main(["add", folder + "2", str(export), str(clinical), "--deidentify", key]) == 0
    assert "SECRET" not in capsys.readouterr().out
    study = ml.open_study(folder + "2")
    assert set(study.table("images").index) < set(study.table("clinical").index)
    assert not [path for path in study.path.rglob("*") if path.is_file() and b"SECRET-4711" in path.read_bytes()]


def test_add_refuses_what_belongs_to_images_for_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = str(tmp_path / "s"), tmp_path / "clinical.csv"
    file.write_text("patient,age\nP-0001,40\n")
    assert main(["new", folder]) == 0
    assert main(["add", folder, str(file), "--modality", "PT"]) == 1
    assert "--modality and --roi are for images" in capsys.readouterr().err
    assert main(["add", folder, str(file), "--images"]) == 1
    assert "lacks the column modality, image, mask" in capsys.readouterr().err
    assert main(["add", folder, str(file), "--deidentify", str(tmp_path / "no.key")]) == 1
    assert "no.key: the file is missing" in capsys.readouterr().err
    assert ml.open_study(folder).tables == {}


def test_assign_nested_and_typed() -> None:
    settings: dict[str, object] = {"a": {"b": 1}}
    for text in ("a.c=[1, 2]", "d=true", "e=", "f.g.h=x"):
        assign(settings, text)
    assert settings == {"a": {"b": 1, "c": [1, 2]}, "d": True, "e": "", "f": {"g": {"h": "x"}}}


def test_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "generated", "--help"]) == 0
    assert "bin_width (float, HU; default 25.0)\n      Width of a bin." in capsys.readouterr().out
    assert "Worker processes." in describe("generated")


def test_terminal_bar_draws_in_a_terminal() -> None:
    """A real pseudo-terminal."""
    controller, terminal = pty.openpty()
    program = (
        "from medomicslab_nb.cli import TerminalBar\nfrom medomicslab_nb.progress import Progress\n"
        "with Progress([TerminalBar()]).task('folds', total=3) as step:\n    step(); step(); step()"
    )
    subprocess.run([sys.executable, "-c", program], stderr=terminal, check=True, env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    assert b"3/3" in os.read(controller, 100_000)


def test_terminal_bar_handles_tasks_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress([TerminalBar()])
    for name in ("first", "second"):
        with progress.task(name, total=1) as step:
            step()


def test_doctor_names_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "scikit-survival" in capsys.readouterr().out

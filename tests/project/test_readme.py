"""Every command and every line of Python in the README is executed, in order."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.data.synthetic import draw_cohort
from medomicslab_nb.data.synthetic_study import add_cohort
from medomicslab_nb.progress import Progress
from medomicslab_nb.study import create_study
from tests.note_study import note_rows

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)
PAGES = ("README.md", "README.fr.md")


def test_pictures_exist_and_are_ours() -> None:
    for page in PAGES:
        found = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / page).read_text())
        assert found
        for picture in found:
            assert picture.startswith("docs/pictures/") and (ROOT / picture).stat().st_size > 10_000


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+)\)", (ROOT / page).read_text()):
            assert (ROOT / target).exists(), f"{page}: {target}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the two files and the export of images that the page speaks of."""
    rng = np.random.default_rng(3)
    patients = [f"CASE-{i:04d}" for i in range(80)]
    genes = pd.DataFrame(rng.normal(size=(80, 30)).round(4), columns=[f"GENE{i}" for i in range(30)])
    size = rng.normal(20, 6, 80).round(1)
    relapse = ((size - 20) / 6 + genes["GENE0"] + rng.normal(size=80) > 0).astype(int)
    pd.DataFrame({"patient": patients, "age": rng.integers(30, 85, 80), "size_mm": size, "relapse": relapse}).to_csv(
        tmp_path / "clinical.csv", index=False
    )
    genes.assign(patient=patients).to_csv(tmp_path / "genes.csv", index=False)
    notes = note_rows(patients[:20]).drop(columns="note")
    notes.to_csv(tmp_path / "notes.csv", index=False)
    generated = create_study(tmp_path / "generated")
    add_cohort(generated, draw_cohort(3), Progress())
    (generated.path / "images" / "synthetic" / "dicom").rename(tmp_path / "export")
    return tmp_path


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_runs(page: str, place: Path) -> None:
    executed = 0
    for language, block in BLOCK.findall((ROOT / page).read_text()):
        if language == "python":
            subprocess.run([sys.executable, "-c", block], cwd=place, check=True)
            executed += 1
            continue
        for command in block.strip().splitlines():
            run_command(command, place, full=page == PAGES[0])
            executed += 1
    assert executed >= 10


def run_command(command: str, place: Path, *, full: bool) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if command.startswith("make"):
        if full:  # the French page names the same two
            run_make(command, place, environment)
        return
    if command.startswith("papermill"):
        prepare_notebooks(place)
    if "RUN" in command.split():
        newest = sorted(path.name for path in (place / "my_study" / "runs").iterdir() if "-models-" in path.name)[-1]
        command = command.replace("RUN", newest)
    done = subprocess.run(command, shell=True, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def prepare_notebooks(place: Path) -> None:
    """What `medomicslab lab` does before the server starts."""
    from medomicslab_nb.lab import copy_templates
    from medomicslab_nb.study import open_study

    copy_templates(open_study(place / "my_study"))


def run_make(command: str, place: Path, environment: dict[str, str]) -> None:
    """On a copy of the checkout's files that shares its environment, so that the checkout stays as it is."""
    copy = place / "checkout"
    if not copy.exists():
        shutil.copytree(
            ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv*", "demo-study*", "*cache*")
        )
        (copy / ".venv").symlink_to(Path(sys.prefix).resolve())
        # The environment is newer than the copied files: nothing is installed again.
        for stamp in Path(sys.prefix).glob(".installed*"):
            stamp.touch()
    if command == "make lab":
        check_lab(copy, environment)
        return
    done = subprocess.run(command.split(), cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    reports = re.findall(r"^ +\w+: (\S+report\.html)$", done.stdout, re.MULTILINE)
    assert len(reports) == 7 and all((copy / report).exists() for report in reports), done.stdout


def check_lab(copy: Path, environment: dict[str, str]) -> None:
    """The server answers on 127.0.0.1, wants its token, and serves the study's notebooks."""
    port = free_port()
    server = subprocess.Popen(
        [Path(sys.executable).parent / "medomicslab", "lab", "demo-study", "--no-browser", "--port", str(port)],
        cwd=copy,
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).read()
                break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < end and server.poll() is None, "JupyterLab did not start"
                time.sleep(0.3)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents", timeout=5)
        assert (copy / "demo-study" / "notebooks" / "00_pipeline.ipynb").exists()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)

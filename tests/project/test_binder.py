"""The lessons as a student meets them on Binder: an environment from the files in ``binder/`` alone, then Run All."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest

from medomicslab_nb import lab

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
PYTHON = BINDER.joinpath("runtime.txt").read_text("utf-8").strip().replace("-", "")
# What git ignores, and what is no part of a fresh clone.
NOT_COPIED = (".git", ".venv*", "__pycache__", ".*_cache", "node_modules", "shared", "demo-study*", "prove",
              "artefacts", "lesson-*", "build", "dist", ".ipynb_checkpoints", "*.egg-info")
CORES = 2
MOST_SECONDS = 180
MOST_BYTES = 1.5e9
MOST_NOTEBOOK_BYTES = 2_000_000
# Proxies that nobody answers: what asks for another machine fails.
NOWHERE = "http://127.0.0.1:9"

# One worker builds the environment, once.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Built:
    """The environment and the copy of the repository that it was built from."""

    repository: Path
    bin: Path
    home: Path

    def variables(self, **more: str) -> dict[str, str]:
        """This process' environment without what would let it see any other installation."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("PYTHON", "JUPYTER", "MEDOMICSLAB", "VIRTUAL_ENV"))}
        return {**kept, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", **more}

    def run(self, *command: str, **more: str) -> str:
        done = subprocess.run(command, cwd=self.repository, env=self.variables(**more), capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    python = shutil.which(PYTHON)
    assert python, f"binder/runtime.txt asks for {PYTHON}, which is not on this machine"
    folder = tmp_path_factory.mktemp("binder")
    shutil.copytree(ROOT, folder / "repository", ignore=shutil.ignore_patterns(*NOT_COPIED))
    subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
    made = Built(folder / "repository", folder / "venv" / "bin", folder / "home")
    # A cache saves the download; it changes nothing of what is installed.
    made.run("binder/postBuild", PIP_NO_CACHE_DIR="0")
    return made


@dataclass(frozen=True)
class Execution:
    """A notebook that was run, and what it took."""

    notebook: Path
    seconds: float
    most_bytes: int


def execute(built: Built, lesson: str, out: Path) -> Execution:
    """Run All, on two cores, in a folder of its own, with no other machine in reach."""
    offline = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOWHERE)
    variables = built.variables(HOME=str(built.home), **offline)
    target, log = out / "executed.ipynb", out / "log.txt"
    begin, most = time.monotonic(), 0
    with log.open("wb") as stream:
        process = subprocess.Popen([built.bin / "python", "-m", "papermill", "--no-progress-bar", "--cwd", out,
                                    built.repository / "notebooks" / lesson, target], env=variables, stdout=stream,
                                   stderr=stream)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:CORES])
        while process.poll() is None:
            most = max(most, resident(process.pid))
            time.sleep(0.1)
    assert process.returncode == 0, log.read_text("utf-8", "replace")[-5000:]
    return Execution(target, time.monotonic() - begin, most)


def resident(papermill: int) -> int:
    """Bytes of memory of the kernel and all that it started, together; pages that they share count each time."""
    total = 0
    try:
        below = psutil.Process(papermill).children(recursive=True)
    except psutil.NoSuchProcess:
        return 0
    for process in below:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def check(built: Built, lesson: str, out: Path, record: Callable[[str, object], None]) -> None:
    done = execute(built, lesson, out)
    record("seconds", round(done.seconds, 1))
    record("megabytes", round(done.most_bytes / 1e6))
    print(f"{lesson}: {done.seconds:.0f} s, {done.most_bytes / 1e6:.0f} MB")
    outputs = [output for cell in nbformat.read(done.notebook, as_version=4).cells
               for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert any("report.html" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert done.seconds <= MOST_SECONDS
    assert done.most_bytes <= MOST_BYTES
    assert done.notebook.stat().st_size <= MOST_NOTEBOOK_BYTES


def test_programs_of_the_system_are_named() -> None:
    # What this machine itself built the environment with.
    packages = (BINDER / "apt.txt").read_text("utf-8").split()
    assert {"gcc", "libc6-dev"} <= set(packages)
    if shutil.which("dpkg-query"):
        subprocess.run(["dpkg-query", "--status", *packages], check=True, stdout=subprocess.DEVNULL)


def test_environment_is_the_core_and_flower_with_the_pinned_versions(built: Built) -> None:
    listed = json.loads(built.run("python", "-m", "pip", "list", "--format=json", "--disable-pip-version-check"))
    installed = {entry["name"].lower(): entry["version"] for entry in listed}
    assert "medomicslab-nb" in installed
    assert not {"torch", "spacy", "ray", "voila", "xgboost-cpu", "optuna"} & set(installed)
    pins = dict(line.split("==") for line in (ROOT / "constraints" / "py311.txt").read_text("utf-8").splitlines()
                if "==" in line)
    assert {name: version for name, version in installed.items() if pins.get(name, version) != version} == {}


def test_forms_and_templates_are_found(built: Built) -> None:
    code = ("from medomicslab_nb.notebook import find_shipped as f, find_template as t; "
            "print(f('_widgets', 'widgets', 'common.css'), t('01_data.ipynb'))")
    assert built.run("python", "-c", code).split() == [str(built.repository / "widgets" / "common.css"),
                                                       str(built.repository / "templates" / "01_data.ipynb")]


def test_jupyterlab_asks_no_other_machine(built: Built) -> None:
    shown = json.loads(built.run("python", "-m", "jupyterlab", "--show-config-json", HOME=str(built.home)))
    wanted = dict(option.removeprefix("--LabApp.").split("=") for option in lab.OFFLINE)
    assert {name: str(shown["LabApp"].get(name)) for name in wanted} == wanted
    extensions = built.run("bash", "-c", "jupyter labextension list 2>&1", HOME=str(built.home))
    assert "@jupyterlab/apputils-extension:announcements" in extensions.partition("Disabled extensions")[2]


def test_page_settings_are_those_of_the_lab_command() -> None:
    assert json.loads((BINDER / "page_config.json").read_text("utf-8")) == lab._PAGE


@pytest.mark.parametrize("lesson", ["en/01_table_to_model.ipynb", "en/02_images_to_model.ipynb",
                                    "en/03_why_hospitals_differ.ipynb"])
def test_lesson_runs(built: Built, tmp_path: Path, lesson: str, record_property: Callable[[str, object], None]) -> None:
    check(built, lesson, tmp_path, record_property)


# Their code is that of the English ones (test_lessons.py).
@pytest.mark.prove
@pytest.mark.parametrize("lesson", ["fr/01_table_au_modele.ipynb", "fr/02_images_au_modele.ipynb",
                                    "fr/03_pourquoi_les_hopitaux_different.ipynb"])
def test_french_lesson_runs(built: Built, tmp_path: Path, lesson: str,
                            record_property: Callable[[str, object], None]) -> None:
    check(built, lesson, tmp_path, record_property)

"""Lesson 3 does what its words say: the numbers that it quotes come out, in less than half a minute."""

from __future__ import annotations

import resource
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import pytest

import medomicslab_nb as ml

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 30

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> tuple[ml.Study, list[nbformat.NotebookNode], float]:
    """The study that the lesson leaves, its executed cells, and the seconds of computing that it took."""
    folder = tmp_path_factory.mktemp("lesson")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # the kernel is another process
        before = cpu_of_children()
        papermill.execute_notebook(ROOT / "notebooks/en/03_why_hospitals_differ.ipynb", folder / "out.ipynb",
                                   cwd=folder, progress_bar=False)
    cells = nbformat.read(folder / "out.ipynb", as_version=4).cells
    return ml.open_study(folder / "lesson-hospitals"), cells, cpu_of_children() - before


def cpu_of_children() -> float:
    """Seconds of computing of processes that have ended; other than the clock, other tests do not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def estimates(run: ml.RunRecord) -> pd.DataFrame:
    return run.table("performance").pivot(index="model", columns="site", values="estimate").round(2)


def test_takes_less_than_half_a_minute_and_complains_of_nothing(lesson) -> None:
    _, cells, seconds = lesson
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert any("report.html" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert 1 < seconds <= MOST_SECONDS


def test_what_is_said_of_each_model_is_so(lesson) -> None:
    found = estimates(lesson[0].runs[0])
    assert found.loc["federated", "all"] == found.loc["pooled", "all"] == 0.84
    assert found.loc["alone: alpha", "all"] == 0.83
    assert (found.loc["alone: gamma", "gamma"], found.loc["alone: gamma", "all"]) == (0.50, 0.33)
    assert [found.loc[f"without {site}", site] for site in ("alpha", "beta", "delta", "gamma")] == [
        0.79, 0.76, 0.78, 0.67]
    assert found.loc["federated", "gamma"] <= found.loc["without gamma", "gamma"]
    exact = lesson[0].runs[0].table("performance").query("site == 'all'").set_index("model")["estimate"]
    assert exact.round(3)[["alone: alpha", "federated"]].tolist() == [0.833, 0.836]
    assert abs(exact["federated"] - exact["pooled"]) < 1e-9


def test_what_is_said_of_coefficients_is_so(lesson) -> None:
    every, gamma, delta = (run.table("coefficients").set_index("column") for run in lesson[0].runs)
    size = gamma.loc["size", ["coefficient", "lower", "upper"]].astype(float).round(2).tolist()
    assert size == [-1.05, -2.28, 0.18]
    assert "stage=III" not in gamma.index and "haemoglobin" not in delta.index
    truth = {"stage=II": 0.9, "stage=III": 1.8, "age": 0.06, "size": 0.5, "haemoglobin": -0.4}
    for column, value in truth.items():
        assert every.loc[column, "lower"] < value < every.loc[column, "upper"]
    assert lesson[0].runs[1].table("sites").set_index("site").loc["gamma", "events"] == 15

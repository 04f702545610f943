"""Plain papermill on a template: the run completes, the notebook stays small and holds no widget and no patient."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import papermill
import pytest

from medomicslab_nb.study import Study
from tests.image_study import add_images
from tests.report.samples import IDS, make_study

FOLDER = Path(__file__).parents[2] / "templates"
MODELS = {"outcome": "dmfs", "learner": "ridge", "folds": 2, "repeats": 1, "inner_folds": 2, "compare": False,
          "explain": False, "jobs": 1}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = make_study(tmp_path / "study")
    add_images(made, IDS[:3])
    return made


@pytest.mark.parametrize(("name", "settings", "figures"), [
    ("01_data", {"outcome": "dmfs"}, 3),
    ("02_radiomics", {"preset": "plain"}, 1),
    ("03_models", json.dumps(MODELS), 4),
    ("06_federated", {"outcome": "dmfs", "algorithm": "cox", "site_column": "grade", "explain": False,
                      "predictors": {"clinical": ["age"]}, "policy": {"minimum_patients": 5, "minimum_events": 1,
                                                                      "minimum_count": 1}}, 4),
    ("00_pipeline", {"data": {}, "models": MODELS}, 0),
])
def test_executed_notebook(study: Study, tmp_path: Path, name: str, settings: object, figures: int,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))  # the kernel is another process
    target = tmp_path / "out.ipynb"
    papermill.execute_notebook(FOLDER / f"{name}.ipynb", target, parameters={"study": "study", "settings": settings},
                               cwd=tmp_path, progress_bar=False)
    notebook = nbformat.read(target, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    text = target.read_text(encoding="utf-8")
    assert study.runs[-1].status == "completed"
    assert len(text) <= 2_000_000
    assert kinds.count("application/vnd.plotly.v1+json") >= figures
    assert not any("widget" in kind for kind in kinds)
    assert "widgets" not in notebook.metadata or not notebook.metadata.widgets
    assert not any(patient in text for patient in IDS)
    assert any("report.html" in output.get("data", {}).get("text/html", "") for output in outputs)

"""One JupyterLab, one browser and one study of real patients for all tests here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column
from tests.image_study import add_images
from tests.note_study import add_notes

TEMPLATES = Path(__file__).parents[2] / "templates"
# The quick learner, so that the browser and not the model takes the time.
MODELS = {"outcome": "dmfs", "learner": "ridge", "folds": 2, "repeats": 1, "inner_folds": 2, "compare": False,
          "explain": False, "jobs": 1}
# Two sites: women with and without the oestrogen receptor.
FEDERATED = {"outcome": "dmfs", "algorithm": "cox", "site_column": "er", "predictors": {"clinical": ["age", "size"]},
             "holdout": 0.5, "explain": False}


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    from tests.ui.notebook_page import FLAGS

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = create_study(tmp_path_factory.mktemp("lab") / "my_study")
    get_sample("transbig", made)
    add_images(made, ["TB-001", "TB-002", "TB-003"])
    add_notes(made, [f"TB-{number:03d}" for number in range(1, 21)])
    return made


@pytest.fixture(scope="session")
def wide_study(study: Study) -> Study:
    """Beside the study: tables so wide that the data stage takes long enough to be interrupted."""
    made = create_study(study.path.parent / "wide_study")
    rng = np.random.default_rng(5)
    patients = pd.Index([f"WIDE-{i:04d}" for i in range(300)], name="patient")
    made.add_table("clinical", pd.DataFrame({"patient": patients, "relapse": rng.integers(0, 2, 300)}), columns={
        "patient": Column(role="identifier", type="text"), "relapse": Column(role="outcome", type="boolean")})
    for number in range(8):
        values = pd.DataFrame(rng.normal(size=(300, 15_000)).astype("float32"), index=patients,
                              columns=[f"G{number}_{i}" for i in range(15_000)])
        made.add_table(f"genes{number}", values, block="genes", default_column=Column(), transposed=True)
    return made


def put_notebook(template: str, target: Path, study: str, settings: object) -> None:
    """A template as a user's notebook, with the parameters written into its cell."""
    content = json.loads((TEMPLATES / template).read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = [f"study = {study!r}\n", f"settings = {settings!r}"]
    target.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="session")
def lab(browser: object, study: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of JupyterLab with the templates beside the study, settings as a user would write them."""
    from tests.ui.notebook_page import jupyter_lab

    root = study.path.parent
    settings = {"01_data": {}, "02_radiomics": {"preset": "plain"}, "03_models": MODELS, "05_text": {},
                "06_federated": FEDERATED, "00_pipeline": {"data": {}, "models": MODELS}}
    for name, values in settings.items():
        put_notebook(f"{name}.ipynb", root / f"{name}.ipynb", "my_study", values)
    with jupyter_lab(root, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture
def open_notebook(browser: object, lab: str) -> Iterator[object]:
    """Opens a notebook of the folder that JupyterLab serves."""
    from tests.ui.notebook_page import NotebookPage

    opened = []

    def open_one(name: str) -> NotebookPage:
        opened.append(NotebookPage(browser, lab, name))
        return opened[-1]

    yield open_one
    for page in opened:
        page.close()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are left."""
    folder = Path(os.environ.get("MEDOMICSLAB_ARTEFACTS", "artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder

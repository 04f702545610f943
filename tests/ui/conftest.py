"""One JupyterLab, one browser and one study of real patients for all tests here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.study import Study, create_study
from tests.image_study import add_images

TEMPLATES = Path(__file__).parents[2] / "templates"
# The quick learner, so that the browser and not the model takes the time.
MODELS = {"outcome": "dmfs", "learner": "ridge", "folds": 2, "repeats": 1, "inner_folds": 2, "compare": False,
          "explain": False, "jobs": 1}


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
    return made


@pytest.fixture(scope="session")
def lab(browser: object, study: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of JupyterLab with the templates beside the study, settings as a user would write them."""
    from tests.ui.notebook_page import jupyter_lab

    root = study.path.parent
    settings = {"01_data": {}, "02_radiomics": {"preset": "plain"}, "03_models": MODELS,
                "00_pipeline": {"data": {}, "models": MODELS}}
    for name, values in settings.items():
        content = json.loads((TEMPLATES / f"{name}.ipynb").read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if "parameters" in cell["metadata"].get("tags", []):
                cell["source"] = ['study = "my_study"\n', f"settings = {values!r}"]
        (root / f"{name}.ipynb").write_text(json.dumps(content), encoding="utf-8")
    with jupyter_lab(root, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are left."""
    folder = Path(os.environ.get("MEDOMICSLAB_ARTEFACTS", "artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder

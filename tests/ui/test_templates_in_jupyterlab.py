"""Every template in a real JupyterLab: Run All, same tables as a script, nothing leaves the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.record import RunRecord
from medomicslab_nb.stages import STAGES
from medomicslab_nb.study import Study, create_study
from tests.note_study import add_notes
from tests.ui.conftest import FEDERATED, MODELS, put_notebook

pytestmark = pytest.mark.ui
TEMPLATES = {stage.name: stage.template for stage in STAGES.values()}
FIGURES = {"data": 2, "radiomics": 1, "models": 4, "text": 1, "federated": 4, "pipeline": 0}


# What makes a run of each stage long enough to be interrupted: the notebook, the setting that is changed in the form.
LONG = {"data": ("01_data_wide.ipynb", "outcome", "relapse"),
        "radiomics": ("02_radiomics_long.ipynb", "perturbation_count", "100"),
        "models": ("03_models.ipynb", "repeats", "50"),
        "text": ("05_text_long.ipynb", "minimum_patients", "3"),
        "federated": ("06_federated_long.ipynb", "holdout", "0.3"),
        "pipeline": ("00_pipeline_long.ipynb", "", "")}


@pytest.fixture(scope="module")
def text_study(study: Study) -> Study:
    """Beside the study: many notes. Added to it, they would make the cohort stale that its other stages rest on."""
    made = create_study(study.path.parent / "text_study")
    get_sample("transbig", made)
    add_notes(made, [f"TB-{number:03d}" for number in range(1, 199)], name="notes_long", each=200)
    return made


@pytest.fixture(scope="module")
def owners(wide_study: Study, text_study: Study) -> dict[str, Study]:
    """The studies of the stages that have one of their own for a long run."""
    return {"data": wide_study, "text": text_study}


@pytest.fixture(scope="module")
def long_notebooks(study: Study, wide_study: Study, text_study: Study) -> None:
    root = study.path.parent
    put_notebook("01_data.ipynb", root / "01_data_wide.ipynb", wide_study.path.name, {})
    put_notebook("02_radiomics.ipynb", root / "02_radiomics_long.ipynb", "my_study", {
        "preset": "plain", "perturbations": ["noise", "rotation", "contour"]})
    put_notebook("05_text.ipynb", root / "05_text_long.ipynb", text_study.path.name, {"notes": "notes_long"})
    put_notebook("06_federated.ipynb", root / "06_federated_long.ipynb", "my_study", {
        **FEDERATED, "outcome": "e.tdm", "time": "t.tdm", "algorithm": "network", "network": {"rounds": 1000}})
    put_notebook("00_pipeline.ipynb", root / "00_pipeline_long.ipynb", "my_study", {
        "data": {}, "models": {**MODELS, "folds": 5, "repeats": 50}})


def newest(study: Study, stage: str) -> RunRecord:
    return [record for record in study.runs if record.stage == stage][-1]


@pytest.mark.parametrize("stage", TEMPLATES)
def test_run_all(stage: str, open_notebook, study: Study, artefacts: Path) -> None:
    notebook = open_notebook(TEMPLATES[stage])
    notebook.run_all()
    record = newest(study, stage)
    assert record.status == "completed"
    assert (record.path / "report.html").exists()
    assert notebook.figures() >= FIGURES[stage]
    notebook.page.screenshot(path=artefacts / f"jupyterlab_{stage}.png")
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []
    # Byte parity of the form in the browser and a script, which computes everything anew.
    shutil.rmtree(study.path / "cache", ignore_errors=True)
    assert ml.run(stage, study, record.settings, sinks=[]).table_hashes == record.table_hashes


@pytest.mark.parametrize("stage", TEMPLATES)
@pytest.mark.usefixtures("long_notebooks")
def test_form_button_reload_restart_cancel(stage: str, open_notebook, study: Study, owners: dict[str, Study],
                                           artefacts: Path) -> None:
    name, setting, value = LONG[stage]
    owner = owners.get(stage, study)
    notebook = open_notebook(name)
    notebook.show_view()
    if setting:
        notebook.set(setting, value)
        notebook.view.locator(f"[data-field='{setting}']", has_text="default").first.wait_for()
    notebook.button("Run").click()
    notebook.wait_for_status("Running")
    record = newest(owner, stage)
    assert str(record.settings.get(setting, "")) == value

    # The notebook stays usable while the run is under way; then the page is reloaded, then the kernel is restarted.
    notebook.page.reload()
    notebook.wait_for_kernel()
    notebook.show_view()
    notebook.wait_for_status("Running")
    notebook.restart_kernel()
    notebook.show_view()
    notebook.wait_for_status("Running")
    notebook.page.screenshot(path=artefacts / f"jupyterlab_{stage}_running.png")
    assert (newest(owner, stage).id, record.status) == (record.id, "running")
    notebook.button("Cancel").click()
    notebook.wait_for_status("Cancelled", timeout_s=30)
    assert record.status == "cancelled"
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []


def test_fault_beside_the_field_then_run_by_the_button(open_notebook, study: Study, artefacts: Path) -> None:
    notebook = open_notebook(TEMPLATES["models"])
    notebook.show_view()
    notebook.set("folds", "1")
    notebook.wait_for_status("Correct the settings")
    assert "greater than or equal to 2" in notebook.field("folds").locator(".medomicslab-fault").inner_text()
    assert notebook.button("Run").is_disabled()

    notebook.set("folds", "3")
    notebook.wait_for_status("Ready.")
    notebook.button("Run").click()
    notebook.wait_for_status("Completed")
    notebook.view.locator(".js-plotly-plot").first.wait_for()
    notebook.view.scroll_into_view_if_needed()
    notebook.page.screenshot(path=artefacts / "jupyterlab_button.png")
    done = newest(study, "models")
    assert (done.status, done.settings["folds"]) == ("completed", 3)

    # A kernel that knows nothing of the run offers its result.
    notebook.restart_kernel()
    notebook.show_view()
    notebook.wait_for_status("Last run")
    notebook.button("Show its result").click()
    notebook.view.locator(".js-plotly-plot").first.wait_for()
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []


def test_reports_open_offline_with_every_figure(browser, study: Study, artefacts: Path) -> None:
    for stage in ("data", "models"):
        record = ml.run(stage, study, {} if stage == "data" else {**MODELS, "explain": True}, sinks=[])
        record.report()
        context = browser.new_context(viewport={"width": 1100, "height": 900})
        context.set_offline(True)
        page = context.new_page()
        complaints, requested = [], []
        page.on("console", lambda message, kept=complaints: kept.append(message.text))
        page.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
        page.on("request", lambda request, kept=requested: kept.append(request.url))
        page.goto((record.path / "report.html").as_uri())
        page.wait_for_selector(".figure .main-svg")
        page.wait_for_timeout(500)
        figures = page.locator(".figure")
        assert figures.count() >= 4
        assert all(figures.nth(place).locator(".main-svg").count() for place in range(figures.count()))
        page.screenshot(path=artefacts / f"report_{stage}.png", full_page=True)
        assert complaints == []
        assert len(requested) == 1
        context.close()

"""A CSV and one series of a DICOM export come into an empty study by clicking, in a real JupyterLab."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from medomicslab_nb.data.synthetic import draw_cohort
from medomicslab_nb.data.synthetic_dicom import write_images
from medomicslab_nb.study import Study, create_study
from tests.ui.conftest import put_notebook
from tests.ui.test_accessibility import AXE, CHECK, CONTRAST, NOT_OURS

pytestmark = pytest.mark.ui
SMALL = {"CT": (60, 50, 12), "PT": (40, 36, 9)}
PATIENTS = ("SYN-0001", "SYN-0002", "SYN-0003")


class Loader:
    """The data loader on a new study, with what a person does there."""

    def __init__(self, notebook: Any, study: Study, artefacts: Path) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.study = study
        self.artefacts = artefacts
        self.view = notebook.view
        self.files = self.view.locator(".mlab-files")
        self.form = self.view.locator(".mlab-add-table")
        self.editor = self.view.locator(".mlab-dictionary", has=self.button("Save"))

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def entry(self, name: str) -> Any:
        return self.files.locator("[role=option]", has_text=name)

    def shot(self, name: str, where: Any) -> None:
        where.scroll_into_view_if_needed()
        self.page.wait_for_timeout(200)
        self.page.screenshot(path=self.artefacts / f"data_loader_{name}.png")

    def set_role(self, grid: Any, column: str, role: str) -> None:
        row = grid.locator(".mlab-sizer [role=row]", has_text=column)
        # Rows of a table that was chosen just now may still arrive, and are drawn anew then.
        for _ in range(5):
            row.locator("[data-field=role]").click()
            with contextlib.suppress(PlaywrightTimeout):
                row.locator("select").select_option(role, timeout=3000)
                break
        grid.locator(".mlab-grid-unsaved", has_text=role).wait_for()


@pytest.fixture(scope="module")
def fresh(study: Study) -> Study:
    """An empty study with tables and an export beside it, and its notebook."""
    root = study.path.parent / "loading"
    root.mkdir()
    made = create_study(root / "fresh_study")
    rows = "".join(f"{patient},{50 + place},{place % 2},{100 * place + 30}\n" for place, patient in enumerate(PATIENTS))
    (root / "clinical.csv").write_text("patient,age,relapse,weeks\n" + rows)
    (root / "odd.csv").write_text("patient,age,age\nA-0001,1,2\n")
    write_images(draw_cohort(2, seed=3), root / "export", sizes=SMALL)
    put_notebook("01_data.ipynb", root / "01_data.ipynb", "fresh_study", {})
    return made


@pytest.fixture(scope="module")
def loader(browser: object, lab: str, fresh: Study, artefacts: Path) -> Iterator[Loader]:
    from tests.ui.notebook_page import NotebookPage

    notebook = NotebookPage(browser, lab, "loading/01_data.ipynb")
    notebook.page.keyboard.press("Control+b")  # the side bar takes room
    notebook.show_view()
    yield Loader(notebook, fresh, artefacts)
    notebook.close()


def test_unusable_file_is_refused_with_the_reason(loader: Loader) -> None:
    loader.entry("odd.csv").click()
    loader.button("Use this file").click()
    loader.form.locator("[role=alert]", has_text="column names occur more than once").wait_for()
    loader.shot("1_refused", loader.files)
    assert not loader.study.tables


def test_table_by_keyboard_with_a_corrected_role(loader: Loader) -> None:
    loader.files.focus()
    loader.page.keyboard.type("clin")
    loader.page.wait_for_function("() => document.querySelectorAll('.mlab-files [role=option]').length === 1")
    loader.page.keyboard.press("Enter")
    loader.form.locator("td", has_text="SYN-0001").wait_for()
    loader.set_role(loader.view.locator(".mlab-dictionary:visible").first, "relapse", "outcome")
    loader.shot("2_table", loader.form)
    assert not loader.study.tables
    loader.button("Add to study").click()
    loader.form.locator(".mlab-good", has_text="was added").wait_for()
    assert loader.study.info("clinical").column("relapse").role == "outcome"
    # What the dictionary makes is there without a run.
    loader.view.locator("td", has_text="two classes").first.wait_for()
    loader.files.focus()
    loader.page.keyboard.press("Escape")
    loader.entry("odd.csv").wait_for()


def test_one_series_by_its_card(loader: Loader) -> None:
    loader.entry("export").dblclick()
    loader.entry("dicom").wait_for()
    loader.page.keyboard.press("Backspace")
    loader.entry("odd.csv").wait_for()
    loader.entry("export").click()
    loader.button("Scan this folder for images").click()
    cards = loader.view.locator(".mlab-card")
    cards.locator(".mlab-picture img").nth(3).wait_for()
    section = loader.view.locator(".mlab-cards section", has=loader.page.locator(f"h4:text-is('{PATIENTS[1]}')"))
    section.locator(".mlab-card", has_text="CT 20").locator(".mlab-card-title input").check()
    loader.shot("3_cards", loader.view.locator(".mlab-scan"))
    loader.button("Add 1 series").click()
    loader.view.locator(".mlab-report li", has_text="1 patients, 1 images, 1 ROIs").wait_for()
    images = loader.study.table("images")
    assert list(zip(images.index, images["modality"], images["roi"], strict=True)) == [(PATIENTS[1], "CT", "GTVp")]
    loader.view.locator("td", has_text="clinical & images & protocol").wait_for()


def test_stored_dictionary_is_corrected_and_everything_follows(loader: Loader) -> None:
    loader.editor.get_by_label("Table").select_option("clinical")
    loader.set_role(loader.editor, "weeks", "outcome")
    loader.editor.locator("[role=status]", has_text="not saved yet").wait_for()
    loader.shot("4_dictionary", loader.editor)
    loader.button("Save").click()
    loader.editor.locator("[role=status]", has_text="Saved: 1").wait_for()
    loader.view.locator("td", has_text="to be set").first.wait_for()
    assert loader.study.info("clinical").column("weeks").role == "outcome"


def test_grid_by_keyboard_alone(loader: Loader) -> None:
    grid = loader.editor.locator("[role=grid]")
    grid.focus()
    for key in ("Home", *["ArrowUp"] * 3, *["ArrowRight"] * 4, "Enter"):
        loader.page.keyboard.press(key)
    loader.page.keyboard.type("years")
    loader.page.keyboard.press("Enter")
    grid.locator(".mlab-grid-unsaved", has_text="years").wait_for()
    loader.button("Undo").last.click()
    grid.locator(".mlab-grid-unsaved").wait_for(state="detached")
    # Letters typed in the view are no commands of the notebook.
    cells = loader.page.locator(".jp-Cell").count()
    grid.focus()
    for key in ("b", "d", "d"):
        loader.page.keyboard.press(key)
    assert loader.page.locator(".jp-Cell").count() == cells


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everything_is_legible_and_has_a_name_and_a_role(loader: Loader, theme: str) -> None:
    loader.notebook.theme(theme)
    loader.page.add_script_tag(path=AXE)
    found = [one for one in loader.page.evaluate(CHECK) if one["rule"] not in NOT_OURS]
    assert found == [], json.dumps(found[:8], indent=1)
    titles = loader.view.locator(".jupyter-widget-Collapse-header")
    titles.first.click()  # closed folds look otherwise
    assert loader.view.locator(".jp-OutputArea-output").first.evaluate(CONTRAST) == []
    titles.first.click()
    assert loader.view.locator(".jp-OutputArea-output").first.evaluate(CONTRAST) == []


def test_dark_theme_offline_and_without_complaints(loader: Loader) -> None:
    loader.shot("5_dark_browser", loader.files)
    loader.shot("6_dark_cards", loader.view.locator(".mlab-scan"))
    loader.shot("7_dark_checks", loader.view.locator(".medomicslab-checks"))
    assert loader.notebook.foreign() == []
    assert loader.notebook.our_complaints() == []

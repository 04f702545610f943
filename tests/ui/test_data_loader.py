"""A CSV and one series of a DICOM export come into an empty study by clicking, in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest

from medomicslab_nb.data.synthetic import draw_cohort
from medomicslab_nb.data.synthetic_dicom import write_images
from medomicslab_nb.study import Study, create_study
from tests.ui.conftest import put_notebook

pytestmark = pytest.mark.ui
SMALL = {"CT": (60, 50, 12), "PT": (40, 36, 9)}
PATIENTS = ("SYN-0001", "SYN-0002", "SYN-0003")


@pytest.fixture(scope="module")
def fresh(study: Study) -> Study:
    """An empty study with a table and an export beside it, and its notebook."""
    root = study.path.parent / "loading"
    root.mkdir()
    made = create_study(root / "fresh_study")
    rows = "".join(f"{patient},{50 + place},{place % 2},{100 * place + 30}\n" for place, patient in enumerate(PATIENTS))
    (root / "clinical.csv").write_text("patient,age,relapse,weeks\n" + rows)
    (root / "odd.csv").write_text("patient,age,age\nA-0001,1,2\n")
    write_images(draw_cohort(2, seed=3), root / "export", sizes=SMALL)
    put_notebook("01_data.ipynb", root / "01_data.ipynb", "fresh_study", {})
    return made


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_table_and_series_come_into_the_study_by_clicking(theme: str, fresh: Study, open_notebook,
                                                          artefacts: Path) -> None:
    shade = theme.split()[1].lower()

    def shot(name: str) -> None:
        page.wait_for_timeout(200)
        page.screenshot(path=artefacts / f"data_loader_{name}_{shade}.png")

    notebook = open_notebook("loading/01_data.ipynb")
    page = notebook.page
    notebook.theme(theme)
    page.keyboard.press("Control+b")  # the side bar takes room
    notebook.show_view()
    view = notebook.view
    files = view.locator(".mlab-files")
    if shade == "dark":
        view.locator(".jp-Collapse-header, .lm-AccordionPanel-title", has_text="Add a table or images").first.click()
    files.wait_for()
    files.locator("[role=option]", has_text="clinical.csv").wait_for()
    files.scroll_into_view_if_needed()
    shot("1_browser")

    # A file that cannot be used says why, and the view stays usable.
    files.locator("[role=option]", has_text="odd.csv").click()
    view.get_by_role("button", name="Use this file").click()
    form = view.locator(".mlab-add-table")
    form.locator("[role=alert]", has_text="age").wait_for()
    form.scroll_into_view_if_needed()
    shot("2_refused")

    # By keyboard: typing filters, Enter chooses.
    files.focus()
    page.keyboard.type("clin")
    page.wait_for_function("() => document.querySelectorAll('.mlab-files [role=option]').length === 1")
    page.keyboard.press("Enter")
    form.locator("h4", has_text="clinical.csv").wait_for()
    form.locator("td", has_text="SYN-0001").wait_for()
    if shade == "dark":
        form.get_by_label("Name", exact=True).fill("again")
    grid = view.locator(".mlab-dictionary:visible").first
    row = grid.locator(".mlab-sizer [role=row]", has_text="relapse")
    row.locator("[data-field=role]").click()
    row.locator("select").select_option("outcome")
    grid.locator(".mlab-grid-unsaved", has_text="outcome").wait_for()
    form.scroll_into_view_if_needed()
    shot("3_table")
    assert set(fresh.tables) == (set() if shade == "light" else {"clinical", "images", "protocol"})
    form.get_by_role("button", name="Add to study").click()
    form.locator(".mlab-good", has_text="was added").wait_for()
    name = "clinical" if shade == "light" else "again"
    assert fresh.info(name).column("relapse").role == "outcome"
    view.locator("td", has_text="two classes").first.wait_for()
    shot("4_added")

    files.focus()
    page.keyboard.press("Escape")
    files.locator("[role=option]", has_text="export").dblclick()
    files.locator("[role=option]", has_text="clinical.csv").wait_for(state="detached")
    page.keyboard.press("Backspace")
    files.locator("[role=option]", has_text="clinical.csv").wait_for()
    files.locator("[role=option]", has_text="export").click()
    view.get_by_role("button", name="Scan this folder for images").click()
    cards = view.locator(".mlab-card")
    cards.nth(3).wait_for()
    cards.locator(".mlab-picture img").nth(3).wait_for()
    section = view.locator(".mlab-cards section", has=page.locator(f"h4:text-is('{PATIENTS[1]}')"))
    card = section.locator(".mlab-card", has_text="CT 20")
    card.locator(".mlab-card-title input").check()
    view.locator(".mlab-scan").scroll_into_view_if_needed()
    shot("5_cards")
    view.get_by_role("button", name="Add 1 series").click()
    view.locator(".mlab-report li", has_text="1 patients, 1 images, 1 ROIs").wait_for()
    images = fresh.table("images")
    assert list(zip(images.index, images["modality"], images["roi"], strict=True)) == [(PATIENTS[1], "CT", "GTVp")]
    view.locator("tr", has_text="images").first.wait_for()
    view.locator(".mlab-report").last.scroll_into_view_if_needed()
    shot("6_images")

    # The stored dictionary: a change is marked, saved, and what depends on it is computed anew.
    editor = view.locator(".mlab-dictionary", has=page.get_by_role("button", name="Save", exact=True))
    editor.get_by_label("Table").select_option(name)
    week = editor.locator(".mlab-sizer [role=row]", has_text="weeks")
    week.wait_for()
    week.locator("[data-field=role]").click()
    week.locator("select").select_option("outcome")
    editor.locator("[role=status]", has_text="not saved yet").wait_for()
    editor.scroll_into_view_if_needed()
    shot("7_dictionary")
    editor.get_by_role("button", name="Save", exact=True).click()
    editor.locator("[role=status]", has_text="Saved: 1").wait_for()
    view.locator("td", has_text="a number").first.wait_for()
    view.locator(".medomicslab-checks").scroll_into_view_if_needed()
    shot("8_checks")
    assert fresh.info(name).column("weeks").role == "outcome"
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []

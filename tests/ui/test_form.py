"""The form in a real JupyterLab: typing, messages, marks, tokens, groups, import, export, code to copy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from medomicslab_nb.stages import STAGES

pytestmark = pytest.mark.ui
MODELS = STAGES["models"].settings_class()


@pytest.fixture
def form(open_notebook):
    """The models' form, ready."""
    notebook = open_notebook("03_models.ipynb")
    notebook.show_view()
    notebook.field("folds").wait_for()
    yield notebook
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []


def settings_of(notebook) -> dict[str, object]:
    """What the form stands for, as its own export says."""
    exchange = notebook.view.locator(".mlab-form-exchange")
    if exchange.get_attribute("open") is None:
        exchange.locator("summary").click()
    expect(area(notebook, "Export YAML")).not_to_have_value("")
    return yaml.safe_load(area(notebook, "Export YAML").input_value())


def area(notebook, label: str):
    return notebook.view.get_by_label(label, exact=True)


def test_message_comes_while_one_types_and_takes_neither_focus_nor_cursor(form) -> None:
    box = form.field("folds").locator("input")
    box.click()
    box.fill("")
    box.press_sequentially("99")
    box.press("ArrowLeft")
    fault = form.field("folds").locator(".medomicslab-fault")
    fault.filter(has_text="less than or equal to 20").wait_for()
    state = box.evaluate("box => [document.activeElement === box, box.selectionStart, box.value, "
                         "box.getAttribute('aria-invalid')]")
    assert state == [True, 1, "99", "true"]
    assert fault.get_attribute("id") in (box.get_attribute("aria-describedby") or "").split()
    form.wait_for_status("Correct the settings")

    # Letters that are JupyterLab's own shortcuts reach the field and no cell.
    cells = form.page.locator(".jp-Cell").count()
    box.press_sequentially("bxdd")
    assert box.input_value() == "9bxdd9"
    assert form.page.locator(".jp-Cell").count() == cells
    box.fill("7")
    form.wait_for_status("Ready.")
    assert fault.inner_text() == ""


def test_late_answers_do_not_overwrite_newer_typing(form) -> None:
    box = form.field("time").locator("input")
    box.click()
    text = "a rather long name of a column, typed without haste"
    box.press_sequentially(text, delay=35)
    form.page.wait_for_timeout(800)
    assert box.input_value() == text
    assert box.evaluate("box => document.activeElement === box && box.selectionStart") == len(text)


def test_change_is_marked_counted_and_reset(form) -> None:
    row = form.field("inner_folds")
    fold = form.view.locator("details[data-fold='/advanced']")
    assert "changed" in fold.locator(".mlab-form-counts").first.inner_text()
    fold.locator("summary").first.click()
    row.get_by_text("changed, default: 5").wait_for()
    row.get_by_role("button", name=re.compile("Reset to default")).press("Enter")
    expect(row).not_to_have_attribute("data-changed", "")
    assert row.locator("input").input_value() == "5"
    assert row.locator("input").evaluate("box => document.activeElement === box")

    form.view.get_by_role("button", name="Reset all").click()
    form.view.locator(".mlab-form-bar", has_text="Everything has its default").wait_for()
    assert settings_of(form) == MODELS.parse({"outcome": "dmfs"}).model_dump(mode="json")


def test_tokens_checkboxes_rows_and_groups_by_keyboard(form) -> None:
    form.view.locator("details[data-fold='/advanced'] > summary").focus()
    form.page.keyboard.press("Enter")
    box = form.field("clinical_score").locator("input")
    box.focus()
    form.page.keyboard.type("age,grade")
    form.page.keyboard.press("Enter")
    form.page.keyboard.type('"a, b"')
    form.page.keyboard.press("Enter")
    form.page.keyboard.press("Backspace")
    expect(form.field("clinical_score").locator(".mlab-form-chip")).to_contain_text(["age", "grade"])
    form.field("clinical_score").get_by_role("button", name="Remove age").press("Enter")

    form.field("blocks").get_by_role("button", name=re.compile("Add")).press("Enter")
    form.page.keyboard.type("omics")
    form.page.keyboard.press("Tab")
    form.page.keyboard.type("genes, clinical")
    form.page.keyboard.press("Tab")

    form.field("dates").locator("input").first.press("Space")
    form.field("dates").locator(".medomicslab-fault").first.wait_for(state="attached")
    form.set("dates.events", "relapse")
    form.set("dates.administrative", "30.4.2021")
    form.field("dates.administrative").get_by_text("no date").wait_for()
    form.set("dates.administrative", "2021-04-30")
    form.wait_for_status("Ready.")
    found = settings_of(form)
    assert found["clinical_score"] == ["grade"]
    assert found["blocks"] == {"omics": ["genes", "clinical"]}
    assert found["dates"] == {**found["dates"], "events": ["relapse"], "administrative": "2021-04-30"}


def test_steps_of_a_cohort_are_added_moved_and_removed(open_notebook, artefacts: Path) -> None:
    notebook = open_notebook("01_data.ipynb")
    notebook.show_view()
    cohort = notebook.field("cohort")
    for label, value in (("one", "1"), ("two", "2021-04-30")):
        cohort.get_by_role("button", name="Add").last.click()
        place = f"cohort.{cohort.locator('fieldset').count() - 1}"
        assert notebook.field(f"{place}.label").locator("input").evaluate("box => document.activeElement === box")
        for name, text in (("label", label), ("table", "clinical"), ("column", "age"), ("value", value)):
            notebook.set(f"{place}.{name}", text)
    cohort.get_by_role("button", name=re.compile("Move up.* 2")).press("Enter")
    notebook.field("cohort.0.label").scroll_into_view_if_needed()
    notebook.page.screenshot(path=artefacts / "form_cohort.png")
    notebook.wait_for_status("Ready.")
    steps = settings_of(notebook)["cohort"]
    assert [(step["label"], step["value"]) for step in steps] == [("two", "2021-04-30"), ("one", 1.0)]
    cohort.get_by_role("button", name=re.compile("Remove.* 1")).press("Enter")
    notebook.page.wait_for_timeout(500)
    assert [step["label"] for step in settings_of(notebook)["cohort"]] == ["one"]


def test_import_export_and_code(form, tmp_path: Path) -> None:
    settings_of(form)
    area(form, "or paste it here").fill("fold: 3")
    form.view.get_by_role("button", name="Import this text").click()
    form.view.get_by_role("alert").filter(has_text="did you mean 'folds'").wait_for()
    area(form, "or paste it here").fill("outcome: os\nfolds: 3\nvisits: {v: [0, 90]}")
    form.view.get_by_role("button", name="Import this text").click()
    expect(form.field("folds").locator("input")).to_have_value("3")

    form.view.get_by_label("Only what differs from the defaults").check()
    expect(area(form, "Export YAML")).to_have_value(re.compile("visits"))
    with form.page.expect_download() as download:
        form.view.get_by_role("button", name="Download").click()
    path = tmp_path / "again.yaml"
    download.value.save_as(path)
    assert download.value.suggested_filename == "models.yaml"
    assert MODELS.parse(path) == MODELS.parse({"outcome": "os", "folds": 3, "visits": {"v": [0, 90]}})
    assert "learner" not in path.read_text()

    cell = area(form, "Notebook cell").input_value()
    assert 'study = ml.open_study("my_study")' in cell
    assert '"folds": 3,' in cell
    assert shlex.split(area(form, "Command line").input_value()) == [
        "medomicslab", "run", "models", "--study", "my_study", "-s", "outcome=os", "-s", "visits={v: [0.0, 90.0]}",
        "-s", "folds=3"]
    form.view.get_by_role("button", name="Copy", exact=True).last.click()
    form.view.get_by_role("status").filter(has_text=re.compile("Copied|selected")).wait_for()

    form.set("folds", "4")
    expect(area(form, "Command line")).to_have_value(re.compile("folds=4"))
    form.view.get_by_label("YAML or JSON file").set_input_files(path)
    expect(form.field("folds").locator("input")).to_have_value("3")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_screenshots(theme: str, form, artefacts: Path) -> None:
    form.theme(theme)
    form.set("folds", "99")
    form.set("repeats", "3")
    form.view.locator("details[data-fold='/advanced'] > summary").click()
    form.set("clinical_score", "age, grade,")
    form.field("folds").locator(".medomicslab-fault", has_text="20").wait_for()
    form.page.set_viewport_size({"width": 1280, "height": 2600})
    form.page.wait_for_timeout(500)
    form.view.locator(".mlab-form").first.screenshot(path=artefacts / f"form_{theme.split()[-1].lower()}.png")
    form.page.set_viewport_size({"width": 700, "height": 1500})
    form.page.wait_for_timeout(500)
    form.view.locator(".mlab-form").first.screenshot(path=artefacts / f"form_{theme.split()[-1].lower()}_narrow.png")

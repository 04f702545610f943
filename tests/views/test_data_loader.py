"""The view of the data stage: a file looked at before it is added, what is refused, checks that follow every change."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.importing import import_file
from medomicslab_nb.pseudonyms import new_key, read_key
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column
from medomicslab_nb.views import live_checks, stage_view
from medomicslab_nb.views.add_files import AddFiles
from medomicslab_nb.views.add_table import AddTable
from medomicslab_nb.views.data_workbench import Workbench
from medomicslab_nb.views.live_checks import LiveChecks, checks_html
from tests.imaging.dicom_factory import write_series
from tests.report.samples import HOSTILE, IDS, data_tables, finished_run
from tests.views.talking import Talk, until

PATIENTS = ("KLINIK-0815", "KLINIK-0816", "KLINIK-0817", "KLINIK-0818")
ROWS = "patient;age;sex;relapse\n" + "".join(f"{patient};{50 + i},5;{'mf'[i % 2]};{i % 2}\n"
                                            for i, patient in enumerate(PATIENTS))


@pytest.fixture
def empty(tmp_path: Path) -> Study:
    return create_study(tmp_path / "empty")


@pytest.fixture
def added() -> list[str]:
    return []


@pytest.fixture
def talk(empty: Study, added: list[str]) -> Talk:
    return Talk(AddTable(empty, added.append))


def prepared(talk: Talk, path: Path, **options: object) -> dict:
    talk.widget.choose(path)
    return talk.ask("prepare", **options)


def written(tmp_path: Path, content: str = ROWS, name: str = "clinical.csv") -> Path:
    path = tmp_path / name
    path.write_text(content)
    return path


# -- a table before it is added --------------------------------------------------------------------------------------


def test_semicolon_file_is_shown_and_nothing_is_stored(talk: Talk, tmp_path: Path, empty: Study) -> None:
    shown = prepared(talk, written(tmp_path))
    assert shown["name"] == "clinical"
    assert shown["preview"]["columns"] == ["patient", "age", "sex", "relapse"]
    assert shown["preview"]["rows"][0] == [PATIENTS[0], "50.5", "m", "0"]
    assert shown["size"] == "4 rows, 4 columns"
    assert [row["name"] for row in Talk(talk.widget.grid).ask("rows")["rows"]] == ["age", "sex", "relapse"]
    assert not empty.tables
    assert not any(path.is_file() for path in (empty.path / "tables").rglob("*"))


def test_no_cell_of_the_file_stands_in_synced_state(talk: Talk, tmp_path: Path) -> None:
    prepared(talk, written(tmp_path))
    state = f"{talk.widget.get_state()}{talk.widget.grid.get_state()}"
    assert "KLINIK" not in state
    assert str(tmp_path) not in state


def test_corrected_table_is_stored_as_it_was_shown(talk: Talk, tmp_path: Path, empty: Study, added: list[str]) -> None:
    prepared(talk, written(tmp_path))
    Talk(talk.widget.grid).ask("change", names=["relapse"], field="role", value="outcome")
    talk.ask("prepare", name="other", block="basics")  # corrections survive a change of the form
    answer = talk.ask("add")
    assert "'other' was added: 4 rows" in answer["done"]
    assert added == ["other"]
    info = empty.info("other")
    assert (info.block, info.column("relapse").role, info.column("sex").type) == ("basics", "outcome", "category")
    assert list(empty.table("other").index) == list(PATIENTS)
    assert "no table was read" in talk.fault("add")


def test_another_file_begins_without_the_corrections_of_the_one_before(talk: Talk, tmp_path: Path) -> None:
    prepared(talk, written(tmp_path))
    grid = Talk(talk.widget.grid)
    grid.ask("change", names=["age"], field="unit", value="years")
    prepared(talk, written(tmp_path, name="second.csv"))
    assert grid.ask("rows", search="age")["rows"][0]["unit"] == ""


def test_corrections_outlive_a_state_in_which_the_file_cannot_be_read(talk: Talk, tmp_path: Path) -> None:
    prepared(talk, written(tmp_path))
    grid = Talk(talk.widget.grid)
    grid.ask("change", names=["age"], field="unit", value="years")
    assert "fault" in talk.ask("prepare", id_column="pat")  # half of a name, as it is typed
    assert grid.ask("rows")["total"] == 0
    assert "fault" not in talk.ask("prepare", id_column="patient")
    assert grid.ask("rows", search="age")["rows"][0]["unit"] == "years"
    grid.ask("change", names=["age"], field="unit", value="")
    talk.ask("prepare")
    assert grid.ask("rows", search="age")["rows"][0]["unit"] == ""


def test_only_fields_that_were_corrected_are_kept_where_the_guess_becomes_another_one(talk: Talk,
                                                                                       tmp_path: Path) -> None:
    path = tmp_path / "two.xlsx"
    with pd.ExcelWriter(path) as sheets:
        pd.DataFrame({"patient": PATIENTS, "grade": [1.5, 2.25, 3.0, 4.75], "age": 50}).to_excel(sheets, sheet_name="a",
                                                                                                index=False)
        pd.DataFrame({"patient": PATIENTS, "grade": ["low", "high", "low", "high"]}).to_excel(sheets, sheet_name="b",
                                                                                              index=False)
    prepared(talk, path)
    talk.ask("prepare", sheet="a")
    grid = Talk(talk.widget.grid)
    before = grid.ask("rows", search="grade")["rows"][0]
    grid.ask("change", names=["grade"], field="description", value="of the tumour")
    grid.ask("change", names=["age"], field="unit", value="years")
    talk.ask("prepare", sheet="b")
    row = grid.ask("rows")["rows"][0]
    assert (row["type"], row["description"]) == ("category", "of the tumour")
    assert before["type"] == "number" and row["unsaved"] == ["description"]
    talk.ask("prepare", sheet="a")
    rows = {one["name"]: one for one in grid.ask("rows")["rows"]}
    assert (rows["grade"]["type"], rows["grade"]["description"]) == ("number", "of the tumour")
    assert rows["age"]["unit"] == "years"  # of a column that the other sheet has not


def test_numbers_are_shown_with_all_their_digits(talk: Talk, tmp_path: Path) -> None:
    path = written(tmp_path, "patient,size,name\nA-0001,12345678,v1.0\nA-0002,0.123456789,v2.0\nA-0003,,v3.0\n")
    rows = prepared(talk, path)["preview"]["rows"]
    assert [row[1] for row in rows] == ["12345678", "0.123456789", ""]
    assert rows[0][2] == "v1.0"


@pytest.mark.parametrize(("content", "words"), [
    ("patient,age,age\nA-0001,1,2\n", "column names occur more than once"),
    ("age,size\n1,2\n3,4\n", "identif"),
    ("patient,age\nA-0001,1\nA-0001,2\n", "share their patient"),
    ("patient,seen\nA-0001,03/04/2020\nA-0002,05/06/2020\n", "day or with the month first"),
    ("", "empty"),
])
def test_file_that_cannot_be_used_says_why(talk: Talk, tmp_path: Path, content: str, words: str) -> None:
    shown = prepared(talk, written(tmp_path, content))
    assert words in shown["fault"]
    assert "preview" not in shown
    assert "no table was read" in talk.fault("add")


def test_ambiguous_dates_are_read_once_their_order_is_given(talk: Talk, tmp_path: Path) -> None:
    path = written(tmp_path, "patient,seen\nA-0001,03/04/2020\nA-0002,05/06/2020\n")
    assert "fault" in prepared(talk, path)
    shown = talk.ask("prepare", date_order="day-first")
    assert shown["preview"]["rows"][0] == ["A-0001", "2020-04-03"]
    assert shown["dates"] == ["seen"]


def test_unreadable_file_is_told(talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("medomicslab_nb.views.add_table.prepare_file", refuse)
    assert prepared(talk, written(tmp_path))["fault"] == "You have no permission to read this."


def test_table_of_the_same_name_needs_the_tick_to_be_replaced(talk: Talk, tmp_path: Path, empty: Study) -> None:
    path = written(tmp_path)
    import_file(empty, path)
    assert "already" in prepared(talk, path)["fault"]
    assert "fault" not in talk.ask("prepare", replace=True)


def test_key_makes_pseudonyms_and_identified_patients_are_refused_afterwards(talk: Talk, tmp_path: Path,
                                                                             empty: Study) -> None:
    key = new_key(tmp_path / "key.yaml")
    prepared(talk, written(tmp_path))
    talk.ask("add", key_file=str(key))
    secret = read_key(key)
    assert set(empty.table("clinical").index) == {secret.pseudonym(patient) for patient in PATIENTS}

    shown = prepared(talk, written(tmp_path, name="more.csv"))
    assert "de-identified" in shown["warning"]
    assert "de-identified" in talk.fault("add")
    assert list(empty.tables) == ["clinical"]
    talk.ask("prepare")
    talk.ask("add", key_file=str(key))
    assert list(empty.tables) == ["clinical", "more"]


def test_a_folder_goes_to_the_picker_and_a_table_to_the_form(empty: Study, tmp_path: Path) -> None:
    flow = AddFiles(empty)
    assert flow.table.layout.display == flow.picker.layout.display == "none"
    flow.choose(written(tmp_path))
    assert (flow.table.layout.display, flow.picker.layout.display) == (None, "none")
    files = write_series(tmp_path / "scan", patient_id=PATIENTS[0])
    flow.choose(files[3])  # a file of a series stands for its folder
    flow.picker.wait()
    assert (flow.table.layout.display, flow.picker.layout.display) == ("none", None)
    assert flow.picker.found["series"] == 1


# -- live checks -----------------------------------------------------------------------------------------------------


def test_checks_say_linkage_endpoints_and_severity_in_words(study: Study) -> None:
    shown = checks_html(study)
    assert "clinical &amp; genes" in shown
    assert "time to event" in shown
    assert not any(patient in shown for patient in IDS)
    study.update_columns("clinical", {"grade": Column(role="time", endpoint="dmfs")})
    assert "error: modelling will refuse" in checks_html(study)


def test_checks_escape_what_comes_from_the_data(empty: Study) -> None:
    frame = pd.DataFrame({"patient": IDS, HOSTILE: np.nan})
    empty.add_table("odd", frame, columns={"patient": Column(role="identifier", type="text"), HOSTILE: Column()})
    shown = checks_html(empty)
    assert "&lt;img" in shown
    assert "<img" not in shown


def test_of_several_computations_the_last_one_wins(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    first_goes_on = threading.Event()

    def slow(_: Study) -> str:
        computed.append(len(computed))
        number = len(computed)
        if number == 1:
            first_goes_on.wait(10)
        return f"result {number}"

    monkeypatch.setattr(live_checks, "checks_html", slow)
    monkeypatch.setattr(live_checks, "_SETTLE_S", 0.05)
    checks = LiveChecks(study)
    checks.recompute()
    checks.recompute()  # within the moment of rest: one computation
    until(lambda: computed)
    checks.recompute()
    until(lambda: checks.content.value == "result 2")
    first_goes_on.set()
    time.sleep(0.1)
    assert checks.content.value == "result 2"
    assert computed == [0, 1]


def test_large_study_is_checked_on_demand(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_checks, "MOST_CELLS", 100)
    checks = LiveChecks(study)
    checks.follow()
    assert "Press the button" in checks.state.value
    assert checks.content.value == ""
    checks.recompute()
    checks.wait()
    assert "time to event" in checks.content.value
    assert "Press the button" not in checks.state.value


def test_failure_of_the_checks_is_told(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Study) -> str:
        raise ValueError(IDS[0])

    monkeypatch.setattr(live_checks, "checks_html", fail)
    checks = LiveChecks(study)
    checks.recompute()
    checks.wait()
    assert "ValueError" in checks.content.value
    assert IDS[0] not in checks.content.value


def test_what_is_added_reaches_dictionary_checks_and_view(empty: Study, tmp_path: Path) -> None:
    changes: list[str] = []
    bench = Workbench(empty, lambda: changes.append("changed"))
    bench.checks.wait()
    assert bench.folds[0].selected_index == 0
    talk = Talk(bench.adding.table)
    prepared(talk, written(tmp_path))
    talk.ask("add")
    bench.checks.wait()
    assert bench.dictionary.table == "clinical"
    assert "clinical" in bench.checks.content.value
    assert changes == ["changed"]
    grid = Talk(bench.dictionary)
    grid.ask("change", names=["relapse"], field="role", value="outcome")
    grid.ask("save")
    bench.checks.wait()
    assert "two classes" in bench.checks.content.value
    assert changes == ["changed", "changed"]


# -- the view --------------------------------------------------------------------------------------------------------


def test_headless_view_has_static_tables_and_makes_no_widgets(study: Study) -> None:
    view = ml.view("data", study)
    assert view.panel is None
    assert view._workbench is None
    shown = view._repr_mimebundle_()["text/html"]
    assert "<details>" in shown
    assert "grade" in shown


def test_live_view_lists_a_table_as_soon_as_it_is_added(empty: Study, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_view, "interactive", lambda: True)
    view = ml.view("data", empty)
    assert "Add one below" in view.panel.title.value
    talk = Talk(view._workbench.adding.table)
    prepared(talk, written(tmp_path))
    talk.ask("add")
    assert "<details>" not in view.panel.title.value
    assert "clinical" in view.panel.title.value
    view._workbench.checks.wait()


def test_result_shows_the_findings_of_the_run(study: Study) -> None:
    record = finished_run(study, "data", data_tables())
    bundles = ml.view("data", study).result(record)
    assert any("Quality of the data" in bundle.get("text/html", "") for bundle in bundles)

"""The grid of the data dictionary: rows, changes that are checked, undo, many at once, saved."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column
from medomicslab_nb.views.dictionary_draft import DictionaryDraft
from medomicslab_nb.views.dictionary_editor import MOST_ROWS, DictionaryEditor
from tests.image_study import add_images
from tests.report.samples import IDS
from tests.views.talking import Talk


@pytest.fixture
def saved() -> list[str]:
    return []


@pytest.fixture
def editor(study: Study, saved: list[str]) -> DictionaryEditor:
    return DictionaryEditor(study, lambda: saved.append("saved"))


@pytest.fixture
def talk(editor: DictionaryEditor) -> Talk:
    return Talk(editor)


def test_every_column_but_the_identifier_is_a_row(talk: Talk) -> None:
    answer = talk.ask("rows")
    assert [row["name"] for row in answer["rows"]] == ["age", "grade", "time", "event"]
    assert answer["rows"][0] | {"unlike": {}} == {
        "name": "age", "role": "predictor", "type": "number", "unit": "years", "endpoint": "", "description": "",
        "unsaved": [], "unlike": {}}


def test_what_differs_from_the_guess_is_said(talk: Talk) -> None:
    rows = {row["name"]: row["unlike"] for row in talk.ask("rows")["rows"]}
    assert rows["age"] == {"unit": ""}
    assert rows["grade"] == {}


def test_tables_of_images_are_compared_with_no_guess(study: Study, talk: Talk) -> None:
    add_images(study, IDS[:2])
    talk.ask("open", table="images")
    assert all(row["unlike"] == {} for row in talk.ask("rows")["rows"])


def test_change_is_checked_marked_saved_and_announced(talk: Talk, study: Study, saved: list[str]) -> None:
    before = talk.widget.revision
    talk.ask("change", names=["grade"], field="role", value="stratum")
    row = talk.ask("rows", search="grade")["rows"][0]
    assert (row["role"], row["unsaved"], row["unlike"]) == ("stratum", ["role"], {"role": "predictor"})
    assert talk.widget.revision > before
    assert talk.widget.state == {"unsaved": 1, "undo": True, "total": 4}
    assert study.info("clinical").column("grade").role == "predictor"
    assert talk.ask("save") == {"saved": 1}
    assert study.info("clinical").column("grade").role == "stratum"
    assert study.info("clinical").column("age").unit == "years"
    assert talk.widget.state["unsaved"] == 0
    assert saved == ["saved"]


def test_value_that_a_column_cannot_have_is_refused_and_nothing_changes(talk: Talk) -> None:
    fault = talk.fault("change", names=["grade"], field="role", value="<img>")
    assert "predictor" in fault
    assert "<img>" not in fault
    assert "no such column" in talk.fault("change", names=["nobody"], field="unit", value="mm")
    assert "no such column" in talk.fault("change", names=["grade"], field="model_config", value="x")
    assert talk.widget.state["unsaved"] == 0


def test_undo_takes_back_one_step_after_the_other(talk: Talk) -> None:
    talk.ask("change", names=["grade"], field="unit", value="points")
    talk.ask("change", names=["age", "grade"], field="role", value="ignore")
    talk.ask("undo")
    rows = {row["name"]: (row["role"], row["unit"]) for row in talk.ask("rows")["rows"]}
    assert rows["grade"] == ("predictor", "points")
    assert rows["age"] == ("predictor", "years")
    talk.ask("undo")
    talk.ask("undo")
    assert talk.widget.state == {"unsaved": 0, "undo": False, "total": 4}


def test_changing_back_by_hand_is_no_change(talk: Talk) -> None:
    talk.ask("change", names=["grade"], field="unit", value=" points ")
    assert talk.ask("rows", search="points")["rows"][0]["unit"] == "points"
    talk.ask("change", names=["grade"], field="unit", value="")
    assert talk.widget.state["unsaved"] == 0


def test_all_that_fit_a_search_get_a_role(talk: Talk, study: Study) -> None:
    talk.ask("open", table="genes")
    assert talk.ask("change", all=True, search="g", role="predictor", field="role", value="ignore", names=[]) \
        == {"changed": 5}
    assert talk.ask("rows", role="predictor")["total"] == 0
    talk.ask("save")
    assert {study.info("genes").column(f"G{i}").role for i in range(5)} == {"ignore"}


def test_a_new_table_does_not_take_unsaved_changes_away(talk: Talk, study: Study, editor: DictionaryEditor) -> None:
    talk.ask("change", names=["grade"], field="role", value="ignore")
    study.add_table("more", pd.DataFrame({"patient": IDS, "x": 1.0}), columns={
        "patient": Column(role="identifier", type="text"), "x": Column()})
    editor.list_tables("more")
    assert editor.tables == ["clinical", "genes", "more"]
    assert (editor.table, editor.state["unsaved"]) == ("clinical", 1)
    talk.ask("undo")
    editor.list_tables("more")
    assert editor.table == "more"


def test_empty_study_has_an_empty_grid(tmp_path) -> None:
    from medomicslab_nb.study import create_study

    talk = Talk(DictionaryEditor(create_study(tmp_path / "empty")))
    assert talk.ask("rows")["total"] == 0


def test_twenty_thousand_columns_stay_quick() -> None:
    names = [f"GENE_{number}" for number in range(20_000)]
    draft = DictionaryDraft(names, {}, Column(), {})
    start = time.perf_counter()
    draft.change(draft.fitting("gene_"), "role", "ignore")
    draft.rows(draft.fitting("gene_1999")[:MOST_ROWS])
    assert len(draft.changes) == 20_000
    draft.undo()
    assert time.perf_counter() - start < 3
    assert draft.changes == {}


def test_wide_table_is_sent_in_parts(study: Study) -> None:
    wide = pd.DataFrame(np.zeros((3, 2000), dtype="float32"), index=pd.Index(IDS[:3], name="patient"),
                        columns=[f"G{i}" for i in range(2000)])
    study.add_table("wide", wide, block="genes", default_column=Column(), transposed=True)
    talk = Talk(DictionaryEditor(study))
    talk.ask("open", table="wide")
    answer = talk.ask("rows", start=1990, count=5000)
    assert (answer["total"], len(answer["rows"])) == (2000, 10)
    assert len(talk.ask("rows", count=5000)["rows"]) == MOST_ROWS
    talk.ask("change", names=["G7"], field="role", value="outcome")
    talk.ask("save")
    assert list(study.info("wide").columns) == ["G7"]


def test_draft_takes_over_changes_for_columns_that_are_still_there() -> None:
    before = DictionaryDraft(["a", "gone"], {})
    before.change(["a", "gone"], "role", "ignore")
    draft = DictionaryDraft(["a"], {"a": Column(type="text")})
    draft.adopt(before.edits)
    assert draft.changes == {"a": Column(role="ignore", type="text")}
    with pytest.raises(SettingsError):
        draft.change(["gone"], "unit", "mm")

"""The data stage on a study: the tables of its contract, deterministic, without identifiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.data.stage import run
from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.progress import Event, Progress

TABLES = {
    "dictionary": ["table", "column", "role", "type", "unit", "endpoint", "level", "n", "missing", "unique", "minimum",
                   "median", "maximum", "note"],
    "quality": ["table", "column", "check", "severity", "n", "finding", "advice"],
    "linkage": ["tables", "clinical", "genes", "patients"],
    "table_one": ["variable", "category", "overall", "dmfs = event", "dmfs = no event", "smd", "missing"],
    "table_one_numbers": ["variable", "category", "group", "n", "mean", "sd", "q1", "median", "q3", "count", "percent",
                          "missing", "smd"],
    "flow": ["step", "label", "patients", "excluded"],
    "outcomes": ["endpoint", "kind", "n", "events", "percent", "median_follow_up", "unit"],
    "cohort": ["patient"],
}


@pytest.fixture
def transbig(study) -> ml.Study:
    get_sample("transbig", study)
    return study


def result(study: ml.Study, **settings):
    return run(study, DataSettings.parse(settings), Progress())


def test_tables_keep_their_contract(transbig):
    tables = result(transbig).tables
    assert {name: list(table.columns) for name, table in tables.items()} == TABLES


def test_transbig_is_described(transbig):
    told = result(transbig)
    assert told.metrics == {"patients": 198, "cohort": 198, "tables": 2, "errors": 0, "warnings": 0,
                            "notes": told.metrics["notes"]}
    outcome = told.tables["outcomes"].iloc[0]
    assert (outcome["endpoint"], outcome["kind"], outcome["n"], outcome["events"]) == ("dmfs", "survival", 198, 51)
    assert outcome["unit"] == "days"
    assert told.tables["linkage"].to_dict("records") == [
        {"tables": "clinical & genes", "clinical": True, "genes": True, "patients": 198}]


def test_median_follow_up_is_that_of_scikit_survival(transbig):
    from sksurv.nonparametric import kaplan_meier_estimator

    clinical = transbig.table("clinical")
    time, survival = kaplan_meier_estimator(~clinical["e.tdm"].to_numpy(), clinical["t.tdm"].to_numpy())
    expected = time[np.flatnonzero(survival <= 0.5)[0]]
    assert result(transbig).tables["outcomes"]["median_follow_up"].iloc[0] == pytest.approx(expected)


def test_identifiers_are_in_the_cohort_only(transbig):
    told = result(transbig)
    for name, table in told.tables.items():
        assert ("TB-" in table.to_csv()) == (name == "cohort")
    assert "TB-" not in str(told.metrics) + str(told.warnings)


def test_two_runs_give_the_same_tables(transbig):
    first, second = result(transbig).tables, result(transbig).tables
    for name in first:
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True)


def test_cohort_and_corrections_apply_to_this_run_only(transbig):
    told = result(transbig, outcome="er", columns={"clinical": {"grade": {"role": "ignore"}}},
                  cohort=[{"label": "50 or more", "table": "clinical", "column": "age", "keep": ">=", "value": 50}])
    assert told.metrics["cohort"] == len(told.tables["cohort"]) == int((transbig.table("clinical")["age"] >= 50).sum())
    assert list(told.tables["table_one"].columns)[3:5] == ["er = negative", "er = positive"]
    assert "grade" not in told.tables["table_one"]["variable"].tolist()
    assert transbig.info("clinical").column("grade").role == "predictor"


def test_outcome_with_several_classes_groups_table_one(study):
    study.add_table("clinical", pd.DataFrame({"patient": list("abcdef"), "subtype": list("xxyyzz"), "age": range(6)}))
    tables = result(study, outcome="subtype").tables
    assert list(tables["table_one"].columns)[3:6] == ["subtype = x", "subtype = y", "subtype = z"]
    assert tables["outcomes"]["kind"].tolist() == ["multiclass"]


def test_continuous_outcome_is_told(study):
    study.add_table("clinical", pd.DataFrame({"patient": list("abcdefghijklm"), "dose": np.arange(13) / 3}))
    assert result(study, outcome="dose").tables["outcomes"]["kind"].tolist() == ["continuous"]


def test_a_study_without_outcome_is_described(study):
    study.add_table("clinical", pd.DataFrame({"patient": ["a", "b"], "age": [1.5, 2]}))
    tables = result(study).tables
    assert tables["outcomes"].empty
    assert list(tables["table_one"].columns) == ["variable", "category", "overall", "smd", "missing"]


@pytest.mark.parametrize(("settings", "hint"), [
    ({"tables": ["clinicl"]}, "clinical"), ({"columns": {"clinicl": {}}}, "clinical"),
    ({"columns": {"clinical": {"agee": {"role": "ignore"}}}}, "age"),
])
def test_unknown_names_suggest_the_nearest(transbig, settings, hint):
    with pytest.raises(SettingsError, match=f"Did you mean '{hint}'"):
        result(transbig, **settings)


def test_unknown_outcome_is_refused(transbig):
    with pytest.raises(DataError, match="Did you mean 'dmfs'"):
        result(transbig, outcome="dmfss")


def test_an_empty_study_says_how_to_add_a_table(study):
    with pytest.raises(SettingsError, match="medomicslab add"):
        result(study)


def test_bad_input_48_is_a_warning_in_words_and_an_error_in_the_table(study):
    study.add_table("clinical", pd.DataFrame({"patient": ["a", "b"], "y": [1, 1], "x": [1.5, 2]}))
    told = result(study, outcome="y")
    assert told.metrics["errors"] == 1
    assert "one class only" in told.warnings[0]


def test_progress_covers_every_table(transbig):
    events: list[Event] = []
    run(transbig, DataSettings(), Progress([events.append]))
    assert events[-1].done == events[-1].total


def test_run_publishes_the_tables(transbig):
    record = ml.run("data", transbig, {})
    assert record.status == "completed"
    assert set(record.tables) == set(TABLES)
    assert transbig.table("cohort").index.tolist() == transbig.table("clinical").index.tolist()


@pytest.mark.realdata
def test_real_head_and_neck_patients(study, real_data, monkeypatch):
    monkeypatch.setenv("MEDOMICSLAB_DATA", str(real_data))
    get_sample("hn", study)
    told = result(study, outcome="death")
    assert told.tables["outcomes"].set_index("endpoint")["events"].to_dict() == {
        "death": 32, "locoregional": 29, "distant_metastasis": 26}
    assert "hpv" in told.tables["quality"]["column"].tolist()

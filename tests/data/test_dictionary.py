"""The guessed data dictionary and its summary."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.data.dictionary import guess_column, guess_columns, pairs_of_endpoints, summarize, unit_of
from medomicslab_nb.data.settings import Correction
from medomicslab_nb.tables import Column, TableInfo


@pytest.mark.parametrize(("names", "endpoint"), [
    (("t.tdm", "e.tdm"), "tdm"),
    (("os_time", "os_event"), "os"),
    (("os_days", "os_event"), "os"),
    (("OS_MONTHS", "OS_STATUS"), "os"),
    (("OS.time", "OS"), "os"),
    (("time", "cens"), "survival"),
    (("time", "status"), "survival"),
    (("death_time_days", "death_event"), "death"),
    (("futime", "fustat"), "survival"),
])
def test_pairs_of_time_and_event_are_found(names, endpoint):
    frame = pd.DataFrame({names[0]: [10.5, 20.0, 30.0], names[1]: [0, 1, 0], "age": [1, 2, 3]})
    assert pairs_of_endpoints(frame) == [(*names, endpoint)]
    columns = guess_columns(frame.assign(patient=list("abc")), "patient")
    assert (columns[names[0]].role, columns[names[1]].role) == ("time", "event")
    assert columns[names[0]].endpoint == columns[names[1]].endpoint == endpoint
    assert columns["age"].role == "predictor"


@pytest.mark.parametrize("frame", [
    {"os_time": ["a", "b", "c"], "os_event": [0, 1, 0]},  # no times
    {"os_time": [1, 2, 3], "os_event": [0, 1, 2]},  # competing events
    {"os_time": [1, 2, 3], "os.time": [1, 2, 3], "os_event": [0, 1, 0]},  # which time?
    {"time": [1, 2, 3]},
])
def test_impossible_pairs_are_left_alone(frame):
    assert pairs_of_endpoints(pd.DataFrame(frame)) == []


def test_roles_and_types_are_guessed():
    n = 60
    frame = pd.DataFrame({
        "patient": [f"P{i}" for i in range(n)], "age_years": range(n), "size": np.linspace(0, 1, n),
        "smoker": [0, 1] * 30, "flag": [True, False] * 30, "er": ["pos", "neg"] * 30, "hospital": ["A", "B", "C"] * 20,
        "report": [f"text {i}" for i in range(n)], "seen": pd.date_range("2021-01-01", periods=n),
        "index_date": pd.date_range("2021-01-01", periods=n), "outcome": [0, 1] * 30})
    columns = guess_columns(frame, "patient")
    assert {name: (column.role, column.type) for name, column in columns.items()} == {
        "patient": ("identifier", "text"), "age_years": ("predictor", "integer"), "size": ("predictor", "number"),
        "smoker": ("predictor", "boolean"), "flag": ("predictor", "boolean"), "er": ("predictor", "category"),
        "hospital": ("centre", "category"), "report": ("ignore", "text"), "seen": ("date", "date"),
        "index_date": ("index_date", "date"), "outcome": ("outcome", "boolean")}


@pytest.mark.parametrize(("name", "unit"), [("age_years", "years"), ("size.mm", "mm"), ("delayDays", "days"),
                                            ("psa_ng_ml", "ng/mL"), ("dose_gy", "Gy"), ("days", ""), ("comm", "")])
def test_units_are_read_from_names(name, unit):
    assert unit_of(name) == unit


def test_wide_tables_list_only_what_is_not_plain():
    frame = pd.DataFrame(np.zeros((3, 600)), columns=[f"G{i}" for i in range(600)])
    frame["patient"], frame["batch"] = ["a", "b", "c"], ["x", "x", "y"]
    frame["os_time"], frame["os_event"] = [1.0, 2.0, 3.0], [0, 1, 0]
    assert list(guess_columns(frame, "patient")) == ["patient", "batch", "os_time", "os_event"]


def test_summary_says_what_the_columns_hold():
    frame = pd.DataFrame({"size": [1.0, np.nan, 3.0], "er": ["pos", "neg", "pos"]},
                         index=pd.Index(["a", "b", "c"], name="patient"))
    info = TableInfo("clinical", columns={"size": Column(unit="mm"), "er": Column(type="category")})
    rows = summarize(info, frame).set_index("column")
    assert rows.loc["size", ["n", "missing", "unique", "minimum", "median", "maximum"]].tolist() == [2, 1, 2, 1, 2, 3]
    assert rows.loc["size", "unit"] == "mm"
    assert rows.loc["er", "unique"] == 2


def test_summary_of_a_wide_table_takes_one_row():
    frame = pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=list("abc"), index=pd.Index(["x", "y"], name="patient"))
    summary = summarize(TableInfo("genes", default_column=Column()), frame)
    assert summary["column"].tolist() == ["(3 columns)"]
    assert summary[["minimum", "median", "maximum"]].iloc[0].tolist() == [0, 2.5, 5]


@pytest.mark.parametrize("field", ["role", "type"])
def test_corrections_offer_what_the_dictionary_knows(field):
    optional = Correction.model_fields[field].annotation
    assert get_args(get_args(optional)[0]) == get_args(Column.model_fields[field].annotation)


@pytest.mark.parametrize("name", ["cens", "censor", "censored"])
def test_events_named_after_censoring_are_doubted(name):
    columns = guess_columns(pd.DataFrame({"patient": list("abc"), "time": [1, 2, 3], name: [0, 1, 0]}), "patient")
    assert columns[name].role == "event"
    assert "often mean the opposite" in columns[name].description


@pytest.mark.parametrize(("name", "values", "role"), [
    ("status", [0, 1, 2], "ignore"), ("event", [0, 1, 2], "ignore"), ("os_time", [1, 2, 3], "ignore"),
    ("os_event", [0, 1, 0], "ignore"), ("follow_up_status", [0, 1, 0], "predictor"), ("t", [1, 2, 4], "predictor"),
    ("t_stage", [1, 2, 3], "predictor"), ("er_status", [0, 1, 0], "predictor"),
])
def test_half_an_endpoint_is_no_predictor(name, values, role):
    assert guess_columns(pd.DataFrame({"patient": list("abc"), name: values}), "patient")[name].role == role


def test_a_gene_named_like_an_endpoint_stays_a_predictor():
    frame = pd.DataFrame({f"G{i}": np.arange(30.0) for i in range(600)} | {"EFS": np.arange(30.0) / 7})
    assert "EFS" not in guess_columns(frame.assign(patient=[f"P{i}" for i in range(30)]), "patient")


@pytest.mark.parametrize("cell", ["unknown", "#DIV/0!"])
def test_numbers_with_one_bad_cell_are_described_as_such(cell):
    frame = pd.DataFrame({"patient": [f"P{i}" for i in range(40)], "psa": [*(f"{i}.5" for i in range(39)), cell]})
    column = guess_columns(frame, "patient")["psa"]
    assert column.description == "guessed: 40 values are numbers but for 1"


def test_a_few_notes_are_free_text_and_no_categories() -> None:
    note = "La patiente présente une tumeur du sein gauche, sans adénopathie palpable à l'examen clinique."
    notes = pd.Series([note, note, note, "Pas de récidive."], name="text")
    assert (guess_column(notes).role, guess_column(notes).type) == ("ignore", "text")
    assert guess_column(pd.Series(["squamous cell carcinoma", "adenocarcinoma"], name="type")).role == "predictor"

"""The evidence of a run is plain data, says what was done, and names no patient."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from medomicslab_nb.report.evidence import evidence, study_evidence, time_unit
from medomicslab_nb.report.figures import figures_of
from medomicslab_nb.report.rows import headline_rows
from medomicslab_nb.study import Study
from tests.report.samples import IDS, data_tables, finished_run, models_tables


def test_models_evidence(study: Study) -> None:
    record = finished_run(study, "models", models_tables(), {"outcome": "dmfs", "folds": 3})
    content = evidence(record)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["summary"] == (
        "Predicting dmfs in 60 patients (30 events), the named default reached a C-index of 0.680 (95 % interval "
        "0.580 to 0.780) with clinical + genes (beside 0.600 with clinical and 0.640 with genes), in "
        "patients that the model had not seen (repeated nested cross-validation, 3 folds x 2 repeats).")
    assert [row["estimate"] for row in content["headline"] if row["default"]] == ["0.600", "0.640", "0.680"]
    assert {row["aggregation"] for row in content["headline"]} == {"fold mean"}
    assert content["on_whom"][0] == {"who": "clinical", "patients": "60", "events": "30"}
    changed = {row["name"]: (row["value"], row["default"]) for row in content["settings"] if row["differs"]}
    assert changed == {"outcome": ("dmfs", "required"), "folds": ("3", "5")}
    assert any("3 folds x 2 repeats" in sentence for sentence in content["done"])
    assert "predictions" not in [table["name"] for table in content["tables"]]


@pytest.mark.parametrize(("scheme", "summary", "done"), [
    ("cross-validation", "had not seen (repeated nested cross-validation, 5 folds x 2 repeats).", "Repeated nested "),
    ("leave one centre out", "(every centre held out in turn).", "Every centre was held out in turn, by models of"),
    ("external", "in external patients.", "tested on the patients of other tables"),
    ("sealed", "in the patients of the sealed test, opened once.", "tested on the sealed patients, once"),
])
def test_the_scheme_of_validation_is_said(study: Study, scheme: str, summary: str, done: str) -> None:
    content = evidence(finished_run(study, "models", models_tables(), {"outcome": "dmfs", "validation": scheme}))
    assert content["summary"].endswith(summary)
    assert done in " ".join(content["done"])


def test_many_sets_of_blocks_list_other_learners_once() -> None:
    rows = models_tables()["performance"]
    one = rows[rows["blocks"] == "clinical"]
    more = pd.concat([*(one.assign(blocks=f"b{number}") for number in range(4)), rows])
    shown = headline_rows(more)
    assert shown.loc[~shown["default"], "blocks"].unique().tolist() == ["clinical + genes"]
    assert shown["default"].sum() == 7


def test_data_evidence(study: Study) -> None:
    content = evidence(finished_run(study, "data", data_tables()))
    assert content["summary"] == "2 tables (clinical and genes), 60 patients, 57 in the cohort; 1 warning on the " \
                                 "quality of the data."
    names = [table["name"] for table in content["tables"]]
    assert names[:3] == ["table_one", "outcomes", "quality"]
    assert "cohort" not in names
    assert not any(patient in json.dumps(content) for patient in IDS)


def test_time_unit_comes_from_the_dictionary(study: Study) -> None:
    assert time_unit(finished_run(study, "models", models_tables(), {"outcome": "dmfs"})) == "days"
    assert time_unit(finished_run(study, "models", models_tables(), {"outcome": "other"})) == ""


def test_figures(study: Study) -> None:
    data = figures_of(finished_run(study, "data", data_tables()))
    assert [picture.name for picture in data] == ["linkage", "flow", "outcomes", "dictionary"]
    survival = figures_of(finished_run(study, "models", models_tables(), {"outcome": "dmfs"}))
    assert [picture.name.split()[0] for picture in survival] == [
        "performance", "ablation", "calibration", "decision", *["kaplan_meier"] * 3, "subgroups", "shap",
        "partial_dependence", "nomogram"]
    binary = figures_of(finished_run(study, "models", models_tables(survival=False), {"outcome": "dmfs"}))
    assert "roc" in [picture.name for picture in binary]
    assert all(len(picture.numbers) for picture in (*data, *survival, *binary))


def test_study_evidence(study: Study) -> None:
    finished_run(study, "data", data_tables())
    finished_run(study, "models", {}, {"outcome": "dmfs"}, status="failed", error="no events")
    content = study_evidence(study)
    assert content["summary"] == "Study study: 2 tables, 2 runs, 1 of them completed."
    assert [run["stage"] for run in content["runs"]] == ["models", "data"]
    assert {table["name"] for table in content["tables"]} == {"clinical", "genes"}

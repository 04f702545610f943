"""Every kind of endpoint in the data stage: listed, counted, and checked without a fault of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.outcomes import list_outcomes, outcome_table
from medomicslab_nb.data.quality import check_outcomes, check_table
from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.data.stage import run
from medomicslab_nb.evaluation.endpoints import find_endpoint
from medomicslab_nb.progress import Progress
from medomicslab_nb.tables import Column

N = 60
COLUMNS = {
    "size": Column(), "grade": Column(role="outcome", type="category"), "psa": Column(role="outcome", unit="ng/mL"),
    "days": Column(role="time", unit="days", endpoint="css"), "start": Column(role="entry"),
    "why": Column(role="cause", type="category", endpoint="css"), "site": Column(role="stratum", type="category"),
    "ecog": Column(role="outcome", type="integer"),
}


@pytest.fixture
def outcomes(study) -> ml.Study:
    rng = np.random.default_rng(1)
    days = rng.uniform(100, 3000, N).round(0)
    frame = pd.DataFrame({
        "patient": [f"PAT-{i:03d}" for i in range(N)], "size": rng.normal(20, 3, N), "psa": rng.gamma(2, 3, N),
        "grade": ["I"] * 30 + ["II"] * 25 + ["III"] * 5, "days": days, "start": rng.choice([0.0, 50.0], N),
        "why": rng.permutation(["1"] * 20 + ["2"] * 15 + [None] * 25), "site": ["x", "y"] * 30, "ecog": [0, 1, 2] * 20})
    study.add_table("clinical", frame, columns=COLUMNS)
    return study


def seen(study: ml.Study) -> CorrectedStudy:
    return CorrectedStudy(study, DataSettings())


def test_every_kind_is_listed_with_its_endpoint(outcomes):
    listed = {outcome.name: outcome for outcome in list_outcomes(seen(outcomes))}
    assert {name: outcome.kind for name, outcome in listed.items()} == {
        "grade": "multiclass", "psa": "continuous", "css": "survival", "ecog": "multiclass"}
    for name in ("grade", "psa", "css"):
        assert listed[name].endpoint.outcome.tolist() == find_endpoint(outcomes, name).outcome.tolist()
    assert listed["ecog"].endpoint is None  # numbers from 0 to 2: the models stage asks
    assert [outcome.fault for outcome in listed.values()] == [""] * 4
    assert sorted(listed["grade"].groups.unique()) == ["I", "II", "III"] and listed["psa"].groups is None


def test_only_events_have_counts(outcomes):
    table = outcome_table(list_outcomes(seen(outcomes))).set_index("endpoint")
    assert table["n"].tolist() == [N] * 4
    assert table["events"].isna().tolist() == [True, True, True, False]
    assert (table.loc["css", "events"], table.loc["css", "unit"], table.loc["psa", "unit"]) == (20, "days", "ng/mL")
    assert table.loc["css", "percent"] == pytest.approx(100 * 20 / N)
    assert table.loc["css", "median_follow_up"] > 0


def test_small_classes_and_competing_events_are_findings(outcomes):
    findings = check_outcomes(seen(outcomes), list_outcomes(seen(outcomes)))
    assert [(one.column, one.n) for one in findings if one.check == "few events"] == [("grade", 5)]
    (note,) = [one for one in findings if one.check == "outcome"]
    assert "competing events: '2' (15)" in note.finding and note.advice == "Check that this is meant"


def test_an_empty_cause_is_no_missing_value(outcomes):
    assert [one.column for one in check_table(seen(outcomes), "clinical") if one.check == "missing"] == []


def test_bad_input_48_entry_after_the_end_is_an_error(outcomes):
    frame = outcomes.table("clinical").reset_index()
    frame.loc[:3, "start"] = 5000
    outcomes.add_table("clinical", frame, columns=COLUMNS)
    listed = {outcome.name: outcome for outcome in list_outcomes(seen(outcomes))}
    assert "4 of 60 patients come under observation" in listed["css"].fault


@pytest.mark.parametrize("outcome", ["grade", "psa", "css", "ecog"])
def test_the_stage_runs_on_every_kind(outcomes, outcome):
    told = run(outcomes, DataSettings(outcome=outcome), Progress())
    assert told.tables["outcomes"]["endpoint"].iloc[0] == outcome
    groups = {"grade": 3, "psa": 0, "css": 2, "ecog": 3}[outcome]
    assert sum(" = " in column for column in told.tables["table_one"].columns) == groups
    assert not {"why", "start", "site"} & set(told.tables["table_one"]["variable"])

"""Inclusion criteria and the counts of the flow chart."""

from __future__ import annotations

import pandas as pd
import pytest

from medomicslab_nb.data.cohort import passing, select_cohort
from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.settings import CohortStep, DataSettings
from medomicslab_nb.errors import SettingsError
from medomicslab_nb.tables import Column


@pytest.fixture
def view(study) -> CorrectedStudy:
    study.add_table("clinical", pd.DataFrame({
        "patient": ["a", "b", "c", "d"], "age": [17, 40, 60, None], "stage": [1.0, 2.0, 3.0, 2.0],
        "er": ["pos", "neg", "pos", None], "seen": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01", None]),
        "smoker": pd.array([True, False, True, None], dtype="boolean"), "dead": [0, 1, 1, 0],
        "case": ["K-1", "K-2", "K-3", "K-4"]}), columns={"case": Column(role="identifier", type="text")})
    study.add_table("visits", pd.DataFrame({"patient": ["b", "b", "e"], "psa": [1.0, 9.0, 9.0]}), level="visit")
    return CorrectedStudy(study, DataSettings())


def step(column: str, keep: str, value: object = None, table: str = "clinical") -> CohortStep:
    return CohortStep(label=f"{column} {keep}", table=table, column=column, keep=keep, value=value)


@pytest.mark.parametrize(("criterion", "patients"), [
    (step("age", ">=", 40), "bc"), (step("age", ">", 40), "c"), (step("age", "<=", 40), "ab"),
    (step("age", "<", 40), "a"),
    (step("stage", "==", 2), "bd"), (step("stage", "!=", 2), "ac"), (step("stage", "in", (1, 3)), "ac"),
    (step("er", "==", "pos"), "ac"), (step("er", "not missing"), "abc"), (step("er", "in", ("neg",)), "b"),
    (step("seen", ">=", "2021-01-01"), "bc"), (step("psa", ">", 5, "visits"), "be"),
])
def test_steps_keep_who_fits(view, criterion, patients):
    assert sorted(passing(view, criterion)) == list(patients)


@pytest.mark.parametrize(("criterion", "patients"), [
    (step("smoker", "==", 1), "ac"), (step("smoker", "!=", True), "b"), (step("smoker", "==", "True"), "ac"),
    (step("dead", "==", True), "bc"), (step("dead", "in", (False,)), "ad"), (step("seen", "in", ("2021-01-01",)), "b"),
])
def test_booleans_and_their_codes_are_the_same(view, criterion, patients):
    assert sorted(passing(view, criterion)) == list(patients)


@pytest.mark.parametrize("criterion", [step("er", "!=", "Neg"), step("er", "==", "positive"),
                                       step("er", "in", ("pos", "negative")), step("stage", "!=", 9)])
def test_values_that_never_occur_are_refused_with_the_categories(view, criterion):
    with pytest.raises(SettingsError, match=r"never occur.*The column holds: [1n]"):
        passing(view, criterion)


def test_values_of_identifiers_are_not_listed(view):
    with pytest.raises(SettingsError, match="never occur") as error:
        passing(view, step("case", "==", "none"))
    assert "K-1" not in str(error.value)


def test_ten_categories_are_listed_at_most(study):
    study.add_table("t", pd.DataFrame({"patient": [f"P{i}" for i in range(15)], "x": [f"c{i:02}" for i in range(15)]}))
    with pytest.raises(SettingsError, match=r"c09 and 5 more") as error:
        passing(CorrectedStudy(study, DataSettings()), step("x", "==", "c99", "t"))
    assert "c10" not in str(error.value)



def test_flow_counts_every_step(view):
    cohort, flow = select_cohort(view, (step("age", ">=", 18), step("er", "==", "pos")))
    assert list(cohort) == ["c"]
    assert flow.values.tolist() == [[0, "Patients in the tables", 5, 0], [1, "age >=", 2, 3], [2, "er ==", 1, 1]]


@pytest.mark.parametrize("criterion", [step("agee", ">=", 1), step("age", ">=", 1, "clin"), step("age", ">="),
                                       step("age", "in", 1), step("age", ">=", "old"), step("er", ">", 3),
                                       step("seen", ">", "soon")])
def test_impossible_steps_are_refused_by_their_label(view, criterion):
    with pytest.raises(SettingsError, match="cohort step"):
        passing(view, criterion)

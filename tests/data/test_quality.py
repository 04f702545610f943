"""Findings: each with its severity, none with an identifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.dictionary import guess_columns
from medomicslab_nb.data.outcomes import list_outcomes
from medomicslab_nb.data.quality import (
    Finding,
    check_dates,
    check_links,
    check_outcomes,
    check_size,
    check_table,
    quality_table,
)
from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.tables import Column

N = 60


@pytest.fixture
def clinical() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame({"patient": [f"PAT-{i:03d}" for i in range(N)], "size": rng.normal(20, 3, N),
                         "death_time": rng.uniform(1, 3000, N), "death": rng.random(N) < 0.5})


ENDPOINT = {"death_time": Column(role="time", unit="days", endpoint="death"),
            "death": Column(role="event", type="boolean", endpoint="death")}


def seen(study: ml.Study) -> CorrectedStudy:
    return CorrectedStudy(study, DataSettings())


def add(study: ml.Study, frame: pd.DataFrame, name: str = "clinical", **options) -> CorrectedStudy:
    study.add_table(name, frame, columns=options.pop("columns", ENDPOINT), **options)
    return seen(study)


def found(findings: list[Finding], check: str) -> Finding:
    (one,) = [finding for finding in findings if finding.check == check]
    assert "PAT" not in one.sentence
    return one


def test_a_clean_table_has_no_findings(study, clinical):
    view = add(study, clinical)
    outcomes = list_outcomes(view)
    assert [*check_table(view, "clinical"), *check_outcomes(view, outcomes), *check_links(view), *check_size(view),
            *check_dates(view)] == []


@pytest.mark.parametrize(("column", "check", "severity", "n"), [
    ([np.nan] * N, "all missing", "warning", N),
    ([np.nan] * 40 + [1.0, 2.0] * 10, "missing", "warning", 40),
    ([np.nan] * 15 + [1.0, 2.0, 3.0] * 15, "missing", "note", 15),
    ([5.0] * N, "constant", "note", N),
    (["a"] * N, "constant", "note", N),
    ([*np.linspace(0, 1, N - 1), 1e6], "outliers", "note", 1),
    (["<1", *map(str, range(N - 1))], "not all numbers", "warning", 1),
    (["a"] * 57 + ["b"] * 3, "rare categories", "note", 1),
])
def test_doubtful_columns_are_found(study, clinical, column, check, severity, n):
    findings = check_table(add(study, clinical.assign(x=column)), "clinical")
    one = found([finding for finding in findings if finding.column == "x" and finding.check == check], check)
    assert (one.severity, one.n) == (severity, n)


def test_bad_input_46_infinities_in_a_stored_table_are_an_error(study, clinical):
    clinical.loc[3, "size"] = np.inf
    assert found(check_table(add(study, clinical), "clinical"), "infinite").severity == "error"


def test_bad_input_51_all_missing_column_is_named(study, clinical):
    findings = check_table(add(study, clinical.assign(ki67=np.nan)), "clinical")
    assert found(findings, "all missing").column == "ki67"


def test_bad_input_91_impossible_zeros_are_counted(study, clinical):
    cholesterol = np.where(np.arange(N) < 7, 0, 200 + np.arange(N))
    findings = check_table(add(study, clinical.assign(chol=cholesterol)), "clinical")
    one = found(findings, "impossible zeros")
    assert (one.column, one.n, one.severity) == ("chol", 7, "warning")


def test_equal_rows_are_found(study, clinical):
    clinical.loc[1, clinical.columns[1:]] = clinical.loc[0, clinical.columns[1:]]
    view = add(study, clinical.assign(a=np.arange(N) // 2, b=np.arange(N) // 2))
    assert found(check_table(view, "clinical"), "equal rows").n == 1


def test_bad_input_44_repeated_patients_in_a_stored_table_are_an_error(study, clinical):
    clinical.loc[1, "patient"] = "PAT-000"
    assert found(check_table(add(study, clinical), "clinical"), "repeated patients").severity == "error"


def test_bad_input_47_patients_without_a_match_are_counted(study, clinical):
    study.add_table("genes", pd.DataFrame({"patient": clinical["patient"][:50], "TP53": range(50)}))
    one = found(check_links(add(study, clinical)), "no match")
    assert (one.table, one.n, one.severity) == ("clinical", 10, "warning")


def test_bad_input_47_tables_with_no_patient_in_common_are_an_error_with_the_likely_cause(study, clinical):
    other = [f"pat {i:03d}" for i in range(N)]
    study.add_table("genes", pd.DataFrame({"patient": other, "TP53": range(N)}))
    findings = check_links(add(study, clinical))
    assert [(one.severity, one.n) for one in findings] == [("error", N), ("error", N)]
    assert "60 would match" in findings[0].finding


def test_bad_input_48_outcome_with_one_class_is_an_error(study, clinical):
    view = add(study, clinical.assign(death=False), columns={"death": Column(role="outcome")})
    one = found(check_outcomes(view, list_outcomes(view)), "outcome unusable")
    assert one.severity == "error"
    assert "one class only" in one.finding


def test_bad_input_48_negative_times_are_an_error(study, clinical):
    clinical.loc[:2, "death_time"] = -1
    view = add(study, clinical)
    one = found(check_outcomes(view, list_outcomes(view)), "outcome unusable")
    assert "negative in 3 patients" in one.finding


def test_bad_input_49_outcome_in_disguise_is_a_warning(study, clinical):
    clinical["survival_months"] = clinical["death_time"] / 30.4
    view = add(study, clinical)
    one = found(check_outcomes(view, list_outcomes(view)), "outcome in disguise")
    assert (one.column, one.severity) == ("survival_months", "warning")


def test_bad_input_49_is_found_in_another_table_and_for_an_undeclared_outcome(study, clinical):
    study.add_table("extra", pd.DataFrame({"patient": clinical["patient"], "cause": clinical["death"] * 3.0}))
    view = add(study, clinical, columns={})
    one = found(check_outcomes(view, list_outcomes(view, "death")), "outcome in disguise")
    assert (one.table, one.column) == ("extra", "cause")


def test_bad_input_50_more_columns_than_patients_is_a_warning(study, clinical):
    genes = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 100)), columns=[f"G{i}" for i in range(100)])
    view = add(study, genes.assign(patient=clinical["patient"]), name="genes", columns={})
    one = found(check_size(view), "more columns than patients")
    assert (one.n, one.severity) == (100, "warning")


def test_bad_input_92_predictors_after_the_index_date_are_an_error(tmp_path, clinical):
    study = ml.create_study(tmp_path / "dated", index_date="diagnosis")
    add(study, clinical.assign(diagnosis=pd.Timestamp("2021-01-01")),
        columns={**ENDPOINT, "diagnosis": Column(role="index_date", type="date")})
    visits = pd.DataFrame({"patient": ["PAT-000", "PAT-000", "PAT-001", "PAT-002"],
                           "seen": pd.to_datetime(["2020-12-01", "2021-02-01", "2021-03-01", None]), "psa": range(4)})
    study.add_table("visits", visits, level="visit", date_column="seen", columns={"seen": Column(role="date")})
    findings = check_dates(seen(study))
    late = found(findings, "after the index date")
    assert (late.table, late.n, late.severity) == ("visits", 2, "error")
    assert found(findings, "date not known").n == 1


def test_few_events_and_missing_outcomes_are_told(study, clinical):
    clinical["death"] = [True] * 5 + [False] * (N - 5)
    clinical.loc[50:, "death_time"] = np.nan
    view = add(study, clinical)
    findings = check_outcomes(view, list_outcomes(view))
    assert found(findings, "few events").n == 5
    assert "10 of 60 patients have no value" in found(findings, "outcome").finding


def test_many_equal_findings_take_one_line(study, clinical):
    constant = pd.DataFrame(1.0, index=range(N), columns=[f"c{i}" for i in range(20)])
    one = found(check_table(add(study, pd.concat([clinical, constant], axis=1)), "clinical"), "constant")
    assert (one.column, one.n) == ("(20 columns)", 20)


def test_errors_come_first():
    rows = [Finding("t", "c", "x", severity, 1, "f", "a") for severity in ("note", "warning", "error")]
    assert quality_table(rows)["severity"].tolist() == ["error", "warning", "note"]
    assert quality_table([]).empty


def test_a_measurement_ignored_for_a_bad_cell_is_found(study, clinical):
    values = [*map(str, range(N - 1)), "unknown"]
    view = add(study, clinical.assign(x=values), columns=ENDPOINT | {"x": Column(role="ignore", type="text")})
    assert (found(check_table(view, "clinical"), "not all numbers").n) == 1


def test_events_named_after_censoring_are_found_until_described(study, clinical):
    frame = clinical.rename(columns={"death": "cens", "death_time": "time"})
    guessed = guess_columns(frame, "patient")
    view = add(study, frame, columns=guessed)
    assert found(check_table(view, "clinical"), "event or censored").severity == "warning"
    study.update_columns("clinical", {"cens": guessed["cens"].model_copy(update={"description": "1 = died"})})
    assert [one for one in check_table(seen(study), "clinical") if one.check == "event or censored"] == []

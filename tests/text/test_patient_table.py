"""One value a patient: policies, standing, conflicts, and what nobody mentions."""

from __future__ import annotations

import pandas as pd
import pytest

from medomicslab_nb.text.attributes import Policy, attributes
from medomicslab_nb.text.coverage import coverage
from medomicslab_nb.text.facts import Fact, NoteKey, fact_table
from medomicslab_nb.text.patient_table import coarse, magnitude, patient_facts, text_features

EVERYBODY = ("P-1001", "P-1002")


def fact(attribute: str, value: str, context: tuple[str, ...] = (), status: str = "suggested", start: int = 0) -> Fact:
    return Fact(attribute, start, start + 3, "abc", value, context=context, status=status)  # type: ignore[arg-type]


def table(*rows: tuple[str, Fact], patient: str = "P-1001") -> pd.DataFrame:
    """Facts of notes dated as given."""
    return fact_table((NoteKey(patient, f"N-{place}", date, "fr"), one) for place, (date, one) in enumerate(rows))


def the_row(facts: pd.DataFrame, policies: dict[str, Policy] | None = None, patient: str = "P-1001",
            item: str = "") -> pd.Series:
    made = patient_facts(facts, EVERYBODY, policies or {})
    return made[(made["patient"] == patient) & (made["item"] == item)].iloc[0]


DATED = table(("2020-03-01", fact("psa", "12.5")), ("2019-01-01", fact("psa", "4")), ("2021-01-01", fact("psa", "0.2")))


@pytest.mark.parametrize(("policy", "value", "date"), [
    ("last", "0.2", "2021-01-01"), ("first", "4", "2019-01-01"), ("max", "12.5", "2020-03-01"),
    ("min", "0.2", "2021-01-01")])
def test_policy_takes_a_value_and_says_where_it_stands(policy: Policy, value: str, date: str) -> None:
    row = the_row(DATED, {"psa": policy})
    assert (row["value"], row["date"], row["mentions"], row["conflicts"]) == (value, date, 3, 2)
    assert (row["start"], row["end"]) == (0, 3)


def test_undated_notes_count_as_earlier_than_dated_ones() -> None:
    facts = table(("", fact("ecog", "2")), ("2020-01-01", fact("ecog", "1")), ("", fact("ecog", "3")))
    assert the_row(facts)["value"] == "1"
    assert the_row(facts, {"ecog": "first"})["value"] == "2"


def test_not_mentioned_is_not_negated() -> None:
    facts = table(("2020-01-01", fact("recurrence", "recurrence", ("negated",))))
    assert the_row(facts, item="recurrence")["status"] == "negated"
    assert the_row(facts, item="recurrence", patient="P-1002")["status"] == "not mentioned"
    features = text_features(patient_facts(facts, EVERYBODY, {})).set_index("patient")["recurrence"]
    assert features["P-1001"] == 0 and pd.isna(features["P-1002"])


@pytest.mark.parametrize(("context", "status"), [
    ((), "stated"), (("negated",), "negated"), (("uncertain",), "uncertain"), (("negated", "uncertain"), "uncertain"),
    (("family",), "elsewhere"), (("planned",), "elsewhere"), (("history",), "elsewhere"),
    (("negated", "family"), "elsewhere")])
def test_what_a_mention_counts_as(context: tuple[str, ...], status: str) -> None:
    assert the_row(table(("", fact("t_category", "T2", context))))["status"] == status


def test_what_was_earlier_counts_for_a_comorbidity_only() -> None:
    facts = table(("", fact("comorbidity", "diabetes", ("history",))))
    assert the_row(facts, item="diabetes")["status"] == "stated"


def test_stated_wins_over_negated_and_is_a_conflict() -> None:
    facts = table(("2020-01-01", fact("metastasis", "bone")), ("2020-02-01", fact("metastasis", "bone", ("negated",))))
    row = the_row(facts, item="bone")
    assert (row["status"], row["conflicts"]) == ("stated", 1)


def test_values_that_differ_only_in_detail_are_no_conflict() -> None:
    row = the_row(table(("2020-01-01", fact("t_category", "T2a")), ("2020-02-01", fact("t_category", "T2b"))))
    assert (row["value"], row["conflicts"]) == ("T2", 0)


def test_rejected_facts_do_not_count() -> None:
    facts = table(("2020-01-01", fact("ecog", "1")), ("2021-01-01", fact("ecog", "3", status="rejected")))
    assert the_row(facts)["value"] == "1"


def test_features_are_numbers_words_and_marks() -> None:
    facts = table(("", fact("tumour_size", "32 x 28")), ("", fact("ki67", "12.5", start=9)), ("", fact("t_category", "T1c")),
                  ("", fact("treatment", "cisplatin")), ("", fact("ki67", "", ("negated",))))
    row = text_features(patient_facts(facts, EVERYBODY, {})).set_index("patient").loc["P-1001"]
    assert row["tumour_size"] == 32 and row["ki67"] == 12.5 and row["t_category"] == "T1"
    assert row["treatment_cisplatin"] == 1


def test_predictors_of_too_few_patients_are_left_out() -> None:
    made = patient_facts(table(("", fact("ecog", "1"))), EVERYBODY, {})
    assert list(text_features(made, minimum_patients=2).columns) == ["patient"]
    assert list(text_features(made, minimum_patients=1).columns) == ["patient", "ecog"]


def test_terms_of_a_team_are_one_column() -> None:
    made = patient_facts(table(("", fact("emboli", "emboli"))), EVERYBODY, {})
    assert text_features(made)["emboli"].tolist()[0] == 1


def test_no_facts_at_all() -> None:
    made = patient_facts(table(), EVERYBODY, {})
    assert made.empty and text_features(made).columns.tolist() == ["patient"]
    assert coverage(table(), made).empty


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("t_category", "T4d", "T4"), ("t_category", "Tis", "Tis"), ("t_category", "Ta", "Ta"), ("n_category", "N1mi", "N1"),
    ("m_category", "M0(i+)", "M0"), ("stage", "IIIA2", "III"), ("stage", "IVB", "IV"), ("stage", "IA", "I"),
    ("stage", "metastatic", "metastatic"), ("grade", "2", "2")])
def test_coarse_values(name: str, value: str, expected: str) -> None:
    assert coarse(value, attributes()[name]) == expected


@pytest.mark.parametrize(("values", "largest"), [
    (["12 x 30", "25"], "12 x 30"), (["I", "III", "II"], "III"), (["low", "high"], "high"), (["T1", "T3"], "T3"),
    (["3+4=7", "3+3=6"], "3+4=7")])
def test_order_of_values(values: list[str], largest: str) -> None:
    assert max(values, key=magnitude) == largest


def test_coverage_counts_contexts_and_patients() -> None:
    facts = table(("", fact("ecog", "1")), ("", fact("ecog", "2", ("negated", "uncertain"))),
                  ("", fact("ecog", "3", status="accepted")))
    row = coverage(facts, patient_facts(facts, EVERYBODY, {})).iloc[0]
    assert (row["mentions"], row["negated"], row["uncertain"], row["reviewed"]) == (3, 1, 1, 1)
    assert (row["patients_stated"], row["patients"], row["conflicts"]) == (1, 2, 1)

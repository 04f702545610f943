"""One value a patient: policies, standing, conflicts, and what nobody mentions."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.attributes import Policy, attributes
from medomicslab_nb.text.coverage import coverage
from medomicslab_nb.text.facts import Fact, NoteKey, fact_table
from medomicslab_nb.text.patient_table import coarse, magnitude, patient_facts, text_features

EVERYBODY = ("P-1001", "P-1002")


def fact(attribute: str, value: str, context: tuple[str, ...] = (), status: str = "suggested", start: int = 0,
         unit: str = "") -> Fact:
    return Fact(attribute, start, start + 3, "abc", value, unit, context=context,
                status=status)  # type: ignore[arg-type]


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


@pytest.mark.parametrize(("attribute", "policy", "others"), [
    ("psa", "last", ["12", "", "high"]), ("psa", "max", ["12", "", "high"]), ("t_category", "last", ["T2", ""]),
    ("t_category", "min", ["T2", "TX", ""]), ("t_category", "first", ["T2", ""])])
def test_a_mention_that_cannot_be_compared_takes_no_place_of_one_that_can(attribute: str, policy: Policy,
                                                                         others: list[str]) -> None:
    for values in (others, others[::-1]):
        row = the_row(table(*((f"2020-01-0{day}", fact(attribute, value)) for day, value in enumerate(values, 1))),
                      {attribute: policy})
        assert row["value"] == others[0]


def test_numbers_in_two_units_are_not_compared() -> None:
    facts = table(("2020-01-01", fact("afp", "8", unit="ng/mL")), ("2020-02-01", fact("afp", "6.6", unit="IU/mL")))
    row = the_row(facts)
    assert (row["value"], row["unit"], row["conflicts"]) == ("8", "ng/mL", 1)
    alone = text_features(patient_facts(facts[facts["unit"] == "IU/mL"], EVERYBODY, {}))
    assert "afp" not in alone, "IU/mL are no ng/mL"


def test_of_equal_ones_the_last() -> None:
    facts = table(("2021-01-01", fact("tumour_size", "30")), ("2020-01-01", fact("tumour_size", "12 x 30")))
    assert the_row(facts)["date"] == "2021-01-01"
    assert the_row(facts, {"tumour_size": "first"})["date"] == "2020-01-01"


def test_what_is_denied_of_another_value_is_no_conflict() -> None:
    facts = table(("", fact("laterality", "left")), ("", fact("laterality", "right", ("negated",))))
    assert (the_row(facts)["value"], the_row(facts)["conflicts"]) == ("left", 0)
    assert the_row(table(("", fact("psa", "4")), ("", fact("psa", "", ("negated",)))))["conflicts"] == 1


def test_a_mention_without_a_value_states_no_value() -> None:
    facts = table(("", fact("treatment", "cisplatin", ("negated",))), ("", fact("treatment", "")))
    assert the_row(facts, item="cisplatin")["status"] == "negated"
    assert the_row(facts, item="cisplatin", patient="P-1002")["status"] == "not mentioned"


def test_what_is_denied_without_a_value_is_denied_of_every_value() -> None:
    facts = table(("", fact("treatment", "cisplatin")), ("", fact("treatment", "", ("negated",))))
    assert the_row(facts, item="cisplatin")["conflicts"] == 1
    own = table(("", fact("emboli", "", ("negated",))))
    assert text_features(patient_facts(own, EVERYBODY, {}))["emboli"].tolist()[0] == 0


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
    facts = table(("", fact("tumour_size", "32 x 28")), ("", fact("ki67", "12.5", start=9)),
                  ("", fact("t_category", "T1c")), ("", fact("treatment", "cisplatin")),
                  ("", fact("ki67", "", ("negated",))))
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


@pytest.mark.parametrize(("attribute", "value"), [
    ("patient", "patient"), ("treatment_cisplatin", "treatment_cisplatin"), ("treatment", "cisplatin"),
    ("subject", "subject")])
def test_a_predictor_takes_no_other_columns_name(attribute: str, value: str) -> None:
    facts = table(("", fact("treatment", "cisplatin")), ("", fact(attribute, value, start=9)),
                  ("", fact("treatment", "a drug", start=20)))
    made = patient_facts(facts, EVERYBODY, {})
    if attribute == "treatment":
        assert "treatment_a_drug" in text_features(made)
    else:
        with pytest.raises(DataError, match=f"'{attribute}|'treatment'"):
            text_features(made, id_column="subject")


def test_two_spellings_of_a_value_are_refused_without_quoting_them() -> None:
    made = patient_facts(table(("", fact("treatment", "drug x")), ("", fact("treatment", "drug_x"))), EVERYBODY, {})
    with pytest.raises(DataError, match="attribute 'treatment'") as caught:
        text_features(made)
    assert "drug" not in str(caught.value)


def test_many_patients_take_seconds() -> None:
    rows = [(NoteKey(f"P-{patient}", f"N-{patient}-{place}"), fact("treatment", f"drug {(patient + place) % 60}"))
            for patient in range(500) for place in range(5)]
    patients = [f"P-{patient}" for patient in range(500)]
    begun = time.perf_counter()
    made = patient_facts(fact_table(rows), patients, {})
    assert len(made) == 500 * 60 and (made["status"] == "stated").sum() == len(rows)
    assert time.perf_counter() - begun < 10, "a loop over patients and values takes half a minute"


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
    (["3+4=7", "3+3=6"], "3+4=7"), (["T0", "Tis"], "Tis"), (["Tis", "T1"], "T1")])
def test_order_of_values(values: list[str], largest: str) -> None:
    assert max(values, key=magnitude) == largest


def test_coverage_counts_contexts_and_patients() -> None:
    facts = table(("", fact("ecog", "1")), ("", fact("ecog", "2", ("negated", "uncertain"))),
                  ("", fact("ecog", "3", status="accepted")))
    rejected = table(("", fact("ecog", "4", status="rejected")))
    facts = pd.concat([facts, rejected], ignore_index=True)
    row = coverage(facts, patient_facts(facts, EVERYBODY, {})).iloc[0]
    assert (row["mentions"], row["negated"], row["uncertain"], row["reviewed"]) == (3, 1, 1, 2)
    assert (row["patients_stated"], row["patients"], row["conflicts"]) == (1, 2, 1)

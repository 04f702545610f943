"""What annotators decided takes the place of what rules found."""

from __future__ import annotations

from dataclasses import replace

from medomicslab_nb.text.decisions import decided
from medomicslab_nb.text.facts import Fact
from medomicslab_nb.text.span import ACCEPTED, EDITED, REJECTED, SUGGESTED, Span

NOTE = "Tumeur classée T2 N0, grade 2."
FOUND = [Fact("t_category", 15, 17, "T2", "T2", rule="tnm", rule_version=1, section="findings"),
         Fact("n_category", 18, 20, "N0", "N0", rule="tnm", rule_version=1)]
T2 = Span.of(NOTE, "t_category", 15, 17, value="T2", rule="tnm", rule_version="1", status=ACCEPTED)
GRADE = Span.of(NOTE, "grade", 22, 29, value="2")


def values(facts: list[Fact]) -> list[tuple[str, str, str, str]]:
    return [(fact.attribute, fact.value, fact.status, fact.annotator) for fact in facts]


def test_nobody_has_decided() -> None:
    assert decided(FOUND, {}) == (FOUND, 0)
    assert decided(FOUND, {"Anne": [replace(T2, status=SUGGESTED)]}) == (FOUND, 0)


def test_accepted_edited_rejected_added() -> None:
    edited = replace(T2, value="T3", status=EDITED)
    rejected = Span.of(NOTE, "n_category", 18, 20, value="N0", rule="tnm", rule_version="1", status=REJECTED)
    facts, disputed = decided(FOUND, {"Anne": [edited, rejected, GRADE]})
    assert disputed == 0
    assert values(facts) == [("t_category", "T3", "edited", "Anne"), ("n_category", "N0", "rejected", "Anne"),
                             ("grade", "2", "added", "Anne")]
    assert (facts[0].rule, facts[0].rule_version, facts[0].section) == ("tnm", 1, "findings")


def test_an_answer_to_one_of_two_facts_in_one_place_leaves_the_other() -> None:
    note = "radiochimiothérapie"
    both = [Fact("treatment", 0, 19, note, value, rule="treatment") for value in ("chemotherapy", "radiotherapy")]
    no = Span.of(note, "treatment", 0, 19, value="chemotherapy", rule="treatment", status=REJECTED)
    facts, _ = decided(both, {"Anne": [no]})
    assert values(facts) == [("treatment", "chemotherapy", "rejected", "Anne"),
                             ("treatment", "radiotherapy", "suggested", "")]
    own = Span.of(note, "treatment", 0, 5, value="radiotherapy")
    assert values(decided(both, {"Anne": [own]})[0]) == [("treatment", "radiotherapy", "added", "Anne")]


def test_what_two_annotators_say_alike_counts_and_the_rest_is_disputed() -> None:
    other = replace(T2, id="other")
    facts, disputed = decided(FOUND, {"Anne": [T2, GRADE], "Bo": [other, replace(GRADE, value="3")]})
    assert values(facts) == [("t_category", "T2", "accepted", "Anne + Bo"), ("n_category", "N0", "suggested", "")]
    assert disputed == 2


def test_one_accepts_what_the_other_rejects() -> None:
    facts, disputed = decided(FOUND, {"Anne": [T2], "Bo": [replace(T2, status=REJECTED)]})
    assert values(facts)[0] == ("t_category", "T2", "suggested", "") and disputed == 2


def test_the_adjudicator_has_the_last_word() -> None:
    final = replace(T2, value="T4", status=EDITED)
    facts, disputed = decided(FOUND, {"Anne": [T2], "adjudication": [final], "Bo": [GRADE]})
    assert values(facts)[0] == ("t_category", "T4", "edited", "adjudication") and disputed == 0

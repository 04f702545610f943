"""What reviewers decide about identifiers, and that copies follow it."""

from __future__ import annotations

from dataclasses import replace

from medomicslab_nb.text.identifiers.finding import Identifier
from medomicslab_nb.text.identifiers.known import KnownIdentifiers
from medomicslab_nb.text.identifiers.review import identifier_labels, settled, suggested
from medomicslab_nb.text.span import ACCEPTED, ADDED, REJECTED, Span

NOTE = "Mme Zdenka Holubova, vue par Petit le 12/05/2020."
NAME = Identifier("name", 4, 19, NOTE[4:19], "title")
DATE = Identifier("date", 38, 48, NOTE[38:48], "form")


def span(one: Identifier, status: str) -> Span:
    return Span.of(NOTE, one.kind, one.start, one.end, rule=one.rule, status=status)


def test_every_kind_has_a_label_in_both_languages() -> None:
    kinds = {label.name for group in identifier_labels() for label in group.attributes}
    documented = {"name", "date", "age", "phone", "email", "url", "ip", "national_number", "professional_number",
                  "number", "account", "plate", "address", "postcode", "place", "institution"}
    assert kinds == documented
    assert all({"en", "fr"} <= set(label.title) for group in identifier_labels() for label in group.attributes)


def test_rules_suggest_what_they_find_and_what_the_study_knows() -> None:
    found = {NOTE[one.start:one.end]: one.status for one in suggested(KnownIdentifiers.of(["Petit"]))(NOTE, "fr")}
    assert found["Zdenka Holubova"] == "suggested" and "12/05/2020" in found and "Petit" in found


def test_nothing_decided_leaves_what_rules_found() -> None:
    assert settled(NOTE, [NAME, DATE], []) == [NAME, DATE]


def test_rejected_stays_readable_and_added_is_replaced() -> None:
    doctor = Span.of(NOTE, "name", 29, 34, status=ADDED)
    left = settled(NOTE, [NAME, DATE], [span(DATE, REJECTED), span(NAME, ACCEPTED), doctor])
    assert [(one.kind, one.text) for one in left] == [("name", "Zdenka Holubova"), ("name", "Petit")]


def test_a_doubt_protects() -> None:
    both = [span(NAME, REJECTED), replace(span(NAME, ACCEPTED), id="other")]
    assert [one.text for one in settled(NOTE, [NAME], both)] == ["Zdenka Holubova"]


def test_overlapping_marks_become_one() -> None:
    marks = [Span.of(NOTE, "name", 4, 10, status=ADDED), Span.of(NOTE, "name", 8, 19, status=ADDED)]
    assert [one.text for one in settled(NOTE, [], marks)] == ["Zdenka Holubova"]

"""The adjudication's Python side: what the browser is told, what it may ask, and what stands in no state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text.annotations import open_annotations, read_annotations
from medomicslab_nb.text.span import Span
from medomicslab_nb.views import adjudication
from medomicslab_nb.views.adjudication import Adjudicator
from tests.views.talking import Talk

TEXT = "🙂 e\u0301: pT2, grade 2 ou 3. <script>alert(1)</script>"
OTHER = "Pas de métastase."


def span(text: str, words: str, attribute: str, value: str = "") -> Span:
    start = text.index(words)
    return Span.of(text, attribute, start, start + len(words), value=value)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create_study(tmp_path / "study")
    notes = pd.DataFrame({"patient": "PAT-77", "note": ["NOTE-771", "NOTE-772"], "text": [TEXT, OTHER]})
    made.add_table("notes", notes, level="visit", block="notes")
    said = {"Anne": [span(TEXT, "T2", "t_category", "T2"), span(TEXT, "grade 2", "grade", "2")],
            "Ben": [span(TEXT, "T2", "t_category", "T2"), span(TEXT, "2 ou 3", "grade", "3")]}
    for name, spans in said.items():
        mine = open_annotations(made, name)
        mine.note("NOTE-771", TEXT).put(*spans)
        mine.note("NOTE-771", TEXT).mark_done(done=True)
        mine.note("NOTE-772", OTHER).mark_done(done=True)
        mine.close()
    return made


@pytest.fixture
def shown(study: Study, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adjudicator]:
    monkeypatch.setattr(adjudication, "interactive", lambda: True)
    made = Adjudicator(study)
    yield made
    made.close()


def test_the_notes_and_the_two_are_listed(shown: Adjudicator) -> None:
    answer = Talk(shown.widget).ask("list")
    assert (answer["left"], answer["right"], answer["annotators"]) == ("Anne", "Ben", ["Anne", "Ben"])
    assert [(row["note"], row["disputes"], row["open"]) for row in answer["rows"]] == [("NOTE-771", 1, 1),
                                                                                     ("NOTE-772", 0, 0)]


def test_a_note_comes_with_both_sides_in_code_points(shown: Adjudicator) -> None:
    answer = Talk(shown.widget).ask("open", place=0)
    assert answer["text"] == TEXT
    assert [TEXT[each["start"]:each["end"]] for each in answer["right"]] == ["T2", "2 ou 3"]
    (dispute,) = answer["disputes"]
    assert (dispute["left"], dispute["right"]) == (answer["left"][1]["id"], answer["right"][1]["id"])
    assert TEXT[dispute["start"]:dispute["end"]] == "grade 2 ou 3"
    assert (answer["chosen"], answer["undo"]) == ([""], False)


def test_a_decision_is_on_the_disk_when_it_is_answered(shown: Adjudicator, study: Study) -> None:
    answer = Talk(shown.widget).ask("decide", place=0, dispute=0, choice="right")
    assert (answer["chosen"], answer["undo"]) == (["right"], True)
    assert (answer["row"]["open"], answer["progress"]["done"]) == (0, 1)
    held = read_annotations(study, "adjudication").note("NOTE-771", TEXT).holding
    assert [each.text for each in held] == ["T2", "2 ou 3"]
    answer = Talk(shown.widget).ask("turn", place=0)
    assert (answer["chosen"], answer["redo"]) == ([""], True)
    assert Talk(shown.widget).ask("turn", place=0, again=True)["chosen"] == ["right"]


def test_the_own_answer_is_checked(shown: Adjudicator, study: Study) -> None:
    start = TEXT.index("grade")
    own = {"attribute": "grade", "start": start, "end": start + 12, "value": " high ", "context": ["uncertain"]}
    talk = Talk(shown.widget)
    assert talk.ask("decide", place=0, dispute=0, choice="own", own=own)["chosen"] == ["own"]
    stored = read_annotations(study, "adjudication").note("NOTE-771", TEXT).holding[-1]
    assert (stored.text, stored.value, stored.context) == ("grade 2 ou 3", "high", ("uncertain",))
    assert "outside the note" in talk.fault("decide", place=0, dispute=0, choice="own", own={**own, "end": 999})
    assert "no such dispute" in talk.fault("decide", place=0, dispute=7, choice="left")


def test_notes_without_a_dispute_are_taken_over(shown: Adjudicator) -> None:
    answer = Talk(shown.widget).ask("take")
    assert (answer["taken"], answer["progress"]["done"]) == (1, 1)


def test_agreement_is_a_table_by_attribute(shown: Adjudicator) -> None:
    answer = Talk(shown.widget).ask("agreement")
    assert len(answer["columns"]) == len(answer["rows"][0]) == 7
    assert [row[0] for row in answer["rows"]] == ["all together", "grade", "T category"]
    assert answer["rows"][2][2].startswith("1.00 (")


def test_others_are_compared_when_they_are_chosen(shown: Adjudicator, study: Study) -> None:
    talk = Talk(shown.widget)
    assert talk.ask("list", left="Ben", right="Anne")["left"] == "Ben"
    assert "two different annotators" in talk.fault("list", left="Ben", right="Ben")
    assert "two different annotators" in talk.fault("list", left="Ben", right="../Anne")
    assert talk.ask("list")["left"] == "Ben"


def test_85_nothing_of_a_note_stands_in_the_widgets_state(shown: Adjudicator) -> None:
    talk = Talk(shown.widget)
    talk.ask("open", place=0)
    talk.ask("decide", place=0, dispute=0, choice="left")
    state: dict[str, Any] = {name: value for name, value in shown.widget.get_state().items()
                             if name not in ("texts", "_esm", "_css", "_modules", "groups")}
    stored = json.dumps(state, default=repr)
    assert not [secret for secret in ("PAT-77", "NOTE-77", "grade 2", "script", "Anne") if secret in stored]
    assert "NOTE" not in repr(shown) + repr(shown.widget)


def test_without_anybody_who_looks_there_is_a_table(study: Study) -> None:
    made = Adjudicator(study, "Ben")
    bundle = made._repr_mimebundle_()
    assert made.widget is None
    assert "all together" in bundle["text/plain"]
    assert "kappa of value" in bundle["text/html"]
    assert (made.adjudication.left.annotator, made.adjudication.right.annotator) == ("Ben", "Anne")
    made.close()


@pytest.mark.parametrize("names", [("Anne", "Anne"), ("Anne", "Zoé")])
def test_two_different_annotators_are_needed(study: Study, names: tuple[str, str]) -> None:
    with pytest.raises(DataError, match="two different annotators"):
        Adjudicator(study, *names)


def test_the_adjudicator_is_none_of_the_two(shown: Adjudicator, study: Study) -> None:
    Talk(shown.widget).ask("take")
    assert Adjudicator.__init__.__defaults__ == ("", "")
    with pytest.raises(DataError, match="two different annotators"):
        Adjudicator(study, "Anne", "adjudication")

"""The table of sites: filled from the run's folder, by whichever process writes there."""

from __future__ import annotations

from typing import Any

import pytest

from medomicslab_nb.progress import Progress
from medomicslab_nb.record import RunRecord
from medomicslab_nb.study import Study
from medomicslab_nb.views.round_progress import RoundProgress


@pytest.fixture
def record(study: Study) -> RunRecord:
    return RunRecord.create(study.path / "runs", "federated", "0" * 64, {"settings": {"outcome": "dmfs"}})


def told(round_: int, states: dict[str, str], label: str = "Newton step 1", **more: Any) -> dict[str, Any]:
    return {"round": round_, "label": label, "sites": states, **more}


def rows(shown: RoundProgress) -> dict[str, tuple[str, str]]:
    return {row["site"]: (row["state"], row["rounds"]) for row in shown.widget.state["rows"]}


def test_sites_answer_one_after_the_other_and_one_is_waited_for(record: RunRecord) -> None:
    shown = RoundProgress()
    assert shown.widget.state == {}
    shown.show(record)
    assert (shown.widget.state["line"].partition(" · ")[0], shown.widget.state["rows"]) == ("reading the data", [])
    with Progress([record.progress_sink]).task("federated rounds") as step:
        step(0, detail=told(1, {"north": "asked", "south": "asked"}))
        step(0, detail=told(1, {"north": "answered", "south": "asked"}))
        shown.show(record)
        assert shown.widget.state["line"].startswith("round 1, Newton step 1: 1 of 2 sites have answered")
        assert rows(shown) == {"north": ("answered", "1"), "south": ("asked", "0")}
        assert shown.widget.state["waiting"] == ""
        step(0, detail=told(1, {"north": "answered", "south": "waiting"}))
        shown.show(record)
        assert shown.widget.state["waiting"] == (
            "No answer in time, and the run waits: south. Nothing goes on with fewer sites.")
        step(detail=told(1, {"north": "answered", "south": "answered"}))
        step(0, detail=told(2, {"south": "asked"}))
        # Another object over the same folder shows the same.
        late = RoundProgress()
        for one in (shown, late):
            one.show(record)
            assert rows(one) == {"north": ("idle", "1"), "south": ("asked", "1")}
            assert one.widget.state["waiting"] == ""
    shown.hide()
    assert shown.widget.state == {}


def test_losses_are_those_of_the_fit_under_way(record: RunRecord) -> None:
    shown = RoundProgress()
    both = {"north": "answered", "south": "answered"}
    with Progress([record.progress_sink]).task("federated rounds") as step:
        for round_, loss in ((3, 60.0), (4, 55.5), (4, 55.5)):
            step(detail=told(round_, both, f"Newton step {round_}", loss=loss))
        shown.show(record)
        assert shown.widget.state["losses"] == [[3, 60.0], [4, 55.5]]
        assert shown.widget.state["loss"] == "loss over these sites: 55.5"
        step(detail=told(5, {"north": "answered"}, "Newton step 1"))
        shown.show(record)
        assert (shown.widget.state["losses"], shown.widget.state["loss"]) == ([], "")
        step(detail=told(6, {"north": "answered"}, "Newton step 2", loss=30.0, losses={"north": 0.4321}))
        shown.show(record)
        assert shown.widget.state["losses"] == [[6, 30.0]]
        assert [row["loss"] for row in shown.widget.state["rows"]] == ["0.432", ""]


@pytest.mark.parametrize(("language", "words"), [("en", "of 1 sites"), ("fr", "réponses de 0 sites sur 1")])
def test_words_are_in_the_chosen_language(record: RunRecord, monkeypatch: pytest.MonkeyPatch, language: str,
                                          words: str) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", language)
    with Progress([record.progress_sink]).task("federated rounds") as step:
        step(0, detail=told(1, {"north": "asked"}))
        shown = RoundProgress()
        shown.show(record)
    assert words in shown.widget.state["line"]

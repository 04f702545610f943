"""Quorum by name, deadlines, refusals and resuming, on a toy task: no site is ever left out in silence."""

from __future__ import annotations

import numpy as np
import pytest

from medomicslab_nb.errors import RunError
from medomicslab_nb.federated.coordinator import Coordinator, Quorum
from medomicslab_nb.federated.journal import Journal
from medomicslab_nb.federated.messages import Letter, Question, Reply, only
from medomicslab_nb.progress import Progress

SITES = ("A", "B", "C")


def total_of(rounds: int = 3):
    """A task whose result is what the sites answered, each question resting on the answers before."""
    total = 0.0
    for number in range(rounds):
        answers = yield Question("sum", {"so_far": total}, f"sum {number}", detail={"loss": total})
        total += sum(float(values["x"][0]) for values in answers.values())
    return total, sorted(answers)


class Sites:
    """Answers at once, as told, and remembers what it was asked."""

    def __init__(self, **behaviour) -> None:
        self.behaviour = behaviour
        self.asked: list[tuple[str, int]] = []
        self.data = dict.fromkeys(SITES, "1")

    def ask(self, letters, deadline_s):
        for site, content in letters.items():
            letter = Letter.unpack(content)
            self.asked.append((site, letter.round))
            answer = self.behaviour.get(site, lambda letter: {})(letter)
            if answer is not None:
                yield site, Reply(**{"site": site, "values": {"x": np.array([ord(site) + letter.values["so_far"]])},
                                     "words": "one sum over 30 patients", "patients": 30, "code": "c",
                                     "data": self.data[site], **answer}).pack()


def coordinator(sites, tmp_path, events=None, **quorum) -> Coordinator:
    settings = {"sites": SITES, "required": frozenset(SITES), "deadline_s": 0.1, **quorum}
    sinks = [] if events is None else [events.append]
    return Coordinator(sites, Quorum(**settings), run="r1", plan="{}", code="c", journal=Journal(tmp_path / "journal"),
                       progress=Progress(sinks))


def test_every_round_has_every_site_and_what_left_is_told(tmp_path) -> None:
    events = []
    talk = coordinator(Sites(), tmp_path, events).converse(total_of())
    first = 65 + 66 + 67
    second = first + 3 * first
    assert talk.result == (first + second + first + 3 * (first + second), ["A", "B", "C"])
    assert [entry["sites"] for entry in talk.rounds] == [3, 3, 3]
    assert [(entry.site, entry.round) for entry in talk.released[:4]] == [("A", 1), ("B", 1), ("C", 1), ("A", 2)]
    assert all(entry.bytes > 100 and "30 patients" in entry.words for entry in talk.released)
    assert talk.rounds[0]["loss"] == first  # comes with the next question
    last = [event.detail for event in events if event.detail][-1]
    assert last["round"] == 3 and last["sites"] == dict.fromkeys(SITES, "answered")
    assert not (tmp_path / "journal").exists()


def test_a_missing_site_stops_the_run_by_name(tmp_path) -> None:
    sites = Sites(B=lambda letter: None if letter.round == 2 else {})
    with pytest.raises(RunError, match="site B: no answer in round 2") as caught:
        coordinator(sites, tmp_path).converse(total_of())
    assert "run again with the same settings" in str(caught.value)


def test_a_missing_site_is_waited_for_and_told(tmp_path) -> None:
    silent = iter([None, None, {}])
    sites = Sites(B=lambda letter: next(silent) if letter.round == 2 else {})
    events = []
    talk = coordinator(sites, tmp_path, events, missing="wait").converse(total_of())
    assert talk.result[1] == ["A", "B", "C"]
    assert talk.notes == ["Site 'B' answered round 2 after the deadline; the others waited for it."]
    assert sites.asked.count(("A", 2)) == 1  # only the missing one is asked again
    assert any(event.detail and event.detail["sites"].get("B") == "waiting" for event in events)


def test_patience_ends(tmp_path) -> None:
    with pytest.raises(RunError, match="site C: no answer in round 1"):
        coordinator(Sites(C=lambda letter: None), tmp_path, missing="wait", patience_s=0.0).converse(total_of())


def test_a_refusal_stops_the_run_by_name(tmp_path) -> None:
    sites = Sites(A=lambda letter: {"refused": "7 patients are fewer than 20"})
    with pytest.raises(RunError, match="site A: 7 patients are fewer than 20"):
        coordinator(sites, tmp_path).converse(total_of())


def test_all_refusals_of_a_round_are_told_at_once(tmp_path) -> None:
    sites = Sites(A=lambda letter: {"refused": "too few patients"}, C=lambda letter: {"refused": "no such column"})
    with pytest.raises(RunError, match="sites A, C: A: too few patients; C: no such column"):
        coordinator(sites, tmp_path).converse(total_of())


def test_sites_that_are_not_required_may_stay_away_from_the_first_round_only(tmp_path) -> None:
    sites = Sites(A=lambda letter: {"refused": "7 patients are fewer than 20"}, B=lambda letter: None)
    talk = coordinator(sites, tmp_path, required=frozenset("C")).converse(total_of())
    assert talk.result[1] == ["C"]
    assert talk.notes == ["Site 'A' takes no part: 7 patients are fewer than 20",
                          "Site 'B' takes no part: it did not answer the first round."]
    later = Sites(B=lambda letter: None if letter.round > 1 else {})
    with pytest.raises(RunError, match="site B: no answer in round 2"):
        coordinator(later, tmp_path, required=frozenset("C")).converse(total_of())


@pytest.mark.parametrize(("answer", "words"), [({"code": "other"}, "site B: the site's code"),
                                               ({"site": "A"}, "site B: an answer came in the name of another site")])
def test_bad_input_80_another_code_or_name_stops_the_run(tmp_path, answer, words) -> None:
    with pytest.raises(RunError, match=words):
        coordinator(Sites(B=lambda letter: answer), tmp_path).converse(total_of())


def test_data_that_change_during_the_run_stop_it(tmp_path) -> None:
    with pytest.raises(RunError, match="site B: the site's data changed during the run"):
        coordinator(Sites(B=lambda letter: {"data": str(letter.round)}), tmp_path).converse(total_of())


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path) -> None:
    undisturbed = coordinator(Sites(), tmp_path / "other").converse(total_of())
    with pytest.raises(RunError):
        coordinator(Sites(C=lambda letter: None if letter.round == 3 else {}), tmp_path).converse(total_of())
    sites = Sites()
    talk = coordinator(sites, tmp_path).converse(total_of())
    assert talk.result == undisturbed.result
    assert talk.released == undisturbed.released and talk.rounds == undisturbed.rounds
    assert talk.replayed == 1
    assert sorted({number for _, number in sites.asked}) == [1, 3]


def test_it_begins_again_when_a_sites_data_have_changed(tmp_path) -> None:
    with pytest.raises(RunError):
        coordinator(Sites(C=lambda letter: None if letter.round == 3 else {}), tmp_path).converse(total_of())
    sites = Sites()
    sites.data["A"] = "2"
    talk = coordinator(sites, tmp_path).converse(total_of())
    assert talk.replayed == 0 and len(talk.notes) == 1
    assert sorted({number for _, number in sites.asked}) == [1, 2, 3]


def test_a_damaged_journal_is_asked_again(tmp_path) -> None:
    with pytest.raises(RunError):
        coordinator(Sites(C=lambda letter: None if letter.round == 3 else {}), tmp_path).converse(total_of())
    (tmp_path / "journal" / "round-00002.bin").write_bytes(b"half a file")
    assert coordinator(Sites(), tmp_path).converse(total_of()).replayed == 0


def test_only_some_sites(tmp_path) -> None:
    assert coordinator(Sites(), tmp_path).converse(only(total_of(), ("A", "C"))).result[1] == ["A", "C"]


def test_required_sites_must_exist() -> None:
    with pytest.raises(RunError, match="the required site 'D' is none of the sites"):
        Quorum(SITES, frozenset("D"))

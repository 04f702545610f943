"""What can go wrong between hospitals, in real processes of Flower: each ends in a message that names the site.

One federation of three hospitals serves all of them; each fault is undone at its end.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.federated.approval import code_hash
from medomicslab_nb.federated.launch import find_superlink
from tests.federated.hospitals import patients
from tests.federated.live_federation import LiveFederation, copy_package, medomicslab, wait_until

SITES = ("CHUM", "HGJ", "HMR")


@pytest.fixture(scope="module")
def hn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    federation = LiveFederation.found(tmp_path_factory.mktemp("federation"), *SITES)
    try:
        for settings in ({}, {"predictors": {}}, {"algorithm": "logistic"}):
            federation.approve(settings, *SITES)
        yield federation
    finally:
        federation.end()


@pytest.fixture(autouse=True)
def healed(hn: LiveFederation) -> Iterator[None]:
    yield
    hn.heal()


def fails(federation: LiveFederation, **settings: object) -> str:
    """The message with which a run fails; its record has the same."""
    with pytest.raises(MedomicsError) as caught:
        federation.run(**settings)
    assert federation.last_run.status == "failed"
    assert str(caught.value) == federation.last_run.error
    return str(caught.value)


def last(federation: LiveFederation, site: str) -> tuple[str, str]:
    """What the site's audit log ends with."""
    entry = federation.audit(site)[-1]
    return entry["event"], entry["words"]


def test_all_sites_together_first(hn: LiveFederation):
    run = hn.run()
    assert list(run.table("sites")["site"]) == list(SITES)
    assert run.table("sites")["patients"].sum() == run.metrics["patients"] > 150
    assert {tuple(hn.rounds(site, run)) for site in SITES} == {tuple(range(1, run.metrics["rounds"] + 1))}
    assert "connected since" in medomicslab("federation", "status", hn.hn)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_site_that_is_stopped_leaves_without_a_noise(hn: LiveFederation, number: signal.Signals):
    everything = hn.processes("HGJ")
    node = hn.nodes.pop("HGJ")
    node.send_signal(number)
    assert node.wait(timeout=20) == 0
    assert psutil.wait_procs(everything, timeout=20)[1] == []
    assert "Traceback" not in (hn.root / "HGJ.log").read_text()


def test_bad_input_72_a_site_with_other_columns(hn: LiveFederation):
    with hn.other_patients("HMR", patients("X", 90, seed=9).rename(columns={"dose": "total dose"})):
        message = fails(hn)
    assert message.startswith("site HMR: ")
    assert "dose" in message
    assert last(hn, "HMR") == ("refused", message.removeprefix("site HMR: "))


def test_bad_input_72_a_site_with_a_column_too_many_when_all_are_used(hn: LiveFederation):
    with hn.other_patients("HGJ", patients("X", 90, seed=9).assign(marker=1.5)):
        message = fails(hn, predictors={})
    assert message.startswith("site HGJ: ")
    assert "'HGJ' also has 'marker'" in message


def test_bad_input_73_a_site_without_positive_cases(hn: LiveFederation):
    with hn.other_patients("HMR", patients("X", 90, seed=9).assign(death=lambda frame: frame["age"].gt(200) * 1)):
        message = fails(hn, algorithm="logistic")
    assert message.startswith("site HMR: ")
    assert "death" in message or "event" in message
    assert last(hn, "HMR") == ("refused", message.removeprefix("site HMR: "))


def test_bad_input_74_a_site_below_the_minimum_count(hn: LiveFederation):
    with hn.other_patients("CHUM", patients("X", 14, seed=9)):
        message = fails(hn)
    assert message.startswith("site CHUM: ")
    assert "fewer than 20 patients" in message
    assert last(hn, "CHUM")[0] == "refused"


def test_bad_input_74_a_site_that_need_not_take_part_is_left_out_by_name(hn: LiveFederation):
    with hn.other_patients("CHUM", patients("X", 14, seed=9)):
        run = hn.run(required=["HGJ", "HMR"])
    assert any("Site 'CHUM' takes no part: " in text and "fewer than 20" in text for text in run.warnings)
    assert run.metrics["sites"] == 2


def wait_for_answers(federation: LiveFederation, site: str, number: int) -> None:
    """Until the site has answered so many rounds more than now."""
    before = len(federation.audit(site))
    wait_until(lambda: len(federation.audit(site)) >= before + number, f"{site} to answer {number} rounds")


def waits_for(federation: LiveFederation, site: str) -> bool:
    """Whether the last run says that it waits for the site."""
    return f'"{site}": "waiting"' in (federation.last_run.path / "progress.jsonl").read_text()


def test_bad_input_75_a_site_killed_in_a_round_stops_the_run_which_then_goes_on(hn: LiveFederation):
    with hn.running(deadline=6) as future:
        wait_for_answers(hn, "HMR", 2)
        hn.kill("HMR")
        with pytest.raises(MedomicsError, match=r"site HMR: no answer in round \d+ within \d+ s") as caught:
            future.result()
    assert str(caught.value) == hn.last_run.error
    first = hn.last_run
    hn.heal()
    again = hn.run()
    assert again.status == "completed"
    kept = set(hn.rounds("CHUM", first)) & set(range(2, again.metrics["rounds"] + 1))
    assert not (kept - {max(kept)}) & set(hn.rounds("CHUM", again))
    assert medomicslab("site", "audit", hn.root / "HMR").rstrip().splitlines()[-1].startswith("The log is whole")


def test_bad_input_75_a_site_killed_in_a_round_is_waited_for(hn: LiveFederation):
    with hn.running(deadline=4, missing="wait") as future:
        wait_for_answers(hn, "HMR", 2)
        hn.kill("HMR")
        wait_until(lambda: waits_for(hn, "HMR"), "the run to wait")
        hn.start("HMR")
        run = future.result(timeout=120)
    assert any(text.startswith("Site 'HMR' answered round") for text in run.warnings)
    assert {len(set(hn.rounds(site, run))) for site in SITES} == {run.metrics["rounds"]}


def test_bad_input_76_a_slow_site_is_waited_for_and_noted(hn: LiveFederation):
    with hn.running(deadline=3, missing="wait") as future:
        wait_for_answers(hn, "HGJ", 2)
        hn.pause("HGJ")
        try:
            wait_until(lambda: waits_for(hn, "HGJ"), "the run to wait")
        finally:
            hn.go_on("HGJ")
        run = future.result(timeout=120)
    assert any("Site 'HGJ' answered round" in text and "after the deadline" in text for text in run.warnings)
    assert set(hn.rounds("HGJ", run)) == set(range(1, run.metrics["rounds"] + 1))


def test_bad_input_76_a_slow_site_stops_the_run_at_its_deadline(hn: LiveFederation):
    hn.pause("HGJ")
    try:
        message = fails(hn, deadline=3)
    finally:
        hn.go_on("HGJ")
    assert message.startswith("site HGJ: no answer in round 1 within")
    assert "the rounds before are kept" in message


def test_bad_input_77_the_server_is_killed_and_the_run_goes_on_with_the_next(hn: LiveFederation):
    with hn.running() as future:
        wait_for_answers(hn, "CHUM", 3)
        server = find_superlink(hn.hn)
        assert server is not None
        for process in server.processes():
            process.kill()
        with pytest.raises(MedomicsError, match=r"federation server at .*: it does not answer") as caught:
            future.result(timeout=120)
    assert "medomicslab federation start" in str(caught.value)
    first = hn.last_run
    assert medomicslab("federation", "status", hn.hn, code=1).count("does not run") == 1
    medomicslab("federation", "start", hn.hn)
    again = hn.run()
    assert again.status == "completed"
    assert len(hn.rounds("CHUM", again)) < again.metrics["rounds"]
    assert len(set(hn.rounds("CHUM", first)) | set(hn.rounds("CHUM", again))) == again.metrics["rounds"]


@pytest.fixture
def stranger(hn: LiveFederation) -> Iterator[str]:
    """A hospital that has an invitation, and whose key was never registered."""
    hn.join("WEST", register=False)
    hn.start("WEST")
    yield "WEST"
    hn.kill("WEST")
    shutil.rmtree(hn.root / "WEST")
    medomicslab("federation", "remove", hn.hn, "WEST")


def test_bad_input_78_an_unregistered_site_is_refused_and_told(hn: LiveFederation, stranger: str):
    wait_until(lambda: "does not know this site's key" in hn.state(stranger)["words"], "the site to be refused")
    assert "PROBLEM taking part" in medomicslab("site", "check", hn.root / stranger, code=1)
    assert "its public key has not come" in medomicslab("federation", "status", hn.hn, code=1)
    assert "site 'WEST' is none of the sites" in fails(hn, required=[*SITES, stranger])
    run = hn.run()
    assert list(run.table("sites")["site"]) == list(SITES)
    assert hn.audit(stranger) == []


def test_bad_input_78_a_site_under_the_name_of_another(hn: LiveFederation):
    rules = hn.root / "HGJ" / "site" / "site.yaml"
    own = rules.read_text()
    hn.kill("HGJ")
    rules.write_text(own.replace("site: HGJ", "site: CHUM"))
    try:
        hn.start("HGJ")
        hn.wait_connected("HGJ")
        assert fails(hn).startswith("site HGJ: an answer came in the name of another site")
    finally:
        rules.write_text(own)
        hn.kill("HGJ")


def test_bad_input_79_a_server_with_another_certificate_is_refused(hn: LiveFederation, tmp_path: Path):
    medomicslab("federation", "new", tmp_path / "foreign", "--address", "127.0.0.1:9")
    hn.kill("HGJ")
    ca = hn.root / "HGJ" / "site" / "ca.pem"
    own = ca.read_bytes()
    ca.write_bytes((tmp_path / "foreign/certificates/ca.pem").read_bytes())
    before = len(hn.audit("HGJ"))
    try:
        hn.start("HGJ")
        wait_until(lambda: "not the federation's server" in hn.state("HGJ")["words"], "the site to refuse the server")
        assert "PROBLEM connection" in medomicslab("site", "check", hn.root / "HGJ", code=1)
        assert fails(hn, deadline=3).startswith("site HGJ: no answer in round 1")
        assert len(hn.audit("HGJ")) == before
    finally:
        ca.write_bytes(own)
        hn.kill("HGJ")


def test_bad_input_80_code_at_a_site_that_is_not_the_approved_one(hn: LiveFederation, tmp_path: Path):
    package = copy_package(tmp_path)
    with (package / "federated" / "steps.py").open("a") as file:
        file.write("\n# one line more\n")
    hn.kill("HMR")
    hn.start("HMR", code=tmp_path)
    hn.wait_connected("HMR")
    try:
        message = fails(hn)
    finally:
        hn.kill("HMR")
    assert message.startswith("site HMR: ")
    assert "runs only the code that is installed and approved here" in message
    assert last(hn, "HMR")[0] == "refused"
    assert last(hn, "HMR")[1] in message


def test_bad_input_80_code_that_was_installed_after_the_approval(hn: LiveFederation):
    approvals = list((hn.root / "HMR" / "site" / "approvals").glob("*.yaml"))
    kept = {path: path.read_text() for path in approvals}
    for path in approvals:
        path.write_text(yaml.safe_dump({**yaml.safe_load(kept[path]), "code": "0" * 64}))
    try:
        message = fails(hn)
    finally:
        for path, text in kept.items():
            path.write_text(text)
    assert message.startswith("site HMR: ")
    assert f"with code {code_hash()[:12]} was approved here for the code 000000000000 only" in message
    assert last(hn, "HMR") == ("refused", message.removeprefix("site HMR: "))

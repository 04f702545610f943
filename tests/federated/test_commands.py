"""The commands of a coordinator and of a hospital, as they are typed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from medomicslab_nb.cli import main
from medomicslab_nb.federated.approval import code_hash
from medomicslab_nb.federated.messages import Letter, Reply
from medomicslab_nb.federated.plan import plan_of
from medomicslab_nb.federated.plan_file import PlanFile
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.site import Site
from tests.federated.hospitals import SETTINGS, hospital


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    error: str


Command = Callable[..., Said]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*words: object) -> Said:
        code = main([str(word) for word in words])
        told = capsys.readouterr()
        return Said(code, told.out, told.err)

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a hospital's study and a federation that has invited it; the tests work in it."""
    monkeypatch.chdir(tmp_path)
    hospital(tmp_path / "study", "CHUM")
    (tmp_path / "plan-settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    main(["federation", "new", "hn", "--address", "127.0.0.1:19092"])
    main(["federation", "invite", "hn", "CHUM"])
    return tmp_path


@pytest.fixture
def site(here: Path, command: Command) -> Path:
    """The study, which has joined."""
    assert command("site", "init", "study", "--invitation", "hn/invitations/CHUM.yaml", "-s",
                   "minimum_patients=10").code == 0
    return here / "study"


@pytest.fixture
def plan(site: Path, command: Command) -> Path:
    """A plan that was sent."""
    assert command("federation", "plan", "hn", "--settings", "plan-settings.yaml", "--out", "plan.yaml").code == 0
    return site.parent / "plan.yaml"


def ask(study: Path, step: str = "schema", settings: dict[str, object] | None = None) -> Reply:
    """What the site answers to a letter."""
    plan = plan_of(FederatedSettings.parse(settings or SETTINGS))
    letter = Letter("run-1", 1, step, "columns", plan, code_hash(), {})
    return Reply.unpack(Site.of_study(study).answer(letter.pack()))


def test_a_new_federation_shows_the_fingerprint_that_hospitals_compare(here: Path, command: Command):
    said = command("federation", "new", "other", "--address", "fed.example.org:9092")
    assert said.code == 0
    assert openssl_fingerprint(here / "other/certificates/ca.pem") in said.out


def openssl_fingerprint(certificate: Path) -> str:
    """As somebody at a hospital would look at it who does not trust us."""
    printed = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
                             capture_output=True, text=True, check=True).stdout
    return printed.strip().partition("=")[2]


def test_private_keys_are_their_owners_only(site: Path):
    keys = [site / "site/keys/private.pem", *(site.parent / "hn/certificates").glob("*.key")]
    assert len(keys) == 3
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_a_site_says_what_to_send_back_and_what_to_compare(here: Path, command: Command):
    said = command("site", "init", "study", "--invitation", "hn/invitations/CHUM.yaml")
    assert "study/site/keys/public.pem" in said.out
    assert openssl_fingerprint(here / "study/site/ca.pem") in said.out
    assert openssl_fingerprint(here / "hn/certificates/ca.pem") in said.out


@pytest.mark.parametrize(("words", "message"), [
    (("-s", "minimum_cuont=3"), "did you mean 'minimum_count'"),
    (("-s", "minimum_count=none"), "'minimum_count'"),
])
def test_a_rule_that_does_not_exist_makes_no_site(here: Path, command: Command, words: tuple[str, ...], message: str):
    said = command("site", "init", "study", "--invitation", "hn/invitations/CHUM.yaml", *words)
    assert said.code == 1
    assert message in said.error
    assert not (here / "study/site").exists()


def test_a_site_is_registered_with_its_public_key(site: Path, command: Command):
    said = command("federation", "register", "hn", "CHUM", "study/site/keys/public.pem")
    assert said.code == 0
    stored = yaml.safe_load((site.parent / "hn/federation.yaml").read_text())["sites"]["CHUM"]
    assert stored["key"] in said.out
    assert stored["node"] is None


def test_both_sides_read_the_same_fingerprint_of_a_key(here: Path, command: Command):
    command("site", "init", "study", "--invitation", "hn/invitations/CHUM.yaml")
    for _ in range(2):
        registered = command("federation", "register", "hn", "CHUM", "study/site/keys/public.pem").out.split()[-1]
        key = subprocess.run(["openssl", "pkey", "-pubin", "-in", "study/site/keys/public.pem", "-outform", "DER"],
                             capture_output=True, check=True).stdout
        assert registered.replace(":", "").lower() == hashlib.sha256(key).hexdigest()
        renewed = command("site", "keys", "study").out.split()[-1]
        assert renewed != registered
        assert command("federation", "register", "hn", "CHUM", "study/site/keys/public.pem").out.split()[-1] == renewed


def test_the_private_key_is_not_taken(site: Path, command: Command):
    said = command("federation", "register", "hn", "CHUM", "study/site/keys/private.pem")
    assert said.code == 1
    assert "private key, which must not leave" in said.error


def test_a_plan_says_what_is_asked_and_holds_no_paths(plan: Path, command: Command):
    said = command("federation", "plan", "hn", "--settings", "plan-settings.yaml")
    for word in ("Logistic regression", "age, dose, smoker", "death", "What leaves", code_hash()):
        assert word in said.out
    assert str(plan.parent) not in plan.read_text()
    assert PlanFile.read(plan).plan == plan_of(FederatedSettings.parse(SETTINGS))


def test_a_plan_is_not_for_simulated_sites(here: Path, command: Command):
    said = command("federation", "plan", "hn", "--settings", "plan-settings.yaml", "-s", "site_column=hospital")
    assert said.code == 1
    assert "'site_column' simulates sites" in said.error


def test_nothing_is_answered_before_it_is_approved(plan: Path, command: Command):
    assert "was not approved here" in ask(plan.parent / "study").refused
    said = command("site", "approve", "study", "plan.yaml", "--yes")
    assert said.code == 0
    reply = ask(plan.parent / "study")
    assert not reply.refused
    assert reply.patients > 50


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), ("oui", 0), ("", 1), ("no", 1)])
def test_only_yes_is_yes(plan: Path, command: Command, monkeypatch: pytest.MonkeyPatch, typed: str, code: int):
    monkeypatch.setattr("builtins.input", lambda _prompt: typed)
    said = command("site", "approve", "study", "plan.yaml")
    assert said.code == code
    assert bool(ask(plan.parent / "study").refused) == bool(code)


def test_what_was_allowed_can_be_taken_back(plan: Path, command: Command):
    command("site", "approve", "study", "plan.yaml", "--yes", "--by", "Dr. Roy")
    assert command("site", "revoke", "study", "plan.yaml").code == 0
    assert "no longer" in ask(plan.parent / "study").refused


def test_another_question_than_the_approved_one_is_refused(plan: Path, command: Command):
    command("site", "approve", "study", "plan.yaml", "--yes")
    assert "was not approved here" in ask(plan.parent / "study", settings={**SETTINGS, "penalty": 0.5}).refused


def edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(("change", "message"), [
    (lambda plan: plan["settings"].update(outcome="relapse"), "not those of its hash"),
    (lambda plan: plan.update(code="0" * 64), "is not this site's"),
    (lambda plan: plan.update(federation="other"), "is of the federation 'other'"),
    (lambda plan: plan["settings"].update(magic=1), "unknown setting 'magic'"),
    (lambda plan: plan.pop("code"), "not complete"),
])
def test_a_plan_that_is_not_what_it_says_is_not_even_shown(plan: Path, command: Command, change: Callable[..., object],
                                                           message: str):
    edit(plan, change)
    said = command("site", "approve", "study", "plan.yaml", "--yes")
    assert said.code == 1
    assert message in said.error
    assert not said.out


def test_a_check_looks_at_everything(plan: Path, command: Command):
    command("site", "approve", "study", "plan.yaml", "--yes")
    said = command("site", "check", "study")
    assert said.code == 1
    assert "PROBLEM connection: 127.0.0.1:19092: the machine answers, but no server runs there" in said.out
    assert said.out.count("PROBLEM") == 1
    for line in ("ok      rules: every algorithm", "ok      key: private", "ok      audit log: whole, 0 entries",
                 "ok      certificate: the federation's authority, valid for", "logistic, 80 patients"):
        assert line in said.out


def test_a_check_finds_what_a_run_would_stumble_over(plan: Path, command: Command):
    command("site", "approve", "study", "plan.yaml", "--yes")
    (plan.parent / "study/site/keys/private.pem").chmod(0o644)
    edit(plan.parent / "study/site/site.yaml", lambda site: site["policy"].update(minimum_patients=200))
    said = command("site", "check", "study")
    assert "PROBLEM key: site CHUM: others on this machine can read the private key" in said.out
    assert "there are fewer than 200 patients with a known outcome" in said.out


def test_a_check_finds_a_column_that_the_plan_needs_and_the_study_lacks(plan: Path, command: Command):
    command("federation", "plan", "hn", "--settings", "plan-settings.yaml", "-s", "predictors.clinical=[age, chol]",
            "--out", "second.yaml")
    command("site", "approve", "study", "second.yaml", "--yes")
    said = command("site", "check", "study")
    assert re.search(r"PROBLEM plan \w{12}: .*chol", said.out)


def test_the_audit_log_is_words_and_its_end_can_be_noted(plan: Path, command: Command):
    study = plan.parent / "study"
    assert command("site", "audit", "study").error.startswith("medomicslab: audit.jsonl: nothing has been asked")
    ask(study)
    command("site", "approve", "study", "plan.yaml", "--yes")
    ask(study)
    said = command("site", "audit", "study")
    assert said.code == 0
    refused, released, end = said.out.splitlines()
    assert "refused  run-1 round 1  schema: " in refused and "was not approved here" in refused
    assert "released  run-1 round 1  schema: " in released
    assert re.search(r"\(\d+ bytes, \d\d patients\)$", released)
    assert "CHUM-0" not in said.out
    ask(study)
    assert command("site", "audit", "study", "--known", end.split()[-1]).code == 0


def test_a_log_from_which_a_line_was_taken_is_refused(plan: Path, command: Command):
    study = plan.parent / "study"
    ask(study)
    ask(study)
    end = command("site", "audit", "study").out.split()[-1]
    log = study / "site/audit.jsonl"
    first, second = log.read_text().splitlines(keepends=True)
    log.write_text(second)
    said = command("site", "audit", "study")
    assert said.code == 1
    assert "line 1 does not follow" in said.error
    log.write_text(first)
    assert command("site", "audit", "study").code == 0
    said = command("site", "audit", "study", "--known", end)
    assert said.code == 1
    assert "newer entries were cut off" in said.error


def test_a_status_without_a_server_says_what_to_type(site: Path, command: Command):
    command("federation", "register", "hn", "CHUM", "study/site/keys/public.pem")
    said = command("federation", "status", "hn")
    assert said.code == 1
    assert "does not run: medomicslab federation start hn" in said.out
    assert "CHUM" in said.out


def test_stopping_what_does_not_run_is_no_fault(here: Path, command: Command):
    assert command("federation", "stop", "hn").out == "The server does not run.\n"


@pytest.mark.parametrize("words", [
    ("site", "start", "study"), ("site", "check", "study"), ("site", "audit", "study"),
    ("federation", "status", "nothing"), ("federation", "start", "nothing"),
    ("federation", "new", "x", "--address", "nowhere"), ("site", "init", "study", "--invitation", "missing.yaml"),
])
def test_what_cannot_be_done_is_one_message(here: Path, command: Command, words: tuple[str, ...]):
    said = command(*words)
    assert said.code == 1
    assert len(said.error.splitlines()) == 1
    assert said.error.startswith("medomicslab: ")
    assert not said.out


def test_a_unit_file_is_what_systemd_understands(site: Path, command: Command, tmp_path: Path):
    said = command("site", "start", "study", "--systemd")
    assert said.code == 0
    assert f"ReadWritePaths=\"{site / 'site'}\"" in said.out
    unit = tmp_path / "medomicslab-CHUM.service"
    unit.write_text(said.out)
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True,
                             env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    assert (checked.returncode, checked.stderr) == (0, "")


_ANSWER = """
import sys
from medomicslab_nb.federated.site import Site
sys.stdout.buffer.write(Site.of_study("study").answer(sys.stdin.buffer.read()))
"""


def test_a_service_that_may_write_into_its_own_folder_only_can_answer(plan: Path, command: Command):
    command("site", "approve", "study", "plan.yaml", "--yes")
    letter = Letter("run-1", 1, "schema", "columns", plan_of(FederatedSettings.parse(SETTINGS)), code_hash(), {})
    closed = ("mount --bind study study && mount --bind study/site study/site && mount -o remount,bind,ro study && "
              '! touch study/note 2>/dev/null && exec "$@"')
    answer = subprocess.run(["unshare", "--mount", "--map-root-user", "sh", "-c", closed, "sh", sys.executable, "-c",
                             _ANSWER], input=letter.pack(), capture_output=True, check=True).stdout
    reply = Reply.unpack(answer)
    assert not reply.refused
    assert reply.patients > 50
    assert "released  run-1" in command("site", "audit", "study").out


def test_a_unit_file_for_a_folder_with_signs_that_systemd_reads(here: Path, command: Command):
    shutil.move("study", 'a $tudy of 100% "all"')
    study = here / 'a $tudy of 100% "all"'
    command("site", "init", study, "--invitation", "hn/invitations/CHUM.yaml")
    said = command("site", "start", study, "--systemd")
    assert r'site start "' + str(here) + r'/a $$tudy of 100%% \"all\""' in said.out
    assert r'ReadWritePaths="' + str(here) + r'/a $tudy of 100%% \"all\"/site"' in said.out

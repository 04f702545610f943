import io
import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.approval import Approvals, code_hash
from medomicslab_nb.federated.audit import AuditLog
from medomicslab_nb.federated.invitation import Invitation
from medomicslab_nb.federated.ledger import Ledger
from medomicslab_nb.federated.messages import Reply, fingerprint, pack
from medomicslab_nb.federated.plan import plan_hash, plan_of
from medomicslab_nb.federated.settings import PolicySettings
from medomicslab_nb.federated.site import Site
from medomicslab_nb.federated.site_folder import create_site
from medomicslab_nb.study import create_study, open_study
from tests.federated import some_steps
from tests.federated.some_patients import SETTINGS, ask, letter, some_patients

GENERIC = "its details may hold values of patients, and stay at the site"


@pytest.fixture
def site(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.sums)
    return Site.simulated("Basel", some_patients(), PolicySettings())


# -- answers

def test_a_question_is_answered(site):
    reply = ask(site, "moments")
    training = some_patients().training_part.frame
    assert reply.values["age"] == pytest.approx([training["age"].sum()])
    assert (reply.site, reply.patients, reply.refused) == ("Basel", len(training), "")
    assert reply.words == f"sum over {len(training)} patients"
    assert reply.code == code_hash()


def test_the_same_letter_has_the_same_answer(site):
    asked = letter("moments")
    assert site.answer(asked) == site.answer(asked)


def test_the_step_is_told_the_sites_minimum(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.small_cell)
    refused = ask(Site.simulated("Basel", some_patients(), PolicySettings(minimum_count=9)), "moments").refused
    assert "1 of 2 counts behind what was asked for are from 1 to 8" in refused


def test_every_answer_is_in_the_log_with_its_hash_and_size(site):
    answers = [site.answer(letter("moments")), site.answer(letter("tree", number=2)), site.answer(b"hello")]
    log = site.audit.read()
    assert list(log["event"]) == ["released", "refused", "refused"]
    assert list(log["content"]) == [fingerprint(answer) for answer in answers]
    assert list(log["bytes"]) == [len(answer) for answer in answers]
    assert list(log["round"]) == [1, 2, 0]
    assert list(log["words"]) == ["sum over 59 patients", *(Reply.unpack(answer).refused for answer in answers[1:])]
    assert list(log["plan"]) == [plan_hash(plan_of(SETTINGS))] * 2 + [""]
    assert list(log["code"]) == [code_hash()] * 3
    assert list(log["patients"]) == [59, 0, 0]
    assert site.audit.verify() == 3


def test_a_site_whose_log_cannot_be_written_says_so_and_nothing_else(monkeypatch, tmp_path):
    some_steps.instead(monkeypatch, some_steps.sums)
    (tmp_path / "audit.jsonl").mkdir()
    site = Site("Basel", lambda _: some_patients(), PolicySettings(), AuditLog(tmp_path / "audit.jsonl"), None,
                Ledger())
    reply = ask(site, "moments")
    assert "audit.jsonl" in reply.refused
    assert not reply.values


def test_data_are_told_apart_and_not_told(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.sums)
    patients = some_patients()

    def data(patients, settings=SETTINGS):
        return ask(Site.simulated("Basel", patients, PolicySettings()), "moments", settings=settings).data

    frame = patients.frame.copy()
    frame.iloc[5, 0] += 0.1
    outcome = patients.endpoint.outcome.copy()
    outcome[3] = not outcome[3]
    changed = [replace(patients, frame=frame), replace(patients, testing=~patients.testing),
               replace(patients, endpoint=replace(patients.endpoint, outcome=outcome))]
    assert data(patients) == data(some_patients())
    assert data(patients) != data(patients, SETTINGS.model_copy(update={"penalty": 2.0}))
    assert len({data(patients), *(data(other) for other in changed)}) == 4


# -- refusals

def test_other_code_is_refused_with_both_hashes(site):
    """Fault 80."""
    refused = ask(site, "moments", code="ab" * 32).refused
    assert "abababababab" in refused
    assert code_hash()[:12] in refused
    assert site.audit.read()["words"][0] == refused


def test_a_plan_that_was_not_approved_is_refused_with_its_hash(monkeypatch, tmp_path):
    """Fault 80."""
    some_steps.instead(monkeypatch, some_steps.sums)
    approvals = Approvals(tmp_path)
    site = Site("Basel", lambda _: some_patients(), PolicySettings(), None, approvals, Ledger())
    refused = ask(site, "moments").refused
    assert plan_hash(plan_of(SETTINGS))[:12] in refused
    assert code_hash()[:12] in refused
    approvals.approve(SETTINGS)
    assert not ask(site, "moments").refused
    assert "was not approved" in ask(site, "moments", settings=SETTINGS.model_copy(update={"seed": 3})).refused
    approvals.revoke(plan_hash(plan_of(SETTINGS)))
    assert "no longer" in ask(site, "moments").refused
    assert list(site.audit.read()["event"]) == ["refused", "released", "refused", "refused"]


def test_rules_that_are_edited_are_in_force_with_the_next_letter(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.sums)
    rules = PolicySettings()
    site = Site("Basel", lambda _: some_patients(), lambda: rules, None, None, Ledger())
    assert not ask(site, "moments").refused
    rules = PolicySettings(columns=("no such column",))
    assert "not allowed here" in ask(site, "moments").refused


@pytest.mark.parametrize("content", [b"", b"x" * 100, pack({}), pack({"__head__": {}}), pack({"__head__": {
    "run": "r", "round": "1", "step": "schema", "label": "", "plan": "{}", "code": ""}})])
def test_what_is_no_letter_is_refused(site, content):
    assert "no letter of a federated run" in Reply.unpack(site.answer(content)).refused


json_values = st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                                       max_size=3), max_leaves=5)


HEAD = ("run", "round", "step", "label", "plan", "code")
VALUES = ("part", "numeric", "categories", "zeros", "mean", "scale", "coef")


@given(st.fixed_dictionaries(dict.fromkeys(HEAD, json_values)),
       st.fixed_dictionaries({}, optional=dict.fromkeys(VALUES, json_values)), st.booleans())
def test_whatever_comes_there_is_an_answer_and_it_is_logged(head, values, honest):
    """With an honest head the step itself meets the values."""
    if honest:
        head |= {"run": "r", "round": 1, "step": "logistic", "label": "", "plan": plan_of(SETTINGS),
                 "code": code_hash()}
    site = Site.simulated("Basel", some_patients(), PolicySettings())
    content = site.answer(pack({**values, "__head__": head}))
    assert Reply.unpack(content).refused
    assert list(site.audit.read()["content"]) == [fingerprint(content)]


def test_a_pickle_is_refused(site, tmp_path):
    stream = io.BytesIO()
    np.savez(stream, rows=np.array([{"a": 1}], dtype=object))
    assert "no letter" in Reply.unpack(site.answer(stream.getvalue())).refused


@pytest.mark.parametrize("step", ["", "everything", "os:system"])
def test_a_step_that_there_is_not_is_refused(site, step):
    assert "this version does not have" in ask(site, step).refused


@pytest.mark.parametrize(("policy", "expected"), [
    ({"algorithms": ("cox",)}, "logistic is not allowed"), ({"columns": ("age",)}, "marker"),
    ({"minimum_patients": 100}, "fewer than 100 patients"), ({"minimum_events": 40}, "fewer than 40 patients"),
    ({"minimum_count": 61}, "fewer than 61 patients")])
def test_the_rules_of_the_site_hold(monkeypatch, policy, expected):
    """Faults 73 and 74 among them."""
    some_steps.instead(monkeypatch, some_steps.sums)
    site = Site.simulated("Basel", some_patients(), PolicySettings(**policy))
    assert expected in ask(site, "moments").refused
    assert expected in site.audit.read()["words"][0]


def test_the_days_questions_are_counted(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.sums)
    site = Site.simulated("Basel", some_patients(), PolicySettings(rounds_per_day=3))
    answers = [ask(site, "moments", number=number).refused for number in range(1, 6)]
    assert answers[:3] == [""] * 3
    assert all("3 questions have been answered" in refused for refused in answers[3:])


def test_a_cohort_that_differs_by_one_is_refused(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.sums)
    current = some_patients(80)
    site = Site("Basel", lambda _: current, PolicySettings(), None, None, Ledger())
    assert not ask(site, "moments").refused
    current = some_patients(80, without=(5,))
    assert "differ by fewer than 5" in ask(site, "moments").refused
    current = some_patients(80)
    assert not ask(site, "moments").refused


def test_what_is_refused_by_the_count_is_not_taken_as_released(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.small_cell)
    current = some_patients(80)
    site = Site("Basel", lambda _: current, PolicySettings(), None, None, Ledger())
    assert ask(site, "moments").refused
    some_steps.instead(monkeypatch, some_steps.sums)
    current = some_patients(80, without=(5,))
    assert not ask(site, "moments").refused


# -- what errors may say

@pytest.mark.parametrize(("step", "kind"), [(some_steps.pandas_error, "ValueError"),
                                            (some_steps.out_of_memory, "MemoryError")])
def test_an_error_of_others_is_told_by_its_kind_only(monkeypatch, step, kind):
    some_steps.instead(monkeypatch, step)
    site = Site.simulated("Basel", some_patients(), PolicySettings())
    content = site.answer(letter("moments"))
    assert Reply.unpack(content).refused.startswith(f"an unexpected error ({kind}); {GENERIC}")
    assert b"PAT-0007" not in content
    assert "PAT-0007" not in "".join(site.audit.read()["words"])
    assert kind in site.failure


def test_an_identifier_in_an_error_of_our_own_is_blotted_out(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.own_error_with_identifier)
    site = Site.simulated("Basel", some_patients(), PolicySettings())
    assert ask(site, "moments").refused == "table clinical: the value of [redacted] cannot be used. Correct it"


def test_an_identifier_in_words_is_blotted_out(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.identifier_in_words)
    site = Site.simulated("Basel", some_patients(), PolicySettings())
    assert ask(site, "moments").words == "sum without [redacted]"
    assert site.audit.read()["words"][0] == "sum without [redacted]"


def test_what_is_no_number_does_not_leave(monkeypatch):
    some_steps.instead(monkeypatch, some_steps.object_array)
    site = Site.simulated("Basel", some_patients(), PolicySettings())
    reply = ask(site, "moments")
    assert "array of object" in reply.refused
    assert not reply.values


def test_an_error_while_patients_are_read_is_told_without_identifiers():
    def read(settings):
        raise DataError("PAT-0007 is twice in the table", where="table clinical")

    site = Site("Basel", read, PolicySettings(), None, None, Ledger(), identifiers=lambda: frozenset({"PAT-0007"}))
    assert ask(site, "schema").refused == "table clinical: [redacted] is twice in the table"


def test_identifiers_that_cannot_be_read_are_no_way_out():
    """An error while an error is told: then no text leaves that could hold one."""
    def identifiers():
        raise OSError("disk of PAT-0007")

    def read(settings):
        raise DataError("PAT-0007 is twice in the table")

    site = Site("Basel", read, PolicySettings(), None, None, Ledger(), identifiers=identifiers)
    content = site.answer(letter("schema"))
    assert b"PAT-0007" not in content
    assert "held back" in Reply.unpack(content).refused
    assert list(site.audit.read()["event"]) == ["refused"]
    assert "disk of PAT-0007" in site.failure


def test_nothing_is_printed_or_logged(monkeypatch, capfd, caplog):
    some_steps.instead(monkeypatch, some_steps.pandas_error)
    with caplog.at_level(logging.DEBUG):
        ask(Site.simulated("Basel", some_patients(), PolicySettings()), "moments")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


# -- a site that is a study's folder

@pytest.fixture
def study(tmp_path):
    study = create_study(tmp_path / "study")
    patients = some_patients()
    table = patients.frame.assign(relapse=patients.endpoint.outcome.astype(int)).rename_axis(study.id_column)
    study.add_table("clinical", table.reset_index())
    ca = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"
    create_site(study.path, Invitation("Federation", "Basel", "localhost:9092", ca), PolicySettings())
    return study.path


@pytest.fixture
def approved(study, monkeypatch):
    some_steps.instead(monkeypatch, some_steps.sums)
    Approvals(study / "site" / "approvals").approve(SETTINGS)
    return study


def test_a_study_answers_what_it_approved_and_remembers(approved):
    first = ask(Site.of_study(approved), "moments")
    assert first.site == "Basel"
    assert first.values["n"] == len(some_patients(split_seed=0, holdout=0.2).training_part)
    assert ask(Site.of_study(approved), "moments").values["age"] == first.values["age"]
    assert AuditLog(approved / "site" / "audit.jsonl").verify() == 2
    assert ask(Site.of_study(approved), "moments", settings=SETTINGS.model_copy(update={"seed": 1})).refused


def test_nothing_identifying_is_written(approved):
    site = Site.of_study(approved)
    ask(site, "moments")
    ask(site, "nothing")
    site.answer(b"")
    written = b"".join(path.read_bytes() for path in (approved / "site").rglob("*") if path.is_file())
    assert b"PAT-" not in written


def test_a_patient_more_is_noticed_and_refused_after_a_restart(approved):
    before = ask(Site.of_study(approved), "moments")
    study = open_study(approved)
    table = study.table("clinical").reset_index()
    more = pd.concat([table, table.tail(1).assign(**{study.id_column: "PAT-0500"})], ignore_index=True)
    study.add_table("clinical", more)
    assert not before.refused
    assert "differ by fewer than 5" in ask(Site.of_study(approved), "moments").refused


def test_a_site_that_runs_sees_tables_that_are_imported(approved):
    site = Site.of_study(approved)
    first = ask(site, "moments").data
    assert ask(site, "moments").data == first
    study = open_study(approved)
    table = study.table("clinical").reset_index()
    study.add_table("clinical", table.assign(age=table["age"] + 1))
    assert ask(site, "moments").data != first


def test_details_of_an_error_stay_in_a_file_for_its_owner(approved, monkeypatch):
    some_steps.instead(monkeypatch, some_steps.pandas_error)
    assert GENERIC in ask(Site.of_study(approved), "moments").refused
    path = approved / "site" / "errors.log"
    assert "PAT-0007" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_column_that_a_site_lacks_is_named(approved):
    """Fault 72."""
    settings = SETTINGS.model_copy(update={"predictors": {"clinical": ("age", "psa")}})
    Approvals(approved / "site" / "approvals").approve(settings)
    assert "'psa'" in ask(Site.of_study(approved), "schema", settings=settings).refused


def test_a_site_without_positive_cases_says_so(approved):
    """Fault 73."""
    study = open_study(approved)
    table = study.table("clinical").reset_index()
    study.add_table("clinical", table.assign(relapse=0))
    refused = ask(Site.of_study(approved), "schema").refused
    assert "relapse" in refused
    assert "unexpected" not in refused

"""A site in a process of its own: letters in, replies out, and words where there is no reply."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from medomicslab_nb.federated import site_process
from medomicslab_nb.federated.messages import Reply
from medomicslab_nb.federated.site_process import SiteProcess
from tests.federated.running_federation import ECHO, letter


@pytest.fixture
def site():
    made = SiteProcess(Path("Bern"), "Bern", ECHO)
    yield made
    made.end()


def answer(site: SiteProcess, **values) -> Reply:
    return Reply.unpack(site.answer(letter(**values)))


def test_letters_are_answered_by_one_process(site):
    first, second = answer(site, number=1), answer(site, number=2)
    assert (first.values["number"], second.values["number"]) == (1, 2)
    assert first.values["pid"] == second.values["pid"] != os.getpid()


def test_it_ends_when_nothing_has_come_for_a_while(site, monkeypatch):
    pid = answer(site).values["pid"]
    site.rest()
    assert answer(site).values["pid"] == pid
    monkeypatch.setattr(site_process, "_REST_S", 0)
    time.sleep(0.01)
    site.rest()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert answer(site).values["pid"] != pid


def test_a_process_that_is_killed_while_it_works_is_said_to_be(site):
    pid = answer(site).values["pid"]
    threading.Timer(0.5, os.kill, [pid, signal.SIGKILL]).start()
    assert "ended by signal 9, perhaps for want of memory" in answer(site, takes_s=20).refused
    assert not answer(site).refused


def test_a_process_that_died_between_letters_is_replaced(site):
    pid = answer(site).values["pid"]
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert answer(site).values["pid"] != pid


def test_a_study_that_is_no_site_is_refused_without_its_path(tmp_path):
    site = SiteProcess(tmp_path / "secret study", "Bern", site_process.OPENER)
    refused = answer(site).refused
    site.end()
    assert "StudyError" in refused and "secret" not in refused


def test_what_is_printed_does_not_come_among_the_replies(site, monkeypatch, tmp_path):
    (tmp_path / "loud.py").write_text("from tests.federated.stand_in_site import EchoSite\n"
                                      "def open_site(study):\n    print('hello')\n    return EchoSite(study)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    loud = SiteProcess(Path("Bern"), "Bern", "loud:open_site")
    assert answer(loud, number=3).values["number"] == 3
    loud.end()


def test_it_ends_with_its_node():
    reading, writing = os.pipe()
    os.close(writing)
    process = site_process.subprocess.run([sys.executable, "-m", "medomicslab_nb.federated.site_process", "Bern", ECHO],
                                          stdin=reading, capture_output=True, timeout=20)
    os.close(reading)
    assert (process.returncode, process.stdout) == (0, b"")

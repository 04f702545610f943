"""Flower's simulation: sites in Ray's processes, one round after the other, and what is said when it dies."""

import functools
import logging
import os
import time
from pathlib import Path

import psutil
import pytest

from medomicslab_nb.errors import MissingExtraError, RunError
from medomicslab_nb.federated import ray_backend
from medomicslab_nb.federated.ray_backend import RayTransport
from tests.federated.running_federation import letter, replies
from tests.federated.stand_in_site import EchoSite

SITES = ("Basel", "Bern", "Chur", "Genf")


def broken_site():
    raise ValueError("age 93")


@pytest.fixture(scope="module")
def transport():
    sources = {name: functools.partial(EchoSite, Path(name)) for name in SITES}
    with RayTransport({**sources, "Lugano": broken_site}) as found:
        yield found


def everyone(**values):
    return dict.fromkeys(SITES, letter(**values))


def test_rays_processes_end_with_the_transport():
    from ray._private import worker

    with RayTransport({"Bern": functools.partial(EchoSite, Path("Bern"))}) as found:
        pid = replies(found.ask({"Bern": letter()}, 120))["Bern"].values["pid"]
        assert psutil.pid_exists(pid)
        session = Path(worker._global_node.get_session_dir_path())
        assert session.is_dir()
    assert not session.exists()
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not psutil.pid_exists(pid)
    assert not [child for child in psutil.Process().children(recursive=True) if "ray" in child.name()]
    assert logging.getLogger("flwr").level != logging.CRITICAL


def test_a_simulation_that_dies_is_named_and_a_new_one_goes_on(monkeypatch):
    def crash(*_arguments, **_named):
        raise RuntimeError("no memory")

    monkeypatch.setattr(ray_backend, "_start_ray", crash)
    with (RayTransport({"Bern": functools.partial(EchoSite, Path("Bern"))}) as first,
          pytest.raises(RunError, match=r"backend ray.*no memory.*the rounds before are kept")):
        list(first.ask({"Bern": letter()}, 60))


def test_every_site_answers_in_a_process_of_rays(transport):
    before = dict(os.environ)
    found = replies(transport.ask(everyone(number=1), 120))
    assert {site: (reply.site, reply.values["number"]) for site, reply in found.items()} == {
        site: (site, 1) for site in SITES}
    assert os.getpid() not in {reply.values["pid"] for reply in found.values()}
    assert set(before) <= set(os.environ)


def test_a_round_takes_a_fraction_of_a_second(transport):
    replies(transport.ask(everyone(), 120))
    begin = time.monotonic()
    for _ in range(5):
        assert len(replies(transport.ask(everyone(), 60))) == len(SITES)
    assert (time.monotonic() - begin) / 5 < 1


def test_a_slow_site_is_missing_and_its_late_answer_is_dropped(transport):
    letters = {"Bern": letter(takes_s=3, number=1), "Chur": letter()}
    assert list(replies(transport.ask(letters, 1.5))) == ["Chur"]
    assert replies(transport.ask({"Bern": letter(number=2)}, 60))["Bern"].values["number"] == 2


def test_a_round_can_be_left_before_its_end(transport):
    asked = transport.ask({"Bern": letter(takes_s=1), "Chur": letter()}, 60)
    next(asked)
    asked.close()
    assert replies(transport.ask({"Basel": letter(number=3)}, 60))["Basel"].values["number"] == 3


def test_a_site_that_cannot_be_opened_is_named_without_its_values(transport):
    refused = replies(transport.ask({"Lugano": letter()}, 60))["Lugano"].refused
    assert "ValueError" in refused and "93" not in refused


def test_what_was_changed_for_rays_start_is_as_before(transport):
    from ray._private.node import Node

    replies(transport.ask(everyone(), 120))
    assert all(getattr(Node, name).__name__ == name for name in ray_backend._HELPERS)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(ray_backend, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"medomicslab_nb\[ray\]"):
        RayTransport({})


def test_one_simulation_at_a_time(transport):
    replies(transport.ask(everyone(), 120))
    with (RayTransport({"Bern": functools.partial(EchoSite, Path("Bern"))}) as second,
          pytest.raises(RunError, match="another simulation")):
        list(second.ask({"Bern": letter()}, 60))
    assert len(replies(transport.ask(everyone(), 60))) == len(SITES)


# What this leans on in Ray and Flower: another version may change any of it.

def test_ray_and_flower_still_have_what_is_changed_at_the_start():
    import ray
    from flwr.supercore import telemetry
    from ray._private import ray_constants
    from ray._private.node import Node

    assert ray.__version__ == "2.55.1"
    assert all(callable(getattr(Node, name)) for name in ray_backend._HELPERS)
    assert isinstance(ray_constants.ENABLE_RAY_CLUSTER, bool)
    assert telemetry.FLWR_TELEMETRY_ENABLED == "0" and "source" in telemetry.state

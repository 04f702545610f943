"""Two hospitals and a coordinator, each in a network of its own: what docs/federated.md says to type is typed there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from medomicslab_nb.record import RunRecord
from medomicslab_nb.study import open_study
from tests.federated.hospitals import patients
from tests.federated.live_federation import QUICK, medomicslab, wait_until

COORDINATOR, HOSPITALS = "coordinator", ("CHUM", "HGJ")
ADDRESS = "10.77.0.1"
PAGE = Path(__file__).parents[2] / "docs" / "federated.md"
NEED_NETWORK = {("federation", "start"), ("federation", "status"), ("site", "check")}


@dataclass(frozen=True)
class Place:
    """A network with one machine, kept open by a process that sleeps; nothing of it is left when that ends."""

    name: str
    pid: int

    def words(self, *words: object) -> list[str]:
        """A program that runs there."""
        return ["nsenter", "--preserve-credentials", "--user", "--net", f"--target={self.pid}", *map(str, words)]

    def call(self, *words: object, code: int | None = 0) -> str:
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
        assert code in (None, done.returncode), done.stdout + done.stderr
        return done.stdout + done.stderr


def open_places(stack: ExitStack) -> dict[str, Place]:
    """A network each; the coordinator's has a switch into which the cable of each hospital goes."""
    places: dict[str, Place] = {}
    for name in (COORDINATOR, *HOSPITALS):
        inside = ["nsenter", "--preserve-credentials", "--user", f"--target={places[COORDINATOR].pid}", "unshare",
                  "--net"] if places else ["unshare", "--map-root-user", "--net"]
        process = stack.enter_context(subprocess.Popen([*inside, "sh", "-c", "echo ready; exec sleep 600"],
                                                       stdout=subprocess.PIPE, text=True))
        stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        places[name] = Place(name, process.pid)
        places[name].call("ip", "link", "set", "lo", "up")
    centre = places[COORDINATOR]
    centre.call("ip", "link", "add", "switch", "type", "bridge")
    for number, name in enumerate(HOSPITALS, start=2):
        centre.call("ip", "link", "add", name, "type", "veth", "peer", "name", "cable", "netns", places[name].pid)
        centre.call("ip", "link", "set", name, "master", "switch", "up")
        places[name].call("ip", "address", "add", f"10.77.0.{number}/24", "dev", "cable")
        places[name].call("ip", "link", "set", "cable", "up")
    centre.call("ip", "address", "add", f"{ADDRESS}/24", "dev", "switch")
    centre.call("ip", "link", "set", "switch", "up")
    return places


@dataclass(frozen=True)
class World:
    """The places, and the folder in which each has one of its own."""

    root: Path
    places: dict[str, Place]

    def words(self, name: str, *words: object) -> list[str]:
        """A command of ours, in somebody's network and folder."""
        return self.places[name].words("env", "-C", self.root / name, sys.executable, "-m", "medomicslab_nb", *words)

    def at(self, name: str, *words: object, code: int | None = 0) -> str:
        """What a command prints that somebody types there."""
        done = subprocess.run(self.words(name, *words), capture_output=True, text=True, timeout=240,
                              stdin=subprocess.DEVNULL)
        assert code in (None, done.returncode), done.stdout + done.stderr
        return done.stdout + done.stderr

    def listens(self, name: str) -> list[str]:
        """Addresses at which programs there wait for somebody to call."""
        return [line.split()[3] for line in self.places[name].call("ss", "-Hltn").splitlines()]

    def send(self, name: str, file: str, to: str, called: str) -> None:
        """A file by mail."""
        shutil.copy(self.root / name / file, self.root / to / (called or Path(file).name))


@dataclass(frozen=True)
class Typed:
    """A line of the page that is typed at a place, and what is sent from there afterwards."""

    place: str
    words: list[str]
    file: str
    to: str
    called: str


_BLOCK = re.compile(r"```(sh|yaml) (\S+)\n(.*?)```", re.DOTALL)
_SENT = re.compile(r"# send (\S+) to (\w+(?:, \w+)*)(?: as (\S+))?")


def page() -> Iterator[Typed | tuple[str, str]]:
    """What docs/federated.md says to type, in order, and files (name and text); HGJ does what CHUM does."""
    for kind, place, text in _BLOCK.findall(PAGE.read_text()):
        if kind == "yaml":
            yield place, text
            continue
        for name in (place,) if place == COORDINATOR else HOSPITALS:
            lines = text if place == COORDINATOR else text.replace("CHUM", name)
            for line in lines.splitlines():
                file, to, called = sent.groups("") if (sent := _SENT.search(line)) else ("", "", "")
                yield Typed(name, shlex.split(line, comments=True)[1:], file, to, called)


def type_locally(world: World, typed: Typed) -> None:
    """A command that needs no network, and so no process of its own; it is answered yes."""
    with chdir(world.root / typed.place), pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.input", lambda _prompt: "yes")
        words, redirect = typed.words, ""
        if ">" in words:
            words, redirect = words[:-2], words[-1]
        said = medomicslab(*words)
        if redirect:
            Path(redirect).write_text(said)


def start_node(world: World, stack: ExitStack, name: str) -> None:
    log = stack.enter_context((world.root / name / "node.log").open("w"))
    node = stack.enter_context(subprocess.Popen(world.words(name, "site", "start", "study"), stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log))
    stack.callback(node.terminate)
    status = world.root / name / "study" / "site" / "flower" / "status.json"
    wait_until(lambda: status.exists() and json.loads(status.read_text())["state"] == "connected", f"{name} to connect")


def follow(world: World, stack: ExitStack, steps: Iterator[Typed | tuple[str, str]]) -> None:
    """Type what the page says until the run, which is the first test's."""
    for step in steps:
        if isinstance(step, tuple):
            content = yaml.safe_load(step[1])
            (world.root / COORDINATOR / step[0]).write_text(yaml.safe_dump({**QUICK, **content}))
            continue
        if step.words[:2] == ["federation", "run"]:
            return
        if step.words == ["site", "start", "study"]:
            start_node(world, stack, step.place)
        elif tuple(step.words[:2]) in NEED_NETWORK:
            assert "PROBLEM" not in world.at(step.place, *step.words)
        else:
            type_locally(world, step)
        for to in filter(None, step.to.split(", ")):
            world.send(step.place, step.file, to, step.called)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A federation that was set up as the page tells it."""
    root = tmp_path_factory.mktemp("world")
    (root / COORDINATOR).mkdir()
    for seed, name in enumerate(HOSPITALS):
        (root / name).mkdir()
        patients(name, 160, seed).to_csv(root / name / "patients.csv", index=False)
    with ExitStack() as stack:
        made = World(root, open_places(stack))
        stack.callback(made.at, COORDINATOR, "federation", "stop", "hn")
        follow(made, stack, page())
        yield made


def test_what_the_page_says_to_type_makes_a_model_of_two_hospitals(world: World):
    steps = [step for step in page() if isinstance(step, Typed)]
    (number,) = [number for number, step in enumerate(steps) if step.words[:2] == ["federation", "run"]]
    assert "completed" in world.at(COORDINATOR, *steps[number].words)
    run = open_study(world.root / COORDINATOR / "results").runs[-1]
    assert list(run.table("sites")["site"]) == list(HOSPITALS)
    after = steps[number + 1:]
    assert [(step.place, step.words) for step in after] == [(name, ["site", "audit", "study"]) for name in HOSPITALS]
    for step in after:
        log = medomicslab("site", "audit", world.root / step.place / "study")
        assert log.count(f"released  {run.id} ") == run.metrics["rounds"]


def test_nobody_can_call_a_hospital(world: World):
    for name in HOSPITALS:
        assert world.listens(name) == []
    assert [address for address in world.listens(COORDINATOR) if not address.startswith("127.")] == ["0.0.0.0:9092"]


def test_a_cable_that_is_pulled_out_for_a_while_holds_a_run_up_and_no_more(world: World):
    centre = world.places[COORDINATOR]
    centre.call("ip", "link", "set", "HGJ", "down")
    words = ["federation", "run", "hn", "--study", "results", "--settings", "settings.yaml", "-s", "missing=wait",
             "-s", "deadline=5"]
    study = open_study(world.root / COORDINATOR / "results")
    before = len(study.runs)
    running = subprocess.Popen(world.words(COORDINATOR, *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: _waiting(study.runs[before:]), "the run to wait for HGJ")
    centre.call("ip", "link", "set", "HGJ", "up")
    said, _ = running.communicate(timeout=200)
    assert running.returncode == 0, said
    assert "Site 'HGJ' answered round 1 after the deadline; the others waited for it." in said


def _waiting(runs: list[RunRecord]) -> bool:
    files = [run.path / "progress.jsonl" for run in runs]
    return any('"HGJ": "waiting"' in file.read_text() for file in files if file.exists())

import time
from dataclasses import dataclass

import flwr
import pytest
from flwr.app import Context, Error, Message, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from medomicslab_nb.federated.flower import (
    SITE,
    LocalGrid,
    LocalTransport,
    exchange,
    letter_in,
    letter_message,
    make_client_app,
    reply_message,
)
from medomicslab_nb.federated.messages import Letter, Reply

LETTER = Letter("run", 1, "schema", "", "{}", "code", {"number": 7}).pack()


@dataclass
class EchoSite:
    name: str
    takes_s: float = 0
    fails: bool = False

    def answer(self, letter: bytes) -> bytes:
        time.sleep(self.takes_s)
        if self.fails:
            raise ValueError("age 93")
        return Reply(self.name, Letter.unpack(letter).values).pack()


def asked(transport, names, deadline_s=10.0) -> dict[str, Reply]:
    return {name: Reply.unpack(reply) for name, reply in transport.ask(dict.fromkeys(names, LETTER), deadline_s)}


def test_each_site_is_asked_in_process_through_flowers_client():
    transport = LocalTransport({name: EchoSite(name) for name in ("Basel", "Bern")})
    for _ in range(2):
        replies = asked(transport, ("Basel", "Bern"))
        assert {name: (reply.site, reply.values) for name, reply in replies.items()} == {
            "Basel": ("Basel", {"number": 7}), "Bern": ("Bern", {"number": 7})}
    assert list(asked(transport, ["Bern"])) == ["Bern"]


def test_a_round_in_process_takes_milliseconds():
    transport = LocalTransport({name: EchoSite(name) for name in "abcd"})
    asked(transport, "abcd")
    start = time.perf_counter()
    for _ in range(20):
        assert len(asked(transport, "abcd")) == 4
    assert (time.perf_counter() - start) / 20 < 0.02


def test_a_slow_site_is_missing_and_holds_up_no_other():
    transport = LocalTransport({"a slow one": EchoSite("a slow one", takes_s=1), "quick": EchoSite("quick")})
    start = time.monotonic()
    assert list(asked(transport, ["a slow one", "quick"], deadline_s=0.4)) == ["quick"]
    assert time.monotonic() - start < 0.9
    assert sorted(asked(transport, ["a slow one", "quick"])) == ["a slow one", "quick"]


def test_a_site_that_raises_tells_no_value():
    refused = asked(LocalTransport({"Bern": EchoSite("Bern", fails=True)}), ["Bern"])["Bern"].refused
    assert "ValueError" in refused and "93" not in refused


def test_waiting_can_be_cancelled():
    def watch():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked(LocalTransport({"Bern": EchoSite("Bern", takes_s=1)}, watch=watch), ["Bern"])


class Scripted(LocalGrid):
    """Nodes whose presence and failures are set by hand."""

    def __init__(self, activations, errors=()):
        app = make_client_app(lambda _context, name: EchoSite(name))
        super().__init__(app, {node: Context(0, node, {}, RecordDict(), {}) for node in (2, 3)})
        self.activations = activations  # by node, one for each look; "" when it is away
        self.errors = list(errors)
        self.pushed = []

    def get_nodes(self):
        now = {node: since.pop(0) if len(since) > 1 else since[0] for node, since in self.activations.items()}
        return [NodeInfo(node_id=node, last_activated_at=since) for node, since in now.items() if since]

    def push_messages(self, messages):
        messages = list(messages)
        self.pushed += [message.metadata.dst_node_id for message in messages]
        lost = [message for message in messages if self.errors and message.metadata.dst_node_id == 3]
        ids = super().push_messages([message for message in messages if message not in lost])
        names = dict(zip([id(message) for message in messages if message not in lost], ids, strict=True))
        for message in lost:
            names[id(message)] = message.metadata.__dict__["_message_id"] = f"lost {len(self.errors)}"
            error = self.errors.pop(0)
            if error is not None:
                self._replies[names[id(message)]] = Message(error, reply_to=message)
        return [names[id(message)] for message in messages]


def exchanged(grid, deadline_s=10.0):
    letters = {"Basel": LETTER, "Bern": LETTER}
    found = exchange(grid, {"Basel": 2, "Bern": 3}, letters, deadline_s, poll_s=0.05, watch=lambda: None)
    return {site: Reply.unpack(reply) for site, reply in found}


def test_a_letter_waits_for_a_node_that_is_away():
    grid = Scripted({2: ["10:00"], 3: ["", "10:01"]})
    assert list(exchanged(grid)) == ["Basel", "Bern"]
    assert grid.pushed == [2, 3]


def test_who_never_comes_is_missing():
    assert list(exchanged(Scripted({2: ["10:00"], 3: [""]}), deadline_s=1.2)) == ["Basel"]


def test_a_node_that_was_started_again_is_asked_again():
    grid = Scripted({2: ["10:00"], 3: ["10:00", "10:05"]}, errors=[None])  # the first letter is lost with it
    assert exchanged(grid)["Bern"].values == {"number": 7}
    assert grid.pushed == [2, 3, 3]


def test_a_letter_that_flower_could_not_deliver_is_sent_again():
    grid = Scripted({2: ["10:00"], 3: ["10:00"]}, errors=[Error(ErrorCode.NODE_UNAVAILABLE, "away")])
    assert exchanged(grid)["Bern"].values == {"number": 7}
    assert grid.pushed == [2, 3, 3]


@pytest.mark.parametrize("error, words", [
    (Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "ValueError: age 93"), "client failed"),
    (Error(77, "age 93"), "code 77"),
    (Error(ErrorCode.INVALID_FAB, "the app abc is not the one"), "the app abc is not the one"),
])
def test_what_flower_says_of_a_failed_client_is_not_passed_on(error, words):
    replies = exchanged(Scripted({2: ["10:00"], 3: ["10:00"]}, errors=[error]))
    assert words in replies["Bern"].refused and "93" not in replies["Bern"].refused
    assert not replies["Basel"].refused


def test_a_letter_for_another_site_is_refused():
    app = make_client_app(lambda _context, name: EchoSite(name))
    node = Context(0, 5, {SITE: "Basel"}, RecordDict(), {})
    message = letter_message("Bern", LETTER, 5, Run.create_empty(1), 60)
    reply = Reply.unpack(letter_in(app(message, node)))
    assert reply.site == "Basel" and "'Bern'" in reply.refused


# What this module leans on in Flower: another minor may change any of it.

def test_this_is_the_minor_of_flower_that_the_module_was_written_for():
    assert flwr.__version__.startswith("1.41.")


def test_bytes_travel_as_they_are():
    run = Run.create_empty(run_id=12)
    message = letter_message("Basel", bytes(range(256)), 5, run, 60)
    told = message.metadata
    assert (told.dst_node_id, told.ttl, told.message_type, told.run_id) == (5, 60, "query", 12)
    assert told.src_node_id == SUPERLINK_NODE_ID == 1
    assert letter_in(Message.inflate(message.deflate(), message.children)) == bytes(range(256))
    answer = reply_message(b"yes", message)
    assert (letter_in(answer), answer.metadata.src_node_id, answer.metadata.run_id) == (b"yes", 5, 12)


def test_a_grid_has_the_methods_that_are_used():
    assert {"run", "get_nodes", "push_messages", "pull_messages"} <= set(dir(Grid))
    assert {"node_id", "last_activated_at", "public_key", "status"} <= set(NodeInfo.DESCRIPTOR.fields_by_name)

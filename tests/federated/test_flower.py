import time
from dataclasses import dataclass

import flwr
import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.supercore.task_identity import TaskIdentity

from medomicslab_nb.federated.flower import LocalTransport, _reason, letter_in, letter_message, reply_message
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


def test_what_flower_says_of_a_failed_client_is_not_passed_on():
    assert "93" not in _reason(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "ValueError: age 93"))
    assert "code 77" in _reason(Error(77, "age 93"))
    assert _reason(Error(ErrorCode.INVALID_FAB, "the app abc is not the one")) == "the app abc is not the one"


# What this module leans on in Flower: another minor may change any of it.

def test_this_is_the_minor_of_flower_that_the_module_was_written_for():
    assert flwr.__version__.startswith("1.41.")


def test_bytes_travel_as_they_are():
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    message = letter_message(bytes(range(256)), 5, 60)
    assert (message.metadata.dst_node_id, message.metadata.ttl, message.metadata.message_type) == (5, 60, "query")
    assert letter_in(Message.inflate(message.deflate(), message.children)) == bytes(range(256))
    assert letter_in(reply_message(b"yes", message)) == b"yes"
    assert RecordDict({"a": ConfigRecord({"b": b"c"})})["a"]["b"] == b"c"

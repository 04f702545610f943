"""The one place that knows Flower's messages and grids.

Flower carries letters and replies as they are, as bytes: what they mean is settled in
:mod:`~medomicslab_nb.federated.messages`. Its interface changes between minors, so that one is pinned and the tests of
this module fail with another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Protocol, Self

from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from medomicslab_nb.federated.messages import Reply

_RECORD = "medomicslab"
_BYTES = "bytes"
_TYPE = "query"
_POLL_S = 0.05  # how long a pull waits for a reply in process
_LONGEST_S = 60.0  # that one site in process holds up the next, at most

SITE = "site"
"""Key of the site's name in a node's configuration."""

Watch = Callable[[], None]
"""Called several times a second while replies are waited for; may raise, e.g. Cancelled."""


class AnsweringSite(Protocol):
    """A :class:`~medomicslab_nb.federated.site.Site`, or what stands in for one."""

    def answer(self, letter: bytes) -> bytes: ...


Find = Callable[[Context], AnsweringSite]
"""The site of the node with this context."""


def make_client_app(find: Find) -> ClientApp:
    """The ClientApp of all backends: it hands a letter to the node's site and the reply back, and nothing else.

    No exception leaves it: Flower would send the text of one to the coordinator, and a text may hold a value.
    """
    app = ClientApp()

    @app.query()
    def answer(message: Message, context: Context) -> Message:
        try:
            reply = find(context).answer(letter_in(message))
        except Exception as error:
            logging.getLogger(__name__).exception("the site could not answer")
            refused = f"the site could not answer ({type(error).__name__}); its own log says why"
            reply = Reply(str(context.node_config.get(SITE, "")), {}, refused=refused).pack()
        return reply_message(reply, message)

    return app


def letter_message(letter: bytes, node: int, ttl_s: float) -> Message:
    """A letter on its way to a node; it is void after ``ttl_s`` seconds."""
    return Message(_content(letter), node, _TYPE, ttl=ttl_s)


def letter_in(message: Message) -> bytes:
    """The letter or the reply that a message carries."""
    content = message.content[_RECORD][_BYTES]
    assert isinstance(content, bytes)
    return content


def reply_message(reply: bytes, message: Message) -> Message:
    """A reply on its way back."""
    return Message(_content(reply), reply_to=message)


def _content(letter: bytes) -> RecordDict:
    return RecordDict({_RECORD: ConfigRecord({_BYTES: letter})})


def exchange(grid: Grid, nodes: Mapping[str, int], letters: Mapping[str, bytes], deadline_s: float, *,
             poll_s: float, watch: Watch) -> Iterator[tuple[str, bytes]]:
    """Send letters over a grid, and give the replies as they come in, until all are there or the time is over.

    A site that Flower knows to be away is missing at once. One whose client failed has refused, with Flower's reason
    in words.
    """
    end = time.monotonic() + deadline_s
    waiting = dict(zip(grid.push_messages([letter_message(letter, nodes[site], deadline_s)
                                           for site, letter in letters.items()]), letters, strict=True))
    while waiting and time.monotonic() < end:
        watch()
        for message in grid.pull_messages(list(waiting)):
            site = waiting.pop(message.metadata.reply_to_message_id)
            if message.has_content():
                yield site, letter_in(message)
            elif message.error.code not in _AWAY:
                yield site, Reply(site, {}, refused=_reason(message.error)).pack()
        if waiting and poll_s:
            time.sleep(poll_s)


_AWAY = (ErrorCode.NODE_UNAVAILABLE, ErrorCode.MESSAGE_UNAVAILABLE, ErrorCode.REPLY_MESSAGE_UNAVAILABLE)
_REASONS = {
    ErrorCode.LOAD_CLIENT_APP_EXCEPTION: "the site's client could not be loaded; its own log says why",
    ErrorCode.CLIENT_APP_RAISED_EXCEPTION: "the site's client failed; its own log says why",
    ErrorCode.CLIENT_APP_CRASHED: "the site's client crashed while it worked; its own log says why",
}


def _reason(error: Error) -> str:
    if error.code == ErrorCode.INVALID_FAB and error.reason:
        return error.reason
    return _REASONS.get(error.code, f"Flower's client failed (code {error.code}); the site's own log says why")


class LocalGrid(Grid):
    """Nodes in this process, each with the ClientApp and a context of its own.

    They are asked one after the other, so that what is global in a process (generators, warnings) has one user at a
    time; one that takes more than its share of a message's time to live no longer holds up the others.
    """

    def __init__(self, app: ClientApp, contexts: Mapping[int, Context]) -> None:
        self._app = app
        self._contexts = dict(contexts)
        self._busy = {node: threading.Lock() for node in contexts}
        self._replies: dict[str, Message] = {}
        self._arrived = threading.Condition()
        self._sent = 0
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 0, SUPERLINK_NODE_ID, 0

    def set_run(self, run: Run) -> None:
        raise NotImplementedError("nodes in process know no runs")

    @property
    def run(self) -> Run:
        raise NotImplementedError("nodes in process know no runs")

    def create_message(self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str,
                       ttl: float | None = None) -> Message:
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = list(messages)
        for message in pushed:
            self._sent += 1
            message.metadata.__dict__["_message_id"] = str(self._sent)
        threading.Thread(target=self._work, args=(pushed,), daemon=True).start()
        return [message.metadata.message_id for message in pushed]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        wanted = list(message_ids)
        with self._arrived:
            self._arrived.wait_for(lambda: any(name in self._replies for name in wanted), timeout=_POLL_S)
            return [self._replies.pop(name) for name in wanted if name in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        raise NotImplementedError("exchange() sends and receives")

    def _work(self, messages: list[Message]) -> None:
        for message in messages:
            share = min(_LONGEST_S, message.metadata.ttl / (len(messages) + 1))
            worker = threading.Thread(target=self._answer, args=(message,), daemon=True)
            worker.start()
            worker.join(timeout=share)

    def _answer(self, message: Message) -> None:
        node = message.metadata.dst_node_id
        with self._busy[node]:
            if _void(message):
                return
            try:
                reply = self._app(message, self._contexts[node])
            except Exception:  # as a SuperNode does; the ClientApp itself lets nothing out
                logging.getLogger(__name__).exception("the client of a site in process failed")
                reply = Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION), reply_to=message)
        if not _void(message):
            with self._arrived:
                self._replies[message.metadata.message_id] = reply
                self._arrived.notify_all()


def _void(message: Message) -> bool:
    return time.time() > message.metadata.created_at + message.metadata.ttl


class LocalTransport:
    """Sites in this process.

    Parameters
    ----------
    sites : mapping
        A :class:`~medomicslab_nb.federated.site.Site` by name.
    watch : callable, optional
        Called while replies are waited for; may raise.
    """

    def __init__(self, sites: Mapping[str, AnsweringSite], watch: Watch = lambda: None) -> None:
        self._nodes = {name: node for node, name in enumerate(sorted(sites), start=SUPERLINK_NODE_ID + 1)}
        contexts = {node: Context(run_id=0, node_id=node, node_config={SITE: name}, state=RecordDict(), run_config={})
                    for name, node in self._nodes.items()}
        self._grid = LocalGrid(make_client_app(lambda context: sites[str(context.node_config[SITE])]), contexts)
        self._watch = watch

    def ask(self, letters: Mapping[str, bytes], deadline_s: float) -> Iterator[tuple[str, bytes]]:
        """See :class:`~medomicslab_nb.federated.messages.Transport`."""
        return exchange(self._grid, self._nodes, letters, deadline_s, poll_s=0, watch=self._watch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        return None

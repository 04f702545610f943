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
from typing import Self

from flwr.app import ConfigRecord, Context, Error, Message, Metadata, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from medomicslab_nb.federated.messages import Reply
from medomicslab_nb.federated.site_process import AnsweringSite

SITE = "site"
"""Key of the site's name in a message, and in the configuration of a node that serves one site."""

_RECORD = "medomicslab"
_BYTES = "bytes"
_TYPE = "query"
_POLL_S = 0.05  # how long a pull waits for a reply in process
_LOOK_S = 1.0  # how often it is looked which nodes are there
_LONGEST_S = 60.0  # that one site in process holds up the next, at most

Watch = Callable[[], None]
"""Called several times a second while replies are waited for; may raise, e.g. Cancelled."""


Find = Callable[[Context, str], AnsweringSite]
"""The site of the node with this context, to which a letter with this name on it has come."""


def make_client_app(find: Find) -> ClientApp:
    """The ClientApp of all backends: it hands a letter to the node's site and the reply back, and nothing else.

    No exception leaves it: Flower would send the text of one to the coordinator, and a text may hold a value.
    """
    app = ClientApp()

    @app.query()
    def answer(message: Message, context: Context) -> Message:
        name = _addressee(message)
        own = str(context.node_config.get(SITE, name))
        if own != name:
            reply = Reply(own, {}, refused=f"a letter for site '{name}' came to this site: its key is registered "
                                           "under that name").pack()
        else:
            reply = _answer(find, context, letter_in(message), name)
        return reply_message(reply, message)

    return app


def _answer(find: Find, context: Context, letter: bytes, name: str) -> bytes:
    try:
        return find(context, name).answer(letter)
    except Exception as error:
        logging.getLogger(__name__).exception("the site could not answer")
        return Reply(name, {}, refused=f"the site could not answer ({type(error).__name__}); its own log says "
                                       "why").pack()


def letter_message(site: str, letter: bytes, node: int, run: Run, ttl_s: float) -> Message:
    """A letter on its way to a node; it is void after ``ttl_s`` seconds."""
    # Metadata of its own, because Message() takes the run from a variable that is global in the process.
    metadata = Metadata(run_id=run.run_id, message_id="", src_node_id=SUPERLINK_NODE_ID, dst_node_id=node,
                        reply_to_message_id="", group_id="", created_at=time.time(), ttl=ttl_s, message_type=_TYPE,
                        src_task_id=run.primary_task_id)
    return Message(content=_content(letter, site), metadata=metadata)  # type: ignore[no-any-return, call-overload]


def letter_in(message: Message) -> bytes:
    """The letter or the reply that a message carries."""
    content = message.content[_RECORD][_BYTES]
    assert isinstance(content, bytes)
    return content


def reply_message(reply: bytes, message: Message) -> Message:
    """A reply on its way back."""
    return Message(_content(reply, _addressee(message)), reply_to=message)


def _addressee(message: Message) -> str:
    return str(message.content[_RECORD][SITE])


def _content(letter: bytes, site: str) -> RecordDict:
    return RecordDict({_RECORD: ConfigRecord({_BYTES: letter, SITE: site})})


def exchange(grid: Grid, nodes: Mapping[str, int], letters: Mapping[str, bytes], deadline_s: float, *,
             poll_s: float, watch: Watch) -> Iterator[tuple[str, bytes]]:
    """Send letters over a grid, and give the replies as they come in, until all are there or the time is over.

    A letter waits for a node that is not there, and is sent again to one that came back: what it had received before
    is lost with it, and a site answers the same letter the same. A site whose client failed has refused, with Flower's
    reason in words.
    """
    end = time.monotonic() + deadline_s
    post = _Post(grid, nodes, letters, end)
    while post.unanswered and time.monotonic() < end:
        watch()
        post.send()
        yield from post.replies()
        if post.unanswered and poll_s:
            time.sleep(poll_s)


class _Post:
    """Letters under way, and to which nodes they still have to be sent."""

    def __init__(self, grid: Grid, nodes: Mapping[str, int], letters: Mapping[str, bytes], end: float) -> None:
        self._grid, self._nodes, self._end = grid, nodes, end
        self.unanswered = dict(letters)
        self._sent: dict[str, str] = {}  # site by message
        self._begun: dict[str, str] = {}  # since when the node was there that a site's letter was sent to
        self._looked = float("-inf")

    def send(self) -> None:
        """Send letters to nodes that have appeared since."""
        if time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        there = {info.node_id: info.last_activated_at for info in self._grid.get_nodes()}
        due = {site: there[self._nodes[site]] for site in self.unanswered
               if self._nodes[site] in there and self._begun.get(site) != there[self._nodes[site]]}
        if due:
            ttl_s = max(1.0, self._end - time.monotonic())
            run = self._grid.run
            messages = [letter_message(site, self.unanswered[site], self._nodes[site], run, ttl_s) for site in due]
            self._sent.update(zip(self._grid.push_messages(messages), due, strict=True))
            self._begun.update(due)

    def replies(self) -> Iterator[tuple[str, bytes]]:
        """What has come in since."""
        for message in self._grid.pull_messages(list(self._sent)) if self._sent else ():
            site = self._sent.pop(message.metadata.reply_to_message_id)
            if site in self.unanswered and message.has_error() and message.error.code in _AWAY:
                self._begun.pop(site, None)
            elif self.unanswered.pop(site, None) is not None:
                yield site, letter_in(message) if message.has_content() else _refusal(site, message.error)


_AWAY = (ErrorCode.NODE_UNAVAILABLE, ErrorCode.MESSAGE_UNAVAILABLE, ErrorCode.REPLY_MESSAGE_UNAVAILABLE)
_REASONS = {
    ErrorCode.LOAD_CLIENT_APP_EXCEPTION: "the site's client could not be loaded; its own log says why",
    ErrorCode.CLIENT_APP_RAISED_EXCEPTION: "the site's client failed; its own log says why",
    ErrorCode.CLIENT_APP_CRASHED: "the site's client crashed while it worked; its own log says why",
}


def _refusal(site: str, error: Error) -> bytes:
    """Flower's reason in words; its own text is passed on only where this package has written it."""
    reason = error.reason if error.code == ErrorCode.INVALID_FAB else _REASONS.get(error.code)
    return Reply(site, {}, refused=reason or f"Flower's client failed (code {error.code}); the site's own log says "
                                             "why").pack()


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
        self._run = Run.create_empty(run_id=0)

    def set_run(self, run: Run) -> None:
        self._run = run

    @property
    def run(self) -> Run:
        return self._run

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
            reply = self._app(message, self._contexts[node])
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
        self._grid = LocalGrid(make_client_app(lambda _context, name: sites[name]), contexts)
        self._watch = watch

    def ask(self, letters: Mapping[str, bytes], deadline_s: float) -> Iterator[tuple[str, bytes]]:
        """See :class:`~medomicslab_nb.federated.messages.Transport`."""
        return exchange(self._grid, self._nodes, letters, deadline_s, poll_s=0, watch=self._watch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

"""Rounds over a federation's server. The run's own process speaks with Flower: there is nothing in between to die."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
from flwr.app import Error, Message, Metadata
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode, SubStatus
from flwr.common.serde import fab_to_proto, run_from_proto
from flwr.proto.control_pb2 import StartRunRequest
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree, PullObjectRequest
from flwr.proto.runtime_pb2 import (
    AcquireTaskRequest,
    PullAppMessagesRequest,
    PullTaskInputRequest,
    PushTaskOutputRequest,
    SendTaskHeartbeatRequest,
)
from flwr.supercore.constant import SYSTEM_MESSAGE_TYPE, TaskType
from flwr.supercore.fab import Fab as FlowerFab
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.superlink.grid import HttpGrid

from medomicslab_nb.errors import RunError
from medomicslab_nb.federated.control import Again, control_client, direct, runtime_client, said
from medomicslab_nb.federated.fab import Fab, make_fab
from medomicslab_nb.federated.flower import Watch, exchange
from medomicslab_nb.federated.server_home import Server

_POLL_S = 0.1
_BEAT_S = 8.0  # the server takes a run for dead after 30 s without a sign, and after 60 s for lost
_TRIES = 50


class CoordinatorGrid(HttpGrid):
    """Flower's grid, for a process that is not Flower's own: no failure of the server ends it, no site holds it up."""

    def __init__(self, server: Server, token: str) -> None:
        super().__init__(server.address, insecure=False, root_certificates=server.ca.read_bytes(), token=token)
        self._retry_invoker = Again()  # type: ignore[assignment]  # Flower's own interrupts the process
        started = self._runtime_client.PullTaskInput(PullTaskInputRequest())
        self.set_run(run_from_proto(started.run))
        self._coming: dict[str, _Coming] = {}
        self._over = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

    def _connect(self) -> None:
        with direct():
            super()._connect()

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """What has come in whole.

        A reply is announced before its parts are there, and a site that is killed while it sends leaves half of one,
        for which Flower would wait three minutes and let all others wait.
        """
        wanted = set(message_ids) - {coming.reply_to for coming in self._coming.values()}
        if wanted:
            found = self._runtime_client.PullMessages(PullAppMessagesRequest(message_ids=wanted))
            for proto, tree in zip(found.messages_list, found.message_object_trees, strict=True):
                self._coming[proto.metadata.message_id] = _Coming(proto.metadata.reply_to_message_id, tree)
        whole = [self._whole(name, coming) for name, coming in list(self._coming.items())]
        return [message for message in whole if message is not None]

    def valid(self) -> bool:
        """Whether the server still knows this run: it gives one up that was not heard of for a minute."""
        try:
            return bool(self._runtime_client.SendTaskHeartbeat(SendTaskHeartbeatRequest()).success)
        except httpx.HTTPStatusError:
            return False

    def forget(self) -> None:
        """Drop what was still coming in: nobody waits for it any more."""
        self._coming.clear()

    def _whole(self, name: str, coming: _Coming) -> Message | None:
        """The message, when all of its parts are there; an error when one never will be."""
        for part in iterate_object_tree(coming.tree):
            if part.object_id in coming.parts:
                continue
            found = self._runtime_client.PullObject(PullObjectRequest(node=self.node, run_id=self.run.run_id,
                                                                      object_id=part.object_id))
            if not found.object_found:
                del self._coming[name]
                return _lost(coming.reply_to, self.run.run_id)
            if not found.object_available:
                return None
            coming.parts[part.object_id] = found.object_content
        del self._coming[name]
        self._runtime_client.ConfirmMessageReceived(ConfirmMessageReceivedRequest(
            node=self.node, run_id=self.run.run_id, message_object_id=name))
        message = inflate_object_from_contents(name, coming.parts)
        assert isinstance(message, Message)
        message.metadata.__dict__["_message_id"] = name
        return message

    def finish(self) -> None:
        """Tell the server that the run is over."""
        self._over.set()
        with suppress(httpx.HTTPError):  # a server that is gone finds out by itself
            self._runtime_client.PushTaskOutput(PushTaskOutputRequest(sub_status=SubStatus.COMPLETED, details=""))
        self._beats.join()
        self.close()

    def _beat(self) -> None:
        client = self._runtime_client
        while not self._over.wait(_BEAT_S):
            try:
                client.SendTaskHeartbeat(SendTaskHeartbeatRequest())
            except httpx.HTTPError:
                continue  # whether the server is there is for the next question to tell


@dataclass
class _Coming:
    """A reply of which parts may still be on their way."""

    reply_to: str
    tree: ObjectTree
    parts: dict[str, bytes] = field(default_factory=dict)


def _lost(reply_to: str, run: int) -> Message:
    metadata = Metadata(run_id=run, message_id="", src_node_id=SUPERLINK_NODE_ID, dst_node_id=SUPERLINK_NODE_ID,
                        reply_to_message_id=reply_to, group_id="", created_at=time.time(), ttl=0,
                        message_type=SYSTEM_MESSAGE_TYPE)
    return Message(error=Error(ErrorCode.MESSAGE_UNAVAILABLE), metadata=metadata)  # type: ignore[no-any-return, call-overload]


class DeployTransport:
    """Sites that are reached over a federation's server.

    Parameters
    ----------
    federation : Path
        The federation's folder.
    node_ids : mapping
        The server's number of each site, by name.
    watch : callable, optional
        Called while replies are waited for; may raise.
    """

    def __init__(self, federation: Path, node_ids: Mapping[str, int], watch: Watch = lambda: None) -> None:
        self._server = Server.of(federation)
        self._node_ids = dict(node_ids)
        self._watch = watch
        self._grid: CoordinatorGrid | None = None

    def ask(self, letters: Mapping[str, bytes], deadline_s: float) -> Iterator[tuple[str, bytes]]:
        """See :class:`~medomicslab_nb.federated.messages.Transport`.

        Raises
        ------
        RunError
            The server does not answer, or a site is not registered. What is asked next begins anew.
        """
        for site in letters:
            if site not in self._node_ids:
                raise RunError("the federation's server does not know this site", where=f"site {site}",
                               todo="Register its key: medomicslab federation register DIR SITE PUBLIC_KEY")
        try:
            with said(self._server):
                grid = self._connected()
                yield from exchange(grid, self._node_ids, letters, deadline_s, poll_s=_POLL_S,
                                    watch=self._watch)
        except RunError:
            self.close()
            raise

    def _connected(self) -> CoordinatorGrid:
        if self._grid is not None and not self._grid.valid():
            self.close()
        if self._grid is None:
            self._grid = CoordinatorGrid(self._server, _start(self._server, installed_fab()))
        self._grid.forget()
        return self._grid

    def close(self) -> None:
        """End the run at the server."""
        grid, self._grid = self._grid, None
        if grid is not None:
            grid.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def installed_fab() -> Fab:
    """The Flower app that stands for the installed code."""
    from medomicslab_nb.federated.approval import code_hash

    return make_fab(code_hash())


def _start(server: Server, fab: Fab) -> str:
    """Start a run at the server and take it over; gives its token."""
    sent = fab_to_proto(FlowerFab(fab.hash, fab.content, {}))
    with control_client(server) as control, runtime_client(server) as runtime:
        control.StartRun(StartRunRequest(fab=sent))
        for _ in range(_TRIES):
            taken = runtime.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
            # Runs of one app are alike: which of two that were started at once is taken does not matter.
            if taken.token and taken.task.fab_hash == fab.hash:
                return str(taken.token)
    raise RunError("it has started no run", where=f"federation server at {server.address}",
                   todo="Its log (server/superlink.log) says why")

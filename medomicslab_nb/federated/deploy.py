"""Rounds over a federation's server. The run's own process speaks with Flower: there is nothing in between to die."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import httpx
from flwr.common.constant import SubStatus
from flwr.common.serde import fab_to_proto, run_from_proto
from flwr.proto.control_pb2 import StartRunRequest
from flwr.proto.runtime_pb2 import (
    AcquireTaskRequest,
    PullTaskInputRequest,
    PushTaskOutputRequest,
    SendTaskHeartbeatRequest,
)
from flwr.supercore.constant import TaskType
from flwr.supercore.fab import Fab as FlowerFab
from flwr.supercore.inflatable.inflatable_utils import pull_objects
from flwr.superlink.grid import HttpGrid, http_grid

from medomicslab_nb.errors import RunError
from medomicslab_nb.federated.control import Again, control_client, runtime_client, said
from medomicslab_nb.federated.fab import Fab, make_fab
from medomicslab_nb.federated.flower import Watch, exchange
from medomicslab_nb.federated.server_home import Server

_POLL_S = 0.1
_BEAT_S = 8.0  # the server takes a run for dead after 30 s without a sign, and after 60 s for lost
_TRIES = 50
_BACKOFF_S = 0.05

# A reply can be seen before all of it has come; Flower then waits a second or more, and offers no way to set it.
http_grid.pull_objects = partial(pull_objects, initial_backoff=_BACKOFF_S)  # type: ignore[attr-defined]


class CoordinatorGrid(HttpGrid):
    """Flower's grid, for a process that is not Flower's own: no failure of the server ends it."""

    def __init__(self, server: Server, token: str) -> None:
        super().__init__(server.address, insecure=False, root_certificates=server.ca.read_bytes(), token=token)
        self._retry_invoker = Again()  # type: ignore[assignment]  # Flower's own interrupts the process
        started = self._runtime_client.PullTaskInput(PullTaskInputRequest())
        self.set_run(run_from_proto(started.run))
        self._over = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

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
                self._grid = self._grid or CoordinatorGrid(self._server, _start(self._server, installed_fab()))
                yield from exchange(self._grid, self._node_ids, letters, deadline_s, poll_s=_POLL_S,
                                    watch=self._watch)
        except RunError:
            self.close()
            raise

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

"""Flower's ServerApp as a relay: where Flower gives out its grid only inside of one, letters go through a mailbox.

The coordinator stays outside, in the run's own process: quorum, journal, progress and cancel are the same everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from queue import Empty, Queue

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from medomicslab_nb.errors import RunError
from medomicslab_nb.federated.flower import Watch, exchange

_TICK_S = 0.1
_NODES_S = 120.0


class Mailbox:
    """Letters that are to be sent and replies that came, between a run and a ServerApp in another thread."""

    def __init__(self) -> None:
        self._letters: Queue[tuple[int, Mapping[str, bytes], float] | None] = Queue()
        self._replies: Queue[tuple[int, tuple[str, bytes] | None]] = Queue()
        self._round = 0
        self._failed: BaseException | None = None
        self._over = False

    # The run's side

    def ask(self, letters: Mapping[str, bytes], deadline_s: float, watch: Watch) -> Iterator[tuple[str, bytes]]:
        """Have letters sent, and give the replies as they come in.

        Raises
        ------
        RunError
            The ServerApp has ended.
        """
        self._round += 1
        number = self._round
        self._letters.put((number, letters, deadline_s))
        try:
            while True:
                watch()
                try:
                    came_for, reply = self._replies.get(timeout=_TICK_S)
                except Empty:
                    self._check()
                    continue
                if came_for == number and reply is None:
                    return
                if came_for == number and reply is not None:
                    yield reply
        finally:
            self._round += 1

    def close(self) -> None:
        """Let the ServerApp end."""
        self._over = True
        self._round += 1
        self._letters.put(None)

    def fail(self, error: BaseException | None) -> None:
        """Note that the ServerApp, or what it runs in, has ended."""
        self._failed = error or RuntimeError("it ended")

    def _check(self) -> None:
        if self._failed is not None:
            raise RunError(f"Flower's simulation has ended ({type(self._failed).__name__}: {self._failed})",
                           where="backend ray", todo="Run again with the same settings: the rounds before are kept. "
                           "The setting backend=local needs no simulation") from self._failed

    # The ServerApp's side

    def rounds(self) -> Iterator[tuple[int, Mapping[str, bytes], float]]:
        """What is to be sent, until the run is over."""
        while (task := self._letters.get()) is not None:
            yield task

    def relay(self, grid: Grid, nodes: Mapping[str, int]) -> None:
        """Send what is asked for, and bring back what is answered, until the run is over."""
        for number, letters, deadline_s in self.rounds():
            try:
                for reply in exchange(grid, nodes, letters, deadline_s, poll_s=_TICK_S / 4,
                                      watch=lambda number=number: self._still(number)):  # type: ignore[misc]
                    self._replies.put((number, reply))
            except _AbandonedError:
                continue
            self._replies.put((number, None))

    def _still(self, number: int) -> None:
        if self._over or number != self._round:
            raise _AbandonedError


class _AbandonedError(Exception):
    """Nobody waits for this round any more."""


def make_server_app(mailbox: Mailbox, sites: tuple[str, ...]) -> ServerApp:
    """The ServerApp of a simulation, in which every node can be any site."""
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, _context: Context) -> None:
        mailbox.relay(grid, dict(zip(sorted(sites), _node_ids(grid, len(sites)), strict=True)))

    return server_app


def _node_ids(grid: Grid, number: int) -> list[int]:
    end = time.monotonic() + _NODES_S
    while len(found := sorted(grid.get_node_ids())) < number and time.monotonic() < end:
        time.sleep(_TICK_S)
    return found


app = ServerApp()
"""Named in the Flower app; Flower never runs it, for in a federation the coordinator's own process takes its part."""


@app.main()
def main(_grid: Grid, _context: Context) -> None:
    """Refuse: the coordinator speaks for itself."""
    raise RunError("a run is started by its coordinator, not by the server", where="Flower app",
                   todo="Type: medomicslab federation run DIR")

"""Progress of long work as events. Bars are sinks: in the notebook, in the terminal, or plain lines.

``with progress.task("cross-validation", total=30) as step: step()`` emits one event at the start, one per step and
one at the end; each step is also the place where a cancel is noticed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from medomicslab_nb.errors import Cancelled


@dataclass(frozen=True)
class Event:
    """One moment of a task.

    Attributes
    ----------
    total : int or None
        None while it is unknown.
    detail : mapping or None
        What has just been done, as JSON types, for views that show more than a bar. It is written into the run's
        folder: never who a patient is. A file of an older version has none.
    """

    task: str
    done: int
    total: int | None
    elapsed_s: float
    finished: bool = False
    detail: Mapping[str, Any] | None = None


Sink = Callable[[Event], None]


class Progress:
    """Hands events to its sinks and asks, at every step, whether the work was cancelled."""

    def __init__(self, sinks: Sequence[Sink] = (), cancelled: Callable[[], bool] = lambda: False) -> None:
        self._sinks = tuple(sinks)
        self._cancelled = cancelled

    def check(self) -> None:
        """Raise :class:`Cancelled` when the user asked for the work to stop."""
        if self._cancelled():
            raise Cancelled

    def forward(self, event: Event) -> None:
        """A sink that hands another work's events on to this one's sinks, and passes this one's cancel on to it."""
        for sink in self._sinks:
            sink(event)
        self.check()

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Callable[..., None]]:
        """A task of ``total`` steps; yields the function that counts ``n`` more of them, one by default.

        That function also takes ``detail``, see :class:`Event`.
        """
        start, done = time.monotonic(), 0

        def emit(finished: bool = False, detail: Mapping[str, Any] | None = None) -> None:
            event = Event(name, done, total, time.monotonic() - start, finished, detail)
            for sink in self._sinks:
                sink(event)

        def step(n: int = 1, detail: Mapping[str, Any] | None = None) -> None:
            nonlocal done
            done += n
            emit(detail=detail)
            self.check()

        self.check()
        emit()
        try:
            yield step
        finally:
            emit(finished=True)


class PlainLines:
    """A sink that prints a line when a task starts, at most every ``every_s`` seconds, and when it ends."""

    def __init__(self, stream: TextIO | None = None, every_s: float = 5.0) -> None:
        self._stream = stream
        self._every_s = every_s
        self._last: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        last = self._last.get(event.task)
        # A task under two seconds needs no line.
        if not event.finished and (event.elapsed_s if last is None else event.elapsed_s - last) < self._every_s:
            return
        if event.finished and last is None and event.elapsed_s < 2:
            return
        self._last[event.task] = event.elapsed_s
        count = f"{event.done}" if event.total is None else f"{event.done}/{event.total}"
        end = " done" if event.finished and event.done == event.total else ""
        print(f"{event.task}: {count}, {event.elapsed_s:.0f} s{end}", file=self._stream or sys.stdout, flush=True)

"""Long work of a widget in a thread, one at a time, with progress and cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from medomicslab_nb.errors import Cancelled
from medomicslab_nb.progress import Event, Progress
from medomicslab_nb.views.answers import in_words
from medomicslab_nb.views.labels import task_label

State = dict[str, Any]

_EVERY_S = 0.2


class Background:
    """Runs one work at a time and tells its state: numbers and sentences, nothing identifying.

    Parameters
    ----------
    tell : callable
        Gets the state whenever it changes: ``name`` of the work, ``state`` (running, done, failed, cancelled),
        ``task``, ``done``, ``total``. Called in the work's thread.
    """

    def __init__(self, tell: Callable[[State], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.fault = ""
        """Why the last work failed, in words: it may name files, so it is no part of the state."""

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, name: str, work: Callable[[Progress], None]) -> bool:
        """Begin; False when something else is under way."""
        with self._lock:
            if self.busy:
                return False
            self._stop = threading.Event()
            self.fault = ""
            self._tell(_state(name, "running"))
            self._thread = threading.Thread(target=self._run, args=(name, work, self._stop), daemon=True)
            self._thread.start()
            return True

    def cancel(self) -> None:
        """Stop at the next step."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait until what is under way has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, name: str, work: Callable[[Progress], None], stop: threading.Event) -> None:
        try:
            work(Progress([_Throttled(name, self._tell)], stop.is_set))
            end = "done"
        except Cancelled:
            end = "cancelled"
        except Exception as error:
            # A thread's error would otherwise be lost, and the widget would wait for ever.
            self.fault, end = in_words(error), "failed"
        self._tell(_state(name, end))


class _Throttled:
    """A sink that tells of at most five events a second, and of each task's beginning."""

    def __init__(self, name: str, tell: Callable[[State], None]) -> None:
        self._name = name
        self._tell = tell
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if event.done and now - self._last < _EVERY_S:
            return
        self._last = now
        self._tell(_state(self._name, "running", task_label(event.task), event.done, event.total))


def _state(name: str, state: str, task: str = "", done: int = 0, total: int | None = None) -> State:
    return {"name": name, "state": state, "task": task, "done": done, "total": total or 0}

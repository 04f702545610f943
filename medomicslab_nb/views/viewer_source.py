"""Where a viewer gets an image from: memory, or a function that loads it when a view asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from medomicslab_nb.imaging.display import Displayed

IDLE_S = 30.0
"""After so long without use, a loaded image is dropped."""


class Source:
    """An image that can be had again and again.

    Parameters
    ----------
    load : callable
        Gives the image; called in whichever thread asks first.
    first : Displayed, optional
        The image, where it is loaded already.
    keep : bool
        Whether it stays in memory. Otherwise it goes when it is released, or after :data:`IDLE_S` without use, so that
        open viewers cost no memory.
    """

    def __init__(self, load: Callable[[], Displayed], *, first: Displayed | None = None, keep: bool = False) -> None:
        self._load = load
        self._keep = keep
        self._found = first
        self._lock = threading.Lock()
        self._used = 0.0
        self._timer: threading.Timer | None = None

    @classmethod
    def held(cls, shown: Displayed) -> Source:
        """An image that is in memory anyway."""
        return cls(_closed, first=shown, keep=True)

    @property
    def loaded(self) -> bool:
        return self._found is not None

    def get(self) -> Displayed:
        """The image.

        Raises
        ------
        DataError
            It can no longer be loaded.
        """
        with self._lock:
            if self._found is None:
                self._found = self._load()
            self._used = time.monotonic()
            if not self._keep and self._timer is None:
                self._wait(IDLE_S)
            return self._found

    def release(self) -> None:
        """No view needs it now."""
        if self._keep:
            return
        with self._lock:
            self._found = None
            self._stop()

    def close(self) -> None:
        """Drop it for good."""
        with self._lock:
            self._found = None
            self._stop()
            self._load = _closed

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._drop_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _drop_if_idle(self) -> None:
        with self._lock:
            rest = self._used + IDLE_S - time.monotonic()
            self._timer = None
            if self._found is None:
                return
            if rest > 0:
                self._wait(rest)
            else:
                self._found = None

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _closed() -> Displayed:
    raise RuntimeError("the viewer was closed")

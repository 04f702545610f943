"""Pictures of series for the cards in sight, made one after the other, so many a second at most."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from medomicslab_nb.data.image_scan import ImageScan, thumbnail

EVERY_S = 0.05
"""Time between two pictures at least: 20 a second."""

_MOST_KEPT = 500


class Thumbnails:
    """Makes and sends the pictures that each open tab asks for.

    A tab asks for the cards that are in sight now: what it asked for before and is not yet made is dropped.

    Parameters
    ----------
    widget : Widget
        Sends ``{"token": ..., "picture": key}`` with the PNG file as its buffer; without one when there is none.
    """

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._lock = threading.Lock()
        self._scan: ImageScan | None = None
        self._made: OrderedDict[str, bytes] = OrderedDict()
        self._wanted: dict[str, list[str]] = {}
        self._working = False

    def show(self, scan: ImageScan) -> None:
        """Make pictures of another scan from now on."""
        with self._lock:
            self._scan = scan
            self._made.clear()
            self._wanted.clear()

    def want(self, token: str, keys: Sequence[str]) -> None:
        """Send these pictures to the tab with that token."""
        with self._lock:
            self._wanted[token] = [key for key in keys if key[:1] == "s" and key[1:].isdigit()]
            if self._working or self._scan is None:
                return
            self._working = True
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        pause = threading.Event()
        while (following := self._next()) is not None:
            token, key, scan = following
            picture = self._picture(scan, key)
            self._widget.send({"token": token, "picture": key}, [picture] if picture else [])
            pause.wait(EVERY_S)

    def _next(self) -> tuple[str, str, ImageScan] | None:
        with self._lock:
            for token, keys in self._wanted.items():
                if keys and self._scan is not None:
                    return token, keys.pop(0), self._scan
            self._working = False
            self._wanted.clear()
            return None

    def _picture(self, scan: ImageScan, key: str) -> bytes:
        """The PNG file; empty when the series cannot be drawn."""
        with self._lock:
            known = self._made.get(key) if scan is self._scan else None
        if known is not None:
            return known
        try:
            made = thumbnail(scan.series[int(key[1:])])
        except Exception:  # a damaged file must not end the pictures of the others
            made = b""
        with self._lock:
            if scan is self._scan:
                self._made[key] = made
                while len(self._made) > _MOST_KEPT:
                    self._made.popitem(last=False)
        return made

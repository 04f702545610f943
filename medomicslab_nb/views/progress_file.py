"""What is new in a run's ``progress.jsonl``, whichever process writes there."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from medomicslab_nb.record import RunRecord


class ProgressFile:
    """Reads a run's events from where it stopped before.

    Attributes
    ----------
    last_at : float
        When the file was last seen to change, in seconds since 1970.
    """

    def __init__(self, record: RunRecord) -> None:
        self._path = record.path / "progress.jsonl"
        self._place = 0
        self.last_at = time.time()

    def new_events(self) -> list[dict[str, Any]]:
        """The events since the last call; none while there is no file."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._place)
                read = stream.read()
        except OSError:
            return []
        # The last line may be half written at this moment.
        whole = read[:read.rfind(b"\n") + 1]
        self._place += len(whole)
        if whole:
            self.last_at = self._path.stat().st_mtime
        return parsed(whole)


def parsed(lines: bytes) -> list[dict[str, Any]]:
    """Events by line; a damaged line is passed over."""
    events = []
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):
            events.append(json.loads(line))
    return [event for event in events if isinstance(event, dict)]

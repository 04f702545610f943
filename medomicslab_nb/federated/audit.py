"""The audit log: every message that left a site, refusals included, in words; appended to only, and chained.

Each line carries the hash of the line before, so that an entry that was changed, removed, added or moved is found. Who
cuts off the newest entries leaves a chain that is whole: note :attr:`AuditLog.head` elsewhere and have it looked for.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medomicslab_nb.errors import RunError
from medomicslab_nb.federated.appending import append_line, lines_of, locked

if TYPE_CHECKING:
    import pandas as pd

DAY = timedelta(hours=24)
COLUMNS = ("time", "event", "run", "round", "step", "words", "patients", "bytes", "content", "code", "plan")

_BEGINNING = "0" * 64
_FIRST_LOOK_BYTES = 1 << 20  # at the end of the file; doubled until it holds a day


@dataclass(frozen=True)
class Entry:
    """One message that left.

    Attributes
    ----------
    event : str
        Whether it was a release or a refusal.
    run, round, step : str, int, str
        Which question it answers.
    words : str
        What was released, or why nothing was. Nothing identifying.
    patients : int
        Over how many patients every number is summed, at least; 0 for a refusal.
    bytes : int
        Length of the message.
    content : str
        sha256 of the message.
    code, plan : str
        Hashes of the code that answered and of the plan that it answered for.
    """

    event: Literal["released", "refused"]
    run: str
    round: int
    step: str
    words: str
    patients: int
    bytes: int
    content: str
    code: str
    plan: str


class AuditLog:
    """The log of one site.

    Parameters
    ----------
    path : Path, optional
        A file of one JSON object a line; None: in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._memory: list[bytes] = []
        self._read_to: int | None = None
        self._last = _BEGINNING
        self._cut = False
        self._released: deque[datetime] = deque()

    def append(self, entry: Entry) -> None:
        """Write an entry; when this returns it is on the disk.

        Raises
        ------
        StudyError
            It cannot be written: then nothing may leave.
        """
        with locked(self._path):
            self._refresh()
            content = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **asdict(entry)}
            if self._cut:
                content["after_cut"] = True
            line = json.dumps({**content, "previous": self._last}, ensure_ascii=False, separators=(",", ":"))
            if self._path is None:
                self._memory.append(line.encode())
            else:
                append_line(self._path, line)
            self._refresh()

    def released_today(self) -> int:
        """Releases in the last 24 hours."""
        self._refresh()
        begin = datetime.now(UTC) - DAY
        while self._released and self._released[0] < begin:
            self._released.popleft()
        return len(self._released)

    @property
    def head(self) -> str:
        """Hash of the newest entry, which stands for all: who notes it can tell later that none was removed."""
        self._refresh()
        return self._last

    def verify(self, known: str = "") -> int:
        """Check the chain, and give the number of entries.

        Parameters
        ----------
        known : str
            A :attr:`head` that was noted before (or its first digits), which must still be in the chain.

        Raises
        ------
        RunError
            Names the first line that was changed, or before which something was removed, added or moved.
        """
        entries, previous, cut, found = 0, _BEGINNING, False, not known
        for number, line in enumerate(self._lines(), start=1):
            entry = _parsed(line)
            if entry is None and cut:
                raise _broken(number - 1, "is damaged")
            if entry is not None:
                if entry.get("previous") != previous:
                    raise _broken(number, "does not follow from the line before: an entry was changed, removed, added "
                                          "or moved")
                if cut != bool(entry.get("after_cut")):
                    raise _broken(number - 1, "is damaged")
                entries += 1
            previous, cut = _hash(line), entry is None
            found = found or previous.startswith(known)
        if cut:
            raise _broken(number, "is damaged")
        if not found:
            raise RunError("the entry that was noted is no longer there: newer entries were cut off, or all were "
                           "replaced", where="audit log", todo=_TODO)
        return entries

    def read(self) -> pd.DataFrame:
        """The entries as they stand, oldest first; times in UTC."""
        import pandas as pd

        entries = [entry for line in self._lines() if (entry := _parsed(line)) is not None]
        frame = pd.DataFrame([[entry.get(column) for column in COLUMNS] for entry in entries], columns=list(COLUMNS))
        return frame.assign(time=pd.to_datetime(frame["time"], format="ISO8601", utc=True))

    def _lines(self) -> Iterator[bytes]:
        yield from self._memory if self._path is None else lines_of(self._path)[0]

    def _refresh(self) -> None:
        """What this and other processes of the site have written since."""
        for line in self._new_lines():
            entry = _parsed(line)
            self._last, self._cut = _hash(line), entry is None
            if entry is not None and entry.get("event") == "released":
                self._released.append(datetime.fromisoformat(entry["time"]))
        if self._path is not None:
            self._see_cut()

    def _new_lines(self) -> list[bytes]:
        if self._path is None:
            start, self._read_to = self._read_to or 0, len(self._memory)
            return self._memory[start:]
        if self._read_to is None:
            lines, self._read_to = _last_day(self._path)
            return lines
        lines, self._read_to = lines_of(self._path, self._read_to)
        return lines

    def _see_cut(self) -> None:
        """The beginning of an entry that a crash cut off counts as a line: the next entry follows it and says so."""
        assert self._path is not None and self._read_to is not None
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._read_to)
                rest = stream.read()
        except FileNotFoundError:
            return
        if rest and b"\n" not in rest:
            self._last, self._cut = _hash(rest), True


_TODO = "Keep the file as it is, and ask who has had access to it"


def _broken(number: int, what: str) -> RunError:
    return RunError(f"line {number} {what}", where="audit log", todo=_TODO)


def _last_day(path: Path) -> tuple[list[bytes], int]:
    """Lines at the end of the file that hold the last 24 hours, and where the file ends."""
    size, look = path.stat().st_size if path.exists() else 0, _FIRST_LOOK_BYTES
    begin = datetime.now(UTC) - DAY
    while True:
        start = max(0, size - look)
        lines, end = lines_of(path, start)
        lines = lines[1:] if start else lines  # the first of them may have begun before
        first = next((entry for line in lines if (entry := _parsed(line)) is not None), None)
        if not start or (first is not None and datetime.fromisoformat(first["time"]) < begin):
            return lines, end
        look *= 2


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "time" in entry else None


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()

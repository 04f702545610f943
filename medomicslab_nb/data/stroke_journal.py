"""A journal of strokes: a file that only grows, written through to the disk record by record.

A record is a head of 16 bytes (kind, value, flags, 0; number of indices; bytes of the body; checksum of head and body)
and a body of linear indices, compressed. What a crash cut off at the end is dropped when the journal is opened.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from medomicslab_nb.errors import StudyError

Stroke = list[tuple[np.ndarray, bool]]
"""Parts of a stroke: indices whose value changed, and the value that they got."""

_HEAD = struct.Struct("<4B3I")
_PAINT, _UNDO, _REDO = 1, 2, 3
_BEGIN, _END = 1, 2


class Journal:
    """Strokes that count and strokes that were undone, kept in a file.

    Attributes
    ----------
    done, undone : list of strokes
        The last of ``undone`` is the next one to be done again.
    """

    def __init__(self, path: Path) -> None:
        self.done: list[Stroke] = []
        self.undone: list[Stroke] = []
        self._open_stroke = False
        kept = 0
        content = path.read_bytes() if path.exists() else b""
        for kind, value, flags, indices, kept in _records(content):  # noqa: B007  (the last one is used below)
            self._take(kind, indices, bool(value), flags)
        self._open_stroke = False  # a stroke that a crash cut off is a stroke
        if kept < len(content):
            os.truncate(path, kept)
        self._file = path.open("ab", buffering=0)  # nothing that failed stays in a buffer to be written later
        self._length = kept

    def add(self, indices: np.ndarray, value: bool, *, begin: bool, end: bool) -> None:
        """Append a part of a stroke; it is on the disk when this returns.

        Raises
        ------
        StudyError
            It cannot be stored, e.g. on a full disk; neither the file nor the lists have changed then.
        """
        flags = _BEGIN * begin | _END * end
        self._write(_PAINT, indices, value, flags)
        self._take(_PAINT, indices, value, flags)

    def undo(self) -> Stroke | None:
        """The stroke that no longer counts; None when there is none."""
        if not self.done:
            return None
        self._write(_UNDO)
        self._take(_UNDO)
        return self.undone[-1]

    def redo(self) -> Stroke | None:
        """The stroke that counts again; None when there is none."""
        if not self.undone:
            return None
        self._write(_REDO)
        self._take(_REDO)
        return self.done[-1]

    def close(self) -> None:
        self._file.close()

    def _take(self, kind: int, indices: np.ndarray | None = None, value: bool = False, flags: int = 0) -> None:
        if kind == _UNDO:
            self.undone.append(self.done.pop())
        elif kind == _REDO:
            self.done.append(self.undone.pop())
        elif indices is not None:
            self._take_part(indices, value, flags)
        self._open_stroke = kind == _PAINT and not flags & _END

    def _take_part(self, indices: np.ndarray, value: bool, flags: int) -> None:
        self.undone.clear()
        if flags & _BEGIN or not self._open_stroke or not self.done:
            self.done.append([])
        self.done[-1].append((indices, value))

    def _write(self, kind: int, indices: np.ndarray | None = None, value: bool = False, flags: int = 0) -> None:
        count = 0 if indices is None else len(indices)
        body = b"" if indices is None else zlib.compress(indices.astype("<u4").tobytes(), 1)
        start = struct.pack("<4B2I", kind, value, flags, 0, count, len(body))
        record = start + struct.pack("<I", zlib.crc32(start + body)) + body
        try:
            self._file.truncate(self._length)  # where the one before failed and could not be taken back
            self._write_through(record)
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._length)
            raise StudyError(f"the stroke could not be stored: {error.strerror or 'the disk refused it'}",
                             where="mask edit",
                             todo="Make room on the disk, then do it again: every stroke before it is kept") from None
        self._length += len(record)

    def _write_through(self, record: bytes) -> None:
        rest = memoryview(record)
        while rest:
            rest = rest[self._file.write(rest):]  # a disk that gets full takes a part
        os.fsync(self._file.fileno())


def _records(content: bytes) -> Iterator[tuple[int, int, int, np.ndarray, int]]:
    """Kind, value, flags, indices and end of every whole record; nothing after the first that is cut off."""
    at = 0
    while at + _HEAD.size <= len(content):
        kind, value, flags, _, count, size, checksum = _HEAD.unpack_from(content, at)
        end = at + _HEAD.size + size
        body = content[at + _HEAD.size:end]
        if len(body) < size or zlib.crc32(content[at:at + _HEAD.size - 4] + body) != checksum:
            return
        indices = np.frombuffer(zlib.decompress(body), dtype="<u4") if size else np.empty(0, dtype="<u4")
        if len(indices) != count:
            return
        yield kind, value, flags, indices.astype(np.int64), end
        at = end

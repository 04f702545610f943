"""One annotator's journal: a file of JSON lines that only grows, on the disk action by action.

The first line names format, version and annotator. Every other line is ``{"crc": "...", "action": {...}}``; the
checksum is of the action as it stands there. A last line that a crash cut off counts for nothing; damage before the
end is an error, since what follows it would mean something else.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import StudyError
from medomicslab_nb.files import FORMAT_PREFIX, canonical_json

FORMAT = f"{FORMAT_PREFIX}annotations"
FORMAT_VERSION = 1

Action = Mapping[str, Any]

_LINE = re.compile(rb'\{"crc":"([0-9a-f]{8})","action":(\{.*\})\}')


class AnnotationJournal:
    """A journal that is open for writing. Who opens it holds a lock: two writers would mix their actions.

    Attributes
    ----------
    actions : list of dict
        What stood in it when it was opened.
    """

    def __init__(self, path: Path, annotator: str) -> None:
        head = _head(annotator)
        content = path.read_bytes() if path.exists() else b""
        if head.startswith(content):  # new, or cut off while it was begun
            content = b""
        self.actions, self._length = _read(content, path.name, annotator) if content else ([], 0)
        # Nothing that failed stays in a buffer to be written later.
        self._file = path.open("ab", buffering=0)
        self._file.truncate(self._length)
        if not content:
            self._write(head)
            _sync_folder(path.parent)

    def add(self, action: Action) -> None:
        """Append an action; it is on the disk when this returns.

        Raises
        ------
        StudyError
            It cannot be stored, e.g. on a full disk; the file has not changed then.
        """
        body = canonical_json(action).encode("utf-8", "surrogatepass")
        self._write(b'{"crc":"%08x","action":%b}\n' % (zlib.crc32(body), body))

    def close(self) -> None:
        self._file.close()

    def _write(self, line: bytes) -> None:
        try:
            self._file.truncate(self._length)  # where the one before failed and could not be taken back
            self._write_through(line)
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._length)
            raise StudyError(f"the annotation could not be stored: {error.strerror or 'the disk refused it'}",
                             where="annotations",
                             todo="Make room on the disk, then do it again: everything before it is kept") from None
        self._length += len(line)

    def _write_through(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest):]  # a disk that gets full takes a part
        os.fsync(self._file.fileno())


def read_journal(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """The annotator and the actions of a journal, which may be open for writing elsewhere.

    Raises
    ------
    StudyError
        It is damaged before its end, no journal, or of a newer program.
    """
    content = path.read_bytes()
    if b"\n" not in content:
        return "", []
    return _annotator(content, path.name), _read(content, path.name)[0]


def _head(annotator: str) -> bytes:
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "annotator": annotator}
    return json.dumps(head, ensure_ascii=False).encode() + b"\n"


def _annotator(content: bytes, where: str) -> str:
    """The annotator that the first line names."""
    try:
        head = json.loads(content.partition(b"\n")[0])
        version, annotator = int(head["format_version"]), str(head["annotator"])
    except (ValueError, TypeError, KeyError):
        head = {}
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise StudyError("this is no file of annotations of medomicslab_nb", where=where, todo="Check the folder")
    if version > FORMAT_VERSION:
        raise StudyError(f"format version {version} is newer than this program reads ({FORMAT_VERSION})", where=where,
                         todo="Update medomicslab_nb")
    return annotator


def _read(content: bytes, where: str, annotator: str | None = None) -> tuple[list[dict[str, Any]], int]:
    """The whole actions, and how many bytes they and the head take."""
    found = _annotator(content, where)
    if annotator is not None and found != annotator:
        raise StudyError("the file holds the annotations of somebody whose name is spelt otherwise", where=where,
                         todo="Give the name as it was given first")
    head, *lines = content.split(b"\n")
    actions = [_action(line) for line in lines[:-1]]  # after the last line's end nothing counts
    if actions and actions[-1] is None:  # one was being written, the others were on the disk
        actions.pop()
    whole = [action for action in actions if action is not None]
    if len(whole) < len(actions):
        raise StudyError(f"line {actions.index(None) + 2} is damaged", where=where,
                         todo="Restore the file from a copy; nothing in it was changed")
    return whole, sum(len(line) + 1 for line in [head, *lines[:len(whole)]])


def _action(line: bytes) -> dict[str, Any] | None:
    """The action of a line; None when it is not whole."""
    found = _LINE.fullmatch(line)
    if found is None or int(found[1], 16) != zlib.crc32(found[2]):
        return None
    action: dict[str, Any] = json.loads(found[2].decode("utf-8", "surrogatepass"))
    return action


def _sync_folder(folder: Path) -> None:
    # Without this a new file's name can be lost with the power. Windows has no folder handles to sync.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

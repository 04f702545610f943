"""Files that are appended to only: one line at a time, by one process at a time, on the disk before anything leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medomicslab_nb.errors import StudyError

_LOCK_TIMEOUT_S = 60.0


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Held while a file is read and appended to; dies with its process. None: nothing to lock.

    Raises
    ------
    StudyError
        Another process held it for a minute.
    """
    from filelock import FileLock, Timeout

    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_TIMEOUT_S):
            yield
    except Timeout:
        raise StudyError("another process has been writing for a minute", where=path.name,
                         todo="Wait for it to end or stop it, then try again") from None


def append_line(path: Path, line: str) -> None:
    """Append one line and wait for the disk; a line that a crash has cut off before is ended first.

    Raises
    ------
    StudyError
        The disk is full or the file is not writable.
    """
    content = line.encode() + b"\n"
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if _is_cut(handle):
                content = b"\n" + content
            if os.write(handle, content) != len(content):
                raise OSError(0, "the disk is full")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise StudyError(f"the file could not be written ({error.strerror or type(error).__name__})", where=path.name,
                         todo="Free space or correct the permissions, then run again") from error


def lines_of(path: Path, start: int = 0) -> tuple[list[bytes], int]:
    """The lines from a position on, without their ends, and the position behind the last whole one.

    A last line without an end, which a crash has cut off or which is being written, is not given yet.

    Raises
    ------
    StudyError
        The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            content = stream.read()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise StudyError(f"the file cannot be read ({error.strerror or type(error).__name__})", where=path.name,
                         todo="Correct its permissions, then run again") from error
    whole = content.rfind(b"\n") + 1
    return content[:whole].split(b"\n")[:-1], start + whole


def _is_cut(handle: int) -> bool:
    end = os.lseek(handle, 0, os.SEEK_END)
    if not end:
        return False
    os.lseek(handle, end - 1, os.SEEK_SET)
    return os.read(handle, 1) != b"\n"

"""Archives (zip, tar) unpacked so that nothing leaves the folder, fills the disk, or stays behind when one is refused.

No error names a member: names of files in an export often are names of patients.
"""

from __future__ import annotations

import lzma
import os
import secrets
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from medomicslab_nb.errors import DataError
from medomicslab_nb.progress import Progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Files that are unpacked."""

_NESTED = (*SUFFIXES, ".7z", ".rar", ".gz.tar")
_FAULTS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, UnicodeError,
           NotImplementedError)
_NAMES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
          tarfile.GNUTYPE_LONGLINK)
_LONGEST_NAME = 1 << 20  # bytes
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 1


@dataclass(frozen=True)
class Limits:
    """What an archive may grow to.

    Attributes
    ----------
    bytes : int
        All members together.
    ratio : float
        Bytes unpacked for each byte of the archive; images shrink 2 to 30 times, bombs 1,000 times. Not applied
        below ``harmless_bytes``.
    entries : int
    harmless_bytes : int
    """

    bytes: int = 500 * 10**9
    ratio: float = 200.0
    entries: int = 2_000_000
    harmless_bytes: int = 200 * 10**6


@dataclass(frozen=True)
class _Member:
    """A file in an archive."""

    name: str
    size: int
    opened: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether the file's name ends like an archive's."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(path: Path, folder: Path, progress: Progress | None = None, *, limits: Limits | None = None) -> Path:
    """Unpack an archive into a folder that does not exist yet; it appears whole, or not at all.

    Parameters
    ----------
    path : Path
        A zip file, or a tar file, compressed or not.
    folder : Path
        Made; its parent exists.
    progress : Progress, optional
    limits : Limits, optional

    Raises
    ------
    DataError
        It is damaged or encrypted; a member would leave the folder, is a link or a device, or occurs twice; it is
        larger than the limits or the free space; it holds another archive. Nothing is left behind.
    """
    limits, where = limits or Limits(), f"archive {path.name}"
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.part")
    try:
        part.mkdir(parents=True)
        with _opened(path, where) as members:
            _extract(members, part, _Budget(path, part, limits, where), progress or Progress(), where)
        os.replace(part, folder)
    except _FAULTS:
        raise DataError("it is damaged, or written in a way that is not supported", where=where,
                        todo="Make the archive again, as zip or tar.gz") from None
    except OSError as error:
        raise DataError(f"it cannot be unpacked ({error.strerror or 'damaged'})", where=where,
                        todo="Free space, or unpack it yourself and add the folder") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


class _Budget:
    """Counts what was written and refuses what is too much, whatever the archive says of itself."""

    def __init__(self, path: Path, folder: Path, limits: Limits, where: str) -> None:
        by_ratio = max(limits.harmless_bytes, limits.ratio * path.stat().st_size)
        self._bytes = min(limits.bytes, by_ratio)
        self._free = shutil.disk_usage(folder).free
        self._entries = limits.entries
        self._where = where

    def check(self, total_bytes: int, entries: int) -> None:
        if entries > self._entries:
            raise DataError(f"it holds more than {self._entries} entries (an archive bomb?)", where=self._where,
                            todo="Unpack it yourself if you trust it, and add the folder")
        if total_bytes > self._bytes:
            raise DataError(f"it would unpack to more than {self._bytes / 1e6:.0f} MB, far more than images shrink by "
                            "compression (an archive bomb?)", where=self._where,
                            todo="Unpack it yourself if you trust it, and add the folder")
        if total_bytes > self._free:
            raise DataError("it does not fit on the disk", where=self._where, todo="Free space, then try again")


def _extract(members: Iterator[_Member], folder: Path, budget: _Budget, progress: Progress, where: str) -> None:
    declared, listed = 0, []
    for number, member in enumerate(members, 1):
        listed.append((member, folder / _safe(member.name, number, where)))
        declared += member.size
        budget.check(declared, number)
    written = 0
    with progress.task("unpacking", total=len(listed)) as step:
        for member, target in listed:
            target.parent.mkdir(parents=True, exist_ok=True)
            written = _write(member, target, written, budget, len(listed), where)
            step()


def _write(member: _Member, target: Path, written: int, budget: _Budget, entries: int, where: str) -> int:
    try:
        with member.opened() as source, target.open("xb") as stream:
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                budget.check(written, entries)
                stream.write(chunk)
    except FileExistsError:
        raise DataError("two members have the same name, or names that this computer takes for the same", where=where,
                        todo="Make the archive again") from None
    return written


def _safe(name: str, number: int, where: str) -> PurePosixPath:
    """A member's path, refused where it would lie outside of the folder (bad input 81)."""
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    outside = plain.startswith("/") or ".." in parts or (len(plain) > 1 and plain[1] == ":") or "\0" in name
    if outside or not parts:
        raise DataError(f"entry {number} would be written outside of the folder; nothing was unpacked", where=where,
                        todo="Do not use this archive, or ask who made it for another one")
    if plain.lower().endswith(_NESTED):
        raise DataError(f"entry {number} is an archive itself; nothing was unpacked", where=where,
                        todo="Unpack both yourself and add the folder")
    return PurePosixPath(*parts)


def _link(number: int, where: str) -> DataError:
    return DataError(f"entry {number} is a link or a device, which may lead outside of the folder; nothing was "
                     "unpacked", where=where, todo="Make the archive again with plain files only")


@contextmanager
def _opened(path: Path, where: str) -> Iterator[Iterator[_Member]]:
    """The plain files of an archive."""
    if not path.is_file():
        raise DataError("the file is missing", where=where, todo="Check the path")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield _zip_members(archive, where)
        return
    try:
        tar = tarfile.open(path, tarinfo=_StrictInfo)  # noqa: SIM115 (closed below)
    except _FAULTS:
        raise DataError("this is no zip or tar archive, or it is damaged", where=where,
                        todo="Make the archive again") from None
    with tar:
        yield _tar_members(tar, where)


class _StrictInfo(tarfile.TarInfo):
    """A tar member's header; a damaged or missing one is an error, where tarfile takes it for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> tarfile.TarInfo:
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None
        # Names too long for a header stand in a member of their own, which tarfile reads as a whole.
        if info.type in _NAMES and info.size > _LONGEST_NAME:
            raise tarfile.ReadError("a name of impossible length")
        return info


def _zip_members(archive: zipfile.ZipFile, where: str) -> Iterator[_Member]:
    for number, info in enumerate(archive.infolist(), 1):
        kind = (info.external_attr >> 16) & 0o170000
        if kind not in (0, 0o100000, 0o040000):
            raise _link(number, where)
        if info.flag_bits & _ENCRYPTED:
            raise DataError("it is encrypted", where=where, todo="Unpack it yourself and add the folder")
        if info.is_dir():
            _safe(info.filename, number, where)
            continue
        yield _Member(info.filename, info.file_size, lambda info=info: archive.open(info))


def _tar_members(archive: tarfile.TarFile, where: str) -> Iterator[_Member]:
    for number, info in enumerate(archive, 1):
        if info.isdir():
            if info.name not in ("", "."):
                _safe(info.name, number, where)
            continue
        if not info.isreg():
            raise _link(number, where)
        yield _Member(info.name, info.size, lambda info=info: _tar_file(archive, info))


def _tar_file(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    assert stream is not None  # a plain file has content
    return stream

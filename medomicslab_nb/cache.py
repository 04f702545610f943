"""Per-case results on disk, so that a run that was killed continues where it was. May be deleted at any time."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import platform
import zipfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medomicslab_nb.files import read_table, sha256_json, table_bytes, write_bytes

if TYPE_CHECKING:
    import pandas as pd

_CHECKSUM_BYTES = 32
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # one time for all: same tables, same bytes


class Cache:
    """A folder of results, each a few tables, stored under a key and read back only if the checksum holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def key(inputs: Sequence[str], settings: Mapping[str, Any], version: int, packages: Sequence[str] = ()) -> str:
        """The key of a case.

        Parameters
        ----------
        inputs : sequence of str
            sha256 of everything that the case reads.
        settings : mapping
            The settings that change this case's result.
        version : int
            The ``CASE_VERSION`` beside the case function: raised when its result changes.
        packages : sequence of str
            Distributions whose versions change the result.
        """
        versions = {name: _version(name) for name in packages}
        return sha256_json([list(inputs), dict(settings), version, versions, platform.python_version()])

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.zip"

    def get(self, key: str) -> dict[str, pd.DataFrame] | None:
        """The tables stored under ``key``; None when there are none or they are damaged."""
        payload = self.payload(key)
        return None if payload is None else unpack(payload)

    def payload(self, key: str) -> bytes | None:
        """What was stored under ``key``, still packed; None when there is nothing or it is damaged."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        stored, payload = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if hashlib.sha256(payload).digest() != stored:
            with contextlib.suppress(OSError):
                self._path(key).unlink()
            return None
        return payload

    def put(self, key: str, payload: bytes) -> None:
        """Store what :func:`pack` made, atomically."""
        write_bytes(self._path(key), hashlib.sha256(payload).digest() + payload)


@functools.cache
def _version(distribution: str) -> str:
    """Its version; reading it from disk for every case of a cohort would cost more than many a case."""
    return metadata.version(distribution)


def pack(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Tables as bytes; the same tables give the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("index.json", _ZIP_TIME), json.dumps(list(tables)))
        for position, (name, frame) in enumerate(tables.items()):
            entry = zipfile.ZipInfo(f"{position}.parquet", _ZIP_TIME)
            archive.writestr(entry, table_bytes(frame.reset_index(drop=True), name))
    return stream.getvalue()


def unpack(payload: bytes) -> dict[str, pd.DataFrame]:
    """The tables that :func:`pack` was given."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        names = json.loads(archive.read("index.json"))
        return {name: read_table(archive.read(f"{position}.parquet")) for position, name in enumerate(names)}

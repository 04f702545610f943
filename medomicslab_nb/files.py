"""Files that survive a crash: atomic writes, checksums, versioned documents, tables as bytes."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from medomicslab_nb.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd

FORMAT_PREFIX = "medomicslab_nb/"


def write_bytes(path: Path, content: bytes) -> None:
    """Write so that a crash at any instant leaves the old file or the new one: temporary file, fsync, rename.

    Raises
    ------
    StudyError
        The disk is full or the folder is not writable; the old file is intact.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile: its files are for their owner only, and a team shares its study.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        try:
            with temporary.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StudyError(f"the file could not be written ({error.strerror or type(error).__name__})", where=path.name,
                         todo="Nothing stored was lost. Free space or correct the folder's permissions, "
                              "then run again: finished cases are kept") from error


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files that appears whole or not at all; a folder of that name that exists is kept.

    Raises
    ------
    StudyError
        The disk is full or the folder is not writable.
    """
    if folder.exists():
        return
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.part")
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        # After all of them are written: one by one, each would wait for the disk.
        for name in files:
            with (temporary / name).open("rb+") as stream:
                os.fsync(stream.fileno())
        _sync_folder(temporary)
        os.replace(temporary, folder)
        _sync_folder(folder.parent)
    except OSError as error:
        if not folder.exists():  # otherwise another process was faster
            raise StudyError(f"the folder could not be written ({error.strerror or type(error).__name__})",
                             where=folder.name, todo="Nothing stored was lost. Free space or correct the folder's "
                             "permissions, then run again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    # Without this a rename can be lost with the power. Windows has no folder handles to sync.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(content: Any) -> str:
    """One text for one content: sorted keys, no spaces, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_json(content: Any) -> str:
    """The sha256 of the canonical JSON of ``content``."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def plain(value: Any) -> Any:
    """``value`` as JSON types: numpy scalars become Python's, tuples lists, NaN and infinities None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a document as JSON, atomically; see :func:`plain` for how values are taken."""
    write_bytes(path, (json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a document as YAML, atomically."""
    text: str = yaml.dump(plain(content), Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
                          sort_keys=False, allow_unicode=True)
    write_bytes(path, text.encode())


def read_document(path: Path, kind: str, newest: int = 1) -> dict[str, Any]:
    """Read a YAML or JSON document and check its ``format`` and ``format_version``.

    Parameters
    ----------
    path : Path
        The document.
    kind : str
        What it must be, e.g. ``"study"``; its format is then ``medomicslab_nb/study``.
    newest : int
        The newest format version that this program reads.

    Raises
    ------
    StudyError
        It is missing, damaged, of another kind, or written by a newer program.
    """
    try:
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=loader)
    except FileNotFoundError:
        raise StudyError("the file is missing", where=path.name, todo="Check the folder") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StudyError(f"the file is damaged ({type(error).__name__})", where=path.name,
                         todo="Restore it from a copy") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT_PREFIX + kind:
        raise StudyError(f"this is no {kind} file of medomicslab_nb", where=path.name, todo="Check the folder")
    if content.get("format_version", 0) > newest:
        raise StudyError(f"format version {content['format_version']} is newer than this program reads ({newest})",
                         where=path.name, todo="Update medomicslab_nb")
    return content


def table_bytes(frame: pd.DataFrame, where: str = "table", *, compress: bool = True) -> bytes:
    """A flat table as Parquet; the same table always gives the same bytes.

    Measured values hardly repeat: a dictionary of them costs three times the reading and saves nothing.

    Raises
    ------
    StudyError
        A column mixes types, or two columns share a name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    duplicated = frame.columns[frame.columns.duplicated()]
    if len(duplicated):
        raise StudyError(f"{len(duplicated)} column name(s) occur twice", where=where, todo="Rename the columns")
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        column = next((str(name) for name in frame.columns if str(name) in str(error)), "one column")
        raise StudyError(f"column '{column}' mixes types", where=where,
                         todo="Make it all text or all numbers") from None
    stream = io.BytesIO()
    repeating = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    pq.write_table(table, stream, compression="zstd" if compress else "none", use_dictionary=repeating or False)
    return stream.getvalue()


def read_table(source: Path | bytes) -> pd.DataFrame:
    """The table that :func:`table_bytes` wrote.

    Raises
    ------
    StudyError
        The file is missing or no Parquet.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (OSError, pa.ArrowException) as error:
        where = "table" if isinstance(source, bytes) else source.name
        raise StudyError(f"the table cannot be read ({type(error).__name__})", where=where,
                         todo="Restore it from a copy or run the stage again") from None

"""A folder as a PACS exports it: every file that may be DICOM, and its header or why there is none."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import Header, parse_header_aloud
from medomicslab_nb.parallel import process_pool
from medomicslab_nb.progress import Progress

_BATCH = 128
_MANY = 1500  # files; below, starting processes takes longer than it saves


def files_below(path: Path, refused: dict[Path, str]) -> Iterator[Path]:
    """Regular files in a folder, or the file itself; links within the folder are passed over, others refused."""
    if not path.is_dir():
        if not path.exists():
            raise DataError("there is no such file or folder", where=path.name, todo="Check the path")
        yield path.absolute()
        return
    root = path.resolve()

    def unreadable(error: OSError) -> None:
        refused[Path(error.filename)] = "the folder cannot be opened: check its permissions"

    for folder, names, files in os.walk(path.absolute(), onerror=unreadable):
        for name in names + files:
            entry = Path(folder, name)
            if entry.is_symlink():
                reason = _link_reason(entry, root)
                if reason:
                    refused[entry] = reason
            elif name in files and entry.is_file():
                yield entry


def _link_reason(entry: Path, root: Path) -> str:
    """Why a link is refused; empty when what it leads to is found in the folder anyway."""
    try:
        target = entry.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a symbolic link that leads nowhere"
    return "" if target.is_relative_to(root) else "a symbolic link that leads out of the folder is not followed"


def read_headers(files: Sequence[Path], progress: Progress, jobs: int) -> Iterator[tuple[Path, Header | str]]:
    """Each file's header, or the reason why it has none, as they come; nothing in a file makes this fail."""
    batches = [files[start:start + _BATCH] for start in range(0, len(files), _BATCH)]
    with progress.task("reading headers", total=len(files)) as step:
        if jobs == 1 or len(files) < _MANY:
            results: Iterable[Sequence[Header | str]] = map(_read_batch, batches)
            for batch, headers in zip(batches, results, strict=True):
                yield from zip(batch, headers, strict=True)
                step(len(batch))
            return
        with process_pool(min(jobs, len(batches))) as pool:
            waiting = {pool.submit(_read_batch, batch): batch for batch in batches}
            for future in as_completed(waiting):
                batch = waiting[future]
                # Without a worker, e.g. killed for memory, its files are read here.
                yield from zip(batch, _read_batch(batch) if future.exception() else future.result(), strict=True)
                step(len(batch))


def _read_batch(files: Sequence[Path]) -> list[Header | str]:
    with warnings.catch_warnings(action="ignore"):
        return [_header_or_reason(file) for file in files]


def _header_or_reason(file: Path) -> Header | str:
    try:
        return parse_header_aloud(file)
    except DataError as error:
        return error.found
    # A folder of strangers' files: nothing in one of them may end the scan.
    except Exception as error:
        return f"the file cannot be read ({type(error).__name__})"

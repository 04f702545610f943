"""What lies in a folder, as a person sees it: names, kinds, sizes. Nothing outside of the folder's root is shown.

Listing reads names only; kinds that need a look into a file are found for the entries that are shown.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from medomicslab_nb.data.archives import SUFFIXES as ARCHIVES
from medomicslab_nb.data.reading import PARQUET, SPREADSHEETS, TEXT_FILES
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.volumes import SUFFIXES as VOLUMES

Kind = Literal["folder", "images", "study", "table", "archive", "dicom", "volume", "file", "outside"]

_TABLES = (*TEXT_FILES, *SPREADSHEETS, *PARQUET)
_DICOM_NAMES = (".dcm", ".ima", ".dicom")
_LOOKED_AT = 20
"""Entries of a folder by which it is told whether it holds images."""


@dataclass(frozen=True)
class Entry:
    """One name in a folder."""

    path: Path
    is_folder: bool
    leads_outside: bool = False
    """A link to something that does not lie below the root, or to nothing."""


class Root:
    """A folder below which one may look.

    Parameters
    ----------
    path : Path
    label : str
        What people call it.
    """

    def __init__(self, path: Path, label: str) -> None:
        self.path = path.resolve()
        self.label = label

    def below(self, relative: str) -> Path:
        """A path below the root, links followed.

        Raises
        ------
        DataError
            It lies elsewhere, or is not there.
        """
        try:
            path = (self.path / relative).resolve()
        except (OSError, RuntimeError):
            path = Path("/")
        if path != self.path and self.path not in path.parents:
            raise DataError("this lies outside of the folder that is shown", where="file browser",
                            todo="Choose another place to look in")
        if not path.exists():
            raise DataError("it is not there any more", where="file browser", todo="Go up one folder")
        return path

    def relative(self, path: Path) -> str:
        """Where a path below the root lies, with ``/``; empty for the root itself."""
        relative = path.relative_to(self.path).as_posix()
        return "" if relative == "." else relative

    def entries(self, folder: Path) -> list[Entry]:
        """What lies in a folder, folders first, each by name; hidden files are left out.

        Raises
        ------
        PermissionError
        """
        with os.scandir(folder) as found:
            entries = [self._entry(one) for one in found if not one.name.startswith(".")]
        return sorted(entries, key=lambda one: (not one.is_folder, one.path.name.casefold(), one.path.name))

    def _entry(self, found: os.DirEntry[str]) -> Entry:
        path = Path(found.path)
        if not found.is_symlink():
            return Entry(path, found.is_dir())
        try:
            target = path.resolve()
        except (OSError, RuntimeError):  # a link that leads to itself; which of the two, depends on the Python
            return Entry(path, is_folder=False, leads_outside=True)
        inside = target == self.path or self.path in target.parents
        return Entry(path, inside and target.is_dir(), leads_outside=not inside)


def kind_of(entry: Entry) -> Kind:
    """What an entry is; a folder counts as images when one of its first entries is one."""
    if entry.leads_outside:
        return "outside"
    try:
        return _kind_of_folder(entry.path) if entry.is_folder else _kind_of_file(entry.path)
    except OSError:
        return "folder" if entry.is_folder else "file"


def _kind_of_folder(path: Path) -> Kind:
    with os.scandir(path) as found:
        first = list(islice(found, _LOOKED_AT))
    if any(one.name == "study.yaml" for one in first) or (path / "study.yaml").exists():
        return "study"
    files = [Path(one.path) for one in first if one.is_file(follow_symlinks=False)]
    return "images" if any(_kind_of_file(file) in ("dicom", "volume") for file in files) else "folder"


def _kind_of_file(path: Path) -> Kind:
    name = path.name.lower()
    if name.endswith(VOLUMES):
        return "volume"
    if name.endswith(ARCHIVES):
        return "archive"
    if name.endswith(_TABLES):
        return "table"
    return "dicom" if (name.endswith(_DICOM_NAMES) or _may_be_dicom(path)) and _is_dicom(path) else "file"


def _may_be_dicom(path: Path) -> bool:
    """Whether the name has no ending that tells what it is: scanners write IM00001 and 1.2.840.113..."""
    return not path.suffix or path.suffix[1:].isdigit()


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM"


def size_of(path: Path) -> int | None:
    """The size of a file in bytes; None where it cannot be known."""
    try:
        return path.stat().st_size
    except OSError:
        return None

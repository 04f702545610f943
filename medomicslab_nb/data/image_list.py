"""Lists of volumes (NIfTI, NRRD, MetaImage): tables that name them, and folders of a known layout.

A list is a table with the columns ``patient``, ``modality``, ``image`` and ``mask``, and, where wanted, ``roi``,
``label``, ``date``, ``lesion``, ``registration`` and ``unit``; paths are relative to the list. A folder is laid out as
``PATIENT/MODALITY/image/*.nii.gz`` and ``PATIENT/MODALITY/mask/*.nii.gz``, or as ``PATIENT/MODALITY_image.nii.gz`` and
``PATIENT/MODALITY_mask.nii.gz``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medomicslab_nb.data.image_table import (
    modality_code,
)
from medomicslab_nb.data.reading import SPREADSHEETS, TEXT_FILES, read_table
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.volumes import SUFFIXES

NEEDED = ("modality", "image", "mask")
"""Columns that make a table a list of images, beside the patients'."""

_OPTIONAL = ("roi", "label", "date", "lesion", "registration", "unit")
_LAYOUT = re.compile(r"(?i)(?P<patient>[^/]+)/(?P<modality>[^/]+?)[/_](?P<kind>image|mask)s?(?P<rest>[/_].+|)")


def is_image_list(path: Path) -> bool:
    """Whether the head of a table has the columns of a list of images."""
    name = path.name.lower()
    if name.endswith(SPREADSHEETS):
        try:
            head = list(pd.read_excel(path, nrows=0).columns)
        except Exception:  # what is wrong with the file is told when it is read as a table
            return False
    elif name.endswith(TEXT_FILES) and not name.endswith(".gz"):
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            head = re.split(r"[,;\t|]", stream.readline())
    else:
        return False
    return set(NEEDED) <= {str(column).strip().strip('"').lower() for column in head}


def is_volume_folder(folder: Path) -> bool:
    """Whether the folder is laid out as volumes of patients; it is not looked through to the end."""
    return any(_placed(path, folder) for path in folder.rglob("*") if path.name.lower().endswith(SUFFIXES))


@dataclass(frozen=True)
class ListedImage:
    """An image with one ROI, or none, as a list names it."""

    patient: str
    modality: str
    image: Path
    mask: Path | None
    roi: str = ""
    label: str = ""
    date: pd.Timestamp | None = None
    lesion: str = ""
    registration: Path | None = None
    unit: str = ""


def read_image_list(path: Path, id_column: str) -> list[ListedImage]:
    """The rows of a list; files are not looked at.

    Raises
    ------
    DataError
        A column is missing, a row names no modality or image, or repeats another one.
    """
    where = f"file {path.name}"
    read = read_table(path, usual_id_column=id_column)
    frame = read.frame.rename(columns={name: str(name).strip().lower() for name in read.frame.columns
                                       if name != read.id_column})
    missing = [name for name in NEEDED if name not in frame]
    if missing:
        raise DataError(f"the list of images lacks the column {', '.join(missing)}", where=where,
                        todo=f"Columns: patient, {', '.join(NEEDED)}; optional: {', '.join(_OPTIONAL)}")
    if "date" in frame and not pd.api.types.is_datetime64_any_dtype(frame["date"]) and frame["date"].notna().any():
        raise DataError("the column 'date' holds no dates", where=where, todo="Write dates as 2021-04-30")
    rows = [_row(record, read.id_column, path.parent) for record in frame.to_dict("records")]
    empty = [number for number, row in enumerate(rows, 2) if not row.modality or not row.image.name]
    if empty:
        raise DataError(f"{len(empty)} rows name no modality or no image; the first is row {empty[0]}", where=where,
                        todo="Complete them or take them out")
    twice = [number for number, row in enumerate(rows, 2) if rows.index(row) != number - 2]
    if twice:
        raise DataError(f"{len(twice)} rows repeat another row; the first is row {twice[0]}", where=where,
                        todo="Keep one of them")
    return rows


def _row(record: Mapping[Any, Any], id_column: str, folder: Path) -> ListedImage:
    text = {name: _text(record.get(name)) for name in (*NEEDED, *_OPTIONAL)}
    date = record.get("date")
    return ListedImage(str(record[id_column]), modality_code(text["modality"]), _path(folder, text["image"]) or Path(),
                _path(folder, text["mask"]), text["roi"], text["label"], date if pd.notna(date) else None,
                text["lesion"], _path(folder, text["registration"]), text["unit"])


def _text(value: Any) -> str:
    """A cell as text; whole numbers without the decimals that an empty neighbour gives them."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _path(folder: Path, text: str) -> Path | None:
    return folder / Path(text.replace("\\", "/")).expanduser() if text else None


def list_volume_folder(folder: Path) -> list[ListedImage]:
    """Each image with each of its masks; a mask that stands in a file of its own carries its ROI's name."""
    root = folder.resolve()
    images: dict[tuple[str, str], list[Path]] = {}
    masks: dict[tuple[str, str], list[tuple[str, Path]]] = {}
    for path in sorted(folder.rglob("*")):
        placed = _placed(path, folder)
        if placed is None or not path.resolve().is_relative_to(root):
            continue
        key = placed["patient"], placed["modality"]
        if placed["kind"].lower() == "image":
            images.setdefault(key, []).append(path)
        else:
            masks.setdefault(key, []).append((_roi_name(placed["rest"]), path))
    if not images:
        raise DataError("no volume lies where one is expected", where=folder.name,
                        todo="Lay them out as PATIENT/MODALITY/image/*.nii.gz and PATIENT/MODALITY/mask/*.nii.gz, "
                             "or write a list")
    several = sum(len(paths) > 1 for paths in images.values())
    if several:
        raise DataError(f"{several} folders hold more than one image of a patient and modality", where=folder.name,
                        todo="Keep one image each, or write a list")
    return [ListedImage(patient, modality_code(modality), paths[0], mask, roi if len(drawn) > 1 else "")
            for (patient, modality), paths in images.items()
            for drawn in [masks.get((patient, modality), [("", None)])] for roi, mask in drawn]


def _placed(path: Path, folder: Path) -> re.Match[str] | None:
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        return None
    return _LAYOUT.fullmatch(path.relative_to(folder).as_posix()[:-len(suffix)])


def _roi_name(rest: str) -> str:
    return re.split(r"[/]", rest)[-1].strip("_ ")

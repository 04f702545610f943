"""The study's tables ``images`` (one row an image and ROI) and ``protocol`` (one row an image): rows, merging, storing.

Nothing in them names a file of the original export by more than its path, and no UID stands in them: series and
frames of reference are known by hashes that are salted with the patient's identifier.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any

import pandas as pd
from pandas.api import types

from medomicslab_nb.errors import StudyError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.study import Study
from medomicslab_nb.tables import IMAGES, Column

PROTOCOL = "protocol"

IMAGE_COLUMNS = {
    "patient": "", "date": "day of the image", "modality": "PT, CT, MR, RTDOSE ...",
    "image": "volume or series manifest; relative to the study for what lies inside it",
    "lesion": "number of the ROI in this image", "roi": "name of the ROI as written", "mask": "file that holds the ROI",
    "label": "name or number of the ROI inside that file",
    "registration": "DICOM registration between the image and the ROI", "image_sha256": "", "mask_sha256": "",
    "registration_sha256": "", "unit": "unit of the voxels' values", "size": "voxels, x y z",
    "spacing_mm": "size of a voxel, x y z", "frame": "frame of reference, hashed", "series": "series, hashed",
    "content": "checksum over the image's files, wherever they lie", "problem": "why it cannot be measured",
}
"""Columns of the table of images, in order, with what they mean."""

_LOCK_TIMEOUT_S = 300.0
_NAMES_OF_MODALITIES = {"PET": "PT", "MRI": "MR", "DOSE": "RTDOSE"}
_SERIES = ["patient", "series"]
_ROI = ["mask", "label"]
_SORTED = ["patient", "modality", "date", "series"]
_OF_IMAGE = ("date", "modality", "image", "image_sha256", "unit", "size", "spacing_mm", "frame", "content")


@dataclass(frozen=True)
class ImageEntry:
    """An image in the study.

    Attributes
    ----------
    patient, modality : str
    date : date or None
    series : str
        What it is recognised by when it is added again; see :func:`hashed`.
    image, image_sha256 : str
        Reference and checksum; empty when it cannot be used.
    content : str
        Checksum over the files.
    geometry : Geometry or None
    frame : str
        Hashed.
    unit : str
    problem : str
    protocol : mapping
    """

    patient: str
    modality: str
    date: dt.date | None
    series: str
    image: str = ""
    image_sha256: str = ""
    content: str = ""
    geometry: Geometry | None = None
    frame: str = ""
    unit: str = ""
    problem: str = ""
    protocol: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class RoiEntry:
    """An ROI of an image."""

    roi: str
    mask: str
    mask_sha256: str
    label: str
    registration: str = ""
    registration_sha256: str = ""
    problem: str = ""
    lesion: str = ""


def modality_code(name: str) -> str:
    """DICOM's code for a modality: PT for PET, MR for MRI and MR_T1."""
    plain = re.split(r"[_ -]", name.strip().upper())[0]
    return _NAMES_OF_MODALITIES.get(plain, plain)


def hashed(patient: str, uid: str) -> str:
    """A name for a UID that cannot be looked up, empty for an empty one."""
    return sha256(f"{patient}\0{uid}".encode()).hexdigest()[:16] if uid else ""


def image_rows(entry: ImageEntry, rois: Sequence[RoiEntry]) -> list[dict[str, Any]]:
    """Rows of the table of images: one an ROI, or one without ROI."""
    geometry = entry.geometry
    image = {name: getattr(entry, name) for name in ("patient", "date", "modality", "image", "image_sha256", "unit",
                                                     "frame", "series", "content")}
    image |= {"size": _triple(geometry.size) if geometry else "",
              "spacing_mm": _triple(geometry.spacing_mm) if geometry else ""}
    if not rois or entry.problem:
        rois = [RoiEntry("", "", "", "", problem=entry.problem)]
    return [image | {name: getattr(roi, name) for name in RoiEntry.__dataclass_fields__} for roi in rois]


def image_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table with all its columns."""
    frame = pd.DataFrame(list(rows), columns=list(IMAGE_COLUMNS))
    texts = {name: "str" for name in frame.columns if name != "date"}
    frame = frame.astype(texts)
    frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[us]")
    return frame


def protocol_frame(entries: Iterable[ImageEntry]) -> pd.DataFrame:
    """One row an image, with every fact of the protocol that one of them has."""
    rows = [{"patient": one.patient, "date": one.date, "modality": one.modality, "image": one.image,
             "series": one.series, **one.protocol} for one in entries if one.image]
    frame = pd.DataFrame(rows, columns=None if rows else ["patient", "date", "modality", "image", "series"])
    return _typed(frame)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates as dates, and every other column all numbers or all text, in which nothing is the empty text."""
    typed = frame.assign(date=pd.to_datetime(frame["date"]).astype("datetime64[us]"))
    for name in frame.columns.drop("date"):
        if not types.is_numeric_dtype(frame[name]):
            typed[name] = frame[name].astype(object).where(frame[name].notna(), "").astype("str")
    return typed


def merged(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Rows that are there with rows that are added.

    A series that was added before is described as it is now, and keeps ROIs that are not among the new ones, and the
    numbers of its lesions. One that could be used before and cannot be now stays as it was. Every other row stays.
    """
    good = set(_keys(old[old["image"] != ""], _SERIES))
    new = new[[not (image == "" and key in good) for image, key in zip(new["image"], _keys(new, _SERIES),
                                                                       strict=True)]].copy()
    numbers = dict(zip(_keys(old, _SERIES + _ROI), old["lesion"], strict=True))
    before = pd.Series([numbers.get(key, "") for key in _keys(new, _SERIES + _ROI)], index=new.index, dtype="str")
    new["lesion"] = new["lesion"].mask(new["lesion"] == "", before)
    now = dict(zip(_keys(new, _SERIES), new.to_dict("records"), strict=True))
    same = set(_keys(new, _SERIES + _ROI))
    others, kept = [], []
    for key, roi, row in zip(_keys(old, _SERIES), _keys(old, _SERIES + _ROI), old.to_dict("records"), strict=True):
        if key not in now:
            others.append(row)
        elif row["mask"] and roi not in same:
            kept.append(row | {name: now[key][name] for name in _OF_IMAGE})
    with_rois = {(row["patient"], row["series"]) for row in kept}
    added = [row for key, row in zip(_keys(new, _SERIES), new.to_dict("records"), strict=True)
             if row["mask"] or key not in with_rois]
    return image_frame([*others, *kept, *added])


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """In a fixed order; a ROI without a number gets the lowest one that is free in its image."""
    frame = frame.sort_values(_SORTED, kind="stable", na_position="last", ignore_index=True)
    used: dict[tuple[str, ...], set[str]] = defaultdict(set)
    keys = _keys(frame, _SERIES)
    for key, lesion in zip(keys, frame["lesion"], strict=True):
        used[key].add(lesion)
    lesions = []
    for key, lesion, mask in zip(keys, frame["lesion"], frame["mask"], strict=True):
        if mask and not lesion:
            lesion = next(str(number) for number in count(1) if str(number) not in used[key])
            used[key].add(lesion)
        lesions.append(lesion)
    frame = frame.assign(lesion=pd.Series(lesions, dtype="str"))
    order = pd.to_numeric(frame["lesion"], errors="coerce")
    return frame.assign(order=order).sort_values([*_SORTED, "order", "lesion"], kind="stable", na_position="last",
                                                 ignore_index=True).drop(columns="order")


def _keys(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, ...]]:
    return list(frame[list(columns)].itertuples(index=False, name=None))


def store(study: Study, rows: pd.DataFrame, protocol: pd.DataFrame, source: str) -> None:
    """Add rows to the study's tables; both are replaced whole, and nothing that they held is lost.

    Raises
    ------
    StudyError
        Another import has been storing for minutes.
    """
    from filelock import FileLock, Timeout

    try:
        # Not the study's own lock, which each table takes when it is written: two imports at once must both count.
        with FileLock(study.path / ".images.lock", timeout=_LOCK_TIMEOUT_S):
            _store_images(study, rows, source)
            _store_protocol(study, protocol, source)
    except Timeout:
        raise StudyError("another import has been storing images for minutes", where=study.name,
                         todo="Wait for it to end or stop it, then try again") from None


def _store_images(study: Study, rows: pd.DataFrame, source: str) -> None:
    old = stored(study, IMAGES)
    rows = numbered(rows if old is None else merged(old, rows))
    columns = {name: Column(role="ignore", type="text", description=text) for name, text in IMAGE_COLUMNS.items()}
    _add(study, IMAGES, rows, IMAGES, columns, source)


def _store_protocol(study: Study, protocol: pd.DataFrame, source: str) -> None:
    if protocol.empty:
        return
    old = stored(study, PROTOCOL)
    if old is not None:
        again = set(_keys(protocol, _SERIES))
        others = old[[key not in again for key in _keys(old, _SERIES)]]
        protocol = _typed(pd.concat([others, protocol], ignore_index=True)[list(dict.fromkeys([*old, *protocol]))])
    protocol = protocol.sort_values(_SORTED, kind="stable", na_position="last", ignore_index=True)
    columns = {str(name): Column(role="ignore", type="number" if types.is_numeric_dtype(protocol[name]) else "text")
               for name in protocol.columns}
    _add(study, PROTOCOL, protocol, PROTOCOL, columns, source)


def stored(study: Study, name: str) -> pd.DataFrame | None:
    """A table of the study, or None before there is one; the patients' column is called ``patient``."""
    if name not in study.tables:
        return None
    frame = study.table(name).reset_index().rename(columns={study.id_column: "patient"})
    return frame.fillna({column: "" for column in frame.columns if types.is_string_dtype(frame[column])})


def _add(study: Study, name: str, frame: pd.DataFrame, block: str, columns: Mapping[str, Column], source: str) -> None:
    columns = dict(columns) | {"date": Column(role="date", type="date", description="day of the image")}
    columns.pop("patient")
    columns[study.id_column] = Column(role="identifier", type="text")
    old = stored(study, name)
    if old is not None and old.equals(frame):  # added again: what was computed from it is not stale
        return
    study.add_table(name, frame.rename(columns={"patient": study.id_column}), block=block, level="lesion",
                    date_column="date", columns=columns, source=source)


def _triple(values: Sequence[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values)


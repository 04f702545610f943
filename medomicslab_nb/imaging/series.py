"""From a folder of DICOM files, as a PACS exports it, to series, and from a series to its voxels."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_of
from medomicslab_nb.imaging.dicom_headers import Header, parse_header, uid_name
from medomicslab_nb.imaging.folder import files_below, read_headers
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.protocol import protocol_of
from medomicslab_nb.imaging.series_parts import split_volumes
from medomicslab_nb.imaging.slices import end_warnings, order_slices
from medomicslab_nb.imaging.suv import UNITS, Kind, suv_factors
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.imaging.voxels import check_rescale, read_voxels
from medomicslab_nb.parallel import cores
from medomicslab_nb.progress import Progress

_LINKED = {"1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.66.4",
           "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.66.1", "1.2.840.10008.5.1.4.1.1.66.3"}
# RTSTRUCT, RTDOSE, SEG, label map SEG, REG, deformable REG
_DICOMDIR = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class Series:
    """One volume of a study, or images that are none.

    Attributes
    ----------
    files : tuple of Path
        In the order of their places when usable, else of their names.
    geometry : Geometry or None
        None when not usable.
    protocol : mapping
        Scanner and protocol, see :func:`~medomicslab_nb.imaging.protocol.protocol_of`.
    problem : str
        Why the series cannot be used, as a sentence; empty when it can.
    warnings : tuple of str
        Signs of trouble that do not forbid its use, e.g. slices that may be missing at an end.
    """

    patient_id: str
    study_uid: str
    series_uid: str
    frame_of_reference: str
    modality: str
    description: str
    date: dt.date | None
    files: tuple[Path, ...]
    geometry: Geometry | None
    protocol: Mapping[str, str | float] = field(default_factory=dict)
    problem: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scan:
    """What a folder holds.

    Attributes
    ----------
    series : tuple of Series
        By patient, study, modality and description.
    others : tuple of Header
        RTSTRUCT, SEG, RTDOSE and REG objects.
    rejected : DataFrame
        ``file`` (its name), ``reason``, ``path`` (whole, for this machine's user only: folders often bear names of
        patients, so it must not be stored or shared).
    """

    series: tuple[Series, ...]
    others: tuple[Header, ...]
    rejected: pd.DataFrame


def scan(paths: Iterable[Path], *, progress: Progress, jobs: int = 0) -> Scan:
    """Find all series and the objects that belong to them; no file, whatever it is, makes this fail.

    Parameters
    ----------
    paths : iterable of Path
        Folders, of any nesting, and files. Symbolic links that lead out of a folder are refused.
    progress : Progress
    jobs : int
        Processes for many files; 0: one per core.

    Raises
    ------
    DataError
        A path does not exist.
    Cancelled
        The user asked for the work to stop.
    """
    refused: dict[Path, str] = {}
    files = sorted({file for path in paths for file in files_below(Path(path), refused)})
    headers: list[Header] = []
    for file, result in read_headers(files, progress, jobs or cores()):
        if isinstance(result, str):
            refused[file] = result
        else:
            headers.append(result)
    headers.sort(key=lambda header: header.file)
    images = _unique(_images(headers, refused), refused)
    others = tuple(header for header in headers if _class_of(header) in _LINKED)
    series = [part for group in _groups(images).values() for part in _series_of(group)]
    series.sort(key=lambda one: (one.patient_id, one.study_uid, one.modality, one.description, one.series_uid))
    rejected = pd.DataFrame([(file.name, refused[file], str(file)) for file in sorted(refused)],
                            columns=["file", "reason", "path"], dtype="str")
    return Scan(tuple(series), others, rejected)


def load_series(files: Sequence[Path], *, suv: Kind = "bw") -> Volume:
    """The voxels of one series: CT in HU, PET in SUV, MR as the file has it (rescaled where it says so).

    Parameters
    ----------
    files : sequence of Path
        All slices of one series, in any order.
    suv : {'bw', 'bsa', 'lbm'}
        What PET is normalised to; see :mod:`medomicslab_nb.imaging.suv`.

    Returns
    -------
    Volume
        float32; every slice with its own rescale slope, computed in float64.

    Raises
    ------
    DataError
        The files are not one regular volume of CT, MR or PET, are damaged, or what the unit needs is missing.
    """
    headers = [parse_header(Path(file)) for file in files]
    slices, geometry, factors = _checked(headers, suv)
    array = read_voxels(slices)
    for part, factor in zip(array, factors, strict=True):
        if factor != 1:
            part *= factor
    modality = slices[0].text("Modality")
    unit = {"CT": "HU", "PT": UNITS[suv]}.get(modality, "")
    return Volume(array, geometry, unit, slices[0].text("FrameOfReferenceUID"))


def file_hashes(files: Iterable[Path]) -> dict[Path, str]:
    """The sha256 of each file, by several threads: hashing releases the interpreter."""
    paths = list(files)
    with ThreadPoolExecutor(cores()) as pool:
        return dict(zip(paths, pool.map(sha256_of, paths), strict=True))


def series_sha256(files: Iterable[Path]) -> str:
    """One sha256 for a series: of its files' hashes, sorted, so that names and order do not matter."""
    return combined_sha256(file_hashes(files).values())


def combined_sha256(hashes: Iterable[str]) -> str:
    """The sha256 over sorted hashes, one a line."""
    return sha256("\n".join(sorted(hashes)).encode()).hexdigest()


# -- sorting into series -----------------------------------------------------------------------------------------


def _class_of(header: Header) -> str:
    return str(header.values.get("SOPClassUID", ""))


def _images(headers: Iterable[Header], refused: dict[Path, str]) -> Iterator[Header]:
    """Headers of images that say which series they belong to."""
    for header in headers:
        kind = _class_of(header)
        if kind == _DICOMDIR or header.file.name.upper() == "DICOMDIR":
            refused[header.file] = "a DICOMDIR is not needed: the files themselves are read"
        elif kind in _LINKED:
            continue
        elif not header.values.get("SeriesInstanceUID"):
            refused[header.file] = "the file is cut off, or no image: it does not say which series it belongs to"
        elif header.pixels == "absent" and not {"Rows", "Columns"} & set(header.values):
            refused[header.file] = f"it holds no image ({uid_name(kind)})"
        else:
            yield header


def _unique(images: Iterable[Header], refused: dict[Path, str]) -> list[Header]:
    """Without copies of a file, byte for byte; two different files of one identity stay, to be refused as a series."""
    by_uid: dict[str, list[Header]] = defaultdict(list)
    for header in images:
        by_uid[header.values.get("SOPInstanceUID") or str(header.file)].append(header)
    kept = []
    for group in by_uid.values():
        seen: dict[str, Header] = {}
        for header in group:
            digest = sha256_of(header.file) if len(group) > 1 else ""
            if digest in seen:
                refused[header.file] = f"a copy of {seen[digest].file.name}"
            else:
                seen[digest] = header
                kept.append(header)
    return kept


def _groups(headers: Iterable[Header]) -> dict[str, list[Header]]:
    groups = defaultdict(list)
    for header in headers:
        groups[header.values["SeriesInstanceUID"]].append(header)
    return groups


def _series_of(headers: Sequence[Header]) -> Iterator[Series]:
    """The volumes of one series, as a rule one."""
    for label, part in split_volumes(headers):
        slices: tuple[Header, ...] = tuple(part)
        geometry, problem = None, ""
        signs: tuple[str, ...] = ()
        try:
            slices, geometry, _ = _checked(part, "bw")
            signs = end_warnings(slices)
        except DataError as error:
            problem = str(error)
        yield _described(slices, label, geometry, problem, signs)


def _described(slices: Sequence[Header], label: str, geometry: Geometry | None, problem: str,
               signs: tuple[str, ...]) -> Series:
    """A series as the first of its slices describes it."""
    first = slices[0]
    patient, study, series, frame, modality, description = (str(first.values.get(keyword, "")) for keyword in (
        "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality", "SeriesDescription"))
    return Series(patient, study, series, frame, modality, f"{description} [{label}]".strip() if label else description,
                  first.date, tuple(header.file for header in slices), geometry, protocol_of(slices), problem, signs)


def _checked(headers: Sequence[Header], suv: Kind) -> tuple[tuple[Header, ...], Geometry, np.ndarray]:
    """The slices in order, their grid, and what each slice's values are multiplied with after rescaling."""
    slices, geometry = order_slices(headers)
    modality = slices[0].text("Modality")
    check_rescale(slices, modality)
    factors = suv_factors(slices, suv) if modality == "PT" else np.ones(len(slices))
    return slices, geometry, factors

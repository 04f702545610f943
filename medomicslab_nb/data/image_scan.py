"""What a folder of DICOM files holds: series, and the contours, doses and registrations that belong to them.

Contours belong to the series that they name, of the same patient; where that is not there, to the only series in
their frame of reference. Anything else is told, not guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging import dose, rtstruct, segmentation
from medomicslab_nb.imaging.dicom_headers import Header
from medomicslab_nb.imaging.masks import list_rois
from medomicslab_nb.imaging.picture import slice_picture
from medomicslab_nb.imaging.rtstruct import read_rtstruct
from medomicslab_nb.imaging.series import Series, load_series, scan
from medomicslab_nb.progress import Progress

SCAN_COLUMNS = ("patient", "study", "date", "modality", "series", "files", "rois", "problem")
IMAGES_OF = ("CT", "MR", "PT")
"""Modalities of which series are images."""

_Key, _Value = TypeVar("_Key"), TypeVar("_Value")

_IMPERSONAL = re.compile(r"[A-Za-z]{0,3}[\d._-]*(\.(dcm|DCM|ima|IMA))?")
_NO_NUMBER = re.compile(r"#\d+$")


@dataclass(frozen=True)
class Contours:
    """A file of ROIs: RTSTRUCT or DICOM SEG.

    Attributes
    ----------
    header : Header
    labels : tuple of str
        A name for each ROI by which it can be loaded.
    problems : mapping of label to sentence
        ROIs that cannot be used, e.g. empty ones.
    series : tuple of Series
        What they belong to; empty when ``problem`` says why.
    problem : str
    """

    header: Header
    labels: tuple[str, ...]
    problems: Mapping[str, str] = field(default_factory=dict)
    series: tuple[Series, ...] = ()
    problem: str = ""

    @property
    def patient_id(self) -> str:
        return str(self.header.values.get("PatientID", ""))

    @property
    def frames(self) -> frozenset[str]:
        return frames_of(self.header)

    @property
    def rois(self) -> tuple[str, ...]:
        """The names as written, which may repeat."""
        return tuple(_NO_NUMBER.sub("", label) or label for label in self.labels)


@dataclass(frozen=True)
class ImageScan:
    """What was found in a folder.

    Attributes
    ----------
    series : tuple of Series
    contours : tuple of Contours
    doses, registrations : tuple of Header
    rejected : DataFrame
        ``file`` (its name), ``reason``; shown to the user of this machine, never stored.
    """

    series: tuple[Series, ...]
    contours: tuple[Contours, ...]
    doses: tuple[Header, ...]
    registrations: tuple[Header, ...]
    rejected: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """One row a series: patient, study (numbered), date, modality, description, files, ROIs, problem."""
        studies: dict[str, int] = {}
        rows = [(one.patient_id, studies.setdefault(one.study_uid, len(studies) + 1), one.date, one.modality,
                 one.description, len(one.files), ", ".join(self.rois_on(one)), one.problem) for one in self.series]
        frame = pd.DataFrame(rows, columns=list(SCAN_COLUMNS))
        frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[us]")
        return frame

    def rois_on(self, series: Series) -> list[str]:
        """Names of the ROIs that belong to a series."""
        return [name for one in self.contours_on(series) for name in one.rois]

    def contours_on(self, series: Series) -> list[Contours]:
        """The files whose ROIs were drawn on a series of this scan."""
        return self._drawn.get(id(series), [])

    def of_patient(self, patient: str) -> list[Series]:
        """The series of a patient."""
        return self._of_patients.get(patient, [])

    @cached_property
    def _drawn(self) -> dict[int, list[Contours]]:
        # By identity: comparing series compares their lists of files.
        return _grouped((id(series), one) for one in self.contours for series in one.series)

    @cached_property
    def _of_patients(self) -> dict[str, list[Series]]:
        return _grouped((one.patient_id, one) for one in self.series)


def scan_folder(folder: str | Path | Sequence[Path], progress: Progress, *, jobs: int = 0) -> ImageScan:
    """Look through a folder as a PACS exports it, of any nesting, without storing anything.

    Parameters
    ----------
    folder : path, or several
    progress : Progress
    jobs : int
        Processes for many files; 0 means one per core.

    Raises
    ------
    DataError
        There is no such folder.
    """
    paths = [Path(folder).expanduser()] if isinstance(folder, (str, Path)) else list(folder)
    found = scan(paths, progress=progress, jobs=jobs)
    series = tuple(one for one in found.series if one.patient_id.strip())
    rejected = [found.rejected[["file", "reason"]].assign(reason=_copies_unnamed),
                _rejected([file for one in found.series if not one.patient_id.strip() for file in one.files],
                          "it has no patient identifier")]
    kinds: dict[str, list[Header]] = {"contours": [], "dose": [], "registration": []}
    for header in found.others:
        kinds[_kind(header)].append(header)
    contours, by_uid = [], _grouped((one.series_uid, one) for one in series)
    by_patient = _grouped((one.patient_id, one) for one in series)
    with progress.task("reading contours", total=len(kinds["contours"])) as step:
        for header in kinds["contours"]:
            one = _contours(header, by_uid, by_patient)
            contours.append(one)
            rejected.append(_rejected([header.file], one.problem) if one.problem else _rejected([], ""))
            step()
    return ImageScan(series, tuple(contours), tuple(kinds["dose"]), tuple(kinds["registration"]),
                     pd.concat(rejected, ignore_index=True))


def thumbnail(series: Series) -> bytes:
    """The middle slice as a small PNG.

    Of a series of many files only the ones in the middle are read.

    Raises
    ------
    DataError
        The series cannot be loaded.
    """
    middle_file = len(series.files) // 2
    volume = load_series(series.files[max(0, middle_file - 1):middle_file + 2])
    return slice_picture(volume, len(volume.array) // 2)


def series_key(series: Series) -> str:
    """What names a series; volumes that share one UID are told apart by their description's end."""
    label = series.description[series.description.rfind("["):] if series.description.endswith("]") else ""
    return f"{series.series_uid}{label}"


def frames_of(header: Header) -> frozenset[str]:
    """Frames of reference that an object's coordinates are given in."""
    own = str(header.values.get("FrameOfReferenceUID", ""))
    return header.frame_references | ({own} if own else frozenset())


def registration_between(registrations: Iterable[Header], patient: str, one: str,
                         others: frozenset[str]) -> tuple[Path | None, str]:
    """The file that connects two frames of reference of a patient, or a sentence that says why there is none.

    Frames that are not known are taken to be the same, as is one that occurs on both sides.
    """
    if not one or not others or one in others:
        return None, ""
    fitting = [header for header in registrations if header.values.get("PatientID") == patient
               and one in frames_of(header) and others & frames_of(header)]
    if len(fitting) == 1:
        return fitting[0].file, ""
    if fitting:
        return None, f"{len(fitting)} registrations connect the image with its contours; keep the one that is meant"
    return None, "the contours and the image have different frames of reference, and no registration connects them"


def impersonal(text: str, files: Iterable[Path]) -> str:
    """A sentence without file names that could name people; names of digits stay, they help to find a file."""
    for name in sorted({file.name for file in files}, key=len, reverse=True):
        if not _IMPERSONAL.fullmatch(name):
            text = text.replace(f"file {name}", "a file").replace(name, "another file")
    return text


def _grouped(pairs: Iterable[tuple[_Key, _Value]]) -> dict[_Key, list[_Value]]:
    groups: dict[_Key, list[_Value]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)


def _kind(header: Header) -> str:
    sop_class = header.values.get("SOPClassUID")
    if sop_class == dose.SOP_CLASS:
        return "dose"
    return "contours" if sop_class in (rtstruct.SOP_CLASS, *segmentation.SOP_CLASSES) else "registration"


def _contours(header: Header, by_uid: Mapping[str, list[Series]], by_patient: Mapping[str, list[Series]]) -> Contours:
    """ROI names of a file, and the series that they belong to."""
    labels: tuple[str, ...] = ()
    problems: dict[str, str] = {}
    try:
        if header.values.get("SOPClassUID") == rtstruct.SOP_CLASS:
            found = read_rtstruct(header.file)
            labels = found.names
            problems = {label: roi.problem for label, roi in zip(labels, found.rois, strict=True) if roi.problem}
        else:
            labels = list_rois(header.file)
        return Contours(header, labels, problems, tuple(_belongs(header, by_uid, by_patient)))
    except DataError as error:
        return Contours(header, labels, problems, (), impersonal(error.found, [header.file]))


def _belongs(header: Header, by_uid: Mapping[str, list[Series]],
             by_patient: Mapping[str, list[Series]]) -> Sequence[Series]:
    patient = header.values.get("PatientID", "")
    named = [one for uid in sorted(header.series_references) for one in by_uid.get(uid, ())]
    if any(one.patient_id != patient for one in named):
        raise DataError("the contours are of another patient than the image that they refer to")
    usable = [one for one in named if not one.problem]
    if len(usable) > 1 and len({one.series_uid for one in usable}) < len(usable):
        raise DataError("the contours refer to a series of several volumes; which one is meant is not known")
    if named:
        return usable or named[:1]
    near = [one for one in by_patient.get(patient, ()) if not one.problem
            and one.frame_of_reference in frames_of(header)]
    if len(near) > 1:
        raise DataError(f"the contours refer to no series of the folder, and {len(near)} series share their frame of "
                        "reference")
    if not near:
        raise DataError(NO_IMAGE)
    return near


NO_IMAGE = "no image in the folder belongs to these contours"


def _rejected(files: Sequence[Path], reason: str) -> pd.DataFrame:
    return pd.DataFrame({"file": pd.Series([file.name for file in files], dtype="str"),
                         "reason": pd.Series([reason] * len(files), dtype="str")})


def _copies_unnamed(frame: pd.DataFrame) -> pd.Series:
    return frame["reason"].mask(frame["reason"].str.startswith("a copy of"), "a copy of another file")

"""Rows of the study's table of images from what a folder of DICOM files holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from medomicslab_nb.data.image_scan import (
    IMAGES_OF,
    NO_IMAGE,
    Contours,
    ImageScan,
    frames_of,
    impersonal,
    registration_between,
    series_key,
)
from medomicslab_nb.data.image_table import ImageEntry, RoiEntry, hashed, image_rows, stored
from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_of
from medomicslab_nb.imaging.dicom_headers import Header
from medomicslab_nb.imaging.dose import dose_summation, load_dose
from medomicslab_nb.imaging.loading import DOSE, reference_to, write_manifest
from medomicslab_nb.imaging.roi_names import match_rois
from medomicslab_nb.imaging.series import Series, combined_sha256, file_hashes
from medomicslab_nb.progress import Progress
from medomicslab_nb.protect import scrub
from medomicslab_nb.study import Study
from medomicslab_nb.tables import IMAGES

_UNITS = {"CT": "HU", "PT": "SUVbw", DOSE: "Gy"}
_WHOLE_DOSES = ("", "PLAN", "MULTI_PLAN", "PLAN_OVERVIEW")


def is_candidate(series: Series, found: ImageScan) -> bool:
    """Whether a series is one that somebody would measure: not a scout, a report or a screen shot beside images."""
    if series.modality not in IMAGES_OF:
        return False
    if not series.problem or found.contours_on(series):
        return True
    alone = not any(one.modality == series.modality and not one.problem for one in found.of_patient(series.patient_id))
    return alone and len(series.files) > 1 and "not a slice" not in series.problem


class DicomRows:
    """Rows of the table of images from what a folder holds."""

    def __init__(self, study: Study, found: ImageScan, wanted: set[str], patterns: Sequence[str]) -> None:
        self._folder = study.path
        self._found = found
        self._wanted = wanted
        self._patterns = patterns
        self._old = stored(study, IMAGES)
        self._hashes: dict[Path, str] = {}
        self._manifests: dict[int, str] = {}
        self._warnings: Counter[str] = Counter()
        self._skipped = 0
        self.late = 0
        """Files of contours whose image was in the study before."""

    def built(self, progress: Progress) -> tuple[list[dict[str, object]], list[ImageEntry]]:
        """Rows of the table of images, and the images for the table of protocols."""
        rows: list[dict[str, object]] = []
        entries = []
        with progress.task("adding series", total=len(self._found.series) + len(self._found.doses)) as step:
            for one in self._found.series:
                if self._is_wanted(one.modality) and is_candidate(one, self._found):
                    entry = self._image(one)
                    entries.append(entry)
                    rows += image_rows(entry, self._rois_of(one))
                else:
                    self._skipped += self._is_wanted(one.modality)
                step()
            for header in self._found.doses:
                if self._is_wanted(DOSE):
                    rows += self._dose_rows(header)
                step()
        return rows + self._late_rows(), entries

    def notes(self) -> list[str]:
        """What a reader must know, in whole sentences."""
        found = [f"{n} series: {text}." for text, n in self._warnings.items() if n]
        if self._skipped:
            found.append(f"{self._skipped} series were left out: scouts, reports, and those that are no regular volume "
                         "beside one of the same patient and modality that is. The scan of the folder says why.")
        return found

    def _is_wanted(self, modality: str) -> bool:
        return not self._wanted or modality in self._wanted

    def _image(self, series: Series) -> ImageEntry:
        patient = series.patient_id
        common = {"patient": patient, "modality": series.modality, "date": series.date,
                  "series": hashed(patient, series_key(series)),
                  "frame": hashed(patient, series.frame_of_reference), "protocol": series.protocol}
        if series.problem:
            return ImageEntry(**common, problem=scrub(impersonal(series.problem, series.files), [patient]))
        self._warnings.update({"slices may be missing at an end": bool(series.warnings)})
        hashes = file_hashes(series.files)
        files = [(reference_to(self._folder, path), digest) for path, digest in hashes.items()]
        reference, sha256 = write_manifest(self._folder, files, series.modality)
        self._manifests[id(series)] = reference
        return ImageEntry(**common, image=reference, image_sha256=sha256, geometry=series.geometry,
                          content=combined_sha256(hashes.values()), unit=_UNITS.get(series.modality, ""))

    def _rois_of(self, series: Series) -> list[RoiEntry]:
        """ROIs drawn on the series; where there are none, those that a registration brings to it."""
        own = self._found.contours_on(series)
        if not own and series.frame_of_reference:
            own = [one for one in self._found.contours if one.patient_id == series.patient_id and one.series
                   and series.frame_of_reference not in one.frames and self._registration(series, one)[0]]
        return [roi for one in own for roi in self._rois(one, *self._registration(series, one))]

    def _registration(self, series: Series, contours: Contours) -> tuple[Path | None, str]:
        return registration_between(self._found.registrations, series.patient_id, series.frame_of_reference,
                                    contours.frames)

    def _rois(self, contours: Contours, registration: Path | None = None, problem: str = "") -> list[RoiEntry]:
        """The wanted ROIs of a file."""
        path = contours.header.file
        try:
            labels = match_rois(contours.labels, self._patterns)
        except DataError as error:
            labels, problem = contours.labels[:1], error.found
        names = dict(zip(contours.labels, contours.rois, strict=True))
        mask, sha256 = reference_to(self._folder, path), self._hash(path)
        moved = (reference_to(self._folder, registration), self._hash(registration)) if registration else ("", "")
        return [RoiEntry(names[label], mask, sha256, label, *moved, problem or contours.problems.get(label, ""))
                for label in labels]

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = sha256_of(path)
        return self._hashes[path]

    def _dose_rows(self, header: Header) -> list[dict[str, object]]:
        """A dose with every ROI in its frame of reference, on the grid of the image of the ROI."""
        patient = str(header.values.get("PatientID", ""))
        if not patient.strip():
            return []
        frames, rows, problem = frames_of(header), [], _dose_problem(header)
        drawn = [(one, series) for one in self._found.contours if one.patient_id == patient
                 for series in one.series if not series.problem]
        for contours, series in drawn:
            registration, other = registration_between(self._found.registrations, patient,
                                                       next(iter(frames), ""), frozenset({series.frame_of_reference}))
            if other:
                continue
            entry = self._dose(header, patient, self._grid(series), problem)
            rows += image_rows(entry, self._rois(contours, registration))
        return rows or image_rows(self._dose(header, patient, "", problem), [])

    def _grid(self, series: Series) -> str:
        if id(series) not in self._manifests:
            self._image(series)
        return self._manifests[id(series)]

    def _dose(self, header: Header, patient: str, grid: str, problem: str) -> ImageEntry:
        # Each grid makes an entry of its own: the same dose, asked for on another image.
        name = f"{header.values.get('SOPInstanceUID', header.file)}{grid}"
        common = {"patient": patient, "modality": DOSE, "date": header.date, "series": hashed(patient, name),
                  "frame": hashed(patient, next(iter(frames_of(header)), ""))}
        if problem:
            return ImageEntry(**common, problem=problem)
        digest = self._hash(header.file)
        reference, sha256 = write_manifest(self._folder, [(reference_to(self._folder, header.file), digest)], DOSE,
                                           grid=grid)
        return ImageEntry(**common, image=reference, image_sha256=sha256, content=combined_sha256([digest]),
                          geometry=load_dose(header.file).geometry, unit=_UNITS[DOSE])

    def _late_rows(self) -> list[dict[str, object]]:
        """ROIs whose image is not in the folder, but was added to the study before."""
        rows: list[dict[str, object]] = []
        if self._old is None:
            return rows
        images = self._old[(self._old["image"] != "") & (self._old["modality"] != DOSE)].drop_duplicates("series")
        for one in self._found.contours:
            if one.problem != NO_IMAGE:
                continue
            mine = images[images["patient"] == one.patient_id]
            named = mine[mine["series"].isin({hashed(one.patient_id, uid) for uid in one.header.series_references})]
            near = mine[mine["frame"].isin({hashed(one.patient_id, uid) for uid in one.frames})]
            image = named if len(named) else near if len(near) == 1 else near[:0]
            self.late += bool(len(image))
            for row in image.to_dict("records"):
                rows += [row | {name: getattr(roi, name) for name in RoiEntry.__dataclass_fields__}
                         for roi in self._rois(one)]
        return rows


def _dose_problem(header: Header) -> str:
    try:
        summation = dose_summation(header.file)
        load_dose(header.file)
    except DataError as error:
        return error.found
    if summation in _WHOLE_DOSES:
        return ""
    return f"the dose is that of a part of the treatment (DoseSummationType {summation}), not of the plan"

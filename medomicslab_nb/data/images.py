"""DICOM cohorts into the study: series, contours, doses and registrations, original or de-identified."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from medomicslab_nb.data.archives import is_archive, unpack
from medomicslab_nb.data.deidentify import DicomCopies, copy_dicom
from medomicslab_nb.data.image_scan import (
    IMAGES_OF,
    NO_IMAGE,
    Contours,
    ImageScan,
    frames_of,
    impersonal,
    registration_between,
    scan_folder,
)
from medomicslab_nb.data.image_table import (
    ImageEntry,
    RoiEntry,
    hashed,
    image_frame,
    image_rows,
    protocol_frame,
    store,
    stored,
)
from medomicslab_nb.data.pseudonyms import Key
from medomicslab_nb.errors import DataError
from medomicslab_nb.files import FORMAT_PREFIX, sha256_json, sha256_of, write_yaml
from medomicslab_nb.imaging.dicom_headers import Header
from medomicslab_nb.imaging.dose import dose_summation, load_dose
from medomicslab_nb.imaging.loading import DOSE, reference_to, write_manifest
from medomicslab_nb.imaging.roi_names import match_rois
from medomicslab_nb.imaging.series import Series, combined_sha256, file_hashes
from medomicslab_nb.progress import Progress
from medomicslab_nb.protect import scrub
from medomicslab_nb.study import Study
from medomicslab_nb.tables import IMAGES

COPIES = "images/dicom"
"""Where de-identified copies lie in the study."""

UNPACKED = "images/unpacked"
"""Where archives are unpacked to, unless copies are made of their content."""

_UNITS = {"CT": "HU", "PT": "SUVbw", DOSE: "Gy"}
_NAMES_OF_MODALITIES = {"PET": "PT", "MRI": "MR", "DOSE": DOSE}


@dataclass(frozen=True)
class ImportReport:
    """What an import did, without identifiers of patients.

    Attributes
    ----------
    patients, series, rois : int
        With at least one image; images; ROIs that can be measured.
    rejected : dict of reason to files
    problems : dict of reason to rows of the table of images that cannot be measured
    notes : tuple of str
        What a reader must know, in whole sentences.
    flags : DataFrame
        Of de-identification: ``patient`` (pseudonym), ``modality``, ``flag``, ``finding``, ``n``.
    audit : DataFrame
        Of de-identification: which elements were removed or changed.
    """

    patients: int
    series: int
    rois: int
    rejected: Mapping[str, int]
    problems: Mapping[str, int]
    notes: tuple[str, ...] = ()
    flags: pd.DataFrame = field(default_factory=pd.DataFrame)
    audit: pd.DataFrame = field(default_factory=pd.DataFrame)


def import_dicom(study: Study, folder: str | Path, *, modalities: Sequence[str] = (), rois: Sequence[str] = (),
                 deidentify: Key | None = None, progress: Progress | None = None, jobs: int = 0) -> ImportReport:
    """Add a folder or archive of DICOM files to the study's tables ``images`` and ``protocol``.

    The files stay where they are, unless they are de-identified: then copies lie in the study. What the tables held
    before stays; a series that is added again is described anew. A series that cannot be used gets a row with the
    reason, and the others go on.

    Parameters
    ----------
    study : Study
    folder : path
        As a PACS exports it, of any nesting; or a zip or tar archive of it.
    modalities : sequence of str
        ``CT``, ``PT`` (or ``PET``), ``MR``, ``RTDOSE``; empty: all.
    rois : sequence of str
        Names or patterns such as ``GTV*``; empty: all.
    deidentify : Key, optional
    progress : Progress, optional
    jobs : int
        Processes; 0 means one per core.

    Raises
    ------
    DataError
        There is no such folder, it holds no DICOM images, or the archive is refused. Nothing is stored then.
    """
    progress = progress or Progress()
    wanted = {_NAMES_OF_MODALITIES.get(name.upper(), name.upper()) for name in modalities}
    source = Path(folder).expanduser()
    with opened(study, source, progress, keep=deidentify is None) as opened_folder:
        found = scan_folder(opened_folder, progress, jobs=jobs)
        rejected = Counter(found.rejected["reason"])
        copies = None
        if deidentify is not None:
            copies = _copied(study, found, wanted, deidentify, progress, jobs)
            rejected = Counter({reason: n for reason, n in rejected.items() if reason != NO_IMAGE})
            rejected.update(dict(copies.left_out.itertuples(index=False)))
            found = scan_folder(copies.folders, progress, jobs=jobs)
            rejected.update(found.rejected["reason"])
    builder = _Builder(study, found, wanted, rois)
    rows, entries = builder.built(progress)
    if not rows:
        raise _nothing(source, found, wanted)
    frame = image_frame(rows)
    store(study, frame, protocol_frame(entries), _source_name(source, found, deidentify))
    return _report(frame, rejected, builder, copies)


@contextmanager
def opened(study: Study, source: Path, progress: Progress, *, keep: bool) -> Iterator[Path]:
    """The folder itself, or an archive's content: in the study when it is kept, otherwise for as long as it is used."""
    if not is_archive(source):
        if not source.is_dir():
            raise DataError("there is no such folder or archive", where=source.name, todo="Check the path")
        yield source
    elif keep:
        target = study.path / UNPACKED / sha256_of(source)[:16]
        target.parent.mkdir(parents=True, exist_ok=True)
        yield target if target.exists() else unpack(source, target, progress)
    else:
        # Not in the study: the originals name patients.
        with tempfile.TemporaryDirectory() as folder:
            yield unpack(source, Path(folder) / "content", progress)


def _copied(study: Study, found: ImageScan, wanted: set[str], key: Key, progress: Progress, jobs: int) -> DicomCopies:
    """De-identified copies of the wanted series and of everything that belongs to their patients."""
    patients: dict[str, list[Sequence[Path]]] = defaultdict(list)
    for one in found.series:
        if _is_candidate(one, found) and (not wanted or one.modality in wanted):
            patients[one.patient_id].append(one.files)
    for one in found.contours:
        if one.problem == NO_IMAGE or any(not wanted or series.modality in wanted for series in one.series):
            patients[one.patient_id].append((one.header.file,))
    doses = found.doses if not wanted or DOSE in wanted else ()
    for header in (*doses, *found.registrations):
        patients[str(header.values.get("PatientID", ""))].append((header.file,))
    patients.pop("", None)
    copies = copy_dicom(patients, study.path / COPIES, key, progress, jobs=jobs)
    content = {"format": FORMAT_PREFIX + "deidentification", "format_version": 1,
               "removed_or_changed": copies.audit.to_dict("records"), "flags": copies.flags.to_dict("records"),
               "left_out": copies.left_out.to_dict("records")}
    write_yaml(study.path / "images" / "deidentification" / f"{sha256_json(content)[:16]}.yaml", content)
    return copies


def _is_candidate(series: Series, found: ImageScan) -> bool:
    """Whether a series is one that somebody would measure: not a scout, a report or a screen shot beside images."""
    if series.modality not in IMAGES_OF:
        return False
    if not series.problem or found.contours_on(series):
        return True
    alone = not any(one.modality == series.modality and not one.problem for one in found.of_patient(series.patient_id))
    return alone and len(series.files) > 1 and "not a slice" not in series.problem


class _Builder:
    """Rows of the table of images from what a folder holds."""

    def __init__(self, study: Study, found: ImageScan, wanted: set[str], patterns: Sequence[str]) -> None:
        self._folder = study.path
        self._found = found
        self._wanted = wanted
        self._patterns = patterns
        self._old = stored(study, IMAGES)
        self._hashes: dict[Path, str] = {}
        self._manifests: dict[int, str] = {}
        self.warnings: Counter[str] = Counter()
        self.skipped = 0

    def built(self, progress: Progress) -> tuple[list[dict[str, object]], list[ImageEntry]]:
        """Rows of the table of images, and the images for the table of protocols."""
        rows: list[dict[str, object]] = []
        entries = []
        with progress.task("adding series", total=len(self._found.series) + len(self._found.doses)) as step:
            for one in self._found.series:
                if self._is_wanted(one.modality) and _is_candidate(one, self._found):
                    entry = self._image(one)
                    entries.append(entry)
                    rows += image_rows(entry, self._rois_of(one))
                else:
                    self.skipped += self._is_wanted(one.modality)
                step()
            for header in self._found.doses:
                if self._is_wanted(DOSE):
                    rows += self._dose_rows(header)
                step()
        return rows + self._late_rows(), entries

    def _is_wanted(self, modality: str) -> bool:
        return not self._wanted or modality in self._wanted

    def _image(self, series: Series) -> ImageEntry:
        patient = series.patient_id
        common = {"patient": patient, "modality": series.modality, "date": series.date,
                  "series": hashed(patient, _series_key(series)),
                  "frame": hashed(patient, series.frame_of_reference), "protocol": series.protocol}
        if series.problem:
            return ImageEntry(**common, problem=scrub(impersonal(series.problem, series.files), [patient]))
        self.warnings.update({"slices may be missing at an end": bool(series.warnings)})
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
            own = [one for one in self._found.contours if one.patient_id == series.patient_id and one.labels
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
            for row in image.to_dict("records"):
                rows += [row | {name: getattr(roi, name) for name in RoiEntry.__dataclass_fields__}
                         for roi in self._rois(one)]
        return rows


def _series_key(series: Series) -> str:
    """What names a series; volumes that share one UID are told apart by their description's end."""
    label = series.description[series.description.rfind("["):] if series.description.endswith("]") else ""
    return f"{series.series_uid}{label}"


def _dose_problem(header: Header) -> str:
    try:
        summation = dose_summation(header.file)
        load_dose(header.file)
    except DataError as error:
        return error.found
    if summation in ("", "PLAN", "MULTI_PLAN", "PLAN_OVERVIEW"):
        return ""
    return f"the dose is that of a part of the treatment (DoseSummationType {summation}), not of the plan"


def _nothing(source: Path, found: ImageScan, wanted: set[str]) -> DataError:
    where = source.name
    if wanted and found.series:
        there = ", ".join(sorted({one.modality for one in found.series}))
        return DataError(f"there is no image of modality {', '.join(sorted(wanted))}", where=where,
                         todo=f"There are: {there}")
    reasons = Counter(found.rejected["reason"]).most_common(1)
    first = f"; most files ({reasons[0][1]}): {reasons[0][0]}" if reasons else ""
    return DataError(f"there are no CT, MR or PET images in it{first}", where=where,
                     todo="Choose the folder of a DICOM export, or one of NIfTI files as the docs describe")


def _source_name(source: Path, found: ImageScan, key: Key | None) -> str:
    """The folder's name, which in an export may be the patient's."""
    return "DICOM" if key is not None else scrub(source.name, {one.patient_id for one in found.series})


def _report(frame: pd.DataFrame, rejected: Counter[str], builder: _Builder, copies: DicomCopies | None) -> ImportReport:
    usable = frame[frame["image"] != ""]
    notes = [f"{n} series: {text}." for text, n in builder.warnings.items() if n]
    if builder.skipped:
        notes.append(f"{builder.skipped} series were left out: scouts, reports and other series that are no image.")
    tables = {} if copies is None else {"flags": copies.flags, "audit": copies.audit}
    problems = Counter(frame.loc[frame["problem"] != "", "problem"])
    return ImportReport(usable["patient"].nunique(), usable.drop_duplicates(["patient", "series"]).shape[0],
                        int(((frame["mask"] != "") & (frame["problem"] == "")).sum()), dict(rejected.most_common()),
                        dict(problems.most_common()), tuple(notes), **tables)

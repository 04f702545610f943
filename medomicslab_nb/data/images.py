"""Images into the study: DICOM exports and lists of volumes, as they are or de-identified."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from medomicslab_nb.data.archives import is_archive, unpack
from medomicslab_nb.data.deidentify import DicomCopies, copy_dicom
from medomicslab_nb.data.image_choice import Choice, chosen_only, chosen_rois_only
from medomicslab_nb.data.image_list import list_volume_folder, read_image_list
from medomicslab_nb.data.image_rows import DicomRows, is_candidate
from medomicslab_nb.data.image_scan import (
    NO_IMAGE,
    ImageScan,
    scan_folder,
)
from medomicslab_nb.data.image_table import (
    ImageEntry,
    image_frame,
    image_rows,
    modality_code,
    protocol_frame,
    store,
)
from medomicslab_nb.data.volume_rows import VolumeRows
from medomicslab_nb.errors import DataError
from medomicslab_nb.files import FORMAT_PREFIX, sha256_json, sha256_of, write_yaml
from medomicslab_nb.imaging.loading import DOSE
from medomicslab_nb.progress import Progress
from medomicslab_nb.pseudonyms import Key, bind, refuse_identified
from medomicslab_nb.study import Study

COPIES = "images/dicom"
"""Where de-identified copies lie in the study."""

UNPACKED = "images/unpacked"
"""Where archives are unpacked to, unless copies are made of their content."""



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

    def flags_summed(self) -> list[tuple[str, str, int]]:
        """Flag, finding and number of objects, over all patients."""
        if self.flags.empty:
            return []
        summed = self.flags.groupby(["flag", "finding"])["n"].sum()
        return [(flag, finding, int(n)) for (flag, finding), n in summed.items()]


def import_dicom(study: Study, folder: str | Path, *, modalities: Sequence[str] = (), rois: Sequence[str] = (),
                 deidentify: Key | None = None, progress: Progress | None = None, jobs: int = 0,
                 choice: Choice | None = None) -> ImportReport:
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
    choice : Choice, optional
        Exactly these series, ROIs and doses, of a scan of the same files; the filters above hold as well.

    Raises
    ------
    DataError
        There is no such folder, it holds no DICOM images, or the archive is refused. Nothing is stored then.
    """
    progress = progress or Progress()
    wanted = {modality_code(name) for name in modalities}
    source = Path(folder).expanduser()
    with opened(study, source, progress, keep=deidentify is None) as opened_folder:
        found = scan_folder(opened_folder, progress, jobs=jobs)
        found = found if choice is None else chosen_only(found, choice)
        rejected = Counter(found.rejected["reason"])
        copies = None
        patients = {one.patient_id for one in found.series}
        if deidentify is None:
            refuse_identified(study.path, patients, study.identifiers())
        else:
            bind(study.path, deidentify, patients, study.identifiers())
            copies = _copied(study, found, wanted, deidentify, progress, jobs)
            rejected = Counter({reason: n for reason, n in rejected.items() if reason != NO_IMAGE})
            rejected.update(dict(copies.left_out.itertuples(index=False)))
            found = scan_folder(copies.folders, progress, jobs=jobs)
            found = found if choice is None else chosen_rois_only(found, choice.pseudonymous(deidentify))
            rejected.update(found.rejected["reason"])
    builder = DicomRows(study, found, wanted, rois)
    rows, entries = builder.built(progress)
    if not rows:
        raise _nothing(source, found, wanted)
    rejected = rejected - Counter({NO_IMAGE: builder.late})
    frame = image_frame(rows)
    store(study, frame, protocol_frame(entries), "DICOM")  # the folder's name may be a patient's
    return report_on(frame, rejected, builder.notes(), copies)


def import_image_list(study: Study, source: str | Path, *, modalities: Sequence[str] = (), rois: Sequence[str] = (),
                      deidentify: Key | None = None, progress: Progress | None = None) -> ImportReport:
    """Add volumes to the study's tables ``images`` and ``protocol``.

    The files stay where they are, unless they are de-identified: then copies without their headers' texts lie in the
    study. A row that cannot be used is kept with the reason, and the others go on.

    Parameters
    ----------
    study : Study
    source : path
        A list (CSV or Excel), or a folder; see :mod:`image_list`.
    modalities, rois : sequence of str
        As for :func:`import_dicom`.
    deidentify : Key, optional
    progress : Progress, optional

    Raises
    ------
    DataError
        The list lacks a column, names nothing, or names an image and ROI twice; the folder has another layout.
    """
    source = Path(source).expanduser()
    listed = list_volume_folder(source) if source.is_dir() else read_image_list(source, study.id_column)
    wanted = {modality_code(name) for name in modalities}
    listed = [row for row in listed if not wanted or row.modality in wanted]
    if not listed:
        raise DataError("there is no image of these modalities in it" if wanted else "it names no image",
                        where=source.name, todo="Correct the modalities, or the list")
    patients = {row.patient for row in listed}
    if deidentify is None:
        refuse_identified(study.path, patients, study.identifiers())
    else:
        bind(study.path, deidentify, patients, study.identifiers())
    rows: list[dict[str, Any]] = []
    entries: dict[tuple[str, str], ImageEntry] = {}
    adder = VolumeRows(study, rois, deidentify)
    with (progress or Progress()).task("adding images", total=len(listed)) as step:
        for row in listed:
            entry, found = adder.added(row)
            entries[entry.patient, entry.series] = entry
            rows += image_rows(entry, found)
            step()
    frame = image_frame(rows).drop_duplicates(["patient", "series", "mask", "label", "problem"], ignore_index=True)
    store(study, frame, protocol_frame(entries.values()), "volumes" if deidentify else source.name)
    return report_on(frame, Counter(), adder.notes())


@contextmanager
def opened(study: Study, source: Path, progress: Progress, *, keep: bool) -> Iterator[Path]:
    """The folder itself, or an archive's content: in the study when it is kept, otherwise for as long as it is used."""
    if not is_archive(source):
        if not source.is_dir():
            raise DataError("there is no such folder or archive", where=source.name, todo="Check the path")
        yield source
    elif keep:
        target = study.path / UNPACKED / sha256_of(source)[:16]
        known = target.exists()
        if not known:
            target.parent.mkdir(parents=True, exist_ok=True)
            unpack(source, target, progress)
        try:
            yield target
        except BaseException:
            if not known:
                shutil.rmtree(target)
            raise
    else:
        # Not in the study: the originals name patients.
        with tempfile.TemporaryDirectory() as folder:
            yield unpack(source, Path(folder) / "content", progress)


def _copied(study: Study, found: ImageScan, wanted: set[str], key: Key, progress: Progress, jobs: int) -> DicomCopies:
    """De-identified copies of the wanted series and of everything that belongs to their patients."""
    patients: dict[str, list[Sequence[Path]]] = defaultdict(list)
    for one in found.series:
        if is_candidate(one, found) and (not wanted or one.modality in wanted):
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


def report_on(frame: pd.DataFrame, rejected: Counter[str], notes: Sequence[str],
              copies: DicomCopies | None = None) -> ImportReport:
    """What is told of rows that were added."""
    usable = frame[frame["image"] != ""]
    problems = Counter(frame.loc[frame["problem"] != "", "problem"])
    tables = {} if copies is None else {"flags": copies.flags, "audit": copies.audit}
    return ImportReport(usable["patient"].nunique(), usable.drop_duplicates(["patient", "series"]).shape[0],
                        int(((frame["mask"] != "") & (frame["problem"] == "")).sum()), dict(rejected.most_common()),
                        dict(problems.most_common()), tuple(notes), **tables)

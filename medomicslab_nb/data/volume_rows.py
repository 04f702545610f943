"""Rows of the study's table of images from a list of volumes (NIfTI, NRRD, MetaImage)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from medomicslab_nb.data.image_list import ListedImage
from medomicslab_nb.data.image_table import ImageEntry, RoiEntry, hashed
from medomicslab_nb.data.text_dates import shift_text
from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_of, write_folder
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import DOSE, reference_to
from medomicslab_nb.imaging.masks import list_rois, match_rois
from medomicslab_nb.imaging.placement import on_grid
from medomicslab_nb.imaging.volumes import SUFFIXES, check_nifti, read_labels, read_volume
from medomicslab_nb.pseudonyms import Key
from medomicslab_nb.study import Study

COPIES = "images/volumes"
"""Where de-identified copies lie in the study."""

_TELLING = 4  # letters of an identifier from which it is looked for: "1" is in the name of many an ROI
_USUAL_UNITS = {"CT": "HU", DOSE: "Gy"}  # nobody can tell of a PET volume whether it is SUV


class VolumeRows:
    """Rows of a list as entries of the study's table."""

    def __init__(self, study: Study, patterns: Sequence[str], key: Key | None) -> None:
        self._folder = study.path
        self._patterns = patterns
        self._key = key
        self._volumes: dict[Path, tuple[Geometry, str]] = {}
        self._left = 0
        self._without_unit = 0

    def added(self, row: ListedImage) -> tuple[ImageEntry, list[RoiEntry]]:
        """The image and its ROIs, with a problem where something is wrong."""
        if self._key is not None:
            try:
                row = self._deidentified(row, self._key)
            except _DamagedError as error:
                return self._damaged(row, self._key, error.found), []
        common = {"patient": row.patient, "modality": row.modality,
                  "date": None if row.date is None else row.date.date(),
                  "series": hashed(row.patient, reference_to(self._folder, row.image))}
        try:
            geometry, sha256 = self._image(row.image)
        except DataError as error:
            return ImageEntry(**common, problem=error.found), []
        entry = ImageEntry(**common, image=reference_to(self._folder, row.image), image_sha256=sha256, content=sha256,
                           geometry=geometry, unit=row.unit or _USUAL_UNITS.get(row.modality, ""))
        self._without_unit += row.modality == "PT" and not row.unit
        try:
            return entry, self._rois(row, geometry)
        except DataError as error:
            mask = reference_to(self._folder, row.mask) if row.mask else ""
            return entry, [RoiEntry(row.roi, mask, "", row.label, problem=error.found, lesion=row.lesion)]

    def notes(self) -> tuple[str, ...]:
        found = [f"{self._left} ROIs were left out: other names."] if self._left else []
        if self._without_unit:
            found.append(f"{self._without_unit} PET volumes say no unit: their values are taken as they are. Give the "
                         "list a column 'unit' (SUVbw) if they are SUV.")
        return tuple(found)

    def _image(self, path: Path) -> tuple[Geometry, str]:
        if path not in self._volumes:
            if not path.is_file():
                raise DataError("the image file is missing", where="list of images", todo="Correct the list")
            self._volumes[path] = _geometry(path), sha256_of(path)
        return self._volumes[path]

    def _rois(self, row: ListedImage, geometry: Geometry) -> list[RoiEntry]:
        if row.mask is None:
            return []
        if not row.mask.is_file():
            raise DataError("the mask file is missing", where="list of images", todo="Correct the list")
        labels = (row.label,) if row.label else list_rois(row.mask)
        if not labels:
            raise DataError("the mask is empty", where="list of images", todo="Check the mask")
        names = {label: row.roi or (("mask" if len(labels) == 1 else f"label {label}") if label.isdigit() else label)
                 for label in labels}
        wanted = set(match_rois(tuple(dict.fromkeys(names.values())), self._patterns))
        self._left += sum(name not in wanted for name in names.values())
        registration = (reference_to(self._folder, row.registration), sha256_of(row.registration)) \
            if row.registration else ("", "")
        problem = "" if row.modality == DOSE else _grid_problem(row.mask, geometry)
        return [RoiEntry(name, reference_to(self._folder, row.mask), sha256_of(row.mask), label, *registration, problem,
                         row.lesion) for label, name in names.items() if name in wanted]

    def _deidentified(self, row: ListedImage, key: Key) -> ListedImage:
        """Copies that hold voxels and geometry only, under the patient's pseudonym."""
        pseudonym = key.pseudonym(row.patient)
        date = None if row.date is None else row.date + pd.Timedelta(days=key.shift_days(row.patient))
        if row.registration is not None or (row.mask is not None and not row.mask.name.lower().endswith(SUFFIXES)):
            raise DataError("lists with DICOM files cannot be de-identified", where="list of images",
                            todo="Add the DICOM folder instead")
        roi, lesion = (_anonymous(text, row.patient, key) for text in (row.roi, row.lesion))
        return replace(row, patient=pseudonym, date=date, roi=roi, lesion=lesion,
                       image=self._copy(row.image, pseudonym),
                       mask=self._copy(row.mask, pseudonym) if row.mask else None)

    def _damaged(self, row: ListedImage, key: Key, problem: str) -> ImageEntry:
        """The row of an image that could not be copied."""
        pseudonym = key.pseudonym(row.patient)
        date = None if row.date is None else row.date.date() + pd.Timedelta(days=key.shift_days(row.patient))
        return ImageEntry(pseudonym, row.modality, date, hashed(pseudonym, sha256_of(row.image)), problem=problem)

    def _copy(self, path: Path, pseudonym: str) -> Path:
        if not path.is_file():
            return self._folder / COPIES / "missing"
        folder = self._folder / COPIES / pseudonym / sha256_of(path)[:16]
        if not folder.exists():
            write_folder(folder, {"volume.nrrd": _bare_volume(path)})
        return folder / "volume.nrrd"


class _DamagedError(DataError):
    """A volume that cannot be copied."""


def _anonymous(text: str, patient: str, key: Key) -> str:
    """The name of an ROI, which in many cohorts begins with the patient's identifier."""
    if len(patient) >= _TELLING:
        text = re.sub(re.escape(patient), key.pseudonym(patient), text, flags=re.IGNORECASE)
    return shift_text(text, key.shift_days(patient), compact=True)


def _grid_problem(mask: Path, geometry: Geometry) -> str:
    """Why a mask does not lie on the image's grid (bad input 35)."""
    if not mask.name.lower().endswith(SUFFIXES):
        return ""
    if _geometry(mask).same_as(geometry):
        return ""
    labels = read_labels(mask)
    try:
        on_grid(labels.with_array(labels.array != 0), geometry, whole=True)
    except DataError as error:
        return error.found
    return ""


def _geometry(path: Path) -> Geometry:
    """The grid of a volume, without reading its voxels where its header is an ordinary one."""
    check_nifti(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return read_volume(path).geometry
    return Geometry.of_image(reader) if reader.GetDimension() == 3 else read_volume(path).geometry


def _bare_volume(path: Path) -> bytes:
    """The volume as NRRD, which keeps the geometry in double precision, without any text of the original's header."""
    try:
        if path.name.lower().endswith(SUFFIXES):
            check_nifti(path)
        image = sitk.ReadImage(str(path))
        several = image.GetNumberOfComponentsPerPixel() > 1
        bare = sitk.GetImageFromArray(sitk.GetArrayViewFromImage(image), isVector=several)
        bare.CopyInformation(image)
    except DataError as error:
        raise _DamagedError(error.found, where="list of images", todo=error.todo) from None
    except RuntimeError:
        raise _DamagedError("the file is damaged, or no image that SimpleITK reads", where="list of images",
                            todo="Export it again as NIfTI or NRRD") from None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "volume.nrrd"
        sitk.WriteImage(bare, str(target), useCompression=True)
        return target.read_bytes()


"""Images and ROIs of a study, by the references in its table of images; a file that changed since is refused.

A reference is a path, relative to the study folder for what lies inside it, else absolute. It names a volume (NIfTI,
NRRD, MetaImage) or the manifest of a DICOM series: a document that lists the series' files with their checksums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from medomicslab_nb.errors import DataError, MedomicsError
from medomicslab_nb.files import FORMAT_PREFIX, read_document, sha256_json, sha256_of, write_yaml
from medomicslab_nb.imaging.dose import dose_on, load_dose
from medomicslab_nb.imaging.masks import load_mask
from medomicslab_nb.imaging.registration import common_grid
from medomicslab_nb.imaging.series import file_hashes, load_series
from medomicslab_nb.imaging.volumes import SUFFIXES, Volume, read_labels, read_volume
from medomicslab_nb.inputs import MANIFEST
from medomicslab_nb.study import FORMAT_VERSION

Suv = Literal["bw", "bsa", "lbm"]

DOSE = "RTDOSE"
SERIES_FOLDER = "images/series"



def load_image(study_folder: Path, reference: str, *, suv: Suv = "bw", sha256: str = "", unit: str = "") -> Volume:
    """An image of the study: CT in HU, PET in SUV, dose in Gy, other images as they are.

    Parameters
    ----------
    study_folder : Path
    reference : str
        A volume's path or a series manifest, as in the table of images.
    suv : {"bw", "bsa", "lbm"}
        What a PET's body mass is: weight, surface or lean mass.
    sha256 : str
        What the file's (or the manifest's) checksum was; empty: it is not compared. The files that a manifest lists
        always are.
    unit : str
        Unit of a volume that is no DICOM series.

    Raises
    ------
    DataError
        A file is missing or changed since it was added (bad input 71), or makes no regular volume.
    """
    path = resolve(study_folder, reference)
    check_unchanged({path: sha256} if sha256 else {})
    if not reference.endswith(MANIFEST):
        return read_volume(path, unit)
    manifest = _manifest(path)
    files = {resolve(study_folder, entry["path"]): str(entry["sha256"]) for entry in manifest["files"]}
    check_unchanged(files)
    if manifest["modality"] == DOSE:
        return load_dose(next(iter(files)))
    return load_series(list(files), suv=suv)


def load_case(study_folder: Path, row: Mapping[str, Any], *, suv: Suv = "bw") -> tuple[Volume, Volume]:
    """Image and ROI of a row of the table of images.

    Where the row names a ``grid``, an image of the same patient on which the ROI was drawn, the image is interpolated
    onto it. A dose comes on the grid of the image on which its ROIs were drawn, or, where the ROI is a volume, on that
    one's; it is NaN outside the dose's own grid.

    Returns
    -------
    image, mask : Volume
        On one grid.

    Raises
    ------
    DataError
        What :func:`load_image` and :func:`masks.load_mask` raise; the row has no ROI.
    """
    if not row["mask"]:
        raise DataError("the image has no ROI", where="table of images", todo="Add its contours, or leave it out")
    mask_path = resolve(study_folder, str(row["mask"]))
    registration = registration_of(study_folder, row)
    check_unchanged({mask_path: str(row["mask_sha256"])})
    image = load_image(study_folder, str(row["image"]), suv=suv, sha256=str(row.get("image_sha256") or ""),
                       unit=str(row.get("unit") or ""))
    if row.get("grid"):
        reference = load_image(study_folder, str(row["grid"]), sha256=str(row["grid_sha256"]))
        image = common_grid(image, reference, registration)
    elif row["modality"] == DOSE:
        grid = _grid_of_dose(study_folder, str(row["image"]), mask_path, image)
        image = dose_on(image, grid, registration=registration)
    return image, load_mask(mask_path, str(row["label"]), image, registration=registration)


def write_manifest(study_folder: Path, files: Sequence[tuple[str, str]], modality: str, *,
                   grid: str = "") -> tuple[str, str]:
    """Write the manifest of a series; the same files always give the same manifest.

    Parameters
    ----------
    study_folder : Path
    files : sequence of (reference, sha256)
        In the order of the slices.
    modality : str
    grid : str
        For a dose: the manifest of the image whose grid it comes on.

    Returns
    -------
    reference, sha256 : str
        Of the manifest.
    """
    content = {"format": FORMAT_PREFIX + "series", "format_version": FORMAT_VERSION, "modality": modality,
               "files": [{"path": path, "sha256": sha256} for path, sha256 in files]}
    if grid:
        content["grid"] = grid
    reference = f"{SERIES_FOLDER}/{sha256_json(content)[:16]}{MANIFEST}"
    path = study_folder / reference
    if not path.exists():
        write_yaml(path, content)
    return reference, sha256_of(path)


def reference_to(study_folder: Path, path: Path) -> str:
    """How the study names a file: relative to its folder for what lies inside it, else absolute."""
    full = path.expanduser().resolve()
    root = study_folder.resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else str(full)


def resolve(study_folder: Path, reference: str) -> Path:
    """The file that a reference names.

    Raises
    ------
    DataError
        A relative reference leads out of the study, by ``..`` or a symbolic link (bad input 86).
    """
    path = Path(reference)
    if path.is_absolute():
        return path
    full = study_folder / path
    if not full.resolve().is_relative_to(study_folder.resolve()):
        raise DataError("the reference leads out of the study (a symbolic link, or '..')", where=f"file {path.name}",
                        todo="Add the image again from where it is")
    return full


def check_unchanged(files: Mapping[Path, str]) -> None:
    """Compare files with their checksums.

    Raises
    ------
    DataError
        The first one that is missing or has changed.
    """
    for path in files:
        if not path.is_file():
            raise DataError("the file is missing", where=f"file {path.name}",
                            todo="Restore it, or add the images again")
    for path, found in file_hashes(files).items():
        if found != files[path]:
            raise DataError("the file was changed since it was added to the study", where=f"file {path.name}",
                            todo="Restore it, or add the images again if the change is meant")


def _manifest(path: Path) -> dict[str, Any]:
    try:
        return read_document(path, "series", FORMAT_VERSION)
    except MedomicsError as error:
        raise DataError(error.found, where=error.where, todo="Add the images again") from None


def registration_of(study_folder: Path, row: Mapping[str, Any]) -> Path | None:
    """The DICOM REG that a row of the table of images names, if any.

    Raises
    ------
    DataError
        It is missing or changed since it was added.
    """
    if not row.get("registration"):
        return None
    path = resolve(study_folder, str(row["registration"]))
    check_unchanged({path: str(row["registration_sha256"])} if row.get("registration_sha256") else {})
    return path


def _grid_of_dose(study_folder: Path, reference: str, mask: Path, dose: Volume) -> Volume:
    """The volume on whose grid a dose is asked for."""
    if mask.name.lower().endswith(SUFFIXES):
        return read_labels(mask)
    grid = _manifest(resolve(study_folder, reference)).get("grid") if reference.endswith(MANIFEST) else None
    return load_image(study_folder, grid) if grid else dose

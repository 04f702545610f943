"""One case: an image and a ROI in, its tables out. Runs in a worker process; its result is kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dose import dvh_metrics
from medomicslab_nb.imaging.loading import DOSE, load_case
from medomicslab_nb.imaging.picture import contour_picture
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.engines import get_engine
from medomicslab_nb.radiomics.extract import extract
from medomicslab_nb.radiomics.perturbation import apply, draw
from medomicslab_nb.radiomics.pet import pet_metrics
from medomicslab_nb.radiomics.settings import RadiomicsSettings

CASE_VERSION = 1
"""Raised when the result of a case changes for the same inputs and settings: old cached results are then not used."""

PICTURES = 24
"""Cases of which a picture is kept for the report."""

_NOT_OF_A_CASE = ("images", "modalities", "rois", "lesions", "definitions")
_PACKAGES = ("numpy", "scipy", "SimpleITK", "pydicom", "highdicom", "pywavelets", "pyradiomics-bhklab")  # filters too
_OF_A_ROW = ("modality", "label", "lesion", "roi", "patient", "unit", "repeat")
_OF_MIRP = ("laws", "gabor")  # filters that it computes, whichever the engine is


@dataclass(frozen=True)
class Case:
    """What a worker needs to measure a ROI."""

    study: Path
    row: Mapping[str, Any]
    settings: RadiomicsSettings
    picture: bool = False


def measure_case(case: Case) -> dict[str, pd.DataFrame]:
    """Measure a ROI.

    Returns
    -------
    dict
        ``features`` (long), ``roi`` (one row: size, grid, intensities), ``perturbed`` (long, with the column
        ``perturbation``), ``pet`` (one row, PET only), or, for a dose, ``roi`` and ``dose``.
    """
    image, mask = load_case(case.study, case.row, suv=case.settings.suv)
    _check_suv(image, case.settings)
    tables = {"roi": _roi(image, mask, case)}
    if case.row["modality"] == DOSE:
        return tables | {"dose": pd.DataFrame([dvh_metrics(image, mask)])}
    modality = str(case.row["modality"])
    tables["features"] = extract(image, mask, case.settings, modality)
    if modality == "PT" and image.unit.startswith("SUV"):
        tables["pet"] = pd.DataFrame([pet_metrics(image, mask)])
    first = not case.row.get("repeat")  # what is perturbed; another reading is a perturbation itself
    if first and case.settings.perturbations and len(perturbed := _perturbed(image, mask, case, modality)):
        tables["perturbed"] = perturbed
    return tables


def key_of(case: Case, parameters: str) -> str:
    """The key of a case's result in the cache.

    Parameters
    ----------
    parameters : str
        sha256 of the parameter file's content; empty without one.
    """
    row, settings = case.row, case.settings
    inputs = [str(row.get("image_sha256", "")), str(row["mask_sha256"]), str(row.get("registration_sha256", "")),
              str(row["grid_sha256"]), parameters]
    own = {name: value for name, value in settings.canonical().items() if name not in (*_NOT_OF_A_CASE,
                                                                                       "parameter_file")}
    names = {name: str(row.get(name, "")) for name in _OF_A_ROW}
    mirp = ["mirp"] if {*_OF_MIRP} & {*settings.filters} and find_spec("mirp") else []
    return Cache.key(inputs, own | names | {"picture": case.picture}, CASE_VERSION,
                     (*_PACKAGES, *mirp, *get_engine(settings.engine).distributions))


def _check_suv(image: Volume, settings: RadiomicsSettings) -> None:
    """Raise DataError where another SUV is asked for than that of a file, which is no DICOM series."""
    if settings.suv != "bw" and image.unit.startswith("SUV") and image.unit != f"SUV{settings.suv}":
        raise DataError(f"the image is in {image.unit}, SUV{settings.suv} was asked for", where="setting suv",
                        todo="Use the PET as DICOM, from which any SUV can be computed, or leave the setting out")


def _perturbed(image: Volume, mask: Volume, case: Case, modality: str) -> pd.DataFrame:
    parts = []
    for drawn in draw(case.settings, [str(case.row.get("image_sha256", "")), str(case.row["label"])]):
        with suppress(DataError):  # a small ROI may vanish when it shrinks; the stage counts what is missing
            features = extract(*apply(image, mask, drawn), case.settings, modality)
            parts.append(features.assign(perturbation=str(drawn)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _roi(image: Volume, mask: Volume, case: Case) -> pd.DataFrame:
    """What a reader wants to know of a ROI before any feature."""
    inside = image.array[mask.array]
    geometry = image.geometry
    row = {"voxels": int(mask.array.sum()), "volume_ml": mask.array.sum() * geometry.voxel_mm3 / 1000,
           "unit": image.unit, "minimum": float(inside.min()), "mean": float(inside.mean(dtype=float)),
           "maximum": float(inside.max()), "spacing_x_mm": geometry.spacing_mm[0],
           "spacing_y_mm": geometry.spacing_mm[1], "spacing_z_mm": geometry.spacing_mm[2],
           "margin_mm": _margin_mm(mask)}
    picture = contour_picture(image, mask) if case.picture else b""
    return pd.DataFrame([row | {"picture": picture}])


def _margin_mm(mask: Volume) -> float:
    """The largest distance from the ROI to a side of the image: small where images were cropped around the ROI."""
    found = np.nonzero(mask.array)
    margins = [max(int(axis.min()), size - 1 - int(axis.max())) for axis, size in zip(found, mask.array.shape,
                                                                                      strict=True)]
    return float(max(margin * spacing for margin, spacing in zip(margins, mask.geometry.spacing_mm[::-1],
                                                                 strict=True)))

"""Contours as other readers see them: dcmrtstruct2nii 5 (on every pixel shape) and MIRP (on square pixels).

The shapes are moved off the pixel centres, because each reader has its own rule for a centre on a contour.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.masks import load_mask
from medomicslab_nb.imaging.series import load_series
from medomicslab_nb.imaging.volumes import Volume, read_labels
from tests.imaging.contour_factory import GRID, SHAPES, at_slice, inside, write_rtstruct
from tests.imaging.dicom_factory import AXIAL, OBLIQUE, SAGITTAL, write_series

ORIENTATIONS = {"axial": AXIAL, "oblique": OBLIQUE, "sagittal": SAGITTAL}
SPACINGS = {"isotropic": (0.9765625, 0.9765625, 3.0), "anisotropic": (1.5, 0.7, 3.0)}
MOVED = {name: [[(x + 0.31, y + 0.23) for x, y in polygon] for polygon in polygons]
         for name, polygons in SHAPES.items()}


def written(folder: Path, shape: str, geometry: Geometry) -> tuple[Path, Path, Volume]:
    """A series, a structure set on its slices 1 to 3, and our own mask."""
    files = write_series(folder / "ct", geometry=geometry)
    contours = [points for k in (1, 2, 3) for points in at_slice(MOVED[shape], k, geometry)]
    path = write_rtstruct(folder / "rs.dcm", [("GTV", contours)], images=files)
    return folder / "ct", path, load_mask(path, "GTV", load_series(files))


def by_dcmrtstruct2nii(series: Path, contours: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Volume:
    """Its mask of the only ROI; pydicom 3 has no ``read_file`` any more, so it gets one."""
    with warnings.catch_warnings(action="ignore"):
        reader = pytest.importorskip("dcmrtstruct2nii")
        monkeypatch.setattr(pydicom, "read_file", pydicom.dcmread, raising=False)
        reader.dcmrtstruct2nii(str(contours), str(series), str(folder), convert_original_dicom=False)
    return read_labels(next(folder.glob("mask_*.nii.gz")))


def by_mirp(series: Path, contours: Path) -> np.ndarray:
    with warnings.catch_warnings(action="ignore"):
        mirp = pytest.importorskip("mirp")
        found = mirp.extract_images(image=str(series), mask=str(contours), roi_name="GTV", write_images=False,
                                    export_images=True, image_export_format="dict", by_slice=False)
    return np.asarray(found[0][1][0]["mask"]) > 0


def test_no_pixel_centre_lies_on_a_moved_shape() -> None:
    for polygons in MOVED.values():
        for step in (-1e-3, 1e-3):
            nudged = [[(x + step, y + step) for x, y in polygon] for polygon in polygons]
            assert np.array_equal(inside(nudged, GRID[:2]), inside(polygons, GRID[:2]))


@pytest.mark.parametrize("pixels", SPACINGS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("shape", MOVED)
def test_dcmrtstruct2nii_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, orientation: str,
                                pixels: str) -> None:
    geometry = replace(ORIENTATIONS[orientation], size=GRID, spacing_mm=SPACINGS[pixels])
    series, contours, ours = written(tmp_path, shape, geometry)
    theirs = by_dcmrtstruct2nii(series, contours, tmp_path / "out", monkeypatch)
    assert theirs.geometry.same_as(ours.geometry)
    assert np.array_equal(theirs.array > 0, ours.array)


# MIRP 2.7 compares the positions of contours exactly: on oblique slices with several contours, where the last digits
# differ, it takes them for slices of their own and makes up another grid.
SEVERAL_CONTOURS = ("hole", "two parts", "island in a hole")


@pytest.mark.parametrize(("shape", "orientation"), [
    (shape, orientation) for shape in MOVED for orientation in ORIENTATIONS
    if orientation != "oblique" or shape not in SEVERAL_CONTOURS])
def test_mirp_agrees_on_square_pixels(tmp_path: Path, shape: str, orientation: str) -> None:
    geometry = replace(ORIENTATIONS[orientation], size=GRID, spacing_mm=SPACINGS["isotropic"])
    series, contours, ours = written(tmp_path, shape, geometry)
    assert np.array_equal(by_mirp(series, contours), ours.array)


@pytest.mark.realdata
@pytest.mark.parametrize("modality", ["PET", "CT", "MR_T1"])
def test_dcmrtstruct2nii_agrees_on_a_patient(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             modality: str) -> None:
    folder = real_data / "sts" / "dicom" / "STS_003" / modality
    contours = next((folder / "mask").iterdir())
    theirs = by_dcmrtstruct2nii(folder / "image", contours, tmp_path, monkeypatch)
    ours = load_mask(contours, "", load_series(sorted((folder / "image").iterdir())))
    assert theirs.geometry.same_as(ours.geometry)
    assert np.array_equal(theirs.array > 0, ours.array)

"""Doses against what was written, dose-volume metrics against what mathematics says.

Tolerances come from the voxels' size (see ``tolerance_mm``), not from what was found.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dose import dose_on, dose_summation, dvh_metrics, load_dose
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume
from tests.imaging.contour_factory import frame_uid, write_dose, write_registration, write_rtstruct
from tests.imaging.dicom_factory import AXIAL, OBLIQUE, PATIENT_ID, SAGITTAL

CENTRE = np.array([3.0, -4.0, 5.0])
RADIUS = 25.0
DX = (2, 10, 50, 95, 98)


def dose(geometry: Geometry = AXIAL) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 70, geometry.shape)


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        load_dose(path)
    assert error.value.where == f"file {path.name}"
    assert PATIENT_ID not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("geometry", [AXIAL, OBLIQUE, SAGITTAL], ids=["axial", "oblique", "sagittal"])
def test_dose_and_grid_come_back(tmp_path: Path, geometry: Geometry) -> None:
    volume = load_dose(write_dose(tmp_path / "dose.dcm", dose(geometry), geometry))
    assert volume.unit == "Gy"
    assert volume.frame_of_reference == frame_uid()
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array, dose(geometry), rtol=1e-6, atol=1e-6)
    assert volume.geometry.same_as(geometry, 1e-6)


def at_every_voxel(volume: Volume) -> dict[tuple[float, ...], float]:
    z, y, x = np.indices(volume.geometry.shape)
    points = volume.geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3)).round(6) + 0.0
    return dict(zip(map(tuple, points.tolist()), volume.array.ravel().tolist(), strict=True))


def test_bad_input_89_planes_in_falling_order_and_as_z_coordinates(tmp_path: Path) -> None:
    """Four ways to write the same dose, for a patient on the back with the head first, and feet first."""
    def falling(item: Dataset) -> None:
        item.ImagePositionPatient = [*AXIAL.origin_mm[:2], -13.0]
        item.GridFrameOffsetVector = [-3.0 * k for k in range(30)]
        item.PixelData = np.frombuffer(item.PixelData, "<u4").reshape(AXIAL.shape)[::-1].tobytes()

    def coordinates(item: Dataset) -> None:
        item.GridFrameOffsetVector = [-100.0 + 3.0 * k for k in range(30)]

    def feet_first(item: Dataset) -> None:
        """Rows run to the right and planes, along the normal, to the feet."""
        item.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        item.ImagePositionPatient = [-12.0 + 9 * 1.5, -40.0, -13.0]
        item.PixelData = np.frombuffer(item.PixelData, "<u4").reshape(AXIAL.shape)[::-1, :, ::-1].tobytes()

    def feet_first_coordinates(item: Dataset) -> None:
        feet_first(item)
        item.GridFrameOffsetVector = [-13.0 - 3.0 * k for k in range(30)]

    expected = at_every_voxel(Volume(dose(), AXIAL))
    for edit in (None, falling, coordinates, feet_first, feet_first_coordinates):
        found = at_every_voxel(load_dose(write_dose(tmp_path / "dose.dcm", dose(), AXIAL, edit=edit)))
        assert found.keys() == expected.keys()
        assert all(abs(found[point] - expected[point]) < 1e-4 for point in found)


@pytest.mark.parametrize(("tags", "found"), [
    ({"GridFrameOffsetVector": [*range(0, 84, 3), 86, 90]}, "planes of the dose lie at unequal distances"),
    ({"GridFrameOffsetVector": [0.0] * 30}, "planes of the dose lie at unequal distances"),
    ({"GridFrameOffsetVector": list(range(29))}, "does not say where its planes lie"),
    ({"GridFrameOffsetVector": [7.0 + 3 * k for k in range(30)]}, "neither from the first one on nor as z coordinates"),
    ({"GridFrameOffsetVector": None}, "incomplete"),
    ({"DoseUnits": "RELATIVE"}, "not in Gy (DoseUnits: RELATIVE)"),
    ({"DoseUnits": None}, "not in Gy (DoseUnits: missing)"),
    ({"DoseType": "ERROR"}, "the error of a dose"),
    ({"DoseGridScaling": None}, "incomplete or damaged"),
    ({"ImagePositionPatient": None}, "incomplete or damaged"),
    ({"PixelData": b"\0" * 100}, "incomplete or damaged"),
])
def test_doses_that_cannot_be_used_are_refused_by_name(tmp_path: Path, tags: dict, found: str) -> None:
    def edit(item: Dataset) -> None:
        for keyword, value in tags.items():
            if value is None:
                delattr(item, keyword)
            else:
                setattr(item, keyword, value)

    assert found in refused(write_dose(tmp_path / "dose.dcm", dose(), AXIAL, edit=edit))


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert "it is no RT Dose" in refused(write_rtstruct(tmp_path / "rs.dcm", []))
    empty = tmp_path / "empty.dcm"
    empty.write_bytes(b"")
    assert "empty" in refused(empty)


def test_what_the_dose_is_the_sum_of_is_told(tmp_path: Path) -> None:
    assert dose_summation(write_dose(tmp_path / "dose.dcm", dose(), AXIAL)) == "PLAN"
    beam = write_dose(tmp_path / "beam.dcm", dose(), AXIAL,
                      edit=lambda item: setattr(item, "DoseSummationType", "BEAM"))
    assert dose_summation(beam) == "BEAM"


def test_dose_on_the_image_grid_is_interpolated_linearly(tmp_path: Path) -> None:
    """A dose that is linear in the position is the same at every voxel's centre; outside its grid it is unknown."""
    coarse = Geometry((12, 14, 16), (5.0, 4.0, 6.0), (-30.0, -25.0, -45.0))
    volume = Volume(gradient(coarse), coarse, "Gy", "1.2")
    image = Volume(np.zeros((40, 60, 50), dtype=np.float32), Geometry((50, 60, 40), (1.5, 1.0, 2.0), (-40, -30, -40)),
                   "HU", "1.2")
    found = dose_on(volume, image)
    known = ~np.isnan(found.array)
    assert 0.3 < known.mean() < 1
    # Up to half a voxel beyond the outermost centres, the outermost value is continued.
    inside = dose_on(Volume(np.ones(coarse.shape, dtype=np.float32), coarse.crop((0, 0, 0), coarse.size)), image)
    assert np.array_equal(known, ~np.isnan(inside.array))
    between = within(image.geometry, coarse)
    np.testing.assert_allclose(found.array[between], gradient(image.geometry)[between], atol=1e-4)


def within(geometry: Geometry, other: Geometry) -> np.ndarray:
    """Voxels whose centres lie between the outermost centres of another grid."""
    indices = other.to_indices(positions(geometry))
    return ((indices >= 0) & (indices <= np.array(other.size) - 1)).all(axis=1).reshape(geometry.shape)


def test_bad_input_90_dose_of_another_frame_needs_a_registration(tmp_path: Path) -> None:
    volume = Volume(gradient(AXIAL), AXIAL, "Gy", frame_uid("plan"))
    image = Volume(np.zeros(AXIAL.shape, dtype=np.float32), AXIAL, "HU", frame_uid("CT"))
    with pytest.raises(DataError, match="different frames of reference"):
        dose_on(volume, image)
    shift = np.eye(4)
    shift[0, 3] = 2 * AXIAL.spacing_mm[0]
    path = write_registration(tmp_path / "reg.dcm", frame_uid("plan"), frame_uid("CT"), shift)
    moved = dose_on(volume, image, registration=path).array
    np.testing.assert_allclose(moved[:, :, 2:], volume.array[:, :, :-2], atol=1e-4)
    assert np.isnan(moved[:, :, :2]).all()


# -- dose-volume metrics -----------------------------------------------------------------------------------------


def test_metrics_of_ten_voxels_worked_by_hand() -> None:
    """Doses 1 to 10 Gy in voxels of 3 cm3: D50 is the highest dose that five of the ten receive, 6 Gy; and so on."""
    geometry = Geometry((10, 1, 1), (10.0, 20.0, 15.0))
    volume = Volume(np.arange(1, 11, dtype=np.float32).reshape(1, 1, 10), geometry, "Gy")
    mask = Volume(np.ones((1, 1, 10), dtype=bool), geometry)
    found = dvh_metrics(volume, mask, dx=(2, 10, 11, 50, 95, 100), vx=(0.5, 5, 5.5, 20))
    assert found == pytest.approx({
        "volume_cm3": 30.0, "Dmean": 5.5, "Dmin": 1.0, "Dmax": 10.0,
        "D2": 10.0, "D10": 10.0, "D11": 9.0, "D50": 6.0, "D95": 1.0, "D100": 1.0,
        "V0.5": 100.0, "V0.5_cm3": 30.0, "V5": 60.0, "V5_cm3": 18.0, "V5.5": 50.0, "V5.5_cm3": 15.0,
        "V20": 0.0, "V20_cm3": 0.0})


@given(st.lists(st.floats(0, 80, width=32), min_size=1, max_size=60), st.integers(1, 100))
def test_d_is_the_highest_dose_that_so_much_of_the_volume_receives(doses: list[float], part: int) -> None:
    geometry = Geometry((len(doses), 1, 1), (1.0, 1.0, 1.0))
    volume = Volume(np.array(doses, dtype=np.float32).reshape(1, 1, -1), geometry, "Gy")
    mask = Volume(np.ones(volume.array.shape, dtype=bool), geometry)
    found = dvh_metrics(volume, mask, dx=(part,), vx=())[f"D{part}"]
    reached = [level for level in doses if 100 * sum(other >= level for other in doses) >= part * len(doses)]
    assert found == max(reached)


def positions(geometry: Geometry) -> np.ndarray:
    z, y, x = np.indices(geometry.shape)
    return geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3))


def sphere(geometry: Geometry) -> Volume:
    inside = np.linalg.norm(positions(geometry) - CENTRE, axis=1) < RADIUS
    return Volume(inside.reshape(geometry.shape), geometry)


def gradient(geometry: Geometry) -> np.ndarray:
    """30 Gy at the sphere's centre, 0.8 Gy per mm along x."""
    return (30 + 0.8 * (positions(geometry)[:, 0] - CENTRE[0])).reshape(geometry.shape).astype(np.float32)


def radial(geometry: Geometry) -> np.ndarray:
    """60 Gy at the sphere's centre, 2 Gy less per mm outwards."""
    return (60 - 2 * np.linalg.norm(positions(geometry) - CENTRE, axis=1)).reshape(geometry.shape).astype(np.float32)


def fine(spacing: tuple[float, float, float]) -> Geometry:
    size = tuple(int(np.ceil(60 / step)) for step in spacing)
    return Geometry(size, spacing, (-27.3, -34.1, -25.2))


def tolerance_mm(geometry: Geometry) -> float:
    """Half a voxel's diagonal: no point of a voxel lies farther from its centre.

    The voxels of an ROI lie inside the body grown by this length and cover the body shrunk by it, and a voxel's dose is
    that of a point no farther off. So a D can be off by the dose's gradient times twice this length, border and dose
    against each other; once is asserted. Measured in mm, at spacings of 1.0 x 1.0 x 3.0: 0.7 along a linear gradient
    (Dmin; 0.5 for D2 to D98), 0.4 (Dmax) and 0.03 (D2 to D98) in a radial one; half the diagonal is 1.7.
    """
    return float(np.linalg.norm(geometry.spacing_mm)) / 2


SPACINGS = [(1.0, 1.0, 1.0), (1.0, 1.0, 3.0), (0.9, 1.3, 2.0)]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_linear_dose_in_a_sphere(spacing: tuple[float, float, float]) -> None:
    """The part of a sphere beyond a plane at height h: (2 + h/R) (1 - h/R)^2 / 4 (a cap)."""
    geometry = fine(spacing)
    found = dvh_metrics(Volume(gradient(geometry), geometry, "Gy"), sphere(geometry), dx=DX, vx=(20, 30, 40))
    limit = tolerance_mm(geometry)
    assert found["volume_cm3"] == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=3 * limit / RADIUS)
    assert found["Dmean"] == pytest.approx(30, abs=0.8 * limit)
    assert found["Dmax"] == pytest.approx(30 + 0.8 * RADIUS, abs=0.8 * limit)
    assert found["Dmin"] == pytest.approx(30 - 0.8 * RADIUS, abs=0.8 * limit)
    height = np.linspace(-RADIUS, RADIUS, 20001)
    beyond = 100 * (2 + height / RADIUS) * (1 - height / RADIUS) ** 2 / 4
    for part in DX:
        exact = 30 + 0.8 * height[beyond >= part].max()
        assert found[f"D{part}"] == pytest.approx(exact, abs=0.8 * limit)
    for level in (20, 30, 40):
        exact = np.interp((level - 30) / 0.8, height, beyond)
        # The cap's part changes by at most 75 % / R per mm of height.
        assert found[f"V{level}"] == pytest.approx(exact, abs=75 * limit / RADIUS)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_radial_dose_in_a_sphere(spacing: tuple[float, float, float]) -> None:
    """The part within r is (r/R)^3; the mean distance from the centre is 3/4 R."""
    geometry = fine(spacing)
    found = dvh_metrics(Volume(radial(geometry), geometry, "Gy"), sphere(geometry), dx=DX, vx=(20, 30, 40))
    limit = tolerance_mm(geometry)
    assert found["Dmean"] == pytest.approx(60 - 2 * 0.75 * RADIUS, abs=2 * limit)
    assert found["Dmax"] == pytest.approx(60, abs=2 * limit)
    assert found["Dmin"] == pytest.approx(60 - 2 * RADIUS, abs=2 * limit)
    for part in DX:
        assert found[f"D{part}"] == pytest.approx(60 - 2 * RADIUS * (part / 100) ** (1 / 3), abs=2 * limit)
    for level in (20, 30, 40):
        within_mm = (60 - level) / 2
        assert found[f"V{level}"] == pytest.approx(100 * (within_mm / RADIUS) ** 3, abs=300 * limit / RADIUS)
        assert found[f"V{level}_cm3"] == pytest.approx(4 / 3 * np.pi * within_mm**3 / 1000,
                                                       rel=3.2 * limit / within_mm)


def test_through_the_grid_of_a_coarse_dose(tmp_path: Path) -> None:
    """RT Dose file of 2.5 mm, image of 1 mm, linear dose: interpolation adds nothing to the tolerance."""
    coarse = Geometry((36, 36, 36), (2.5, 2.5, 2.5), (-41.0, -48.0, -39.0))
    volume = load_dose(write_dose(tmp_path / "dose.dcm", gradient(coarse).astype(float), coarse))
    image = Volume(np.zeros(fine(SPACINGS[0]).shape), fine(SPACINGS[0]), "HU", frame_uid())
    found = dvh_metrics(dose_on(volume, image), sphere(image.geometry))
    direct = dvh_metrics(Volume(gradient(image.geometry), image.geometry), sphere(image.geometry))
    assert found == pytest.approx(direct, abs=1e-3)


def test_bad_input_30_roi_outside_the_dose_refused() -> None:
    volume = Volume(gradient(AXIAL), AXIAL, "Gy")
    volume.array[0, 0, :3] = np.nan
    with pytest.raises(DataError, match=r"3 of the ROI's 6000 voxels lie outside the dose's grid"):
        dvh_metrics(volume, Volume(np.ones(AXIAL.shape, dtype=bool), AXIAL))


def test_bad_input_35_dose_and_mask_of_different_geometry_refused() -> None:
    volume = Volume(gradient(AXIAL), AXIAL, "Gy")
    with pytest.raises(DataError, match="the dose and the mask have different grids"):
        dvh_metrics(volume, Volume(np.ones(AXIAL.shape, dtype=bool), replace(AXIAL, origin_mm=(0.0, 0.0, 0.0))))


def test_bad_input_24_empty_roi_refused() -> None:
    with pytest.raises(DataError, match="the ROI is empty"):
        dvh_metrics(Volume(gradient(AXIAL), AXIAL, "Gy"), Volume(np.zeros(AXIAL.shape, dtype=bool), AXIAL))


def test_parts_of_the_volume_are_percent() -> None:
    for part in (0, -1, 101):
        with pytest.raises(ValueError, match="parts of the volume"):
            dvh_metrics(Volume(gradient(AXIAL), AXIAL), Volume(np.ones(AXIAL.shape, dtype=bool), AXIAL), dx=(part,))


def test_bad_input_20_no_meta_header_and_a_dose_without_scaling(tmp_path: Path) -> None:
    path = write_dose(tmp_path / "zero.dcm", dose(), AXIAL, edit=lambda item: setattr(item, "DoseGridScaling", 0))
    assert "DoseGridScaling is not positive" in refused(path)
    whole = write_dose(tmp_path / "whole.dcm", dose(), AXIAL)
    item = dcmread(whole)
    bare = tmp_path / "bare.dcm"
    syntax = item.file_meta.TransferSyntaxUID
    del item.file_meta
    item.save_as(bare, implicit_vr=syntax.is_implicit_VR, little_endian=True, enforce_file_format=False)
    assert np.array_equal(load_dose(bare).array, load_dose(whole).array)

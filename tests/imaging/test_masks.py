"""Masks by every route: the same voxels, on the same side of the patient, or a named error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.masks import list_rois, load_mask
from medomicslab_nb.imaging.series import load_series
from medomicslab_nb.imaging.volumes import Volume, read_volume, write_volume
from tests.imaging.contour_factory import (
    GRID,
    PATIENT_ID,
    SHAPES,
    at_slice,
    frame_uid,
    inside,
    outlines,
    write_registration,
    write_rtstruct,
    write_segmentation,
)
from tests.imaging.dicom_factory import AXIAL, OBLIQUE, SAGITTAL, write_series

ORIENTATIONS = {"axial": AXIAL, "oblique": OBLIQUE, "sagittal": SAGITTAL}
SPACINGS = {"isotropic": (0.9765625, 0.9765625, 3.0), "anisotropic": (1.5, 0.7, 3.0)}


def grid(orientation: str = "oblique", pixels: str = "anisotropic") -> Geometry:
    return replace(ORIENTATIONS[orientation], size=GRID, spacing_mm=SPACINGS[pixels])


def image(geometry: Geometry | None = None, frame: str | None = None) -> Volume:
    geometry = geometry or grid()
    return Volume(np.zeros(geometry.shape, dtype=np.float32), geometry, "HU", frame_uid() if frame is None else frame)


def contours(shape: str = "convex", geometry: Geometry | None = None, slices: tuple[float, ...] = (1, 2, 3)) -> list:
    return [points for k in slices for points in at_slice(SHAPES[shape], k, geometry or grid())]


def truth(shape: str = "convex") -> np.ndarray:
    mask = np.zeros(grid().shape, dtype=bool)
    mask[1:4] = inside(SHAPES[shape], GRID[:2])
    return mask


def refused(path: Path, roi: str, on: Volume | None = None, registration: Path | None = None) -> str:
    with pytest.raises(DataError) as error:
        load_mask(path, roi, on or image(), registration=registration)
    message = str(error.value)
    assert path.name in message or (registration is not None and registration.name in message)
    assert str(path.parent) not in message
    assert PATIENT_ID not in message
    return message


@pytest.mark.parametrize("pixels", SPACINGS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_voxel_of_an_rtstruct_is_right(tmp_path: Path, shape: str, orientation: str, pixels: str) -> None:
    """Through the decimal strings of a series and of a structure set."""
    geometry = grid(orientation, pixels)
    series = load_series(write_series(tmp_path / "ct", geometry=geometry))
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours(shape, geometry))])
    assert np.array_equal(load_mask(path, "GTV", series).array, truth(shape))


def test_rois_of_every_format_are_listed(tmp_path: Path) -> None:
    labels = np.zeros(AXIAL.shape, dtype=np.int32)
    labels[3, 4, 5], labels[6, 7, 8] = 12, 3
    write_volume(Volume(labels, AXIAL), tmp_path / "labels.nii.gz")
    series = write_series(tmp_path / "ct", geometry=AXIAL)
    assert list_rois(tmp_path / "labels.nii.gz") == ("3", "12")
    assert list_rois(write_rtstruct(tmp_path / "rs.dcm", [("GTV", []), ("Lésion", [])])) == ("GTV", "Lésion")
    assert list_rois(write_segmentation(tmp_path / "seg.dcm", series, {"GTV": labels > 0})) == ("GTV",)
    with pytest.raises(DataError, match="the file holds no ROIs"):
        list_rois(series[0])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_label_of_a_mask_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mask{suffix}"
    write_volume(Volume(truth("convex").astype(np.int32) * 7 + truth("circle of 1.6 pixels") * 2, grid()), path)
    assert list_rois(path) == ("7", "9")
    loaded = load_mask(path, "9", image())
    assert np.array_equal(loaded.array, truth("convex") & truth("circle of 1.6 pixels"))
    assert loaded.geometry == grid()
    assert "no ROI is called '1'. It has: '7', '9'" in refused(path, "1")


def test_the_only_roi_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "mask.nii"
    write_volume(Volume(truth() * np.int32(255), grid()), path)
    assert np.array_equal(load_mask(path, "", image()).array, truth())


# -- frames of reference -----------------------------------------------------------------------------------------


def test_bad_input_22_contours_on_another_frame_of_reference(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours())], frame=frame_uid(2))
    message = refused(path, "GTV")
    assert "the contours and the image have different frames of reference" in message
    assert "Give the DICOM registration (REG)" in message


def test_contours_on_an_image_without_a_frame_are_placed_by_coordinates(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours())], frame=frame_uid(2))
    assert np.array_equal(load_mask(path, "GTV", image(frame="")).array, truth())


def test_bad_input_90_contours_through_a_registration(tmp_path: Path) -> None:
    """Drawn on a PET whose patient lay turned and shifted; the matrix brings its points to the CT."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", (10, -20, 30), degrees=True).as_matrix()
    matrix[:3, 3] = 11.0, -7.0, 23.0
    back = np.linalg.inv(matrix)
    drawn = [points @ back[:3, :3].T + back[:3, 3] for points in contours("island in a hole")]
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", drawn)], frame=frame_uid("PET"))
    registration = write_registration(tmp_path / "reg.dcm", frame_uid("PET"), frame_uid(), matrix)
    expected = truth("island in a hole")
    assert np.array_equal(load_mask(path, "GTV", image(), registration=registration).array, expected)
    inverse = write_registration(tmp_path / "inverse.dcm", frame_uid(), frame_uid("PET"), back)
    assert np.array_equal(load_mask(path, "GTV", image(), registration=inverse).array, expected)


def test_bad_input_90_registration_that_tilts_the_contours_refused(tmp_path: Path) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("x", 20, degrees=True).as_matrix()
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours(geometry=grid("axial")))], frame=frame_uid("PET"))
    registration = write_registration(tmp_path / "reg.dcm", frame_uid("PET"), frame_uid(), matrix)
    assert "not parallel to the slices" in refused(path, "GTV", image(grid("axial")), registration)


def test_bad_input_90_registration_of_other_frames_refused(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours())], frame=frame_uid("PET"))
    registration = write_registration(tmp_path / "reg.dcm", frame_uid("MR"), frame_uid(), np.eye(4))
    assert "does not connect the two frames" in refused(path, "GTV", registration=registration)


def test_bad_input_90_segmentation_through_a_registration(tmp_path: Path) -> None:
    """Moved by whole voxels it is exact; by half a voxel, a border voxel that is half covered counts."""
    mask = np.zeros(AXIAL.shape, dtype=bool)
    mask[10:14, 6:12, 3:7] = True
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "pet", frame="PET"), {"GTV": mask})
    matrix = np.eye(4)
    matrix[:3, 3] = 2 * 1.5, -3 * 0.75, 3.0
    registration = write_registration(tmp_path / "reg.dcm", frame_uid("PET"), frame_uid(), matrix)
    moved = load_mask(path, "GTV", image(AXIAL), registration=registration)
    assert np.array_equal(moved.array, np.roll(mask, (1, -3, 2), axis=(0, 1, 2)))
    matrix[:3, 3] = 0.4 * 1.5, 0.0, 0.0
    registration = write_registration(tmp_path / "reg.dcm", frame_uid("PET"), frame_uid(), matrix)
    assert np.array_equal(load_mask(path, "GTV", image(AXIAL), registration=registration).array, mask)


# -- contours and grids that do not fit --------------------------------------------------------------------------


def test_bad_input_02_end_slice_missing(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours(slices=(2, 3, 4)))])
    assert "1 contour lies beyond the first or last slice" in refused(path, "GTV", image().crop((0, 0, 0), (24, 20, 4)))


def test_bad_input_23_contours_between_the_slices(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours(slices=(1.5, 2.5)))])
    assert "2 contours lie between the slices" in refused(path, "GTV")


def test_bad_input_24_25_26_faulty_rois_are_refused_by_name(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("Empty", []), ("Point", contours()), ("Few", [contours()[0][:2]])],
                          edit=lambda item: setattr(item.ROIContourSequence[1].ContourSequence[0],
                                                    "ContourGeometricType", "POINT"))
    assert "ROI 'Empty': it has no contour" in refused(path, "Empty")
    assert "ROI 'Point': a contour is POINT" in refused(path, "Point")
    assert "ROI 'Few': a contour has fewer than three points" in refused(path, "Few")


def test_bad_input_24_label_map_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "mask.nrrd"
    write_volume(Volume(np.zeros(grid().shape, dtype=np.int32), grid()), path)
    assert list_rois(path) == ()
    assert "The file holds no ROI" in refused(path, "1")


def test_contours_around_no_voxel_centre_refused(tmp_path: Path) -> None:
    tiny = at_slice([[(3.2, 3.2), (3.8, 3.2), (3.5, 3.8)]], 2, grid())
    assert "no voxel's centre lies inside it" in refused(write_rtstruct(tmp_path / "rs.dcm", [("GTV", tiny)]), "GTV")


def test_bad_input_29_double_and_accented_names(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours()), ("GTV", contours("hole")), ("Lésion", contours())])
    assert list_rois(path) == ("GTV#1", "GTV#2", "Lésion")
    assert np.array_equal(load_mask(path, "GTV#2", image()).array, truth("hole"))
    assert np.array_equal(load_mask(path, "LESION", image()).array, truth())
    assert "'GTV#1', 'GTV#2'" in refused(path, "GTV")


def test_bad_input_30_roi_outside_the_image(tmp_path: Path) -> None:
    shifted = [points + np.array([500.0, 0, 0]) for points in contours()]
    assert "outside the image" in refused(write_rtstruct(tmp_path / "rs.dcm", [("GTV", shifted)]), "GTV")


@pytest.mark.parametrize("other", [
    replace(grid(), spacing_mm=(1.5, 0.75, 3.0)), replace(grid(), origin_mm=(-11.5, -40.0, -100.0)),
    replace(grid(), size=(24, 20, 4)), grid().crop((1, 0, 0), GRID), grid("axial"),
])
def test_bad_input_35_mask_and_image_of_different_geometry(tmp_path: Path, other: Geometry) -> None:
    for suffix in (".nii.gz", ".nrrd"):
        path = tmp_path / f"mask{suffix}"
        write_volume(Volume(np.ones(other.shape, dtype=np.int32), other), path)
        assert "Export the mask on the grid of this image" in refused(path, "1")


def test_rounding_of_a_file_is_no_other_geometry(tmp_path: Path) -> None:
    """NIfTI keeps its matrix in 32 bits."""
    wide = replace(OBLIQUE, origin_mm=(-249.51171875, -431.123456, 1234.56789), spacing_mm=(0.9765625, 0.7123, 1.2))
    path = tmp_path / "mask.nii.gz"
    write_volume(Volume(np.ones(wide.shape, dtype=np.int32), wide), path)
    assert load_mask(path, "1", image(wide)).array.all()


def test_bad_input_37_roi_of_one_voxel(tmp_path: Path) -> None:
    one = at_slice([[(3.6, 3.6), (4.4, 3.6), (4.4, 4.4), (3.6, 4.4)]], 2, grid())
    mask = load_mask(write_rtstruct(tmp_path / "rs.dcm", [("GTV", one)]), "GTV", image())
    assert np.argwhere(mask.array).tolist() == [[2, 4, 4]]


# -- left is left ------------------------------------------------------------------------------------------------

# One lattice of voxels in the patient, as scanners store it in four positions: (direction of rows, columns, slices).
POSITIONS = {"HFS": (1, 1, 1), "HFP": (-1, -1, 1), "FFS": (-1, 1, -1), "FFP": (1, -1, -1)}
LATTICE = Geometry((40, 30, 20), (3.0, 2.0, 4.0), (-58.5, -29.0, -38.0))  # symmetrical about the origin
LESION_MM = np.array([30.0, -9.0, 14.0])  # on the patient's left, in front, towards the head


def stored(position: str) -> Geometry:
    signs = np.array(POSITIONS[position])
    origin = np.where(signs > 0, LATTICE.origin_mm, -np.asarray(LATTICE.origin_mm))
    return replace(LATTICE, origin_mm=tuple(origin.tolist()), direction=tuple(np.diag(signs * 1.0).ravel().tolist()))


def lesion(geometry: Geometry) -> np.ndarray:
    """Voxels within 11 mm of the lesion's centre, shape (z, y, x)."""
    z, y, x = np.indices(geometry.shape)
    points = geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3))
    return (np.linalg.norm(points - LESION_MM, axis=1) < 11).reshape(geometry.shape)


def centroid(mask: Volume) -> np.ndarray:
    """Centre of the ROI in mm, LPS."""
    return mask.geometry.to_points(np.argwhere(mask.array)[:, ::-1]).mean(axis=0)


def shown(mask: Volume) -> None:
    """It is the lesion: the same voxels of the patient, on the left."""
    assert mask.array.sum() == lesion(LATTICE).sum()
    np.testing.assert_allclose(centroid(mask), centroid(Volume(lesion(LATTICE), LATTICE)), atol=1e-3)
    assert centroid(mask)[0] > 0


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("route", ["RTSTRUCT", "SEG"])
def test_bad_input_89_left_is_left_in_dicom(tmp_path: Path, route: str, position: str) -> None:
    geometry = stored(position)
    mask = lesion(geometry)
    pixels = np.where(mask, 1100, 1000).astype(np.uint16)
    files = write_series(tmp_path / "ct", pixels, geometry=geometry,
                         edit=lambda item, _: setattr(item, "PatientPosition", position))
    if route == "RTSTRUCT":
        drawn = [points for k in np.flatnonzero(mask.any(axis=(1, 2)))
                 for points in at_slice(outlines(mask[k]), k, geometry)]
        path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", drawn)])
    else:
        path = write_segmentation(tmp_path / "seg.dcm", files, {"GTV": mask})
    series = load_series(files)
    loaded = load_mask(path, "GTV", series)
    shown(loaded)
    assert np.unique(series.array[loaded.array]).tolist() == [1100 - 1024]  # on the bright voxels of the image, too


@pytest.mark.parametrize("position", [*POSITIONS, "negative determinant"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_bad_input_89_left_is_left_in_files(tmp_path: Path, suffix: str, position: str) -> None:
    """NIfTI counts to the right and to the front (RAS), the others to the left and to the back (LPS)."""
    geometry = mirrored(LATTICE) if position == "negative determinant" else stored(position)
    write_volume(Volume(lesion(geometry).astype(np.int16), geometry), tmp_path / f"image{suffix}")
    write_volume(Volume(lesion(geometry).astype(np.int32), geometry), tmp_path / f"mask{suffix}")
    volume = read_volume(tmp_path / f"image{suffix}")
    loaded = load_mask(tmp_path / f"mask{suffix}", "1", volume)
    shown(loaded)
    assert volume.array[loaded.array].all()


def test_bad_input_89_a_nifti_whose_affine_was_written_by_hand(tmp_path: Path) -> None:
    """Only the bytes of the format: RAS with a positive determinant, so that x runs to the right in LPS terms."""
    path = tmp_path / "mask.nii"
    # In RAS: x from -58.5 upwards to the right; so the patient's left is at low indices.
    affine = np.array([[3.0, 0, 0, -58.5], [0, 2.0, 0, -29.0], [0, 0, 4.0, -38.0]], dtype="<f4")
    geometry = Geometry(LATTICE.size, LATTICE.spacing_mm, (58.5, 29.0, -38.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1))
    path.write_bytes(nifti(lesion(geometry).astype(np.uint8), affine, LATTICE))
    assert sitk.ReadImage(str(path)).GetDirection() == (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    shown(load_mask(path, "1", image(LATTICE)))
    assert lesion(geometry)[:, :, :20].any()
    assert not lesion(geometry)[:, :, 20:].any()


@pytest.mark.parametrize("position", [*POSITIONS, "negative determinant"])
def test_bad_input_89_mask_and_image_stored_the_other_way_round(tmp_path: Path, position: str) -> None:
    """A mask as NIfTI on a DICOM series: the same voxels, stored in another order."""
    geometry = mirrored(LATTICE) if position == "negative determinant" else stored(position)
    write_volume(Volume(lesion(geometry).astype(np.int32), geometry), tmp_path / "mask.nii.gz")
    shown(load_mask(tmp_path / "mask.nii.gz", "1", image(LATTICE)))


def test_bad_input_89_mask_with_its_axes_exchanged(tmp_path: Path) -> None:
    """Sagittal storage of the axial image's voxels: its first axis runs to the head."""
    axes = np.array([[0, 1.0, 0], [0, 0, 1.0], [1.0, 0, 0]])
    geometry = Geometry((20, 40, 30), (4.0, 3.0, 2.0), LATTICE.origin_mm, tuple(axes.ravel().tolist()))
    write_volume(Volume(lesion(geometry).astype(np.int32), geometry), tmp_path / "mask.nrrd")
    shown(load_mask(tmp_path / "mask.nrrd", "1", image(LATTICE)))


def mirrored(geometry: Geometry) -> Geometry:
    """The same voxels with the first axis stored backwards only: the determinant is -1."""
    x, y, z = geometry.origin_mm
    return replace(geometry, origin_mm=(-x, y, z), direction=(-1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def nifti(voxels: np.ndarray, affine: np.ndarray, geometry: Geometry) -> bytes:
    """A NIfTI-1 file of bytes, as its standard lays it out."""
    header = bytearray(352)

    def put(offset: int, values: list, kind: str) -> None:
        content = np.array(values, dtype=kind).tobytes()
        header[offset:offset + len(content)] = content

    put(0, [348], "<i4")
    put(40, [3, *geometry.size, 1, 1, 1, 1], "<i2")  # dim
    put(70, [2, 8], "<i2")  # uint8, 8 bits
    put(76, [1, *geometry.spacing_mm, 0, 0, 0, 0], "<f4")  # pixdim
    put(108, [352], "<f4")  # offset of the voxels
    header[123] = 2  # mm
    put(254, [1], "<i2")  # the matrix below is in the scanner's coordinates
    put(280, affine.ravel().tolist(), "<f4")
    header[344:348] = b"n+1\0"
    return bytes(header) + voxels.tobytes()

"""Registrations between frames of reference, and images on one grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.registration import common_grid, in_frame, read_registration, transformed
from medomicslab_nb.imaging.volumes import Volume
from tests.imaging.contour_factory import frame_uid, write_dose, write_registration
from tests.imaging.dicom_factory import AXIAL, OBLIQUE, PATIENT_ID

PET, CT, MR = frame_uid("PET"), frame_uid("CT"), frame_uid("MR")


def rigid(angles: tuple[float, ...] = (10, -20, 30), shift: tuple[float, ...] = (11.0, -7.0, 23.0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def linear(geometry: Geometry, frame: str, field: np.ndarray | None = None) -> Volume:
    """An image whose value is a linear function of the position: linear interpolation gives it exactly."""
    z, y, x = np.indices(geometry.shape)
    points = geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3))
    slope = np.array([0.5, -0.25, 2.0]) if field is None else field
    return Volume((points @ slope).reshape(geometry.shape).astype(np.float32), geometry, "SUVbw", frame)


def test_matrix_takes_points_of_one_frame_to_the_other(tmp_path: Path) -> None:
    path = write_registration(tmp_path / "reg.dcm", PET, CT, rigid())
    registration = read_registration(path)
    np.testing.assert_allclose(registration.matrix(PET, CT), rigid(), atol=1e-9)
    np.testing.assert_allclose(registration.matrix(CT, PET), np.linalg.inv(rigid()), atol=1e-9)
    np.testing.assert_array_equal(registration.matrix(MR, MR), np.eye(4))
    # Worked by hand: a quarter turn about z takes x to y, then the shift is added.
    quarter = read_registration(write_registration(tmp_path / "quarter.dcm", PET, CT, rigid((0, 0, 90), (1, 2, 3))))
    np.testing.assert_allclose(transformed(np.array([[10.0, 0, 5]]), quarter.matrix(PET, CT)), [[1, 12, 8]], atol=1e-9)


def test_two_frames_meet_in_the_registered_one(tmp_path: Path) -> None:
    def third(item: Dataset) -> None:
        other = read_like(item.RegistrationSequence[1], MR, rigid((5, 5, 5), (1, 2, 3)))
        item.RegistrationSequence.append(other)

    registration = read_registration(write_registration(tmp_path / "reg.dcm", PET, CT, rigid(), edit=third))
    expected = np.linalg.inv(rigid((5, 5, 5), (1, 2, 3))) @ rigid()
    np.testing.assert_allclose(registration.matrix(PET, MR), expected, atol=1e-9)


def test_two_matrices_for_one_frame_are_refused(tmp_path: Path) -> None:
    def twice(item: Dataset) -> None:
        item.RegistrationSequence.append(read_like(item.RegistrationSequence[1], PET, rigid((5, 5, 5), (1, 2, 3))))

    with pytest.raises(DataError, match="one frame of reference in two ways"):
        read_registration(write_registration(tmp_path / "reg.dcm", PET, CT, rigid(), edit=twice))


def read_like(item: Dataset, frame: str, matrix: np.ndarray) -> Dataset:
    """A registration item as another one, of another frame and matrix."""
    from copy import deepcopy

    other = deepcopy(item)
    other.FrameOfReferenceUID = frame
    step = other.MatrixRegistrationSequence[0].MatrixSequence[0]
    step.FrameOfReferenceTransformationMatrix = [f"{value:.10f}" for value in matrix.ravel()]
    return other


def test_several_matrices_are_multiplied_where_their_order_does_not_matter(tmp_path: Path) -> None:
    shifts = [rigid((0, 0, 0), (1, 2, 3)), rigid((0, 0, 0), (4, 5, 6))]
    registration = read_registration(write_registration(tmp_path / "reg.dcm", PET, CT, *shifts))
    np.testing.assert_allclose(registration.matrix(PET, CT), rigid((0, 0, 0), (5, 7, 9)), atol=1e-9)
    with pytest.raises(DataError, match="several matrices whose order matters"):
        read_registration(write_registration(tmp_path / "reg.dcm", PET, CT, rigid(), shifts[0]))


@pytest.mark.parametrize("matrix", [np.diag([2.0, 1, 1, 1]), np.diag([1.0, 1, -1, 1]),
                                    np.eye(4) + np.eye(4, k=1) * 0.1])
def test_registration_that_is_not_rigid_refused(tmp_path: Path, matrix: np.ndarray) -> None:
    with pytest.raises(DataError, match="not rigid"):
        read_registration(write_registration(tmp_path / "reg.dcm", PET, CT, matrix))


def test_deformable_damaged_and_foreign_files_refused(tmp_path: Path) -> None:
    def deformable(item: Dataset) -> None:
        item.SOPClassUID = item.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.3"

    def without_frames(item: Dataset) -> None:
        del item.RegistrationSequence[1].FrameOfReferenceUID

    def short(item: Dataset) -> None:
        step = item.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
        step.FrameOfReferenceTransformationMatrix = [1.0] * 15

    for edit, found in ((deformable, "deformable"), (without_frames, "incomplete"), (short, "incomplete")):
        with pytest.raises(DataError, match=found) as error:
            read_registration(write_registration(tmp_path / "reg.dcm", PET, CT, rigid(), edit=edit))
        assert error.value.where == "file reg.dcm"
        assert PATIENT_ID not in str(error.value)
    with pytest.raises(DataError, match="it is no Spatial Registration"):
        read_registration(write_dose(tmp_path / "dose.dcm", np.ones(AXIAL.shape), AXIAL))


def test_bad_input_90_other_frame_without_registration_refused() -> None:
    with pytest.raises(DataError, match=r"different frames of reference\. Give the DICOM registration"):
        common_grid(linear(AXIAL, PET), linear(AXIAL, CT))


def test_images_of_one_frame_come_onto_one_grid() -> None:
    reference = linear(Geometry((6, 7, 8), (1.0, 0.5, 2.0), (-9.0, -35.0, -80.0)), CT)
    on_ct = common_grid(linear(AXIAL, CT), reference)
    assert on_ct.geometry == reference.geometry
    assert on_ct.unit == "SUVbw"
    np.testing.assert_allclose(on_ct.array, reference.array, atol=1e-4)


def test_unknown_frames_are_taken_to_be_the_same() -> None:
    result = common_grid(linear(AXIAL, ""), linear(AXIAL, CT))
    assert np.array_equal(result.array, linear(AXIAL, CT).array)
    assert result.frame_of_reference == CT


@given(st.tuples(*[st.floats(-180, 180)] * 3), st.tuples(*[st.floats(-50, 50)] * 3))
def test_bad_input_90_through_the_registration_every_point_keeps_its_value(
        tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, ...], shift: tuple[float, ...]) -> None:
    """A linear field of the PET, looked at where the CT's voxels are in the PET's coordinates."""
    matrix = rigid(angles, shift)
    path = write_registration(tmp_path_factory.mktemp("reg") / "reg.dcm", PET, CT, matrix)
    pet = linear(OBLIQUE, PET)
    centre = transformed(pet.geometry.to_points([[4.5, 9.5, 14.5]]), matrix)[0]
    ct = Volume(np.zeros((3, 3, 3)), Geometry((3, 3, 3), (1.0, 2.0, 1.5), tuple(centre - [1.0, 2.0, 1.5])), "HU", CT)
    z, y, x = np.indices(ct.geometry.shape)
    in_pet = transformed(ct.geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3)), np.linalg.inv(matrix))
    expected = (in_pet @ [0.5, -0.25, 2.0]).reshape(3, 3, 3)
    result = common_grid(pet, ct, path)
    assert result.frame_of_reference == CT
    np.testing.assert_allclose(result.array, expected, atol=1e-3)


def test_outside_the_field_of_view_an_image_is_nan_and_a_mask_false() -> None:
    wide = replace(AXIAL, origin_mm=(-18.0, -40.0, -100.0))
    assert np.isnan(common_grid(linear(AXIAL, CT), linear(wide, CT)).array[:, :, :3]).all()
    mask = Volume(np.ones(AXIAL.shape, dtype=bool), AXIAL, "", CT)
    moved = common_grid(mask, linear(wide, CT)).array
    assert not moved[:, :, :3].any()
    assert moved[:, :, 4:].all()


def test_images_that_do_not_overlap_refused() -> None:
    with pytest.raises(DataError, match="do not overlap"):
        common_grid(linear(AXIAL, CT), linear(replace(AXIAL, origin_mm=(500.0, 0.0, 0.0)), CT))


def test_a_volume_in_its_own_frame_stays_as_it_is() -> None:
    volume = linear(AXIAL, CT)
    assert in_frame(volume, CT, None) is volume

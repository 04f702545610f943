"""DICOM Spatial Registrations (rigid): points and grids of one frame of reference in another one.

Matrices are 4 x 4 and act on column vectors (x, y, z, 1) in mm, LPS.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_objects import dicom_object
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.resampling import Order, to_grid
from medomicslab_nb.imaging.volumes import Volume

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.66.1"

_DEFORMABLE = "1.2.840.10008.5.1.4.1.1.66.3"
_RIGID = 1e-4  # how far the rotation may be from an orthonormal matrix


@dataclass(frozen=True, eq=False)
class Registration:
    """What a registration says.

    Attributes
    ----------
    matrices : dict
        For each frame of reference (UID) the matrix, shape (4, 4), from its points to those of the registered frame.
    where : str
        The file, for messages.
    """

    matrices: dict[str, np.ndarray]
    where: str

    def matrix(self, source: str, target: str) -> np.ndarray:
        """The matrix, shape (4, 4), that takes points of one frame of reference to another one.

        Raises
        ------
        DataError
            The registration does not connect the two.
        """
        if source == target:
            return np.eye(4)
        if not {source, target} <= self.matrices.keys():
            raise DataError("the registration does not connect the two frames of reference", where=self.where,
                            todo="Choose the registration of these two images")
        return np.linalg.inv(self.matrices[target]) @ self.matrices[source]


def read_registration(path: Path) -> Registration:
    """The registration of a file.

    Raises
    ------
    DataError
        The file is missing, damaged or no Spatial Registration; a matrix is not rigid.
    """
    where = f"file {path.name}"
    with dicom_object(path, (SOP_CLASS, _DEFORMABLE), "Spatial Registration") as header:
        if header.SOPClassUID == _DEFORMABLE:
            raise DataError("the registration is deformable; only rigid ones can be used", where=where,
                            todo="Resample the image with the software that made it, or make a rigid registration")
        matrices = {str(header.FrameOfReferenceUID): np.eye(4)}
        for item in header.RegistrationSequence:
            frame, matrix = str(item.FrameOfReferenceUID), _rigid(item, where)
            if not np.allclose(matrices.setdefault(frame, matrix), matrix, atol=_RIGID):
                raise DataError("it moves one frame of reference in two ways", where=where,
                                todo="Use a registration of images that have different frames of reference")
        return Registration(matrices, where)


def transformed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (n, 3) in the other frame of reference, shape (n, 3)."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def in_frame(volume: Volume, frame_of_reference: str, registration: Path | None) -> Volume:
    """A volume whose grid is given in another frame of reference; its voxels stay as they are.

    Frames that are not known (NIfTI has none) are taken to be the same.

    Raises
    ------
    DataError
        The frames differ, and there is no registration between them.
    """
    source = volume.frame_of_reference
    if not source or not frame_of_reference or source == frame_of_reference:
        return volume
    if registration is None:
        raise other_frame("the two images")
    matrix = read_registration(registration).matrix(source, frame_of_reference)
    return replace(volume, geometry=_moved(volume.geometry, matrix), frame_of_reference=frame_of_reference)


def common_grid(volume: Volume, reference: Volume, registration: Path | None = None, *,
                order: Order = "linear") -> Volume:
    """A volume on the grid of another one, e.g. a PET or a dose on the grid of the CT.

    Parameters
    ----------
    volume : Volume
        An image is NaN outside its field of view, a mask (bool) is False there.
    reference : Volume
        Whose grid and frame of reference the result has.
    registration : Path, optional
        DICOM REG between the two, needed when their frames of reference are known and differ.
    order : {"linear", "spline"}
        Interpolation of an image; a mask is interpolated linearly and cut at one half.

    Raises
    ------
    DataError
        Different frames of reference without a registration; the two do not overlap.
    """
    moved = in_frame(volume, reference.frame_of_reference, registration)
    result = to_grid(moved, reference.geometry, order=order)
    if volume.array.dtype != bool and np.isnan(result.array).all():
        raise DataError("the two images do not overlap anywhere", where="images",
                        todo="Check that they belong together")
    return replace(result, frame_of_reference=reference.frame_of_reference or volume.frame_of_reference)


def other_frame(what: str) -> DataError:
    """The error for coordinates that cannot be compared."""
    return DataError(f"{what} have different frames of reference", where="frames of reference",
                     todo="Give the DICOM registration (REG) between them, or use the series that belongs to them")


def _rigid(item: Dataset, where: str) -> np.ndarray:
    """The matrix of a sequence item, shape (4, 4)."""
    steps = item.MatrixRegistrationSequence[0].MatrixSequence
    matrices = [np.array(step.FrameOfReferenceTransformationMatrix, dtype=float).reshape(4, 4) for step in steps]
    matrix, backwards = reduce(np.matmul, matrices), reduce(np.matmul, matrices[::-1])
    # The standard orders them by an equation that software reads in both ways.
    if not np.allclose(matrix, backwards, atol=1e-6):
        raise DataError("the registration has several matrices whose order matters", where=where,
                        todo="Export it as one matrix")
    rotation = matrix[:3, :3]
    rigid = np.allclose(rotation.T @ rotation, np.eye(3), atol=_RIGID) and np.linalg.det(rotation) > 0
    if not (rigid and np.isfinite(matrix).all() and np.allclose(matrix[3], [0, 0, 0, 1])):
        raise DataError("the registration is not rigid: it scales, shears or mirrors", where=where,
                        todo="Make a rigid registration")
    return matrix


def _moved(geometry: Geometry, matrix: np.ndarray) -> Geometry:
    origin = transformed(np.asarray([geometry.origin_mm]), matrix)[0]
    direction = matrix[:3, :3] @ geometry.axes
    x, y, z = origin.tolist()
    return replace(geometry, origin_mm=(x, y, z), direction=tuple(direction.reshape(-1).tolist()))

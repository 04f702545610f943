"""DICOM Segmentations, through highdicom: binary, fractional (0.5 and above belongs to the segment) and label maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medomicslab_nb.imaging.dicom_objects import dicom_object
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.roi_names import find_roi, numbered
from medomicslab_nb.imaging.volumes import Volume

if TYPE_CHECKING:
    from highdicom import Volume as Voxels
    from highdicom.seg import Segmentation

SOP_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation, label map segmentation."""

THRESHOLD = 0.5
"""Share or probability from which a voxel of a fractional segmentation belongs to the segment."""


def read_segments(path: Path) -> tuple[str, ...]:
    """Labels of the segments; labels that occur twice carry the segment's number.

    Raises
    ------
    DataError
        The file is missing, damaged or no DICOM Segmentation.
    """
    with dicom_object(path, SOP_CLASSES, "DICOM Segmentation"):
        return tuple(_segments(_read(path)))


def read_segment(path: Path, label: str) -> Volume:
    """One segment on the grid on which the file stores it, which may leave empty slices out.

    Returns
    -------
    Volume
        bool; its frame of reference is the file's.

    Raises
    ------
    DataError
        As :func:`read_segments`; also when there is no such segment, or its frames make no regular grid.
    """
    with dicom_object(path, SOP_CLASSES, "DICOM Segmentation"):
        segmentation = _read(path)
        segments = _segments(segmentation)
        number = segments[find_roi(tuple(segments), label, f"file {path.name}")]
        voxels = segmentation.get_volume(segment_numbers=[number])
        array = np.asarray(voxels.array)[..., 0]
        return Volume(array >= THRESHOLD, _geometry(voxels), "", str(voxels.frame_of_reference_uid or ""))


def _read(path: Path) -> Segmentation:
    from highdicom.seg import segread

    return segread(path)


def _segments(segmentation: Segmentation) -> dict[str, int]:
    numbers = [int(number) for number in segmentation.segment_numbers]
    labels = [str(segmentation.get_segment_description(number).segment_label) for number in numbers]
    return dict(zip(numbered(labels, numbers), numbers, strict=True))


def _geometry(voxels: Voxels) -> Geometry:
    """The grid; axes of highdicom are (slice, row, column), and its affine maps indices to mm in LPS."""
    affine = np.asarray(voxels.affine)
    steps = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    z, y, x = voxels.spatial_shape
    return Geometry((x, y, z), tuple(spacing.tolist()), tuple(affine[:3, 3].tolist()),
                    tuple((steps / spacing).reshape(-1).tolist()))

"""ROIs as masks on an image's grid, whatever file they come from: RTSTRUCT, DICOM SEG, NIfTI, NRRD, MetaImage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging import rtstruct, segmentation
from medomicslab_nb.imaging.contours import rasterize
from medomicslab_nb.imaging.dicom_headers import read_header
from medomicslab_nb.imaging.placement import on_grid
from medomicslab_nb.imaging.registration import common_grid, other_frame, read_registration, transformed
from medomicslab_nb.imaging.roi_names import find_roi, match_rois
from medomicslab_nb.imaging.rtstruct import read_rtstruct
from medomicslab_nb.imaging.segmentation import read_segment, read_segments
from medomicslab_nb.imaging.volumes import SUFFIXES, Volume, read_labels

__all__ = ["list_rois", "load_mask", "match_rois"]


def list_rois(path: Path) -> tuple[str, ...]:
    """Names of the ROIs of a file: as written in RTSTRUCT and SEG, the label numbers as text in NIfTI and NRRD.

    A name that occurs twice, or is empty, carries the ROI's number: ``GTV#3``.

    Raises
    ------
    DataError
        The file is missing, damaged, or holds no ROIs.
    """
    if _is_label_map(path):
        return _labels(read_labels(path))
    if _sop_class(path) == rtstruct.SOP_CLASS:
        return read_rtstruct(path).names
    return read_segments(path)


def load_mask(path: Path, roi: str, image: Volume, *, registration: Path | None = None) -> Volume:
    """One ROI as a mask on the image's grid.

    Contours are filled (see :mod:`medomicslab_nb.imaging.contours`); masks are placed by their coordinates, and their
    voxels must coincide with the image's.

    Parameters
    ----------
    path : Path
        RTSTRUCT, DICOM SEG, NIfTI, NRRD or MetaImage.
    roi : str
        A name from :func:`list_rois`; case and accents do not matter. Empty: the only one.
    image : Volume
        Where its frame of reference is known, it is compared with the file's.
    registration : Path, optional
        DICOM REG between the two frames of reference: contours are moved, a DICOM SEG is interpolated linearly and cut
        at one half.

    Returns
    -------
    Volume
        bool, with at least one voxel.

    Raises
    ------
    DataError
        No such ROI; another frame of reference or grid; contours that cannot be filled, that lie between the slices or
        outside the image; an ROI without any voxel.
    """
    where = f"file {path.name}, ROI '{roi}'" if roi else f"file {path.name}"
    try:
        array = _array(path, roi, image, registration)
    except DataError as error:
        known = error.where.startswith("file ")
        raise DataError(error.found, where=error.where if known else where, todo=error.todo) from None
    if not array.any():
        raise DataError("the ROI is empty: no voxel's centre lies inside it", where=where,
                        todo="Check the contour, or leave the ROI out")
    return Volume(array, image.geometry, "", image.frame_of_reference)


def _array(path: Path, roi: str, image: Volume, registration: Path | None) -> np.ndarray:
    if _is_label_map(path):
        return _from_labels(path, roi, image)
    if _sop_class(path) == rtstruct.SOP_CLASS:
        return _from_contours(path, roi, image, registration)
    return _from_segment(path, roi, image, registration)


def _from_labels(path: Path, roi: str, image: Volume) -> np.ndarray:
    labels = read_labels(path)
    label = find_roi(_labels(labels), roi, f"file {path.name}")
    return on_grid(labels.with_array(labels.array == int(label)), image.geometry, whole=True)


def _from_contours(path: Path, roi: str, image: Volume, registration: Path | None) -> np.ndarray:
    found = read_rtstruct(path).roi(roi, f"file {path.name}")
    contours, source, target = found.contours, found.frame_of_reference, image.frame_of_reference
    if source and target and source != target:
        if registration is None:
            raise other_frame("the contours and the image")
        matrix = read_registration(registration).matrix(source, target)
        contours = tuple(transformed(points, matrix) for points in contours)
    return rasterize(contours, image.geometry)


def _from_segment(path: Path, roi: str, image: Volume, registration: Path | None) -> np.ndarray:
    segment = read_segment(path, roi)
    source, target = segment.frame_of_reference, image.frame_of_reference
    if not source or not target or source == target:
        return on_grid(segment, image.geometry, whole=False)
    if registration is None:
        raise other_frame("the segmentation and the image")
    return common_grid(_padded(segment), image, registration).array


def _padded(mask: Volume) -> Volume:
    """With an empty voxel on every side, so that interpolation ends at the mask's own border."""
    grid = mask.geometry
    wider = grid.crop((-1, -1, -1), [n + 2 for n in grid.size])
    return replace(mask, array=np.pad(mask.array, 1), geometry=wider)


def _labels(labels: Volume) -> tuple[str, ...]:
    return tuple(str(label) for label in np.unique(labels.array).tolist() if label)


def _is_label_map(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def _sop_class(path: Path) -> str:
    """The SOP class of a DICOM file with ROIs."""
    sop_class = str(read_header(path).get("SOPClassUID", ""))
    if sop_class not in (rtstruct.SOP_CLASS, *segmentation.SOP_CLASSES):
        raise DataError("the file holds no ROIs", where=f"file {path.name}",
                        todo="Choose an RTSTRUCT, a DICOM SEG, or a mask as NIfTI or NRRD")
    return sop_class

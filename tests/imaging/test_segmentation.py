"""DICOM SEG through highdicom: round trips, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.masks import list_rois, load_mask
from medomicslab_nb.imaging.segmentation import read_segment, read_segments
from medomicslab_nb.imaging.volumes import Volume
from tests.imaging.contour_factory import frame_uid, write_rtstruct, write_segmentation
from tests.imaging.dicom_factory import AXIAL, OBLIQUE, SAGITTAL, Geometry, write_series

ORIENTATIONS = {"axial": AXIAL, "oblique": OBLIQUE, "sagittal": SAGITTAL}


def image(geometry: Geometry = OBLIQUE) -> Volume:
    return Volume(np.zeros(geometry.shape, dtype=np.float32), geometry, "HU", frame_uid())


def masks() -> dict[str, np.ndarray]:
    """Two segments that overlap, with empty slices at the ends and between."""
    draw = np.random.default_rng(0).random((2, *OBLIQUE.shape)) < 0.3
    draw[:, [0, 1, 7, 29]] = False
    return {"GTV": draw[0], "Lesion 2": draw[1]}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_come_back_voxel_for_voxel(tmp_path: Path, kind: str, orientation: str) -> None:
    geometry = ORIENTATIONS[orientation]
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", geometry=geometry), masks(), kind)
    assert list_rois(path) == ("GTV", "Lesion 2")
    for name, mask in masks().items():
        loaded = load_mask(path, name, image(geometry))
        assert np.array_equal(loaded.array, mask)
        assert loaded.geometry == geometry


def test_label_maps_come_back_voxel_for_voxel(tmp_path: Path) -> None:
    first, second = masks().values()
    parts = {"GTV": first, "Node": second & ~first}
    series = write_series(tmp_path / "ct", geometry=OBLIQUE)
    path = write_segmentation(tmp_path / "seg.dcm", series, parts, "LABELMAP")
    for name, mask in parts.items():
        assert np.array_equal(load_mask(path, name, image()).array, mask)


def test_fractions_from_one_half_on_belong_to_the_segment(tmp_path: Path) -> None:
    share = np.zeros(OBLIQUE.shape)
    share[5, 5, 2:6] = [0.2, 0.49, 0.51, 1.0]
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", geometry=OBLIQUE), {"GTV": share},
                              "FRACTIONAL")
    assert np.array_equal(load_mask(path, "GTV", image()).array, share >= 0.5)


def test_a_segment_on_one_slice_is_placed_there(tmp_path: Path) -> None:
    mask = np.zeros(OBLIQUE.shape, dtype=bool)
    mask[17, 3:9, 2:5] = True
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", geometry=OBLIQUE), {"GTV": mask})
    assert read_segment(path, "GTV").geometry.size == (10, 20, 1)
    assert np.array_equal(load_mask(path, "GTV", image()).array, mask)


def test_segments_are_placed_by_geometry_not_by_index(tmp_path: Path) -> None:
    """The image has its slices, rows and columns the other way round: a mirrored grid of the same voxels."""
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", geometry=OBLIQUE), masks())
    far = OBLIQUE.to_points([[n - 1 for n in OBLIQUE.size]])[0]
    mirrored = Geometry(OBLIQUE.size, OBLIQUE.spacing_mm, tuple(far), tuple(-value for value in OBLIQUE.direction))
    expected = masks()["GTV"][::-1, ::-1, ::-1]
    assert np.array_equal(load_mask(path, "GTV", image(mirrored)).array, expected)


def test_an_image_that_is_cropped_keeps_a_segment_inside_it(tmp_path: Path) -> None:
    mask = np.zeros(OBLIQUE.shape, dtype=bool)
    mask[10:14, 6:9, 4:6] = True
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", geometry=OBLIQUE), {"GTV": mask})
    part = image().crop((2, 4, 8), (6, 10, 12))
    assert np.array_equal(load_mask(path, "GTV", part).array, mask[8:20, 4:14, 2:8])
    with pytest.raises(DataError, match="12 of the ROI's 24 voxels lie outside the image"):
        load_mask(path, "GTV", image().crop((2, 4, 12), (6, 10, 12)))


def test_bad_input_22_segmentation_of_another_frame_of_reference(tmp_path: Path) -> None:
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", frame=2), masks())
    with pytest.raises(DataError, match="the segmentation and the image have different frames of reference"):
        load_mask(path, "GTV", image(AXIAL))


@pytest.mark.parametrize("other", [
    Geometry(OBLIQUE.size, (1.5, 0.75, 2.0), OBLIQUE.origin_mm, OBLIQUE.direction),
    Geometry(OBLIQUE.size, OBLIQUE.spacing_mm, (-11.5, -40.0, -100.0), OBLIQUE.direction),
    AXIAL,
])
def test_bad_input_35_another_grid_refused(tmp_path: Path, other: Geometry) -> None:
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", geometry=OBLIQUE), masks())
    with pytest.raises(DataError, match="the mask and the image have different grids"):
        load_mask(path, "GTV", image(other))


def test_bad_input_24_empty_segment(tmp_path: Path) -> None:
    empty = {"GTV": np.zeros(OBLIQUE.shape, dtype=bool), "Node": masks()["GTV"]}
    path = write_segmentation(tmp_path / "seg.dcm", write_series(tmp_path / "ct", geometry=OBLIQUE), empty)
    with pytest.raises(DataError, match="the ROI is empty"):
        load_mask(path, "GTV", image())


def test_bad_input_29_double_labels_carry_their_number(tmp_path: Path) -> None:
    def edit(item: Dataset) -> None:
        item.SegmentSequence[1].SegmentLabel = "GTV"

    series = write_series(tmp_path / "ct", geometry=OBLIQUE)
    path = write_segmentation(tmp_path / "seg.dcm", series, masks(), edit=edit)
    assert read_segments(path) == ("GTV#1", "GTV#2")
    assert np.array_equal(load_mask(path, "GTV#2", image()).array, masks()["Lesion 2"])
    with pytest.raises(DataError, match="2 ROIs fit the name 'GTV'"):
        load_mask(path, "GTV", image())


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    series = write_series(tmp_path / "ct", geometry=OBLIQUE)
    path = write_segmentation(tmp_path / "seg.dcm", series, masks())
    whole = path.read_bytes()
    for part in (0.3, 0.6, 0.9, 0.999):
        path.write_bytes(whole[:int(len(whole) * part)])
        with pytest.raises(DataError, match=r"file seg\.dcm.* is (incomplete|damaged)"):
            load_mask(path, "Lesion 2", image())  # its frames are the last ones
    with pytest.raises(DataError, match="it is no DICOM Segmentation"):
        read_segments(series[0])
    with pytest.raises(DataError, match="the file holds no ROIs"):
        load_mask(series[0], "GTV", image())
    with pytest.raises(DataError, match="it is no DICOM Segmentation"):
        read_segment(write_rtstruct(tmp_path / "rs.dcm", []), "GTV")

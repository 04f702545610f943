"""The small picture of an ROI."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.picture import MOST_BYTES, contour_picture
from medomicslab_nb.imaging.volumes import Volume

GEOMETRY = Geometry((60, 80, 10), (2.0, 1.0, 4.0))


def volumes(noise: float = 0.0) -> tuple[Volume, Volume]:
    """A bright box of 20 x 30 mm (10 columns, 30 rows) on slice 6, a smaller one on slice 2."""
    mask = np.zeros(GEOMETRY.shape, dtype=bool)
    mask[6, 20:50, 25:35] = mask[2, 20:25, 25:30] = True
    image = np.where(mask, 100.0, -50.0) + np.random.default_rng(0).normal(0, noise or 1e-9, mask.shape)
    return Volume(image.astype(np.float32), GEOMETRY, "HU"), Volume(mask, GEOMETRY)


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)).convert("RGB")).astype(int)


def outline(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 0] > 200) & (picture[..., 2] < 60)


def test_largest_slice_cropped_with_the_right_aspect() -> None:
    """40 x 60 mm are shown: the box with half its extent on every side."""
    picture = opened(contour_picture(*volumes()))
    assert picture.shape == (160, 107, 3)
    ys, xs = np.nonzero(outline(picture))
    assert (ys.max() - ys.min() + 1) / (xs.max() - xs.min() + 1) == pytest.approx(30 / 20, rel=0.03)
    assert (ys.max() - ys.min() + 1) / 160 == pytest.approx(30 / 60, rel=0.03)
    assert picture[80, 53, 0] > picture[5, 5, 0] + 90  # the lesion is bright


def test_noise_stays_within_the_limit() -> None:
    for window in (None, (-400.0, 400.0), (-10.0, 10.0)):
        assert len(contour_picture(*volumes(200.0), window=window)) <= MOST_BYTES


def test_roi_at_the_border_and_of_one_voxel() -> None:
    image, _ = volumes()
    for place in ((0, 0, 0), (9, 79, 59)):
        mask = np.zeros(GEOMETRY.shape, dtype=bool)
        mask[place] = True
        picture = opened(contour_picture(image, Volume(mask, GEOMETRY)))
        assert outline(picture).any()


def test_bad_input_38_constant_and_unknown_intensities_are_shown() -> None:
    image, mask = volumes()
    for value in (0.0, np.nan):
        picture = contour_picture(replace(image, array=np.full(GEOMETRY.shape, value), unit=""), mask)
        assert outline(opened(picture)).any()


def test_same_input_same_bytes() -> None:
    assert contour_picture(*volumes(50.0)) == contour_picture(*volumes(50.0))


def test_empty_mask_and_other_grid_refused() -> None:
    image, mask = volumes()
    with pytest.raises(DataError, match="the ROI is empty"):
        contour_picture(image, mask.with_array(np.zeros(GEOMETRY.shape, dtype=bool)))
    with pytest.raises(DataError, match="different grids"):
        contour_picture(image, replace(mask, geometry=replace(GEOMETRY, origin_mm=(9.0, 0.0, 0.0))))

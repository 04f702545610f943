"""What a viewer is told of images and masks."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.orientation import to_lps
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.views.viewer_content import masks_on


def turned(degrees: float) -> Geometry:
    axes = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return Geometry((7, 7, 3), (1.0, 1.0, 2.0), direction=tuple(axes.ravel().tolist()))


def test_mask_is_turned_as_its_image_where_rounding_decides_on_the_axes() -> None:
    """Axes at 45 degrees: the smallest difference between the two headers makes other axes the nearest ones."""
    image, own = turned(45 - 1e-5), turned(45 + 1e-5)
    assert own.same_as(image)
    array = np.random.default_rng(0).random(image.shape) > 0.5
    shown = to_lps(Volume(array, image)).array
    assert not np.array_equal(to_lps(Volume(array, own)).array, shown)
    volume = Volume(np.zeros(image.shape, dtype=np.float32), image)
    assert np.array_equal(masks_on(volume, {"GTV": Volume(array, own)})["GTV"], shown)

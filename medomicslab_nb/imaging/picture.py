"""A small picture of an ROI on its image, for tables and reports."""

from __future__ import annotations

from io import BytesIO

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.volumes import Volume

MOST_BYTES = 20_000

_SIDE = 160  # pixels of the longer side
_MARGIN = 0.5  # of the ROI's extent, on each side
_COLOUR = (255, 196, 0)
_WINDOWS = {"HU": (-160.0, 240.0)}


def contour_picture(image: Volume, mask: Volume, *, window: tuple[float, float] | None = None) -> bytes:
    """The slice on which the ROI is largest, cropped around it, with its outline.

    Rows and columns are shown as stored (for axial images: the patient's right is on the left), pixels as large as
    they are in mm.

    Parameters
    ----------
    image, mask : Volume
        On one grid.
    window : (low, high), optional
        Intensities shown as black and white; by default soft tissue for HU, otherwise the picture's range.

    Returns
    -------
    bytes
        A PNG file of at most 20 kB.

    Raises
    ------
    DataError
        The mask is empty, or on another grid.
    """
    if not image.geometry.same_as(mask.geometry):
        raise DataError("the image and the mask have different grids", where="picture",
                        todo="Load the mask on this image")
    if not mask.array.any():
        raise DataError("the ROI is empty", where="picture", todo="Leave it out")
    k = int(mask.array.sum(axis=(1, 2)).argmax())
    rows, columns = (_around(mask.array[k].any(axis=axis)) for axis in (1, 0))
    grey, inside = image.array[k, rows, columns], mask.array[k, rows, columns]
    return _drawn(image, grey, inside, window)


def slice_picture(image: Volume, k: int, *, window: tuple[float, float] | None = None) -> bytes:
    """The whole slice ``k`` (along z) without an outline, otherwise as :func:`contour_picture`."""
    grey = image.array[k]
    return _drawn(image, grey, np.zeros(grey.shape, dtype=bool), window)


def _drawn(image: Volume, grey: np.ndarray, inside: np.ndarray, window: tuple[float, float] | None) -> bytes:
    """Part of a slice as PNG, with pixels as large as they are in mm."""
    height_mm, width_mm = (n * spacing for n, spacing in zip(grey.shape, image.geometry.spacing_mm[1::-1], strict=True))
    scale = _SIDE / max(height_mm, width_mm)
    return _png(_shown(grey, window or _WINDOWS.get(image.unit)), inside,
                (max(1, round(width_mm * scale)), max(1, round(height_mm * scale))))


def _around(used: np.ndarray) -> slice:
    """The ROI's extent along an axis with its margin, at least five pixels wide where the image is."""
    places = np.flatnonzero(used)
    margin = max(2, round(_MARGIN * (places[-1] - places[0] + 1)))
    return slice(max(0, int(places[0]) - margin), int(places[-1]) + margin + 1)


def _shown(grey: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    """Grey values from 0 to 255."""
    finite = np.nan_to_num(grey.astype(float), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = window or (finite.min(), finite.max())
    return (np.clip((finite - low) / ((high - low) or 1.0), 0, 1) * 255).astype(np.uint8)


def _png(grey: np.ndarray, inside: np.ndarray, size: tuple[int, int]) -> bytes:
    from PIL import Image

    picture = np.array(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR).convert("RGB"))
    enlarged = np.array(Image.fromarray(inside).resize(size, Image.Resampling.NEAREST))
    picture[outline(enlarged)] = _COLOUR
    for levels in (256, 32, 8):
        content = BytesIO()
        Image.fromarray(picture // (256 // levels) * (256 // levels)).save(content, "PNG")
        if content.tell() <= MOST_BYTES:
            break
    return content.getvalue()


def outline(inside: np.ndarray) -> np.ndarray:
    """Pixels of the ROI with a neighbour outside it."""
    wide = np.pad(inside, 1)
    core = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return inside & ~core

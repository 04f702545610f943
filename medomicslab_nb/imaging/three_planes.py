"""A still picture of an image in three planes with the outlines of its ROIs: what is left where no viewer can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.display import Displayed, bounding_box, grey_levels, plane_of
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.picture import outline

MOST_BYTES = 60_000

COLOURS = ("#ffc400", "#00c2ff", "#ff5f9e", "#7dde3c", "#c08cff", "#ff8a3c", "#3ce0c0", "#f2f2f2")
"""Colours of ROIs, in their order."""

_SIDE = 260  # pixels of the longest extent
_GAP = 4
_LETTER = 12
_WHITE = len(COLOURS) + 1  # the mark of letters
_LEVELS = (200, 64, 24)  # of grey


def three_planes(shown: Displayed, masks: Mapping[str, np.ndarray], window: tuple[float, float]) -> bytes:
    """Axial, coronal and sagittal slice through the middle of the first ROI, or of the image.

    All three have one scale in mm. The patient's right is on the left, the front above in the axial slice, the head
    above in the others, where the axes run near to the patient's.

    Parameters
    ----------
    shown : Displayed
    masks : mapping of name to ndarray (z, y, x)
        bool, in LPS order.
    window : (low, high)

    Returns
    -------
    bytes
        A PNG file of at most 60 kB.

    Raises
    ------
    DataError
        A mask has another shape than the image.
    """
    for name, mask in masks.items():
        if mask.shape != shown.array.shape:
            raise DataError(f"the ROI '{name}' and the image have different grids", where="picture",
                            todo="Load the mask on this image")
    place = middle(next(iter(masks.values()), None), shown.geometry)
    scale = _SIDE / max(n * step for n, step in zip(shown.geometry.size, shown.geometry.spacing_mm, strict=True))
    planes = [_drawn(shown, list(masks.values()), axis, place[axis], window, scale) for axis in (2, 1, 0)]
    grey, marks = (_beside(layer) for layer in zip(*planes, strict=True))
    return _png(grey, marks)


def middle(mask: np.ndarray | None, geometry: Geometry) -> tuple[int, int, int]:
    """Index (x, y, z) in the middle of a mask's box, on the slice where it is largest; of the grid without one."""
    box = (0, 0, 0, 0, 0, 0) if mask is None else bounding_box(mask)
    if mask is None or not box[3]:
        x, y, z = (n // 2 for n in geometry.size)
        return x, y, z
    return box[0] + box[3] // 2, box[1] + box[4] // 2, int(mask.sum(axis=(1, 2)).argmax())


def _drawn(shown: Displayed, masks: Sequence[np.ndarray], axis: int, index: int, window: tuple[float, float],
           scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Grey values of a plane, and what is drawn on it: 0 nothing, then outlines by number, then letters."""
    from PIL import Image, ImageDraw

    across, down = {2: (0, 1), 1: (0, 2), 0: (1, 2)}[axis]
    spacing, count = shown.geometry.spacing_mm, shown.geometry.size
    size = max(1, round(count[across] * spacing[across] * scale)), max(1, round(count[down] * spacing[down] * scale))
    rows = slice(None) if axis == 2 else slice(None, None, -1)  # z grows towards the head, which is above
    grey = grey_levels(plane_of(shown, axis, index), window)[rows]
    marks = np.zeros(size[::-1], dtype=np.uint8)
    for number, mask in enumerate(masks):
        inside = np.ascontiguousarray(mask.take(index, axis=2 - axis)[rows])
        larger = np.array(Image.fromarray(inside).resize(size, Image.Resampling.NEAREST))
        marks[outline(larger)] = 1 + number % len(COLOURS)
    lettered, ends = Image.fromarray(marks), end_letters(shown.geometry)
    pen = ImageDraw.Draw(lettered)
    pen.fontmode = "1"  # no shades between marks
    pen.text((2, size[1] // 2 - _LETTER // 2), ends[across][0], fill=_WHITE)
    pen.text((size[0] // 2 - 3, 1), ends[down][0 if axis == 2 else 1], fill=_WHITE)
    return np.array(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR)), np.array(lettered)


def end_letters(geometry: Geometry) -> tuple[tuple[str, str], ...]:
    """For each axis (x, y, z) the direction at its beginning and at its end: R L, A P, F H, or two letters."""
    found = []
    for column in geometry.axes.T:
        order = [place for place in np.argsort(-np.abs(column)) if abs(column[place]) > 0.35][:2]
        end = "".join(("LPH" if column[place] > 0 else "RAF")[place] for place in order)
        begin = "".join(("RAF" if column[place] > 0 else "LPH")[place] for place in order)
        found.append((begin, end))
    return tuple(found)


def _beside(planes: Sequence[np.ndarray]) -> np.ndarray:
    height = max(len(plane) for plane in planes)
    page = [np.pad(plane, ((0, height - len(plane)), (0, _GAP))) for plane in planes]
    return np.hstack(page)[:, :-_GAP]


def _png(grey: np.ndarray, marks: np.ndarray) -> bytes:
    """The page with as many grey levels, then as many pixels, as the limit allows; marks keep their colours."""
    from PIL import Image, ImageColor

    colours = [value for name in (*COLOURS, "#ffffff") for value in ImageColor.getrgb(name)]
    while True:
        for levels in _LEVELS:
            index = np.rint(grey * ((levels - 1) / 255)).astype(np.uint8)
            page = Image.fromarray(np.where(marks > 0, levels - 1 + marks, index).astype(np.uint8))
            page.putpalette([round(step * 255 / (levels - 1)) for step in range(levels) for _ in range(3)] + colours)
            content = BytesIO()
            page.save(content, "PNG", optimize=True)
            if content.tell() <= MOST_BYTES:
                return content.getvalue()
        size = grey.shape[1] * 3 // 4, grey.shape[0] * 3 // 4
        grey, marks = (np.array(Image.fromarray(part).resize(size, how)) for part, how in (
            (grey, Image.Resampling.BILINEAR), (marks, Image.Resampling.NEAREST)))

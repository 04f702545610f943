"""What a viewer needs of a volume, as plain values: voxels in LPS order, in a small type that loses nothing, in parts.

Arrays are ordered (z, y, x), sizes, indices and boxes (x, y, z). Parts are made one at a time, so that a viewer needs
hardly more memory than the volume itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.orientation import to_lps
from medomicslab_nb.imaging.volumes import Volume

PART_BYTES = 4_000_000
"""About how much of a volume is sent at once."""

PREVIEW_BYTES = 400_000
"""What a preview takes at most."""

_WHOLE = (np.dtype("uint8"), np.dtype("int16"), np.dtype("uint16"))
_JPEG_QUALITY = 88


@dataclass(frozen=True, eq=False)
class Displayed:
    """A volume as it is shown.

    Attributes
    ----------
    array : ndarray, shape (z, y, x)
        A view of the volume's voxels in LPS order, in the type that they have.
    geometry : Geometry
        Of that order.
    dtype : dtype
        uint8, int16, uint16 or float32: in which the voxels are sent.
    low, high : float
        Range of the finite values; 0 and 0 where there are none.
    unit : str
    frame_of_reference : str
    """

    array: np.ndarray
    geometry: Geometry
    dtype: np.dtype
    low: float
    high: float
    unit: str = ""
    frame_of_reference: str = ""

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole volume as it is sent."""
        return self.array.size * self.dtype.itemsize


@dataclass(frozen=True)
class Part:
    """Voxels that follow each other: from ``offset`` on, ``count`` of them; whole slices, or rows of one slice."""

    offset: int
    count: int
    slices: slice
    rows: slice


def displayed(volume: Volume) -> Displayed:
    """A volume as it is shown; its voxels are read once, slice by slice, and not copied.

    Values are sent as whole numbers where all of them are, and fit 8 or 16 bits; otherwise as float32, the type in
    which images are loaded. (Only an array of another origin, in float64 or with whole numbers beyond 16 bits, is
    rounded to it: to seven digits.)
    """
    lps = to_lps(volume)
    low, high, whole = _range_of(lps.array)
    fitting = (kind for kind in _WHOLE if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    dtype = next(fitting, np.dtype("float32")) if whole else np.dtype("float32")
    return Displayed(lps.array, lps.geometry, dtype, low, high, lps.unit, lps.frame_of_reference)


def _range_of(array: np.ndarray) -> tuple[float, float, bool]:
    """Lowest and highest finite value, and whether all values are whole numbers."""
    lows, highs, whole = [], [], True
    for plane in array:
        if plane.dtype.kind == "f":
            whole = whole and bool(np.isfinite(plane).all() and np.array_equal(plane, np.rint(plane)))
            plane = plane if whole else plane[np.isfinite(plane)]
        if plane.size:
            lows.append(float(plane.min()))
            highs.append(float(plane.max()))
    return min(lows, default=0.0), max(highs, default=0.0), whole


def parts(shown: Displayed) -> list[Part]:
    """How the volume is cut for sending."""
    nx, ny, nz = shown.geometry.size
    row = nx * shown.dtype.itemsize
    slices = PART_BYTES // (ny * row)
    if slices:
        return [_part(shown, slice(z, min(z + slices, nz)), slice(0, ny)) for z in range(0, nz, slices)]
    rows = max(1, PART_BYTES // row)
    return [_part(shown, slice(z, z + 1), slice(y, min(y + rows, ny))) for z in range(nz) for y in range(0, ny, rows)]


def _part(shown: Displayed, slices: slice, rows: slice) -> Part:
    nx, ny, _ = shown.geometry.size
    count = (slices.stop - slices.start) * (rows.stop - rows.start) * nx
    return Part((slices.start * ny + rows.start) * nx, count, slices, rows)


def voxels_of(shown: Displayed, part: Part) -> np.ndarray:
    """A part's voxels in the type in which they are sent, C order; always a copy."""
    return np.array(shown.array[part.slices, part.rows], dtype=shown.dtype, order="C")


def preview(shown: Displayed) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Every so many-th voxel along each axis, and how many (x, y, z): at most :data:`PREVIEW_BYTES`.

    The axis that is sampled most finely in mm is thinned first.
    """
    steps = np.ones(3, dtype=int)
    size, spacing = np.asarray(shown.geometry.size), np.asarray(shown.geometry.spacing_mm)
    while np.prod(-(-size // steps)) * shown.dtype.itemsize > PREVIEW_BYTES:
        steps[np.where(steps < size, steps * spacing, np.inf).argmin()] += 1
    x, y, z = steps.tolist()
    return np.array(shown.array[::z, ::y, ::x], dtype=shown.dtype, order="C"), (x, y, z)


def matrix_of(geometry: Geometry) -> list[float]:
    """The 4 x 4 matrix, row by row, from continuous index (x, y, z, 1) to LPS mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = geometry.axes * geometry.spacing_mm
    matrix[:3, 3] = geometry.origin_mm
    return [float(value) for value in matrix.reshape(-1)]


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int, int, int]:
    """First index (x, y, z) and size (x, y, z) of the voxels of a mask (z, y, x); all zero when it is empty."""
    found = []
    for axis in (2, 1, 0):
        places = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        found.append((int(places[0]), int(places[-1] - places[0] + 1)) if len(places) else (0, 0))
    (x, nx), (y, ny), (z, nz) = found
    return x, y, z, nx, ny, nz


def packed(mask: np.ndarray, box: tuple[int, int, int, int, int, int]) -> np.ndarray:
    """Bits of a mask (z, y, x) in a box, C order, the first voxel in the lowest bit of the first byte."""
    x, y, z, nx, ny, nz = box
    return np.packbits(mask[z:z + nz, y:y + ny, x:x + nx], bitorder="little")


def plane_of(shown: Displayed, axis: int, index: int) -> np.ndarray:
    """A slice: axis 2 (y, x), axis 1 (z, x), axis 0 (z, y); a view.

    Raises
    ------
    DataError
        There is no such slice.
    """
    if axis not in (0, 1, 2) or not 0 <= index < shown.geometry.size[axis]:
        raise DataError(f"there is no slice {index} along axis {axis}", where="image",
                        todo="Choose a slice inside the image")
    return shown.array.take(index, axis=2 - axis)


def grey_levels(plane: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Values from 0 (at the window's lower end or below, and where there is no value) to 255."""
    low, high = window
    share = (plane.astype(np.float32) - low) / max(high - low, 1e-12)
    return (np.clip(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0), 0, 1) * 255 + 0.5).astype(np.uint8)


def jpeg_of(plane: np.ndarray, window: tuple[float, float]) -> bytes:
    """A slice as JPEG of 8 bits, in its own rows and columns."""
    from PIL import Image

    content = BytesIO()
    Image.fromarray(grey_levels(plane, window)).save(content, "JPEG", quality=_JPEG_QUALITY)
    return content.getvalue()

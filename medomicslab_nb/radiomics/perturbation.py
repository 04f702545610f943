"""Perturbed images and contours, for the judgement of a feature's robustness.

The perturbations are those of Zwanenburg et al. [1]_, with their letters:

- ``growth``, ``shrink`` (V): the ROI gains or loses a fraction of its volume, 4 % to 28 %; its voxels come or go in the
  order of their distance in mm from the boundary, in hollows and on spurs first.
- ``contour`` (C): the boundary moves along its normal by a smooth Gaussian random field, whose standard deviation is
  half the edge of a cube of a voxel's volume, correlated over 5 mm (in [1]_: by random supervoxels).
- ``translation`` (T): image and ROI move by 0 to 1 voxel along each axis.
- ``rotation`` (R): image and ROI turn by -13 to 13 degrees about the slice axis through the ROI's centroid.
- ``noise`` (N): Gaussian noise is added, as strong as the noise found in the image by Chang's wavelet method [2]_.

Where a second reader drew the same lesion, or the patient was scanned twice, nothing is drawn here: the index of images
has a row for each reading, and their features are published beside the perturbed ones.

Randomness is drawn first, as a list of :class:`Perturbed`; :func:`apply` is deterministic. Amounts are rounded to what
their text says, so the text alone repeats the perturbation.

References
----------
.. [1] Zwanenburg A et al. Assessing robustness of radiomic features by image perturbation. Sci Rep 2019;9:614.
.. [2] Chang SG, Yu B, Vetterli M. Adaptive wavelet thresholding for image denoising and compression. IEEE Trans Image
   Process 2000;9:1532-1546.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.settings import Perturbation, RadiomicsSettings

REACH_MM = 40.0
"""Surroundings of the ROI that move or turn with it; further away the image stays as it is."""
CORRELATION_MM = 5.0
"""Width (sigma) of the Gaussian that smooths the random displacement of a contour."""

_VOLUME = (0.04, 0.28)  # fraction gained or lost
_ANGLE = 13.0  # degrees
_NOISE_MM = 30.0  # surroundings of the ROI in which noise is estimated; the air around a patient has none of it
_TIE = 1e-6  # mm, and shares of a voxel: rounding errors must not decide a tie
_WHERE = "perturbation"
_ORDER: tuple[Perturbation, ...] = ("growth", "shrink", "contour", "translation", "rotation", "noise")


@dataclass(frozen=True)
class Perturbed:
    """A perturbation, ready to be applied; its text describes it completely.

    Attributes
    ----------
    kind : str
    number : int
        1, 2, ... among those of its kind.
    amounts : tuple of float
        growth, shrink: fraction of the volume; translation: voxels along x, y, z; rotation: degrees, from the index
        axis x to y; contour, noise: nothing.
    seed : int
        contour, noise: of the random field.
    """

    kind: Perturbation
    number: int
    amounts: tuple[float, ...] = ()
    seed: int = 0

    def __str__(self) -> str:
        text = {"growth": "volume +{:.2%}", "shrink": "volume -{:.2%}", "translation": "{:.3f} {:.3f} {:.3f} voxels",
                "rotation": "{:.2f} degrees"}.get(self.kind, f"seed {self.seed}")
        return f"{self.kind} {self.number}: {text.format(*self.amounts)}"


def draw(settings: RadiomicsSettings, seed_parts: Sequence[str]) -> tuple[Perturbed, ...]:
    """Draw the perturbations of a case.

    Parameters
    ----------
    seed_parts : sequence of str
        What names the case. Each kind has its own stream, seeded by the settings' seed, the kind and the sha256 of
        these parts: asking for another kind, or for more draws, changes none of the others.
    """
    name = hashlib.sha256("\x1f".join(seed_parts).encode()).digest()
    words = np.frombuffer(name, dtype="<u4").tolist()
    drawn: list[Perturbed] = []
    for kind in dict.fromkeys(settings.perturbations):
        rng = np.random.default_rng([settings.seed, _ORDER.index(kind), *words])
        drawn += [_draw_one(kind, number + 1, rng) for number in range(settings.perturbation_count)]
    return tuple(drawn)


def apply(image: Volume, mask: Volume, perturbed: Perturbed) -> tuple[Volume, Volume]:
    """The perturbed image and ROI.

    Where a moved ROI would leave the image, both grids grow by whole voxels, continued by the nearest value.

    Parameters
    ----------
    image, mask : Volume
        On one grid; the mask is bool and not empty.

    Raises
    ------
    DataError
        Nothing of the ROI is left, there is no room for it to grow, or the image has no noise to go by.
    """
    if not mask.array.any():
        raise DataError("the ROI is empty", where=_WHERE, todo="Check the contour, or leave the ROI out")
    image, mask = _APPLY[perturbed.kind](image, mask, perturbed)
    if not mask.array.any():
        raise DataError(f"nothing is left of the ROI ({perturbed})", where=_WHERE,
                        todo="Leave the ROI out: it is too small for this perturbation")
    return image, mask


def noise_sd(image: Volume, mask: Volume) -> float:
    """Standard deviation of the noise around the ROI, in the image's unit.

    Median of the absolute diagonal details of each slice (wavelet coif1), divided by 0.6754, as MIRP has it; within
    30 mm of the ROI.

    Raises
    ------
    DataError
        The image has no noise there.
    """
    import pywt

    part = image.array[_surroundings(mask, _NOISE_MM)].astype(np.float64)
    high = np.array(pywt.Wavelet("coif1").dec_hi)
    details = ndimage.convolve1d(ndimage.convolve1d(part, high, axis=1), high, axis=2)
    found = float(np.median(np.abs(details)) / 0.6754)
    if found <= np.finfo(np.float32).eps * float(np.abs(part).max()):
        raise DataError("no noise is found around the ROI", where=_WHERE,
                        todo="Leave the perturbation by noise out: the image is constant or masked there")
    return found


def _draw_one(kind: Perturbation, number: int, rng: np.random.Generator) -> Perturbed:
    if kind in ("growth", "shrink"):
        return Perturbed(kind, number, (round(float(rng.uniform(*_VOLUME)), 4),))
    if kind == "translation":
        return Perturbed(kind, number, tuple(round(float(value), 3) for value in rng.uniform(0, 1, 3)))
    if kind == "rotation":
        return Perturbed(kind, number, (round(float(rng.uniform(-_ANGLE, _ANGLE)), 2),))
    return Perturbed(kind, number, seed=int(rng.integers(2**31)))


# -- contours ----------------------------------------------------------------------------------------------------


def _grown(image: Volume, mask: Volume, perturbed: Perturbed) -> tuple[Volume, Volume]:
    gained = max(1, round(float(mask.array.sum()) * perturbed.amounts[0]))
    extent = max(np.ptp(np.argwhere(mask.array), axis=0) * _spacing(mask))
    region = _surroundings(mask, 0.1 * float(extent), voxels=2)
    roi = mask.array[region]
    candidates = _by_distance(roi, mask)[roi.sum():]
    if len(candidates) < gained:
        raise DataError("the image ends at the ROI, which has no room to grow", where=_WHERE,
                        todo="Leave the perturbation by growth out, or use images that are less cropped")
    return image, _with_flipped(mask, region, candidates[:gained])


def _shrunk(image: Volume, mask: Volume, perturbed: Perturbed) -> tuple[Volume, Volume]:
    lost = max(1, round(float(mask.array.sum()) * perturbed.amounts[0]))
    region = _surroundings(mask, 0, voxels=1)
    roi = mask.array[region]
    inside = _by_distance(roi, mask)[:roi.sum()]
    return image, _with_flipped(mask, region, inside[len(inside) - min(lost, len(inside)):])


def _randomised(image: Volume, mask: Volume, perturbed: Perturbed) -> tuple[Volume, Volume]:
    spread = mask.geometry.voxel_mm3 ** (1 / 3) / 2
    region = _surroundings(mask, 4 * spread + 2 * CORRELATION_MM, voxels=1)
    roi = mask.array[region]
    field = _smooth_field(roi.shape, CORRELATION_MM / _spacing(mask), np.random.default_rng(perturbed.seed))
    array = np.zeros_like(mask.array)
    array[region] = _signed_distance(roi, mask) + spread * field < 0
    return image, mask.with_array(array)


def _by_distance(roi: np.ndarray, mask: Volume) -> np.ndarray:
    """Flat indices of a region's voxels from the depth of the ROI outwards; ties: those amid more of the ROI first."""
    distance = np.round(_signed_distance(roi, mask) / _TIE) * _TIE
    amid = np.round(ndimage.gaussian_filter(roi.astype(np.float64), 1.0, mode="constant"), 6)
    return np.lexsort((-amid.ravel(), distance.ravel()))


def _signed_distance(roi: np.ndarray, mask: Volume) -> np.ndarray:
    """Distance from the boundary in mm, negative inside; the boundary runs halfway between voxels.

    The mean of the distances from the outermost voxels inside and from the innermost outside.
    """
    padded = np.pad(roi, 1).astype(np.uint8)
    maps = []
    for array in (padded, 1 - padded):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(mask.geometry.spacing_mm)
        distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False,
                                                useImageSpacing=True)
        maps.append(sitk.GetArrayFromImage(distance).astype(np.float64))
    return ((maps[0] - maps[1]) / 2)[1:-1, 1:-1, 1:-1]


def _smooth_field(shape: tuple[int, ...], sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian random field of mean 0 and standard deviation 1; ``sigma`` in voxels (z, y, x)."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    for size, width in zip(shape, sigma, strict=True):
        impulse = np.zeros(size)
        impulse[0] = 1
        field /= np.sqrt((ndimage.gaussian_filter1d(impulse, width, mode="wrap") ** 2).sum())
    return field


def _with_flipped(mask: Volume, region: tuple[slice, ...], flat: np.ndarray) -> Volume:
    array = mask.array.copy()
    part = array[region].ravel()
    part[flat] = ~part[flat]
    array[region] = part.reshape(array[region].shape)
    return mask.with_array(array)


# -- positions ---------------------------------------------------------------------------------------------------


def _translated(image: Volume, mask: Volume, perturbed: Perturbed) -> tuple[Volume, Volume]:
    """An axis of a single voxel stays: there is nothing to interpolate between."""
    moved = np.array(perturbed.amounts[::-1]) * (np.array(mask.array.shape) > 1)
    return _moved(image, mask, np.eye(3), moved)


def _rotated(image: Volume, mask: Volume, perturbed: Perturbed) -> tuple[Volume, Volume]:
    angle = np.deg2rad(perturbed.amounts[0])
    turn = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])  # z y x
    spacing = _spacing(mask)
    matrix = turn * spacing[None] / spacing[:, None]  # in mm, from voxels to voxels
    centre = np.argwhere(mask.array).mean(axis=0)
    return _moved(image, mask, matrix, centre - matrix @ centre)


def _moved(image: Volume, mask: Volume, matrix: np.ndarray, shift: np.ndarray) -> tuple[Volume, Volume]:
    """Image and ROI with the voxel at index i (z, y, x) moved to ``matrix @ i + shift``.

    Cubic splines for the image, kept within its range; linear interpolation and a threshold of one half for the ROI.
    """
    ends = _corners(_surroundings(mask, 0)) @ matrix.T + shift
    image, mask, added = _extended(image, mask, ends)
    shift = shift + added - matrix @ added
    region = _widened(ends + added, REACH_MM / _spacing(mask), mask.array.shape)
    inverse = np.linalg.inv(matrix)
    source = _widened((_corners(region) - shift) @ inverse.T, np.full(3, 16), mask.array.shape)
    start, first = np.array([part.start for part in region]), np.array([part.start for part in source])
    offset = inverse @ (start - shift) - first
    shape = tuple(part.stop - part.start for part in region)
    voxels = image.array[source].astype(np.float64)
    values = ndimage.affine_transform(voxels, inverse, offset, shape, order=3, mode="nearest")
    share = ndimage.affine_transform(mask.array[source].astype(np.float64), inverse, offset, shape, order=1)
    array, roi = image.array.copy(), np.zeros_like(mask.array)
    array[region] = np.clip(values, voxels.min(), voxels.max())
    roi[region] = share >= 0.5 - _TIE
    return image.with_array(array), mask.with_array(roi)


def _extended(image: Volume, mask: Volume, ends: np.ndarray) -> tuple[Volume, Volume, np.ndarray]:
    """Both on a grid that holds the indices ``ends`` too, and the voxels added before the first (z, y, x)."""
    shape = np.array(mask.array.shape)
    before = np.maximum(0, -np.floor(ends.min(axis=0) + _TIE)).astype(int)
    after = np.maximum(0, np.ceil(ends.max(axis=0) - _TIE) - (shape - 1)).astype(int)
    if not (before.any() or after.any()):
        return image, mask, before
    geometry = mask.geometry.crop((-before[::-1]).tolist(), (shape + before + after)[::-1].tolist())
    width = np.stack([before, after], axis=1)
    wider = Volume(np.pad(image.array, width, mode="edge"), geometry, image.unit, image.frame_of_reference)
    return wider, Volume(np.pad(mask.array, width), geometry, mask.unit, mask.frame_of_reference), before


# -- noise -------------------------------------------------------------------------------------------------------


def _noisy(image: Volume, mask: Volume, perturbed: Perturbed) -> tuple[Volume, Volume]:
    noise = np.random.default_rng(perturbed.seed).standard_normal(image.array.shape, dtype=np.float32)
    return image.with_array(image.array + np.float32(noise_sd(image, mask)) * noise), mask


# -- regions -----------------------------------------------------------------------------------------------------


def _spacing(volume: Volume) -> np.ndarray:
    """mm, z y x."""
    return np.array(volume.geometry.spacing_mm[::-1])


def _surroundings(mask: Volume, margin_mm: float, voxels: int = 0) -> tuple[slice, ...]:
    """The box around the ROI with a margin, as far as the image reaches."""
    found = np.argwhere(mask.array)
    return _widened(np.stack([found.min(axis=0), found.max(axis=0)]), margin_mm / _spacing(mask) + voxels,
                    mask.array.shape)


def _widened(indices: np.ndarray, margin: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The box around indices (n, 3), widened by a margin in voxels, within a shape."""
    lower = np.clip(np.floor(indices.min(axis=0) - margin + _TIE).astype(int), 0, np.array(shape) - 1)
    upper = np.clip(np.ceil(indices.max(axis=0) + margin - _TIE).astype(int), 0, np.array(shape) - 1)
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(lower, upper, strict=True))


def _corners(region: tuple[slice, ...]) -> np.ndarray:
    """Indices of a box's corner voxels, shape (8, 3)."""
    ends = [(part.start, part.stop - 1) for part in region]
    return np.array(np.meshgrid(*ends, indexing="ij"), dtype=float).reshape(3, -1).T


_APPLY: dict[str, Callable[[Volume, Volume, Perturbed], tuple[Volume, Volume]]] = {
    "growth": _grown, "shrink": _shrunk, "contour": _randomised, "translation": _translated, "rotation": _rotated,
    "noise": _noisy,
}

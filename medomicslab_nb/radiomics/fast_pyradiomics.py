"""pyradiomics' feature classes with the waste taken out; their values stay the same.

Matrices come from pyradiomics' C extension and formulas from its classes. What is replaced: binning once for each image
instead of six times; no statistics over the whole volume; runs are counted line by line; sums over diagonals of the
GLCM in one pass; the maximal correlation coefficient from a symmetric matrix; mesh volume and area from counts of cube
configurations, and the diameters from the mesh's hull instead of all pairs of vertices.

Arrays are ordered (z, y, x), spacings too, as in pyradiomics.
"""

from __future__ import annotations

import functools
import logging
import types
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from radiomics import cMatrices, cShape, firstorder, glcm, gldm, glrlm, glszm, imageoperations, ngtdm, shape, shape2D

from medomicslab_nb.radiomics.mesh_diameter import largest_distances

# The classes log under their module's name, here ours: what is not defined is NaN, and the caller says so.
logging.getLogger(__name__).setLevel(logging.CRITICAL)

_MCC_RELIABLE = 1e-4  # below it, the coefficient is the square root of rounding errors: the library's own are kept


@dataclass(frozen=True, eq=False)
class Levels:
    """Grey levels of an image, shared by its feature classes.

    Attributes
    ----------
    array : ndarray of int, shape (z, y, x)
        1 to ``count`` inside the mask.
    present : ndarray of int
        Levels that occur, ascending.
    """

    array: np.ndarray
    present: np.ndarray
    count: int

    @classmethod
    def of(cls, array: np.ndarray, mask: np.ndarray) -> Levels:
        present = np.unique(array[mask])
        return cls(array, present, int(present[-1]))


def bin_image(array: np.ndarray, mask: np.ndarray, settings: Mapping[str, Any]) -> Levels:
    """Grey levels as pyradiomics' ``binWidth`` or ``binCount`` make them."""
    values = array[mask]
    # Edges depend on the extremes only; the library looks for them in a loop in Python.
    edges = imageoperations.getBinEdges(np.array([values.min(), values.max()]), **settings)
    levels = np.zeros(array.shape, dtype="int")
    levels[mask] = np.digitize(values, edges)
    return Levels.of(levels, mask)


class _SharedLevels:
    """Takes ready grey levels from the settings instead of binning."""

    @classmethod
    def getFeatureNames(cls) -> dict[str, bool]:
        return dict(_feature_names(cls))

    def _applyBinning(self, matrix: np.ndarray) -> np.ndarray:  # noqa: ARG002
        levels: Levels = self.settings["levels"]  # type: ignore[attr-defined]
        self.coefficients["grayLevels"] = levels.present  # type: ignore[attr-defined]
        self.coefficients["Ng"] = levels.count  # type: ignore[attr-defined]
        return levels.array


@functools.cache
def _feature_names(cls: type) -> dict[str, bool]:
    return super(_SharedLevels, cls).getFeatureNames()  # type: ignore[misc]


class FirstOrder(_SharedLevels, firstorder.RadiomicsFirstOrder):
    """Intensity statistics and two histogram features."""

    @staticmethod
    def _moment(a: np.ndarray, moment: int = 1) -> np.ndarray:
        centred = a - a.mean(axis=1, keepdims=True)
        product = centred
        for _ in range(moment - 1):
            product = product * centred
        return product.mean(axis=1)


    @functools.cached_property
    def _percentiles(self) -> dict[int, np.ndarray]:
        wanted = (10, 25, 50, 75, 90)
        return dict(zip(wanted, np.percentile(self.targetVoxelArray, wanted, axis=1), strict=True))

    def get10PercentileFeatureValue(self) -> np.ndarray:
        return self._percentiles[10]

    def get90PercentileFeatureValue(self) -> np.ndarray:
        return self._percentiles[90]

    def getMedianFeatureValue(self) -> np.ndarray:
        return self._percentiles[50]

    def getInterquartileRangeFeatureValue(self) -> np.ndarray:
        return self._percentiles[75] - self._percentiles[25]


class GLCM(_SharedLevels, glcm.RadiomicsGLCM):
    """Grey level co-occurrence."""

    def _calculateCoefficients(self) -> None:
        p, c = self.P_glcm, self.coefficients
        levels = c["grayLevels"].astype("float")
        i, j = np.meshgrid(levels, levels, indexing="ij", sparse=True)
        c["eps"], c["i"], c["j"] = np.spacing(1), i, j
        c["kValuesSum"] = np.arange(2, c["Ng"] * 2 + 1, dtype="float")
        c["kValuesDiff"] = np.arange(0, c["Ng"], dtype="float")
        c["px"], c["py"] = p.sum(2, keepdims=True), p.sum(1, keepdims=True)
        c["ux"] = np.sum(i[None, :, :, None] * c["px"], (1, 2), keepdims=True)
        c["uy"] = np.sum(j[None, :, :, None] * c["py"], (1, 2), keepdims=True)
        c["pxAddy"] = _summed_by(p, (i + j).astype(int) - 2, 2 * c["Ng"] - 1)
        c["pxSuby"] = _summed_by(p, np.abs(i - j).astype(int), c["Ng"])
        c["HXY"] = -np.sum(p * np.log2(p + c["eps"]), (1, 2))

    def _cluster(self, power: int) -> np.ndarray:
        """Mean over directions of the sums of (i + j - ux - uy)^power p, from the sums over the antidiagonals."""
        c = self.coefficients
        centred = c["kValuesSum"][None, :, None] - (c["ux"] + c["uy"])[:, 0]
        product = c["pxAddy"]
        for _ in range(power):
            product = product * centred
        return np.nanmean(product.sum(1), 1)

    def getClusterTendencyFeatureValue(self) -> np.ndarray:
        return self._cluster(2)

    def getClusterShadeFeatureValue(self) -> np.ndarray:
        return self._cluster(3)

    def getClusterProminenceFeatureValue(self) -> np.ndarray:
        return self._cluster(4)

    def getMCCFeatureValue(self) -> np.ndarray:
        """The second singular value of p(i, k) / sqrt(px(i) py(k)), averaged over directions.

        Its square is the second eigenvalue of the library's Q, to first order in the library's epsilon.
        """
        p, c = self.P_glcm, self.coefficients
        if not self.symmetricalGLCM or p.shape[1] < 2 or p.shape[3] == 0 or not np.isfinite(p).all():
            return super().getMCCFeatureValue()
        b = (p / np.sqrt(c["px"] * c["py"] + c["eps"])).transpose(0, 3, 1, 2)
        second = np.sort(np.abs(np.linalg.eigvalsh(b)), axis=2)[:, :, -2]
        return second.mean(1) if (second > _MCC_RELIABLE).all() else super().getMCCFeatureValue()


def _summed_by(p: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    """Sums of p, shape (1, Ng, Ng, angles), over equal indices, shape (Ng, Ng): (1, count, angles)."""
    flat = p[0].reshape(index.size, -1)
    sums = [np.bincount(index.ravel(), weights=flat[:, angle], minlength=count) for angle in range(flat.shape[1])]
    return np.stack(sums, axis=1)[None] if sums else np.zeros((1, count, 0))


class GLRLM(_SharedLevels, glrlm.RadiomicsGLRLM):
    """Grey level run lengths."""


class GLSZM(_SharedLevels, glszm.RadiomicsGLSZM):
    """Grey level size zones."""


class GLDM(_SharedLevels, gldm.RadiomicsGLDM):
    """Grey level dependence, IBSI's NGLDM."""


class NGTDM(_SharedLevels, ngtdm.RadiomicsNGTDM):
    """Neighbourhood grey tone differences."""


class Shape(shape.RadiomicsShape):
    """Shape, in 3D."""

    def _initSegmentBasedCalculation(self) -> None:
        self.pixelSpacing = np.array(self.inputImage.GetSpacing()[::-1])
        self.maskArray = np.pad(sitk.GetArrayViewFromImage(self.inputMask) == self.label, 1)
        self.labelledVoxelCoordinates = (range(int(self.maskArray.sum())),)  # the library only counts them
        spacing = tuple(self.pixelSpacing.tolist())
        self.SurfaceArea, self.Volume = _area_and_volume(self.maskArray, spacing)
        self.diameters = largest_distances(_vertices(self.maskArray), spacing)
        self.eigenValues = _eigenvalues(self.maskArray, self.pixelSpacing)


class Shape2D(shape2D.RadiomicsShape2D):
    """Shape, of a single slice."""


TEXTURE = ("glcm", "gldm", "glrlm", "glszm", "ngtdm")
CLASSES: dict[str, type] = {"firstorder": FirstOrder, "glcm": GLCM, "gldm": GLDM, "glrlm": GLRLM, "glszm": GLSZM,
                            "ngtdm": NGTDM, "shape": Shape, "shape2D": Shape2D}
"""Feature classes by pyradiomics' own names."""


def measure_class(name: str, image: sitk.Image, mask: sitk.Image, features: Sequence[str] | None,
                  settings: Mapping[str, Any]) -> dict[str, float]:
    """Values of one class on an image that is cropped to the ROI, by pyradiomics' names of the features.

    Parameters
    ----------
    features : sequence of str or None
        None or empty: all that are not deprecated.
    settings : Mapping
        pyradiomics' settings, with ``levels`` for all but shape.

    Returns
    -------
    dict
        NaN where a feature is not defined for the ROI.
    """
    measured = CLASSES[name](image, mask, **settings)
    names = features or [feature for feature, deprecated in measured.featureNames.items() if not deprecated]
    values = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        measured._initCalculation()
        for feature in names:
            try:
                values[feature] = float(np.squeeze(getattr(measured, f"get{feature}FeatureValue")()))
            except DeprecationWarning:  # the library's way to say that another feature has the same value
                continue
    return values


# --- Runs -------------------------------------------------------------------------------------------------------------


def run_lengths(image: np.ndarray, mask: np.ndarray, count: int, longest: int, force2D: bool = False,
                force2Ddimension: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What ``cMatrices.calculate_glrlm`` counts, in half the time: runs by level, length and direction.

    Returns
    -------
    matrix : ndarray of float, shape (1, count, longest, directions)
    angles : ndarray of int, shape (directions, 3)
    """
    distances, both_ways = np.array([1]), 0
    angles = cMatrices.generate_angles(np.array(image.shape), distances, both_ways, force2D, force2Ddimension)
    padded = np.pad(np.where(mask, image, 0).astype(np.int32 if count > np.iinfo(np.uint16).max else np.uint16), 1)
    matrix = np.zeros((1, count, longest, len(angles)))
    for at, angle in enumerate(angles):
        # Voxels that follow each other along the direction lie one stride apart; the rim ends every line.
        stride = abs(int(angle @ [padded.shape[1] * padded.shape[2], padded.shape[2], 1]))
        flat = np.zeros(-(-padded.size // stride) * stride, dtype=padded.dtype)
        flat[:padded.size] = padded.ravel()
        lines = flat.reshape(-1, stride).T.ravel()
        ends = np.flatnonzero(lines[1:] != lines[:-1])
        levels, lengths = lines[ends].astype(np.intp), np.diff(ends, prepend=-1)
        inside = levels > 0
        if lengths[inside].max() == 1 and _all_alone(mask, angle):
            continue  # the library leaves out a direction in which no voxel has another one on its line
        cells = np.bincount((levels[inside] - 1) * longest + lengths[inside] - 1, minlength=count * longest)
        matrix[0, :, :, at] = cells.reshape(count, longest)
    return matrix, angles


def _all_alone(mask: np.ndarray, angle: np.ndarray) -> bool:
    """Whether no line along a direction holds two voxels of the mask."""
    voxels = np.argwhere(mask)
    axis = int(np.flatnonzero(angle)[0])
    feet = voxels - voxels[:, [axis]] * (angle / angle[axis]).astype(int)
    return len(np.unique(feet, axis=0)) == len(voxels)


class _Counts:
    """Stands for the C extension in the library's method."""

    calculate_glrlm = staticmethod(run_lengths)


# The library's own method, which asks the name cMatrices for the counts.
GLRLM._calculateMatrix = types.FunctionType(glrlm.RadiomicsGLRLM._calculateMatrix.__code__,
                                            {**vars(glrlm), "cMatrices": _Counts}, argdefs=(None,))

# --- Mesh -------------------------------------------------------------------------------------------------------------

_CORNERS = ((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1))


@functools.cache
def _cubes() -> list[np.ndarray]:
    """The 256 configurations of a cube of eight voxels, by code: voxel ``_CORNERS[bit]`` is bit ``bit``."""
    return [np.array([code >> bit & 1 for bit in range(8)], dtype=bool).reshape(2, 2, 2) for code in range(256)]


@functools.lru_cache(maxsize=64)
def _areas(spacing: tuple[float, float, float]) -> np.ndarray:
    """Surface area that each configuration adds to the mesh, from the library itself, shape (256,)."""
    return np.array([_mesh_of(cube, spacing)[0] for cube in _cubes()])


@functools.cache
def _volumes() -> tuple[np.ndarray, np.ndarray]:
    """Volume that each configuration adds to the mesh, from the library itself, in voxels.

    At index (0, 0, 0), shape (256,), and what is added to it for each step along an axis, shape (256, 3): the library
    sums tetrahedra that reach from the origin. For a closed mesh the origin does not matter.
    """
    volumes = np.array([_mesh_of(cube, (1.0, 1.0, 1.0))[1] for cube in _cubes()])
    steps = np.zeros((256, 3))
    for code, cube in enumerate(_cubes()):
        for axis in range(3):
            # The cube one step further; between it and the origin lies a cube that shares a face with it.
            empty = np.zeros_like(cube).take([0], axis=axis)
            both = np.concatenate([empty, cube], axis=axis)
            between = _code(both.take((0, 1), axis=axis))
            steps[code, axis] = _mesh_of(both, (1.0, 1.0, 1.0))[1] - volumes[between] - volumes[code]
    return volumes, steps


def _mesh_of(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float]:
    area, volume, _ = cShape.calculate_coefficients(mask, np.array(spacing))
    return area, volume


def _code(cube: np.ndarray) -> int:
    return int(np.packbits(cube.ravel(), bitorder="little")[0])


def _area_and_volume(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float]:
    """Surface area (mm2) and volume (mm3) of the mesh of a mask that is padded by one voxel."""
    size = np.subtract(mask.shape, 1)
    codes = np.zeros(size, dtype=np.uint8)
    for bit, (z, y, x) in enumerate(_CORNERS):
        codes |= mask[z:z + size[0], y:y + size[1], x:x + size[2]].astype(np.uint8) << np.uint8(bit)
    surface = np.nonzero((codes > 0) & (codes < 255))
    found = codes[surface]
    counts = np.bincount(found, minlength=256)
    volumes, steps = _volumes()
    volume = counts @ volumes
    for axis, at in enumerate(surface):
        volume += np.bincount(found, weights=at, minlength=256) @ steps[:, axis]
    return float(counts @ _areas(spacing)), float(volume * np.prod(spacing))


def _vertices(mask: np.ndarray) -> np.ndarray:
    """Vertices of the mesh, in half voxels: the middles between voxels inside and their neighbours outside, (n, 3)."""
    parts = []
    for axis in range(3):
        first = (slice(None),) * axis + (slice(None, -1),)
        second = (slice(None),) * axis + (slice(1, None),)
        at = np.argwhere(mask[first] != mask[second]) * 2
        at[:, axis] += 1
        parts.append(at)
    return np.concatenate(parts)


def _eigenvalues(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Eigenvalues of the covariance of the voxels' positions, ascending (mm2); from counts along axes and planes."""
    counts = [mask.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    n = counts[0].sum()
    centred = [np.arange(len(count)) - (count @ np.arange(len(count))) / n for count in counts]
    covariance = np.empty((3, 3))
    for a in range(3):
        covariance[a, a] = counts[a] @ centred[a] ** 2
        for b in range(a + 1, 3):
            covariance[a, b] = covariance[b, a] = centred[a] @ mask.sum(axis=3 - a - b) @ centred[b]
    values = np.sort(np.linalg.eigvalsh(covariance * np.outer(spacing, spacing) / n))
    values[(values < 0) & (values > -1e-10)] = 0  # a flat ROI: rounding errors, as in the library
    return values

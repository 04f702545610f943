"""pyradiomics' feature classes with the waste taken out; their values stay the same.

Formulas are those of the library's classes. What is replaced: binning once for each image instead of six times; three
of the five matrices (:mod:`~medomicslab_nb.radiomics.texture_counts`); sums over diagonals of the GLCM in one pass; the
maximal correlation coefficient from a symmetric matrix; the mesh (:mod:`~medomicslab_nb.radiomics.mesh`).

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
from radiomics import firstorder, glcm, gldm, glrlm, glszm, imageoperations, ngtdm, shape, shape2D

from medomicslab_nb.errors import DataError
from medomicslab_nb.radiomics import texture_counts
from medomicslab_nb.radiomics.mesh import area_and_volume, eigenvalues, vertices
from medomicslab_nb.radiomics.mesh_diameter import largest_distances

# The classes log under their module's name, here ours: what is not defined is NaN, and the caller says so.
logging.getLogger(__name__).setLevel(logging.CRITICAL)

_WHERE = "pyradiomics parameters"
_MOST_LEVELS = 4096  # texture matrices of more take gigabytes and are almost empty
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
    _check_values(values, settings)
    # Edges depend on the extremes only; the library looks for them in a loop in Python.
    edges = imageoperations.getBinEdges(np.array([values.min(), values.max()]), **settings)
    levels = np.zeros(array.shape, dtype="int")
    levels[mask] = np.digitize(values, edges)
    return Levels.of(levels, mask)


def _check_values(values: np.ndarray, settings: Mapping[str, Any]) -> None:
    """Refuse what the library turns into a crash, or into matrices that fill the memory."""
    if not np.isfinite(values).all():
        raise DataError("the image holds values in the ROI that are no numbers", where=_WHERE,
                        todo="Check that the image covers the whole ROI")
    levels = settings.get("binCount") or (values.max() - values.min()) / settings.get("binWidth", 25)
    if levels > _MOST_LEVELS:
        raise DataError(f"there would be {levels:.3g} grey levels", where=_WHERE,
                        todo="Choose a wider binWidth: check the image's unit")


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


def _with_own_counts(method: types.FunctionType, module: types.ModuleType) -> types.FunctionType:
    """The library's method, in which the name of its C extension stands for our counts."""
    return types.FunctionType(method.__code__, {**vars(module), "cMatrices": texture_counts},
                              argdefs=method.__defaults__)


class GLRLM(_SharedLevels, glrlm.RadiomicsGLRLM):
    """Grey level run lengths."""

    _calculateMatrix = _with_own_counts(glrlm.RadiomicsGLRLM._calculateMatrix, glrlm)


class GLSZM(_SharedLevels, glszm.RadiomicsGLSZM):
    """Grey level size zones."""


class GLDM(_SharedLevels, gldm.RadiomicsGLDM):
    """Grey level dependence, IBSI's NGLDM."""

    _calculateMatrix = _with_own_counts(gldm.RadiomicsGLDM._calculateMatrix, gldm)


class NGTDM(_SharedLevels, ngtdm.RadiomicsNGTDM):
    """Neighbourhood grey tone differences."""

    _calculateMatrix = _with_own_counts(ngtdm.RadiomicsNGTDM._calculateMatrix, ngtdm)


class Shape(shape.RadiomicsShape):
    """Shape, in 3D."""

    def _initSegmentBasedCalculation(self) -> None:
        self.pixelSpacing = np.array(self.inputImage.GetSpacing()[::-1])
        self.maskArray = np.pad(sitk.GetArrayViewFromImage(self.inputMask) == self.label, 1)
        self.labelledVoxelCoordinates = (range(int(self.maskArray.sum())),)  # the library only counts them
        spacing = tuple(self.pixelSpacing.tolist())
        self.SurfaceArea, self.Volume = area_and_volume(self.maskArray, spacing)
        self.diameters = largest_distances(vertices(self.maskArray), spacing)
        self.eigenValues = eigenvalues(self.maskArray, self.pixelSpacing)


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

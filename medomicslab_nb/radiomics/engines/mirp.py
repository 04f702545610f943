"""The engine MIRP: all features that IBSI standardised, with every aggregation.

MIRP gets our image, masks and grey levels as they are; its own preprocessing is not used. In three dimensions it also
gives the aggregations by slice (2D and 2.5D); in two dimensions only these.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medomicslab_nb.radiomics.autocorrelation import moran_geary
from medomicslab_nb.radiomics.engines import FEATURE_COLUMNS
from medomicslab_nb.radiomics.engines.volume_histogram import intensity_range, volume_histogram
from medomicslab_nb.radiomics.nomenclature import features_of
from medomicslab_nb.radiomics.preprocessing import Prepared, bounding_box

if TYPE_CHECKING:
    from mirp._images.generic_image import GenericImage
    from mirp._masks.base_mask import BaseMask

_DIRECTIONAL = {"2d_average": "2D, averaged", "2d_slice_merge": "2D, slice-merged",
                "2.5d_direction_merge": "2.5D, direction-merged", "2.5d_volume_merge": "2.5D, merged",
                "3d_average": "3D, averaged", "3d_volume_merge": "3D, merged"}
_OTHERS = {"2d": "2D", "2.5d": "2.5D", "3d": "3D"}
_AGGREGATIONS = _DIRECTIONAL | _OTHERS
_INTENSITY = ["local_intensity", "statistics", "intensity_volume_histogram"]
_TEXTURE = ["intensity_histogram", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm"]
_SPATIAL = ("N365", "NPT7")
_SAMPLED = 1000  # voxels from which on MIRP estimates Moran's I and Geary's C
_SAMPLING = "mean over random samples of 100 voxels, to a standard error of 0.002; IBSI takes all pairs of voxels"


def measure(prepared: Prepared) -> pd.DataFrame:
    """Features of a prepared ROI, with the columns :data:`~medomicslab_nb.radiomics.engines.FEATURE_COLUMNS`.

    Shape is left out for filtered images. What is not defined for the ROI is NaN.
    """
    names = features_of("mirp")
    exact = _exact(prepared)
    rows = []
    for feature in _computed(prepared):
        if feature.abbr_name in names:
            named = names[feature.abbr_name]
            value = np.nan if feature.value is None else float(feature.value)
            words = _AGGREGATIONS.get(getattr(feature, "spatial_method", ""), "")
            deviation = _SAMPLING if named.ibsi_code in exact else "not defined for this ROI" if np.isnan(value) else ""
            rows.append((named.family, named.feature, named.ibsi_code, words, value,
                         exact.get(named.ibsi_code, value), deviation))
    return pd.DataFrame(rows, columns=list(FEATURE_COLUMNS))


def _exact(prepared: Prepared) -> dict[str, float]:
    """IBSI values, by code, of the features that MIRP only estimates for this ROI."""
    if prepared.filter != "original" or prepared.intensity.sum() < _SAMPLED:
        return {}
    box = bounding_box(prepared.intensity)
    image = prepared.image.crop(box.lower, box.size)
    inside = prepared.image.with_array(prepared.intensity).crop(box.lower, box.size).array
    return dict(zip(_SPATIAL, moran_geary(image.array, inside, image.geometry.spacing_mm), strict=True))


def _computed(prepared: Prepared) -> Iterator[Any]:
    """MIRP's feature objects, with their values."""
    from mirp._features.feature_generator import generate_features
    from mirp.settings.feature_parameters import FeatureExtractionSettingsClass

    by_slice = prepared.preprocessing.dimension == "2D"
    shape = ["morphology"] if prepared.filter == "original" else []
    directional, others = ([method for method in methods if not (by_slice and method.startswith("3d"))]
                           for methods in (_DIRECTIONAL, _OTHERS))
    intensity = FeatureExtractionSettingsClass(by_slice=by_slice, base_feature_families=shape + _INTENSITY,
                                               **_ivh(prepared))
    texture = FeatureExtractionSettingsClass(
        by_slice=by_slice, base_feature_families=_TEXTURE, base_discretisation_method="none",
        glcm_spatial_method=directional, glrlm_spatial_method=directional, glszm_spatial_method=others,
        gldzm_spatial_method=others, ngtdm_spatial_method=others, ngldm_spatial_method=others)
    for array, settings in ((prepared.image.array, intensity), (prepared.discretised, texture)):
        image, mask = _image(array, prepared), _mask(prepared)
        yield from _with_values(list(generate_features(settings)), image, mask)


def _with_values(features: list[Any], image: GenericImage, mask: BaseMask) -> list[Any]:
    """Compute features one by one; each empties the caches that the next does not need."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of tiny ROIs, whose undefined features are NaN
        for feature, following in zip(features, [*features[1:], None], strict=True):
            feature.compute(image=image, mask=mask)
            if following is not None:
                feature.clear_local_cache(other=following)
    for feature in features:
        feature.clear_cache()
    return features


def _ivh(prepared: Prepared) -> dict[str, Any]:
    """Settings of the intensity-volume histogram."""
    chosen = volume_histogram(prepared)
    if chosen is None:
        return {"ivh_discretisation_method": "none"}
    if chosen.method == "fixed_bin_number":
        return {"ivh_discretisation_method": chosen.method, "ivh_discretisation_n_bins": int(chosen.size)}
    # A constant ROI has no range; any width will do.
    return {"ivh_discretisation_method": chosen.method, "ivh_discretisation_bin_width": float(chosen.size) or 1.0}


def _image(array: np.ndarray, prepared: Prepared) -> GenericImage:
    from mirp._images.generic_image import GenericImage

    class Intensities(GenericImage):
        """Intensities that MIRP takes as they are: its image of unknown units would bin them into 1,000."""

        @staticmethod
        def get_default_ivh_discretisation_method() -> str:
            return "none"

    return Intensities(image_data=array.astype(np.float64), **_grid(prepared))


def _mask(prepared: Prepared) -> BaseMask:
    from mirp._images.mask_image import MaskImage
    from mirp._masks.base_mask import BaseMask

    mask = BaseMask("ROI", image_data=prepared.morphological, **_grid(prepared))
    mask.roi_morphology = MaskImage(image_data=prepared.morphological, **_grid(prepared))
    mask.roi_intensity = MaskImage(image_data=prepared.intensity, **_grid(prepared))
    mask.intensity_range = intensity_range(prepared)
    return mask


def _grid(prepared: Prepared) -> dict[str, Any]:
    """Spacing (z, y, x) and, as features do not depend on them, no origin and no rotation."""
    geometry = prepared.image.geometry
    return {"image_spacing": geometry.spacing_mm[::-1], "image_origin": (0.0, 0.0, 0.0),
            "image_orientation": np.eye(3), "image_dimensions": geometry.shape,
            "separate_slices": prepared.preprocessing.dimension == "2D"}

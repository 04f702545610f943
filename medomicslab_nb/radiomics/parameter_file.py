"""pyradiomics' parameter files: the library's own values, with its own preprocessing, faster.

Normalisation, resampling, resegmentation and filters are the library's functions, in its order; they get the part of
the image that their result depends on. Values equal those of ``RadiomicsFeatureExtractor.execute`` to 1e-9, those of
Laplacians of Gaussians to 1e-4 (see :mod:`medomicslab_nb.radiomics.filters`).

They are not IBSI's: the library resamples on another grid and begins its bins elsewhere.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk
import yaml

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.resampling import Box
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.engines import FEATURE_COLUMNS
from medomicslab_nb.radiomics.engines.pyradiomics import aggregation_of
from medomicslab_nb.radiomics.filters import log_margin, wavelet_margin
from medomicslab_nb.radiomics.nomenclature import Feature, features_of
from medomicslab_nb.radiomics.preprocessing import bounding_box, check_pair
from medomicslab_nb.settings import load_yaml

DEVIATION = "pyradiomics' own preprocessing, by a parameter file: not IBSI's"

_WHERE = "pyradiomics parameters"
_FAMILIES = {"shape": "morphology", "shape2D": "morphology_2d", "firstorder": "statistics", "gldm": "ngldm"}
_LOCAL = ("Original", "LoG", "Wavelet", "Gradient")  # the others scale by the extremes of the whole image


@dataclass(frozen=True, eq=False)
class Parameters:
    """A parameter file's content, checked and completed with the library's defaults.

    Attributes
    ----------
    image_types : Mapping
        Settings of their own by type of image (filter).
    features : Mapping
        Names by feature class; None or empty: all.
    settings : Mapping
    """

    image_types: Mapping[str, Mapping[str, Any]]
    features: Mapping[str, Sequence[str] | None]
    settings: Mapping[str, Any]


def read_parameter_file(path: Path) -> Parameters:
    """The parameters in a YAML or JSON file.

    Raises
    ------
    DataError
        The file is missing or damaged, a name in it is unknown, or a value is out of range.
    """
    where = f"file {path.name}"
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"the parameter file cannot be read ({type(error).__name__})", where=where,
                        todo="Check the path and the file") from None
    if not isinstance(content, dict):
        raise DataError("the file holds no parameters of pyradiomics", where=where,
                        todo="Write the groups imageType, featureClass and setting")
    return parse_parameters(content, where=where)


def parse_parameters(content: Mapping[str, Any], *, where: str = _WHERE) -> Parameters:
    """Parameters as a mapping with ``imageType``, ``featureClass`` and ``setting``, as in the file.

    Raises
    ------
    DataError
        A name is unknown, or a value is out of range.
    """
    from pykwalify.errors import PyKwalifyException
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pykwalify loads the library's checks the old way
        extractor = RadiomicsFeatureExtractor()
        try:
            extractor.loadJSONParams(json.dumps(content))
        except (PyKwalifyException, TypeError, ValueError) as error:
            raise DataError(f"the parameters are not those of pyradiomics: {_reason(error)}", where=where,
                            todo="Correct the file; pyradiomics' documentation lists every parameter") from None
    types = {name: dict(own or {}) for name, own in extractor.enabledImagetypes.items()}
    return Parameters(types, dict(extractor.enabledFeatures), dict(extractor.settings))


def measure_as_pyradiomics(image: Volume, mask: Volume, parameters: Parameters) -> pd.DataFrame:
    """Features with the columns filter and :data:`~medomicslab_nb.radiomics.engines.FEATURE_COLUMNS`.

    See :func:`pyradiomics_values`. There is no IBSI value: the preprocessing is not IBSI's.
    """
    known = features_of("pyradiomics")
    rows = []
    for name, value in pyradiomics_values(image, mask, parameters).items():
        image_type, own = name.split("_", 1)
        feature = known.get(own) or _own_feature(own)
        aggregation = _aggregation(feature.family, parameters.settings)
        rows.append((image_type, feature.family, feature.feature, feature.ibsi_code, aggregation, value, np.nan,
                     DEVIATION))
    return pd.DataFrame(rows, columns=["filter", *FEATURE_COLUMNS])


def pyradiomics_values(image: Volume, mask: Volume, parameters: Parameters) -> dict[str, float]:
    """What the library's extractor returns, by its names, such as ``original_glcm_Idm``.

    Parameters
    ----------
    image : Volume
        Taken in the type of its file (``pixel_type``) where that type can hold the voxels.
    mask : Volume
        bool, or labels, of which the parameter ``label`` chooses one; on the image's grid.

    Raises
    ------
    DataError
        Mask and image have different geometries; the ROI is empty, has a single voxel, too few dimensions or too few
        voxels; nothing is left of it after resegmentation; or a filter cannot be applied.
    """
    settings = dict(parameters.settings)
    if mask.array.dtype == bool:
        settings["label"] = 1
    roi = mask.with_array(mask.array == settings["label"])
    check_pair(image, roi)
    with _quiet():
        loaded, region = _loaded(image, roi, parameters.image_types, settings)
        settings["label"] = 1
        box = _checked_box(region, settings)
        resegmented = region
        if settings.get("resegmentRange") is not None:
            resegmented = _resegmented(loaded, region, settings)
            box = _checked_box(resegmented, settings)
        shaped = resegmented if settings.get("resegmentShape") else region
        values = _shape_values(_cut(loaded, box), _cut(shaped, box), parameters.features, settings)
        inside = _cut(resegmented, box)
        for name, own in parameters.image_types.items():
            for response, image_type, used in _responses(name, loaded, resegmented, box, {**settings, **own}):
                values |= _values(response, inside, image_type, parameters.features, used)
    return values


def _loaded(image: Volume, roi: Volume, image_types: Mapping[str, Any],
            settings: Mapping[str, Any]) -> tuple[sitk.Image, sitk.Image]:
    """Image and ROI (label 1) as the library's ``loadImage`` leaves them, or the part that features depend on."""
    from radiomics import imageoperations

    resampled = settings.get("resampledPixelSpacing") is not None and settings.get("interpolator") is not None
    whole = settings.get("normalize") or resampled or settings.get("preCrop")
    if not whole and all(name in _LOCAL for name in image_types):
        part = _largest_reach(image_types, bounding_box(roi.array), roi, settings)
        image, roi = image.crop(part.lower, part.size), roi.crop(part.lower, part.size)
    loaded, region = _in_own_type(image).to_image(), sitk.Cast(roi.to_image(), sitk.sitkUInt32)
    own = {**settings, "label": 1}
    if settings.get("normalize"):
        loaded = imageoperations.normalizeImage(loaded, **own)
    if resampled:
        try:
            return imageoperations.resampleImage(loaded, region, **own)
        except (ValueError, AssertionError, RuntimeError) as error:
            raise DataError(f"pyradiomics cannot resample the ROI ({_reason(error)})", where=_WHERE,
                            todo="Check resampledPixelSpacing, and that the ROI is larger than a voxel") from None
    if settings.get("preCrop"):
        return imageoperations.cropToTumorMask(loaded, region, _bounds(_checked_box(region, own)), **own)
    return loaded, region


def _responses(name: str, image: sitk.Image, mask: sitk.Image, box: Box,
               settings: Mapping[str, Any]) -> Iterator[tuple[sitk.Image, str, Mapping[str, Any]]]:
    """Filtered images of one type, cropped to the box, with the library's names and settings for the features."""
    from radiomics import imageoperations

    generate = getattr(imageoperations, f"get{name}Image")
    # Each LoG for itself: a narrow one need not see as far as a wide one.
    variants = [{**settings, "sigma": [sigma]} for sigma in settings.get("sigma", [])] if name == "LoG" else [settings]
    for variant in variants:
        part = _reach(name, box, image.GetSize(), image.GetSpacing(), variant)
        inner = Box(tuple(np.subtract(box.lower, part.lower).tolist()), box.size)
        made = 0
        for response, image_type, used in generate(_cut(image, part), _cut(mask, part), **variant):
            yield _cut(response, inner), image_type, used
            made += 1
        if not made:  # the library leaves it out with a remark on the console
            raise DataError(f"pyradiomics makes no image of the type {name}: the image is too small, or the library "
                            "needs another one that is missing", where=_WHERE,
                            todo="Leave the type out, or change its settings")


def _in_own_type(image: Volume) -> Volume:
    """The image in the type of its file, where that type can hold the voxels."""
    kind = np.dtype(image.pixel_type or image.array.dtype)
    if kind == image.array.dtype or kind.kind not in "iu":
        return image
    with np.errstate(invalid="ignore"):
        cast = image.array.astype(kind)
    return image.with_array(cast) if np.array_equal(cast, image.array) else image


def _largest_reach(image_types: Mapping[str, Any], box: Box, roi: Volume, settings: Mapping[str, Any]) -> Box:
    parts = [_reach(name, box, roi.geometry.size, roi.geometry.spacing_mm, {**settings, **own})
             for name, own in image_types.items()]
    lower = np.min([part.lower for part in parts], axis=0)
    upper = np.max([np.add(part.lower, part.size) for part in parts], axis=0)
    return Box(tuple(lower.tolist()), tuple((upper - lower).tolist()))


def _reach(name: str, box: Box, size: Sequence[int], spacing: Sequence[float], settings: Mapping[str, Any]) -> Box:
    """The part of an image that a filter's response in the box depends on."""
    if name not in _LOCAL:
        return Box((0, 0, 0), tuple(size))
    margin: Sequence[int] = (0, 0, 0)
    if name == "LoG":
        margin = log_margin(settings.get("sigma") or [1.0], spacing)
    elif name == "Gradient":
        margin = (2, 2, 2)
    elif name == "Wavelet":
        levels = settings.get("level", 1) + settings.get("start_level", 0)
        margin = (wavelet_margin(settings.get("wavelet", "coif1"), levels),) * 3
    return box.grown(margin, size, periodic=name == "Wavelet")


def _checked_box(mask: sitk.Image, settings: Mapping[str, Any]) -> Box:
    """The ROI's bounding box, after the library's checks of its size."""
    inside = sitk.GetArrayViewFromImage(mask) == 1
    if not inside.any():
        raise DataError("nothing is left of the ROI after resampling", where=_WHERE,
                        todo="Choose a smaller spacing, or leave the ROI out")
    box = bounding_box(inside)
    dimensions, wanted = sum(n > 1 for n in box.size), settings.get("minimumROIDimensions", 2)
    if dimensions == 0:
        raise DataError("the ROI has a single voxel, of which no texture or shape can be measured", where=_WHERE,
                        todo="Choose a smaller spacing, or leave the ROI out")
    if dimensions < wanted:
        raise DataError(f"the ROI extends over {dimensions} dimensions, minimumROIDimensions asks for {wanted}",
                        where=_WHERE, todo="Leave the ROI out, or lower minimumROIDimensions")
    least, count = settings.get("minimumROISize"), int(inside.sum())
    if least is not None and count <= least:
        raise DataError(f"the ROI has {count} voxels, minimumROISize asks for more than {least}", where=_WHERE,
                        todo="Leave the ROI out, or lower minimumROISize")
    return box


def _resegmented(image: sitk.Image, mask: sitk.Image, settings: Mapping[str, Any]) -> sitk.Image:
    from radiomics import imageoperations

    try:
        return imageoperations.resegmentMask(image, mask, **settings)
    except ValueError:
        raise DataError(f"resegmentation by the range {settings['resegmentRange']} leaves too little of the ROI",
                        where=_WHERE, todo="Check the image's unit and resegmentRange") from None


def _shape_values(image: sitk.Image, mask: sitk.Image, features: Mapping[str, Any],
                  settings: Mapping[str, Any]) -> dict[str, float]:
    from medomicslab_nb.radiomics.fast_pyradiomics import measure_class

    values: dict[str, float] = {}
    for name in ("shape", "shape2D"):
        # The library looks at x for dimension 0 here, and at z below.
        if name not in features or (name == "shape2D" and not (
                settings.get("force2D") and image.GetSize()[settings.get("force2Ddimension", 0)] > 1)):
            continue
        try:
            found = measure_class(name, image, mask, features[name], settings)
        except ValueError:
            raise DataError("shape2D needs a ROI of a single slice", where=_WHERE,
                            todo="Leave the class shape2D out") from None
        values |= {f"original_{name}_{feature}": value for feature, value in found.items()}
    return values


def _values(image: sitk.Image, mask: sitk.Image, image_type: str, features: Mapping[str, Any],
            settings: Mapping[str, Any]) -> dict[str, float]:
    from medomicslab_nb.radiomics.fast_pyradiomics import bin_image, measure_class

    array, inside = sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(mask) == 1
    own = {**settings, "levels": bin_image(array, inside, settings)}
    return {f"{image_type}_{name}_{feature}": value
            for name, chosen in features.items() if not name.startswith("shape")
            for feature, value in measure_class(name, image, mask, chosen, own).items()}


def _cut(image: sitk.Image, box: Box) -> sitk.Image:
    (x, y, z), (nx, ny, nz) = box.lower, box.size
    part = sitk.GetImageFromArray(sitk.GetArrayViewFromImage(image)[z:z + nz, y:y + ny, x:x + nx])
    part.SetSpacing(image.GetSpacing())  # nothing here depends on the position
    return part


def _bounds(box: Box) -> np.ndarray:
    """The library's form: first and last index along x, then y, then z."""
    return np.stack([box.lower, np.add(box.lower, box.size) - 1], axis=1).ravel()


def _own_feature(own: str) -> Feature:
    """A feature that the nomenclature does not list: deprecated ones and those of two dimensions."""
    name, feature = own.split("_", 1)
    return Feature(_FAMILIES.get(name, name), re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", feature).lower(), "")


def _aggregation(family: str, settings: Mapping[str, Any]) -> str:
    if family == "morphology_2d":
        return ""
    words = aggregation_of(family, two_d=bool(settings.get("force2D")))
    if settings.get("weightingNorm") is not None and family in ("glcm", "glrlm"):
        return words.replace("averaged", "merged").replace("direction-merged", "merged")
    return words


def _reason(error: Exception) -> str:
    text = str(getattr(error, "msg", "") or error)
    return " ".join(text.split()).rstrip(" .")


@contextmanager
def _quiet() -> Iterator[None]:
    """The library writes remarks to the console; what matters of them are our errors."""
    import radiomics

    level = radiomics.handler.level
    radiomics.handler.setLevel(60)
    try:
        yield
    finally:
        radiomics.handler.setLevel(level)

"""Where in the image a radiomics feature comes from: its local value around every voxel of the ROI.

The image is prepared, filtered and discretised as for the feature itself; grey levels stay those of the whole ROI. The
local value is the feature of the ROI's voxels within a cube around the voxel (a square where texture is measured
within slices), by pyradiomics' own voxel-based classes. A map is an illustration, no measurement: its mean is not the
feature's value, and the size of the cube is a choice.

Arrays are ordered (z, y, x).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.progress import Progress
from medomicslab_nb.radiomics.engines.pyradiomics import aggregation_of
from medomicslab_nb.radiomics.extract import prepared_images
from medomicslab_nb.radiomics.nomenclature import FAMILIES, features_of
from medomicslab_nb.radiomics.preprocessing import Prepared, bounding_box, preprocessing_for
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.radiomics.wide import column_names

MOST_VOXELS = 20_000
"""Voxels of an ROI, on the prepared grid, above which no map is made."""

LARGEST_RADIUS = 5
"""Radius of the cube in voxels, at most."""

_WHERE = "feature map"
_BATCH_CELLS = 2_000_000  # of the matrices that are held at once
_DIRECTIONS = 13
_KURTOSIS = "IPH6"
_FILTERS = ("original", "log", "wavelet", "mean", "laws", "gabor")
_SIDE, _LINE, _SCALE_WIDTH, _WIDTH_OF_LETTER = 240, 14, 70, 7  # pixels
_VIRIDIS = ((68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142), (31, 158, 137), (53, 183, 121),
            (109, 205, 89), (180, 222, 44), (253, 231, 37))
_OF_THE_WHOLE = ("morphology", "local_intensity", "intensity_volume_histogram", "gldzm", "lesions")


@dataclass(frozen=True)
class MappedFeature:
    """A feature of the wide table that has a local value.

    Attributes
    ----------
    modality, filter : str
        Empty where the name does not begin with a modality; "original" or a filtered image's name.
    family, feature, ibsi_code : str
        As in the nomenclature.
    own : str
        pyradiomics' "class_Feature".
    dimension : str
        "2D", "3D", or empty where the name does not say.
    """

    modality: str
    filter: str
    family: str
    feature: str
    ibsi_code: str
    own: str
    dimension: str


def parse_feature(name: str) -> MappedFeature:
    """The feature that a column of the wide table holds, e.g. ``PT_original_glcm_joint_entropy_3d_avg``.

    A table's name in front (``radiomics: PT_...``) is passed over.

    Raises
    ------
    DataError
        It has no local value, is not one of pyradiomics, or is no radiomics feature at all.
    """
    column = name.rpartition(": ")[2]
    for splits in (2, 1):
        *before, rest = column.split("_", splits)
        found = _by_ending().get(rest) if len(before) == splits else None
        if found is not None:
            modality = before[0] if splits == 2 else ""
            own, family, feature, code, dimension = found
            return MappedFeature(modality, before[-1], family, feature, code, own, dimension)
    raise _no_map(name, column)


def feature_map(image: Volume, mask: Volume, feature: str,
                settings: RadiomicsSettings | Mapping[str, Any] | None = None, kernel_radius: int = 1, *,
                modality: str = "", progress: Progress | None = None) -> sitk.Image:
    """The local value of a feature around every voxel of the ROI.

    Parameters
    ----------
    image : Volume
    mask : Volume
        bool, on the image's grid.
    feature : str
        A column of the wide table; see :func:`parse_feature`.
    settings : RadiomicsSettings, or their names and values
        Those with which the feature was measured.
    kernel_radius : int
        The cube has 2 r + 1 voxels of the prepared grid along each axis.
    modality : str
        DICOM's word; decides the preset where settings leave it to ``auto``. Default: the one in the feature's name.
    progress : Progress, optional
        One step per voxel; the work can be cancelled between batches.

    Returns
    -------
    Image
        float32, on the prepared grid around the ROI (after resegmentation); NaN outside it, and where the feature is
        not defined. In the unit of the feature, as the wide table defines it. Written as NIfTI it keeps its NaN, but
        ITK reads them back as 0; NRRD and MetaImage are read as they are.

    Raises
    ------
    DataError
        The feature has no local value, the ROI cannot be prepared, or is too large.
    """
    settings = RadiomicsSettings.parse(settings)
    wanted = parse_feature(feature)
    if not 1 <= kernel_radius <= LARGEST_RADIUS:
        raise DataError(f"a radius of {kernel_radius} voxels was asked for", where=_WHERE,
                        todo=f"Choose a radius from 1 to {LARGEST_RADIUS}")
    prepared = _prepared(image, mask, wanted, settings, modality or wanted.modality)
    voxels = int(prepared.intensity.sum())
    if voxels > MOST_VOXELS:
        raise DataError(f"the ROI has {voxels} voxels on the prepared grid; a map of at most {MOST_VOXELS} is made, "
                        "because a voxel takes up to 2 ms", where=_WHERE,
                        todo="Choose a larger spacing, or a smaller ROI")
    values = _local_values(prepared, wanted.own, kernel_radius, progress or Progress())
    if wanted.ibsi_code == _KURTOSIS and settings.definitions == "ibsi":
        values = np.where(values == 0, 0, values - 3)  # the library's is 0 where all voxels are equal, as IBSI's excess
    return prepared.image.with_array(values.astype(np.float32)).to_image()


def feature_map_picture(image: Volume, local: sitk.Image, title: str = "") -> bytes:
    """The slice with most of the ROI and its surroundings, in grey, with the map in colour over it and its scale.

    Rows and columns are shown as stored, pixels as large as they are in mm. Colours run from the map's 2nd to its 98th
    percentile in the whole ROI; values beyond have the last colour.

    Parameters
    ----------
    image : Volume
        The image that was measured, on any grid that covers the ROI.
    local : Image
        What :func:`feature_map` returned.
    title : str
        A line below the picture.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    DataError
        The map has no value at all.
    """
    margin = [max(3, size // 4) for size in local.GetSize()[:2]] + [0]
    local = sitk.ConstantPad(local, margin, margin, float("nan"))
    values = sitk.GetArrayFromImage(local)
    known = np.isfinite(values)
    if not known.any():
        raise DataError("the map has no value: the feature is not defined around any voxel", where=_WHERE,
                        todo="Choose a larger radius")
    low, high = (float(limit) for limit in np.percentile(values[known], (2, 98)))
    k = int(known.sum(axis=(1, 2)).argmax())
    background = sitk.Resample(sitk.Cast(image.to_image(), sitk.sitkFloat32), local, sitk.Transform(), sitk.sitkLinear,
                               float(np.nanmin(image.array)))
    grey = _grey(sitk.GetArrayFromImage(background)[k])
    share = np.clip((values[k] - low) / ((high - low) or 1.0), 0, 1)
    coloured = np.where(known[k][..., None], _coloured(np.nan_to_num(share)), grey[..., None])
    return _png(coloured.astype(np.uint8), local.GetSpacing()[1::-1], (low, high), title)


@functools.cache
def _by_ending() -> dict[str, tuple[str, str, str, str, str]]:
    """Features that have a local value, by what follows modality and filter in the wide table's names."""
    rows = [(own, named.family, named.feature, named.ibsi_code, dimension, aggregation_of(named.family, two_d=two_d))
            for own, named in features_of("pyradiomics").items() if named.family not in _OF_THE_WHOLE
            for dimension, two_d in (("3D", False), ("2D", True))]
    table = pd.DataFrame(rows, columns=["own", "family", "feature", "code", "dimension", "aggregation"])
    endings = column_names(table.assign(modality="", filter=""))
    return {ending: (*row[:4], row[4] if row[5] else "") for ending, row in zip(endings, rows, strict=True)}


def _no_map(name: str, column: str) -> DataError:
    family = next((family for family in FAMILIES for splits in (2, 1)
                   if column.split("_", splits)[-1].startswith(family + "_")), "")
    if family in _OF_THE_WHOLE or "_lesions_" in column:
        return DataError(f"'{name}' describes the ROI as a whole and has no local value", where=_WHERE,
                         todo="Choose an intensity or a texture feature")
    if family:
        return DataError(f"'{name}' is not computed by pyradiomics, which makes the maps", where=_WHERE,
                         todo="Choose a feature that the engine pyradiomics measures")
    return DataError(f"'{name}' is no radiomics feature", where=_WHERE,
                     todo="Give a column of the table 'features', such as PT_original_glcm_joint_entropy_3d_avg")


def _prepared(image: Volume, mask: Volume, wanted: MappedFeature, settings: RadiomicsSettings,
              modality: str) -> Prepared:
    """The (filtered) image that the feature was measured on, cut to the ROI."""
    if settings.parameter_file:
        raise DataError("maps of features that a parameter file describes are not made", where=_WHERE,
                        todo="Measure the features with a preset")
    preprocessing = preprocessing_for(settings, modality)
    if wanted.dimension and wanted.dimension != preprocessing.dimension:
        raise DataError(f"the feature was measured in {wanted.dimension}, the settings ask for "
                        f"{preprocessing.dimension}", where=_WHERE, todo="Give the settings of its run")
    # Other filtered images are not made in vain.
    only = settings.model_copy(update={"filters": (wanted.filter.partition("-")[0],)})
    images = prepared_images(image, mask, only, preprocessing) if only.filters[0] in _FILTERS else ()
    found = next((each for each in images if each.filter == wanted.filter), None)
    if found is None:
        raise DataError(f"there is no filtered image '{wanted.filter}'", where=_WHERE,
                        todo="Give the settings of the feature's run")
    return found.crop(bounding_box(found.intensity))


def _local_values(prepared: Prepared, own: str, radius: int, progress: Progress) -> np.ndarray:
    """Local values, shape of the prepared image; NaN outside the intensity mask."""
    family, _, feature = own.partition("_")
    margin = 0 if family == "firstorder" else radius  # that class adds it itself
    measured = _voxel_class(family)(*_padded(prepared, margin), **_settings(prepared, radius))
    places = np.argwhere(np.pad(prepared.intensity, margin)).T
    size = max(1, _BATCH_CELLS // _cells(prepared, family, radius))
    found = np.empty(places.shape[1])
    with warnings.catch_warnings(), np.errstate(all="ignore"), \
            progress.task(_WHERE, total=places.shape[1]) as step:
        warnings.simplefilter("ignore", RuntimeWarning)  # of neighbourhoods in which the feature is not defined
        for start in range(0, places.shape[1], size):
            batch = places[:, start:start + size]
            measured._initCalculation(batch)
            found[start:start + size] = np.ravel(getattr(measured, f"get{feature}FeatureValue")())
            step(batch.shape[1])
    values = np.full(prepared.intensity.shape, np.nan)
    values[prepared.intensity] = found
    return values


@functools.cache
def _voxel_class(family: str) -> type:
    """The library's class with our grey levels; not the faster one, which measures one ROI at a time."""
    from medomicslab_nb.radiomics.fast_pyradiomics import CLASSES, _SharedLevels

    library = next(cls for cls in CLASSES[family].__mro__ if cls.__module__ == f"radiomics.{family}")
    return type(f"Local{family}", (_SharedLevels, library), {})


def _padded(prepared: Prepared, margin: int) -> tuple[sitk.Image, sitk.Image]:
    """Image and mask with so many voxels around them."""
    images = []
    for array in (prepared.image.array.astype(float), prepared.intensity.astype(np.uint8)):
        padded = sitk.GetImageFromArray(np.pad(array, margin))
        padded.SetSpacing(prepared.image.geometry.spacing_mm)
        images.append(padded)
    return images[0], images[1]


def _settings(prepared: Prepared, radius: int) -> dict[str, Any]:
    from medomicslab_nb.radiomics.fast_pyradiomics import Levels

    inside = np.pad(prepared.intensity, radius)
    levels = Levels.of(np.pad(prepared.discretised, radius).astype(int), inside)
    return {"voxelBased": True, "maskedKernel": True, "kernelRadius": radius, "levels": levels,
            "force2D": prepared.preprocessing.dimension == "2D"}


def _cells(prepared: Prepared, family: str, radius: int) -> int:
    """Cells of the matrix of one voxel."""
    cube, levels = (2 * radius + 1) ** 3, prepared.levels
    return {"firstorder": cube + levels, "glcm": levels**2 * _DIRECTIONS, "ngtdm": 3 * levels,
            "glrlm": levels * (2 * radius + 1) * _DIRECTIONS}.get(family, levels * cube)


def _grey(slice_: np.ndarray) -> np.ndarray:
    finite = np.nan_to_num(slice_, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(finite, (2, 98))
    return np.clip((finite - low) / ((high - low) or 1.0), 0, 1) * 255


def _coloured(share: np.ndarray) -> np.ndarray:
    """Colours of values from 0 to 1: viridis, which stays ordered in grey and for the colour-blind; RGB last."""
    places = np.linspace(0, 1, len(_VIRIDIS))
    return np.stack([np.interp(share, places, channel) for channel in np.array(_VIRIDIS).T], axis=-1)


def _png(picture: np.ndarray, spacing_mm: tuple[float, float], limits: tuple[float, float], title: str) -> bytes:
    """The picture (rows, columns, RGB), with the scale of the colours to its right and the title below."""
    from PIL import Image, ImageDraw

    height_mm, width_mm = (n * step for n, step in zip(picture.shape, spacing_mm, strict=False))
    scale = _SIDE / max(height_mm, width_mm)
    size = max(1, round(width_mm * scale)), max(1, round(height_mm * scale))
    page = Image.new("RGB", (max(size[0] + _SCALE_WIDTH, _WIDTH_OF_LETTER * len(title)),
                             max(size[1], _SIDE // 2) + (_LINE if title else 0)), "white")
    page.paste(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), (0, 0))
    draw = ImageDraw.Draw(page)
    bar = _coloured(np.linspace(1, 0, _SIDE // 2 - 2 * _LINE)[:, None].repeat(_LINE, axis=1)).astype(np.uint8)
    left = size[0] + _LINE // 2
    page.paste(Image.fromarray(bar), (left, _LINE))
    for text, top in ((f"{limits[1]:.4g}", 0), (f"{limits[0]:.4g}", _LINE + len(bar))):
        draw.text((left, top), text, fill="black")
    if title:
        draw.text((2, page.height - _LINE), title, fill="black")
    content = BytesIO()
    page.save(content, "PNG")
    return content.getvalue()

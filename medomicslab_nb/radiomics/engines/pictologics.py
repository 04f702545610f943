"""The engine pictologics: compiled kernels, the fastest; texture across slices only.

Matrices of co-occurrence and run length are merged over directions (IBSI's "3D, merged"), where pyradiomics averages:
that is one reason why two engines never meet in one table. Preprocessing in two dimensions leaves texture out, which
pictologics cannot aggregate by slice. Moran's I and Geary's C are left out: they would take more time than all other
features together.

The first call on a machine compiles the kernels, which takes minutes; they are kept in
``$XDG_CACHE_HOME/medomicslab_nb/numba`` (``~/.cache`` by default), or where ``NUMBA_CACHE_DIR`` says. One process
compiles while the others wait.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from filelock import FileLock

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines import FEATURE_COLUMNS, get_engine
from medomicslab_nb.radiomics.engines.volume_histogram import intensity_range, volume_histogram
from medomicslab_nb.radiomics.nomenclature import features_of
from medomicslab_nb.radiomics.preprocessing import Prepared, Preprocessing, bounding_box, prepare

if TYPE_CHECKING:
    from pictologics import Image

_MERGED = ("glcm", "glrlm")
_VOLUMETRIC = ("glszm", "gldzm", "ngtdm", "ngldm")
_RADII_MM = (4, 20, 60)  # of balls that are measured to compile: kernels differ with the size of the ROI
_OF_LEVELS = ("NDRX", "1QCO")  # inverse differences that are normalised by the number of grey levels


def measure(prepared: Prepared) -> pd.DataFrame:
    """Features of a prepared ROI, with the columns :data:`~medomicslab_nb.radiomics.engines.FEATURE_COLUMNS`.

    Shape is left out for filtered images. What is not defined for the ROI is NaN.

    Raises
    ------
    MissingExtraError
        pictologics is not installed, or this Python is older than 3.12.
    """
    compile_kernels()
    return _measured(prepared)


@functools.cache
def compile_kernels() -> None:
    """Compile the kernels that are not in the cache yet, by measuring made-up ROIs; minutes the first time.

    Raises
    ------
    MissingExtraError
        pictologics is not installed, or this Python is older than 3.12.
    """
    engine = get_engine("pictologics")
    folder = _cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    _configure(folder)
    versions = "-".join(metadata.version(name) for name in (*engine.distributions, "numba", "numpy"))
    done = folder / f"compiled-{versions}-python{sys.version_info[0]}.{sys.version_info[1]}"
    if not done.exists():
        with FileLock(folder / "compiling.lock"):
            if not done.exists():
                for radius_mm in _RADII_MM:
                    _measured(_example(radius_mm))
                done.touch()


def _cache_folder() -> Path:
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"])
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "medomicslab_nb" / "numba"


def _configure(folder: Path) -> None:
    """What numba and pictologics read at their import."""
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    # The last digits of Moran's I depend on the number of threads; cases are what runs in parallel.
    os.environ["PICTOLOGICS_NUM_THREADS"] = "1"
    os.environ["PICTOLOGICS_DISABLE_WARMUP"] = "1"  # it would compile filters too, that are not used here


def _example(radius_mm: int) -> Prepared:
    """A ball of noise."""
    n = 2 * radius_mm + 21
    z, y, x = np.ogrid[:n, :n, :n]
    centre, geometry = n // 2, Geometry((n, n, n), (1.0, 1.0, 1.0))
    ball = Volume((z - centre) ** 2 + (y - centre) ** 2 + (x - centre) ** 2 < radius_mm**2, geometry)
    image = Volume(np.random.default_rng(0).normal(0, 100, geometry.shape).astype(np.float32), geometry)
    return prepare(image, ball, Preprocessing(rounded=radius_mm > min(_RADII_MM), outliers=3.0))


def _measured(prepared: Prepared) -> pd.DataFrame:
    names, columns = _offered(shape=prepared.filter == "original", texture=prepared.preprocessing.dimension == "3D")
    values = _values(prepared)
    numbers = np.array([values.get(own, np.nan) for own in names], dtype=np.float64)  # undefined ones are left out
    lowest = int(prepared.discretised[prepared.intensity].min())
    deviations = [_deviation(code, value, lowest) for code, value in zip(columns["ibsi_code"], numbers, strict=True)]
    return pd.DataFrame({**columns, "value": numbers, "ibsi_value": numbers.copy(), "deviation": deviations})


@functools.cache
def _offered(*, shape: bool, texture: bool) -> tuple[list[str], dict[str, pd.Series]]:
    """The library's names of what it measures, and their family, feature, IBSI code and aggregation.

    Kept: looking them up takes as long as measuring a small ROI.
    """
    left_out = {"morphology" if not shape else "", *(() if texture else (*_MERGED, *_VOLUMETRIC))}
    names = {own: feature for own, feature in features_of("pictologics").items() if feature.family not in left_out}
    rows = [(feature.family, feature.feature, feature.ibsi_code, _aggregation(feature.family))
            for feature in names.values()]
    table = pd.DataFrame(rows, columns=list(FEATURE_COLUMNS[:4]))
    return list(names), {name: table[name] for name in table}


def _deviation(code: str, value: float, lowest: int) -> str:
    if np.isnan(value):
        return "not defined for this ROI"
    if code in _OF_LEVELS and lowest > 1:
        return "counts grey levels from the ROI's lowest one; differs from IBSI's reference by less than its tolerance"
    return ""


def _aggregation(family: str) -> str:
    return "3D, merged" if family in _MERGED else "3D" if family in _VOLUMETRIC else ""


def _values(prepared: Prepared) -> dict[str, float]:
    """Values by the library's own names."""
    from pictologics import features as library

    image = _image(prepared.image.array, prepared)
    intensity = _image(prepared.intensity, prepared)
    inside = prepared.image.array[prepared.intensity].astype(np.float64)
    values = library.calculate_intensity_features(inside)
    values |= library.calculate_local_intensity_features(image, intensity)
    values |= library.calculate_intensity_histogram_features(prepared.discretised[prepared.intensity], prepared.levels)
    values |= _volume_histogram(inside, prepared)
    if prepared.filter == "original":
        values |= library.calculate_morphology_features(_image(prepared.morphological, prepared), image, intensity)
    if prepared.preprocessing.dimension == "3D":
        values |= _texture(prepared)
    return values


def _texture(prepared: Prepared) -> dict[str, float]:
    from pictologics.features import calculate_all_texture_features

    box = bounding_box(prepared.morphological)
    grey, intensity, roi = (_ordered(Volume(array, prepared.image.geometry).crop(box.lower, box.size).array)
                            for array in (prepared.discretised, prepared.intensity, prepared.morphological))
    return calculate_all_texture_features(grey.astype(np.float64), intensity, prepared.levels, roi)


def _volume_histogram(inside: np.ndarray, prepared: Prepared) -> dict[str, float]:
    from pictologics.features import calculate_ivh_features

    asked = volume_histogram(prepared)
    lower, upper = intensity_range(prepared)
    if asked is None:
        return calculate_ivh_features(inside, bin_width=1.0, target_range_min=lower, target_range_max=upper)
    if asked.method == "fixed_bin_size":
        return _of_bins(inside, asked, lower, upper)
    low, high = inside.min(), inside.max()
    bins = np.floor(asked.size * (inside - low) / ((high - low) or 1)) + 1
    return calculate_ivh_features(np.minimum(bins, asked.size), bin_width=1.0)


def _of_bins(inside: np.ndarray, asked: Discretisation, lower: float, upper: float) -> dict[str, float]:
    from pictologics.features import calculate_ivh_features

    width = asked.size or 1.0  # of a constant ROI
    bins = np.floor((inside - lower) / width) + 1
    return calculate_ivh_features(bins, bin_width=width, min_val=lower, max_val=upper)


def _image(array: np.ndarray, prepared: Prepared) -> Image:
    """An image of pictologics; features depend on its spacing only."""
    from pictologics import Image

    return Image(array=_ordered(array), spacing=prepared.image.geometry.spacing_mm, origin=(0.0, 0.0, 0.0))


def _ordered(array: np.ndarray) -> np.ndarray:
    """The array in pictologics' order (x, y, z) and types."""
    kind = np.uint8 if array.dtype == bool else np.int32 if array.dtype.kind == "i" else np.float64
    return np.ascontiguousarray(array.transpose(2, 1, 0), dtype=kind)

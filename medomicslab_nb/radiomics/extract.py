"""From an image and a ROI to a table of features: the core of the radiomics stage, usable without a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.imaging.resampling import Box, aligned_grid
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.engines import get_engine
from medomicslab_nb.radiomics.filters import FilterBank
from medomicslab_nb.radiomics.preprocessing import (
    MARGIN_MM,
    Prepared,
    Preprocessing,
    bounding_box,
    prepare,
    preprocessing_for,
)
from medomicslab_nb.radiomics.settings import RadiomicsSettings


def extract(image: Volume, mask: Volume, settings: RadiomicsSettings | Mapping[str, Any] | None = None,
            modality: str = "") -> pd.DataFrame:
    """Measure a ROI.

    Parameters
    ----------
    image : Volume
    mask : Volume
        bool, on the image's grid.
    settings : RadiomicsSettings, or their names and values
    modality : str
        DICOM's word, e.g. PT; decides the preset when settings leave it to ``auto``.

    Returns
    -------
    DataFrame
        Columns filter and :data:`~medomicslab_nb.radiomics.engines.FEATURE_COLUMNS`; shape stands with the original
        image only.

    Raises
    ------
    DataError
        The ROI cannot be measured; the message says why.
    MissingExtraError
        The engine or a filter needs a library that is not installed.
    """
    settings = RadiomicsSettings.parse(settings)
    if settings.parameter_file:
        from medomicslab_nb.radiomics.parameter_file import measure_as_pyradiomics, read_parameter_file

        return measure_as_pyradiomics(image, mask, read_parameter_file(Path(settings.parameter_file)))
    measure = get_engine(settings.engine).load()
    parts = []
    for prepared in prepared_images(image, mask, settings, preprocessing_for(settings, modality)):
        table = measure(prepared)
        table.insert(0, "filter", prepared.filter)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def prepared_images(image: Volume, mask: Volume, settings: RadiomicsSettings,
                    preprocessing: Preprocessing) -> Iterator[Prepared]:
    """The original image and the filtered ones, as far as settings ask for them, ready for an engine.

    Filters see the interpolated image; the intensity mask is the original image's.
    """
    names = tuple(name for name in settings.filters if name != "original")
    bank = FilterBank(names, settings.log_sigma, settings.wavelet, in_plane=preprocessing.dimension == "2D")
    spacing = aligned_grid(mask.geometry, preprocessing.spacing_mm or (None, None, None)).spacing_mm
    prepared = prepare(image, mask, preprocessing, margin_mm=_margin_mm(mask, bank, spacing))
    near = [int(np.ceil(MARGIN_MM / step)) for step in spacing]
    base = bounding_box(prepared.morphological, near)
    original = prepared.crop(base)
    if "original" in settings.filters:
        yield original
    for name in names:
        wide = _reach(prepared, bank, name, base)
        inner = np.subtract(base.lower, wide.lower)
        part = tuple(slice(at, at + n) for at, n in zip(inner[::-1], base.size[::-1], strict=True))
        for title, response in bank.responses(name, prepared.image.crop(wide.lower, wide.size)):
            yield original.filtered(np.ascontiguousarray(response[part]), title)


def _margin_mm(mask: Volume, bank: FilterBank, spacing_mm: tuple[float, float, float]) -> float:
    """Surroundings of the ROI that must be prepared: for features and filters, or the whole image."""
    margin = MARGIN_MM + bank.margin_mm(spacing_mm)
    if "wavelet" not in bank.names or not mask.array.any():
        return margin
    box = bounding_box(mask.array)
    size = mask.geometry.size
    free = [min(low, n - low - inside) * step for low, inside, n, step in
            zip(box.lower, box.size, size, mask.geometry.spacing_mm, strict=True)]
    # A wavelet that reaches the edge of the image goes on at its other side.
    return np.inf if min(free) < margin + 2 * max(spacing_mm) else margin


def _reach(prepared: Prepared, bank: FilterBank, name: str, base: Box) -> Box:
    margin = bank.margin(name, prepared.image.geometry.spacing_mm)
    return base.grown(margin, prepared.image.geometry.size, periodic=name == "wavelet")

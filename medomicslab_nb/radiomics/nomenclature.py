"""Names of features: IBSI's families, names and codes, and what each engine calls them.

The table is ``nomenclature.csv`` beside this file, one row per feature: a physicist can review it without reading code.
A feature without an IBSI code is the library's own.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

import pandas as pd

FAMILIES = {
    "morphology": "Morphological features",
    "local_intensity": "Local intensity features",
    "statistics": "Intensity-based statistical features",
    "intensity_histogram": "Intensity histogram features",
    "intensity_volume_histogram": "Intensity-volume histogram features",
    "glcm": "Grey level co-occurrence based features",
    "glrlm": "Grey level run length based features",
    "glszm": "Grey level size zone based features",
    "gldzm": "Grey level distance zone based features",
    "ngtdm": "Neighbourhood grey tone difference based features",
    "ngldm": "Neighbouring grey level dependence based features",
}
"""Families in IBSI's order, with the names of the IBSI reference table."""


@dataclass(frozen=True)
class Feature:
    """One row of the nomenclature."""

    family: str
    feature: str
    ibsi_code: str
    """Empty for a feature that IBSI does not define."""


def nomenclature() -> pd.DataFrame:
    """The whole table, all text: family, feature, ibsi_code and one column per engine ("" = not offered)."""
    return _table().copy()


def features_of(engine: str) -> dict[str, Feature]:
    """What an engine offers, by its own name of the feature, in the nomenclature's order."""
    rows = _table()[_table()[engine] != ""]
    return {own: Feature(family, feature, code)
            for own, family, feature, code in zip(rows[engine], rows["family"], rows["feature"], rows["ibsi_code"],
                                                  strict=True)}


@functools.cache
def _table() -> pd.DataFrame:
    with resources.files("medomicslab_nb.radiomics").joinpath("nomenclature.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)

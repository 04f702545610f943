"""Prepared ROIs and checks that the tests of every engine share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines import FEATURE_COLUMNS
from medomicslab_nb.radiomics.nomenclature import FAMILIES, nomenclature
from medomicslab_nb.radiomics.preprocessing import PRESETS, Prepared, Preprocessing, prepare

GRID = Geometry((20, 24, 18), (1.0, 1.5, 3.0))
LEVELS = Preprocessing("3D", discretisation=Discretisation("fixed_bin_size", 1))


def anisotropic_roi(settings: Preprocessing | None = None, values: np.ndarray | None = None) -> Prepared:
    """A box of 4 x 6 x 8 voxels (x, y, z) with noise; voxels of 1 x 1.5 x 3 mm."""
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[5:13, 8:14, 6:10] = True
    image = np.random.default_rng(0).normal(50, 20, GRID.shape) if values is None else values
    return prepare(Volume(image.astype(np.float32), GRID), Volume(mask, GRID), settings or Preprocessing())


def roi_of(voxels: tuple[slice, slice, slice], settings: Preprocessing | None = None) -> Prepared:
    """An ROI of the given shape in noise."""
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[voxels] = True
    image = np.random.default_rng(1).normal(50, 20, GRID.shape).astype(np.float32)
    return prepare(Volume(image, GRID), Volume(mask, GRID), settings or Preprocessing())


def phantom(folder: Path, data_set: str) -> Prepared:
    """An IBSI data set with its preprocessing."""
    digital = data_set == "digital_phantom"
    where = folder / "ibsi" / ("digital_phantom" if digital else "ct_phantom")
    labels = read_labels(where / "mask.nii.gz")
    settings = LEVELS if digital else PRESETS[f"ibsi-{data_set[-1].lower()}"]
    return prepare(read_volume(where / "image.nii.gz"), labels.with_array(labels.array > 0), settings)


def against_reference(folder: Path, data_set: str, table: pd.DataFrame) -> tuple[int, int, list[str]]:
    """Values matched, values covered, and the names of those that do not match."""
    rows = pd.read_csv(folder / "ibsi" / "ibsi1_reference_values.csv")
    rows = rows[(rows["dataset"] == data_set) & rows["value"].notna()].fillna({"aggregation": "", "tag": ""})
    families = {name: family for family, name in FAMILIES.items()}
    keys = [(families[row.family], _code(row.ibsi_code, row.tag), row.aggregation) for row in rows.itertuples()]
    codes = [_code(code, feature) for code, feature in zip(table["ibsi_code"], table["feature"], strict=True)]
    found = dict(zip(zip(table["family"], codes, table["aggregation"], strict=True), table["ibsi_value"], strict=True))
    covered = [(key, row) for key, row in zip(keys, rows.itertuples(), strict=True) if key in found]
    missed = [str(key) for key, row in covered if not _within(found[key], row.value, row.tolerance)]
    return len(covered) - len(missed), len(covered), missed


def _code(code: str, name: str) -> str:
    """Two features share a code where a fraction makes the difference."""
    return code + ("90" if "90" in name else "10") if code in ("BC2M", "GBPN") else code


def _within(value: float, expected: float, tolerance: float) -> bool:
    if np.isnan(tolerance) or tolerance == 0:
        tolerance = 0.5 * 10 ** (np.floor(np.log10(abs(expected))) - 2) if expected else 0  # three digits are given
    return bool(abs(value - expected) <= tolerance * (1 + 1e-6))


def check_table(table: pd.DataFrame) -> None:
    """What holds for the table of any engine."""
    assert list(table.columns) == list(FEATURE_COLUMNS)
    assert not table.duplicated(["family", "feature", "aggregation"]).any()
    names = nomenclature()[["family", "feature", "ibsi_code"]]
    assert len(table.merge(names, how="left", indicator=True).query("_merge != 'both'")) == 0
    undefined = table["value"].isna()
    assert not np.isinf(table["value"]).any()
    assert (table.loc[undefined, "deviation"] == "not defined for this ROI").all()
    same = table["deviation"] == ""
    assert np.array_equal(table.loc[same, "value"], table.loc[same, "ibsi_value"])


def value_of(table: pd.DataFrame, feature: str, aggregation: str = "", column: str = "value") -> float:
    rows = table[(table["feature"] == feature) & (table["aggregation"] == aggregation)]
    assert len(rows) == 1, feature
    return float(rows[column].iloc[0])

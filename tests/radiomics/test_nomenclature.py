"""The nomenclature: complete, unambiguous, and its names are the libraries'."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from medomicslab_nb.radiomics.engines import ENGINES
from medomicslab_nb.radiomics.nomenclature import FAMILIES, features_of, nomenclature


def test_names_are_unambiguous_and_families_known() -> None:
    table = nomenclature()
    assert set(table["family"]) == set(FAMILIES)
    assert not table.duplicated(["family", "feature"]).any()
    assert table["feature"].str.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*").all()
    codes = table.loc[(table["ibsi_code"] != "") & (table["family"] != "intensity_volume_histogram"), "ibsi_code"]
    assert codes.is_unique
    assert codes.str.fullmatch(r"[A-Z0-9]{4}").all()  # and 1128 is a text


@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_engine_has_a_column_of_distinct_names(engine: str) -> None:
    own = nomenclature()[engine]
    assert own[own != ""].is_unique
    assert list(features_of(engine)) == list(own[own != ""])


def test_pyradiomics_offers_102_features_of_ibsi_and_nothing_is_forgotten() -> None:
    from radiomics import getFeatureClasses

    ours = features_of("pyradiomics")
    assert sum(feature.ibsi_code != "" for feature in ours.values()) == 102
    theirs = {f"{name}_{feature}" for name, kind in getFeatureClasses().items() if name != "shape2D"
              for feature, deprecated in kind.getFeatureNames().items() if not deprecated}
    assert set(ours) == theirs


def test_the_table_is_a_copy() -> None:
    table = nomenclature()
    table["feature"] = "?"
    assert "?" not in set(nomenclature()["feature"])


@pytest.mark.realdata
def test_every_reference_feature_of_ibsi_has_a_name(real_data: Path) -> None:
    reference = pd.read_csv(real_data / "ibsi" / "ibsi1_reference_values.csv", dtype=str, keep_default_na=False)
    short = {title: family for family, title in FAMILIES.items()}
    wanted = set(zip(reference["family"].map(short), reference["ibsi_code"], reference["tag"], strict=True))
    table = nomenclature()
    assert wanted <= set(zip(table["family"], table["ibsi_code"], table["mirp"], strict=True))

"""Names of ROIs: patterns, accents, case, doubles (bad input 29)."""

from __future__ import annotations

import unicodedata

import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.masks import match_rois
from medomicslab_nb.imaging.roi_names import find_roi, numbered

NAMES = ("GTV_Mass", "gtv nodes", "CTV", "Lésion", "GTV[1]", "Poumon gauche")


@pytest.mark.parametrize(("patterns", "expected"), [
    ([], NAMES),
    (["GTV*"], ("GTV_Mass", "gtv nodes", "GTV[1]")),
    (["*", "CTV"], NAMES),
    (["ctv"], ("CTV",)),
    (["LESION"], ("Lésion",)),
    (["l?sion"], ("Lésion",)),
    ([unicodedata.normalize("NFD", "lésion")], ("Lésion",)),
    (["GTV[1]"], ("GTV[1]",)),
    (["GTV[*"], ("GTV[1]",)),
    (["poumon  *"], ("Poumon gauche",)),
    (["CTV", "GTV_*"], ("GTV_Mass", "CTV")),
    (["PTV*"], ()),
    (["TV"], ()),
])
def test_patterns(patterns: list[str], expected: tuple[str, ...]) -> None:
    assert match_rois(NAMES, patterns) == expected


def test_bad_input_29_a_pattern_takes_both_of_a_double_name() -> None:
    names = numbered(["GTV", "CTV", "GTV "], [1, 2, 7])
    assert names == ("GTV#1", "CTV", "GTV#7")
    assert match_rois(names, ["GTV*"]) == ("GTV#1", "GTV#7")
    assert match_rois(names, ["gtv#7"]) == ("GTV#7",)


def test_bad_input_29_a_double_name_by_itself_asks_for_the_number() -> None:
    names = numbered(["GTV", "CTV", "GTV"], [1, 2, 7])
    with pytest.raises(DataError, match=r"2 ROIs fit the name 'gtv'. Name the one that is meant: 'GTV#1', 'GTV#7'"):
        match_rois(names, ["gtv"])


def test_bad_input_29_names_that_differ_in_case_or_accents_only() -> None:
    """All of them fit a pattern, also across the patients of a cohort; a file's mask is asked for by one name."""
    names = ("Lésion", "LESION", "GTV")
    assert match_rois(names, ["LESION"]) == match_rois(names, ["lesion"]) == ("Lésion", "LESION")
    assert find_roi(names, "Lésion", "file") == "Lésion"
    with pytest.raises(DataError, match="2 ROIs fit"):
        find_roi(names, "lesion", "file")


def test_bad_input_29_roi_without_a_name_has_its_number() -> None:
    assert numbered(["", "GTV"], [4, 5]) == ("#4", "GTV")


def test_composed_and_decomposed_accents_are_one_name() -> None:
    assert numbered([unicodedata.normalize("NFD", "Lésion"), "Lésion"], [1, 2]) == ("Lésion#1", "Lésion#2")


def test_the_only_roi_needs_no_name() -> None:
    assert find_roi(("GTV",), "", "file") == "GTV"
    with pytest.raises(DataError, match="no ROI was chosen"):
        find_roi(NAMES, "", "file")
    with pytest.raises(DataError, match=r"no ROI is called 'PTV'\. It has: 'GTV_Mass'"):
        find_roi(NAMES, "PTV", "file")
    with pytest.raises(DataError, match="4 more"):
        find_roi([f"roi {i}" for i in range(14)], "PTV", "file")

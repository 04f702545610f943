"""Scores in the columns of small tables."""

from __future__ import annotations

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.columns import in_columns

TABLES = [
    ("fr", "Date\tOMS\tIK\n12/03\t2\t70 %", [("ecog", "2"), ("karnofsky", "70")]),
    ("en", "Visit  PS  KPS\nC1  0  100\nC2  1  90",
     [("ecog", "0"), ("karnofsky", "100"), ("ecog", "1"), ("karnofsky", "90")]),
    ("en", "Core | Gleason | ISUP\nleft | 7 | 3", [("gleason", "7"), ("isup", "3")]),
    ("fr", "T\tN\tM\tÉdition\nT2\tN0\tM0\t8", [("uicc_edition", "8")]),
    ("fr", "Grade\tTaille\nSBR\t20", []),
    ("en", "PS\tHb\n12\t9", []),
]


@pytest.mark.parametrize(("language", "text", "facts"), TABLES)
def test_what_stands_below_a_name(language, text, facts):
    found = in_columns(Note(text, language), "ecog", "karnofsky", "gleason", "isup", "uicc_edition", "grade")
    assert [(each.attribute, each.value) for each in found] == facts


def test_only_the_attributes_that_are_asked_for():
    assert list(in_columns(Note("PS\tKPS\n1\t80", "en"), "gleason")) == []

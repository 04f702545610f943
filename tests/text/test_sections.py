"""Sections of notes, by their headings."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.sections import catalogue, find_sections, section_context

NOTE_FR = """Madame X.
ANTÉCÉDENTS FAMILIAUX
mère : cancer du sein
Antécédents : diabète
Examen clinique :
nodule
Demandé ce jour :
scanner et IRM
CONCLUSION
carcinome"""


def names(text: str, language: str) -> list[str]:
    return [section.name for section in find_sections(fold(text).folded, language)]


def test_a_note_falls_into_its_sections() -> None:
    folded = fold(NOTE_FR).folded
    parts = {section.name: folded[section.start:section.end].strip() for section in find_sections(folded, "fr")}
    assert parts == {"family": "mere : cancer du sein", "history": "diabete", "examination": "nodule",
                     "": "scanner et irm", "conclusion": "carcinome"}


@pytest.mark.parametrize(("text", "language", "expected"), [
    ("Past Medical History: diabetes", "en", ["history"]),
    ("- Family history:\nnone", "en", ["family"]),
    ("Plan:\n- chemotherapy\n- surgery\nrest", "en", ["plan"]),
    ("2) Antécédents :\nnéant", "fr", ["history"]),
    ("# PLAN\nchemotherapy", "en", ["plan"]),
    ("  Conduite à tenir  :\nrien", "fr", ["plan"]),
    ("Antécédents :\nnéant", "en", ["history"]),
    ("He has a history: diabetes", "en", []),
    ("Her family history is long", "en", []),
    ("histoire de la maladie\r\nvue", "fr", ["present_illness"]),
    ("", "fr", []),
])
def test_headings_stand_alone_or_before_a_colon(text: str, language: str, expected: list[str]) -> None:
    assert names(text, language) == expected


def test_an_unknown_heading_ends_what_a_section_says() -> None:
    assert names("Family history:\nnone\nSeen today:\nnodule", "en") == ["family", ""]


def test_the_catalogue_is_whole() -> None:
    for name, entry in catalogue().items():
        assert set(entry) <= {"title", "context", "fr", "en"} and set(entry["title"]) == {"fr", "en"}
        assert section_context(name) in ("", *CONTEXTS)
        assert all(heading == fold(heading).folded for language in ("fr", "en") for heading in entry[language])
    assert section_context("family") == "family" and section_context("nowhere") == ""


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_heading_stands_in_two_sections(language: str) -> None:
    headings = [heading for entry in catalogue().values() for heading in entry[language]]
    assert len(headings) == len(set(headings))


@given(st.text("aé :\n-.1)#hplan", max_size=80))
def test_sections_follow_one_another(text: str) -> None:
    found = find_sections(fold(text).folded, "en")
    assert all(section.start <= section.end for section in found)
    assert all(one.end <= other.start for one, other in pairwise(found))

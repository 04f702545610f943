"""What the study knows of its patients is found however it is written."""

from __future__ import annotations

import datetime as dt

import pytest

from medomicslab_nb.text.identifiers.finding import find_identifiers
from medomicslab_nb.text.identifiers.known import KnownIdentifiers
from medomicslab_nb.text.note import Note

KNOWN = KnownIdentifiers.of({"Quarrimou", "Petit", "STS-00417", "804512"}, [dt.date(1956, 3, 12)])


def known_in(text: str) -> list[str]:
    return [one.text for one in find_identifiers(Note(text, "fr"), KNOWN) if one.rule == "known"]


@pytest.mark.parametrize("text", ["Quarrimou", "quarrimou", "QUARRIMOU", "Quarr1mou", "Quarrirnou", "Quarimou",
                                  "Quarri mou", "Quarrimuo"])
def test_a_name_is_found_misread_misspelt_and_in_any_letters(text):
    assert known_in(f"douleurs de {text} calmées") == [text]


@pytest.mark.parametrize("text", ["STS-00417", "sts 00417", "STS00417", "STS-OO417", "804512", "804 512"])
def test_a_number_is_found_with_other_marks_and_letters_for_digits(text):
    assert known_in(f"dans {text} hier") == [text]


@pytest.mark.parametrize("text", ["12 03 1956", "12031956", "19560312"])
def test_a_date_of_birth_is_found_without_its_marks(text):
    assert known_in(f"dans {text} hier") == [text]


def test_a_name_that_is_an_ordinary_word_needs_its_capital():
    assert known_in("un petit nodule chez Petit hier") == ["Petit"]


def test_short_numbers_are_not_looked_for():
    assert known_in("804 mg puis 512 mg") == []

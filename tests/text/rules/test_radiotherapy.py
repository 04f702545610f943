"""Doses of radiotherapy: sentences with the total doses that they say."""

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import radiotherapy


def read(text: str, language: str) -> list[tuple[str, str, str]]:
    note = Note(text, language)
    return [(text[slice(*note.source(found.start, found.end))], found.value, found.qualifier)
            for found in radiotherapy.find(note)]


@pytest.mark.parametrize(("text", "language", "answer"), [
    ("50 Gy en 25 fractions de 2 Gy", "fr", [("50 Gy", "50", "25 fractions")]),
    ("50,4 Gy en 28 séances", "fr", [("50,4 Gy", "50.4", "28 fractions")]),
    ("66Gy/33fr", "fr", [("66Gy", "66", "33 fractions")]),
    ("50 Gy (25 x 2 Gy) puis surimpression de 16 Gy", "fr", [("50 Gy", "50", "25 fractions"), ("16 Gy", "16", "")]),
    ("5 séances de 7 Gy", "fr", [("5 séances de 7 Gy", "35", "5 fractions")]),
    ("50 Gy (2 Gy/séance, 5 séances/semaine)", "fr", [("50 Gy", "50", "")]),
    ("60Gy/30.", "fr", [("60Gy", "60", "30 fractions")]),
    ("45 Gy/25, bien toléré", "fr", [("45 Gy", "45", "25 fractions")]),
    ("50 Gy/25 fx", "en", [("50 Gy", "50", "25 fractions")]),
    ("60 Gy/2 Gy", "en", [("60 Gy", "60", ""), ("2 Gy", "2", "")]),
    ("60 grays", "fr", [("60 grays", "60", "")]),
    ("5040 cGy over 6 weeks", "en", [("5040 cGy", "50.4", "")]),
    ("54 Gy in 3 fractions", "en", [("54 Gy", "54", "3 fractions")]),
    ("30 Gy \u00d7 1", "en", [("30 Gy \u00d7 1", "30", "1 fractions")]),
    ("2 Gy par fraction ; 1,8 Gy/j", "fr", []),
    ("moelle < 45 Gy, dose moyenne au coeur de 4 Gy", "fr", []),
    ("eight fractions of 2 Gy; maximum cord dose 45 Gy", "en", []),
    ("5 mGy, 3 G, Gy", "en", []),
])
def test_doses(text: str, language: str, answer: list[tuple[str, str, str]]) -> None:
    assert read(text, language) == answer

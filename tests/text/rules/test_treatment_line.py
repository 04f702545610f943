"""Lines of treatment: sentences with the lines that they name."""

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import treatment_line


def read(text: str, language: str) -> list[tuple[str, str, str]]:
    note = Note(text, language)
    return [(text[slice(*note.source(found.start, found.end))], found.value, found.qualifier)
            for found in sorted(treatment_line.find(note), key=lambda each: each.start)]


@pytest.mark.parametrize(("text", "language", "answer"), [
    ("Chimiothérapie de première ligne", "fr", [("première ligne", "1", "")]),
    ("en 3ème ligne, puis 4e ligne", "fr", [("3ème ligne", "3", ""), ("4e ligne", "4", "")]),
    ("1re et 2e lignes", "fr", [("1re", "1", ""), ("2e lignes", "2", "")]),
    ("L2 par docétaxel", "fr", [("L2", "2", "")]),
    ("chimiothérapie néo-adjuvante, radiothérapie adjuvante", "fr",
     [("néo-adjuvante", "0", "neoadjuvant"), ("adjuvante", "0", "adjuvant")]),
    ("DEUXIEME LIGNE METASTATIQUE", "fr", [("DEUXIEME LIGNE", "2", "")]),
    ("first-line and second-line FOLFIRI", "en", [("first-line", "1", ""), ("second-line", "2", "")]),
    ("2L docetaxel; line 3", "en", [("2L", "2", ""), ("line 3", "3", "")]),
    ("neoadjuvant chemotherapy", "en", [("neoadjuvant", "0", "neoadjuvant")]),
    ("Fracture de L2 sous docétaxel", "fr", []),
    ("Antibiothérapie de première ligne", "fr", []),
    ("après 3 lignes de traitement, ligne médiane, voie centrale", "fr", []),
    ("after two lines; central line; L1 vertebra; first relative line", "en", []),
    ("antalgiques adjuvants, adjuvant du vaccin", "fr", []),
])
def test_lines(text: str, language: str, answer: list[tuple[str, str, str]]) -> None:
    assert read(text, language) == answer

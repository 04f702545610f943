import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.proliferation import find


@pytest.mark.parametrize(("language", "text", "said"), [
    ("fr", "Ki67 à 20 %", [("20", "")]), ("en", "Ki-67 10-15%", [("12.5", "10-15")]),
    ("fr", "Ki 67 entre 10 et 15 %", [("12.5", "10-15")]), ("fr", "KI67>20%", [("20", ">")]),
    ("en", "a Ki-67 (MIB-1) labelling index of 20%", [("20", "")]), ("fr", "Ki-67 : 30", [("30", "")]),
    ("en", "30% of cells were positive for Ki-67", [("30", "")]), ("en", "Ki-67 less than 5%", [("5", "<")]),
    ("fr", "Ki67 passé de 40 % à 10 %", [("40", ""), ("10", "")]), ("fr", "MIB-1 : 28 p. cent", [("28", "")]),
    ("en", "high Ki-67", []), ("fr", "Ki67 élevé", []), ("en", "ER 90%, Ki-67 not done, PR 10%", []),
    ("en", "tumours defined by a Ki-67 of 3 to 20 %; in this case it is 7 %", [("7", "")]),
    ("fr", "RE\tKi67\n90 %\t25 %", [("25", "")]), ("en", "Ki-67 (ref. < 14 %): 13 %", [("13", "")]),
])
def test_values(language, text, said):
    assert [(found.value, found.qualifier) for found in find(Note(text, language))] == said

"""Gleason scores and grade groups: sentences with what they say beside them."""

from __future__ import annotations

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import prostate

SAID = [
    # language, sentence, facts: g = Gleason, i = ISUP, with ! for history and - for negated
    ("fr", "Gleason 7 (3+4), ISUP 2", "g3+4=7 i2"), ("fr", "score de Gleason 4 + 3 = 7", "g4+3=7"),
    ("fr", "Adénocarcinome Gleason 6", "g6"), ("fr", "Gleason à 8 (4+4)", "g4+4=8"),
    ("fr", "score de Gleason : 9 (4 + 5)", "g4+5=9"),
    ("fr", "score 7 (3+4) de Gleason", "g3+4=7"), ("fr", "GLEASON 7(4+3)", "g4+3=7"), ("fr", "Gleeson 3+3", "g3+3=6"),
    ("fr", "score de Gleason sept", "g7"), ("fr", "Gleason 3+4 à droite et 4+4 à gauche", "g3+4=7 g4+4=8"),
    ("fr", "Gleason 6 à gauche, 3+4=7 à droite", "g6 g3+4=7"), ("fr", "Gleason 7/10", "g7"),
    ("fr", "Gleason 4+5=9, groupe ISUP 5", "g4+5=9 i5"),
    ("fr", "groupe de grade 3", "i3"), ("fr", "grade group 4", "i4"), ("fr", "grade ISUP : 1", "i1"),
    ("fr", "ISUP groupe 2", "i2"),
    ("fr", "ISUP 2-3", "i2 i3"), ("fr", "ISUP4", "i4"), ("fr", "ISUP (2019) : 3", "i3"),
    ("fr", "Prostate : groupe pronostique 2", "i2"),
    ("fr", "biopsie : ISUP 1 auparavant, ISUP 3 désormais", "!i1 i3"), ("fr", "score de Gleason non évaluable", ""),
    ("fr", "Contingent de grade 4 de Gleason 30 %", ""), ("fr", "cellules claires du rein, grade ISUP 3", ""),
    ("fr", "SBR II (3+2+1)", ""), ("fr", "HER2 3+", ""), ("fr", "ganglions 2+3 prélevés", ""),
    ("fr", "PSA 7, Gleason en attente", ""),
    ("fr", "12 biopsies dont 3 + 2 positives", ""), ("fr", "groupe sanguin A, Rhésus +", ""),
    ("fr", "score d'Apgar 4+3", ""),
    ("fr", "adénocarcinome prostatique acineux 3 + 4 = 7, 5 carottes sur 12", "g3+4=7"),
    ("fr", "Surveillance réservée aux Gleason 6", ""),
    ("fr", "Gleason 3+4\n=7", "g3+4=7"), ("fr", "score de Gleason de la biopsie initiale 6", "g6"),
    ("fr", "Gleason 8 mais PSA 4", "g8"),
    ("en", "Gleason score 3+4=7 (grade group 2)", "g3+4=7 i2"), ("en", "Gleason score of 8", "g8"),
    ("en", "Gleason 4+3", "g4+3=7"),
    ("en", "Gleason sum 7", "g7"), ("en", "GS 9", "g9"), ("en", "GS 3+4", "g3+4=7"),
    ("en", "Gleason 9 (5 + 4)", "g5+4=9"), ("en", "Gleason's score: 6", "g6"),
    ("en", "Gleason grade 3 + 3", "g3+3=6"), ("en", "Gleason 4+4=8 with tertiary pattern 5", "g4+4=8"),
    ("en", "Gleason pattern 4 in 20%", ""),
    ("en", "Gleason grade 4 component", ""), ("en", "Grade Group 5", "i5"), ("en", "ISUP grade group 1", "i1"),
    ("en", "GG3 prostate cancer", "i3"),
    ("en", "Gleason 6 upgraded to 3+4=7", "!g6 g3+4=7"), ("en", "Gleason score eight", "g8"),
    ("en", "Gleason 6-7", "g6 g7"),
    ("en", "WHO/ISUP grade 2 clear cell carcinoma", ""), ("en", "Gleason score not reported", ""),
    ("en", "2 of 12 cores, 3+3", ""),
    ("en", "blood group 3", ""), ("en", "age group 2", ""), ("en", "Gleason 3 +4=7", "g3+4=7"),
    ("en", "Gleason (4+3)=7", "g4+3=7"),
    ("en", "GS 15 on arrival", ""), ("en", "prostatic adenocarcinoma, Gleason 10 (5+5)", "g5+5=10"),
    ("en", "Gleason ≥8 would need ADT", ""),
    ("en", "edema 2+3", ""), ("en", "Gleason 3+4 in 6 of 12 cores", "g3+4=7"), ("en", "grade groups 1 and 2", "i1 i2"),
    ("en", "Primary Gleason pattern 3, secondary pattern 4", "g3+4=7"), ("en", "Gleason four plus five", "g4+5=9"),
    ("en", "Left base Gleason 6, right apex 8", "g6 g8"), ("en", "Gleason 9/10 (4+5)", "g4+5=9"),
    ("en", "Fear of a Gleason 9 was unfounded", ""), ("en", "prostate, graded 3 + 4", "g3+4=7"),
    ("fr", "Gleason majoritaire 3, minoritaire 4", "g3+4=7"), ("fr", "3+4 = 7 carottes positives, Gleason 6", "g6"),
    ("fr", "ISUP 3 et non 2", "i3 -i2"), ("fr", "De Gleason 6 à 8 : aggravation", "g6 g8"),
]


def said(language: str, text: str) -> str:
    marks = {"history": "!", "negated": "-"}
    return " ".join("".join(marks[each] for each in fact.context) + fact.attribute[0] + fact.value
                    for fact in sorted(prostate.find(Note(text, language)), key=lambda each: each.start))


@pytest.mark.parametrize(("language", "text", "facts"), SAID)
def test_says(language, text, facts):
    assert said(language, text) == facts


def test_the_mention_is_the_text_as_stored():
    note = Note("œde\u0300me ; score de Gleason e\u0301value\u0301 a\u0300 7 (4 + 3), ISUP 3", "fr")
    found = {fact.attribute: note.text[slice(*note.source(fact.start, fact.end))] for fact in prostate.find(note)}
    assert found == {"gleason": "7 (4 + 3)", "isup": "ISUP 3"}

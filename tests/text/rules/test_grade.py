"""Grades: sentences with what they say beside them."""

from __future__ import annotations

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import grade

SAID = [
    # language, sentence, values, with ! for history and - for negated
    ("fr", "carcinome canalaire infiltrant de grade II", "2"), ("fr", "grade SBR III", "3"), ("fr", "SBR 2", "2"),
    ("fr", "SBR3", "3"), ("fr", "SBR : I", "1"),
    ("fr", "grade II de Scarff-Bloom et Richardson", "2"), ("fr", "grade 3 de malignité (3+3+2)", "3"),
    ("fr", "Elston-Ellis III", "3"), ("fr", "grade histopronostique d'Elston et Ellis : 2", "2"),
    ("fr", "EE 2", "2"), ("fr", "CCI grade 2/3", "2"), ("fr", "grade nucléaire de Fuhrman 3", "3"),
    ("fr", "Fuhrman 2", "2"), ("fr", "Furhman II", "2"), ("fr", "grade 2 de la FNCLCC", "2"),
    ("fr", "sarcome FNCLCC grade 3", "3"), ("fr", "gliome grade II OMS", "2"),
    ("fr", "glioblastome (grade IV de l'OMS)", "4"), ("fr", "méningiome OMS 1", "1"),
    ("fr", "adénocarcinome bien différencié", "1"), ("fr", "moyennement différencié", "2"),
    ("fr", "peu différencié", "3"), ("fr", "carcinome épidermoïde moyennement à peu différencié", "2 3"),
    ("fr", "carcinome urothélial de haut grade", "high"), ("fr", "tumeur de bas grade", "low"),
    ("fr", "gliome de grade intermédiaire", "intermediate"), ("fr", "CCIS de haut grade", "high"),
    ("fr", "pT2 G3 N0", "3"), ("fr", "TNE G2", "2"), ("fr", "grade : 2", "2"), ("fr", "Grade III", "3"),
    ("fr", "grade 1 ou 2", "1 2"), ("fr", "grade II-III", "2 3"),
    ("fr", "neutropénie grade 3", ""), ("fr", "toxicité de grade 2", ""), ("fr", "mucite grade II", ""),
    ("fr", "diarrhées de grade 3 sous capécitabine", ""), ("fr", "dysplasie de haut grade", ""),
    ("fr", "fièvre, syndrome main-pied grade 2", ""), ("fr", "CIN de haut grade", ""),
    ("fr", "varices oesophagiennes grade II", ""), ("fr", "bloc de haut grade", ""), ("fr", "Gleason grade 4", ""),
    ("fr", "ISUP grade 3, prostate", ""), ("fr", "grade group 2", ""), ("fr", "encéphalopathie grade 2", ""),
    ("fr", "régression tumorale grade 2 de Mandard", ""), ("fr", "hydronéphrose grade 3", ""),
    ("fr", "Clavien grade IIIa", ""), ("fr", "rein : carcinome à cellules claires, ISUP 2", ""),
    ("fr", "carcinome rénal à cellules claires grade ISUP 2", "2"), ("fr", "G2P1, grossesse", ""),
    ("fr", "infirmière de grade 2", ""), ("fr", "Dysphagie grade 1.", ""), ("fr", "dysgueusie de grade 1", ""),
    ("fr", "Carcinome de l'oesophage de grade 3, dysphagie grade 1.", "3"), ("fr", "érythème de grade 2", ""),
    ("en", "Dysphagia grade 1.", ""), ("en", "grade 2 odynophagia, grade 1 dysgeusia", ""), ("en", "cough grade 2", ""),
    ("en", "hot flashes grade 1 and weight loss grade 2", ""),
    ("fr", "sans grade", ""), ("fr", "grade non précisé", ""), ("fr", "reflux vésico-urétéral de grade 3", ""),
    ("fr", "SBR 3+2+1", ""), ("fr", "ascite de grade 2", ""), ("fr", "radiodermite G2", ""),
    ("fr", "grade de différenciation : 2", "2"), ("fr", "degré de différenciation 2", "2"),
    ("fr", "différenciation : moyenne", "2"), ("fr", "biopsie grade 1 auparavant, grade 3 désormais", "!1 3"),
    ("en", "grade 2 invasive ductal carcinoma", "2"), ("en", "Nottingham grade 3", "3"),
    ("en", "Nottingham grade II (score 6/9)", "2"), ("en", "Nottingham score 7/9", ""),
    ("en", "Bloom-Richardson grade 2", "2"),
    ("en", "histologic grade III", "3"), ("en", "Fuhrman grade 4", "4"), ("en", "Fuhrman nuclear grade 2", "2"),
    ("en", "WHO grade II astrocytoma", "2"), ("en", "CNS WHO grade 4 glioblastoma", "4"),
    ("en", "WHO/ISUP grade 3 clear cell renal cell carcinoma", "3"), ("en", "FNCLCC grade 2 sarcoma", "2"),
    ("en", "FIGO grade 1 endometrioid carcinoma", "1"), ("en", "high-grade serous carcinoma", "high"),
    ("en", "low grade glioma", "low"), ("en", "intermediate-grade DCIS", "intermediate"),
    ("en", "well differentiated adenocarcinoma", "1"),
    ("en", "moderately-differentiated squamous cell carcinoma", "2"),
    ("en", "poorly differentiated carcinoma", "3"), ("en", "moderately to poorly differentiated", "2 3"),
    ("en", "well to moderately differentiated", "1 2"), ("en", "moderately well differentiated", "2"),
    ("en", "pT3 G2 N1", "2"), ("en", "neuroendocrine tumor, G1", "1"), ("en", "Grade: 3 of 3", "3"),
    ("en", "grade 3/3", "3"), ("en", "GRADE II", "2"), ("en", "grade two carcinoma", "2"),
    ("en", "grade 3 neutropenia", ""), ("en", "grade 2 diarrhea", ""), ("en", "low-grade fever", ""),
    ("en", "high-grade dysplasia", ""), ("en", "high-grade squamous intraepithelial lesion", ""),
    ("en", "high-grade stenosis", ""), ("en", "grade 4 esophageal varices", ""),
    ("en", "grade 2 hepatic encephalopathy", ""), ("en", "CTCAE grade 3 rash", ""),
    ("en", "grade III hemorrhoids", ""), ("en", "G3P2", ""),
    ("en", "grade 1 spondylolisthesis", ""), ("en", "tumor regression grade 2", ""),
    ("en", "grade 2/6 systolic murmur", ""), ("en", "acute GVHD grade II", ""), ("en", "CKD G3a", ""),
    ("en", "high-grade AV block", ""),
    ("en", "upgrade 2 of the software", ""), ("en", "retrograde 3 cm", ""), ("en", "grade not given", ""),
    ("en", "high grade prostatic intraepithelial neoplasia", ""), ("en", "grade 3 or higher toxicity", ""),
    ("en", "Biopsy had shown grade 1; the specimen is now grade 2", "!1 2"), ("en", "Gleason grade 4+3", ""),
    ("en", "ISUP grade 2 of the prostate", ""), ("en", "low-grade temperature", ""),
]


def said(language: str, text: str) -> str:
    marks = {"history": "!", "negated": "-"}
    return " ".join("".join(marks[each] for each in fact.context) + fact.value
                    for fact in sorted(grade.find(Note(text, language)), key=lambda each: each.start))


@pytest.mark.parametrize(("language", "text", "values"), SAID)
def test_says(language, text, values):
    assert said(language, text) == values


@pytest.mark.parametrize(("text", "system"), [("SBR II", "SBR"), ("grade II d'Elston et Ellis", "Nottingham"),
                                              ("Furhman 3", "Fuhrman"),
                                              ("carcinome de grade 2", ""), ("gliome grade II OMS", "WHO")])
def test_names_the_system(text, system):
    (fact,) = grade.find(Note(text, "fr"))
    assert fact.qualifier == system


def test_the_mention_is_the_text_as_stored():
    note = Note("œsophage : carcinome e\u0301pidermoi\u0308de peu diffe\u0301rencie\u0301", "fr")
    (fact,) = grade.find(note)
    assert note.text[slice(*note.source(fact.start, fact.end))] == "peu diffe\u0301rencie\u0301"

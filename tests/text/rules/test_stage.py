"""Stages: sentences with what they say beside them."""

from __future__ import annotations

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import stage

SAID = [
    # language, sentence, values, with ! for history and - for negated
    ("fr", "Cancer du sein stade IIIB", "IIIB"), ("fr", "stade III B", "IIIB"), ("fr", "STADE IV", "IV"),
    ("fr", "stade 2", "II"), ("fr", "stade 3a", "IIIA"),
    ("fr", "stade FIGO IIIC", "IIIC"), ("fr", "FIGO IA2", "IA2"), ("fr", "stade IB1 de la FIGO", "IB1"),
    ("fr", "stade IV B selon Ann Arbor", "IVB"),
    ("fr", "Ann Arbor IIEA", "IIA"), ("fr", "stade I E", "I"), ("fr", "lymphome stade IIIS", "III"),
    ("fr", "stade clinique II", "II"),
    ("fr", "classé stade IIA de l'UICC", "IIA"), ("fr", "Dukes C", "III"), ("fr", "stade B2 d'Astler-Coller", "II"),
    ("fr", "stades II et III", "II III"),
    ("fr", "stade II-III", "II III"), ("fr", "stade IIIA/B", "IIIA IIIB"), ("fr", "pT2N1M0, soit un stade IIB", "IIB"),
    ("fr", "pT2N1M0 (IIB)", "IIB"),
    ("fr", "Stade : IV", "IV"), ("fr", "stade lV", "IV"), ("fr", "stade lll", "III"), ("fr", "Myélome ISS III", "III"),
    ("fr", "R-ISS 2", "II"),
    ("fr", "Durie et Salmon IIIA", "IIIA"), ("fr", "carcinome localement avancé", "locally advanced"),
    ("fr", "stade métastatique", "metastatic"),
    ("fr", "cancer de prostate localisé", "localised"), ("fr", "stade précoce", ""), ("fr", "stade terminal", ""),
    ("fr", "stade avancé", ""),
    ("fr", "insuffisance rénale chronique stade 3b", ""), ("fr", "stade 4 d'insuffisance rénale", ""),
    ("fr", "BPCO stade II", ""), ("fr", "escarre sacrée stade 3", ""),
    ("fr", "dyspnée stade III de la NYHA", ""), ("fr", "AOMI stade II", ""), ("fr", "fibrose stade 2", ""),
    ("fr", "Parkinson stade 2 de Hoehn et Yahr", ""),
    ("fr", "sommeil stade 2", ""), ("fr", "IRC stade 3, adénocarcinome du colon stade II", "II"),
    ("fr", "cancer du rein stade III", "III"),
    ("fr", "au stade de l'examen", ""), ("fr", "stade T2", ""), ("fr", "stade pT3N0", ""),
    ("fr", "stade à préciser", ""), ("fr", "en stage 1 mois", ""),
    ("fr", "Traitement réservé aux stades IV", ""), ("fr", "initialement II, stade désormais IV", "IV"),
    ("fr", "stade II auparavant, stade IV actuellement", "!II IV"),
    ("fr", "stade I a été retenu", "I"), ("fr", "stade 2 mm", ""), ("fr", "rétinopathie stade 3", ""),
    ("fr", "HTA stade 2", ""), ("fr", "GVH stade 2", ""),
    ("fr", "stade (FIGO 2018) : IIIC1", "IIIC1"), ("fr", "Le stade retenu est IIIC", "IIIC"), ("fr", "stade 0", "0"),
    ("fr", "cancer classé stade trois", "III"),
    ("en", "stage IIIA", "IIIA"), ("en", "Stage 4 breast cancer", "IV"), ("en", "clinical stage IIB", "IIB"),
    ("en", "pathologic stage: IA3", "IA3"),
    ("en", "FIGO stage IIIC1", "IIIC1"), ("en", "stage IVB (FIGO)", "IVB"), ("en", "AJCC stage IIC", "IIC"),
    ("en", "staged as IIA", "IIA"),
    ("en", "upstaged to IIIB", "IIIB"), ("en", "Ann Arbor stage IIIB", "IIIB"), ("en", "Ann Arbor stage IVBX", "IVB"),
    ("en", "Dukes' B", "II"),
    ("en", "stage II or III", "II III"), ("en", "stages I to III", "I III"), ("en", "stage I/II", "I II"),
    ("en", "Stage: III", "III"), ("en", "Stg III melanoma", "III"),
    ("en", "pStage IB", "IB"), ("en", "cStage IV colon cancer", "IV"), ("en", "ycStage IIa", "IIA"),
    ("en", "Masaoka stage II thymoma", "II"),
    ("en", "ISS stage 2 myeloma", "II"), ("en", "stage four lung cancer", "IV"),
    ("en", "locally advanced disease", "locally advanced"), ("en", "localized prostate cancer", "localised"),
    ("en", "stage IE", "I"), ("en", "stage 3 chronic kidney disease", ""), ("en", "CKD stage 3a", ""),
    ("en", "stage 2 pressure ulcer", ""), ("en", "stage II hypertension", ""),
    ("en", "GOLD stage 3 COPD", ""), ("en", "stage N2 sleep", ""), ("en", "two-stage repair", ""),
    ("en", "stage 2 surgery", ""), ("en", "end-stage liver disease", ""),
    ("en", "early-stage disease", ""), ("en", "late stage", ""), ("en", "second stage of labour", ""),
    ("en", "stage 1 of labour", ""), ("en", "ISS 25", ""), ("en", "Tanner stage 4", ""),
    ("en", "A trial in stage III disease", ""), ("en", "at this stage 2 options exist", ""),
    ("en", "stage not assigned", ""), ("en", "neuroblastoma stage 4S", ""),
    ("en", "CKD stage 3; breast cancer stage IIA", "IIA"),
    ("en", "Stage IIIC ovarian cancer with CKD stage 2", "IIIC"), ("en", "stage IIIB renal cell carcinoma", "IIIB"),
    ("en", "stage 2 lymphedema", ""), ("en", "cirrhosis, stage 4 fibrosis", ""),
    ("en", "previously stage II, now stage IV", "!II IV"),
]


def said(language: str, text: str) -> str:
    marks = {"history": "!", "negated": "-"}
    return " ".join("".join(marks[each] for each in fact.context) + fact.value
                    for fact in sorted(stage.find(Note(text, language)), key=lambda each: each.start))


@pytest.mark.parametrize(("language", "text", "values"), SAID)
def test_says(language, text, values):
    assert said(language, text) == values


@pytest.mark.parametrize(("text", "system"), [("stade IIIC (FIGO 2018)", "FIGO"), ("Ann Arbor IIEA", "Ann Arbor"),
                                              ("stage IV, UICC", "UICC"),
                                              ("stade II", ""), ("Dukes C", "Dukes"), ("T2N1M0 (IIB)", "TNM")])
def test_names_the_system(text, system):
    (fact,) = stage.find(Note(text, "fr"))
    assert fact.qualifier == system


def test_the_mention_is_the_text_as_stored():
    note = Note("œsophage : cancer e\u0301pidermoi\u0308de, stade IIIC", "fr")
    (fact,) = stage.find(note)
    assert note.text[slice(*note.source(fact.start, fact.end))] == "stade IIIC"

"""Performance status: sentences with what they say beside them."""

from __future__ import annotations

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import performance

SAID = [
    # language, sentence, facts: e = ECOG, k = Karnofsky, with ! for history and - for negated
    ("fr", "PS 1.", "e1"), ("fr", "PS=0", "e0"), ("fr", "PS : 2", "e2"), ("fr", "PS1", "e1"),
    ("fr", "Patient OMS 1, sans comorbidité.", "e1"), ("fr", "indice de performance OMS à 2", "e2"),
    ("fr", "Indice OMS estimé à 3", "e3"), ("fr", "état général OMS 0-1", "e1"), ("fr", "ECOG-PS 0/1", "e1"),
    ("fr", "performance status coté à 2 ce jour", "e2"), ("fr", "ECOG: 2/4", "e2"),
    ("fr", "PERFORMANCE STATUS 3", "e3"),
    ("fr", "score de performance à 1", "e1"), ("fr", "Statut OMS : zéro", "e0"), ("fr", "PS (OMS) : 2", "e2"),
    ("fr", "bon état général, à 1 selon l'OMS", "e1"), ("fr", "PS 0 à 1", "e1"), ("fr", "OMS grade 2, amaigri", ""),
    ("fr", "Etat général altéré (OMS 3).", "e3"), ("fr", "PS passé de 1 à 3 en deux mois", "!e1 e3"),
    ("fr", "OMS 1 le mois dernier, OMS 2 aujourd'hui", "!e1 e2"), ("fr", "PS 2 au lieu de 3", "e2 -e3"),
    ("fr", "Karnofsky 80 %", "k80"), ("fr", "IK à 70%", "k70"), ("fr", "IK: 100", "k100"),
    ("fr", "indice de Karnofsky de 90", "k90"),
    ("fr", "Indice de Karnofsky évalué à 60-70 %", "k60"), ("fr", "Karnofsky à 80/100", "k80"), ("fr", "KPS80%", "k80"),
    ("fr", "un indice de performance à 80 %", "k80"), ("fr", "70 % selon Karnofsky", "k70"),
    ("fr", "Le Karnofsky est passé de 90 à 60 %.", "!k90 k60"), ("fr", "Karnofsky soixante-dix", "k70"),
    ("fr", "L'inclusion exige un PS ≤ 2.", ""), ("fr", "Critères d'inclusion : ECOG 0 ou 1", ""),
    ("fr", "VS-PEP, PS 5 cmH2O", ""), ("fr", "PS : rappeler la famille", ""), ("fr", "gliome OMS 2", ""),
    ("fr", "glioblastome, grade OMS 4", ""), ("fr", "classification OMS 2021", ""), ("fr", "mucite OMS 3", ""),
    ("fr", "Karnofsky non renseigné, poids 60 kg", ""), ("fr", "OMS type 2", ""), ("fr", "palier 2 de l'OMS", ""),
    ("fr", "PS non évalué", ""), ("fr", "hémoglobine 10, PS 1", "e1"), ("fr", "ECOG 1 et Karnofsky 80 %", "e1 k80"),
    ("en", "ECOG 0", "e0"), ("en", "ECOG performance status of 1", "e1"), ("en", "ECOG PS: 2", "e2"),
    ("en", "PS 0-1", "e1"),
    ("en", "performance status was 2", "e2"), ("en", "WHO PS 1", "e1"), ("en", "WHO performance status 3", "e3"),
    ("en", "Zubrod 1", "e1"), ("en", "an ECOG score of one", "e1"), ("en", "ECOG of zero", "e0"),
    ("en", "ECOG grade 2", "e2"),
    ("en", "Eastern Cooperative Oncology Group (ECOG) performance status 1", "e1"), ("en", "ECOG 1 -> 3", "!e1 e3"),
    ("en", "ECOG was previously 1, now 2", "!e1 e2"), ("en", "PS (ECOG) 1", "e1"), ("en", "ecog ps 2", "e2"),
    ("en", "Performance status (ECOG/WHO): 1", "e1"), ("en", "her performance status remains good at 1", "e1"),
    ("en", "Karnofsky performance status 70%", "k70"), ("en", "KPS of 90", "k90"), ("en", "KPS 80-90", "k80"),
    ("en", "KPS=100", "k100"), ("en", "Karnofsky index: 60", "k60"), ("en", "Karnofsky score was 50 %", "k50"),
    ("en", "a Karnofsky performance scale score of 70", "k70"), ("en", "scored 60 on the Karnofsky scale", "k60"),
    ("en", "KPS ninety", "k90"), ("en", "KPS fell from 80 to 50", "!k80 k50"), ("en", "KPS unchanged at 70", "k70"),
    ("en", "Her KPS, which had been stable, is now 60.", "k60"), ("en", "KPS 70 out of 100", "k70"),
    ("en", "80% by Karnofsky", "k80"), ("en", "KPS (clinic) 80", "k80"), ("en", "Karnofsky: 90 percent", "k90"),
    ("en", "Eligible if ECOG 0-1.", ""), ("en", "KPS > 70 is required.", ""), ("en", "ECOG 2108 trial", ""),
    ("en", "ECOG ≤1", ""), ("en", "WHO grade 2 astrocytoma", ""), ("en", "pressure support (PS) 5 cm H2O", ""),
    ("en", "PS. 3 copies to the GP", ""), ("en", "WHO group 1 pulmonary hypertension", ""),
    ("en", "the patient, who 2 weeks ago fell", ""),
    ("en", "performance status not recorded", ""), ("en", "step 2 of the WHO ladder", ""),
    ("en", "KPS not done, age 70", ""),
    ("en", "Ki-67 80 %, KPS 70", "k70"), ("en", "ECOG not assessed; 2 lesions", ""),
    ("en", "E.C.O.G. 1", "e1"), ("en", "Eastern Cooperative Oncology Group: 2", "e2"), ("en", "K.P.S. 60", "k60"),
    ("en", "Karnofsky (%) ..... 70", "k70"), ("en", "KPS 90 at baseline, fallen to 70", "!k90 k70"),
    ("en", "ECOG 0 today but was ECOG 2 in May", "e0 !e2"), ("en", "this ECOG 2 patient", "e2"),
    ("en", "KPS below 50 was discussed", ""), ("fr", "Dégradation du PS de 0 à 2", "!e0 e2"),
    ("fr", "si OMS 0 ou 1", ""), ("fr", "Kanofsky 60 %", "k60"), ("fr", "Indice OMS : 2\nPoids : 60 kg", "e2"),
    ("fr", "Le PS, selon l'infirmière, est de 3", "e3"), ("fr", "Date\tOMS\n04/05\t2", "e2"),
]


def said(language: str, text: str) -> str:
    marks = {"history": "!", "negated": "-"}
    return " ".join("".join(marks[each] for each in fact.context) + fact.attribute[0] + fact.value
                    for fact in sorted(performance.find(Note(text, language)), key=lambda each: each.start))


@pytest.mark.parametrize(("language", "text", "facts"), SAID)
def test_says(language, text, facts):
    assert said(language, text) == facts


def test_scores_of_relatives_are_the_familys():
    contexts = [fact.context for fact in performance.find(Note("Her husband, tired, is ECOG 2; she is ECOG 1.", "en"))]
    assert contexts == [("family",), ()]


def test_the_mention_is_the_text_as_stored():
    note = Note("Re\u0301e\u0301valuation : œde\u0300mes, indice de Karnofsky e\u0301value\u0301 a\u0300 80 %", "fr")
    (fact,) = performance.find(note)
    start, end = note.source(fact.start, fact.end)
    assert note.text[start:end] == "Karnofsky e\u0301value\u0301 a\u0300 80 %"
    assert (fact.value, fact.unit) == ("80", "%")

"""Histological types: sentences with what they name."""

import unicodedata

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import histology


def read(text: str, language: str) -> list[tuple[str, str]]:
    note = Note(text, language)
    return [(text[slice(*note.source(found.start, found.end))], found.value) for found in histology.find(note)]


@pytest.mark.parametrize(("text", "answer"), [
    ("Carcinome canalaire infiltrant grade II", [("Carcinome canalaire infiltrant", "8500/3")]),
    ("CARCINOME INFILTRANT DE TYPE CANALAIRE", [("CARCINOME INFILTRANT DE TYPE CANALAIRE", "8500/3")]),
    ("carcinome infiltrant de type non spécifique (NST)", [("carcinome infiltrant de type non spécifique", "8500/3"),
                                                          ("NST", "8500/3")]),
    ("des carcinomes lobulaires infiltrants", [("carcinomes lobulaires infiltrants", "8520/3")]),
    ("CCI du sein gauche, CLI à droite", [("CCI", "8500/3"), ("CLI", "8520/3")]),
    ("Adénocarcinome moyennement différencié lieberkühnien",
     [("Adénocarcinome moyennement différencié lieberkühnien", "8140/3")]),
    ("ADK du rectum", [("ADK", "8140/3")]),
    ("carcinome épidermoïde bien différencié kératinisant",
     [("carcinome épidermoïde bien différencié kératinisant", "8071/3")]),
    ("carcinome neuro-endocrine à petites cellules", [("carcinome neuro-endocrine à petites cellules", "8041/3")]),
    ("CBNPC stade IV ; CHC sur cirrhose", [("CBNPC", "8046/3"), ("CHC", "8170/3")]),
    ("lymphome malin non hodgkinien diffus à grandes cellules B",
     [("lymphome malin non hodgkinien diffus à grandes cellules B", "9680/3")]),
    ("maladie de Hodgkin scléro-nodulaire", [("maladie de Hodgkin scléro-nodulaire", "9663/3")]),
    ("tumeur stromale gastro-\nintestinale", [("tumeur stromale gastro-\nintestinale", "8936/3")]),
    ("tumeur solide pseudo-papillaire du pancréas", [("tumeur solide pseudo-papillaire", "8452/3")]),
    ("cystadénome séreux de l'ovaire", [("cystadénome séreux de l'ovaire", "8441/0")]),
    ("phyllode : tumeur phyllode maligne", [("tumeur phyllode maligne", "9020/3")]),
    ("Un lipome, deux léiomyomes, ce carcinome, le sarcome",
     [("lipome", "8850/0"), ("léiomyomes", "8890/0"), ("carcinome", "8010/3"), ("sarcome", "8800/3")]),
    ("Mélanome à extension superficielle", [("Mélanome à extension superficielle", "8743/3")]),
])
def test_french(text: str, answer: list[tuple[str, str]]) -> None:
    assert read(text, "fr") == answer


@pytest.mark.parametrize(("text", "answer"), [
    ("Invasive ductal carcinoma, grade 2", [("Invasive ductal carcinoma", "8500/3")]),
    ("moderately differentiated squamous cell carcinoma", [("squamous cell carcinoma", "8070/3")]),
    ("non-small-cell lung cancer and small cell lung cancer", [("non-small-cell lung cancer", "8046/3"),
                                                               ("small cell lung cancer", "8041/3")]),
    ("Non-Hodgkin's lymphoma", [("Non-Hodgkin's lymphoma", "9591/3")]),
    ("DLBCL; GIST; GISTs; SCC", [("DLBCL", "9680/3"), ("GIST", "8936/3"), ("GISTs", "8936/3"), ("SCC", "8070/3")]),
    ("malignant phyllodes tumor; yolk sac tumour",
     [("malignant phyllodes tumor", "9020/3"), ("yolk sac tumour", "9071/3")]),
    ("acute lymphoblastic leukemia (ALL)", [("acute lymphoblastic leukemia", "9835/3"), ("ALL", "9835/3")]),
    ("clear cell renal cell carcinoma", [("clear cell renal cell carcinoma", "8310/3")]),
    ("papillary thyroid carcinoma, follicular variant", [("papillary thyroid carcinoma", "8260/3")]),
    ("hemangioma and haemangioma", [("hemangioma", "9120/0"), ("haemangioma", "9120/0")]),
    ("adenocarcinoma. A renal mass", [("adenocarcinoma", "8140/3")]),
])
def test_english(text: str, answer: list[tuple[str, str]]) -> None:
    assert read(text, "en") == answer


@pytest.mark.parametrize(("text", "language"), [
    ("cancer, tumeur, néoplasie, masse, métastase, adénomateux, polype", "fr"),
    ("All patients had a malignancy, a neoplasm, a mass or a tumor", "en"),
    ("anaplastic lymphoma kinase rearrangement", "en"),
    ("Kirsten rat sarcoma viral oncogene", "en"),
    ("desmine et AML (actine musculaire lisse) positives", "fr"),
    ("carcinose péritonéale", "fr"),
    ("all lesions were net of disease", "en"),
    ("ALL NODES WERE NEGATIVE", "en"),
    ("CBC count and CCI (Charlson)", "en"),
])
def test_what_names_no_type(text: str, language: str) -> None:
    assert read(text, language) == []


def test_combining_accents_and_signs_before_a_name_do_not_shift_it() -> None:
    text = unicodedata.normalize("NFD", "😀 Œsophage : adénocarcinome, épendymome")
    assert read(text, "fr") == [(unicodedata.normalize("NFD", "adénocarcinome"), "8140/3"),
                                (unicodedata.normalize("NFD", "épendymome"), "9391/3")]

"""Treatments: sentences with what they name."""

import unicodedata

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import treatment


def read(text: str, language: str) -> list[tuple[str, str]]:
    note = Note(text, language)
    return [(text[slice(*note.source(found.start, found.end))], found.value) for found in treatment.find(note)]


@pytest.mark.parametrize(("text", "answer"), [
    ("Mastectomie type Patey avec curage axillaire", [("Mastectomie type Patey", "mastectomy"),
                                                      ("curage axillaire", "axillary lymph node dissection")]),
    ("tumorectomie puis 3 FEC 100 et 3 docétaxel", [("tumorectomie", "lumpectomy"), ("3 FEC 100", "FEC"),
                                                    ("docétaxel", "docetaxel")]),
    ("radio-chimiothérapie concomitante", [("radio-chimiothérapie concomitante", "chemotherapy"),
                                           ("radio-chimiothérapie concomitante", "radiotherapy")]),
    ("Curiethérapie, hormonothérapie, immunothérapie", [("Curiethérapie", "radiotherapy"),
                                                        ("hormonothérapie", "hormone therapy"),
                                                        ("immunothérapie", "immunotherapy")]),
    ("5-FU + CDDP, 5 FU, 5FU", [("5-FU", "fluorouracil"), ("CDDP", "cisplatin"), ("5 FU", "fluorouracil"),
                                ("5FU", "fluorouracil")]),
    ("HERCEPTINE ET TAMOXIFENE", [("HERCEPTINE", "trastuzumab"), ("TAMOXIFENE", "tamoxifen")]),
    ("carboplatine-paclitaxel", [("carboplatine-paclitaxel", "carboplatin-paclitaxel")]),
    ("hystérectomie totale, annexectomie bilatérale, omentectomie",
     [("hystérectomie totale", "hysterectomy"), ("annexectomie bilatérale", "salpingo-oophorectomy"),
      ("omentectomie", "omentectomy")]),
    ("Patiente opérée. Exérèse large de la tumeur.", [("opérée", "surgery"), ("Exérèse large", "excision")]),
    ("autogreffe de cellules souches", [("autogreffe de cellules souches", "transplantation")]),
    ("Adriblastine - endoxan (AC60)", [("Adriblastine", "doxorubicin"), ("endoxan", "cyclophosphamide"),
                                      ("AC60", "AC")]),
])
def test_french(text: str, answer: list[tuple[str, str]]) -> None:
    assert read(text, "fr") == answer


@pytest.mark.parametrize(("text", "answer"), [
    ("FOLFOX then mFOLFIRINOX, R-CHOP x 6, BEP", [("FOLFOX", "FOLFOX"), ("mFOLFIRINOX", "FOLFIRINOX"),
                                                  ("R-CHOP", "R-CHOP"), ("BEP", "BEP")]),
    ("a total gastrectomy; gastrectomies", [("total gastrectomy", "gastrectomy"), ("gastrectomies", "gastrectomy")]),
    ("Whipple procedure and TURBT", [("Whipple procedure", "pancreaticoduodenectomy"),
                                     ("TURBT", "transurethral resection")]),
    ("The tumour was resected; wide local excision", [("resected", "resection"), ("wide local excision", "excision")]),
    ("chemoradiation with Erbitux", [("chemoradiation", "chemotherapy"), ("chemoradiation", "radiotherapy"),
                                     ("Erbitux", "cetuximab")]),
    ("whole-brain radiotherapy, SBRT", [("whole-brain radiotherapy", "radiotherapy"), ("SBRT", "radiotherapy")]),
    ("video-assisted surgery, targeted therapy", [("surgery", "surgery"), ("targeted therapy", "targeted therapy")]),
    ("axillary lymph node dissection", [("axillary lymph node dissection", "axillary lymph node dissection")]),
])
def test_english(text: str, answer: list[tuple[str, str]]) -> None:
    assert read(text, "en") == answer


@pytest.mark.parametrize(("text", "language"), [
    ("Biopsie, laparotomie, drain, stent, transfusion, antibiothérapie, corticothérapie", "fr"),
    ("Adressée au service de chirurgie viscérale et à l'unité de radiothérapie", "fr"),
    ("Ablation de la sonde au 3ème jour, exérèse d'un corps étranger", "fr"),
    ("Department of Orthopedic Surgery, radiation oncology team", "en"),
    ("The resected specimen measured 3 cm; resection margins were clear", "en"),
    ("Heart surgery 35 years ago; hernia surgery", "en"),
    ("methotrexate for rheumatoid arthritis", "en"),
    ("removal of the drain; biopsy; lumbar puncture", "en"),
    ("C-reactive protein 12, 38.5°C, ac, ec, ice", "en"),
    ("Douleur lombaire avec irradiation dans la jambe ; opérée d'une appendicite", "fr"),
    ("EP massive, TC normal, S1, PLT 250", "fr"),
    ("RT-PCR negative; PCI in 2010; MAP 70 mmHg; CT CAP", "en"),
    ("Vipère, une alimentation, le cap, la map", "fr"),
    ("Adénocarcinome de stade IVA. Stade FIGO : IVA. Stades IIIB à IVA", "fr"), ("Stage IVA, AJCC IVA", "en"),
])
def test_what_is_no_treatment(text: str, language: str) -> None:
    assert read(text, language) == []


def test_a_numeral_is_a_regimen_where_no_stage_is_named() -> None:
    assert read("Stade IV traité par IVA", "fr") == [("IVA", "VAC")]


def test_margins_of_an_exeresis_name_it_in_french() -> None:
    assert read("limites d'exérèse saines", "fr") == [("exérèse", "excision")]


def test_a_regimen_lists_its_drugs_and_a_drug_its_class() -> None:
    regimen, drug = treatment.find(Note("R-CHOP puis pembrolizumab", "fr"))
    assert regimen.qualifier == "rituximab; cyclophosphamide; doxorubicin; vincristine; prednisone"
    assert drug.qualifier == "immunotherapy"


def test_combining_accents_do_not_shift_a_treatment() -> None:
    text = unicodedata.normalize("NFD", "Réséquée à l'été, néphrectomie élargie")
    assert read(text, "fr") == [(unicodedata.normalize("NFD", "Réséquée"), "resection"),
                                (unicodedata.normalize("NFD", "néphrectomie élargie"), "nephrectomy")]

"""TNM: sentences with what they say beside them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import tnm

SAID = [
    ("fr", "ypT2(m)N1a(2/14)M0", "T2 N1a M0"), ("fr", "cT3 N2b, M0", "T3 N2b M0"), ("fr", "tumeur T2-T3", "T2 T3"),
    ("fr", "pT1c pN0(sn)", "T1c N0(sn)"),
    ("fr", "T 4 b N 2 M 0", "T4b N2 M0"), ("fr", "classée T3N0", "T3 N0"), ("fr", "(T2,N1,Mx)", "T2 N1 MX"),
    ("fr", "T1-2 N0", "T1 T2 N0"), ("fr", "TlNOMO", "T1 N0 M0"),
    ("fr", "T2 NO MO", "T2 N0 M0"), ("fr", "pT2NOMO", "T2 N0 M0"), ("fr", "T: 3  N: 1  M: 0", "T3 N1 M0"),
    ("fr", "T = 2, N = 0, M = 0", "T2 N0 M0"), ("fr", "t2n1m0", "T2 N1 M0"),
    ("fr", "pT2 G2 N0 L0 V0 Pn1 R0", "T2 N0"), ("fr", "pT3N1L1V1R0M0", "T3 N1 M0"), ("fr", "L0V0Pn0", ""),
    ("fr", "maladie M1 hépatique", "M1"), ("fr", "T2N+M0", "T2 M0"), ("fr", "T3N1M+", "T3 N1 M1"),
    ("fr", "cancer du sein M+", "M1"), ("fr", "pTis", "Tis"), ("fr", "pTa bas grade", "Ta"), ("fr", "TaG1", "Ta"),
    ("fr", "TisN0M0", "Tis N0 M0"), ("fr", "yp T0 N0", "T0 N0"), ("fr", "ypT0N0(i+)", "T0 N0(i+)"),
    ("fr", "pT1N1mi(sn) M0", "T1 N1mi M0"), ("fr", "pT1(mic)N0", "T1mi N0"), ("fr", "uT3N1", "T3 N1"),
    ("fr", "mrT3b N1", "T3b N1"), ("fr", "tumeur T3 avec adénopathies N1", "T3 N1"),
    ("fr", "pT3aN1(2/12) cM0", "T3a N1 M0"), ("fr", "pT4d pN3a(12/15)pM1(OSS)", "T4d N3a M1"),
    ("fr", "T3-N1-M0", "T3 N1 M0"), ("fr", "T3/N1/M0", "T3 N1 M0"), ("fr", "T2\nN0\nM0", "T2 N0 M0"),
    ("fr", "stade T4a", "T4a"), ("fr", "pN1b (3N+/15)", "N1b"), ("fr", "pT3 N2a (5N+/18) Mx", "T3 N2a MX"),
    ("fr", "classé cT2cN0M0 puis pT3a", "T2c N0 M0 T3a"), ("fr", "PT2 N0", "T2 N0"), ("fr", "rT2N0", "T2 N0"),
    ("fr", "lésion classée T2 à l'IRM", "T2"), ("fr", "carcinome du rectum, T3 N+", "T3"),
    ("fr", "pT2 (m) N0", "T2 N0"), ("fr", "T1a(2)N0M0", "T1a N0 M0"), ("fr", "cT4cN3cM1b", "T4c N3c M1b"),
    ("fr", "séquence T2 en hypersignal", ""), ("fr", "T1-weighted", ""), ("fr", "hypersignal T2 et T1", ""),
    ("fr", "en T1 et T2", ""), ("fr", "IRM T1, T2 FLAIR", ""), ("fr", "vertèbre T4", ""), ("fr", "fracture de T4", ""),
    ("fr", "de T2 à T4", ""), ("fr", "niveau T4-T5", ""), ("fr", "D4, T12", ""),
    ("fr", "TSH normale, T4 libre basse", ""), ("fr", "T3 et T4 normales", ""), ("fr", "LAM M1 de la FAB", ""),
    ("fr", "LAM4 M2", ""), ("fr", "azote N2 liquide", ""),
    ("fr", "CD4 T4 lymphocytes", ""), ("fr", "T° 38, T 37.5", ""), ("fr", "T 38", ""), ("fr", "TP 75%, PT 2", ""),
    ("fr", "à M1 et M3", ""), ("fr", "N°2", ""), ("fr", "n = 2", ""), ("fr", "T2 NO METASTASIS", ""),
    ("fr", "groupe A, Rh+", ""),
    ("fr", "ganglion 2N-/3", ""), ("fr", "t 2 mois", ""), ("fr", "m 1", ""), ("fr", "à T0 puis T1 et T2", ""),
    ("fr", "CA 15-3, CA 19-9", ""), ("fr", "ta mère", ""), ("fr", "R0", ""), ("fr", "M2 macrophages", ""),
    ("fr", "DT2, IMC 30", ""),
    ("en", "T2N0M0", "T2 N0 M0"), ("en", "cT1cN0M0", "T1c N0 M0"), ("en", "staged as T2", "T2"),
    ("en", "T1b tumor", "T1b"), ("en", "M1 disease", "M1"), ("en", "pT1a, pNX", "T1a NX"),
    ("en", "T3 and N1", "T3 N1"), ("en", "T2 or T3", ""), ("en", "a T2 or T3 tumor", "T2 T3"),
    ("en", "a T1 right renal cell carcinoma", "T1"), ("en", "pT2, N0, pStage IB", "T2 N0"),
    ("en", "TNM: T4 N2c M0", "T4 N2c M0"), ("en", "ypT0 ypN0", "T0 N0"), ("en", "stage T3a", "T3a"),
    ("en", "T2-weighted", ""), ("en", "T2 hyperintense lesion", ""),
    ("en", "T1 and T2 signal", ""), ("en", "T4 vertebral body", ""), ("en", "T3-T4 level", ""), ("en", "free T4", ""),
    ("en", "T3, T4 and TSH", ""), ("en", "AML M1", ""), ("en", "N2 gas", ""), ("en", "T4 cells", ""),
    ("en", "force rated at 3/5", ""),
    ("en", "type 2 diabetes, T2DM", ""), ("en", "CT 2 months later", ""), ("en", "patient 2", ""),
    ("en", "PT 12.5 s, INR 1", ""), ("en", "to no mo", ""), ("en", "at 3 PM 1 tablet", ""), ("en", "T1 map", ""),
    ("en", "metastases at T4 and L2", ""),
    ("en", "spine: T1 to T4", ""), ("en", "question T3", ""), ("en", "a mass 2 cm 1 month", ""),
    ("en", "T2 fat-suppressed image", ""), ("en", "using PTX", ""), ("en", "cT3/T4", "T3 T4"),
    ("en", "T1-2 tumours are resected", ""), ("en", "T2 No Mo", "T2 N0 M0"), ("en", "mrT3a mrN0 cM0", "T3a N0 M0"),
    ("en", "pT2, pN1, pM1L (liver)", "T2 N1 M1"), ("en", "N+", ""),
]

EDITIONS = [
    ("TNM 8e édition", "8"), ("UICC 2017", "8"), ("AJCC, 7th edition", "7"), ("8th edition of the AJCC manual", "8"),
    ("TNM8", "8"), ("huitième édition de l'UICC", "8"), ("AJCC eighth edition", "8"), ("UICC (8e éd.)", "8"),
    ("TNM 2009", "7"), ("9e version de l'AJCC", "9"), ("OMS 5e édition", ""), ("TNM : cf. supra", ""),
    ("WHO, 5th edition; TNM not given", ""), ("UICC stage 2", ""),
]


@pytest.mark.parametrize(("language", "text", "values"), SAID)
def test_says(language, text, values):
    found = [fact.value for fact in tnm.find(Note(text, language)) if fact.attribute != "uicc_edition"]
    assert " ".join(found) == values


@pytest.mark.parametrize(("text", "edition"), EDITIONS)
def test_names_the_edition(text, edition):
    found = {fact.value for fact in tnm.find(Note(text, "fr")) if fact.attribute == "uicc_edition"}
    assert found == ({edition} if edition else set())


@pytest.mark.parametrize(("text", "qualifiers"), [("ypT2(m)N1a", ["yp(m)", "yp"]), ("cT3 pN1", ["c", "p"]),
                                                  ("T2N0", ["", ""]), ("mrT3", ["mr"])])
def test_keeps_prefix_and_number_of_tumours(text, qualifiers):
    assert [fact.qualifier for fact in tnm.find(Note(text, "fr"))] == qualifiers


def test_earlier_categories_of_a_chain_are_earlier_together():
    found = tnm.find(Note("Initially cT3N1, now ypT0N0.", "en"))
    assert [(fact.value, fact.context) for fact in found] == [
        ("T3", ("history",)), ("N1", ("history",)), ("T0", ()), ("N0", ())]


@given(before=st.text(alphabet="ae\u0301\u0300œ ﬁ😀", max_size=8))
def test_offsets_hold_behind_any_letters(before):
    text = f"{before}\ntumeur classée pT2 N1b M0"
    note = Note(text, "fr")
    assert [text[slice(*note.source(fact.start, fact.end))] for fact in tnm.find(note)] == ["T2", "N1b", "M0"]


@pytest.mark.parametrize(("text", "language", "expected"), [
    ("No evidence of M1 disease.", "en", [("M1", ("negated",))]), ("Pas de maladie M1.", "fr", [("M1", ("negated",))]),
    ("without node metastasis (T2N0M0)", "en", [("T2", ()), ("N0", ()), ("M0", ())]),
    ("Tumeur T2N0M0, sans adénopathie.", "fr", [("T2", ()), ("N0", ()), ("M0", ())])])
def test_a_lone_category_may_be_denied_and_a_whole_one_is_not(text: str, language: str,
                                                             expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(one.value, one.context) for one in tnm.find(Note(text, language))] == expected

import unicodedata

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.reading import read_note
from medomicslab_nb.text.rules import RULES
from medomicslab_nb.text.rules.markers import find


@pytest.mark.parametrize(("language", "text", "said"), [
    ("fr", "PSA à 4,5 ng/mL", ["psa 4.5 ng/mL"]), ("fr", "PSA : 1 250 ng/ml", ["psa 1250 ng/mL"]),
    ("en", "PSA 1,250 ng/mL", ["psa 1250 ng/mL"]), ("en", "PSA < 0.01", ["psa 0.01 ng/mL"]),
    ("fr", "PSA le 12/03/2021 à 4,5 ng/ml puis 3,2", ["psa 4.5 ng/mL", "psa 3.2 ng/mL"]),
    ("en", "CA 125 on 12.5.2021: 21 U/mL", ["ca125 21 U/mL"]),
    ("en", "CEA and CA 19-9 were 5.2 ng/mL and 37 U/mL, respectively", ["cea 5.2 ng/mL", "ca199 37 U/mL"]),
    ("fr", "ACE 12 µg/L, CA 19.9 à 450 UI/mL (N<37)", ["cea 12 ng/mL", "ca199 450 U/mL"]),
    ("fr", "CA 125, 15-3 et 19-9 : 29, 41 et 8 U/mL", ["ca125 29 U/mL", "ca153 41 U/mL", "ca199 8 U/mL"]),
    ("en", "AFP/HCG/LDH 3/<2/177", ["afp 3 ng/mL", "hcg 2 IU/L", "ldh 177 U/L"]),
    ("fr", "ca12588 ldh240", ["ca125 88 U/mL", "ldh 240 U/L"]),
    ("en", "PSA rose from 0.4 to 2.1 ng/mL", ["psa 0.4 ng/mL", "psa 2.1 ng/mL"]),
    ("fr", "bêta-HCG à 12 000 mUI/mL", ["hcg 12000 IU/L"]), ("en", "AFP 1200 IU/mL", ["afp 1200 IU/mL"]),
    ("fr", "CA 125 (0-35 U/mL) : 47", ["ca125 47 U/mL"]), ("fr", "6,6 ng/mL d'ACE", ["cea 6.6 ng/mL"]),
    ("fr", "ACE normalisé à 3,2.", ["cea 3.2 ng/mL"]), ("en", "CEA normalized to 3.2", ["cea 3.2 ng/mL"]),
    ("en", "LDH (ULN 245): 244", ["ldh 244 U/L"]), ("en", "PSA two hundred and ten", ["psa 210 ng/mL"]),
    ("fr", "Date\tCA 15-3\tACE\n12/01\t55\t4,4", ["ca153 55 U/mL", "cea 4.4 ng/mL"]),
    ("en", "LDH > 250 counts as one point of the IPI; in this case 612", ["ldh 612 U/L"]),
    ("en", "The CEA, which was asked for by the family doctor, was 7.5", ["cea 7.5 ng/mL"]),
    ("fr", "Le PSA s'est envolé de 0,3 à 11 ng/mL", ["psa 0.3 ng/mL", "psa 11 ng/mL"]),
    ("en", "PSA trend: 02/2019: 3.3; 08/2019: 4.8", ["psa 3.3 ng/mL", "psa 4.8 ng/mL"]),
    ("fr", "LDH nettement au-dessus de la normale (702)", ["ldh 702 U/L"]),
    ("fr", "CA 15-3 : 2.310 U/mL", ["ca153 2310 U/mL"]),
    ("en", "hCG day 1 41,000, day 8 900 IU/L", ["hcg 41000 IU/L", "hcg 900 IU/L"]),
    ("fr", "Marqueurs : 19-9 à 12, 15-3 à 8", ["ca199 12 U/mL", "ca153 8 U/mL"]),
    ("en", "Tumor markers: ACE: 1.2 LDH normal CRP 40", ["cea 1.2 ng/mL"]),
    ("fr", "PSA=5,2LDH=300U/L", ["psa 5.2 ng/mL", "ldh 300 U/L"]),
    ("fr", "Liquide pleural : LDH 1200 U/L. LDH sériques 230 U/L", ["ldh 230 U/L"]),
])
def test_values(language, text, said):
    assert [f"{found.attribute} {found.value} {found.unit}" for found in find(Note(text, language))] == said


@pytest.mark.parametrize(("language", "text"), [
    ("en", "PSA density 0.15; PSA doubling time 3 months; free PSA 12%"), ("en", "LDH 2x ULN"),
    ("en", "ACE inhibitor 10 mg"),
    ("fr", "LDH élevées à 3 fois la normale"), ("fr", "Le PSA est indétectable"), ("en", "eligible if PSA > 20"),
    ("en", "Carotid endarterectomy (CEA) in 2012"), ("en", "Age-specific reference range for PSA: 0 - 4.5 ng/mL"),
    ("fr", "Ovitrelle (hCG) 250 µg"), ("en", "PSA 4 weekly while on the trial"),
    ("fr", "temps de doublement du PSA 6 mois"), ("en", "PSA to be repeated at 3 and 6 months"),
    ("fr", "Valeurs usuelles : ACE < 5 ; AFP < 8 ; LDH < 250"), ("en", "CEA < 5 ng/mL is normal in healthy people"),
    ("fr", "LDH normale, CRP 45"), ("fr", "Exsudat pleural, LDH 700 U/L"),
    ("en", "Any CA 125 above 90 would prompt a scan"),
    ("en", "CEA markedly decreased. After 9 courses she stopped"), ("fr", "hCG 5000 UI toutes les semaines"),
])
def test_what_is_no_value(language, text):
    assert list(find(Note(text, language))) == []


@pytest.mark.parametrize(("language", "text", "contexts"), [
    ("fr", "CA 15-3 à 24 et non 240 U/mL", [(), ("negated",)]), ("fr", "LDH 820 UI/l, précédemment 350", [(),
    ("history",)]),
    ("en", "Father died with a PSA of 230", [("family",)]), ("fr", "AFP 9, contre 400 avant", [(), ("history",)]),
    ("en", "beta-hCG 9 (formerly 5 000)", [(), ("history",)]),
    ("fr", "PSA initial : 40. PSA actuel : 0,3", [("history",), ()]),
])
def test_what_the_rule_knows_of_the_context(language, text, contexts):
    assert [found.context for found in find(Note(text, language))] == contexts


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_offsets_are_those_of_the_note(form):
    text = unicodedata.normalize(form, "Œdème évalué 🙂. Antigène carcino-embryonnaire élevé à 12,5 µg/L.")
    (fact,) = read_note(Note(text, "fr"), [RULES["markers"]])
    assert text[fact.start:fact.end] == fact.text
    assert unicodedata.normalize("NFC", fact.text) == "Antigène carcino-embryonnaire élevé à 12,5 µg/L"

import unicodedata

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.reading import read_note
from medomicslab_nb.text.rules import RULES
from medomicslab_nb.text.rules.receptors import find

SHORT = {"positive": "+", "negative": "-", "low": "low", "equivocal": "?"}


def read(text, language):
    """The last value of each attribute, er+ pr- her2low ..."""
    said = {found.attribute: SHORT[found.value] for found in find(Note(text, language))}
    return " ".join(f"{name}{said[name]}" for name in ("er", "pr", "her2", "p16") if name in said)


def test_a_bracket_that_is_opened_is_closed():
    facts = read_note(Note("ER positive (90 %). HER2 2+ (FISH neg), masse", "en"), [RULES["receptors"]])
    assert [fact.text for fact in facts] == ["ER positive (90 %)", "HER2 2+ (FISH neg)"]


def test_no_blank_is_part_of_a_receptor():
    text = "Carcinome canalaire RH+ , HER2- ."
    assert {text[found.start:found.end] for found in find(Note(text, "fr"))} == {"RH+", "HER2-"}


@pytest.mark.parametrize(("language", "text", "said"), [
    ("en", "ER and PR positive, HER2 negative", "er+ pr+ her2-"),
    ("en", "negative for ER, PR, and HER2", "er- pr- her2-"),
    ("en", "ER+/PR-/HER2-", "er+ pr- her2-"),
    ("en", "triple-negative breast cancer", "er- pr- her2-"),
    ("fr", "cancer du sein TRIPLE NÉGATIF", "er- pr- her2-"),
    ("en", "TNBC", "er- pr- her2-"), ("en", "TN breast cancer", "er- pr- her2-"),
    ("fr", "Cancer du sein droit, TN, en 2019.", "er- pr- her2-"), ("fr", "Cancer du sein TNM : T2N0", ""),
    ("fr", "Statut TN", ""), ("fr", "Cancer du poumon, TN", ""),
    ("en", "HER2 2+ with negative FISH", "her2-"),
    ("en", "HER2 IHC 2+ / ISH-", "her2-"),
    ("fr", "HER2 2+ FISH en cours", "her2?"),
    ("fr", "HER2 2+ amplifié en FISH", "her2+"),
    ("fr", "HER2 faible (1+)", "her2low"),
    ("en", "HER2-low", "her2low"),
    ("en", "HER2/CEP17 FISH ratio 4.5", "her2+"),
    ("en", "Tumor was ER-positive (90%), PR-negative (0%), and HER2 3+.", "er+ pr- her2+"),
    ("en", "ER positive PR negative HER2 positive", "er+ pr- her2+"),
    ("en", "No HER2 amplification was found.", "her2-"),
    ("en", "no overexpression of HER2", "her2-"),
    ("en", "neither ER nor PR was expressed", "er- pr-"),
    ("en", "ER- and PR-positive", "er+ pr+"),
    ("en", "The tumor cells expressed ER but not PR.", "er+ pr-"),
    ("fr", "RE + RP - HER2 0", "er+ pr- her2-"),
    ("fr", "RE: 90 %  RP: -", "er+ pr-"),
    ("fr", "RE - RP - HER2 +++", "er- pr- her2+"),
    ("fr", "RH+ HER2-", "er+ pr+ her2-"),
    ("fr", "récepteurs hormonaux négatifs", "er- pr-"),
    ("fr", "absence d'expression des récepteurs hormonaux", "er- pr-"),
    ("fr", "n'exprime ni les RE ni les RP", "er- pr-"),
    ("fr", "tumeur n'exprimant pas les récepteurs hormonaux", "er- pr-"),
    ("fr", "RE : Allred 8, RP : Allred 0", "er+ pr-"),
    ("fr", "Récepteurs aux œstrogènes et à la progestérone positifs à 90 % et 50 %", "er+ pr+"),
    ("fr", "RE\tRP\tHER2\n90 %\t0 %\t1+", "er+ pr- her2-"),
    ("fr", "sans surexpression de HER2", "her2-"),
    ("en", "p16 positive oropharyngeal carcinoma", "p16+"),
    ("fr", "cancer de l'oropharynx HPV induit", "p16+"),
    ("en", "HPV-negative", "p16-"),
])
def test_what_is_said(language, text, said):
    assert read(text, language) == said


@pytest.mark.parametrize(("language", "text"), [
    ("en", "She went to the ER with a positive blood culture."), ("en", "HER2 status pending"),
    ("en", "anti-HER2 therapy"),
    ("en", "HR 82 bpm, PR interval 160 ms"), ("fr", "groupe sanguin O Rh+"), ("fr", "groupe sanguin A Rh négatif"),
    ("fr", "Le Pr Martin est positif"), ("fr", "RE et RP non réalisés"), ("fr", "Vaccination HPV faite"),
    ("fr", "frottis : HPV négatif"), ("fr", "Inclusion possible si RE ≥ 1 %"),
])
def test_what_is_no_result(language, text):
    assert read(text, language) == ""


def test_triple_negative_is_three_receptors_and_not_negated():
    facts = read_note(Note("Cancer du sein triple négatif.", "fr"), [RULES["receptors"]])
    assert [(fact.attribute, fact.value, fact.context) for fact in facts] == [
        ("er", "negative", ()), ("her2", "negative", ()), ("pr", "negative", ())]


def test_doubt_between_name_and_result_makes_it_uncertain():
    (found,) = find(Note("HER2 probablement positif", "fr"))
    assert (found.value, found.context) == ("positive", ("uncertain",))


@pytest.mark.parametrize(("text", "qualifier"), [("RE 90 %", "90 %"), ("HER2 2+, FISH négative", "2+, FISH")])
def test_measure_in_the_qualifier(text, qualifier):
    (found,) = find(Note(text, "fr"))
    assert found.qualifier == qualifier


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_offsets_are_those_of_the_note(form):
    text = unicodedata.normalize(form, "Œdème évalué 🙂. Récepteurs aux œstrogènes positifs à 90 %.")
    (fact,) = read_note(Note(text, "fr"), [RULES["receptors"]])
    assert text[fact.start:fact.end] == fact.text
    assert unicodedata.normalize("NFC", fact.text) == "Récepteurs aux œstrogènes positifs à 90 %"

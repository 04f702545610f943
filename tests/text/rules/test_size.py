import unicodedata

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.reading import read_note
from medomicslab_nb.text.rules import RULES
from medomicslab_nb.text.rules.size import find


def sizes(text, language):
    return [found.value for found in find(Note(text, language))]


@pytest.mark.parametrize(("language", "text", "values"), [
    ("fr", "masse de 3,2 x 2,8 cm", ["32 x 28"]),
    ("en", "a 3 cm x 25 mm renal mass", ["30 x 25"]),
    ("fr", "masse sinusienne de 100/52mm", ["100 x 52"]),
    ("fr", "NODULE 10X5cm", ["100 x 50"]),
    ("en", "tumor measuring 4 by 3 cm", ["40 x 30"]),
    ("fr", "tumeur de 4 cm de grand axe", ["40"]),
    ("fr", "adénopathies axillaires de 16, 13 et 12 mm", ["16", "13", "12"]),
    ("fr", "une masse mesurant 5 cm sur 4", ["50 x 40"]),
    ("fr", "masse hépatique du lobe droit de 5 cm", ["50"]),
    ("en", "a lesion of 1.2 x 0.8 x 0.5 cm in the left lobe of the liver", ["12 x 8 x 5"]),
    ("en", "5.5cm right upper lobe mass", ["55"]),
    ("en", "an ulcerated mass, 5 cm in length and 3 cm in width", ["50 x 30"]),
    ("en", "a two-centimeter nodule", ["20"]),
    ("fr", "nodule de 2 à 3 cm", ["30"]),
    ("en", "the tumour grew from 2 to 3 cm", ["20", "30"]),
    ("fr", "réduction de la masse de 8 à 3 cm", ["80", "30"]),
    ("fr", "masse latéro-utérine droite de 84 mm", ["84"]),
    ("en", "A nodule was seen. It measured 12 mm.", ["12"]),
    ("en", "left lower lobe 52mm", ["52"]), ("en", "nodule 52mm", ["52"]), ("fr", "LSD 52 mm", ["52"]),
    ("en", "left lower lobe nodule 52mm", ["52"]),
])
def test_sizes_of_lesions(language, text, values):
    assert sizes(text, language) == values


@pytest.mark.parametrize(("language", "text"), [
    ("en", "Lobectomy: left lower lobe 15 x 10 x 6 cm"),
    ("fr", "tumeur du bas rectum à 4 cm de la marge anale"),
    ("fr", "foie de 16 cm, utérus de 10 x 5 cm"),
    ("en", "The spleen measured 14 cm."),
    ("en", "A 5-mm port was placed."),
    ("en", "CT with 1 mm slices"),
    ("en", "margins were clear by 5 mm"),
    ("en", "resection with a 2 cm margin"),
    ("en", "melanoma, Breslow 2 mm"),
    ("fr", "incision de 5 cm"),
    ("fr", "calcul de 8 mm"),
    ("fr", "pièce de mastectomie de 20 x 15 cm"),
    ("fr", "épaisseur pariétale de 12 mm"),
    ("fr", "dilatation du cholédoque à 12 mm"),
    ("en", "ESR 30 mm/h, BP 120 mmHg, volume 5 mm3"),
    ("en", "a periodontal pocket of 6 mm"),
])
def test_lengths_of_other_things(language, text):
    assert sizes(text, language) == []


def test_a_mass_is_told_from_the_margin_beside_it():
    assert sizes("Exérèse d'un nodule de 12 mm avec une marge de 5 mm", "fr") == ["12"]


def test_a_range_keeps_its_ends():
    (found,) = find(Note("nodule de 2 à 3 cm", "fr"))
    assert (found.value, found.qualifier, found.unit) == ("30", "20-30", "mm")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_offsets_are_those_of_the_note(form):
    text = unicodedata.normalize(form, "Œdème évident 🙂; tumeur kystique évoluée de 3,2 \u00d7 2,8 cm à droite.")
    (fact,) = read_note(Note(text, "fr"), [RULES["size"]])
    assert text[fact.start:fact.end] == fact.text == "3,2 \u00d7 2,8 cm"


@pytest.mark.parametrize(("language", "text", "said"), [
    ("en", "The nodule grew from 8 to 14 mm.", [("8", ("history",)), ("14", ())]),
    ("fr", "Lésion de 32 mm (45 mm antérieurement).", [("32", ()), ("45", ("history",))]),
])
def test_a_size_that_another_replaced_is_history(language, text, said):
    assert [(found.value, found.context) for found in find(Note(text, language))] == said


def test_where_a_polyp_is_is_no_size():
    assert [found.value for found in find(Note("A polyp of 0.8 cm at 25 cm.", "en"))] == ["8"]

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.molecular import find as find_genes
from medomicslab_nb.text.rules.receptors import find


@pytest.mark.parametrize(("language", "text", "contexts"), [
    ("fr", "Tumeur de 2011 : RE 80 %. Rechute de 2020 : RE 0 %.", [("history",), ()]),
    ("en", "Biopsy of 2019: HER2 0. Biopsy of 2023: HER2 3+.", [("history",), ()]),
    ("en", "HER2 initially 3+, negative on the metastasis.", [("history",), ()]),
    ("en", "HER2 first read as 1+, revised to 3+ on review.", [("history",), ()]),
    ("fr", "RE 80 % sur la microbiopsie, RE 90 % sur la pièce.", [(), ()]),
    ("en", "Biopsy of 2019: HER2 0.", [()]),
])
def test_the_earlier_of_two_results_is_history(language, text, contexts):
    assert [found.context for found in find(Note(text, language))] == contexts


def test_genes_of_an_earlier_and_a_later_biopsy():
    found = list(find_genes(Note("Biopsie de 2017 : MSS ; biopsie de 2024 : MSI-H.", "fr")))
    assert [(each.value, each.context) for each in found] == [("stable", ("history",)), ("unstable", ())]

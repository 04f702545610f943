"""Terms are found in every spelling that a note may have, and in no other."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.lexicon import Lexicon, Term, read_terms
from medomicslab_nb.text.note import Note


def found(text: str, *terms: Term, language: str = "fr", passing: bool = False) -> list[str]:
    note = Note(text, language)
    hits = Lexicon(terms, passing=passing).find(note)
    return [text[slice(*note.source(hit.start, hit.end))] for hit in hits]


def term(text: str, **said: object) -> Term:
    return Term("histology", "x", text, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(("wording", "text"), [
    ("lymphome non hodgkinien", "Lymphomes non-hodgkiniens"),
    ("carcinome canalaire", "carcinome de type canalaire"),
    ("carcinome séreux", "carcinoma séreuse"),
    ("mastectomy", "mastectomie"),
    ("neuroendocrine", "neuro-endocrine"),
    ("neuro-endocrine", "neuroendocrines"),
    ("haemangioma", "hémangiomes"),
    ("tumour", "tumeurs"),
    ("cellules claires", "cellules\nclaires"),
])
def test_spellings_are_one(wording: str, text: str) -> None:
    assert found(text, term(wording)) == [text]


@pytest.mark.parametrize(("wording", "text"), [
    ("carcinome canalaire", "carcinome, canalaire"),
    ("carcinome canalaire", "carcinome. Canalaire"),
    ("carcinome canalaire", "carcinome très canalaire"),
    ("rein", "reine"),
    ("a b", "b"),
])
def test_other_words_are_none(wording: str, text: str) -> None:
    assert found(text, term(wording)) == []


def test_the_longest_term_wins_and_no_two_overlap() -> None:
    terms = [term("carcinome"), term("carcinome canalaire"), term("canalaire in situ"), term("canalaire")]
    assert found("carcinome canalaire in situ, canalaire", *terms) == ["carcinome canalaire", "canalaire"]


def test_any_order_and_as_written_and_language() -> None:
    assert found("ductal invasive", term("invasive ductal", any_order=True)) == ["ductal invasive"]
    assert found("ductal invasive", term("invasive ductal")) == []
    assert found("ALL, all, ALLs", term("ALL", as_written=True)) == ["ALL", "ALLs"]
    assert found("AML", term("AML", language="en")) == []


def test_words_of_degree_are_passed_over_where_that_is_asked() -> None:
    text = "adénocarcinome moyennement différencié mucineux"
    assert found(text, term("adénocarcinome mucineux"), passing=True) == [text]
    assert found(text, term("adénocarcinome mucineux")) == []


def test_wordings_of_a_row_stand_between_bars(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("# a remark\nattribute,value,text\nhistology,9835/3,acute leukaemia | =ALL\n", encoding="utf-8")
    assert [(each.text, each.as_written) for each in read_terms(path)] == [("acute leukaemia", False), ("ALL", True)]


def test_a_list_without_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("attribute,value,text\nhistology,,ALL\n", encoding="utf-8")
    with pytest.raises(DataError, match="no attribute, value or text"):
        read_terms(path)


@given(st.text(alphabet="éàœ́ -\n,😀", max_size=12), st.sampled_from(["épendymome", "cancer du sein", "naevus"]))
def test_offsets_are_those_of_the_text(before: str, name: str) -> None:
    text = f"{before} {name}"
    assert found(text, term(name))[-1:] == [name]


def test_a_list_as_spreadsheets_save_it(tmp_path: Path) -> None:
    path = tmp_path / "terms.csv"
    path.write_bytes("attribute,value,text\r\nemboli,emboli,embolie vasculaire\r\n".encode("utf-8-sig"))
    assert [term.text for term in read_terms(path)] == ["embolie vasculaire"]
    path.write_bytes("attribute,value,text\nemboli,emboli,embolie périnerveuse\n".encode("cp1252"))
    with pytest.raises(DataError, match="not in UTF-8"):
        read_terms(path)

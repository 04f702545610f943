"""The language of a note."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.language import detect_language


@pytest.mark.parametrize(("text", "code"), [
    ("La patiente présente une tumeur du sein droit, sans adénopathie.", "fr"),
    ("PAS DE METASTASE", "fr"),
    ("Patiente de 54 ans. Carcinome canalaire infiltrant.", "fr"),
    ("The patient has a tumour of the right breast without lymphadenopathy.", "en"),
    ("No evidence of metastasis.", "en"),
    ("54 year old woman with breast cancer", "en"),
    ("Die Patientin hat einen Tumor der rechten Brust ohne Metastasen und ist gesund.", ""),
    ("pT2N0M0", ""),
    ("", ""),
    ("1234 56", ""),
])
def test_language(text: str, code: str) -> None:
    assert detect_language(text).code == code


def test_a_note_in_both_languages_is_mixed() -> None:
    french = "La patiente est vue pour une tumeur du sein. "
    english = "She was seen by the surgeon and has no pain. "
    assert detect_language(french * 2 + english).mixed
    assert not detect_language(french * 3).mixed
    assert detect_language(french * 3).share > 0.9


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    found = detect_language(text)
    assert found.code in ("fr", "en", "") and 0 <= found.share <= 1
    assert found.code or not found.mixed


@pytest.mark.parametrize(("text", "code"), [
    ("Mélanome du dos, Breslow 3,2 mm, ulcéré, pT3b N0. BRAF V600E muté. Ganglion sentinelle négatif (0/2). Nivolumab "
     "adjuvant débuté. Père : mélanome. Non-fumeur. OMS=0", "fr"),
    ("Paciente con carcinoma de mama izquierda, operación prevista mañana según el comité", ""),
    ("Die Patientin wurde operiert, Größe 3 cm", "")])
def test_telegraphic_notes_are_told_by_their_letters(text: str, code: str) -> None:
    assert detect_language(text).code == code

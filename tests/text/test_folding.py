"""Folding: what rules read, and the way back to the characters of the note."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.folding import Folded, fold

# Letters that fold to none, one, two and three characters, and everything else that Unicode has.
TEXTS = st.one_of(st.text(max_size=30), st.text("aé\u0301Œœﬃß\u00ad\u200d\r\n \u2019\u2013İ가👩\ud800", max_size=30))


@pytest.mark.parametrize(("text", "folded"), [
    ("Métastases", "metastases"), ("ME\u0301TASTASES", "metastases"), ("œdème", "oedeme"),
    ("L\u2019hôpital", "l'hopital"),
    ("« T2 »", '" t2 "'), ("3\u00a0\u00d7\u202f2 cm", "3 x 2 cm"), ("in\u00adfiltrant", "infiltrant"),
    ("a\r\nb", "a\nb"),
    ("≥ 5 µg", "≥ 5 μg"), ("⩾ 5", "≥ 5"), ("STRASSE Straße", "strasse strasse"), ("a\tb", "a b"),
    ("👩‍⚕️", "👩⚕"), ("", ""),
])
def test_text_becomes_plain(text: str, folded: str) -> None:
    assert fold(text).folded == folded


@pytest.mark.parametrize(("text", "word", "covered"), [
    ("une me\u0301tastase", "metastase", "me\u0301tastase"), ("l\u2019œdème", "oedeme", "œdème"),
    ("l\u2019œdème", "e", "œ"),
    ("cancer\u0301", "cancer", "cancer\u0301"), ("👩‍⚕️ T2", "t2", "T2"),
    ("in\u00adfiltrant", "infiltrant", "in\u00adfiltrant"),
    ("aﬃn", "f", "ﬃ"), ("x\u00adcm", "x", "x"),
])
def test_a_word_leads_back_to_its_characters(text: str, word: str, covered: str) -> None:
    folded = fold(text)
    at = folded.folded.index(word)
    start, end = folded.source(at, at + len(word))
    assert text[start:end] == covered


@given(TEXTS)
def test_every_character_folds_by_itself(text: str) -> None:
    folded = fold(text)
    assert folded.folded == "".join(fold(character).folded for character in text)
    assert all(folded.place(at) == len(fold(text[:at]).folded) for at in range(len(text) + 1))


@given(TEXTS, st.data())
def test_source_covers_the_stretch_and_no_character_more(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    if not folded.folded:
        return
    start = data.draw(st.integers(0, len(folded.folded) - 1))
    end = data.draw(st.integers(start + 1, len(folded.folded)))
    first, last = folded.source(start, end)
    assert 0 <= first < last <= len(text)
    assert folded.place(first) <= start < folded.place(first + 1)
    while unicodedata.category(text[last - 1]) == "Mn":  # accents of the last letter
        last -= 1
    assert folded.place(last - 1) < end <= folded.place(last)


@given(TEXTS, st.data())
def test_an_empty_stretch_has_an_empty_source(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    at = data.draw(st.integers(0, len(folded.folded)))
    first, last = folded.source(at, at)
    assert first == last <= len(text)


@given(TEXTS)
def test_characters_lead_there_and_back(text: str) -> None:
    folded = fold(text)
    for at, character in enumerate(text):
        if fold(character).folded:
            first, last = folded.source(folded.place(at), folded.place(at + 1))
            assert first == at < last
            assert all(unicodedata.category(other) == "Mn" for other in text[at + 1:last])


def test_a_text_of_plain_letters_keeps_no_map() -> None:
    assert fold("Métastase").ends is None
    assert fold("œ") == Folded("œ", "oe", (2,))

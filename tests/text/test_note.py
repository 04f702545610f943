"""A note as rules see it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.note import Note, stem

TEXTS = st.one_of(st.text(max_size=60), st.text("aé\u0301Œœ\u00ad\r\n \u2019.A:👩1", max_size=60))


def test_facts_point_into_the_note_as_stored() -> None:
    note = Note("👩‍⚕️ L\u2019œde\u0301me et la me\u0301tastase", "fr")
    at = note.folded.index("metastase")
    start, end = note.source(at, at + len("metastase"))
    assert note.text[start:end] == "me\u0301tastase"


@pytest.mark.parametrize(("word", "expected"), [
    ("metastases", "metastase"), ("ganglionnaires", "ganglionnaire"), ("tumeurs", "tumeur"), ("genoux", "genou"),
    ("mass", "mass"), ("os", "os"), ("pas", "pas"), ("cancer", "cancer"),
])
def test_stem_takes_the_plural_off(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_words_and_what_lies_between_places() -> None:
    note = Note("Deux ganglions T2-N0.", "fr")
    assert note.words.stems == ["deu", "ganglion", "t2", "n0"]
    assert [note.folded[start:end] for start, end in zip(note.words.starts, note.words.ends, strict=True)] == [
        "deux", "ganglions", "t2", "n0"]
    assert list(note.words_between(5, 17)) == [1, 2]


def test_sentence_and_section_of_a_place() -> None:
    note = Note("Vue ce jour.\nAntécédents :\nœdème. Diabète.\n", "fr")
    at = note.folded.index("diabete")
    start, end = note.sentence_at(at)
    assert note.folded[start:end] == "diabete.\n"
    assert note.section_at(at) == "history" and note.section_at(0) == ""


def test_quick_look_and_search() -> None:
    note = Note("Tumeur T2", "fr")
    assert note.has("x", "t2") and not note.has("t3")
    assert [match[0] for match in note.search(re.compile(r"t\w+"))] == ["tumeur", "t2"]


@given(TEXTS)
def test_sentences_cover_the_folded_note(text: str) -> None:
    note = Note(text, "fr")
    assert "".join(note.folded[start:end] for start, end in note.sentences) == note.folded
    for at in range(len(note.folded)):
        start, end = note.sentence_at(at)
        assert start <= at < end


def test_an_empty_note_has_one_empty_sentence() -> None:
    assert Note("", "fr").sentence_at(0) == (0, 0)
    assert Note("\u00ad", "fr").sentence_at(0) == (0, 0)


@given(TEXTS)
def test_words_are_where_they_say(text: str) -> None:
    note = Note(text, "en")
    words = note.words
    assert all(stem(note.folded[start:end]) == word
               for word, start, end in zip(words.stems, words.starts, words.ends, strict=True))
    assert list(note.words_between(0, len(note.folded))) == list(range(len(words.stems)))

"""Sentences of clinical notes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.sentences import split_sentences

# Sentences are separated by |, which stands in none of them.
MARKED = [
    "Pas de fièvre. |Toux grasse.",
    "Le Dr. Martin a vu M. Dupont. |Tout va bien.",
    "Tumeur de 3.5 cm. |Marges saines.",
    "T2.N0.M0 classé. |Suivi.",
    "J.Dupont est venu.",
    "Seen for several reasons.|First of them: pain.",
    "He was seen, e.g. for pain, i.e. chest pain. |No fever.",
    "Vu en consultation... |Rien à signaler ! |Suite ?",
    "Température 38,5. |37,2 le lendemain.",
    "CONCLUSION :\n|carcinome infiltrant",
    "ligne qui\ncontinue ici",
    "Ligne qui finit\n|Ligne nouvelle",
    "Liste,\nPuis la suite",
    "para un\n\n|para deux",
    "- fièvre\n|- toux\n|- dyspnée",
    "1. fièvre\n|2. toux",
    'Il dit "non." |Puis part.',
    "(Vu.) |Revu.",
    "cf. Annexe. |Fin.",
]


@pytest.mark.parametrize("marked", MARKED)
def test_where_sentences_end(marked: str) -> None:
    text = marked.replace("|", "")
    assert "|".join(text[start:end] for start, end in split_sentences(text)) == marked


@given(st.one_of(st.text(max_size=60), st.text("aA.!?… \n\t:,(-•1\"é", max_size=60)))
def test_sentences_cover_the_text(text: str) -> None:
    sentences = split_sentences(text)
    assert "".join(text[start:end] for start, end in sentences) == text
    assert all(start < end for start, end in sentences)


@pytest.mark.parametrize("piece", [" ", "\n", ". ", ": ", "a", "(", "\"", "-\n"])
def test_long_texts_of_one_sign_take_no_time(piece: str) -> None:
    start = time.process_time()
    split_sentences(piece * 100_000)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("text", ["Stade : T1N1M0. |p16 non réalisé. |Au TEP, rien.",
                                  "pas de toux. |pas de fièvre. |suivi", "Taille 5 cm. |p16 positif",
                                  "cf. infra et al. voir", "vu par env. deux médecins"])
def test_sentences_may_begin_with_a_small_letter(text: str) -> None:
    whole = text.replace("|", "")
    assert [whole[start:end] for start, end in split_sentences(whole)] == text.split("|")

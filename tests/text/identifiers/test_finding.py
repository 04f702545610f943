"""What is found in single sentences, in generated notes, and what is left alone."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from medomicslab_nb.text.identifiers.finding import find_identifiers
from medomicslab_nb.text.identifiers.lexicons import eponyms
from medomicslab_nb.text.note import Note
from tests.text.identifiers.generated_notes import generate
from tests.text.identifiers.measuring import masked_share, measure

SENTENCES = yaml.safe_load(Path(__file__).with_name("marked_sentences.yaml").read_text(encoding="utf-8"))
AROUND = {"fr": ["Maladie de {}.", "Le score de {} est à 3.", "Signe de {} négatif", "intervention selon {}, puis"],
          "en": ["No {} disease.", "The {} score was 3.", "a positive {} sign", "{}'s syndrome was excluded"]}


def unmarked(sentence: str) -> tuple[str, set[int]]:
    """A sentence without its brackets, and the places of the letters and digits between them."""
    text, inside, places = "", False, set()
    for character in sentence:
        if character in "[]":
            inside = character == "["
            continue
        if inside and character.isalnum():
            places.add(len(text))
        text += character
    return text, places


def found_places(text: str, language: str) -> set[int]:
    return {place for one in find_identifiers(Note(text, language)) for place in range(one.start, one.end)
            if text[place].isalnum()}


@pytest.mark.parametrize(("language", "sentence"), [(language, sentence) for language, sentences in SENTENCES.items()
                                                    for sentence in sentences])
def test_what_stands_in_brackets_is_found_and_nothing_else(language, sentence):
    text, places = unmarked(sentence)
    found = found_places(text, language)
    missed = "".join(text[place] for place in sorted(places - found))
    too_much = "".join(text[place] for place in sorted(found - places))
    assert (missed, too_much) == ("", "")


@pytest.mark.parametrize("source", ["tuned", "held out"])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_almost_all_identifiers_of_generated_notes_are_found(language, source):
    figures = measure(generate(language, source, 84))
    assert figures.recall >= 0.98
    assert figures.precision >= 0.95
    assert figures.kept_hit == 0


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_eponym_is_masked_where_it_names_a_thing(language):
    masked = [name for name in sorted(eponyms()) for sentence in AROUND[language]
              if find_identifiers(Note(sentence.format(name.capitalize()), language))]
    assert masked == []


def test_a_name_of_an_eponym_behind_a_title_is_found():
    note = Note("Le Dr Hodgkin suit un lymphome de Hodgkin.", "fr")
    assert [(one.text, one.start) for one in find_identifiers(note)] == [("Hodgkin", 6)]


def test_a_name_found_once_is_found_again_misread_and_in_other_letters():
    text = "Mme Kervrivel est suivie. KERVRIVEL va bien, KervriveI aussi."
    assert [one.text for one in find_identifiers(Note(text, "fr"))] == ["Kervrivel", "KERVRIVEL", "KervriveI"]


@given(st.text(alphabet=st.sampled_from("Dr Mme.éàœ\u0301🙂\nBenali123/-' Kouassi"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_offsets_are_those_of_the_stored_text_and_none_overlap(text):
    found = find_identifiers(Note(text, "fr"))
    assert all(text[one.start:one.end] == one.text != "" for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["layer1_fr", "layer1_en", "layer3_oncology_fr", "layer3_oncology_en"])
def test_at_most_one_word_in_a_hundred_of_real_cases_is_masked(real_data, name):
    lines = (real_data / "e3c" / f"e3c_{name}.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert masked_share(texts, name[-2:]) <= 0.01

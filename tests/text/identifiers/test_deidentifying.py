"""Identifiers replaced: consistent, of the same form, with the way from old to new offsets."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given, settings, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.identifiers.deidentifying import NOTICE, deidentify
from medomicslab_nb.text.identifiers.finding import Identifier
from medomicslab_nb.text.identifiers.lexicons import first_names
from medomicslab_nb.text.identifiers.surrogates import Surrogates
from tests.text.identifiers.generated_notes import generate


class Key:
    """A key as de-identification of tables has it."""

    secret = b"k" * 32

    def shift_days(self, patient: str) -> int:
        return -30 - len(patient)


SURROGATES = Surrogates(Key())
TEXT = ("Mme Sophie Kervrivel, née le 12/03/1956, vue le 12/03/2021 et le 15/03/2021 par le Dr Garrigoule. KERVRIVEL "
        "va bien. Tel 06 12 34 56 78. Tumeur de 23 mm, pT2N0.")


def test_a_person_has_the_same_surrogate_in_other_letters_and_in_other_notes():
    new = deidentify(TEXT, "fr", SURROGATES.of("P1", "fr")).text
    first, last = re.match(r"Mme (\w+) (\w+), née", new).groups()
    assert f"{last.upper()} va bien" in new
    assert first_names()[first.lower().replace("é", "e").replace("ë", "e").replace("è", "e")] in ("f", "fm")
    assert last in deidentify("M. Kervrivel tousse.", "fr", SURROGATES.of("P1", "fr")).text
    assert last not in deidentify("M. Kervrivel tousse.", "fr", SURROGATES.of("P22", "fr")).text


def test_dates_move_by_the_days_of_the_patient_and_intervals_stay():
    found = re.findall(r"\d\d/\d\d/\d{4}", deidentify(TEXT, "fr", SURROGATES.of("P1", "fr")).text)
    moved = [dt.datetime.strptime(date, "%d/%m/%Y").replace(tzinfo=dt.UTC) for date in found]
    assert found[0] == "09/02/1956"
    assert moved[2] - moved[1] == dt.timedelta(days=3)


def test_numbers_keep_their_form_and_facts_stay():
    new = deidentify(TEXT, "fr", SURROGATES.of("P1", "fr")).text
    assert re.search(r"Tel 0\d \d\d \d\d \d\d \d\d\. Tumeur de 23 mm, pT2N0\.$", new)
    assert "06 12 34 56 78" not in new


def test_facts_are_carried_over():
    made = deidentify(TEXT, "fr", SURROGATES.of("P1", "fr"))
    start = TEXT.index("23 mm")
    new_start, new_end = made.span(start, start + 5)
    assert made.text[new_start:new_end] == "23 mm"
    date = TEXT.index("12/03/2021")
    new_start, new_end = made.span(date + 3, date + 5)
    assert made.text[new_start:new_end] == "08/02/2021"


def test_the_notice_says_that_review_is_needed():
    made = deidentify(TEXT, "fr", SURROGATES.of("P1", "fr"))
    assert made.notice == NOTICE and "review" in NOTICE and "anonym" not in NOTICE


def test_neither_key_nor_patient_is_shown():
    shown = repr(SURROGATES) + repr(SURROGATES.of("P1", "fr"))
    assert "kkk" not in shown and "P1" not in shown


def test_a_reviewer_can_settle_the_identifiers():
    one = Identifier("name", 4, 10, "Sophie", "reviewer")
    made = deidentify(TEXT, "fr", SURROGATES.of("P1", "fr"), identifiers=[one])
    assert "Sophie" not in made.text and "Kervrivel" in made.text


@pytest.mark.parametrize("one", [Identifier("name", 4, 10, "Sophia", ""), Identifier("name", 4, 4, "", ""),
                                 Identifier("name", 0, 10**6, "x", "")])
def test_an_identifier_that_does_not_fit_is_refused_without_its_text(one):
    with pytest.raises(DataError) as refused:
        deidentify(TEXT, "fr", SURROGATES.of("P1", "fr"), identifiers=[one])
    assert "Sophi" not in str(refused.value)


@given(st.integers(0, 23), st.sampled_from(["fr", "en"]), st.data())
@settings(max_examples=60, deadline=None)
def test_every_place_outside_of_identifiers_holds_the_same_character(number, language, data):
    note = generate(language, "tuned", 24)[number]
    made = deidentify(note.text, language, SURROGATES.of("P1", language))
    assert all(made.text[one.new_start:one.new_end] == one.new and note.text[one.start:one.end] == one.old
               for one in made.replaced)
    offset = data.draw(st.integers(0, len(note.text) - 1))
    if not any(one.start <= offset < one.end for one in made.replaced):
        assert made.text[made.place(offset)] == note.text[offset]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_name_of_a_generated_note_is_left(language):
    for note in generate(language, "tuned", 12):
        made = deidentify(note.text, language, SURROGATES.of("P1", language))
        names = [note.text[place.start:place.end] for place in note.identifiers
                 if place.kind in ("name", "nir", "mrn", "phone")]
        assert [name for name in names if name in made.text] == []

"""Primary sites: sentences with the organs of origin that they name."""

import unicodedata

import pytest

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules import site


def read(text: str, language: str) -> list[tuple[str, str]]:
    note = Note(text, language)
    return [(text[slice(*note.source(found.start, found.end))], found.value) for found in site.find(note)]


@pytest.mark.parametrize(("text", "answer"), [
    ("Cancer du sein gauche", [("sein", "C50")]),
    ("cancer bronchique droit", [("bronchique", "C34")]),
    ("Adénocarcinome rectal", [("rectal", "C20")]),
    ("carcinome épidermoïde de la base de langue", [("base de langue", "C01")]),
    ("Néo du côlon, K prostate", [("côlon", "C18"), ("prostate", "C61")]),
    ("cancer du col de l'utérus", [("col de l'utérus", "C53")]),
    ("cancers du sein et de l'ovaire", [("sein", "C50"), ("ovaire", "C56")]),
    ("métastases hépatiques d'un cancer du côlon", [("côlon", "C18")]),
    ("tumeur maligne primitive du foie", [("foie", "C22")]),
    ("CHC et CBNPC", [("CHC", "C22"), ("CBNPC", "C34")]),
    ("tumeurs rénales", [("rénales", "C64")]),
    ("carcinome canalaire infiltrant du sein", [("sein", "C50")]),
])
def test_french(text: str, answer: list[tuple[str, str]]) -> None:
    assert read(text, "fr") == answer


@pytest.mark.parametrize(("text", "answer"), [
    ("lung cancer", [("lung", "C34")]),
    ("carcinoma of the prostate", [("prostate", "C61")]),
    ("cancer of the left breast", [("breast", "C50")]),
    ("metastatic breast cancer with liver metastases", [("breast", "C50")]),
    ("ovarian and endometrial cancer", [("ovarian", "C56"), ("endometrial", "C54")]),
    ("head and neck squamous cell carcinoma", [("head and neck", "C14")]),
    ("renal cell carcinoma", [("renal", "C64")]),
    ("brain metastases from colorectal cancer", [("colorectal", "C18")]),
    ("non-small cell lung cancer", [("lung", "C34")]),
])
def test_english(text: str, answer: list[tuple[str, str]]) -> None:
    assert read(text, "en") == answer


@pytest.mark.parametrize(("text", "language"), [
    ("métastases hépatiques et osseuses", "fr"),
    ("tumeur hépatique secondaire", "fr"),
    ("dépistage du cancer du sein", "fr"),
    ("carcinome infiltrant les parties molles", "fr"),
    ("le sein gauche, le foie et la rate sont normaux", "fr"),
    ("adénome rénal", "fr"),
    ("metastatic liver tumor", "en"),
    ("lung tumour board, breast cancer screening", "en"),
    ("metastatic sarcoma in the lung", "en"),
    ("cervical lymph nodes; liver function; renal failure; cancer of unknown type, brain MRI", "en"),
])
def test_what_is_no_origin(text: str, language: str) -> None:
    assert read(text, language) == []


def test_combining_accents_do_not_shift_an_organ() -> None:
    text = unicodedata.normalize("NFD", "Œdème. Tumeur œsophagienne, cancer thyroïdien")
    assert read(text, "fr") == [("œsophagienne", "C15"), (unicodedata.normalize("NFD", "thyroïdien"), "C73")]

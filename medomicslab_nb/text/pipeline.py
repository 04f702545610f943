"""The pipeline: spaCy's blank French or English with our components, so that a team can add one of its own.

``doc._.facts`` holds the facts; ``doc.spans["facts"]`` and ``doc.spans["sections"]`` the same as spans of tokens, for
displaCy, DocBin and training. A fact may begin or end within a token (the N0 of T2N0): its span then takes the whole
token, the fact keeps the exact characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice

import numpy as np
import spacy
from spacy.attrs import IDX, SENT_START
from spacy.language import Language
from spacy.tokens import Doc, Span

from medomicslab_nb.text.facts import Fact
from medomicslab_nb.text.language import detect_language
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.reading import read_note

LANGUAGES = ("fr", "en")
_NOTES = 10_000  # notes between two fresh pipelines: spaCy's store keeps every new word for ever

for _name in ("note", "facts"):
    Doc.set_extension(_name, default=None, force=True)


def make_pipeline(language: str) -> Language:
    """spaCy's pipeline for ``fr`` or ``en`` with our components ``medomicslab_sentences`` and ``medomicslab_facts``."""
    nlp = spacy.blank(language)
    nlp.max_length = 1 << 31  # nothing here needs memory beyond the text's own size
    nlp.add_pipe("medomicslab_sentences")
    nlp.add_pipe("medomicslab_facts")
    return nlp


@Language.component("medomicslab_sentences")
def mark_sentences(doc: Doc) -> Doc:
    """The note as our rules see it, its sentences and its sections."""
    note = Note(doc.text, doc.lang_)
    doc._.note = note
    begins = [note.source(start, end)[0] for start, end in note.sentences]
    starts = np.full(len(doc), -1, dtype=np.int32)
    starts[np.searchsorted(_places(doc), begins, side="right") - 1] = 1
    doc.from_array([SENT_START], starts.astype(np.uint64))
    doc.spans["sections"] = _spans(doc, [(*note.source(each.start, each.end), each.name) for each in note.sections])
    return doc


@Language.component("medomicslab_facts")
def find_facts(doc: Doc) -> Doc:
    """The facts of the note."""
    facts = read_note(doc._.note)
    doc._.facts = facts
    doc.spans["facts"] = _spans(doc, [(fact.start, fact.end, fact.attribute) for fact in facts])
    return doc


def _places(doc: Doc) -> np.ndarray:
    """Where each token begins, in characters."""
    return doc.to_array(IDX).astype(np.int64)


def _spans(doc: Doc, stretches: Sequence[tuple[int, int, str]]) -> list[Span]:
    """Spans of whole tokens around stretches of characters; those without a token are left out."""
    if not stretches:
        return []
    places = _places(doc)
    firsts = np.searchsorted(places, [start for start, _, _ in stretches], side="right") - 1
    lasts = np.searchsorted(places, [end for _, end, _ in stretches], side="left")
    return [Span(doc, max(int(first), 0), int(last), label=label)
            for first, last, (_, _, label) in zip(firsts, lasts, stretches, strict=True) if first < last]


def read_texts(texts: Iterable[tuple[str, str]]) -> Iterator[list[Fact]]:
    """The facts of each text, given with its language, in order; texts are taken in as they are needed."""
    remaining = iter(texts)
    while batch := list(islice(remaining, 1)):
        pipelines = {language: make_pipeline(language) for language in LANGUAGES}
        for text, language in chain(batch, islice(remaining, _NOTES - 1)):
            yield pipelines[language](text)._.facts if text.strip() else []


@lru_cache(maxsize=len(LANGUAGES))
def _for_annotator(language: str) -> Language:
    return make_pipeline(language)


def suggestions(text: str, language: str = "") -> list[Fact]:
    """The facts of one text, for the annotator; empty for a text in neither language."""
    code = language if language in LANGUAGES else detect_language(text).code
    return list(_for_annotator(code)(text)._.facts) if code and text.strip() else []

"""The pipeline: spaCy's blank French or English with our components, so that a team can add one of its own.

``doc._.facts`` holds the facts; ``doc.spans["facts"]`` and ``doc.spans["sections"]`` the same as spans of tokens, for
displaCy, DocBin and training. A fact may begin or end within a token (the N0 of T2N0): its span then takes the whole
token, the fact keeps the exact characters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from medomicslab_nb.text.facts import Fact
from medomicslab_nb.text.language import detect_language
from medomicslab_nb.text.lexicon import Term
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.reading import read_note
from medomicslab_nb.text.rules import RULES
from medomicslab_nb.text.rules.own_terms import term_rule
from medomicslab_nb.text.rules.rule import Rule
from medomicslab_nb.text.spacy_parts import IDX, SENT_START, Doc, Language, Span, spacy

LANGUAGES = ("fr", "en")
_INSIDE = np.uint64(2**64 - 1)  # -1, as spaCy wants it: a token that begins no sentence
_WORDS = 60_000  # words after which a pipeline is made anew: spaCy's store keeps every new one for ever

for _name in ("source", "note", "facts"):
    Doc.set_extension(_name, default=None, force=True)


def make_pipeline(language: str, *, terms: Sequence[Term] = (), day_first: bool | None = None) -> Language:
    """The spaCy pipeline for ``fr`` or ``en`` with our components ``medomicslab_sentences`` and ``medomicslab_facts``.

    Parameters
    ----------
    terms : sequence of Term
        A team's own, beside the rules of the registry.
    day_first : bool, optional
        How 03/04/2021 is read, see :class:`~medomicslab_nb.text.note.Note`.
    """
    nlp = spacy.blank(language)
    tokenizer: Any = nlp.tokenizer
    tokenizer.token_match = None  # French: a pattern of compound words that takes half of the time
    nlp.max_length = 1 << 31  # nothing here needs memory beyond the text's own size
    nlp.add_pipe("medomicslab_sentences", config={"day_first": day_first})
    nlp.add_pipe("medomicslab_facts", config={"terms": [dict(vars(term)) for term in terms]})
    return nlp


@Language.factory("medomicslab_sentences", default_config={"day_first": None})
def _sentences(nlp: Language, name: str, day_first: bool | None) -> Callable[[Doc], Doc]:  # noqa: ARG001  (what spaCy calls)
    return partial(mark_sentences, day_first=day_first)


@Language.factory("medomicslab_facts", default_config={"terms": []})
def _facts(nlp: Language, name: str, terms: list[dict[str, Any]]) -> Callable[[Doc], Doc]:  # noqa: ARG001  (what spaCy calls)
    own = [term_rule([Term(**term) for term in terms])] if terms else []
    return partial(find_facts, rules=(*RULES.values(), *own))


def mark_sentences(doc: Doc, *, day_first: bool | None = None) -> Doc:
    """The note as our rules see it, its sentences and its sections."""
    note = Note(doc._.source or doc.text, doc.lang_, day_first=day_first)
    doc._.note = note
    places = _places(doc)
    marks: Any = np.full(len(doc), _INSIDE)
    for start, end in note.sentences:
        marks[bisect_right(places, note.source(start, end)[0]) - 1] = 1
    doc.from_array([SENT_START], marks)
    sections = [(*note.source(each.start, each.end), each.name) for each in note.sections]
    doc.spans["sections"] = _spans(doc, places, sections)
    return doc


def find_facts(doc: Doc, *, rules: Sequence[Rule] = tuple(RULES.values())) -> Doc:
    """The facts of the note."""
    facts = read_note(doc._.note, rules)
    doc._.facts = facts
    doc.spans["facts"] = _spans(doc, _places(doc), [(fact.start, fact.end, fact.attribute) for fact in facts])
    return doc


def _places(doc: Doc) -> list[int]:
    """Where each token begins, in characters."""
    places: list[int] = doc.to_array(IDX).tolist()
    return places


def _spans(doc: Doc, places: Sequence[int], stretches: Sequence[tuple[int, int, str]]) -> list[Span]:
    """Spans of whole tokens around stretches of characters; those without a token are left out."""
    tokens = ((bisect_right(places, start) - 1, bisect_left(places, end), label) for start, end, label in stretches)
    return [Span(doc, max(first, 0), last, label=label) for first, last, label in tokens if first < last]


def read_texts(texts: Iterable[tuple[str, str]], *, terms: Sequence[Term] = (),
               day_first: bool | None = None) -> Iterator[list[Fact]]:
    """The facts of each text, given with its language, in order; texts are taken in as they are needed."""
    own = tuple(terms)
    for text, language in texts:
        yield _read(text, language, own, day_first) if text.strip() else []


def _read(text: str, language: str, terms: tuple[Term, ...], day_first: bool | None) -> list[Fact]:
    nlp = _kept(language, terms, day_first)
    doc = nlp.make_doc(text)
    doc._.source = text  # put together again from its tokens it takes a tenth of the time
    facts: list[Fact] = nlp(doc)._.facts
    if len(nlp.vocab.strings) > _WORDS:
        _kept.cache_clear()
    return facts


@lru_cache(maxsize=2 * len(LANGUAGES))
def _kept(language: str, terms: tuple[Term, ...], day_first: bool | None) -> Language:
    return make_pipeline(language, terms=terms, day_first=day_first)


def suggestions(text: str, language: str = "") -> list[Fact]:
    """The facts of one text, for the annotator; empty for a text in neither language."""
    code = language if language in LANGUAGES else detect_language(text).code
    return next(read_texts([(text, code)])) if code else []

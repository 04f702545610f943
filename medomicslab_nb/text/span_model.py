"""A small statistical model of spans: spaCy's entity recogniser, trained from blank on one language.

Entities are whole tokens and do not overlap: of overlapping spans in training the longest is kept, and a span that
begins or ends within a token takes the whole token. Training with the same examples, seed, machine and versions gives
the same model. A stored model is weights and label names only, as MessagePack: it is loaded into a pipeline that is
built here, and nothing in it names code or is unpickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medomicslab_nb.errors import StudyError
from medomicslab_nb.text.sentences import split_sentences
from medomicslab_nb.text.spacy_parts import (
    Doc,
    Example as SpacyExample,
    Language,
    Span as TokenSpan,
    filter_spans,
    fix_random_seed,
    spacy,
)

_BATCH = 8
_DROPOUT = 0.2
_BEAM = 16
_LEAST = 0.02  # probability below which an entity is not told
_REMEMBERED = 4096  # texts whose entities are kept


@dataclass(frozen=True)
class Example:
    """A text and all spans in it, as begin, end (code points) and label."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class Scored:
    """A span that may be one, with its probability by the model."""

    start: int
    end: int
    label: str
    probability: float


class SpanModel:
    """A trained model. Use :func:`train_model` or :meth:`from_bytes`.

    Attributes
    ----------
    labels : tuple of str
    """

    def __init__(self, nlp: Language, labels: Iterable[str]) -> None:
        self.labels = tuple(labels)
        self._nlp = nlp
        self._recogniser = nlp.get_pipe("ner")
        self.scored = lru_cache(maxsize=_REMEMBERED)(self._scored)
        """Spans of a text that may be one, by their place, from the parses that the model thinks best."""

    def found(self, text: str) -> list[Scored]:
        """What the model takes for spans: those of probability one half or more."""
        return [each for each in self.scored(text) if each.probability >= 0.5]

    def to_bytes(self) -> bytes:
        weights: bytes = self._recogniser.to_bytes(exclude=["vocab"])  # type: ignore[attr-defined]
        return weights

    @classmethod
    def from_bytes(cls, language: str, labels: Sequence[str], content: bytes) -> SpanModel:
        """The model that :meth:`to_bytes` wrote.

        Raises
        ------
        StudyError
            It is damaged, or was written by another version of spaCy.
        """
        nlp = _blank(language)
        for label in labels:
            nlp.vocab.strings.add(label)
        try:
            nlp.get_pipe("ner").from_bytes(content)  # type: ignore[attr-defined]
        except Exception as error:  # whatever a damaged file leads to within spaCy
            raise StudyError(f"the stored model cannot be read ({type(error).__name__})", where="suggestions",
                             todo="Train it again; the folder cache of the study may be deleted") from None
        return cls(nlp, labels)

    def _scored(self, text: str) -> tuple[Scored, ...]:
        doc = self._nlp.make_doc(text)
        if not len(doc):
            return ()
        beams = self._recogniser.beam_parse([doc], beam_width=_BEAM)  # type: ignore[attr-defined]
        probabilities = self._recogniser.scored_ents(beams)[0]  # type: ignore[attr-defined]
        made = [Scored(doc[first].idx, doc[last - 1].idx + len(doc[last - 1]), label, min(float(probability), 1.0))
                for (first, last, label), probability in probabilities.items() if probability >= _LEAST]
        return tuple(sorted(made, key=lambda each: (each.start, -each.end, each.label)))


def train_model(language: str, examples: Sequence[Example], *, epochs: int, seed: int) -> SpanModel:
    """A model of the labels that occur in the examples; deterministic.

    Parameters
    ----------
    epochs : int
        How often every sentence is seen.
    """
    fix_random_seed(seed)
    nlp = _blank(language)
    prepared = [_prepared(nlp, sentence) for example in examples for sentence in _sentences(example)]
    optimizer = nlp.initialize(lambda: prepared)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(prepared))
        for start in range(0, len(order), _BATCH):
            nlp.update([prepared[place] for place in order[start:start + _BATCH]], sgd=optimizer, drop=_DROPOUT)
    return SpanModel(nlp, sorted({label for example in examples for _, _, label in example.spans}))


def _blank(language: str) -> Language:
    nlp = spacy.blank(language)
    nlp.max_length = 1 << 31
    nlp.add_pipe("ner")
    return nlp


def _sentences(example: Example) -> Iterator[Example]:
    """The sentences of an example that have a word: short pieces make many steps of training out of few notes."""
    for start, end in split_sentences(example.text):
        spans = tuple((max(first, start) - start, min(last, end) - start, label) for first, last, label in example.spans
                      if first < end and last > start)
        if example.text[start:end].strip():
            yield Example(example.text[start:end], spans)


def _prepared(nlp: Language, example: Example) -> SpacyExample:
    reference = nlp.make_doc(example.text)
    spans = [_trimmed(reference.char_span(start, end, label=label, alignment_mode="expand"))
             for start, end, label in example.spans]
    reference.ents = filter_spans([span for span in spans if span is not None])
    return SpacyExample(nlp.make_doc(example.text), reference)


def _trimmed(span: TokenSpan | None) -> TokenSpan | None:
    """Without white space at its ends, which the recogniser takes for no part of an entity; None if nothing is left."""
    if span is None:
        return None
    doc: Doc = span.doc
    words = [token.i for token in span if not token.is_space]
    return TokenSpan(doc, words[0], words[-1] + 1, label=span.label_) if words else None

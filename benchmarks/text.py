"""How well do we tell negated and uncertain events in clinical text, beside EDS-NLP (French) and negspacy (English)?

The gold file is one of JSON lines, a document each: ``id``, ``text`` and ``spans`` with ``label``, ``start``, ``end``;
those labelled EVENT have a ``polarity`` and a ``contextualModality``, as layer 1 of E3C [1]_. Every tool is given the
same spans and says of each whether it is negated and whether it is uncertain. Negated is the polarity NEG. Uncertain is
the modality HEDGED alone: HYPOTHETICAL marks purposes and plans ("drugs to prevent seizures") far more often than
doubts, GENERIC what is said of no patient.

Intervals are percentiles over documents drawn with replacement; the difference to the peer is drawn with the same
documents. With ``--folds`` the reach of words (:class:`medomicslab_nb.text.context.Reach`) is chosen on the other
documents before each fold is read; the lexicons stay as they are. ``notes_per_s`` is the whole pipeline with all rules
on one core, per 300 words of the gold file's texts; each tool's own line, on the gold spans, stands above.

References
----------
.. [1] Magnini B et al. The E3C project: European clinical case corpus. SEPLN 2021.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # one thread, read before numpy is
    os.environ.setdefault(name, "1")

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Span

from medomicslab_nb.text.context import Reach, contexts
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.pipeline import read_texts

WORDS_A_NOTE = 300
QUESTIONS = ("negated", "uncertain")
OURS = "medomicslab_nb"
REACHES = [Reach(words=words, bare_commas=commas, conjunctions=conjunctions, prepositions=prepositions)
           for words, commas, conjunctions, prepositions in product((30, 12), *3 * [(True, False)])]
"""What may be chosen on other documents; where several are equally good, the first."""

Answers = list[list[tuple[bool, bool]]]
"""By document and span: negated, uncertain."""
Tool = Callable[[Sequence["Document"]], Answers]
Notes = Sequence[tuple[Note, list[tuple[int, int]]]]


@dataclass(frozen=True)
class Document:
    """A text with its events and what is said of each."""

    name: str
    text: str
    spans: list[tuple[int, int]]
    gold: list[tuple[bool, bool]]


def main() -> None:
    options = _options()
    documents = read_gold(options.gold)
    print(f"{len(documents)} documents, {sum(len(each.spans) for each in documents)} events, "
          f"{sum(said[0] for each in documents for said in each.gold)} negated, "
          f"{sum(said[1] for each in documents for said in each.gold)} uncertain")
    figures = benchmark(documents, options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")


def benchmark(documents: Sequence[Document], options: argparse.Namespace) -> dict[str, float]:
    """F1 with intervals, the paired difference to the peer, and speeds."""
    peer, ask_peer = _best_peer(documents, options.lang)
    notes = [_note(each, options.lang) for each in documents]
    answers = _in_folds(documents, notes, options.folds) if options.folds else _ask(notes, Reach())
    peers_answers = ask_peer(documents)
    hedges = any(said[1] for each in peers_answers for said in each)
    draws = np.random.default_rng(options.seed).multinomial(
        len(documents), np.full(len(documents), 1 / len(documents)), size=options.draws)  # shape (draws, documents)
    figures: dict[str, float] = {}
    ours, theirs = _counts(documents, answers), _counts(documents, peers_answers)
    for at, question in enumerate(QUESTIONS):
        figures |= _interval(f"{OURS}_{question}", _drawn(ours[:, at], draws))
        if question == "negated" or hedges:
            figures |= _interval(f"{peer}_{question}", _drawn(theirs[:, at], draws))
            figures |= _interval(f"difference_{question}", _drawn(ours[:, at], draws) - _drawn(theirs[:, at], draws))
    figures[f"{peer}_notes_per_s"] = _rate(documents, lambda: ask_peer(documents))
    figures["context_notes_per_s"] = _rate(documents, lambda: _ask(notes, Reach()))
    texts = [(each.text, options.lang) for each in documents]
    return figures | {
        "negation_f1": figures[f"{OURS}_negated_f1"], "uncertainty_f1": figures[f"{OURS}_uncertain_f1"],
        "best_peer_negation_f1": figures[f"{peer}_negated_f1"],
        "notes_per_s": _rate(documents, lambda: list(read_texts(texts)))}


# --- Gold -------------------------------------------------------------------------------------------------------------


def read_gold(path: Path) -> list[Document]:
    """The documents of a gold file, by their names."""
    with path.open(encoding="utf-8") as file:
        return sorted((_document(json.loads(line)) for line in file if line.strip()), key=lambda each: each.name)


def _document(entry: dict[str, object]) -> Document:
    spans = entry["spans"]
    assert isinstance(spans, list)
    events = [span for span in spans if span["label"] == "EVENT"]
    return Document(str(entry["id"]), str(entry["text"]), [(span["start"], span["end"]) for span in events],
                    [(span["polarity"] == "NEG", span["contextualModality"] == "HEDGED") for span in events])


# --- Ours -------------------------------------------------------------------------------------------------------------


def _note(document: Document, language: str) -> tuple[Note, list[tuple[int, int]]]:
    note = Note(document.text, language)
    return note, [(note.place(start), note.place(end)) for start, end in document.spans]


def _ask(notes: Notes, reach: Reach) -> Answers:
    return [[("negated" in said, "uncertain" in said) for said in contexts(note, spans, reach)]
            for note, spans in notes]


def _in_folds(documents: Sequence[Document], notes: Notes, folds: int) -> Answers:
    """What we say of each document with the reach that was best on the documents of the other folds."""
    answers = [_ask(notes, reach) for reach in REACHES]
    scores = [_counts(documents, each) for each in answers]
    found: Answers = []
    for at in range(len(documents)):
        others = [other for other in range(len(documents)) if other % folds != at % folds]
        best = max(range(len(REACHES)), key=lambda which: float(
            sum(_f1(scores[which][others][:, question].sum(axis=0)) for question in range(len(QUESTIONS)))))
        found.append(answers[best][at])
    return found


# --- Peers ------------------------------------------------------------------------------------------------------------


def edsnlp_set_ups() -> dict[str, Tool]:
    """EDS-NLP with its own normaliser and sentences: as it comes, and without its cues that follow an event.

    Without them it is better on E3C, where "non" mostly stands before an adjective.
    """
    import edsnlp
    import edsnlp.pipes as eds

    def tool(**options: object) -> Tool:
        nlp = edsnlp.blank("eds")
        nlp.add_pipe(eds.normalizer())
        nlp.add_pipe(eds.sentences())
        nlp.add_pipe(eds.negation(span_getter="gold", **options))
        nlp.add_pipe(eds.hypothesis(span_getter="gold"))
        return lambda documents: [[(bool(span._.negation), bool(span._.hypothesis)) for span in _through(nlp, each)]
                                  for each in documents]

    return {"edsnlp": tool(), "edsnlp, no following cues": tool(following=[])}


def negspacy_set_ups() -> dict[str, Tool]:
    """Negspacy with each of its English term sets and spaCy's or our sentences; it says nothing of uncertainty."""
    from negspacy.negation import Negex  # noqa: F401  registers the component
    from negspacy.termsets import termset

    def tool(terms: str, sentences: str) -> Tool:
        nlp = spacy.blank("en")
        nlp.add_pipe(sentences)
        nlp.add_pipe("negex", config={"neg_termset": termset(terms).get_patterns(), "span_keys": ["gold"]})
        return lambda documents: [[(bool(span._.negex), False) for span in _through(nlp, each)] for each in documents]

    return {f"negspacy, {terms}, {sentences}": tool(terms, sentences)
            for terms in ("en", "en_clinical", "en_clinical_sensitive")
            for sentences in ("sentencizer", "medomicslab_sentences")}


def _through(nlp: Language, document: Document) -> list[Span]:
    """The gold spans of a document after a pipeline; spans of whole tokens."""
    doc = nlp.make_doc(document.text)
    spans = [doc.char_span(start, end, label="event", alignment_mode="expand") for start, end in document.spans]
    doc.spans["gold"] = [span for span in spans if span is not None]
    assert len(doc.spans["gold"]) == len(document.spans)
    for _, pipe in nlp.pipeline:
        doc = pipe(doc)
    return list(doc.spans["gold"])


PEERS = {"fr": ("edsnlp", edsnlp_set_ups), "en": ("negspacy", negspacy_set_ups)}


def _best_peer(documents: Sequence[Document], language: str) -> tuple[str, Tool]:
    """The peer, set up as is best for it on these very documents."""
    name, set_ups = PEERS[language]
    tools = set_ups()
    scores = {each: float(_f1(_counts(documents, tool(documents))[:, 0].sum(axis=0))) for each, tool in tools.items()}
    for each, score in scores.items():
        print(f"{each}: negation F1 {score:.4f}")
    return name, tools[max(scores, key=lambda each: scores[each])]


# --- Figures ----------------------------------------------------------------------------------------------------------


def _counts(documents: Sequence[Document], answers: Answers) -> np.ndarray:
    """True positives, false positives, false negatives; shape (documents, questions, 3)."""
    rows = []
    for document, said in zip(documents, answers, strict=True):
        gold, found = np.array(document.gold, bool).reshape(-1, 2), np.array(said, bool).reshape(-1, 2)
        assert gold.shape == found.shape
        rows.append(np.stack([(gold & found).sum(0), (~gold & found).sum(0), (gold & ~found).sum(0)], axis=1))
    return np.array(rows)


def _f1(counts: np.ndarray) -> np.ndarray:
    """F1 of counts in the last axis; 0 where there is nothing to find and nothing found."""
    hits, spurious, missed = np.moveaxis(counts, -1, 0)
    return np.asarray(2 * hits / np.maximum(2 * hits + spurious + missed, 1))


def _drawn(counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """F1 over all documents first, then in each draw."""
    return _f1(np.concatenate([counts.sum(axis=0)[None], draws @ counts]))


def _interval(name: str, values: np.ndarray) -> dict[str, float]:
    lower, upper = np.quantile(values[1:], [0.025, 0.975])
    return {f"{name}_f1": round(float(values[0]), 4), f"{name}_lower": round(float(lower), 4),
            f"{name}_upper": round(float(upper), 4)}


def _rate(documents: Sequence[Document], call: Callable[[], object]) -> float:
    """Notes of 300 words a second; the best of three, after one that warms up."""
    words = sum(len(each.text.split()) for each in documents)
    call()
    return round(words / WORDS_A_NOTE / min(_seconds(call) for _ in range(3)), 1)


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()  # of this one process: other work on the machine does not count
    call()
    return time.process_time() - start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gold", type=Path, required=True, help="JSON lines")
    parser.add_argument("--lang", choices=sorted(PEERS), required=True)
    parser.add_argument("--folds", type=int, default=0, help="choose the reach of words on the other folds")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.folds == 1 or options.folds < 0:
        parser.error("--folds takes 0 or at least 2")
    return options


if __name__ == "__main__":
    main()

"""The model in the loop: what annotators have said of finished notes teaches a model that suggests spans in the others.

Rules stay first: the model adds spans where no rule found any, with the rule ``model`` and the first digits of the
sha256 of what it was trained on as version. It gives no values. Its second use is to say which note it is least sure
of, so that the next note to annotate is one from which it learns.

**How good it is** is measured, not promised. A fifth of the finished notes is left out, a model is trained on the
others, and its exact F1 on those left out is shown with an interval over notes; the model that suggests is then trained
in the same way on all. With fewer than :data:`LEAST_NOTES` finished notes or :data:`LEAST_SPANS` spans nothing is
trained; attributes with fewer than :data:`LEAST_OF_ATTRIBUTE` spans are left out. Expect an F1
of about .4 to .5 from some hundred sentences, and minutes of training.

Models lie in the study's cache (``cache/suggestions``), under the sha256 of what they were trained on.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import asdict, dataclass
from typing import Any

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import DataError, MedomicsError, StudyError
from medomicslab_nb.evaluation.intervals import Interval
from medomicslab_nb.files import FORMAT_PREFIX, canonical_json, sha256_json, write_json
from medomicslab_nb.parallel import process_pool, single_thread
from medomicslab_nb.progress import Progress
from medomicslab_nb.study import Study
from medomicslab_nb.text.agreement import agreement
from medomicslab_nb.text.annotation_desk import NoteText, Suggest
from medomicslab_nb.text.annotations import Annotations
from medomicslab_nb.text.context import contexts
from medomicslab_nb.text.language import detect_language
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.note_work import sha256_of_text
from medomicslab_nb.text.span import SUGGESTED, Span
from medomicslab_nb.text.span_model import Example, SpanModel, train_model

LANGUAGES = ("fr", "en")
RULE = "model"
LEAST_NOTES, LEAST_SPANS, LEAST_OF_ATTRIBUTE = 10, 30, 5
EPOCHS = 8
FORMAT, FORMAT_VERSION = f"{FORMAT_PREFIX}suggestions", 1
CASE_VERSION = 1

_HELD_OUT = 5  # one note of so many
_POLL_S = 0.2


@dataclass(frozen=True)
class Report:
    """What a model was trained on, and how good such a model was on notes that it had not seen.

    Attributes
    ----------
    language : str
    sha256 : str
        Of the examples.
    notes, spans : int
        What it was trained on.
    attributes : tuple of str
        What it can suggest.
    left_out : tuple of str
        Attributes that had too few spans.
    held_out_notes, held_out_spans : int
        What the figure is from.
    f1 : Interval
        Exact, over all attributes; of a model trained on the other notes.
    """

    language: str
    sha256: str
    notes: int
    spans: int
    attributes: tuple[str, ...]
    left_out: tuple[str, ...]
    held_out_notes: int
    held_out_spans: int
    f1: Interval


@dataclass(frozen=True)
class Trained:
    """A model with its report."""

    model: SpanModel
    report: Report


class ModelInTheLoop:
    """Suggestions of rules and of a model, for the annotator's desk.

    ``Desk(annotations, notes, loop.suggest, loop.doubt)``; after :meth:`train` both use the new models.

    Parameters
    ----------
    study : Study
    annotations : Annotations
        Whose finished notes are learnt from.
    notes : sequence of NoteText
    rules : callable
        What rules suggest.

    Attributes
    ----------
    trained : dict
        Models by language; those of an earlier day are there from the beginning.
    """

    def __init__(self, study: Study, annotations: Annotations, notes: Sequence[NoteText], rules: Suggest) -> None:
        self.study, self.annotations, self.notes = study, annotations, notes
        self._rules = rules
        self.trained: dict[str, Trained] = {}
        for language in LANGUAGES:
            found = stored_model(study, language)
            if found is not None:
                self.trained[language] = found

    def suggest(self, text: str, language: str = "") -> list[Any]:
        """What the rules find, then what the model finds where they found nothing."""
        ruled = list(self._rules(text, language))
        found = self.trained.get(_language(text, language))
        return ruled if found is None else [*ruled, *model_spans(found, text, beside=ruled)]

    def doubt(self, text: str, spans: Sequence[Span] = ()) -> float:
        """How unsure the model is of a note, in bits: the sum over possible spans of the entropy of "is one".

        Spans of the rules are decided as far as the model is concerned; 0 without a model.
        """
        found = self.trained.get(_language(text, ""))
        ruled = [span for span in spans if span.rule != RULE]
        scored = found.model.scored(text) if found else ()
        return sum(_entropy(each.probability) for each in scored if not _overlaps(each, ruled))

    def train(self, progress: Progress | None = None, *, seed: int = 0, epochs: int = EPOCHS) -> list[Report]:
        """Train on what is finished now, in a process of its own, each language that has enough; what came of it.

        Raises
        ------
        DataError
            No language has enough finished notes; says how many are missing.
        Cancelled
        """
        reports, short = [], []
        for language in LANGUAGES:
            try:
                examples = examples_of(self.annotations, self.notes, language)
                self.trained[language] = train_stored(self.study, examples, language, progress or Progress(), seed=seed,
                                                      epochs=epochs)
                reports.append(self.trained[language].report)
            except TooFewError as error:
                short.append(error)
        if not reports:
            raise max(short, key=lambda error: error.spans)
        return reports


class TooFewError(DataError):
    """There is too little to learn from."""

    spans = 0

    @classmethod
    def of(cls, language: str, notes: int, spans: int) -> TooFewError:
        """With how much there is, and how much there has to be."""
        made = cls(f"{notes} finished notes with {spans} spans in language '{language}' are too few to learn from",
                   where="suggestions", todo=f"Finish at least {LEAST_NOTES} notes with {LEAST_SPANS} spans, of them "
                   f"{LEAST_OF_ATTRIBUTE} of one attribute; rules suggest as before")
        made.spans = spans
        return made


def examples_of(annotations: Annotations, notes: Iterable[NoteText], language: str) -> list[Example]:
    """What an annotator says of the finished notes of a language; the same text counts once."""
    made: dict[str, Example] = {}
    for note in notes:
        work = annotations.note(note.note, note.text)
        if work.done and _language(note.text, note.language) == language:
            spans = tuple((span.start, span.end, span.attribute) for span in work.holding)
            made.setdefault(note.text, Example(note.text, spans))
    return list(made.values())


def train_stored(study: Study, examples: Sequence[Example], language: str, progress: Progress, *, seed: int = 0,
                 epochs: int = EPOCHS) -> Trained:
    """The model of these examples: out of the cache, or trained in a process of its own and stored there.

    Raises
    ------
    TooFewError
    Cancelled
    """
    _enough(language, examples)
    cache = _cache(study)
    key = Cache.key([_sha256(examples)], {"language": language, "seed": seed, "epochs": epochs}, CASE_VERSION,
                    ["spacy", "thinc", "numpy"])
    payload = cache.payload(key)
    if payload is None:
        payload = _in_process(language, examples, progress, epochs=epochs, seed=seed)
        cache.put(key, payload)
    found = unpack_model(payload)
    write_json(cache.folder / f"{language}.json", {"key": key})
    return found


def stored_model(study: Study, language: str) -> Trained | None:
    """The model of a language that was trained last; None if there is none or it cannot be read here."""
    cache = _cache(study)
    try:
        key = json.loads((cache.folder / f"{language}.json").read_text(encoding="utf-8"))["key"]
        payload = cache.payload(key) if isinstance(key, str) and key.isalnum() else None
        return (payload and unpack_model(payload)) or None
    except (OSError, ValueError, KeyError, TypeError, MedomicsError):
        return None  # a cache may be deleted, or be of another version: it is trained again


def train_and_measure(language: str, examples: Sequence[Example], *, epochs: int = EPOCHS, seed: int = 0) -> bytes:
    """A model and its report as bytes; see the top of this module.

    Raises
    ------
    TooFewError
    """
    kept, left_out = _enough(language, examples)
    ordered = sorted(kept, key=lambda example: sha256_of_text(example.text))
    held_out = ordered[::_HELD_OUT]
    others = [example for place, example in enumerate(ordered) if place % _HELD_OUT]
    with single_thread():
        f1 = _f1(train_model(language, others, epochs=epochs, seed=seed), held_out)
        model = train_model(language, ordered, epochs=epochs, seed=seed)
    report = Report(language, _sha256(examples), len(kept), _spans(kept), model.labels, left_out, len(held_out),
                    _spans(held_out), f1)
    return pack_model(Trained(model, report))


def model_spans(trained: Trained, text: str, *, beside: Iterable[Any] = ()) -> list[Span]:
    """What the model suggests in a text, where nothing of ``beside`` lies; with the context that the sentence gives."""
    taken = list(beside)
    found = [each for each in trained.model.found(text) if not _overlaps(each, taken)]
    note = Note(text, trained.report.language)
    said = contexts(note, [(note.place(each.start), note.place(each.end)) for each in found])
    return [Span.of(text, each.label, each.start, each.end, context=context, rule=RULE,
                    rule_version=trained.report.sha256[:8], status=SUGGESTED)
            for each, context in zip(found, said, strict=True)]


def pack_model(trained: Trained) -> bytes:
    """A line that says what it is, then the weights."""
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "report": asdict(trained.report)}
    return json.dumps(head).encode() + b"\n" + trained.model.to_bytes()


def unpack_model(payload: bytes) -> Trained:
    """The model that :func:`pack_model` wrote. Nothing in it is run.

    Raises
    ------
    StudyError
        It is no such model, of another version, or damaged.
    """
    head, _, weights = payload.partition(b"\n")
    try:
        content = json.loads(head)
        if (content["format"], content["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError
        report = _report(content["report"])
    except (ValueError, KeyError, TypeError):
        raise StudyError("this is no stored model of suggestions", where="suggestions",
                         todo="Train it again; the folder cache of the study may be deleted") from None
    return Trained(SpanModel.from_bytes(report.language, report.attributes, weights), report)


def _report(content: Mapping[str, Any]) -> Report:
    made = Report(**{**content, "attributes": tuple(content["attributes"]), "left_out": tuple(content["left_out"]),
                     "f1": Interval(**content["f1"])})
    if made.language not in LANGUAGES or not all(isinstance(name, str) for name in made.attributes):
        raise ValueError
    return made


def _in_process(language: str, examples: Sequence[Example], progress: Progress, **how: int) -> bytes:
    with progress.task("training suggestions"), process_pool(1) as executor:
        future = executor.submit(train_and_measure, language, list(examples), **how)
        while not future.done():
            wait([future], timeout=_POLL_S)
            progress.check()
        payload: bytes = future.result()
        return payload


def _enough(language: str, examples: Sequence[Example]) -> tuple[list[Example], tuple[str, ...]]:
    """Examples without attributes that have too few spans, and the names of these."""
    counts = Counter(label for example in examples for _, _, label in example.spans)
    known = {label for label, count in counts.items() if count >= LEAST_OF_ATTRIBUTE}
    if len(examples) < LEAST_NOTES or counts.total() < LEAST_SPANS or not known:
        raise TooFewError.of(language, len(examples), counts.total())
    kept = [Example(example.text, tuple(span for span in example.spans if span[2] in known)) for example in examples]
    return kept, tuple(sorted(counts.keys() - known))


def _spans(examples: Iterable[Example]) -> int:
    return sum(len(example.spans) for example in examples)


def _f1(model: SpanModel, examples: Sequence[Example]) -> Interval:
    true, found = {}, {}
    for number, example in enumerate(examples):
        true[str(number)] = [Span(label, start, end, "") for start, end, label in example.spans]
        found[str(number)] = [Span(each.label, each.start, each.end, "") for each in model.found(example.text)]
    return agreement(found, true)[0].f1_exact


def _language(text: str, language: str) -> str:
    return language if language in LANGUAGES else detect_language(text).code


def _overlaps(each: Any, spans: Iterable[Any]) -> bool:
    return any(each.start < span.end and span.start < each.end for span in spans)


def _entropy(p: float) -> float:
    return -sum(part * math.log2(part) for part in (p, 1 - p) if part > 0)


def _sha256(examples: Sequence[Example]) -> str:
    """Of what is learnt from, in whatever order it comes."""
    return sha256_json(sorted(canonical_json([example.text, sorted(example.spans)]) for example in examples))


def _cache(study: Study) -> Cache:
    found = study.cache("suggestions")
    assert found is not None  # a study on the disk has one
    return found

"""The model in the loop: it learns, says how well, stays behind the rules, and nothing stored is run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medomicslab_nb.errors import Cancelled, DataError, StudyError
from medomicslab_nb.progress import Progress
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text import suggestions
from medomicslab_nb.text.annotation_desk import Desk, NoteText
from medomicslab_nb.text.annotations import Annotations, open_annotations
from medomicslab_nb.text.span import Span
from medomicslab_nb.text.span_model import Example, Scored, SpanModel, train_model
from medomicslab_nb.text.suggestions import (
    LEAST_NOTES,
    ModelInTheLoop,
    Trained,
    examples_of,
    model_spans,
    stored_model,
    train_and_measure,
    train_stored,
    unpack_model,
)

DRUGS = ("tamoxifène", "létrozole", "docétaxel", "paclitaxel", "trastuzumab")
SIDES = ("gauche", "droit")
EPOCHS = 25


def note(number: int) -> tuple[str, list[tuple[str, str]]]:
    """An invented note and what is in it."""
    drug, side = DRUGS[number % 5], SIDES[number % 2]
    text = (f"🙂 Note e\u0301crite {number}. Lésion du sein {side}. "
            f"Elle a reçu du {drug} {number + 2} mois, puis du {drug}.")
    return text, [(side, "laterality"), (drug, "treatment")]


def example(number: int) -> Example:
    text, said = note(number)
    spans = [(place, place + len(words), label) for words, label in said for place in range(len(text))
             if text.startswith(words, place)]
    return Example(text, tuple(sorted(spans)))


EXAMPLES = [example(number) for number in range(12)]


@pytest.fixture(scope="module")
def payload() -> bytes:
    return train_and_measure("fr", EXAMPLES, epochs=EPOCHS)


@pytest.fixture(scope="module")
def trained(payload: bytes) -> Trained:
    return unpack_model(payload)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study(tmp_path / "study")


NOTES = [NoteText(f"N{number}", note(number)[0], language="fr") for number in range(20)]


@pytest.fixture
def finished(study: Study) -> Iterator[Annotations]:
    """Somebody who has finished 12 of 20 notes."""
    opened = open_annotations(study, "Anne")
    for number in range(12):
        work = opened.note(NOTES[number].note, NOTES[number].text)
        work.put(*(Span.of(work.text, label, start, end) for start, end, label in EXAMPLES[number].spans))
        work.mark_done(done=True)
    yield opened
    opened.close()


def no_rules(text: str, language: str) -> list[Any]:
    return []


# -- what is learnt --------------------------------------------------------------------------------------------------


def test_it_learns_and_says_how_well(trained: Trained) -> None:
    report = trained.report
    assert (report.notes, report.spans, report.held_out_notes, report.held_out_spans) == (12, 36, 3, 9)
    assert report.attributes == ("laterality", "treatment")
    assert report.f1.estimate > 0.8
    assert report.f1.lower <= report.f1.estimate <= report.f1.upper
    new, said = note(101)
    found = model_spans(trained, new)
    assert {(span.text, span.attribute) for span in found} >= set(said[:1])
    assert all(new[span.start:span.end] == span.text for span in found)
    assert {(span.status, span.rule, span.rule_version) for span in found} == {
        ("suggested", "model", report.sha256[:8])}


def test_the_figure_is_of_notes_that_the_model_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []
    tested: list[set[str]] = []

    class Known:
        labels = ("laterality",)

        def to_bytes(self) -> bytes:
            return b""

    def train(language: str, examples: list[Example], **how: int) -> Known:
        seen.append({each.text for each in examples})
        return Known()

    def measure(model: Known, examples: list[Example]) -> Any:
        tested.append({each.text for each in examples})
        return trained_f1

    trained_f1 = suggestions.Interval(0.5, 0.4, 0.6)
    monkeypatch.setattr(suggestions, "train_model", train)
    monkeypatch.setattr(suggestions, "_f1", measure)
    train_and_measure("fr", EXAMPLES)
    assert not seen[0] & tested[0]
    assert seen[0] | tested[0] == seen[1] == {each.text for each in EXAMPLES}


def test_nothing_to_learn_gives_no_credit() -> None:
    """A control: labels on words drawn by lot cannot be learnt, and the held-out F1 says so."""
    import random

    rng = random.Random(0)
    examples = []
    for number in range(12):
        text = note(number)[0]
        places = [place for place, letter in enumerate(text) if letter == " "]
        starts = rng.sample(places[:-1], 3)
        examples.append(Example(text, tuple((start + 1, text.index(" ", start + 1), "grade") for start in starts)))
    report = unpack_model(train_and_measure("fr", examples, epochs=EPOCHS // 2)).report
    assert report.f1.estimate < 0.4


def test_the_same_seed_gives_the_same_model() -> None:
    few = EXAMPLES[:2]
    one, again, other = (train_model("fr", few, epochs=1, seed=seed).to_bytes() for seed in (3, 3, 4))
    assert one == again
    assert one != other


def test_overlapping_spans_spans_within_tokens_and_white_space_can_be_trained_on() -> None:
    text = "Tumeur pT2N0\r\n\r\n grade 2 \u00a0"
    spans = [(8, 10, "t_category"), (10, 12, "n_category"), (0, 12, "grade"), (12, 16, "grade"),
             (15, len(text), "grade")]
    model = train_model("fr", [Example(text, tuple(spans))] * 3, epochs=1, seed=0)
    assert model.labels == ("grade", "n_category", "t_category")
    assert model.scored("") == ()
    assert model.scored(" \r\n ") is not None


@pytest.mark.parametrize("examples", [EXAMPLES[:LEAST_NOTES - 1], [Example(each.text, each.spans[:1])
                                                                     for each in EXAMPLES], []])
def test_too_few_examples_are_said_and_nothing_is_trained(study: Study, examples: list[Example]) -> None:
    with pytest.raises(DataError, match=f"{len(examples)} finished notes with .* are too few") as raised:
        train_stored(study, examples, "fr", Progress())
    assert "at least 10 notes with 30 spans" in str(raised.value)
    assert not (study.path / "cache" / "suggestions").exists()


def test_attributes_with_too_few_spans_are_left_out_and_named() -> None:
    first = EXAMPLES[0]
    examples = [Example(first.text, (*first.spans, (0, 1, "grade"))), *EXAMPLES[1:]]
    kept, left_out = suggestions._enough("fr", examples)
    assert left_out == ("grade",)
    assert kept[0] == first


# -- what is suggested -----------------------------------------------------------------------------------------------


def test_rules_stay_first(study: Study, finished: Annotations, trained: Trained) -> None:
    text = note(3)[0]

    def rules(text: str, language: str) -> list[Span]:
        start = text.index("sein")
        return [Span.of(text, "site", start, start + 10, rule="site", status="suggested")]

    loop = ModelInTheLoop(study, finished, NOTES, rules)
    assert [span.rule for span in loop.suggest(text, "fr")] == ["site"]  # no model yet
    loop.trained["fr"] = trained
    found = loop.suggest(text, "fr")
    assert [span.rule for span in found] == ["site", "model", "model"]
    assert {span.attribute for span in found[1:]} == {"treatment"}  # the side lies in what the rule found
    assert [span.rule for span in loop.suggest("No model of this language sein was trained here.", "en")] == ["site"]


def test_the_context_of_a_suggestion_is_that_of_its_sentence(trained: Trained) -> None:
    text = "Elle n'a pas reçu de docétaxel. Elle a reçu du docétaxel."
    places = [place for place in range(len(text)) if text.startswith("docétaxel", place)]

    class Sure:
        def found(self, text: str) -> list[Scored]:
            return [Scored(place, place + 9, "treatment", 1.0) for place in places]

    found = model_spans(Trained(Sure(), trained.report), text)  # type: ignore[arg-type]
    assert [(span.text, span.context) for span in found] == [("docétaxel", ("negated",)), ("docétaxel", ())]


def test_the_desk_goes_to_the_note_of_which_the_model_is_least_sure(study: Study, finished: Annotations) -> None:
    class Unsure:
        def scored(self, text: str) -> Any:
            p = {NOTES[17].text: 0.9, NOTES[18].text: 0.5, NOTES[19].text: 0.02}.get(text, 1.0)
            return (Scored(0, 1, "grade", p), Scored(5, 6, "grade", 1.0))

        def found(self, text: str) -> list[Any]:
            return []

    loop = ModelInTheLoop(study, finished, NOTES, no_rules)
    loop.trained["fr"] = Trained(Unsure(), report=None)  # type: ignore[arg-type]
    loop.suggest = no_rules  # type: ignore[method-assign]
    desk = Desk(finished, NOTES, loop.suggest, loop.doubt)
    desk.look(60)
    assert desk.uncertain(0, range(20)) == 18
    assert loop.doubt(NOTES[18].text) == pytest.approx(1)  # a bit
    assert loop.doubt(NOTES[18].text, [Span.of(NOTES[18].text, "grade", 0, 3, rule="grade")]) == 0
    assert loop.doubt("Rien d'autre ici, la patiente va bien.") == 0


# -- where it lies ---------------------------------------------------------------------------------------------------


def test_finished_notes_are_learnt_from_each_text_once(finished: Annotations) -> None:
    assert examples_of(finished, [*NOTES, NOTES[0]], "fr") == EXAMPLES
    assert examples_of(finished, NOTES, "en") == []


def test_training_in_a_process_of_its_own_is_kept_and_found_again(study: Study, finished: Annotations,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    loop = ModelInTheLoop(study, finished, NOTES, no_rules)
    (report,) = loop.train(epochs=1)
    again = ModelInTheLoop(study, finished, NOTES, no_rules)
    assert again.trained["fr"].report == report
    monkeypatch.setattr(suggestions, "_in_process", None)  # it comes out of the cache
    assert again.train(epochs=1) == [report]
    with pytest.raises(TypeError):
        again.train(epochs=2)


def test_too_few_in_every_language_names_the_one_that_is_nearest(study: Study) -> None:
    opened = open_annotations(study, "Ben")
    with pytest.raises(DataError, match="0 finished notes"):
        ModelInTheLoop(study, opened, NOTES, no_rules).train()
    opened.close()


def test_a_cancel_ends_training(study: Study) -> None:
    with pytest.raises(Cancelled):
        train_stored(study, EXAMPLES, "fr", Progress(cancelled=iter([False, True, True]).__next__), epochs=500)
    assert stored_model(study, "fr") is None


def test_83_loading_a_model_unpickles_nothing(payload: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    loaded = unpack_model(payload)
    assert loaded.model.to_bytes() == payload.partition(b"\n")[2]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("pickle-was-run"),)


def test_83_a_malicious_model_is_refused_and_nothing_is_run(payload: bytes, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = payload.partition(b"\n")[0]
    changed = json.loads(head)
    changed["format_version"] = 2
    for content in (b"", pickle.dumps(Evil()), head + b"\n" + pickle.dumps(Evil()), payload[:-1000],
                    json.dumps(changed).encode() + b"\n", b'{"format": 3}\n', b"[]\n"):
        with pytest.raises(StudyError, match="model"):
            unpack_model(content)
    assert not list(tmp_path.iterdir())


def test_a_damaged_cache_counts_for_nothing(study: Study, payload: bytes) -> None:
    folder = study.path / "cache" / "suggestions"
    folder.mkdir(parents=True)
    for content in ("{", "[]", '{"key": "../../x"}', '{"key": 3}', '{"key": "abc"}'):
        (folder / "fr.json").write_text(content)
        assert stored_model(study, "fr") is None


def test_a_stored_model_gives_the_same_suggestions(trained: Trained, payload: bytes) -> None:
    again = SpanModel.from_bytes("fr", trained.report.attributes, payload.partition(b"\n")[2])
    for number in range(3):
        assert again.scored(note(number)[0]) == trained.model.scored(note(number)[0])

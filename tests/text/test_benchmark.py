"""The benchmark of context runs on the real gold and says what it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import text as benchmark
from medomicslab_nb.text.context import Reach
from medomicslab_nb.text.note import Note

LAST = ("negation_f1", "uncertainty_f1", "best_peer_negation_f1", "notes_per_s")
GOLD = ('{"id": "B", "text": "Pas de fièvre. Toux.", "spans": ['
        '{"label": "EVENT", "start": 7, "end": 13, "polarity": "NEG", "contextualModality": "ACTUAL"}, '
        '{"label": "EVENT", "start": 15, "end": 19, "polarity": "POS", "contextualModality": "HEDGED"}, '
        '{"label": "BODYPART", "start": 0, "end": 3}]}\n\n'
        '{"id": "A", "text": "Rien.", "spans": []}\n')


def run(*options: str) -> dict[str, float]:
    """The figures that the benchmark prints, in a process of its own: EDS-NLP changes what spaCy finds."""
    script = Path(benchmark.__file__)
    done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert tuple(line.partition("=")[0] for line in lines[-4:]) == LAST
    return {name: float(value) for name, _, value in (line.partition("=") for line in lines) if value}


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.jsonl"
    path.write_text(GOLD, encoding="utf-8")
    return path


def test_gold_is_read(gold: Path) -> None:
    empty, document = benchmark.read_gold(gold)
    assert empty.name == "A" and not empty.spans
    assert [document.text[start:end] for start, end in document.spans] == ["fièvre", "Toux"]
    assert document.gold == [(True, False), (False, True)]


def test_counts_are_of_this_document_and_question(gold: Path) -> None:
    documents = benchmark.read_gold(gold)
    counts = benchmark._counts(documents, [[], [(True, True), (True, False)]])
    assert counts.tolist() == [[[0, 0, 0], [0, 0, 0]], [[1, 1, 0], [0, 1, 1]]]
    assert benchmark._f1(counts.sum(axis=0)) == pytest.approx([2 / 3, 0])


def test_a_fold_is_read_with_what_the_others_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = Reach(), Reach(words=1)

    def ask(notes: benchmark.Notes, reach: Reach) -> benchmark.Answers:
        # In the odd document the other reach would be the better one: it must not be chosen by it.
        return [[((reach == right) != (note.text == "odd"),) * 2] for note, _ in notes]

    monkeypatch.setattr(benchmark, "REACHES", [wrong, right])
    monkeypatch.setattr(benchmark, "_ask", ask)
    documents = [benchmark.Document(text, text, [(0, 3)], [(True, True)]) for text in ("one", "two", "odd")]
    notes: benchmark.Notes = [(Note(each.text, "en"), each.spans) for each in documents]
    assert benchmark._in_folds(documents, notes, 3)[2] == [(False, False)]


def test_interval_is_that_of_drawn_documents() -> None:
    counts = np.array([[4, 0, 0], [0, 2, 2]])
    values = benchmark._drawn(counts, np.array([[2, 0], [0, 2], [1, 1]]))
    assert values == pytest.approx([2 / 3, 1, 0, 2 / 3])


@pytest.mark.realdata
@pytest.mark.parametrize(("language", "least"), [("fr", 0.84), ("en", 0.8)])
def test_context_is_better_than_the_peer_on_real_text(real_data: Path, language: str, least: float) -> None:
    path = real_data / "e3c" / f"e3c_layer1_{language}.jsonl"
    found = run("--gold", str(path), "--lang", language, "--folds", "5", "--draws", "1000")
    assert found["negation_f1"] >= least
    assert found["negation_f1"] > found["best_peer_negation_f1"] > 0.6
    assert found["difference_negated_lower"] > -0.02
    assert found["medomicslab_nb_negated_lower"] < found["negation_f1"] < found["medomicslab_nb_negated_upper"]

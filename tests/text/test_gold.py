"""The script that makes the gold standard out of two passes, on invented notes."""

from __future__ import annotations

import io
import json
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote
from medomicslab_nb.text.exchange.jsonl import read_jsonl

REPOSITORY = Path(__file__).parents[2]
TWICE = "Grade 2, grade 2 🙂 e\u0301 pT2N0."
TEXTS = {"N1": TWICE, "N2": "Pas de métastase.", "N3": TWICE, "N4": "Rien."}
FIRST = {"N1": [["grade", "rade 2", 2, "2", []], ["t_category", "T2", 1, "T2", []]],
         "N2": [["metastasis", "métastase", 1, "unspecified", ["negated"]]], "N3": [], "N4": []}
SECOND = {"N1": [["grade", "grade 2", 1, "2", []], ["n_category", "N0", 1, "N0", []]],
          "N2": [["metastasis", "métastase", 1, "unspecified", []]], "N3": [], "N4": []}


def lines(path: Path, content: dict[str, Any], key: str) -> Path:
    path.write_text("".join(json.dumps({"id": name, key: each}) + "\n" for name, each in content.items()))
    return path


def gold(tmp_path: Path, first: Any = FIRST, second: Any = SECOND, adjudicated: Any = None) -> str:
    """What the script prints."""
    paths = [lines(tmp_path / "t.jsonl", TEXTS, "text"), lines(tmp_path / "a.jsonl", first, "spans"),
             lines(tmp_path / "b.jsonl", second, "spans")]
    command = ["gold.py", "--texts", paths[0], "--pass", paths[1], "--pass", paths[2], "--out", tmp_path / "out"]
    if adjudicated is not None:
        command += ["--adjudicated", lines(tmp_path / "c.jsonl", adjudicated, "spans")]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(sys, "argv", list(map(str, command)))
        runpy.run_path(str(REPOSITORY / "benchmarks" / "gold.py"), run_name="__main__")
    return printed.getvalue()


def stored(tmp_path: Path, kind: str) -> list[AnnotatedNote]:
    return [note for half in ("dev", "test")
            for note in read_jsonl((tmp_path / f"out/{kind}_{half}.jsonl").read_bytes())]


def test_agreed_spans_are_taken_and_the_others_listed(tmp_path: Path) -> None:
    printed = gold(tmp_path)
    assert printed.endswith("documents=3\ndocuments_lacking_a_pass=0\nmentions=1\ndisputed=3\n"
                            "disputed_documents=2\ncomplete=False\n")
    assert "not clinicians'" in printed
    notes = stored(tmp_path, "agreed")
    assert sorted(note.note for note in notes) == ["N1", "N2", "N4"]  # N3 is a twin of N1
    assert [note.text for note in notes] == [None] * 3
    spans = {note.note: note.with_text(TEXTS[note.note]).spans for note in notes}
    assert [(span.text, span.start) for span in spans["N1"]] == [("rade 2", 10)]
    disputed = [json.loads(line) for line in (tmp_path / "out/disputed.jsonl").read_text().splitlines()]
    assert [(each["first"], each["second"]) for each in disputed[0]["disputed"]] == [
        (FIRST["N1"][1], None), (None, SECOND["N1"][1])]
    assert disputed[1]["disputed"][0]["around"] == "Pas de [métastase]."


def test_what_the_adjudicator_lets_stand_is_gold(tmp_path: Path) -> None:
    assert gold(tmp_path, adjudicated={"N1": [FIRST["N1"][1]], "N2": [FIRST["N2"][0]]}).endswith("complete=True\n")
    found = {note.note: [(span.attribute, span.context) for span in note.spans] for note in stored(tmp_path, "gold")}
    assert found == {"N1": [("grade", ()), ("t_category", ())], "N2": [("metastasis", ("negated",))], "N4": []}


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    assert gold(tmp_path) == gold(tmp_path)  # sha256 of every output among it


@pytest.mark.parametrize("span, fault", [
    (["grade", "grade 2", 2, "2", []], "occurs 1 times"), (["grad", "grade 2", 1, "2", []], "no such attribute"),
    (["grade", "grade 2", 1, "2", ["maybe"]], "no such context")])
def test_spans_that_are_not_there_are_named(tmp_path: Path, span: Any, fault: str) -> None:
    with pytest.raises(SystemExit, match=fault):
        gold(tmp_path, second={**SECOND, "N1": [span]})
    assert not (tmp_path / "out").exists()


def test_every_dispute_needs_a_decision(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="1 documents with disputed spans have no line in --adjudicated: N2"):
        gold(tmp_path, adjudicated={"N1": []})

"""What chunks are kept under, and what is told of one that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medomicslab_nb.errors import RunError
from medomicslab_nb.text import chunk as chunk_module
from medomicslab_nb.text.chunk import Chunk, read_chunk
from medomicslab_nb.text.facts import NoteKey
from medomicslab_nb.text.lexicon import Term

CHUNK = Chunk((NoteKey("P-1001", "N-1", "2020-01-01", "fr"),), ("Tumeur T2N0M0.",), frozenset(), (), None)


@pytest.mark.parametrize("change", [
    {"keys": (replace(CHUNK.keys[0], date="2020-01-02"),)}, {"keys": (replace(CHUNK.keys[0], language="en"),)},
    {"texts": ("Tumeur T3N0M0.",)}, {"attributes": frozenset({"stage"})}, {"day_first": False},
    {"terms": (Term("emboli", "emboli", "embolies"),)}])
def test_whatever_changes_the_facts_changes_the_key(change: dict[str, object]) -> None:
    assert replace(CHUNK, **change).cache_key() != CHUNK.cache_key()  # type: ignore[arg-type]


def test_a_corrected_lexicon_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []
    for content in ("one", "another"):
        (tmp_path / "lexicons").mkdir(exist_ok=True)
        (tmp_path / "lexicons" / "sites.csv").write_text(content, encoding="utf-8")
        monkeypatch.setattr(chunk_module, "_PACKAGE", tmp_path)
        chunk_module._data_files.cache_clear()
        keys.append(CHUNK.cache_key())
    monkeypatch.undo()
    chunk_module._data_files.cache_clear()
    assert keys[0] != keys[1]
    assert {"sections.yaml", "context_fr.yaml", "lexicons/drugs.csv"} <= set(chunk_module._data_files())


def test_bad_input_85_a_rule_that_fails_does_not_quote_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> object:
        raise ValueError("could not convert string to float: 'Zdenka Holubova'")

    monkeypatch.setattr(chunk_module, "read_texts", fail)
    with pytest.raises(RunError, match="a note cannot be read \\(ValueError\\)") as caught:
        read_chunk(CHUNK)
    assert "Holubova" not in str(caught.value) and "test_chunk.py" in caught.value.where

"""Words looked up give what the function gives, however few of them are kept."""

from __future__ import annotations

from medomicslab_nb.text.word_table import WordTable


def test_a_table_says_what_the_function_says_and_keeps_no_more_than_told() -> None:
    asked: list[str] = []
    table = WordTable(lambda word: asked.append(word) or word.upper(), most=2)  # type: ignore[func-returns-value]
    assert table.of(["sein", "sein", "foie", "os", "sein"]) == ["SEIN", "SEIN", "FOIE", "OS", "SEIN"]
    assert asked == ["sein", "foie", "os", "sein"]
    assert len(table) == 2

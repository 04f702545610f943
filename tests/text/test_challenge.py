"""Sentences that were written before the rules, by somebody who had not seen them: *not real notes*.

A fact is right when its attribute, value and context are and it overlaps; half of the lines are traps. Every attribute
must reach F1 of .95 in both languages. The figures of the half that no author of a rule had read are in docs/text.md.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from medomicslab_nb.text.facts import Fact
from medomicslab_nb.text.pipeline import suggestions
from medomicslab_nb.text.scoring import Score, score

FOLDER = Path(__file__).parent / "challenge"
LEAST_F1 = 0.95
LEAST_LINES = 40
GROUPS = sorted((path.parent.name, path.stem) for path in FOLDER.glob("*/*.jsonl"))


@cache
def lines(language: str, group: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (FOLDER / language / f"{group}.jsonl").read_text("utf-8").splitlines()]


def attributes_of(language: str, group: str) -> list[str]:
    return sorted({fact["attribute"] for line in lines(language, group) for fact in line["facts"]})  # type: ignore


@cache
def scores(language: str, group: str) -> dict[str, Score]:
    looked_for, counts = set(attributes_of(language, group)), defaultdict(Score)
    for line in lines(language, group):
        text = str(line["text"])
        there = [_fact(text, fact) for fact in line["facts"]]  # type: ignore[attr-defined]
        found = [fact for fact in suggestions(text, language) if fact.attribute in looked_for]
        for attribute, one in score(there, found).items():
            counts[attribute] += one
    return dict(counts)


def _fact(text: str, fact: dict[str, object]) -> Fact:
    stretch, start = str(fact["text"]), -1
    for _ in range(int(str(fact.get("occurrence", 1)))):
        start = text.index(stretch, start + 1)
    return Fact(str(fact["attribute"]), start, start + len(stretch), stretch, str(fact["value"]),
                context=tuple(fact.get("context", ())))  # type: ignore[arg-type]


@pytest.mark.parametrize(("language", "group", "attribute"), [
    (language, group, attribute) for language, group in GROUPS for attribute in attributes_of(language, group)])
def test_attribute_is_read(language: str, group: str, attribute: str) -> None:
    one = scores(language, group)[attribute]
    assert one.f1 >= LEAST_F1, f"F1 {one.f1:.3f}: {one}"


@pytest.mark.parametrize(("language", "group", "attribute"), [
    (language, group, attribute) for language, group in GROUPS for attribute in attributes_of(language, group)])
def test_there_are_enough_lines_and_half_are_traps(language: str, group: str, attribute: str) -> None:
    about = [line for line in lines(language, group) if attribute in {
        fact["attribute"] for fact in line["facts"]} | _traps(line)]  # type: ignore[attr-defined,index]
    assert len(about) >= LEAST_LINES and 2 * sum(attribute in _traps(line) for line in about) >= LEAST_LINES


def _traps(line: dict[str, object]) -> set[str]:
    trap = line.get("trap", [])
    return {trap} if isinstance(trap, str) else set(trap)  # type: ignore[arg-type,call-overload]

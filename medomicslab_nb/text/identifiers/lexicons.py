"""The word lists of the rules, read once: ordinary words, first names, surnames, towns, eponyms, cues."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import stem

_PART = re.compile(r"(?<!P)<([A-Z_]{1,}|states)>")
FOLDER = Path(__file__).with_name("lexicons")


@cache
def vocabulary() -> frozenset[str]:
    """Words of French, English and medicine that are no names; folded, without the mark of the plural."""
    with gzip.open(FOLDER / "vocabulary.txt.gz", "rt", encoding="utf-8") as file:
        words = frozenset(file.read().split())
    return words | {stem(word) for line in _lines("words.txt") for word in line.split()}


@cache
def first_names() -> Mapping[str, str]:
    """First names, folded, and their gender: m, f or fm."""
    with (FOLDER / "first_names.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["gender"] for row in csv.DictReader(file)}


@cache
def surnames() -> frozenset[str]:
    """Surnames, folded."""
    return frozenset(_lines("surnames.txt"))


@cache
def places() -> frozenset[str]:
    """Towns, folded, their words joined by single spaces."""
    return frozenset(_lines("places.txt"))


@cache
def eponyms() -> frozenset[str]:
    """Names that stand for a disease, score, sign, operation or thing, folded."""
    return frozenset(fold(line).folded for line in _lines("eponyms.txt"))


@cache
def cues() -> Mapping[str, Any]:
    """What ``cues.yaml`` holds."""
    content: Mapping[str, Any] = yaml.safe_load((FOLDER / "cues.yaml").read_text(encoding="utf-8"))
    return content


@cache
def forms() -> Mapping[str, Any]:
    """What ``forms.yaml`` holds."""
    content: Mapping[str, Any] = yaml.safe_load((FOLDER / "forms.yaml").read_text(encoding="utf-8"))
    return content


def filled(pattern: str, more: Mapping[str, str] | None = None) -> str:
    """A pattern of ``forms.yaml`` with its parts in place, and the words of ``more``."""
    parts = {**forms()["parts"], **(more or {})}
    parts["states"] = parts["STATES"].lower()
    while found := _PART.search(pattern):
        pattern = pattern.replace(found[0], parts[found[1]])
    return pattern


def _lines(name: str) -> list[str]:
    """The lines of a list; those that begin with # are remarks."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]

"""Word lists in ``lexicons/NAME.yaml`` as patterns for folded text: a star is any letters, a space any gap.

A list is text with commas between the phrases, so that a clinician adds a word without quotes or brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import yaml

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.lexicon import FOLDER


def alternation(phrases: Iterable[str]) -> str:
    """A pattern of any of the phrases, the longest first; it needs word boundaries around it."""
    folded = {fold(phrase).folded for phrase in phrases}
    return "(?:" + "|".join(_pattern(phrase) for phrase in sorted(folded, key=lambda text: (-len(text), text))) + ")"


def _pattern(phrase: str) -> str:
    return r"[\s'-]+".join(re.escape(word).replace(r"\*", r"\w*") for word in phrase.split())


@cache
def word_lists(name: str) -> dict[str, Any]:
    """What ``lexicons/NAME.yaml`` holds."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return content


def listed(name: str, key: str) -> list[str]:
    """The phrases of the list ``key`` of ``lexicons/NAME.yaml``."""
    return [phrase.strip() for phrase in word_lists(name)[key].split(",") if phrase.strip()]


@cache
def phrases(name: str, key: str) -> str:
    """The list ``key`` of ``lexicons/NAME.yaml`` as an alternation."""
    return alternation(listed(name, key))

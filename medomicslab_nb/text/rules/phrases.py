"""Word lists in ``lexicons/NAME.yaml`` as patterns for folded text: a star is any letters, a space any gap in a phrase."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import yaml

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.lexicon import FOLDER


def alternation(phrases: Iterable[object]) -> str:
    """A pattern of any of the phrases, the longest first; it needs word boundaries around it."""
    folded = {fold(str(phrase)).folded for phrase in phrases}
    return "(?:" + "|".join(_pattern(phrase) for phrase in sorted(folded, key=lambda text: (-len(text), text))) + ")"


def _pattern(phrase: str) -> str:
    return r"[\s'-]+".join(re.escape(word).replace(r"\*", r"\w*") for word in phrase.split())


@cache
def word_lists(name: str) -> dict[str, Any]:
    """What ``lexicons/NAME.yaml`` holds."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return content


@cache
def phrases(name: str, key: str) -> str:
    """The list ``key`` of ``lexicons/NAME.yaml`` as an alternation."""
    return alternation(word_lists(name)[key])

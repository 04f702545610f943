"""Names of systems of grades and stages in a word list: entries with their names, some of which stand alone."""

from __future__ import annotations

import re
from functools import cache

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.rules.phrases import alternation, word_lists


@cache
def names_alone(lists: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names that need no word grade or stage beside them, by their longest word: long ones, and short ones."""
    written = [fold(each).folded.rstrip("*") for system in word_lists(lists).values() if system["alone"]
               for each in system["written"]]
    names = sorted({max(re.split(r"[\s'-]", each), key=len) for each in written})
    return tuple(name for name in names if len(name) > 3), tuple(name for name in names if len(name) <= 3)


def systems(lists: str, *, alone: bool) -> str:
    """The names as an alternation: all, or those that stand alone."""
    return alternation(written for system in word_lists(lists).values() if system["alone"] or not alone
                       for written in system["written"])

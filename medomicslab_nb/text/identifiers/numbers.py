"""Numbers and electronic addresses that belong to one person, by their label or by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.lexicons import cues, filled, forms
from medomicslab_nb.text.identifiers.misreading import any_of, as_digits
from medomicslab_nb.text.identifiers.tokens import is_ordinary

_FEWEST_DIGITS = 4
_FORM = [(kind, re.compile(filled(form), re.I)) for kind, patterns in forms()["numbers"].items() for form in patterns]


@cache
def _labelled() -> list[tuple[str, re.Pattern[str]]]:
    """A pattern for each kind: one of its labels, and the number behind it."""
    number = filled("<BETWEEN><VALUE>")
    return [(kind, re.compile(rf"(?<![^\W_]){any_of(labels)}(?![^\W\d_]){number}", re.I))
            for kind, labels in cues()["number_labels"].items()]


def find_numbers(text: str) -> Iterator[Candidate]:
    """Numbers and electronic addresses in a folded text with its capitals."""
    for kind, pattern in _labelled():
        for match in pattern.finditer(text):
            value = match["value"]
            # As many digits as a number needs, and most of it read as digits without help.
            if sum(c.isdigit() for c in as_digits(value)) >= _FEWEST_DIGITS and sum(c.isdigit() for c in value) > 1:
                yield Candidate(kind, *match.span("value"), "label")
    for kind, pattern in _FORM:
        for match in pattern.finditer(text):
            if _is_number(kind, match[0]):
                yield Candidate(kind, *match.span(), "form")


def _is_number(kind: str, text: str) -> bool:
    """Whether what has the form of a number can be one: most of it digits, and no date."""
    if kind in ("email", "url", "ip", "plate"):
        return True
    word = re.match(r"[a-z]+", text)
    if word and is_ordinary(word[0]):
        return False
    digits = sum(character.isdigit() for character in text)
    return digits >= (10 if kind == "account" else 5) and digits * 2 > sum(character.isalnum() for character in text)

"""What scanners and typists make of a name or number, and the forms in which both are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

_ALIKE = str.maketrans("01l|!5$869" "43yz2jq", "oiiiissbgg" "aeissig")
_PAIRS = (("rn", "m"), ("nn", "m"), ("vv", "w"), ("ii", "u"), ("cl", "d"), ("ci", "d"), ("li", "h"), ("ri", "n"))
_PAIRS_ALIKE = (("rn", "m"), ("nn", "m"), ("vv", "w"), ("ii", "u"), ("ci", "d"), ("ri", "n"), ("nn", "m"))
_DIGITS = str.maketrans({"o": "0", "O": "0", "D": "0", "Q": "0", "l": "1", "I": "1", "i": "1", "|": "1", "!": "1",
                         "Z": "2", "z": "2", "S": "5", "s": "5", "B": "8", "G": "6", "b": "6"})
_LETTERS = {"0": "o", "1": "li", "5": "s", "8": "b", "l": "i", "i": "l", "4": "a", "3": "e"}


@lru_cache(maxsize=100_000)
def skeleton(word: str) -> str:
    """A form that a word shares with its misreadings: "Bernard", "8ernard", "BEMARD", "bemard" have one."""
    plain = "".join(character for character in word.lower() if character.isalnum() or character in "|!$")
    plain = plain.translate(_ALIKE)
    for pair, single in _PAIRS_ALIKE:
        plain = plain.replace(pair, single)
    return plain


def as_digits(text: str) -> str:
    """Digits as they are, and the letters that are taken for digits as digits."""
    return text.translate(_DIGITS)


def readings(word: str) -> Iterator[str]:
    """What a folded word may have been before it was misread, itself left out."""
    for at, character in enumerate(word):
        for other in _LETTERS.get(character, ""):
            yield word[:at] + other + word[at + 1:]
    if sum(character in "0158" for character in word) > 1:
        for one in "li":
            yield word.replace("0", "o").replace("1", one).replace("5", "s").replace("8", "b")
    for pair, single in _PAIRS:
        for wrong, right in ((pair, single), (single, pair)):
            at = word.find(wrong)
            while at >= 0:
                yield word[:at] + right + word[at + len(wrong):]
                at = word.find(wrong, at + 1)


def misread(word: str) -> Iterator[str]:
    """What a word may become when one letter or pair is misread."""
    for change in ("m rn", "rn m", "o 0", "i l", "i 1", "l 1", "l i", "e c", "u ii", "s 5", "b 8", "n ri", "d cl"):
        right, wrong = change.split()
        at = word.find(right)
        while at >= 0:
            yield word[:at] + wrong + word[at + len(right):]
            at = word.find(right, at + 1)


def near(one: str, other: str) -> bool:
    """Whether two words differ by one letter: added, left out, changed or swapped with its neighbour."""
    if abs(len(one) - len(other)) > 1:
        return False
    first = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, rest_other = one[first:], other[first:]
    return (rest[1:] == rest_other[1:] or rest[1:] == rest_other or rest == rest_other[1:]
            or (rest[:2] == rest_other[1::-1] and rest[2:] == rest_other[2:]))


def any_of(patterns: Iterable[str]) -> str:
    """A pattern that matches any of the patterns, the longest first, tried by their first letter: far quicker."""
    by_letter: dict[str, list[str]] = {}
    for pattern in sorted(set(patterns), key=lambda one: (-len(one), one)):
        by_letter.setdefault(pattern[0], []).append(pattern[1:])
    return "(?:" + "|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in sorted(by_letter.items())) + ")"

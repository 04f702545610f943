"""Numbers as clinicians write them: decimal commas and points, thousands set apart by a space, comma, point or '.

A value is plain text without needless zeros: "3,20" is "3.2", "1 250" is "1250". In English "1,250" is a thousand and
more, in French it is 1.25; "0,250" is a quarter in both. What is no single number (12.03.2021, 3,4,5) has no value.
Numbers in words ("thirty-one", "quatre-vingt-dix") are read too, by the words of ``lexicons/number_words.csv``.
"""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from functools import cache

from medomicslab_nb.text.lexicon import FOLDER

NUMBER = r"(?:(?<![\d.,])\d{1,3}(?:[ ']\d{3}(?!\d))+(?:[.,]\d+)?|\d+(?:[.,]\d+)*|(?<!\d)[.,]\d+)"
"""Pattern of a number in folded text; :func:`number` says its value. It takes all of 12.03.2021, which has none."""

_SPACED = re.compile(r"\d+|\d{1,3}(?:[ ']\d{3})+")


def number(text: str, language: str) -> str | None:
    """The number that a folded text writes, as plain text; None where it is no single number.

    >>> number("3,20", "fr"), number("1,250", "en"), number("1,250", "fr"), number("12.03.2021", "fr")
    ('3.2', '1250', '1.25', None)
    """
    if text[-1:].isalpha():
        return _spoken(text)
    whole, *parts = re.split(r"[.,]", text.strip())
    if not (_SPACED.fullmatch(whole) or (parts and not whole)) or not all(part.isdecimal() for part in parts):
        return None
    whole = whole.replace(" ", "").replace("'", "")
    signs = re.findall(r"[.,]", text)
    if len(signs) == 1:
        if signs == [","] and language == "en" and _groups(whole, parts):
            return _plain(whole + parts[0], "")
        return _plain(whole, parts[0])
    return _long(whole, parts, signs)


@cache
def spoken_pattern() -> str:
    """Pattern of a number in words; a lone "un" or "one" may be an article and is none."""
    words = "|".join(sorted(_words(), key=len, reverse=True))
    return (rf"(?<![^\W_])(?!(?:une?|one)(?![^\W_])(?!\s+(?:per|hundred|thousand)))(?:{words})(?:[\s-]+(?:and\s+|"
            rf"et\s+)?(?:{words}))*(?![^\W_])")


@cache
def _words() -> dict[str, int]:
    with (FOLDER / "number_words.csv").open(encoding="utf-8", newline="") as file:
        return {row["word"]: int(row["value"]) for row in csv.DictReader(line for line in file if line[0] != "#")}


def _spoken(text: str) -> str | None:
    """The value of a number in words: hundreds and thousands multiply, quatre-vingt is eighty, the rest is added."""
    whole = part = 0
    for word in re.findall(r"[a-z]+", text):
        value = _words().get(word)
        if value is None and word not in ("and", "et"):
            return None
        if value == 1000:
            whole, part = whole + max(part, 1) * 1000, 0
        elif value == 100:
            part = max(part, 1) * 100
        elif value == 20 and part % 100 == 4:
            part += 76
        else:
            part += value or 0
    return str(whole + part)


def scaled(value: str, factor: str | int) -> str:
    """A plain number times a factor, exactly: ``scaled("3.2", 10)`` is "32"."""
    product = Decimal(value) * Decimal(factor)
    return _plain(*f"{product:f}".partition(".")[::2])


def _long(whole: str, parts: list[str], signs: list[str]) -> str | None:
    """A number with no mark or with several, of which only the last may be the decimal one."""
    decimals = parts.pop() if len(set(signs)) == 2 and signs[-1] not in signs[:-1] else ""
    if len(set(signs[:len(parts)])) > 1 or (parts and not _groups(whole, parts)):
        return None
    return _plain(whole + "".join(parts), decimals)


def _groups(whole: str, parts: list[str]) -> bool:
    return 1 <= len(whole) <= 3 and whole[0] != "0" and all(len(part) == 3 for part in parts)


def _plain(whole: str, decimals: str) -> str:
    whole, decimals = whole.lstrip("0") or "0", decimals.rstrip("0")
    return f"{whole}.{decimals}" if decimals else whole

"""Numbers as clinicians write them: decimal commas and points, thousands set apart by a space, comma, point or '.

A value is plain text without needless zeros: "3,20" is "3.2", "1 250" is "1250". In English "1,250" is a thousand and
more, in French it is 1.25; "0,250" is a quarter in both. What is no single number (12.03.2021, 3,4,5) has no value.
"""

from __future__ import annotations

import re
from decimal import Decimal

NUMBER = r"(?:(?<![\d.,])\d{1,3}(?:[ ']\d{3}(?!\d))+(?:[.,]\d+)?|\d+(?:[.,]\d+)*|(?<!\d)[.,]\d+)"
"""Pattern of a number in folded text; :func:`number` says its value. It takes all of 12.03.2021, which has none."""

_SPACED = re.compile(r"\d+|\d{1,3}(?:[ ']\d{3})+")


def number(text: str, language: str) -> str | None:
    """The number that a folded text writes, as plain text; None where it is no single number.

    >>> number("3,20", "fr"), number("1,250", "en"), number("1,250", "fr"), number("12.03.2021", "fr")
    ('3.2', '1250', '1.25', None)
    """
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

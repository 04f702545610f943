"""Calendar dates, as YYYY-MM-DD, YYYY-MM or YYYY: as much as is written and no more.

03/04/2021 is day first in French; in English it is read only where one of the numbers is above 12, or the settings say
how (:attr:`~medomicslab_nb.text.note.Note.day_first`): a date that could be two has no value, and says so in its
qualifier. Two-digit years belong to
the hundred years that end a year after the youngest date that a note can have (today's years are not asked, so that a
run is the same tomorrow): 30 and above are 19xx. A year alone counts after a word that says it is one ("en 2015").
Impossible dates (31/02/2020) are none. No figure: dates are checked against Python's calendar by tests.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from functools import cache

import yaml

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import FOLDER
from medomicslab_nb.text.note import Note, stem

AMBIGUOUS = "day or month first"
"""Qualifier of a date that could be two."""

_YOUNGEST = 29  # two-digit years up to this one are of this century
_EARLIEST, _LATEST = 1900, 2099
_YEAR = r"(?:19|20)\d\d"
# What must not stand before a date is asked after its first digits: a pattern that begins with a digit is found faster.
_ISO = re.compile(r"(?P<year>(?:19|20)(?<![\d.,/-]\d\d)\d\d)-(?P<month>\d\d)(?:-(?P<day>\d\d))?(?![\d-])")
_NUMBERS = re.compile(
    rf"(?P<first>\d(?<![\d.,/-]\d)\d?)(?P<sign>[/.-])(?P<second>\d\d?)(?P=sign)(?P<year>{_YEAR}|\d\d)(?![\d/]|[.,-]\d)")
_MONTH_YEAR = re.compile(
    rf"(?P<month>(?:0(?<![\d.,/-].)[1-9]|1(?<![\d.,/-].)[0-2]|[1-9](?<![\d.,/-].)))/(?P<year>{_YEAR})"
    r"(?![\d/]|[.,-]\d)")
_LONE_YEAR = re.compile(
    r"(?P<year>(?:19|20)(?<=\s\d\d)\d\d)(?![\d/]|[.,-]\d|\s*(?:patients|cases|cas|euros|mg|ml|cells|g\b|/))")
_BEFORE_YEAR = re.compile(
    r"\b(?:en|in|since|depuis|annee|year|de|of|fin|debut|end of|early|late|vers|around|avant|before|apres|after|until|"
    r"jusqu'en|from|to|and|et|a)\s+$")
_WORDS_AROUND = 3  # on either side of the name of a month, in which the rest of its date stands


def find(note: Note) -> Iterator[Found]:
    """The dates of a note, none within another."""
    taken: list[tuple[int, int]] = []
    for match, written in _candidates(note):
        start, end = match.span()
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            continue
        taken.append((start, end))
        if written:
            known = written != AMBIGUOUS
            yield Found("date", start, end, written if known else "", qualifier="" if known else AMBIGUOUS)


def _candidates(note: Note) -> Iterator[tuple[re.Match[str], str]]:
    """What looks like a date and what it says, the fullest forms first."""
    for pattern, value in ((_ISO, _iso), (_NUMBERS, _numbers)):
        yield from ((match, value(match, note.day_first)) for match in note.search(pattern))
    yield from ((match, _worded(match)) for match in _with_month_names(note))
    yield from ((match, _date(match["year"], match["month"], None)) for match in note.search(_MONTH_YEAR))
    yield from ((match, match["year"]) for match in note.search(_LONE_YEAR)
                if _BEFORE_YEAR.search(note.folded, max(match.start() - 14, 0), match.start()))


def _with_month_names(note: Note) -> Iterator[re.Match[str]]:
    """Dates in words: looked for around the names of months only, which is much faster than everywhere."""
    words = note.words
    for at, word in enumerate(words.stems):
        if word in _month_stems():
            first, last = max(at - _WORDS_AROUND, 0), min(at + _WORDS_AROUND, len(words.stems) - 1)
            match = _words().search(note.folded, words.starts[first], words.ends[last])
            if match is not None:
                yield match


def _iso(match: re.Match[str], _day_first: bool | None) -> str:
    return _date(match["year"], match["month"], match["day"])


def _numbers(match: re.Match[str], day_first: bool | None) -> str:
    first, second = int(match["first"]), int(match["second"])
    if day_first is None:
        if first == second or first > 12 or second > 12:
            day_first = first > 12 or first == second
        elif match["sign"] == ".":
            day_first = True  # nobody writes the month first with full stops
        else:
            return AMBIGUOUS
    elif (first if not day_first else second) > 12:
        day_first = not day_first  # the other order is the only one that can be
    day, month = (first, second) if day_first else (second, first)
    return _date(match["year"], str(month), str(day))


def _worded(match: re.Match[str]) -> str:
    return _date(match["year"] or match["year_after"], str(_months()[match["month"] or match["month_first"]]),
                 match["day"] or match["day_after"])


def _date(year: str, month: str, day: str | None) -> str:
    """A date as far as it is written; empty where there is no such day."""
    whole = int(year) if len(year) == 4 else int(year) + (2000 if int(year) <= _YOUNGEST else 1900)
    try:
        found = dt.date(whole, int(month), int(day or 1))
    except ValueError:
        return ""
    if not _EARLIEST <= whole <= _LATEST:
        return ""
    return found.isoformat() if day else found.isoformat()[:7]


@cache
def _months() -> dict[str, int]:
    names: dict[int, list[str]] = yaml.safe_load((FOLDER / "months.yaml").read_text(encoding="utf-8"))
    return {name: month for month, every in names.items() for name in every}


@cache
def _month_stems() -> frozenset[str]:
    return frozenset(stem(name) for name in _months())


@cache
def _words() -> re.Pattern[str]:
    """12 mars 2021, 1er mars 2021, March 12th, 2021, mars 2021, the 3rd of March 2021, 12-mar-21."""
    names = "|".join(sorted(_months(), key=len, reverse=True))
    year = rf"(?:{_YEAR}|(?<=-)\d\d)"
    return re.compile(
        rf"(?<![^\W_])(?:(?:(?P<day>\d\d?)(?:er|st|nd|rd|th)?[\s-]+(?:of\s+)?)?(?P<month>{names})\.?(?:[\s,-]+(?:of\s+|de\s+)?)"
        rf"(?P<year>{year})"
        rf"|(?P<month_first>{names})\.?\s+(?P<day_after>\d\d?)(?:st|nd|rd|th)?,?\s+(?P<year_after>{_YEAR}))(?![\d/]|[.,-]\d)")

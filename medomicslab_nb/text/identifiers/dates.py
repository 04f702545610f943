"""Dates in every form that notes have, ages over 89, and how they are moved by a number of days."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.lexicons import filled, forms
from medomicslab_nb.text.identifiers.misreading import any_of, as_digits, misread

_FRENCH = ("janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre").split()
_FRENCH_WRITTEN = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
_ENGLISH = "January February March April May June July August September October November December".split()
_MONTHS = {name: number for number, names in enumerate((
    "janvier janv january jan", "fevrier fevr fev february febr feb", "mars march mar", "avril avr april apr",
    "mai may", "juin june jun", "juillet juil july jul", "aout august aug", "septembre sept september sep",
    "octobre october oct", "novembre november nov", "decembre december dec"), 1) for name in names.split()}
for _name in [name for name in _MONTHS if len(name) > 3]:
    _MONTHS |= dict.fromkeys(misread(_name), _MONTHS[_name])
_SHORT = {name for name in _MONTHS if len(name) <= 4} - {"mars", "mai", "june", "july", "juin", "aout", "may"}
_FRENCH_DAYS = "lundi mardi mercredi jeudi vendredi samedi dimanche".split()
_ENGLISH_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_NUMBER_WORDS = {word: number for number, word in enumerate(
    "premier deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf vingt vingt-et-un vingt-deux vingt-trois vingt-quatre vingt-cinq vingt-six vingt-sept vingt-huit "
    "vingt-neuf trente trente-et-un".split(), 1)}
OLDEST_AGE = 89
_FRACTIONS = frozenset({"1/2", "1/3", "2/3", "1/4", "3/4", "1/5"})

_FILLED = {"MONTH": any_of(_MONTHS), "FRENCH_MONTHS": "|".join(_FRENCH), "NUMBERS": any_of(_NUMBER_WORDS),
           "WEEKDAYS": "|".join(_FRENCH_DAYS + _ENGLISH_DAYS)}
_FORMS = {form: re.compile(filled(pattern, _FILLED), re.I) for form, pattern in forms()["dates"].items()}
_CLASSIFICATION = re.compile(forms()["year_of_a_classification"], re.I)
_WITH_MONTHS = frozenset({"day month year", "month day year", "day words", "month year", "day month", "month day"})
_RANGE = re.compile(r"(?P<f>\d{1,2})(?P<fo>er|st|nd|rd|th)?(?P<to> ?(?:au|to|et le|et|and|-|a|/) ?)(?=\d)", re.I)
_RANGE_BEFORE = re.compile(r"(?<![\w/.,-])\d{1,2}(?:er|st|nd|rd|th)? ?(?:au|to|et le|et|and|-) ?$", re.I)


def find_dates(text: str) -> Iterator[Candidate]:
    """Dates and ages over 89 in a folded text with its capitals."""
    months = _has_month(text)
    for form, pattern in _FORMS.items():
        if form in _WITH_MONTHS and not months:
            continue
        for match in pattern.finditer(text):
            start, end = _span(form, match)
            if _is_date(form, match, text):
                if not form.startswith("age") and text[start].isdigit():
                    before = _RANGE_BEFORE.search(text, max(0, start - 12), start)
                    start = before.start() if before else start
                yield Candidate("age" if form.startswith("age") else "date", start, end, form)


def _has_month(text: str) -> bool:
    """Whether the name of a month stands anywhere: a quick look before costly patterns."""
    words = set(text.lower().replace("-", " ").split())
    return any(part in _MONTHS for word in words for part in (word.strip(".,;:()'"), word.strip("0123456789.,;:()'")))


def _span(form: str, match: re.Match[str]) -> tuple[int, int]:
    if form == "age":
        return match.span("a") if match["a"] else match.span("b")
    if form == "year":
        return match.span("y")
    return (match.start("d"), match.end()) if form in ("numeric day month", "birth") else match.span()


def _is_date(form: str, match: re.Match[str], text: str) -> bool:
    parts = match.groupdict()
    if form in ("birth", "weekday and day", "age in words"):
        return True
    if form == "age":
        return int(parts["a"] or parts["b"]) > OLDEST_AGE
    if form == "year":
        return not _CLASSIFICATION.search(text[max(0, match.start("y") - 60):match.start("y")])
    month = str(parts["m"])
    fraction = form == "numeric day month" and match[0].split()[-1] in _FRACTIONS
    if fraction or parts.get("d") == month == parts.get("y"):
        return False
    if form in ("day month", "month day") and not _is_month(month, match):
        return False
    if parts.get("d") and not re.search(r"\d", parts["d"]):
        return False
    return _parsed(parts) is not None


def _is_month(month: str, match: re.Match[str]) -> bool:
    """Whether a month without a year is one: "may" and short forms only with their capital, "sept" not."""
    if month.lower() in _SHORT or month.lower() in ("may", "mars", "march"):
        written = month[0].isupper() or match.groupdict().get("o") or month.lower() == "mars"
        return bool(written) and month.lower() not in ("sept", "mar", "dec", "sep")
    return True


def _parsed(parts: dict[str, str | None], *, month_first: bool = False) -> tuple[int | None, int, int | None] | None:
    """Year, month and day of a match; in the other order where only that is a date; None where neither is."""
    month = _month(parts["m"] or "")
    day = int(as_digits(parts["d"] or "")) if parts.get("d") else _NUMBER_WORDS.get((parts.get("n") or "").lower())
    year = _year(parts.get("y"))
    if month is None:
        return None
    orders = ((day, month), (month, day))
    in_words = (parts["m"] or "").lower() in _MONTHS
    for one, other in orders[::-1] if month_first and not in_words and day is not None else orders:
        if one is None:
            return (year, month, None) if 1 <= month <= 12 else None
        if other is not None and 1 <= other <= 12 and 1 <= one <= calendar.monthrange(year or 2024, other)[1]:
            return year, other, one
        if (parts["m"] or "").lower() in _MONTHS:
            return None
    return None


def _month(text: str) -> int | None:
    return _MONTHS[text.lower()] if text.lower() in _MONTHS else (
        int(as_digits(text)) if as_digits(text).isdigit() else None)


def _year(text: str | None) -> int | None:
    """A year of four digits; one of two is in this century up to 40; None where it is not in figures."""
    figures = as_digits(text or "")
    if not figures.isdigit():
        return None
    year = int(figures)
    return year if len(figures) == 4 else year + (2000 if year <= 40 else 1900)


def shifted(text: str, days: int, language: str, *, month_first: bool = False) -> str | None:
    """A date as :func:`find_dates` finds it, moved, in the way it is written; None where it cannot be read.

    Weekdays move along. Without a day the middle of the month moves, without a month the middle of the year, so that
    intervals stay as well as so coarse a date can keep them. A date without a year moves as in 2023.
    """
    folded = "".join(_one(character) for character in text)
    for form, pattern in _FORMS.items():
        match = pattern.fullmatch(folded)
        if match is None or not match.groupdict().get("m"):
            continue
        # Only of figures the order is in doubt; a year in front is followed by the month.
        parsed = _parsed(match.groupdict(), month_first=month_first and form in ("numeric", "spaced"))
        if parsed is not None:
            year, month, day = parsed
            moved = dt.date(year or 2023, month, min(day or 15, 28 if not year else 31)) + dt.timedelta(days=days)
            return _written(form, match, moved, days, language, swapped=_swapped(match, parsed))
    several = _RANGE.match(folded)
    if several and any(mark in several["to"] for mark in "aetoun-"):
        return _range(several, text, days, language, month_first=month_first)
    figures = as_digits(folded.strip())
    if re.fullmatch(r"(?:19|20)\d\d", figures):
        return str((dt.date(int(figures), 7, 1) + dt.timedelta(days=days)).year)
    numeric = re.fullmatch(r"(\d{1,2})/(\d{1,2})", figures)
    if numeric:
        return _short_numeric(numeric, days, month_first=month_first)
    return None


def _range(match: re.Match[str], text: str, days: int, language: str, *, month_first: bool) -> str | None:
    """A range such as "12 au 15 mars 2021", of which the first day has no month of its own."""
    rest = text[match.end():]
    last = shifted(rest, days, language, month_first=month_first)
    day = re.match(r"\d{1,2}", rest)
    first = day and shifted(match["f"].zfill(len(day[0])) + rest[day.end():], days, language, month_first=month_first)
    found = re.match(r"\d{1,2}", first or "")
    return None if last is None or found is None else found[0] + match["to"] + last


def _one(character: str) -> str:
    folded = fold(character).folded or " "
    return folded[0].upper() if character.isupper() else folded[0]


def _short_numeric(match: re.Match[str], days: int, *, month_first: bool) -> str | None:
    parsed = _parsed({"d": match[1], "m": match[2], "y": None}, month_first=month_first)
    if parsed is None or parsed[2] is None:
        return None
    moved = dt.date(2023, parsed[1], min(parsed[2], 28)) + dt.timedelta(days=days)
    first, second = (moved.day, moved.month) if int(match[1]) == parsed[2] else (moved.month, moved.day)
    return f"{first:0{len(match[1])}d}/{second:0{len(match[2])}d}"


def _swapped(match: re.Match[str], parsed: tuple[int | None, int, int | None]) -> bool:
    """Whether the month stands where the day does."""
    day = match.groupdict().get("d")
    return bool(day) and (match["m"] or "").lower() not in _MONTHS and int(as_digits(day or "0")) != parsed[2]


def _written(form: str, match: re.Match[str], date: dt.date, days: int, language: str, *, swapped: bool) -> str:
    parts = {name: value or "" for name, value in match.groupdict().items()}
    year = f"{date.year % 100:02d}" if len(parts.get("y", "")) == 2 else str(date.year)
    weekday = _weekday(parts.get("w", ""), days) + parts.get("ws", "")
    if form in ("iso", "numeric", "spaced", "compact", "numeric month year"):
        first, second = (date.month, date.day) if swapped else (date.day, date.month)
        day, month = _like(first, parts.get("d", "")), _like(second, parts["m"])
        s = parts.get("s", "")
        if form == "numeric month year":
            return f"{month}{s}{year}"
        year_first = form in ("iso", "compact")
        return weekday + (f"{year}{s}{month}{s}{day}" if year_first else f"{day}{s}{month}{parts['s2']}{year}")
    month = _named(parts["m"], date.month, language, short=parts["s"] == "-")
    day = f"{date.day}{_ordinal(parts.get('o', ''), date.day)}"
    tail = f"{parts.get('s2', '')}{year}" if parts.get("y") else ""
    if form.startswith("month day"):
        return f"{weekday}{month}{parts['s']}{day}{tail}"
    if form == "month year":
        return f"{month}{parts['s']}{year}"
    return f"{weekday}{day}{parts['s']}{month}{tail}"


def _ordinal(written: str, day: int) -> str:
    if written in ("er", "e", ""):
        return "er" if written and day == 1 else ""
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _weekday(written: str, days: int) -> str:
    """The weekday so many days later, as the old one is written."""
    if not written:
        return ""
    lower = written.lower()
    names = _FRENCH_DAYS if any(name.startswith(lower) for name in _FRENCH_DAYS) else _ENGLISH_DAYS
    old = next(number for number, name in enumerate(names) if name.startswith(lower))
    name = names[(old + days) % 7]
    return _cased_like(name if len(lower) > 5 else name[:len(lower)] if lower not in names else name, written)


def _named(written: str, month: int, language: str, *, short: bool) -> str:
    """A month's name in the language and length of another."""
    lower = written.lower()
    french = lower in _FRENCH or (any(name.startswith(lower) for name in _FRENCH) and language == "fr")
    name = (_FRENCH_WRITTEN if french else _ENGLISH)[month - 1]
    whole = lower in (*_FRENCH, *map(str.lower, _ENGLISH)) and (len(lower) > 3 or not short)
    return _cased_like(name if whole else name[:len(lower)], written)


def _cased_like(name: str, written: str) -> str:
    if written.isupper():
        return name.upper()
    return name.capitalize() if written[0].isupper() else name.lower()


def _like(number: int, written: str) -> str:
    return f"{number:02d}" if len(written) == 2 else str(number)

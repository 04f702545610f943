"""Dates inside free text, moved by a number of days; the way in which they are written stays."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

_MONTHS = {name: number for number, names in enumerate((
    "janvier janv january jan", "février fevrier févr fevr february feb", "mars march mar", "avril avr april apr",
    "mai may", "juin june jun", "juillet juil july jul", "août aout august aug",
    "septembre sept september sep", "octobre oct october", "novembre nov november",
    "décembre decembre déc dec december"), 1) for name in names.split()}
_FRENCH = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
           "novembre", "décembre")
_ENGLISH = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November", "December")
_ENGLISH_ONLY = {name for name in _MONTHS if any(word.lower().startswith(name) for word in _ENGLISH)
                 and not any(word.startswith(name) for word in _FRENCH)}
_WORD = "|".join(sorted(_MONTHS, key=len, reverse=True))

_ISO = re.compile(r"(?<![\d.])(?P<y>(?:19|20)\d\d)(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?!\d|\.\d)")
_NUMERIC = re.compile(r"(?<![\d./-])(?P<a>\d{1,2})(?P<s>[/.-])(?P<b>\d{1,2})(?P=s)(?P<y>(?:19|20)\d\d)(?!\d|\.\d)")
_SHORT = re.compile(r"(?<![\d./-])(?P<a>\d\d)(?P<s>[/.])(?P<b>\d\d)(?P=s)(?P<y>\d\d)(?![\d/]|\.\d)")
_DAY_MONTH = re.compile(rf"(?i)(?<!\d)(?P<d>\d{{1,2}})(?P<o>er|st|nd|rd|th)?(?P<s1>\s+(?:of\s+)?)(?P<m>{_WORD})"
                        rf"(?P<s2>\.?,?\s+)(?P<y>(?:19|20)\d\d)(?!\d)")
_MONTH_DAY = re.compile(rf"(?i)\b(?P<m>{_WORD})(?P<s1>\.?\s+)(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?(?P<s2>,?\s+)"
                        rf"(?P<y>(?:19|20)\d\d)(?!\d)")
_COMPACT = re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?!\d)")


def shift_text(text: str, days: int, *, compact: bool = False) -> str:
    """``text`` with every whole date in it moved.

    Found are 2021-04-30 (also with / and .), 30/04/2021, 30.04.2021, 30-04-2021 and 30/04/21 (day first; month first
    where the day can only come second), 30 avril 2021, 30 April 2021 and April 30, 2021. Not found are dates
    without a day ("in April 2021"), without a year, or with misspelt months.

    Parameters
    ----------
    text : str
    days : int
    compact : bool
        Whether 20210430 is a date, too.
    """
    patterns: list[tuple[re.Pattern[str], Callable[[re.Match[str], int], str]]] = [
        (_ISO, _iso), (_NUMERIC, _numeric), (_SHORT, _numeric), (_DAY_MONTH, _words), (_MONTH_DAY, _words)]
    if compact:
        patterns.append((_COMPACT, _compact))
    # Found in the text as it was: a date that was moved must not be moved again.
    found: list[tuple[int, int, str]] = []
    for pattern, moved in patterns:
        for match in pattern.finditer(text):
            if not any(start < match.end() and match.start() < end for start, end, _ in found):
                found.append((*match.span(), moved(match, days)))
    for start, end, new in sorted(found, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _iso(match: re.Match[str], days: int) -> str:
    date = _moved(match["y"], match["m"], match["d"], days)
    return match[0] if date is None else match["s"].join(
        (f"{date.year:04d}", _like(date.month, match["m"]), _like(date.day, match["d"])))


def _numeric(match: re.Match[str], days: int) -> str:
    """Day, month and year, or month, day and year where only that is a date."""
    year = match["y"] if len(match["y"]) == 4 else f"{19 if int(match['y']) > 68 else 20}{match['y']}"
    first, second, separator = match["a"], match["b"], match["s"]
    date = _moved(year, second, first, days)
    day_first = date is not None
    date = date or _moved(year, first, second, days)
    if date is None:
        return match[0]
    parts = (date.day, date.month) if day_first else (date.month, date.day)
    written = (f"{date.year:04d}" if len(match["y"]) == 4 else f"{date.year % 100:02d}")
    return separator.join((_like(parts[0], first), _like(parts[1], second), written))


def _words(match: re.Match[str], days: int) -> str:
    date = _moved(match["y"], str(_MONTHS[match["m"].lower()]), match["d"], days)
    if date is None:
        return match[0]
    english = match["m"].lower() in _ENGLISH_ONLY or match.re is _MONTH_DAY
    month = (_ENGLISH if english else _FRENCH)[date.month - 1]
    month = month.upper() if match["m"].isupper() else month
    day = str(date.day)
    if match.re is _MONTH_DAY:
        return f"{month} {day}, {date.year}"
    return f"{day} {month} {date.year}"


def _compact(match: re.Match[str], days: int) -> str:
    date = _moved(match["y"], match["m"], match["d"], days)
    return match[0] if date is None else f"{date:%Y%m%d}"


def _moved(year: str, month: str, day: str, days: int) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day)) + dt.timedelta(days=days)
    except (ValueError, OverflowError):
        return None


def _like(number: int, written: str) -> str:
    """With a leading zero where the original could have shown one."""
    return f"{number:02d}" if len(written) == 2 else str(number)

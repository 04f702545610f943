"""Tumour markers in serum with their values in one unit: PSA, CEA, CA 125, CA 15-3, CA 19-9, AFP, beta-hCG, LDH.

The value stands after the name, past words and dates that ``marker_words.yaml`` allows; a course of values ("12, puis 5
puis 0,1 ng/mL") is one fact each. Multiples of the norm, percentages, PSA density, velocity, doubling time and free PSA
are none. Without a unit the value is taken to be in the catalogue's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from medomicslab_nb.text.attributes import get_attribute
from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.lexicon import FOLDER, Hit, lexicon
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.phrases import alternation, listed

_GUARD = ("psa", "aps", "cea", "ace", "ca", "afp", "α", "foeto", "feto", "hcg", "ldh", "embryon", "antigen", "chorioni", "lact")
_DATE = (r"(?:\(?\s*(?:le|du|au|en|on|in|of|from)?\s*(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{1,2}/\d{4}|\d{4}-\d{2}-\d{2}|"
         r"(?:\d{1,2}(?:er|st|nd|rd|th)?\s+)?(?:jan|fev|feb|mar|avr|apr|mai|may|juin|jun|juil|jul|aou|aug|sep|oct|nov|dec)[a-z]*\.?"
         r"(?:\s+\d{1,2},)?\s+\d{4}|(?:en|in)\s+(?:19|20)\d\d)\s*\)?)")
_COMPARE = (r"(?P<compare><\s?=?|>\s?=?|≤|≥|less than|more than|greater than|below|under|above|over|inferieure?s? a|superieure?s? a|moins de|"
            r"plus de|au-dela de)?\s*")
_UNIT = r"(?:\s?(?P<unit>(?:[munkpμ]|mc|micro|nano|kilo)?(?:g|grammes?|grams?|u|ui|iu|units?|unites?|kat)\s?(?:/|per |par )\s?(?:m|d|μ)?(?:l|litre|liter)\b|ng\b|u\.?i\b\.?|iu\b|u\b))?"
@dataclass(frozen=True)
class _Unit:
    """How to come from a unit to the catalogue's."""

    factor: str
    to: str


def find(note: Note) -> Iterator[Found]:
    """Tumour markers with their values."""
    return results(note, _find(note))


def _find(note: Note) -> Iterator[Found]:
    if not note.has(*_GUARD):
        return
    hits = [hit for hit in lexicon("markers").find(note)]
    for group in _groups(note, hits):
        yield from _read(note, [hit for hit in group if not _is_other(note, hit)])


def _groups(note: Note, hits: Sequence[Hit]) -> Iterator[list[Hit]]:
    """Markers that are named together ("CEA and CA 19-9 were 5 and 37")."""
    group: list[Hit] = []
    for hit in hits:
        if group and not re.fullmatch(r"\s*(?:,|/|and|et|&|\+|,\s*and|,\s*et)\s*(?:(?:le|la|l|du|the|de|d|l')\s*'?)*", note.folded[group[-1].end:hit.start]):
            yield group
            group = []
        group.append(hit)
    if group:
        yield group


def _is_other(note: Note, hit: Hit) -> bool:
    start, end = note.source(hit.start, hit.end)
    if hit.term.text in ("ACE", "APS") and not note.text[start:end].isupper():
        return True
    before = note.folded[max(hit.start - 30, 0):hit.start]
    return bool(_other_after().match(note.folded, hit.end) or _other_before().search(before))


def _read(note: Note, group: Sequence[Hit]) -> Iterator[Found]:
    if not group:
        return
    stop = min(len(note.folded), group[-1].end + 160)
    values = list(_values(note, group[-1].end, stop, len(group)))
    if len(group) == 1:
        for place, match in enumerate(values):
            yield from _found(note, group[0], match, group[0].start if place == 0 else match.start("number"))
    elif len(values) == len(group):
        for hit, match in zip(group, values, strict=True):
            yield from _found(note, hit, match, hit.start)
    elif values:
        yield from _found(note, group[-1], values[0], group[-1].start)


def _values(note: Note, at: int, stop: int, wanted: int) -> Iterator[re.Match[str]]:
    """The first value after a name, and those that follow it in the same breath."""
    match = _first().match(note.folded, at, stop)
    count = 0
    while match:
        if count and not _continues(match, wanted):
            return
        yield match
        count += 1
        match = _then().match(note.folded, match.end(), stop)


def _continues(match: re.Match[str], wanted: int) -> bool:
    """Whether a further number is a value too: by its unit, an arrow or a word of sequence, or as one of several wanted."""
    lead = match[0][:match.start("number") - match.start()]
    return wanted > 1 or bool(re.search(r"puis|then|->|→|=>|>|\bto\b|(?:^|\s)a\s|contre|down|jusqu|followed|subsequently", lead)) or (
        match["unit"] is not None and bool(re.search(_DATE, lead)))


def _found(note: Note, hit: Hit, match: re.Match[str], start: int) -> Iterator[Found]:
    attribute = hit.term.attribute
    value = number(match["number"], note.language)
    written = re.sub(r"[\s.]", "", (match["unit"] or "").replace("per", "/").replace("par", "/")).replace("litre", "l").replace("liter", "l")
    unit = _units().get((attribute, written))
    if value is None or (written and unit is None):
        return
    own = get_attribute(attribute).unit
    if unit:
        value, own = scaled(value, unit.factor), unit.to or own
    if Decimal(value) < 10**8:
        yield Found(attribute, start, match.end(), value, own, _sign(match["compare"] or ""))


def _sign(words: str) -> str:
    """The comparison as a sign."""
    word = words.replace(" ", "")
    if not word or word[0] in "<>≤≥":
        return word
    return "<" if word.startswith(("less", "below", "under", "infer", "moins")) else ">"


@cache
def _units() -> dict[tuple[str, str], _Unit]:
    with (FOLDER / "marker_units.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {(attribute, fold(row["unit"]).folded): _Unit(row["factor"], row["to"])
            for row in rows for attribute in row["attributes"].split()}


@cache
def _value() -> str:
    """Pattern of a value with its unit; what is a multiple, a percentage, a time or a dose is none."""
    return (rf"{_COMPARE}(?<![\w.,/])(?P<number>(?>{NUMBER}))(?>{_UNIT})(?![\w/^]|[.,]\d|-\d{{1,3}}(?!\d)|\s?-\s?\d+\s?(?:ng|u)|\s?/\s?\d)"
            rf"(?!\s?(?:{alternation(listed('marker_words', 'not_units'))})(?![^\W\d_]))")


@cache
def _then() -> re.Pattern[str]:
    """A further value after one: past a word or sign of sequence, and the date of it."""
    return re.compile(rf"\s*(?:{_DATE})?\s*(?:,|;|/|->|→|-->|=>|>|\()?\s*(?:puis|then|to|a|et|and|jusqu'a|contre|versus|vs|up to|down to|followed by|"
                      rf"subsequently)?\s*(?:(?:a|at|of|de|to|le|en|la|apres|after|\d|mois|months|semaines|weeks)\s+|{_DATE}\s*[:=a]*\s*)*{_value()}")


@cache
def _first() -> re.Pattern[str]:
    between = rf"(?:[\s:=,'|\[\]-]|\((?!\s*(?:n|norm\w*|vn|ref\w*)\b)|\)|\b(?:{alternation(listed('marker_words', 'between'))})(?![^\W_])|{_DATE}|\((?:n|norm\w*|vn|ref\w*)[^)]{{0,25}}\))"
    return re.compile(rf"{between}{{0,24}}?{_value()}")


@cache
def _other_after() -> re.Pattern[str]:
    return re.compile(rf"[\s-]*/?\s*(?:{alternation(listed('marker_words', 'other_after'))})(?![^\W_])")


@cache
def _other_before() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{alternation(listed('marker_words', 'other_before'))})[\s/']*$")

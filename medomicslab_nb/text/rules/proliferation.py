"""Ki-67 (MIB-1) in percent: a number, a range (its middle), a comparison; high or low without a number are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled
from medomicslab_nb.text.rules.circumstances import results


_NAME = re.compile(r"(?<![^\W_])(?:ki\s?-?\s?67|mib\s?-?\s?1)(?![^\W_])|\b(?:indice|index) de proliferation\b|"
                   r"\bproliferati(?:on|ve) (?:index|fraction|rate|activity)\b|\blabell?ing index\b")
_COMPARE = (r"(?P<compare><\s?=?|>\s?=?|≤|≥|~|less than|more than|greater than|lower than|higher than|up to|over|above|below|under|at least|"
            r"moins de|plus de|jusqu'a|superieure?s? (?:ou egale? )?a|inferieure?s? (?:ou egale? )?a|au moins)?\s*")
_PERCENT = r"\s*(?:%|percent\b|per cent\b|pour ?cent\b|p\.? ?cent\b|p\. ?100\b)"
_VALUE = re.compile(rf"{_COMPARE}(?<![\w.,])(?P<low>{NUMBER})(?:(?P<mid>{_PERCENT})?\s*(?:-|/|a|to|et|and)\s*(?P<high>{NUMBER}))?"
                    rf"(?P<percent>{_PERCENT})")
_BARE = re.compile(rf"[\s:=(,]*(?:(?:index|indice|labell?ing|score|was|is|of|at|a|de|est|etait|eleve|proliferation|taux)[\s:=(,]+){{0,4}}"
                   rf"{_COMPARE}(?P<low>{NUMBER})(?:\s*(?:-|a|to)\s*(?P<high>{NUMBER}))?(?!\s?[\w/+]|[.,]\d)")
_BARRIER = re.compile(r"[;\n]|\.\s|\b(?:er|pr|re|rp|ro|her-?2|cd\d+|ck\d+|p53|grade|necros\w*|surviv\w*|survie|recepteur\w*|receptor\w*|chimio\w*|chemo\w*)\b")
_FURTHER = re.compile(rf"\s*(?:to|a|puis|then|and|et|->|→|versus|vs|contre)\s+(?:in the \w+ )?{_COMPARE}(?P<low>{NUMBER})(?P<percent>{_PERCENT})")
_BEFORE = re.compile(rf"{_VALUE.pattern}\s*(?:of (?:the )?(?:tumou?r |neoplastic )?(?:cells|nuclei)|des (?:cellules|noyaux)(?: tumora\w+)?)?\s*"
                     r"(?:(?:were|was|are|sont|etaient|positive|positives|positifs|expressing|expriment|exprimant|stained|marquees?|showed|reactive|"
                     r"for|pour|de|du|le|la|l'|au|with|of|on|the|index|by|avec|staining|score|expression|labell?ing|par|immunoreactive|nuclear|anti)[\s-]+){0,6}"
                     r"(?:l')?$")


def find(note: Note) -> Iterator[Found]:
    """Ki-67 with its percentage."""
    return results(note, _find(note))


def _find(note: Note) -> Iterator[Found]:
    if not note.has("ki", "mib", "prolif", "labeling", "labelling"):
        return
    reach = 0
    for name in note.search(_NAME):
        if name.start() < reach:
            continue
        for found in _values(note, name):
            reach = max(reach, found.end)
            yield found


def _values(note: Note, name: re.Match[str]) -> Iterator[Found]:
    start, stop = note.sentence_at(name.start())
    match = _after(note, name.end(), min(stop, name.end() + 90))
    if match is None:
        before = _BEFORE.search(note.folded, max(start, name.start() - 110), name.start())
        if before:
            yield from _found(note, before, before.start("low"), name.end())
        return
    yield from _found(note, match, name.start(), match.end())
    further = _FURTHER.match(note.folded, match.end(), stop)
    if further:
        yield from _found(note, further, further.start("low"), further.end())


def _after(note: Note, start: int, stop: int) -> re.Match[str] | None:
    bare = _BARE.match(note.folded, start, stop)
    if bare:
        return bare
    barrier = _BARRIER.search(note.folded, start, stop)
    return _VALUE.search(note.folded, start, barrier.start() if barrier else stop)


def _found(note: Note, match: re.Match[str], start: int, end: int) -> Iterator[Found]:
    low, high = number(match["low"], note.language), number(match.groupdict().get("high") or "", note.language)
    if low is None or Decimal(low) > 100:
        return
    if high is not None and Decimal(low) < Decimal(high) <= 100:
        yield Found("ki67", start, end, scaled(str(Decimal(low) + Decimal(high)), "0.5"), "%", f"{low}-{high}")
        return
    yield Found("ki67", start, end, low, "%", _sign(match["compare"] or ""))


def _sign(words: str) -> str:
    """The comparison as a sign."""
    word = words.replace(" ", "")
    if not word or word[0] in "<>≤≥~":
        return word.replace("<=", "≤").replace(">=", "≥")
    return "<" if word.startswith(("less", "lower", "below", "under", "moins", "infer", "upto", "jusqu")) else ">"

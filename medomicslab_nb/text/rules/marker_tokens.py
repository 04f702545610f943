"""What stands after the name of a marker: values with their units, dates, norms, spans of time, words and signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, spoken_pattern
from medomicslab_nb.text.rules.phrases import listed, phrases

Kind = Literal["break", "date", "norm", "value", "figure", "arrow", "sign", "known", "course", "earlier", "closing",
               "acronym", "word"]
"""``figure``: a number that is no value (a time, a dose, a multiple of the norm, a percentage)."""

_MONTH = (r"(?:janv?(?:ier|uary)?|fevr?(?:ier)?|feb(?:ruary)?|mar(?:s|ch)?|avr(?:il)?|apr(?:il)?|mai|may|juin|june?|"
          r"juil(?:let)?|july?|aout|aug(?:ust)?|sept?(?:embre|ember)?|oct(?:obre|ober)?|nov(?:embre|ember)?|"
          r"dec(?:embre|ember)?)(?![^\W_])(?:\.(?=\s?\d))?")
_DATE = (rf"(?<![\w.,])(?:[jd]\d{{1,3}}|(?:day|jour|week|semaine|cycle|cure|month|visit)\s?\d{{1,3}}|"
         rf"\d{{1,2}}(?P<sep>[/.-])\d{{1,2}}(?P=sep)(?:\d{{4}}|\d\d)|\d{{1,2}}[/-](?:19|20)\d\d|"
         rf"(?:19|20)\d\d-\d\d(?:-\d\d)?|(?:\d{{1,2}}(?:er|st|nd|rd|th)?\s+)?{_MONTH}(?:\s+\d{{1,2}},)?"
         r"(?:\s+(?:19|20)\d\d)?|"
         rf"(?:(?<=\()|(?<=\bin )|(?<=\ben )|(?<=since )|(?<=depuis ))(?:19|20)\d\d|"
         rf"(?:(?<=\ble )|(?<=\bdu )|(?<=\bau )|(?<=\bon )|(?<=\((?=\d+/)))"
         rf"(?!0)\d{{1,2}}[/.]\d{{1,2}}(?=[\s),:]))(?![\w/])")
_COMPARE = r"(?:(?P<compare>[<>]\s?=?|≤|≥|(?<![^\W_]){compared})\s*)?"
UNIT = (r"(?:(?:[munkpμ]|mc|micro|nano|kilo)?(?:g|grammes?|grams?|u|ui|iu|units?|unites?|kat)\s?(?:/|per |"
        r"par )\s?(?:m|d|μ)?(?:l|litre|liter)\b|ng\b|u\.?i\b\.?|iu\b|u\b)")
_SPAN = 200  # characters after a name in which its values stand


@dataclass(frozen=True)
class Token:
    """A stretch after a name, in folded offsets."""

    kind: Kind
    match: re.Match[str]

    @property
    def start(self) -> int:
        return self.match.start()

    @property
    def end(self) -> int:
        return self.match.end()

    @property
    def text(self) -> str:
        return self.match[0]


def tokens(note: Note, start: int, stop: int) -> Iterator[Token]:
    """The tokens from one folded offset to another, up to the end of the sentence; semicolons are ``break`` too."""
    glued = _glued().match(note.folded, start, stop)
    if glued:
        yield Token("value", glued)
    for match in _pattern().finditer(note.folded, glued.end() if glued else start, min(stop, start + _SPAN)):
        kind: Kind = match.lastgroup  # type: ignore[assignment]
        if kind == "word":
            kind = word_kind(match[0])
            kind = "acronym" if kind == "word" and _is_acronym(note, match) else kind
        yield Token(kind, match)
        if kind == "break" and match[0] != ";":
            return


def value_pattern() -> str:
    """A value with its comparison and unit: not a multiple, a percentage, a time, a dose, part of a range or date."""
    return rf"{_COMPARE.format(compared=phrases('marker_words', 'compared'))}(?<![\w.,/]){_amount()}"


@cache
def _glued() -> re.Pattern[str]:
    """A value right after its name (ca12588)."""
    return re.compile(rf"(?P<compare>)(?=\d){_amount()}")


def _amount() -> str:
    return (rf"(?P<number>(?>{NUMBER}|{spoken_pattern()}))(?>(?:\s?(?P<unit>{UNIT}))?)"
            rf"(?![\w/^]|[.,]\d|\.\)|-\d{{1,3}}(?!\d)|\s?-\s?\d|\s?/\s?\d)"
            rf"(?!(?:,\s?\d+)*(?:\s(?:et|and|ou|or)\s\d+)?\s?(?:{phrases('marker_words', 'not_units')})(?![^\W\d_]))")


@cache
def _pattern() -> re.Pattern[str]:
    compared = rf"(?:[<>≤≥]\s?=?|{phrases('marker_words', 'compared')})"
    sized = rf"(?>{NUMBER})(?:\s?{UNIT})?"
    bounds = rf"(?:{compared}?\s*{sized}(?:\s?(?:-|a|to|et|and)\s?{sized})?)"
    norm = (rf"(?:(?:{phrases('marker_words', 'norms')}|(?:normale?s?)(?=[\s,:(=]{{1,3}}(?:{compared}|{sized}\s?-))|"
            rf"n(?=\s?[:=<>(]|\s\d+\s?-))(?![^\W_])\.?(?:,(?=\s*{compared}))?(?:[^;.,\d()<>≤≥\n]{{0,25}}?(?:\((?={compared}|{sized}\s?-))?{bounds})?)")
    return re.compile(rf"(?P<break>[.!?;](?!\w)|\n\s*\n|\n(?=[^\W\d_]))|(?P<date>{_DATE})|(?P<norm>(?<![^\W_]){norm}|"
                      rf"(?<![\w.,/]){sized}\s?-\s?{sized}|\([<>≤≥]\s?{sized}\)(?=\s*[:=]?\s*\d))|(?P<value>{value_pattern()})|"
                      rf"(?P<figure>\d[\w.,/%+^-]*)|(?P<arrow>-*>|=>|→)|(?P<word>[^\W\d_][^\W_]*)|(?P<sign>[^\w\s])")


def word_kind(word: str) -> Kind:
    """What a folded word says between names and values."""
    return _kinds().get(word, "word")


def _is_acronym(note: Note, match: re.Match[str]) -> bool:
    """Whether a word is another test's short name: in capitals where the words around are not."""
    start, end = note.source(match.start(), match.end())
    around = note.text[max(start - 15, 0):start] + note.text[end:end + 15]
    word = note.text[start:end]
    return 2 <= len(word) <= 5 and word.isalpha() and word.isupper() and any(each.islower() for each in around)


@cache
def _kinds() -> dict[str, Kind]:
    """What the single words of the lists are."""
    lists: tuple[tuple[str, Kind], ...] = (("between", "known"), ("course", "course"), ("earlier", "earlier"),
                                           ("closing", "closing"))
    return {word: kind for name, kind in lists for phrase in listed("marker_words", name)
            for word in re.findall(r"[^\W\d_][^\W_]*", fold(phrase).folded)}

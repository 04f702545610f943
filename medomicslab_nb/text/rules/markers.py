"""Tumour markers in serum with their values in one unit: PSA, CEA, CA 125, CA 15-3, CA 19-9, AFP, beta-hCG, LDH.

What follows a name is read token by token (``marker_tokens.py``). The first value is the marker's when only words of
``marker_words.yaml`` stand before it, and past other words by its unit, by a verb right before it or in brackets of its
own; further ones by a word or sign of sequence, by their dates, or by their unit. Multiples of the norm, percentages,
reference ranges, PSA density, velocity, doubling time and free PSA are none. Without a unit the value is taken to be in
the catalogue's; µkat/L are converted.

Measured on the challenge set (*not real notes*; F1 of value and context). Blind half before and after the rule was
written anew from other sentences: French .81 and .84, English .73 and .85 (142 and 87 mentions); psa .90 and .90,
cea .86 and .93, ca125 .62 and .69, ca153 .76 and .73, ca199 .75 and .79, afp .86 and .86, hcg .82 and .86, ldh .86 and
.90 in French; psa .77 and .90, cea .71 and .87, ca125 .67 and .80, ca153 .67 and .85, ca199 .71 and .89, afp .71 and
.80, hcg .86 and .71, ldh .83 and .92 in English. Once all its sentences had been read the whole set gives .98 in both
languages (253 and 196), which says nothing of other sentences: on 112 new ones the rule had .77 and .73 before they
were read.
Limits: values in the sentence after the name, bare numbers apart by commas only, several values after another fluid's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import zip_longest

from medomicslab_nb.text.attributes import get_attribute
from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.lexicon import FOLDER, Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.marker_names import groups, is_other
from medomicslab_nb.text.rules.marker_tokens import UNIT, Token, tokens, value_pattern, word_kind
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.tables import Cell, cells

_FOREIGN = 8  # words of its own that may stand between a name and a value with its unit, or right after a verb
_SPAN = 200  # characters after the last of several names in which their values begin
_LARGEST = 10**8
_BESIDE = 3  # the same before a further value
_COMPARISONS = "<>≤≥"
_NEAR = 30  # characters between a name and its value that are one mention in any case
_BESIDES = 14  # characters before a name in which it is called the first
_UNGROUPED = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_NOT = ("not", "non", "pas")


@dataclass(frozen=True)
class _Unit:
    """How to come from a unit to the catalogue's."""

    factor: str
    to: str


def find(note: Note) -> Iterator[Found]:
    """Tumour markers with their values."""
    return results(note, _superseded(note, list(_find(note))))


def _superseded(note: Note, found: Sequence[Found]) -> Iterator[Found]:
    """The values, those as history that are said to be the first where the next is said to be the present one."""
    for one, other in zip_longest(found, found[1:]):
        initial = _words("initial").search(note.folded, max(one.start - _BESIDES, 0), one.end)
        if initial and not one.context and other and other.attribute == one.attribute and (
                _words("present").search(note.folded, one.end, other.end)):
            yield replace(one, context=("history",))
        else:
            yield one


def _find(note: Note) -> Iterator[Found]:
    named = list(groups(note))
    above = list(cells(note)) if named else []
    for place, group in enumerate(named):
        following = named[place + 1] if place + 1 < len(named) else []
        below = [(hit, cell) for cell in above for hit in group if cell.name_start <= hit.start < cell.name_end]
        stop = following[0].start if following else len(note.folded)
        if any(is_other(note, hit) for hit in group):
            yield from _own(note, group[-1], group[-1].end, stop, with_unit=True)
        elif below:
            yield from _in_cells(note, below)
        else:
            yield from _read(note, group, stop)


def _read(note: Note, group: Sequence[Hit], stop: int) -> Iterator[Found]:
    """The values of markers that are named together, before the next name."""
    listed_ones = _listed(note, group) if len(group) > 1 else []
    if listed_ones:
        for hit, match in zip(group, listed_ones, strict=True):
            yield from _found(note, hit, match, match.start("number"))
        return
    hit = group[-1]
    before = _before().search(note.folded, max(group[0].start - 45, note.sentence_at(hit.start)[0]), group[0].start)
    past = before is not None and word_kind(before["when"] or "") == "earlier"
    if before and (before["unit"] or past):
        yield from _found(note, group[0], before, before.start(), group[0].end, "history" if past else "")
    if before and before["unit"]:
        return
    end = hit.end
    for token, context in _course(note, hit, stop):
        between = list(tokens(note, end, token.start)) if token.start - end > _NEAR else []
        far = end > hit.end or _foreign(between) > _BESIDE
        yield from _found(note, hit, token.match, token.start if far else hit.start, context=context)
        end = token.end
    yield from _own(note, hit, end, stop)


def _course(note: Note, hit: Hit, stop: int) -> Iterator[tuple[Token, str]]:
    """The values after a name, each with the context that the words before it say."""
    waiting: tuple[Token, str] | None = None
    gap: list[Token] = []
    following = list(tokens(note, hit.end, stop))
    for place, token in enumerate(following):
        if token.kind == "closing" or (token.kind == "break" and not _goes_on(waiting, following[place:])):
            break
        if token.kind != "value" or not (_further if waiting else _first)(note, hit, gap, token, following[place + 1:]):
            gap.append(token)
            continue
        if waiting:
            yield waiting[0], waiting[1] or ("history" if _is_left(note, waiting[0], gap) else "")
        said = _said(note, gap)
        waiting, gap = (token, "" if waiting is None and said == "negated" else said), []
    if waiting and not _leads_on(note, waiting[0], stop):
        yield waiting


def _goes_on(value: tuple[Token, str] | None, rest: Sequence[Token]) -> bool:
    """Whether a list of values and their dates goes on after a semicolon."""
    return value is not None and rest[0].text == ";" and len(rest) > 1 and rest[1].kind == "date"


def _first(note: Note, hit: Hit, gap: Sequence[Token], value: Token, after: Sequence[Token]) -> bool:
    """Whether a value is that of the name before it."""
    foreign = _foreign(gap)
    if _is_year(note, value) or foreign > _FOREIGN * (2 if gap and _is_linked(note, gap) else 1) or _is_another(gap):
        return False
    if not value.match["unit"]:
        return not foreign or _is_linked(note, gap) or _is_aside(gap, after) or _is_from(gap, after)
    return _unit(hit, value.match) is not None


def _is_aside(gap: Sequence[Token], after: Sequence[Token]) -> bool:
    """Whether a value stands in brackets of its own."""
    return gap[-1].text == "(" and bool(after) and after[0].text == ")"


def _is_from(gap: Sequence[Token], after: Sequence[Token]) -> bool:
    """Whether a value is the first of a course, whatever its verb ("plummeted from 12 to 5")."""
    following = [token.kind for token in after[1:2]]
    return gap[-1].text in ("from", "de") and following == ["value"] and after[0].text in ("to", "a")


def _further(note: Note, hit: Hit, gap: Sequence[Token], value: Token, after: Sequence[Token]) -> bool:
    """Whether a value is a further one: by its unit, date, or a word or sign of sequence."""
    if _is_year(note, value) or _unit(hit, value.match) is None or _is_another(gap):
        return False
    if _instead(note, gap):
        return True
    has_unit, alone = bool(value.match["unit"]), not after or after[0].kind not in ("word", "acronym", "closing")
    led = bool(gap) and (gap[-1].text == "to" or any(token.kind in ("course", "earlier") for token in gap[-3:]))
    if _foreign(gap) > (_BESIDE if has_unit or led else 0):
        return False
    if any(token.kind in ("course", "earlier", "arrow", "date") for token in gap):
        return has_unit or alone
    joined = "".join(token.text for token in gap) in (",", "et", "and", "/", "a", ",et", ",and", "", ",a")
    return joined and (has_unit or [token.text for token in gap] == ["a"])


def _is_another(gap: Sequence[Token]) -> bool:
    """Whether another test is named since the last comma (LDH normal, CRP 45)."""
    last = max((place for place, token in enumerate(gap) if token.text == ","), default=-1)
    return any(token.kind == "acronym" for token in gap[last + 1:])


def _foreign(gap: Sequence[Token]) -> int:
    """Number of words that are not about results."""
    return sum(token.kind in ("word", "acronym", "value") or token.text in _COMPARISONS for token in gap)


def _is_linked(note: Note, gap: Sequence[Token]) -> bool:
    """Whether a verb or colon stands right before a value, or a comma after which nothing else is spoken of."""
    last_comma = max((place for place, token in enumerate(gap) if token.text in ",)"), default=-1)
    if not _foreign(gap[last_comma + 1:]) and (gap[-1].text in ":=" or last_comma == len(gap) - 1):
        return True
    return _links().search(note.folded, gap[0].start, gap[-1].end) is not None


@cache
def _links() -> re.Pattern[str]:
    return re.compile(rf"\b{phrases('marker_words', 'links')}$")


@cache
def _words(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('marker_words', name)}(?![^\W_])")


def _said(note: Note, gap: Sequence[Token]) -> str:
    """What the words between a name or value and the next value say of that one."""
    if _instead(note, gap):
        return "negated"
    last = max((place for place, token in enumerate(gap) if token.text in (",", ")")), default=-1)
    return "history" if any(token.kind == "earlier" for token in gap[last + 1:]) else ""


def _instead(note: Note, gap: Sequence[Token]) -> bool:
    """Whether a value is rejected in favour of the one before it ("5, not 50")."""
    text = note.folded[gap[0].start:gap[-1].end] if gap else ""
    first = next((token.text for token in gap if token.text != ","), "")
    return first in _NOT or re.search(rf"\b{phrases('statements', 'instead')}\b", text) is not None


def _is_left(note: Note, value: Token, gap: Sequence[Token]) -> bool:
    """Whether a course goes on from a value ("passé de 480 à 36", "860 (valeur précédente)")."""
    if [token.text for token in gap][:1] in (["a"], ["to"]):
        return note.folded[:value.start].rstrip()[-3:] == " de"
    aside = [token.text for token in gap].index(")") if gap and gap[0].text == "(" and ")" in {
        token.text for token in gap} else 0
    return any(token.kind == "earlier" for token in gap[:aside])


def _is_year(note: Note, value: Token) -> bool:
    before = re.search(r"\b(?:in|en|since|depuis)\s*$", note.folded[max(value.start - 8, 0):value.start])
    year = re.fullmatch(r"(?:19|20)\d\d", value.match["number"])
    return value.match["unit"] is None and before is not None and year is not None


def _leads_on(note: Note, value: Token, stop: int) -> bool:
    """Whether a value is that of the marker after it (390 U/L of LDH)."""
    between = re.compile(r"\s*(?:de |d'|of )").match(note.folded, value.end)
    return bool(between and value.match["unit"] and between.end() == stop)


def _own(note: Note, hit: Hit, start: int, stop: int, *, with_unit: bool = False) -> Iterator[Found]:
    """The patient's own or present value after a rule's, a relative's or an earlier one ("in this case 612")."""
    match = _own_value().match(note.folded, start, min(stop, note.sentence_at(hit.start)[1], start + 120))
    if match and (match["unit"] or not with_unit):
        yield from _found(note, hit, match, match.start("number"))


def _listed(note: Note, group: Sequence[Hit]) -> list[re.Match[str]]:
    """As many values as markers, one after the other; a comma parts them where it cannot be a decimal one."""
    at = group[-1].end
    stop = min(len(note.folded), at + _SPAN)
    for token in tokens(note, at, stop):
        if token.kind not in ("known", "sign", "norm", "date", "course"):
            at = token.start
            break
    for decimal in (r",\d+(?=\s|;|$|/|[unkmμ])", ","):
        found = _row(note, at, stop, len(group), decimal)
        if len(found) == len(group):
            return found
    return []


def _row(note: Note, place: int, stop: int, wanted: int, decimal: str) -> list[re.Match[str]]:
    one = _row_value(decimal)
    found: list[re.Match[str]] = []
    while len(found) < wanted and (match := one.match(note.folded, place, stop)):
        found.append(match)
        place = match.end()
    return found


def _in_cells(note: Note, below: Iterable[tuple[Hit, Cell]]) -> Iterator[Found]:
    """The values under names in the head of a table."""
    for hit, cell in below:
        match = _value().match(note.folded, cell.start, cell.end)
        if match:
            yield from _found(note, hit, match, match.start("number"))


def _found(note: Note, hit: Hit, match: re.Match[str], start: int, end: int = 0, context: str = "") -> Iterator[Found]:
    written, own = match["number"], get_attribute(hit.term.attribute).unit
    if _UNGROUPED.fullmatch(written) and "U" in own:  # units are not counted in thousandths, whatever the language
        written = re.sub("[.,]", "", written)
    value, unit = number(written, note.language), _unit(hit, match)
    if value is None or unit is None:
        return
    value = scaled(value, unit.factor)
    if Decimal(value) < _LARGEST:
        stop = max(end, match.end("unit"), match.end("number"))
        yield Found(hit.term.attribute, start, stop, value, unit.to or own,
                    _sign(match["compare"] or ""), (context,) if context else ())


def _sign(words: str) -> str:
    """The comparison as a sign."""
    word = words.replace(" ", "")
    if not word or word[0] in "<>≤≥":
        return word
    return "<" if word.startswith(("less", "below", "under", "infer", "moins")) else ">"


def _unit(hit: Hit, match: re.Match[str]) -> _Unit | None:
    """What the unit of a value is for its marker; None where it cannot be one."""
    if not match["unit"]:
        return _Unit("1", "")
    written = re.sub(r"[\s.]", "", re.sub(r"per|par", "/", match["unit"]))
    return _units().get((hit.term.attribute, re.sub(r"lit(?:re|er)", "l", written)))


@cache
def _units() -> dict[tuple[str, str], _Unit]:
    with (FOLDER / "marker_units.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {(attribute, fold(row["unit"]).folded): _Unit(row["factor"], row["to"])
            for row in rows for attribute in row["attributes"].split()}


@cache
def _value() -> re.Pattern[str]:
    return re.compile(value_pattern())


@cache
def _row_value(decimal: str) -> re.Pattern[str]:
    whole = r"\d+(?:\.\d+)?"
    if decimal != ",":
        whole = rf"\d{{1,3}}(?: \d{{3}})+(?:[.,]\d+)?|{whole}(?:{decimal})?"
    return re.compile(r"\s*(?:,|;|/|-(?=\s)|\||(?<=\s)(?:and|et)(?=\s)|(?:,|;) (?:and|et))?\s*"
                      rf"(?:(?:a|to|at|de|of)\s+)?(?P<compare>[<>]\s?=?|[≤≥])?\s*(?P<number>(?>{whole}))"
                      rf"(?:\s?(?P<unit>{UNIT}))?(?![\w%])")


@cache
def _own_value() -> re.Pattern[str]:
    return re.compile(rf"[^\n]{{0,70}}?(?<![^\W_])(?:{phrases('results', 'own')}|{phrases('marker_words', 'present')}|"
                      rf"stands at|now reads)(?![^\W_])(?:[\s:=,(]|(?<![^\W_])(?:is|are|was|at|a|est|of|it|reads|"
                      rf"stands|own|psa|level|dosage|value|valeur|de|un|taux)(?![^\W_]))*{value_pattern()}")


@cache
def _before() -> re.Pattern[str]:
    """A value with its unit before the name (6,6 ng/mL d'ACE)."""
    return re.compile(rf"(?P<compare>[<>]\s?=?|[≤≥])?\s*(?<![\w.,/])(?P<number>(?>{NUMBER}))(?:\s?(?P<unit>{UNIT}))?"
                      r"\s*(?:(?P<when>[a-z]+)\s)?(?:de |d'|of |pour le |pour l'|for )(?:the |la |le |l')?$")

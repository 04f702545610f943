"""Tumour markers in serum with their values in one unit: PSA, CEA, CA 125, CA 15-3, CA 19-9, AFP, beta-hCG, LDH.

The value stands after the name, past words and dates that ``marker_words.yaml`` allows; a course of values ("12, puis 5
puis 0,1 ng/mL") is one fact each. Multiples of the norm, percentages, PSA density, velocity, doubling time and free PSA
are none. Without a unit the value is taken to be in the catalogue's.

Measured on the challenge set (*not real notes*; the blind half, F1 of value and context, n mentions):
French psa 0.90 (25),
cea 0.86 (22), ca125 0.62 (15), ca153 0.76 (17), ca199 0.75 (17), afp 0.86 (18), hcg 0.82 (14), ldh 0.86 (14); English
psa 0.77 (16), cea 0.71 (16), ca125 0.67 (11), ca153 0.67 (14), ca199 0.71 (10), afp 0.71 (7), hcg 0.86 (7),
ldh 0.83 (6).
Limits: tables of more than one kind, values far from their name, values of other fluids after those of serum.
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
from medomicslab_nb.text.lexicon import FOLDER, Hit, Term, lexicon
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled, spoken_pattern
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.tables import cells

_ABBREVIATED = ("psa", "ldh", "afp", " ace", "'ace", "(ace", "\nace", "cea", "hcg", "ca1", "ca 1", "ca-1", "ca(",
                "ca (", "p.s", "l.d", "c.e", "a.c", "a.f")
_GUARD = (*_ABBREVIATED, "\N{GREEK SMALL LETTER ALPHA}fp",
          "lhd", "foeto", "feto", "embryon", "antigen", "chorioni", "lact", "aps")
_DATE = (r"(?:\(?\s*(?:le|du|au|en|on|in|of|from)?\s*(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{1,2}/\d{4}|"
         r"\d{4}-\d{2}-\d{2}|"
         r"(?:\d{1,2}(?:er|st|nd|rd|th)?\s+)?(?:jan|fev|feb|mar|avr|apr|mai|may|juin|jun|juil|jul|aou|aug|sep|oct|nov|"
         r"dec)[a-z]*\.?"
         r"(?:(?:\s+\d{1,2},)?\s+(?:19|20)\d\d)?(?![^\W_])|\d{1,2}[./]\d{1,2}\.?(?=\))|(?<=\()(?:19|20)\d\d(?=\))|"
         r"(?:a|at|apres|after)\s\d{1,2}\s?(?:mois|months|weeks|semaines|ans|years|jours|days|month|year)(?![^\W_])|"
         r"(?:en|in)\s+(?:19|20)\d\d)\s*\)?)")
_COMPARE = (r"(?P<compare><\s?=?|>\s?=?|≤|≥|less than|more than|greater than|below|under|above|over|inferieure?s? a|"
            r"superieure?s? a|moins de|"
            r"plus de|au-dela de)?\s*")
_UNIT_NAME = (r"(?:(?:[munkpμ]|mc|micro|nano|kilo)?(?:g|grammes?|grams?|u|ui|iu|units?|unites?|kat)\s?(?:/|per |"
              r"par )\s?(?:m|d|μ)?(?:l|litre|liter)\b|ng\b|u\.?i\b\.?|iu\b|u\b)")
_UNIT = rf"(?:\s?(?P<unit>{_UNIT_NAME}))?"
_ASIDE = re.compile(r"\s*\([^)]*\)\s*(?=[:=])")
_SEQUENCE = re.compile(r"puis|then|->|→|=>|(?<!<)>\s*$|\bto\b|(?:^|\s)a\s|contre|down|jusqu|followed|subsequently|"
                       r"et non|and not|from|today|\bnow|"
                       r"aujourd|ce jour|precedemment|anterieur|previous|au lieu|instead|versus|\bvs\b|repeat|"
                       r"\(\s*(?:was|etait)")
_SAID = ((re.compile(r"et non|and not|au lieu de|instead of"), "negated"),
         (re.compile(r"contre|from|precedemment|anterieur|previous|versus|\bvs\b|crept|\(\s*(?:was|etait)"), "history"))


@dataclass(frozen=True)
class _Unit:
    """How to come from a unit to the catalogue's."""

    factor: str
    to: str


def find(note: Note) -> Iterator[Found]:
    """Tumour markers with their values."""
    return results(note, _find(note))


def _find(note: Note) -> Iterator[Found]:
    if not note.has(*_GUARD) and not note.folded.startswith("ace"):
        return
    hits = _named(note)
    for group in _groups(note, hits):
        serum = [hit for hit in group if not _is_other(note, hit)]
        if len(serum) == len(group):
            yield from _read(note, serum, hits)
    yield from _in_tables(note, hits)


_GLUED = re.compile(r"(?<![^\W_])(?P<name>ca\s?125|ca\s?15[-.]?3|ca\s?19[-.]?9|psa|ldh|afp|ace|cea|"
                    r"hcg)(?=\d+(?:[.,]\d+)?(?![\w-]))")
_DOTTED = re.compile(r"(?<![^\W_])(?P<name>p\.\s?s\.\s?a|l\.\s?d\.\s?h|c\.\s?e\.\s?a|a\.\s?c\.\s?e|"
                     r"a\.\s?f\.\s?p)(?![^\W_])\.?")
_PARTS = re.compile(r"(?<=[\s(,;/])(?P<name>125|15[-./]3|19[-./]9)(?![\w.%-]|,\d|\s?(?:u|ui|ku|iu)\s?/)")
_PART_GAP = re.compile(r"(?:,\s?(?:et|and)\s|;\s(?:et|and)\s|\s?[,;/]\s?|\s(?:et|and)\s)$")
_CA = re.compile(r"(?<![^\W_])ca(?:\s?(?:125|15[-./ ]?3|19[-./ ]?9))?[\s,;/(]+(?:(?:and|et|&)\s+)?$")


def _named(note: Note) -> list[Hit]:
    """The markers that a note names; CA125 glued to its value, and the 15-3 of "CA 125, 15-3 and 19-9" among them."""
    hits = list(lexicon("markers").find(note))
    taken = [(hit.start, hit.end) for hit in hits]
    for match in (*note.search(_GLUED), *note.search(_DOTTED)) if note.has(*_ABBREVIATED) else ():
        if not any(start < match.end() and match.start() < end for start, end in taken):
            hits.append(_hit(match))
    for match in note.search(_PARTS) if note.has("ca1", "ca 1", "ca-1", "ca (") else ():
        before = note.folded[max(match.start() - 30, 0):match.start()]
        gap = _PART_GAP.search(before)
        last = match.start() - len(gap[0]) if gap else -1
        beside = any(hit.end == last and hit.term.attribute.startswith("ca1") for hit in hits)
        taken_up = any(start < match.end() and match.start() < end for start, end in taken)
        if not taken_up and (_CA.search(before) or beside):
            hits.append(_hit(match))
    return sorted(hits, key=lambda hit: hit.start)


def _hit(match: re.Match[str]) -> Hit:
    digits = re.sub(r"[^a-z0-9]", "", match["name"])
    attribute = {"ace": "cea", "125": "ca125", "153": "ca153", "199": "ca199"}.get(digits, digits)
    return Hit(Term(attribute, "name", match["name"]), match.start(), match.end())


_AND = re.compile(r"\s*(?:,|/|;|and|et|&|\+|,\s*and|,\s*et)\s*(?:(?:le|la|l|du|the|de|d)\b\s*'?)*")


def _groups(note: Note, hits: Sequence[Hit]) -> Iterator[list[Hit]]:
    """Markers that are named together ("CEA and CA 19-9 were 5 and 37")."""
    group: list[Hit] = []
    for hit in hits:
        if group and not _AND.fullmatch(note.folded, group[-1].end, hit.start):
            yield group
            group = []
        group.append(hit)
    if group:
        yield group


def _is_other(note: Note, hit: Hit) -> bool:
    """Whether it is another test (PSA density), another fluid, or another meaning of the letters."""
    start, end = note.source(hit.start, hit.end)
    if hit.term.text in ("ACE", "APS") and not note.text[start:end].isupper():
        return True
    before = note.folded[max(hit.start - 30, note.sentence_at(hit.start)[0]):hit.start]
    if _other_after().match(note.folded, hit.end) or _other_before().search(before):
        return True
    clause = re.split(r"[;.]\s", note.folded[max(hit.start - 60, note.sentence_at(hit.start)[0]):hit.start])[-1]
    fluids = list(_fluid().finditer(clause + " " + re.split(r"[\d;.,:]", note.folded[hit.end:hit.end + 25])[0]))
    return bool(fluids) and not re.search(r"\bser(?:um|ique|iques|"
                                          r"ic)\b", note.folded[max(hit.start - 12, 0):hit.end + 12])


def _read(note: Note, group: Sequence[Hit], hits: Sequence[Hit]) -> Iterator[Found]:
    """The values of markers that are named together."""
    following = next((hit.start for hit in hits if hit.start >= group[-1].end), len(note.folded))
    stop = min(len(note.folded), group[-1].end + 200)
    if len(group) > 1:
        listed = _listed(note, group[-1].end, stop, len(group))
        if listed:
            for hit, match in zip(group, listed, strict=True):
                yield from _found(note, hit, match, match.start("number"))
            return
    hit = group[-1]
    before = _before().search(note.folded, max(group[0].start - 45, note.sentence_at(hit.start)[0]), group[0].start)
    if before:
        yield from _found(note, group[0], before, before.start(), group[0].end)
        return
    values = [match for match in _values(note, hit.end, stop) if not _leads_on(note, match, hits)]
    for place, match in enumerate(values):
        yield from _found(note, hit, match, hit.start if place == 0 else match.start("number"))
    if not values:
        end = min(following, note.sentence_at(hit.start)[1])
        for match in [found for pattern in _far() if (found := pattern.match(note.folded, hit.end, end))][:1]:
            yield from _found(note, hit, match, match.start("number"))
    yield from _own(note, hit, values[-1].end() if values else hit.end, following)


def _own(note: Note, hit: Hit, start: int, stop: int) -> Iterator[Found]:
    """The patient's own or present value after a rule's, a relative's or an earlier one ("in this case 612")."""
    match = _own_value().match(note.folded, start, min(stop, note.sentence_at(hit.start)[1], start + 120))
    if match:
        yield from _found(note, hit, match, match.start("number"))


def _leads_on(note: Note, match: re.Match[str], hits: Sequence[Hit]) -> bool:
    """Whether a value is that of the marker after it (390 U/L of LDH)."""
    of = re.compile(r"\s*(?:de |d'|of )").match(note.folded, match.end())
    return bool(of and match["unit"] and any(hit.start == of.end() for hit in hits))


def _listed(note: Note, at: int, stop: int, wanted: int) -> list[re.Match[str]]:
    """As many values as markers, one after the other; a comma parts them where it cannot be a decimal one."""
    lead = _lead().match(note.folded, at, stop)
    for decimal in (r",\d+(?=\s|;|$|/|[unkmμ])", ","):
        found = _row(note, lead.end() if lead else at, stop, wanted, decimal)
        if len(found) == wanted:
            return found
    return []


def _row(note: Note, place: int, stop: int, wanted: int, decimal: str) -> list[re.Match[str]]:
    number_here = (rf"\d{{1,3}}(?: \d{{3}})+(?:[.,]\d+)?|"
                   rf"\d+(?:\.\d+)?(?:{decimal})?" if decimal != "," else r"\d+(?:\.\d+)?")
    one = re.compile(rf"\s*(?:,|;|/|-(?=\s)|\||(?<=\s)(?:and|et)(?=\s)|(?:,|;) (?:and|et))?\s*(?:(?:a|to|at|de|"
                     rf"of)\s+)?{_COMPARE}"
                     rf"(?P<number>(?>{number_here})){_UNIT}(?![\w%])")
    found: list[re.Match[str]] = []
    while len(found) < wanted:
        match = one.match(note.folded, place, stop)
        if match is None:
            break
        found.append(match)
        place = match.end()
    return found


def _values(note: Note, at: int, stop: int) -> Iterator[re.Match[str]]:
    """The first value after a name, and those that follow it in the same breath."""
    aside = _ASIDE.match(note.folded, at, stop)
    start = aside.end() if aside else at
    match = (_glued() if note.folded[start:start + 1].isdigit() else _first()).match(note.folded, start, stop)
    first = True
    while match and (first or _continues(match)):
        if _is_year(note, match):
            return
        yield match
        first = False
        match = _then().match(note.folded, match.end(), stop)


def _is_year(note: Note, match: re.Match[str]) -> bool:
    start = match.start("number")
    before = re.search(r"\b(?:in|en|since|depuis)\s*$", note.folded[max(start - 8, 0):start])
    return match["unit"] is None and before is not None and re.fullmatch(r"(?:19|20)\d\d", match["number"]) is not None


def _continues(match: re.Match[str]) -> bool:
    """Whether a further number is a value too: by an arrow or a word of sequence, or by its unit or date."""
    lead = match[0][:match.start("number") - match.start()]
    return bool(_SEQUENCE.search(lead)) or re.search(_DATE, lead) is not None


def _in_tables(note: Note, hits: Sequence[Hit]) -> Iterator[Found]:
    for cell in cells(note) if hits else ():
        for hit in hits:
            match = _first().match(note.folded, cell.start, cell.end)
            if match and cell.name_start <= hit.start < cell.name_end and not _is_other(note, hit):
                yield from _found(note, hit, match, match.start("number"))


def _found(note: Note, hit: Hit, match: re.Match[str], start: int, end: int = 0) -> Iterator[Found]:
    attribute = hit.term.attribute
    value = number(match["number"], note.language)
    written = re.sub(r"[\s.]", "", re.sub(r"per|par", "/", match["unit"] or ""))
    written = re.sub(r"lit(?:re|er)", "l", written)
    unit = _units().get((attribute, written))
    if value is None or (written and unit is None):
        return
    own = get_attribute(attribute).unit
    if unit:
        value, own = scaled(value, unit.factor), unit.to or own
    if Decimal(value) < 10**8:
        lead = note.folded[match.start():match.start("number")]
        context = next((name for words, name in _SAID if words.search(lead)), "")
        stop = max(end, match.end("unit"), match.end("number"))
        yield Found(attribute, start, stop, value, own, _sign(match["compare"] or ""), (context,) if context else ())


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
    return (rf"{_COMPARE}(?<![\w.,/])(?!\d{{1,2}}[./]\d{{1,2}}[./]\d)(?P<number>(?>{NUMBER}|"
            rf"{spoken_pattern()}))(?>{_UNIT})"
            rf"(?![\w/^]|[.,]\d|\.\)|-\d{{1,3}}(?!\d)|\s?-\s?\d|\s?/\s?\d)"
            rf"(?!\s?(?:{phrases('marker_words', 'not_units')})(?![^\W\d_]))")


@cache
def _between() -> str:
    """Pattern of what may stand between a name and its value."""
    return (rf"(?:[\s:=,'|\[\]-]|\((?!\s*(?:n|norm\w*|vn|ref\w*|uln|lsn)\b)|\)|"
            rf"(?<![^\W_]){phrases('marker_words', 'between')}(?![^\W_])|{_DATE}|"
            r"\((?:n|norm\w*|vn|ref\w*|uln|lsn)\b[^)]{0,25}\))")


@cache
def _first() -> re.Pattern[str]:
    return re.compile(rf"{_between()}{{0,24}}?{_value()}")


@cache
def _glued() -> re.Pattern[str]:
    return re.compile(rf"{_COMPARE}(?P<number>(?>{NUMBER}))(?>{_UNIT})(?![\w/^%]|[.,]\d)")


@cache
def _lead() -> re.Pattern[str]:
    """What stands between the last of several names and the first of their values."""
    return re.compile(rf"(?>{_between()}{{0,12}})")


@cache
def _then() -> re.Pattern[str]:
    """A further value after one: past a word or sign of sequence, and the date of it."""
    return re.compile(rf"\s*(?:[^;.\d(]{{0,30}}?,?\s*(?=contre\b))?(?:a j\d+)?(?:{_DATE})?\s*\)?\s*(?:,|;|/|->|→|-->|"
                      rf"=>|>|\()?\s*(?:(?:puis|then|to|a|et non(?: pas)?|and not|et|and|jusqu'a|contre|versus|vs|"
                      rf"up to|down to|"
                      rf"followed by|subsequently|from|today|now|aujourd'hui|ce jour|precedemment|anterieur|"
                      rf"previously|previous|au lieu de|instead of|lors|repeat|was|etait)\b\s*:?\s*)*"
                      rf"(?:(?:a|at|of|de|to|le|en|in|la|apres|after|on|was|est|etait|j\d+|\d{{1,2}} (?:jours|days|"
                      rf"mois|months|semaines|weeks))\s+|{_DATE}\s*(?:[:=,]|a\b)*\s*)*{_value()}")


@cache
def _far() -> tuple[re.Pattern[str], ...]:
    """A value past words of its own: right after a verb, or with a unit after a verb or sign."""
    words = r"(?:(?![.;]\s)[^\n]){0,140}?"
    return (re.compile(rf"{words}(?:(?:revenue?s?|est|etait|ete|stands?|passee?)\s+(?:now |encore )?(?:a|at)|"
                       rf"now reads?|reads|is now|crept up to)\s+{_value()}"),
            re.compile(rf"{words}(?:,|:|\bwas|\bis|\bof|\ba)\s*(?=[<>≤≥]?\s?(?>{NUMBER})\s?{_UNIT_NAME}){_value()}"))


@cache
def _own_value() -> re.Pattern[str]:
    return re.compile(rf"[^\n]{{0,70}}?(?<![^\W_])(?:{phrases('results', 'own')}|today|now|aujourd'hui|ce jour|"
                      rf"actuellement|stands at|now reads|currently)(?![^\W_])"
                      rf"(?:[\s:=,(]|(?<![^\W_])(?:is|are|was|at|a|est|of|it|reads|stands|own|psa|level|de|un|"
                      rf"taux)(?![^\W_]))*{_value()}")


@cache
def _before() -> re.Pattern[str]:
    """A value with its unit before the name (6,6 ng/mL d'ACE)."""
    return re.compile(rf"{_COMPARE}(?<![\w.,/])(?P<number>(?>{NUMBER}))\s?(?P<unit>{_UNIT_NAME})\s*(?:de |d'|of |"
                      rf"pour le |pour l'|for )(?:the |la |le |l')?$")


@cache
def _fluid() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('marker_words', 'fluids')}(?![^\W_])")


@cache
def _other_after() -> re.Pattern[str]:
    return re.compile(rf"[\s-]*/?\s*(?:{phrases('marker_words', 'other_after')})(?![^\W_])")


@cache
def _other_before() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{phrases('marker_words', 'other_before')})[\s/']*$")

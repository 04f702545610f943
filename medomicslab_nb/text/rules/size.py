"""Sizes of lesions: every dimension of one measurement, in mm.

"3,2 x 2,8 cm", "3 cm x 25 mm", "4 by 3 cm", "5 cm sur 4", "100/52mm", "16, 13 et 12 mm" (three facts). Whether a length
is that of a lesion is decided by the noun that it goes with (``measured.yaml``): in English the one after it ("a 3 cm
renal mass"), otherwise the nearest before it in the sentence; an organ that only says where the lesion is does not
count ("masse du foie de 5 cm"). Distances, depths, margins, specimens and instruments are none. Of a range the greater
end is the value.

Measured on E3C layer 3 (gold by simulated annotators; the blind half, F1 of values, n mentions):
French 0.92 (67), English 0.95 (66).
Limits: a length whose noun stands in another sentence, dimensions told in prose, lesions named by rare words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled, spoken_pattern
from medomicslab_nb.text.rules.phrases import phrases

_UNIT = (r"(?:cms?|mms?|centim\s?et(?:re|er)s?|millim\s?et(?:re|er)s?)(?![\w^²³])(?!\s?[/*]\s?[^\d\s])(?!\s?(?:hg\b|"
         r"h2o|of water|d'eau|of mercury|de mercure))")
_AXIS = (r"(?:\s*\([^()\d]{1,20}\)|\s*(?:de |d'|in |en |of )?(?:grand axe|plus grand axe|petit axe|grand diametre|"
         r"diametre|diameter|"
         r"longueur|length|long|longest|largeur|width|large|wide|hauteur|height|haut|high|tall|epaisseurs?|depth|deep|"
         r"thick|"
         r"axe|axis|cc|ap|tr|ll|sl|ml|transverse|antero-?posterior|cranio-?caudal|craniocaudal|sagittal|axial|coronal|"
         r"dimension)\b)?")
_NUMERAL = rf"(?:{NUMBER}|{spoken_pattern()})"
_ONE = rf"{_NUMERAL}(?:\s*-?\s*{_UNIT})?{_AXIS}"
_LINK = r"\s*(?:x|\*|/|-|,|;|&|(?<![^\W_])(?:by|sur|par|on|a|to|et|and|ou|or|puis|then|x)(?![^\W\d_]))\s*"
_CHAIN = re.compile(rf"(?<![\w.,/+])(?<!\w[-])(?:{_ONE})(?:{_LINK}(?:{_ONE}))*")
_PART = re.compile(rf"(?P<link>{_LINK})?(?P<number>{_NUMERAL})(?:\s*-?\s*(?P<unit>{_UNIT}))?(?P<axis>{_AXIS})")
_TIMES = frozenset(("x", "*", "by", "sur", "/", "par", "on"))
_LAST = frozenset(("et", "and", "ou", "or", "&", "puis", "then", "a", "to"))
_TO = frozenset(("-", "a", "to"))
_HAS_UNIT = re.compile(r"(?<![a-z])(?:cms?|mms?|centim\s?et|millim\s?et)|(?<=-)(?:centim|millim)")
_BETWEEN_BEFORE = re.compile(r"\b(?:entre|between)\s*$")
_CHANGE = re.compile(r"(?:(?<!ranging )\bfrom|\b(?:pass|augment|progress|reduc|reduit|diminu|regress|increas|decreas|"
                     r"gr[eo]w|enlarg|shr[aiu]nk)\w*(?: \w+){0,4}(?: de)?)\s+$")
_LONG = re.compile(r"(?:\s*(?:de |d'|in |en |of )(?:son |its |the )?(?:plus |maximum |maximal |greatest |largest |"
                   r"longest |grand |great )*"
                   r"(?:grand axe|axe|grand diametre|diametre|diameter|long|longueur|length|largeur|width|size|taille|"
                   r"dimensions?|"
                   r"hauteur|height|axis|axes?)\b(?:\s*(?:maximum|maximal|transversal\w*|max))?|\s*(?:long|wide|"
                   r"diameter)\b)+")


@dataclass(frozen=True)
class _Number:
    """One number of a chain of measurements."""

    start: int
    end: int
    value: str
    unit: str
    link: str
    axis: str


def find(note: Note) -> Iterator[Found]:
    """Sizes of lesions."""
    if not note.has("cm", "mm", "centim", "millim"):
        return
    for unit in _chains(note):
        for start, end, value, qualifier in _measurements(note, *unit):
            if _is_lesion(note, start, end, unit):
                yield Found("tumour_size", start, end, value, "mm", qualifier, _earlier(note, start, end, unit))


def _earlier(note: Note, start: int, end: int, chain: tuple[int, int]) -> tuple[str, ...]:
    """History for a size that another took the place of (grew from 8 to 14 mm, 45 mm previously)."""
    grew = start == chain[0] and end < chain[1] and _CHANGE.search(note.folded, max(start - 60, 0), start)
    return ("history",) if grew or _before_that().match(note.folded, end) else ()


@cache
def _before_that() -> re.Pattern[str]:
    return re.compile(rf"[\s,]*{phrases('statements', 'earlier_after')}(?![^\W_])")


def _chains(note: Note) -> Iterator[tuple[int, int]]:
    """Stretches of numbers of which at least one has a unit of length."""
    last = -1
    for near in note.search(_HAS_UNIT):
        if near.start() < last:
            continue
        stop = min(near.end() + 80, len(note.folded))
        for chain in _CHAIN.finditer(note.folded, max(near.start() - 60, last, 0), stop):
            if chain.start() < near.start() < chain.end():
                last = chain.end()
                yield chain.start(), chain.end()
                break


def _numbers(note: Note, start: int, end: int) -> list[_Number]:
    found: list[_Number] = []
    for match in _PART.finditer(note.folded, start, end):
        value = number(match["number"], note.language)
        unit = match["unit"] or ""
        stop = match.end("unit") if unit else match.end("number")
        link, axis = (match["link"] or "").strip(), match["axis"].strip()
        found.append(_Number(match.start("number"), stop, value or "", unit[:1], link, axis))
    return found


def _measurements(note: Note, start: int, end: int) -> Iterator[tuple[int, int, str, str]]:
    """Begin, end, value and qualifier of each measurement of a chain."""
    numbers = _numbers(note, start, end)
    lead = note.folded[max(start - 60, note.sentence_at(start)[0]):start]
    for group in _groups(numbers, bool(_BETWEEN_BEFORE.search(lead)), bool(_CHANGE.search(lead))):
        unit = next((each.unit for each in group if each.unit), "") or _unit_after(numbers, group)
        if not unit or not all(each.value for each in group):
            continue
        sizes = _in_mm(group, unit)
        if all(0 < Decimal(size) <= 1000 for size in sizes):
            yield group[0].start, group[-1].end, *_value(group, sizes)


def _value(group: Sequence[_Number], sizes: Sequence[str]) -> tuple[str, str]:
    """The dimensions; of a range the greater end, with the range in the qualifier."""
    if len(group) == 2 and group[1].link not in _TIMES and not group[0].axis:
        return max(sizes, key=Decimal), "-".join(sizes)
    return " x ".join(sizes), ""


def _in_mm(group: Sequence[_Number], unit: str) -> list[str]:
    """Each number in mm: by its own unit, else the next one to its right, else the one before."""
    sizes: list[str] = []
    for place, each in enumerate(group):
        own = next((other.unit for other in group[place:] if other.unit), "") or next(
            (other.unit for other in reversed(group[:place]) if other.unit), unit)
        sizes.append(scaled(each.value, 10 if own == "c" else 1))
    return sizes


def _groups(numbers: Sequence[_Number], between: bool, change: bool) -> Iterator[list[_Number]]:
    """The numbers of each measurement: dimensions and ranges together, lists apart."""
    group: list[_Number] = []
    for each in numbers:
        ranged = len(group) == 1 and not change and _is_range(group[0], each, between)
        tied = each.link in _TIMES or ranged or _goes_with(group, each)
        if group and not tied:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _goes_with(group: Sequence[_Number], each: _Number) -> bool:
    """Whether a number is a further dimension by the words of axes (5 cm in length and 3 cm in width)."""
    if not (group and each.axis and group[-1].axis):
        return False
    return each.axis != group[-1].axis and each.link in (",", "and", "et", "")


def _is_range(first: _Number, second: _Number, between: bool) -> bool:
    if second.link in ("et", "and"):
        return between
    return second.link in _TO and bool(first.value and second.value) and Decimal(first.value) < Decimal(second.value)


def _unit_after(numbers: Sequence[_Number], group: Sequence[_Number]) -> str:
    """The unit of a list (16, 13 et 12 mm) for a member without one, where and or or ends the list."""
    after = [each for each in numbers if each.start >= group[0].start]
    for each in after:
        if each.unit:
            linked = any(other.link in _LAST for other in after[1:after.index(each) + 1])
            return each.unit if linked else ""
    return ""


@cache
def _nouns() -> re.Pattern[str]:
    groups = [rf"(?P<{kind}>{phrases('measured', kind)})" for kind in ("other", "lesion", "organ")]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(groups)}|(?P<oma>(?!sympt|syndro|geno|chromo|strom|diplo|"
                      rf"glauc)\w{{3,}}(?:omas?|omata|omes?)))(?![^\W_])")


@cache
def _stop() -> re.Pattern[str]:
    return re.compile(rf"[,.;:()\n]|(?<![^\W_]){phrases('measured', 'stop')}(?![^\W_])")


@cache
def _distance_after() -> re.Pattern[str]:
    return re.compile(rf"[\s-]*{phrases('measured', 'distance_after')}(?![^\W_])")


@cache
def _distance_before() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('measured', 'distance_before')}[\s:=]*(?:(?:about|environ|approximately|"
                      rf"de)\s+)?$")


_AT = re.compile(r"(?<![^\W_])(?:a|at)\s+(?:environ |about |approximately |moins de |plus de )?$")
_MEASURED_AT = re.compile(r"(?:mesur\w*|evalu\w*|estim\w*|pass\w*|augment\w*|diminu\w*|regress\w*|cot\w*|chiffr\w*|"
                          r"taille|diametre|measured|stable|increased|decreased)\s+\w{0,8}\s?a\s+$")
_OF = re.compile(r"\s*(?:de |du |des |d')(?!(?:son |plus |grand|diam|long|larg|haut|axe|taille|cote))")
_COMPLEMENT = re.compile(r"(?<![^\W_])(?:with|avec|against|contre|beside|alongside|of|in|on|within|into|at|involving|"
                         r"along|from|near|over|to|de|du|des|d|au|aux|dans|sur|en|sous|intra|par|entre|contre|a|"
                         r"hors)[\s']"
                         r"(?:(?:the|la|le|les|l|un|une|his|her|sa|son|niveau|du|de|both|right|left|upper|lower|mid|"
                         r"middle|tete|queue|corps|head|"
                         r"body|tail|segment|cote|lateral|medial|quadrant|tiers|third|inferieur|superieur|droit|"
                         r"gauche|bord|face|paroi|wall|pole|region|part|posterior|anterior|posterieur|anterieure?|"
                         r"posterieure|superieure|inferieure|gauche|droite|left|distal|proximal|common|main|\w+ic|"
                         r"\w+ique)\b[\s']*){0,6}$")


def _is_lesion(note: Note, start: int, end: int, chain: tuple[int, int]) -> bool:
    """Whether a length is the size of a lesion."""
    folded = note.folded
    begin, stop = note.sentence_at(start)
    if _is_distance(folded, start, end, begin):
        return False
    after = _noun_after(folded, max(end, chain[1]), stop)
    if after:
        return after == "lesion"
    if _lung_lobe().search(folded, begin, chain[0]) and "x" not in folded[chain[0]:chain[1]]:
        return True
    return _noun_before(note, chain[0], begin)


def _is_distance(folded: str, start: int, end: int, begin: int) -> bool:
    before = folded[max(begin, start - 40):start]
    if _distance_after().match(folded, end) or _distance_before().search(before):
        return True
    placed = before.endswith("at ") or _OF.match(folded, end)
    return bool(_AT.search(before) and placed and not _MEASURED_AT.search(before))


def _noun_after(folded: str, end: int, stop: int) -> str:
    """The kind of the noun that a length qualifies from before (a 3 cm renal mass); empty where there is none."""
    words = _LONG.match(folded, end, stop)
    at = words.end() if words else end
    halt = _stop().search(folded, at, stop)
    kinds = [_kind(match) for match in _nouns().finditer(folded, at, min(halt.start() if halt else stop, at + 80))]
    if not kinds or kinds[-1] == "other":
        return kinds[-1] if kinds else ""
    return "lesion" if "lesion" in kinds else "organ"


def _noun_before(note: Note, start: int, begin: int) -> bool:
    """Whether the nearest noun before a length is a lesion; where there is none, that of the sentence before."""
    folded = note.folded
    nouns = list(_nouns().finditer(folded, begin, start))
    for place in range(len(nouns) - 1, -1, -1):
        kind = _kind(nouns[place])
        if kind == "organ" and (_COMPLEMENT.search(folded, max(begin, nouns[place].start() - 60), nouns[place].start())
                                or _is_beside(folded, nouns[:place], nouns[place])):
            continue
        return kind == "lesion"
    return _goes_on(note, start, begin)


@cache
def _lung_lobe() -> re.Pattern[str]:
    """A place in the lung right before one length (left lower lobe 52 mm): a lesion there is that long."""
    return re.compile(rf"(?<![^\W_]){phrases('measured', 'lung_lobe')} $")


def _is_beside(folded: str, before: Sequence[re.Match[str]], organ: re.Match[str]) -> bool:
    """Whether an organ's word only describes the lesion right before it (masse latero-uterine)."""
    if not before or _kind(before[-1]) != "lesion":
        return False
    gap = folded[before[-1].end():organ.start()]
    return len(gap) < 40 and not re.search(r"[,;:.]|\b(?:et|and|with|avec|is|was|est|dont|puis|then|while|"
                                           r"normal\w*)\b", gap)


_MEASURE_WORD = re.compile(r"\b(?:mesur\w*|measur\w*|size|taille|diamet\w*|dimension\w*|grand axe|axe|it|elle|il|"
                           r"gr[eo]w\w*|increas\w*|decreas\w*|enlarg\w*|augment\w*|regress\w*|this|celui-ci|"
                           r"celle-ci)\b")


def _goes_on(note: Note, start: int, begin: int) -> bool:
    """Whether a sentence that names nothing goes on about a lesion (it measured 3 cm)."""
    if not _MEASURE_WORD.search(note.folded, begin, start):
        return False
    before = note.sentence_at(begin - 1)[0] if begin else 0
    kinds = [_kind(match) for match in _nouns().finditer(note.folded, before, begin)]
    return "lesion" in kinds or not kinds


def _kind(match: re.Match[str]) -> str:
    kind = str(match.lastgroup)
    return "lesion" if kind == "oma" else kind

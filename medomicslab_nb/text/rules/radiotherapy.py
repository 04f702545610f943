"""Total doses of radiotherapy in Gy, with the fractions; "25 x 2 Gy" alone is their product.

Not found are doses of one fraction and limits of an organ (``lexicons/radiotherapy.yaml``). A boost is a fact of its
own.

Measured on the half of the E3C layer 3 case reports that was not read while the rule was made (annotated by simulated
annotators, no clinicians): all 7 French (exact interval of recall .59 to 1) and all 4 English doses (.40 to 1) found
with their value; with the context 7 and 2.

Limits: few examples; numbers in words (eight fractions) are not read; doses are not summed over a plan and its boost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled
from medomicslab_nb.text.rules.phrases import phrases

_SLASHED = re.compile(  # 60 Gy/30
    r"\s?/\s?(?P<count>\d{1,2})(?=[\s.;,)]*$|[;,)]|\.(?!\d)|\n|\s(?:en|in|over|sur)\b)(?!,\d)")
_UNIT = r"(?P<unit>c?gy|c?grays?|c?greys?)"


def find(note: Note) -> Iterator[Found]:
    """The doses of a note, but for those of one fraction and those that an organ may not exceed."""
    if not note.has("gy", "gray", "grey"):
        return
    doses = list(note.search(_dose()))
    for match in doses:
        others = [other for other in doses if other is not match and note.sentence_at(other.start())
                  == note.sentence_at(match.start())]
        found = _total(note, match, others)
        if found is not None:
            yield found


def _total(note: Note, match: re.Match[str], others: Sequence[re.Match[str]]) -> Found | None:
    """The total dose that a match says; None where it is another one."""
    dose = _in_gy(note, match["dose"], match["unit"])
    start, end = note.sentence_at(match.start())
    before = note.folded[max(start, match.start() - 35):match.start()]
    if dose is None or _limit().search(before):
        return None
    fractions = match["times"] or match["times_after"]
    if fractions:
        product = scaled(dose, fractions)
        if any(_in_gy(note, other["dose"], other["unit"]) == product for other in others):
            return None
        return Found("radiotherapy_dose", *match.span(), product, "Gy", f"{fractions} fractions")
    if match["single"] or _of_fraction().search(before):
        return None
    count = next((times for other in others if (times := other["times"] or other["times_after"])
                  and scaled(_in_gy(note, other["dose"], other["unit"]) or "0", times) == dose), "")
    after = match.end("unit")
    counted = (_SLASHED.match(note.folded, after, end)
               or _fractions().search(note.folded, after, min(end, after + 60)))
    if counted and not count:
        count = counted["count"]
    return Found("radiotherapy_dose", match.start("dose"), match.end("unit"), dose, "Gy",
                 f"{count} fractions" if count else "")


def _in_gy(note: Note, written: str, unit: str) -> str | None:
    value = number(written, note.language)
    return scaled(value, "0.01") if value is not None and unit.startswith("c") else value


@cache
def _dose() -> re.Pattern[str]:
    """A number in Gy, with how often it is given or that it is the dose of one fraction."""
    fraction, each = phrases("radiotherapy", "fraction"), phrases("radiotherapy", "each")
    return re.compile(
        rf"(?:(?P<times>\b\d{{1,2}})\s*(?:x|\*|fois|times|{fraction}\s*(?:x|de|of|a|at))\s*)?"
        rf"(?<![\w.,])(?P<dose>{NUMBER})[\s-]*{_UNIT}\b"
        rf"(?:\s*(?:x|\*|fois|times)\s*(?P<times_after>\d{{1,2}})\b(?!\s*gy)"
        rf"|(?P<single>\s*(?:{each}\s*{fraction}|(?:daily|quotidien\w*|bid|{fraction})\b)(?!\w)))?")


@cache
def _fractions() -> re.Pattern[str]:
    """How many fractions, but for how many a week."""
    fraction, each = phrases("radiotherapy", "fraction"), phrases("radiotherapy", "each")
    return re.compile(rf"(?<![\d.,])(?P<count>\d{{1,2}})\s*{fraction}\b(?!\s*{each}\s*{fraction}\b)")


@cache
def _of_fraction() -> re.Pattern[str]:
    """What makes the number after it the dose of one fraction: "en fractions de"."""
    return re.compile(rf"\b{phrases('radiotherapy', 'fraction')}\s*(?:x|de|d'|of|a|at)\s*$")


@cache
def _limit() -> re.Pattern[str]:
    return re.compile(rf"\b{phrases('radiotherapy', 'limit')}\b[^,;.]*$|[<≤>≥]\s*$")

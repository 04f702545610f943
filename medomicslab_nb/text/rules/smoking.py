"""Smoking of the patient: never, former, current, and pack-years.

Words stand in ``lexicons/smoking.yaml``. "35 PA" is pack-years, "PA 130/80" an arterial pressure; "20 cigarettes a day
for 30 years" is worked out (a pack has 20) where both numbers are plainly written. Passive smoking, cannabis, advice to
stop and a relative's smoking are none. Smoking without any word on whether it goes on ("smoking history of 30
pack-years") has pack-years and no status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled, spoken_pattern
from medomicslab_nb.text.rules.phrases import phrases

_WORDS = ("fum", "tabac", "tabag", "smok", "tobacco", "pack", "paq", "cig", "quit", "sevr", "p.a", "ppd")
_STATUS = ("never", "former", "current")
_MOST = 250  # pack-years


def find(note: Note) -> Iterator[Found]:
    """What a note says of the patient's smoking."""
    if not note.has(*_WORDS) and not _short_pattern().search(note.folded):
        return
    yield from _statuses(note)
    yield from _pack_years(note)


def _statuses(note: Note) -> Iterator[Found]:
    end = 0
    for match in note.search(_status_pattern()):
        if match.start() >= end:
            end = match.end()
            kind = str(match.lastgroup)
            if kind in _STATUS and not _is_of_another(note, *match.span()):
                yield Found("smoking_status", *match.span(), kind)


@cache
def _status_pattern() -> re.Pattern[str]:
    """All phrases; where several begin at one place, the longest of them."""
    lists = "|".join(rf"(?P<{kind}>{phrases('smoking', kind)})" for kind in ("other", *_STATUS))
    return re.compile(rf"(?<![^\W_])(?:{lists})(?![^\W_])")


def _is_of_another(note: Note, start: int, end: int) -> bool:
    """Whether the words are a relative's, or of no smoker of tobacco."""
    begin, stop = note.sentence_at(start)
    before = re.split(r"[;.]", note.folded[begin:start])[-1]
    after = note.folded[end:min(stop, end + 25)]
    relatives = list(_words("results", "relative").finditer(before))
    own = _words("results", "own")
    if relatives and not own.search(before, relatives[-1].end()):
        return True
    return bool(re.match(r"\W{1,3}(?:du |de la |le |la )?(?:cannabis|marijuana|hash|joints?|chicha|crack)", after)
                or re.match(r"\W{1,3}(?:of|de|du|chez|by)\s(?:her|his|the|son|sa|le|la)?\s?(?:mother|father|husband|wife|mere|pere|mari|femme)", after))


@cache
def _words(name: str, key: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases(name, key)}(?![^\W_])")


# -- pack-years ----------------------------------------------------------------------------------------------------


def _pack_years(note: Note) -> Iterator[Found]:
    taken: list[tuple[int, int]] = []
    for match in note.search(_named_pattern()):
        value = number(match["value"] or match["value_after"], note.language)
        if _is_plausible(value) and not _is_of_another(note, *match.span()):
            taken.append(match.span())
            yield Found("pack_years", match.start(), match.end(), str(value), "pack-years", match["sign"] or "")
    for match in note.search(_daily_pattern()):
        if not any(abs(match.start() - start) < 90 for start, _ in taken) and not _is_of_another(note, *match.span()):
            value = _worked_out(note, match)
            if _is_plausible(value):
                yield Found("pack_years", *match.span(), str(value), "pack-years")


def _is_plausible(value: str | None) -> bool:
    return value is not None and 0 < float(value) <= _MOST


def _worked_out(note: Note, match: re.Match[str]) -> str | None:
    """Packs a day times years."""
    daily, years = number(match["daily"], note.language), number(match["years"], note.language)
    if daily is None or years is None:
        return None
    packs = daily if match["packs"] else scaled(daily, "0.05")
    return scaled(packs, years)


@cache
def _short_pattern() -> re.Pattern[str]:
    return re.compile(rf"{NUMBER}\s?{phrases('smoking', 'pack_years_short')}(?![^\W_])")


@cache
def _named_pattern() -> re.Pattern[str]:
    """A number of pack-years, before or after their name; not an arterial pressure (PA 130/80, PA = 13)."""
    value = rf"(?:{NUMBER}|{spoken_pattern()})"
    long, short = phrases("smoking", "pack_years"), phrases("smoking", "pack_years_short")
    return re.compile(
        rf"(?<![\d/.,-])(?P<sign>[<>≤≥~]?)\s?(?P<value>{value})\s?-?\s?(?:{long}|{short}(?!\s?[:=]?\s?\d))(?![^\W_])(?!\s?(?:mm|cm)\s?hg)"
        rf"|(?<![^\W_]){long}\s?(?:[:=]|a|of|at)\s?(?P<value_after>{NUMBER})(?![\d/])")


@cache
def _daily_pattern() -> re.Pattern[str]:
    """20 cigarettes par jour pendant 30 ans; a pack a day for 15 years; 1 ppd x 30 yrs."""
    packs, cigarettes, a_day = (phrases("smoking", name) for name in ("packs", "cigarettes", "a_day"))
    return re.compile(
        rf"(?<![^\W_])(?P<daily>{NUMBER}|{spoken_pattern()})\s?(?:(?P<packs>{packs})|{cigarettes})\s?(?:de cigarettes\s?|of cigarettes\s?)?"
        rf"(?:{a_day})?\s?,?\s?(?:pendant|durant|depuis|sur|for|over|x|times|during|since)\s(?:the past\s|the last\s|about\s|environ\s|plus de\s)?"
        rf"(?P<years>{NUMBER}|{spoken_pattern()})\s?(?:ans|annees|an|years|yrs|year)(?![^\W_])")

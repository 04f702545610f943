"""Smoking of the patient: never, former, current, and pack-years.

Words stand in ``lexicons/smoking.yaml``. "35 PA" is pack-years, "PA 130/80" an arterial pressure; "20 cigarettes a day
for 30 years" is worked out (a pack has 20) where both numbers are plainly written. A lone answer ("Tabac : jamais",
"20 PA, sevré") counts beside a name of smoking or pack-years and adds nothing to the same status in its sentence.
Passive smoking, cannabis, advice to stop and criteria are none; a relative's smoking is none in French notes and is
of the family in English ones. Smoking without any word on whether it goes on ("smoking history of 30 pack-years")
has pack-years and no status.

Notes
-----
Challenge set (*not real notes*), the half not looked at: status F1 .78 in French (n 31) and .67 in English (n 24),
pack-years .87 (n 15) and .85 (n 15); once it was read, all of it: status .96 (n 78) and .96 (n 49), pack-years .99 (n
37) and .98 (n 29). Limits: ranges and words without spaces are not read; of two statuses in one sentence often only
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled, spoken_pattern
from medomicslab_nb.text.rules.outcomes import clause_after, clause_before, in_order, is_relatives
from medomicslab_nb.text.rules.phrases import alternation, listed, phrases, word_lists
from medomicslab_nb.text.rules.places import Stretch, search, stretches

_WORDS = ("fum", "tabac", "tabag", "smok", "tobacco", "pack", "paq", "cig", "ppd", "clope", "nicot")  # a quick look
_NAMES = ("fume", "fuma", "tabac", "tabag", "smok", "tobacco", "pack", "paquet", "cigarette", "cigs", "clope",
          "nicotin", "paq", "ppd", "nonsmok", "exsmok", "passivement", "alcoolotabag")  # how a word of smoking begins
_KINDS = ("other", "never", "former", "current")
_SHORT = re.compile(r"\d\s?p[./-]?[ayk](?![a-z]{2})")  # a quick look for 20 PA, 30 py
_MOST = 250  # pack-years
_ANSWER = 45  # characters between a name of smoking and its answer, at most


def find(note: Note) -> Iterator[Found]:
    """What a note says of the patient's smoking."""
    within = stretches(note, _NAMES) if note.has(*_WORDS) else []
    short = [note.sentence_at(match.start()) for match in note.search(_SHORT)]
    packs = list(in_order(note, _pack_years(note, [*within, *short])))
    packs = list(_corrected(note, packs))
    statuses = list(_statuses(note, within))
    yield from packs
    yield from (each for each in statuses if not _is_answered(note, each))
    within += [note.sentence_at(each.start) for each in packs]
    answers = list(_answers(note, within, statuses, packs))
    yield from answers
    yield from _daily(note, within, {note.sentence_at(each.start) for each in (*statuses, *answers, *packs)})


def _stated(
    note: Note, attribute: str, span: tuple[int, int], value: str, unit: str = "", sign: str = "",
) -> Iterator[Found]:
    """A mention with what only this rule knows of it; none for a criterion and, in French notes, for a relative."""
    start, end = span
    if _is_criterion(note, start, end) or _is_other_smoke(note, end):
        return
    wrong = _words("wrong_after").match(clause_after(note, end).lstrip(" ,:;("))
    context: tuple[str, ...] = ("negated",) if wrong else ()
    if _recorded().search(clause_before(note, start)):
        context = (*context, "history")
    if is_relatives(note, start, end):
        if note.language == "fr":
            return
        context = (*context, "family")
    yield Found(attribute, start, end, value, unit, sign, context)


def _is_criterion(note: Note, start: int, end: int) -> bool:
    """Whether a threshold is spoken of: "eligible from 20 pack-years"."""
    before = clause_before(note, start)
    announced = list(_words("criterion").finditer(before))
    if announced and not _words("own").search(before, announced[-1].end()):
        return True
    return bool(re.match(rf"\W{{1,3}}{_words('criterion_after').pattern}", note.folded[end:end + 20]))


def _is_other_smoke(note: Note, end: int) -> bool:
    smoked = rf"[\s'(]{{1,3}}(?:(?:du|de la|le|la)\s)?{_words('smoked').pattern}"
    return bool(re.match(smoked, note.folded[end:end + 25]))


@cache
def _recorded() -> re.Pattern[str]:
    """Words right before a status that was written so and does not hold."""
    return re.compile(rf"{_words('recorded').pattern}\W*(?:an?\W+)?$")


# -- status --------------------------------------------------------------------------------------------------------


def _statuses(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    for match in search(note, _status_pattern(), within):
        kind = next(kind for kind in _KINDS if _words(kind).fullmatch(match[0]))
        if match[0] == "tabagique" and not _bare().match(note.folded, match.end()):
            continue
        if kind != "other":
            yield from _stated(note, "smoking_status", match.span(), kind)


@cache
def _status_pattern() -> re.Pattern[str]:
    """All phrases, those of no status too; where several begin at one place, the longest."""
    every = alternation(phrase for kind in _KINDS for phrase in listed("smoking", kind))
    return re.compile(rf"(?<![^\W_]){every}(?![^\W_])")


@cache
def _bare() -> re.Pattern[str]:
    """What makes a patient "tabagique" a smoker: a number of pack-years or packs after it."""
    units = "|".join(phrases("smoking", name) for name in ("pack_years_short", "pack_years", "packs"))
    return re.compile(rf"[\s,(]{{1,2}}(?:a\s|environ\s|estime a\s)?{NUMBER}\s?(?:{units})")


def _is_answered(note: Note, status: Found) -> bool:
    """Whether a status is only the name in a table, whose answer says otherwise: "Fumeuse : jamais"."""
    written = note.folded[status.start:status.end]
    return bool(_words("name").fullmatch(written) and _heads_answer().match(note.folded, status.end))


@cache
def _heads_answer() -> re.Pattern[str]:
    answers = "|".join(phrases("smoking", f"answer_{kind}") for kind in ("never", "former"))
    return re.compile(rf"\s?[:=\t(]\s?(?:{answers})(?![^\W_])")


def _answers(
    note: Note, within: Sequence[Stretch], statuses: list[Found], packs: list[Found],
) -> Iterator[Found]:
    """Lone answers that a name of smoking or pack-years stands before: "Tabac : arrêt 2012", "20 PA, sevré"."""
    said = {note.sentence_at(each.start): each.value for each in statuses if not _is_answered(note, each)}
    for match in search(note, _answer_pattern(), within):
        sentence = note.sentence_at(match.start())
        if sentence in said or any(each.start < match.end() and match.start() < each.end for each in statuses):
            continue
        kind = str(match.lastgroup)
        if _is_of_smoking(note, match.start(), kind, packs):
            said[sentence] = kind
            yield from _stated(note, "smoking_status", match.span(), kind)


def _daily(note: Note, within: Sequence[Stretch], said: set[tuple[int, int]]) -> Iterator[Found]:
    """What a patient smokes a day, where a sentence says nothing else: "Tabac : 15 cigarettes/j"."""
    for match in search(note, _daily_now_pattern(), within):
        if note.sentence_at(match.start()) not in said:
            yield from _stated(note, "smoking_status", match.span(), "current")


@cache
def _daily_now_pattern() -> re.Pattern[str]:
    packs, cigarettes, a_day = (phrases("smoking", name) for name in ("packs", "cigarettes", "a_day"))
    amount = rf"(?:{NUMBER}|{alternation(word_lists('smoking')['parts'])})[\s-]?"
    return re.compile(rf"(?<![^\W_])(?<![\d/.,-]){amount}(?:ppd|(?:{packs}|{cigarettes})\s?{a_day})(?![^\W_])"
                      rf"(?!\s?,?\s?{phrases('smoking', 'lasting')}\s)")


def _is_of_smoking(note: Note, at: int, kind: str, packs: list[Found]) -> bool:
    """Whether smoking is what an answer is about: named last before it, or beside pack-years."""
    begin = max(note.sentence_at(at)[0], at - _ANSWER)
    before = note.folded[begin:at]
    names = list(_words("name").finditer(before))
    others = list(_words("other_name").finditer(before))
    if others and (not names or others[-1].start() > names[-1].start()):
        return False
    if names:
        between = before[names[-1].end():]
        return (kind == "former" or bool(_words("goes_on").match(note.folded, at)) or not _between().sub("", between)
                or bool(re.match(r"\s?[:=\t(]", between)))
    return kind != "never" and any(begin <= each.start < min(at + _ANSWER, note.sentence_at(at)[1]) for each in packs)


@cache
def _between() -> re.Pattern[str]:
    return re.compile(rf"[\s:=-]|{_words('between').pattern}")


@cache
def _answer_pattern() -> re.Pattern[str]:
    lists = "|".join(rf"(?P<{kind}>{phrases('smoking', f'answer_{kind}')})" for kind in ("current", "former", "never"))
    return re.compile(rf"(?<![^\W_])(?:{lists})(?![^\W_])(?!\s{phrases('smoking', 'unknown_after')})")


@cache
def _words(key: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('smoking', key)}(?![^\W_])")


# -- pack-years ----------------------------------------------------------------------------------------------------


def _pack_years(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    taken: list[tuple[int, int]] = []
    for match in search(note, _named_pattern(), within):
        value = number(match["value"] or match["value_after"], note.language)
        if _is_plausible(value):
            taken.append(match.span())
            yield from _stated(note, "pack_years", match.span(), str(value), "pack-years", match["sign"] or "")
    for match in search(note, _daily_pattern(), within):
        value = _worked_out(note, match)
        if _is_plausible(value) and not any(abs(match.start() - start) < 90 for start, _ in taken):
            yield from _stated(note, "pack_years", match.span(), str(value), "pack-years")


def _corrected(note: Note, packs: Sequence[Found]) -> Iterator[Found]:
    """Pack-years and the numbers without a unit that take their place: "40 pack-years ... corrects this to 20"."""
    for pack in packs:
        match = _takes_place().search(note.folded, pack.end, note.sentence_at(pack.start)[1])
        if match:
            yield replace(pack, context=(*pack.context, "history"))
            yield from _stated(note, "pack_years", match.span(), str(number(match["value"], note.language)),
                               "pack-years")
        else:
            yield pack


@cache
def _takes_place() -> re.Pattern[str]:
    return re.compile(rf"{_words('takes_place').pattern}\s(?P<value>\d+)(?=\W*$|[.;,)])")


def _is_plausible(value: str | None) -> bool:
    return value is not None and 0 <= float(value) <= _MOST


def _worked_out(note: Note, match: re.Match[str]) -> str | None:
    """Packs a day times years."""
    daily = word_lists("smoking")["parts"].get(match["daily"]) or number(match["daily"], note.language)
    years = number(match["years"], note.language)
    if daily is None or years is None:
        return None
    packs = daily if match["packs"] else scaled(daily, "0.05")
    return scaled(packs, years)


@cache
def _named_pattern() -> re.Pattern[str]:
    """A number of pack-years, before or after their name; not an arterial pressure (PA 130/80, PA = 13)."""
    value = rf"(?:{NUMBER}|{spoken_pattern()})"
    long, short = phrases("smoking", "pack_years"), phrases("smoking", "pack_years_short")
    pressure = r"(?!\s?[:=]?\s?\d|\s?(?:mm|cm)\s?hg)"
    before = (rf"(?<![\d/.,-])(?:(?P<sign>[<>≤≥~])\s?)?(?P<value>{value})\+?\s?-?\s?(?:{long}|{short}{pressure})"
              r"(?![^\W_])")
    after = (rf"(?<![^\W_])(?:{long}|pys?)(?:\s?(?:[:=]|a|of|at)\s?|\s(?={NUMBER}[\s.;)]*(?:\n|$)))"
             rf"(?P<value_after>{NUMBER})(?![\d/])")
    return re.compile(rf"{before}|{after}")


@cache
def _daily_pattern() -> re.Pattern[str]:
    """20 cigarettes par jour pendant 30 ans; a pack a day for 15 years; 1 ppd x 30 yrs."""
    packs, cigarettes, a_day, lasting, years = (
        phrases("smoking", name) for name in ("packs", "cigarettes", "a_day", "lasting", "years"))
    value = rf"(?:{NUMBER}|{spoken_pattern()})"
    parts = alternation(word_lists("smoking")["parts"])
    return re.compile(
        rf"(?<![^\W_])(?<![\d/.,-])(?P<daily>{value}|{parts})[\s-]?(?:(?P<packs>{packs})|{cigarettes})\s?"
        rf"(?:(?:de|of) cigarettes\s?)?(?:{a_day})?\s?,?\s?{lasting}\s(?P<years>{value})\s?{years}(?![^\W_])")

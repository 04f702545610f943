"""Gleason scores and ISUP grade groups of the prostate.

A Gleason score is given with both patterns where they are written, before or after the word and in lists, otherwise by
its sum; single patterns ("Gleason grade 4") and thresholds are none. A grade group is found as written, never derived
from a Gleason score; a grade by ISUP of a kidney tumour is the rule ``grade``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.grade import of_the_kidney

_NAME = re.compile(r"\bg+l[ea]{1,3}s{1,2}[oe]n+(?:'?s)?(?![^\W_])|\bgs(?=\s?[:=]?\s?(?:\d|\())|\bgl\.?(?=\s?[:=]?\s?\d\s?\+)")
_SUM = r"(?:10|[2-9])"
_PATTERNS = re.compile(
    rf"(?<![\d+.,])(?:(?P<sum_before>{_SUM})\s?[:=(\[]{{0,3}}\s?(?:soit\s|c\.?a\.?d\.?\s)?)?"
    rf"(?P<first>[1-5])\s?\+\s?(?P<second>[1-5])(?![\d.,]\d|\d|\s?%|\s?\+\s?\d\s?=)(?:\)?\s?(?:=|soit|equals|:)\s?\(?{_SUM}(?![\d.,]\d|\d)\)?)?\)?")
_SMALL = (r"(?:[\s:=,(\"'\[-]|\b(?:score|sum|somme|total|grade|combined|de|du|of|a|was|is|est|etait|at|la|le|the|biopsy|biopsique|"
          r"pathological|final|global|initial|estime|cote|evalue|overall|highest|maximal|worst|reported|as|et|isup|coefficient|"
          r"prostate|adenocarcinoma|adenocarcinome|cancer|histological|histologique|group|groupe|passe|upgraded|to|from|"
          r"s)\b){0,6}?")
_SCORE = re.compile(rf"{_SMALL}(?<![^\W_])(?P<sum>10|[6-9]|six|seven|sept|eight|huit|nine|neuf|ten|dix)(?![^\W_])"
                    r"(?![.,]\d|\s?%|\s?(?:mois|months?|ans|years?|ng|mm|cm|carottes?|cores?|jours?|days?|cycles?))"
                    r"(?:\s?/\s?10)?")
_MORE = re.compile(r"\s?(?:-|/|a|to|et|and|ou|or|,)\s?(?P<sum>10|[6-9])(?![^\W_])(?![.,]\d|\s?[%+]|\s?(?:mois|months?|ans|years?|ng|mm|cm|car|cor|j|d))")
_SINGLE = re.compile(r"(?:grade|pattern|contingent|composante|component)s?(?:\s(?:de|of))?\s?$")
_WORDS = {"six": "6", "seven": "7", "sept": "7", "eight": "8", "huit": "8", "nine": "9", "neuf": "9", "ten": "10", "dix": "10"}
_GROUP = re.compile(
    r"\b(?P<name>isup(?:\s?/?\s?(?:who|oms))?|(?:who|oms)\s?/?\s?isup|(?:prognostic\s)?grade[\s-]groups?|group\sgrade|grade\sgroupe|"
    r"groupes?(?:\s(?:de|pronostique|pronostic))?\s?(?:de\s)?grades?|groupes?\spronostiques?|ggg?)(?![^\W_])"
    r"(?:[\s:=(),\"'-]|\b(?:grade|group|groupe|gg|score|isup|de|du|of|a|was|is|est|etait|at|le|la|the|in|en|20\d\d|"
    r"who|oms|final|selon|classe|cote|stade|number|n|categorie|category|gleason)\b){0,8}?(?<![^\W_])"
    r"(?P<value>[1-5]|iv|v|i{1,3}|one|two|three|four|five|un|deux|trois|quatre|cinq)(?![^\W_])(?![.,]\d|\s?[%+]|\s?(?:mm|cm|mois|month|an|carotte|core))"
    r"(?:\s?/\s?5)?")
_MORE_GROUPS = re.compile(r"\s?(?:-|/|a|to|et|and|ou|or)\s?(?P<value>[1-5])(?![^\W_])(?![.,]\d|\s?[%+]|\s?(?:mm|cm|mois|month|an|car|cor))")
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
            "un": "1", "deux": "2", "trois": "3", "quatre": "4", "cinq": "5"}


def find(note: Note) -> Iterator[Found]:
    """The Gleason scores and grade groups of a note."""
    yield from _gleason(note)
    if note.has("isup", "group", "gg"):
        yield from _groups(note)


def _gleason(note: Note) -> Iterator[Found]:
    names = list(note.search(_NAME)) if note.has("gl", "gs") else []
    patterns = [match for match in note.search(_PATTERNS) if names and _belongs(note, match, names)]
    for match in patterns:
        yield Found("gleason", match.start(), match.end(), _score(match))
    for name in names:
        if note.folded[name.start():name.end()] != "gl":
            yield from _sums(note, name, patterns)


def _score(match: re.Match[str]) -> str:
    first, second = match["first"], match["second"]
    return f"{first}+{second}={int(first) + int(second)}"


def _belongs(note: Note, match: re.Match[str], names: list[re.Match[str]]) -> bool:
    """Whether two patterns are a Gleason score: one is named in the sentence, or their sum is and one is in the note."""
    begin, stop = note.sentence_at(match.start())
    named = any(begin <= name.start() < stop for name in names)
    return named or int(match["first"]) + int(match["second"]) >= 6


def _sums(note: Note, name: re.Match[str], patterns: list[re.Match[str]]) -> Iterator[Found]:
    """Scores by their sum only, after the name, unless its patterns stand there."""
    match = _SCORE.match(note.folded, name.end())
    while match is not None:
        start, end = match.span("sum")
        if any(each.start() <= start < each.end() for each in patterns):
            return
        if not _SINGLE.search(note.folded, 0, name.start()) or match["sum"] not in "12345":
            yield Found("gleason", start, max(end, match.end()), _WORDS.get(match["sum"], match["sum"]))
        match = _MORE.match(note.folded, match.end())


def _groups(note: Note) -> Iterator[Found]:
    for match in note.search(_GROUP):
        if _is_group(note, match):
            yield Found("isup", match.start(), match.end("value"), _NUMBERS.get(match["value"], match["value"]))
            more = _MORE_GROUPS.match(note.folded, match.end())
            if more and match.end() == match.end("value") and more["value"] != match["value"]:
                yield Found("isup", more.start("value"), more.end(), more["value"])


def _is_group(note: Note, match: re.Match[str]) -> bool:
    if "isup" in match[0]:
        return not of_the_kidney(note, match.start())
    if match["name"].startswith(("gg", "groupe pronos", "groupes pronos")):
        return note.has("gleason", "prostat", "isup")
    return True

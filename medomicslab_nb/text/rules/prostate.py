"""Gleason scores and ISUP grade groups of the prostate.

A Gleason score is given with both patterns where they are written, before or after the word and in lists, otherwise by
its sum; single patterns ("Gleason grade 4") and thresholds are none. A grade group is found as written, never derived
from a Gleason score; a grade by ISUP of a kidney tumour is the rule ``grade``'s.

Measured on the test half of the challenge set, *not real notes*, before it was read: Gleason F1 0.78 French (n = 18),
0.68 English (n = 21), by value 0.89 and 0.78; ISUP 0.94 (n = 17) and 1.00 (n = 14). On the whole set, after reading it:
Gleason 0.94 (n = 34) and 1.00 (n = 38), ISUP 0.99 (n = 34) and 1.00 (n = 30). Limits: scores in prose without a name
or a sample beside them; what the general context adds (the family's with an earlier year).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.columns import in_columns
from medomicslab_nb.text.rules.grade import of_the_kidney
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.places import Stretch, search, stretches
from medomicslab_nb.text.rules.statements import stated

_GLEASON = r"g+l[ea]{1,3}s{1,2}[oe]n+(?:'?s)?"
_NAME = re.compile(rf"(?<![^\W_])(?:{_GLEASON}|gs(?=\s?[:=]?\s?(?:\d|\())|gl\.?(?=\s?[:=]?\s?\d\s?\+))(?![^\W\d_])")
_GLEASON_NAMES = ("gleas", "gleea", "glees", "glaso", "gleso", "glaes", "ggleas", "gleson", "glesson", "gl")
_GROUP_NAMES = ("isup", "international society of uro", "gr gp", "gr. gp",
                "grade group", "grade-group", "gradegroup", "grade groupe", "group grade", "groupe de grade",
                "groupe pronos", "groupe de pron",
                "groupes pronos", "groupe histopron", "groupes de grade", "whoisup", "prognostic grade")
_SUM = r"(?:10|[2-9])"
_PATTERN = r"(?:[1-5]|three|four|five|trois|quatre|cinq)"
_PATTERNS = re.compile(
    rf"(?<![\d+/])(?<!\d[.,])(?:(?P<sum_before>{_SUM})(?:\s?/\s?10)?\s?[:=(\[]{{0,3}}\s?(?:soit\s)?)?"
    rf"(?P<first>{_PATTERN})\s?(?:\+|\bplus\b)\s?(?P<second>{_PATTERN})"
    rf"(?![.,]?\d|\s?%|\s?\+\s?\d)(?:\)?\s?[=:(]{{1,2}}\s?(?P<sum_after>{_SUM})(?![.,]?\d)|\)?\s(?:soit|equals|makes|"
    rf"is|total|sum|score)\s(?P<sum_said>{_SUM})"
    r"(?![.,]?\d))?\)?")
_SMALL = rf"(?:[\s:=,(\"'\[-]|\b{phrases('prostate', 'between')}e?s?\b){{0,9}}?"
_SCORE = re.compile(rf"{_SMALL}(?<!\d)(?P<sum>10|[6-9]|(?<![^\W_])(?:six|seven|sept|eight|huit|nine|neuf|ten|"
                    rf"dix))(?![^\W_])"
                    r"(?![.,]\d|\s?%|\s?\+|-[a-z]|\s?(?:mois|months?|ans|years?|ng|mm|cm|carottes?|cores?|jours?|"
                    r"days?|cycles?|biops|prelev|frag))"
                    r"(?:\s?(?:/|sur)\s?10)?")
_GROUP_BESIDE = re.compile(r"isup|grade[\s-]?group|groupe\s(?:pronos|de\sgrade)|\bgg\s?\d")
_PLUS_SIGN = re.compile(r"\+")
_PLUS = re.compile(r"\+|\bplus\b")
_NUMBER_APART = (r"(?:\W{0,3}\b(?:gleason|patterns?|grade|patron|contingent|composante|score|is|est|of|de|a)\b){0,3}"
                 r"\W{1,3}(?P<number>[1-5])(?![\d%+])")
_PRIMARY = re.compile(rf"\b{phrases('prostate', 'primary')}\b" + _NUMBER_APART)
_SECONDARY = re.compile(rf"\b{phrases('prostate', 'secondary')}\b" + _NUMBER_APART)
_TOTAL = re.compile(r"\W{1,3}(?:gleason\W)?(?:total|sum|somme|score)(?:\sgleason|\sde\sgleason)?\W{1,3}"
                    r"(?:(?:of|is|de|est)\s)?(?P<sum>10|[2-9])(?![\d+])")
_ELSEWHERE = (rf"[^.;\d\n+]{{0,40}}\b{phrases('prostate', 'elsewhere')}\W{{1,3}}"
              r"(?:(?:a|is|was|at|est|etait|de|of)\s)?")
_MORE = re.compile(rf"(?:{_ELSEWHERE}|" r"\s?(?:-|/|\ba\b|\bto\b|\bet\b|\band\b|\bou\b|\bor\b|,|->|→)\s?)(?P<sum>10|"
                   r"[6-9])(?![^\W_])(?![.,]\d|\s?[%+(=]|\s?(?:mois|months?|ans|"
                   r"years?|ng|mm|cm|car|cor|j|d|bio|sur|out|of))")
_SAMPLED = re.compile(rf"\b{phrases('prostate', 'sampled')}\b")
_COUNTED = re.compile(rf"\)?\s?{phrases('prostate', 'counted')}\b")
_NEAR = 60  # characters from one pattern to the other where each has a name
_SINGLE = re.compile(r"(?:pattern|contingent|composante|component)s?(?:\s(?:de|of))?\s?$")
_PROSTATE = ("gleason", "prostat", "psa", "isup", "grade group", "gradegroup", "pi-rads", "pirads", "biops",
             "cribriform")
_OTHER_SUM = re.compile(rf"\b{phrases('prostate', 'other_sums')}\b")
_WORDS = {"six": "6", "seven": "7", "sept": "7", "eight": "8", "huit": "8", "nine": "9", "neuf": "9",
          "ten": "10", "dix": "10"}
_GROUP = re.compile(
    r"(?<![^\W_])(?P<name>isup(?:\s?/?\s?(?:who|oms))?|(?:who|oms)\s?/?\s?isup|(?:prognostic\s)?grade[\s-]?groups?|"
    r"group\sgrade|"
    r"grade[\s-]groupe|groupes?(?:\s(?:pronostique|pronostic))?\s?(?:de\s)?grades?|groupes?\spronostiques?|"
    r"groupes?\shistopronostiques?|"
    r"gradegroup|ggg?|gr\.?\sgp\.?|international\ssociety\sof\surolog\w+\spathology)(?![^\W\d_])"
    rf"(?:(?<=gr)\.|[\s:=(),/\"'°-]|\b(?:(?:19|20)\d\d|{phrases('prostate', 'group_between')})\b){{0,8}}?"
    r"(?<!\d)(?<![<>≤≥])(?<![<>≤≥]\s)"
    r"(?P<value>[1-5]|(?<![^\W_])(?:iv|v|i{1,3}|one|two|three|four|five|un|deux|trois|quatre|cinq))(?![^\W_])"
    r"(?![.,]\d|\s?[%+]|-[a-z]|\s?(?:mm|cm|mois|month|ans|carotte|core))(?:\s?/\s?5(?!\d))?")
_GROUP_BEFORE = re.compile(r"(?<![^\W_])(?:grade|groupe?)\s(?P<value>[1-5]|iv|v|i{1,3})\s\(?(?:selon\s|de\s|of\s|"
                           r"by\s)?(?:l'|the\s)?"
                           r"isup(?![^\W_])(?!\W{0,3}(?:\d|gr))")
_MORE_GROUPS = re.compile(rf"(?:{_ELSEWHERE}|"
                          r"\s?(?:-|/|\ba\b|\bto\b|\bet\b|\band\b|\bou\b|\bor\b|->|→)\s?(?:isup\s|gg\s?|"
                          r"grade group\s)?)(?P<value>[1-5])(?![^\W_])(?![.,]\d|\s?[%+]|"
                          r"\s?(?:mm|cm|mois|month|an|car|cor|sur|of|out))")
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "one": "1", "two": "2", "three": "3", "four": "4",
            "five": "5",
            "un": "1", "deux": "2", "trois": "3", "quatre": "4", "cinq": "5"}


def find(note: Note) -> Iterator[Found]:
    """The Gleason scores and grade groups of a note."""
    mentions = list(_gleason(note))
    if within := stretches(note, _GROUP_NAMES, ("gg", "ggg")):
        mentions += _groups(note, within)
    mentions += in_columns(note, "gleason", "isup")
    if mentions:
        yield from stated(note, dict.fromkeys(mentions))


def _gleason(note: Note) -> Iterator[Found]:
    names = list(search(note, _NAME, stretches(note, _GLEASON_NAMES, ("gs", "gl"))))
    if not names and "+" not in note.folded:
        return
    sums = _sums_written(note, words=bool(names))
    patterns = [match for match in search(note, _PATTERNS, sums) if _is_score(note, match, names)]
    for match in patterns:
        yield Found("gleason", match.start(), match.end(), _score(match))
    apart = list(_apart(note)) if names else []
    yield from apart
    spans = [*(match.span() for match in patterns), *((each.start, each.end) for each in apart)]
    for name in names:
        yield from _sums(note, name, spans)


def _sums_written(note: Note, *, words: bool) -> list[Stretch]:
    """A little before and behind every plus sign, and where ``words`` is true every word plus."""
    return [(max(match.start() - 8, 0), match.end() + 20) for match in note.search(_PLUS if words else _PLUS_SIGN)]


def _score(match: re.Match[str]) -> str:
    first, second = (_NUMBERS.get(match[name], match[name]) for name in ("first", "second"))
    return f"{first}+{second}={int(first) + int(second)}"


def _is_score(note: Note, match: re.Match[str], names: Sequence[re.Match[str]]) -> bool:
    """Whether two patterns are a Gleason score: one is named before them, or their sum is written.

    A name after them counts where it follows at once ("3+4 de Gleason").
    """
    begin, _ = note.sentence_at(match.start())
    if _COUNTED.match(note.folded, match.end()):
        return False
    if any(begin <= name.start() < match.start() or 0 <= name.start() - match.end() < 12 for name in names):
        return _OTHER_SUM.search(note.folded, max(begin, match.start() - 20), match.start()) is None
    total = int(_score(match).partition("=")[2])
    said = match["sum_before"] or match["sum_after"] or match["sum_said"]
    if total < 6 or _OTHER_SUM.search(note.folded, begin, match.start()):
        return False
    beside = note.folded[max(begin, match.start() - 60):match.end() + 30]
    if note.has("gleason", "prostat", "psa", "isup", "grade group") and _SAMPLED.search(beside):
        return True
    return said == str(total) or _GROUP_BESIDE.search(beside) is not None


def _apart(note: Note) -> Iterator[Found]:
    """Scores whose patterns have a name each: "primary pattern 4, secondary pattern 3"."""
    seconds = list(note.search(_SECONDARY))
    for first in note.search(_PRIMARY) if seconds else ():
        second = min(seconds, key=lambda each: abs(each.start() - first.start()))
        start = min(first.start("number"), second.start("number"))
        end = max(first.end(), second.end())
        if end - start < _NEAR:
            numbers = int(first["number"]), int(second["number"])
            total = _TOTAL.match(note.folded, end)
            yield Found("gleason", start, total.end() if total and int(total["sum"]) == sum(numbers) else end,
                        f"{numbers[0]}+{numbers[1]}={sum(numbers)}")


def _sums(note: Note, name: re.Match[str], patterns: Sequence[Stretch]) -> Iterator[Found]:
    """Scores by their sum only, after the name, unless its patterns stand there."""
    if _SINGLE.search(note.folded, 0, name.start()):
        return
    match = _SCORE.match(note.folded, name.end())
    while match is not None:
        start, end = match.span("sum")
        if any(begin <= start < stop or 0 <= begin - end < 5 for begin, stop in patterns):
            return
        yield Found("gleason", start, max(end, match.end()), _WORDS.get(match["sum"], match["sum"]))
        match = _MORE.match(note.folded, match.end())


def _groups(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    for match in search(note, _GROUP_BEFORE, within):
        if not of_the_kidney(note, match):
            yield Found("isup", match.start(), match.end(), _NUMBERS.get(match["value"], match["value"]))
    for match in search(note, _GROUP, within):
        if _is_group(note, match):
            yield Found("isup", match.start(), match.end("value"), _NUMBERS.get(match["value"], match["value"]))
            more = _MORE_GROUPS.match(note.folded, match.end())
            if more and match.end() == match.end("value") and more["value"] != match["value"]:
                yield Found("isup", more.start("value"), more.end(), more["value"])


def _is_group(note: Note, match: re.Match[str]) -> bool:
    if "isup" in match[0]:
        return not of_the_kidney(note, match)
    if match["name"].startswith(("gg", "groupe pronos", "groupes pronos", "groupe histo")):
        return note.has(*_PROSTATE)
    return True

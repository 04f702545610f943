"""Histological grades of tumours, with the system that the note names.

Found are "grade II", "SBR 3", "grade nucléaire de Fuhrman 2", "G2" beside a tumour or its TNM, "haut grade" and "low-grade",
and degrees of differentiation. Both ends of a range are found. Grades of toxicity, of other diseases, of dysplasia and of
regression are told by the nearest disease in ``lexicons/graded_diseases.yaml``; Gleason patterns and grade groups of the
prostate are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.diseases import disease_of
from medomicslab_nb.text.rules.phrases import alternation, word_lists

_SYSTEMS = "grade_systems"
_OTHERS = ("other", "grade_other")
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "l": "1", "ll": "2", "lll": "3", "lv": "4", "one": "1", "two": "2",
            "three": "3", "four": "4", "un": "1", "deux": "2", "trois": "3", "quatre": "4"}
_NUMERAL = r"(?:iv|lv|i{1,3}|l{1,3}|[1-4]|one|two|three|four|un|deux|trois|quatre)"
_AFTER = r"(?![^\W_])(?!\s?\+|\s?%|[.,]\d|\s?/\s?[5-9]|\s?/\s?10)"
_VALUE = (rf"(?:g\s?)?(?P<value>{_NUMERAL}){_AFTER}(?:\s?(?:/|sur|of|out of)\s?(?:iii|iv|3|4)(?![^\W_]))?")
_UPTO = re.compile(rf"\s?(?:-|/|a|to|et|and|ou|or)\s?(?:g(?:rade)?\s?)?(?P<value>iv|i{{1,3}}|[1-4]){_AFTER}"
                   r"(?!\s?(?:mm|cm|mois|month|cycle|cure|day|jour|week|sem|an|year))")
_SMALL = (r"(?:[\s:=(),'\"/-]|\b(?:histologique|histological|histologic|histopronostique|histo|pronostique|nucleaire|"
          r"nuclear|architectural|tumoral|tumoural|tumor|tumour|tumeur|cytologique|global|overall|combined|combine|final|"
          r"total|score|system|grading|modified|modifie|selon|according|to|of|de|du|d|l|la|le|the|classification|est|is|was|"
          r"etait|et|and|as|a|estime|evalue|cote|classe|in|en|with|by|histoprognostique|prognostic|ellis|richardson|"
          r"differentiation|malignite|n|no|numero|scale|criteria|criteres|20\d\d)\b)")
_WORD = r"(?:grades?|graded|grading|gr\.)"
_DEGREES = {"well": "1", "moderate": "2", "poor": "3"}
_DIFFERENTIATED = re.compile(
    r"\b(?:(?P<moderate>moderat(?:e|ely)|intermediate(?:ly)?|moyennement|moderement|moyenne|modere|moyen)"
    r"|(?P<well>well|bien|bonne|high|highly|tres\sbien|bon)"
    r"|(?P<poor>poor|poorly|peu|mal|faiblement|faible|mauvaise|pauvrement|mauvais))"
    r"(?:[\s-]{1,2}(?:well|bien))?(?P<list>(?:\s?(?:-|/|,|to|a|et|and|ou|or)\s?(?:well|bien|moderat(?:e|ely)|moyennement|moderement"
    r"|poorly|poor|peu|mal|faiblement|focally|par\s?endroits)){0,2})[\s-]{1,3}(?:differen[ct]+i(?:at|e)|diff\.)\w*"
    r"|\bdifferen[ct]iation\s?(?:[:=]|is|was|est|etait|tumorale|glandulaire|jugee)?\s?(?:(?P<moderate_after>moyenne|moderee?|moyen|moderate|intermediate)"
    r"|(?P<well_after>bonne|good|well|bien)|(?P<poor_after>mauvaise|faible|poor|mediocre|peu))(?![^\W_])")
_LISTED = re.compile(r"(?P<moderate>moder|moyen)|(?P<well>well|bien)|(?P<poor>poor|peu|mal|faibl)")
_HEIGHTS = {"high": "high", "haut": "high", "eleve": "high", "hauts": "high", "low": "low", "bas": "low", "faible": "low",
            "intermediate": "intermediate", "intermediaire": "intermediate", "moyen": "intermediate"}
_HEIGHT = re.compile(
    r"\b(?:(?P<before>high|haut|hauts|low|bas|faible|intermediate|intermediaire|moyen)"
    r"(?P<list>\s?(?:-|/|,|to|a|et|and|ou|or)\s?(?:high|haut|low|bas|intermediate|intermediaire))?[\s-]{1,2}grades?"
    r"|grades?(?:\s(?:histologique|histological|nucleaire|nuclear|tumoral|cytologique|tumou?r))?\s?(?:[:=]|is|was|est|etait)?\s?"
    r"(?P<after>high|haut|eleve|low|bas|faible|intermediate|intermediaire))(?![^\W_])")
_LETTER = re.compile(rf"(?<![^\W_])(?<![-'/])g\s?(?P<value>[1-4]){_AFTER}(?!\s?p\d)")
_OF_THE_PROSTATE = re.compile(r"\b(?:gleason|grade[\s-]groups?|group\sgrade|grade\sgroupe|groupes?\sde\sgrades?|isup)")
_OF_THE_KIDNEY = re.compile(r"\b(?:ren\w+|rein|kidney|fuhrman|cellules?\sclaires|clear\scell|nephr\w+|rcc|chromophob\w+|papillary|papillaire)\b")


def find(note: Note) -> Iterator[Found]:
    """The grades of a note."""
    if note.has("grad", "gr.") or _names().search(note.folded):
        yield from _numbered(note)
        yield from _heights(note)
    if note.has("diff"):
        yield from _differentiated(note)
    yield from _lettered(note)


@cache
def _names() -> re.Pattern[str]:
    return re.compile(rf"\b{_alternation(alone=True)}(?![^\W_])")


def _alternation(*, alone: bool) -> str:
    return alternation(written for system in word_lists(_SYSTEMS).values() if system["alone"] or not alone
                       for written in system["written"])


@cache
def _grade() -> re.Pattern[str]:
    return re.compile(rf"\b(?:(?P<word>{_WORD})(?![^\W_])(?:{_SMALL}|\b{_alternation(alone=False)}){{0,9}}?"
                      rf"|(?P<system>{_alternation(alone=True)})(?![^\W_])(?:{_SMALL}|\b{_WORD}\b){{0,8}}?)(?<![^\W_]){_VALUE}")


def _numbered(note: Note) -> Iterator[Found]:
    for match in note.search(_grade()):
        system = _system(note, match.start(), match.end("value"))
        if _of_the_prostate(note, match) or _is_other(note, match, system):
            continue
        yield _found(match.start(), match.end("value"), match["value"], system)
        upto = _UPTO.match(note.folded, match.end("value"))
        if upto and upto["value"] != match["value"] and match.end() == match.end("value"):
            yield _found(upto.start("value"), upto.end(), upto["value"], system)


def _found(start: int, end: int, numeral: str, system: str) -> Found:
    return Found("grade", start, end, _NUMBERS.get(numeral, numeral), qualifier=system)


def _system(note: Note, start: int, end: int) -> str:
    """The system named within the mention or just beside it."""
    begin, stop = note.sentence_at(start)
    around = note.folded[max(begin, start - 20):min(max(end, stop), end + 30)]
    return next((name for name, pattern in _by_name().items() if pattern.search(around)), "")


@cache
def _by_name() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b{alternation(system['written'])}(?![^\W_])")
            for name, system in word_lists(_SYSTEMS).items()}


def _of_the_prostate(note: Note, match: re.Match[str]) -> bool:
    """Whether this is a Gleason grade or a grade group; grades by ISUP are the kidney's where it is spoken of."""
    begin, stop = note.sentence_at(match.start())
    if not _OF_THE_PROSTATE.search(note.folded[max(begin, match.start() - 25):min(stop, match.end() + 15)]):
        return False
    return not of_the_kidney(note, match.start())


def of_the_kidney(note: Note, at: int) -> bool:
    """Whether a grade by ISUP is that of a kidney: the sentence, or the note if it names no prostate, speaks of one."""
    begin, stop = note.sentence_at(at)
    sentence = note.folded[begin:stop]
    if re.search(r"gleason|prostat|psa\b", sentence):
        return False
    return bool(_OF_THE_KIDNEY.search(sentence)) or (
        not note.has("gleason", "prostat", "psa") and bool(_OF_THE_KIDNEY.search(note.folded)))


def _is_other(note: Note, match: re.Match[str], system: str) -> bool:
    if system and system not in ("WHO", "FIGO", "ISUP"):
        return False
    return disease_of(note, match.start(), match.end(), _OTHERS) == "other"


def _heights(note: Note) -> Iterator[Found]:
    for match in note.search(_HEIGHT):
        if disease_of(note, match.start(), match.end(), _OTHERS) != "other":
            said = [match["before"] or match["after"], *re.findall(r"[^\W_]{3,}", match["list"] or "")]
            for value in dict.fromkeys(_HEIGHTS[word] for word in said if word in _HEIGHTS):
                yield Found("grade", match.start(), match.end(), value)


def _differentiated(note: Note) -> Iterator[Found]:
    for match in note.search(_DIFFERENTIATED):
        first = next(name for name, text in match.groupdict().items() if text and name != "list").removesuffix("_after")
        others = [each.lastgroup or "" for each in _LISTED.finditer(match["list"] or "")]
        for degree in dict.fromkeys([first, *others]):
            yield Found("grade", match.start(), match.end(), _DEGREES[degree])


def _lettered(note: Note) -> Iterator[Found]:
    """G2 beside a tumour or TNM; the G of gravida, genes and kidney diseases has neither."""
    for match in note.search(_LETTER):
        start, _ = note.source(match.start(), match.start() + 1)
        if note.text[start] == "G" and (_beside_tnm(note, match)
                                        or disease_of(note, match.start(), match.end(), _OTHERS) == "cancer"):
            yield _found(match.start(), match.end(), match["value"], "")


def _beside_tnm(note: Note, match: re.Match[str]) -> bool:
    around = note.folded[max(match.start() - 12, 0):match.end() + 10]
    return re.search(r"(?<![^\W\d_])[cpyr]{0,2}[tn][0-4xa]|\b[lvr][0-2]\b", around) is not None

"""Histological grades of tumours, with the system that the note names.

Found are "grade II", "SBR 3", "grade nucléaire de Fuhrman 2", "G2" beside a tumour or its TNM, "haut grade" and
"low-grade", and degrees of differentiation. Both ends of a range are found. Grades of toxicity, of other diseases, of
dysplasia and of regression are told by the nearest disease in ``lexicons/graded_diseases.yaml``; Gleason patterns and
grade groups of the prostate are none.

Measured on E3C layer 3 (simulated annotators, by value): F1 0.98 French (n = 45), 0.98 English (n = 53). Test half of
the challenge set, *not real notes*, before it was read: 0.89 French (n = 29), 0.96 English (n = 13); on the whole set,
after reading it, 0.97 (n = 45) and 0.98 (n = 31). Limits: undifferentiated is no
grade.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.columns import in_columns
from medomicslab_nb.text.rules.diseases import disease_of
from medomicslab_nb.text.rules.phrases import alternation, phrases, word_lists
from medomicslab_nb.text.rules.places import Stretch, search, stretches
from medomicslab_nb.text.rules.statements import stated
from medomicslab_nb.text.rules.systems import names_alone, systems

_SYSTEMS = "grade_systems"
_OTHERS = ("other", "grade_other")
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "l": "1", "ll": "2", "lll": "3", "lv": "4", "one": "1",
            "two": "2",
            "three": "3", "four": "4", "un": "1", "deux": "2", "trois": "3", "quatre": "4"}
_NUMERAL = (
    r"(?:(?<![^\W_])(?:iv|lv|i{1,3}|l{2,3}|one|two|three|four|un|deux|trois|quatre)|"
    r"(?<![\d.,<>≤≥])(?<![<>≤≥]\s)[1-4])")
_AFTER = r"(?![^\W_])(?!\s?\+|\s?%|[.,]\d|\s?/\s?[5-9]|\s?/\s?10|'|-\d\d|\s?(?:mm|cm|mg)\b)"
_VALUE = (rf"(?:g\s?)?(?P<value>{_NUMERAL})(?:[ab](?![^\W_]))?{_AFTER}(?:\s?(?:/|sur|of|out of)\s?(?:iii|iv|3|"
          rf"4)(?![^\W_]))?")
_UPTO = re.compile(rf"\s?(?:-|/|\ba\b|\bto\b|\bet\b|\band\b|\bou\b|\bor\b)\s?(?:g(?:rade)?\s?)?(?P<value>iv|i{{1,3}}|"
                   rf"[1-4]){_AFTER}"
                   r"(?!\s?(?:mm|cm|mois|month|cycle|cure|day|jour|week|sem|an|year|node|gangl))")
_SMALL = (r"(?:[\s:=(),'\"/-]{1,4}|\b(?:histologique|histological|histologic|histopronostique|histo|pronostique|"
          r"nucleaire|nucleolaire|"
          r"nucleolar|nuclear|architectural|tumoral|tumoural|tumor|tumour|tumeur|cytologique|global|overall|combined|"
          r"combine|final|"
          r"total|score|system|grading|modified|modifie|selon|according|to|of|de|du|des|d|l|la|le|the|classification|"
          r"est|is|was|"
          r"etait|et|and|as|a|estime|evalue|cote|classe|in|en|with|by|histoprognostique|prognostic|ellis|richardson|"
          r"bloom|scarff|"
          r"differentiation|differenciation|malignite|malignancy|n|no|numero|scale|criteria|criteres|(?:19|20)\d\d|"
          r"cns|snc|insists|who/isup|now|desormais|"
          r"histopathological|pathologique|pathological|version|initial|assigned|remains|reste|group|groupe|g|"
          r"maximal|maximum)\b)")
_WORD = (
    r"(?:(?<!retro)(?<!ante)(?<!antero)(?<!down)(?<!up)(?<![^\W_][^\w\s])grad(?:es?|ed|ees?|ing)|gr\.|"
    r"(?<![^\W_])(?:degre|degree)\s(?:de\s|of\s)?differen\w+)")
_DEGREES = {"well": "1", "moderate": "2", "poor": "3"}
_DIFFERENTIATED = re.compile(
    r"\b(?:(?P<moderate>moderat(?:e|ely)|intermediate(?:ly)?|moyennement|moderement|moyenne|modere|moyen)"
    r"|(?P<well>well|bien|bonne|high|highly|tres\sbien|bon)"
    r"|(?P<poor>poor|poorly|peu|mal|faiblement|faible|mauvaise|pauvrement|mauvais))"
    r"(?:[\s-]{1,2}(?:well|bien))?(?P<list>(?:\s?(?:-|/|,|to|a|et|and|ou|or)\s?(?:well|bien|moderat(?:e|ely)|"
    r"moyennement|moderement"
    r"|poorly|poor|peu|mal|faiblement|focally|par\s?endroits)){0,2})[\s-]{1,3}(?:differen[ct]+i(?:at|e)|diff\.)\w*"
    r"|\bdifferen[ct]iation\s?(?:[:=]|is|was|est|etait|tumorale|glandulaire|jugee)?\s?(?:(?P<moderate_after>moyenne|"
    r"moderee?|moyen|moderate|intermediate)"
    r"|(?P<well_after>bonne|good|well|bien)|(?P<poor_after>mauvaise|faible|poor|mediocre|peu))(?![^\W_])")
_LISTED = re.compile(r"(?P<moderate>moder|moyen)|(?P<well>well|bien)|(?P<poor>poor|peu|mal|faibl)")
_HEIGHTS = {"high": "high", "haut": "high", "eleve": "high", "hauts": "high", "low": "low", "bas": "low",
            "faible": "low",
            "intermediate": "intermediate", "intermediaire": "intermediate", "moyen": "intermediate"}
_HEIGHT = re.compile(
    r"\b(?:(?P<before>high|haut|hauts|low|bas|faible|intermediate|intermediaire|moyen)"
    r"(?P<list>\s?(?:-|/|,|to|a|et|and|ou|or)\s?(?:high|haut|low|bas|intermediate|intermediaire))?[\s-]{1,2}grades?"
    r"|grades?(?:\s(?:histologique|histological|nucleaire|nuclear|tumoral|cytologique|tumou?r))?\s?(?:[:=]|is|was|"
    r"est|etait)?\s?"
    r"(?P<after>high|haut|eleve|low|bas|faible|intermediate|intermediaire))(?![^\W_])")
_LETTER = re.compile(rf"(?<![^\W_])(?<![-'/])g(?:\s?(?P<digit>[1-4])|(?P<roman>ii|iii|iv)){_AFTER}(?!\s?p\d|a\d)")
_GRADE_NAMES = ("grade", "grading", "gradee", "gr", "degre de diff", "degre diff", "degree of diff")
_BRAIN = r"(?:gliom|astrocytom|ependymom|meningiom|oligodendro\w*|blastom|cytom|craniopharyngiom|thymom|schwannom)\w*"
_WHO = re.compile(rf"\b{_BRAIN}[\s,(:-]{{0,3}}(?:(?:diffuse?|anaplasi\w+|idh|mutant|mute|atypi\w+|de|of|the|cns|"
                  rf"snc)[\s,-]{{1,2}}){{0,4}}(?:who|oms)"
                  rf"(?:\s(?:19|20)\d\d)?\s?(?P<value>{_NUMERAL}){_AFTER}")
_OF_TISSUE = re.compile(r"histo|nucle|tumou?r|cytolog|architect|differen")
_OF_THE_PROSTATE = re.compile(r"\b(?:gleason|grade[\s-]groups?|group\sgrade|grade\sgroupe|groupes?\sde\sgrades?|isup)")
_OF_A_PROSTATE = re.compile(r"gleason|prostat\w*|\bpsa\b")
_OF_THE_KIDNEY = re.compile(r"\b(?:ren\w+|rein|kidney|fuhrman|cellules?\sclaires|clear\scell|nephr\w+|rcc|"
                            r"chromophob\w+|papillary|papillaire)\b")


def find(note: Note) -> Iterator[Found]:
    """The grades of a note."""
    long, short = names_alone(_SYSTEMS)
    mentions = list(_numbered(note, stretches(note, (*_GRADE_NAMES, *long), short)))
    if note.has("grade"):
        mentions += _heights(note)
    if note.has("diff"):
        mentions += _differentiated(note)
    mentions += _lettered(note)
    mentions += _of_the_who(note)
    mentions += in_columns(note, "grade")
    if mentions:
        yield from stated(note, dict.fromkeys(mentions))


@cache
def _grade() -> re.Pattern[str]:
    return re.compile(
        rf"(?:(?P<word>{_WORD})(?![^\W\d_])(?:{_SMALL}|\b{systems(_SYSTEMS, alone=False)}){{0,12}}?"
        rf"|(?<![^\W_])(?P<system>{systems(_SYSTEMS, alone=True)})(?![^\W\d_])(?:{_SMALL}|\b{_WORD}\b){{0,10}}?)"
        rf"{_VALUE}")


def _numbered(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    last = -9
    for match in search(note, _grade(), within):
        if match["system"] and match.start() - last < 3:
            continue  # the system of the grade before it: "grade 3 FNCLCC (différenciation 3)"
        last = match.end()
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
    return not of_the_kidney(note, match)


def of_the_kidney(note: Note, match: re.Match[str]) -> bool:
    """Whether a grade by ISUP is that of a kidney: of the WHO too, or a kidney is named nearer than a prostate."""
    if re.search(r"(?:who|oms)\s?/?\s?isup|isup\s?/?\s?(?:who|oms)",
                 note.folded[max(match.start() - 10, 0):match.end()]) and "group" not in match[0]:
        return True
    begin, stop = note.sentence_at(match.start())
    kidney, prostate = (_nearest(pattern, note.folded, begin, stop, match)
                        for pattern in (_OF_THE_KIDNEY, _OF_A_PROSTATE))
    if kidney < 1000 or prostate < 1000:
        return kidney < prostate
    return not note.has("gleason", "prostat", "psa") and _OF_THE_KIDNEY.search(note.folded) is not None


def _nearest(pattern: re.Pattern[str], folded: str, begin: int, stop: int, match: re.Match[str]) -> int:
    """How far the nearest word of a pattern is from a match, in characters; 1000 when there is none."""
    gaps = [max(each.start() - match.end(), match.start() - each.end(), 0)
            for each in pattern.finditer(folded, begin, stop)]
    return min(gaps, default=1000)


def _is_other(note: Note, match: re.Match[str], system: str) -> bool:
    if (system and system not in ("WHO", "FIGO", "ISUP")) or _OF_TISSUE.search(match[0]):
        return False
    return _is_of_a_harm(note, match) or disease_of(note, match.start(), match.end(), _OTHERS) == "other"


def _is_of_a_harm(note: Note, match: re.Match[str]) -> bool:
    """Whether a symptom stands right beside a grade (dysphagie grade 1, grade 2 odynophagia)."""
    begin, stop = note.sentence_at(match.start())
    before, after = _harms()
    return bool(before.search(note.folded[max(begin, match.start() - 40):match.start()])
                or after.match(note.folded[match.end():max(stop, match.end())]))


@cache
def _harms() -> tuple[re.Pattern[str], re.Pattern[str]]:
    harm = phrases("graded_diseases", "harms")
    return re.compile(rf"\b{harm}[\s:(]+(?:de |of )?$"), re.compile(rf"[\s-]+(?:de |of )?{harm}\b")


def _heights(note: Note) -> Iterator[Found]:
    for match in search(note, _HEIGHT, stretches(note, ("grade", "high-grade", "low-grade"))):
        if disease_of(note, match.start(), match.end(), _OTHERS) != "other":
            said = [match["before"] or match["after"], *re.findall(r"[^\W_]{3,}", match["list"] or "")]
            for value in dict.fromkeys(_HEIGHTS[word] for word in said if word in _HEIGHTS):
                yield Found("grade", match.start(), match.end(), value)


def _differentiated(note: Note) -> Iterator[Found]:
    for match in search(note, _DIFFERENTIATED, stretches(note, ("differ", "diff", "dediff"))):
        first = next(name for name, text in match.groupdict().items() if text and name != "list").removesuffix("_after")
        others = [each.lastgroup or "" for each in _LISTED.finditer(match["list"] or "")]
        for degree in dict.fromkeys([first, *others]):
            yield Found("grade", match.start(), match.end(), _DEGREES[degree])


def _lettered(note: Note) -> Iterator[Found]:
    """G2 beside a tumour or TNM; the G of gravida, genes and kidney diseases has neither."""
    for match in search(note, _LETTER, stretches(note, (), ("g", "gii", "giii", "giv"))):
        start, _ = note.source(match.start(), match.start() + 1)
        if note.text[start] == "G" and (_beside_tnm(note, match)
                                        or disease_of(note, match.start(), match.end(), _OTHERS) == "cancer"):
            yield _found(match.start(), match.end(), match["digit"] or match["roman"], "")


def _of_the_who(note: Note) -> Iterator[Found]:
    """The grade of a tumour of the brain without the word: "méningiome OMS I"."""
    for match in search(note, _WHO, stretches(note, (), ("who", "oms"))):
        yield _found(match.start("value"), match.end(), match["value"], "WHO")


def _beside_tnm(note: Note, match: re.Match[str]) -> bool:
    around = note.folded[max(match.start() - 12, 0):match.end() + 10]
    return re.search(r"(?<![^\W\d_])[cpyr]{0,2}[tn][0-4xa]|\b[lvr][0-2]\b", around) is not None

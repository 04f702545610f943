"""Stage groups of cancers, in Roman numerals, with the system that the note names.

Found are "stade IIIB", "stage 3", "FIGO IIIC1", "IV d'Ann Arbor", "Dukes C" (III), a group behind its TNM, both ends of
ranges, and the words locally advanced, and localised or metastatic of a stage or disease. Letters of Ann Arbor for
extranodal sites and the spleen are left out (IIEB is IIB). Stages of other diseases are told by the nearest disease in
``lexicons/graded_diseases.yaml``; early, late, advanced and end-stage are none.

Measured on the test half of the challenge set, *not real notes*, before it was read: F1 0.85 French (n = 26), 0.94
English (n = 17); on the whole set, after reading it, 0.97 (n = 53) and 0.98 (n = 29). By value on E3C layer 3
(simulated annotators) F1 1.00 English (n = 37), 0.86 French (n = 4). Limits: stages in letters alone (Binet, BCLC) and
limited or extensive disease are not read, nor is metastatic of a cancer or disease.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.diseases import disease_of
from medomicslab_nb.text.rules.phrases import alternation, phrases, word_lists
from medomicslab_nb.text.rules.places import Stretch, beginning_with, search, stretches
from medomicslab_nb.text.rules.statements import stated
from medomicslab_nb.text.rules.systems import names_alone, systems

_SYSTEMS = "stage_systems"
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "one": "I", "two": "II", "three": "III", "four": "IV",
          "deux": "II", "trois": "III", "quatre": "IV"}
_DUKES = {"a": "I", "b": "II", "c": "III", "d": "IV"}
# A scanner makes l or 1 of I.
_ONES = r"(?:iv|lv|1v|i{1,3}|l{2,3}|i?l{1,2}i|ill?|11i|i11)"
_NUMERAL = rf"(?:{_ONES}|(?<!\d)[0-4]|(?<=[\s:])(?:one|two|three|four|deux|trois|quatre))"
_LETTERS = r"(?:\s[a-d](?:\s?[1-3])?(?![^\W_])|\s?-?[a-d](?:\s?[1-3](?!\d)|i{1,2})?)?"
_GROUP = (rf"(?P<numeral>{_NUMERAL})(?P<letters>{_LETTERS})(?P<ann>\s?[esx]{{1,2}}(?:\s?\+\s?s)?(?:\s?[ab])?)?"
          r"(?![^\W_]|'|[.,]\d|\s?%|/\d|-\d{2}|\s?(?:mm|cm|mg|mois|months?|ans|years?)\b)")
_UPTO = re.compile(r"\s?(?:[-/,&→]|->|\ba\b|\bto\b|\bet\b|\band\b|\bou\b|\bor\b|\bvs\b\.?|\bversus\b|"
                   r",?\s(?:corrig\w+|revis\w+|correct\w+|upstaged|downstaged|restaged|reclass\w+|passe\w*|amend\w+|"
                   r"chang\w+)\s(?:en|to|a|as))\s?(?:(?:stade|"
                   r"stage)s?\s)?"
                   rf"(?:(?P<numeral>{_ONES}|[1-4](?!\d))(?P<letters>[a-d][1-3]?)?|(?<=[/-])(?P<only>[a-d][1-3]?))"
                   r"(?![^\W_]|'|[.,]\d|\s?%|\s?(?:cm|mm|mois|month|year|ans|day|jour|cycle|cure|week|sem|node|gangl|"
                   r"lesion))")
_SMALL = (r"(?:[\s:=(),'\"/-]{1,4}|\b(?:clinique|clinical|clinically|pathologique|pathological|pathologic|"
          r"pronostique|prognostic|"
          r"anatomique|anatomic|evolutif|initial|initially|group|groupe|tumoral|number|numero|n|no|is|was|est|etait|"
          r"de|du|la|le|l|d|"
          r"the|of|selon|according|to|as|at|cancer|chirurgical|surgical|definitif|final|estime|a|en|score|classe|"
          r"grouping|up|"
          r"radiologique|et|and|classification|disease|maladie|system|systeme|edition|ed|modifie|modified|revised|"
          r"now|desormais|precedemment|previously|auparavant|anterieurement|formerly|"
          r"huitieme|septieme|neuvieme|eighth|seventh|ninth|v?[6-9](?:th|e|eme)?|1(?:st|re|ere)(?=\s(?:edition|ed))|"
          r"(?:19|20)\d\d|"
          r"apparent|presumed|from|migrated|progressed|moved|changed|passee?|evolue|serait|at\sdiagnosis|au\sdiagnostic|at\spresentation|"
          r"cote|evalue|assigned|retenu|koga|coller|version|tumeur|globale?|overall|"
          r"anatomoclinique|c|p)\b)")
_WORD = (
    r"(?:[cpy]|yp|yc)?(?:stades?|stages?|stge?s?|stad)|(?:up|down|re|pre)?stag(?:ed|ing)|(?:re)?stadi(?:fication|"
    r"fiee?s?)|st|classee?s?|classified")
_OF_A_GRADE = re.compile(r"\bgrade\w*\s(?:de\s|of\s)?$")
_NO_STAGE = re.compile(r"\b(?:ce|this|that|quel|which|any|tout|chaque|each|every)\s$")
_STAGE_NAMES = ("stade", "stadi", "stage", "staging", "stge", "stg", "st", "stad", "classe", "classified", "cstage",
                "pstage", "ycstage", "ypstage", "upstag", "downstag", "restag", "prestag")


def find(note: Note) -> Iterator[Found]:
    """The stages of a note."""
    long, short = names_alone(_SYSTEMS)
    within = stretches(note, _STAGE_NAMES + long, short)
    mentions = [found for match in search(note, _stage(), within) for found in _groups(note, match)]
    mentions += [each for each in (*_groups_alone(note), *_far(note, within))
                 if not any(other.start <= each.start < other.end for other in mentions)]
    mentions += _in_words(note, within)
    if mentions:
        yield from stated(note, dict.fromkeys(mentions))


@cache
def _stage() -> re.Pattern[str]:
    names = systems(_SYSTEMS, alone=False)
    return re.compile(
        rf"(?<![^\W_])(?:(?P<word>{_WORD})(?![^\W\d_])\.?(?:{_SMALL}|\b{names}){{0,9}}?"
        rf"|(?P<system>{systems(_SYSTEMS, alone=True)})(?![^\W\d_])(?:{_SMALL}|\b(?:{_WORD})\b\.?){{0,7}}?)"
        rf"(?:(?:(?<![^\W_])|(?<=\D)(?=\d)){_GROUP}|(?<![^\W_])(?P<duke>[a-d][1-3]?)(?![^\W_]|'))")


def _groups(note: Note, match: re.Match[str]) -> Iterator[Found]:
    """The stage of a match and, where it is a range, its other end."""
    _, end = _extent(note, match)
    system = _system(note, match.start(), end)
    value = _dukes(match, system) if match["duke"] else _value(note, match)
    if not value or _is_other(note, match, end, system):
        return
    yield Found("stage", match.start(), end, value, qualifier=system)
    upto = None if match["duke"] else _UPTO.match(note.folded, end)
    if upto is not None:
        letters = upto["letters"] or upto["only"] or ""
        other = _join(upto["numeral"] or match["numeral"], letters)
        if other != value:
            start = upto.end() - len(upto["numeral"] or "") - len(letters)
            yield Found("stage", start, upto.end(), other, qualifier=system)


def _extent(note: Note, match: re.Match[str]) -> tuple[int, int]:
    """Where the group ends: letters set apart count only when they are capitals ("III B", but not "III a")."""
    if match["duke"]:
        return match.start("duke"), match.end("duke")
    end = match.end("numeral")
    for name in ("letters", "ann"):
        if match[name] and (not match[name][0].isspace() or _capitals(note, *match.span(name))
                            or _CLOSED.match(note.folded, match.end(name))):
            end = match.end(name)
        elif match[name]:
            break
    return match.start("numeral"), end


_CLOSED = re.compile(r"\s*(?:[,;.)\n]|$)")


def _capitals(note: Note, start: int, end: int) -> bool:
    first, last = note.source(start, end)
    return note.text[first:last].isupper()


def _value(note: Note, match: re.Match[str]) -> str:
    letters = re.sub(r"[\s-]", "", match["letters"] or "")
    _, end = _extent(note, match)
    if end <= match.end("numeral"):
        return _join(match["numeral"], "")
    ann = re.sub(r"[\s+]", "", match["ann"] or "") if end == match.end("ann") else ""
    if ann and match["numeral"].isdigit() and "s" in ann:
        return ""  # 4S of neuroblastoma is no IV
    if not letters and ann[-1:] in ("a", "b"):
        letters = ann[-1]
    return _join(match["numeral"], letters)


def _join(numeral: str, letters: str) -> str:
    roman = "0" if numeral == "0" else _ROMAN.get(numeral) or re.sub("[l1]", "i", numeral).upper()
    letters = re.sub(r"i+$", lambda ones: str(len(ones[0])), letters)
    return roman + letters.upper() if roman != "0" else roman


def _dukes(match: re.Match[str], system: str) -> str:
    return _DUKES[match["duke"][0]] if system == "Dukes" else ""


def _system(note: Note, start: int, end: int) -> str:
    """The system named within the mention or just beside it."""
    begin, stop = note.sentence_at(start)
    around = note.folded[max(begin, start - 25):min(max(end, stop), end + 45)]
    return next((name for name, pattern in _by_name().items() if pattern.search(around)), "")


@cache
def _by_name() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b{alternation(system['written'])}(?![^\W_])")
            for name, system in word_lists(_SYSTEMS).items()}


def _is_other(note: Note, match: re.Match[str], end: int, system: str) -> bool:
    """Whether it is the stage of another disease, a step, or a grade ("grade FIGO 1")."""
    if re.match(rf"\s(?:of\s)?{phrases('graded_diseases', 'steps')}\b", note.folded[end:end + 30]):
        return True
    before = note.folded[max(match.start() - 12, 0):match.start()]
    if match["system"] and (not _named_alone(note, match, system) or _OF_A_GRADE.search(before)):
        return True
    if _NO_STAGE.search(before):
        return True
    if match["word"] and match["word"].startswith("class"):
        return not system or system == "TNM" or not _capitals(note, *match.span("numeral"))
    if match["word"] == "st" and note.folded[match.end("word"):match.end("word") + 1] != ".":
        return disease_of(note, match.start(), end) != "cancer"
    apart = re.search("[,;]", note.folded[end:end + 45].split(system.lower())[0]) if system else None
    beside = match["system"] or (system and system != "TNM" and not apart)
    return not beside and disease_of(note, match.start(), end) == "other"


def _named_alone(note: Note, match: re.Match[str], system: str) -> bool:
    """Whether a name of a system is meant as one: ISS and Rai only in capitals and of a number, cities never alone."""
    if system in ("ISS", "Rai"):
        start, end = note.source(*match.span("system"))
        return note.text[start].isupper() and (note.text[start:end].isupper() or system == "Rai")
    return True


_FAR = re.compile(r"\bsta[dg]e\b[^.;\d\n]{1,100}?\s(?:is|was|est|etait|:)\s(?P<numeral>iv|i{1,3})"
                  r"(?P<letters>[a-d][1-3]?)?(?![^\W_]|')")


def _far(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    """A group in capitals at a distance: "stage, as far as can be judged without a scan, is IIIB"."""
    for match in search(note, _FAR, within):
        if _capitals(note, *match.span("numeral")) and disease_of(note, match.start(), match.end()) != "other":
            yield Found("stage", match.start("numeral"), match.end(), _join(match["numeral"], match["letters"] or ""))


_BEHIND = re.compile(r"(?<![^\W\d_])[a-z]*[mn]\s?[0-3x][a-d]?\d?\)?\s?(?:[,:;(=/-]\s?){0,2}(?:soit\s)?$")
_GROUPS_ALONE = ("i", "ia", "ib", "ic", "ii", "iia", "iib", "iic", "iii", "iiia", "iiib", "iiic", "iv", "iva", "ivb",
                 "ivc")
_GROUP_ALONE = re.compile(r"(?P<numeral>iv|i{1,3})(?P<letters>[a-d][1-3]?)?(?![^\W_]|\s?[-/]\s?[^\W_])")


def _groups_alone(note: Note) -> Iterator[Found]:
    """A group without the word stage: behind its TNM, T2N0M0 (IIB), or with its letter beside a cancer, IIIB NSCLC."""
    for at in (at for name in _GROUPS_ALONE for at in beginning_with(note, name)):
        match = _GROUP_ALONE.match(note.folded, at)
        if match is None or not _capitals(note, at, at + 1):
            continue
        behind = _BEHIND.search(note.folded[max(at - 14, 0):at]) is not None
        if behind or (match["letters"] and _beside_cancer(note, at, match.end())):
            yield Found("stage", at, match.end(), _join(match["numeral"], match["letters"] or ""),
                        qualifier="TNM" if behind else "")


def _beside_cancer(note: Note, start: int, end: int) -> bool:
    """Whether a cancer is named right before or after: "IIIB NSCLC"."""
    cancer = phrases("graded_diseases", "cancer")
    before = note.folded[max(start - 45, 0):start]
    return (re.search(rf"\b{cancer}(?:\s[^\W\d_]+){{0,2}}[\s,(]{{1,2}}$", before) is not None
            or re.match(rf"[\s)]{{1,2}}{cancer}\b", note.folded[end:end + 30]) is not None)


_ADVANCED = r"locally\s?-?advanced|localement\s(?:tres\s)?(?:avance|evolue)e?s?|loco-?\s?regionalement\savancee?s?"
_WORDS = re.compile(
    rf"\b(?:(?P<advanced>{_ADVANCED})"
    r"|(?P<local>(?:stade|stage)\s?:?\s?(?:clinique\s)?locali[sz]ee?d?|locali[sz]ed[\s-](?:disease|stage|"
    r"(?:\w+\s){0,2}(?:cancer|carcinoma))"
    r"|(?:maladie|cancer|forme)s?\s(?:(?:du|de la|de l'|des|de)\s?\w+\s)?localisee?s?(?!\s(?:a|au|aux|en|dans|sur|in|"
    r"to|at)\b))"
    r"|(?P<spread>(?:stade|stage)s?\s?:?\s?(?:clinique\s)?metasta(?:tique|tic)s?|metastatic[\s-]stage))(?![^\W_])")


def _in_words(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    beside = [*within, *stretches(note, ("locali", "locally", "locale", "loco"))]
    for match in search(note, _WORDS, sorted(set(beside))):
        value = "locally advanced" if match["advanced"] else "localised" if match["local"] else "metastatic"
        yield Found("stage", match.start(), match.end(), value)

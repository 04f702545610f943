"""Stage groups of cancers, in Roman numerals, with the system that the note names.

Found are "stade IIIB", "stage 3", "FIGO IIIC1", "IV d'Ann Arbor", "Dukes C" (III), a group behind its TNM, both ends of
ranges, and the words locally advanced, and localised or metastatic of a stage or disease. Letters of Ann Arbor for
extranodal sites and the spleen are left out (IIEB is IIB). Stages of other diseases are told by the nearest disease in
``lexicons/graded_diseases.yaml``; early, late, advanced and end-stage are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.diseases import disease_of
from medomicslab_nb.text.rules.phrases import alternation, phrases, word_lists

_SYSTEMS = "stage_systems"
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "one": "I", "two": "II", "three": "III", "four": "IV", "un": "I",
          "deux": "II", "trois": "III", "quatre": "IV"}
_DUKES = {"a": "I", "b": "II", "c": "III", "d": "IV"}
_NUMERAL = r"(?:[il1]v|[il]{1,3}|[0-4]|one|two|three|four|un|deux|trois|quatre)"
_LETTERS = r"(?:\s?-?[a-d](?:\s?[1-3]|i{1,2})?)?"
_GROUP = (rf"(?P<numeral>{_NUMERAL})(?:(?P<letters>{_LETTERS})(?P<ann>\s?[esx]{{1,2}}(?:\s?\+\s?s)?(?:\s?[ab])?)?)"
          r"(?![^\W_])(?![.,]\d|\s?[%+]|/\d)")
_UPTO = re.compile(r"\s?(?:[-/,&]|a|to|et|and|ou|or|ou\s/\set|vs\.?)\s?(?:(?:stade|stage)s?\s)?"
                   r"(?:(?P<numeral>[il1]v|[il]{1,3}|[1-4](?!\d))(?P<letters>[a-d][1-3]?)?|(?<=[/-])(?P<only>[a-d][1-3]?))"
                   r"(?![^\W_])(?![.,]\d|\s?%|\s?(?:cm|mm|mois|month|year|ans|day|jour|cycle|cure|week|sem))")
_SMALL = (r"(?:[\s:=(,'\"/-]|\b(?:clinique|clinical|clinically|pathologique|pathological|pathologic|pronostique|prognostic|"
          r"anatomique|anatomic|evolutif|initial|group|groupe|tumoral|number|numero|n|no|is|was|est|etait|de|du|la|le|l|d|"
          r"the|of|selon|according|to|as|at|cancer|tnm|chirurgical|surgical|definitif|final|estime|a|score|classe|grouping"
          r"|radiologique|grade|et|and|classification|disease|system|8th|7th|edition|8e|7e|modifie|modified|revised|en)\b)")
_TAIL = re.compile(r"(?:stade|stage)s?$|stag(?:ed|ing)$|^st\.$")


def find(note: Note) -> Iterator[Found]:
    """The stages of a note."""
    if note.has("stade", "stage", "stadif", "staging", "st.") or _names().search(note.folded):
        for match in note.search(_stage()):
            yield from _groups(note, match)
    yield from _behind_tnm(note)
    yield from _in_words(note)


@cache
def _names() -> re.Pattern[str]:
    return re.compile(rf"\b{_alternation(alone=True)}(?![^\W_])")


def _alternation(*, alone: bool) -> str:
    return alternation(written for system in word_lists(_SYSTEMS).values() if system["alone"] or not alone
                       for written in system["written"])


@cache
def _stage() -> re.Pattern[str]:
    systems = _alternation(alone=False)
    word = r"(?:stades?|stages?|staged|staging|stadification|stad\.|st\.)"
    return re.compile(
        rf"\b(?:(?P<word>{word})(?:{_SMALL}|\b{systems}){{0,8}}?"
        rf"|(?P<system>{_alternation(alone=True)})(?![^\W_])(?:{_SMALL}|\b{word}){{0,6}}?)(?<![^\W_])(?:{_GROUP}"
        rf"|(?P<duke>[a-d][1-3]?)(?![^\W_]|'))")


def _groups(note: Note, match: re.Match[str]) -> Iterator[Found]:
    """The stage of a match and, where it is a range, its other end."""
    start, end = _extent(note, match)
    system = _system(note, match.start(), end)
    value = _dukes(match, system) if match["duke"] else _value(note, match, system)
    if not value or _is_other(note, match, end, system):
        return
    yield Found("stage", match.start(), end, value, qualifier=system)
    upto = None if match["duke"] else _UPTO.match(note.folded, end)
    if upto is not None:
        numeral = upto["numeral"] or match["numeral"]
        other = _join(numeral, upto["letters"] or upto["only"] or "")
        if other and other != value:
            yield Found("stage", upto.end() - len((upto["numeral"] or "") + (upto["letters"] or upto["only"] or "")),
                        upto.end(), other, qualifier=system)


def _extent(note: Note, match: re.Match[str]) -> tuple[int, int]:
    """Where the group ends: letters set apart count only when they are capitals ("III B", but not "III a")."""
    if match["duke"]:
        return match.start("duke"), match.end("duke")
    end = match.end("numeral")
    for name in ("letters", "ann"):
        if match[name] and (not match[name][0].isspace() or _capitals(note, *match.span(name))):
            end = match.end(name)
    return match.start("numeral"), end


def _capitals(note: Note, start: int, end: int) -> bool:
    first, last = note.source(start, end)
    return note.text[first:last].isupper()


def _value(note: Note, match: re.Match[str], system: str) -> str:
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
    roman = "0" if numeral == "0" else _ROMAN.get(numeral) or numeral.replace("l", "i").replace("1", "i").upper()
    letters = re.sub(r"i+$", lambda ones: str(len(ones[0])), letters)
    return roman + letters.upper() if roman != "0" else roman


def _dukes(match: re.Match[str], system: str) -> str:
    return _DUKES[match["duke"][0]] if system == "Dukes" else ""


def _system(note: Note, start: int, end: int) -> str:
    """The system named within the mention or just beside it."""
    begin, stop = note.sentence_at(start)
    around = note.folded[max(begin, start - 25):min(max(end, stop), end + 35)]
    return next((name for name, pattern in _by_name().items() if pattern.search(around)), "")


@cache
def _by_name() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b{alternation(system['written'])}(?![^\W_])")
            for name, system in word_lists(_SYSTEMS).items()}


def _is_other(note: Note, match: re.Match[str], end: int, system: str) -> bool:
    if re.match(rf"\s(?:of\s)?{phrases('graded_diseases', 'steps')}\b", note.folded[end:end + 30]):
        return True
    if system in ("ISS", "Rai", "Lugano") and not match["word"] and not _capitals(note, match.start(), end):
        return True
    return (not system or system == "TNM") and disease_of(note, match.start(), end) == "other"


_BEHIND = re.compile(r"[mn]\s?[0-3x][a-d]?\d?\)?\s?(?:[,:;(=/-]\s?){0,2}(?:soit\s)?(?P<numeral>iv|i{1,3})"
                     r"(?P<letters>[a-d][1-3]?)?(?![^\W_])(?!\s?[-/]\s?[^\W_])")


def _behind_tnm(note: Note) -> Iterator[Found]:
    """A group that follows its TNM without the word stage: T2N1M0 (IIB)."""
    for match in note.search(_BEHIND):
        start, end = match.start("numeral"), match.end()
        if _capitals(note, start, start + 1):
            yield Found("stage", start, end, _join(match["numeral"], match["letters"] or ""), qualifier="TNM")


_ADVANCED = r"locally\s?-?advanced|localement\s(?:tres\s)?(?:avance|evolue)e?s?|loco-?\s?regionalement\savancee?s?"
_WORDS = re.compile(
    rf"\b(?:(?P<advanced>{_ADVANCED})"
    r"|(?P<local>(?:stade|stage)\s?:?\s?(?:clinique\s)?locali[sz]ee?d?|locali[sz]ed[\s-](?:disease|stage|(?:\w+\s){0,2}(?:cancer|carcinoma))"
    r"|(?:maladie|cancer|forme)s?\s(?:(?:du|de la|de l'|des)\s?\w+\s)?localisee?s?(?!\s(?:a|au|aux|en|dans|sur|in|to|at)\b))"
    r"|(?P<spread>(?:stade|stage)s?\s?:?\s?(?:clinique\s)?metasta(?:tique|tic)s?|metastatic[\s-]stage))\b")


def _in_words(note: Note) -> Iterator[Found]:
    if not note.has("locali", "localement", "locally", "regionalement", "metasta"):
        return
    for match in note.search(_WORDS):
        value = "locally advanced" if match["advanced"] else "localised" if match["local"] else "metastatic"
        yield Found("stage", match.start(), match.end(), value)

"""Performance status by ECOG (WHO, OMS, Zubrod) and Karnofsky's index.

Found are the value after its name at any distance in the clause ("PS, assessed by two observers, is 3"), before it
("80 % sur l'échelle de Karnofsky"), the worse end of a range, and both values of a change ("KPS dropped from 90 to
70", the first as history). A PS that is no performance status (pressure support, a postscript), the OMS and WHO of
classifications and of tumour grades, thresholds and goals are none.

Measured on the test half of the challenge set, *not real notes*, before it was read: ECOG F1 0.90 French (n = 25), 0.90
English (n = 14); Karnofsky 0.91 (n = 18) and 0.71 (n = 20), by value 0.91 and 0.82. On the whole set, after reading it:
ECOG 0.99 (n = 53) and 1.00 (n = 33), Karnofsky 0.96 (n = 37) and 0.95 (n = 33). Limits: names without a space before
the next (ECOG1KPS90), a patient's value after a threshold ("KPS >= 60; ours scores 50").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.columns import in_columns
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.places import Stretch, search, stretches
from medomicslab_nb.text.rules.statements import stated

_NUMBERS = {"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "un": "1", "deux": "2", "trois": "3",
            "quatre": "4", "i": "1", "ii": "2", "iii": "3", "iv": "4", "nul": "0"}
_TENS = {"hundred": "100", "ninety": "90", "eighty": "80", "seventy": "70", "sixty": "60", "fifty": "50", "forty": "40",
         "thirty": "30", "twenty": "20", "cent": "100", "quatre-vingt-dix": "90", "quatre-vingt": "80",
         "quatre-vingts": "80",
         "soixante-dix": "70", "soixante": "60", "cinquante": "50", "quarante": "40", "trente": "30", "vingt": "20"}
_TYPED_ECOG = r"(?:ecog|ecgo|eocg|ec0g|e\.c\.o\.g\.?|zubrod|eastern\scoop\w+\soncology\sgroup)"
_STATUS = (r"(?:pe?r?f(?:or?[mn]an[cs]e?s?|\.)?[\s-]?stat(?:us|ut|u)e?s?|statut?s?\s(?:de\s)?performances?|"
           r"performances?\s(?:score|index)|"
           r"(?:indices?|index|score|etat)\s(?:fonctionnel\s)?de\sperformances?|indices?\sfonctionnels?|"
           r"statut\sfonctionnel|"
           r"functional\sstatus)")
_SHORT = r"(?:oms|who|o\.m\.s\.?|ps|p\.s\.)"
# What ends a status: no other number, sign of a range or unit behind.
_ALONE = (r"(?![^\W_]|[.,]\d|\s?[%+]|:\d|-\w|\s?(?:mg|cm|mm|kg|h2o|months?|mois|ans?\b|years?|jours?|days?|semaines?|"
          r"weeks?|heures?|"
          r"hours?|cures?|cycles?|ng|ml|l/|fois|times|patients\b|g/|points?\sd|eme|e\b))(?!\s?/\s?(?:[1-9]\d|[6-9]))")
_DIGIT = r"[0-4]|5(?=\W*(?:$|\n|[.;,)]))"
_LOW = (rf"(?P<low>(?:(?<![\d.,<>≤≥/])(?<![<>≤≥]\s)(?<![<>≤≥]\s\s)(?:{_DIGIT})"
        r"|(?<=[\s:=(])(?<!,\s)(?<!by\s)(?<!in\s)(?<!the\s)(?<!d')(?:zero|nul|one|two|three|four|un|deux|trois|"
        r"quatre|iv|i{1,3})(?=\W|$)))")
_HIGH = r"(?:(?!\s?/\s?4)\s?(?:-|/|->|→|a|to|ou|or|et|and|puis|then|vers)\s?(?P<high>[0-4])(?![^\W_]|[.,]\d|\s?[%/]))?"
_SMALL = (rf"(?:[\s:=(),\"'/~-]|p\.s\.|\b(?:{_TYPED_ECOG}|{_STATUS}|{phrases('performance', 'between')})e?s?\b)")
_ECOG = re.compile(rf"(?<![^\W_])(?<!k)(?P<name>{_TYPED_ECOG}(?:[\s/-]?(?:ps|who|oms))?|{_STATUS}|{_SHORT})(?![^\W\d_])"
                   rf"(?P<gap>{_SMALL}{{0,12}}?){_LOW}{_HIGH}(?:\s?(?:/|sur|of|out\sof)\s?[45](?![^\W_]|"
                   rf"[.,]\d))?{_ALONE}")
_HEDGE = phrases("performance", "hedges")
_HEDGED = re.compile(rf"\b{_HEDGE}\b")
# The value at a distance, where no other number stands before it.
_ECOG_FAR = re.compile(rf"(?<![^\W_])(?:{_TYPED_ECOG}|{_STATUS}|ps\b|oms\b|who\sps\b)(?P<gap>[^.;\d<>≤≥]{{1,110}}?)"
                       rf"(?:\b{_HEDGE}|\bis|\bwas|\bas|\bcomme|:|=|\b(?:est|etait)(?:\s(?:de|a))?|\bcote\sa|\ba|\bat|\bof|"
                       rf"\bto)\s?(?P<low>[0-4]){_ALONE}(?!\s\w+s\b)")
_ECOG_BEHIND = re.compile(
    r"(?<![\d.,/+<>≤≥-])(?<!\d\s)(?P<low>[0-4])(?:\s?[-/]\s?(?P<high>[0-4]))?\s?,?\s?\(?(?:selon|sur|according\sto|"
    r"by|on|de|per)\s"
    rf"(?:the\s|l'|la\s)?(?:echelle\s|scale\s|indice\s|classification\s|score\s)?(?:de\s|d'|of\s|"
    rf"the\s)?(?:l')?(?:{_TYPED_ECOG}|oms|who)(?![^\W_])")
_CARED_FOR = re.compile(rf"{_STATUS}|\bps\b|etat\sgeneral|\beg\b|autonom|ambulat|performance|activit|fonctionnel|"
                        rf"functional|{_TYPED_ECOG}")
_TEN = r"(?:100|[1-9]0|" + "|".join(sorted(_TENS, key=len, reverse=True)) + r")(?![^\W_])"
_INDEX = r"(?:karn\w{3,8}|ka\w?n[oa][fvw]+s?k\w{1,2}|kps|k\.p\.s\.?|ik|ki|kpi)(?![^\W\d_])(?:'s)?"
_NO_INDEX = r"(?![.,]\d|\s?-?\s?(?:mg|cm|mm|kg|ans\b|an\b|years?|months?|mois|jours?|days?|ml|gy|min|fois|l/))"
_KARNOFSKY = re.compile(
    rf"(?<![^\W_])(?P<name>{_INDEX})(?P<gap>(?:[^.;\d\n<>≤≥]|\d\d/\d\d|"
    rf"\d{{1,2}}/10|\.{{2,}}){{0,90}}?)(?<![^\W_])(?P<low>{_TEN})"
    rf"(?:\s?(?:%|/\s?100|percent|per\scent|pour\scent|p\.\s?cent))?"
    rf"(?:\s?(?:-|/|->|→|to|et|and|ou|or|puis|then|a)\s?(?P<high>{_TEN}))?{_NO_INDEX}(?:\s?%)?|"
    rf"(?<![^\W_])(?P<tight>(?:kps|ik)(?P<digits>100|[1-9]0))(?!\d)|"
    rf"(?<![^\W_])(?P<of_ten>{_INDEX}[\s:=]{{0,3}}(?:a\s|est\sa\s|of\s)?"
    r"(?P<tenths>[1-9]|10)\s?/\s?10)(?!\d|\W{1,3}soit)")
_NO_GAP = re.compile(rf"\b{phrases('performance', 'no_gap')}\b|%")
_KARNOFSKY_BEHIND = re.compile(
    rf"(?<![\d.,/<>≤≥-])(?<![^\W_])(?P<low>{_TEN})\s?(?:%|percent)?(?:\s?/\s?100)?\s?(?:\(|(?:,\s)?(?:selon|sur|"
    rf"according\sto|by|on|de|per|d'apres)\s|(?<=[\s%]))"
    r"(?:the\s|l'|la\s|le\s)?(?:echelle\s|scale\s|indice\s|index\s|score\s)?(?:de\s|d'|of\s|the\s)?(?:karn\w{3,8}|"
    r"kps)(?![^\W_])")
_PERCENT = re.compile(rf"\b(?:{_STATUS}|ps)(?![^\W_])[\s:=(]{{0,3}}(?:(?:of|was|is|a|est|etait|at|de|score)\s){{0,3}}"
                      r"(?P<low>100|[1-9]0)\s?%")
_BOTH = rf"(?:{_TYPED_ECOG}|ps|oms|who)"
_PAIR = re.compile(rf"(?<![^\W_])(?:(?:kps|ik|karn\w+)\s?/\s?{_BOTH}[\s:=(]{{1,3}}(?P<index>100|"
                   rf"[1-9]0)\s?%?\s?[/,-]\s?(?P<status>[0-4])"
                   rf"|{_BOTH}\s?/\s?(?:kps|ik|"
                   rf"karn\w+)[\s:=(]{{1,3}}(?P<status_first>[0-4])\s?[/,-]\s?(?P<index_second>100|[1-9]0))(?!\d)")
_PAIRED = {"index": ("karnofsky", "%"), "index_second": ("karnofsky", "%"), "status": ("ecog", ""),
           "status_first": ("ecog", "")}
_AGAIN = re.compile(
    rf"(?P<gap>[^.;\d]{{0,45}}\b{phrases('performance', 'again')}\b[^.;\d]{{0,30}}?|"
    r"[^.;\d]{0,40}(?:,\s|\band\s|\bet\s|\()(?:(?:at|after|apres|a|au|"
    r"lors)\s(?:[^\W\d]+\s){1,3})?(?=\d+\s?%?(?:\s(?:at|"
    r"after|apres|now|on|by|today|currently|actuellement|ce\sjour|maintenant|desormais|il\sy\sa|a|en|le|"
    r"lors|this|aujourd'hui)\b|\W*$)))"
    r"(?P<low>100|[1-9]0|[0-4])(?![^\W_]|[.,]\d)\s?(?P<percent>%)?")
_NOW_AT = re.compile(r"[^\d\n]{0,100}?\b(?:actuellement|aujourd'hui|currently|now|(?:he|she|patiente?|il|"
                     r"elle|ours|notre\s(?:malade|patiente?)|"
                     r"le\smalade|(?:our|the)\spatient)\s(?:is|est|has|had|a|scores|scored)"
                     r"(?:\s(?:now|only|a|at|un|une|seulement))*)\s"
                     r"(?:at\s|a\s|:\s?|is\s|est\s)?(?P<low>100|[1-9]0)(?![^\W_]|[.,]\d|\s?(?:mg|kg|ans|years))\s?%?")
_CHANGE = re.compile(rf"\b{phrases('statements', 'changing')}\b")
_JOINING = re.compile(rf"(?:(?![,\n]){_SMALL}|karn\w+|%){{0,12}}")
_NAMES = re.compile(rf"{_TYPED_ECOG}|\b(?:ps|oms|who)\b")
_ECOG_NAMES = ("ecog", "ecgo", "eocg", "ec0g", "zubrod", "performa", "perfoman", "statut fonctionnel",
               "indice fonctionnel", "functional status", "statut de perf", "indice de perf", "index de perf",
               "score de perf", "e.c.o.g", "eastern coop", "perf stat", "perf. stat", "perf-stat", "peforma",
               "etat de perf")
_GRADED_TUMOUR = re.compile(
    r"(?:gliom|astrocytom|ependymom|meningiom|oligodendro|blastom|carcinom|tumeur|tumou?r|lymphom|cytom|thymom|"
    r"grades?|isup|"
    r"classification|class[ei]|type|groupe?|group|palier|step|ladder)\w*[\s(,:/-]{0,3}"
    r"(?:(?:de|of|the|l|la|selon|en|by|is|d|anaplasique|diffuse?|idh|mute|mutant)[\s'-]{1,2}){0,3}$")
_PLURAL = re.compile(r" (?:more|other|autres|mutation|gene)\b| (?!(?:sans|dans|depuis|puis|mais|plus|was|has|is|as|"
                     r"this|apres|sous|alors|pas|hors|vs|"
                     r"versus|despites?|always|symptoms|ans|ce|tres|toujours|remains|jours|lors|status|selles|ces|"
                     r"ses|des|les|aux)\b)\w{4,}s\b")
_NO_STATUS = re.compile(rf"\b{phrases('performance', 'other_ps')}\b")


def find(note: Note) -> Iterator[Found]:
    """The performance status of a note."""
    mentions: list[Found] = []
    if within := stretches(note, _ECOG_NAMES, ("oms", "who", "ps")):
        mentions += _ecog(note, within)
        mentions += [Found("karnofsky", match.start(), match.end(), match["low"], "%")
                     for match in search(note, _PERCENT, within)
                     if "karn" not in note.folded[max(match.start() - 12, 0):match.end()]]
    if within := stretches(note, ("karn", "kano", "kanr", "kps", "k.p.s"), ("ik", "kpi", "ki")):
        mentions += _karnofsky(note, within)
        mentions += [Found(attribute, *match.span(name), match[name], unit) for match in search(note, _PAIR, within)
                     for name, (attribute, unit) in _PAIRED.items() if match[name]]
    mentions += in_columns(note, "ecog", "karnofsky")
    if mentions:
        yield from stated(note, dict.fromkeys(mentions))


def _karnofsky(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    for match in search(note, _KARNOFSKY, within):
        if match["of_ten"]:
            yield Found("karnofsky", match.start(), match.end(), match["tenths"] + "0", "%")
        elif match["tight"]:
            yield Found("karnofsky", match.start(), match.end(), match["digits"], "%")
        elif _is_index(note, match):
            yield from _values("karnofsky", match, _changes(note, match))
            yield from _again(note, match, "karnofsky")
    for match in search(note, _KARNOFSKY_BEHIND, within):
        yield from _values("karnofsky", match)


def _is_index(note: Note, match: re.Match[str]) -> bool:
    named = match["name"].startswith(("ka", "kps", "k.")) or _capitals(note, match)
    return named and not _NO_GAP.search(match["gap"].replace("(%)", ""))


def _capitals(note: Note, match: re.Match[str]) -> bool:
    start, end = note.source(*match.span("name"))
    return note.text[start:end].isupper()


def _ecog(note: Note, within: Sequence[Stretch]) -> Iterator[Found]:
    near = [match for match in search(note, _ECOG, within) if _is_status(note, match)]
    for match in near:
        yield from _values("ecog", match, _changes(note, match))
        yield from _again(note, match, "ecog")
    for match in search(note, _ECOG_FAR, within):
        if not _said(match, near) and not _NO_GAP.search(_NAMES.sub("", match["gap"])):
            yield from _values("ecog", match)
            yield from _again(note, match, "ecog")
    for match in search(note, _ECOG_BEHIND, within):
        begin, _ = note.sentence_at(match.start())
        if not _said(match, near) and _CARED_FOR.search(note.folded, begin, match.end()):
            yield from _values("ecog", match)


def _said(match: re.Match[str], others: Sequence[re.Match[str]]) -> bool:
    """Whether another match said it already."""
    return any(match.start() <= other.end() and other.start() <= match.end() for other in others)


def _changes(note: Note, match: re.Match[str]) -> bool:
    """Whether the two numbers of a match are an earlier value and a later one."""
    begin, _ = note.sentence_at(match.start())
    said = note.folded[max(begin, match.start() - 40):match.end()]
    return _CHANGE.search(said) is not None or re.search(r"->|→|puis|then", match[0]) is not None


def _values(attribute: str, match: re.Match[str], changes: bool = False) -> Iterator[Found]:
    """The value of a match: the worse of a range, both of a change. Words far from their number are left out of it."""
    groups = match.groupdict()
    low = _plain(match["low"])
    high = _plain(groups["high"]) if groups.get("high") else ""
    unit = "%" if attribute == "karnofsky" else ""
    near = _JOINING.fullmatch(groups.get("gap") or "") and not _HEDGED.search(match[0])
    start = match.start() if near else match.start("low")
    if high and high != low and changes:
        yield Found(attribute, start, match.end("low"), low, unit, context=("history",))
        yield Found(attribute, match.start("high"), match.end(), high, unit)
        return
    worse = max if attribute == "ecog" else min
    yield Found(attribute, start, match.end(), worse((low, high or low), key=int), unit)


def _plain(text: str) -> str:
    return _NUMBERS.get(text) or _TENS.get(text) or text


def _again(note: Note, match: re.Match[str], attribute: str) -> Iterator[Found]:
    """Another value of the same score later in the sentence: "70 % contre 90 % avant"."""
    other = _AGAIN.match(note.folded, match.end())
    if attribute == "karnofsky" and (later := _NOW_AT.match(note.folded, match.end())):
        yield Found("karnofsky", later.start("low"), later.end(), later["low"], "%")
        return
    if other is None or re.search(rf"{_TYPED_ECOG}|\b(?:ps|oms|who|kps|ik)\b|karn", other["gap"]):
        return
    if attribute == "karnofsky" and (len(other["low"]) > 1 and (other["percent"] or "%" not in match[0])):
        yield Found(attribute, other.start("low"), other.end(), other["low"], "%")
    elif attribute == "ecog" and len(other["low"]) == 1 and re.match(_ALONE, note.folded[other.end("low"):]):
        yield Found(attribute, other.start("low"), other.end("low"), other["low"])


def _is_status(note: Note, match: re.Match[str]) -> bool:
    said = match[0]
    if re.search(rf"{_TYPED_ECOG}|{_STATUS}", said):
        return True
    before = note.folded[max(match.start() - 50, 0):match.start()]
    if not _capitals(note, match) or _PLURAL.match(note.folded, match.end()):
        return False
    if match["name"].startswith("p"):
        begin, stop = note.sentence_at(match.start())
        return not _NO_STATUS.search(note.folded[begin:stop])
    harms = f"(?:{phrases('graded_diseases', 'grade_other')}|{phrases('graded_diseases', 'other')})"
    toxic = re.search(rf"\b{harms}\s(?:(?:de\s)?grade\s)?\(?$", before)
    return not toxic and not _GRADED_TUMOUR.search(before) and "grade" not in said

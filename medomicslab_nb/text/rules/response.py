"""Response of the tumour to treatment: RECIST words and abbreviations, in French and English.

Abbreviations (CR, PR, SD, PD; RC, RP, SM, PM) count beside words of an assessment or a treatment, or alone on a line,
and not where they are a report (CR opératoire), a receptor (PR 80 %) or a standard deviation.

Notes
-----
Challenge set (*not real notes*), the half not looked at: F1 .67 in French (n 22) and .89 in English (n 14); once it
was read, all of it: .96 (n 39) and 1.0 (n 27). E3C layer 3, gold by simulated annotators, half of development, by
value: .59 (n 12) and .75 (n 42). Limits: a response told in percent or as a shrinking tumour is not read; lines of
treatment ("L1 RC, L2 RP, L3 en cours") do not make a response an earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.context import contexts
from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import (
    clause_after,
    clause_before,
    follows,
    in_order,
    is_of_other,
    is_unreal,
    named,
    precedes,
    stated,
    with_context,
    words,
)
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.terms import named as tumours_and_treatments

_PAUSE = 12  # characters of a comma and a word that turns
_NEXT = re.compile(r"[,:]\s?(?:(?:mais|but|plutot|rather)\s)?$")
_LISTED = re.compile(r"\s?,?\s?\b(?:or|nor|ou|ni|and|et)\b|\s?,")
_SIGN = re.compile(r"\s?[:=]?\s?(?:[+-](?!\s?\d)|[<>]?\d+(?!\s?(?:x|cures?|cycles?|mois|months?|weeks?|sem)\b)|\()"
                   r"|/[a-z]")
_NUMBER_BEFORE = re.compile(r"(?:[+/±-]|\d\s?%?)\s?\(?$")


def find(note: Note) -> Iterator[Found]:
    """The responses of a note."""
    found = list(in_order(note, dict.fromkeys(_find(note))))
    said = contexts(note, [(each.start, each.end) for each in found])
    for mention, context in zip(found, said, strict=True):
        negated = "negated" in context and not _begins_anew(note, mention)
        yield with_context(mention, "negated") if negated else mention


def _begins_anew(note: Note, mention: Found) -> bool:
    """Whether a denial ends at the comma before a response: "no progression, stable disease", not a list's member."""
    before = note.folded[max(mention.start - _PAUSE, 0):mention.start]
    return bool(_NEXT.search(before)) and not _LISTED.match(note.folded, mention.end)


def _find(note: Note) -> Iterator[Found]:
    for hit in named(note, "response"):
        if _is_response(note, hit):
            qualifier = "pCR" if note.folded[hit.start:hit.end] == "pcr" else ""
            yield stated(note, "response", hit.start, hit.end, hit.term.value, qualifier)
    for start, end, value in (*_stable(note), *_graded(note)):
        if not is_unreal(note, start, end):
            yield stated(note, "response", start, end, value)


def _stable(note: Note) -> Iterator[tuple[int, int, str]]:
    if note.has("stab"):
        for match in note.search(_stable_pattern()):
            yield *match.span("stable" if match["stable"] else "stable_first"), "stable disease"


def _graded(note: Note) -> Iterator[tuple[int, int, str]]:
    if note.has("repons", "respon", "remission"):
        for match in note.search(_graded_pattern()):
            value = "complete response" if match["complete"] or match["complete_first"] else "partial response"
            if not words("near_complete").search(match[0]) and not follows(note, match.start(), "near_complete"):
                yield *match.span(), value


def _is_response(note: Note, hit: Hit) -> bool:
    if hit.term.qualifier == "abbreviation":
        return _is_assessed(note, hit)
    if is_unreal(note, hit.start, hit.end) or follows(note, hit.start, "near_complete"):
        return False
    written = note.folded[hit.start:hit.end]
    if (written.startswith("stabili") and " " not in written) or written == "stability":
        return False
    return not is_of_other(note, hit)


def _is_assessed(note: Note, hit: Hit) -> bool:
    """Whether an abbreviation is a response, by its neighbours."""
    before, after = clause_before(note, hit.start), clause_after(note, hit.end)
    if (not before.strip(" -*•\t") or _is_in_cell(note, hit)) and not after.strip(" .-\t\n"):
        return True
    if before.endswith("(") and after.startswith(")"):  # Parkinson's disease (PD), partial response (PR)
        return bool(_defined().search(before))
    if (_SIGN.match(after) and not after.lstrip().startswith("(")) or _NUMBER_BEFORE.search(before):
        return False
    if precedes(note, hit.end, "abbreviation_other_after") or _is_report(note, hit) or _is_receptor(note, hit):
        return False
    if follows(note, hit.start, "abbreviation_other_before", 0) and not before.endswith(("en ", "in ")):
        return False
    return bool(words("response_cues").search(before) or words("response_cues").search(after)
                or _is_treated(note, hit))


def _is_in_cell(note: Note, hit: Hit) -> bool:
    """Whether a tab stands before it: folded text has none."""
    start, _ = note.source(hit.start, hit.end)
    return note.text[start - 1:start] == "\t"


@cache
def _defined() -> re.Pattern[str]:
    nouns = "repon|respon|remission|stable|stabili|progress|recist|evaluation|maladie"
    return re.compile(rf"(?:{nouns})\w*(?:\s\w+){{0,2}}\W{{1,2}}$")


def _is_report(note: Note, hit: Hit) -> bool:
    """CR du scanner, CR de consultation."""
    return note.folded[hit.start:hit.end] == "cr" and bool(re.match(r"\s(?:du|de|des|d)\b", note.folded[hit.end:]))


def _is_receptor(note: Note, hit: Hit) -> bool:
    """ER and PR positive; not where a response is spoken of after it."""
    if note.folded[hit.start:hit.end] not in ("pr", "rp"):
        return False
    before, after = clause_before(note, hit.start), clause_after(note, hit.end)
    return bool(words("receptors").search(before + after)) and not words("response_cues").search(after)


def _is_treated(note: Note, hit: Hit) -> bool:
    """Whether the sentence names a treatment."""
    start, end = note.sentence_at(hit.start)
    return any(start <= other.start < end and other.term.attribute == "treatment"
               for other in tumours_and_treatments(note))


@cache
def _stable_pattern() -> re.Pattern[str]:
    """What is stable, with a few words between: "TDM : stable", "les lésions restent stables"."""
    return re.compile(
        rf"{words('subject').pattern}(?:[\s:'-]+(?!{phrases('outcome_words', 'elsewhere')}\b)[^\W\d_]+){{0,4}}?[\s:-]+"
        r"(?P<stable>stables?|stabilise(?:e?s?|d)|stabilized|stability|stabilite)\b"
        r"|\b(?P<stable_first>stables?|stabilite|stabilisation)\s(?:au|a la|en|sur|selon|on|by|per)\s"
        rf"(?:la |le |les )?{words('subject').pattern}")


@cache
def _graded_pattern() -> re.Pattern[str]:
    """Réponse radiologique jugée complète, complete radiological and clinical response."""
    noun, between = r"(?:reponses?|remissions?|responses?)", r"(?:[\s:-]+[^\W_]+){0,3}?[\s:-]+"
    return re.compile(
        rf"\b{noun}{between}(?:(?P<complete>completes?)|partielles?|partial)\b"
        rf"|\b(?:(?P<complete_first>completes?)|partial|partielles?){between.replace('3', '2')}{noun}\b")

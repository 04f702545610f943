"""Conditions of the Charlson index (1987), and hypertension: names in ``lexicons/comorbidities.csv``.

Diabetes with an organ's damage beside it and cirrhosis of Child B or C are the graver of their two values. Leukaemia
and lymphoma count where the words say that they are earlier or beside the present cancer.

Notes
-----
Challenge set (*not real notes*), the half not looked at: F1 .91 in French (n 27) and .91 in English (n 21); once it
was read, all of it: .98 (n 52) and .98 (n 46). Portal hypertension counts as graver liver disease. Limits:
abbreviations are read by their capitals; gravity only from the words right after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import (
    clause_after,
    clause_before,
    is_relatives,
    is_unreal,
    named,
    precedes,
    stated,
    words,
)

_CANCERS = ("leukaemia", "lymphoma")
_CHILD = re.compile(r",\s(?:child|pugh|decompens)")
_BESIDE = 40  # characters after a condition in which its gravity is said


def find(note: Note) -> Iterator[Found]:
    """The conditions of a note."""
    renal = {note.sentence_at(hit.start) for hit in named(note, "comorbidity") if hit.term.value == "renal disease"
             and "dialys" not in note.folded[hit.start:hit.end]}
    for hit in named(note, "comorbidity"):
        if "dialys" in note.folded[hit.start:hit.end] and note.sentence_at(hit.start) in renal:
            continue  # CKD stage 4, not on dialysis
        family = is_relatives(note, hit.start, hit.end)
        if _counts(note, hit, family):
            value, end = _graded(note, hit)
            yield stated(note, "comorbidity", hit.start, end, value)


def _counts(note: Note, hit: Hit, family: bool) -> bool:
    if hit.term.value == "none" or is_unreal(note, hit.start, hit.end):
        return False
    if hit.term.qualifier == "ambiguous" and re.match(r"\s?[(:]\s?(?!oui|non|yes|no)[a-z]", note.folded[hit.end:]):
        return False  # MI (mitral insufficiency)
    before, after = clause_before(note, hit.start), clause_after(note, hit.end)
    if words("serology").search(before) and words("negative").search(after):
        return False
    return hit.term.value not in _CANCERS or family or _is_other_cancer(note, hit)


def _is_other_cancer(note: Note, hit: Hit) -> bool:
    """Whether a leukaemia or lymphoma is not the cancer that the note is about."""
    return (note.section_at(hit.start) in ("history", "family")
            or precedes(note, hit.end, "beside_after", 1)
            or bool(words("earlier_cancer").search(clause_before(note, hit.start)))
            or bool(re.match(r"\W{0,2}(?:since|depuis)\b.*,", clause_after(note, hit.end))))


def _graded(note: Note, hit: Hit) -> tuple[str, int]:
    """The value and where it ends, with what the words after a condition say of its gravity."""
    after = clause_after(note, hit.end)[:_BESIDE]
    after = after if _CHILD.match(after) else after.partition(",")[0]
    if hit.term.value == "diabetes":
        found = None if words("uncomplicated").search(after) else words("complicated").search(after)
        return ("diabetes with complications", hit.end + found.end()) if found else (hit.term.value, hit.end)
    if hit.term.value == "mild liver disease" and "cirrho" in note.folded[hit.start:hit.end]:
        found = words("severe_liver").search(after)
        return ("moderate or severe liver disease", hit.end + found.end()) if found else (hit.term.value, hit.end)
    return hit.term.value, hit.end

"""Treatments of cancer by name: drugs, regimens, operations that remove a tumour or its organ, modalities.

The value of a drug is its INN, its qualifier the class; that of a regimen its usual abbreviation, the qualifier its
drugs; that of an operation the English name, the qualifier its extent (mastectomy; modified radical mastectomy).
Chemoradiotherapy is two facts. Words beside a name can say that it is none (``lexicons/treatment_words.yaml``):
service de chirurgie, ablation de la sonde, the resected specimen, methotrexate for rheumatoid arthritis.

Measured on the half of the E3C layer 3 case reports that was not read while the rule was made (annotated by simulated
annotators, no clinicians): F1 of mentions .92 (French, n = 146) and .94 (English, n = 481); with the value .78 and
.86; with value and context .72 and .77.

Limits: "surgery" and "opéré" count without knowing of what; abbreviations that often mean something else (EP, TC,
MAP) are found only beside protocole, regimen or chemotherapy; doses, cycles and dates of a treatment are not joined
to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import listed, phrases
from medomicslab_nb.text.rules.terms import named

_WORDS = "treatment_words"
_STAGE = re.compile(r"iv[a-c]")
_NEAR = 45  # characters before and after a name in which words say that it is none


def find(note: Note) -> Iterator[Found]:
    """The treatments that the lexicons drugs, regimens, operations and modalities name."""
    for hit in named(note):
        if hit.term.attribute == "treatment" and not _is_none(note, hit):
            for value in hit.term.value.split(";"):
                yield Found("treatment", hit.start, hit.end, value.strip(), qualifier=hit.term.qualifier)


def _is_none(note: Note, hit: Hit) -> bool:
    """Whether the words beside a name say that no cancer is treated."""
    start, end = note.sentence_at(hit.start)
    written = note.folded[hit.start:hit.end]
    before = note.folded[max(start, hit.start - _NEAR):hit.start]
    after = note.folded[hit.end:min(end, hit.end + _NEAR)]
    tests = (_is_place, _is_elsewhere, _is_taking, _is_taken, _is_pain, _is_stage)
    beside = any(test(written, before, after) for test in tests)
    return beside or _is_for_other(note, hit, start, end)


def _is_place(written: str, before: str, after: str) -> bool:
    """Service de chirurgie, radiation oncology."""
    return bool(_within("general").search(written)) and bool(
        _last_words("department", 4).search(before) or _next_word("department_after", 0).match(after))


def _is_elsewhere(written: str, before: str, after: str) -> bool:
    """Heart surgery, surgery for peritonitis."""
    return bool(_whole("operation").fullmatch(written)) and bool(
        _last_words("elsewhere", 0).search(before) or _next_word("elsewhere_after", 2).match(after))


def _is_taking(written: str, _before: str, after: str) -> bool:
    """Ablation de la sonde, excision of necrotic tissue, resection margins."""
    if _whole("resection").fullmatch(written) and _next_word("margin", 0).match(after):
        return True
    return bool(_within("taking").search(written)) and bool(_next_word("things", 3).match(after))


def _is_taken(written: str, before: str, after: str) -> bool:
    """The resected specimen, le sein irradié."""
    return bool(_whole("participle").fullmatch(written)) and bool(
        _last_words("taken_before", 0).search(before) or _next_word("taken_after", 0).match(after))


def _is_pain(written: str, before: str, after: str) -> bool:
    """Douleur lombaire avec irradiation dans la jambe."""
    return bool(_whole("radiating").fullmatch(written)) and bool(_within("pain").search(before + after))


def _is_stage(written: str, before: str, _after: str) -> bool:
    """Stage IVA, stade IIIB à IVA."""
    return bool(_STAGE.fullmatch(written) and _stage_before().search(before))


def _is_for_other(note: Note, hit: Hit, start: int, end: int) -> bool:
    """Methotrexate for rheumatoid arthritis."""
    return hit.term.value in _drugs() and bool(_within("otherwise").search(note.folded, start, end))


@cache
def _stage_before() -> re.Pattern[str]:
    numeral = r"(?:[iv]{1,3}[a-c]?\d?|a|to|ou|or|et|and|-)"
    return re.compile(rf"\b{phrases(_WORDS, 'stage')}(?:\s*{numeral})*[\s:=-]*$")


@cache
def _drugs() -> frozenset[str]:
    return frozenset(listed(_WORDS, "drugs"))


@cache
def _within(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{phrases(_WORDS, name)}\b")


@cache
def _whole(name: str) -> re.Pattern[str]:
    return re.compile(f"{phrases(_WORDS, name)}s?")


@cache
def _last_words(name: str, between: int) -> re.Pattern[str]:
    """One of the words at the end of a stretch, with at most so many others after it."""
    return re.compile(rf"\b{phrases(_WORDS, name)}(?:[\s'-]+(?!pour\b|for\b)\w+){{0,{between}}}[\s'-]+$")


@cache
def _next_word(name: str, between: int) -> re.Pattern[str]:
    """One of the words at the beginning of a stretch, with at most so many others before it."""
    return re.compile(rf"(?:[\s'-]+\w+){{0,{between}}}[\s'-]+{phrases(_WORDS, name)}\b")

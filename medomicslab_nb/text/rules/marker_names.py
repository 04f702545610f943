"""The tumour markers that a note names, those of other fluids and other tests with the same letters left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.lexicon import Hit, Term, lexicon
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import phrases

_ABBREVIATED = ("psa", "ldh", "afp", " ace", "'ace", "(ace", "\nace", "cea", "hcg", "ca1", "ca 1", "ca-1", "ca(",
                "ca (", "p.s", "l.d", "c.e", "a.c", "a.f")
_GUARD = (*_ABBREVIATED, "15-3", "19-9", "\N{GREEK SMALL LETTER ALPHA}fp",
          "lhd", "foeto", "feto", "embryon", "antigen", "chorioni", "lact", "aps")
_GLUED = re.compile(r"(?:(?<![^\W_])|(?<=\d)|(?<=/ml)|(?<=/l))"
                    r"(?P<name>ca\s?125|ca\s?15[-.]?3|ca\s?19[-.]?9|psa|ldh|afp|ace|cea|"
                    r"hcg)(?=\s?[=:]|\d+(?:[.,]\d+)?(?![\w-]))")
_DOTTED = re.compile(r"(?<![^\W_])(?P<name>c\.\s?a\.\s?(?:125|15[-.]3|19[-.]9)|"
                     r"p\.\s?s\.\s?a|l\.\s?d\.\s?h|c\.\s?e\.\s?a|a\.\s?c\.\s?e|"
                     r"a\.\s?f\.\s?p)(?![^\W_])\.?")
_PARTS = re.compile(r"(?<=[\s(,;/])(?P<name>125|15[-./]3|19[-./]9)(?![\w.%-]|,\d|\s?(?:u|ui|ku|iu)\s?/)")
_PART_GAP = re.compile(r"(?:,\s?(?:et|and)\s|;\s(?:et|and)\s|\s?[,;/]\s?|\s(?:et|and)\s)$")
_NUMBERS = ("ca1", "ca 1", "ca-1", "ca (", "15-3", "15.3", "19-9", "19.9")
_MARKERS = re.compile(r"\b(?:marqueurs?|markers?)\b[^.;\n]*$")
_SAID_OF = re.compile(r"\s?(?:a\s|[:=])")
_CA = re.compile(r"(?<![^\W_])ca(?:\s?(?:125|15[-./ ]?3|19[-./ ]?9))?[\s,;/(]+(?:(?:and|et|&)\s+)?$")
_AND = re.compile(r"\s*(?:,|/|;|and|et|&|\+|,\s*and|,\s*et)\s*(?:(?:le|la|l|du|the|de|d)\b\s*'?)*")
_AMBIGUOUS = ("ACE", "APS")  # words of other meanings in small letters
_CLAUSE = 60  # characters before a name in which its fluid is named


def groups(note: Note) -> Iterator[list[Hit]]:
    """Markers in serum; those that are named together ("CEA and CA 19-9 were 5 and 37") in one list."""
    if not note.has(*_GUARD) and not note.folded.startswith("ace"):
        return
    group: list[Hit] = []
    for hit in _named(note):
        if group and not _AND.fullmatch(note.folded, group[-1].end, hit.start):
            yield group
            group = []
        group.append(hit)
    if group:
        yield group


def _named(note: Note) -> list[Hit]:
    """The markers that a note names; CA125 glued to its value, and the 15-3 of "CA 125, 15-3 and 19-9" among them."""
    hits = list(lexicon("markers").find(note))
    if note.has(*_ABBREVIATED):
        hits += [_hit(match) for pattern in (_GLUED, _DOTTED) for match in note.search(pattern) if _free(match, hits)]
    if note.has(*_NUMBERS):
        for match in note.search(_PARTS):
            if _free(match, hits) and _goes_on(note, match, hits):
                hits.append(_hit(match))
    return sorted(hits, key=lambda hit: hit.start)


def _free(match: re.Match[str], hits: Sequence[Hit]) -> bool:
    return not any(hit.start < match.end() and match.start() < hit.end for hit in hits)


def _goes_on(note: Note, match: re.Match[str], hits: Sequence[Hit]) -> bool:
    """Whether a number is the further CA of a list."""
    before = note.folded[max(match.start() - _CLAUSE, 0):match.start()]
    if _MARKERS.search(before) and _SAID_OF.match(note.folded, match.end()):
        return True
    gap = _PART_GAP.search(before)
    last = match.start() - len(gap[0]) if gap else -1
    return bool(_CA.search(before)) or any(hit.end == last and hit.term.attribute.startswith("ca1") for hit in hits)


def _hit(match: re.Match[str]) -> Hit:
    digits = re.sub(r"[^a-z0-9]", "", match["name"])
    attribute = {"ace": "cea", "125": "ca125", "153": "ca153", "199": "ca199"}.get(digits, digits)
    return Hit(Term(attribute, "name", match["name"]), match.start(), match.end())


def is_other(note: Note, hit: Hit) -> bool:
    """Whether it is another test (PSA density), another fluid, or another meaning of the letters."""
    start, end = note.source(hit.start, hit.end)
    if hit.term.text in _AMBIGUOUS and not note.text[start:end].isupper():
        return True
    begin, stop = note.sentence_at(hit.start)
    before = note.folded[max(hit.start - _CLAUSE, begin):hit.start]
    after = note.folded[hit.end:min(hit.end + 30, stop)]
    if _words("other_after").match(after.lstrip(" -/")) or _ends(_words("other_before"), before):
        return True
    near = re.split(r"[\d;.,:=]", after)[0]
    clause = re.split(r"[;.]\s", before)[-1]
    if _words("serum").search(before[-14:]) or _words("serum").search(near):
        return False
    return bool(_words("fluids").search(clause) or _words("fluids").search(near))


def _ends(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a text ends with one of the phrases."""
    return any(re.fullmatch(r"[\s/'(-]*", text[match.end():]) for match in pattern.finditer(text))


@cache
def _words(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('marker_words', name)}(?![^\W_])")

"""Sentences of clinical notes: full stops that are none, lines that wrap, headings and lists."""

from __future__ import annotations

import re

# Words before a full stop that does not end a sentence, in either language; lower case, without the stop.
_ABBREVIATIONS = frozenset(
    "dr dre drs pr prs mr mrs ms m mme mlle mm st ste prof med no num tel cf vs env approx ca fig ref réf art av bd "
    "inc ltd e.g i.e c.-à-d p.ex ex al resp max min cp cpr inj amp gtt sol hx dx rx tx fx pt pts yr yrs mo wk vol ed "
    "éd dept dép hosp hôp sup inf ant post lat méd d g lt rt bilat nb sq jr sr esq".split())
_STOP = re.compile(r"[.!?…]+(?P<close>[\"'»\u201d\u2019)\]]*)(?P<gap>\s*)")
_LINES = re.compile(r"\n\s*")
_UNITS = frozenset("cm mm mg kg ml gy ans an".split())
_NUMBERED = re.compile(r"(?:^|\n)[^\S\n]*\d{1,2}$")
_WORD_BEFORE = re.compile(r"(?:[^\W\d_]|[.\-])+$")
_ITEM = re.compile(r"(?:[-*•·\u2013\u2014▪◦‣>]|\d{1,2}[.)\-/]\s|[a-z]\))")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Begin and end of each sentence, in order; together they cover the text, spaces after a sentence belong to it.

    Sentences end at a full stop that is not an abbreviation's, an initial's or a number's; at an empty line; and at the
    end of a line when the next begins with a capital, a digit or a mark of a list, or this one is a heading.
    """
    ends = sorted({*_stops(text), *_line_ends(text), len(text)} - {0})
    return list(zip([0, *ends[:-1]], ends, strict=True)) if text else []


def _stops(text: str) -> list[int]:
    return [match.end() for match in _STOP.finditer(text) if _ends_sentence(text, match)]


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    after = text[match.end():match.end() + 1]
    before = text[max(match.start() - 12, 0):match.start()]
    if not after:
        return True
    if not match["gap"]:  # "reasons.First": a stop that lacks its space, but not J.Dupont, T2.N0, 3.5 or www.x.org
        return len(before) > 2 and before[-3:].isalpha() and before[-2:].islower() and after.isupper()
    if after.islower() and "\n" not in match["gap"] and _may_be_short_for(before):
        return False
    return not _is_abbreviation(before, match[0])


def _may_be_short_for(before: str) -> bool:
    """Whether a stop before a small letter may be that of an abbreviation that no list has, or of an item's number."""
    if before[-1:].isdigit():
        return _NUMBERED.search(before) is not None
    word = _WORD_BEFORE.search(before)
    return word is not None and len(word[0]) <= 3 and word[0].lower() not in _UNITS


def _is_abbreviation(before: str, stop: str) -> bool:
    if not stop.startswith(".") or stop.startswith(".."):
        return False
    word = _WORD_BEFORE.search(before)
    if word is None:
        return False
    bare = word[0].lower().strip("-")
    return bare in _ABBREVIATIONS or (len(bare) == 1 and word[0].isupper())


def _line_ends(text: str) -> list[int]:
    ends = []
    for match in _LINES.finditer(text):
        after = text[match.end():match.end() + 4]
        line = text[text.rfind("\n", 0, match.start()) + 1:match.start()].rstrip()
        begins = after[:1].isupper() or after[:1].isdigit() or _ITEM.match(after)
        if "\n" in match[0][1:] or line.endswith(":") or (begins and not line.endswith((",", "(", "/", "-"))):
            ends.append(match.end())
    return ends

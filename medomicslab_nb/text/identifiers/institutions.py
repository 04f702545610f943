"""Hospitals, clinics, institutes and other institutions with a name, in French and in English."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.misreading import any_of
from medomicslab_nb.text.identifiers.place_names import LONGEST, is_one, listed, name_end
from medomicslab_nb.text.identifiers.tokens import Token

_CAPITAL = frozenset("FSUWGKEVIPTLRB")
_BEFORE = frozenset({"la", "le", "du", "au", "des", "aux", "un", "chu", *"'\n-:,("})


def find_institutions(text: str, tokens: Sequence[Token]) -> Iterator[Candidate]:
    """Institutions in a folded text with its capitals."""
    for at, token in enumerate(tokens):
        if is_one(token, "institutions") or is_one(token, "units"):
            yield from _french(tokens, at)
        if is_one(token, "english_institutions"):
            yield from _english(tokens, at)
    for match in _known_by_name().finditer(text):
        if match[0][0].isupper():
            yield Candidate("institution", *match.span(), "known institution")


@cache
def _known_by_name() -> re.Pattern[str]:
    names = any_of(re.sub("[ -]", "[ -]", name) for name in listed("named_institutions"))
    return re.compile(rf"(?<![\w-]){names}(?![\w-])", re.I)


def _french(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """Its kind, what kind it is of, and its name; a unit ("service", "foyer") needs an unknown name."""
    if _is_no_institution(tokens, at):
        return
    begin = at + 1
    while begin < len(tokens) and tokens[begin].word in listed("of_institutions"):
        begin += 1
    sure = is_one(tokens[at], "institutions")
    end = name_end(tokens, begin)
    if _tells(tokens, at, begin, end, sure=sure):
        if not any(token.word in listed("no_institutions") for token in tokens[begin:begin + 1]):
            yield Candidate("institution", tokens[at].start, tokens[end - 1].end, "institution")
    elif sure and _stands_alone(tokens, at):
        end = name_end(tokens, begin, small=4)
        if end > begin and _names_in_small_letters(tokens[begin:end]):
            yield Candidate("institution", tokens[at].start, tokens[end - 1].end, "institution in small letters")


def _is_no_institution(tokens: Sequence[Token], at: int) -> bool:
    """Whether "centre sur" (from "centré sur") or "had" stands there, and not an institution."""
    following = tokens[at + 1].word if at + 1 < len(tokens) else ""
    short = tokens[at].word in listed("short_institutions") and not tokens[at].text.isupper()
    return short or following in ("sur", "par")


def _tells(tokens: Sequence[Token], at: int, begin: int, end: int, *, sure: bool) -> bool:
    """Whether a name stands behind the kind of an institution; ordinary words are one behind an article only."""
    named = [token for token in tokens[begin:end] if token.text[0].isalnum() and token.letter not in "pP"]
    letters = "USFsuf" + ("EGW" if sure else "") + ("VTLRK" if sure and _stands_alone(tokens, at) else "")
    return any(token.letter in letters and (sure or token.capital) for token in named)


def _names_in_small_letters(tokens: Sequence[Token]) -> bool:
    joined = any(token.letter in "pPusfUSF" for token in tokens)
    return joined and not any(token.word in listed("no_institutions") for token in tokens)


def _stands_alone(tokens: Sequence[Token], at: int) -> bool:
    """Whether a noun begins there: behind an article or sign, not "examen clinique"."""
    return not at or tokens[at - 1].word in _BEFORE


def _english(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A name, and its kind ("Medical Center") behind it, with "of ..." behind that."""
    first = at
    while first and at - first < LONGEST and _goes_before(tokens, first - 1, at):
        first -= 1
    while first < at and (tokens[first].word in listed("ends") or tokens[first].word in ("of", "and", "s", *"'.-&")):
        first += 1
    end = at + 1
    while end < len(tokens) and tokens[end].word in listed("english_institutions") | listed("of_institutions"):
        end += 1
    told = any(_is_telling(token, tokens[at]) for token in tokens[first:at])
    if end < len(tokens) and tokens[end].word == "of":
        further = name_end(tokens, end + 1)
        if any(token.capital for token in tokens[end + 1:further]):
            end, told = further, True
    if told:
        yield Candidate("institution", tokens[first].start, tokens[end - 1].end, "institution")


def _goes_before(tokens: Sequence[Token], at: int, kind: int) -> bool:
    """Whether a token can be a part of the name before the kind of an institution."""
    token = tokens[at]
    if token.word in listed("of_institutions") or token.word in ("s", "st", "saint", *"'.-&"):
        return True
    if token.word in ("of", "the", "and"):
        return at > 0 and tokens[at - 1].capital
    small = token.letter == "v" and not tokens[kind].capital and tokens[at + 1].letter in "v-" and at + 1 < kind
    return (token.capital and token.letter in _CAPITAL) or token.letter in "usf" or (
        small and token.word not in listed("ends"))


def _is_telling(token: Token, kind: Token) -> bool:
    """Whether a token makes a name of what stands before "Hospital"; before "Surgery" only an unknown word does."""
    if kind.word in listed("unsure_english_institutions"):
        return token.letter in "FSU"
    named = token.capital and token.letter in _CAPITAL and token.word not in listed("of_institutions")
    return named or token.letter in "usf" or token.word in ("st", "saint")

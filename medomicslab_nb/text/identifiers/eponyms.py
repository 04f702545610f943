"""Eponyms in their place: a name in "signe de X" or "X's disease" is one, whether the list has it or not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from medomicslab_nb.text.identifiers.lexicons import cues
from medomicslab_nb.text.identifiers.tokens import Token


def with_eponyms(tokens: list[Token]) -> list[Token]:
    """Names that stand where an eponym does ("signe de X", "X's disease", "X et Y") as eponyms, listed or not."""
    marked = list(tokens)
    heads, tails = _eponym_words("before"), _eponym_words("after")
    for at, token in enumerate(tokens):
        if token.word in heads and token.word == token.text.lower():
            _mark(marked, _behind_head(tokens, at))
        if token.word in tails:
            _mark(marked, _before_tail(tokens, at))
    return marked


def _mark(tokens: list[Token], places: list[int]) -> None:
    for at in places:
        tokens[at] = replace(tokens[at], letter="E" if tokens[at].capital else "e")


@cache
def _eponym_words(name: str) -> frozenset[str]:
    return frozenset(cues()["eponym_words"][name])


def _behind_head(tokens: list[Token], at: int) -> list[int]:
    """Where names stand behind "classification (TNM) de" and the like; none where a title stands there."""
    at += 1
    while at < len(tokens) and (tokens[at].letter in "v'" or tokens[at].word in ("selon", "according", "to")):
        at += 1
        if at < len(tokens) and tokens[at - 1].letter == "v" and not _leads(tokens[at]):
            return []
    if at < len(tokens) and _leads(tokens[at]):
        return _names_on(tokens, at + 1 + (tokens[at + 1:at + 2] != [] and tokens[at + 1].text == "'"))
    return _names_on(tokens, at) if at < len(tokens) and tokens[at - 1].word in _eponym_words("bare") else []


def _leads(token: Token) -> bool:
    return token.word in ("de", "d", "of", "selon", "du", "by", "von")


def _names_on(tokens: list[Token], at: int) -> list[int]:
    found: list[int] = []
    while at < len(tokens) and (tokens[at].letter in "FSUGWEu" or (found and tokens[at].letter in "-&pP,")):
        if tokens[at].letter in "FSUGWu":
            found.append(at)
        at += 1
    return found


def _before_tail(tokens: list[Token], at: int) -> list[int]:
    """Where names stand before "disease" and the like; one or two, joined by hyphens or "and"."""
    found: list[int] = []
    at -= 1
    while at >= 0 and tokens[at].word in _eponym_words("between"):
        at -= 1
    while at >= 0 and tokens[at].capital and (tokens[at].letter in "FSUGWE" or (found and tokens[at].letter in "-")):
        if tokens[at].letter in "FSUGW":
            found.append(at)
        at -= 1
        while found and at > 0 and tokens[at].letter in "-&":
            at -= 1
    return found if at < 0 or tokens[at].letter not in "Tt." else []

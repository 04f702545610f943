"""Addresses, postcodes and towns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.lexicons import eponyms, filled, forms, places
from medomicslab_nb.text.identifiers.place_names import NAME, is_one, listed, name_end
from medomicslab_nb.text.identifiers.tokens import Token

_FORMS = [(kind, re.compile(filled(form))) for kind, patterns in forms()["places"].items() for form in patterns]
_CEDEX = re.compile(r" ?cedex(?: \d{1,2})?", re.I)
_DEPARTMENT = re.compile(r"(?:0[1-9]|[1-8]\d|9[0-8]|2[AB])\d{3}|[1-9]\d{3}")


def find_places(text: str, tokens: Sequence[Token]) -> Iterator[Candidate]:
    """Addresses, postcodes and towns in a folded text with its capitals."""
    for kind, pattern in _FORMS:
        for match in pattern.finditer(text):
            yield Candidate(kind, *(match.span("value") if "value" in pattern.groupindex else match.span()), "form")
    for at in range(len(tokens)):
        yield from _street(tokens, at)
        yield from _english_street(tokens, at)
        yield from _postcode(text, tokens, at)
        yield from _town(tokens, at)


def _street(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A French street: its kind, a name behind it, and a house number before."""
    token = tokens[at]
    sure, unsure = is_one(token, "streets"), is_one(token, "unsure_streets")
    if not (sure or unsure) or at + 1 >= len(tokens):
        return
    first = at
    while first and at - first < 4 and (tokens[first - 1].letter == "n" or tokens[first - 1].text == ","
                                        or tokens[first - 1].word in listed("house")):
        first -= 1
    numbered = any(token.letter == "n" for token in tokens[first:at])
    while first < at and tokens[first].letter != "n":
        first += 1
    begin = at + 1 + (tokens[at + 1].text == ".")
    end = name_end(tokens, begin, small=3 if numbered and sure else 0)
    named = any(token.capital or token.letter in "usf" for token in tokens[begin:end])
    if end > begin and end < len(tokens) and tokens[end].word in listed("directions") and tokens[end - 1].is_word:
        end += 1
    telling = sure and named and token.word not in listed("short_streets")
    if end > begin and (telling or (numbered and (sure or named))):
        yield Candidate("address", tokens[first].start, tokens[end - 1].end, "street")
        yield from _town_behind(tokens, end)


def _english_street(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """An English street: a house number, a name, and the kind of street."""
    if tokens[at].letter not in "nz" or not tokens[at].text[0].isdigit():
        return
    for end in range(at + 2, min(at + 8, len(tokens))):
        token = tokens[end]
        if token.text in "\n;:(),":
            return
        named = all(word.letter in "fsuFSUpP-'" for word in tokens[at + 1:end])
        if is_one(token, "sure_english_streets") or (is_one(token, "english_streets") and (token.capital or named)):
            name = [word for word in tokens[at + 1:end] if word.text[0].isalpha()]
            if name and all(word.capital or word.letter in NAME or word.letter == "p" for word in name):
                after = end + 1
                if after < len(tokens) and tokens[after].word in listed("directions"):
                    after += 1
                yield Candidate("address", tokens[at].start, tokens[after - 1].end, "street")
                yield from _town_behind(tokens, after)
            elif 0 < len(name) < 3 and all(word.letter in "vp" and word.word not in listed("ends") for word in name):
                yield Candidate("address", tokens[at].start, token.end, "street")
            return


def _town_behind(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """The town behind a street, after a comma, or on the next line if that goes on like an address."""
    if at + 1 >= len(tokens) or tokens[at].text not in ",\n-":
        return
    lined = tokens[at].text == "\n"
    begin = at + 1
    end = name_end(tokens, begin)
    goes_on = (end < len(tokens) and (tokens[end].letter in "nzIK(" or tokens[end].text in ",\n")) or end == len(tokens)
    if end > begin and (tokens[begin].capital or tokens[begin].letter in NAME) and (goes_on or not lined) and (
            end == len(tokens) or tokens[end].text != ":"):
        yield Candidate("place", tokens[begin].start, tokens[end - 1].end, "town behind a street")


def _postcode(text: str, tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A French, Belgian or Swiss postcode with its town; of four digits only before a town of the list."""
    token = tokens[at]
    if token.letter != "n" or not _DEPARTMENT.fullmatch(token.text) or at + 1 >= len(tokens):
        return
    town = at + 1
    if not tokens[town].text[0].isalpha() or (len(tokens[town].text) < 3 and tokens[town].letter not in "pPI"):
        return
    addressed = not at or tokens[at - 1].text in "\n,-"
    end = name_end(tokens, town, small=3 if addressed and len(token.text) == 5 else 0)
    named = tokens[town:end]
    listed = _is_listed(named)
    if end == town or not (listed or (len(token.text) == 5 and _is_town(named))):
        return
    yield Candidate("postcode", token.start, token.end, "postcode and town")
    cedex = _CEDEX.match(text, named[-1].end)
    yield Candidate("place", named[0].start, cedex.end() if cedex else named[-1].end, "postcode and town")


def _is_town(named: Sequence[Token]) -> bool:
    """Whether words behind five digits can be a town, and are no unit."""
    words = [token for token in named if token.letter not in "pP" and token.text[0].isalpha()]
    return bool(words) and any(len(token.text) > 2 and token.letter in "FSUWGEVfsuTgwv" for token in words)


def _is_listed(named: Sequence[Token]) -> bool:
    return bool(named) and " ".join(token.word for token in named if token.text[0].isalnum()) in places()


def _town(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A town: one of the list that is no ordinary word; behind "à", "in" or "demeurant à" any unknown name."""
    token = tokens[at]
    if not token.is_word:
        return
    end = name_end(tokens, at) if token.capital else at + 1
    for last in range(min(end, at + 5), at, -1):
        if _is_listed_town(tokens[at:last]) or (last == at + 1 and _is_town_in_place(tokens, at)):
            yield Candidate("place", token.start, tokens[last - 1].end, "town")
            return
    rule, end = _unlisted_town(tokens, at, end)
    if end > at:
        yield Candidate("place", token.start, tokens[end - 1].end, rule)


def _unlisted_town(tokens: Sequence[Token], at: int, end: int) -> tuple[str, int]:
    """The rule by which a town stands there that no list has, and where it ends; nowhere, if none does."""
    token, before = tokens[at], tokens[at - 1].word if at else "\n"
    if before == "a" and at > 1 and tokens[at - 2].word == "fait" and not token.capital:
        return "town of a signature", name_end(tokens, at, small=3)
    if before == "\n" and tokens[end:end + 1] and tokens[end].text == "," and _is_dated(tokens, end + 1):
        return "town before a date", end if _is_town(tokens[at:end]) and token.letter not in "TLRB" else at
    if before not in listed("before_towns"):
        return "", at
    if token.letter in "USF" and len(token.text) > 3 and not token.text.isupper():
        return "behind a preposition", end
    if _lives(tokens, at) and (token.capital or token.letter in "usf"):
        return "where somebody lives", max(name_end(tokens, at), at + 1)
    return "", at


def _is_town_in_place(tokens: Sequence[Token], at: int) -> bool:
    """Whether a town of the list that is also an ordinary word ("Tours") stands where a town can."""
    token, before = tokens[at], tokens[at - 1].word if at else ""
    return token.word in places() and ((token.letter in "VGW" and before in listed("before_towns")) or (
        token.letter == "V" and len(token.text) > 4 and before == ","))


def _is_dated(tokens: Sequence[Token], at: int) -> bool:
    """Whether "le ..." or a date stands there."""
    words = [token.word for token in tokens[at:at + 2]]
    return len(words) == 2 and (words[0] == "le" or words[0] in listed("months") or (
        words[0].isdigit() and (words[1] in "/.-" or words[1] in listed("months"))))


def _is_listed_town(tokens: Sequence[Token]) -> bool:
    """Whether the list has the tokens together, and they are neither ordinary words nor an eponym."""
    words = [word for word in tokens if word.text[0].isalnum()]
    name = " ".join(word.word for word in words)
    if name not in places() or len(name) < 4 or words[-1] is not tokens[-1]:
        return False
    if len(words) > 1:
        return all(word.capital or word.letter in "pP" for word in words) and not (
            all(word.word in eponyms() for word in words))
    one = words[0]
    return (one.capital and one.letter in "FSU" and one.word not in eponyms()) or (one.letter in "su" and len(name) > 5)


def _lives(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word of living somewhere stands up to three words before."""
    return any(token.word in listed("living") for token in tokens[max(0, at - 5):at])



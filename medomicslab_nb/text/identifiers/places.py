"""Addresses, postcodes, towns and institutions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.lexicons import cues, eponyms, filled, forms, places
from medomicslab_nb.text.identifiers.misreading import any_of, skeleton
from medomicslab_nb.text.identifiers.tokens import Token

_NAME = frozenset("FSUWGKEfsugw")
_CAPITAL = frozenset("FSUWGKEVIPTLRB")
_LONGEST = 9

_FORMS = [(kind, re.compile(filled(form))) for kind, patterns in forms()["places"].items() for form in patterns]
_CEDEX = re.compile(r" ?cedex(?: \d{1,2})?", re.I)
_DEPARTMENT = re.compile(r"(?:0[1-9]|[1-8]\d|9[0-8]|2[AB])\d{3}|[1-9]\d{3}")


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(cues()["places"][name])


@cache
def _named_institutions() -> re.Pattern[str]:
    names = any_of(re.sub("[ -]", "[ -]", name) for name in _words("named_institutions"))
    return re.compile(rf"(?<![\w-]){names}(?![\w-])", re.I)


@cache
def _forms(name: str) -> frozenset[str]:
    return frozenset(skeleton(word) for word in _words(name) if len(word) > 3)


def _is(token: Token, name: str) -> bool:
    """Whether a token is in a list of words, also misread."""
    strange = token.letter in "Uuz" or not token.text.isalpha()
    return token.word in _words(name) or (strange and skeleton(token.word) in _forms(name))


def find_places(text: str, tokens: Sequence[Token]) -> Iterator[Candidate]:
    """Addresses, postcodes, towns and institutions in a folded text with its capitals."""
    for kind, pattern in _FORMS:
        for match in pattern.finditer(text):
            yield Candidate(kind, *(match.span("value") if "value" in pattern.groupindex else match.span()), "form")
    for at, token in enumerate(tokens):
        yield from _street(tokens, at)
        yield from _english_street(tokens, at)
        yield from _postcode(text, tokens, at)
        yield from _town(tokens, at)
        if _is(token, "institutions") or _is(token, "units"):
            yield from _institution(tokens, at)
        if _is(token, "english_institutions"):
            yield from _english_institution(tokens, at)
    for match in _named_institutions().finditer(text):
        if match[0][0].isupper():
            yield Candidate("institution", *match.span(), "known institution")


def _run(tokens: Sequence[Token], at: int, small: int = 0) -> int:
    """Where a name that begins at a token ends: words with a capital, unknown words, and what joins them.

    ``small`` ordinary words without a capital may stand in it, where no word with a capital does.
    """
    end, last, capitals = at, at, 0
    while end < len(tokens) and end - at < _LONGEST:
        token = tokens[end]
        if token.letter in "pP'-." or token.word in _words("joining"):
            if token.letter == "." and not (end and len(tokens[end - 1].text) <= 2):
                break
        elif token.text == "\n" or not token.text[0].isalnum():
            break
        elif token.capital and token.letter not in "nz":
            capitals += 1
            last = end + 1
        elif token.letter in _NAME:
            last = end + 1
        elif token.is_word and small > 0 and not capitals and token.word not in _words("ends"):
            small -= 1
            last = end + 1
        else:
            break
        end += 1
    return last


def _street(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A French street: its kind, a name behind it, and a house number before."""
    token = tokens[at]
    sure, unsure = _is(token, "streets"), _is(token, "unsure_streets")
    if not (sure or unsure) or at + 1 >= len(tokens):
        return
    first = at
    while first and at - first < 4 and (tokens[first - 1].letter == "n" or tokens[first - 1].text == ","
                                        or tokens[first - 1].word in _words("house")):
        first -= 1
    numbered = any(token.letter == "n" for token in tokens[first:at])
    while first < at and tokens[first].letter != "n":
        first += 1
    begin = at + 1 + (tokens[at + 1].text == ".")
    end = _run(tokens, begin, small=3 if numbered and sure else 0)
    named = any(token.capital or token.letter in "usf" for token in tokens[begin:end])
    if end > begin and end < len(tokens) and tokens[end].word in _words("directions") and tokens[end - 1].is_word:
        end += 1
    telling = sure and named and token.word not in _words("short_streets")
    if end > begin and (telling or (numbered and (sure or named))):
        yield Candidate("address", tokens[first].start, tokens[end - 1].end, "street")
        yield from _town_behind(tokens, end)


def _english_street(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """An English street: a house number, a name, and the kind of street."""
    if tokens[at].letter not in "nz" or not tokens[at].text[0].isdigit():
        return
    kinds = _words("english_streets")
    for end in range(at + 2, min(at + 8, len(tokens))):
        token = tokens[end]
        if token.text in "\n;:(),":
            return
        if (token.word in kinds and token.capital) or _is(token, "sure_english_streets") or (
                token.word in kinds and tokens[at + 1:end] and all(word.letter in "fsuFSUpP-'" for word in tokens[at + 1:end])):
            name = [word for word in tokens[at + 1:end] if word.text[0].isalpha()]
            if name and all(word.capital or word.letter in _NAME or word.letter == "p" for word in name):
                after = end + 1
                if after < len(tokens) and tokens[after].word in _words("directions"):
                    after += 1
                yield Candidate("address", tokens[at].start, tokens[after - 1].end, "street")
                yield from _town_behind(tokens, after)
            elif 0 < len(name) < 3 and all(word.letter in "vp" and word.word not in _words("ends") for word in name):
                yield Candidate("address", tokens[at].start, token.end, "street")
            return


def _town_behind(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """The town behind a street, after a comma, or on the next line if that goes on like an address."""
    if at + 1 >= len(tokens) or tokens[at].text not in ",\n-":
        return
    lined = tokens[at].text == "\n"
    begin = at + 1
    end = _run(tokens, begin)
    goes_on = (end < len(tokens) and (tokens[end].letter in "nzIK(" or tokens[end].text in ",\n")) or end == len(tokens)
    if end > begin and (tokens[begin].capital or tokens[begin].letter in _NAME) and (goes_on or not lined) and (
            end == len(tokens) or tokens[end].text != ":"):
        yield Candidate("place", tokens[begin].start, tokens[end - 1].end, "town behind a street")


def _postcode(text: str, tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A French, Belgian or Swiss postcode with its town; of four digits only before a town of the list."""
    token = tokens[at]
    if token.letter != "n" or not _DEPARTMENT.fullmatch(token.text) or at + 1 >= len(tokens):
        return
    town = at + 1
    if not tokens[town].text[0].isalpha() or (len(tokens[town].text) < 3 and tokens[town].letter not in "pP"):
        return
    addressed = not at or tokens[at - 1].text in "\n,-"
    end = _run(tokens, town, small=3 if addressed and len(token.text) == 5 else 0)
    named = tokens[town:end]
    listed = _listed(named)
    if end == town or not (listed or (len(token.text) == 5 and _is_town(named))):
        return
    yield Candidate("postcode", token.start, token.end, "postcode and town")
    cedex = _CEDEX.match(text, named[-1].end)
    yield Candidate("place", named[0].start, cedex.end() if cedex else named[-1].end, "postcode and town")


def _is_town(named: Sequence[Token]) -> bool:
    """Whether words behind five digits can be a town, and are no unit."""
    words = [token for token in named if token.letter not in "pP" and token.text[0].isalpha()]
    return bool(words) and any(len(token.text) > 2 and token.letter in "FSUWGEVfsuTgwv" for token in words)


def _listed(named: Sequence[Token]) -> bool:
    return bool(named) and " ".join(token.word for token in named if token.text[0].isalnum()) in places()


def _town(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A town: one of the list that is no ordinary word; behind "à", "in" or "demeurant à" any unknown name."""
    token = tokens[at]
    before = tokens[at - 1].word if at else "\n"
    if not token.text[0].isalpha():
        return
    end = _run(tokens, at) if token.capital else at + 1
    for last in range(min(end, at + 5), at, -1):
        words = [word for word in tokens[at:last] if word.text[0].isalnum()]
        if tokens[last - 1] in words and (_is_listed_town(words) or (
                token.letter in "VGW" and before in _words("before_towns") and last == at + 1 and token.word in places()) or (
                token.letter == "V" and len(token.text) > 4 and before == "," and last == at + 1 and token.word in places())):
            yield Candidate("place", token.start, tokens[last - 1].end, "town")
            return
    dated = tokens[end:end + 1] and tokens[end].text == "," and _is_dated(tokens, end + 1)
    if before == "a" and at > 1 and tokens[at - 2].word in ("fait", "done") and not token.capital:
        end = _run(tokens, at, small=3)
        if end > at:
            yield Candidate("place", token.start, tokens[end - 1].end, "town of a signature")
    if before == "\n" and dated and end > at and _is_town(tokens[at:end]) and token.letter not in "TLRB":
        yield Candidate("place", token.start, tokens[end - 1].end, "town before a date")
    elif before in _words("before_towns") and token.letter in "USF" and len(token.text) > 3 and not token.text.isupper():
        yield Candidate("place", token.start, tokens[end - 1].end, "behind a preposition")
    elif before in _words("before_towns") and _lives(tokens, at) and (token.capital or token.letter in "usf"):
        yield Candidate("place", token.start, tokens[max(_run(tokens, at), at + 1) - 1].end, "where somebody lives")


def _is_dated(tokens: Sequence[Token], at: int) -> bool:
    """Whether "le ..." or a date stands there."""
    words = [token.word for token in tokens[at:at + 2]]
    return len(words) == 2 and (words[0] == "le" or words[0] in _words("months") or (
        words[0].isdigit() and (words[1] in "/.-" or words[1] in _words("months"))))


def _is_listed_town(words: Sequence[Token]) -> bool:
    name = " ".join(word.word for word in words)
    if name not in places() or len(name) < 4:
        return False
    if len(words) > 1:
        return all(word.capital or word.letter in "pP" for word in words) and not (
            all(word.word in eponyms() for word in words))
    return (words[0].capital and words[0].letter in "FSU" and words[0].word not in eponyms()) or (
        words[0].letter in "su" and len(name) > 5)


def _lives(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word of living somewhere stands up to three words before."""
    return any(token.word in _words("living") for token in tokens[max(0, at - 5):at])


def _institution(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """A French institution: its kind, what kind it is of, and its name; a unit needs an unknown name."""
    sure = _is(tokens[at], "institutions")
    if (at + 1 < len(tokens) and tokens[at + 1].word in ("sur", "par")) or (
            tokens[at].word in _words("short_institutions") and not tokens[at].text.isupper()):
        return
    begin = at + 1
    while begin < len(tokens) and tokens[begin].word in _words("of_institutions"):
        begin += 1
    end = _run(tokens, begin)
    named = [token for token in tokens[begin:end] if token.text[0].isalnum() and token.letter not in "pP"]
    small = not tokens[at].capital and not any(token.capital for token in named)
    if named and not (small and all(token.letter in "vw" for token in named)):
        letters = "USFsuf" + ("EGW" if sure else "") + ("VTLRK" if sure and _article_before(tokens, at) else "")
        telling = [token for token in named if token.letter in letters and (sure or token.capital)]
        if telling and named[0].word not in _words("no_institutions"):
            yield Candidate("institution", tokens[at].start, tokens[end - 1].end, "institution")
    elif sure and _article_before(tokens, at):
        end = _run(tokens, begin, small=4)
        joined = any(token.letter in "pP" for token in tokens[begin:end])
        unknown = any(token.letter in "usfUSF" for token in tokens[begin:end])
        excluded = any(token.word in _words("no_institutions") for token in tokens[begin:end])
        if end > begin and (joined or unknown) and not excluded:
            yield Candidate("institution", tokens[at].start, tokens[end - 1].end, "institution in small letters")


def _article_before(tokens: Sequence[Token], at: int) -> bool:
    return not at or tokens[at - 1].word in ("la", "le", "du", "au", "des", "aux", "un", "chu", *"'\n-:,(")


def _english_institution(tokens: Sequence[Token], at: int) -> Iterator[Candidate]:
    """An English institution: a name, and its kind ("Medical Center") behind it."""
    first, telling, plain = at, 0, 0
    while first and at - first < _LONGEST:
        token = tokens[first - 1]
        if token.word in _words("of_institutions") or token.text in "'.-&" or token.word in ("s", "st", "saint") or (token.word in ("of", "the", "and") and tokens[first - 2].capital):
            pass
        elif token.capital and token.letter in _CAPITAL:
            telling += token.letter in "FSU" or tokens[at].word not in _words("unsure_english_institutions")
        elif token.letter in "usf":
            telling += tokens[at].word not in _words("unsure_english_institutions")
        elif token.letter == "v" and not tokens[at].capital and plain < 1 and first < at - 1 and token.word not in _words("ends"):
            plain += 1
        else:
            break
        first -= 1
    while first < at and (tokens[first].word in ("of", "and", "s") or tokens[first].text in "'.-&"
                          or tokens[first].word in _words("ends")):
        first += 1
    saint = any(token.word in ("st", "saint") for token in tokens[first:at])
    end = at + 1
    while end < len(tokens) and tokens[end].word in _words("english_institutions") | _words("of_institutions"):
        end += 1
    if end < len(tokens) and tokens[end].word == "of":
        further = _run(tokens, end + 1)
        if further > end + 1 and any(token.capital for token in tokens[end + 1:further]):
            end, telling = further, telling + 1
    if telling or saint:
        yield Candidate("institution", tokens[first].start, tokens[end - 1].end, "institution")



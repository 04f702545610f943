"""Tokens of a note, each with a letter that says what it is to a name: the alphabet of the rules of names.

====== =============================================================================================================
letter token
====== =============================================================================================================
T t    title, and a weak one, which needs more of what follows
L R    label ("Nom"), role ("patient", "par", "dear")
B Y H  "né(e)", "DDN"; "ans", "yo"; "consulte", "denies": what stands behind a name
F f    first name that is no ordinary word, capital or not; G g: first name that is one ("Pierre", "Rose")
S s    surname that is no ordinary word; W w: surname that is one ("Petit")
U u    unknown word
V v    ordinary word; V only with a capital that does not come from its place
E e    eponym
K      acronym
I i    single letter
P p    particle ("de", "van")
&      "et", "and"
x      word that is never a part of a name
n z    number; letters and digits
====== =============================================================================================================

Any other character stands for itself, a space for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from medomicslab_nb.text.identifiers.lexicons import cues, eponyms, first_names, surnames, vocabulary
from medomicslab_nb.text.identifiers.misreading import readings
from medomicslab_nb.text.note import stem

_TOKEN = re.compile(r"\n|year-old|yr-old|years-old|[^\W_]+|[^\w\s]|_")
_MISREAD = re.compile(r"[a-z]{2,}[0158][a-z0158]+|[a-z][01][a-z]{2,}|[a-z][58][a-z]{4,}|[01][a-z]{4,}|[a-z]{3,}[015]")
_TNM = re.compile(r"[a-z]{0,2}t(?:[0-4x]|is)[a-d]?n[0-3x].*")
_SMALL_L = re.compile(r"(?=(?:.*[A-Z]){3})[A-Z]+(?:l[A-Z]*)+")
_CAPITAL_I = re.compile(r"[A-Z]?[a-z]{3,}I[a-z]*|[A-Z][a-z]+I[a-z]+")
_VOWEL = re.compile(r"[aeiouy]")
# Written so, a title may be something else: multiple sclerosis, a receptor, "pour", myeloma, millimetres.
_AMBIGUOUS_TITLES = {"MS": "t", "PR": "t", "pr": "t", "MM": "t", "Ms": "T", "mm": "v", "Mm": "v",
                     "Pre": "v", "pre": "v", "PRE": "v", "DR": "t", "MR": "t", "ms": "t", "frere": "R", "Frere": "R"}
_SHORTEST_NAME = 3
_SHORTEST_UNKNOWN = 4
_BEGINS = frozenset(".\n:;!?•*\">")
_ROMAN = re.compile(r"[IVX]{1,5}[a-dA-D]?")
_INNER_CAPITAL = re.compile(r"[A-Z]{2,}[a-z]|(?!Mc|Mac|De|Le|La|Du|Di|Da|Van|Fitz|O)[A-Z]?[a-z]+[A-Z]")
_LONGEST_ACRONYM = 5


@dataclass(frozen=True)
class Token:
    """A word, number or sign, in folded offsets."""

    text: str
    start: int
    end: int
    letter: str
    capital: bool = False
    """Whether it begins with a capital that says something: not on a line in capitals."""

    @property
    def word(self) -> str:
        return self.text.lower()

    @property
    def is_word(self) -> bool:
        return self.text[0].isalpha()


def tokenise(text: str) -> list[Token]:
    """The tokens of a text with its capitals (:func:`cased`)."""
    tokens: list[Token] = []
    plain = _plain_lines(text)
    caseless = _is_caseless(text)
    for text_, start, end in _pieces(text):
        begins = not tokens or tokens[-1].text in _BEGINS or (tokens[-1].text == "-" and (
            len(tokens) == 1 or tokens[-2].text in _BEGINS))
        read = text_.lower() if start in plain else text_
        tokens.append(Token(text_, start, end, letter_of(read, begins=begins), read[0].isupper()))
    return _without_case(tokens) if caseless else tokens


def _is_caseless(text: str) -> bool:
    """Whether a note is in small letters or in capitals throughout, so that they say nothing."""
    letters = sum(map(str.isalpha, text))
    capitals = sum(map(str.isupper, text))
    return letters > 0 and not 0.002 < capitals / letters < 0.9


def _without_case(tokens: list[Token]) -> list[Token]:
    """Names and unknown words as if they had a capital; initials, and names that are also words, only beside those."""
    marked = list(tokens)
    for at, token in enumerate(tokens):
        if token.letter in "fsu" and len(token.text) >= _SHORTEST_UNKNOWN and _VOWEL.search(token.word):
            marked[at] = replace(token, letter=token.letter.upper(), capital=True)
        elif len(token.text) == 1 and token.is_word and tokens[at + 1:at + 2] and tokens[at + 1].text == ".":
            marked[at] = replace(token, letter="I", capital=True)
    for at, token in enumerate(tokens):
        before = marked[at - 1].letter if at else ""
        after = marked[at + 1].letter if at + 1 < len(marked) else ""
        if (token.letter in "wge" and before == "F") or (token.letter in "wg" and after in ("F", "S", "U")):
            marked[at] = replace(token, letter=token.letter.upper(), capital=True)
    return marked


def _plain_lines(text: str) -> _Ranges:
    """The lines in capitals throughout, with ordinary words among more than three: their capitals say nothing."""
    ranges = []
    at = 0
    capitals = _is_caseless(text) and not text.islower()
    for line in text.split("\n"):
        if line.isupper():
            words = re.findall(r"[A-Z]{2,}", line)
            ordinary = sum(is_ordinary(word.lower()) for word in words)
            if capitals or (len(words) > 3 and ordinary * 2 >= len(words)):
                ranges.append((at, at + len(line)))
        at += len(line) + 1
    return _Ranges(ranges)


@dataclass(frozen=True)
class _Ranges:
    ranges: list[tuple[int, int]]

    def __contains__(self, place: int) -> bool:
        return any(start <= place < end for start, end in self.ranges)


def _pieces(text: str) -> Iterator[tuple[str, int, int]]:
    """Tokens; a name that a space has split ("D upont", "Mar tin") is one."""
    matches = list(_TOKEN.finditer(text))
    at = 0
    while at < len(matches):
        match = matches[at]
        if at + 1 < len(matches) and _split_name(match, matches[at + 1], text):
            yield text[match.start():matches[at + 1].end()], match.start(), matches[at + 1].end()
            at += 2
        else:
            yield match[0], match.start(), match.end()
            at += 1


def _split_name(one: re.Match[str], other: re.Match[str], text: str) -> bool:
    if other.start() != one.end() + 1 or text[one.end()] != " " or not (one[0].isalpha() and other[0].isalpha()):
        return False
    if not (other[0].islower() or (one[0].isupper() and other[0].isupper())) or len(other[0]) < 2:
        return False
    return _joins(one[0].lower(), other[0].lower())


@lru_cache(maxsize=50_000)
def _joins(one: str, other: str) -> bool:
    joined = one + other
    if len(joined) < 5 or (joined not in first_names() and joined not in surnames()) or is_ordinary(joined):
        return False
    return not any(is_ordinary(part) or part in _lists() or part in first_names() or part in surnames()
                   for part in (one, other) if len(part) > 1) and one not in ("a", "y")


@cache
def _lists() -> dict[str, str]:
    """What the cues say of a word; the first list that has it wins."""
    content = cues()
    titles = [name for names in content["titles"].values() for name in names]
    letters: dict[str, str] = {}
    lists = {"t": "weak_titles", "L": "labels", "R": "roles", "B": "born", "Y": "years", "H": "acts", "p": "particles",
             "&": "and", "x": "never"}
    for letter, words in (("T", titles), *((letter, content[name]) for letter, name in lists.items())):
        for word in words:
            letters.setdefault(word, letter)
    return letters


@lru_cache(maxsize=100_000)
def letter_of(text: str, *, begins: bool) -> str:
    """The letter of a token; ``begins`` where a capital comes from the place of the word."""
    if not text[0].isalnum():
        return text
    if text.isdigit():
        return "n"
    if _SMALL_L.fullmatch(text):
        text = text.replace("l", "I")
    elif _CAPITAL_I.fullmatch(text):
        text = text[0] + text[1:].replace("I", "l")
    word = text.lower().replace(" ", "")
    capital = text[0].isupper()
    if len(text) == 1 and capital and text != "M":
        return "I"
    if _INNER_CAPITAL.match(text) or (_ROMAN.fullmatch(text) and len(text) > 1):
        return "z"
    listed = _listed(text, word)
    if listed:
        return listed
    if len(text) == 1:
        return "I" if capital else "i"
    letter = kind_of(word)
    if len(word) < _SHORTEST_NAME or (text.isupper() and len(word) == _SHORTEST_NAME and letter in "FSU"):
        return "K" if capital else "k"
    if letter == "U" and text.isupper() and (len(word) <= _LONGEST_ACRONYM or not _VOWEL.search(word)):
        return "K"
    if letter == "V" and begins and not text.isupper():
        return "v"
    return letter if capital or not letter.isalpha() else letter.lower()


def _listed(text: str, word: str) -> str:
    letter = _lists().get(word, "")
    if letter == "T" and text in _AMBIGUOUS_TITLES:
        return _AMBIGUOUS_TITLES[text]
    if word == "m":
        return "T" if text == "M" else "i"
    if letter == "p" and text[0].isupper():
        return "I" if len(text) == 1 else "P"
    return letter


@lru_cache(maxsize=100_000)
def kind_of(word: str) -> str:
    """The capital letter of a folded word, whatever its place and case."""
    if not word.isalpha():
        return _misread_kind(word)
    if word in eponyms():
        return "E"
    ordinary, first, last = is_ordinary(word), word in first_names(), word in surnames()
    if ordinary:
        return "G" if first else "W" if last else "V"
    if first or last:
        return "F" if first else "S"
    kinds = [_listed_kind(reading) for reading in readings(word)]
    # "Fuhrrnan" is an eponym misread; short ones are misreadings of too much.
    order = "EFS" if len(word) > _LONGEST_ACRONYM else "FS"
    return next((kind for wanted in order for kind in kinds if kind == wanted), "U")


def _misread_kind(word: str) -> str:
    """Of a word with digits: a name of the lists, or an unknown one, where digits stand as if they were letters."""
    if not _MISREAD.fullmatch(word) or _TNM.fullmatch(word):
        return "z"
    kinds = [_listed_kind(reading) for reading in readings(word) if reading.isalpha()]
    return next((kind for wanted in "EFSV" for kind in kinds if kind == wanted), "z" if word[-1].isdigit() and (
        len(word) < 6 or is_ordinary(word[:-1])) else "U")


def _listed_kind(word: str) -> str:
    if word in eponyms():
        return "E"
    if is_ordinary(word):
        return "V"
    return "F" if word in first_names() else "S" if word in surnames() else "-"


@lru_cache(maxsize=100_000)
def is_ordinary(word: str) -> bool:
    """Whether a folded word is one of the language or of medicine, by the vocabulary or by its make."""
    if word in vocabulary() or stem(word) in vocabulary() or (word[-1:] in "sx" and word[:-1] in vocabulary()):
        return True
    if word in first_names() or word in surnames():
        return False
    if word in cues()["medical_beginnings"]:
        return True
    if len(word) > 5 and any(form.endswith(_medical_endings()) for form in (word, word.removesuffix("s"))):
        return True
    return any(len(word) - len(begin) > 3 and word.startswith(begin) and _known_rest(word[len(begin):])
               for begin in cues()["medical_beginnings"])


@cache
def _medical_endings() -> tuple[str, ...]:
    return tuple(cues()["medical_endings"])


def _known_rest(rest: str) -> bool:
    return rest in vocabulary() or stem(rest) in vocabulary()

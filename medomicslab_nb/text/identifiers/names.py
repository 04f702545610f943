"""Names of people: what stands at titles, labels and roles, pairs of names, names before an age, names alone on a line.

Rules are patterns over the letters of :mod:`tokens`. Names that a rule has found are then looked for in the whole
note, misread or in other letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.lexicons import cues
from medomicslab_nb.text.identifiers.misreading import near, skeleton
from medomicslab_nb.text.identifiers.tokens import Token

_LINK = r"(?:['-]|(?:[Pp]['-]?)*(?:[Ii]'(?=[A-Zf-w]))?)"
_INITIALS = r"(?:I\.?-?)"
_MORE = rf"(?:-?{_LINK}[FSUGWEKfsu]|(?<=[FGU.I])V|-V|{_INITIALS}(?!'))"
_MORE_LOW = rf"(?:-?{_LINK}[fsu])"
# A name behind a title: whatever stands there, in capitals or not, unless it is an ordinary word in small letters.
_TITLED = rf"(?:{_INITIALS}{{0,3}}{_LINK}[FSUGWEKVfsugwe]{_MORE}{{0,4}}|{_INITIALS}{{1,3}}(?!'))"
_KNOWN = rf"(?:{_INITIALS}{{0,3}}{_LINK}(?:[FSUG]{_MORE}{{0,4}}|[fs]{_MORE_LOW}{{0,3}}))"
_ALONE = rf"(?:[FSUG]{_MORE}{{0,4}}|[WK]{_MORE}{{1,4}}|E(?:-?{_LINK}[FSUGW])+|[fsu]{_MORE_LOW}{{0,3}})"
_STARTING = (rf"(?:{_INITIALS}{{0,2}}{_LINK}{_ALONE}|"
             rf"{_INITIALS}{{1,2}}{_LINK}[WKEV]|g[wgesfu]{{1,2}})")
_FURTHER = rf"(?:{_KNOWN}|[WE](?=[\n,;.]|$))"

_RULES: dict[str, re.Pattern[str]] = {name: re.compile(pattern) for name, pattern in {
    "title": rf"T\.?:?(?P<name>(?:T\.)?{_TITLED})",
    "titles": rf"T\.?{_TITLED}(?:[,/&-]&?T?\.?(?P<name>{_KNOWN}))+",
    "weak title": rf"t\.?:?(?P<name>{_KNOWN})",
    "initial title": r"i\.?(?P<name>[fs][fsu]{0,2})(?=[^'])",
    "label": rf"L[^:\n.,;]{{0,5}}:\n?(?P<name>(?:g[wge]{{1,2}}|{_TITLED})(?:[,/&]{_FURTHER}){{0,4}})",
    "role label": rf"[RLT]:-?(?P<name>{_STARTING}(?:,{_FURTHER})?)",
    "label without colon": rf"L(?P<name>{_KNOWN})",
    "role": rf"[RB](?P<name>{_STARTING})",
    "first name": rf"(?<![-E])(?P<name>[FG](?:-?[FG])*(?:{_INITIALS}{{0,2}}{_LINK}(?:[FSUGWKE]{_MORE}{{0,3}})))",
    "first name and word": rf"(?P<name>F(?:-?F)*(?:{_LINK}V|{_INITIALS}{_LINK}[FSUGWV]))",
    "only first name": r"(?P<name>F(?:-[FG])*)",
    "surname first": rf"(?P<name>[SUWE](?:-?{_LINK}[SUW])*,?[FG](?:-?[FG])*)",
    "surname": rf"(?P<name>S(?:-?{_LINK}[SUW])*)",
    "unknown pair": rf"(?P<name>U(?:-?{_LINK}[SU])+)",
    "initials": rf"(?P<name>(?:I\.-?){{1,3}}{_LINK}[FSU](?:-?[SUF])*)",
    "small pair": r"(?P<name>(?:f(?:-?f)*(?:p?'?p?)?[sufgw]|[su](?:p?'?p?)?f)(?:-?[fsu])*)",
    "split": r"(?<=[vxpHRT&,YB\n])(?P<name>Iu)",
    "unknown": r"(?<=[vxpHR&,YB'])(?P<name>(?:P['-]?|I')*U)(?![/z])",
    "unknown at the start": rf"(?:(?<=[.\n])|^)(?P<name>{_LINK}U(?:-?{_LINK}[SUFW])*)(?=[']?[a-z&HR])",
    "before an age": rf"(?=[A-Zf-w'.-]{{1,12}},?\(?(?:nY|,?B))(?P<name>{_STARTING}),?\(?(?:nY|,?B)",
    "before an act": rf"(?P<name>(?:{_INITIALS}{{0,2}}{_LINK}[FSU](?:-?{_LINK}[FSUW])*|[fs](?:-?[fsu])*))(?=,?H)",
    "behind a time": rf"(?:n:n|n|z)(?P<name>{_INITIALS}{{0,2}}{_LINK}[FSU](?:-?{_LINK}[FSUGW])*):",
    "line": rf"(?:(?<=\n)|^)-?(?P<name>(?:{_INITIALS}*{_LINK}[FSUGW]|[fsugw])(?:-?{_LINK}[FSUGWfsugw])+)[,.]?(?=\n|$)",
}.items()}
_NEEDS_A_NAME = {"line": re.compile(r"[FfSs]|[Uu].*[Uu]")}
_PART = frozenset("FSUWGKVEfsuwgve")
_SHORTEST_PART = 3
_SHORTEST_NEAR = 6


def find_names(tokens: Sequence[Token]) -> Iterator[Candidate]:
    """Names of people, in the offsets of the tokens."""
    letters = "".join(token.letter for token in tokens)
    found: list[tuple[int, int, str]] = []
    for rule, pattern in _RULES.items():
        for match in pattern.finditer(letters):
            start, end = match.span("name")
            needs = _NEEDS_A_NAME.get(rule)
            short = rule.startswith("unknown") and all(len(token.text) <= _SHORTEST_PART for token in tokens[start:end])
            if not short and (needs is None or needs.search(letters[start:end])):
                found.append((start, end, rule))
    for start, end, rule in found:
        yield Candidate("name", tokens[start].start, tokens[_without_stop(tokens, start, end) - 1].end, rule)
    yield from _again(tokens, found)


def _without_stop(tokens: Sequence[Token], start: int, end: int) -> int:
    """The end of a name without the full stop, comma or hyphen behind it."""
    while end - start > 1 and not tokens[end - 1].text[0].isalnum():
        end -= 1
    return end


def _again(tokens: Sequence[Token], found: Iterable[tuple[int, int, str]]) -> Iterator[Candidate]:
    """Tokens that are, or are near to, a part of a name found elsewhere in the note."""
    parts = {tokens[at] for start, end, _ in found for at in range(start, end) if _is_part(tokens[at])}
    words = {part.word: part for part in parts}
    skeletons = {skeleton(word) for word in words}
    near_to = [skeleton(part.word) for part in parts if part.letter in "FSUfsu" and len(part.word) >= _SHORTEST_NEAR]
    for token in tokens:
        if len(token.text) < _SHORTEST_PART or token.letter not in _PART or token.letter in "Ee":
            continue
        # An ordinary word is a name again only where its capital does not come from its place.
        if token.letter in "wgvVWG":
            if token.letter in "VWG" and token.word in words:
                yield Candidate("name", token.start, token.end, "found elsewhere")
            continue
        form = skeleton(token.word)
        if form in skeletons or any(near(form, other) for other in near_to):
            yield Candidate("name", token.start, token.end, "found elsewhere")


def _is_part(token: Token) -> bool:
    return token.letter in _PART and token.letter not in "Eev" and len(token.text) >= _SHORTEST_PART


def gender_of_title(words: Iterable[str]) -> str:
    """M or f where one of the words is a title that tells; else empty."""
    titles = cues()["titles"]
    return next((gender for word in words for gender in ("m", "f") if word.lower() in titles[gender]), "")

"""The words that tell what is said of a mention, from ``context_fr.yaml`` and ``context_en.yaml``.

A pattern is words between spaces. ``a|b`` is one or the other, ``<name>`` any of a group under ``words``,
``trouve(e)`` with or without the ending, ``ete?`` may be missing, ``...`` is up to four words that begin no pattern of
a context, ``<year>`` and ``<number>`` are digits, ``0/1`` is none of
any number. Plural marks of words of five letters and more are taken off on both
sides. A lone ``?``, ``,``, ``;``, ``:``, ``(`` or ``)`` is that sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import stem
from medomicslab_nb.text.word_table import WordTable

LANGUAGES = ("fr", "en")
_TOKEN = re.compile(r"(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)'|\b0/\d+\b|[^\W_]+(?:'t\b)?|[,;:()?]")
_YEAR = re.compile(r"(?:19|20)\d\d")
_ENDING = re.compile(r"\((\w+)\)")
SIGNS = frozenset(",;:()?")
_DIGITS = ("<year>", "<number>")
_ANYTHING = "..."
_GAP = 4  # words that ... may stand for

Effect = tuple[str, str]
"""What a pattern does: name (a context, or a role such as ``stop``) and direction (``before`` the mention, ...)."""


@dataclass(frozen=True)
class Tokens:
    """The words and signs of a sentence as patterns are looked up by, and where each begins in the folded note."""

    keys: list[str]
    starts: list[int]


class Mark(NamedTuple):
    """Where a pattern stands, in numbers of tokens."""

    start: int
    end: int
    effects: tuple[Effect, ...]


@dataclass(eq=False)
class _Node:
    """A place within patterns: what may come next, and what a pattern that ends here does."""

    edges: dict[str, list[_Node]] = field(default_factory=dict)
    children: dict[str, _Node] = field(default_factory=dict)
    anything: _Node | None = None
    effects: tuple[Effect, ...] = ()


class _State:
    """The places in patterns that words may have led to, and the state that each next word leads to, once met."""

    def __init__(self, nodes: tuple[_Node, ...]) -> None:
        self.nodes = nodes
        self.effects = tuple(dict.fromkeys(effect for node in nodes for effect in node.effects))
        self.following: dict[str, _State | None] = {}


class Triggers:
    """The patterns of one language."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._root = _Node()
        self._known: set[str] = set(SIGNS)
        """Words of a pattern; all others lead from a place to the same."""
        self._states: dict[tuple[_Node, ...], _State] = {}
        self._says: set[str] = set()
        self._groups = {name: tuple(_alternatives(words, {})) for name, words in content.get("words", {}).items()}
        for name, entry in content.items():
            if name != "words":
                directions = entry if isinstance(entry, dict) else {"": entry}
                for direction, patterns in directions.items():
                    for pattern in patterns:
                        self._add(pattern, (name, direction))
        self._start = _State((self._root,))

    def marks(self, keys: list[str]) -> list[Mark]:
        """The patterns that stand in a sentence, from left to right; the longest wins, and none overlaps another."""
        found, reached = [], 0
        for at, key in enumerate(keys):
            if at >= reached and key in self._root.edges:
                mark = self._at(keys, at)
                if mark is not None:
                    found.append(mark)
                    reached = mark.end
        return found

    def _at(self, keys: list[str], at: int) -> Mark | None:
        state, best, end = self._start, self._start.effects, at
        for place in range(at, len(keys)):
            key = keys[place] if keys[place] in self._known else ""
            following = state.following[key] if key in state.following else self._after(state, key)
            if following is None:
                break
            state = following
            if state.effects:
                best, end = state.effects, place + 1
        return Mark(at, end, best) if best else None

    def _after(self, state: _State, key: str) -> _State | None:
        """The state that a word leads to, kept for the next time; none where no pattern goes on with it."""
        nodes = [node for each in state.nodes for node in each.edges.get(key, ())]
        if key not in self._says and key not in SIGNS:
            nodes += [each.anything for each in state.nodes if each.anything is not None]
        reached = tuple(nodes)
        state.following[key] = self._states.setdefault(reached, _State(reached)) if reached else None
        return state.following[key]

    def _add(self, pattern: str, effect: Effect) -> None:
        for elements in _readings(pattern):
            node = self._root
            for element in elements:
                node = self._child(node, element)
            if effect[0] in CONTEXTS:
                self._says.update(_alternatives(elements[0], self._groups))
            if effect not in node.effects:
                node.effects = (*node.effects, effect)

    def _child(self, node: _Node, element: str) -> _Node:
        if element == _ANYTHING:
            node.anything = node.anything or _Node()
            return node.anything
        if element not in node.children:
            child = node.children[element] = _Node()
            for word in _alternatives(element, self._groups):
                node.edges.setdefault(word, []).append(child)
                self._known.add(word)
        return node.children[element]


def tokens_of(folded: str, start: int, end: int) -> Tokens:
    """The words and signs of a stretch of a folded note."""
    starts = [match.start() for match in _TOKEN.finditer(folded, start, end)]
    return Tokens(_KEYS.of(_TOKEN.findall(folded, start, end)), starts)


@cache
def triggers(language: str) -> Triggers:
    """The patterns of a language; none for a language that has no file."""
    if language not in LANGUAGES:
        return Triggers({})
    content = Path(__file__).with_name(f"context_{language}.yaml").read_text(encoding="utf-8")
    # Every value as text: "no", "non" and "on" are words here, and no truth values. This loader makes nothing else.
    return Triggers(yaml.load(content, Loader=yaml.BaseLoader))  # noqa: S506


def _key(word: str) -> str:
    """A word as patterns are looked up by; short words keep their s, since "mais" is not "mai"."""
    if _YEAR.fullmatch(word):
        return "<year>"
    if word.startswith("0/"):
        return "0/1"
    if word.isdecimal() and word != "0":
        return "<number>"
    return stem(word) if len(word) > 4 else word


_KEYS = WordTable(_key)


def _readings(pattern: str) -> Iterator[list[str]]:
    """The pattern with and without each part that may be missing."""
    choices: list[tuple[tuple[str, ...], ...]] = []
    for element in pattern.split():
        if element == _ANYTHING:
            choices.append(tuple((_ANYTHING,) * count for count in range(_GAP + 1)))
        elif element.endswith("?") and element != "?":
            choices.append(((), (element[:-1],)))
        else:
            choices.append((tuple(_plain(element)),))
    for chosen in product(*choices):
        yield [element for part in chosen for element in part]


def _plain(element: str) -> Iterable[str]:
    """An element, taken apart where it is several words of a note ("n'est")."""
    if any(sign in element for sign in "|<(") and element not in ("(", "|"):
        return (element,)
    return _TOKEN.findall(fold(element).folded)


def _alternatives(element: str, groups: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """The words that an element stands for."""
    for one in re.split(r"[|\s]+", element) if len(element) > 1 else [element]:
        if one in _DIGITS:
            yield one
        elif one.startswith("<"):
            yield from groups[one.strip("<>")]
        else:
            yield from (_word(word) for word in _endings(one))


def _word(word: str) -> str:
    folded = fold(word).folded
    if not _TOKEN.fullmatch(folded):
        raise DataError(f"'{word}' is not one word", where="patterns of context",
                        todo="Write the parts as separate words, and alternatives of several words as patterns each")
    return _key(folded)


def _endings(word: str) -> Iterator[str]:
    ending = _ENDING.search(word)
    if ending is None:
        yield word
    else:
        yield from (word[:ending.start()] + rest + word[ending.end():] for rest in ("", ending[1]))

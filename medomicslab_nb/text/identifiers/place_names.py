"""How the names of places and institutions go on, and the lists of words that tell them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from medomicslab_nb.text.identifiers.lexicons import cues
from medomicslab_nb.text.identifiers.misreading import skeleton
from medomicslab_nb.text.identifiers.tokens import Token

NAME = frozenset("FSUWGKEfsugw")
"""Letters of tokens that can be a name."""
LONGEST = 9
"""Most tokens of a name of a place."""


@cache
def listed(name: str) -> frozenset[str]:
    """A list of words of ``cues.yaml``, section places."""
    return frozenset(cues()["places"][name])


@cache
def _skeletons(name: str) -> frozenset[str]:
    return frozenset(skeleton(word) for word in listed(name) if len(word) > 3)


def is_one(token: Token, name: str) -> bool:
    """Whether a token is in a list of words, also misread."""
    strange = token.letter in "Uuz" or not token.text.isalpha()
    return token.word in listed(name) or (strange and skeleton(token.word) in _skeletons(name))


def name_end(tokens: Sequence[Token], at: int, small: int = 0) -> int:
    """Where a name that begins at a token ends: words with a capital, unknown words, and what joins them.

    ``small`` ordinary words without a capital may stand in it, where no word with a capital does.
    """
    end, last, capitals = at, at, 0
    while end < len(tokens) and end - at < LONGEST:
        token = tokens[end]
        if token.letter in "pP'-." or token.word in listed("joining"):
            if token.letter == "." and not (end and len(tokens[end - 1].text) <= 2):
                break
        elif token.text == "\n" or not token.text[0].isalnum():
            break
        elif token.capital and token.letter not in "nz":
            # In notes without capitals an unknown word counts as if it had one; ordinary words may follow it.
            capitals += token.text[0].isupper() and not token.text.isupper()
            last = end + 1
        elif token.letter in NAME:
            last = end + 1
        elif token.is_word and small > 0 and not capitals and token.word not in listed("ends"):
            small -= 1
            last = end + 1
        else:
            break
        end += 1
    return last

"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note


@dataclass(frozen=True)
class Rule:
    """One rule of the registry."""

    name: str
    version: int
    """Raised with every change that changes what is found; it stands beside each fact."""
    attributes: tuple[str, ...]
    find: Callable[[Note], Iterator[Found]]
    says_negation: bool = False
    """Whether a negation belongs to the value (receptors negative, never smoked), so that the context adds none."""
    says_history: bool = False
    """Whether earlier times belong to the value (quit in 2009), so that the context adds no history."""

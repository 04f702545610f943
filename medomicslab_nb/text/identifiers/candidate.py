"""What one rule takes for an identifier."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """Characters of the folded text, and what they may be."""

    kind: str
    start: int
    end: int
    rule: str

"""Some notes of a study, read in one process: what is kept, and found again, when a run is started anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from medomicslab_nb.cache import Cache
from medomicslab_nb.files import sha256_json
from medomicslab_nb.text.facts import Fact, NoteKey, fact_table
from medomicslab_nb.text.lexicon import Term
from medomicslab_nb.text.pipeline import read_texts
from medomicslab_nb.text.rules import RULES

NOTES = 200
"""Notes in a chunk: seconds of work, which is what a crash costs."""

CASE_VERSION = 1
"""Raised when what a chunk gives changes by anything but a rule's version."""


@dataclass(frozen=True)
class Chunk:
    """Notes and how they are read."""

    keys: tuple[NoteKey, ...]
    texts: tuple[str, ...]
    attributes: frozenset[str]
    """What is read; empty: everything."""
    terms: tuple[Term, ...]
    day_first: bool | None

    def cache_key(self) -> str:
        """The key under which the result is kept."""
        rules = {rule.name: rule.version for rule in RULES.values()}
        notes = [[vars(key), text] for key, text in zip(self.keys, self.texts, strict=True)]
        own = {"attributes": sorted(self.attributes), "terms": [vars(term) for term in self.terms],
               "day_first": self.day_first, "rules": rules}
        return Cache.key([sha256_json(notes)], own, CASE_VERSION, ("medomicslab_nb", "spacy"))


def read_chunk(chunk: Chunk) -> Mapping[str, pd.DataFrame]:
    """The fact table of a chunk's notes."""
    texts = ((text, key.language) for key, text in zip(chunk.keys, chunk.texts, strict=True))
    rows: list[tuple[NoteKey, Fact]] = []
    for key, facts in zip(chunk.keys, read_texts(texts, terms=chunk.terms, day_first=chunk.day_first), strict=True):
        rows += [(key, fact) for fact in facts if not chunk.attributes or fact.attribute in chunk.attributes]
    return {"facts": fact_table(rows)}

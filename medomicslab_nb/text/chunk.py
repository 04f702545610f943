"""Some notes of a study, read in one process: what is kept, and found again, when a run is started anew."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import MedomicsError, RunError
from medomicslab_nb.files import sha256_json, sha256_of
from medomicslab_nb.text.facts import Fact, NoteKey, fact_table
from medomicslab_nb.text.lexicon import Term
from medomicslab_nb.text.pipeline import read_texts
from medomicslab_nb.text.rules import RULES

NOTES = 200
"""Notes in a chunk: seconds of work, which is what a crash costs."""

CASE_VERSION = 1
"""Raised when what a chunk gives changes by anything but a rule's version."""

_PACKAGE = Path(__file__).parent


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
               "day_first": self.day_first, "rules": rules, "data": _data_files()}
        return Cache.key([sha256_json(notes)], own, CASE_VERSION, ("medomicslab_nb", "spacy"))


@cache
def _data_files() -> dict[str, str]:
    """The lexicons and lists that rules read, and their checksums: a team may correct them without any new version."""
    return {path.relative_to(_PACKAGE).as_posix(): sha256_of(path)
            for ending in ("yaml", "csv") for path in sorted(_PACKAGE.rglob(f"*.{ending}"))}


def read_chunk(chunk: Chunk) -> Mapping[str, pd.DataFrame]:
    """The fact table of a chunk's notes.

    Raises
    ------
    RunError
        A rule failed. Its own message is not passed on: it may quote the note.
    """
    try:
        return {"facts": fact_table(_rows(chunk))}
    except MedomicsError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise RunError(f"a note cannot be read ({type(error).__name__})",
                       where=f"{Path(place.filename).name}, line {place.lineno}",
                       todo="Read the notes in halves to find it, and report the place in the program") from None


def _rows(chunk: Chunk) -> Iterator[tuple[NoteKey, Fact]]:
    texts = ((text, key.language) for key, text in zip(chunk.keys, chunk.texts, strict=True))
    for key, facts in zip(chunk.keys, read_texts(texts, terms=chunk.terms, day_first=chunk.day_first), strict=True):
        yield from ((key, fact) for fact in facts if not chunk.attributes or fact.attribute in chunk.attributes)

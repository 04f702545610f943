"""Sections of a note, by the headings in ``sections.yaml``, which a team can extend."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_CATALOGUE = Path(__file__).with_name("sections.yaml")
_LINE = re.compile(r"^[ \t]*(?:(?P<item>[-•>*])[ \t]*|#+[ \t]*|\d{1,2}[.)][ \t]*)?"
                   r"(?P<heading>[^\W\d_][^\n:]{1,60}?)[ \t]*(?P<mark>:|$)", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A stretch of a note under one heading, in folded offsets, without the heading."""

    name: str
    start: int
    end: int


@cache
def catalogue() -> dict[str, Any]:
    """Sections by name: title, headings by language, context of what stands in them."""
    return dict(yaml.safe_load(_CATALOGUE.read_text(encoding="utf-8")))


@cache
def _headings(language: str) -> dict[str, str]:
    """Name of the section, by heading; of headings that both languages have, this language's."""
    found = {heading: name for name, entry in catalogue().items() for other in ("en", "fr") if other != language
             for heading in entry[other]}
    return found | {heading: name for name, entry in catalogue().items() for heading in entry.get(language, ())}


def section_context(name: str) -> str:
    """What every mention in a section is (family, history, planned); empty for most."""
    return str(catalogue().get(name, {}).get("context", ""))


def find_sections(folded: str, language: str) -> list[Section]:
    """The sections of a folded note, in order; what stands before the first heading belongs to none.

    A heading of one language is recognised in a note of the other, and one unknown heading before a colon on its own
    line ends a section that has a context, so that nothing is taken for family history that stands below it. Without a
    colon neither an item of a list nor the last line of a note is a heading: there "chemotherapy" is what is planned.
    """
    starts, text_end = [], len(folded.rstrip())
    for match in _LINE.finditer(folded):
        name = _headings(language).get(" ".join(match["heading"].split()))
        if name is not None and (match["mark"] or (not match["item"] and match.end() < text_end)):
            starts.append((match.start(), match.end(), name))
        elif match["mark"] and folded[match.end():match.end() + 1] in ("\n", ""):
            starts.append((match.start(), match.end(), ""))
    ends = [*(start for start, _, _ in starts), len(folded)][1:]
    return [Section(name, begin, end) for (_, begin, name), end in zip(starts, ends, strict=True)]

"""Labels and relations that the annotator offers, from ``annotation_labels.yaml`` and the catalogue of attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from medomicslab_nb.text.attributes import Attribute, attributes

_FILE = Path(__file__).with_name("annotation_labels.yaml")
_OTHER = "other"


@dataclass(frozen=True)
class LabelGroup:
    """Attributes that are offered together."""

    name: str
    title: dict[str, str]
    attributes: tuple[Attribute, ...]


def label_groups() -> list[LabelGroup]:
    """Every attribute in its group, in the order of their keys; a group without any is left out."""
    known, groups = attributes(), _content()["groups"]
    placed = {name for group in groups.values() for name in group["attributes"]}
    names = {name: [one for one in group["attributes"] if one in known] for name, group in groups.items()}
    names[_OTHER] += [name for name in known if name not in placed]
    return [LabelGroup(name, group["title"], tuple(known[one] for one in names[name]))
            for name, group in groups.items() if names[name]]


def relation_kinds() -> dict[str, dict[str, str]]:
    """Kinds of relations, with what people see by language."""
    kinds: dict[str, dict[str, str]] = _content()["relations"]
    return kinds


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return content

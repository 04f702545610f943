"""In what two runs' settings differ, group by group; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "(absent)"
"""What stands for a setting that one of the two does not have: its stage was older, or is another."""


@dataclass(frozen=True)
class Difference:
    """One setting in which two runs differ: its name (``group.name`` within a group) and both values."""

    name: str
    one: Any
    other: Any


def settings_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    """The settings in which two mappings of JSON values differ, in the order of the first.

    Groups are compared setting by setting, lists as a whole. ``1`` and ``1.0`` are the same, ``1`` and ``true`` are
    not. A setting that only one of them has counts as a difference to :data:`ABSENT`.
    """
    found = []
    for name in dict.fromkeys([*one, *other]):
        first, second = one.get(name, ABSENT), other.get(name, ABSENT)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += [Difference(f"{name}.{inner.name}", inner.one, inner.other)
                      for inner in settings_difference(first, second)]
        elif not _same(first, second):
            found.append(Difference(name, first, second))
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return not settings_difference(one, other)
    return bool(one == other)


def flattened(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Single values by name, those of groups as ``group.name``; lists are left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{before}{name}.")
        elif not isinstance(value, (list, tuple)):
            found[f"{before}{name}"] = value
    return found

"""Controls of a form: what the browser shows for a setting's type, and its content as the setting's value and back.

The *content* of a control is what is typed or ticked in it, as JSON: mostly text as typed, so that a text that is no
number can be refused beside its field. The *value* is the setting as JSON types. ``read(write(value)) == value`` for
every valid value.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

import yaml

from medomicslab_nb.settings import dump_yaml, load_yaml
from medomicslab_nb.views.language import text
from medomicslab_nb.views.setting_texts import options_shown

Place = tuple[str | int, ...]
"""Where a control stands in the form: names of fields, positions in lists."""

UNREAD: Any = object()
"""Stands for a value that could not be read."""


class Control(ABC):
    """What is shown for one type."""

    kind: ClassVar[str]

    @abstractmethod
    def read(self, content: Any, place: Place, faults: dict[Place, str]) -> Any:
        """The value that the content stands for, or ``UNREAD`` with the reason added to ``faults``."""

    @abstractmethod
    def write(self, value: Any) -> Any:
        """The content that stands for a value."""

    @abstractmethod
    def blank(self) -> Any:
        """The content of a control that nobody has filled in."""

    def describe(self) -> dict[str, Any]:
        """What the browser needs to draw it, as JSON types."""
        return {"kind": self.kind}

    def locate(self, content: Any, location: Place) -> Place:  # noqa: ARG002  (it has no parts)
        """The place, from here on, of the part that pydantic's ``location`` names; as deep as there is a message."""
        return ()


class Leaf(Control):
    """A control without parts."""

    def read(self, content: Any, place: Place, faults: dict[Place, str]) -> Any:
        try:
            return self.parse(content)
        except ValueError as error:
            faults[place] = str(error)
            return UNREAD

    @abstractmethod
    def parse(self, content: Any) -> Any:
        """The value; raises ``ValueError`` with the reason for people."""


@dataclass(frozen=True)
class Check(Leaf):
    """True or false."""

    kind = "check"

    def parse(self, content: Any) -> bool:
        return content is True

    def write(self, value: Any) -> bool:
        return bool(value)

    def blank(self) -> bool:
        return False


@dataclass(frozen=True)
class Choice(Leaf):
    """One of several; ``None`` is an entry of its own where it is allowed."""

    kind = "choice"
    options: tuple[Any, ...]
    optional: bool = False

    def parse(self, content: Any) -> Any:
        if content is None and not self.optional:
            raise ValueError(text("form_required"))
        return content

    def write(self, value: Any) -> Any:
        return value

    def blank(self) -> Any:
        return None if self.optional else self.options[0]

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "options": options_shown(self.options), "optional": self.optional}


@dataclass(frozen=True)
class Number(Leaf):
    """A number as it is typed; empty is ``None`` where that is allowed."""

    kind = "number"
    integer: bool
    optional: bool = False
    bounds: dict[str, Any] = field(default_factory=dict)
    """Any of ``ge``, ``gt``, ``le`` and ``lt``."""

    def parse(self, content: Any) -> int | float | None:
        typed = str(content).strip()
        if not typed:
            if self.optional:
                return None
            raise ValueError(text("form_required"))
        try:
            return int(typed) if self.integer else float(typed)
        except ValueError:
            raise ValueError(text("form_no_whole_number" if self.integer else "form_no_number")) from None

    def write(self, value: Any) -> str:
        return "" if value is None else repr(value).removesuffix(".0")

    def blank(self) -> str:
        return ""

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "integer": self.integer, "min": self.bounds.get("ge"), "max": self.bounds.get("le"),
                "above": self.bounds.get("gt"), "below": self.bounds.get("lt")}


@dataclass(frozen=True)
class Text(Leaf):
    """One line of text, without the blanks around it.

    A text that must keep blanks at its ends or a new line, or that is empty where empty means ``None`` or "not yet
    filled in", stands in double quotes.
    """

    kind = "text"
    optional: bool = False
    required: bool = False
    suggestions: tuple[str, ...] = ()

    def parse(self, content: Any) -> str | None:
        typed = str(content).strip()
        if not typed and self.required:
            raise ValueError(text("form_required"))
        return None if not typed and self.optional else _unquoted(typed)

    def write(self, value: Any) -> str:
        if value is None:
            return ""
        as_typed = value == value.strip() and not set(value) & set("\r\n") and _unquoted(value) == value
        kept = bool(value) or not (self.optional or self.required)
        return value if as_typed and kept else json.dumps(value, ensure_ascii=False)

    def blank(self) -> str:
        return ""

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "suggestions": list(self.suggestions)}


def _unquoted(typed: str) -> str:
    """The text between double quotes, or the text itself."""
    try:
        inner = json.loads(typed) if typed.startswith('"') else typed
    except ValueError:
        return typed
    return inner if isinstance(inner, str) else typed


@dataclass(frozen=True)
class Day(Leaf):
    """A date as 2021-04-30."""

    kind = "day"
    optional: bool = False

    def parse(self, content: Any) -> str | None:
        typed = str(content).strip()
        if not typed and self.optional:
            return None
        try:
            return date.fromisoformat(typed).isoformat()
        except ValueError:
            raise ValueError(text("form_no_date")) from None

    def write(self, value: Any) -> str:
        return value or ""

    def blank(self) -> str:
        return ""


@dataclass(frozen=True)
class Free(Leaf):
    """Any value, written as YAML: one line, or several for what has no control of its own."""

    kind = "yaml"
    lines: int = 1
    optional: bool = False

    def parse(self, content: Any) -> Any:
        try:
            value = load_yaml(str(content))
        except (yaml.YAMLError, ValueError):
            raise ValueError(text("form_no_yaml")) from None
        if value is None and not self.optional:
            raise ValueError(text("form_required"))
        return value

    def write(self, value: Any) -> str:
        return "" if value is None else dump_yaml(value, one_line=True)

    def blank(self) -> str:
        return ""

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "lines": self.lines}


@dataclass(frozen=True)
class Checks(Leaf):
    """Several of several."""

    kind = "checks"
    options: tuple[Any, ...]

    def parse(self, content: Any) -> list[Any]:
        return list(content)

    def write(self, value: Any) -> list[Any]:
        return list(value)

    def blank(self) -> list[Any]:
        return []

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "options": options_shown(self.options)}


@dataclass(frozen=True)
class Tokens(Leaf):
    """Any number of texts or numbers; empty is ``None`` where that is allowed."""

    kind = "tokens"
    item: Leaf

    def parse(self, content: Any) -> list[Any]:
        return [self.item.parse(token) for token in content]

    def write(self, value: Any) -> list[Any]:
        return [self.item.write(one) for one in value]

    def blank(self) -> list[Any]:
        return []

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "item": self.item.describe()}


@dataclass(frozen=True)
class Series(Leaf):
    """A fixed number of values side by side; all empty is ``None`` where that is allowed."""

    kind = "series"
    items: tuple[Leaf, ...]
    optional: bool = False

    def parse(self, content: Any) -> list[Any] | None:
        if self.optional and not any(str(one).strip() for one in content):
            return None
        return [item.parse(one) for item, one in zip(self.items, content, strict=True)]

    def write(self, value: Any) -> list[Any]:
        return self.blank() if value is None else [item.write(one) for item, one in zip(self.items, value, strict=True)]

    def blank(self) -> list[Any]:
        return [item.blank() for item in self.items]

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "items": [item.describe() for item in self.items], "names": self._names()}

    def _names(self) -> list[str]:
        known = {2: [text("form_from"), text("form_to")], 3: ["x", "y", "z"]}
        return known.get(len(self.items)) or [str(place + 1) for place in range(len(self.items))]


@dataclass(frozen=True)
class Rows(Control):
    """A mapping from texts: one row a key."""

    kind = "rows"
    key: Text
    value: Control

    def read(self, content: Any, place: Place, faults: dict[Place, str]) -> dict[str, Any]:
        found = {}
        for number, row in enumerate(content):
            key = self.key.read(row["key"], (*place, number), faults)
            value = self.value.read(row["value"], (*place, number, "value"), faults)
            if key in found:
                faults[(*place, number)] = text("form_twice")
            elif key is not UNREAD and value is not UNREAD:
                found[key] = value
        return found

    def write(self, value: Any) -> list[dict[str, Any]]:
        return [{"key": self.key.write(key), "value": self.value.write(one)} for key, one in value.items()]

    def blank(self) -> list[Any]:
        return []

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "key": self.key.describe(), "value": self.value.describe(),
                "blank": {"key": "", "value": self.value.blank()}}

    def locate(self, content: Any, location: Place) -> Place:
        for number, row in enumerate(content):
            if location and self.key.read(row["key"], (), {}) == location[0]:
                return (number, "value", *self.value.locate(row["value"], location[1:]))
        return ()

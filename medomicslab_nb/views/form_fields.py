"""The controls of a settings class, derived from its fields: groups, groups in lists, and which control fits a type."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from medomicslab_nb.report.settings_rows import plain_value
from medomicslab_nb.settings import Advanced, Unit, fields_of, marker
from medomicslab_nb.views.controls import (
    UNREAD,
    Check,
    Checks,
    Choice,
    Control,
    Day,
    Free,
    Leaf,
    Number,
    Place,
    Rows,
    Series,
    Text,
    Tokens,
)
from medomicslab_nb.views.labels import help_text, label
from medomicslab_nb.views.setting_texts import bounds_text, empty_means, option_shown, shown_value

_MOST_SUGGESTIONS = 1000
_SCALARS = (bool, int, float, str)


@dataclass(frozen=True)
class Offered:
    """Texts to offer, by the dotted name of their field: ``outcome``, ``cohort.column``, ``blocks.keys``."""

    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str = ""

    def below(self, name: str) -> Offered:
        """What is offered for a part."""
        return Offered(self.texts, f"{self.name}.{name}" if self.name else name)

    @property
    def here(self) -> tuple[str, ...]:
        """What is offered for this field itself."""
        return tuple(self.texts.get(self.name, ()))[:_MOST_SUGGESTIONS]


@dataclass(frozen=True)
class Field:
    """A field of a settings class with its control and what is said beside it."""

    name: str
    label: str
    help: str
    unit: str
    advanced: bool
    default: Any
    """As JSON types; ``UNREAD`` of a required field."""
    control: Control

    @property
    def empty(self) -> str:
        """What it means when nothing is given."""
        return empty_means(self.help)

    def content(self, value: Any = UNREAD) -> Any:
        """The content of a value, else of the default, else of a field that is not filled in."""
        shown = self.default if value is UNREAD else value
        return self.control.blank() if shown is UNREAD else self.control.write(shown)

    def describe(self) -> dict[str, Any]:
        required = self.default is UNREAD
        bounds = self.control.bounds if isinstance(self.control, Number) else {}
        return {"name": self.name, "label": self.label, "help": self.help, "unit": self.unit, "empty": self.empty,
                "advanced": self.advanced, "required": required, "bounds": bounds_text(bounds),
                "default": "" if required else self._default(),
                "reset": None if required else self.content(), "control": self.control.describe()}

    def _default(self) -> str:
        if isinstance(self.control, Choice) and self.default is not None:
            return option_shown(self.default)
        return shown_value(self.default, told=bool(self.empty))


@dataclass(frozen=True)
class Group(Control):
    """The fields of a settings class."""

    kind = "group"
    fields: tuple[Field, ...]

    def read(self, content: Any, place: Place, faults: dict[Place, str]) -> dict[str, Any]:
        values = {one.name: one.control.read(content[one.name], (*place, one.name), faults) for one in self.fields}
        return {name: value for name, value in values.items() if value is not UNREAD}

    def write(self, value: Any) -> dict[str, Any]:
        return {one.name: one.content(value.get(one.name, UNREAD)) for one in self.fields}

    def blank(self) -> dict[str, Any]:
        return self.write({})

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "fields": [one.describe() for one in self.fields]}

    def locate(self, content: Any, location: Place) -> Place:
        for one in self.fields:
            if location and location[0] == one.name:
                return (one.name, *one.control.locate(content[one.name], location[1:]))
        return ()


@dataclass(frozen=True)
class Switched(Control):
    """A group that can be switched off, which is ``None``; what was typed in it stays."""

    kind = "switched"
    group: Group

    def read(self, content: Any, place: Place, faults: dict[Place, str]) -> dict[str, Any] | None:
        return self.group.read(content["content"], place, faults) if content["on"] is True else None

    def write(self, value: Any) -> dict[str, Any]:
        return {"on": value is not None, "content": self.group.write(value or {})}

    def blank(self) -> dict[str, Any]:
        return self.write(None)

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "group": self.group.describe()}

    def locate(self, content: Any, location: Place) -> Place:
        return self.group.locate(content["content"], location)


@dataclass(frozen=True)
class Repeated(Control):
    """Any number of groups, in an order."""

    kind = "repeated"
    group: Group

    def read(self, content: Any, place: Place, faults: dict[Place, str]) -> list[Any]:
        return [self.group.read(one, (*place, number), faults) for number, one in enumerate(content)]

    def write(self, value: Any) -> list[Any]:
        return [self.group.write(one) for one in value]

    def blank(self) -> list[Any]:
        return []

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "group": self.group.describe(), "blank": self.group.blank()}

    def locate(self, content: Any, location: Place) -> Place:
        if not location or not isinstance(location[0], int) or location[0] >= len(content):
            return ()
        return (location[0], *self.group.locate(content[location[0]], location[1:]))


def group_of(cls: type[BaseModel], offered: Offered | None = None, defaults: Mapping[str, Any] | None = None) -> Group:
    """The controls of a settings class; ``defaults`` overrule those of the class."""
    return Group(tuple(_field(cls, name, info, (offered or Offered()).below(name), defaults or {})
                       for name, info in fields_of(cls)))


def changes(group: Group, values: Mapping[str, Any], place: Place = ()) -> list[Place]:
    """Where a value differs from its default; not within lists and mappings, whose parts have none."""
    found: list[Place] = []
    for one in group.fields:
        value, here = values.get(one.name, UNREAD), (*place, one.name)
        if isinstance(one.control, Group):
            found += changes(one.control, {} if value is UNREAD else value, here)
            continue
        found += [here] if _differs(one, value) else []
        if isinstance(one.control, Switched) and isinstance(value, Mapping):
            found += changes(one.control.group, value, here)
    return found


def _differs(one: Field, value: Any) -> bool:
    if UNREAD in (value, one.default):
        return False
    if isinstance(one.control, Switched):
        return (value is None) != (one.default is None)
    # By its text: to Python, true and 1 are equal.
    return json.dumps(value, sort_keys=True) != json.dumps(one.default, sort_keys=True)


def _field(cls: type[BaseModel], name: str, info: FieldInfo, offered: Offered, defaults: Mapping[str, Any]) -> Field:
    default = UNREAD if info.is_required() else plain_value(info.get_default(call_default_factory=True))
    default = defaults.get(name, default)
    unit = marker(info, Unit)
    control = _control(info.annotation, info.metadata, offered, default, required=info.is_required())
    return Field(name, label(cls, name), help_text(cls, name), unit.text if unit else "",
                 marker(info, Advanced) is not None, default, control)


def _control(annotation: Any, metadata: Sequence[Any], offered: Offered, default: Any = None, *,
             required: bool = False) -> Control:
    """The control that fits a type; a line of YAML, or several, where none does."""
    kind, metadata, optional = _without_none(annotation, metadata)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        group = group_of(kind, offered, default if isinstance(default, Mapping) else None)
        return Switched(group) if optional else group
    if not optional:
        found = _many(kind, offered)
        if found is not None:
            return found
    if get_origin(kind) is tuple and (items := _series(kind)):
        return Series(items, optional)
    return _one(kind, metadata, optional=optional, required=required, offered=offered) \
        or Free(1 if _is_short(kind) else 4, optional)


def _one(kind: Any, metadata: Sequence[Any], *, optional: bool, required: bool, offered: Offered) -> Leaf | None:
    """The control of a single value."""
    if get_origin(kind) is Literal:
        return Choice(get_args(kind), optional)
    if kind is bool:
        return Choice((True, False), optional) if optional else Check()
    if kind in (int, float):
        return Number(kind is int, optional, bounds_of(metadata))
    if kind is str:
        return Text(optional, required, offered.here)
    return Day(optional) if kind is date else None


def _many(kind: Any, offered: Offered) -> Control | None:
    """The control of a mapping, or of a tuple of any length."""
    arguments = get_args(kind)
    if get_origin(kind) is dict and arguments[0] is str:
        key = Text(required=True, suggestions=offered.below("keys").here)
        return Rows(key, _control(arguments[1], (), offered))
    if get_origin(kind) is not tuple or arguments[1:] != (...,):
        return None
    item, metadata, optional = _without_none(arguments[0], ())
    if optional:
        return None
    if get_origin(item) is Literal:
        return Checks(get_args(item))
    if isinstance(item, type) and issubclass(item, BaseModel):
        return Repeated(group_of(item, offered))
    leaf = _one(item, metadata, optional=False, required=False, offered=offered)
    return Tokens(leaf) if isinstance(leaf, (Text, Number, Day)) else None


def _series(kind: Any) -> tuple[Leaf, ...]:
    """The controls of a tuple of fixed length; none where it does not consist of numbers."""
    parts = [_without_none(part, ()) for part in get_args(kind)]
    if any(optional or part not in (int, float) for part, _, optional in parts):
        return ()
    return tuple(Number(part is int, bounds=bounds_of(metadata)) for part, metadata, _ in parts)


def _without_none(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, Sequence[Any], bool]:
    """The type without ``None`` and ``Annotated``, everything it is annotated with, and whether ``None`` is allowed."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _without_none(inner, [*metadata, *more])
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, metadata, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    optional = len(kinds) < len(get_args(annotation))
    if len(kinds) > 1:
        return annotation, metadata, optional
    kind, marks, _ = _without_none(kinds[0], metadata)
    return kind, marks, optional


def bounds_of(metadata: Sequence[Any]) -> dict[str, Any]:
    """The bounds that annotations set: any of ``ge``, ``gt``, ``le``, ``lt``."""
    found: dict[str, Any] = {}
    for mark in metadata:
        if isinstance(mark, FieldInfo):
            found |= bounds_of(mark.metadata)
        found |= {sign: bound for sign in ("ge", "gt", "le", "lt") if (bound := getattr(mark, sign, None)) is not None}
    return found


def _is_short(kind: Any) -> bool:
    """Whether values fit on a line: scalars, and lists of them."""
    if kind in (*_SCALARS, type(None), Ellipsis):
        return True
    unions = (Union, types.UnionType, tuple, Annotated)
    return get_origin(kind) in unions and all(_is_short(part) for part in get_args(kind))

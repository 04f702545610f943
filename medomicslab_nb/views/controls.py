"""One control per field type: what it shows and how its content is read back."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import ipywidgets
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

# No Layout here: it would be a widget as soon as this module is imported.
_WIDE = {"width": "260px", "flex": "0 0 260px"}


@dataclass(frozen=True)
class Control:
    """A widget with the functions that read a setting's value from it and write one into it (as JSON types)."""

    widget: ipywidgets.Widget
    read: Callable[[], Any]
    """Raises ``ValueError`` with a reason when the text cannot be read."""
    write: Callable[[Any], None]


def control_for(field: FieldInfo, suggestions: Sequence[str] = ()) -> Control:
    """The control that fits the field's type; ``suggestions`` are offered for text without excluding other text."""
    kind, optional = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        return _choice(get_args(kind), optional=optional)
    if kind is bool and not optional:
        return _plain(ipywidgets.Checkbox(indent=False, layout=_WIDE), bool)
    if kind in (int, float) and not optional:
        return _plain((ipywidgets.IntText if kind is int else ipywidgets.FloatText)(layout=_WIDE), kind)
    if kind in (int, float, str):
        return _text(optional=optional, suggestions=suggestions)
    return _yaml(kind, optional=optional)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The type without ``None``, and whether ``None`` was allowed."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    optional = len(kinds) < len(get_args(annotation))
    return (kinds[0] if len(kinds) == 1 else annotation), optional


def _choice(options: Sequence[Any], *, optional: bool) -> Control:
    shown = [("", None)] if optional else []
    widget = ipywidgets.Dropdown(options=[*shown, *((str(option), option) for option in options)], layout=_WIDE)

    def write(value: Any) -> None:
        widget.value = value

    return Control(widget, lambda: widget.value, write)


def _plain(widget: Any, kind: Callable[[Any], Any]) -> Control:
    def write(value: Any) -> None:
        widget.value = kind(value)

    return Control(widget, lambda: widget.value, write)


def _text(*, optional: bool, suggestions: Sequence[str]) -> Control:
    widget = ipywidgets.Combobox(options=tuple(suggestions), ensure_option=False, layout=_WIDE) if suggestions \
        else ipywidgets.Text(layout=_WIDE)

    def read() -> Any:
        return None if optional and not widget.value.strip() else widget.value.strip()

    def write(value: Any) -> None:
        widget.value = "" if value is None else str(value)

    return Control(widget, read, write)


def _yaml(kind: Any, *, optional: bool) -> Control:
    """Lists, mappings and groups as YAML; a list of names may also be written ``a, b``.

    Of a group only what differs from its defaults is written; an optional group that is empty text is left out.
    """
    is_group = isinstance(kind, type) and issubclass(kind, BaseModel)
    height = "120px" if is_group else "58px"
    widget = ipywidgets.Textarea(layout={**_WIDE, "height": height}, continuous_update=False)

    def read() -> Any:
        try:
            value = yaml.safe_load(widget.value)
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0)
            raise ValueError(f"YAML, line {line + 1}") from None
        if value is None:
            return None if optional else _empty(kind)
        if isinstance(value, str) and get_origin(kind) is tuple:
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    def write(value: Any) -> None:
        if value is not None and is_group:
            value = kind.model_validate(value).model_dump(mode="json", exclude_defaults=True)
        empty = value is None or (not value and not (is_group and optional))
        widget.value = "" if empty else yaml.safe_dump(
            value, sort_keys=False, allow_unicode=True, default_flow_style=None).removesuffix("...\n").strip()

    return Control(widget, read, write)


def _empty(kind: Any) -> Any:
    is_mapping = get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel))
    return {} if is_mapping else []

"""Settings as texts that do the same as the form: a notebook's cell, a command, YAML."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from medomicslab_nb.report.settings_rows import plain_value
from medomicslab_nb.settings import Settings, dump_yaml, fields_of


def differences(part: BaseModel) -> dict[str, Any]:
    """What differs from the defaults, at every depth, as JSON types; required fields always stand there."""
    values = part.model_dump(mode="json")
    found = {}
    for name, field in fields_of(type(part)):
        default = None if field.is_required() else plain_value(field.get_default(call_default_factory=True))
        # By its text: to Python, true and 1 are equal.
        if field.is_required() or json.dumps(values[name]) != json.dumps(default):
            found[name] = _short(getattr(part, name), values[name])
    return found


def _short(value: Any, plain: Any) -> Any:
    if isinstance(value, BaseModel):
        return differences(value)
    if isinstance(value, Mapping):
        return {key: _short(one, plain[key]) for key, one in value.items()}
    return [_short(one, plain[place]) for place, one in enumerate(value)] if isinstance(value, tuple) else plain


def yaml_text(settings: Settings, *, only_differences: bool = False) -> str:
    """YAML that ``--settings`` and the form's import read."""
    values = differences(settings) if only_differences else settings.model_dump(mode="json")
    return dump_yaml(values)


def notebook_cell(settings: Settings, folder: str) -> str:
    """A cell that runs the stage on the study of that folder's name."""
    values = differences(settings)
    lines = "".join(f"    {_python(name)}: {_python(value)},\n" for name, value in values.items())
    mapping = f"{{\n{lines}}}" if values else "{}"
    return ("import medomicslab_nb as ml\n\n"
            f"study = ml.open_study({_python(folder)})\n"
            f"run = ml.run({_python(settings.stage)}, study, {mapping})\n")


def command_line(settings: Settings, folder: str) -> str:
    """The command that does the same, on one line, quoted for a shell."""
    words = ["medomicslab", "run", settings.stage, "--study", folder]
    for name, value in _flat(settings, differences(settings)):
        words += ["-s", f"{name}={dump_yaml(value, one_line=True)}"]
    return shlex.join(words)


def _flat(part: BaseModel, values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values, those of a group as ``group.name``."""
    for name, value in values.items():
        inner = getattr(part, name)
        if isinstance(inner, BaseModel) and value:
            yield from _flat(inner, value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _python(value: Any) -> str:
    """JSON types as Python source on one line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_python(key)}: {_python(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_python(one) for one in value) + "]"
    return repr(value)

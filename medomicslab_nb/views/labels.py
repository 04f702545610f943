"""What settings, their values, stages and tasks are called in the chosen language."""

from __future__ import annotations

import re
from functools import cache

from pydantic import BaseModel

from medomicslab_nb.views.language import catalogue, language

_PLACE = re.compile(r"\\{(\w+)\\}")


def label(cls: type[BaseModel], field_name: str) -> str:
    """A short name of a field; of a class that the catalogue does not know, the field's own name with spaces."""
    return _called(f"{cls.__name__}.{field_name}", field_name.replace("_", " "))


def help_text(cls: type[BaseModel], field_name: str) -> str:
    """What a field means: its docstring on one line, or the French of it where there is one."""
    docstring = " ".join((cls.model_fields[field_name].description or "").split())
    return _called(f"{cls.__name__}.{field_name}.help", docstring)


def option_label(value: object) -> str:
    """A value that can be chosen; names of methods that are the same in every language stay as they are."""
    return _called(f"option.{value}", str(value).replace("_", " "))


def stage_label(name: str) -> str:
    """A stage; an unknown one by its own name."""
    return _called(f"stage.{name}", name)


def task_label(name: str) -> str:
    """A task of a run's progress; an unknown one by its own name."""
    return translated("task.", name) or name


def translated(prefix: str, english: str) -> str | None:
    """The text in the chosen language whose English says this, among the keys with that prefix; None: there is none.

    A place in the English text stands for any words, which are filled in.
    """
    for pattern, key in _patterns(prefix):
        if found := pattern.fullmatch(english):
            return catalogue()[key][language()].format(**found.groupdict())
    return None


def _called(key: str, otherwise: str) -> str:
    return catalogue().get(key, {}).get(language(), otherwise)


@cache
def _patterns(prefix: str) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(words["en"]))), key)
            for key, words in catalogue().items() if key.startswith(prefix)]

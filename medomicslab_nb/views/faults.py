"""What is wrong with a setting, as a sentence in the chosen language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from medomicslab_nb.settings import explain, names_beside
from medomicslab_nb.views.labels import translated
from medomicslab_nb.views.language import catalogue, language, text


def fault_text(cls: type[BaseModel], fault: Mapping[str, Any]) -> str:
    """One pydantic fault as a sentence that names the field and never repeats the value.

    Parameters
    ----------
    cls : type
        The settings class that was validated.
    fault : mapping
        One of ``ValidationError.errors(include_url=False, include_input=False)``.

    Returns
    -------
    str
        In English what :func:`medomicslab_nb.settings.explain` says; so is what the catalogue does not know.
    """
    english = explain(cls, fault)
    if language() == "en":
        return english
    name = ".".join(str(part) for part in fault["loc"]) or text("fault_whole")
    if fault["type"] == "extra_forbidden":
        return _unknown(name, *names_beside(cls, fault["loc"]))
    if fault["type"] == "missing":
        return text("fault_required", name=name)
    message = _message(fault)
    return english if message is None else text("fault_at", name=name, message=message)


def _unknown(name: str, near: str, known: Sequence[str]) -> str:
    if near:
        return text("fault_nearest", name=name, near=near)
    return text("fault_known", name=name, known=", ".join(known)) if known else text("fault_unknown", name=name)


def _message(fault: Mapping[str, Any]) -> str | None:
    """What is wrong, without the field's name; None: the catalogue does not know it."""
    if fault["type"] == "value_error":
        return translated("refusal.", fault["msg"].removeprefix("Value error, "))
    key = f"fault.{fault['type']}"
    values = {place: _shown(value) for place, value in fault.get("ctx", {}).items()}
    return text(key, **values) if key in catalogue() else None


def _shown(value: Any) -> Any:
    """A limit, or the values that may be chosen."""
    if isinstance(value, str):
        return f" {text('fault_or')} ".join(value.rsplit(" or ", 1))
    return f"{value:g}" if isinstance(value, float) else value

"""What is said beside a setting's control: its value in words, its bounds, what an empty one means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from medomicslab_nb.settings import dump_yaml
from medomicslab_nb.views.labels import option_label
from medomicslab_nb.views.language import text

_EMPTY = re.compile(r"\b(?:empty|vide)\s?:\s*([^.;]+)")


def empty_means(help_text: str) -> str:
    """What a help text says of an empty field (``empty: all``), or nothing."""
    found = _EMPTY.search(help_text)
    return found[1].strip() if found else ""


def shown_value(value: Any, *, told: bool = False) -> str:
    """A setting's value as people read it; ``told`` when the help says what an empty one means."""
    if value in (None, "", [], {}):
        return text("form_empty" if told else "form_none")
    if isinstance(value, bool):
        return text("form_yes" if value else "form_no")
    if isinstance(value, str):
        return value
    written = dump_yaml(value, one_line=True)
    return written[1:-1] if isinstance(value, list) else written


def bounds_text(bounds: dict[str, Any]) -> str:
    """``2 to 20``, ``at least 0``, ``more than 0, less than 1``."""
    if {"ge", "le"} <= bounds.keys():
        return text("form_between", low=bounds["ge"], high=bounds["le"])
    return ", ".join(text(f"form_{sign}", bound=bounds[sign]) for sign in ("ge", "gt", "le", "lt") if sign in bounds)


def options_shown(options: Sequence[Any]) -> list[dict[str, Any]]:
    """Values to choose from with their labels; one that is called otherwise in YAML has that name after it."""
    return [{"value": option, "label": option_shown(option)} for option in options]


def option_shown(option: Any) -> str:
    """One value to choose from, as it is labelled."""
    if isinstance(option, bool):
        return text("form_yes" if option else "form_no")
    label, code = option_label(option), str(option)
    return label if label.lower().startswith((code.lower(), code.lower().replace("_", " "))) else f"{label} ({code})"

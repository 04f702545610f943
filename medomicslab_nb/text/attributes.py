"""What is read from notes: the catalogue in ``attributes.yaml``, which a clinician can read and correct."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from medomicslab_nb.errors import SettingsError

_CATALOGUE = Path(__file__).with_name("attributes.yaml")

Policy = Literal["last", "first", "max", "min", "any"]
CONTEXTS = ("negated", "uncertain", "family", "history", "planned")
"""What may be said of a mention beside that it is so; in this order where several apply."""


@dataclass(frozen=True)
class Attribute:
    """One thing that notes tell of a patient."""

    name: str
    title: dict[str, str]
    """What people see, by language."""
    kind: Literal["category", "number", "size", "code", "date", "term"]
    says: str
    """What counts as a mention of it, and what does not."""
    policy: Policy
    """How a patient's mentions become one value when nothing else is asked for."""
    values: tuple[str, ...] = ()
    unit: str = ""
    coarse: str = ""
    """Pattern of the part of a value by which patients are compared (T2 of T2a); empty: all of it."""
    earlier: bool = False
    """Whether what is said of earlier times counts for the patient: a comorbidity does, an earlier tumour's T not."""


@cache
def attributes() -> dict[str, Attribute]:
    """The catalogue, by name, in its own order."""
    entries: dict[str, Any] = yaml.safe_load(_CATALOGUE.read_text(encoding="utf-8"))
    return {name: Attribute(name, **{**entry, "values": tuple(entry.get("values", ()))})
            for name, entry in entries.items()}


def get_attribute(name: str) -> Attribute:
    """The attribute of that name.

    Raises
    ------
    SettingsError
        There is none; the message lists the nearest.
    """
    import difflib

    known = attributes()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    raise SettingsError(f"there is no attribute '{name}'",
                        todo=f"Did you mean '{near[0]}'?" if near else f"Known attributes: {', '.join(known)}")

"""Texts of the views in English and French, from the catalogue in ``texts/``: one file a topic, which anybody can read.

A key is unique over all files; a widget gets the texts of the file that has its name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from medomicslab_nb.errors import SettingsError

LANGUAGES = ("en", "fr")
VARIABLE = "MEDOMICSLAB_LANG"
CATALOGUE = Path(__file__).parent / "texts"


def language() -> str:
    """``fr`` or ``en``; a region such as in ``fr_CA.UTF-8`` is accepted, anything else is English."""
    wanted = os.environ.get(VARIABLE, "en").lower()[:2]
    return wanted if wanted in LANGUAGES else "en"


def set_language(name: str) -> None:
    """Show the views of this process, and of what it starts, in ``en`` or ``fr``.

    Raises
    ------
    SettingsError
        There is no such language.
    """
    if name not in LANGUAGES:
        raise SettingsError(f"there is no language '{name}'", todo=f"Choose one of {', '.join(LANGUAGES)}")
    os.environ[VARIABLE] = name


def text(key: str, **values: object) -> str:
    """The text of that key in the chosen language, with ``values`` filled in."""
    found = catalogue()[key][language()]
    return found.format(**values) if values else found


def texts_of(topic: str) -> dict[str, str]:
    """Every text of a topic in the chosen language, by key: what a widget's module gets."""
    return {key: words[language()] for key, words in read_topic(topic).items()}


@cache
def catalogue() -> dict[str, Mapping[str, str]]:
    """Every key with its text in each language."""
    return {key: words for path in sorted(CATALOGUE.glob("*.yaml")) for key, words in read_topic(path.stem).items()}


@cache
def read_topic(topic: str) -> dict[str, Mapping[str, str]]:
    """Keys and texts of one file."""
    content = (CATALOGUE / f"{topic}.yaml").read_text(encoding="utf-8")
    return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}  # noqa: S506  (both are safe)

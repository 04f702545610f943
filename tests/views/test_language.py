"""The catalogue is complete: every key has both languages, every key used exists, every key is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medomicslab_nb.views import language

SOURCES = Path(language.__file__).parent
USED = {key for path in SOURCES.glob("*.py") for key in re.findall(r"\btext\([\"'](\w+)", path.read_text())}
STATUSES = {"completed", "failed", "cancelled"}  # named by a run's status


def test_every_key_has_both_languages_with_the_same_places() -> None:
    for english, french in language.TEXTS.values():
        assert english
        assert french
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", french))


def test_keys_used_and_keys_written_are_the_same() -> None:
    assert set(language.TEXTS) == USED | STATUSES


@pytest.mark.parametrize(("wanted", "expected"), [("fr", "Lancer"), ("fr_CA.UTF-8", "Lancer"), ("en", "Run"),
                                                  ("de", "Run"), ("", "Run")])
def test_environment_chooses(monkeypatch: pytest.MonkeyPatch, wanted: str, expected: str) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", wanted)
    assert language.text("run") == expected

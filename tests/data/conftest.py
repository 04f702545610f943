"""Fixtures of the data tests: files written as hospitals write them, a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import medomicslab_nb as ml

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """``write("a.csv", text)``: the file, in UTF-8 unless another encoding or bytes are given."""

    def write_file(name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write_file


@pytest.fixture
def study(tmp_path: Path) -> ml.Study:
    return ml.create_study(tmp_path / "study")

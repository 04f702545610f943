"""Fixtures of the kernel's tests: a study, and the generated stage in this process and in every child."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.stages import STAGES

GENERATED = Path(__file__).parent / "generated"


@pytest.fixture(autouse=True)
def generated_stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The generated stage exists during these tests only; children find it by ``PYTHONPATH``."""
    monkeypatch.syspath_prepend(str(GENERATED))
    root = str(Path(ml.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(GENERATED), root]))
    before = dict(STAGES)
    sys.modules.pop("sitecustomize", None)
    importlib.import_module("sitecustomize")
    yield
    STAGES.clear()
    STAGES.update(before)


@pytest.fixture
def numbers() -> pd.DataFrame:
    return pd.DataFrame({"patient": [f"PAT-{i:03d}" for i in range(4)], "value": [1.0, 2.5, 3.0, 4.25]})


@pytest.fixture
def study(tmp_path: Path, numbers: pd.DataFrame) -> ml.Study:
    """A study with one table, ``numbers``."""
    made = ml.create_study(tmp_path / "study")
    made.add_table("numbers", numbers)
    return made


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to which every computed (not cached) case adds a line."""
    path = tmp_path / "computed.log"
    path.touch()
    monkeypatch.setenv("GENERATED_LOG", str(path))
    return path

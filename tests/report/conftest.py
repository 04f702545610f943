"""A study and finished runs in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from medomicslab_nb.study import Study
from tests.report.samples import make_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "study")

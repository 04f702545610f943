"""A study that format version 1 wrote keeps opening. Never change these files: add a folder for the next version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import medomicslab_nb as ml
from medomicslab_nb.runner import verify

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(params=sorted(path.name for path in GOLDEN.iterdir()))
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> ml.Study:
    return ml.open_study(shutil.copytree(GOLDEN / request.param, tmp_path / "study"))


def test_study_tables_splits_and_run_of_an_old_version_open(golden: ml.Study) -> None:
    assert (golden.name, golden.index_date) == ("golden", "diagnosed")
    assert golden.table("numbers")["value"].tolist() == [1.0, 2.5, 3.0, 4.25]
    assert golden.info("numbers").column("value").unit == "mm"
    assert golden.table("genes").loc["PAT-003"].tolist() == [6.0, 7.0]
    assert golden.splits("os-2x1-seed0")["fold"].tolist() == [0, 1]
    (run,) = golden.runs
    assert run.status == "completed" and run.stale == () and len(run.table("features")) == 8
    assert [item for item in verify(run) if not item.equal] == []

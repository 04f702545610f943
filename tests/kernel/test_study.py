"""The study folder."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import RunError, StudyError
from medomicslab_nb.inputs import TrackedStudy
from medomicslab_nb.tables import Column


def test_create_and_open(tmp_path: Path) -> None:
    made = ml.create_study(tmp_path / "a", id_column="id", index_date="diagnosed")
    opened = ml.open_study(tmp_path / "a")
    assert (
        (opened.name, opened.id_column, opened.index_date)
        == ("a", "id", "diagnosed")
        == (made.name, made.id_column, made.index_date)
    )


def test_open_what_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="medomicslab new"):
        ml.open_study(tmp_path)


def test_bad_input_65_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(StudyError, match="not empty"):
        ml.create_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_table_round_trip_and_dictionary(study: ml.Study, numbers: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(study.table("numbers").reset_index(), numbers)
    study.update_columns("numbers", {}) if study.info("numbers").columns else None
    info = study.add_table("clinical", numbers, columns={"value": Column(unit="mm")}, source="/secret/place/file.csv")
    assert info.source == "file.csv"
    assert study.update_columns("clinical", {"value": Column(unit="cm")}).column("value").unit == "cm"
    assert ml.open_study(study.path).info("clinical").column("value").unit == "cm"
    with pytest.raises(StudyError, match="no column 'valeu'"):
        study.update_columns("clinical", {"valeu": Column()})


def test_identifiers_must_be_text(study: ml.Study) -> None:
    with pytest.raises(StudyError, match="2 identifiers are missing or no text"):
        study.add_table("bad", pd.DataFrame({"patient": ["a", None, 3]}))
    with pytest.raises(StudyError, match="no identifier column"):
        study.add_table("bad", pd.DataFrame({"id": ["a"]}))
    assert list(study.tables) == ["numbers"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a.b", "x" * 65])
def test_bad_names_are_refused(study: ml.Study, numbers: pd.DataFrame, name: str) -> None:
    with pytest.raises(StudyError, match="name"):
        study.add_table(name, numbers)


def test_omics_are_stored_transposed_as_float32(study: ml.Study) -> None:
    genes = pd.DataFrame(
        np.arange(12.0).reshape(3, 4),
        index=pd.Index(["p1x", "p2x", "p3x"], name="patient"),
        columns=["TP53", "NA", "1-Mar", "x"],
    )
    genes.iloc[0, 0] = np.nan
    info = study.add_table("genes", genes, block="genes", transposed=True, default_column=Column())
    stored = pd.read_parquet(study.path / "tables" / info.file)
    assert stored["feature"].tolist() == list(genes.columns) and stored.shape == (4, 4)
    pd.testing.assert_frame_equal(study.table("genes"), genes.astype("float32"), check_names=False)
    assert study.table("genes").index.name == "patient"


def test_replaced_table_keeps_the_old_file(study: ml.Study, numbers: pd.DataFrame) -> None:
    old = study.info("numbers")
    study.add_table("numbers", numbers.assign(value=0.0))
    assert (study.path / "tables" / old.file).exists()
    assert study.table("numbers")["value"].tolist() == [0.0] * 4


def test_unknown_table_names_the_nearest(study: ml.Study) -> None:
    with pytest.raises(StudyError, match="Did you mean 'numbers'"):
        study.table("nubmers")
    with pytest.raises(RunError, match="no run"):
        study.table("no-such-run/features")


def test_published_table_is_the_newest_that_is_not_stale(study: ml.Study, numbers: pd.DataFrame) -> None:
    first = ml.run("generated", study, {"cases": 2}, sinks=[])
    second = ml.run("generated", study, {"cases": 3}, sinks=[])
    assert study.table("features")["case"].nunique() == 3
    assert study.table(f"{first.id}/features")["case"].nunique() == 2
    study.add_table("numbers", numbers.assign(value=9.0))
    assert second.stale == ("numbers",)
    with pytest.raises(StudyError, match="'features' is stale: numbers changed"):
        study.table("features")
    third = ml.run("generated", study, {"cases": 2}, sinks=[])
    assert study.resolve("features").ref.startswith(f"runs/{third.id}/")


def test_bad_input_71_input_changed_on_disk_is_noticed(study: ml.Study) -> None:
    path = study.path / "tables" / study.info("numbers").file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StudyError, match="changed outside"):
        TrackedStudy(study.path).table("numbers")
    path.unlink()
    with pytest.raises(StudyError, match="missing"):
        TrackedStudy(study.path).table("numbers")


def test_splits_are_made_once_and_may_grow(study: ml.Study) -> None:
    assert study.splits("os") is None
    frame = pd.DataFrame({"patient": ["a", "b"], "repeat": [0, 0], "fold": [0, 1]})
    study.save_splits("os", frame)
    study.save_splits("os", pd.concat([frame, pd.DataFrame({"patient": ["c"], "repeat": [0], "fold": [0]})]))
    assert study.splits("os")["patient"].tolist() == ["a", "b", "c"]
    with pytest.raises(StudyError, match="made once"):
        study.save_splits("os", frame.assign(fold=[1, 0]))


def test_identifiers_of_every_table(study: ml.Study) -> None:
    genes = pd.DataFrame(np.ones((2, 2)), index=["GEN-01", "GEN-02"], columns=["a", "b"])
    study.add_table("genes", genes, transposed=True)
    assert {"PAT-000", "GEN-01"} <= study.identifiers() and "feature" not in study.identifiers()


def test_lock_dies_with_its_process(study: ml.Study) -> None:
    program = textwrap.dedent("""
        import sys, time, medomicslab_nb as ml
        with ml.open_study(sys.argv[1]).lock():
            print("held", flush=True)
            time.sleep(60)
    """)
    holder = subprocess.Popen([sys.executable, "-c", program, str(study.path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    start = time.monotonic()
    with study.lock():
        assert time.monotonic() - start < 5


def test_bad_input_70_two_processes_write_to_one_study(study: ml.Study) -> None:
    program = textwrap.dedent("""
        import sys, pandas as pd, medomicslab_nb as ml
        study, mark = ml.open_study(sys.argv[1]), sys.argv[2]
        for i in range(8):
            study.add_table("shared", pd.DataFrame({"patient": ["p-1"], "who": [mark], "i": [i]}))
            study.add_table(f"own_{mark}_{i}", pd.DataFrame({"patient": ["p-1"], "i": [i]}))
            ml.run("generated", study, {"cases": 1, "label": f"{mark}{i}"}, sinks=[])
    """)
    children = [subprocess.Popen([sys.executable, "-c", program, str(study.path), mark]) for mark in "ab"]
    assert [child.wait(120) for child in children] == [0, 0]
    assert len([name for name in study.tables if name.startswith("own_")]) == 16
    TrackedStudy(study.path).table("shared")
    assert len(study.runs) == 16 and {record.status for record in study.runs} == {"completed"}


def test_a_longer_split_does_not_make_older_runs_stale(study: ml.Study) -> None:
    """Splits only ever grow: what an older run used still stands."""
    from medomicslab_nb.inputs import stale_inputs

    run = ml.run("generated", study, {"cases": 1}, sinks=[])
    frame = pd.DataFrame({"patient": ["a", "b"], "repeat": [0, 0], "fold": [0, 1]})
    study.save_splits("os", frame)
    used = study.resolve_splits("os")
    run.update(inputs=[*run.inputs, {"name": used.name, "ref": used.ref, "sha256": used.sha256}])
    study.save_splits("os", pd.concat([frame, frame.assign(repeat=1)]))
    assert stale_inputs(run) == ()
    (study.path / used.ref).unlink()
    assert stale_inputs(run) == ("splits/os",)

"""Atomic writes, documents, table bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from medomicslab_nb import files
from medomicslab_nb.errors import StudyError


def test_table_bytes_are_one_for_one_table() -> None:
    frame = pd.DataFrame(
        {"a": [1.5, None], "b": ["x", None], "c": [True, False], "d": pd.to_datetime(["2020-01-01", None])}
    )
    content = files.table_bytes(frame)
    assert content == files.table_bytes(frame.copy())
    pd.testing.assert_frame_equal(files.read_table(content), frame)
    assert files.table_bytes(files.read_table(content)) == content


def test_table_with_mixed_types_or_twin_columns_is_refused() -> None:
    with pytest.raises(StudyError, match="'mixed' mixes types"):
        files.table_bytes(pd.DataFrame({"mixed": [1, "a"]}))
    with pytest.raises(StudyError, match="occur twice"):
        files.table_bytes(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize("content", ["", "[]", "format: other/thing", "a: [", "\x00\xff"])
def test_damaged_document_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(StudyError, match=r"study\.yaml"):
        files.read_document(path, "study")


def test_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("format: medomicslab_nb/study\nformat_version: 99\n")
    with pytest.raises(StudyError, match="Update medomicslab_nb"):
        files.read_document(path, "study")


def test_bad_input_69_power_loss_between_two_writes_leaves_old_or_new(tmp_path: Path) -> None:
    """The process dies at every system call of a write in turn; the file is the old one or the new one, whole."""
    target = tmp_path / "state.yaml"
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from medomicslab_nb import files
        die_at, seen = int(sys.argv[2]), 0
        def dying(call):
            def wrapped(*a, **k):
                global seen
                seen += 1
                if seen == die_at:
                    os._exit(9)
                return call(*a, **k)
            return wrapped
        os.fsync, os.replace, os.open = dying(os.fsync), dying(os.replace), dying(os.open)
        files.write_bytes(Path(sys.argv[1]), b"new" * 100_000)
    """)
    codes = []
    for die_at in range(1, 6):
        target.write_bytes(b"old")
        codes.append(subprocess.run([sys.executable, "-c", program, str(target), str(die_at)], check=False).returncode)
        assert target.read_bytes() in (b"old", b"new" * 100_000)
    assert codes == [9, 9, 9, 9, 0], "every step must have been hit once, and the whole write succeed at last"


def test_written_files_are_for_the_team(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "x", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "fork"), reason="RLIMIT_FSIZE is POSIX")
def test_bad_input_64_disk_full_says_so_and_keeps_the_old_file(tmp_path: Path) -> None:
    """A real failing write: the process may write no file larger than 64 kB."""
    target = tmp_path / "table.parquet"
    target.write_bytes(b"old")
    program = textwrap.dedent("""
        import resource, signal, sys
        from pathlib import Path
        from medomicslab_nb.errors import StudyError
        from medomicslab_nb.files import write_bytes
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        try:
            write_bytes(Path(sys.argv[1]), b"new" * 100_000)
        except StudyError as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", program, str(target)], capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout and "Free space" in done.stdout
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]

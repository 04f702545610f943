"""The file browser: what is listed, what is not, and never anything outside of its roots."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from medomicslab_nb.views.answers import in_words
from medomicslab_nb.views.file_browser import MOST_ROWS, FileBrowser, in_units, usual_roots
from medomicslab_nb.views.folder_listing import Root
from tests.imaging.dicom_factory import write_series
from tests.views.talking import Talk

SECRET = "Geheim_Gisela"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "b folder").mkdir(parents=True)
    (folder / "A.csv").write_text("patient,age\n" + "x" * 2000)
    (folder / "notes.docx").write_bytes(b"x")
    (folder / ".hidden").write_text("x")
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        archive.writestr("x", "y")
    return folder


@pytest.fixture
def chosen() -> list[Path]:
    return []


@pytest.fixture
def talk(root: Path, chosen: list[Path]) -> Talk:
    return Talk(FileBrowser([Root(root, "here")], chosen.append))


def rows(talk: Talk, **values: object) -> dict[str, tuple[str, str]]:
    return {row["name"]: (row["kind"], row["size"]) for row in talk.ask("list", **values)["rows"]}


def test_folders_first_then_names_with_kind_and_size(root: Path, talk: Talk) -> None:
    size = (root / "export.zip").stat().st_size
    assert list(rows(talk).items()) == [("b folder", ("folder", "")), ("A.csv", ("table", "2.0 kB")),
                                        ("export.zip", ("archive", f"{size} B")), ("notes.docx", ("file", "1 B"))]


def test_dicom_is_known_by_its_content_not_by_its_name(root: Path, talk: Talk) -> None:
    write_series(root / "scans", name="IM{:05d}")
    (root / "scans" / "README").write_text("no image")
    (root / "scans" / "fake.dcm").write_text("no image")
    assert rows(talk, anew=True)["scans"] == ("image folder", "")
    inside = rows(talk, path="scans")
    assert inside["IM00001"][0] == "DICOM file"
    assert inside["README"][0] == inside["fake.dcm"][0] == "file"


@pytest.mark.parametrize("path", ["..", "../other", "b folder/../../other", "/etc"])
def test_nothing_outside_of_the_root_is_listed_or_chosen(path: str, root: Path, talk: Talk,
                                                         chosen: list[Path]) -> None:
    (root.parent / "other").mkdir()
    assert "outside" in talk.fault("list", path=path)
    assert "outside" in talk.fault("choose", path=path)
    assert chosen == []


def test_links_that_lead_outside_are_shown_as_such_and_not_followed(root: Path, talk: Talk) -> None:
    other = root.parent / "other"
    other.mkdir()
    (root / "away").symlink_to(other)
    (root / "inside").symlink_to(root / "b folder")
    (root / "loop").symlink_to(root / "loop")
    listed = {row["name"]: row for row in talk.ask("list")["rows"]}
    assert (listed["away"]["usable"], listed["away"]["folder"]) == (False, False)
    assert "outside" in listed["away"]["kind"]
    assert not listed["loop"]["usable"]
    assert "outside" in talk.fault("list", path="loop")
    assert listed["inside"]["folder"]
    assert "outside" in talk.fault("list", path="away")
    assert talk.ask("list", path="inside")["total"] == 0


def test_names_are_filtered_and_only_a_part_is_sent(root: Path, talk: Talk) -> None:
    many = root / "many"
    many.mkdir()
    for number in range(10_000):
        os.close(os.open(many / f"case_{number:05d}.txt", os.O_CREAT))
    first = talk.ask("list", path="many")
    assert (first["total"], first["all"], len(first["rows"])) == (10_000, 10_000, MOST_ROWS)
    part = talk.ask("list", path="many", start=9_990, count=50)
    assert [row["name"] for row in part["rows"]][-1] == "case_09999.txt"
    assert len(part["rows"]) == 10
    found = talk.ask("list", path="many", filter="CASE_0123", start=0)
    assert (found["total"], found["all"]) == (10, 10_000)


def test_what_was_added_since_is_seen_when_read_again(root: Path, talk: Talk) -> None:
    assert "new.csv" not in rows(talk)
    (root / "new.csv").write_text("x")
    assert "new.csv" in rows(talk, anew=True)


def test_folder_that_is_gone_is_told(root: Path, talk: Talk) -> None:
    assert "not there any more" in talk.fault("list", path="b folder/deeper")


def test_folder_that_may_not_be_read_is_told_by_name(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", f"/data/{SECRET}")

    monkeypatch.setattr("medomicslab_nb.views.folder_listing.os.scandir", refuse)
    assert talk.fault("list") == "You have no permission to read this."


def test_unforeseen_errors_are_told_without_their_text() -> None:
    assert in_words(ValueError(SECRET)) == "Something unforeseen went wrong (ValueError)."


def test_chosen_file_is_handed_on(root: Path, talk: Talk, chosen: list[Path]) -> None:
    talk.ask("choose", path="A.csv")
    assert chosen == [root / "A.csv"]


def test_no_name_stands_in_synced_state(root: Path, talk: Talk) -> None:
    (root / f"{SECRET}.csv").write_text("x")
    assert f"{SECRET}.csv" in rows(talk, anew=True)
    assert SECRET not in str(talk.widget.get_state())
    assert str(root) not in str(talk.widget.get_state())


@pytest.mark.parametrize(("size", "language", "words"), [
    (None, "en", ""), (0, "en", "0 B"), (999, "en", "999 B"), (1000, "en", "1.0 kB"), (25_400, "fr", "25 ko"),
    (1_440_000, "fr", "1.4 Mo"), (5 * 10**12, "en", "5000 GB")])
def test_sizes_in_units_of_the_language(size: int | None, language: str, words: str,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", language)
    assert in_units(size) == words


def test_places_are_the_study_s_folder_home_and_data_each_once(tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    study = tmp_path / "work" / "study"
    study.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MEDOMICSLAB_DATA", str(tmp_path))
    assert [root.path for root in usual_roots(study)] == [tmp_path / "work", tmp_path]

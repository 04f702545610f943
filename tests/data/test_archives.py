"""Archives: what is unpacked, what is refused, and that nothing stays behind."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from medomicslab_nb.data.archives import Limits, is_archive, unpack
from medomicslab_nb.errors import DataError


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "in" / "unpacked"
    folder.parent.mkdir()
    return folder


def nothing_left(target: Path) -> bool:
    return not list(target.parent.iterdir()) and not (target.parents[1] / "outside").exists()


def zipped(path: Path, members: dict[str, bytes], **how) -> Path:
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz"])
def test_files_come_out_as_they_went_in(tmp_path, target, name):
    files = {"one/two/a.dcm": b"1" * 3000, "b": b"", "Müller/c.dcm": b"3"}
    if name.endswith(".zip"):
        path = zipped(tmp_path / name, files | {"one/": b""}, compression=zipfile.ZIP_DEFLATED)
    else:
        mode = {"tar": "w", "tgz": "w:gz"}.get(name.split(".")[-1], f"w:{name.split('.')[-1]}")
        folder = [(member("./", tarfile.DIRTYPE), b""), (member("one", tarfile.DIRTYPE), b"")]
        path = tarred(tmp_path / name, folder + [(member(key), value) for key, value in files.items()], mode)
    assert is_archive(path)
    assert unpack(path, target) == target
    found = {file.relative_to(target).as_posix(): file.read_bytes() for file in target.rglob("*") if file.is_file()}
    assert found == files
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("name", ["../outside", "one/../../outside", "/tmp/outside", "\\outside", "..\\outside",
                                  "C:\\outside", "C:outside"])
def test_bad_input_81_members_that_escape(tmp_path, target, name):
    for path in (zipped(tmp_path / "export.zip", {"good": b"1", name: b"x"}),
                 tarred(tmp_path / "export.tar.gz", [(member("good"), b"1"), (member(name), b"x")])):
        with pytest.raises(DataError, match=r"export\.(zip|tar\.gz): entry 2 would be written outside"):
            unpack(path, target)
        assert nothing_left(target)


@pytest.mark.parametrize(("kind", "link"), [(tarfile.SYMTYPE, "/etc/passwd"), (tarfile.SYMTYPE, ".."),
                                            (tarfile.LNKTYPE, "../outside"), (tarfile.CHRTYPE, ""),
                                            (tarfile.FIFOTYPE, ""), (tarfile.BLKTYPE, "")])
def test_bad_input_81_86_links_and_devices_in_a_tar(tmp_path, target, kind, link):
    path = tarred(tmp_path / "export.tar", [(member("x", kind, link), b""), (member("x/file"), b"1")], "w")
    with pytest.raises(DataError, match=r"export\.tar: entry 1 is a link or a device"):
        unpack(path, target)
    assert nothing_left(target)


def test_bad_input_81_86_symbolic_link_in_a_zip(tmp_path, target):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="entry 1 is a link"):
        unpack(tmp_path / "export.zip", target)
    assert nothing_left(target)


def test_bad_input_82_a_bomb_by_its_declared_size(tmp_path, target):
    path = zipped(tmp_path / "bomb.zip", {"zeros": bytes(20_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 25_000
    with pytest.raises(DataError, match=r"bomb\.zip: it would unpack to more than 5 MB"):
        unpack(path, target, limits=Limits(harmless_bytes=5_000_000))
    with pytest.raises(DataError, match="more than 10 MB"):
        unpack(path, target, limits=Limits(bytes=10_000_000))
    assert nothing_left(target)
    unpack(path, target)  # small enough not to matter


def test_bad_input_82_a_bomb_that_lies_about_its_size(tmp_path, target):
    path = zipped(tmp_path / "bomb.zip", {"zeros": bytes(8_000_000)}, compression=zipfile.ZIP_DEFLATED)
    content = path.read_bytes().replace((8_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bomb\.zip"):
        unpack(path, target, limits=Limits(harmless_bytes=1_000_000))
    assert nothing_left(target)


def test_bad_input_82_too_many_entries(tmp_path, target):
    path = zipped(tmp_path / "many.zip", {str(i): b"" for i in range(50)})
    with pytest.raises(DataError, match="more than 40 entries"):
        unpack(path, target, limits=Limits(entries=40))
    assert nothing_left(target)


def test_bad_input_82_an_archive_in_an_archive(tmp_path, target):
    inner = zipped(tmp_path / "inner.zip", {"a": b"1"}).read_bytes()
    path = zipped(tmp_path / "outer.zip", {"patient/Inner.ZIP": inner})
    with pytest.raises(DataError, match="entry 1 is an archive itself"):
        unpack(path, target)
    assert nothing_left(target)


def test_damaged_encrypted_missing_and_doubled(tmp_path, target):
    good = zipped(tmp_path / "good.zip", {"a": b"0123456789" * 1000, "b": b"2"}, compression=zipfile.ZIP_DEFLATED)
    content = bytearray(good.read_bytes())
    cut = tmp_path / "cut.zip"
    cut.write_bytes(content[:len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.zip: this is no zip or tar"):
        unpack(cut, target)
    content[40:45] = b"XXXXX"
    flipped = tmp_path / "flipped.zip"
    flipped.write_bytes(content)
    with pytest.raises(DataError, match=r"flipped\.zip: it is damaged"):
        unpack(flipped, target)
    gz = tarred(tmp_path / "cut.tar.gz", [(member("a"), bytes(range(256)) * 5000)])
    gz.write_bytes(gz.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"cut\.tar\.gz"):
        unpack(gz, target)
    content = bytearray(good.read_bytes())
    for place in range(len(content) - 4):
        if content[place:place + 4] in (b"PK\x03\x04", b"PK\x01\x02"):
            content[place + (6 if content[place + 2] == 3 else 8)] |= 1
    locked = tmp_path / "locked.zip"
    locked.write_bytes(content)
    with pytest.raises(DataError, match=r"locked\.zip: it is encrypted"):
        unpack(locked, target)
    with pytest.raises(DataError, match=r"none\.zip: the file is missing"):
        unpack(tmp_path / "none.zip", target)
    double = tarred(tmp_path / "double.tar", [(member("a"), b"1"), (member("a"), b"2")], "w")
    with pytest.raises(DataError, match="two members have the same name"):
        unpack(double, target)
    assert nothing_left(target)


def test_bad_input_85_no_member_is_named(tmp_path, target):
    path = zipped(tmp_path / "export.zip", {"../DUPONT_Jean_1950": b"x"})
    with pytest.raises(DataError) as error:
        unpack(path, target)
    assert "DUPONT" not in str(error.value)


@pytest.mark.parametrize("damage", ["between members", "in a header", "of a header"])
def test_a_tar_that_is_cut_off_at_a_member_is_not_taken_as_whole(tmp_path, target, damage):
    whole = tarred(tmp_path / "whole.tar", [(member("a"), b"1" * 512), (member("b"), b"2")], "w")
    content = bytearray(whole.read_bytes())
    if damage == "of a header":
        content[1024:1040] = b"x" * 16
    else:
        content = content[:1024 if damage == "between members" else 1100]
    (tmp_path / "cut.tar").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        unpack(tmp_path / "cut.tar", target)
    assert nothing_left(target)


def test_bad_input_82_a_bomb_in_a_members_name(tmp_path, target):
    info = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    path = tarred(tmp_path / "bomb.tar.gz", [(info, bytes(2 << 20))])
    with pytest.raises(DataError, match="damaged"):
        unpack(path, target)
    assert nothing_left(target)

"""Keys, pseudonyms, UIDs and shifts."""

from __future__ import annotations

import os
import stat

import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import DataError, MedomicsError, ProtectionError
from medomicslab_nb.protect import distinctive
from medomicslab_nb.pseudonyms import Key, new_key, read_key

KEY = Key(b"k" * 32)
OTHER = Key(b"o" * 32)


def test_a_key_is_for_its_owner_and_is_never_overwritten(tmp_path):
    path = new_key(tmp_path / "our.key")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    key = read_key(path)
    assert len(key.secret) == 32 and key == read_key(path)
    assert key.secret.hex() not in repr(key)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"our\.key: the file exists"):
        new_key(path)
    assert path.read_bytes() == before
    with pytest.raises(DataError, match="cannot be written"):
        new_key(tmp_path / "no" / "folder.key")


def test_a_key_inside_a_study_is_refused(tmp_path):
    study = ml.create_study(tmp_path / "study")
    with pytest.raises(ProtectionError, match="inside a study"):
        new_key(study.path / "tables" / "a.key")
    outside = new_key(tmp_path / "a.key")
    inside = study.path / "a.key"
    inside.write_bytes(outside.read_bytes())
    with pytest.raises(ProtectionError, match="inside a study"):
        read_key(inside)
    link = study.path / "link.key"
    link.symlink_to(outside)
    assert read_key(link) == read_key(outside)  # the secret itself is outside


@pytest.mark.parametrize("content", ["", "format: medomicslab_nb/key\nformat_version: 1\nkey: abc\n", "a: 1\n",
                                     "format: medomicslab_nb/key\nformat_version: 9\nkey: ''\n", "\0\1"])
def test_a_damaged_key_is_a_named_error(tmp_path, content):
    path = tmp_path / "a.key"
    path.write_text(content)
    with pytest.raises(MedomicsError, match=r"a\.key"):
        read_key(path)
    with pytest.raises(MedomicsError, match=r"b\.key"):
        read_key(tmp_path / "b.key")


def test_pseudonyms_are_stable_distinct_and_can_be_looked_for():
    names = [KEY.pseudonym(f"patient {i}") for i in range(5000)]
    assert len(set(names)) == 5000
    assert distinctive(names) == frozenset(names)
    assert KEY.pseudonym("007") != KEY.pseudonym("7")
    assert KEY.pseudonym(" 007 ") == KEY.pseudonym("007")
    assert KEY.pseudonym("007") != OTHER.pseudonym("007")
    with pytest.raises(DataError, match="no patient identifier"):
        KEY.pseudonym(" ")


def test_golden_values_so_that_a_cohort_can_grow_for_years():
    assert KEY.pseudonym("STS_001") == "P-VYGQNA7MIQ"
    assert KEY.uid("1.2.3") == "2.25.330128418958304695822425440426586043573"
    assert KEY.shift_days("STS_001") == -124


def test_uids_are_valid_and_those_of_the_standard_stay():
    new = [KEY.uid(f"1.2.3.{i}") for i in range(1000)]
    assert len(set(new)) == 1000 and all(len(uid) <= 64 and uid.startswith("2.25.") for uid in new)
    assert KEY.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert KEY.uid("") == ""


def test_shifts_are_whole_days_of_the_last_year():
    shifts = {KEY.shift_days(str(i)) for i in range(5000)}
    assert min(shifts) == -365 and max(shifts) == -1

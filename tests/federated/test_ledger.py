import json
import stat
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.errors import ProtectionError, StudyError
from medomicslab_nb.federated.ledger import COLUMN, PATIENTS, Ledger, follows_few


def cohort(ledger: Ledger, *numbers: range | int) -> frozenset[str]:
    flat = [number for entry in numbers for number in (entry if isinstance(entry, range) else [entry])]
    return frozenset(ledger.member(f"PAT-{number:04d}") for number in flat)


def admit(ledger: Ledger, *numbers: range | int, name: str = PATIENTS, minimum: int = 5) -> None:
    ledger.admit({name: cohort(ledger, *numbers)}, minimum)


def test_the_same_cohort_again_is_fine():
    ledger = Ledger()
    for _ in range(3):
        admit(ledger, range(50))


@pytest.mark.parametrize("added", [1, 2, 4])
def test_a_few_more_patients_are_refused(added):
    ledger = Ledger()
    admit(ledger, range(50))
    with pytest.raises(ProtectionError, match="differ by fewer than 5"):
        admit(ledger, range(50 + added))


def test_as_many_more_as_the_minimum_are_not():
    ledger = Ledger()
    admit(ledger, range(50))
    admit(ledger, range(55))


def test_one_who_left_and_one_who_came_are_two():
    ledger = Ledger()
    admit(ledger, range(50))
    with pytest.raises(ProtectionError, match="differ by fewer"):
        admit(ledger, range(1, 51))


def test_what_was_refused_is_not_noted():
    ledger = Ledger()
    admit(ledger, range(50))
    with pytest.raises(ProtectionError):
        admit(ledger, range(52))
    admit(ledger, range(56))  # differs by 6 from the first and by 4 from the refused one


def test_two_parts_and_a_whole_with_one_patient_more_are_refused():
    """No two of the three are alike; the whole less both parts is one patient."""
    ledger = Ledger()
    admit(ledger, range(40))
    admit(ledger, range(40, 60))
    with pytest.raises(ProtectionError, match="together with earlier releases"):
        admit(ledger, range(61))


def test_two_parts_and_their_whole_are_fine():
    ledger = Ledger()
    admit(ledger, range(60))
    admit(ledger, range(40))
    admit(ledger, range(40, 60))


def test_other_splits_of_the_same_patients_are_fine():
    ledger = Ledger()
    rng = np.random.default_rng(0)
    for _ in range(4):
        testing = rng.random(120) < 0.25
        admit(ledger, *np.flatnonzero(testing).tolist())
        admit(ledger, *np.flatnonzero(~testing).tolist())


def test_another_split_that_moves_few_is_refused():
    ledger = Ledger()
    admit(ledger, range(40))
    with pytest.raises(ProtectionError):
        admit(ledger, range(2, 42))


def test_columns_are_compared_with_themselves_only():
    ledger = Ledger()
    admit(ledger, range(50), name=f"{COLUMN}age")
    admit(ledger, range(49), name=f"{COLUMN}marker")
    with pytest.raises(ProtectionError, match="who have a value in 'age'"):
        admit(ledger, range(49), name=f"{COLUMN}age")


def test_of_several_sets_all_are_noted_or_none():
    ledger = Ledger()
    admit(ledger, range(50))
    sets = {f"{COLUMN}age": cohort(ledger, range(40)), PATIENTS: cohort(ledger, range(51))}
    with pytest.raises(ProtectionError):
        ledger.admit(sets, 5)
    admit(ledger, range(41), name=f"{COLUMN}age")


def test_a_cohort_that_is_itself_too_small_is_refused():
    with pytest.raises(ProtectionError):
        admit(Ledger(), range(4))


def test_it_survives_a_restart(tmp_path):
    admit(Ledger(tmp_path / "ledger.jsonl"), range(50))
    again = Ledger(tmp_path / "ledger.jsonl")
    admit(again, range(50))
    with pytest.raises(ProtectionError):
        admit(again, range(51))


def test_processes_see_what_others_note(tmp_path):
    first, second = Ledger(tmp_path / "ledger.jsonl"), Ledger(tmp_path / "ledger.jsonl")
    admit(second, range(50, 90))
    admit(first, range(50))
    with pytest.raises(ProtectionError):
        admit(second, range(49))


def test_only_new_cohorts_are_written(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for _ in range(3):
        admit(ledger, range(50))
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1


def test_columns_that_the_same_patients_have_are_written_once(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.admit({name: cohort(ledger, range(50)) for name in (PATIENTS, *(f"{COLUMN}f{i}" for i in range(500)))}, 5)
    assert (tmp_path / "ledger.jsonl").stat().st_size < 20_000
    with pytest.raises(ProtectionError, match="'f499'"):
        admit(Ledger(tmp_path / "ledger.jsonl"), range(49), name=f"{COLUMN}f499")


def test_neither_identifiers_nor_their_plain_hashes_are_stored(tmp_path):
    import hashlib

    ledger = Ledger(tmp_path / "ledger.jsonl")
    admit(ledger, range(50))
    text = (tmp_path / "ledger.jsonl").read_text()
    assert "PAT-" not in text
    assert hashlib.sha256(b"PAT-0001").hexdigest()[:12] not in text
    assert ledger.member("PAT-0001") != Ledger(tmp_path / "other.jsonl").member("PAT-0001")


def test_only_the_owner_can_read_it(tmp_path):
    admit(Ledger(tmp_path / "ledger.jsonl"), range(50))
    for name in ("ledger.jsonl", "ledger.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_without_its_secret_nothing_is_answered(tmp_path):
    admit(Ledger(tmp_path / "ledger.jsonl"), range(50))
    (tmp_path / "ledger.key").unlink()
    with pytest.raises(StudyError, match="secret of the ledger is missing"):
        Ledger(tmp_path / "ledger.jsonl")


def test_a_damaged_secret_is_refused(tmp_path):
    Ledger(tmp_path / "ledger.jsonl")
    (tmp_path / "ledger.key").write_text("12")
    with pytest.raises(StudyError, match="damaged"):
        Ledger(tmp_path / "ledger.jsonl")


def test_an_entry_that_a_crash_cut_off_does_no_harm(tmp_path):
    path = tmp_path / "ledger.jsonl"
    admit(Ledger(path), range(50))
    with path.open("ab") as stream:
        stream.write(b'{"time":"2026-11-27T04:00:00+00:00","run":"r","of":"pat')
    admit(Ledger(path), range(60, 100))
    again = Ledger(path)
    for near in (range(51), range(61, 100)):
        with pytest.raises(ProtectionError):
            admit(again, near)


def test_a_line_that_was_damaged_is_told(tmp_path):
    path = tmp_path / "ledger.jsonl"
    admit(Ledger(path), range(50))
    path.write_text(json.dumps({"of": [PATIENTS]})[:-3] + '"}}\n')
    with pytest.raises(StudyError, match="line is damaged"):
        admit(Ledger(path), range(51))


def few_by_ranks(cohorts: list[frozenset[str]], minimum: int, most: int) -> bool:
    """The same by another road: a group of groups follows when leaving out their columns loses rank."""
    everybody = sorted(frozenset().union(*cohorts))
    table = np.array([[patient in one for patient in everybody] for one in cohorts], dtype=float)
    pattern, sizes = np.unique(table, axis=1, return_counts=True)
    full = np.linalg.matrix_rank(pattern)
    for size in range(1, most + 1):
        for few in combinations(range(len(sizes)), size):
            if sizes[list(few)].sum() < minimum:
                rest = np.delete(pattern, few, axis=1)
                if (np.linalg.matrix_rank(rest) if rest.size else 0) < full:
                    return True
    return False


memberships = st.integers(1, 5).flatmap(lambda cohorts: st.lists(
    st.tuples(st.lists(st.booleans(), min_size=cohorts, max_size=cohorts), st.integers(1, 6)), min_size=1, max_size=6))


@given(memberships, st.integers(2, 6))
def test_every_combination_of_one_or_two_groups_is_found_and_none_is_made_up(groups, minimum):
    cohorts: list[set[str]] = [set() for _ in groups[0][0]]
    for number, (pattern, size) in enumerate(groups):
        for cohort_, inside in zip(cohorts, pattern, strict=True):
            if inside:
                cohort_.update(f"{number}.{patient}" for patient in range(size))
    sets = [frozenset(one) for one in cohorts if one]
    if not sets:
        return
    found = follows_few(sets, minimum)
    assert found or not few_by_ranks(sets, minimum, 2)
    assert not found or few_by_ranks(sets, minimum, 6)


def test_a_hundred_cohorts_of_a_thousand_patients_take_less_than_two_seconds():
    import time

    rng = np.random.default_rng(0)
    cohorts = [frozenset(map(str, np.flatnonzero(rng.random(1000) < 0.8))) for _ in range(100)]
    begin = time.process_time()
    follows_few(cohorts, 5)
    assert time.process_time() - begin < 2


# -- numbers of patients up to some value

CUTS = {"events": {10.0: 5, 20.0: 12, 40.0: 30}}


def narrow(ledger: Ledger, **cuts: dict[float, int]) -> None:
    ledger.admit({PATIENTS: cohort(ledger, range(50))}, 5, cuts=cuts)


def test_the_same_cuts_and_coarser_ones_are_fine():
    ledger = Ledger()
    for cuts in (CUTS["events"], CUTS["events"], {20.0: 12}, {20.0: 12, 30.0: 20}):
        narrow(ledger, events=cuts)


@pytest.mark.parametrize("cuts", [{12.0: 6}, {9.0: 1}, {19.0: 11}, {41.0: 34}])
def test_a_cut_near_an_earlier_one_is_refused(cuts):
    ledger = Ledger()
    narrow(ledger, **CUTS)
    with pytest.raises(ProtectionError, match="bins are others than those of an earlier release"):
        narrow(ledger, events=cuts)
    narrow(ledger, censored=cuts if cuts not in ({9.0: 1},) else {9.0: 5})  # of others


def test_cuts_survive_a_restart(tmp_path):
    narrow(Ledger(tmp_path / "ledger.jsonl"), **CUTS)
    again = Ledger(tmp_path / "ledger.jsonl")
    narrow(again, **CUTS)
    with pytest.raises(ProtectionError):
        narrow(again, events={12.0: 6})
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 2

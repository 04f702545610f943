import hashlib
import json
import multiprocessing
import stat
from datetime import UTC, datetime, timedelta

import pytest

from medomicslab_nb.errors import RunError, StudyError
from medomicslab_nb.federated.audit import COLUMNS, AuditLog, Entry


def entry(number: int = 1, event: str = "released") -> Entry:
    return Entry(event, "run-1", number, "moments", f"count of {number} columns", 50, 700, "a" * 64, "b" * 64, "c" * 64)


@pytest.fixture(params=["file", "memory"])
def log(request, tmp_path):
    return AuditLog(tmp_path / "audit.jsonl" if request.param == "file" else None)


@pytest.fixture
def path(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    for number in range(1, 7):
        log.append(entry(number))
    return tmp_path / "audit.jsonl"


def changed(path, change):
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))


def test_entries_come_back_in_order(log):
    for number in (1, 2, 3):
        log.append(entry(number, "refused" if number == 2 else "released"))
    frame = log.read()
    assert tuple(frame.columns) == COLUMNS
    assert list(frame["round"]) == [1, 2, 3]
    assert list(frame["event"]) == ["released", "refused", "released"]
    assert frame["words"][2] == "count of 3 columns"
    assert str(frame["time"].dtype).endswith("UTC]")
    assert log.verify() == 3


def test_an_empty_log_is_whole(log):
    assert log.verify() == 0
    assert len(log.read()) == 0
    assert log.released_today() == 0


@pytest.mark.parametrize("line", range(5))
def test_a_changed_word_is_found(path, line):
    changed(path, lambda lines: [text.replace(b"columns", b"rows") if number == line else text
                                 for number, text in enumerate(lines)])
    with pytest.raises(RunError, match=f"line {line + 2} does not follow"):
        AuditLog(path).verify()


@pytest.mark.parametrize("line", range(5))
def test_a_removed_entry_is_found(path, line):
    changed(path, lambda lines: lines[:line] + lines[line + 1:])
    with pytest.raises(RunError, match=f"line {line + 1} does not follow"):
        AuditLog(path).verify()


def test_entries_that_were_moved_are_found(path):
    changed(path, lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]])
    with pytest.raises(RunError, match="line 3"):
        AuditLog(path).verify()


def test_an_added_entry_is_found(path):
    changed(path, lambda lines: [*lines[:2], lines[1], *lines[2:]])
    with pytest.raises(RunError, match="line 3"):
        AuditLog(path).verify()


def test_garbage_in_place_of_an_entry_is_found(path):
    changed(path, lambda lines: [*lines[:2], b"{", *lines[3:]])
    with pytest.raises(RunError):
        AuditLog(path).verify()


def test_garbage_at_the_end_is_found(path):
    changed(path, lambda lines: [*lines, b"{"])
    with pytest.raises(RunError, match="line 7 is damaged"):
        AuditLog(path).verify()


def test_newest_entries_that_were_cut_off_are_found_by_the_head_that_was_noted(path):
    head = AuditLog(path).head
    assert AuditLog(path).verify(head) == AuditLog(path).verify(head[:12]) == 6
    changed(path, lambda lines: lines[:4])
    assert AuditLog(path).verify() == 4
    with pytest.raises(RunError, match="no longer there"):
        AuditLog(path).verify(head)


def test_a_noted_head_stays_valid_while_entries_are_added(path):
    head = AuditLog(path).head
    AuditLog(path).append(entry(7))
    assert AuditLog(path).verify(head) == 7


def test_a_changed_newest_entry_is_found_by_the_head_that_was_noted(path):
    head = AuditLog(path).head
    changed(path, lambda lines: [*lines[:5], lines[5].replace(b"columns", b"rows")])
    with pytest.raises(RunError, match="no longer there"):
        AuditLog(path).verify(head)


def test_an_entry_that_a_crash_cut_off_is_told_and_the_chain_goes_on(path):
    path.write_bytes(path.read_bytes()[:-40])
    log = AuditLog(path)
    log.append(entry(8))
    log.append(entry(9))
    assert list(log.read()["round"]) == [1, 2, 3, 4, 5, 8, 9]
    assert log.verify() == 7
    assert json.loads(path.read_bytes().splitlines()[6])["after_cut"] is True
    changed(path, lambda lines: [*lines[:5], *lines[6:]])  # not even what was cut off can go
    with pytest.raises(RunError):
        log.verify()


def test_two_processes_write_one_chain(path):
    one, two = AuditLog(path), AuditLog(path)
    for number in range(10):
        (one if number % 2 else two).append(entry(number))
    assert one.verify() == two.verify() == 16


def write_some(path):
    log = AuditLog(path)
    for number in range(25):
        log.append(entry(number))


def test_writing_at_the_same_time_keeps_every_entry(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_some, args=(tmp_path / "audit.jsonl",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert AuditLog(tmp_path / "audit.jsonl").verify() == 50


def test_only_the_owner_can_read_it(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_releases_of_the_last_day_are_counted(path):
    log = AuditLog(path)
    log.append(entry(7, "refused"))
    assert log.released_today() == 6
    old = (datetime.now(UTC) - timedelta(hours=25)).isoformat(timespec="milliseconds")
    changed(path, lambda lines: [json.dumps({**json.loads(line), "time": old}).encode() if number < 4 else line
                                 for number, line in enumerate(lines)])
    assert AuditLog(path).released_today() == 2


def test_a_day_that_is_longer_than_the_first_look_is_counted_whole(path, monkeypatch):
    monkeypatch.setattr("medomicslab_nb.federated.audit._FIRST_LOOK_BYTES", 600)
    assert AuditLog(path).released_today() == 6


def test_the_end_of_a_long_log_is_enough_to_go_on(path, monkeypatch):
    old = datetime.now(UTC) - timedelta(days=3)
    monkeypatch.setattr("medomicslab_nb.federated.audit._FIRST_LOOK_BYTES", 900)
    lines, previous = [], "0" * 64
    for number in range(50):
        line = json.dumps({"time": (old + timedelta(minutes=number)).isoformat(), "event": "released",
                           "round": number, "previous": previous}).encode()
        previous = hashlib.sha256(line).hexdigest()
        lines.append(line)
    changed(path, lambda _: lines)
    log = AuditLog(path)
    log.append(entry(1))
    assert log.verify() == 51
    assert log.released_today() == 1


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(StudyError, match="cannot be read"):
        AuditLog(tmp_path / "audit.jsonl").append(entry())

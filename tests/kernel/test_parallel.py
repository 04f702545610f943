"""Cases in processes: the same result however many, and no case harmed by another."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import Cancelled, RunError
from medomicslab_nb.parallel import map_cases, require_all
from medomicslab_nb.progress import Event, Progress


def product(seed: int) -> dict[str, pd.DataFrame]:
    matrix = np.random.default_rng(seed).normal(size=(300, 300))
    return {"product": pd.DataFrame((matrix @ matrix.T)[:3])}


def fragile(value: tuple[str, str]) -> dict[str, pd.DataFrame]:
    name, folder = value
    Path(folder, f"{name}.{os.getpid()}").touch()
    if name == "always" or (name == "once" and len(list(Path(folder).glob("once.*"))) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "raises":
        raise ValueError("no voxel left")
    return {"t": pd.DataFrame({"name": [name]})}


def test_result_is_the_same_for_any_number_of_jobs() -> None:
    cases = {str(i): i for i in range(5)}
    one = map_cases(product, cases, jobs=1, progress=Progress(), label="x")
    two = map_cases(product, cases, jobs=2, progress=Progress(), label="x")
    assert list(one) == list(two) == list(cases)
    for name in cases:
        pd.testing.assert_frame_equal(one[name].tables["product"], two[name].tables["product"], check_exact=True)


def test_bad_input_67_a_case_that_always_crashes_is_reported_and_the_others_finish(tmp_path: Path) -> None:
    names = ["a", "b", "always", "c", "raises", "d"]
    found = map_cases(fragile, {n: (n, str(tmp_path)) for n in names}, jobs=2, progress=Progress(), label="x")
    assert {n: r.error for n, r in found.items() if r.error} == {
        "always": "its worker process died 3 times (out of memory, or a crash in a library)",
        "raises": "ValueError: no voxel left",
    }
    assert [r.tables["t"]["name"][0] for r in found.values() if not r.error] == ["a", "b", "c", "d"]
    with pytest.raises(RunError, match="2 of 6 parts failed"):
        require_all(found, "somewhere")


def test_bad_input_68_a_worker_killed_once_loses_nothing(tmp_path: Path) -> None:
    names = ["a", "once", "b", "c"]
    found = map_cases(fragile, {n: (n, str(tmp_path)) for n in names}, jobs=2, progress=Progress(), label="x")
    assert [r.error for r in found.values()] == [None] * 4


def test_finished_cases_come_from_the_cache(tmp_path: Path) -> None:
    cases = {n: (n, str(tmp_path)) for n in "abc"}
    cache, keys = Cache(tmp_path / "cache"), {n: n * 64 for n in "abc"}
    events: list[Event] = []
    for _ in range(2):
        map_cases(fragile, cases, cache=cache, keys=keys, jobs=1, progress=Progress([events.append]), label="x")
    assert len(list(tmp_path.glob("a.*"))) == 1
    assert [e.done for e in events if not e.finished] == [0, 1, 2, 3] * 2


def test_cancel_stops_between_cases(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        map_cases(
            fragile,
            {n: (n, str(tmp_path)) for n in "abc"},
            jobs=1,
            label="x",
            progress=Progress(cancelled=lambda: bool(list(tmp_path.glob("b.*")))),
        )
    assert not list(tmp_path.glob("c.*"))


def test_cluster_gives_the_same_and_a_killer_case_fails_alone(tmp_path: Path) -> None:
    """Real Dask scheduler and workers."""
    from distributed import LocalCluster

    names = ["a", "always", "b", "raises"]
    cases = {n: (n, str(tmp_path)) for n in names}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        found = map_cases(fragile, cases, cluster=cluster.scheduler_address, progress=Progress(), label="x")
        same = map_cases(product, {"0": 0}, cluster=cluster.scheduler_address, progress=Progress(), label="x")
    assert found["raises"].error == "ValueError: no voxel left" and "died" in str(found["always"].error)
    assert [found[n].tables["t"]["name"][0] for n in "ab"] == ["a", "b"]
    here = map_cases(product, {"0": 0}, jobs=1, progress=Progress(), label="x")
    pd.testing.assert_frame_equal(same["0"].tables["product"], here["0"].tables["product"], check_exact=True)
    with pytest.raises(RunError, match="does not answer"):
        map_cases(product, {"0": 0}, cluster="tcp://127.0.0.1:9", progress=Progress(), label="x")


def test_bad_input_85_folders_do_not_get_into_a_case_s_error() -> None:
    results = map_cases(_missing_file, {"one": 1}, jobs=1, progress=Progress(), label="cases")
    assert "DUPONT" not in str(results["one"].error) and "ct.dcm" in str(results["one"].error)


def _missing_file(_: int) -> dict[str, pd.DataFrame]:
    Path("/export/DUPONT JEAN/study 1/ct.dcm").read_bytes()
    return {}

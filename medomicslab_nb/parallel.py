"""Work on many independent cases: processes, a checkpoint per case, and a case that crashes harms no other."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from medomicslab_nb.cache import Cache, pack, unpack
from medomicslab_nb.errors import Cancelled, MedomicsError, MissingExtraError, RunError

if TYPE_CHECKING:
    import pandas as pd

    from medomicslab_nb.progress import Progress

CaseFunction = Callable[[Any], Mapping[str, "pd.DataFrame"]]
Detail = Callable[[str, "CaseResult"], Mapping[str, Any]]
_ATTEMPTS = 3  # of a case whose worker died; the second and third time it runs alone
_CONNECT_S = 10
_WATCH_S = 1.0
_POLL_S = 0.2  # how long a cancel may go unnoticed
_FOLDERS = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\\/\n'\"]+[\\/])+")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                             "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")


@dataclass(frozen=True)
class CaseResult:
    """What became of a case: its tables, or why there are none."""

    payload: bytes = field(default=b"", repr=False)
    """The packed tables: a hundredth of what they take as frames, which counts in a cohort of thousands."""
    error: str | None = None

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables, unpacked anew each time."""
        return unpack(self.payload) if self.payload else {}


def map_cases(function: CaseFunction, cases: Mapping[str, Any], *, cache: Cache | None = None,
              keys: Mapping[str, str] | None = None, jobs: int = 0, cluster: str = "",
              progress: Progress, label: str, detail: Detail | None = None) -> dict[str, CaseResult]:
    """Apply ``function`` to every case, each on one thread, and keep each result as soon as it is there.

    Parameters
    ----------
    function : callable
        Importable; from a case's value to tables. Deterministic: results do not depend on ``jobs``.
    cases : mapping
        Case name to value. The result keeps this order.
    cache, keys
        Where finished cases are kept, and each case's key there (:meth:`Cache.key`).
    jobs : int
        Worker processes; 0 means one per core. With 1 everything happens in this process.
    cluster : str
        Address of a Dask scheduler, e.g. ``tcp://127.0.0.1:8786``; the cases then run on its workers.
    progress, label
        One step per case.
    detail : callable, optional
        From a finished case's name and result to what its step tells, see :class:`~medomicslab_nb.progress.Event`.

    Returns
    -------
    dict
        A result for every case. A case that raises has the message as its ``error``; so has a case whose worker
        died three times. The others are complete.
    """
    found: dict[str, CaseResult] = {}
    with progress.task(label, total=len(cases)) as step:
        for name in cases:
            stored = cache.payload(keys[name]) if cache and keys else None
            if stored is not None:
                found[name] = CaseResult(stored)
                step(detail=detail and detail(name, found[name]))
        missing = {name: value for name, value in cases.items() if name not in found}
        payloads = (_on_cluster(function, missing, cluster, progress) if cluster and missing
                    else _payloads(function, missing, jobs or cores(), progress))
        for name, payload in payloads:
            if isinstance(payload, str):
                found[name] = CaseResult(error=payload)
            else:
                if cache and keys:
                    cache.put(keys[name], payload)
                found[name] = CaseResult(payload)
            step(detail=detail and detail(name, found[name]))
    return {name: found[name] for name in cases}


def require_all(results: Mapping[str, CaseResult], where: str) -> dict[str, Mapping[str, pd.DataFrame]]:
    """The tables of all cases, for work that cannot go on without every one of them.

    Raises
    ------
    RunError
        Some failed; the message counts them and gives the first reason.
    """
    failed = {name: result.error for name, result in results.items() if result.error is not None}
    if failed:
        raise RunError(f"{len(failed)} of {len(results)} parts failed; the first: {next(iter(failed.values()))}",
                       where=where, todo="What was finished is kept: correct the cause and run again")
    return {name: result.tables for name, result in results.items()}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def single_thread() -> Iterator[None]:
    """Numerical libraries on one thread: sums then have one order, and workers do not fight for cores."""
    # threadpoolctl sees only libraries that are loaded.
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def _one(function: CaseFunction, value: Any) -> bytes | str:
    """Run a case; its tables as bytes, or its error as text. Every case takes this way, in a worker or not."""
    try:
        with single_thread():
            return pack(function(value))
    except Cancelled:
        raise
    except MedomicsError as error:
        return str(error)
    except Exception as error:
        # A library's message may quote a path, and folders are often named after patients.
        return f"{type(error).__name__}: {_FOLDERS.sub('', str(error))}"


def _payloads(function: CaseFunction, cases: Mapping[str, Any], jobs: int,
              progress: Progress) -> Iterator[tuple[str, bytes | str]]:
    """Results as they come, through worker processes when there is more than one job and more than one case."""
    if jobs == 1 or len(cases) < 2:
        for name, value in cases.items():
            progress.check()
            yield name, _one(function, value)
        return
    waiting = dict(cases)
    while waiting:
        with TemporaryDirectory() as folder:
            markers = {name: Path(folder) / str(position) for position, name in enumerate(waiting)}
            lost: list[str] = []
            yield from _pool(function, waiting, markers, min(jobs, len(waiting)), progress, lost)
            # A worker's death takes the whole pool with it; only a case that had begun can be the guilty one.
            suspects = [name for name in lost if markers[name].exists()] or lost
        for name in suspects:
            yield name, _alone(function, waiting[name], progress)
        waiting = {name: waiting[name] for name in lost if name not in suspects}


def _pool(function: CaseFunction, cases: Mapping[str, Any], markers: Mapping[str, Path], jobs: int,
          progress: Progress, lost: list[str]) -> Iterator[tuple[str, bytes | str]]:
    """All cases in one pool of processes; those that a dead worker took along are added to ``lost``."""
    with process_pool(jobs) as executor:
        names = {executor.submit(_marked, function, value, markers[name]): name for name, value in cases.items()}
        pending = set(names)
        while pending:
            done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            progress.check()
            for future in sorted(done, key=lambda future: list(names).index(future)):
                if _worker_died(future):
                    lost.append(names[future])
                else:
                    yield names[future], future.result()


def _marked(function: CaseFunction, value: Any, marker: Path) -> bytes | str:
    marker.touch()
    return _one(function, value)


def _alone(function: CaseFunction, value: Any, progress: Progress) -> bytes | str:
    """A case whose worker died, again in a worker of its own, so that only the guilty one fails."""
    for _ in range(_ATTEMPTS - 1):
        with process_pool(1) as executor:
            future = executor.submit(_one, function, value)
            while not future.done():
                wait([future], timeout=_POLL_S)
                progress.check()
            if not _worker_died(future):
                return future.result()  # type: ignore[no-any-return]
    return f"its worker process died {_ATTEMPTS} times (out of memory, or a crash in a library)"


def _on_cluster(function: CaseFunction, cases: Mapping[str, Any], address: str,
                progress: Progress) -> Iterator[tuple[str, bytes | str]]:
    """Results as they come from a Dask cluster; a case that kills its workers fails alone."""
    try:
        from distributed import Client
    except ImportError:
        raise MissingExtraError("working on a cluster", "dask") from None
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError):
        raise RunError("the cluster does not answer", where=address,
                       todo="Start its scheduler, correct the address, or leave 'cluster' empty") from None
    lost: list[str] = []
    with client:
        yield from _submitted(client, function, cases, progress, lost)
        # Dask blames a worker's death on every case that waited there: only alone can a case be found guilty.
        for name in lost:
            guilty: list[str] = []
            yield from _submitted(client, function, {name: cases[name]}, progress, guilty)
            if guilty:
                yield name, "its worker process died again and again (out of memory, or a crash in a library)"


def _submitted(client: Any, function: CaseFunction, cases: Mapping[str, Any], progress: Progress,
               lost: list[str]) -> Iterator[tuple[str, bytes | str]]:
    waiting = {client.submit(_one, function, value, pure=False): name for name, value in cases.items()}
    while waiting:
        done = [future for future in waiting if future.done()]
        for future in done:
            name = waiting.pop(future)
            if future.status == "finished":
                yield name, future.result()
            else:
                lost.append(name)
        if not done:
            time.sleep(_POLL_S)
        progress.check()


@contextmanager
def process_pool(jobs: int) -> Iterator[Any]:
    """A pool of processes, each on one thread, that end with this one; an error inside the block ends them at once."""
    # loky, not multiprocessing: a user's script needs no "if __name__ == '__main__'".
    from joblib.externals.loky import ProcessPoolExecutor

    executor = ProcessPoolExecutor(max_workers=jobs, env=_ONE_THREAD, initializer=_die_with, initargs=(os.getpid(),))
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, kill_workers=True)


def _die_with(parent: int) -> None:
    """End this worker when its parent is gone: a killed kernel would leave its workers waiting for ever."""
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _worker_died(future: Future[Any]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)

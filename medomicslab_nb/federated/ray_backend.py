"""Sites in Flower's simulation: every question is answered in one of Ray's processes."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from flwr.app import Context
from flwr.simulation import run_simulation
from flwr.supercore import telemetry

from medomicslab_nb.errors import MissingExtraError
from medomicslab_nb.federated.flower import Watch, make_client_app
from medomicslab_nb.federated.server_app import Mailbox, make_server_app
from medomicslab_nb.federated.site_process import AnsweringSite

SiteSource = Callable[[], AnsweringSite]
"""Gives a site; it is sent to Ray's processes with every question, so that it must be small: a path, not patients."""

_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1",
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
                "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1"}
_STORE_BYTES = 100 * 2**20  # of shared memory: letters are small
_END_S = 30.0
_ATTEMPTS = 3
_SLOW = "rfc3987_syntax"
_HELPERS = ("start_api_server", "start_monitor", "start_log_monitor")

telemetry.FLWR_TELEMETRY_ENABLED = "0"  # read when Flower was imported, whatever the environment says now
telemetry.state["source"] = "none"  # and no file about it in the home folder


class RayTransport:
    """Sites in processes of Ray, which starts with the first question.

    Parameters
    ----------
    sites : mapping
        By name, a picklable source of the site. A process opens each site once.
    watch : callable, optional
        Called while replies are waited for; may raise.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    """

    def __init__(self, sites: Mapping[str, SiteSource], watch: Watch = lambda: None) -> None:
        if find_spec("ray") is None:
            raise MissingExtraError("the backend ray", "ray")
        self._sites = dict(sites)
        self._watch = watch
        self._mailbox = Mailbox()
        self._thread: threading.Thread | None = None

    def ask(self, letters: Mapping[str, bytes], deadline_s: float) -> Iterator[tuple[str, bytes]]:
        """See :class:`~medomicslab_nb.federated.messages.Transport`.

        Raises
        ------
        RunError
            The simulation has ended.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._simulate, name="simulation", daemon=True)
            self._thread.start()
        return self._mailbox.ask(letters, deadline_s, self._watch)

    def close(self) -> None:
        """End the simulation and Ray's processes."""
        if self._thread is not None:
            self._mailbox.close()
            self._thread.join(_END_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _simulate(self) -> None:
        error: BaseException | None = None
        app = make_client_app(_Opened(self._sites))
        if not _ONE.acquire(blocking=False):
            self._mailbox.fail(RuntimeError("another simulation runs in this process, and Ray takes one"))
            return
        try:
            workers = min(len(self._sites), os.cpu_count() or 1)
            with TemporaryDirectory(prefix="medomicslab-") as folder, _environment(Path(folder)), _ray(workers):
                run_simulation(make_server_app(self._mailbox, tuple(self._sites)), app, len(self._sites),
                               backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}})
        except Exception as failure:  # whatever it was, the run is told
            error = failure
        finally:
            _ONE.release()
            self._mailbox.fail(error)


class _Opened:
    """Finds a site, and keeps it open in the process where it was asked."""

    def __init__(self, sources: Mapping[str, SiteSource]) -> None:
        self._sources = dict(sources)
        self._run = uuid.uuid4().hex

    def __call__(self, _context: Context, name: str) -> AnsweringSite:
        key = (self._run, name)
        if key not in _SITES:
            _SITES[key] = self._sources[name]()
        return _SITES[key]


_ONE = threading.Lock()
_SITES: dict[tuple[str, str], AnsweringSite] = {}


def _start_ray(workers: int) -> None:
    """Start Ray on this machine only. It gives up after 30 s, which a machine at work may well take."""
    import ray

    for attempt in range(_ATTEMPTS):
        try:
            with _without_helpers(), warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # Ray leaves files of its own open
                ray.init(num_cpus=workers, num_gpus=0, include_dashboard=False, log_to_driver=False,
                         logging_level=logging.ERROR, object_store_memory=_STORE_BYTES, _node_ip_address="127.0.0.1")
            return
        except Exception:  # Ray raises it as such
            ray.shutdown()
            if attempt == _ATTEMPTS - 1:
                raise


@contextmanager
def _ray(workers: int) -> Iterator[None]:
    """Ray, ended afterwards with all that it has written, unless somebody else had started it."""
    import ray
    from ray._private import worker

    if ray.is_initialized():
        yield
        return
    _start_ray(workers)
    written = worker._global_node.get_session_dir_path()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(written, ignore_errors=True)


@contextmanager
def _without_helpers() -> Iterator[None]:
    """Ray's start without the processes that one machine has no use for, and without a look at the network.

    One of them asks the cloud's metadata service where it runs, even when usage statistics are off; to find its own
    address Ray looks for the way to a public name server.
    """
    from ray._private import ray_constants
    from ray._private.node import Node

    before = {name: getattr(Node, name) for name in _HELPERS}
    ray_constants.ENABLE_RAY_CLUSTER = False
    for name in _HELPERS:
        setattr(Node, name, lambda *_arguments, **_named: None)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Ray and Flower without their greetings and detours, and everything as it was afterwards."""
    before = dict(os.environ)
    # Each of Ray's eight processes loads jsonschema, which takes 1.4 s to make a grammar of web addresses where this
    # module is there (it comes with JupyterLab), and does without where it is not.
    (folder / f"{_SLOW}.py").write_text("raise ImportError\n")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, [before.get("PYTHONPATH")])])
    known = sys.modules.setdefault(_SLOW, None)  # type: ignore[arg-type]  # None: no such module
    logger = logging.getLogger("flwr")
    level = logger.level
    os.environ.update(_ENVIRONMENT)
    logger.setLevel(logging.CRITICAL)  # run_simulation calls itself outdated; the pinned minor has nothing else
    try:
        yield
    finally:
        if known is None:
            del sys.modules[_SLOW]
        logger.setLevel(level)
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)

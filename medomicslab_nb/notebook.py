"""Templates: where they are, and running one headless by papermill into a run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import RunError
from medomicslab_nb.files import write_bytes
from medomicslab_nb.progress import Event, Sink
from medomicslab_nb.protect import scrub_all
from medomicslab_nb.record import RunRecord
from medomicslab_nb.runner import RUN_FOLDER, default_sinks, prepare
from medomicslab_nb.stages import get_stage
from medomicslab_nb.study import Study, open_study

_KERNEL_STARTS = 3
_START_TIMEOUT_S = 60
_FOLLOW_S = 0.3
_TIME_LIMIT = "stopped at its time limit"


def find_template(name: str) -> Path:
    """The template notebook of that file name: in the installed package, else in the checkout.

    Raises
    ------
    RunError
        The installation is incomplete.
    """
    return find_shipped("_templates", "templates", name)


def find_shipped(packaged: str, checkout: str, name: str) -> Path:
    """A file that ships beside the package's code: ``packaged`` in a wheel, ``checkout`` in the repository.

    In a checkout the repository's own file wins: an editable install copies shipped files, and copies go stale.
    """
    package = Path(str(resources.files("medomicslab_nb")))
    for folder in (package.parent / checkout if (package.parent / "pyproject.toml").exists() else package / packaged,
                   package / packaged):
        if (folder / name).exists():
            return folder / name
    raise RunError(f"'{name}' is missing from the installation", where="medomicslab_nb",
                   todo="Install medomicslab_nb again")


def template_for(name: str, study: str) -> dict[str, Any]:
    """A template's content in which ``study`` is this path."""
    content: dict[str, Any] = json.loads(find_template(name).read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = [f"study = {json.dumps(study)}\n" if line.startswith("study") else line
                              for line in cell["source"]]
    return content


def run_notebook(stage: str, study: Study | str | Path, settings: Mapping[str, Any] | str | Path | None = None, *,
                 timeout_s: float | None = None) -> RunRecord:
    """Run a stage's template by papermill; the executed notebook stays in the run's folder.

    Names and values are checked before the kernel starts. The notebook runs with the run's folder as working folder
    and the study as ``../..``: it can be opened there and run again.

    Raises
    ------
    SettingsError, ProtectionError
        Before anything is made.
    RunError
        The kernel died, or ran longer than ``timeout_s`` seconds; what a stage raised is raised as it is.
    """
    opened = study if isinstance(study, Study) else open_study(study)
    record = prepare(stage, opened, settings)
    template = find_template(get_stage(stage).template)
    try:
        with _followed(record):
            _execute(template, record, timeout_s)
    except KeyboardInterrupt:
        record.cancel()
        _close(record, "cancelled", "cancelled by the user")
        raise
    except Exception as error:
        # What the kernel wrote into the record is the truth; papermill's error only says that a cell failed.
        message = _reason(error, timeout_s)
        _close(record, "failed", message)
        raise RunError(record.error or message, where=f"run {record.id}", todo="") from None
    finally:
        _scrub_notebook(record.path / "notebook.ipynb", opened)
    if record.status != "completed":
        _close(record, "failed", "the notebook ended without running its stage")
        raise RunError(record.error or "the notebook ended without running its stage", where=f"run {record.id}",
                       todo="Keep 'view.run()' in the template")
    return record


def _execute(template: Path, record: RunRecord, timeout_s: float | None) -> None:
    """papermill, again when the kernel dies before its first reply (under load it does)."""
    import papermill
    from papermill.log import logger

    logger.setLevel("ERROR")
    for attempt in range(1, _KERNEL_STARTS + 1):
        try:
            with _environment(record):
                papermill.execute_notebook(
                    str(template), str(record.path / "notebook.ipynb"),
                    parameters={"study": "../..", "settings": record.settings}, cwd=str(record.path),
                    progress_bar=False, start_timeout=_START_TIMEOUT_S,
                    # Its warning that a kernel on 127.0.0.1 talks without encryption helps nobody here.
                    extra_arguments=["--IPKernelApp.log_level=40"],
                    execution_timeout=None if timeout_s is None else max(1, round(timeout_s)))
            return
        except RuntimeError as error:
            if attempt == _KERNEL_STARTS or not _kernel_never_started(error):
                raise


def _kernel_never_started(error: Exception) -> bool:
    return "before replying to kernel_info" in str(error) or "didn't respond in" in str(error)


@contextlib.contextmanager
def _environment(record: RunRecord) -> Iterator[None]:
    # papermill's kernels inherit this process's environment; there is no other way in.
    os.environ[RUN_FOLDER] = str(record.path)
    try:
        yield
    finally:
        os.environ.pop(RUN_FOLDER, None)


@contextlib.contextmanager
def _followed(record: RunRecord) -> Iterator[None]:
    """Show the progress that the kernel writes into the run's folder."""
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(record.path / "progress.jsonl", default_sinks(), ended),
                                daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _follow(path: Path, sinks: list[Sink], ended: threading.Event) -> None:
    position, last = 0, False
    while not last:
        last = ended.wait(_FOLLOW_S)
        with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
            stream.seek(position)
            for line in stream:
                if line.endswith(b"\n"):  # else it is being written at this moment
                    position += len(line)
                    for sink in sinks:
                        sink(Event(**json.loads(line)))


def _reason(error: Exception, timeout_s: float | None) -> str:
    name = type(error).__name__
    if name == "CellTimeoutError":
        return f"{_TIME_LIMIT} of {timeout_s:g} s. Raise --timeout or run it again: finished cases are kept"
    if name == "DeadKernelError":
        return "its kernel died (killed, or out of memory). Run it again: finished cases are kept"
    if name == "PapermillExecutionError":
        return f"a cell of the notebook failed ({getattr(error, 'ename', name)}); notebook.ipynb shows which"
    return f"the notebook could not be run ({name})"


def _close(record: RunRecord, status: str, error: str) -> None:
    """Write the last word for a kernel that could not: it was killed, or never began."""
    from datetime import UTC, datetime

    timed_out = error.startswith(_TIME_LIMIT)  # the kernel saw only an interrupt
    if record.stored_status == "running" or timed_out:
        record.update(status=status, error=error, finished=datetime.now(UTC).isoformat())


def _scrub_notebook(path: Path, study: Study) -> None:
    """Take identifiers out of the executed notebook's outputs and errors; if that fails, the outputs go."""
    if not path.exists():
        return
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        clean = scrub_all(content, study.identifiers())
    except Exception:
        clean = {**content, "cells": [{**cell, "outputs": []} if "outputs" in cell else cell
                                      for cell in content["cells"]]}
    if clean != content:
        write_bytes(path, (json.dumps(clean, indent=1, ensure_ascii=False) + "\n").encode())

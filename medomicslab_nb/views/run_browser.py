"""The runs of a study: a table of all of them, one in detail, two side by side, and what can be done with a run."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.wording import duration, moment
from medomicslab_nb.runner import RUN_FOLDER, verify
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.views.front_end import interactive
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, plain_table
from medomicslab_nb.views.record_view import report_link
from medomicslab_nb.views.run_rows import Json, check_rows, one_run, replayed, run_row, two_runs
from medomicslab_nb.views.widget import Widget

_POLL_S = 1.0


class RunBrowser:
    """Every run of a study, newest first: a widget where somebody looks, else a table, read anew each time.

    Parameters
    ----------
    study : Study or path

    Attributes
    ----------
    panel : RunPanel or None
        The widget; None where nobody looks.
    """

    def __init__(self, study: Study | str | Path) -> None:
        self.study = study if isinstance(study, Study) else open_study(study)
        self.panel: RunPanel | None = RunPanel(self.study) if interactive() else None

    def rows(self) -> list[list[str]]:
        """Stage, start, duration, status, stale mark and run id as text."""
        return [_row(record) for record in reversed(self.study.runs)]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.static() if self.panel is None else self.panel.widget._repr_mimebundle_(**kwargs)

    def static(self) -> dict[str, str]:
        """The runs as plain HTML and text."""
        columns = [text("stage"), text("started"), "", text("status"), "", text("run")]
        rows = self.rows()
        if not rows:
            return {"text/html": escape(text("no_runs")), "text/plain": text("no_runs")}
        head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in columns)
        body = "".join(_markup(row, record) for row, record in zip(rows, reversed(self.study.runs), strict=False))
        return {"text/html": f"{heading(text('runs'))}<table><thead><tr>{head}<th></th></tr></thead>"
                             f"<tbody>{body}</tbody></table>", "text/plain": plain_table(columns, rows)}


def _row(record: RunRecord) -> list[str]:
    stale = record.stale if record.status == "completed" else ()
    return [record.stage, moment(record.started), duration(record.started, record.finished or ""), record.status,
            text("stale", inputs=", ".join(stale)) if stale else "", record.id]


def _markup(row: list[str], record: RunRecord) -> str:
    cells = "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row)
    return f'<tr>{cells}<td style="text-align:left">{report_link(record)}</td></tr>'


class RunTable(Widget, module="run_browser"):
    """The table and the details as the browser draws them. It decides nothing: :class:`RunPanel` does.

    Attributes
    ----------
    runs : list of dict
        A line a run, newest first, see :func:`medomicslab_nb.views.run_rows.run_row`.
    chosen : list of str
        One or two run ids; set by the browser.
    detail : dict
        What is shown of them.
    note : str
        What happens now, or what came of it.
    """

    runs = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.List(traitlets.Unicode(), maxlen=2).tag(sync=True)
    detail = traitlets.Dict().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)


class RunPanel:
    """The widgets of the run browser, and what its buttons do.

    Each work has a thread, and a replay a process of its own: neither the notebook nor other widgets wait for it. The
    folder is polled only while a run is under way.
    """

    def __init__(self, study: Study) -> None:
        import ipywidgets

        self.study = study
        self.table = RunTable()
        self.link = ipywidgets.Output()
        self.widget = ipywidgets.VBox([self.table, self.link])
        self._lock = threading.RLock()
        self._polls: threading.Thread | None = None
        self.refresh()
        self.table.observe(lambda _: self._work(self.show), "chosen")
        self.table.on_msg(self._receive)

    def refresh(self) -> None:
        """Read all runs anew, and what is shown of those that are chosen."""
        self._read(keep=False)
        self.show()

    def _read(self, *, keep: bool) -> None:
        """Read the runs, and show the chosen ones anew where their status has changed.

        ``keep``: the lines of those that have ended stay as they are.
        """
        with self._lock:
            before = self._statuses()
            known = {row["id"]: row for row in self.table.runs} if keep else {}
            self.table.runs = [run_row(record, known.get(record.id)) for record in reversed(self.study.runs)]
            self._follow()
            if self._statuses() != before:
                self.show()

    def _follow(self) -> None:
        """Poll in a thread as long as a run is under way."""
        if any(row["status"] == "running" for row in self.table.runs) and self._polls is None:
            self._polls = threading.Thread(target=self._poll, daemon=True)
            self._polls.start()

    def _poll(self) -> None:
        pause = threading.Event()
        while any(row["status"] == "running" for row in self.table.runs):
            pause.wait(_POLL_S)
            self._read(keep=True)
        with self._lock:
            self._polls = None
            self._follow()

    def _statuses(self) -> dict[str, str]:
        return {row["id"]: row["status"] for row in self.table.runs if row["id"] in self.table.chosen}

    def show(self) -> None:
        """Show what is chosen: nothing, one run, or two side by side."""
        with self._lock:
            records = self._chosen()
            if len(records) == 2:
                self.table.detail = two_runs(*records)
            else:
                self.table.detail = one_run(records[0]) if records else {}
            # A link within a page of JupyterLab is resolved only where JupyterLab itself draws it.
            links = [report_link(record) for record in records]
            self.link.outputs = tuple({"output_type": "display_data", "metadata": {}, "data": {"text/html": link}}
                                      for link in links if link)

    def _chosen(self) -> list[RunRecord]:
        wanted = set(self.table.chosen)
        return [record for record in self.study.runs if record.id in wanted]

    def _receive(self, _: Any, content: Json, __: Any) -> None:
        if content.get("kind") == "refresh":
            self._work(self.refresh)
            return
        record = next((one for one in self.study.runs if one.id == content.get("run")), None)
        actions: dict[str, Callable[[RunRecord], None]] = {
            "report": self._report, "verify": self._verify, "replay": self._replay, "cancel": self._cancel,
            "open": lambda one: self._open(one, content.get("token"))}
        action = actions.get(str(content.get("kind")))
        if record is not None and action is not None:
            self._work(lambda: action(record))

    def _work(self, task: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                task()
            except (MedomicsError, OSError) as error:
                self.table.note = text("runs_failure", reason=scrub(str(error), self.study.identifiers()))

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def _report(self, record: RunRecord) -> None:
        self.table.note = text("runs_writing")
        record.report()
        self.table.note = text("runs_written")
        self.show()

    def _open(self, record: RunRecord, token: Any) -> None:
        content = (record.path / "report.html").read_bytes()
        self.table.send({"kind": "report", "token": token, "run": record.id}, buffers=[gzip.compress(content)])

    def _verify(self, record: RunRecord) -> None:
        self.table.note = text("runs_verifying")
        found = verify(record)
        self._checked(record, check_rows(found))
        self.table.note = text("runs_verified" if all(one.equal for one in found) else "runs_not_verified")

    def _checked(self, record: RunRecord, checks: list[Json]) -> None:
        with self._lock:
            if self.table.detail.get("id") == record.id:
                self.table.detail = {**self.table.detail, "checks": checks}

    def _cancel(self, record: RunRecord) -> None:
        self.table.note = text("runs_cancelling")
        record.cancel()
        self._read(keep=True)
        self.table.note = ""

    def _replay(self, record: RunRecord) -> None:
        """Replay in a child process that survives this kernel, and show how it ended."""
        self.table.note = text("runs_replaying")
        before = {one.id for one in self.study.runs}
        child = subprocess.Popen(
            [sys.executable, "-m", "medomicslab_nb", "replay", str(self.study.path), record.id],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != RUN_FOLDER}, text=True)
        said = _said_while(child, lambda: self._read(keep=True))
        self._read(keep=True)
        again = next((one for one in reversed(self.study.runs) if one.id not in before
                      and (original := replayed(one)) and original.id == record.id), None)
        self._ended(record, again, child.returncode, said)

    def _ended(self, record: RunRecord, again: RunRecord | None, code: int, said: str) -> None:
        if again is None or again.status != "completed":
            reason = (again.error if again else said.strip().splitlines()[-1] if said.strip() else str(code)) or ""
            self.table.note = text("runs_replay_failed", reason=scrub(reason, self.study.identifiers()))
            return
        if self.table.chosen == [record.id]:
            self.table.chosen = [again.id]
        checks = one_run(again)["checks"]
        differing = sum(not check["equal"] for check in checks)
        self.table.note = text("runs_replay_differs", n=len(checks), differing=differing) if differing else \
            text("runs_replay_same", n=len(checks))


def _said_while(child: subprocess.Popen[str], look: Callable[[], None]) -> str:
    """What the child prints until its end; ``look`` is called in between."""
    while True:
        try:
            return child.communicate(timeout=_POLL_S)[0]
        except subprocess.TimeoutExpired:
            look()

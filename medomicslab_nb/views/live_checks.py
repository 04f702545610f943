"""Who is in which table, what is wrong with the data, and which endpoints there are: anew after every change."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.quality import Finding
from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.data.stage import check_study, linkage_of
from medomicslab_nb.study import Study
from medomicslab_nb.views.answers import in_words
from medomicslab_nb.views.endpoints import endpoint_table
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, muted, table

MOST_CELLS = 20_000_000
"""Larger studies are checked on demand: a second for three million cells, in the process that answers the view."""

_SETTLE_S = 0.3
_MOST_FINDINGS = 60
_SEVERITIES = ("error", "warning", "note")


class LiveChecks:
    """Computes in a thread, a moment after the last change; of several computations only the last one is shown.

    It counts patients and names columns; no value and no identifier is in it.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.content = ipywidgets.HTML()
        self.state = ipywidgets.HTML()
        again = ipywidgets.Button(description=text("check_again"), icon="refresh", layout={"width": "auto"})
        again.on_click(lambda _: self.recompute())
        self.widget: Any = ipywidgets.VBox([ipywidgets.HBox([again, self.state]), self.content])
        self._lock = threading.Lock()
        self._newest = 0
        self._timer: threading.Timer | None = None

    def follow(self) -> None:
        """The study changed: compute everything anew, or say how to where it is large."""
        if sum(info.n_rows * info.n_columns for info in self.study.tables.values()) <= MOST_CELLS:
            self.recompute()
        else:
            self.state.value = _status(text("checks_on_demand"))

    def recompute(self) -> None:
        """Compute everything anew, soon."""
        with self._lock:
            self._newest += 1
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(_SETTLE_S, self._compute, (self._newest,))
            self._timer.daemon = True
            self.state.value = _status(text("checking"))
            self._timer.start()

    def wait(self, timeout_s: float = 30) -> None:
        """Until the computation that was asked for last has ended."""
        if self._timer is not None:
            self._timer.join(timeout_s)

    def _compute(self, number: int) -> None:
        try:
            shown = checks_html(self.study)
        except Exception as error:
            # A thread's error would otherwise be lost, and "checking" would stand there for ever.
            shown = escape(in_words(error))
        with self._lock:
            if number == self._newest:
                self.content.value = shown
                self.state.value = _status("")


def checks_html(study: Study) -> str:
    """Linkage, endpoints and findings of the study as it is now."""
    if not study.tables:
        return escape(text("add_below"))
    seen = CorrectedStudy(study, DataSettings())
    findings, _ = check_study(seen)
    linked = linkage_of(seen)[["tables", "patients"]].to_numpy().tolist()
    return heading(text("linkage")) + table([text("in_tables"), text("patients")], linked) + \
        heading(text("endpoints")) + endpoint_table(study) + heading(text("quality")) + _findings(findings)


def _findings(findings: list[Finding]) -> str:
    if not findings:
        return escape(text("nothing_found"))
    ordered = sorted(findings, key=lambda one: _SEVERITIES.index(one.severity))
    rows = [[text(f"severity_{one.severity}"), one.table, one.column, one.finding, one.advice]
            for one in ordered[:_MOST_FINDINGS]]
    columns = [text("severity"), text("table"), text("column"), text("finding"), text("advice")]
    rest = muted(text("more_findings", n=len(ordered) - len(rows))) if len(ordered) > len(rows) else ""
    counts = ", ".join(text(f"n_{severity}", n=sum(one.severity == severity for one in findings))
                       for severity in _SEVERITIES)
    return f"<p>{escape(counts)}</p>" + table(columns, rows, strong=[one.severity == "error" for one in ordered]) + rest


def _status(words: str) -> str:
    return f'<span class="medomicslab-checks" role="status">{escape(words)}</span>'

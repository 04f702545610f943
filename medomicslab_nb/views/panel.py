"""The widgets of a stage view: form, buttons, progress, result."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.wording import duration, moment
from medomicslab_nb.settings import Settings
from medomicslab_nb.views.form import Form
from medomicslab_nb.views.labels import stage_label
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, fault, heading, muted

if TYPE_CHECKING:
    from medomicslab_nb.study import Study
    from medomicslab_nb.views.stage_view import StageView

_POLL_S = 0.4


class Panel:
    """The widgets of a stage view.

    A run is followed by its folder alone: one that another tab, another notebook or a kernel before a restart has
    started is found again.
    """

    def __init__(self, shown: StageView) -> None:
        self.view = shown
        self.form: Form[Settings] = Form(shown.spec.settings_class(), shown.suggestions(),
                                         folder=_from_here(shown.study))
        self.form.value = {name: value for name, value in shown._values.items() if name not in shown._missing}
        self.run_button = ipywidgets.Button(description=text("run"), button_style="primary", icon="play")
        self.cancel_button = ipywidgets.Button(description=text("cancel"), icon="stop", disabled=True)
        self.show_button = ipywidgets.Button(description=text("show_result"), layout={"display": "none"})
        self.status = ipywidgets.HTML()
        self.title = ipywidgets.HTML()
        self.progress = shown.progress_widget()
        self.output = ipywidgets.Output()
        self.run_button.on_click(lambda _: self._start())
        self.cancel_button.on_click(lambda _: self._cancel())
        self.show_button.on_click(lambda _: self._show_result())
        self.form.on_change(self._check)
        buttons = ipywidgets.HBox([self.run_button, self.cancel_button, self.status, self.show_button])
        self.widget = ipywidgets.VBox([self.title, *shown.tools(), self.form.widget, buttons, self.progress.widget,
                                       self.output])
        self.refresh()
        self._check()
        self._find_again()

    def refresh(self) -> None:
        """Show anew what the study offers."""
        shown = self.view
        self.title.value = f"{heading(stage_label(shown.spec.name))}{muted(shown.study.name)}{shown.before()}"

    def _find_again(self) -> None:
        """Follow the run that is under way, or offer the result of the last one."""
        found = self.view.newest()
        if found is None:
            return
        self.view.record = found
        if found.status == "running":
            self.follow(found, note=text("found_again"))
        else:
            self._say(text("last_run", when=moment(found.started), how=self._ending(found)),
                      wrong=found.status == "failed")
            self.show_button.layout.display = "inline-block" if found.status == "completed" else "none"

    @property
    def busy(self) -> bool:
        """Whether a run is followed."""
        return not self.cancel_button.disabled

    def follow(self, record: RunRecord, note: str = "") -> None:
        """Show the run until it ends: its folder is read by a thread, since the process is another one."""
        self._busy(busy=True)
        self.output.outputs = ()
        self.show_button.layout.display = "none"
        self._say(f"{text('running')} ... {note}")
        threading.Thread(target=self._poll, args=(record,), daemon=True).start()

    def show_end(self, record: RunRecord) -> None:
        """Show how a run ended."""
        self._busy(busy=False)
        self.progress.hide()
        self._say(self._ending(record), wrong=record.status == "failed")
        self._tell_view()  # what was changed during the run

    def _tell_view(self) -> None:
        if not self.form.faults:
            self.view.on_settings(self.form.settings)

    def _ending(self, record: RunRecord) -> str:
        return text(record.status, duration=duration(record.started, record.finished or ""), reason=record.error or "")

    def _poll(self, record: RunRecord) -> None:
        pause = threading.Event()
        while record.status == "running":
            self.progress.show(record)
            pause.wait(_POLL_S)
        self.show_end(record)
        if record.status == "completed":
            self._show_result()

    def _show_result(self) -> None:
        self.show_button.layout.display = "none"
        if self.view.record is not None:
            self._write_report(self.view.record)
            self.output.outputs = tuple({"output_type": "display_data", "data": bundle, "metadata": {}}
                                        for bundle in self.view.result(self.view.record))

    def _write_report(self, record: RunRecord) -> None:
        """A run of the button has no report yet, and its result links to one."""
        try:
            if not (record.path / "report.html").exists():
                record.report()
        except MedomicsError as error:
            self._say(str(error), wrong=True)

    def _start(self) -> None:
        try:
            self.view.start()
        except MedomicsError as error:
            self._busy(busy=False)
            self._say(str(error), wrong=True)

    def _cancel(self) -> None:
        self.cancel_button.disabled = True
        self._say(text("cancelling"))
        # It waits for the process to end, and a waiting callback would hold up every other widget.
        threading.Thread(target=self.view.cancel, daemon=True).start()

    def _check(self) -> None:
        if self.busy:
            return
        faults = self.form.faults
        self._tell_view()
        self.run_button.disabled = bool(faults)
        self._say(text("invalid") if faults else text("ready"), wrong=bool(faults))

    def _busy(self, *, busy: bool) -> None:
        self.cancel_button.disabled = not busy
        self.run_button.disabled = busy or bool(self.form.faults)

    def _say(self, words: str, *, wrong: bool = False) -> None:
        shown = fault(words) if wrong else escape(words)
        self.status.value = f'<span class="medomicslab-status" role="status">{shown}</span>'


def _from_here(study: Study) -> str:
    """The study's folder as a cell of this notebook names it: relative, so that no path of the machine stands in it."""
    try:
        return Path(os.path.relpath(study.path)).as_posix()
    except ValueError:  # on another drive
        return study.path.name

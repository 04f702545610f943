"""A stage view that says, below its form, what a run would do with the settings that the form holds."""

from __future__ import annotations

from typing import Any

from medomicslab_nb.settings import Settings
from medomicslab_nb.views.live_summary import Below, LiveSummary
from medomicslab_nb.views.stage_view import StageView


class SummarisedView(StageView):
    """Subclasses say what a run would do (:meth:`summary`), and what shows one under way (:meth:`run_progress`)."""

    _below: Below | None = None

    def summary(self, settings: Settings) -> str:
        """What a run would do with these settings, as HTML; why it cannot be run, where it cannot."""
        raise NotImplementedError

    def run_progress(self) -> Any:
        """What shows a run under way, as :meth:`~medomicslab_nb.views.stage_view.StageView.progress_widget`."""
        raise NotImplementedError

    def progress_widget(self) -> Any:
        """What a run would do, and below it a run under way."""
        self._below = Below(LiveSummary(self.summary), self.run_progress())
        return self._below

    def on_settings(self, settings: Settings) -> None:
        """Say what a run would do with the settings that the form now holds."""
        if self._below is not None:
            self._below.summary.update(settings)

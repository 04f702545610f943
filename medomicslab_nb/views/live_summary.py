"""A line or two below a form that say what its present settings mean; made in a thread, the last one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from medomicslab_nb.settings import Settings
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import muted

_WAIT_S = 0.4  # after the last change: nobody reads what is true between two keys


class LiveSummary:
    """HTML that follows the settings of a form.

    Parameters
    ----------
    describe : callable
        From settings to HTML; never raises. It may take seconds.
    """

    def __init__(self, describe: Callable[[Any], str]) -> None:
        import ipywidgets

        self.widget = ipywidgets.HTML()
        self._describe = describe
        self._lock = threading.Lock()
        self._newest = 0
        self._timer: threading.Timer | None = None

    def update(self, settings: Settings) -> None:
        """The settings have changed."""
        with self._lock:
            self._newest += 1
            if self._timer is not None:
                self._timer.cancel()
            if not self.widget.value:
                self.widget.value = muted(text("looking"))
            self._timer = threading.Timer(_WAIT_S, self._work, (self._newest, settings))
            self._timer.daemon = True
            self._timer.start()

    def _work(self, number: int, settings: Settings) -> None:
        markup = self._describe(settings)
        with self._lock:
            if number == self._newest:
                self.widget.value = markup


class Below:
    """What stands below a form: the live summary, then the progress of a run.

    Parameters
    ----------
    progress
        What :meth:`medomicslab_nb.views.stage_view.StageView.progress_widget` gives.
    """

    def __init__(self, summary: LiveSummary, progress: Any) -> None:
        import ipywidgets

        self.summary = summary
        self.show, self.hide = progress.show, progress.hide
        self.widget = ipywidgets.VBox([summary.widget, progress.widget])

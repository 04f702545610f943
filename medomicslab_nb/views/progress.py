"""Progress in a notebook: a bar where somebody looks, plain lines where nobody does."""

from __future__ import annotations

from typing import Any

from medomicslab_nb.progress import Event, PlainLines, Sink
from medomicslab_nb.record import RunRecord
from medomicslab_nb.views.front_end import interactive
from medomicslab_nb.views.labels import task_label

_EVERY_S = 0.1


class NotebookBar:
    """A sink: one bar per task under the running cell; a finished task's bar goes away."""

    def __init__(self) -> None:
        self._sink: Sink = _Bars() if interactive() else PlainLines()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._sink(event)


class Bar:
    """One task as a widget."""

    def __init__(self) -> None:
        from ipywidgets import HBox, IntProgress, Label, Layout

        self._bar = IntProgress(min=0, max=1, value=0, layout=Layout(width="260px"))
        self._label = Label("")
        self.widget = HBox([self._bar, self._label], layout=Layout(display="none"))

    def show(self, event: Event) -> None:
        """Show one event."""
        self._bar.max = event.total or 1
        self._bar.value = min(event.done, self._bar.max)
        self._bar.bar_style = "" if event.total else "info"
        self._label.value = caption(event)
        self.widget.layout.display = "flex"

    def hide(self) -> None:
        """Take the bar away."""
        self.widget.layout.display = "none"


class RunBar:
    """The present task of a run under way, whichever process does the work."""

    def __init__(self) -> None:
        self._bar = Bar()
        self.widget = self._bar.widget

    def show(self, record: RunRecord) -> None:
        """Show where the run is."""
        event = record.progress()
        if event:
            self._bar.show(Event(**event))

    def hide(self) -> None:
        """Take the bar away."""
        self._bar.hide()


def caption(event: Event) -> str:
    """``cross-validation: 3/10, 12 s``."""
    count = f"{event.done}" if event.total is None else f"{event.done}/{event.total}"
    return f"{task_label(event.task)}: {count}, {event.elapsed_s:.0f} s"


class _Bars:
    def __init__(self) -> None:
        self._box: Any = None
        self._bars: dict[str, Bar] = {}
        self._shown: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if event.finished:
            self._remove(event.task)
        elif event.elapsed_s - self._shown.get(event.task, -1.0) >= _EVERY_S or event.done == event.total:
            self._shown[event.task] = event.elapsed_s
            self._bar_of(event.task).show(event)

    def _bar_of(self, task: str) -> Bar:
        if task not in self._bars:
            self._bars[task] = Bar()
            self._layout()
        return self._bars[task]

    def _remove(self, task: str) -> None:
        self._shown.pop(task, None)
        if self._bars.pop(task, None):
            self._layout()

    def _layout(self) -> None:
        from IPython.display import display
        from ipywidgets import VBox

        if self._box is None:
            self._box = VBox()
            display(self._box)
        self._box.children = tuple(bar.widget for bar in self._bars.values())

"""The button that has a model learn from finished notes, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets

from medomicslab_nb.progress import Progress
from medomicslab_nb.report.wording import missing
from medomicslab_nb.text.attributes import attributes
from medomicslab_nb.views.background import Background, State
from medomicslab_nb.views.language import language, text
from medomicslab_nb.views.markup import escape, fault
from medomicslab_nb.views.nlp_annotator import NlpAnnotator

if TYPE_CHECKING:
    from medomicslab_nb.text.suggestions import Report


class TrainSuggestions:
    """Train, cancel, and a line that says what was learnt.

    Parameters
    ----------
    annotator : NlpAnnotator
        Opened.
    clean : callable
        Takes identifiers out of a fault.
    """

    def __init__(self, annotator: NlpAnnotator, clean: Callable[[str], str]) -> None:
        self._annotator, self._clean = annotator, clean
        self._outcome = ""
        self.background = Background(self._tell)
        self.button = ipywidgets.Button(description=text("train"), icon="graduation-cap", tooltip=text("train_help"),
                                        layout={"width": "auto"})
        self.cancel_button = ipywidgets.Button(description=text("cancel"), icon="stop",
                                               layout={"width": "auto", "display": "none"})
        self._status = ipywidgets.HTML(layout={"flex": "1 1 300px"})
        self.button.on_click(lambda _: self.background.start("train", self._train))
        self.cancel_button.on_click(lambda _: self._cancel())
        self.widget = ipywidgets.HBox([self.button, self.cancel_button, self._status],
                                      layout={"flex_flow": "row wrap", "align_items": "center"})
        self._say(told(annotator.reports()))

    def close(self) -> None:
        """Give up what is under way."""
        self.background.cancel()

    def _train(self, progress: Progress) -> None:
        from medomicslab_nb.text.suggestions import TooFewError

        try:
            self._outcome = told(self._annotator.train(progress))
        except TooFewError:
            self._outcome = escape(self._too_few())

    def _too_few(self) -> str:
        from medomicslab_nb.text.suggestions import LEAST_NOTES, LEAST_OF_ATTRIBUTE, LEAST_SPANS

        widget = self._annotator.widget
        done = widget.desk.progress()["done"] if widget is not None else 0
        return text("train_too_few", done=done, notes=LEAST_NOTES, spans=LEAST_SPANS, each=LEAST_OF_ATTRIBUTE)

    def _cancel(self) -> None:
        self.cancel_button.disabled = True
        self._say(escape(text("cancelling")))
        self.background.cancel()

    def _tell(self, state: State) -> None:
        running = state["state"] == "running"
        self.button.disabled = running
        self.cancel_button.layout.display = "" if running else "none"
        if running:
            if not self.cancel_button.disabled:
                self._say(f'<progress aria-label="{escape(text("train"))}" style="vertical-align:middle;width:90px">'
                          f'</progress> {escape(text("train_running"))}')
            return
        self.cancel_button.disabled = False
        self._say({"done": self._outcome, "cancelled": escape(text("train_cancelled"))}.get(state["state"])
                  or fault(self._clean(self.background.fault)))

    def _say(self, markup: str) -> None:
        self._status.value = f'<span role="status">{markup}</span>'


def told(reports: Sequence[Report]) -> str:
    """What models learnt and how good they are, as HTML; nothing without a model."""
    return "<br>".join(escape(_told(report)) for report in reports)


def _told(report: Report) -> str:
    words = text("train_outcome", language=text(f"train_{report.language}"), notes=report.notes, spans=report.spans,
                 held_out=report.held_out_notes, f1=_figure(report))
    if report.left_out:
        words += " " + text("train_left_out", names=", ".join(map(_title, report.left_out)))
    return words


def _figure(report: Report) -> str:
    f1 = report.f1
    if missing(f1.estimate):
        return text("train_no_figure")
    if missing(f1.lower) or missing(f1.upper):
        return text("train_no_interval", f1=f"{f1.estimate:.2f}")
    return text("train_f1", f1=f"{f1.estimate:.2f}", lower=f"{f1.lower:.2f}", upper=f"{f1.upper:.2f}")


def _title(attribute: str) -> str:
    known = attributes()
    return known[attribute].title[language()] if attribute in known else attribute

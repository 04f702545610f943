"""Annotator, adjudication and review of identifiers, opened from the view of the text stage."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub
from medomicslab_nb.study import Study
from medomicslab_nb.views.adjudication import Adjudicator
from medomicslab_nb.views.exchange_row import ExchangeRow
from medomicslab_nb.views.identifier_review import IdentifierReview
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import fault
from medomicslab_nb.views.nlp_annotator import NlpAnnotator
from medomicslab_nb.views.train_suggestions import TrainSuggestions

Tool = NlpAnnotator | Adjudicator


class AnnotateTool:
    """A name and buttons; what is opened stands below them until it is closed.

    Attributes
    ----------
    training : TrainSuggestions or None
        Beside an annotator from whom a model may learn.
    exchange : ExchangeRow or None
        Beside an annotator.
    """

    def __init__(self, study: Study, notes: str, *, text_column: str = "text", note_column: str = "note") -> None:
        self._opened: Tool | None = None
        self.training: TrainSuggestions | None = None
        self.exchange: ExchangeRow | None = None
        self._identifiers = study.identifiers
        self.name = ipywidgets.Text(description=text("annotate_name"), placeholder=text("annotate_anybody"),
                                    style={"description_width": "initial"})
        make: dict[str, Callable[[], Tool]] = {
            "annotate_notes": lambda: NlpAnnotator(study, self.name.value.strip(), table=notes,
                                                  text_column=text_column, note_column=note_column),
            "annotate_adjudicate": lambda: Adjudicator(study, table=notes, text_column=text_column,
                                                      note_column=note_column),
            "annotate_identifiers": lambda: IdentifierReview(study, self.name.value.strip(), table=notes,
                                                  text_column=text_column, note_column=note_column)}
        self.buttons = {key: self._button(key, opening) for key, opening in make.items()}
        self.close_button = ipywidgets.Button(description=text("annotate_close"), icon="times",
                                              layout={"display": "none", "width": "auto"})
        self.close_button.on_click(lambda _: self._close())
        self._message = ipywidgets.HTML()
        self._place = ipywidgets.VBox([])
        row = ipywidgets.HBox([self.name, *self.buttons.values(), self.close_button, self._message],
                              layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox([row, self._place])

    def _button(self, key: str, opening: Callable[[], Tool]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=text(key), layout={"width": "auto"})
        button.on_click(lambda _: self._open(opening))
        return button

    def _open(self, opening: Callable[[], Tool]) -> None:
        self._message.value = ""
        try:
            self._opened = opening()
        except MedomicsError as error:
            self._message.value = fault(self._clean(str(error)))
        if isinstance(self._opened, NlpAnnotator) and self._opened.widget is not None:
            self.exchange = ExchangeRow(self._opened, self._clean)
            self.training = TrainSuggestions(self._opened, self._clean) if self._opened.learns else None
        self._show()

    def _clean(self, words: str) -> str:
        return scrub(words, self._identifiers())

    def _close(self) -> None:
        if self.training is not None:
            self.training.close()
        self.training = self.exchange = None
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._show()

    def _show(self) -> None:
        shown = self._opened.widget if self._opened is not None else None
        beside = [row.widget for row in (self.training, self.exchange) if row is not None]
        self._place.children = () if shown is None else (shown, *beside)
        self.name.disabled = shown is not None
        for button in self.buttons.values():
            button.layout.display = "" if shown is None else "none"
        self.close_button.layout.display = "none" if shown is None else ""

"""Annotator, adjudication and review of identifiers, opened from the view of the text stage."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub
from medomicslab_nb.study import Study
from medomicslab_nb.views.adjudication import Adjudicator
from medomicslab_nb.views.identifier_review import IdentifierReview
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import fault
from medomicslab_nb.views.nlp_annotator import NlpAnnotator

Tool = NlpAnnotator | Adjudicator


class AnnotateTool:
    """A name and buttons; what is opened stands below them until it is closed."""

    def __init__(self, study: Study, notes: str) -> None:
        self._opened: Tool | None = None
        self._identifiers = study.identifiers
        self.name = ipywidgets.Text(description=text("annotate_name"), placeholder=text("annotate_anybody"),
                                    style={"description_width": "initial"})
        make: dict[str, Callable[[], Tool]] = {
            "annotate_notes": lambda: NlpAnnotator(study, self.name.value.strip(), table=notes),
            "annotate_adjudicate": lambda: Adjudicator(study, table=notes),
            "annotate_identifiers": lambda: IdentifierReview(study, self.name.value.strip(), table=notes)}
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
            self._message.value = fault(scrub(str(error), self._identifiers()))
        self._show()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._show()

    def _show(self) -> None:
        shown = self._opened.widget if self._opened is not None else None
        self._place.children = () if shown is None else (shown,)
        self.name.disabled = shown is not None
        for button in self.buttons.values():
            button.layout.display = "" if shown is None else "none"
        self.close_button.layout.display = "none" if shown is None else ""

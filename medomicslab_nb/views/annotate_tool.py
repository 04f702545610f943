"""Opening the annotator from the view of the text stage."""

from __future__ import annotations

import ipywidgets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub
from medomicslab_nb.study import Study
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import fault
from medomicslab_nb.views.nlp_annotator import NlpAnnotator


class AnnotateTool:
    """A name and a button; the annotator takes their place and gives it back when it is closed."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._annotator: NlpAnnotator | None = None
        self.name = ipywidgets.Text(description=text("annotate_name"), placeholder=text("annotate_anybody"),
                                    style={"description_width": "initial"})
        self.button = ipywidgets.Button(description=text("annotate"), icon="pencil")
        self.button.on_click(lambda _: self._turn())
        self._message = ipywidgets.HTML()
        self._place = ipywidgets.VBox([])
        self.widget = ipywidgets.VBox([ipywidgets.HBox([self.name, self.button, self._message]), self._place])

    def _turn(self) -> None:
        if self._annotator is not None:
            self._annotator.close()
            self._annotator = None
        else:
            self._open()
        shown = self._annotator.widget if self._annotator is not None else None
        self._place.children = () if shown is None else (shown,)
        self.name.disabled = shown is not None
        self.button.description = text("annotate" if shown is None else "annotate_close")

    def _open(self) -> None:
        self._message.value = ""
        try:
            self._annotator = NlpAnnotator(self._study, self.name.value.strip())
        except MedomicsError as error:
            self._message.value = fault(scrub(str(error), self._study.identifiers()))

"""A row beside the annotator: annotations out to a file, and in from one."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from medomicslab_nb.progress import Progress
from medomicslab_nb.text.exchange.forms import FORMS
from medomicslab_nb.views.annotation_files import FOLDER, files_of
from medomicslab_nb.views.background import Background, State
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, fault
from medomicslab_nb.views.nlp_annotator import NlpAnnotator


class ExchangeRow:
    """Form, file, two buttons and what came of it.

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
        own = {"description_width": "initial"}
        self.form = ipywidgets.Dropdown(options=[(text(f"exchange_{name.replace(' ', '_')}"), name) for name in FORMS],
                                        description=text("exchange_form"), style=own, layout={"width": "250px"})
        self.name = ipywidgets.Combobox(description=text("exchange_file"), options=files_of(annotator.study), style=own,
                                        placeholder=text("exchange_place", folder=FOLDER), layout={"width": "330px"})
        self.export_button = self._button("exchange_export", "download", self._export)
        self.import_button = self._button("exchange_import", "upload", self._take_in)
        self._status = ipywidgets.HTML(layout={"flex": "1 1 300px"})
        self.widget = ipywidgets.HBox([self.form, self.name, self.export_button, self.import_button, self._status],
                                      layout={"flex_flow": "row wrap", "align_items": "center"})

    def _button(self, key: str, icon: str, work: Callable[[Progress], None]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=text(key), icon=icon, tooltip=text(f"{key}_help"),
                                   layout={"width": "auto"})
        button.on_click(lambda _: self._start(work))
        return button

    def _start(self, work: Callable[[Progress], None]) -> None:
        if self._named():
            self.background.start("exchange", work)
        else:
            self._say(fault(text("exchange_no_name")))

    def _named(self) -> str:
        """The file, with its form's ending where none was typed."""
        name, suffix = str(self.name.value).strip(), FORMS[self.form.value].suffix
        return name if not name or name.lower().endswith(suffix) else name + suffix

    def _export(self, _: Progress) -> None:
        written = self._annotator.export(self._named(), self.form.value)
        self._outcome = text("exchange_exported", file=written.name)

    def _take_in(self, _: Progress) -> None:
        new = self._annotator.take_in(self._named(), self.form.value)
        self._outcome = text("exchange_taken", n=new)

    def _tell(self, state: State) -> None:
        running = state["state"] == "running"
        self.export_button.disabled = self.import_button.disabled = running
        if running:
            self._say(escape(text("exchange_running")))
        elif state["state"] == "done":
            self.name.options = files_of(self._annotator.study)
            self._say(escape(self._clean(self._outcome)))
        else:
            self._say(fault(self._clean(self.background.fault)))

    def _say(self, markup: str) -> None:
        self._status.value = f'<span role="status">{markup}</span>'

"""What the view of the data stage has beside its form: adding files, the data dictionary, live checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from medomicslab_nb.study import Study
from medomicslab_nb.views.add_files import AddFiles
from medomicslab_nb.views.dictionary_editor import DictionaryEditor
from medomicslab_nb.views.language import text
from medomicslab_nb.views.live_checks import LiveChecks

# JupyterLab's own grey of a closed fold's title is too pale to be read by everybody.
_LEGIBLE = ("<style>.medomicslab-fold .jupyter-widget-Collapse-header {color: var(--jp-ui-font-color1) !important}"
            "</style>")


class Workbench:
    """Three folds that know of each other's changes.

    Parameters
    ----------
    study : Study
    on_change : callable
        Called after the study's tables or dictionaries changed, in a thread.
    """

    def __init__(self, study: Study, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self.adding = AddFiles(study, self._added)
        self.dictionary = DictionaryEditor(study, self._changed)
        self.checks = LiveChecks(study)
        folds = ((text("add_data"), self.adding.widget), (text("correct"), self.dictionary),
                 (text("live_checks"), self.checks.widget))
        self.folds: tuple[Any, ...] = tuple(
            ipywidgets.Accordion([content], titles=(title,), selected_index=None) for title, content in folds)
        for fold in self.folds:
            fold.add_class("medomicslab-fold")
        self.folds[0 if not study.tables else 2].selected_index = 0
        self.widgets = (ipywidgets.HTML(_LEGIBLE, layout={"display": "none"}), *self.folds)
        self.checks.follow()

    def _added(self, name: str) -> None:
        self.dictionary.list_tables(name)
        for fold in self.folds[1:]:
            fold.selected_index = 0
        self._changed()

    def _changed(self) -> None:
        self.checks.follow()
        self._on_change()

"""Correcting the data dictionary: choose a table and a column, change its entry, save."""

from __future__ import annotations

from typing import Any

import ipywidgets

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column
from medomicslab_nb.views.form import Form
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape

_MOST_COLUMNS = 2000


class DictionaryEditor:
    """A folded form over one entry of the data dictionary. It changes the study, not the settings of a run.

    Only the first 2000 columns of a wide table can be chosen.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.table = ipywidgets.Dropdown(options=list(study.tables), description=text("table"))
        self.column = ipywidgets.Dropdown(description=text("column"))
        self.form: Form[Column] = Form(Column)
        self.save = ipywidgets.Button(description=text("apply"))
        self.message = ipywidgets.HTML()
        self.table.observe(lambda _: self._list_columns(), names="value")
        self.column.observe(lambda _: self._show(), names="value")
        self.save.on_click(lambda _: self._save())
        body = ipywidgets.VBox([ipywidgets.HBox([self.table, self.column]), self.form.widget,
                                ipywidgets.HBox([self.save, self.message])])
        self.widget: Any = ipywidgets.Accordion([body], titles=(text("correct"),), selected_index=None)
        self._list_columns()

    def _list_columns(self) -> None:
        if self.table.value is not None:
            info = self.study.info(self.table.value)
            self.column.options = [name for name in info.columns if name != info.id_column][:_MOST_COLUMNS]
            self._show()

    def _show(self) -> None:
        self.message.value = ""
        if self.column.value is not None:
            self.form.value = self.study.info(self.table.value).column(self.column.value)

    def _save(self) -> None:
        try:
            self.study.update_columns(self.table.value, {self.column.value: self.form.settings})
        except MedomicsError as error:
            self.message.value = f'<span style="color:#b02a00">{escape(error)}</span>'
        else:
            self.message.value = escape(text("saved"))

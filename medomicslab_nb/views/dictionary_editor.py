"""Correcting the data dictionary: one grid for all columns of a table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from medomicslab_nb.data.dictionary import guess_columns
from medomicslab_nb.data.image_table import PROTOCOL
from medomicslab_nb.study import Study
from medomicslab_nb.tables import IMAGES
from medomicslab_nb.views.answers import Answers, Question
from medomicslab_nb.views.dictionary_draft import CHOICES, DictionaryDraft
from medomicslab_nb.views.language import text
from medomicslab_nb.views.widget import Widget

MOST_ROWS = 300
"""Rows that one answer holds at most."""


class DictionaryGrid(Widget, module="dictionary_editor"):
    """A grid over a draft of a data dictionary; a row is a column of the table.

    Only the rows in sight are sent. The grid changes the draft, never the study.

    Attributes
    ----------
    revision : int
        Grows with every change, so that each open tab asks for its rows again.
    state : dict
        ``unsaved`` (columns), ``undo`` (bool), ``total`` (columns).
    """

    revision = traitlets.Int().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    tables: Any = traitlets.List().tag(sync=True)
    table = traitlets.Unicode().tag(sync=True)
    storing = traitlets.Bool().tag(sync=True)
    """Whether the grid has a choice of tables and a button that saves."""

    def __init__(self, draft: DictionaryDraft | None = None) -> None:
        super().__init__(choices={field: [[value, text(f"{field}_{value}")] for value in values]
                                  for field, values in CHOICES.items()})
        self._lock = threading.RLock()
        self.draft = draft or DictionaryDraft((), {})
        self._answers = Answers(self, self.handlers())
        self.refresh()

    def handlers(self) -> dict[str, Callable[[Question], Mapping[str, Any]]]:
        """What the browser may ask."""
        return {"rows": self._rows, "change": self._change, "undo": self._undo}

    def show(self, draft: DictionaryDraft) -> None:
        """Show another draft."""
        with self._lock:
            self.draft = draft
        self.refresh()

    def refresh(self) -> None:
        """Tell the browser that something changed."""
        with self._lock, self.hold_sync():
            self.state = {"unsaved": len(self.draft.changes), "undo": self.draft.can_undo,
                          "total": len(self.draft.names)}
            self.revision += 1

    def _rows(self, question: Question) -> Mapping[str, Any]:
        start = max(0, int(question.get("start", 0)))
        count = min(MOST_ROWS, max(1, int(question.get("count", MOST_ROWS))))
        with self._lock:
            names = self._fitting(question)
            return {"start": start, "total": len(names), "rows": self.draft.rows(names[start:start + count])}

    def _change(self, question: Question) -> Mapping[str, Any]:
        """Set a field of the named columns, or of all that fit the search."""
        with self._lock:
            names = self._fitting(question) if question.get("all") else [str(name) for name in question["names"]]
            self.draft.change(names, str(question["field"]), str(question["value"]))
        self.refresh()
        return {"changed": len(names)}

    def _undo(self, _: Question) -> Mapping[str, Any]:
        with self._lock:
            self.draft.undo()
        self.refresh()
        return {}

    def _fitting(self, question: Question) -> list[str]:
        return self.draft.fitting(str(question.get("search", "")), str(question.get("role", "")))


class DictionaryEditor(DictionaryGrid):
    """The grid over the tables of a study. It changes the study, not the settings of a run.

    Parameters
    ----------
    study : Study
    on_saved : callable
        Called after a dictionary was stored, in a thread.
    """

    def __init__(self, study: Study, on_saved: Callable[[], None] = lambda: None) -> None:
        self.study = study
        self._on_saved = on_saved
        super().__init__()
        self.storing = True
        self.list_tables()

    def handlers(self) -> dict[str, Callable[[Question], Mapping[str, Any]]]:
        """What the browser may ask; tables are read in the thread that answers."""
        return super().handlers() | {"open": self._open, "save": self._save}

    def list_tables(self, shown: str = "") -> None:
        """Read anew which tables there are, and show one of them, unless changes are not saved yet."""
        self.tables = list(self.study.tables)
        wanted = shown or self.table
        if self.tables and not self.draft.changes:
            self.show_table(wanted if wanted in self.tables else self.tables[0])

    def show_table(self, name: str) -> None:
        """Show the dictionary of a table.

        Raises
        ------
        StudyError
        """
        draft = stored_draft(self.study, name)
        with self._lock:
            self.table = name
        self.show(draft)

    def save(self) -> int:
        """Store what was changed; the number of columns.

        Raises
        ------
        StudyError
        """
        with self._lock:
            name, changes = self.table, self.draft.changes
            if changes:
                self.study.update_columns(name, changes)
        if changes:
            self.show_table(name)
            self._on_saved()
        return len(changes)

    def _open(self, question: Question) -> Mapping[str, Any]:
        self.show_table(str(question["table"]))
        return {}

    def _save(self, _: Question) -> Mapping[str, Any]:
        return {"saved": self.save()}


def stored_draft(study: Study, name: str) -> DictionaryDraft:
    """The draft of a table in the study, without its identifiers, beside what is guessed from its values.

    Raises
    ------
    StudyError
    """
    info = study.info(name)
    frame = study.table(name).reset_index()
    names = [str(column) for column in frame.columns if column != info.id_column and column != "index"]
    # The tables of images are written by the import, which knows what their columns are.
    guessed = None if info.block == IMAGES or name == PROTOCOL else guess_columns(frame, info.id_column)
    return DictionaryDraft(names, info.columns, info.default_column, guessed)

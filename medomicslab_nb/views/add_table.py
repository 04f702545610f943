"""A table before it is added: its first rows, what was guessed, and what can be said about it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import traitlets
from pandas.api import types

from medomicslab_nb.data.deidentify import deidentify_prepared
from medomicslab_nb.data.importing import PreparedTable, add_prepared, name_from, prepare_file
from medomicslab_nb.errors import DataError, MedomicsError, ProtectionError
from medomicslab_nb.pseudonyms import read_key, refuse_identified
from medomicslab_nb.study import Study
from medomicslab_nb.views.answers import Answers, Question, in_words
from medomicslab_nb.views.dictionary_draft import DictionaryDraft
from medomicslab_nb.views.dictionary_editor import DictionaryGrid
from medomicslab_nb.views.language import text
from medomicslab_nb.views.widget import Widget

PREVIEW_ROWS, PREVIEW_COLUMNS = 8, 12
LEVELS = ("patient", "lesion", "visit")
DATE_ORDERS = ("day-first", "month-first")

_OPTIONS = ("block", "id_column", "date_column", "sheet", "date_order")


class AddTable(Widget, module="add_table"):
    """Form and preview of one file. Nothing is stored before "Add to study".

    Cells of the file are sent to whoever looks; they never stand in synced state.

    Parameters
    ----------
    study : Study
    on_added : callable
        Called with the table's name after it was stored, in a thread.

    Attributes
    ----------
    grid : DictionaryGrid
        The guessed dictionary, to be corrected before the table is stored.
    revision : int
        Grows when another file was chosen.
    """

    revision = traitlets.Int().tag(sync=True)

    def __init__(self, study: Study, on_added: Callable[[str], None] = lambda _: None) -> None:
        super().__init__()
        self.study = study
        self.grid = DictionaryGrid()
        self._on_added = on_added
        self._lock = threading.RLock()
        self._path: Path | None = None
        self._prepared: PreparedTable | None = None
        self._edits: dict[str, dict[str, str]] = {}  # fields that were corrected, also of columns that are away now
        self._answers = Answers(self, {"prepare": self._prepare, "add": self._add})

    def choose(self, path: Path) -> None:
        """Show another file; the browser asks for what is in it."""
        with self._lock:
            self._path, self._prepared, self._edits = path, None, {}
            self.grid.show(DictionaryDraft((), {}))
            self.revision += 1

    def _prepare(self, options: Question) -> Mapping[str, Any]:
        """Read the file as the options say, and describe it; corrections are kept until it is added."""
        with self._lock:
            path = self._path
            if path is None:
                return {}
            common = {"name": str(options.get("name") or name_from(path)), "file": path.name,
                      "levels": [[level, text(f"level_{level}")] for level in LEVELS],
                      "date_orders": [[order, text(f"order_{order.partition('-')[0]}")] for order in DATE_ORDERS]}
            self._edits = self._edits_so_far()
            try:
                prepared = self._read(path, options)
            except (MedomicsError, OSError) as error:
                self._prepared = None
                self.grid.show(DictionaryDraft((), {}))
                return {**common, "fault": in_words(error)}
            self._prepared = prepared
            self.grid.show(_draft(prepared, self.study.id_column, self._edits))
            return {**common, **self._described(prepared)}

    def _edits_so_far(self) -> dict[str, dict[str, str]]:
        """Those of the grid, and those of columns that it does not show as the file is read now."""
        shown = self.grid.draft
        here = set(shown.names)
        return {**{name: fields for name, fields in self._edits.items() if name not in here}, **shown.edits}

    def _read(self, path: Path, options: Question) -> PreparedTable:
        given = {name: str(options[name]).strip() for name in _OPTIONS if str(options.get(name) or "").strip()}
        level = options.get("level") if options.get("level") in LEVELS else "patient"
        return prepare_file(self.study, path, str(options.get("name") or "").strip() or None, level=level,  # type: ignore[arg-type]
                            replace=bool(options.get("replace")), **given)  # type: ignore[arg-type]

    def _described(self, prepared: PreparedTable) -> dict[str, Any]:
        frame = prepared.frame
        dates = [str(name) for name in frame.columns if types.is_datetime64_any_dtype(frame[name])]
        return {"block": prepared.block, "notes": list(prepared.notes), "dates": dates,
                "size": text("table_size", rows=len(frame), columns=frame.shape[1]), "preview": _preview(prepared),
                "warning": self._warning(prepared)}

    def _warning(self, prepared: PreparedTable) -> str:
        """What would be refused at the end is said at the beginning."""
        try:
            refuse_identified(self.study.path, prepared.frame[self.study.id_column], self.study.identifiers())
        except ProtectionError as error:
            return str(error)
        return ""

    def _add(self, question: Question) -> Mapping[str, Any]:
        """Store the table as it is shown, with the corrections; de-identified where a key is given."""
        with self._lock:
            if self._prepared is None:
                raise DataError("no table was read", where="add to study", todo="Choose a file first")
            corrected = {**self._prepared.columns, **self.grid.draft.changes}
            table = replace(self._prepared, columns=corrected)
            before = len(table.notes)
            path = str(question.get("key_file") or "").strip()
            if path:
                table = deidentify_prepared(self.study, table, read_key(path))
            else:
                refuse_identified(self.study.path, table.frame[self.study.id_column], self.study.identifiers())
            info = add_prepared(self.study, table)
            self._path, self._prepared, self._edits = None, None, {}
            self.grid.show(DictionaryDraft((), {}))
        self._on_added(info.name)
        done = text("table_added", name=info.name, rows=info.n_rows, columns=info.n_columns)
        return {"done": done, "notes": list(table.notes[before:])}


def _draft(prepared: PreparedTable, id_column: str, edits: Mapping[str, Mapping[str, str]]) -> DictionaryDraft:
    names = [str(name) for name in prepared.frame.columns if name != id_column]
    draft = DictionaryDraft(names, prepared.columns, prepared.default_column, prepared.columns)
    draft.adopt(edits)
    return draft


def _preview(prepared: PreparedTable) -> dict[str, Any]:
    """The first rows and columns as texts."""
    part = prepared.frame.iloc[:PREVIEW_ROWS, :PREVIEW_COLUMNS]
    cells = part.astype("object").where(part.notna(), "")
    return {"columns": [str(name) for name in part.columns], "rows": [[_cell(cell) for cell in row]
                                                                      for row in cells.to_numpy().tolist()]}


def _cell(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    # All digits: rounded ones would look like other values.
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)

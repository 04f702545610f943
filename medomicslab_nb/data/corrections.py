"""The study as a run of the data stage sees it: chosen tables, dictionary corrected in memory."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import pandas as pd

from medomicslab_nb.data.settings import Correction, DataSettings
from medomicslab_nb.errors import SettingsError
from medomicslab_nb.tables import TableInfo


class CorrectedStudy:
    """A study's tables with the corrections of the settings; nothing is written.

    Parameters
    ----------
    study : Study
    settings : DataSettings

    Raises
    ------
    SettingsError
        A table or column that is not there, with the nearest name; or no table at all.
    """

    def __init__(self, study: Any, settings: DataSettings) -> None:
        known = dict(study.tables)
        names = settings.tables or tuple(known)
        if not names:
            raise SettingsError("the study has no table", where=f"study {study.name}",
                                todo="Add one first: medomicslab add DIR FILE")
        for name in (*names, *settings.columns):
            _check(name, known, "table", f"study {study.name}")
        self._study = study
        self.name: str = study.name
        self.id_column: str = study.id_column
        self.index_date: str | None = study.index_date
        self._frames: dict[str, pd.DataFrame] = {name: study.table(name) for name in names}
        self.tables: dict[str, TableInfo] = {
            name: self._corrected(known[name], settings.columns.get(name, {})) for name in names}

    def table(self, name: str) -> pd.DataFrame:
        """Values of a table, indexed by patient."""
        return self._frames[name]

    @cached_property
    def patients(self) -> pd.Index:
        """Every patient of the tables, each once, sorted."""
        names = [frame.index for frame in self._frames.values() if frame.index.name == self.id_column]
        return pd.Index(sorted(set().union(*names)), name=self.id_column, dtype="str")

    def names_of(self, table: str, *roles: str) -> list[str]:
        """Columns of a table that have one of these roles."""
        info = self.tables[table]
        return [str(name) for name in self._frames[table].columns if info.column(str(name)).role in roles]

    def _corrected(self, info: TableInfo, corrections: Mapping[str, Correction]) -> TableInfo:
        columns = dict(info.columns)
        for name, correction in corrections.items():
            _check(name, self._frames[info.name].columns, "column", f"table {info.name}")
            columns[name] = info.column(name).model_copy(update=correction.changes())
        return replace(info, columns=columns)


def _check(name: str, known: Any, what: str, where: str) -> None:
    if name in known:
        return
    names = [str(item) for item in known]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(names[:20])}"
    raise SettingsError(f"there is no {what} '{name}'", where=where, todo=hint)

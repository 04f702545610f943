"""The view of the data stage: tables and dictionary before the run, linkage and quality after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medomicslab_nb.record import RunRecord
from medomicslab_nb.stages import load
from medomicslab_nb.tables import TableInfo
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, muted, table
from medomicslab_nb.views.record_view import Bundle, figure_bundle
from medomicslab_nb.views.stage_view import StageView

if TYPE_CHECKING:
    from medomicslab_nb.views.data_workbench import Workbench

_MOST_COLUMNS = 30
_FIGURES = ("linkage", "flow", "outcomes", "dictionary")


class DataLoader(StageView):
    """What the study holds, how its columns are understood, and what the data stage found."""

    _workbench: Workbench | None = None

    def before(self) -> str:
        """What the study offers, as HTML; the dictionaries only where no editor shows them."""
        tables = self.study.tables
        if not tables:
            return heading(text("tables")) + escape(text("add_below" if self._workbench else "no_tables"))
        columns = [text("table"), text("block"), text("rows"), text("columns")]
        rows = [[info.name, info.block, info.n_rows, info.n_columns] for info in tables.values()]
        folds = "" if self._workbench else "".join(_dictionary(info) for info in tables.values())
        return heading(text("tables")) + table(columns, rows) + folds

    def tools(self) -> tuple[Any, ...]:
        """Adding files, the editor of the data dictionary, and live checks."""
        self._workbench = load("medomicslab_nb.views.data_workbench:Workbench")(self.study, self._changed)
        return self._workbench.widgets

    def _changed(self) -> None:
        if self.panel is not None:
            self.panel.refresh()

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """The endpoints that the dictionaries name."""
        return {"outcome": outcomes(self.study.tables)}

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, tables and figures of a finished run."""
        return [*super().result(record), *_quality(record), *figures(record, _FIGURES)]


def outcomes(tables: dict[str, TableInfo]) -> tuple[str, ...]:
    """Endpoints and outcome columns that the data dictionaries name."""
    found = [column.endpoint or name for info in tables.values() for name, column in info.columns.items()
             if column.role in ("outcome", "event", "cause")]
    return tuple(dict.fromkeys(found))


def figures(record: RunRecord, names: tuple[str, ...]) -> list[Bundle]:
    """The named figures of a run as bundles that a notebook draws."""
    from medomicslab_nb.report.evidence import rows_of
    from medomicslab_nb.report.figures import figures_of

    return [figure_bundle(picture.figure, picture.title,
                          table([str(name) for name in picture.numbers.columns], rows_of(picture.numbers.head(60))))
            for picture in figures_of(record) if picture.name in names]


def _dictionary(info: TableInfo) -> str:
    shown = list(info.columns.items())[:_MOST_COLUMNS]
    rows = [[name, column.role, column.type, column.unit, column.endpoint] for name, column in shown]
    further = info.n_columns - len(shown)
    rest = muted(text("further_columns", n=further)) if further > 0 else ""
    columns = [text("column"), text("role"), text("type"), text("unit"), text("endpoint")]
    listed = table(columns, rows) if rows else ""
    return f"<details><summary>{escape(text('dictionary'))}: {escape(info.name)}</summary>{listed}{rest}</details>"


def _quality(record: RunRecord) -> list[Bundle]:
    from medomicslab_nb.report.evidence import identifiers_of, rows_of, shown_tables

    found = shown_tables(record, identifiers_of(record)).get("quality")
    if found is None or found.empty:
        return []
    shown = found[["severity", "table", "column", "finding", "advice"]].head(60)
    return [{"text/html": heading(text("quality")) + table(list(shown.columns), rows_of(shown)),
             "text/plain": f"{text('quality')}: {len(found)}"}]

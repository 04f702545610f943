"""The view of the models stage: endpoints and blocks of predictors before the run, performance after it."""

from __future__ import annotations

from medomicslab_nb.record import RunRecord
from medomicslab_nb.tables import TableInfo
from medomicslab_nb.views.data_loader import figures, outcomes
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, table
from medomicslab_nb.views.record_view import Bundle
from medomicslab_nb.views.stage_view import StageView

_FIGURES = ("performance", "ablation", "roc", "calibration")
_NOT_PREDICTORS = ("identifier", "outcome", "time", "event", "entry", "cause", "stratum", "date", "index_date", "centre", "ignore")


class ModelBuilder(StageView):
    """Which endpoints and blocks the study offers, and how well each set of blocks predicts."""

    def before(self) -> str:
        """What the study offers, as HTML."""
        tables = self.study.tables
        if not tables:
            return escape(text("no_tables"))
        endpoints = outcomes(tables)
        found = escape(", ".join(endpoints)) if endpoints else escape(text("no_endpoint"))
        blocks = table([text("block"), text("table"), text("predictors"), text("rows")],
                       [[info.block, info.name, predictors(info), info.n_rows] for info in tables.values()])
        return f"{heading(text('endpoints'))}{found}{heading(text('blocks'))}{blocks}"

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """The endpoints that the dictionaries name."""
        return {"outcome": outcomes(self.study.tables)}

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, tables and figures of a finished run."""
        return [*super().result(record), *figures(record, _FIGURES)]


def predictors(info: TableInfo) -> int:
    """How many columns of the table are predictors by its dictionary."""
    listed = sum(column.role not in _NOT_PREDICTORS for column in info.columns.values())
    unlisted = 0 if info.default_column is None or info.default_column.role in _NOT_PREDICTORS \
        else info.n_columns - len(info.columns)
    return listed + unlisted

"""The view of the models stage: endpoints and blocks of predictors before the run, performance after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import evidence
from medomicslab_nb.settings import Settings
from medomicslab_nb.stages import load
from medomicslab_nb.study import Study
from medomicslab_nb.tables import TableInfo, identifiers_of
from medomicslab_nb.views.data_loader import figures, outcomes
from medomicslab_nb.views.endpoints import endpoint_table
from medomicslab_nb.views.fold_progress import FoldProgress
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, muted, table
from medomicslab_nb.views.outline_text import outline_html, summary_fault
from medomicslab_nb.views.record_view import Bundle, sentences
from medomicslab_nb.views.summarised_view import SummarisedView

if TYPE_CHECKING:
    from medomicslab_nb.views.compare_runs import RunComparison
    from medomicslab_nb.views.linked_plots import LinkedPlots

_FIGURES = ("performance", "ablation", "roc", "calibration", "decision", "subgroups", "importance_blocks")
_NOT_PREDICTORS = ("identifier", "outcome", "time", "event", "entry", "cause", "stratum", "date", "index_date",
                   "centre", "ignore")


class ModelBuilder(SummarisedView):
    """Which endpoints and blocks the study offers, what a run would do, and how well each set of blocks predicts."""

    _comparison: RunComparison | None = None
    _plots: LinkedPlots | None = None

    def before(self) -> str:
        """What the study offers, as HTML."""
        tables = self.study.tables
        if not tables:
            return escape(text("no_tables"))
        return f"{heading(text('endpoints'))}{endpoint_table(self.study)}{heading(text('blocks'))}{_blocks(self.study)}"

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """The endpoints that the dictionaries name."""
        return {"outcome": outcomes(self.study.tables)}

    def tools(self) -> tuple[Any, ...]:
        """The comparison of the runs that there are."""
        self._comparison = load("medomicslab_nb.views.compare_runs:RunComparison")(self.study)
        return (self._comparison.widget,)

    def run_progress(self) -> Any:
        """The folds of a run under way."""
        return FoldProgress()

    def summary(self, settings: Settings) -> str:
        """What a run would do with these settings, as HTML; why it cannot be run, where it cannot."""
        try:
            found = load("medomicslab_nb.models.outline:outline")(self.study, settings)
        except MedomicsError as error:
            return summary_fault(error, self.study)
        return outline_html(found)

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, findings, linked plots where somebody looks, tables and figures of a finished run."""
        if self._comparison is not None:
            self._comparison.refresh()
        return [*super().result(record), *sentences(text("findings"), evidence(record)["findings"]),
                *self._linked(record), *figures(record, _FIGURES)]

    def _linked(self, record: RunRecord) -> list[Bundle]:
        if self.panel is None or not load("medomicslab_nb.report.linked_data:offered")(record):
            return []
        if self._plots is not None:
            self._plots.close()
        self._plots = load("medomicslab_nb.views.linked_plots:LinkedPlots")(record)
        return [self._plots._repr_mimebundle_()[0]]

    def static(self) -> Bundle:
        """Settings and study as plain HTML and text, with the runs that there are."""
        shown = super().static()
        runs = load("medomicslab_nb.views.compare_runs:comparison_html")(self.study)
        return {**shown, "text/html": shown["text/html"] + (heading(text("compare_heading")) + runs if runs else "")}


def _blocks(study: Study) -> str:
    """Tables by block with how many patients have each, and how many lack some block."""
    tables = study.tables
    own = {name: set(identifiers_of(study.path / "tables", info)) for name, info in tables.items()}
    everybody = set().union(*own.values())
    rows = [[info.block, name, predictors(info), f"{len(own[name])} / {len(everybody)}"]
            for name, info in tables.items()]
    lacking = len(everybody) - len(_in_every_block(tables, own))
    return table([text("block"), text("table"), text("predictors"), text("patients")], rows) + \
        (muted(text("lacking", n=lacking)) if lacking else "")


def _in_every_block(tables: Mapping[str, TableInfo], own: Mapping[str, set[str]]) -> set[str]:
    """Patients with a row in every block that has predictors."""
    blocks: dict[str, set[str]] = {}
    for name, info in tables.items():
        if predictors(info):
            blocks.setdefault(info.block, set()).update(own[name])
    return set.intersection(*blocks.values()) if blocks else set()


def predictors(info: TableInfo) -> int:
    """How many columns of the table are predictors by its dictionary."""
    listed = sum(column.role not in _NOT_PREDICTORS for column in info.columns.values())
    unlisted = 0 if info.default_column is None or info.default_column.role in _NOT_PREDICTORS \
        else info.n_columns - len(info.columns)
    return listed + unlisted

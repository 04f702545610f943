"""The view of the models stage: endpoints and blocks of predictors before the run, performance after it."""

from __future__ import annotations

from collections.abc import Mapping

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import evidence
from medomicslab_nb.study import Study
from medomicslab_nb.tables import TableInfo, identifiers_of
from medomicslab_nb.views.data_loader import figures, outcomes
from medomicslab_nb.views.endpoints import endpoint_table
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, muted, table
from medomicslab_nb.views.record_view import Bundle
from medomicslab_nb.views.stage_view import StageView

_FIGURES = ("performance", "ablation", "roc", "calibration", "decision", "subgroups", "importance_blocks")
_NOT_PREDICTORS = ("identifier", "outcome", "time", "event", "entry", "cause", "stratum", "date", "index_date",
                   "centre", "ignore")


class ModelBuilder(StageView):
    """Which endpoints and blocks the study offers, and how well each set of blocks predicts."""

    def before(self) -> str:
        """What the study offers, as HTML."""
        tables = self.study.tables
        if not tables:
            return escape(text("no_tables"))
        return f"{heading(text('endpoints'))}{endpoint_table(self.study)}{heading(text('blocks'))}{_blocks(self.study)}"

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """The endpoints that the dictionaries name."""
        return {"outcome": outcomes(self.study.tables)}

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, findings, tables and figures of a finished run."""
        return [*super().result(record), *_findings(record), *figures(record, _FIGURES)]


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


def _findings(record: RunRecord) -> list[Bundle]:
    found = evidence(record)["findings"]
    listed = "".join(f"<li>{escape(one)}</li>" for one in found)
    return [{"text/html": f"{heading(text('findings'))}<ul>{listed}</ul>", "text/plain": "\n".join(found)}] \
        if found else []


def predictors(info: TableInfo) -> int:
    """How many columns of the table are predictors by its dictionary."""
    listed = sum(column.role not in _NOT_PREDICTORS for column in info.columns.values())
    unlisted = 0 if info.default_column is None or info.default_column.role in _NOT_PREDICTORS \
        else info.n_columns - len(info.columns)
    return listed + unlisted

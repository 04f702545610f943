"""The runs of a study as a table: status, stale marks, and a link to each report."""

from __future__ import annotations

from typing import Any

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.wording import duration, moment
from medomicslab_nb.study import Study
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, plain_table
from medomicslab_nb.views.record_view import report_link


class RunBrowser:
    """Every run of a study, newest first, read anew each time it is shown. It starts and changes nothing."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def rows(self) -> list[list[str]]:
        """Stage, start, duration, status, stale mark and run id as text."""
        return [_row(record) for record in reversed(self.study.runs)]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        columns = [text("stage"), text("started"), "", text("status"), "", text("run")]
        rows = self.rows()
        if not rows:
            return {"text/html": escape(text("no_runs")), "text/plain": text("no_runs")}
        head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in columns)
        body = "".join(_markup(row, record) for row, record in zip(rows, reversed(self.study.runs), strict=False))
        return {"text/html": f"{heading(text('runs'))}<table><thead><tr>{head}<th></th></tr></thead>"
                             f"<tbody>{body}</tbody></table>", "text/plain": plain_table(columns, rows)}


def _row(record: RunRecord) -> list[str]:
    stale = record.stale if record.status == "completed" else ()
    return [record.stage, moment(record.started), duration(record.started, record.finished or ""), record.status,
            text("stale", inputs=", ".join(stale)) if stale else "", record.id]


def _markup(row: list[str], record: RunRecord) -> str:
    cells = "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row)
    return f'<tr>{cells}<td style="text-align:left">{report_link(record)}</td></tr>'

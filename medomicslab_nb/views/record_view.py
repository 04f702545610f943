"""How a run record shows itself in a notebook: a summary, its headline numbers, its warnings, a link to its report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import evidence
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, fault, heading, muted, plain_table, table, warned

Bundle = dict[str, Any]


def mimebundle(record: RunRecord) -> Bundle:
    """``text/html`` and ``text/plain`` of a run; no patient identifiers, no widgets."""
    content = evidence(record)
    title = f"{content['title']}: {content['status']}"
    columns, rows, strong = headline_table(content["headline"], content["level"])
    lines = [title, content["summary"], *([content["error"]] if content["error"] else []),
             *([plain_table(columns, rows)] if rows else []), *(f"! {one}" for one in content["warnings"])]
    parts = [f'<p style="margin:4px 0"><b>{escape(title)}</b> {muted(record.id)}</p>',
             f'<p style="margin:4px 0">{escape(content["summary"])}</p>',
             f"<p>{fault(content['error'])}</p>" if content["error"] else "",
             table(columns, rows, strong=strong) if rows else "",
             warned(text("warnings"), [*content["warnings"], *_stale(content["stale"])]), report_link(record)]
    return {"text/html": "".join(parts), "text/plain": "\n".join(lines)}


def headline_table(headline: list[dict[str, Any]], level: str) -> tuple[list[str], list[list[str]], list[bool]]:
    """The headline numbers as column names, rows, and which rows belong to the default."""
    if not headline:
        return [], [], []
    columns = [text("predictors"), text("learner"), headline[0]["metric"], f"{level} {text('interval')}",
               text("patients"), text("events")]
    rows = [[line["blocks"], line["learner"], line["estimate"], f"{line['lower']} - {line['upper']}", line["n"],
             line["events"]] for line in headline]
    return columns, rows, [line["default"] for line in headline]


def sentences(title: str, said: Sequence[str]) -> list[Bundle]:
    """Sentences under a heading; nothing when there are none."""
    listed = "".join(f"<li>{escape(one)}</li>" for one in said)
    return [{"text/html": f"{heading(title)}<ul>{listed}</ul>", "text/plain": "\n".join(said)}] if said else []


def _stale(inputs: list[str]) -> list[str]:
    return [text("stale", inputs=", ".join(inputs))] if inputs else []


def report_link(record: RunRecord) -> str:
    """A link to the run's report that works from the notebook's folder; nothing when there is no report yet."""
    path = record.path / "report.html"
    if not path.exists():
        return ""
    link = Path(os.path.relpath(path)).as_posix()
    return f'<p style="margin:4px 0"><a href="{escape(link)}" target="_blank">{escape(text("report"))}</a> ' \
           f"{muted(link)}</p>"


def figure_bundle(figure: Any, title: str, numbers: str) -> Bundle:
    """A plotly figure as its mimetype (no plotly.js inside), with its numbers for whoever cannot draw it."""
    import json

    above = figure.layout.margin.t or 0
    figure.update_layout(title={"text": title, "x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top",
                                "pad": {"t": 8}, "font": {"size": 15}},
                         margin={"t": above + 34}, height=(figure.layout.height or 450) + 34)
    return {"application/vnd.plotly.v1+json": json.loads(figure.to_json()),
            "text/html": f"{heading(title)}{numbers}", "text/plain": title}

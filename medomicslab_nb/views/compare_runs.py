"""Models runs of a study side by side: a table with a forest plot, and two of them against each other."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.models.compare_runs import compare_runs
from medomicslab_nb.protect import scrub, scrub_all
from medomicslab_nb.report.wording import interval, metric_name, moment, number
from medomicslab_nb.study import Study
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, table
from medomicslab_nb.views.run_rows import two_runs

_WIDTH, _HEIGHT = 220, 18  # of a row of the forest plot, pixels
_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"
_CAUTION = "border-left:4px solid #e69f00;padding-left:10px;margin:6px 0"


class RunComparison:
    """The comparison as a widget: folded until somebody opens it, read anew by :meth:`refresh`."""

    def __init__(self, study: Study) -> None:
        import ipywidgets

        self.study = study
        self._table, self._pair = ipywidgets.HTML(), ipywidgets.HTML()
        self.first, self.second = (ipywidgets.Dropdown(description=text(key), style={"description_width": "initial"},
                                                       layout={"width": "max-content"})
                                   for key in ("compare_first", "compare_second"))
        inside = ipywidgets.VBox([self._table, ipywidgets.HBox([self.first, self.second],
                                                               layout={"flex_flow": "row wrap"}), self._pair])
        self.widget = ipywidgets.Accordion([inside], selected_index=None)
        for chooser in (self.first, self.second):
            chooser.observe(lambda _: self._show_pair(), "value")
        self.refresh()

    def refresh(self) -> None:
        """Read the completed runs of the stage again."""
        found = compare_runs(self.study)
        self.widget.layout.display = "" if len(found) else "none"
        self.widget.titles = (text("compare_title", n=len(found)),)
        self._table.value = comparison_html(self.study, found)
        options = [(f"{moment(line.when)} · {line.blocks} · {line.learner} · …{line.run[-8:]}", line.run)
                   for line in found.itertuples()][::-1]
        for place, chooser in enumerate((self.second, self.first)):
            before = chooser.value
            chooser.options = options
            if options:
                known = {run for _, run in options}
                chooser.value = before if before in known else options[min(place, len(options) - 1)][1]
        self._show_pair()

    def _show_pair(self) -> None:
        if self.first.value is None or self.second.value is None or self.first.value == self.second.value:
            self._pair.value = escape(text("compare_nothing")) if len(self.first.options) > 1 else ""
            return
        try:
            self._pair.value = pair_html(self.study, self.first.value, self.second.value)
        except MedomicsError as error:
            self._pair.value = escape(scrub(str(error), self.study.identifiers()))


def pair_html(study: Study, one: str, other: str) -> str:
    """Two runs: paired difference, settings in which they differ, numbers."""
    found = two_runs(study.run(one), study.run(other))
    first, second = found["ids"]
    settings = table([text("runs_setting"), first, second], found["settings"]) if found["settings"] \
        else escape(text("runs_same_settings"))
    return "".join([*(f"<p>{escape(line)}</p>" for line in found["paired"]), heading(text("runs_settings_differ")),
                    settings, heading(text("runs_metrics")),
                    table([text("runs_metric"), first, second], found["metrics"])])


def comparison_html(study: Study, found: pd.DataFrame | None = None) -> str:
    """Every completed models run, newest first, with its estimate and interval on one scale; empty without runs."""
    found = compare_runs(study) if found is None else found
    if found.empty:
        return ""
    columns = [text(f"compare_{name}") for name in ("started", "outcome")] + [
        text("predictors"), text("learner"), text("patients"), text("compare_estimate"), text("compare_forest"),
        text("compare_settings"), text("compare_note")]
    head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in columns)
    scales = {metric: _scale(part) for metric, part in found.groupby("metric")}
    lines = scrub_all(found.to_dict("records"), study.identifiers())
    rows = "".join(_row(line, scales.get(line["metric"], (0.0, 1.0))) for line in reversed(lines))
    caution = f'<p style="{_CAUTION}">{escape(text("compare_caution"))}</p>' if len(found) > 1 else ""
    return f'<table style="border-collapse:collapse;font-size:13px"><thead><tr>{head}</tr></thead><tbody>{rows}' \
           f"</tbody></table>{caution}"


def _scale(part: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis that all runs of one measure share."""
    known = part[["estimate", "lower", "upper"]].to_numpy(float)
    known = known[~pd.isna(known)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def _row(line: dict[Any, Any], scale: tuple[float, float]) -> str:
    limits = interval(line["lower"], line["upper"])
    metric = metric_name(str(line["metric"]))
    estimate = f"{metric} {number(line['estimate'])}{f' ({limits})' if limits else ''}"
    notes = [text("compare_replay", run=line["replays"]) if line["replays"] else "",
             text("compare_stale", inputs=line["stale"]) if line["stale"] else ""]
    cells = [escape(moment(line["when"])), escape(line["outcome"]), escape(line["blocks"]), escape(line["learner"]),
             escape(number(line["n"])), escape(estimate), forest_row(line, scale), escape(line["settings"]),
             escape(" · ".join(filter(None, notes)))]
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def forest_row(line: dict[Any, Any], scale: tuple[float, float]) -> str:
    """Estimate and interval as a picture, in the colour of the text; nothing without an estimate."""
    if pd.isna(line["estimate"]):
        return ""
    low, high = scale
    place = {name: 8 + (_WIDTH - 16) * (float(line[name]) - low) / ((high - low) or 1.0)
             for name in ("estimate", "lower", "upper") if not pd.isna(line[name])}
    middle = _HEIGHT / 2
    bar = f'<line x1="{place["lower"]:.1f}" x2="{place["upper"]:.1f}" y1="{middle}" y2="{middle}" ' \
          'stroke="currentColor" stroke-width="1.5"/>' if {"lower", "upper"} <= set(place) else ""
    label = text("compare_forest_label", metric=metric_name(str(line["metric"])), estimate=number(line["estimate"]),
                 limits=interval(line["lower"], line["upper"]))
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{escape(label)}">{bar}' \
           f'<rect x="{place["estimate"] - 4:.1f}" y="{middle - 4}" width="8" height="8" fill="currentColor"/></svg>'

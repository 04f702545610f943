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

_WIDTH, _HEIGHT = 160, 18  # of a row of the forest plot, pixels
_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"
_TABLE = "border-collapse:collapse;font-size:13px;line-height:1.4"
_AS_WIDE_AS_ITS_PLACE = "width:0;min-width:100%"  # a wide table is scrolled and does not push the rest out of sight
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
        self._choice = ipywidgets.HBox([self.first, self.second], layout={"flex_flow": "row wrap"})
        inside = ipywidgets.VBox([self._table, self._choice, self._pair])
        self.widget = ipywidgets.Accordion([inside], selected_index=None)
        for chooser in (self.first, self.second):
            chooser.observe(lambda _: self._show_pair(), "value")
        self.refresh()

    def refresh(self) -> None:
        """Read the completed runs of the stage again."""
        found = compare_runs(self.study)
        self.widget.layout.display = "" if len(found) else "none"
        self.widget.titles = (text("compare_title", n=len(found)),)
        self._choice.layout.display = "" if len(found) > 1 else "none"
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
    scales = {metric: _scale(part) for metric, part in found.groupby("metric")}
    lines = scrub_all(found.to_dict("records"), study.identifiers())
    cells = [_cells(line, scales.get(line["metric"], (0.0, 1.0))) for line in reversed(lines)]
    shown = [name for name in cells[0] if any(row[name] for row in cells)]
    head = "".join(f'<th style="{_CELL}">{escape(text(name))}</th>' for name in shown)
    rows = "".join("<tr>" + "".join(f'<td style="{_CELL}">{row[name]}</td>' for name in shown) + "</tr>"
                   for row in cells)
    caution = f'<p style="{_CAUTION}">{escape(text("compare_caution"))}</p>' if len(found) > 1 else ""
    return f'<div style="{_AS_WIDE_AS_ITS_PLACE}"><div style="overflow-x:auto"><table style="{_TABLE}">' \
           f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{caution}</div>"


def _scale(part: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis that all runs of one measure share."""
    known = part[["estimate", "lower", "upper"]].to_numpy(float)
    known = known[~pd.isna(known)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def _cells(line: dict[Any, Any], scale: tuple[float, float]) -> dict[str, str]:
    """The cells of a run as markup, by the key of the column's name."""
    limits = interval(line["lower"], line["upper"])
    estimate = f"{metric_name(str(line['metric']))} {number(line['estimate'])}{f' ({limits})' if limits else ''}"
    notes = [text("compare_replay", run=line["replays"]) if line["replays"] else "",
             text("compare_stale", inputs=line["stale"]) if line["stale"] else ""]
    whole = {name: f'<span style="white-space:nowrap">{escape(cell)}</span>'
             for name, cell in (("compare_started", moment(line["when"])), ("compare_estimate", estimate))}
    texts = {"compare_outcome": line["outcome"], "predictors": line["blocks"], "learner": line["learner"],
             "patients": number(line["n"]), "compare_settings": line["settings"],
             "compare_note": " · ".join(filter(None, notes))}
    return {**whole, "compare_forest": forest_row(line, scale),
            **{name: escape(cell) for name, cell in texts.items()}}


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

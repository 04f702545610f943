"""Figures of how well the models of a run predict, each from one published table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medomicslab_nb.report.forest import (
    beside,
    estimate,
    forest,
    grouped_places,
    vertical,
    whiskers,
    with_labels,
    written,
)
from medomicslab_nb.report.rows import headline_rows
from medomicslab_nb.report.style import COLOURS, INK, MUTED, axes, band, colour_of, dash_of, faded, figure, plain
from medomicslab_nb.report.wording import interval, metric_name, missing, number

_CHANCE = {"auc": 0.5, "auc_ovr": 0.5, "c_index": 0.5, "r2": 0.0}
_COLUMNS = 3  # small multiples beside each other


def performance(table: pd.DataFrame) -> go.Figure | None:
    """Forest plot: estimate and interval per block set and learner; the default learner is a filled diamond."""
    table = headline_rows(table)
    table = table[table["estimate"].notna()]
    if table.empty:
        return None
    metric, blocks = str(table["metric"].iloc[0]), list(dict.fromkeys(table["blocks"]))
    places = grouped_places(table["blocks"].tolist())
    drawn = forest(places[-1])
    for place, line in zip(places, table.itertuples(), strict=True):
        drawn.add_trace(estimate(line, place, colour_of(line.blocks, blocks), filled=bool(line.default)))
        text = written(line)
        beside(drawn, place, f"<b>{text}</b>" if line.default else text)
    vertical(drawn, _CHANCE.get(metric), "chance")
    drawn.update_xaxes(title_text=metric_name(metric))
    return with_labels(drawn, places, [
        f"{plain(b)} · {plain(str(learner).partition(':')[0])}"
        for b, learner in zip(table["blocks"], table["learner"], strict=True)])


def subgroups(table: pd.DataFrame, whole: pd.DataFrame) -> go.Figure | None:
    """Forest plot of all patients and of each group of patients, with their numbers; hidden groups keep their line.

    Parameters
    ----------
    table : DataFrame
        ``subgroups``, of one set of blocks.
    whole : DataFrame
        The row of all patients, with estimate, lower, upper, n and events; may be empty.
    """
    if table.empty:
        return None
    lines = [(0.0, "all patients", line) for line in whole.head(1).itertuples()]
    here = 1.5 if lines else 0.0
    for name, groups in table.groupby("subgroup", sort=False):
        for line in groups.itertuples():
            lines.append((here, f"{plain(name)}: {plain(line.group)}", line))
            here += 1
        here += 0.5
    drawn = forest(lines[-1][0], right=300)
    for place, label, line in lines:
        beside(drawn, place, _with_counts(line))
        if not missing(line.estimate):
            first = label == "all patients"
            drawn.add_trace(estimate(line, place, INK if first else COLOURS[0], filled=first))
    for line in whole.head(1).itertuples():
        vertical(drawn, float(line.estimate), "all")
    metric = str(table["metric"].iloc[0])
    drawn.update_xaxes(title_text=metric_name(metric))
    return with_labels(drawn, [place for place, _, _ in lines], [label for _, label, _ in lines])


def _with_counts(line: Any) -> str:
    """``0.721 (0.570 to 0.853), n = 50, 21 events``."""
    counts = [f"n = {number(line.n)}" if not missing(line.n) else "n hidden"]
    counts += [f"{number(line.events)} events"] if not missing(line.events) else []
    note = str(getattr(line, "note", ""))
    value = note.partition(":")[0] if missing(line.estimate) else written(line)
    return ", ".join([value or "not defined", *counts])


def ablation(table: pd.DataFrame) -> go.Figure | None:
    """Difference of each block set to the reference block set, with its interval."""
    table = table[table["difference"].notna() & (table["blocks"] != table["reference"])]
    if table.empty:
        return None
    drawn = forest(len(table) - 1)
    for place, line in enumerate(table.itertuples()):
        drawn.add_trace(go.Scatter(
            x=[line.difference], y=[place], mode="markers", marker={"symbol": "diamond", "size": 11, "color": INK},
            error_x=whiskers(line.difference, line.difference_lower, line.difference_upper, INK),
            hovertemplate="%{x:.3f}<extra></extra>", showlegend=False))
        beside(drawn, place,
                f"{line.difference:+.3f} ({interval(line.difference_lower, line.difference_upper)})")
    vertical(drawn, 0.0, "no difference")
    drawn.update_xaxes(title_text=f"difference to {plain(table['reference'].iloc[0])} alone")
    return with_labels(drawn, list(range(len(table))), [plain(b) for b in table["blocks"]])


def roc(table: pd.DataFrame) -> go.Figure | None:
    """ROC curve per block set, with its band; rows of one learner."""
    if table.empty:
        return None
    blocks = list(dict.fromkeys(table["blocks"]))
    drawn = figure(460)
    drawn.add_trace(_diagonal(1.0))
    for name, curve in table.groupby("blocks", sort=False):
        colour = colour_of(name, blocks)
        if curve["lower"].notna().any():
            band(drawn, curve["fpr"], curve["lower"], curve["upper"], colour)
        drawn.add_trace(go.Scatter(x=curve["fpr"], y=curve["tpr"], mode="lines", name=plain(name),
                                   line={"color": colour, "width": 2.2, "dash": dash_of(name, blocks)}))
    drawn.update_xaxes(title_text="1 - specificity (false positive rate)", range=[-0.01, 1.01], constrain="domain")
    drawn.update_yaxes(title_text="sensitivity (true positive rate)", range=[-0.01, 1.01], scaleanchor="x")
    return axes(drawn)


def _diagonal(top: float) -> go.Scatter:
    return go.Scatter(x=[0, top], y=[0, top], mode="lines", line={"color": MUTED, "dash": "dot", "width": 1},
                      hoverinfo="skip", showlegend=False)


def calibration(table: pd.DataFrame, when: str = "") -> go.Figure | None:
    """Predicted against observed risk per bin, of several classes one panel each; rows of one learner.

    Parameters
    ----------
    when : str
        `` by 304 days`` for survival.
    """
    if table.empty:
        return None
    table = table if "class" in table.columns else table.assign(**{"class": ""})
    classes, blocks = list(dict.fromkeys(table["class"])), list(dict.fromkeys(table["blocks"]))
    drawn = _panels([plain(name) if name else "" for name in classes], height=460 if len(classes) == 1 else 330)
    known = np.nanmax(table[["predicted", "observed", "upper"]].to_numpy(float))
    top, right = min(1.0, 1.08 * float(known)), min(1.0, 1.15 * float(table["predicted"].max()))
    for place, group in enumerate(classes):
        where = _where(place)
        drawn.add_trace(_diagonal(top), **where)
        for name, bins in table[table["class"] == group].groupby("blocks", sort=False):
            drawn.add_trace(_bins(bins, str(name), blocks, in_legend=place == 0), **where)
    axes(drawn)
    drawn.update_xaxes(range=[0, right], title_text=f"predicted risk{when}, mean of the bin" if len(classes) == 1
                       else "predicted probability")
    drawn.update_yaxes(range=[0, top])
    return drawn.update_yaxes(title_text=f"observed risk{when}" if len(classes) == 1 else "observed share", col=1)


def _bins(bins: pd.DataFrame, name: str, blocks: Sequence[str], *, in_legend: bool) -> go.Scatter:
    colour = colour_of(name, blocks)
    # Predictions are bunched when events are few: the axis ends where they do.
    return go.Scatter(
        x=bins["predicted"], y=bins["observed"], mode="lines+markers", name=plain(name), marker={"size": 8},
        line={"color": colour, "width": 1.6, "dash": dash_of(name, blocks)}, text=[f"n = {n}" for n in bins["n"]],
        legendgroup=name, showlegend=in_legend,
        error_y={"type": "data", "symmetric": False, "array": bins["upper"] - bins["observed"], "thickness": 1.2,
                 "arrayminus": bins["observed"] - bins["lower"], "color": faded(colour, 0.6), "width": 4})


def _panels(titles: Sequence[str], height: int) -> go.Figure:
    """Small multiples with common axes, at most three beside each other."""
    rows = -(-len(titles) // _COLUMNS)
    total = 90 + rows * (height - 60)
    drawn = figure(total, legend={"y": 1 + 34 / total} if any(titles) else {}, margin={
        "l": 70, "r": 24, "t": 64 if any(titles) else 30, "b": 56})
    return make_subplots(rows=rows, cols=min(len(titles), _COLUMNS), subplot_titles=titles, figure=drawn,
                         shared_yaxes="all", horizontal_spacing=0.06, vertical_spacing=0.35 / rows)


def _where(place: int) -> dict[str, int]:
    return {"row": place // _COLUMNS + 1, "col": place % _COLUMNS + 1}


def decision(table: pd.DataFrame, when: str = "") -> go.Figure | None:
    """Net benefit against the threshold of risk: of each model, of treating everybody, of treating nobody."""
    if table.empty or table["net_benefit"].notna().sum() == 0:
        return None
    blocks = list(dict.fromkeys(table["blocks"]))
    everybody = table[(table["strategy"] == "treat all") & (table["blocks"] == blocks[0])]
    drawn = figure(440)
    for name in blocks:
        curve, colour = table[(table["strategy"] == "model") & (table["blocks"] == name)], colour_of(name, blocks)
        known = curve[curve["lower"].notna() & curve["upper"].notna()]
        if len(known):
            band(drawn, known["threshold"], known["lower"], known["upper"], colour)
        drawn.add_trace(go.Scatter(x=curve["threshold"], y=curve["net_benefit"], mode="lines", name=plain(name),
                                   line={"color": colour, "width": 2.2, "dash": dash_of(name, blocks)}))
    drawn.add_trace(go.Scatter(x=everybody["threshold"], y=everybody["net_benefit"], mode="lines", name="treat all",
                               line={"color": MUTED, "width": 1.4}))
    drawn.add_trace(go.Scatter(x=[0, 1], y=[0, 0], mode="lines", name="treat none",
                               line={"color": INK, "width": 1, "dash": "dot"}))
    top = 1.12 * float(max(table["net_benefit"].max(), table["upper"].max(), 0.02))
    # Above the highest predicted risk nobody would be treated: all curves are zero.
    treated = table[(table["strategy"] == "model") & (table[["net_benefit", "lower", "upper"]].abs() > 0).any(axis=1)]
    last = min(1.0, float(treated["threshold"].max()) + 0.05) if len(treated) else 1.0
    drawn.update_xaxes(title_text=f"threshold: risk{when} from which one would treat", range=[0, last])
    drawn.update_yaxes(title_text="net benefit", range=[-0.2 * top, top])
    return axes(drawn)


def decision_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """One row per threshold and set of blocks: net benefit of the model with its limits, and of treating everybody."""
    everybody = table[table["strategy"] == "treat all"][["blocks", "threshold", "net_benefit"]]
    own = table[table["strategy"] == "model"].drop(columns="strategy")
    return own.merge(everybody.rename(columns={"net_benefit": "treat_all"}), on=["blocks", "threshold"], how="left")

"""Figures of the models stage, each from one published table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medomicslab_nb.report.rows import default_learner, headline_rows
from medomicslab_nb.report.style import COLOURS, INK, MUTED, axes, band, colour_of, dash_of, faded, figure, plain
from medomicslab_nb.report.wording import interval, metric_name, number

_CHANCE = {"auc": 0.5, "c_index": 0.5}
_GROUP_DASHES = ("solid", "dash", "dot", "dashdot")
_TICKS = 6


def performance(table: pd.DataFrame) -> go.Figure | None:
    """Forest plot: estimate and interval per block set and learner; the default learner is a filled diamond."""
    table = headline_rows(table)
    if table.empty:
        return None
    metric, blocks = str(table["metric"].iloc[0]), list(dict.fromkeys(table["blocks"]))
    places = _grouped_places(table["blocks"].tolist())
    drawn = figure(110 + int(30 * (places[-1] + 1)), showlegend=False, margin={"l": 70, "r": 185, "t": 34, "b": 56})
    for place, line in zip(places, table.itertuples(), strict=True):
        drawn.add_trace(_estimate(line, place, colour_of(line.blocks, blocks), filled=bool(line.default)))
        text = f"{number(line.estimate)} ({interval(line.lower, line.upper)})"
        drawn.add_annotation(x=1.01, xref="paper", xanchor="left", y=place, text=f"<b>{text}</b>" if line.default
                             else text, showarrow=False, font={"size": 12})
    _chance_line(drawn, _CHANCE.get(metric))
    drawn.update_xaxes(title_text=metric_name(metric))
    axes(drawn)
    return drawn.update_yaxes(tickvals=places, range=[places[-1] + 0.7, -0.7], showgrid=False, ticktext=[
        f"{plain(b)} · {plain(learner)}" for b, learner in zip(table["blocks"], table["learner"], strict=True)])


def _grouped_places(groups: Sequence[str]) -> list[float]:
    """A place per row, with half a row between groups."""
    places, here = [], 0.0
    for row, group in enumerate(groups):
        here += 0 if row == 0 else 1 if group == groups[row - 1] else 1.5
        places.append(here)
    return places


def _estimate(line: Any, place: float, colour: str, *, filled: bool) -> go.Scatter:
    symbol = "diamond" if filled else "circle-open"
    return go.Scatter(
        x=[line.estimate], y=[place], mode="markers", marker={"symbol": symbol, "size": 12, "color": colour},
        error_x={"type": "data", "symmetric": False, "array": [line.upper - line.estimate], "thickness": 1.6,
                 "arrayminus": [line.estimate - line.lower], "color": colour, "width": 5},
        hovertemplate=f"{plain(line.blocks)}<br>{number(line.estimate)} ({interval(line.lower, line.upper)})"
                      "<extra></extra>")


def _chance_line(drawn: go.Figure, value: float | None, label: str = "chance") -> None:
    if value is not None:
        drawn.add_vline(x=value, line={"color": MUTED, "dash": "dot", "width": 1}, annotation_text=label,
                        annotation_position="top", annotation_font={"color": MUTED, "size": 11})


def roc(table: pd.DataFrame) -> go.Figure | None:
    """ROC curve of the default learner per block set, with its band."""
    table = default_learner(table)
    if table.empty:
        return None
    blocks = list(dict.fromkeys(table["blocks"]))
    drawn = figure(460)
    drawn.add_trace(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": MUTED, "dash": "dot", "width": 1},
                               hoverinfo="skip", showlegend=False))
    for name, curve in table.groupby("blocks", sort=False):
        colour = colour_of(name, blocks)
        if curve["lower"].notna().any():
            band(drawn, curve["fpr"], curve["lower"], curve["upper"], colour)
        drawn.add_trace(go.Scatter(x=curve["fpr"], y=curve["tpr"], mode="lines", name=plain(name),
                                   line={"color": colour, "width": 2.2, "dash": dash_of(name, blocks)}))
    drawn.update_xaxes(title_text="1 - specificity (false positive rate)", range=[-0.01, 1.01], constrain="domain")
    drawn.update_yaxes(title_text="sensitivity (true positive rate)", range=[-0.01, 1.01], scaleanchor="x")
    return axes(drawn)


def kaplan_meier(table: pd.DataFrame, time_unit: str = "") -> list[tuple[str, go.Figure]]:
    """Survival per group of predicted risk with band and number at risk: one figure per block set."""
    return [(str(name), _kaplan_meier(curves, time_unit)) for name, curves in table.groupby("blocks", sort=False)]


def _kaplan_meier(table: pd.DataFrame, time_unit: str) -> go.Figure:
    groups = list(dict.fromkeys(table["group"]))
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.16, row_heights=[0.8, 0.2],
                          figure=figure(430 + 20 * len(groups), margin={"l": 100, "r": 24, "t": 30, "b": 10}))
    ticks = nice_ticks(float(table["time"].max()))
    for row, (group, curve) in enumerate(table.groupby("group", sort=False)):
        colour = colour_of(group, groups)
        step = _steps(curve)
        band(drawn, step["time"], step["lower"], step["upper"], colour, row=1, col=1)
        drawn.add_trace(go.Scatter(x=curve["time"], y=curve["survival"], mode="lines", name=plain(group),
                                   line={"shape": "hv", "color": colour, "width": 2.2,
                                         "dash": _GROUP_DASHES[row % len(_GROUP_DASHES)]}), row=1, col=1)
        drawn.add_trace(go.Scatter(x=ticks, y=[row] * len(ticks), mode="text", hoverinfo="skip", showlegend=False,
                                   text=[str(at_risk(curve, tick)) for tick in ticks], cliponaxis=False,
                                   textfont={"color": colour}), row=2, col=1)
    axes(drawn)
    unit = f" ({plain(time_unit)})" if time_unit else ""
    drawn.update_xaxes(tickvals=ticks, range=[-0.02 * ticks[-1], max(float(table["time"].max()), ticks[-1]) * 1.03])
    drawn.update_xaxes(title_text=f"time{unit}", showticklabels=True, row=1, col=1)
    drawn.update_xaxes(showline=False, ticks="", showticklabels=False, showgrid=False, row=2, col=1)
    drawn.add_annotation(text="<b>at risk</b>", x=0, y=0.17, xref="paper", yref="paper", xanchor="right",
                         yanchor="bottom", xshift=-8, showarrow=False, font={"size": 12})
    drawn.update_yaxes(title_text="event-free", range=[0, 1.03], row=1, col=1)
    return drawn.update_yaxes(tickvals=list(range(len(groups))), ticktext=[plain(g) for g in groups], showline=False,
                              range=[len(groups) - 0.4, -0.6], ticks="", showgrid=False, title_text="",
                              row=2, col=1)


def _steps(curve: pd.DataFrame) -> pd.DataFrame:
    """The curve with both ends of every step, so that the band follows the steps; missing bounds become the curve."""
    filled = curve.assign(**{side: curve[side].fillna(curve["survival"]) for side in ("lower", "upper")})
    repeated = filled.loc[filled.index.repeat(2), ["time", "lower", "upper"]].reset_index(drop=True)
    repeated["time"] = repeated["time"].shift(-1)
    return repeated.iloc[:-1]


def at_risk(curve: pd.DataFrame, time: float) -> int:
    """Patients still under observation at ``time``: those counted at the next time of the curve."""
    later = curve.loc[curve["time"] >= time, "at_risk"]
    return int(later.iloc[0]) if len(later) else 0


def nice_ticks(largest: float, most: int = _TICKS) -> list[float]:
    """Round tick positions from 0 up to ``largest``, at most ``most`` steps."""
    if not largest > 0:
        return [0.0, 1.0]
    rough = largest / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [float(t) for t in np.arange(0, largest + step * 1e-6, step)]


def calibration(table: pd.DataFrame, time_unit: str = "") -> go.Figure | None:
    """Predicted against observed risk of the default learner per bin; the diagonal is perfect calibration."""
    table = default_learner(table)
    if table.empty:
        return None
    blocks = list(dict.fromkeys(table["blocks"]))
    drawn = figure(460)
    top = min(1.0, 1.08 * float(np.nanmax([table["predicted"].max(), table["observed"].max(), table["upper"].max()])))
    drawn.add_trace(go.Scatter(x=[0, top], y=[0, top], mode="lines", line={"color": MUTED, "dash": "dot", "width": 1},
                               hoverinfo="skip", showlegend=False))
    for name, bins in table.groupby("blocks", sort=False):
        colour = colour_of(name, blocks)
        drawn.add_trace(go.Scatter(
            x=bins["predicted"], y=bins["observed"], mode="lines+markers", name=plain(name), marker={"size": 8},
            line={"color": colour, "width": 1.6, "dash": dash_of(name, blocks)}, text=[f"n = {n}" for n in bins["n"]],
            error_y={"type": "data", "symmetric": False, "array": bins["upper"] - bins["observed"], "thickness": 1.2,
                     "arrayminus": bins["observed"] - bins["lower"], "color": faded(colour, 0.6), "width": 4}))
    right = min(1.0, 1.15 * float(table["predicted"].max()))  # predictions are bunched when events are few
    when = _horizon(table, time_unit)
    drawn.update_xaxes(title_text=f"predicted risk{when}, mean of the bin", range=[0, right])
    drawn.update_yaxes(title_text=f"observed risk{when}", range=[0, top])
    return axes(drawn)


def _horizon(table: pd.DataFrame, time_unit: str) -> str:
    """`` at 1206 days`` for survival, nothing for other outcomes."""
    known = table["horizon"].dropna() if "horizon" in table.columns else ()
    return f" at {number(float(known.iloc[0]))} {plain(time_unit)}".rstrip() if len(known) else ""


def explanation(importance: pd.DataFrame, shap: pd.DataFrame) -> list[tuple[str, go.Figure]]:
    """What drives the predictions: mean |SHAP| as bars and every SHAP value as a dot, one figure per block set."""
    return [(str(name), _explanation(ranked, shap[shap["blocks"] == name]))
            for name, ranked in importance.groupby("blocks", sort=False) if len(ranked)]


def _explanation(importance: pd.DataFrame, shap: pd.DataFrame) -> go.Figure:
    top = importance.sort_values("mean_abs_shap", ascending=False, kind="stable").head(20)
    block_names = list(dict.fromkeys(importance["block"]))
    drawn = make_subplots(rows=1, cols=2, shared_yaxes=True, column_widths=[0.36, 0.64], horizontal_spacing=0.04,
                          figure=figure(130 + 24 * len(top), bargap=0.3, showlegend=len(block_names) > 1))
    for block in block_names:
        here = [(place, line) for place, line in enumerate(top.itertuples()) if line.block == block]
        drawn.add_trace(go.Bar(y=[place for place, _ in here], x=[line.mean_abs_shap for _, line in here],
                               orientation="h", name=plain(block), marker_color=colour_of(block, block_names)),
                        row=1, col=1)
    _swarm(drawn, shap, top["feature"].tolist())
    axes(drawn)
    drawn.update_yaxes(tickvals=list(range(len(top))), ticktext=[plain(f, 32) for f in top["feature"]],
                       range=[len(top) - 0.4, -0.6], showgrid=False)
    drawn.update_xaxes(title_text="mean |SHAP|", row=1, col=1)
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1}, row=1, col=2)
    drawn.update_yaxes(showline=False, ticks="", row=1, col=2)
    return drawn.update_xaxes(title_text="SHAP value (right: raises the prediction)", row=1, col=2)


def _swarm(drawn: go.Figure, shap: pd.DataFrame, features: list[str]) -> None:
    """One dot per patient and feature, coloured by the feature's value among the patients."""
    rows = [shap[shap["feature"] == feature] for feature in features]
    places = [place + _spread(row["shap"].to_numpy(float)) for place, row in enumerate(rows)]
    scale = {"title": {"text": "value", "side": "top"}, "tickvals": [0, 1], "ticktext": ["low", "high"],
             "thickness": 10, "len": 0.6, "outlinewidth": 0}
    marker = {"size": 4.5, "color": [rank for row in rows for rank in _ranks(row["value"])], "cmin": 0, "cmax": 1,
              "colorscale": [[0, COLOURS[0]], [0.5, "#d0d0d0"], [1, COLOURS[1]]], "colorbar": scale, "showscale": True}
    drawn.add_trace(go.Scatter(x=np.concatenate([row["shap"].to_numpy(float) for row in rows]).round(6), mode="markers",
                               y=np.concatenate(places).round(4), marker=marker, showlegend=False,
                               hovertemplate="%{x:.3f}<extra></extra>"), row=1, col=2)


def _ranks(values: pd.Series) -> list[float]:
    """Values as ranks from 0 to 1, so that one outlier does not wash the colours out; missing ones in the middle."""
    if not pd.api.types.is_numeric_dtype(values):
        values = pd.Series(pd.factorize(values, sort=True)[0], index=values.index)
    ranks = values.rank(method="average")
    low, high = ranks.min(), ranks.max()
    return [0.5] * len(values) if not high > low else ((ranks - low) / (high - low)).fillna(0.5).round(3).tolist()


def _spread(values: np.ndarray, width: float = 0.36, bins: int = 60) -> np.ndarray:
    """Offsets that spread dots which share a place, alternating up and down; nothing is random."""
    if not len(values):
        return values
    span = np.ptp(values) or 1.0
    binned = np.round((values - values.min()) / span * bins).astype(int)
    offsets = np.zeros(len(values))
    largest = max(np.bincount(binned).max(), 2)
    for one in np.unique(binned):
        members = np.flatnonzero(binned == one)
        layer = (np.arange(len(members)) + 1) // 2
        offsets[members] = layer * np.where(np.arange(len(members)) % 2, 1, -1) * 2 * width / largest
    return np.clip(offsets, -width, width)


def ablation(table: pd.DataFrame) -> go.Figure | None:
    """Difference of each block set to the reference block set, with its interval."""
    table = table[table["difference"].notna() & (table["blocks"] != table["reference"])]
    if table.empty:
        return None
    drawn = figure(120 + 38 * len(table), showlegend=False, margin={"l": 70, "r": 185, "t": 34, "b": 56})
    for place, line in enumerate(table.itertuples()):
        drawn.add_trace(go.Scatter(
            x=[line.difference], y=[place], mode="markers", marker={"symbol": "diamond", "size": 11, "color": INK},
            error_x={"type": "data", "symmetric": False, "array": [line.difference_upper - line.difference],
                     "arrayminus": [line.difference - line.difference_lower], "color": INK, "width": 5,
                     "thickness": 1.6}, hovertemplate="%{x:.3f}<extra></extra>"))
        drawn.add_annotation(x=1.01, xref="paper", xanchor="left", y=place, showarrow=False, font={"size": 12},
                             text=f"{line.difference:+.3f} ({interval(line.difference_lower, line.difference_upper)})")
    _chance_line(drawn, 0.0, "no difference")
    drawn.update_xaxes(title_text=f"difference to {plain(table['reference'].iloc[0])} alone")
    axes(drawn)
    return drawn.update_yaxes(tickvals=list(range(len(table))), ticktext=[plain(b) for b in table["blocks"]],
                              range=[len(table) - 0.3, -0.7], showgrid=False)

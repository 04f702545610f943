"""Figures of the data stage, each from one published table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medomicslab_nb.report.style import COLOURS, GRID, INK, MUTED, axes, faded, figure, plain

_MOST_BARS = 30


def linkage(table: pd.DataFrame) -> go.Figure | None:
    """Who is in which table: a bar for every combination of tables (patients), dots below say which they are.

    Parameters
    ----------
    table : DataFrame
        ``linkage`` of the data stage: column ``tables``, one boolean column per table, column ``patients``.
    """
    table = table[table["patients"] > 0].sort_values("patients", ascending=False, kind="stable").head(_MOST_BARS)
    names = [name for name in table.columns if name not in ("tables", "patients")]
    if table.empty or not names:
        return None
    totals = {name: int(table.loc[table[name].astype(bool), "patients"].sum()) for name in names}
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.03, row_heights=[0.6, 0.4],
                          figure=figure(220 + 34 * len(names), showlegend=False, bargap=0.5,
                                        margin={"l": 70, "r": 24, "t": 24, "b": 10}))
    places = list(range(len(table)))
    drawn.add_trace(go.Bar(x=places, y=table["patients"], marker_color=COLOURS[0], text=table["patients"],
                           textposition="outside", cliponaxis=False, hovertext=[plain(t) for t in table["tables"]],
                           hoverinfo="text+y"), row=1, col=1)
    for row, name in enumerate(names):
        _dots(drawn, places, row, table[name].astype(bool).tolist())
    for place, (_, line) in zip(places, table.iterrows(), strict=True):
        inside = [row for row, name in enumerate(names) if line[name]]
        drawn.add_trace(go.Scatter(x=[place, place], y=[min(inside), max(inside)], mode="lines", hoverinfo="skip",
                                   line={"color": INK, "width": 2}), row=2, col=1)
    axes(drawn)
    drawn.update_yaxes(title_text="patients", rangemode="tozero", row=1, col=1)
    drawn.update_yaxes(tickvals=list(range(len(names))), showline=False, ticks="", range=[len(names) - 0.5, -0.5],
                       ticktext=[f"{plain(name)} ({totals[name]})" for name in names], row=2, col=1, showgrid=False)
    drawn.update_xaxes(showticklabels=False, ticks="", showgrid=False, range=[-0.7, max(len(table), 4) - 0.3])
    drawn.update_xaxes(showline=False, row=2, col=1)
    return drawn


def _dots(drawn: go.Figure, places: list[int], row: int, inside: list[bool]) -> None:
    drawn.add_trace(go.Scatter(x=places, y=[row] * len(places), mode="markers", hoverinfo="skip",
                               marker={"size": 13, "color": [INK if yes else GRID for yes in inside]}), row=2, col=1)


def missingness(dictionary: pd.DataFrame) -> go.Figure | None:
    """Percent of values missing, for the columns that miss most; None when nothing is missing."""
    table = dictionary[(dictionary["missing"] > 0) & (dictionary["n"] + dictionary["missing"] > 0)].copy()
    if table.empty:
        return None
    table["percent"] = missing_percent(table)
    table = table.sort_values(["percent", "table", "column"], ascending=[False, True, True]).head(_MOST_BARS)[::-1]
    drawn = figure(110 + 24 * len(table), bargap=0.35)
    drawn.add_trace(go.Bar(x=table["percent"], y=[f"{plain(c)} ({plain(t, 20)})" for t, c in
                                                  zip(table["table"], table["column"], strict=True)],
                           orientation="h", marker_color=COLOURS[0], cliponaxis=False,
                           text=[f"{p:.0f} %" if p >= 1 else f"{p:.1f} %" for p in table["percent"]],
                           textposition="outside"))
    drawn.update_xaxes(title_text="missing values (% of patients)", range=[0, max(10, table["percent"].max() * 1.12)])
    return axes(drawn).update_yaxes(showgrid=False)


def missing_percent(dictionary: pd.DataFrame) -> pd.Series:
    """Missing values in percent of all rows; ``n`` counts the rows of the table."""
    return 100 * dictionary["missing"] / dictionary["n"]


def flow(table: pd.DataFrame) -> go.Figure | None:
    """Cohort flow: one box per step with the patients that remain, the excluded to its right."""
    if table.empty:
        return None
    table = table.sort_values("step", kind="stable")
    drawn = figure(20 + 92 * len(table), margin={"l": 10, "r": 10, "t": 10, "b": 10})
    drawn.update_xaxes(visible=False, range=[0, 10], fixedrange=True)
    drawn.update_yaxes(visible=False, range=[len(table) - 0.3, -0.5], fixedrange=True)
    before = 0
    for row, line in enumerate(table.itertuples()):
        label = "" if line.label == "" else f"{plain(line.label, 60)}<br>"
        _box(drawn, 0.2, 5.6, row, f"{label}<b>{int(line.patients)}</b> patients", faded(COLOURS[0], 0.12))
        if row:
            _arrow(drawn, (2.9, before + 0.3), (2.9, row - 0.3))
        if line.excluded and line.excluded == line.excluded and row:
            _arrow(drawn, (2.9, row - 0.5), (6.2, row - 0.5))
            _box(drawn, 6.2, 9.8, row - 0.5, f"excluded: <b>{int(line.excluded)}</b>", "#f6f8fa", half=0.18)
        before = row
    drawn.add_trace(go.Scatter(x=[5], y=[0], mode="markers", marker={"opacity": 0}, hoverinfo="skip",
                               showlegend=False))
    return drawn


def _box(drawn: go.Figure, left: float, right: float, y: float, text: str, fill: str, half: float = 0.3) -> None:
    drawn.add_shape(type="rect", x0=left, x1=right, y0=y - half, y1=y + half, fillcolor=fill,
                    line={"color": MUTED, "width": 1})
    drawn.add_annotation(x=(left + right) / 2, y=y, text=text, showarrow=False)


def _arrow(drawn: go.Figure, start: tuple[float, float], end: tuple[float, float]) -> None:
    drawn.add_annotation(x=end[0], y=end[1], ax=start[0], ay=start[1], xref="x", yref="y", axref="x", ayref="y",
                         showarrow=True, arrowhead=2, arrowwidth=1.2, arrowcolor=MUTED, text="")


def outcomes(table: pd.DataFrame) -> go.Figure | None:
    """Events and no events per binary or survival endpoint, in patients."""
    table = table[table["kind"].isin(["binary", "survival"])][::-1]
    if table.empty:
        return None
    names = [plain(name) for name in table["endpoint"]]
    without = table["n"] - table["events"]
    drawn = figure(120 + 46 * len(table), barmode="stack", bargap=0.4)
    for label, counts, colour in (("event", table["events"], COLOURS[1]), ("no event", without, COLOURS[4])):
        shares = [f"{n} ({100 * n / all_:.0f} %)" if all_ else "0"
                  for n, all_ in zip(counts.astype(int), table["n"], strict=True)]
        drawn.add_trace(go.Bar(y=names, x=counts, orientation="h", name=label, marker_color=colour, text=shares,
                               textposition="inside", insidetextanchor="middle", textfont={"color": "black"}))
    drawn.update_xaxes(title_text="patients")
    return axes(drawn).update_yaxes(showgrid=False)

"""Curves over follow-up by group of predicted risk, with the patients at risk below them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medomicslab_nb.report.style import axes, band, colour_of, figure, plain

_GROUP_DASHES = ("solid", "dash", "dot", "dashdot")
_TICKS = 6


def kaplan_meier(table: pd.DataFrame, time_unit: str = "") -> list[tuple[str, go.Figure]]:
    """Survival per group of predicted risk with band and number at risk: one figure per block set."""
    return [(str(name), _curves(curves, "survival", "event-free", time_unit))
            for name, curves in table.groupby("blocks", sort=False)]


def cumulative_incidence(table: pd.DataFrame, time_unit: str = "") -> list[tuple[str, go.Figure]]:
    """Cumulative incidence of the event per group of predicted risk, beside competing events."""
    return [(str(name), _curves(_from_zero(curves), "incidence", "cumulative incidence", time_unit))
            for name, curves in table.groupby("blocks", sort=False)]


def _from_zero(table: pd.DataFrame) -> pd.DataFrame:
    """The curves with their beginning: nobody has had the event at time 0."""
    first = table.drop_duplicates("group")
    first = first[first["time"] > 0].assign(time=0.0, incidence=0.0, lower=0.0, upper=0.0, events=0)
    return pd.concat([first, table]).sort_values("time", kind="stable")


def _curves(table: pd.DataFrame, value: str, title: str, time_unit: str) -> go.Figure:
    groups = list(dict.fromkeys(table["group"]))
    drawn = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.16, row_heights=[0.8, 0.2],
                          figure=figure(430 + 20 * len(groups), margin={"l": 100, "r": 24, "t": 30, "b": 10}))
    ticks = nice_ticks(float(table["time"].max()))
    for row, group in enumerate(groups):
        curve, colour = table[table["group"] == group], colour_of(group, groups)
        step = _steps(curve, value)
        band(drawn, step["time"], step["lower"], step["upper"], colour, row=1, col=1)
        drawn.add_trace(go.Scatter(x=curve["time"], y=curve[value], mode="lines", name=plain(group),
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
    drawn.update_yaxes(title_text=title, range=[0, 1.03], row=1, col=1)
    return drawn.update_yaxes(tickvals=list(range(len(groups))), ticktext=[plain(g) for g in groups], showline=False,
                              range=[len(groups) - 0.4, -0.6], ticks="", showgrid=False, title_text="",
                              row=2, col=1)


def _steps(curve: pd.DataFrame, value: str) -> pd.DataFrame:
    """The curve with both ends of every step, so that the band follows the steps; missing bounds become the curve."""
    filled = curve.assign(**{side: curve[side].fillna(curve[value]) for side in ("lower", "upper")})
    repeated = filled.iloc[np.repeat(np.arange(len(filled)), 2)][["time", "lower", "upper"]].reset_index(drop=True)
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

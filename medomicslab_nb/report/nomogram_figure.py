"""The nomogram of a linear model, drawn from its two published tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from medomicslab_nb.report.style import GRID, INK, MUTED, figure, plain
from medomicslab_nb.report.survival_figures import nice_ticks

_ROW = 46  # pixels of a line
_RISKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_PER_CHARACTER = 1.15  # width of a character in the units of the points' axis, about
_VALUES = ("probability", "prediction", "risk")


def nomogram(points: pd.DataFrame, risk: pd.DataFrame, meaning: str) -> go.Figure | None:
    """A scale of points, one line per predictor, the total of points and what is predicted for it.

    Parameters
    ----------
    points : DataFrame
        ``nomogram_points``: feature, value, category, points, n.
    risk : DataFrame
        ``nomogram_risk``: total_points and probability, prediction, or risk (of one time).
    meaning : str
        What is predicted, as the last line is called.
    """
    if points.empty or risk.empty:
        return None
    features = drawn_features(points)
    shown = points[(points["category"] != "missing") | (points["n"] > 0)]
    labels = ["points", *(plain(name, 30) for name in features), "total points", plain(meaning, 30)]
    drawn = figure(60 + _ROW * len(labels), showlegend=False, margin={"l": 70, "r": 30, "t": 16, "b": 16})
    _line(drawn, 0, [float(tick) for tick in range(0, 101, 10)], [str(tick) for tick in range(0, 101, 10)])
    for row, name in enumerate(features, start=1):
        own = shown[shown["feature"] == name].sort_values("points", kind="stable")
        _line(drawn, row, own["points"].tolist(), [_value(line.value, line.category) for line in own.itertuples()])
    most = float(risk["total_points"].max())
    totals = nice_ticks(most, most=10)
    _line(drawn, len(labels) - 2, [tick / most * 100 for tick in totals], [f"{tick:g}" for tick in totals])
    places, written = _risk_ticks(risk)
    _line(drawn, len(labels) - 1, [place / most * 100 for place in places], written)
    drawn.update_xaxes(range=[-3, 103], visible=False, fixedrange=True)
    return drawn.update_yaxes(tickvals=list(range(len(labels))), ticktext=labels, range=[len(labels) - 0.4, -0.7],
                              showgrid=True, gridcolor=GRID, zeroline=False, showline=False, ticks="", automargin=True,
                              fixedrange=True)


def drawn_features(points: pd.DataFrame) -> list[str]:
    """Predictors that are worth a point or more, most points first."""
    largest = points.groupby("feature", sort=False)["points"].max().sort_values(ascending=False, kind="stable")
    return [str(name) for name in largest.index[largest >= 1]]


def _value(value: float, category: str) -> str:
    return plain(category, 16) if category else f"{value:g}"


def _line(drawn: go.Figure, row: int, places: Sequence[float], labels: Sequence[str]) -> None:
    """A horizontal scale: ticks at ``places`` with their labels, those above the line that would collide below it."""
    drawn.add_trace(go.Scatter(x=[min(places), max(places)], y=[row, row], mode="lines", hoverinfo="skip",
                               line={"color": INK, "width": 1.4}))
    drawn.add_trace(go.Scatter(x=list(places), y=[row] * len(places), mode="markers", hoverinfo="text",
                               hovertext=list(labels), marker={"symbol": "line-ns-open", "size": 8, "color": INK}))
    for place, label, side in arranged(places, labels):
        drawn.add_annotation(x=place, y=row, text=label, showarrow=False, yshift=13 if side == "above" else -13,
                             font={"size": 11, "color": INK if side == "above" else MUTED})


def arranged(places: Sequence[float], labels: Sequence[str]) -> list[tuple[float, str, str]]:
    """Which labels stand above and which below their line so that none covers another; others are left out."""
    free = {"above": -np.inf, "below": -np.inf}
    found = []
    for place, label in sorted(zip(places, labels, strict=True)):
        half = (len(label) + 1) * _PER_CHARACTER / 2
        side = next((side for side, end in free.items() if place - half >= end), None)
        if side is not None:
            free[side] = place + half
            found.append((place, label, side))
    return found


def _risk_ticks(risk: pd.DataFrame) -> tuple[list[float], list[str]]:
    """Total points at round risks, or at round predicted values."""
    name = next(column for column in _VALUES if column in risk.columns)
    values, totals = risk[name].to_numpy(float), risk["total_points"].to_numpy(float)
    low, high = float(np.min(values)), float(np.max(values))
    if name == "prediction":
        step = nice_ticks(high - low, most=8)[1] if high > low else 1.0
        wanted = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
        written = [f"{value:g}" for value in np.round(wanted, 9)]
    else:
        wanted = np.array([value for value in _RISKS if low <= value <= high])
        written = [f"{value:.0%}" for value in wanted]
    if not len(wanted):
        wanted, written = np.array([low, high]), [f"{low:.3g}", f"{high:.3g}"]
    order = np.argsort(values, kind="stable")
    return [float(np.interp(value, values[order], totals[order])) for value in wanted], written

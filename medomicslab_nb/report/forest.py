"""Forest plots: an estimate with its interval on each line, and its numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from medomicslab_nb.report.style import MUTED, axes, figure
from medomicslab_nb.report.wording import interval, missing, number


def forest(last: float, right: int = 185) -> go.Figure:
    """An empty forest plot with places from 0 to ``last``; ``right`` pixels are kept for the numbers."""
    return figure(110 + int(30 * (last + 1)), showlegend=False, margin={"l": 70, "r": right, "t": 34, "b": 56})


def with_labels(drawn: go.Figure, places: Sequence[float], labels: Sequence[str]) -> go.Figure:
    """The plot with a label at each place, the first one on top."""
    axes(drawn)
    return drawn.update_yaxes(tickvals=list(places), ticktext=list(labels), range=[places[-1] + 0.7, -0.7],
                              showgrid=False)


def grouped_places(groups: Sequence[str]) -> list[float]:
    """A place per row, with half a row between groups."""
    places, here = [], 0.0
    for row, group in enumerate(groups):
        here += 0 if row == 0 else 1 if group == groups[row - 1] else 1.5
        places.append(here)
    return places


def estimate(line: Any, place: float, colour: str, *, filled: bool) -> go.Scatter:
    """The mark of a row with ``estimate``, ``lower`` and ``upper``: a filled diamond, else an open circle."""
    symbol = "diamond" if filled else "circle-open"
    return go.Scatter(
        x=[line.estimate], y=[place], mode="markers", marker={"symbol": symbol, "size": 12, "color": colour},
        error_x=whiskers(line.estimate, line.lower, line.upper, colour), hoverinfo="text", showlegend=False,
        hovertext=written(line))


def whiskers(estimate: float, lower: float, upper: float, colour: str) -> dict[str, Any]:
    """The interval as plotly's error bar; of no length where a bound is missing."""
    known = not (missing(lower) or missing(upper))
    return {"type": "data", "symmetric": False, "array": [upper - estimate if known else 0.0], "thickness": 1.6,
            "arrayminus": [estimate - lower if known else 0.0], "color": colour, "width": 5}


def written(line: Any) -> str:
    """``0.721 (0.570 to 0.853)``."""
    limits = interval(line.lower, line.upper)
    return f"{number(line.estimate)} ({limits})" if limits else number(line.estimate)


def beside(drawn: go.Figure, place: float, text: str) -> None:
    """A text at the right of a line."""
    drawn.add_annotation(x=1.01, xref="paper", xanchor="left", y=place, text=text, showarrow=False, font={"size": 12})


def vertical(drawn: go.Figure, value: float | None, label: str) -> None:
    """A dotted line at a value that the estimates are read against; none where there is none."""
    if value is not None:
        drawn.add_vline(x=value, line={"color": MUTED, "dash": "dot", "width": 1}, annotation_text=label,
                        annotation_position="top", annotation_font={"color": MUTED, "size": 11})

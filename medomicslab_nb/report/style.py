"""The look of every figure: colours that colour-blind readers can tell apart, light background, plain type."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito's palette, darkest first; safe for the common colour-vision deficiencies and in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
INK, MUTED, GRID = "#1b1f24", "#57606a", "#e3e6ea"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")


def plain(text: Any, longest: int = 48) -> str:
    """Text for a figure: plotly reads some HTML (links, bold), so names from data are escaped and shortened.

    The middle is left out: names of features differ at their end.
    """
    text = str(text)
    end = longest // 2
    text = text if len(text) <= longest else f"{text[:longest - end - 1]}…{text[-end:]}"
    return html.escape(text, quote=False)


def colour_of(name: Any, names: Sequence[Any]) -> str:
    """The colour of ``name`` among ``names``, the same in every figure of a report."""
    return COLOURS[list(names).index(name) % len(COLOURS)]


def dash_of(name: Any, names: Sequence[Any]) -> str:
    """The line style of ``name``, so that curves can be told apart without colour."""
    return DASHES[list(names).index(name) % len(DASHES)]


def faded(colour: str, alpha: float = 0.15) -> str:
    """The colour with transparency, for bands."""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def figure(height: int, **layout: Any) -> go.Figure:
    """An empty figure in the common style; ``height`` in pixels, the width follows the page."""
    empty = go.Figure()
    empty.update_layout(
        template="none", height=height, font={"family": FONT, "size": 13, "color": INK}, paper_bgcolor="white",
        plot_bgcolor="white", margin={"l": 70, "r": 24, "t": 30, "b": 56}, hoverlabel={"font": {"family": FONT}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"}, colorway=COLOURS)
    empty.update_layout(**layout)
    return empty


def axes(drawn: go.Figure) -> go.Figure:
    """Common axis style, applied once all axes exist."""
    style = {"showline": True, "linecolor": MUTED, "gridcolor": GRID, "zeroline": False, "ticks": "outside",
             "tickcolor": MUTED, "automargin": True, "title": {"standoff": 8}}
    return drawn.update_xaxes(**style).update_yaxes(**style)


def band(drawn: go.Figure, x: Any, lower: Any, upper: Any, colour: str, **where: Any) -> None:
    """A shaded interval behind a curve."""
    xs, ys = [*x, *reversed(list(x))], [*upper, *reversed(list(lower))]
    drawn.add_trace(go.Scatter(x=xs, y=ys, fill="toself", fillcolor=faded(colour), line={"width": 0}, hoverinfo="skip",
                               showlegend=False, mode="lines"), **where)

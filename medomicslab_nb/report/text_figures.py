"""Figures of the text stage, each from one published table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from medomicslab_nb.report.style import COLOURS, axes, figure, plain

_PARTS = (("stated", "patients_stated", COLOURS[0]), ("denied only", "patients_negated", COLOURS[1]),
          ("not known", "unknown", "#d9d9d9"))


def known(attributes: pd.DataFrame) -> go.Figure | None:
    """Patients of whom each attribute is stated, only denied, or not known."""
    if attributes.empty:
        return None
    table = attributes.assign(
        unknown=attributes["patients"] - attributes["patients_stated"] - attributes["patients_negated"])[::-1]
    drawn = figure(110 + 26 * len(table), barmode="stack", bargap=0.3)
    names = [plain(name.replace("_", " ")) for name in table["attribute"]]
    for title, column, colour in _PARTS:
        drawn.add_trace(go.Bar(x=table[column], y=names, name=title, orientation="h", marker_color=colour))
    drawn.update_xaxes(title_text="patients", rangemode="tozero")
    return axes(drawn).update_yaxes(showgrid=False)

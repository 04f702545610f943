"""Figures of the radiomics stage, each from one published table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medomicslab_nb.report.style import COLOURS, axes, colour_of, faded, figure, plain


def roi_sizes(lesions: pd.DataFrame) -> go.Figure | None:
    """Volume (logarithmic) and mean intensity of every ROI, by modality."""
    table = lesions[lesions["volume_ml"] > 0]
    names = list(dict.fromkeys(table["modality"]))
    if not names:
        return None
    units = {name: table.loc[table["modality"] == name, "unit"].iloc[0] for name in names}
    labels = [f"{plain(name)} ({plain(units[name])})" if units[name] else plain(name) for name in names]
    drawn = make_subplots(rows=1, cols=1 + len(names), horizontal_spacing=0.09,
                          figure=figure(330, showlegend=False, boxgap=0.5, margin={"l": 70, "r": 24, "t": 24, "b": 56}))
    for place, (name, label) in enumerate(zip(names, labels, strict=True)):
        part = table[table["modality"] == name]
        colour = colour_of(name, names)
        for column, values in ((1, part["volume_ml"]), (2 + place, part["mean"])):
            drawn.add_trace(go.Box(y=values, name=label if column > 1 else plain(name), boxpoints="all", jitter=0.5,
                                   pointpos=0, line={"color": colour, "width": 1.5}, fillcolor=faded(colour),
                                   marker={"color": colour, "size": 5, "opacity": 0.7}), row=1, col=column)
    drawn.update_yaxes(title_text="volume (mL)", type="log", row=1, col=1)
    for place in range(len(names)):
        drawn.update_yaxes(title_text="mean intensity in the ROI", row=1, col=2 + place)
    return axes(drawn)


def failures(table: pd.DataFrame) -> go.Figure | None:
    """Reasons for which ROIs were not measured, counted."""
    if table.empty:
        return None
    counts = table["reason"].value_counts()[:12][::-1]
    drawn = figure(90 + 34 * len(counts), bargap=0.4)
    drawn.add_trace(go.Bar(x=counts, y=[plain(reason, 70) for reason in counts.index], orientation="h",
                           marker_color=COLOURS[1], text=counts, textposition="outside", cliponaxis=False))
    drawn.update_xaxes(title_text="ROIs", rangemode="tozero")
    return axes(drawn).update_yaxes(showgrid=False)

"""One figure of a report: its title, a caption that says how to read it, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go


@dataclass(frozen=True)
class Picture:
    """One figure of a report."""

    name: str
    title: str
    caption: str
    figure: go.Figure
    numbers: pd.DataFrame
    """What the figure shows, as a table."""

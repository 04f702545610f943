"""Which rows of the published tables are shown first; needs no figure."""

from __future__ import annotations

import pandas as pd


def headline_rows(performance: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``performance`` to look at first: the first metric, averaged over folds."""
    if performance.empty:
        return performance
    table = performance[performance["metric"] == performance["metric"].iloc[0]]
    averaged = table[table["aggregation"] == "fold mean"]
    return (table if averaged.empty else averaged).reset_index(drop=True)


def default_learner(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the default learner when the table has several learners, else all of them."""
    if "learner" not in table.columns or table.empty:
        return table
    chosen = table["learner"].astype(str).str.startswith("default")
    return table[chosen] if chosen.any() else table[table["learner"] == table["learner"].iloc[0]]

"""Figures of what drives the final model, each from published tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medomicslab_nb.report.style import COLOURS, MUTED, axes, band, colour_of, dash_of, figure, plain

MOST_FEATURES = 20
_COLUMNS = 3  # small multiples beside each other
_NO_EFFECT = 1e-9  # differences of predictions that are rounding
_TITLE = 26  # characters of a small multiple's title


def explanation(importance: pd.DataFrame, shap: pd.DataFrame, axis: str = "SHAP value") -> go.Figure | None:
    """What drives the predictions: mean |SHAP| with its interval, and every SHAP value as a dot.

    Parameters
    ----------
    importance : DataFrame
        feature, block, mean_abs_shap and, where known, lower and upper; of one set of blocks and class.
    shap : DataFrame
        feature, value, shap; of the same.
    """
    top = most_important(importance)
    if top.empty:
        return None
    block_names = list(dict.fromkeys(importance["block"]))
    drawn = make_subplots(rows=1, cols=2, shared_yaxes=True, column_widths=[0.36, 0.64], horizontal_spacing=0.04,
                          figure=figure(130 + 24 * max(len(top), 6), bargap=0.3, showlegend=len(block_names) > 1))
    for block in dict.fromkeys(top["block"]):
        here = [(place, line) for place, line in enumerate(top.itertuples()) if line.block == block]
        bars = top.iloc[[place for place, _ in here]]
        drawn.add_trace(go.Bar(y=[place for place, _ in here], x=bars["mean_abs_shap"], orientation="h",
                               name=plain(block) or "other", marker_color=colour_of(block, block_names),
                               error_x=_limits(bars)), row=1, col=1)
    _swarm(drawn, shap, top["feature"].tolist())
    axes(drawn)
    drawn.update_yaxes(tickvals=list(range(len(top))), ticktext=[plain(f, 32) for f in top["feature"]],
                       range=[len(top) - 0.4, -0.6], showgrid=False)
    drawn.update_xaxes(title_text=f"mean |{axis.partition(' ')[0]}|", rangemode="tozero", row=1, col=1)
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1}, row=1, col=2)
    drawn.update_yaxes(showline=False, ticks="", row=1, col=2)
    return drawn.update_xaxes(title_text=f"{axis} (right: raises the prediction)", row=1, col=2)


def most_important(importance: pd.DataFrame) -> pd.DataFrame:
    """The features that are drawn: those with any effect, most important first, at most twenty."""
    ranked = importance.sort_values("mean_abs_shap", ascending=False, kind="stable")
    return ranked[ranked["mean_abs_shap"] > 0].head(MOST_FEATURES)


def mean_sizes(shap: pd.DataFrame) -> pd.DataFrame:
    """Importance of each feature from SHAP values of patients: mean |SHAP| with its interval, most important first."""
    from medomicslab_nb.models.explain import bootstrap_mean_abs

    wide = shap.pivot(index="row", columns="feature", values="shap")
    mean, lower, upper = bootstrap_mean_abs(wide.to_numpy(float))
    blocks = shap.drop_duplicates("feature").set_index("feature")["block"]
    table = pd.DataFrame({"feature": wide.columns, "block": blocks.reindex(wide.columns).to_numpy(),
                          "mean_abs_shap": mean, "lower": lower, "upper": upper, "n": len(wide)})
    return table.sort_values("mean_abs_shap", ascending=False, kind="stable", ignore_index=True)


def _limits(bars: pd.DataFrame) -> dict[str, object] | None:
    if not {"lower", "upper"} <= set(bars.columns):
        return None
    return {"type": "data", "symmetric": False, "array": bars["upper"] - bars["mean_abs_shap"], "thickness": 1.2,
            "arrayminus": bars["mean_abs_shap"] - bars["lower"], "color": MUTED, "width": 3}


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


def importance_blocks(table: pd.DataFrame) -> go.Figure | None:
    """Mean |SHAP| of each block with its interval and share; of several classes a group of bars each."""
    if table.empty or table["block"].nunique() < 2:
        return None
    classes = list(dict.fromkeys(table["class"])) if "class" in table.columns else [""]
    blocks = list(dict.fromkeys(table["block"]))
    drawn = figure(100 + 22 * len(blocks) * (1 + len(classes)), barmode="group", bargap=0.35,
                   showlegend=len(classes) > 1)
    for group in classes:
        bars = table[table["class"] == group] if group else table
        colour = colour_of(group, classes) if group else [colour_of(block, blocks) for block in bars["block"]]
        shares = [f"  {share:.0%}" if np.isfinite(share) else "" for share in bars["share"].astype(float)]
        drawn.add_trace(go.Bar(y=[plain(block) for block in bars["block"]], x=bars["mean_abs_shap"], orientation="h",
                               name=plain(group), marker_color=colour, error_x=_limits(bars), hoverinfo="x+y"))
        for place, (line, share) in enumerate(zip(bars.itertuples(), shares, strict=True)):
            if len(classes) == 1:
                drawn.add_annotation(x=max(line.upper, line.mean_abs_shap) if np.isfinite(line.upper)
                                     else line.mean_abs_shap, y=place, text=share, xanchor="left", showarrow=False)
    axes(drawn)
    drawn.update_xaxes(title_text="mean |SHAP| of the block", range=[0, 1.15 * float(
        np.nanmax([table["upper"].max(), table["mean_abs_shap"].max(), 1e-9]))])
    return drawn.update_yaxes(autorange="reversed", showgrid=False, ticks="")


def partial_dependence(table: pd.DataFrame, meaning: str) -> go.Figure | None:
    """Mean prediction where one feature is set to each value, as small multiples with one vertical axis.

    Parameters
    ----------
    meaning : str
        What is predicted, as the axis says it.
    """
    if table.empty:
        return None
    features, outputs = list(dict.fromkeys(table["feature"])), list(dict.fromkeys(table["output"]))
    rows = -(-len(features) // _COLUMNS)
    drawn = make_subplots(rows=rows, cols=_COLUMNS, shared_yaxes="all", horizontal_spacing=0.05,
                          vertical_spacing=0.3 / rows, subplot_titles=[plain(name, _TITLE) for name in features],
                          figure=figure(110 + 220 * rows, showlegend=len(outputs) > 1, margin={
                              "l": 70, "r": 24, "t": 60, "b": 40}))
    drawn.update_annotations(font_size=13)
    for place, feature in enumerate(features):
        for output in outputs:
            curve = table[(table["feature"] == feature) & (table["output"] == output)]
            _dependence(drawn, curve, str(output), outputs, place)
    axes(drawn)
    for place, feature in enumerate(features):
        known = table[(table["feature"] == feature) & (table["output"] == outputs[0])]
        if (known["category"] != "").any():
            drawn.update_xaxes(tickvals=list(known["value"]), ticktext=[plain(name, 12) for name in known["category"]],
                               range=[-0.6, len(known) - 0.4], showgrid=False, **_where(place))
    for row in range(rows):
        drawn.update_yaxes(title_text=plain(meaning), row=row + 1, col=1)
    return drawn.update_layout(legend={"y": 1 + 40 / (110 + 220 * rows)})


def with_effect(table: pd.DataFrame) -> pd.DataFrame:
    """The curves of features of which the prediction depends at all."""
    span = table.groupby(["feature", "output"], sort=False)["mean"].agg(lambda curve: curve.max() - curve.min())
    return table[table["feature"].isin(span[span > _NO_EFFECT].index.get_level_values("feature"))]


def _where(place: int) -> dict[str, int]:
    return {"row": place // _COLUMNS + 1, "col": place % _COLUMNS + 1}


def _dependence(drawn: go.Figure, curve: pd.DataFrame, output: str, outputs: Sequence[str], place: int) -> None:
    colour, where = colour_of(output, outputs), _where(place)
    category = bool((curve["category"] != "").any())
    if not category and len(curve) > 1:
        band(drawn, curve["value"], curve["lower"], curve["upper"], colour, **where)
    limits = {"type": "data", "symmetric": False, "array": curve["upper"] - curve["mean"], "color": colour,
              "arrayminus": curve["mean"] - curve["lower"], "thickness": 1.4, "width": 5}
    drawn.add_trace(go.Scatter(
        x=curve["value"], y=curve["mean"], mode="markers" if category else "lines", name=plain(output),
        marker={"size": 9}, line={"color": colour, "width": 2, "dash": dash_of(output, outputs)},
        marker_color=colour, legendgroup=output, showlegend=place == 0,
        error_y=limits if category else None), **where)

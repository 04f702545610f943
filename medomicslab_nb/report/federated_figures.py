"""Figures of the federated stage, each from one published table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from medomicslab_nb.report import survival_figures
from medomicslab_nb.report.federated_tables import ALL, ALONE, FEDERATED, POOLED, WITHOUT, own_sites
from medomicslab_nb.report.federated_words import CHANCE
from medomicslab_nb.report.forest import beside, estimate, forest, grouped_places, vertical, with_labels, written
from medomicslab_nb.report.picture import Picture
from medomicslab_nb.report.style import COLOURS, INK, axes, figure, plain
from medomicslab_nb.report.wording import data_size, interval, metric_name, missing, number

Tables = Mapping[str, pd.DataFrame]

_MOST_ROWS = 40
_MOST_TICKS = 20
_KINDS = {FEDERATED: ("federated", COLOURS[0]), POOLED: ("all patients together", COLOURS[2]),
          ALONE: ("alone", COLOURS[1]), WITHOUT: ("model of the others", COLOURS[3])}
_RATIOS = {"logistic": "odds ratio", "cox": "hazard ratio"}
_SHADES = [[0, "#f2f7fb"], [1, "#79b8e0"]]  # light enough for dark numbers on all of them


def federated_pictures(tables: Tables, unit: str = "") -> list[Picture]:
    """The figures for the tables that are there, in reading order.

    Parameters
    ----------
    tables : mapping of DataFrame
        As :func:`~medomicslab_nb.report.federated_tables.of_report` gives them.
    unit : str
        Of follow-up times.
    """
    found = [*_performance(tables), *_curve(tables, unit), *_model(tables), *_rounds(tables), *_sites(tables)]
    return [Picture(name, title, caption, drawn, numbers) for name, title, caption, drawn, numbers in found
            if drawn is not None]


Drawn = Iterator[tuple[str, str, str, go.Figure | None, pd.DataFrame]]


def _performance(tables: Tables) -> Drawn:
    if "compared" not in tables:
        return
    table = tables["federated_performance"]
    yield ("federated_performance", "Federated, alone and together, at each site",
           "Estimate and 95 % interval. Filled diamond: the federated model. Beside it stand a site's own model and, "
           "where the site was left out in turn, the model of the others, judged by all of the site's patients. Over "
           "all sites an AUC comes from counts in bins of scores; its interval includes what the bins leave open.",
           performance(tables["compared"]), tables["compared"])
    yield ("travel", "How far the model of each site travels",
           "Rows: who trained the model; columns: whose patients judge it. On the diagonal a model is at home.",
           travel(table), _crossed(table))


def performance(compared: pd.DataFrame) -> go.Figure | None:
    """Forest plot: over all sites and at each, the federated model and those to compare it with."""
    rows = compared[compared["estimate"].notna()]
    if rows.empty:
        return None
    rows = rows if len(rows) <= _MOST_ROWS else rows[rows["model"].isin([FEDERATED, POOLED])]
    places = grouped_places(rows["site"].tolist())
    drawn = forest(places[-1], right=240)
    for place, line in zip(places, rows.itertuples(), strict=True):
        drawn.add_trace(estimate(line, place, _kind(line.model)[1], filled=line.model == FEDERATED))
        words = f"{written(line)}, n = {number(line.patients)}"
        beside(drawn, place, f"<b>{words}</b>" if line.model == FEDERATED else words)
    measure = str(rows["measure"].iloc[0])
    vertical(drawn, CHANCE.get(measure), "chance")
    drawn.update_xaxes(title_text=metric_name(measure))
    return with_labels(drawn, places, [_label(line.site, str(line.model)) for line in rows.itertuples()])


def _kind(model: str) -> tuple[str, str]:
    """A kind of model in words, and its colour."""
    return next((shown for start, shown in _KINDS.items() if model.startswith(start)), (model, INK))


def _label(site: str, model: str) -> str:
    if site != ALL:
        return f"{plain(site, 24)} · {_kind(model)[0]}"
    owner = model.removeprefix(ALONE)
    return f"all sites · {plain(owner, 24)} alone" if model.startswith(ALONE) else f"all sites · {_kind(model)[0]}"


def travel(table: pd.DataFrame) -> go.Figure | None:
    """Heat map of the measure: models of one site, and the federated one, at every site."""
    crossed = _crossed(table)
    values = crossed.drop(columns="trained by").to_numpy(float)
    if len(crossed) < 3 or not np.isfinite(values).any():
        return None
    measure = str(table["measure"].iloc[0])
    low = min(CHANCE.get(measure, 0.0), float(np.nanmin(values)))
    text = [[number(value) for value in row] for row in values]
    drawn = _shaded(values, list(crossed.columns[1:]), crossed["trained by"].tolist(), text, low, float(
        np.nanmax(values)))
    drawn.update_xaxes(title_text="judged at")
    return drawn.update_yaxes(title_text="trained by")


def _shaded(values: np.ndarray, columns: list[str], rows: list[str], text: list[list[str]], low: float,
            high: float) -> go.Figure:
    """Cells with their numbers, shape (rows, columns), the darker the larger."""
    drawn = figure(130 + 32 * len(rows), margin={"l": 120, "r": 24, "t": 30, "b": 70})
    drawn.add_trace(go.Heatmap(
        z=values, x=[plain(name, 24) for name in columns], y=[plain(name, 32) for name in rows], zmin=low,
        zmax=max(high, low + 1e-6), colorscale=_SHADES, showscale=False, xgap=2, ygap=2, hoverongaps=False, text=text,
        texttemplate="%{text}", textfont={"color": INK}))
    return axes(drawn).update_xaxes(showgrid=False).update_yaxes(autorange="reversed", showgrid=False)


def _crossed(table: pd.DataFrame) -> pd.DataFrame:
    """One row a model (each site alone, then federated), one column a site where it is judged."""
    sites = own_sites(table)
    rows = table[(table["site"] != ALL) & (table["model"].str.startswith(ALONE) | (table["model"] == FEDERATED))]
    crossed = rows.pivot_table(index="model", columns="site", values="estimate", sort=False, dropna=False)
    names = [ALONE + site for site in sites if ALONE + site in crossed.index] + [FEDERATED]
    crossed = crossed.reindex(index=names, columns=sites).rename_axis(columns=None)
    crossed.insert(0, "trained by", [name.removeprefix(ALONE) for name in crossed.index])
    return crossed.reset_index(drop=True)


def _curve(tables: Tables, unit: str) -> Drawn:
    if "curve" in tables and len(tables["curve"]):
        yield ("curve", "Kaplan-Meier curve",
               "From events and censored patients counted in bins of time, so it steps at the ends of bins. Bands are "
               "95 % intervals (Greenwood), wider by what the bins leave open; numbers below are patients at risk.",
               curve(tables["curve"], unit), tables["curve"])


def curve(table: pd.DataFrame, unit: str = "") -> go.Figure:
    """Survival over all sites and at each, from its beginning at 1."""
    first = table.drop_duplicates("site")
    first = first[first["time"] > 0].assign(time=0.0, survival=1.0, lower=1.0, upper=1.0)
    whole = pd.concat([first, table]).sort_values("time", kind="stable")
    order = {site: place for place, site in enumerate(dict.fromkeys(table["site"]))}
    whole = whole.sort_values("site", key=lambda sites: sites.map(order), kind="stable")
    groups = whole["site"].replace(ALL, "all sites")
    ((_, drawn),) = survival_figures.kaplan_meier(whole.assign(blocks="", group=groups), unit)
    return drawn


def _model(tables: Tables) -> Drawn:
    if "coefficients" in tables and len(tables["coefficients"]):
        yield ("coefficients", "Coefficients",
               "Of each column per standard deviation, with 95 % intervals, so that columns can be compared; in words "
               "the ratio per unit of the column. A penalty shrinks coefficients, which the intervals do not count.",
               coefficients(tables["coefficients"]), tables["coefficients"])
    if "federated_importance" in tables and len(tables["federated_importance"]):
        yield ("federated_importance", "Importance", "Mean absolute SHAP value of each column over the patients of all "
               "sites: how far it moves a prediction.", importance(tables["federated_importance"]),
               tables["federated_importance"])


def coefficients(table: pd.DataFrame) -> go.Figure:
    """Forest plot of the coefficients per standard deviation, the largest first."""
    shown = table.reindex(table["standardised"].abs().sort_values(ascending=False, kind="stable").index)
    shown = shown.head(_MOST_ROWS)
    # A coefficient per unit times the column's standard deviation is the standardised one; so are its limits.
    scale = (shown["standardised"] / shown["coefficient"].mask(shown["coefficient"] == 0)).abs()
    shown = shown.assign(per_unit=shown["coefficient"], low=shown["lower"], high=shown["upper"],
                         estimate=shown["standardised"], lower=shown["lower"] * scale, upper=shown["upper"] * scale)
    drawn = forest(len(shown) - 1, right=260)
    for place, line in enumerate(shown.itertuples()):
        drawn.add_trace(estimate(line, place, COLOURS[0], filled=True))
        beside(drawn, place, _per_unit(line))
    vertical(drawn, 0.0, "no effect")
    drawn.update_xaxes(title_text="coefficient per standard deviation")
    return with_labels(drawn, list(range(len(shown))), [plain(name, 32) for name in shown["column"]])


def _per_unit(line: Any) -> str:
    """``ratio 1.32 (1.10 to 1.58) per unit``."""
    if missing(line.ratio):
        return f"{number(line.per_unit)} ({interval(line.low, line.high)}) per unit"
    limits = interval(np.exp(line.low), np.exp(line.high)) if not missing(line.low) else ""
    return f"ratio {number(line.ratio)}{f' ({limits})' if limits else ''} per unit"


def importance(table: pd.DataFrame) -> go.Figure:
    """Bars of mean absolute SHAP values, the largest first."""
    shown = table.sort_values("mean_shap", ascending=False, kind="stable").head(_MOST_ROWS)[::-1]
    drawn = figure(100 + 24 * len(shown), bargap=0.3)
    drawn.add_trace(go.Bar(x=shown["mean_shap"], y=[plain(name, 32) for name in shown["column"]], orientation="h",
                           marker_color=COLOURS[0], showlegend=False))
    drawn.update_xaxes(title_text="mean |SHAP|", rangemode="tozero")
    return axes(drawn).update_yaxes(showgrid=False)


def _rounds(tables: Tables) -> Drawn:
    if "rounds" in tables:
        numbers = tables["rounds"]
        yield ("rounds", "Loss by round", "Of the federated model, over the training patients of all sites.",
               rounds(numbers), numbers)


def rounds(table: pd.DataFrame) -> go.Figure | None:
    """The loss of the federated model, which is the first to be fitted; of other models it is over other patients."""
    known = table[table["loss"].notna()]
    first = known.head(1)
    ended = table[(table["round"] > first["round"].max()) & ~table["step"].isin(first["step"])]["round"].min()
    known = known[~(known["round"] > ended)]
    if len(known) < 2:
        return None
    drawn = figure(320)
    drawn.add_trace(go.Scatter(x=known["round"], y=known["loss"], mode="lines+markers", showlegend=False,
                               line={"color": COLOURS[0], "width": 2}, marker={"size": 5},
                               text=[plain(label) for label in known["label"]], hovertemplate="%{text}: %{y:.4g}"
                                                                                              "<extra></extra>"))
    drawn.update_xaxes(title_text="round", **({"dtick": 1} if len(known) <= _MOST_TICKS else {"tickformat": "d"}))
    drawn.update_yaxes(title_text="loss")
    return axes(drawn)


def _sites(tables: Tables) -> Drawn:
    if {"availability", "sites"} <= set(tables):
        yield ("availability", "What each site knows",
               "Share of a site's patients of whom a column is known. What a site does not know is filled with the "
               "mean over all sites, so there it cannot tell patients apart.",
               availability(tables["availability"], tables["sites"]), tables["availability"])
    if "left" in tables:
        yield ("left", "What left each site", "Bytes of the answers, by kind; below in words.", left(tables["left"]),
               tables["left"].drop(columns="words"))


def availability(table: pd.DataFrame, sites: pd.DataFrame) -> go.Figure | None:
    """Heat map of the share of patients of whom each column is known, where some column is not known of all."""
    known = table.pivot_table(index="column", columns="site", values="known", sort=False)
    patients = sites.set_index("site")["patients"].reindex(known.columns).replace(0, np.nan)
    percent = (100 * known / patients).clip(upper=100)
    percent = percent[(percent < 100).any(axis=1)].head(_MOST_ROWS)
    if percent.empty:
        return None
    values = percent.to_numpy(float)
    text = [["" if missing(value) else f"{value:.0f} %" for value in row] for row in values]
    return _shaded(values, list(percent.columns), list(percent.index), text, 0, 100)


def left(table: pd.DataFrame) -> go.Figure:
    """Stacked bars of bytes by site and step."""
    sites, steps = list(dict.fromkeys(table["site"])), list(dict.fromkeys(table["step"]))
    totals = table.groupby("site")["bytes"].sum()
    drawn = figure(120 + 34 * len(sites), barmode="stack", bargap=0.35)
    for place, step in enumerate(steps):
        own = table[table["step"] == step].groupby("site")["bytes"].sum().reindex(sites)
        drawn.add_trace(go.Bar(x=own, y=[plain(site, 24) for site in sites], name=plain(step), orientation="h",
                               marker_color=COLOURS[place % len(COLOURS)]))
    for site in sites:
        drawn.add_annotation(x=totals[site], y=plain(site, 24), text=data_size(totals[site]), showarrow=False,
                             xanchor="left", xshift=4, font={"size": 12})
    drawn.update_xaxes(title_text="bytes", rangemode="tozero", range=[0, 1.15 * float(totals.max())])
    return axes(drawn).update_yaxes(autorange="reversed", showgrid=False)

"""Every figure that a run's tables allow, with its title, a caption that says how to read it, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd
import plotly.graph_objects as go

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report import data_figures, model_figures, radiomics_figures
from medomicslab_nb.report.evidence import identifiers_of, shown_tables, time_unit
from medomicslab_nb.report.rows import default_learner, headline_rows

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Picture:
    """One figure of a report."""

    name: str
    title: str
    caption: str
    figure: go.Figure
    numbers: pd.DataFrame
    """What the figure shows, as a table."""


def figures_of(record: RunRecord) -> list[Picture]:
    """The figures of a run, drawn from its published tables, free of identifiers."""
    return pictures(shown_tables(record, identifiers_of(record)), time_unit(record))


def pictures(tables: Tables, time_unit: str = "") -> list[Picture]:
    """The figures for the published tables that are there, in reading order.

    Parameters
    ----------
    tables : mapping of DataFrame
        Published tables by name.
    time_unit : str
        Unit of follow-up times, written on their axis.
    """
    found = [_simple(tables, *entry) for entry in (*_DATA, *_RADIOMICS, *_MODELS_FIRST)]
    found += list(_survival(tables, time_unit))
    found.append(_simple(tables, "calibration", "Calibration",
                         "On the dotted line, predicted and observed risk agree. Bars are intervals.",
                         partial(model_figures.calibration, time_unit=time_unit), default_learner))
    found += list(_explained(tables))
    return [picture for picture in found if picture is not None]


Draw = Callable[[pd.DataFrame], go.Figure | None]
Select = Callable[[pd.DataFrame], pd.DataFrame]


def _missing_columns(dictionary: pd.DataFrame) -> pd.DataFrame:
    shown = dictionary.loc[dictionary["missing"] > 0, ["table", "column", "n", "missing"]]
    return shown.assign(percent=data_figures.missing_percent(shown)).sort_values("percent", ascending=False)


def _all(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


_DATA: tuple[tuple[str, str, str, Draw, Select], ...] = (
    ("linkage", "Who is in which table",
     "Each bar counts the patients found in exactly the tables marked by dots below it; totals are in brackets.",
     data_figures.linkage, _all),
    ("flow", "Cohort flow", "Patients that remain after each step, and how many each step excluded.",
     data_figures.flow, _all),
    ("outcomes", "Outcome balance", "Patients with and without the event.", data_figures.outcomes, _all),
    ("dictionary", "Missing values", "The columns that miss most values; columns without missing values are left out.",
     data_figures.missingness, _missing_columns),
)
_RADIOMICS: tuple[tuple[str, str, str, Draw, Select], ...] = (
    ("lesions", "Size and intensity of the ROIs", "One dot per ROI; the box holds the middle half.",
     radiomics_figures.roi_sizes, _all),
    ("failures", "ROIs that were not measured", "Counted by reason.", radiomics_figures.failures, _all),
)
_MODELS_FIRST: tuple[tuple[str, str, str, Draw, Select], ...] = (
    ("performance", "Performance",
     ("Estimate and interval from patients that the model had not seen. Filled diamond: the model named before the "
     "run; open circles: plain learners under the same folds."), model_figures.performance,
     headline_rows),
    ("ablation", "What each block adds",
     "Difference between models with more or other blocks and the reference block alone, from the same folds.",
     model_figures.ablation, _all),
    ("roc", "ROC curve", "Out-of-fold predictions of the default learner; the band is its interval.",
     model_figures.roc, default_learner),
)


def _simple(tables: Tables, name: str, title: str, caption: str, draw: Draw, select: Select) -> Picture | None:
    if name not in tables or tables[name].empty:
        return None
    drawn = draw(tables[name])
    return None if drawn is None else Picture(name, title, caption, drawn, select(tables[name]))


def _survival(tables: Tables, time_unit: str) -> Iterator[Picture]:
    if "kaplan_meier" not in tables:
        return
    table = tables["kaplan_meier"]
    for blocks, drawn in model_figures.kaplan_meier(table, time_unit):
        yield Picture(f"kaplan_meier {blocks}", f"Kaplan-Meier by predicted risk: {blocks}",
                      "Groups are made from out-of-fold predictions; bands are intervals, numbers below are patients "
                      "at risk.", drawn, table[table["blocks"] == blocks])


def _explained(tables: Tables) -> Iterator[Picture]:
    if not {"importance", "shap"} <= set(tables):
        return
    for blocks, drawn in model_figures.explanation(tables["importance"], tables["shap"]):
        ranked = tables["importance"][tables["importance"]["blocks"] == blocks]
        yield Picture(f"shap {blocks}", f"What drives the predictions: {blocks}",
                      "Left: mean size of each feature's contribution. Right: one dot per patient; right of zero the "
                      "feature raises the prediction. SHAP explains the model, not causes.", drawn,
                      ranked.sort_values("mean_abs_shap", ascending=False, kind="stable").head(20))

"""Every figure that a run's tables allow, with its title, a caption that says how to read it, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import plotly.graph_objects as go

from medomicslab_nb.protect import scrub
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report import data_figures, radiomics_figures, text_figures
from medomicslab_nb.report.evidence import identifiers_of, shown_tables, time_unit
from medomicslab_nb.report.federated_figures import federated_pictures
from medomicslab_nb.report.model_pictures import model_pictures
from medomicslab_nb.report.picture import Picture

Tables = Mapping[str, pd.DataFrame]


def figures_of(record: RunRecord) -> list[Picture]:
    """The figures of a run, drawn from its published tables, free of identifiers."""
    ids = identifiers_of(record)
    return pictures(shown_tables(record, ids), time_unit(record), scrub(str(record.settings.get("outcome") or ""), ids))


def pictures(tables: Tables, unit: str = "", outcome: str = "") -> list[Picture]:
    """The figures for the published tables that are there, in reading order.

    Parameters
    ----------
    tables : mapping of DataFrame
        Published tables by name.
    unit : str
        Of follow-up times, or of a continuous outcome.
    outcome : str
        Name of the endpoint.
    """
    found = [_simple(tables, *entry) for entry in (*_DATA, *_RADIOMICS, *_TEXT)]
    return [*(picture for picture in found if picture is not None), *model_pictures(tables, unit, outcome),
            *federated_pictures(tables, unit)]


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

_TEXT: tuple[tuple[str, str, str, Draw, Select], ...] = (
    ("attributes", "What is known of how many patients",
     "Of each attribute: patients of whom some value is stated, only denied, and of whom no note says anything that "
     "counts (what is in doubt, planned, a relative's or an earlier tumour's does not).", text_figures.known, _all),
)


def _simple(tables: Tables, name: str, title: str, caption: str, draw: Draw, select: Select) -> Picture | None:
    if name not in tables or tables[name].empty:
        return None
    drawn = draw(tables[name])
    return None if drawn is None else Picture(name, title, caption, drawn, select(tables[name]))

"""The leakage lint: does anything in the data, or in what a user hands in, let a model see what it is to predict?

Each check is a function of frames and arrays that returns findings; it changes nothing. What each finding means, and
what to do about it, is in ``docs/leakage.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import KINDS, Finding
from medomicslab_nb.evaluation.leak_centre import centre_as_proxy
from medomicslab_nb.evaluation.leak_cut_point import optimal_cut_points
from medomicslab_nb.evaluation.leak_estimator import Procedure, lint_estimator, lint_procedure
from medomicslab_nb.evaluation.leak_fitted import chosen_from, fitted_outside
from medomicslab_nb.evaluation.leak_outcome import outcome_in_disguise
from medomicslab_nb.evaluation.leak_rows import duplicated_rows, patient_in_two_folds
from medomicslab_nb.evaluation.leak_time import time_after_event

__all__ = ["KINDS", "Finding", "Procedure", "centre_as_proxy", "chosen_from", "duplicated_rows", "fitted_outside",
           "lint_data", "lint_estimator", "lint_procedure", "optimal_cut_points", "outcome_in_disguise",
           "patient_in_two_folds", "time_after_event"]


def lint_data(frame: pd.DataFrame, endpoint: Endpoint, *, categorical: Sequence[str] = (),
              centre: pd.Series | None = None, groups: Any = None, dates: pd.DataFrame | pd.Series | None = None,
              index_dates: pd.Series | None = None, splits: Any = None,
              pool: pd.DataFrame | None = None,
              blocks: Mapping[str, Sequence[str]] | None = None) -> list[Finding]:
    """Everything that a table of predictors and its outcome show of leakage.

    Parameters
    ----------
    frame : DataFrame, shape (n, p), index = patient or sample
        Predictors; rows in the order of ``endpoint``. Missing values, texts and dates allowed.
    categorical : sequence of str
        Columns of numbers that are codes of categories.
    centre : Series of text, index = patient, optional
        Where each patient was treated, measured or scanned.
    groups : array-like, shape (n,), optional
        Patient of each row, where patients have several.
    dates : DataFrame or Series, optional
        When values were measured; see :func:`time_after_event`.
    index_dates : Series of datetime, index = patient, optional
        Moment of prediction.
    splits : optional
        Folds that are to be used; see :func:`~medomicslab_nb.evaluation.leak_rows.fold_pairs`.
    pool : DataFrame, shape (n, more), optional
        Columns of the same patients that are not predictors: what was selected from, or cut.
    blocks : mapping, optional
        Columns that were prepared together, by name (clinical, genes, ...): each is looked at by itself for traces of
        selection, imputation, scaling and harmonisation. Without it, all columns are one block.

    Returns
    -------
    list of Finding
        Alarms first.

    Raises
    ------
    ValueError
        Frame and endpoint differ in length.
    """
    if len(frame) != len(endpoint):
        raise ValueError(f"{len(frame)} rows of predictors, {len(endpoint)} outcomes")
    frame = frame.loc[:, ~frame.columns.duplicated()].rename(columns=str)
    findings = [
        *outcome_in_disguise(frame, endpoint, categorical),
        *time_after_event(frame, endpoint, categorical=categorical, dates=dates, index_dates=index_dates),
        *patient_in_two_folds(frame, endpoint, groups=groups, splits=splits, categorical=categorical),
        *duplicated_rows(frame, endpoint, categorical),
        *(finding for columns in (blocks or {"": list(frame.columns)}).values()
          for finding in fitted_outside(frame[[name for name in columns if name in frame.columns]], endpoint,
                                        categorical=categorical, centre=centre, pool=pool)),
        *optimal_cut_points(frame, endpoint, categorical=categorical, pool=pool),
        *centre_as_proxy(frame, endpoint, categorical=categorical, centre=centre),
    ]
    return sorted(findings, key=lambda finding: finding.level != "alarm")

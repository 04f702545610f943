"""Gaps of few patients: who is the only one without a value is singled out by it, and so is given company.

A gap is filled with a mean that the coordinator names, which is another one for every choice of sites. Sums of two
models that differ in the mean of one column tell the sums of *all other* columns over those who lack it: with one such
patient, that patient's record. So before columns are summed over, values of some more patients are left out of a column
that few lack, until as many as the minimum do. Where two columns lack almost the same patients, the sums over those
who lack only one of them still follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from medomicslab_nb.federated.messages import Values
from medomicslab_nb.federated.patients import SitePatients


def widened(patients: SitePatients, rows: np.ndarray, values: Values, minimum: int,
            key: Callable[[str], str]) -> tuple[SitePatients, tuple[str, ...]]:
    """The patients with wider gaps, and the columns in which values were left out.

    Parameters
    ----------
    rows : ndarray of bool, shape (n_patients,)
        The part that the question is about.
    values : mapping
        Of the question: ``numeric`` and ``categories`` (with levels) name the columns, ``zeros`` those in which 0
        means missing.
    minimum : int
        As many of the part lack a value in each column, or none or all do.
    key : callable
        Hash that only the site can compute: by it, it is always the same patients of whom a value is left out.
    """
    frame = patients.frame
    found: list[str] = []
    for name in (*values.get("numeric", ()), *values.get("categories", {})):
        if name not in frame:
            continue
        part = patients.frame.loc[rows, name]
        known = part[_known(part, name, values, minimum)]
        lacking = len(part) - len(known)
        if 0 < lacking < minimum and len(known):
            frame = frame.copy() if not found else frame
            frame.loc[_chosen(known, minimum - lacking, name, key), name] = np.nan
            found.append(name)
    return (replace(patients, frame=frame) if found else patients), tuple(found)


def _known(part: pd.Series, name: str, values: Values, minimum: int) -> np.ndarray:
    """Who has a value that steps take for one: a rare category is none."""
    levels = values.get("categories", {}).get(name)
    if levels is None:
        return np.asarray(part.notna() & ~((part == 0) & (name in values.get("zeros", ()))))
    counts = part.value_counts()
    return np.asarray(part.isin(levels) & part.isin(counts.index[counts >= minimum]))


def _chosen(known: pd.Series, count: int, name: str, key: Callable[[str], str]) -> list[str]:
    """Patients whose value is left out; of few different values, those with the most common one."""
    counts = known.value_counts()
    from_these = known.index[known == counts.index[0]] if len(counts) <= count + 2 else known.index
    return sorted(from_these, key=lambda patient: key(f"{name}\0{patient}"))[:count]

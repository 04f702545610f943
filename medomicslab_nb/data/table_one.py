"""Table 1: who the patients are, overall and by group of the outcome, with standardised differences.

Numbers: mean (SD) and median [quartiles], both, so that no test decides which is shown. Categories: n (%) of the
patients in whom the variable is known.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from pandas.api import types

from medomicslab_nb.data.outcomes import label

FEW_VALUES = 6
"""Whole numbers with at most this many different values (stages, grades) are shown as categories."""

NO_OVERLAP = "no overlap"
"""Shown for the difference between groups that have no category in common: it has no bound."""

MOST_CATEGORIES = 12
"""A variable with more categories than this is left out."""

_NUMBERS = ("variable", "category", "group", "n", "mean", "sd", "q1", "median", "q3", "count", "percent", "missing",
            "smd")


def table_one(frame: pd.DataFrame, groups: pd.Series | None = None, *, outcome: str = "",
              categories: frozenset[str] = frozenset()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 1 as text, and the numbers it is made of.

    Parameters
    ----------
    frame : DataFrame, shape (n_patients, n_variables), index = patient
    groups : Series of str, index = patient, optional
        Group of each patient; patients without one count only in the column ``overall``.
    outcome : str
        Name of the outcome: the groups' columns are called ``NAME = group``.
    categories : frozenset of str
        Numeric variables that are codes of categories.

    Returns
    -------
    text : DataFrame
        ``variable``, ``category``, ``overall``, one column for each group, ``smd``, ``missing``.
    numbers : DataFrame
        The same, one row for each variable, category and group.
    """
    members = {"overall": frame.index, **_members(frame, groups, outcome)}
    rows = [_text_row("Patients", "n", {group: str(len(ids)) for group, ids in members.items()}, "", "")]
    numbers: list[dict[str, object]] = []
    for name in map(str, frame.columns):
        values = frame[name]
        as_category = name in categories or not is_measured(values)
        if as_category and values.nunique() > MOST_CATEGORIES:
            continue
        parts = {group: values[values.index.isin(ids)] for group, ids in members.items()}
        compared = [part for group, part in parts.items() if group != "overall"]
        smd = standardised_difference(compared, categorical=as_category)
        apart = as_category and _no_overlap(compared)
        more, figures = (_categories if as_category else _measurement)(name, parts, smd,
                                                                       NO_OVERLAP if apart else _number(smd, 2))
        rows += more
        numbers += figures
    columns = ["variable", "category", *members, "smd", "missing"]
    return (pd.DataFrame(rows, columns=columns).fillna(""),
            pd.DataFrame(numbers, columns=list(_NUMBERS)).astype({"smd": float}))


def is_measured(values: pd.Series) -> bool:
    """Whether a variable is a measurement: a number with decimals or with more than :data:`FEW_VALUES` values."""
    if not types.is_numeric_dtype(values) or types.is_bool_dtype(values):
        return False
    known = values.dropna()
    return known.nunique() > FEW_VALUES or bool((known % 1 != 0).any())


def standardised_difference(groups: list[pd.Series], *, categorical: bool) -> float:
    """Standardised mean difference between groups, without sign; the largest of all pairs for several groups.

    Numbers [1]_: the difference of the means over the root of the mean of the two variances. Categories [2]_: the
    Mahalanobis distance between the vectors of proportions, which for two categories is the first formula applied
    to proportions. NaN with fewer than two groups, when a group has no value or nothing varies, or when two groups
    have no category in common.

    References
    ----------
    .. [1] Austin PC. Balance diagnostics for comparing the distribution of baseline covariates between treatment
       groups in propensity-score matched samples. Stat Med 2009;28:3083-3107.
    .. [2] Yang D, Dalton JE. A unified approach to measuring the effect size between two groups using SAS. SAS
       Global Forum 2012, paper 335.
    """
    known = [group.dropna() for group in groups]
    if len(known) < 2 or any(group.empty for group in known):
        return float("nan")
    if categorical and _no_overlap(known):
        return float("nan")
    distance = _between_categories if categorical else _between_means
    distances = [distance(a, b) for a, b in combinations(known, 2)]
    return float("nan") if np.isnan(distances).all() else float(np.nanmax(distances))


def _between_means(a: pd.Series, b: pd.Series) -> float:
    a, b = a.astype(float), b.astype(float)
    pooled = np.sqrt((a.var() + b.var()) / 2)
    return float(abs(a.mean() - b.mean()) / pooled) if pooled > 0 else float("nan")


def _no_overlap(groups: list[pd.Series]) -> bool:
    """Whether two groups have no category in common: their difference then lies outside the covariance's reach."""
    seen = [set(group.dropna().map(label)) for group in groups]
    return any(a and b and not a & b for a, b in combinations(seen, 2))


def _between_categories(a: pd.Series, b: pd.Series) -> float:
    levels = sorted(set(a.map(label)) | set(b.map(label)))[1:]
    p, q = (np.array([(group.map(label) == level).mean() for level in levels]) for group in (a, b))
    if not levels:
        return float("nan")
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    difference = p - q
    return float(np.sqrt(max(0.0, difference @ np.linalg.pinv(covariance) @ difference)))


def _members(frame: pd.DataFrame, groups: pd.Series | None, outcome: str) -> dict[str, pd.Index]:
    if groups is None:
        return {}
    inside = groups[groups.index.isin(frame.index)].dropna()
    return {f"{outcome} = {group}": inside.index[inside == group] for group in sorted(inside.unique(), key=_order)}


def _order(category: str) -> tuple[float, str]:
    """Numbers in their order, before words."""
    try:
        return float(category), ""
    except ValueError:
        return float("inf"), category


def _measurement(name: str, parts: dict[str, pd.Series], smd: float,
                 shown: str) -> tuple[list[dict[str, str]], list[dict[str, object]]]:
    figures = [_figures(name, group, part) | {"smd": smd} for group, part in parts.items()]
    means = {str(f["group"]): f"{_number(f['mean'])} ({_number(f['sd'])})" if f["n"] else "" for f in figures}
    middles = {str(f["group"]): f"{_number(f['median'])} [{_number(f['q1'])}, {_number(f['q3'])}]" if f["n"] else ""
               for f in figures}
    return [_text_row(name, "mean (SD)", means, shown, _missing(parts["overall"])),
            _text_row(name, "median [quartiles]", middles, "", "")], figures


def _figures(name: str, group: str, part: pd.Series) -> dict[str, object]:
    known = part.dropna().astype(float)
    q1, median, q3 = known.quantile([0.25, 0.5, 0.75])
    return {"variable": name, "category": "", "group": group, "n": len(known), "mean": float(known.mean()),
            "sd": float(known.std()), "q1": float(q1), "median": float(median), "q3": float(q3),
            "missing": int(part.isna().sum())}


def _categories(name: str, parts: dict[str, pd.Series], smd: float,
                shown: str) -> tuple[list[dict[str, str]], list[dict[str, object]]]:
    labels = {group: part.dropna().map(label) for group, part in parts.items()}
    if labels["overall"].empty:
        return [_text_row(name, "no value", {}, "", _missing(parts["overall"]))], []
    rows, figures = [], []
    for i, category in enumerate(sorted(labels["overall"].unique(), key=_order)):
        cells = {}
        for group, known in labels.items():
            count = int((known == category).sum())
            percent = 100 * count / len(known) if len(known) else float("nan")
            cells[group] = f"{count} ({percent:.1f}%)" if len(known) else ""
            figures.append({"variable": name, "category": category, "group": group, "n": len(known), "count": count,
                            "percent": percent, "missing": int(parts[group].isna().sum()), "smd": smd})
        # The difference and the missing values belong to the variable: once, on its first row.
        rows.append(_text_row(name, category, cells, "" if i else shown,
                              "" if i else _missing(parts["overall"])))
    return rows, figures


def _text_row(variable: str, category: str, cells: dict[str, str], smd: str, missing: str) -> dict[str, str]:
    return {"variable": variable, "category": category, **cells, "smd": smd, "missing": missing}


def _missing(values: pd.Series) -> str:
    count = int(values.isna().sum())
    return f"{count} ({100 * count / len(values):.1f}%)" if count else "0"


def _number(value: object, decimals: int | None = None) -> str:
    """Three significant digits, or so many decimals; empty for NaN."""
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return ""
    if decimals is None:
        decimals = max(0, 2 - int(np.floor(np.log10(abs(number))))) if number else 0
        decimals = min(decimals, 3)
    return f"{number:.{decimals}f}"

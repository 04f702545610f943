"""From one row a value to one row a patient."""

from __future__ import annotations

import re

import pandas as pd

_AGGREGATIONS = {"averaged": "avg", "merged": "merged"}


def column_names(long: pd.DataFrame) -> pd.Series:
    """The wide table's column of every value: modality, filter, family, feature, and how matrices were aggregated.

    Such as ``PT_original_glcm_joint_entropy_3d_avg``.
    """
    keys = ["modality", "filter", "family", "feature", "aggregation"]
    distinct = long[keys].drop_duplicates()
    names = ["_".join(part for part in (*row[:4], _slug(row[4])) if part)
             for row in distinct.itertuples(index=False, name=None)]
    return long[keys].merge(distinct.assign(column=names), on=keys, how="left")["column"].set_axis(long.index)


def values_of(long: pd.DataFrame, definitions: str) -> pd.Series:
    """The values of the wide table: as IBSI defines them wherever it does, or always as the library does."""
    return long["value"] if definitions == "library" else long["ibsi_value"].fillna(long["value"])


def widen(long: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row for each of ``keys``, one column for each of ``column``, in the order of first appearance."""
    order = list(dict.fromkeys(long["column"]))
    rows = long[keys].drop_duplicates()
    wide = long.set_index([*keys, "column"])["wide"].unstack("column").reindex(columns=order)
    wide.columns.name = None
    return rows.merge(wide.reset_index(), on=keys, how="left").reset_index(drop=True)


def _slug(aggregation: str) -> str:
    for word, short in _AGGREGATIONS.items():
        aggregation = aggregation.replace(word, short)
    return re.sub(r"[^a-z0-9]+", "_", aggregation.lower()).strip("_")

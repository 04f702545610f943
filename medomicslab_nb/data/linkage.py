"""Who is in which table."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd


def linkage(patients: Mapping[str, pd.Index]) -> pd.DataFrame:
    """How many patients are in which combination of tables.

    Parameters
    ----------
    patients : mapping of table name to identifiers (may repeat)

    Returns
    -------
    DataFrame
        ``tables`` ("clinical & genes"), one bool column for each table, ``patients``; largest count first. A table
        called ``tables`` or ``patients`` has the column ``table: NAME``.
    """
    everyone = pd.Index(sorted(set().union(*patients.values())))
    columns = {table: f"table: {table}" if table in ("tables", "patients") else table for table in patients}
    present = pd.DataFrame({columns[table]: everyone.isin(ids) for table, ids in patients.items()})
    counts = present.value_counts(sort=False).rename("patients").reset_index()
    counts.insert(0, "tables", [" & ".join(table for table in patients if row[columns[table]])
                                for row in counts.to_dict("records")])
    return counts.sort_values(["patients", "tables"], ascending=[False, True], ignore_index=True)


def near_matches(ids: pd.Index, others: pd.Index) -> int:
    """Identifiers without a match that would have one but for case, leading zeros, spaces or punctuation."""
    unmatched = set(ids) - set(others)
    missing = {_bare(text) for text in set(others) - set(ids)}
    return sum(_bare(text) in missing for text in unmatched)


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum()).lstrip("0")

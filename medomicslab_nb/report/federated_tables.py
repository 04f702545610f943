"""Tables of a federated run as a report reads them: by names of their own, with what left each site added up."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

Tables = Mapping[str, pd.DataFrame]

ALL = "all"
"""Where a model is judged, in ``performance``: over all sites."""
FEDERATED, POOLED, ALONE, WITHOUT = "federated", "pooled", "alone: ", "without "
"""Models in ``performance``; the last two are followed by a site's name."""

# The models stage publishes these names too, with other columns.
_OWN = {name: f"federated_{name}" for name in ("performance", "importance")}

_DETAILS = ["standard_error", "least", "most", "calibration_intercept", "brier"]
"""Columns of ``performance`` that only its full table shows."""
_EVENTS = ["events", "testing_events"]
"""Columns that count every patient where the outcome is a number."""


def of_report(tables: Tables) -> dict[str, pd.DataFrame]:
    """The published tables under the names of the report, with what is worked out of them.

    These are ``compared`` (:func:`compared`) and ``left`` (:func:`left`). An outcome that is a number has no events.
    """
    if "performance" in tables and (tables["performance"]["measure"] == "R2").any():
        tables = {name: table.drop(columns=_EVENTS, errors="ignore") for name, table in tables.items()}
    found = {_OWN.get(name, name): table for name, table in tables.items()}
    if "performance" in tables and tables["performance"]["estimate"].notna().any():
        found["compared"] = compared(tables["performance"])
    if "released" in found and len(found["released"]):
        found["left"] = left(found["released"])
    return found


def compared(performance: pd.DataFrame) -> pd.DataFrame:
    """The rows to compare: over all sites every model but those that left a site out; at a site what concerns it."""
    together = performance[(performance["site"] == ALL) & ~performance["model"].str.startswith(WITHOUT)]
    parts = [together]
    for site in own_sites(performance):
        here = performance[performance["site"] == site]
        parts.append(here[here["model"].isin([FEDERATED, POOLED, ALONE + site, WITHOUT + site])])
    return pd.concat(parts, ignore_index=True).drop(columns=_DETAILS, errors="ignore")


def left(released: pd.DataFrame) -> pd.DataFrame:
    """What left each site, by step: how often, over how many patients at least, bytes, and the first one in words."""
    found = released.groupby(["site", "step"], sort=False).agg(
        times=("round", "size"), fewest_patients=("patients", "min"), bytes=("bytes", "sum"), words=("words", "first"))
    return found.reset_index().sort_values("site", kind="stable", ignore_index=True)


def at(performance: pd.DataFrame, site: str) -> pd.DataFrame:
    """The models that are judged at a site (or over all), by model, those without an estimate left out."""
    own = performance[(performance["site"] == site) & performance["estimate"].notna()]
    return own.drop_duplicates("model").set_index("model")


def own_sites(performance: pd.DataFrame) -> list[str]:
    """The sites where models are judged, without ``all``."""
    return [str(site) for site in dict.fromkeys(performance["site"]) if site != ALL]


def at_home(performance: pd.DataFrame, model: str) -> pd.DataFrame:
    """For each site the row of its own model (``alone: SITE`` or ``without SITE``), judged there; by site."""
    own = performance[(performance["model"] == model + performance["site"]) & performance["estimate"].notna()]
    return own.drop_duplicates("site").set_index("site")

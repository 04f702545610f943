"""What linked plots of a run of the models stage show, as plain numbers and texts; nothing of a single patient.

Counts at thresholds, histograms and risk groups are of the first repeat, in which every patient is held out once: so
nobody counts twice, and what one plot shows of a group is what the others show of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import observed_risk
from medomicslab_nb.evaluation.decision import decision_curve, operating_point
from medomicslab_nb.models.tables import cumulative_incidence, groups_compared, kaplan_meier
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.model_words import kind_of
from medomicslab_nb.report.rows import reported
from medomicslab_nb.report.survival_figures import at_risk, nice_ticks
from medomicslab_nb.report.wording import interval, metric_name, number

Json = dict[str, Any]
KINDS = ("binary", "survival")
"""Kinds of endpoint that have linked plots."""

SHARES = ("sensitivity", "specificity", "ppv", "npv")
_TABLES = ("predictions", "performance", "roc", "calibration", "decision", "operating_points", "cumulative_incidence",
           "kaplan_meier", "risk_groups")
_THRESHOLDS = tuple(step / 100 for step in range(1, 100))
_BINS = 30
_LEAST_WIDTH = 0.005  # of a bin of the histogram


class LinkedData:
    """The published tables of a completed run, read once, and what the plots show of each of its models.

    Attributes
    ----------
    kind : str
        Of the endpoint.
    sets, learners : tuple of str
        The models to choose from; the ones that the run reports come first.

    Raises
    ------
    DataError
        The run has no linked plots, see :func:`offered`.
    """

    def __init__(self, record: RunRecord) -> None:
        if not offered(record):
            raise DataError("there are no linked plots of this run", where=f"run {record.id}",
                            todo="Choose a completed models run with an outcome of two classes or a time to event")
        self._tables = {name: record.table(name) for name in record.tables if name in _TABLES}
        self._settings, self._metrics = record.settings, record.metrics
        self.kind = kind_of(self._tables)
        found = reported(self._tables)
        assert found is not None
        pairs = self._tables["predictions"][["blocks", "learner"]].drop_duplicates()
        self._pairs = set(pairs.itertuples(index=False, name=None))
        self._headline = found.learner
        self.sets = tuple(dict.fromkeys([found.full, *pairs["blocks"]]))
        self.learners = tuple(dict.fromkeys([found.learner, *pairs["learner"]]))

    def model(self, blocks: str, learner: str) -> Json:
        """Everything that the plots show of one model.

        Raises
        ------
        DataError
            The run has no such model.
        """
        if (blocks, learner) not in self._pairs:
            raise DataError(f"'{learner}' was not fitted to '{blocks}'", where="linked plots",
                            todo="Choose another learner or set of blocks")
        held = self._own("predictions", blocks, learner)
        first = held[held["repeat"] == 0]
        shown = self._binary(first, blocks, learner) if self.kind == "binary" else self._survival(
            first, blocks, learner)
        return {"kind": self.kind, "blocks": blocks, "learner": learner, "headline": self._line(blocks, learner),
                "calibration": columns(self._own("calibration", blocks, learner),
                                       ("predicted", "observed", "lower", "upper", "n")), **shown}

    def _own(self, table: str, blocks: str, learner: str) -> pd.DataFrame:
        """The rows of a published table that belong to a model; tables without learners are of the reported one."""
        frame = self._tables.get(table, pd.DataFrame(columns=["blocks"]))
        own = frame[frame["blocks"] == blocks]
        if "learner" in own.columns:
            return own[own["learner"] == learner]
        return own if learner == self._headline else own.iloc[:0]

    def _line(self, blocks: str, learner: str) -> str:
        """``AUC 0.712 (0.610 to 0.801)``."""
        rows = self._own("performance", blocks, learner)
        if rows.empty:
            return ""
        first = rows.iloc[0]
        limits = interval(first["lower"], first["upper"])
        return f"{metric_name(str(first['metric']))} {number(first['estimate'])}{f' ({limits})' if limits else ''}"

    def _binary(self, first: pd.DataFrame, blocks: str, learner: str) -> Json:
        observed, risk = first["observed"].to_numpy(bool), first["probability"].to_numpy(float)
        published = self._own("decision", blocks, learner)
        decision = published if len(published) else decision_curve(observed, risk)
        return {"n": len(first), "events": int(observed.sum()),
                "histogram": histogram(risk, {"event": observed, "none": ~observed}),
                "thresholds": thresholds(observed, risk, float(self._settings.get("confidence", 0.95))),
                "roc": columns(self._own("roc", blocks, learner), ("fpr", "tpr", "lower", "upper")),
                "decision": _decision(decision), "points": self._points(blocks, learner)}

    def _points(self, blocks: str, learner: str) -> list[list[str]]:
        """Thresholds that were chosen in the training folds: name, then each share with its interval."""
        rows = self._own("operating_points", blocks, learner)
        if rows.empty:
            return []
        return [[str(name), *(share_text(line) for share in SHARES
                              for line in records(part[part["metric"] == share]))]
                for name, part in rows.groupby("threshold", sort=False)]

    def _survival(self, first: pd.DataFrame, blocks: str, learner: str) -> Json:
        groups, confidence = int(self._settings.get("groups", 2)), float(self._settings.get("confidence", 0.95))
        competing = "cause" in first.columns
        curves = self._own("cumulative_incidence" if competing else "kaplan_meier", blocks, learner)
        if curves.empty:
            curves = (cumulative_incidence if competing else kaplan_meier)(first, groups, confidence)
        compared = self._own("risk_groups", blocks, learner)
        if compared.empty:
            compared = groups_compared(first, groups)
        horizon = self._metrics.get("horizon")
        value, ticks = "incidence" if competing else "survival", nice_ticks(float(curves["time"].max()))
        risk, codes = first["risk_at_horizon"].to_numpy(float), first["risk_group"].to_numpy(int)
        # Only groups with patients have a curve, in the order of their codes.
        names = dict(zip(sorted(set(codes.tolist())), dict.fromkeys(curves["group"]), strict=False))
        members = {name: codes == code for code, name in names.items()}
        return {"n": len(first), "events": int(first["event"].sum()), "horizon": horizon, "value": value,
                "unit": str(self._metrics.get("unit") or ""), "histogram": histogram(risk, members),
                "groups": [_group(_from_zero(curves[curves["group"] == name], value, int(own.sum())),
                                  compared[compared["group"] == name].iloc[0], value, ticks)
                           | {"predicted": float(risk[own].mean()), **_observed(first[own], horizon, confidence)}
                           for name, own in members.items()],
                "ticks": ticks, "p": number(compared["p"].iloc[0])}


def offered(record: RunRecord) -> bool:
    """Whether a run has linked plots: a completed one with held-out predictions of two classes or a time to event."""
    if record.stage != "models" or record.status != "completed" or "predictions" not in record.tables:
        return False
    kind = kind_of({"performance": record.table("performance")}) if "performance" in record.tables else ""
    needed = {"binary": ("repeat", "learner", "probability"), "survival": ("repeat", "learner", "risk_at_horizon")}
    return kind in KINDS and set(needed[kind]) <= set(record.table("predictions").columns)


def columns(table: pd.DataFrame, names: tuple[str, ...]) -> dict[str, list[float | None]]:
    """Numbers by column, None where there is none."""
    return {name: plain(table[name]) if name in table else [] for name in names}


def records(table: pd.DataFrame) -> list[Json]:
    """The rows, each by the names of the columns."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def plain(values: Any) -> list[float | None]:
    """Numbers with six digits; None for what is missing or endless."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in np.asarray(values, dtype=float)]


def histogram(risk: np.ndarray, members: Mapping[str, np.ndarray]) -> Json:
    """Counts of predicted risks by bin, for each named part of the patients.

    Bins are of equal width from 0 to the largest risk.

    Parameters
    ----------
    risk : ndarray, shape (n,)
    members : mapping of str to ndarray of bool, shape (n,)
    """
    width = max(_LEAST_WIDTH, round(float(risk.max()) / _BINS / _LEAST_WIDTH) * _LEAST_WIDTH) if len(risk) else 1.0
    edges = np.arange(0, np.floor(risk.max() / width + 1e-9) + 2) * width if len(risk) else np.array([0.0, 1.0])
    return {"edges": plain(edges), "counts": {name: np.histogram(risk[own], edges)[0].tolist()
                                              for name, own in members.items()}}


def thresholds(observed: np.ndarray, risk: np.ndarray, confidence: float) -> Json:
    """Counts and shares with Wilson intervals at thresholds of .01 to .99, a list a column.

    Returns
    -------
    dict
        ``threshold``, ``tp``, ``fp``, ``fn``, ``tn``, ``tpr``, ``fpr`` (numbers); ``sensitivity``, ``specificity``,
        ``ppv``, ``npv`` (texts such as ``0.71 (0.60 to 0.80)``).
    """
    found: Json = {name: [] for name in ("threshold", "tp", "fp", "fn", "tn", "tpr", "fpr", *SHARES)}
    for threshold in _THRESHOLDS:
        shares = {line["metric"]: line for line in records(
            operating_point(observed, risk, threshold, confidence=confidence))}
        hits, cases = shares["sensitivity"]["events"], shares["sensitivity"]["n"]
        spared, others = shares["specificity"]["events"], shares["specificity"]["n"]
        row = {"threshold": threshold, "tp": hits, "fn": cases - hits, "tn": spared, "fp": others - spared,
               "tpr": hits / cases if cases else None, "fpr": (others - spared) / others if others else None,
               **{name: share_text(shares[name]) for name in SHARES}}
        for name, value in row.items():
            found[name].append(value)
    return found


def share_text(share: Mapping[str, Any]) -> str:
    """``0.71 (0.60 to 0.80)``; a dash where nobody is counted."""
    if not np.isfinite(share["estimate"]):
        return "-"
    return f"{share['estimate']:.2f} ({share['lower']:.2f} to {share['upper']:.2f})"


def _decision(table: pd.DataFrame) -> Json:
    model, everybody = (table[table["strategy"] == strategy] for strategy in ("model", "treat all"))
    return {**columns(model, ("threshold", "net_benefit", "lower", "upper")), "all": plain(everybody["net_benefit"])}


def _from_zero(curve: pd.DataFrame, value: str, n: int) -> pd.DataFrame:
    """A curve of cumulative incidence with its beginning: nobody has had the event at time 0."""
    if value != "incidence":
        return curve
    start = curve.iloc[:1].assign(time=0.0, incidence=0.0, lower=0.0, upper=0.0, at_risk=n, events=0)
    return pd.concat([start, curve], ignore_index=True)


def _group(curve: pd.DataFrame, line: pd.Series, value: str, ticks: list[float]) -> Json:
    """A risk group: its curve, the patients at risk, and its row of the table."""
    limits, ratio = interval(line["lower"], line["upper"]), number(line["hazard_ratio"])
    name = str(line["group"])
    return {"name": name, "curve": columns(curve, ("time", value, "lower", "upper")),
            "at_risk": [at_risk(curve, tick) for tick in ticks],
            "row": [name, str(int(line["n"])), str(int(line["events"])), number(line["median_survival"]) or "-",
                    f"{ratio} ({limits})" if limits else "1"]}


def _observed(members: pd.DataFrame, horizon: float | None, confidence: float) -> Json:
    """The observed risk of a group by the horizon with its limits, as in the evaluation; None: not estimable."""
    event, time = members["event"].to_numpy(bool), members["time"].to_numpy(float)
    entry, cause = (members[name].to_numpy(kind) if name in members else None
                    for name, kind in (("entry", float), ("cause", int)))
    found = (np.nan,) * 3 if horizon is None else observed_risk(event, time, horizon, confidence, entry=entry,
                                                                cause=cause)
    return dict(zip(("observed", "lower", "upper"), plain(found), strict=True))

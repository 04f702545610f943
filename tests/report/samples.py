"""A generated study with one finished run of each stage, in the published schemas, made without running a stage."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from medomicslab_nb.files import sha256_of, table_bytes, write_bytes
from medomicslab_nb.record import RunRecord, environment
from medomicslab_nb.settings import Settings
from medomicslab_nb.stages import STAGES
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column

HOSTILE = ("<img src=x onerror=\"window.broken=1\"><a href='https://example.org'>x</a></script>"
           "<script>window.broken=1</script>")
N = 60
LEARNERS = ("default: ridge + forest", "ridge", "forest")
IDS = [f"PSEUDO-{number:04d}" for number in range(N)]
BLOCKS = ("clinical", "genes", "clinical + genes")


def make_study(path: Path) -> Study:
    """60 patients with identifiers that can be recognised, a clinical and a gene table."""
    study = create_study(path)
    draw = np.random.default_rng(0)
    clinical = pd.DataFrame({"patient": IDS, "age": draw.normal(50, 9, N).round(1), "grade": draw.integers(1, 4, N),
                             "time": draw.integers(100, 5000, N), "event": draw.integers(0, 2, N)})
    study.add_table("clinical", clinical, columns={
        "patient": Column(role="identifier", type="text"), "age": Column(unit="years"),
        "grade": Column(type="integer"), "time": Column(role="time", endpoint="dmfs", unit="days"),
        "event": Column(role="event", endpoint="dmfs", type="boolean")})
    genes = pd.DataFrame(draw.normal(size=(N - 8, 5)), index=pd.Index(IDS[8:], name="patient"),
                         columns=[f"G{i}" for i in range(5)])
    study.add_table("genes", genes, block="genes", default_column=Column(), transposed=True)
    return study


def finished_run(study: Study, stage: str, tables: dict[str, pd.DataFrame], settings: dict[str, object] | None = None,
                 **fields: object) -> RunRecord:
    """A completed run that publishes ``tables``."""
    parsed: Settings = STAGES[stage].settings_class().parse(settings or {})
    record = RunRecord.create(study.path / "runs", stage, parsed.digest(study.path), {
        "settings": parsed.model_dump(mode="json"), "settings_version": 1, "environment": environment(),
        "replays": None})
    entries = {}
    for name, frame in tables.items():
        path = record.path / "tables" / f"{name}.parquet"
        write_bytes(path, table_bytes(frame, name))
        entries[name] = {"sha256": sha256_of(path), "rows": len(frame)}
    record.update(**{"status": "completed", "finished": datetime.now(UTC).isoformat(), "tables": entries,
                     "warnings": ["Only 30 events: every number is uncertain."], **fields})
    return record


def data_tables(name: str = "age") -> dict[str, pd.DataFrame]:
    """What the data stage publishes; ``name`` is the name of one column."""
    dictionary = pd.DataFrame({
        "table": ["clinical"] * 3 + ["genes"], "column": [name, "grade", "size", "G1"], "role": "predictor",
        "type": "number", "unit": ["years", "", "mm", ""], "endpoint": "", "level": "patient", "n": [60, 60, 60, 52],
        "missing": [0, 3, 21, 1], "unique": [40, 3, 30, 52], "minimum": [22.0, 1, 3, -2.1],
        "median": [50.0, 2, 21, 0.0], "maximum": [81.0, 3, 60, 2.2], "note": ""})
    return {
        "dictionary": dictionary,
        "quality": pd.DataFrame({"table": ["clinical"], "column": ["size"], "check": ["missing"],
                                 "severity": ["warning"], "n": [21], "finding": ["35 % of the values are missing"],
                                 "advice": ["Check whether the size was not measured or not entered"]}),
        "linkage": pd.DataFrame({"tables": ["clinical & genes", "clinical"], "clinical": [True, True],
                                 "genes": [True, False], "patients": [52, 8]}),
        "table_one": pd.DataFrame({"variable": [f"{name}, median (quartiles)", "grade", "grade"],
                                   "category": ["", "1", "2"], "overall": ["50 (44; 56)", "20 (33 %)", "40 (67 %)"],
                                   "dmfs = 0": ["49 (43; 55)", "12 (40 %)", "18 (60 %)"],
                                   "dmfs = 1": ["51 (45; 58)", "8 (27 %)", "22 (73 %)"], "smd": ["0.18", "0.28", ""],
                                   "missing": ["0", "3", ""]}),
        "flow": pd.DataFrame({"step": [0, 1, 2], "label": ["All patients", "in clinical", "grade known"],
                              "patients": [60, 60, 57], "excluded": [0, 0, 3]}),
        "outcomes": pd.DataFrame({"endpoint": ["dmfs"], "kind": ["survival"], "n": [60], "events": [30],
                                  "percent": [50.0], "median_follow_up": [2500.0], "unit": ["days"]}),
        "cohort": pd.DataFrame({"patient": IDS[:57]}),
    }


def models_tables(name: str = "age", *, survival: bool = True) -> dict[str, pd.DataFrame]:
    """What the models stage publishes; ``name`` is the name of one predictor."""
    draw = np.random.default_rng(1)
    metric = "c_index" if survival else "auc"
    rows = [(blocks, learner, learner.startswith("default"), metric, aggregation, 0.6 + 0.04 * b + 0.01 * i,
             0.5 + 0.04 * b, 0.7 + 0.04 * b, 60, 30, "95 %, corrected resampled t")
            for b, blocks in enumerate(BLOCKS) for i, learner in enumerate(LEARNERS)
            for aggregation in ("fold mean", "pooled")]
    tables = {
        "performance": pd.DataFrame(rows, columns=["blocks", "learner", "default", "metric", "aggregation", "estimate",
                                                   "lower", "upper", "n", "events", "interval"]),
        "predictions": pd.DataFrame({"patient": IDS, "blocks": "clinical", "score": draw.normal(size=N)}),
        "importance": pd.DataFrame({
            "blocks": BLOCKS[-1], "feature": [name, "grade", "G1", "G2"],
            "block": ["clinical", "clinical", "genes", "genes"], "mean_abs_shap": [0.4, 0.3, 0.1, 0.05],
            "lower": [0.3, 0.2, 0.05, 0.0], "upper": [0.5, 0.4, 0.15, 0.1], "n": N, "error": 0.0, "selected": True,
            "method": "ridge: exact, linear"}),
        "shap": pd.concat([pd.DataFrame({"blocks": BLOCKS[-1], "row": np.arange(N), "feature": feature,
                                         "value": draw.normal(size=N), "category": "",
                                         "shap": draw.normal(size=N) / (i + 2)})
                           for i, feature in enumerate((name, "grade", "G1", "G2"))]),
        "partial_dependence": pd.concat([pd.DataFrame({
            "feature": feature, "block": "clinical", "output": "", "value": [1.0, 2.0, 3.0], "category": categories,
            "mean": [0.2, 0.3, 0.4], "lower": 0.1, "upper": 0.5, "p10": 0.1, "p90": 0.5, "n": N})
            for feature, categories in ((name, ""), ("grade", ["a", "b", name]))]),
        "subgroups": pd.DataFrame({
            "blocks": BLOCKS[-1], "subgroup": "grade", "group": ["1", name], "n": pd.array([40, pd.NA], "Int64"),
            "events": pd.array([20, pd.NA], "Int64"), "metric": metric, "estimate": [0.7, np.nan],
            "lower": [0.6, np.nan], "upper": [0.8, np.nan], "interval": ["percentile bootstrap", ""],
            "note": ["", "hidden: fewer than 5 patients"]}),
        "decision": pd.concat([pd.DataFrame({
            "blocks": blocks, "threshold": [0.1, 0.2, 0.3], "strategy": strategy, "net_benefit": values,
            "lower": np.array(values) - 0.1, "upper": np.array(values) + 0.1, "n": N, "events": 30})
            for blocks in BLOCKS for strategy, values in (("model", [0.4, 0.3, 0.2]), ("treat all", [0.4, 0.2, 0.0]),
                                                          ("treat none", [0.0, 0.0, 0.0]))]),
        "nomogram_points": pd.DataFrame({
            "feature": [name, name, "grade", "grade", "grade"], "block": "clinical", "value": [40.0, 60, 0, 1, np.nan],
            "category": ["", "", "a", name, "missing"], "contribution": [0.0, 1.0, 0.0, 0.5, 0.2],
            "n": [60, 60, 30, 30, 0], "points": [0.0, 100.0, 0.0, 50.0, 20.0]}),
        "nomogram_risk": pd.DataFrame({"total_points": [0.0, 75.0, 150.0], "score": [-1.0, 0.0, 1.0],
                                       "risk" if survival else "probability": [0.25, 0.5, 0.75]}),
        "ablation": pd.DataFrame({"blocks": BLOCKS, "n_features": [2, 5, 7], "n_patients": 60,
                                  "estimate": [0.6, 0.64, 0.68],
                                  "lower": 0.5, "upper": 0.75, "difference": [0.0, 0.04, 0.08],
                                  "difference_lower": [0.0, -0.05, 0.01], "difference_upper": [0.0, 0.13, 0.15],
                                  "p": [np.nan, 0.3, 0.04], "p_holm": [np.nan, 0.3, 0.08], "reference": "clinical",
                                  "interval": "corrected resampled t"}),
        "calibration": pd.DataFrame({"blocks": np.repeat(BLOCKS, 4), "learner": LEARNERS[0],
                                     "bin": list(range(4)) * 3, "n": 15, "predicted": [0.1, 0.25, 0.4, 0.6] * 3,
                                     "observed": [0.12, 0.2, 0.45, 0.55] * 3, "lower": [0.05, 0.1, 0.3, 0.4] * 3,
                                     "upper": [0.25, 0.35, 0.6, 0.75] * 3, "horizon": 1825.0 if survival else np.nan}),
    }
    return {**tables, **({"kaplan_meier": _kaplan_meier()} if survival else {"roc": _roc()})}


def _kaplan_meier() -> pd.DataFrame:
    parts = []
    for blocks in BLOCKS:
        for group, speed in (("low risk", 0.01), ("high risk", 0.025)):
            times, alive = np.arange(0, 5000, 250.0), np.linspace(1, 1 - 20 * speed, 20)
            parts.append(pd.DataFrame({"blocks": blocks, "group": group, "time": times, "survival": alive,
                                       "lower": np.clip(alive - 0.1, 0, 1), "upper": np.clip(alive + 0.1, 0, 1),
                                       "at_risk": np.linspace(30, 3, 20).astype(int), "events": 1}))
    return pd.concat(parts)


def _roc() -> pd.DataFrame:
    fpr = np.linspace(0, 1, 21)
    return pd.concat([pd.DataFrame({"blocks": blocks, "learner": LEARNERS[0], "fpr": fpr,
                                    "tpr": fpr ** (0.7 - 0.2 * b), "lower": fpr ** (0.9 - 0.2 * b),
                                    "upper": fpr ** (0.5 - 0.15 * b)}) for b, blocks in enumerate(BLOCKS)])


def federated_tables(name: str = "age", sites: tuple[str, ...] = ("north", "south", "east")) -> dict[str, pd.DataFrame]:
    """What the federated stage publishes of a logistic regression; ``name`` is the name of one column."""
    steps = [("logistic", f"Newton step {number}") for number in range(1, 4)]
    rounds = [("schema", "columns of each site"), ("moments", "means"), *steps, ("evaluate", "measures")]
    return {
        "sites": pd.DataFrame({"site": sites, "takes_part": True, "trains": True, "patients": [300, 200, 100],
                               "events": [150, 60, 20], "testing_patients": [60, 40, 20],
                               "testing_events": [30, 12, 4], "rounds": len(rounds), "bytes": [5000, 5000, 4800]}),
        "availability": pd.DataFrame({"site": np.repeat(sites, 2), "column": [name, "chol"] * 3,
                                      "known": [300, 280, 200, 200, 100, 0]}),
        "columns": pd.DataFrame({"column": [name, "chol"], "kind": "number", "known": [600, 480], "mean": [54.0, 240.0],
                                 "sd": [9.0, 50.0]}),
        "coefficients": pd.DataFrame({"column": [name, "chol"], "coefficient": [0.1, -0.002],
                                      "standard_error": [0.02, 0.002], "lower": [0.06, -0.006], "upper": [0.14, 0.002],
                                      "ratio": np.exp([0.1, -0.002]), "standardised": [0.9, -0.1]}),
        "rounds": pd.DataFrame([(i + 1, step, label, 3, 0.7 - 0.05 * i if step == "logistic" else np.nan)
                                for i, (step, label) in enumerate(rounds)],
                               columns=["round", "step", "label", "sites", "loss"]),
        "performance": _judged(sites),
        "importance": pd.DataFrame({"column": [name, "chol"], "mean_shap": [0.7, 0.1]}),
        "released": pd.DataFrame([(site, i + 1, step, f"sums for {label}", 80 if site == "east" else 200, 800)
                                  for i, (step, label) in enumerate(rounds) for site in sites],
                                 columns=["site", "round", "step", "words", "patients", "bytes"])}


FEDERATED_METRICS = {"algorithm": "logistic", "sites": 3, "patients": 600, "events": 230, "rounds": 6, "measure": "AUC",
                     "federated": 0.86, "pooled": 0.86, "alone_lowest": 0.71, "alone_highest": 0.84,
                     "external_lowest": 0.7, "external_highest": 0.8, "bytes": 14_800}


def _judged(sites: tuple[str, ...]) -> pd.DataFrame:
    """Each model at each site and over all; the last site is too small for an interval, and its own model is best."""
    first, second, last = sites
    rows = [("federated", "all", 0.86), *(("federated", site, value) for site, value in zip(sites, (0.88, 0.8, 0.7),
                                                                                             strict=True)),
            ("pooled", "all", 0.86), *(("pooled", site, value) for site, value in zip(sites, (0.88, 0.8, 0.7),
                                                                                      strict=True))]
    home = {first: (0.84, 0.87, 0.75, 0.6), second: (0.8, 0.82, 0.78, 0.62), last: (0.71, 0.65, 0.6, 0.74)}
    for owner, (together, *own) in home.items():
        rows += [(f"alone: {owner}", "all", together), *((f"alone: {owner}", site, value)
                                                         for site, value in zip(sites, own, strict=True))]
    rows += [(f"without {site}", site, value) for site, value in zip(sites, (0.8, 0.75, 0.7), strict=True)]
    table = pd.DataFrame(rows, columns=["model", "site", "estimate"])
    patients = table["site"].map({"all": 120, first: 60, second: 40, last: 20})
    width = table["site"].map({"all": 0.04, first: 0.06, second: 0.09, last: 0.25})
    open_by_bins = (table["site"] == "all") * 0.01
    return pd.DataFrame({
        "model": table["model"], "site": table["site"], "measure": "AUC", "estimate": table["estimate"],
        "standard_error": width / 2, "lower": table["estimate"] - width,
        "upper": np.minimum(table["estimate"] + width, 1.0), "least": table["estimate"] - open_by_bins,
        "most": table["estimate"] + open_by_bins, "patients": patients, "events": (patients * 0.4).astype(int),
        "calibration_intercept": 0.1, "calibration_slope": 0.9, "observed_expected": 1.0, "brier": 0.15})


def curve_table(sites: tuple[str, ...] = ("north", "south")) -> pd.DataFrame:
    """What the federated stage publishes of a Kaplan-Meier curve."""
    times = np.arange(90, 1810, 90.0)
    return pd.concat([pd.DataFrame({
        "site": site, "time": times, "survival": (alive := np.linspace(0.98, end, len(times))),
        "lower": alive - 0.03, "upper": np.minimum(alive + 0.03, 1.0),
        "at_risk": np.linspace(100, 5, len(times)).astype(int), "least": alive - 0.01, "most": alive + 0.01})
        for site, end in (("all", 0.6), *zip(sites, (0.7, 0.5), strict=True))], ignore_index=True)

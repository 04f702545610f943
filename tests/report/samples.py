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

"""The main job, end to end, on real patients that ship with the package: ``medomicslab demo``."""

from __future__ import annotations

import os
from pathlib import Path

from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.errors import StudyError
from medomicslab_nb.notebook import run_notebook
from medomicslab_nb.progress import Progress
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.html import write_study_report
from medomicslab_nb.runner import default_sinks
from medomicslab_nb.study import Study, create_study, open_study

SAMPLE = "transbig"
MODELS = {"outcome": "dmfs", "folds": 5, "repeats": 2}


def demo(folder: Path) -> None:
    """TRANSBIG: 198 breast cancer patients, clinical data and 76 genes, distant metastasis-free survival.

    Makes the study in ``folder`` (or goes on with the one it made before), runs the pipeline's notebook, and prints
    the C-index of the named default beside plain learners under the same folds, and where the reports lie.
    """
    study = _study(folder)
    print(f"Study {study.name}: {', '.join(f'{t.name} ({t.n_rows} x {t.n_columns})' for t in study.tables.values())}")
    print("Data, then models: clinical, genes and both, each in 5 folds x 2 repeats with inner cross-validation.")
    pipeline = run_notebook("pipeline", study, {"data": {"outcome": "dmfs"}, "models": MODELS})
    models = study.run(pipeline.metrics["models"]["run"])
    print_performance(models)
    for text in models.warnings:
        print(f"Note: {text}")
    print("Reports:")
    for record in (study.run(pipeline.metrics["data"]["run"]), models):
        print(f"  {record.stage}: {os.path.relpath(record.report().path)}")
    print(f"  study: {os.path.relpath(write_study_report(study))}")


def _study(folder: Path) -> Study:
    if (folder / "study.yaml").exists():
        study = open_study(folder)
        if "clinical" not in study.tables:
            raise StudyError("this study is not the demo's", where=folder.name, todo="Name another folder")
        return study
    study = create_study(folder)
    get_sample(SAMPLE, study, Progress(default_sinks()))
    return study


def print_performance(models: RunRecord) -> None:
    """Mean C-index (or AUC) over the folds with its interval, one line per blocks and learner."""
    table = models.table("performance")
    shown = table[(table["aggregation"] == "fold mean") & table["metric"].isin(["c_index", "auc"])]
    print(f"{'predictors':<20} {'learner':<44} metric   estimate  95 % interval")
    for row in shown.itertuples():
        print(f"{row.blocks:<20} {row.learner:<44} {row.metric:<8} {row.estimate:.3f}     {row.lower:.3f} to {row.upper:.3f}")
    best = shown[(shown["blocks"] == shown["blocks"].iloc[-1])]
    default, plain = best[best["default"]]["estimate"], best[~best["default"]]["estimate"]
    if len(plain):
        print(f"default={default.iloc[0]:.4f} best_plain={plain.max():.4f} difference={default.iloc[0] - plain.max():+.4f}")

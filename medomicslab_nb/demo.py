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
    """Mean C-index over the folds with its interval, one line per blocks and learner."""
    table = models.table("performance")
    shown = table[(table["aggregation"] == "fold mean") & (table["metric"] == models.metrics["metric"])]
    print(f"{'predictors':<18} {'learner':<24} {models.metrics['metric']:<8} 95 % interval")
    for row in shown.itertuples():
        print(f"{row.blocks:<18} {row.learner:<24} {row.estimate:.3f}    {row.lower:.3f} to {row.upper:.3f}")
    best = shown[shown["blocks"] == models.metrics["blocks"]]
    default, plain = best[best["default"]]["estimate"].iloc[0], best[~best["default"]]["estimate"].max()
    print(f"default={default:.4f} best_plain={plain:.4f} difference={default - plain:+.4f}")

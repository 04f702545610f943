"""The main job, end to end: ``medomicslab demo``, on public, on generated and with ``--real`` on real patients."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.errors import SettingsError, StudyError
from medomicslab_nb.notebook import run_notebook
from medomicslab_nb.progress import Progress
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.html import write_study_report
from medomicslab_nb.runner import default_sinks
from medomicslab_nb.study import Study, create_study, open_study


@dataclass(frozen=True)
class Demo:
    """A sample set and what is done with it."""

    sample: str
    table: str
    """A table by which a study that was made before is known again."""
    what: str
    settings: Mapping[str, Any]
    """Settings of the pipeline."""
    alone: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further models of one or few columns of a table each, to judge the others by: table, then columns."""


_CROSS_VALIDATION = {"folds": 5, "repeats": 2}
TRANSBIG = Demo(
    "transbig", "genes", "TRANSBIG, 198 real patients: data, then models of clinical data, of 76 genes and of both.",
    {"data": {"outcome": "dmfs"}, "models": {"outcome": "dmfs", **_CROSS_VALIDATION}})
SYNTHETIC = Demo(
    "synthetic", "truth", "Generated cohort, 60 patients: CT and PET with contours, radiomics, then models of clinical "
    "data, of radiomics and of both.",
    {"data": {"outcome": "os"}, "radiomics": {},
     "models": {"outcome": "os", "blocks": {"clinical": ["clinical"], "radiomics": ["features"]},
                **_CROSS_VALIDATION}})
STS = Demo(
    "sts", "outcome", "Soft-tissue sarcoma, 51 real patients: PET from DICOM with contours, radiomics (64 bins, 4 mm), "
    "then models of lung metastasis: SUVmax alone, radiomics alone, and both.",
    {"data": {"outcome": "lung_metastasis"}, "radiomics": {"modalities": ["PT"], "rois": ["GTV*"], "preset": "pet-suv"},
     "models": {"outcome": "lung_metastasis", "blocks": {"SUVmax": ["pet"], "radiomics": ["features"]},
                "predictors": {"pet": ["suv_max"]}, **_CROSS_VALIDATION}},
    {"pet": ("volume_ml",)})
REAL = {"sts": STS}


def demo(folder: Path, real: str = "") -> None:
    """Make the demo's studies (or go on with those made before), run their pipelines, print figures and reports.

    Parameters
    ----------
    folder : Path
        Study of TRANSBIG, beside which the generated cohort gets the study ``FOLDER-images``; with ``real``, the study
        of that sample set.
    real : str
        Name of a set of real patients with images, which is not shipped: "sts".
    """
    if real:
        if real not in REAL:
            raise SettingsError(f"there is no demo on '{real}'", todo=f"There are: {', '.join(REAL)}")
        run_demo(REAL[real], folder)
        return
    run_demo(TRANSBIG, folder)
    print()
    run_demo(SYNTHETIC, folder.with_name(f"{folder.name}-images"))


def run_demo(chosen: Demo, folder: Path) -> None:
    """One study from its sample set to its report."""
    print(chosen.what)
    study = _study(chosen, folder)
    print(f"Study {study.name}: {', '.join(f'{t.name} ({t.n_rows} x {t.n_columns})' for t in study.tables.values())}")
    pipeline = run_notebook("pipeline", study, chosen.settings)
    records = [study.run(str(part["run"])) for part in pipeline.metrics.values()]
    print_performance(records[-1])
    for table, columns in chosen.alone.items():
        print_alone(study, chosen, table, columns)
    for text in dict.fromkeys(text for record in records[1:] for text in record.warnings):
        print(f"Note: {text}")
    print("Reports:")
    for record in records:
        print(f"  {record.stage}: {os.path.relpath(record.report().path)}")
    print(f"  study: {os.path.relpath(write_study_report(study))}")


def _study(chosen: Demo, folder: Path) -> Study:
    if (folder / "study.yaml").exists():
        study = open_study(folder)
        if chosen.table not in study.tables:
            raise StudyError("this study is not the demo's", where=folder.name, todo="Name another folder")
        return study
    study = create_study(folder)
    get_sample(chosen.sample, study, Progress(default_sinks()))
    return study


def print_performance(models: RunRecord) -> None:
    """Mean performance over the folds with its interval, one line per blocks and learner."""
    table, metric = models.table("performance"), models.metrics["metric"]
    shown = table[(table["aggregation"] == "fold mean") & (table["metric"] == metric)]
    print(f"{'predictors':<18} {'learner':<24} {metric:<8} 95 % interval")
    for row in shown.itertuples():
        print(f"{row.blocks:<18} {row.learner:<24} {row.estimate:.3f}    {row.lower:.3f} to {row.upper:.3f}")
    best = shown[shown["blocks"] == models.metrics["blocks"]]
    default, plain = best[best["default"]]["estimate"].iloc[0], best[~best["default"]]["estimate"].max()
    print(f"default={default:.4f} best_plain={plain:.4f} difference={default - plain:+.4f}")


def print_alone(study: Study, chosen: Demo, table: str, columns: tuple[str, ...]) -> None:
    """A model of a few columns, under the same folds as the others."""
    settings = {**chosen.settings["models"], "blocks": {" + ".join(columns): [table]},
                "predictors": {table: list(columns)}, "ablation": False, "explain": False}
    print_performance(run_notebook("models", study, settings))

"""Soft-tissue sarcoma, 51 real patients: PET radiomics from DICOM and RTSTRUCT to the AUC for lung metastasis.

The study, the radiomics stage and the models stage as a user runs them; 5 folds x 10 repeats. Beside it SUVmax alone
and volume alone. Plain pyradiomics with plain scikit-learn gave ridge .807 and forest .810; the figures must lie within
.03 of .81. Needs MEDOMICSLAB_DATA. Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.learners import FOREST, RIDGE
from medomicslab_nb.progress import PlainLines, Progress
from medomicslab_nb.runner import run
from medomicslab_nb.study import Study, create_study, open_study

_PATIENTS = 51
_EXPECTED, _TOLERANCE = 0.81, 0.03
_RADIOMICS = {"modalities": ["PT"], "rois": ["GTV_Mass_PET"], "bin_count": 64, "spacing": [4, 4, 4]}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        path = options.study or Path(folder) / "sts"
        figures = benchmark(_study(path), options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")
    if not figures["passed"]:
        raise SystemExit("patients were lost, or the AUC is not what plain tools give")


def benchmark(study: Study, options: argparse.Namespace) -> dict[str, float | int | bool]:
    """Patients, times and AUCs."""
    start = time.perf_counter()
    radiomics = run("radiomics", study, _RADIOMICS)
    figures: dict[str, float | int | bool] = {
        "patients": int(radiomics.metrics["patients"]), "lost": int(radiomics.metrics["lost"]),
        "features": int(radiomics.metrics["features"]), "radiomics_s": round(time.perf_counter() - start, 1)}
    for name, table, columns in (("radiomics", "features", []), ("suvmax", "pet", ["suv_max"]),
                                 ("volume", "pet", ["volume_ml"])):
        for learner, auc in _aucs(study, table, columns, options).items():
            figures[f"{name}_{learner}_auc"] = round(auc, 4)
    distances = [abs(float(figures[f"radiomics_{learner}_auc"]) - _EXPECTED) for learner in (RIDGE, FOREST)]
    close = max(distances) <= _TOLERANCE
    return {**figures, "passed": bool(close and figures["patients"] == _PATIENTS and not figures["lost"])}


def _aucs(study: Study, table: str, columns: list[str], options: argparse.Namespace) -> dict[str, float]:
    """Mean AUC over folds and repeats, by learner, of a table's columns (all when none are named)."""
    record = run("models", study, {
        "outcome": "lung_metastasis", "blocks": {"pet": [table]}, "folds": 5, "repeats": options.repeats,
        "predictors": {table: columns} if columns else {}, "seed": options.seed, "explain": False,
        "jobs": options.jobs})
    found = record.metrics["by_learner"]
    return {"default": found[DEFAULT], RIDGE: found[RIDGE], FOREST: found[FOREST]}


def _study(path: Path) -> Study:
    if (path / "study.yaml").exists():
        return open_study(path)
    study = create_study(path)
    get_sample("sts", study, Progress([PlainLines(every_s=10)]))
    return study


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, help="keep the study in this folder, and go on with it")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=0, help="processes at once; 0: one per core")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()

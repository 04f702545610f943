"""DICOM to table for a cohort, and what it costs beside a plain pyradiomics script that gives the same values.

    python benchmarks/cohort.py --sts DIR --modality PET|CT|MR_T1 [--compare 3] [--json FILE]

First every patient goes from DICOM and RTSTRUCT to a table of features: patients, failures, CPU seconds for a case.
Then both ways measure the same volumes with the same parameters, from the same NIfTI files, each in a process of its
own on one core, so that CPU seconds and peak memory can be compared; the values are compared in the same run. Peak
memory is given as a whole and above what the loaded libraries take (ours include pandas, a plain script's do not).

- uncropped: the images are cropped 5 cm around the contour; each is put back into the middle of a field of view as a
  scanner gives it (PET 128 x 128 x 300, CT 512 x 512 x 150, MR 512 x 512 x 60 voxels), filled with air
- sphere: radius 60 mm in voxels of 1 mm with noise, where the diameter of the mesh takes most of the time
- cropped and uncropped with Laplacian of Gaussian (1 and 2 mm) and wavelets: 1,037 features of eleven images

The difference of two values is relative, below 0.001 absolute in units of 0.001.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np

FIELDS_OF_VIEW = {"PET": (128, 128, 300), "CT": (512, 512, 150), "MR_T1": (512, 512, 60)}
AIR = {"PET": 0.0, "CT": -1000.0, "MR_T1": 0.0}
DICOM_MODALITY = {"PET": "PT", "CT": "CT", "MR_T1": "MR"}
FILTERS = {"Original": {}, "LoG": {"sigma": [1.0, 2.0]}, "Wavelet": {}}
LIMITS = {"log": 1e-4, "wavelet": 1e-6, "original": 1e-9}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
              "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sts", type=Path)
    parser.add_argument("--modality", choices=list(FIELDS_OF_VIEW), default="PET")
    parser.add_argument("--engine", default="pyradiomics")
    parser.add_argument("--compare", type=int, default=3, help="patients that both ways measure")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=["ours", "plain", "cohort"], help=argparse.SUPPRESS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child](json.loads(options.task))))
        return
    if options.sts is None:
        parser.error("--sts is needed: the folder with dicom/ and nifti/")
    figures = dict(run_cohort(options.sts, options.modality, options.engine))
    with tempfile.TemporaryDirectory() as folder:
        figures |= comparisons(options.sts, options.modality, options.compare, Path(folder))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for name, value in figures.items():
        print(f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}")


# --- DICOM to table ---------------------------------------------------------------------------------------------------


def run_cohort(sts: Path, modality: str, engine: str) -> dict[str, Any]:
    folders = sorted(path for path in (sts / "dicom").glob(f"*/{modality}") if path.is_dir())
    result = child("cohort", {"folders": [str(path) for path in folders], "modality": modality, "engine": engine})
    for failure in result["problems"]:
        print(failure)
    return {"patients": len(folders), "failures": len(result["problems"]), "features_per_case": result["features"],
            "cpu_s_per_case": result["cpu_s"] / max(1, len(folders)), "peak_mb": result["peak_mb"]}


def cohort_child(task: dict[str, Any]) -> dict[str, Any]:
    from medomicslab_nb.errors import MedomicsError
    from medomicslab_nb.imaging.masks import load_mask
    from medomicslab_nb.imaging.series import load_series
    from medomicslab_nb.radiomics.extract import extract

    problems, features = [], 0
    began = time.process_time()
    for folder in map(Path, task["folders"]):
        try:
            image = load_series(sorted((folder / "image").iterdir()))
            contours = next((folder / "mask").iterdir())
            mask = load_mask(contours, f"GTV_Mass_{task['modality']}", image)
            table = extract(image, mask, {"engine": task["engine"]}, DICOM_MODALITY[task["modality"]])
            features = len(table)
        except MedomicsError as error:
            problems.append(f"{folder.parent.name}: {error}")
    return {"problems": problems, "features": features, "cpu_s": time.process_time() - began, "peak_mb": peak_mb()}


# --- Beside plain pyradiomics -----------------------------------------------------------------------------------------


def comparisons(sts: Path, modality: str, count: int, folder: Path) -> dict[str, Any]:
    cropped = [(str(path / f"{modality}_image.nii.gz"), str(path / f"{modality}_mask.nii.gz"))
               for path in sorted((sts / "nifti").iterdir()) if (path / f"{modality}_image.nii.gz").is_file()][:count]
    uncropped = [embedded(pair, modality, folder / str(number)) for number, pair in enumerate(cropped)]
    # 64 bins: a width that suits one modality suits no other.
    setting = {"setting": {"binCount": 64}}
    filters = {"imageType": FILTERS, **setting}
    figures: dict[str, Any] = {}
    for name, pairs, parameters in (("uncropped", uncropped, setting), ("sphere", [sphere(folder)], {}),
                                    ("cropped_filters", cropped, filters), ("uncropped_filters", uncropped, filters)):
        figures |= {f"{name}_{key}": value for key, value in compared(pairs, parameters).items()}
    return figures


def compared(pairs: Sequence[tuple[str, str]], parameters: dict[str, Any]) -> dict[str, Any]:
    task = {"pairs": pairs, "parameters": parameters}
    plain, ours = child("plain", task), child("ours", task)
    worst, unequal = worst_differences(plain["values"], ours["values"])
    return {"plain_cpu_s": plain["cpu_s"] / len(pairs), "cpu_s": ours["cpu_s"] / len(pairs),
            "ratio": plain["cpu_s"] / ours["cpu_s"], "plain_peak_mb": plain["peak_mb"], "peak_mb": ours["peak_mb"],
            "memory_ratio": ours["peak_mb"] / plain["peak_mb"],
            "working_memory_ratio": working_mb(ours) / working_mb(plain), "features": sum(map(len, plain["values"])),
            **{f"worst_{kind}": value for kind, value in worst.items()}, "unequal": unequal}


def working_mb(result: dict[str, Any]) -> float:
    """Peak memory above what the process held when its libraries were loaded."""
    return result["peak_mb"] - result["imports_mb"]


def worst_differences(plain: list[dict[str, float]], ours: list[dict[str, float]]) -> tuple[dict[str, float], int]:
    """The largest difference for each kind of image, and the number of values beyond its limit or missing."""
    worst: dict[str, float] = {}
    unequal = sum(len(set(a) ^ set(b)) for a, b in zip(plain, ours, strict=True))
    for theirs, own in zip(plain, ours, strict=True):
        for name in theirs.keys() & own.keys():
            a, b = theirs[name], own[name]
            kind = name.split("_")[0].split("-")[0]
            difference = 0.0 if np.isnan(a) and np.isnan(b) else abs(a - b) / max(abs(a), 1e-3)
            worst[kind] = max(worst.get(kind, 0.0), difference)
            unequal += not difference <= LIMITS[kind]
    return worst, unequal


def plain_child(task: dict[str, Any]) -> dict[str, Any]:
    """What a script after pyradiomics' documentation does."""
    import radiomics
    import SimpleITK as sitk
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(60)
    extractor = RadiomicsFeatureExtractor(full(task["parameters"]))
    extractor.settings["additionalInfo"] = False  # ours keeps none; with it, the library is slower still
    imports, began, values = peak_mb(), time.process_time(), []
    for image, mask in task["pairs"]:
        found = extractor.execute(sitk.ReadImage(image, sitk.sitkFloat32), sitk.ReadImage(mask))
        values.append({name: float(value) for name, value in found.items()})
    return {"cpu_s": time.process_time() - began, "peak_mb": peak_mb(), "imports_mb": imports, "values": values}


def ours_child(task: dict[str, Any]) -> dict[str, Any]:
    import medomicslab_nb.radiomics.fast_pyradiomics  # noqa: F401 - imported before the clock starts, as for plain
    from medomicslab_nb.imaging.volumes import read_labels, read_volume
    from medomicslab_nb.radiomics.parameter_file import parse_parameters, pyradiomics_values

    parameters = parse_parameters(full(task["parameters"]))
    imports, began, values = peak_mb(), time.process_time(), []
    for image, mask in task["pairs"]:
        values.append(pyradiomics_values(read_volume(Path(image)), read_labels(Path(mask)), parameters))
    return {"cpu_s": time.process_time() - began, "peak_mb": peak_mb(), "imports_mb": imports, "values": values}


CHILDREN = {"ours": ours_child, "plain": plain_child, "cohort": cohort_child}


def full(parameters: dict[str, Any]) -> dict[str, Any]:
    """With all classes but shape in two dimensions, which the library turns on in every parameter file."""
    names = ("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")
    return {**parameters, "featureClass": dict.fromkeys(names)}


def child(kind: str, task: dict[str, Any]) -> dict[str, Any]:
    """One way in a process of its own, on one core."""
    command = [sys.executable, __file__, "--child", kind, "--task", json.dumps(task)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{kind} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def peak_mb() -> float:
    """Peak of this process's resident memory; getrusage would count what its parent held when it was started."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def embedded(pair: tuple[str, str], modality: str, folder: Path) -> tuple[str, str]:
    """A cropped image and its mask in the middle of a clinical field of view, in the image's own voxels."""
    import SimpleITK as sitk

    folder.mkdir()
    written = []
    for path, kind, fill in zip(pair, (sitk.sitkFloat32, sitk.sitkUInt8), (AIR[modality], 0), strict=True):
        image = sitk.ReadImage(path, kind)
        missing = np.maximum(np.subtract(FIELDS_OF_VIEW[modality], image.GetSize()), 0)
        padded = sitk.ConstantPad(image, (missing // 2).tolist(), (missing - missing // 2).tolist(), fill)
        written.append(str(folder / f"{len(written)}.nii"))
        sitk.WriteImage(padded, written[-1])
    return written[0], written[1]


def sphere(folder: Path, radius: int = 60, margin: int = 3) -> tuple[str, str]:
    """A ball of noise in voxels of 1 mm, hardly larger than the ball itself."""
    import SimpleITK as sitk

    n = 2 * (radius + margin) + 1
    axes = np.ogrid[:n, :n, :n]
    ball = sum((axis - n // 2) ** 2 for axis in axes) <= radius**2
    noise = np.random.default_rng(0).normal(0, 50, (n, n, n)).round().astype(np.float32)
    paths = str(folder / "sphere.nii"), str(folder / "ball.nii")
    for path, array in zip(paths, (noise, ball.astype(np.uint8)), strict=True):
        sitk.WriteImage(sitk.GetImageFromArray(array), path)
    return paths


if __name__ == "__main__":
    main()

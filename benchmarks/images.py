"""200 slices of 512 x 512, validated and loaded in HU: ours beside plain SimpleITK, highdicom and MIRP.

    python benchmarks/images.py [--slices 200] [--size 512] [--repeats 5] [--json FILE]

The series is written to a temporary folder first. All ways read the same files in turn, and the shortest time of each
counts. Plain SimpleITK validates nothing; MIRP is measured where it is installed. Prints ``name=value`` lines last.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
import pydicom
import SimpleITK as sitk

from medomicslab_nb.imaging.dicom_headers import parse_header
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.series import load_series, scan, series_sha256
from medomicslab_nb.imaging.slices import order_slices
from medomicslab_nb.progress import Progress
from tests.imaging.dicom_factory import stored_values, write_series


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        geometry = Geometry((options.size, options.size, options.slices), (0.8, 0.8, 1.5), (-200.0, -200.0, -150.0))
        stored = stored_values(geometry.size)
        paths = write_series(folder, stored, geometry=geometry)
        if not np.array_equal(load_series(paths).array, stored.astype(np.float32) - 1024):
            raise SystemExit("the values read differ from the values written")
        ways = {"ours": lambda: load_series(paths), "validate": lambda: order_slices([parse_header(p) for p in paths]),
                "scan": lambda: scan([folder], progress=Progress()), "sha256": lambda: series_sha256(paths),
                "simpleitk": lambda: by_simpleitk(paths)} | others(folder, paths)
        figures = {f"{way}_s": round(seconds, 3) for way, seconds in shortest(ways, options.repeats).items()}
    figures["ratio_to_simpleitk"] = round(figures["ours_s"] / figures["simpleitk_s"], 2)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for key, value in figures.items():
        print(f"{key}={value}")


def shortest(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The shortest of several times of each way, in turn: the others measure the machine's other work."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - start)
    return {way: min(values) for way, values in times.items()}


def by_simpleitk(paths: Sequence[Path]) -> np.ndarray:
    """The files in the order given, unchecked."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in paths])
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return sitk.GetArrayFromImage(reader.Execute())


def others(folder: Path, paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    """The libraries highdicom and MIRP, where they are installed."""
    ways: dict[str, Callable[[], object]] = {}
    if importlib.util.find_spec("highdicom"):
        import highdicom

        ways["highdicom"] = lambda: highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths])
    else:
        print("highdicom is not installed")
    if importlib.util.find_spec("mirp"):
        from mirp.data_import.import_image import import_image

        ways["mirp"] = lambda: [list(image.to_object()) for image in import_image(str(folder))]
    else:
        print('MIRP is not installed: pip install "medomicslab_nb[ibsi]"')
    return ways


if __name__ == "__main__":
    main()

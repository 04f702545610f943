"""Is the cost of a radiomics cohort linear in its cases, and its memory flat?

    python benchmarks/scale.py [--cases 10 100 1000] [--json FILE]

Cohorts of generated images, each with one ROI, are measured by the radiomics stage in one process; every size in a
process of its own. Printed are the CPU seconds a case and the peak memory of each, and how far the sizes differ.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    found = {size: in_own_process(size) for size in options.cases}
    figures = {f"{name}_{size}": value for size, part in found.items() for name, value in part.items()}
    costs = [part["cpu_s_per_case"] for part in found.values()]
    peaks = [part["peak_mb"] for part in found.values()]
    mean = sum(costs) / len(costs)
    figures["cost_spread"] = round(max(abs(cost - mean) / mean for cost in costs), 3)
    figures["memory_ratio"] = round(max(peaks) / min(peaks), 3)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for name, value in figures.items():
        print(f"{name}={value}")


def in_own_process(size: int) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, "--one", str(size)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(size: int) -> dict[str, float]:
    """One run over ``size`` cases; libraries are loaded by a first run over two, which is not counted."""
    import medomicslab_nb as ml
    from tests.image_study import add_images

    with tempfile.TemporaryDirectory() as folder:
        settings = {"preset": "plain", "spacing": [0.5, 0.5, 0.5], "jobs": 1}
        warm = ml.create_study(Path(folder) / "warm")
        add_images(warm, ["P-0001", "P-0002"])
        ml.run("radiomics", warm, settings, sinks=[])
        study = ml.create_study(Path(folder) / "study")
        add_images(study, [f"P-{i:04d}" for i in range(size)])
        before = cpu_s()
        run = ml.run("radiomics", study, settings, sinks=[])
        used = cpu_s() - before
        assert run.metrics["patients"] == size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s_per_case": round(used / size, 4), "peak_mb": round(peak, 1)}


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()

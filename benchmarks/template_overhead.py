"""What `medomicslab run` costs over papermill alone on the same notebook, as a ratio from one run.

    python benchmarks/template_overhead.py [--runs 5] [--json FILE]

Both are whole processes started in turn (A B A B ...): `medomicslab run data` and `papermill 01_data.ipynb` on equal
studies. The figure is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = compare(Path(folder), options.runs)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for name, value in figures.items():
        print(f"{name}={value:.3f}")


def compare(folder: Path, runs: int) -> dict[str, float]:
    """Time both ways ``runs`` times after a warm-up of each."""
    from medomicslab_nb.notebook import find_template

    command = Path(sys.executable).parent / "medomicslab"
    subprocess.run([command, "data", "get", "transbig", folder / "study"], check=True, capture_output=True)
    template = find_template("01_data.ipynb")
    ours = [command, "run", "data", "--study", folder / "study"]
    theirs = [
        Path(sys.executable).parent / "papermill",
        template,
        folder / "out.ipynb",
        "-p",
        "study",
        folder / "study",
    ]
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs + 1)][1:]
    return {
        "ours_s": statistics.median(ours for ours, _ in pairs),
        "papermill_s": statistics.median(theirs for _, theirs in pairs),
        "ratio": statistics.median(ours / theirs for ours, theirs in pairs),
    }


def seconds(command: list[str | Path]) -> float:
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

"""1,000 patients x 20,000 genes: reading from a study against pandas on CSV. Prints ``name=value`` lines last."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import medomicslab_nb as ml
from medomicslab_nb.tables import Column


def best_of(read, repeats: int) -> float:
    """The shortest of several times, in seconds: the others measure the machine's other work."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        read()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()

    values = np.random.default_rng(0).normal(8, 2, (options.patients, options.genes)).astype("float32")
    ids = pd.Index([f"P-{i:05d}" for i in range(options.patients)], name="patient")
    frame = pd.DataFrame(values, index=ids, columns=[f"G{i}" for i in range(options.genes)])
    with tempfile.TemporaryDirectory() as folder:
        study = ml.create_study(Path(folder) / "study")
        start = time.perf_counter()
        study.add_table("genes", frame, block="genes", default_column=Column(), transposed=True)
        write_s = time.perf_counter() - start
        csv = Path(folder) / "genes.csv"
        frame.to_csv(csv)
        if not study.table("genes").equals(frame):
            raise SystemExit("the table read back differs from the table written")
        read_s = best_of(lambda: study.table("genes"), options.repeats)
        csv_s = best_of(lambda: pd.read_csv(csv, index_col=0), options.repeats)
        read_mb = study.table("genes").memory_usage(index=False).sum() / 1e6
    print(f"write_s={write_s:.3f}")
    print(f"read_s={read_s:.3f}")
    print(f"csv_s={csv_s:.3f}")
    print(f"ratio={csv_s / read_s:.1f}")
    print(f"read_mb={read_mb:.0f}")


if __name__ == "__main__":
    main()

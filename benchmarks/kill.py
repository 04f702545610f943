"""kill -9 at random moments of a run with cached cases: the study opens, nothing complete is lost, same bytes.

    python benchmarks/kill.py [--kills 30] [--stage generated|radiomics] [--json FILE]

A generated stage of 40 cases runs in two worker processes; at a random moment its whole process group is killed. Then
the study must open, everything that was complete before must still be complete and unchanged, and a rerun must not
compute a finished case again and must give the bytes of a run that was never disturbed. With ``--stage radiomics`` the
cases are images with a ROI, measured by the radiomics stage.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "tests" / "kernel" / "generated"
sys.path[:0] = [str(GENERATED), str(ROOT)]
os.environ["PYTHONPATH"] = os.pathsep.join([str(GENERATED), str(ROOT)])

CASES = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--stage", choices=("generated", "radiomics"), default="generated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    __import__("sitecustomize")
    with tempfile.TemporaryDirectory() as folder:
        loop = kill_loop if options.stage == "generated" else cohort_loop
        figures = loop(Path(folder), options.kills, random.Random(options.seed))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for name, value in figures.items():
        print(f"{name}={value}")
    sys.exit(0 if figures["violations"] == 0 else 1)


def kill_loop(folder: Path, kills: int, rng: random.Random) -> dict[str, int]:
    """Kill ``kills`` runs; count how far they were and every promise that was broken."""
    import medomicslab_nb as ml

    log = folder / "computed.log"
    log.touch()
    os.environ["GENERATED_LOG"] = str(log)
    study = new_study(folder / "study")
    undisturbed = ml.run("generated", new_study(folder / "undisturbed"), {"cases": CASES}, sinks=[]).table_hashes
    lifetime_s = undisturbed_lifetime(study)
    log.write_text("")
    figures = {"kills": 0, "killed_running": 0, "cases_kept": 0, "cases_computed_twice": 0, "violations": 0}
    for number in range(kills):
        before = {record.id: record.table_hashes for record in study.runs if record.status == "completed"}
        kill_once(study, number, rng.uniform(0.05, 1.0) * lifetime_s, figures)
        study = ml.open_study(study.path)
        after = {record.id: record.table_hashes for record in study.runs if record.status == "completed"}
        figures["violations"] += any(after.get(name) != hashes for name, hashes in before.items())
        study.table("numbers")
        kept = len(list((study.path / "cache").rglob("*.zip")))
        computed = len(log.read_text().split())
        # A bin width of its own for every round: nothing of the rounds before can be in the cache.
        rerun = ml.run("generated", study, settings(number), sinks=[])
        again = len(log.read_text().split()) - computed
        finished = kept - CASES * (number + 1)  # the undisturbed run and the rounds before
        figures["cases_kept"] += finished
        figures["cases_computed_twice"] += again - (CASES - finished)
        reference = ml.run("generated", new_study(folder / f"reference{number}"), settings(number), sinks=[])
        log.write_text("")
        figures["violations"] += again != CASES - finished
        figures["violations"] += rerun.table_hashes != reference.table_hashes
    figures["violations"] += ml.run("generated", study, {"cases": CASES}, sinks=[]).table_hashes != undisturbed
    return figures


def cohort_loop(folder: Path, kills: int, rng: random.Random) -> dict[str, int]:
    """As :func:`kill_loop`, on a cohort of images."""
    import medomicslab_nb as ml
    from medomicslab_nb.runner import start

    study = cohort(folder / "study")
    figures = {"kills": 0, "killed_running": 0, "cases_kept": 0, "violations": 0}
    began = time.monotonic()
    start("radiomics", study, cohort_settings(-1)).wait()
    lifetime_s = time.monotonic() - began
    for number in range(kills):
        cached = cached_cases(study)
        record = start("radiomics", study, cohort_settings(number))
        kill(record, rng.uniform(0.2, 1.0) * lifetime_s, figures)
        study = ml.open_study(study.path)
        kept = cached_cases(study)
        written = {path: path.stat().st_mtime_ns for path in kept}
        rerun = ml.run("radiomics", study, cohort_settings(number), sinks=[])
        reference = ml.run("radiomics", cohort(folder / f"reference{number}"), cohort_settings(number), sinks=[])
        figures["cases_kept"] += len(kept - cached)
        figures["violations"] += rerun.table_hashes != reference.table_hashes
        figures["violations"] += any(path.stat().st_mtime_ns != when for path, when in written.items())
    return figures


def cohort_settings(number: int) -> dict[str, object]:
    # A seed of its own for every round: nothing of the rounds before can be in the cache.
    return {"preset": "plain", "seed": number + 1, "jobs": 2}


def cohort(path: Path) -> object:
    import medomicslab_nb as ml
    from tests.image_study import add_images

    study = ml.create_study(path)
    add_images(study, [f"PAT-{i:03d}" for i in range(CASES)])
    return study


def cached_cases(study: object) -> set[Path]:
    return set((study.path / "cache").rglob("*.zip"))  # type: ignore[attr-defined]


def settings(number: int) -> dict[str, object]:
    return {"cases": CASES, "bin_width": 2.0 + number}


def start_run(study: object, number: int) -> object:
    from medomicslab_nb.runner import start

    return start("generated", study, {**settings(number), "seconds": 0.05, "jobs": 2})  # type: ignore[arg-type]


def undisturbed_lifetime(study: object) -> float:
    """Seconds from the start of a run to its end, so that the kills fall anywhere between."""
    began = time.monotonic()
    start_run(study, -1).wait()  # type: ignore[attr-defined]
    return time.monotonic() - began


def kill_once(study: object, number: int, delay_s: float, figures: dict[str, int]) -> None:
    """Start a run as a child process and kill its process group after ``delay_s`` seconds."""
    kill(start_run(study, number), delay_s, figures)


def kill(record: Any, delay_s: float, figures: dict[str, int]) -> None:
    """Kill the process group of a run after ``delay_s`` seconds."""
    time.sleep(delay_s)
    pid = json.loads((record.path / "process.json").read_text())["pid"]
    figures["kills"] += 1
    if record.is_alive():
        figures["killed_running"] += 1
        os.killpg(pid, signal.SIGKILL)
    status = record.wait(30)
    figures["violations"] += status not in ("failed", "completed")


def new_study(path: Path) -> object:
    import medomicslab_nb as ml

    study = ml.create_study(path)
    study.add_table(
        "numbers", pd.DataFrame({"patient": [f"PAT-{i:03d}" for i in range(50)], "value": [i / 7 for i in range(50)]})
    )
    return study


if __name__ == "__main__":
    main()

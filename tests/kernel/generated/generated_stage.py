"""The generated stage: as many cases as asked for, each a short table computed from an imported table."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pandas as pd

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import DataError
from medomicslab_nb.parallel import map_cases
from medomicslab_nb.settings import Advanced, Execution, Settings, Unit
from medomicslab_nb.stages import StageResult

CASE_VERSION = 1


class GeneratedSettings(Settings):
    """Settings of the generated stage."""

    stage: ClassVar[str] = "generated"

    cases: int = 6
    """Number of cases."""
    bin_width: Annotated[float, Unit("HU")] = 25.0
    """Width of a bin."""
    fault: Literal["none", "raise", "raise-identifier", "crash-always", "crash-once", "memory-message"] = "none"
    """What goes wrong in case 2."""
    label: Annotated[str, Advanced()] = ""
    """Any text."""
    seconds: Annotated[float, Execution()] = 0.0
    """How long a case takes."""
    jobs: Annotated[int, Execution()] = 1
    """Worker processes."""


def case(value: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """One case; a line in the log says that it was computed."""
    number, fault = value["number"], value["fault"]
    time.sleep(value["seconds"])
    if number == 2 and fault == "raise":
        raise ValueError("case 2 cannot be computed")
    if number == 2 and fault == "raise-identifier":
        raise DataError(f"patient {value['patient']} has no image", where=f"/scans/{value['patient']}/ct.dcm")
    once = Path(os.environ.get("GENERATED_LOG", os.devnull) + ".once")
    if number == 2 and (fault == "crash-always" or (fault == "crash-once" and not once.exists())):
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with open(os.environ.get("GENERATED_LOG", os.devnull), "a") as log:
        log.write(f"{number}\n")
    numbers = value["numbers"]
    return {
        "features": pd.DataFrame({"case": [number] * len(numbers), "feature": numbers / value["bin_width"] + number})
    }


def run(study: Any, settings: GeneratedSettings, progress: Any) -> StageResult:
    """Read ``numbers``, compute every case, publish ``features``."""
    frame = study.table("numbers")
    cases = {
        str(number): {
            "number": number,
            "numbers": frame["value"].to_numpy(),
            "bin_width": settings.bin_width,
            "fault": settings.fault,
            "seconds": settings.seconds,
            "patient": frame.index[0],
        }
        for number in range(settings.cases)
    }
    keys = {
        name: Cache.key(
            [study.inputs["numbers"].sha256, name], {"bin_width": settings.bin_width}, CASE_VERSION, ("numpy",)
        )
        for name in cases
    }
    results = map_cases(
        case, cases, cache=study.cache("generated"), keys=keys, jobs=settings.jobs, progress=progress, label="cases"
    )
    failed = {name: result.error for name, result in results.items() if result.error}
    if len(failed) == len(results):
        raise DataError("no case could be computed")
    if settings.fault == "raise-identifier":
        raise KeyError(frame.index[0])
    done = [result.tables["features"] for result in results.values() if not result.error]
    return StageResult(
        {"features": pd.concat(done, ignore_index=True)},
        {"cases": len(done), "failed": len(failed)},
        warnings=tuple(f"case {name}: {error}" for name, error in failed.items()),
    )

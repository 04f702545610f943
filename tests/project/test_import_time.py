"""Starting costs little: the package and the command load nothing heavy before it is used."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HEAVY = ("pandas", "torch", "sklearn", "SimpleITK", "plotly", "ipywidgets")
TIMED_IMPORT = "import time; start = time.perf_counter(); import medomicslab_nb; print(time.perf_counter() - start)"


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True, timeout=60).stdout


def test_import_takes_at_most_300_ms():
    # The least of several: what the machine does besides only ever adds.
    assert min(float(python(TIMED_IMPORT)) for _ in range(5)) <= 0.3


def test_import_loads_nothing_heavy():
    loaded = python("import sys, medomicslab_nb; print(*sys.modules)").split()
    assert "medomicslab_nb" in loaded
    assert not set(loaded) & set(HEAVY)


def test_help_takes_at_most_500_ms():
    def seconds() -> float:
        start = time.perf_counter()
        result = subprocess.run([Path(sys.executable).with_name("medomicslab"), "--help"], text=True,
                                capture_output=True, check=True, timeout=60)
        assert "demo" in result.stdout
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) <= 0.5

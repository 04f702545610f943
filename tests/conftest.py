"""What every test shares: single-threaded numerics, the real data, and what a skip means.

With ``MEDOMICSLAB_REQUIRE=all`` a skipped test is a failed one, so that no tool can go missing unnoticed. Tests on real
data may be skipped only where ``MEDOMICSLAB_DATA`` names no folder.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path

# Before numpy is imported: BLAS reads them once.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
# The debugger in a kernel would otherwise warn about frozen modules.
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

import pytest
from hypothesis import settings

# The same examples each time: a change is judged by what it changed. No deadline: the machine may be busy.
settings.register_profile("medomicslab", derandomize=True, deadline=None)
settings.load_profile("medomicslab")

NO_DATA = "MEDOMICSLAB_DATA names no folder with real patients' data"
OTHER_PYTHON = "needs Python 3.12: run by make prove"
NO_BROWSER = "Chromium is missing: apt-get install chromium"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real patients' data."""
    folder = _real_data()
    if folder is None:
        pytest.skip(NO_DATA)
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    path = _chromium()
    if path is None:
        pytest.skip(NO_BROWSER)
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("realdata") and _real_data() is None:
            item.add_marker(pytest.mark.skip(reason=NO_DATA))
        if item.get_closest_marker("ui") and _chromium() is None:
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _fail_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = " ".join(str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if "chromium is missing" in skipped.lower():
        terminalreporter.section("NO BROWSER: THE BROWSER TESTS WERE NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(NO_BROWSER)
    if NO_DATA in skipped:
        terminalreporter.section("NO REAL DATA: THE TESTS ON REAL PATIENTS WERE NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(NO_DATA)


def _fail_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    allowed = (NO_DATA, OTHER_PYTHON) if sys.version_info < (3, 12) else (NO_DATA,)
    if os.environ.get("MEDOMICSLAB_REQUIRE") == "all" and not any(text in reason for text in allowed):
        report.outcome = "failed"
        report.longrepr = f"MEDOMICSLAB_REQUIRE=all, and the test was skipped. {reason}"


def _real_data() -> Path | None:
    name = os.environ.get("MEDOMICSLAB_DATA", "")
    return Path(name) if name and Path(name).is_dir() else None


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")

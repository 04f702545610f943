"""The architecture is a test: layers, sizes, and notebooks without outputs."""

from __future__ import annotations

import ast
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "medomicslab_nb"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# module, what somebody might write there, the contract that forbids it
VIOLATIONS = {
    "upwards": ("evaluation/metrics.py", "import medomicslab_nb.models.settings", "layers"),
    "upwards, inside a function": ("study.py", "def sneak():\n    from medomicslab_nb import runner", "layers"),
    "between siblings": ("models/settings.py", "from medomicslab_nb.data.settings import DataSettings", "layers"),
    "the kernel knows a view": ("record.py", "def sneak():\n    import medomicslab_nb.views.stage_view", "layers"),
    "a module in no layer": ("utils.py", "", "layers"),
    "the command line knows a view": ("cli.py", "from medomicslab_nb.views import stage_view", "cli-and-views"),
    "a stage draws": ("data/stage.py", "def sneak():\n    import plotly.graph_objects as go", "drawing"),
    "the kernel knows Jupyter": ("runner.py", "def sneak():\n    from IPython.display import display", "jupyter"),
    "a view computes": ("views/stage_view.py", "def sneak():\n    from sklearn.svm import SVC", "thin-views"),
    "settings load pandas": ("models/settings.py", "import pandas as pd", "light-settings"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([tool, "--no-cache", "--no-logo"], cwd=folder, text=True, capture_output=True, timeout=120,
                          check=False)


def test_imports_keep_to_the_layers():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_planted_violation_is_caught(violation, tmp_path):
    module, code, contract = VIOLATIONS[violation]
    shutil.copytree(PACKAGE, tmp_path / "medomicslab_nb", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with open(tmp_path / "medomicslab_nb" / module, "a", encoding="utf-8") as file:
        file.write(f"\n\n{code}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert any(line.startswith(contract_name(contract)) for line in broken), result.stdout


def test_modules_are_imported_by_name_in_one_place_only():
    # Upward calls go through the registry's strings; anything else would be a layer that no contract sees.
    users = {path.relative_to(PACKAGE).as_posix() for path in SOURCES if "import_module" in path.read_text("utf-8")}
    assert users <= {"stages.py"}


def test_files_and_functions_stay_small():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    too_long = {path.name: length for path, length in lengths.items() if length > 600}
    assert not too_long
    functions = sorted(length for path in SOURCES for length in function_lengths(path))
    assert statistics.median(functions) <= 10
    assert functions[int(0.9 * len(functions))] <= 30
    assert sum(length > 60 for length in functions) < 0.03 * len(functions)


@pytest.mark.parametrize("notebook", sorted([*ROOT.glob("templates/*.ipynb"), *ROOT.glob("notebooks/**/*.ipynb")]),
                         ids=lambda path: path.name)
def test_notebooks_are_committed_without_outputs(notebook):
    content = json.loads(notebook.read_text("utf-8"))
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in content["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert "widgets" not in content["metadata"]
    assert "papermill" not in content["metadata"]


def contract_name(identifier: str) -> str:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return next(contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]
                if contract["id"] == identifier)


def function_lengths(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield (node.end_lineno or node.lineno) - node.lineno + 1

"""The contract of every template: thin, clean, and the same for people and for papermill."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import papermill
import pytest

from medomicslab_nb.lab import RUNS
from medomicslab_nb.stages import STAGES

FOLDER = Path(__file__).parents[2] / "templates"
TEMPLATES = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def code_of(name: str) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(FOLDER / name, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_every_stage_has_its_template_and_the_runs_have_one() -> None:
    assert {stage.template for stage in STAGES.values()} | {RUNS} == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_is_valid_without_outputs_and_with_stable_ids(name: str) -> None:
    content = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    nbformat.validate(content)
    code = code_of(name)
    expected = ["runs"] if name == RUNS else ["view", "run", "report"]
    assert [cell.id for cell in code] == ["parameters", "import", *expected]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert set(content["metadata"]) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_holds_little_code_and_no_logic(name: str) -> None:
    source = "\n".join(cell.source for cell in code_of(name))
    assert len(source.splitlines()) <= 25
    kinds = {type(node) for node in ast.walk(ast.parse(source))}
    assert not kinds & {ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.For, ast.While, ast.If, ast.Try, ast.ListComp}
    imports = [alias.name for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))
               for alias in node.names]
    assert imports == ["medomicslab_nb"]


@pytest.mark.parametrize("stage", STAGES)
def test_has_the_four_steps(stage: str) -> None:
    code = code_of(STAGES[stage].template)
    assert [cell.source for cell in code] == [
        'study = "my_study"\nsettings = {}', "import medomicslab_nb as ml",
        f'view = ml.view("{stage}", study, settings)\nview', "run = view.run()", "run.report()"]
    assert code[0].metadata["tags"] == ["parameters"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_parameters_are_study_and_settings(name: str) -> None:
    found = papermill.inspect_notebook(str(FOLDER / name))
    expected = {"study": '"my_study"'} | ({} if name == RUNS else {"settings": "{}"})
    assert {key: entry["default"] for key, entry in found.items()} == expected


@pytest.mark.parametrize("name", TEMPLATES)
def test_speaks_english_and_french(name: str) -> None:
    notebook = nbformat.read(FOLDER / name, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "**Change** `study`" in text
    assert "**Changez** `study`" in text

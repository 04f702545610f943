"""The lessons as files: one lesson in two languages, clean, thin, and with links that lead somewhere."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

import medomicslab_nb as ml
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.radiomics.settings import RadiomicsSettings

ROOT = Path(__file__).parents[2]
PAIRS = [("01_table_to_model", "01_table_au_modele"), ("02_images_to_model", "02_images_au_modele"),
         ("03_why_hospitals_differ", "03_pourquoi_les_hopitaux_different")]
NAMES = [f"en/{en}.ipynb" for en, _ in PAIRS] + [f"fr/{fr}.ipynb" for _, fr in PAIRS]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

each_lesson = pytest.mark.parametrize("name", NAMES)
each_pair = pytest.mark.parametrize(("english", "french"), [(f"en/{en}.ipynb", f"fr/{fr}.ipynb") for en, fr in PAIRS])


def cells(name: str) -> list[nbformat.NotebookNode]:
    return nbformat.read(ROOT / "notebooks" / name, as_version=4).cells


def source(name: str, kind: str) -> str:
    return "\n\n".join(cell.source for cell in cells(name) if cell.cell_type == kind)


def calls(name: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(source(name, "code"))) if isinstance(node, ast.Call)]


def numbers(text: str, language: str) -> Counter[str]:
    """The numbers of a text, whatever its language writes between thousands and before decimals."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text) if language == "en" else \
        re.sub(r"(?<=\d)[ \u00a0\u202f](?=\d{3}\b)", "", text).replace(",", ".")
    return Counter(re.findall(r"\d+(?:\.\d+)?", text))


def test_every_lesson_is_known() -> None:
    found = [path.relative_to(ROOT / "notebooks").as_posix() for path in (ROOT / "notebooks").glob("*/*.ipynb")]
    assert sorted(found) == sorted(NAMES)


@each_lesson
def test_is_valid_without_outputs(name: str) -> None:
    content = json.loads((ROOT / "notebooks" / name).read_text("utf-8"))
    nbformat.validate(content)
    assert set(content["metadata"]) == {"kernelspec", "language_info"}
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell for cell in cells(name) if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@each_pair
def test_both_languages_have_the_same_cells(english: str, french: str) -> None:
    shape = [[(cell.id, cell.cell_type, cell.metadata) for cell in cells(name)] for name in (english, french)]
    assert shape[0] == shape[1]
    # Speaking names, so that they stay when a cell is moved.
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", key) for key, _, _ in shape[0])


@each_pair
def test_both_languages_have_the_same_code(english: str, french: str) -> None:
    codes = [source(name, "code") for name in (english, french)]
    assert codes[0].count('ml.set_language("en")') == codes[1].count('ml.set_language("fr")') == 1
    assert codes[0].replace('set_language("en")', 'set_language("fr")') == codes[1]


@each_pair
def test_both_languages_give_the_same_numbers_and_answers(english: str, french: str) -> None:
    for left, right in zip(cells(english), cells(french), strict=True):
        if left.cell_type == "markdown":
            assert numbers(left.source, "en") == numbers(right.source, "fr"), left.id
            assert left.source.count("<details>") == right.source.count("<details>"), left.id
            assert left.source != right.source, left.id


@each_lesson
def test_questions_have_folded_answers(name: str) -> None:
    text = source(name, "markdown")
    asked = text.count("**Think.**") + text.count("**À vous de réfléchir.**")
    assert asked >= 5
    # One more for the exercises.
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>") == asked + 1


@each_lesson
def test_code_is_short_and_without_logic_of_its_own(name: str) -> None:
    tree = ast.parse(source(name, "code"))
    kinds = {type(node) for node in ast.walk(tree)}
    assert not kinds & {ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.For, ast.While, ast.Try}
    assert all(len(cell.source.splitlines()) <= 11 for cell in cells(name) if cell.cell_type == "code")
    assert all(len(line) <= 105 for line in source(name, "code").splitlines())


@each_lesson
def test_only_public_names_are_used(name: str) -> None:
    tree = ast.parse(source(name, "code"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= {"medomicslab_nb", "pandas", "pathlib"}
    used = {node.attr for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ml"}
    assert used <= set(ml.__all__)
    assert not [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]


@each_lesson
def test_workers_are_counted(name: str) -> None:
    # A machine of Binder shows more cores than one may use, and every worker needs memory.
    for call in calls(name):
        stage = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
        if stage in ("models", "radiomics"):
            assert '"jobs"' in ast.unparse(call).replace("'", '"') or "quick" in ast.unparse(call)


@each_lesson
def test_links_lead_to_files_beside_it(name: str) -> None:
    for target in LINK.findall(source(name, "markdown")):
        assert ((ROOT / "notebooks" / name).parent / target).is_file(), target


@each_lesson
def test_names_no_place_on_a_machine(name: str) -> None:
    text = (ROOT / "notebooks" / name).read_text("utf-8")
    assert not re.findall(r"(?<![\w.<])/(?:home|root|tmp|work|Users|mnt|srv)\b|[A-Z]:\\\\|file:|https?:", text)


@each_lesson
def test_exercises_name_settings_that_exist(name: str) -> None:
    (text,) = (cell.source for cell in cells(name) if cell.id == "exercises")
    named = {found for line in re.findall(r"^\d\. .*", text, re.MULTILINE)
             for found in re.findall(r"`([a-z_]+)`", line)[:1]}
    assert len(named) >= 3
    assert named <= {*ModelsSettings.model_fields, *RadiomicsSettings.model_fields, *FederatedSettings.model_fields}


def test_page_about_the_lessons_leads_to_each() -> None:
    page = (ROOT / "docs" / "lessons.md").read_text("utf-8")
    assert "(lessons.md)" in (ROOT / "docs" / "index.md").read_text("utf-8")
    local = [target for target in LINK.findall(page) if not target.startswith("https://mybinder.org/")]
    assert all((ROOT / "docs" / target).exists() for target in local)
    assert {f"../notebooks/{name}" for name in NAMES} <= set(local)
    opened = re.findall(r"urlpath=lab/tree/(\S+?\.ipynb)", page)
    assert {f"notebooks/{name}" for name in NAMES} == set(opened)

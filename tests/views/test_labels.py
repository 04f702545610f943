"""Every setting, choice, stage and task has its words in English and French, and none is left of what is gone."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

import medomicslab_nb
from medomicslab_nb.federated.steps import STEPS
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.settings import SettingsPart
from medomicslab_nb.stages import STAGES
from medomicslab_nb.views import labels
from medomicslab_nb.views.language import catalogue, read_topic
from tests.views.settings_classes import settings_classes

CLASSES = settings_classes()
FIELDS = [(cls, name) for cls in CLASSES.values() for name in cls.model_fields]
WITHOUT_WORDS = {">=", ">", "<=", "<", "==", "!=",
                 "pyradiomics", "mirp", "pictologics", "ibsi-a", "ibsi-b", "ibsi-c", "ibsi-d", "ibsi-e",
                 "laws", "gabor", "ridge", "lasso", "elastic net", "boosting", "lightgbm", "xgboost", "optuna", "mrmr",
                 "ray", "efron", "breslow", "fedavg", "fedprox", "fedadam"}
"""Choices that are the same in both languages: signs, and names of software and methods."""


class Strange(SettingsPart):
    some_option: int = 1
    """An option
    that nobody translated."""


@pytest.fixture
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "fr")


@pytest.mark.parametrize(("cls", "name"), FIELDS)
def test_field_has_a_label_and_french_help_of_its_present_docstring(cls: type[BaseModel], name: str) -> None:
    key = f"{cls.__name__}.{name}"
    docstring = " ".join((cls.model_fields[name].description or "").split())
    present = hashlib.sha256(docstring.encode()).hexdigest()[:8]
    assert docstring, f"{key} has no docstring"
    assert key in catalogue(), f"add {key} to views/texts/settings.yaml: its label, 'en' and 'fr'"
    assert f"{key}.help" in catalogue(), (
        f"add {key}.help to views/texts/settings.yaml: of: \"{present}\", and the docstring in French as 'fr'")
    assert catalogue()[f"{key}.help"]["of"] == present, (
        f"the docstring of {key} has changed: translate it anew in views/texts/settings.yaml, "
        f"then set of: \"{present}\" beside the French")


def test_no_text_is_left_of_what_is_gone() -> None:
    fields = {f"{cls.__name__}.{name}" for cls, name in FIELDS}
    known = fields | {f"{key}.help" for key in fields} | {f"option.{value}" for value in _options()} | {
        f"stage.{name}" for name in STAGES}
    assert set(read_topic("settings")) - known == set(), "take them out of views/texts/settings.yaml"


def test_every_choice_has_words_or_is_a_name() -> None:
    lacking = {value for value in _options() if f"option.{value}" not in catalogue()}
    assert (lacking - WITHOUT_WORDS, WITHOUT_WORDS - lacking) == (set(), set()), (
        "add option.VALUE to views/texts/settings.yaml, or the name to WITHOUT_WORDS; drop the others")


def test_steps_of_sites_and_of_the_catalogue_are_the_same() -> None:
    written = {key.removeprefix("step."): words["en"] for key, words in catalogue().items() if key.startswith("step.")}
    assert written == {name: step.summary for name, step in STEPS.items()}, "correct views/texts/steps.yaml"


@pytest.mark.parametrize("name", STAGES)
def test_stage_has_words_and_the_english_is_its_title(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "en")
    assert labels.stage_label(name) == STAGES[name].title


def test_tasks_of_the_code_and_of_the_catalogue_are_the_same() -> None:
    written = {_without_names(words["en"]) for words in read_topic("tasks").values()}
    found = {_without_names(name) for name in _task_names()}
    assert (found - written, written - found) == (set(), set()), (
        "add the first to views/texts/tasks.yaml, drop the others")


def test_words_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "en")
    assert labels.label(RadiomicsSettings, "bin_width") == "Bin width"
    assert labels.help_text(RadiomicsSettings, "bin_count") == (
        "Number of bins for texture, between the ROI's extremes; fixed bin number.")
    assert labels.option_label("forest") == "random forest"
    assert labels.task_label("downloading sts (bytes)") == "downloading sts (bytes)"


@pytest.mark.usefixtures("french")
def test_words_in_french() -> None:
    assert labels.label(RadiomicsSettings, "bin_width") == "Largeur de classe"
    assert labels.help_text(RadiomicsSettings, "spacing") == "Espacement des voxels (x, y, z) après interpolation."
    assert labels.option_label("forest") == "forêt aléatoire"
    assert labels.stage_label("radiomics") == "Radiomique"
    assert labels.task_label("nested cross-validation") == "validation croisée imbriquée"
    assert labels.task_label("downloading {sts} (bytes)") == "téléchargement de {sts} (octets)"


@pytest.mark.usefixtures("french")
def test_what_the_catalogue_does_not_know_keeps_its_own_words() -> None:
    assert labels.label(Strange, "some_option") == "some option"
    assert labels.help_text(Strange, "some_option") == "An option that nobody translated."
    assert labels.option_label("some_value") == "some value"
    assert labels.option_label(7) == "7"
    assert labels.stage_label("future") == "future"
    assert labels.task_label("downloading") == "downloading"


def _options() -> set[str]:
    return {str(value) for cls, name in FIELDS for value in _literals(cls.model_fields[name].annotation)}


def _literals(annotation: Any) -> Iterator[object]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from _literals(part)


def _without_names(text: str) -> str:
    return re.sub(r"{\w+}", "{}", text)


def _task_names() -> set[str]:
    """Every name given to ``progress.task`` or as ``label`` to ``map_cases``, ``{}`` for what is filled in."""
    sources = [path.read_text(encoding="utf-8") for path in Path(medomicslab_nb.__file__).parent.rglob("*.py")]
    return {name for source in sources if re.search(r"\.task\(|map_cases\(", source)
            for name in _names_in(ast.parse(source))}


def _names_in(module: ast.Module) -> Iterator[str]:
    for call in _calls(module):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "task" and call.args:
            yield from _texts(call.args[0], module)
        if isinstance(call.func, ast.Name) and call.func.id == "map_cases":
            yield from _texts(next(word.value for word in call.keywords if word.arg == "label"), module)


def _calls(module: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module) if isinstance(node, ast.Call))


def _texts(node: ast.AST, module: ast.Module) -> Iterator[str]:
    """The texts that an expression can be; a name stands for what the module assigns to it or calls it with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body, module), *_texts(node.orelse, module))
    elif isinstance(node, ast.Name):
        for value in _values_of(node.id, module):
            yield from _texts(value, module)


def _values_of(name: str, module: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and any(isinstance(at, ast.Name) and at.id == name for at in node.targets):
            yield node.value
        if isinstance(node, ast.FunctionDef) and name in (names := [argument.arg for argument in node.args.args]):
            place = names.index(name)
            yield from (call.args[place] for call in _calls(module) if isinstance(call.func, ast.Name)
                        and call.func.id == node.name and len(call.args) > place)

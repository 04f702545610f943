"""Every fault that settings can have is said in French, without the value, and in English as elsewhere."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticKnownError

from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.pipeline import PipelineSettings
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.settings import explain
from medomicslab_nb.views.faults import fault_text
from medomicslab_nb.views.language import read_topic
from tests.views.settings_classes import settings_classes

Fault = dict[str, Any]

CLASSES = settings_classes()
SECRET = "DOE-JANE-1234"
WRONG = (None, SECRET, [SECRET], {"a": SECRET}, [], {}, [{"label": 1}], True, -1, 2.5, 1e9, 10**30, "9" * 5000,
         float("nan"), [0, SECRET], [1, 2, 3, 4], {"a": [1]}, {"a": [1, 2, 3]}, {"a": {"b": {"role": SECRET}}},
         {"events": [], "administrative": "2021-04-30T10:00"}, {"events": ["a"], "administrative": [SECRET]},
         {"events": ["a"], "maximum": 0}, {"icc": 1})
FILLED_IN = re.compile(r"{\w*}")


def faults_of(cls: type[BaseModel], value: Any) -> list[Fault]:
    try:
        cls.model_validate(value)
    except ValidationError as error:
        return [dict(fault) for fault in error.errors(include_url=False, include_input=False)]
    return []


PROVOKED = [(cls, fault) for cls in CLASSES.values()
            for value in ({3: 4}, *({name: wrong} for name in cls.model_fields for wrong in WRONG))
            for fault in faults_of(cls, value)]


@pytest.fixture
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "fr")


def test_english_is_what_the_command_line_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "en")
    assert len(PROVOKED) > 500
    for cls, fault in PROVOKED:
        assert fault_text(cls, fault) == explain(cls, fault)


@pytest.mark.usefixtures("french")
def test_every_fault_is_said_in_french_without_the_value() -> None:
    for cls, fault in PROVOKED:
        said = fault_text(cls, fault)
        assert said != explain(cls, fault), f"add fault.{fault['type']} to views/texts/faults.yaml"
        assert said.startswith(("« ", "réglage inconnu « "))
        assert SECRET not in said
        assert not FILLED_IN.search(said)


def test_every_type_in_the_catalogue_occurs_and_its_english_is_pydantics_own() -> None:
    occur = {fault["type"]: fault.get("ctx") for _, fault in PROVOKED}
    written = {key.removeprefix("fault."): words["en"] for key, words in read_topic("faults").items()
               if key.startswith("fault.")}
    assert set(written) == set(occur) - {"missing", "extra_forbidden", "value_error"}, "drop what does not occur"
    for kind, english in written.items():
        assert english == PydanticKnownError(kind, occur[kind]).message_template  # type: ignore[arg-type]


@pytest.mark.parametrize(("cls", "value", "expected"), [
    (ModelsSettings, {}, "« outcome » est obligatoire"),
    (ModelsSettings, {"outcome": "a", "folds": 1}, "« folds » : la valeur doit être supérieure ou égale à 2"),
    (ModelsSettings, {"outcome": "a", "horizon": -1}, "« horizon » : la valeur doit être supérieure à 0"),
    (ModelsSettings, {"outcome": "a", "fusion": SECRET},
     "« fusion » : la valeur doit être 'late', 'early' ou 'penalised'"),
    (ModelsSettings, {"outcome": "a", "visits": {"labs": [0, 1, 2]}},
     "« visits.labs » : trop de valeurs : 3, pour un maximum de 2"),
    (ModelsSettings, {"outcome": "a", "dates": {"events": [SECRET], "last_contact": SECRET}},
     "« dates » : une même date ne peut avoir deux sens à la fois : donnez un seul sens à chaque date"),
    (RadiomicsSettings, {"binn_width": 25}, "réglage inconnu « binn_width », vouliez-vous dire « bin_width » ?"),
    (RadiomicsSettings, {"bin_width": 1, "bin_count": 32},
     "« réglages » : donnez bin_width ou bin_count, pas les deux"),
    (RadiomicsSettings, {"filters": []}, "« réglages » : filters : donnez au moins une valeur, et aucune deux fois"),
    (DataSettings, {"columns": {"t": {"c": {"zzz": 1}}}},
     "réglage inconnu « columns.t.c.zzz » ; les réglages connus sont role, type, unit, endpoint, description"),
    (PipelineSettings, {"data": None},
     "« réglages » : aucune étape n'est nommée ; donnez des réglages pour une au moins")])
@pytest.mark.usefixtures("french")
def test_sentences_in_french(cls: type[BaseModel], value: Any, expected: str) -> None:
    assert [fault_text(cls, fault) for fault in faults_of(cls, value)] == [expected]


@pytest.mark.usefixtures("french")
def test_what_the_catalogue_does_not_know_is_said_in_english() -> None:
    for kind in ("url_parsing", "value_error"):
        fault = {"type": kind, "loc": ("folds",), "msg": "Value error, not by this door"}
        assert fault_text(ModelsSettings, fault) == "'folds': not by this door"
    assert fault_text(ModelsSettings, {"type": "extra_forbidden", "loc": ("blocks", "a", "b", "c"), "msg": ""}) == (
        "réglage inconnu « blocks.a.b.c »")


def test_sentences_around_the_messages_are_those_of_the_command_line() -> None:
    words = {key: text["en"] for key, text in read_topic("faults").items()}
    known = ", ".join(DataSettings.model_fields)
    for key, fault in {"fault_required": {"type": "missing", "loc": ("outcome",)},
                       "fault_nearest": {"type": "extra_forbidden", "loc": ("outcom",)},
                       "fault_known": {"type": "extra_forbidden", "loc": ("zzz",)},
                       "fault_at": {"type": "any", "loc": (), "msg": "That"}}.items():
        name = ".".join(fault["loc"]) or words["fault_whole"]
        assert words[key].format(name=name, near="outcome", known=known, message="that") == explain(DataSettings, fault)


def test_every_refusal_of_our_own_classes_has_its_french() -> None:
    written = {FILLED_IN.sub("{}", words["en"]) for key, words in read_topic("faults").items()
               if key.startswith("refusal.")}
    raised = {text for cls in CLASSES.values() for text in _refusals(cls)}
    assert (raised - written, written - raised) == (set(), set()), (
        "add the first to views/texts/faults.yaml as 'refusal.NAME', drop the others")


def _refusals(cls: type[BaseModel]) -> Iterator[str]:
    """What the validators of the class's module raise, ``{}`` for what is filled in."""
    module = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef) and any("validator" in ast.unparse(mark)
                                                         for mark in function.decorator_list):
            for node in ast.walk(function):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    yield _text(node.exc.args[0])


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return str(ast.literal_eval(node))

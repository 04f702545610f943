"""What people click is what a headless run repeats: one digest, however the same settings are given."""

from __future__ import annotations

import json
import shlex
import types
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings as examples, strategies as st
from pydantic import BaseModel, ValidationError

from medomicslab_nb import cli, cli_parts
from medomicslab_nb.settings import Settings
from medomicslab_nb.stages import STAGES
from medomicslab_nb.views.copy_as_code import command_line, notebook_cell, yaml_text
from medomicslab_nb.views.form import Form
from medomicslab_nb.views.form_fields import bounds_of

STUDY = Path("/studies/my study")
AWKWARD = ["no", "Yes", "on", "1e3", "0x1F", "0o17", "1_000", "12:30", "a: b", "é", "'", '"', '"a"', "#", "a #b",
           "a\nb", "\r", "\t", " a ", "", "😀", "~", "null", "2021-04-30", "-", "- a", "--all", "*", "&a", "!tag", "%",
           "@", "`", "|", "> a", "{a}", "[a]", "a,b", "$HOME", "$(x)", "\\", "\\n", "=", "a=b", "a.b", "?", ".",
           "...", "---", "<<", "true", "1.0", "-1", ".inf", ".nan", "\x85", "\u2028", "\xa0", "\x7f", "\ufeff",
           "tables/x.yaml", "x.json"]


def texts() -> st.SearchStrategy[str]:
    return st.sampled_from(AWKWARD) | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


def values_of(annotation: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Values that fit a field's type, so far as the type says."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values_of(parts[0], (*metadata, *parts[1:]))
    if origin in (Union, types.UnionType):
        return st.one_of([values_of(part, metadata) for part in parts])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is dict:
        return st.dictionaries(values_of(parts[0]), values_of(parts[1]), max_size=3)
    if origin is tuple and parts[1:] == (...,):
        return st.lists(values_of(parts[0]), max_size=3)
    if origin is tuple:
        return st.tuples(*map(values_of, parts)).map(list)
    return _single(annotation, bounds_of(metadata))


def _single(kind: Any, bounds: dict[str, Any]) -> st.SearchStrategy[Any]:
    if kind is type(None):
        return st.none()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return values_of_class(kind)
    low = bounds.get("ge", bounds.get("gt"))
    high = bounds.get("le", bounds.get("lt"))
    made: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
        str: texts, bool: st.booleans, date: lambda: st.dates().map(str),
        int: lambda: st.integers(low, high).filter(lambda value: value != bounds.get("lt")),
        float: lambda: st.floats(low, high, allow_nan=False, allow_infinity=False, exclude_min="gt" in bounds,
                                 exclude_max="lt" in bounds)}
    return made[kind]()


def values_of_class(cls: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values_of(field.annotation, tuple(field.metadata)) for name, field in cls.model_fields.items()}
    required = {name: made for name, made in fields.items() if cls.model_fields[name].is_required()}
    optional = {name: made for name, made in fields.items() if name not in required}
    # Few at a time: of many random fields two contradict each other.
    some = st.sets(st.sampled_from(sorted(optional)), max_size=4) if optional else st.just(set())
    return some.flatmap(lambda names: st.fixed_dictionaries(
        {**required, **{name: optional[name] for name in sorted(names)}}))


def valid_settings(stage: str) -> st.SearchStrategy[Settings]:
    cls = STAGES[stage].settings_class()

    def made(values: dict[str, Any]) -> Settings | None:
        try:
            return cls.model_validate(values)
        except ValidationError:
            return None

    return values_of_class(cls).map(made).filter(lambda found: found is not None)


FORMS: dict[str, Form[Any]] = {}


def through_the_form(given_settings: Settings) -> Settings:
    """In, to the browser and back as JSON, and out."""
    form = FORMS.setdefault(given_settings.stage, Form(type(given_settings)))
    form.value = given_settings
    content = json.loads(json.dumps(form.widget.content, ensure_ascii=False))
    form.value = {}
    form.widget.set_state({"content": {**content, "id": "from the browser"}})
    return form.settings  # type: ignore[no-any-return]


def through_the_command_line(given_settings: Settings) -> Settings:
    line = command_line(given_settings, STUDY.name)
    assert "\n" not in line
    program, *arguments = shlex.split(line)
    options = cli.build_parser().parse_args(arguments)
    assert (program, options.stage, options.study) == ("medomicslab", given_settings.stage, STUDY.name)
    mapping: dict[str, Any] = {}
    for assignment in options.assignments:
        cli_parts.assign(mapping, assignment)
    return type(given_settings).parse(mapping)


def through_the_cell(given_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    import medomicslab_nb as ml

    ran: list[tuple[str, Any, Any]] = []
    monkeypatch.setattr(ml, "open_study", lambda path: f"study {path}", raising=False)
    monkeypatch.setattr(ml, "run", lambda *arguments: ran.append(arguments), raising=False)
    exec(notebook_cell(given_settings, STUDY.name), {})
    [(stage, study, mapping)] = ran
    assert (stage, study) == (given_settings.stage, f"study {STUDY.name}")
    return type(given_settings).parse(mapping)


@pytest.mark.parametrize("stage", STAGES)
def test_one_digest_for_form_yaml_command_cell_and_papermill(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @examples(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(valid_settings(stage))
    def check(one: Settings) -> None:
        parse = type(one).parse
        digests = {
            "form": through_the_form(one),
            "yaml": parse(yaml_text(one)),
            "differences": parse(yaml_text(one, only_differences=True)),
            "command": through_the_command_line(one),
            "cell": through_the_cell(one, monkeypatch),
            "papermill": parse(json.dumps(one.model_dump(mode="json")))}
        assert {name: found.digest(STUDY) for name, found in digests.items()} == dict.fromkeys(
            digests, one.digest(STUDY))

    check()


def test_lines_are_short_and_read_as_people_write_them() -> None:
    one = STAGES["models"].settings_class().parse({"outcome": "dmfs", "folds": 3, "preparation": {"icc": 0.5},
                                                   "blocks": {"omics": ["genes"]}, "visits": {"v": [0, 90]}})
    assert command_line(one, "my_study") == (
        "medomicslab run models --study my_study -s outcome=dmfs -s 'blocks={omics: [genes]}' "
        "-s 'visits={v: [0.0, 90.0]}' -s preparation.icc=0.5 -s folds=3")
    assert notebook_cell(one, "my_study") == (
        'import medomicslab_nb as ml\n\nstudy = ml.open_study("my_study")\nrun = ml.run("models", study, {\n'
        '    "outcome": "dmfs",\n    "blocks": {"omics": ["genes"]},\n    "visits": {"v": [0.0, 90.0]},\n'
        '    "preparation": {"icc": 0.5},\n    "folds": 3,\n})\n')
    assert notebook_cell(STAGES["data"].settings_class()(), "a").endswith('run = ml.run("data", study, {})\n')

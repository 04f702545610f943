"""A form shows every field of a settings class, checks it, and gives back exactly what it was given."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, model_validator

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.settings import Advanced, Settings, SettingsPart, Unit
from medomicslab_nb.stages import STAGES
from medomicslab_nb.views.form import Form, complete


class Step(SettingsPart):
    label: str
    value: float | str = 0.0


class Example(Settings):
    stage: ClassVar[str] = "example"

    outcome: str
    """What is <b>predicted</b>."""
    learner: Literal["ridge", "forest"] = "ridge"
    """Learner."""
    engine: Literal["a", "b"] | None = None
    """Engine."""
    compare: bool = True
    """Compare."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Outer folds."""
    width: Annotated[float, Unit("HU")] = 25.0
    """Bin width."""
    horizon: Annotated[float | None, Field(gt=0), Unit("days"), Advanced()] = None
    """Horizon."""
    tables: tuple[str, ...] = ()
    """Tables."""
    blocks: dict[str, tuple[str, ...]] = {}
    """Blocks."""
    steps: tuple[Step, ...] = ()
    """Steps."""
    part: Step = Step(label="one")
    """A group."""
    more: Annotated[Step | None, Advanced()] = None
    """A group that may be missing; empty: there is none."""
    point: tuple[float, float, float] | None = None
    """Three numbers."""
    marks: tuple[Literal["x", "y"], ...] = ("x",)
    """Several of several."""
    day: date | None = None
    """A day."""
    anything: list[dict[str, int]] = []
    """What has no control of its own."""

    @model_validator(mode="after")
    def _not_both(self) -> Example:
        if self.compare and self.learner == "forest" and self.folds == 3:
            raise ValueError("not all three at once")
        return self


FULL = {"outcome": "dmfs", "learner": "forest", "engine": "b", "compare": False, "folds": 3, "width": 2.5,
        "horizon": 365.0, "tables": ["clinical", "no"], "blocks": {"omics": ["genes", "1e3"], "c": []},
        "steps": [{"label": "Age: 18, or more", "value": 18.0}, {"label": "null", "value": "yes"}],
        "part": {"label": "été", "value": "2021-04-30"}, "more": {"label": ""}, "point": [1, 2.5, -3],
        "marks": ["y", "x"], "day": "2021-04-30", "anything": [{"a": 1}]}



@pytest.fixture
def form() -> Form[Example]:
    made = Form(Example, {"outcome": ("dmfs", "os"), "tables": ("clinical",), "steps.label": ("age",),
                          "blocks.keys": ("omics",)})
    made.value = {"outcome": "dmfs"}
    return made


def enter(form: Form[Any], edit: str = "edit", **contents: Any) -> dict[str, Any]:
    """What the browser does: send the content of all controls, get the answer."""
    values = json.loads(json.dumps({**form.widget.content["values"], **contents}))
    form.widget.set_state({"content": {"id": edit, "values": values}})
    return form.widget.answer


def described(form: Form[Any], *names: str) -> dict[str, Any]:
    fields = form.widget.fields
    for name in names:
        found = next(one for one in fields if one["name"] == name)
        fields = found["control"].get("fields") or found["control"].get("group", {}).get("fields", [])
    return found


def test_control_per_type(form: Form[Example]) -> None:
    assert {one["name"]: one["control"]["kind"] for one in form.widget.fields} == {
        "outcome": "text", "learner": "choice", "engine": "choice", "compare": "check", "folds": "number",
        "width": "number", "horizon": "number", "tables": "tokens", "blocks": "rows", "steps": "repeated",
        "part": "group", "more": "switched", "point": "series", "marks": "checks", "day": "day", "anything": "yaml"}
    assert described(form, "part", "value")["control"] == {"kind": "yaml", "lines": 1}
    assert described(form, "blocks")["control"]["value"]["kind"] == "tokens"
    assert described(form, "anything")["control"]["lines"] > 1


@pytest.mark.parametrize("values", [{"outcome": "dmfs"}, FULL, {"outcome": ""}, {"outcome": ' "a"\n'}])
def test_gives_back_what_it_was_given(form: Form[Example], values: dict[str, object]) -> None:
    form.value = values
    assert form.faults == {}
    assert form.settings == Example.parse(values)
    form.value = form.settings
    assert form.settings.digest() == Example.parse(values).digest()


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_form_that_keeps_its_defaults(stage: str) -> None:
    cls = STAGES[stage].settings_class()
    needed = {name: "dmfs" for name, field in cls.model_fields.items() if field.is_required()}
    form = Form(cls)
    form.value = needed
    assert form.settings == cls.parse(needed)
    assert form.settings.digest() == cls.parse(needed).digest()
    assert json.loads(json.dumps(form.widget.fields)) == form.widget.fields


def test_answer_belongs_to_an_edit_and_touches_no_content(form: Form[Example]) -> None:
    answer = enter(form, "edit 7", folds="1")
    assert answer["id"] == "edit 7"
    assert "greater than or equal to 2" in answer["faults"]["folds"]
    assert "'folds'" not in answer["faults"]["folds"]
    assert form.widget.content["values"]["folds"] == "1"
    with pytest.raises(SettingsError, match="'folds': input should be"):
        _ = form.settings
    enter(form, folds=" 4 ")
    assert form.settings.folds == 4


@pytest.mark.parametrize(("name", "content", "words"), [
    ("folds", "", "required"), ("folds", "2.5", "no.* whole number"), ("width", "0,5", "with a point"),
    ("point", ["1", "", "2"], "required"), ("point", ["1", "b", "2"], "not a number"), ("day", "30.4.2021", "no date"),
    ("anything", "a: [b", "YAML"), ("horizon", "-1", "greater than 0"), ("outcome", "  ", "required")])
def test_content_that_is_no_value_is_a_fault_of_its_field(form: Form[Example], name: str, content: Any,
                                                          words: str) -> None:
    answer = enter(form, **{name: content})
    assert list(answer["faults"]) == [name]
    with pytest.raises(SettingsError, match=words):
        _ = form.settings


@pytest.mark.parametrize(("contents", "place"), [
    ({"steps": [{"label": "a", "value": "1"}, {"label": "", "value": "1"}]}, "steps.1.label"),
    ({"steps": [{"label": "a", "value": "[1]"}]}, "steps.0.value"),
    ({"part": {"label": "", "value": "1"}}, "part.label"),
    ({"more": {"on": True, "content": {"label": "", "value": "0"}}}, "more.label"),
    ({"blocks": [{"key": "a", "value": []}, {"key": "", "value": []}]}, "blocks.1"),
    ({"blocks": [{"key": "a", "value": []}, {"key": "a", "value": []}]}, "blocks.1")])
def test_message_stands_at_the_part_that_is_wrong(form: Form[Example], contents: dict[str, Any], place: str) -> None:
    assert list(enter(form, **contents)["faults"]) == [place]
    assert list(form.faults) == [place]


def test_group_that_is_switched_off_is_not_checked(form: Form[Example]) -> None:
    assert enter(form, more={"on": False, "content": {"label": "", "value": "["}})["faults"] == {}
    assert form.settings.more is None


def test_fault_of_the_whole_stands_below_once_everything_is_read(form: Form[Example]) -> None:
    form.value = {"outcome": "dmfs", "folds": 3, "compare": False, "learner": "forest"}
    assert enter(form, compare=True)["faults"] == {"": "not all three at once"}
    assert form.faults == {"": "'settings': not all three at once"}
    assert list(enter(form, width="x")["faults"]) == ["width"]


def test_refusal_that_names_a_field_stands_beside_it() -> None:
    form = Form(STAGES["pipeline"].settings_class())
    form.value = {"radiomics": {}}
    radiomics = form.widget.content["values"]["radiomics"]
    faults = enter(form, radiomics={**radiomics, "content": {**radiomics["content"], "filters": []}})["faults"]
    assert list(faults) == ["radiomics.filters"]
    assert "give at least one" in faults["radiomics.filters"]


def test_required_field_is_asked_for() -> None:
    form = Form(Example)
    assert form.faults == {"outcome": "required"}
    with pytest.raises(SettingsError, match="'outcome': required"):
        _ = form.settings


def test_required_field_of_a_stage_in_the_pipeline_is_asked_for() -> None:
    form = Form(STAGES["pipeline"].settings_class())
    form.value = {"models": {"folds": 3}}
    assert form.faults == {"models.outcome": "required"}


def test_difference_from_default_is_marked_at_every_depth(form: Form[Example]) -> None:
    assert form.widget.answer["changed"] == []
    assert enter(form, folds="7", width="25.0")["changed"] == ["folds"]
    assert enter(form, part={"label": "two", "value": "0"})["changed"] == ["folds", "part.label"]
    on = {"on": True, "content": {"label": "a", "value": "1"}}
    assert enter(form, more=on)["changed"] == ["folds", "part.label", "more", "more.value"]


def test_a_truth_value_is_no_number(form: Form[Example]) -> None:
    assert enter(form, folds="5", compare=False)["changed"] == ["compare"]


def test_what_is_said_beside_a_field(form: Form[Example]) -> None:
    folds, width, more = described(form, "folds"), described(form, "width"), described(form, "more")
    assert (folds["bounds"], folds["default"], folds["reset"]) == ("2 to 20", "5", "5")
    assert (width["unit"], width["default"]) == ("HU", "25.0")
    assert more["empty"] == "there is none"
    assert described(form, "outcome")["help"] == "What is <b>predicted</b>."
    assert described(form, "horizon")["bounds"] == "more than 0"
    assert described(form, "part", "label")["default"] == "one"
    assert described(form, "outcome")["required"]


def test_advanced_fields_are_marked(form: Form[Example]) -> None:
    assert [one["name"] for one in form.widget.fields if one["advanced"]] == ["horizon", "more"]


def test_suggestions_reach_their_fields_and_do_not_exclude_other_text(form: Form[Example]) -> None:
    assert described(form, "outcome")["control"]["suggestions"] == ["dmfs", "os"]
    assert described(form, "tables")["control"]["item"]["suggestions"] == ["clinical"]
    assert described(form, "steps", "label")["control"]["suggestions"] == ["age"]
    assert described(form, "blocks")["control"]["key"]["suggestions"] == ["omics"]
    form.value = {"outcome": "other"}
    assert form.settings.outcome == "other"


def test_59_unknown_name_is_refused_with_the_nearest(form: Form[Example]) -> None:
    with pytest.raises(SettingsError, match="did you mean 'folds'"):
        form.value = {"outcome": "dmfs", "fold": 3}


def test_60_wrong_type_is_refused_without_the_value(form: Form[Example]) -> None:
    with pytest.raises(SettingsError, match="'folds'") as caught:
        form.value = {"outcome": "dmfs", "folds": "secret"}
    assert "secret" not in str(caught.value)


def test_completed_values_leave_out_what_a_group_lacks() -> None:
    values = complete(Example, {"more": {}, "folds": "7"})
    assert (values["outcome"], values["folds"], values["more"]) == ("", 7, {"value": 0.0})
    with pytest.raises(SettingsError, match=r"'more\.label' is required"):
        Example.parse({**values, "outcome": "dmfs"})
    with pytest.raises(SettingsError, match=r"^settings: 'dates\.events' is required\. Correct them$"):
        complete(STAGES["models"].settings_class(), {"dates": {}})


def test_required_part_of_a_group_that_is_given_is_asked_for_or_refused(form: Form[Example]) -> None:
    form.value = {"outcome": "dmfs", "more": {}}
    assert form.faults == {"more.label": "required"}


def test_listeners_hear_of_every_change(form: Form[Example]) -> None:
    heard: list[bool] = []
    form.on_change(lambda: heard.append(bool(form.faults)))
    enter(form, "1", folds="1")
    enter(form, "2", folds="2")
    assert heard == [True, False]


class Asked:
    """A browser view that asks and keeps the replies that are for it."""

    def __init__(self, form: Form[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.form, self.replies = form, []
        monkeypatch.setattr(form.widget, "send", self.replies.append)

    def ask(self, kind: str, **content: str) -> dict[str, Any]:
        self.form._asked(None, {"kind": kind, "token": "mine", **content}, [])
        reply = self.replies.pop()
        assert (reply["kind"], reply["token"]) == (kind, "mine")
        return reply


@pytest.fixture
def asked(form: Form[Example], monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(form, monkeypatch)


def test_yaml_is_imported(form: Form[Example], asked: Asked) -> None:
    assert "done" in asked.ask("import", text="outcome: os\nfolds: 7")
    assert (form.settings.outcome, form.settings.folds, form.settings.width) == ("os", 7, 25)


@pytest.mark.parametrize(("text", "words"), [
    ("folds: [", "neither YAML"), ("fold: 3", "did you mean"), ("folds: 99", "less than or equal"),
    ("study.yaml", "names with values"), ("1: 2", "string"), ("folds: 0b_", "neither YAML")])
def test_what_cannot_be_imported_is_said_and_changes_nothing(form: Form[Example], asked: Asked, text: str,
                                                             words: str) -> None:
    before = form.widget.content
    assert words in asked.ask("import", text=text)["fault"]
    assert form.widget.content == before


def test_texts_are_made_of_valid_settings_only(form: Form[Example], asked: Asked) -> None:
    assert "folds: 5" in asked.ask("export")["texts"]["full"]
    enter(form, folds="1")
    assert "'folds'" in asked.ask("export")["fault"]


def test_another_kind_of_message_is_ignored(form: Form[Example], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(form.widget, "send", sent.append)
    form._asked(None, {"kind": "other"}, [])
    assert sent == []


def test_a_form_of_a_part_exports_nothing() -> None:
    assert Form(Step).widget.file == ""
    assert Form(Example).widget.file == "example"


def test_french(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", "fr")
    form = Form(STAGES["models"].settings_class())
    assert form.faults == {"outcome": "obligatoire"}
    assert described(form, "folds")["bounds"] == "de 2 à 20"
    assert described(form, "horizon")["empty"].startswith("le temps")
    assert "folds" not in enter(form, outcome="os", folds="1")["faults"]["folds"]

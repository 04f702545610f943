"""A form shows every field of a settings class, checks it, and gives back exactly what it was given."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import ipywidgets
import pytest
from pydantic import Field, model_validator

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.settings import Advanced, Settings, SettingsPart, Unit
from medomicslab_nb.stages import STAGES
from medomicslab_nb.views.form import Form


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

    @model_validator(mode="after")
    def _not_both(self) -> Example:
        if self.compare and self.learner == "forest" and self.folds == 3:
            raise ValueError("not all three at once")
        return self


FULL = {"outcome": "dmfs", "learner": "forest", "engine": "b", "compare": False, "folds": 3, "width": 2.5,
        "horizon": 365.0, "tables": ["clinical", "no"], "blocks": {"omics": ["genes", "1e3"], "c": []},
        "steps": [{"label": "Age: 18, or more", "value": 18.0}, {"label": "null", "value": "yes"}],
        "part": {"label": "été", "value": "2021-04-30"}}


@pytest.fixture
def form() -> Form[Example]:
    made = Form(Example)
    made.value = {"outcome": "dmfs"}
    return made


def note(form: Form[Example], name: str) -> str:
    return str(form._notes[name].value)


def test_control_per_type(form: Form[Example]) -> None:
    kinds = {name: type(control.widget) for name, control in form.controls.items()}
    assert kinds["learner"] is kinds["engine"] is ipywidgets.Dropdown
    assert kinds["compare"] is ipywidgets.Checkbox
    assert kinds["folds"] is ipywidgets.IntText
    assert kinds["width"] is ipywidgets.FloatText
    assert kinds["outcome"] is kinds["horizon"] is ipywidgets.Text
    assert kinds["tables"] is kinds["blocks"] is kinds["part"] is ipywidgets.Textarea


@pytest.mark.parametrize("values", [{"outcome": "dmfs"}, FULL])
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


def test_message_stands_beside_the_field(form: Form[Example]) -> None:
    form.controls["folds"].widget.value = 1
    assert "greater than or equal to 2" in note(form, "folds")
    assert set(form.faults) == {"folds"}
    with pytest.raises(SettingsError, match="'folds': input should be"):
        _ = form.settings
    form.controls["folds"].widget.value = 4
    assert form.settings.folds == 4


def test_text_that_is_no_yaml_is_a_fault_of_its_field(form: Form[Example]) -> None:
    form.controls["blocks"].widget.value = "a: [b"
    assert set(form.faults) == {"blocks"}
    assert "cannot be read" in note(form, "blocks")


def test_fault_of_the_whole_stands_below(form: Form[Example]) -> None:
    form.value = {"outcome": "dmfs", "folds": 3, "compare": False, "learner": "forest"}
    form.controls["compare"].widget.value = True
    assert form.faults == {"": "'settings': not all three at once"}
    assert "not all three" in form._message.value


def test_required_field_is_asked_for() -> None:
    form = Form(Example)
    assert form.faults == {"outcome": "required"}
    with pytest.raises(SettingsError, match="'outcome': required"):
        _ = form.settings


def test_difference_from_default_is_marked(form: Form[Example]) -> None:
    assert "changed" not in note(form, "folds")
    form.controls["folds"].widget.value = 7
    assert "changed, default: 5" in note(form, "folds")


def test_help_and_unit_are_shown_and_escaped(form: Form[Example]) -> None:
    assert "HU" in note(form, "width")
    assert "&lt;b&gt;predicted" in note(form, "outcome")


def test_advanced_fields_are_folded(form: Form[Example]) -> None:
    folds = [child for child in form.widget.children if isinstance(child, ipywidgets.Accordion)]
    assert len(folds) == 1
    assert folds[0].selected_index is None
    assert len(folds[0].children[0].children) == 1


def test_names_may_be_written_with_commas(form: Form[Example]) -> None:
    form.controls["tables"].widget.value = "clinical, genes"
    assert form.settings.tables == ("clinical", "genes")


def test_59_unknown_name_is_refused_with_the_nearest(form: Form[Example]) -> None:
    with pytest.raises(SettingsError, match="did you mean 'folds'"):
        form.value = {"outcome": "dmfs", "fold": 3}


def test_60_wrong_type_is_refused_without_the_value(form: Form[Example]) -> None:
    with pytest.raises(SettingsError, match="'folds'") as caught:
        form.value = {"outcome": "dmfs", "folds": "secret"}
    assert "secret" not in str(caught.value)


def test_suggestions_do_not_exclude_other_text() -> None:
    form = Form(Example, {"outcome": ("dmfs", "os")})
    assert form.controls["outcome"].widget.options == ("dmfs", "os")
    form.value = {"outcome": "other"}
    assert form.settings.outcome == "other"

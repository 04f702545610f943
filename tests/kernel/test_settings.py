"""Settings: parsing, errors, digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
import yaml
from hypothesis import given, strategies as st

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.settings import (
    Advanced,
    Execution,
    Settings,
    SettingsPart,
    StudyPath,
    Unit,
    fields_of,
    load_yaml,
    marker,
)


class Part(SettingsPart):
    """A nested group."""

    depth: int = 3
    """How deep."""


class ExampleSettings(Settings):
    """An example."""

    stage: ClassVar[str] = "example"

    bin_width: Annotated[float, Unit("HU")] = 25.0
    """Width of a bin."""
    names: tuple[str, ...] = ()
    """Names."""
    part: Part = Part()
    """A group."""
    parts: dict[str, Part] = {}
    """Groups by name."""
    file: Annotated[str, StudyPath()] = ""
    """A file."""
    jobs: Annotated[int, Execution(), Advanced()] = 1
    """Worker processes."""


def test_field_has_description_unit_and_markers() -> None:
    fields = dict(fields_of(ExampleSettings))
    assert fields["bin_width"].description == "Width of a bin."
    assert marker(fields["bin_width"], Unit) == Unit("HU")
    assert marker(fields["jobs"], Execution)
    assert not marker(fields["bin_width"], Execution)


def test_golden_digest() -> None:
    """A change of this digest makes every stored run look different: raise the version and say so in the changelog."""
    assert ExampleSettings().digest() == "f9907c334790be8987c647b4e32ac76d90953a4f2073591b336c62936fa54af5"


def test_digest_leaves_execution_out_and_takes_everything_else_in() -> None:
    base = ExampleSettings().digest()
    assert ExampleSettings(jobs=8).digest() == base
    assert ExampleSettings(bin_width=25).digest() == base
    assert ExampleSettings(bin_width=26).digest() != base
    assert ExampleSettings(part=Part(depth=4)).digest() != base
    assert ExampleSettings(parts={"a": Part()}).digest() != base


def test_digest_takes_paths_relative_to_the_study(tmp_path: Path) -> None:
    inside = ExampleSettings(file=str(tmp_path / "tables" / "a.csv")).digest(tmp_path)
    assert inside == ExampleSettings(file="tables/a.csv").digest(tmp_path)
    elsewhere = tmp_path / "copy"
    assert inside == ExampleSettings(file=str(elsewhere / "tables" / "a.csv")).digest(elsewhere)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "bin_width": st.floats(-1e6, 1e6),
            "names": st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")))),
            "part": st.fixed_dictionaries({"depth": st.integers(-5, 5)}),
            "jobs": st.integers(1, 4),
        },
    )
)
def test_digest_is_one_for_mapping_yaml_json_and_object(value: dict[str, object]) -> None:
    digest = ExampleSettings.parse(value).digest()
    assert ExampleSettings.parse(json.dumps(value)).digest() == digest
    assert ExampleSettings.parse(yaml.safe_dump(value, allow_unicode=True)).digest() == digest
    assert ExampleSettings.parse(ExampleSettings.parse(value).to_yaml()).digest() == digest


def test_parse_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("bin_width: 10\n")
    assert ExampleSettings.parse(path).bin_width == 10
    assert ExampleSettings.parse(str(path)).bin_width == 10
    with pytest.raises(SettingsError, match=r"missing\.yaml"):
        ExampleSettings.parse(str(tmp_path / "missing.yaml"))


@pytest.mark.parametrize("text", ["names: [x.json]\nfile: x.json", "file: x.json", "file: tables/x.yaml\n"])
def test_text_that_ends_like_a_path_is_no_path(text: str) -> None:
    assert ExampleSettings.parse(text).file.startswith(("x", "tables/x"))


def test_path_with_a_blank_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "my settings - a [1].yaml"
    path.write_text("bin_width: 10\n")
    assert ExampleSettings.parse(str(path)).bin_width == 10


def test_dates_stay_text() -> None:
    assert ExampleSettings.parse("names: [2021-04-30]").names == ("2021-04-30",)


def test_bad_input_59_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="'binn_width', did you mean 'bin_width'"):
        ExampleSettings.parse({"binn_width": 1})
    with pytest.raises(SettingsError, match=r"'part\.deph', did you mean 'depth'"):
        ExampleSettings.parse({"part": {"deph": 1}})
    with pytest.raises(SettingsError, match=r"'parts\.a\.deph', did you mean 'depth'"):
        ExampleSettings.parse({"parts": {"a": {"deph": 1}}})


def test_bad_input_60_wrong_type_names_the_field_and_never_the_value() -> None:
    with pytest.raises(SettingsError, match="'bin_width'") as error:
        ExampleSettings.parse({"bin_width": "PAT-0042"})
    assert "PAT-0042" not in str(error.value)
    for text in ("[1, 2]", "just a sentence", "a: [", "42", "a: 0b_"):
        with pytest.raises(SettingsError):
            ExampleSettings.parse(text)
    with pytest.raises(SettingsError):
        ExampleSettings.parse({"bin_width": float("nan")})


def test_differences_lists_what_is_no_default() -> None:
    assert ExampleSettings().differences() == {}
    assert ExampleSettings(bin_width=5, part=Part(depth=1)).differences() == {"bin_width": 5.0, "part": {"depth": 1}}


def test_numbers_and_yes_are_labels_where_text_is_expected() -> None:
    assert ExampleSettings.parse({"names": [2, "x"]}).names == ("2", "x")
    assert ExampleSettings.parse("names: [Yes, No, on]").names == ("Yes", "No", "on")


@pytest.mark.parametrize("text", ["true_zeros", "falsetto", "Trueman", "FALSE_1"])
def test_words_that_begin_like_a_truth_value_are_words(text: str) -> None:
    assert load_yaml(f"{text}: [{text}, true, False]") == {text: [text, True, False]}

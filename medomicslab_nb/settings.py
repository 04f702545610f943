"""Settings: one frozen, validated class per stage, from which form, command line, YAML file and docs derive.

A field is declared once: its type, its default, a docstring with the unit, and, where they apply, the markers
:class:`Execution`, :class:`Advanced` and :class:`Unit` in ``Annotated``.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from medomicslab_nb.errors import SettingsError

M = TypeVar("M")


@dataclass(frozen=True)
class Execution:
    """Marks a field that changes how the work is done but never its result; left out of the digest."""


@dataclass(frozen=True)
class Advanced:
    """Marks a field that the form shows only when it is unfolded."""


@dataclass(frozen=True)
class Unit:
    """The unit of a field, as it is shown beside its control."""

    text: str


@dataclass(frozen=True)
class StudyPath:
    """Marks a path that the digest takes relative to the study folder when it lies inside it."""


class SettingsPart(BaseModel):
    """Base of settings classes and of the groups nested in them: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False,
                              coerce_numbers_to_str=True)


class Settings(SettingsPart):
    """Base of every stage's settings."""

    stage: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def parse(cls, value: Self | Mapping[str, Any] | str | Path | None = None) -> Self:
        """Validate settings given as an instance, a mapping, YAML or JSON text, a path to such a file, or None.

        Raises
        ------
        SettingsError
            One line per fault: an unknown name with the nearest right one, a wrong type, a value out of range.
            Values are never repeated, since they may be secret.
        """
        if isinstance(value, cls):
            return value
        mapping, where = read_mapping(value)  # type: ignore[arg-type]  # mypy sees Self in the union still
        try:
            return cls.model_validate(mapping)
        except ValidationError as error:
            lines = [explain(cls, fault) for fault in error.errors(include_url=False, include_input=False)]
            todo = f"Correct them; 'medomicslab run {cls.stage} --help' lists every setting"
            raise SettingsError("; ".join(lines), where=where or f"settings of stage '{cls.stage}'",
                                todo=todo) from None

    def canonical(self, study: Path | None = None) -> dict[str, Any]:
        """All fields after validation, defaults included, execution fields left out, as JSON types."""
        return _canonical(self, study)

    def digest(self, study: Path | None = None) -> str:
        """The sha256 (64 hexadecimal digits) of stage, settings version and canonical fields."""
        content = {"stage": self.stage, "version": self.version, "settings": self.canonical(study)}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as JSON types."""
        values = self.model_dump(mode="json")
        return {name: values[name] for name, field in type(self).model_fields.items()
                if field.is_required() or getattr(self, name) != field.get_default(call_default_factory=True)}

    def to_yaml(self) -> str:
        """All fields as YAML text, which :meth:`parse` reads back."""
        return dump_yaml(self.model_dump(mode="json"))


def read_mapping(value: Mapping[str, Any] | str | Path | None) -> tuple[dict[str, Any], str]:
    """The mapping that a dict, YAML or JSON text, or a path to such a file stands for, and where it came from.

    papermill hands ``-p settings '{"a": 1}'`` over as text, ``-f`` as a mapping, and people pass paths.

    Raises
    ------
    SettingsError
        The file cannot be read, or its text is no mapping.
    """
    if value is None:
        return {}, ""
    if isinstance(value, Mapping):
        return dict(value), ""
    if not isinstance(value, (str, Path)):
        raise SettingsError(f"a mapping, text or a path was expected, {type(value).__name__} was found",
                            where="settings", todo="Pass a dict, YAML or JSON text, or the path of such a file")
    text = str(value)
    if not isinstance(value, Path) and not _names_a_file(text):
        return read_text(text), ""
    path = Path(text.strip()).expanduser()
    where = f"settings file {path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the file cannot be read ({type(error).__name__})", where=where,
                            todo="Check the path and the file") from None
    return read_text(text, where), where


def read_text(text: str, where: str = "settings") -> dict[str, Any]:
    """The mapping that YAML or JSON text holds; ``where`` names the text in errors.

    Raises
    ------
    SettingsError
        The text is neither, or holds no mapping.
    """
    try:
        loaded = _load_text(text)
    except (yaml.YAMLError, ValueError) as error:  # YAML takes 0b_ for a number, which it is not
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        place = "" if line is None else f" (line {line + 1})"
        raise SettingsError(f"the text is neither YAML nor JSON{place}", where=where, todo="Correct the text") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingsError(f"names with values were expected, {type(loaded).__name__} was found", where=where,
                            todo="Write 'name: value', one a line, or a JSON object")
    return loaded


def _names_a_file(text: str) -> bool:
    """Whether text is a path: one line with a file's ending that is no mapping, as ``outcome: x.json`` is one."""
    line = text.strip()
    if not line.endswith((".yaml", ".yml", ".json")) or len(line.splitlines()) != 1:
        return False
    with contextlib.suppress(yaml.YAMLError, ValueError):
        return not isinstance(load_yaml(line), dict)
    return True


def _load_text(text: str) -> Any:
    """JSON where it is JSON: YAML is no superset of it (an emoji escaped as two surrogates becomes garbage)."""
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            return json.loads(text)
    return load_yaml(text)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans: ``Yes`` and ``No`` are labels of classes far more often than truth values.

    Dates stay text, as they are in JSON: a setting that wants a date reads it, one that takes text keeps it.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers
            if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"),
                              list("tTfF"))


def load_yaml(text: str) -> Any:
    """A YAML text as Python values, with only ``true`` and ``false`` as truth values and dates as text."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)


_BREAKS = frozenset("\n\r\x85\u2028\u2029")


class _Dumper(yaml.SafeDumper):
    """Texts with line breaks stand in double quotes, where a break is an escape: folded ones are not read back."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (nothing is referred to twice)
        return True


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS & set(value) or not value.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _represent_text)


def dump_yaml(value: Any, *, one_line: bool = False) -> str:
    """JSON types as YAML text that :func:`load_yaml` reads back exactly; without any line break where asked for."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=one_line, sort_keys=False, allow_unicode=True,
                     width=2**31 - 1)
    return text.removesuffix("\n").removesuffix("\n...") if one_line else text


def fields_of(cls: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields of a settings class in the order of declaration."""
    yield from cls.model_fields.items()


def marker(field: FieldInfo, kind: type[M]) -> M | None:
    """The marker of the given kind on a field, or None."""
    return next((mark for mark in field.metadata if isinstance(mark, kind)), None)


def explain(cls: type[BaseModel], fault: Mapping[str, Any]) -> str:
    """One pydantic fault as a sentence that names the field and never repeats the value."""
    location = [str(part) for part in fault["loc"]]
    name = ".".join(location) or "settings"
    if fault["type"] == "extra_forbidden":
        near, known = names_beside(cls, fault["loc"])
        hint = f", did you mean '{near}'?" if near else f"; known are {', '.join(known)}" if known else ""
        return f"unknown setting '{name}'{hint}"
    if fault["type"] == "missing":
        return f"'{name}' is required"
    if fault["type"] == "tuple_type":  # as it is written in YAML
        return f"'{name}': input should be a list, such as [a, b]"
    message = fault["msg"].removeprefix("Value error, ")
    return f"'{name}': {message[:1].lower()}{message[1:]}"


def names_beside(cls: type[BaseModel], location: Sequence[str | int]) -> tuple[str, list[str]]:
    """Of the settings that may stand at a location: the name nearest to the one there, or ``""``, and every name."""
    owner = _class_at(cls, tuple(location[:-1]))
    known = list(owner.model_fields) if owner else []
    return next(iter(difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)), ""), known


def _class_at(cls: type[BaseModel], path: tuple[Any, ...]) -> type[BaseModel] | None:
    """The settings class that the field at ``path`` holds, through options, lists and mappings."""
    current: type[BaseModel] | None = cls
    for part in path:
        if current is None:
            return None
        if part in current.model_fields:
            found = list(classes_in(current.model_fields[part].annotation))
            current = found[0] if found else None
    return current


def classes_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The settings classes that a field's type names."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
    elif get_origin(annotation) in (Union, types.UnionType) or get_args(annotation):
        for part in get_args(annotation):
            yield from classes_in(part)


def _canonical(part: BaseModel, study: Path | None) -> dict[str, Any]:
    values = part.model_dump(mode="json")
    for name, field in type(part).model_fields.items():
        if marker(field, Execution):
            del values[name]
            continue
        value = getattr(part, name)
        if marker(field, StudyPath) and study is not None:
            values[name] = _relative(values[name], study)
        elif isinstance(value, BaseModel):
            values[name] = _canonical(value, study)
        elif isinstance(value, Mapping):
            values[name] = {str(key): _canonical(item, study) if isinstance(item, BaseModel) else values[name][key]
                            for key, item in value.items()}
        elif isinstance(value, tuple):
            values[name] = [_canonical(item, study) if isinstance(item, BaseModel) else values[name][i]
                            for i, item in enumerate(value)]
    return values


def _relative(value: Any, study: Path) -> Any:
    if isinstance(value, list):
        return [_relative(item, study) for item in value]
    if isinstance(value, str):
        path = Path(value)
        base = study.resolve()
        full = (path if path.is_absolute() else base / path).resolve()
        return full.relative_to(base).as_posix() if full.is_relative_to(base) else full.as_posix()
    return value

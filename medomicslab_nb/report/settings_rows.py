"""The settings of a run as rows: value, default, unit and help; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medomicslab_nb.report.wording import value_text
from medomicslab_nb.settings import Advanced, Execution, Settings, Unit, marker
from medomicslab_nb.stages import STAGES


def settings_rows(stage: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every setting with value, default, unit and help; those that differ from the default come first."""
    if stage not in STAGES:
        return [_setting(name, value) for name, value in values.items()]
    cls = STAGES[stage].settings_class()
    rows = [_setting(name, value, cls) for name, value in values.items()]
    return sorted(rows, key=lambda row: not row["differs"])


def _setting(name: str, value: Any, cls: type[Settings] | None = None) -> dict[str, Any]:
    field = cls.model_fields.get(name) if cls else None
    if cls is None or field is None:
        return {"name": name, "value": value_text(value), "default": "", "differs": False, "help": "", "unit": "",
                "kind": ""}
    default = None if field.is_required() else plain_value(field.get_default(call_default_factory=True))
    unit = marker(field, Unit)
    kind = "execution" if marker(field, Execution) else "advanced" if marker(field, Advanced) else ""
    return {"name": name, "value": value_text(value), "default": "required" if field.is_required()
            else value_text(default), "differs": field.is_required() or value != default,
            "help": field.description or "", "unit": unit.text if unit else "", "kind": kind}


def plain_value(value: Any) -> Any:
    """The value as JSON types, as it stands in a run record: tuples as lists, groups as mappings."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    return [plain_value(item) for item in value] if isinstance(value, (list, tuple)) else value

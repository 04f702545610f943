"""A form derived from a settings class: no stage writes form code of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import ipywidgets
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.report.settings_rows import plain_value
from medomicslab_nb.report.wording import value_text
from medomicslab_nb.settings import Advanced, Unit, explain, fields_of, marker
from medomicslab_nb.views.controls import Control, control_for
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, muted

S = TypeVar("S", bound=BaseModel)


class Form(Generic[S]):
    """Controls for every field of a settings class, checked at every change, with the message beside the field.

    Parameters
    ----------
    cls : type
        The settings class.
    suggestions : mapping, optional
        Texts to offer for a text field, by field name.

    Attributes
    ----------
    widget : Widget
        What is shown.
    """

    def __init__(self, cls: type[S], suggestions: Mapping[str, Sequence[str]] | None = None) -> None:
        self.cls = cls
        self._fields: dict[str, FieldInfo] = dict(fields_of(cls))
        self.controls = {name: control_for(field, (suggestions or {}).get(name, ()))
                         for name, field in self._fields.items()}
        self._notes = {name: ipywidgets.HTML() for name in self._fields}
        self._message = ipywidgets.HTML()
        self._listeners: list[Callable[[], None]] = []
        self._quiet = False
        self.widget = self._arranged()
        for control in self.controls.values():
            control.widget.observe(self._changed, names="value")
        self.value = {}

    @property
    def settings(self) -> S:
        """The validated settings.

        Raises
        ------
        SettingsError
            A field is wrong; the form shows the message beside it.
        """
        settings, faults = self._checked()
        if settings is None:
            messages = [words if name in words else f"'{name}': {words}" for name, words in faults.items()]
            raise SettingsError("; ".join(dict.fromkeys(messages)), where="form", todo="Correct them in the form")
        return settings

    @property
    def value(self) -> dict[str, Any]:
        """What the controls hold, as JSON types, valid or not; a text that cannot be read is left out."""
        return self._read()[0]

    @value.setter
    def value(self, mapping: Mapping[str, Any] | S) -> None:
        """Show these values; fields that are not named take their defaults.

        Raises
        ------
        SettingsError
            A name is unknown or a value does not fit its field.
        """
        values = complete(self.cls, mapping)
        self._quiet = True
        try:
            for name, value in values.items():
                self.controls[name].write(value)
        finally:
            self._quiet = False
        self._changed()

    @property
    def faults(self) -> dict[str, str]:
        """The present message of every wrong field; ``""`` stands for the form as a whole."""
        return self._checked()[1]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change."""
        self._listeners.append(listener)

    def _read(self) -> tuple[dict[str, Any], dict[str, str]]:
        values, faults = {}, {}
        for name, control in self.controls.items():
            try:
                values[name] = control.read()
            except ValueError as error:
                faults[name] = text("not_a_value", reason=str(error))
            else:
                if self._fields[name].is_required() and values[name] == "":
                    faults[name] = text("required")
        return values, faults

    def _checked(self) -> tuple[S | None, dict[str, str]]:
        values, faults = self._read()
        try:
            settings = self.cls.model_validate(values)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                place = str(fault["loc"][0]) if fault["loc"] else ""
                faults.setdefault(place if place in self.controls else "", explain(self.cls, fault))
            return None, faults
        return (None if faults else settings), faults

    def _changed(self, _: Any = None) -> None:
        if self._quiet:
            return
        settings, faults = self._checked()
        values = self.value if settings is None else settings.model_dump(mode="json")
        for name, field in self._fields.items():
            self._notes[name].value = _note(field, values.get(name), faults.get(name, ""))
        self._message.value = _fault(faults[""]) if "" in faults else ""
        for listener in self._listeners:
            listener()

    def _arranged(self) -> ipywidgets.Widget:
        rows = {name: _row(name, self.controls[name], self._notes[name]) for name in self._fields}
        advanced = [rows[name] for name, field in self._fields.items() if marker(field, Advanced)]
        basic = [row for row in rows.values() if row not in advanced]
        if not advanced:
            return ipywidgets.VBox([*basic, self._message])
        fold = ipywidgets.Accordion([ipywidgets.VBox(advanced)], titles=(text("advanced"),), selected_index=None)
        return ipywidgets.VBox([*basic, fold, self._message])


def complete(cls: type[BaseModel], mapping: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    """Every field's value as JSON types; only a required field may be without one yet, and is then empty text.

    Raises
    ------
    SettingsError
        A name is unknown or a value does not fit its field.
    """
    given = mapping.model_dump(mode="json") if isinstance(mapping, BaseModel) else dict(mapping)
    required = {name: "" for name, field in fields_of(cls) if field.is_required()}
    try:
        return cls.model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
    wrong = [explain(cls, fault) for fault in faults if not (fault["type"] == "missing" and len(fault["loc"]) == 1)]
    if wrong:
        raise SettingsError("; ".join(wrong), where="settings", todo="Correct them")
    shown = cls.model_construct(**{**required, **given}).model_dump(mode="json", warnings=False)
    return {name: shown[name] for name, _ in fields_of(cls)}


def _row(name: str, control: Control, note: ipywidgets.HTML) -> ipywidgets.Widget:
    label = ipywidgets.Label(name, layout=ipywidgets.Layout(width="110px", flex="0 0 110px"))
    control.widget.tooltip = name
    return ipywidgets.HBox([label, control.widget, note], layout=ipywidgets.Layout(align_items="flex-start"))


def _note(field: FieldInfo, value: Any, fault: str) -> str:
    """Unit, the mark of a change, the message of a fault, and the help, in this order."""
    unit = marker(field, Unit)
    parts = [muted(unit.text)] if unit else []
    if fault:
        parts.append(_fault(fault))
    elif not field.is_required() and value != (default := _default(field)):
        parts.append(f'<b style="color:#0072b2;font-size:12px">● '
                     f'{escape(text("changed", default=value_text(default)))}</b>')
    parts.append(muted(" ".join((field.description or "").split())))
    return f'<div style="line-height:1.35;padding:4px 0 4px 6px;max-width:480px">{"<br>".join(parts)}</div>'


def _fault(words: str) -> str:
    style = "color:#b02a00;font-size:12px;font-weight:600"
    return f'<span class="medomicslab-fault" style="{style}">⚠ {escape(words)}</span>'


def _default(field: FieldInfo) -> Any:
    return plain_value(field.get_default(call_default_factory=True))

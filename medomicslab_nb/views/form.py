"""A form derived from a settings class: no stage writes form code of its own."""

from __future__ import annotations

import copy
import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import traitlets
from pydantic import BaseModel, ValidationError

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.settings import Settings, fields_of, read_text
from medomicslab_nb.views import copy_as_code
from medomicslab_nb.views.answers import in_words
from medomicslab_nb.views.controls import Place
from medomicslab_nb.views.faults import fault_text
from medomicslab_nb.views.form_fields import Offered, changes, group_of
from medomicslab_nb.views.language import text
from medomicslab_nb.views.widget import Widget

S = TypeVar("S", bound=BaseModel)
_BEGUN = re.compile(r"Value error, (\w+): ")
_NAMED = re.compile(r"'[^']*': |« [^»]* » : ")


class FormWidget(Widget, module="form"):
    """Draws fields and tells what is typed; it knows nothing of types, defaults or what is right."""

    fields: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """The fields as :meth:`medomicslab_nb.views.form_fields.Field.describe` gives them."""
    content = traitlets.Dict().tag(sync=True)
    """``values``: the content of every control; ``id``: which edit it is."""
    answer = traitlets.Dict().tag(sync=True)
    """``faults`` and ``changed`` by place, for the content of that ``id``."""
    file = traitlets.Unicode().tag(sync=True)
    """Name of the files that are exported; empty: the form imports and exports nothing."""


class Form(Generic[S]):
    """Controls for every field of a settings class, checked as one types, with the message beside the field.

    Parameters
    ----------
    cls : type
        The settings class.
    suggestions : mapping, optional
        Texts to offer for a text field, by its dotted name (``outcome``, ``cohort.column``; ``blocks.keys`` for the
        names in a mapping).
    folder : str
        Name of the study's folder in the code that is to be copied.

    Attributes
    ----------
    widget : FormWidget
        What is shown.
    """

    def __init__(self, cls: type[S], suggestions: Mapping[str, Sequence[str]] | None = None,
                 folder: str = "my_study") -> None:
        self.cls = cls
        self._folder = folder
        self._group = group_of(cls, Offered(suggestions or {}))
        self._listeners: list[Callable[[], None]] = []
        # Messages of the browser may be handled in another thread than a running cell.
        self._lock = threading.RLock()
        file = cls.stage if issubclass(cls, Settings) else ""
        self.widget = FormWidget(fields=[one.describe() for one in self._group.fields], file=file)
        self.widget.observe(self._changed, names="content")
        self.widget.on_msg(self._asked)
        self.value = {}

    @property
    def settings(self) -> S:
        """The validated settings.

        Raises
        ------
        SettingsError
            A field is wrong; the form shows the message beside it.
        """
        settings, _, faults = self._checked()
        if settings is None:
            messages = [words if name in words else f"'{name}': {words}" for name, words in _named(faults).items()]
            raise SettingsError("; ".join(dict.fromkeys(messages)), where="form", todo="Correct them in the form")
        return settings

    @property
    def value(self) -> dict[str, Any]:
        """What the controls hold, as JSON types, valid or not; a text that cannot be read is left out."""
        return self._group.read(self._content, (), {})

    @value.setter
    def value(self, mapping: Mapping[str, Any] | S) -> None:
        """Show these values; fields that are not named take their defaults.

        Raises
        ------
        SettingsError
            A name is unknown or a value does not fit its field.
        """
        content = self._group.write(_completed(self.cls, mapping))
        self.widget.content = {"id": uuid.uuid4().hex, "values": content}

    @property
    def faults(self) -> dict[str, str]:
        """The present message of every wrong field by its dotted name; ``""`` stands for the form as a whole."""
        return _named(self._checked()[2])

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change."""
        self._listeners.append(listener)

    @property
    def _content(self) -> dict[str, Any]:
        return self.widget.content["values"]  # type: ignore[no-any-return]

    def _checked(self) -> tuple[S | None, dict[str, Any], dict[Place, str]]:
        """The settings or None, the values as far as they can be read, and what is wrong where."""
        content = self._content
        faults: dict[Place, str] = {}
        values = self._group.read(content, (), faults)
        unread = bool(faults)
        try:
            settings = self.cls.model_validate(values)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                place = self._group.locate(content, _location(fault))
                # What does not fit together cannot be told before everything is read.
                if place or not unread:
                    faults.setdefault(place, fault_text(self.cls, fault))
            return None, values, faults
        return (None if faults else settings), settings.model_dump(mode="json"), faults

    def _changed(self, _: Any = None) -> None:
        with self._lock:
            _, values, faults = self._checked()
            self.widget.answer = {
                "id": self.widget.content["id"],
                "faults": {name: _beside(words) for name, words in _named(faults).items()},
                "changed": [_name(place) for place in changes(self._group, values)]}
            for listener in self._listeners:
                listener()

    def _asked(self, _: Any, message: Mapping[str, Any], __: Any) -> None:
        """Answer one browser view, which is known by the token that it chose."""
        tasks: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"import": self._imported,
                                                                           "export": self._exported}
        if message.get("kind") in tasks:
            try:
                found = tasks[message["kind"]](message)
            except Exception as error:
                # A question without an answer would leave the browser waiting for ever.
                found = {"fault": in_words(error)}
            self.widget.send({"kind": message["kind"], "token": message.get("token"), **found})

    def _imported(self, message: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.value = read_text(str(message["text"]))
        return {"done": text("form_imported")}

    def _exported(self, _: Mapping[str, Any]) -> dict[str, Any]:
        settings = self.settings
        assert isinstance(settings, Settings)
        return {"texts": {"full": copy_as_code.yaml_text(settings),
                          "short": copy_as_code.yaml_text(settings, only_differences=True),
                          "cell": copy_as_code.notebook_cell(settings, self._folder),
                          "line": copy_as_code.command_line(settings, self._folder)}}


def complete(cls: type[BaseModel], mapping: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    """Every field's value as JSON types; a required text that is not given yet is empty, and left out of a group.

    Raises
    ------
    SettingsError
        A name is unknown or a value does not fit its field.
    """
    values = _completed(cls, mapping)
    return {name: values.get(name, "") for name, _ in fields_of(cls)}


def _completed(cls: type[BaseModel], mapping: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    """The values of :func:`complete` without the required texts that are not given yet."""
    given = mapping.model_dump(mode="json") if isinstance(mapping, BaseModel) else copy.deepcopy(dict(mapping))
    values, faults = _validated(cls, given)
    missing = [fault["loc"] for fault in faults if fault["type"] == "missing"]
    for location in missing:
        _inner(given, location[:-1])[location[-1]] = ""
    if values is None and missing:
        values, again = _validated(cls, given)
        filled = set(missing) - {fault["loc"] for fault in again}
        faults = [fault for fault in faults if fault["loc"] not in filled] or again
    if values is None:
        wrong = [fault_text(cls, fault) for fault in faults]
        raise SettingsError("; ".join(dict.fromkeys(wrong)), where="settings", todo="Correct them")
    for location in missing:
        del _inner(values, location[:-1])[location[-1]]
    return values


def _validated(cls: type[BaseModel], given: dict[str, Any]) -> tuple[dict[str, Any] | None, list[Any]]:
    """Every field's value as JSON types, or None and what is wrong."""
    try:
        return cls.model_validate(given).model_dump(mode="json"), []
    except ValidationError as error:
        return None, list(error.errors(include_url=False, include_input=False))


def _location(fault: Mapping[str, Any]) -> Place:
    """Where a fault is: of a check of several fields, at the one that its message begins with."""
    named = _BEGUN.match(fault["msg"])
    return (*fault["loc"], named[1]) if named else tuple(fault["loc"])


def _inner(values: Any, location: Place) -> Any:
    for part in location:
        values = values[part]
    return values


def _name(place: Place) -> str:
    return ".".join(str(part) for part in place)


def _named(faults: Mapping[Place, str]) -> dict[str, str]:
    return {_name(place): words for place, words in faults.items()}


def _beside(words: str) -> str:
    """The message without the field's name, which stands beside it."""
    return _NAMED.sub("", words, count=1) if _NAMED.match(words) else words

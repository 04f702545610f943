"""A data dictionary while somebody corrects it: rows to show, changes that can be undone, faults.

No widget is in it; every change is checked by :class:`~medomicslab_nb.tables.Column`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.tables import Column

FIELDS = ("role", "type", "unit", "endpoint", "description")
CHOICES = {field: get_args(Column.model_fields[field].annotation) for field in ("role", "type")}
_PLAIN = Column()


class DictionaryDraft:
    """The entries of a table's columns as they are, as they were guessed, and as they shall be.

    Parameters
    ----------
    names : sequence of str
        The table's columns that can be corrected, in order.
    stored : mapping of str to Column
        Entries before any change.
    default : Column or None
        Entry of the columns that ``stored`` does not list.
    guessed : mapping of str to Column, optional
        What was guessed from names and values; None where it is not known.
    """

    def __init__(self, names: Sequence[str], stored: Mapping[str, Column], default: Column | None = None,
                 guessed: Mapping[str, Column] | None = None) -> None:
        self.names = list(names)
        self._known = frozenset(names)
        self._stored = dict(stored)
        self._default = default or _PLAIN
        self.guessed = guessed
        self._changed: dict[str, Column] = {}
        self._steps: list[dict[str, Column | None]] = []

    @property
    def changes(self) -> dict[str, Column]:
        """Entries that differ from the stored ones."""
        return {name: column for name, column in self._changed.items() if column != self._before(name)}

    @property
    def edits(self) -> dict[str, dict[str, str]]:
        """Fields that differ from the stored ones, by column."""
        return {name: {field: getattr(column, field) for field in FIELDS
                       if getattr(column, field) != getattr(self._before(name), field)}
                for name, column in self.changes.items()}

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._steps)

    def column(self, name: str) -> Column:
        """The entry of a column with the changes so far."""
        return self._changed.get(name) or self._before(name)

    def fitting(self, search: str = "", role: str = "") -> list[str]:
        """Columns whose name, unit, endpoint or description holds ``search``, and that have the role."""
        wanted = search.casefold().strip()
        if not wanted and not role:
            return self.names
        return [name for name in self.names if (not role or self.column(name).role == role)
                and (not wanted or wanted in self._words(name))]

    def change(self, names: Sequence[str], field: str, value: str) -> None:
        """Set one field of some columns: one step for :meth:`undo`.

        Raises
        ------
        SettingsError
            The value is none that the field can have, or there is no such field or column.
        """
        unknown = [name for name in names if name not in self._known]
        if field not in FIELDS or unknown:
            raise SettingsError("there is no such column or field", where="data dictionary",
                                todo="Read the table again")
        now = {name: self.column(name) for name in names}
        # Thousands of columns share a few entries: each is checked once.
        after = {column: _checked({**column.model_dump(), field: value}, field) for column in set(now.values())}
        changed = {name: after[column] for name, column in now.items() if after[column] != column}
        if changed:
            self._steps.append({name: self._changed.get(name) for name in changed})
            self._changed |= changed

    def adopt(self, edits: Mapping[str, Mapping[str, str]]) -> None:
        """Take over the :attr:`edits` of another draft, for the columns that are here, too; they cannot be undone.

        The other fields stay as they are stored here.
        """
        self._changed |= {name: self.column(name).model_copy(update=fields) for name, fields in edits.items()
                          if name in self._known}

    def undo(self) -> None:
        """Take the last change back."""
        for name, column in (self._steps.pop() if self._steps else {}).items():
            if column is None:
                del self._changed[name]
            else:
                self._changed[name] = column

    def rows(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """What to draw of these columns: values, fields that are not stored yet, fields unlike the guess."""
        return [self._row(name) for name in names]

    def _row(self, name: str) -> dict[str, Any]:
        now, before = self.column(name), self._before(name)
        guess = None if self.guessed is None else self.guessed.get(name, _PLAIN)
        return {"name": name, **{field: getattr(now, field) for field in FIELDS},
                "unsaved": [field for field in FIELDS if getattr(now, field) != getattr(before, field)],
                "unlike": {} if guess is None else {field: getattr(guess, field) for field in ("role", "type", "unit")
                                                    if getattr(now, field) != getattr(guess, field)}}

    def _before(self, name: str) -> Column:
        return self._stored.get(name, self._default)

    def _words(self, name: str) -> str:
        column = self.column(name)
        return f"{name} {column.unit} {column.endpoint} {column.description}".casefold()


def _checked(values: Mapping[str, Any], field: str) -> Column:
    cleaned = {**values, field: str(values[field]).strip()}
    try:
        return Column(**cleaned)
    except ValidationError:
        allowed = ", ".join(CHOICES.get(field, ()))
        raise SettingsError(f"'{field}' cannot have this value", where="data dictionary",
                            todo=f"Choose one of: {allowed}") from None

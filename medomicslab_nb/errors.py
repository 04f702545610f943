"""Errors of the package: each says what was found, where, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, cast


class MedomicsError(Exception):
    """Base of every error that a user can meet.

    Parameters
    ----------
    found : str
        What was found, in one sentence without a final full stop.
    where : str
        File, table, column, run or site. Never a patient identifier.
    todo : str
        What the user can do next.
    """

    def __init__(self, found: str, *, where: str = "", todo: str = "") -> None:
        self.found = found
        self.where = where
        self.todo = todo
        super().__init__(found, where, todo)

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}" if self.where else self.found
        stop = "" if text.endswith(("?", ".", "!")) else "."
        return f"{text}{stop} {self.todo}" if self.todo else text

    def mapped(self, change: Callable[[str], str]) -> Self:
        """The same error with each of its texts changed, e.g. freed of identifiers."""
        return cast(Self, _rebuild(type(self), change(self.found), change(self.where), change(self.todo)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.found, self.where, self.todo)


def _rebuild(cls: type[MedomicsError], found: str, where: str, todo: str) -> MedomicsError:
    error = cls.__new__(cls)
    MedomicsError.__init__(error, found, where=where, todo=todo)
    return error


class SettingsError(MedomicsError):
    """A setting is unknown, of the wrong type, out of range or contradicts another."""


class StudyError(MedomicsError):
    """The study folder or something in it is missing, foreign or damaged."""


class DataError(MedomicsError):
    """A table, image or note holds something that cannot be used as it is."""


class RunError(MedomicsError):
    """A run failed, timed out or cannot be read, replayed or verified."""


class ProtectionError(MedomicsError):
    """Something identifying or secret was about to leave the study."""


class MissingExtraError(MedomicsError):
    """An optional dependency is missing; names the feature and the pip command."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}', which is not installed",
                         todo=f'Type: pip install "medomicslab_nb[{extra}]"')


class Cancelled(MedomicsError):
    """The user asked for the work to stop."""

    def __init__(self, found: str = "cancelled by the user", *, where: str = "", todo: str = "") -> None:
        super().__init__(found, where=where, todo=todo)

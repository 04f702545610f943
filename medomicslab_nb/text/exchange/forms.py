"""The forms that annotations can be exchanged in, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from medomicslab_nb.errors import MissingExtraError, SettingsError
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote


@dataclass(frozen=True)
class Form:
    """A form: how its files are called, and who writes and reads them."""

    suffix: str
    module: str
    write: str
    read: str


FORMS = {
    "jsonl": Form(".jsonl", "jsonl", "write_jsonl", "read_jsonl"),
    "plain jsonl": Form(".jsonl", "jsonl", "write_plain_jsonl", "read_jsonl"),
    "docbin": Form(".spacy", "docbin", "write_docbin", "read_docbin"),
    "brat": Form(".zip", "brat", "write_brat", "read_brat"),
    "csv": Form(".csv", "csv_rows", "write_csv", "read_csv"),
}


def write_form(form: str, notes: Iterable[AnnotatedNote]) -> bytes:
    """Notes as the bytes of a file.

    Raises
    ------
    DataError
        The form cannot say something.
    SettingsError
        There is no such form.
    MissingExtraError
        It needs spaCy.
    """
    written: bytes = _function(form, "write")(notes)
    return written


def read_form(form: str, content: bytes, *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    """Notes out of the bytes of a file: all of it, or an error.

    Raises
    ------
    DataError, SettingsError, MissingExtraError
    """
    read: list[AnnotatedNote] = _function(form, "read")(content, known=known)
    return read


def _function(name: str, do: str) -> Any:
    if name not in FORMS:
        raise SettingsError(f"there is no form '{name}'", todo="Choose one of " + ", ".join(FORMS))
    form = FORMS[name]
    try:
        return getattr(import_module(f"medomicslab_nb.text.exchange.{form.module}"), getattr(form, do))
    except ImportError:
        raise MissingExtraError(f"the form '{name}'", "text") from None

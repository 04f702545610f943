"""The forms that annotations can be exchanged in, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from medomicslab_nb.errors import MissingExtraError, SettingsError
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote
from medomicslab_nb.text.exchange.brat import read_brat, write_brat
from medomicslab_nb.text.exchange.csv_rows import read_csv, write_csv
from medomicslab_nb.text.exchange.jsonl import read_jsonl, write_jsonl, write_plain_jsonl


@dataclass(frozen=True)
class Form:
    """A form: how its files are called, and who writes and reads them."""

    suffix: str
    write: Callable[[Iterable[AnnotatedNote]], bytes]
    read: Callable[..., list[AnnotatedNote]]


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
    return _form(form).write(notes)


def read_form(form: str, content: bytes, *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    """Notes out of the bytes of a file: all of it, or an error.

    Raises
    ------
    DataError, SettingsError, MissingExtraError
    """
    return _form(form).read(content, known=known)


def _form(name: str) -> Form:
    if name not in FORMS:
        raise SettingsError(f"there is no form '{name}'", todo="Choose one of " + ", ".join(FORMS))
    return FORMS[name]


def _write_docbin(notes: Iterable[AnnotatedNote]) -> bytes:
    try:
        from medomicslab_nb.text.exchange.docbin import write_docbin
    except ImportError:
        raise MissingExtraError("the form 'docbin'", "text") from None
    return write_docbin(notes)


def _read_docbin(content: bytes, *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    try:
        from medomicslab_nb.text.exchange.docbin import read_docbin
    except ImportError:
        raise MissingExtraError("the form 'docbin'", "text") from None
    return read_docbin(content, known=known)


FORMS = {
    "jsonl": Form(".jsonl", write_jsonl, read_jsonl),
    "plain jsonl": Form(".jsonl", write_plain_jsonl, read_jsonl),
    "docbin": Form(".spacy", _write_docbin, _read_docbin),
    "brat": Form(".zip", write_brat, read_brat),
    "csv": Form(".csv", write_csv, read_csv),
}

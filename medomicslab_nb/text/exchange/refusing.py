"""How files are refused: with a named error, and without a word of what stands in them."""

from __future__ import annotations

from collections.abc import Iterable

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.attributes import attributes

MOST_BYTES = 500_000_000
"""What a file may unpack to."""


def refused(found: str, where: str = "import") -> DataError:
    """The error of a file that cannot be imported."""
    return DataError(found, where=where, todo="Nothing was imported. Correct the file, or choose another one")


def cannot_say(found: str, form: str) -> DataError:
    """The error of annotations that a form has no way to write."""
    return DataError(f"{form} cannot say that {found}", where="export",
                     todo="Export the form jsonl, which loses nothing")


def allowed_labels(known: Iterable[str] | None) -> frozenset[str]:
    """Attributes that imported spans may have: those of the catalogue unless others are named."""
    return frozenset(attributes() if known is None else known)


def check_label(label: str, known: frozenset[str]) -> None:
    """Refuse a label that is no attribute; its name is not repeated, since a stranger wrote it."""
    if label not in known:
        raise DataError("has a label that is none of our attributes")


def encoded(text: str, form: str) -> bytes:
    """UTF-8.

    Raises
    ------
    DataError
        The text has half a character of another encoding.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise cannot_say("a text holds half a character", form) from None


def decoded(content: bytes, where: str) -> str:
    """The text of a file, a byte-order mark left out.

    Raises
    ------
    DataError
        It is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused("the file is not in UTF-8", where) from None

"""Files that annotations go out to and come in from: where they lie, and their form."""

from __future__ import annotations

from pathlib import Path

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.files import write_bytes
from medomicslab_nb.study import Study
from medomicslab_nb.text.exchange.forms import FORMS
from medomicslab_nb.text.exchange.refusing import MOST_BYTES

FOLDER = "notes/exchange"
"""Where in the study files lie that are named without a folder."""


def form_of(path: str | Path) -> str:
    """The form that a file's name tells.

    Raises
    ------
    SettingsError
        It tells none.
    """
    suffix = Path(path).suffix.lower()
    found = next((name for name, form in FORMS.items() if form.suffix == suffix), None)
    if found is None:
        raise SettingsError("the file's name does not tell its form", where="annotations",
                            todo="End it with " + ", ".join(sorted({form.suffix for form in FORMS.values()})))
    return found


def place_of(study: Study, path: str | Path) -> Path:
    """The file of that name, relative ones in :data:`FOLDER` of the study."""
    return study.path / FOLDER / Path(path).expanduser()


def files_of(study: Study) -> list[str]:
    """Names of the files in the study's folder of exchange that have a form's ending."""
    endings = {form.suffix for form in FORMS.values()}
    return sorted(path.name for path in (study.path / FOLDER).glob("*") if path.suffix.lower() in endings)


def write_new(study: Study, path: Path, content: bytes) -> None:
    """Write a file that must not be there yet, and not among the study's own files.

    Raises
    ------
    DataError
    StudyError
        The disk is full or the folder cannot be written to.
    """
    real, root = path.resolve(), study.path.resolve()
    if real.is_relative_to(root) and not real.is_relative_to(root / FOLDER):
        raise DataError("this place is for the study's own files", where="export",
                        todo=f"Within the study use its folder {FOLDER}, or a folder outside of it")
    if path.exists():
        raise DataError("there is a file of this name already", where="export",
                        todo="It was left as it is. Choose another name")
    write_bytes(path, content)


def read_file(path: Path) -> bytes:
    """The bytes of a file to import.

    Raises
    ------
    DataError
        It is not there, or larger than any file of annotations.
    """
    if not path.is_file():
        raise DataError("there is no file of this name", where="import",
                        todo=f"Put it into the study's folder {FOLDER}, or give its whole path")
    if path.stat().st_size > MOST_BYTES:
        raise DataError("the file is too large to be one of annotations", where="import", todo="Choose another one")
    return path.read_bytes()

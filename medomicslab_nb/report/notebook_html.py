"""A notebook with its outputs as one HTML file that opens offline, with every figure.

nbconvert's own page loads scripts from other machines and leaves figures and widgets blank without them.
"""

from __future__ import annotations

import ast
import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nbconvert.exporters import Exporter

from medomicslab_nb.errors import DataError, ProtectionError, SettingsError
from medomicslab_nb.files import write_bytes
from medomicslab_nb.protect import identifiers_in
from medomicslab_nb.report.clean_html import clean_html
from medomicslab_nb.report.notebook_cells import PLOTLY, cells_of, code_style, figures_of, title_of, whole_numbers
from medomicslab_nb.report.page import readable, render_page, texts_of, visible_text
from medomicslab_nb.study import Study, open_study

_MARKER = "study.yaml"
_QUOTED = re.compile(r"""(?=(["'])(.*?)\1)""")  # overlapping: an apostrophe in a comment hides no text


class OfflineExporter(Exporter):
    """The exporter that JupyterLab lists under File > Save and Export Notebook As."""

    export_from_notebook = "medomicslab HTML (offline)"
    output_mimetype = "text/html"
    file_extension = ".html"

    def from_notebook_node(self, nb: Any, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """The page of a notebook, for a page beside it.

        Raises
        ------
        ProtectionError
            An identifier of the study's patients would have entered the page.
        """
        notebook, resources = super().from_notebook_node(nb, resources, **kwargs)
        about = resources.get("metadata", {})
        folder = Path(about["path"]) if about.get("path") is not None else None
        page = notebook_page(notebook, about.get("name") or "Notebook", folder)
        return page, {**resources, "output_extension": self.file_extension}


def export_notebook(notebook: Path, out: Path | None = None) -> tuple[Path, bool]:
    """Write the page of a notebook file.

    Parameters
    ----------
    notebook : Path
        An ``.ipynb`` file with its outputs.
    out : Path, optional
        The page, ``.html``; default: beside the notebook, under its name.

    Returns
    -------
    Path
        The page.
    bool
        Whether the notebook's study was found, so that the page was searched for its identifiers.

    Raises
    ------
    DataError
        There is no such file, or it is no notebook.
    SettingsError
        ``out`` does not end with ``.html``.
    ProtectionError
        An identifier of the study's patients would have entered the page.
    """
    page = out or notebook.with_suffix(".html")
    if page.suffix.lower() not in (".html", ".htm"):
        raise SettingsError("the page's name does not end with .html", where=page.name, todo="Correct --out")
    content = _read(notebook)
    made = notebook_page(content, notebook.stem, notebook.parent, page.parent)
    write_bytes(page, made.encode())
    return page, bool(_studies(content, notebook.parent))


def notebook_page(notebook: Mapping[str, Any], name: str, folder: Path | None, shown_in: Path | None = None) -> str:
    """The page of a notebook's content.

    Parameters
    ----------
    notebook : mapping
        Content as in format 4 of Jupyter's notebooks.
    name : str
        Title where the notebook has no heading.
    folder : Path or None
        Where the notebook lies: its study is looked for there and by the paths in its code, and pictures beside it
        are embedded. Where no study is found, the page says that it was not searched for identifiers.
    shown_in : Path, optional
        Where the page will lie; default: beside the notebook.

    Raises
    ------
    ProtectionError
        An identifier of the study's patients would have entered the page.
    """
    cells = cells_of(notebook, partial(clean_html, folder=folder, shown_in=shown_in))
    studies = _studies(notebook, folder)
    content = {"cells": cells, "title": title_of(notebook, name), "code_style": code_style(), "searched": bool(studies)}
    page = render_page("notebook.html.j2", content, draws=bool(figures_of(cells)))
    for study in studies:
        _refuse_identifiers(page, notebook, study, name)
    return page


def _read(path: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise DataError("there is no such file", where=path.name, todo="Correct the path") from None
    except (OSError, ValueError, AttributeError, KeyError, nbformat.ValidationError):
        raise DataError("this is no notebook", where=path.name, todo="Name a file that JupyterLab has saved") from None


def _refuse_identifiers(page: str, notebook: Mapping[str, Any], study: Study, name: str) -> None:
    """Look for identifiers in the page and, where tags cut through words, in what it was made from."""
    sources = [readable(text) for cell in notebook["cells"] for text in texts_of(_shown(cell))]
    numbers = [number for cell in notebook["cells"] for output in cell.get("outputs", ())
               for number in whole_numbers(output.get("data", {}).get(PLOTLY))]
    found = identifiers_in("\n".join([visible_text(page), *sources, *numbers]), study.identifiers())
    if found:
        raise ProtectionError(f"{len(found)} patient identifiers stand in the notebook", where=name,
                              todo="Clear the outputs that show patients, or take those cells out; then export again")


def _shown(cell: Mapping[str, Any]) -> Any:
    """Source, texts, errors and figures of a cell; of pictures nothing: their digits are no text.

    What is written in SVG pictures is read from the page.
    """
    data = [{kind: content for kind, content in output.get("data", {}).items() if not kind.startswith("image/")}
            for output in cell.get("outputs", ())]
    streams = [[output.get("text", ""), output.get("traceback", ""), output.get("evalue", "")]
               for output in cell.get("outputs", ())]
    return json.loads(json.dumps([cell["source"], data, streams]))


def _studies(notebook: Mapping[str, Any], folder: Path | None) -> list[Study]:
    """The study in whose folder the notebook lies, and those whose folders its code names."""
    around = [] if folder is None else [folder, *folder.resolve().parents[:2]]
    places = {place.resolve() for place in (*around, *_named(notebook, folder)) if _holds_study(place)}
    return [open_study(place) for place in sorted(places)]


def _holds_study(place: Path) -> bool:
    try:
        return (place / _MARKER).is_file()
    except OSError:  # a text that is too long for a path, a folder that is closed to us
        return False


def _named(notebook: Mapping[str, Any], folder: Path | None) -> Iterator[Path]:
    """Every text in the code as a path from the notebook's folder: a study is opened by its path in many ways."""
    for cell in notebook["cells"]:
        for text in _texts_in("".join(cell["source"])) if cell["cell_type"] == "code" else ():
            place = Path(os.path.expanduser(text))
            if folder is not None or place.is_absolute():
                yield (folder or place) / place


def _texts_in(code: str) -> Iterator[str]:
    """The texts in code; where magics or faults keep it from being parsed, whatever stands between quotes in a line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in somebody's code
            parsed = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield from (match[2] for match in _QUOTED.finditer(code))
        return
    yield from (node.value for node in ast.walk(parsed)
                if isinstance(node, ast.Constant) and isinstance(node.value, str))

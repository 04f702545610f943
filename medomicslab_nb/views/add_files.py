"""From a file on the server into the study: choose it, look at it, add it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets

from medomicslab_nb.data.adding import holds_images
from medomicslab_nb.study import Study
from medomicslab_nb.views.add_table import AddTable
from medomicslab_nb.views.file_browser import FileBrowser, usual_roots
from medomicslab_nb.views.folder_listing import Entry, kind_of
from medomicslab_nb.views.scan_picker import ScanPicker


class AddFiles:
    """A file browser, and below it the form of a table or the cards of a scan, whichever was chosen.

    Parameters
    ----------
    study : Study
    on_added : callable
        Called after something was added, with the table's name or an empty text for images, in a thread.
    """

    def __init__(self, study: Study, on_added: Callable[[str], None] = lambda _: None) -> None:
        self.browser = FileBrowser(usual_roots(study.path), self.choose)
        self.table = AddTable(study, self._table_added)
        self.picker = ScanPicker(study, lambda: on_added(""))
        self._on_added = on_added
        self.widget: Any = ipywidgets.VBox([self.browser, self.table, self.table.grid, self.picker])
        self._show("")

    def choose(self, path: Path) -> None:
        """Go on with a file or folder: as images, or as a table."""
        if path.is_file() and kind_of(Entry(path, is_folder=False)) in ("dicom", "volume"):
            path = path.parent
        if holds_images(path):
            self._show("images")
            self.picker.scan(path)
        else:
            self._show("table")
            self.table.choose(path)

    def _table_added(self, name: str) -> None:
        self.table.grid.layout.display = "none"
        self._on_added(name)

    def _show(self, what: str) -> None:
        self.table.layout.display = self.table.grid.layout.display = None if what == "table" else "none"
        self.picker.layout.display = None if what == "images" else "none"

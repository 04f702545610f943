"""Folders and files of the machine on which the kernel runs, to choose one.

Nothing of it is synced state: names of folders and files often are names of patients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medomicslab_nb.views.answers import Answers, Question
from medomicslab_nb.views.folder_listing import Entry, Root, kind_of, size_of
from medomicslab_nb.views.language import text
from medomicslab_nb.views.widget import Widget

MOST_ROWS = 200
"""Entries that one answer holds at most."""

_DATA = "MEDOMICSLAB_DATA"


class FileBrowser(Widget, module="file_browser"):
    """A list of a folder's content through which one moves with mouse and keyboard.

    Of a large folder only the part that is seen is sent. It shows no content of files, and never what lies outside of
    its roots.

    Parameters
    ----------
    roots : sequence of Root
        Places to look in; the first one is shown.
    on_choose : callable
        Called with the path that was chosen, in a thread.
    """

    def __init__(self, roots: Sequence[Root], on_choose: Callable[[Path], None]) -> None:
        super().__init__()
        self._roots = list(roots)
        self._on_choose = on_choose
        self._listed: tuple[Path, list[Entry]] | None = None
        self._answers = Answers(self, {"places": self._places, "list": self._list, "choose": self._choose})

    def _places(self, _: Question) -> Mapping[str, Any]:
        return {"places": [{"label": root.label, "path": str(root.path)} for root in self._roots]}

    def _list(self, question: Question) -> Mapping[str, Any]:
        """One part of a folder's entries whose names hold ``filter``."""
        root, folder = self._asked(question)
        entries = self._entries(root, folder, anew=bool(question.get("anew")))
        wanted = str(question.get("filter", "")).casefold()
        fitting = [one for one in entries if wanted in one.path.name.casefold()] if wanted else entries
        start = max(0, int(question.get("start", 0)))
        count = min(MOST_ROWS, max(1, int(question.get("count", MOST_ROWS))))
        return {"path": root.relative(folder), "total": len(fitting), "all": len(entries), "start": start,
                "rows": [self._row(root, one) for one in fitting[start:start + count]]}

    def _entries(self, root: Root, folder: Path, *, anew: bool) -> list[Entry]:
        if self._listed is None or anew or self._listed[0] != folder:
            self._listed = (folder, root.entries(folder))
        return self._listed[1]

    def _row(self, root: Root, entry: Entry) -> dict[str, Any]:
        kind = kind_of(entry)
        size = None if entry.is_folder or entry.leads_outside else size_of(entry.path)
        # The name, not where a link leads to: the way back must be the way that was gone.
        return {"name": entry.path.name, "path": root.relative(entry.path), "folder": entry.is_folder,
                "kind": text(f"kind_{kind}"), "size": in_units(size), "usable": not entry.leads_outside}

    def _choose(self, question: Question) -> Mapping[str, Any]:
        _, path = self._asked(question)
        self._on_choose(path)
        return {}

    def _asked(self, question: Question) -> tuple[Root, Path]:
        root = self._roots[int(question.get("place", 0))]
        return root, root.below(str(question.get("path", "")))


def in_units(size_bytes: int | None) -> str:
    """A size such as ``1.4 MB``; empty for None."""
    if size_bytes is None:
        return ""
    size, units = float(size_bytes), text("size_units").split()
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units = units[1:]
    digits = 0 if size == size_bytes or size >= 10 else 1
    return f"{size:.{digits}f} {units[0]}"


def usual_roots(study: Path) -> list[Root]:
    """The folder that holds the study, the user's home, and the folder of data that the environment names."""
    places = [(study.parent, text("beside_study")), (Path.home(), text("home_folder"))]
    if os.environ.get(_DATA):
        places.append((Path(os.environ[_DATA]), text("data_folder")))
    roots: dict[Path, Root] = {}
    for path, label in places:
        if path.is_dir():
            roots.setdefault(path.resolve(), Root(path, label))
    return list(roots.values())

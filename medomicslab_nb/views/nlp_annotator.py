"""Annotating the notes of a study: a widget where somebody looks, a table of progress elsewhere."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import MissingExtraError
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.text.annotation_desk import Desk, Doubt, Suggest, notes_of, said_uncertain
from medomicslab_nb.text.annotation_labels import LabelGroup, label_groups
from medomicslab_nb.text.annotations import FOLDER, annotators, open_annotations, read_annotations
from medomicslab_nb.views.front_end import interactive
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import heading, plain_table, table
from medomicslab_nb.views.span_annotator import SpanAnnotator


class NlpAnnotator:
    """One person's annotations of a study's notes.

    The notes are the table ``notes`` of the study. What rules find is suggested; every act is on the disk before it is
    shown as saved, and can be undone later, too. Several people may annotate the same notes, each under a name of
    their own; one name is open in one notebook at a time.

    Parameters
    ----------
    study : Study or path
    annotator : str
        Name under which the work is kept; by default that of the user of this computer.
    table : str
        The table of notes: columns ``note``, ``text`` and, where they are known, ``date`` and ``language``.
    suggest : callable, optional
        ``suggest(text, language)`` gives suggestions, see :data:`medomicslab_nb.text.annotation_desk.Suggest`; by
        default the rules.
    doubt : callable, optional
        How unsure a note's suggestions are, see :data:`medomicslab_nb.text.annotation_desk.Doubt`.

    Attributes
    ----------
    widget : SpanAnnotator or None
        None where nobody looks.

    Raises
    ------
    StudyError
        No such table; the annotations of this name are open elsewhere; a name that cannot be one.
    DataError
        The table lacks a column.
    """

    folder = FOLDER
    """Where in the study the journals lie."""

    def __init__(self, study: Study | str | Path, annotator: str = "", *, table: str = "notes",
                 suggest: Suggest | None = None, doubt: Doubt = said_uncertain) -> None:
        self.study = study if isinstance(study, Study) else open_study(study)
        self.annotator = annotator or _user()
        self._table = table
        self.widget: SpanAnnotator | None = None
        notes = notes_of(self.study, table)
        if interactive():
            mine = open_annotations(self.study, self.annotator, self.folder)
            self.widget = SpanAnnotator(Desk(mine, notes, suggest or self.suggest(), doubt), self.labels())

    def suggest(self) -> Suggest:
        """What is suggested unless somebody else is asked: what rules find."""
        return suggestions_of_rules

    def labels(self) -> list[LabelGroup]:
        """What can be said of a span: the attributes of the catalogue."""
        return label_groups()

    def close(self) -> None:
        """End annotating, so that another notebook can go on under the same name."""
        if self.widget is not None:
            self.widget.desk.annotations.close()
            self.widget.close()
            self.widget = None

    def progress(self) -> list[dict[str, Any]]:
        """How far everybody is: annotator, notes, done, begun, answered and suggested spans."""
        notes = notes_of(self.study, self._table)
        names = annotators(self.study, self.folder) or [self.annotator]
        return [{"annotator": name,
                 **Desk(read_annotations(self.study, name, self.folder), notes, _nothing).progress()} for name in names]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.static() if self.widget is None else self.widget._repr_mimebundle_(**kwargs)

    def static(self) -> dict[str, str]:
        """The progress of everybody as plain HTML and text."""
        keys = ("annotator", "notes", "done", "begun", "answered", "suggested")
        columns = [text(f"annotator_column_{key}") for key in keys]
        rows = [[str(line[key]) for key in keys] for line in self.progress()]
        return {"text/html": heading(text("annotator_progress_title")) + table(columns, rows),
                "text/plain": plain_table(columns, rows)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def suggestions_of_rules(note: str, language: str) -> Iterable[Any]:
    """What the text stage's rules find in a note.

    Raises
    ------
    MissingExtraError
        The extra of the text stage is not installed.
    """
    try:
        from medomicslab_nb.text.pipeline import suggestions
    except ImportError:
        raise MissingExtraError("suggestions for notes", "text") from None
    return suggestions(note, language)


def _nothing(_note: str, _language: str) -> Iterable[Any]:
    return ()


def _user() -> str:
    """The name of the computer's user, as far as it can be an annotator's."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        name = ""
    return re.sub(r"^\W+|\W+$|[^\w .'\-]", "", name)[:64] or "annotator"

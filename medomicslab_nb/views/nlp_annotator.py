"""Annotating the notes of a study: a widget where somebody looks, a table of progress elsewhere."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medomicslab_nb.errors import DataError, MissingExtraError
from medomicslab_nb.progress import Progress
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.text.annotation_desk import Desk, Doubt, Suggest, notes_of
from medomicslab_nb.text.annotation_labels import LabelGroup, label_groups
from medomicslab_nb.text.annotations import FOLDER, Annotations, annotators, open_annotations, read_annotations
from medomicslab_nb.text.exchange.forms import read_form, write_form
from medomicslab_nb.text.exchange.of_study import annotated_notes, take_in
from medomicslab_nb.views.annotation_files import form_of, place_of, read_file, write_new
from medomicslab_nb.views.front_end import interactive
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import heading, plain_table, table
from medomicslab_nb.views.span_annotator import SpanAnnotator
from medomicslab_nb.views.suggestion_source import SuggestionSource

if TYPE_CHECKING:
    from medomicslab_nb.text.suggestions import Report


class NlpAnnotator:
    """One person's annotations of a study's notes.

    The notes are the table ``notes`` of the study. What rules find is suggested; every act is on the disk before it is
    shown as saved, and can be undone later, too. Several people may annotate the same notes, each under a name of
    their own; one name is open in one notebook at a time.

    Annotations go to other tools and come back as files, where somebody looks and in scripts alike::

        ml.annotate("my_study", "Anne").export("anne.jsonl")    # in the study's folder notes/exchange
        ml.annotate("my_study", "Anne").take_in("corrected.spacy")

    Parameters
    ----------
    study : Study or path
    annotator : str
        Name under which the work is kept; by default that of the user of this computer.
    table : str
        The table of notes.
    text_column, note_column : str
        Its columns of texts and of the names of notes; without names, notes are numbered within their patient.
    suggest : callable, optional
        ``suggest(text, language)`` gives suggestions, see :data:`medomicslab_nb.text.annotation_desk.Suggest`; by
        default the rules. What :meth:`train` learns comes behind it.
    doubt : callable, optional
        How unsure a note's suggestions are, see :data:`medomicslab_nb.text.annotation_desk.Doubt`; by default how
        unsure the model is, and without one how many suggestions the note itself calls uncertain.

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
    learns = True
    """Whether a model may learn from what is said here."""

    def __init__(self, study: Study | str | Path, annotator: str = "", *, table: str = "notes",
                 text_column: str = "text", note_column: str = "note",
                 suggest: Suggest | None = None, doubt: Doubt | None = None) -> None:
        self.study = study if isinstance(study, Study) else open_study(study)
        self.annotator = annotator or _user()
        self.widget: SpanAnnotator | None = None
        self._notes = notes_of(self.study, table, text=text_column, note=note_column)
        self._suggest, self._doubt = suggest, doubt
        if interactive():
            mine = open_annotations(self.study, self.annotator, self.folder)
            self._source = self._source_for(mine)
            self.widget = SpanAnnotator(self._desk(mine), self.labels())

    def suggest(self) -> Suggest:
        """What is suggested unless somebody else is asked: what rules find."""
        return suggestions_of_rules

    def labels(self) -> list[LabelGroup]:
        """What can be said of a span: the attributes of the catalogue."""
        return label_groups()

    def _source_for(self, mine: Annotations) -> SuggestionSource:
        return SuggestionSource(self.study, mine, self._notes, self._suggest or self.suggest())

    def _desk(self, mine: Annotations) -> Desk:
        if not self.learns:
            return Desk(mine, self._notes, self._suggest or self.suggest())
        return Desk(mine, self._notes, self._source.suggest, self._doubt or self._source.doubt)

    def _look_anew(self) -> None:
        """Have the browser show what is suggested and said now."""
        if self.widget is not None:
            # Another desk, since this one keeps what was suggested for notes that it has looked through.
            self.widget.desk = self._desk(self.widget.desk.annotations)
            self.widget.ready = False
            self.widget.ready = True

    @contextmanager
    def _writing(self) -> Iterator[Annotations]:
        """The annotations, open for as long as it takes where no widget holds them."""
        if self.widget is not None:
            yield self.widget.desk.annotations
            return
        mine = open_annotations(self.study, self.annotator, self.folder)
        try:
            yield mine
        finally:
            mine.close()

    def _reading(self) -> Annotations:
        if self.widget is not None:
            return self.widget.desk.annotations
        return read_annotations(self.study, self.annotator, self.folder)

    def train(self, progress: Progress | None = None) -> list[Report]:
        """Have a model learn from the finished notes; it suggests what rules have not found.

        Rules stay first, and "next uncertain" goes to the note that the model is least sure of. Takes minutes. The
        model is stored in the study's cache and found again.

        Returns
        -------
        list of Report
            By language: what it was trained on, and its exact F1 on notes left out, with a 95 % interval.

        Raises
        ------
        DataError
            Too few notes are finished, or this is a review of identifiers.
        MissingExtraError
        Cancelled
        """
        if not self.learns:
            raise DataError("no model learns from identifiers", where="suggestions", todo="Rules suggest as before")
        source = self._source_for(self._reading()) if self.widget is None else self._source
        reports = source.train(progress or Progress())
        self._look_anew()
        return reports

    def reports(self) -> list[Report]:
        """What is known of the models whose suggestions are shown here; none where there are none."""
        return self._source.reports() if self.widget is not None and self.learns else []

    def export(self, path: str | Path, form: str = "") -> Path:
        """Write the answers of this annotator to a new file; suggestions without an answer are left out.

        The file holds the texts of the notes: it is as confidential as they are.

        Parameters
        ----------
        path : str or Path
            Without a folder it lies in ``notes/exchange`` of the study.
        form : str
            ``jsonl`` (loses nothing), ``plain jsonl`` (Prodigy, doccano), ``docbin`` (spaCy), ``brat`` (a zip archive)
            or ``csv``; by default what the ending says: .jsonl, .spacy, .zip or .csv.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DataError
            There is such a file already; the form cannot say something.
        SettingsError
            No such form.
        StudyError
            The annotations are damaged, or the file cannot be written.
        MissingExtraError
        """
        place = place_of(self.study, path)
        write_new(self.study, place, write_form(form or form_of(place), annotated_notes(self._reading(), self._notes)))
        return place

    def take_in(self, path: str | Path, form: str = "") -> int:
        """Read annotations of a file into this annotator's: all of it, or nothing and an error.

        What this annotator has answered already stays, so that the same file twice adds nothing. Each note can be
        undone.

        Parameters
        ----------
        path, form
            As in :meth:`export`.

        Returns
        -------
        int
            How many spans are new.

        Raises
        ------
        DataError
            No such file; it is damaged, names other notes than the study's, or was annotated on other texts.
        SettingsError
            No such form.
        StudyError
            The annotations are open elsewhere, or cannot be stored.
        MissingExtraError
        """
        place = place_of(self.study, path)
        read = read_form(form or form_of(place), read_file(place), known=self._known())
        with self._writing() as mine:
            new = take_in(mine, read, self._notes)
        self._look_anew()
        return new

    def _known(self) -> list[str]:
        return [label.name for group in self.labels() for label in group.attributes]

    def close(self) -> None:
        """End annotating, so that another notebook can go on under the same name."""
        if self.widget is not None:
            self.widget.desk.annotations.close()
            self.widget.close()
            self.widget = None

    def progress(self) -> list[dict[str, Any]]:
        """How far everybody is: annotator, notes, done, begun, answered and suggested spans."""
        names = annotators(self.study, self.folder) or [self.annotator]
        return [{"annotator": name, **Desk(read_annotations(self.study, name, self.folder), self._notes,
                                           _nothing).progress()} for name in names]

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

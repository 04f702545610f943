"""Deciding between two annotators of a study's notes: a widget where somebody looks, their agreement elsewhere.

Notes, spans and identifiers travel in messages only, never in the widget's state, which notebooks keep. Offsets in
messages count code points, as in the study; the browser converts them to its own (``span_offsets.js``).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from medomicslab_nb.errors import DataError
from medomicslab_nb.study import Study, open_study
from medomicslab_nb.text.adjudication import Adjudication
from medomicslab_nb.text.agreement import TOGETHER, Agreement
from medomicslab_nb.text.annotation_desk import NoteText, notes_of
from medomicslab_nb.text.annotation_labels import label_groups
from medomicslab_nb.text.annotations import Annotations, annotators, open_annotations, read_annotations
from medomicslab_nb.text.attributes import CONTEXTS, attributes
from medomicslab_nb.text.decisions import ADJUDICATION
from medomicslab_nb.text.disputes import Dispute
from medomicslab_nb.text.exchange.annotated_note import steady_id
from medomicslab_nb.text.span import Span
from medomicslab_nb.views.answers import Answers, Question
from medomicslab_nb.views.front_end import interactive
from medomicslab_nb.views.language import language, text, texts_of
from medomicslab_nb.views.markup import heading, plain_table, table
from medomicslab_nb.views.widget import Widget, read_source

_SENT = ("attribute", "start", "end", "value", "unit", "qualifier", "status", "rule")
_FIGURES = ("f1_exact", "f1_overlap", "value", "context", "presence")

Json = dict[str, Any]


class AdjudicationTable(Widget, module="adjudication"):
    """Two annotators' finished notes side by side. It keeps nothing itself: every decision is stored here at once.

    Attributes
    ----------
    groups, contexts : list
        What can be said of a span, with the titles in the chosen language.
    acted : dict
        Number of the note of the last act and the tab that did it, so that other tabs ask anew.
    """

    groups: Any = traitlets.List().tag(sync=True)
    contexts: Any = traitlets.List().tag(sync=True)
    acted = traitlets.Dict().tag(sync=True)

    def __init__(self, adjudicator: Adjudicator) -> None:
        self._adjudicator = adjudicator
        self._lock = threading.RLock()
        super().__init__(groups=_groups(), contexts=list(CONTEXTS))
        self.texts = texts_of("span_annotator") | self.texts  # those of the text and its spans
        self._answers = Answers(self, {"list": self._list, "open": self._open, "decide": self._decide,
                                       "turn": self._turn, "take": self._take, "agreement": self._agreement})

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"  # what it shows would stand in the notebook's output

    @property
    def _pair(self) -> Adjudication:
        return self._adjudicator.adjudication

    def _list(self, question: Question) -> Json:
        """Notes that both have finished; with ``left`` and ``right`` of these two annotators from now on."""
        with self._lock:
            if "left" in question:
                self._adjudicator.compare(str(question["left"]), str(question["right"]))
            pair = self._pair
            return {"left": pair.left.annotator, "right": pair.right.annotator,
                    "annotators": self._adjudicator.annotators, "progress": pair.progress(),
                    "rows": [self._row(place) for place in pair.places]}

    def _row(self, place: int) -> Json:
        note = self._pair.notes[place]
        return {"place": place, "note": note.note, "date": note.date, "language": note.language,
                "disputes": len(self._pair.compared(place).disputes), "open": self._pair.open_disputes(place),
                "done": self._pair.work(place).done}

    def _open(self, question: Question) -> Json:
        place = int(question["place"])
        with self._lock:
            compared = self._pair.compared(place)
            return {**self._row(place), "text": self._pair.notes[place].text, **self._standing(place),
                    "left": [_sent(span) for span in compared.left], "right": [_sent(span) for span in compared.right],
                    "disputes": [_dispute(each) for each in compared.disputes]}

    def _standing(self, place: int) -> Json:
        work = self._pair.work(place)
        return {"chosen": self._pair.chosen(place), "undo": work.can_undo, "redo": work.can_redo}

    def _decide(self, question: Question) -> Json:
        place = int(question["place"])
        with self._lock:
            own = question.get("own")
            self._pair.decide(place, int(question["dispute"]), str(question["choice"]),
                              None if own is None else _own(self._pair.notes[place], own))
            return self._acted(place, question)

    def _turn(self, question: Question) -> Json:
        """Undo or redo the last decision on a note."""
        place = int(question["place"])
        with self._lock:
            work = self._pair.work(place)
            (work.redo if question.get("again") else work.undo)()
            return self._acted(place, question)

    def _take(self, _: Question) -> Json:
        with self._lock:
            return {"taken": self._pair.take_undisputed(), "progress": self._pair.progress()}

    def _acted(self, place: int, question: Question) -> Json:
        answer = {**self._standing(place), "row": self._row(place), "progress": self._pair.progress(),
                  "saved": dt.datetime.now().astimezone().strftime("%H:%M:%S")}
        self.acted = {"place": place, "token": question.get("token"), "number": question.get("number")}
        return answer

    def _agreement(self, _: Question) -> Json:
        with self._lock:
            pair = self._pair
        columns, rows = agreement_table(pair)
        return {"columns": columns, "rows": rows, "notes": len(pair.places)}


# What the text and its spans look like is the annotator's.
AdjudicationTable._css = read_source("span_annotator.css") + AdjudicationTable._css


class Adjudicator:
    """Decisions where two annotators of a study's notes differ.

    Notes count that both have marked as finished. Every decision is on the disk before it is shown as saved, and can be
    undone. What is decided is the work of an annotator named ``adjudication``, which alone counts in the text stage.

    Parameters
    ----------
    study : Study or path
    left, right : str
        Names of the annotators; by default the first two in alphabetical order.
    table : str
        The table of notes.
    text_column, note_column : str
        Its columns of texts and of the names of notes; without names, notes are numbered within their patient.

    Attributes
    ----------
    widget : AdjudicationTable or None
        None where nobody looks.

    Raises
    ------
    StudyError
        No such table; somebody else adjudicates now.
    DataError
        There are not two annotators of these names.
    """

    def __init__(self, study: Study | str | Path, left: str = "", right: str = "", *, table: str = "notes",
                 text_column: str = "text", note_column: str = "note") -> None:
        self.study = study if isinstance(study, Study) else open_study(study)
        self.annotators = [name for name in annotators(self.study) if name != ADJUDICATION]
        self._notes = notes_of(self.study, table, text=text_column, note=note_column)
        self._decisions: Annotations | None = None
        self.widget: AdjudicationTable | None = None
        names = [name for name in self.annotators if name not in (left, right)]
        chosen = left or (names.pop(0) if names else ""), right or (names.pop(0) if names else "")
        self._check(*chosen)
        self._decisions = (open_annotations if interactive() else read_annotations)(self.study, ADJUDICATION)
        self.compare(*chosen)
        if interactive():
            self.widget = AdjudicationTable(self)

    def compare(self, left: str, right: str) -> None:
        """Compare these two from now on, as their work is now.

        Raises
        ------
        DataError
            They are not two annotators of this study.
        """
        self._check(left, right)
        assert self._decisions is not None
        self.adjudication = Adjudication(self._notes, read_annotations(self.study, left),
                                         read_annotations(self.study, right), self._decisions)

    def close(self) -> None:
        """End adjudicating, so that another notebook can go on."""
        if self._decisions is not None:
            self._decisions.close()
        if self.widget is not None:
            self.widget.close()
            self.widget = None

    def _check(self, left: str, right: str) -> None:
        if left == right or not {left, right} <= set(self.annotators):
            raise DataError(text("adjudication_no_two"), where="annotations", todo=text("adjudication_no_two_todo"))

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.static() if self.widget is None else self.widget._repr_mimebundle_(**kwargs)

    def static(self) -> dict[str, str]:
        """The agreement of the two as plain HTML and text."""
        columns, rows = agreement_table(self.adjudication)
        return {"text/html": heading(text("adjudication_agreement")) + table(columns, rows),
                "text/plain": plain_table(columns, rows)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def agreement_table(pair: Adjudication) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the agreement by attribute; no rows where no note is finished by both."""
    columns = [text(f"adjudication_column_{name}") for name in ("attribute", "mentions", *_FIGURES)]
    return columns, [_agreement_row(one) for one in (pair.agreement() if pair.places else ())]


def _agreement_row(one: Agreement) -> list[str]:
    known = attributes().get(one.attribute)
    title = known.title[language()] if known else one.attribute
    name = text("adjudication_together") if one.attribute == TOGETHER else title
    figures = [one.f1_exact, one.f1_overlap, one.value.kappa, one.context.kappa, one.presence.kappa]
    return [name, f"{one.first} / {one.second}", *(
        "-" if each.estimate != each.estimate else f"{each.estimate:.2f} ({each.lower:.2f}, {each.upper:.2f})"
        for each in figures)]


def _own(note: NoteText, sent: Mapping[str, Any]) -> Span:
    return Span.of(note.text, str(sent["attribute"]), int(sent["start"]), int(sent["end"]),
                   value=str(sent.get("value", "")).strip(), context=[str(name) for name in sent.get("context", ())])


def _sent(span: Span) -> Json:
    return {**{name: getattr(span, name) for name in _SENT}, "context": list(span.context), "id": steady_id(span)}


def _dispute(each: Dispute) -> Json:
    return {"left": each.left and steady_id(each.left), "right": each.right and steady_id(each.right),
            "start": each.start, "end": each.end}


def _groups() -> Sequence[Json]:
    chosen = language()
    return [{"name": group.name, "title": group.title[chosen], "labels": [
        {"name": one.name, "title": one.title[chosen], "kind": one.kind, "unit": one.unit, "says": one.says,
         "values": list(one.values) if one.kind == "category" else []} for one in group.attributes]}
        for group in label_groups()]

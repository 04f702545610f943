"""The annotator's widget: notes, spans and keys in the browser; every act is stored here before it is confirmed.

The browser draws and is quick: it shows an act at once and sends it. This side checks it, stores it and answers with
what stands now. Notes and identifiers travel in messages only, never in the widget's state, which notebooks keep.
Offsets in messages count code points, as in the study; the browser converts them to its own (``span_offsets.js``).
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import traitlets

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.annotation_desk import Desk, Filter
from medomicslab_nb.text.annotation_labels import LabelGroup, label_groups, relation_kinds
from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.note_search import pattern_of
from medomicslab_nb.text.note_work import NoteWork
from medomicslab_nb.text.span import Relation, Span
from medomicslab_nb.views.answers import Answers, Question, in_words
from medomicslab_nb.views.language import language, text
from medomicslab_nb.views.widget import Widget

MOST_ROWS = 200
"""Rows of the list of notes that one answer holds at most."""
MOST_HITS = 2000
"""Places of searched words that are marked in one note."""
_LOOK_S = 0.4  # for looking through notes before an answer; the browser asks again
_SENT = ("id", "attribute", "start", "end", "value", "unit", "qualifier", "context", "rule", "status")
_ID = re.compile(r"[0-9a-f]{16}")

Json = dict[str, Any]


class SpanAnnotator(Widget, module="span_annotator"):
    """A desk in the browser. It does not decide what is suggested, and it keeps nothing itself.

    Attributes
    ----------
    groups, relations, contexts : list
        What can be said of a span, with the titles in the chosen language.
    languages : list of str
        Those of the notes.
    acted : dict
        Number of the note of the last act and the tab that did it, so that other tabs ask anew.
    ready : bool
        Whether what suggests has been loaded, which can take long; until then notes come without suggestions.
    """

    groups: Any = traitlets.List().tag(sync=True)
    relations: Any = traitlets.List().tag(sync=True)
    contexts: Any = traitlets.List().tag(sync=True)
    languages: Any = traitlets.List().tag(sync=True)
    acted = traitlets.Dict().tag(sync=True)
    ready = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, desk: Desk, groups: Sequence[LabelGroup] = ()) -> None:
        self.desk = desk
        self._lock = threading.RLock()
        self._listed: tuple[Filter, list[int]] | None = None
        self._acts: dict[str, Callable[[NoteWork, Question], None]] = {
            "put": _put, "remove": _remove, "relate": _relate, "unrelate": _unrelate, "done": _mark_done,
            "undo": _undo, "redo": _redo}
        super().__init__(groups=_groups(groups or label_groups()), contexts=list(CONTEXTS), languages=desk.languages(),
                         relations=[[kind, title[language()]] for kind, title in relation_kinds().items()])
        self._loaded = threading.Event()
        threading.Thread(target=self._load, name="suggestions", daemon=True).start()
        self._answers = Answers(self, {"list": self._list, "open": self._open, "step": self._step,
                                       "uncertain": self._uncertain, "act": self._act})

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"  # what it shows would stand in the notebook's output

    def _load(self) -> None:
        """Have suggestions made once, so that what they need is there when a note is opened."""
        with suppress(Exception):  # it is told when a note is opened
            self.desk.rehearse()
        self._loaded.set()
        self.ready = True

    # -- questions -----------------------------------------------------------------------------------------------

    def _list(self, question: Question) -> Json:
        """Rows of the notes that fit; ``unknown`` of them have not been looked through yet."""
        start, count = max(0, int(question.get("start", 0))), min(MOST_ROWS, max(1, int(question.get("count", 50))))
        with self._lock:
            wanted = _filter(question)
            unknown = self._look() if wanted.of_spans else 0
            places = self._places(wanted, anew=bool(question.get("anew")))
            return {"start": start, "total": len(places), "unknown": unknown, "progress": self.desk.progress(),
                    "annotator": self.desk.annotations.annotator,
                    "rows": [self._row(place) for place in places[start:start + count]]}

    def _look(self) -> int:
        """Look through notes for a moment; how many are still unknown."""
        return self.desk.look(_LOOK_S if self._loaded.wait(_LOOK_S) else 0)

    def _places(self, wanted: Filter, *, anew: bool) -> list[int]:
        """Numbers of the notes that fit. They stay while one works, so that no note vanishes under one's hands."""
        if anew or self._listed is None or self._listed[0] != wanted:
            self._listed = wanted, self.desk.places(wanted)
        return self._listed[1]

    def _row(self, place: int) -> Json:
        note, standing = self.desk.notes[place], self.desk.standing(place)
        return {"place": place, "note": note.note, "date": note.date, "language": note.language, "done": standing.done,
                "begun": standing.begun, "answered": standing.answered, "suggested": standing.suggested}

    def _open(self, question: Question) -> Json:
        place = int(question["place"])
        with self._lock:
            fault = ""
            try:
                work = self.desk.open(place) if self._loaded.is_set() else self.desk.work(place)
            except Exception as error:  # what suggests may be anybody's code; the note is shown without it
                work, fault = self.desk.work(place), text("annotator_no_suggestions", reason=in_words(error))
            found = pattern_of(str(question.get("words", "")))
            hits = [match.span() for match, _ in zip(found.finditer(work.text), range(MOST_HITS), strict=False)
                    ] if found else []
            return {**self._row(place), **_standing(work), "text": work.text, "fault": fault, "hits": hits,
                    "spans": [_sent(span) for span in work.spans], "relations": [_link(one) for one in work.relations],
                    "stale": [[span.attribute, span.text, span.value] for span in self.desk.stale(place)]}

    def _step(self, question: Question) -> Json:
        """The next or previous note of those that fit; with ``open_only`` the next that is not finished."""
        place, by = int(question["place"]), 1 if int(question.get("by", 1)) > 0 else -1
        with self._lock:
            wanted = _filter(question)
            places = self._places(wanted, anew=False)
            ahead = [one for one in places if (one - place) * by > 0
                     and not (question.get("to_open") and self.desk.standing(one).done)]
            if question.get("to_open") and not ahead:
                ahead = [one for one in places if one != place and not self.desk.standing(one).done]
            return {"place": (min if by > 0 else max)(ahead) if ahead else None}

    def _uncertain(self, question: Question) -> Json:
        with self._lock:
            unknown = self._look()
            places = self._places(_filter(question), anew=False)
            return {"place": None if unknown else self.desk.uncertain(int(question["place"]), places),
                    "unknown": unknown}

    def _act(self, question: Question) -> Json:
        """Do and store one act; what it changed, and how far all is now."""
        place = int(question["place"])
        with self._lock:
            work = self.desk.work(place)
            before = _state(work)
            self._acts[str(question["do"])](work, question)
            self.desk.changed(place)
            changed = _changes(before, _state(work))
            answer = {**changed, **_standing(work), "row": self._row(place), "progress": self.desk.progress(),
                      "saved": dt.datetime.now().astimezone().strftime("%H:%M:%S")}
        self.acted = {"place": place, "token": question.get("token"), "number": question.get("number")}
        return answer


# -- acts: one of the browser's on one note --------------------------------------------------------------------------


def _put(work: NoteWork, question: Question) -> None:
    known = {span.id: span for span in work.spans}
    work.put(*(_span(work.text, known, one) for one in question["spans"]), amend=bool(question.get("amend")))


def _span(note: str, known: Mapping[str, Span], sent: Mapping[str, Any]) -> Span:
    """A span as the browser sent it, on top of the stored one of the same identifier."""
    identifier = str(sent["id"])
    old = known.get(identifier)
    if old is None and not _ID.fullmatch(identifier):
        raise DataError(text("annotator_bad_span"), where="annotations")
    old_of = {name: getattr(old, name) for name in _SENT} if old else {}
    values = {**old_of, **{name: sent[name] for name in _SENT if name in sent}}
    made = Span.of(note, str(values["attribute"]), int(values["start"]), int(values["end"]),
                   context=values.get("context", ()), status=str(values["status"]),
                   **{name: str(values.get(name, "")) for name in ("value", "unit", "qualifier")})
    return replace(made, id=identifier, rule=old.rule if old else "", rule_version=old.rule_version if old else "")


def _remove(work: NoteWork, question: Question) -> None:
    work.remove(*map(str, question["ids"]))


def _relate(work: NoteWork, question: Question) -> None:
    work.relate(str(question["kind"]), str(question["source"]), str(question["target"]))


def _unrelate(work: NoteWork, question: Question) -> None:
    work.unrelate(str(question["id"]))


def _mark_done(work: NoteWork, question: Question) -> None:
    work.mark_done(bool(question["value"]))


def _undo(work: NoteWork, _: Question) -> None:
    work.undo()


def _redo(work: NoteWork, _: Question) -> None:
    work.redo()


# -- what is sent ----------------------------------------------------------------------------------------------------


def _filter(question: Question) -> Filter:
    words, attribute, status, context, chosen = (str(question.get(name, "")) for name in (
        "words", "attribute", "status", "context", "language"))
    return Filter(words, attribute, status, context, chosen, open_only=bool(question.get("open_only")))


def _groups(groups: Sequence[LabelGroup]) -> list[Json]:
    chosen = language()
    return [{"name": group.name, "title": group.title[chosen], "labels": [
        {"name": one.name, "title": one.title[chosen], "kind": one.kind, "unit": one.unit, "says": one.says,
         "values": [value for value in one.values if one.kind == "category"]} for one in group.attributes]}
        for group in groups]


def _sent(span: Span) -> Json:
    return {name: list(span.context) if name == "context" else getattr(span, name) for name in _SENT}


def _link(relation: Relation) -> Json:
    return {"id": relation.id, "kind": relation.kind, "source": relation.source, "target": relation.target}


def _standing(work: NoteWork) -> Json:
    return {"done": work.done, "undo": work.can_undo, "redo": work.can_redo}


def _state(work: NoteWork) -> tuple[dict[str, Span], dict[str, Relation]]:
    return {span.id: span for span in work.spans}, {one.id: one for one in work.relations}


def _changes(before: tuple[dict[str, Span], dict[str, Relation]],
             after: tuple[dict[str, Span], dict[str, Relation]]) -> Json:
    """Spans and relations that are other than before; None for those that are gone."""
    spans = {key: _sent(after[0][key]) if key in after[0] else None
             for key in before[0] | after[0] if before[0].get(key) != after[0].get(key)}
    links = {key: _link(after[1][key]) if key in after[1] else None
             for key in before[1] | after[1] if before[1].get(key) != after[1].get(key)}
    return {"spans": spans, "relations": links}

"""One annotator's work on one note: what stands, and the actions that change it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from medomicslab_nb.files import sha256_json
from medomicslab_nb.text.annotation_journal import Action
from medomicslab_nb.text.span import HOLDING, REJECTED, SUGGESTED, Relation, Span, check_span, in_order, no_span

Key = tuple[str, str]
"""A note's identifier and the sha256 of its text."""


@dataclass
class Content:
    """One annotator's work on one text of one note, with what can be undone and done again."""

    spans: dict[str, Span] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    done: bool = False
    before: list[Change] = field(default_factory=list)
    after: list[Change] = field(default_factory=list)

    def take(self, action: Action) -> None:
        """Do what an action of the journal says."""
        if action["do"] == "undo":
            self.after.append(self.before.pop().apply(self))
        elif action["do"] == "redo":
            self.before.append(self.after.pop().apply(self))
        else:
            back = Change.of(action).apply(self)
            if action["do"] == "amend" and self.before:
                back = back.after(self.before.pop())
            if action["do"] != "suggest":  # which is no act of the annotator
                self.before.append(back)
                self.after.clear()


@dataclass(frozen=True)
class Change:
    """What is set, with None for what is taken away; a ``done`` of None is left as it is."""

    spans: Mapping[str, Span | None]
    relations: Mapping[str, Relation | None]
    done: bool | None = None

    @classmethod
    def of(cls, action: Action) -> Change:
        spans = {key: value and Span.from_dict(value) for key, value in action["spans"].items()}
        relations = {key: value and Relation(**value) for key, value in action["relations"].items()}
        return cls(spans, relations, action["done"])

    def as_stored(self) -> dict[str, Any]:
        return {"spans": {key: value and asdict(value) for key, value in self.spans.items()},
                "relations": {key: value and asdict(value) for key, value in self.relations.items()},
                "done": self.done}

    def apply(self, content: Content) -> Change:
        """Set it; gives the change that takes it back."""
        back = Change({key: content.spans.get(key) for key in self.spans},
                       {key: content.relations.get(key) for key in self.relations},
                       None if self.done is None else content.done)
        _set(content.spans, self.spans)
        _set(content.relations, self.relations)
        content.done = content.done if self.done is None else self.done
        return back

    def after(self, earlier: Change) -> Change:
        """What takes back both, if this takes back the later one of two acts."""
        return Change({**self.spans, **earlier.spans}, {**self.relations, **earlier.relations},
                      self.done if earlier.done is None else earlier.done)


def _set(stored: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if value is None:
            stored.pop(key, None)
        else:
            stored[key] = value


class NoteWork:
    """One annotator's work on one note.

    Attributes
    ----------
    note : str
        The note's identifier.
    text : str
        Its text now.
    """

    def __init__(self, note: str, text: str, contents: Mapping[Key, Content], say: Callable[[Action], None]) -> None:
        self.note, self.text = note, text
        self._sha256 = sha256_of_text(text)
        self._contents, self._add = contents, say

    @property
    def spans(self) -> list[Span]:
        """All spans, suggested and rejected ones too, in the order of the text."""
        return in_order(self._content.spans.values())

    @property
    def holding(self) -> list[Span]:
        """What the annotator says: accepted, edited and added spans."""
        return [span for span in self.spans if span.status in HOLDING]

    @property
    def relations(self) -> list[Relation]:
        """Relations between spans that are there: one that was done again may name a suggestion that is gone."""
        spans = self._content.spans
        return [each for each in self._content.relations.values() if each.source in spans and each.target in spans]

    @property
    def done(self) -> bool:
        """Whether the annotator has said that the note is finished."""
        return self._content.done

    @property
    def begun(self) -> bool:
        """Whether there is any answer of the annotator."""
        return self.done or any(span.status != SUGGESTED for span in self._content.spans.values())

    @property
    def can_undo(self) -> bool:
        return bool(self._content.before)

    @property
    def can_redo(self) -> bool:
        return bool(self._content.after)

    @property
    def stale(self) -> list[Span]:
        """The annotator's answers to texts that the note had earlier; their offsets do not fit its text now."""
        return self.stale_beside(())

    def stale_beside(self, texts: Iterable[str]) -> list[Span]:
        """The same, where other texts stand under the note's identifier too: answers to these are not stale."""
        current = {self._sha256, *(sha256_of_text(text) for text in texts)}
        return [span for (note, sha256), content in self._contents.items()
                if note == self.note and sha256 not in current
                for span in in_order(content.spans.values()) if span.status != SUGGESTED]

    def span(self, identifier: str) -> Span:
        """A span by its identifier.

        Raises
        ------
        DataError
            There is none.
        """
        found = self._content.spans.get(identifier)
        if found is None:
            raise no_span("there is no such span in this note")
        return found

    def put(self, *spans: Span, amend: bool = False) -> None:
        """Add spans, or set those that have the same identifier; one action. Relations of rejected ones go.

        Parameters
        ----------
        amend : bool
            It goes on with the act before, as the next letter of a value does: both are undone together.

        Raises
        ------
        DataError
            A span that is not one of this text, see :meth:`Span.of`.
        StudyError
            It cannot be stored, or is not open for writing; nothing has changed then.
        """
        for span in spans:
            check_span(span, self.text)
        gone = {span.id for span in spans if span.status == REJECTED}
        self._change({span.id: span for span in spans}, self._without(gone), do="amend" if amend else "change")

    def remove(self, *identifiers: str) -> None:
        """Take spans away as if they had never been, with their relations; reject pre-annotations instead."""
        gone = {self.span(identifier).id for identifier in identifiers}
        self._change(dict.fromkeys(gone), self._without(gone))

    def relate(self, kind: str, source: str, target: str) -> Relation:
        """Relate two spans; the same relation is not stored twice.

        Raises
        ------
        DataError
            No such span, the same one twice, no kind.
        """
        if not kind.strip() or self.span(source) == self.span(target):
            raise no_span("a relation needs a kind and two different spans")
        made = Relation(kind, source, target, sha256_json([kind, source, target])[:16])
        if made.id not in self._content.relations:
            self._change({}, {made.id: made})
        return made

    def unrelate(self, identifier: str) -> None:
        """Take a relation away."""
        if identifier in self._content.relations:
            self._change({}, {identifier: None})

    def mark_done(self, done: bool) -> None:
        """Say that the note is finished, or that it is not."""
        if done != self.done:
            self._change({}, {}, done)

    def suggest(self, spans: Iterable[Span]) -> None:
        """Replace the pre-annotations that have no answer yet. What has one, or a relation, stays as it is.

        It is no act of the annotator: there is nothing to undo.
        """
        stored = self._content.spans
        related = {end for each in self.relations for end in (each.source, each.target)}
        open_ones = {key for key, span in stored.items() if span.status == SUGGESTED and key not in related}
        offered = {span.id: replace(span, status=SUGGESTED) for span in spans}
        for span in offered.values():
            check_span(span, self.text)
        new = {key: span for key, span in offered.items() if key in open_ones or key not in stored}
        values = {**dict.fromkeys(open_ones - new.keys()), **new}
        if any(value is None or replace(stored[key], time="") != value if key in stored else True
               for key, value in values.items()):
            self._say("suggest", Change(self._stamped(values), {}).as_stored())

    def undo(self) -> bool:
        """Take the annotator's last act on this note back; False when there is none."""
        return self._turn("undo", possible=self.can_undo)

    def redo(self) -> bool:
        """Do again what was undone last; False when there is nothing."""
        return self._turn("redo", possible=self.can_redo)

    @property
    def _content(self) -> Content:
        return self._contents.get((self.note, self._sha256)) or Content()

    def _without(self, spans: set[str]) -> dict[str, Relation | None]:
        return {each.id: None for each in self.relations if each.source in spans or each.target in spans}

    def _change(self, spans: Mapping[str, Span | None], relations: Mapping[str, Relation | None],
                done: bool | None = None, do: str = "change") -> None:
        if spans or relations or done is not None:
            self._say(do, Change(self._stamped(spans), relations, done).as_stored())

    def _stamped(self, spans: Mapping[str, Span | None]) -> dict[str, Span | None]:
        now = _now()
        return {key: span and replace(span, time=now) for key, span in spans.items()}

    def _turn(self, do: str, *, possible: bool) -> bool:
        if possible:
            self._say(do, {})
        return possible

    def _say(self, do: str, content: Mapping[str, Any]) -> None:
        self._add({"do": do, "note": self.note, "sha256": self._sha256, "time": _now(), **content})


def sha256_of_text(text: str) -> str:
    """What a note's text is known by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")

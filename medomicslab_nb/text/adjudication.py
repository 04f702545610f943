"""Deciding where two annotators of the same notes differ.

What is decided is the journal of an annotator named ``adjudication``: once it has an answer on a note, it holds all
that counts there, what both annotators say alike and what was chosen. It can be read, exported and corrected like
everybody's. A decision is known again by its spans: the chosen one is accepted, the other one rejected. Where an
annotator changes a span later, what was decided about it does not fit any more, and it is open again.

Only notes that both annotators have marked as finished are compared: until then a missing span says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_json
from medomicslab_nb.text.agreement import Agreement, agreement
from medomicslab_nb.text.annotation_desk import NoteText
from medomicslab_nb.text.annotations import Annotations
from medomicslab_nb.text.disputes import Dispute, settle
from medomicslab_nb.text.exchange.annotated_note import steady_id
from medomicslab_nb.text.note_work import NoteWork
from medomicslab_nb.text.span import ACCEPTED, ADDED, HOLDING, REJECTED, SUGGESTED, Span

Choice = Literal["left", "right", "both", "neither", "own"]
CHOICES: tuple[str, ...] = get_args(Choice)
OPEN = ""


@dataclass(frozen=True)
class Compared:
    """A note that both annotators have finished."""

    left: tuple[Span, ...]
    right: tuple[Span, ...]
    agreed: tuple[Span, ...]
    disputes: tuple[Dispute, ...]


class Adjudication:
    """Two annotators' finished notes, and the decisions between them.

    Parameters
    ----------
    notes : sequence of NoteText
    left, right : Annotations
        Of the two annotators, as they are now.
    decisions : Annotations
        Of the adjudicator; open for writing, or only read.

    Attributes
    ----------
    places : list of int
        Numbers of the notes that both have finished.
    waiting : int
        How many notes only one of them has finished.
    """

    def __init__(self, notes: Sequence[NoteText], left: Annotations, right: Annotations,
                 decisions: Annotations) -> None:
        self.notes, self.left, self.right, self.decisions = notes, left, right, decisions
        finished = [[one.note(note.note, note.text).done for one in (left, right)] for note in notes]
        self.places = [place for place, both in enumerate(finished) if all(both)]
        self.waiting = sum(any(both) and not all(both) for both in finished)
        self._compared: dict[int, Compared] = {}

    def compared(self, place: int) -> Compared:
        """What the two say of the note of that number."""
        if place not in self._compared:
            note = self.notes[place]
            left, right = (tuple(one.note(note.note, note.text).holding) for one in (self.left, self.right))
            agreed, disputes = settle(left, right)
            self._compared[place] = Compared(left, right, tuple(agreed), tuple(disputes))
        return self._compared[place]

    def work(self, place: int) -> NoteWork:
        """What has been decided on a note."""
        note = self.notes[place]
        return self.decisions.note(note.note, note.text)

    def chosen(self, place: int) -> list[str]:
        """What was chosen in each dispute of a note; :data:`OPEN` where nothing was."""
        known = {span.id: span for span in self.work(place).spans}
        return [_chosen(dispute, known) for dispute in self.compared(place).disputes]

    def open_disputes(self, place: int) -> int:
        """How many disputes of a note are not decided."""
        return self.chosen(place).count(OPEN)

    def decide(self, place: int, number: int, choice: str, own: Span | None = None) -> None:
        """Decide one dispute; one act, which can be undone. A note without open disputes is finished.

        Parameters
        ----------
        number : int
            Of the dispute within the note.
        choice : str
            ``left``, ``right``: what that annotator says, which may be nothing; ``both``; ``neither``; ``own``.
        own : Span
            The adjudicator's own answer, for ``own`` only.

        Raises
        ------
        DataError
            No such dispute or choice; ``own`` without a span, or a span with another choice.
        StudyError
            It cannot be stored.
        """
        disputes = self.compared(place).disputes
        if not 0 <= number < len(disputes) or choice not in CHOICES or (choice == "own") != (own is not None):
            raise DataError("there is no such dispute or choice", where="adjudication", todo="Open the note again")
        spans = {span.id: span for span in self._settled(place)}
        spans |= {span.id: span for span in _answers(disputes[number], choice, own, self.work(place))}
        others_open = any(chosen == OPEN for other, chosen in enumerate(self.chosen(place)) if other != number)
        self._put(place, list(spans.values()), finish=not others_open)

    def take_undisputed(self) -> int:
        """Take over what both say in every note without a dispute that has no answer yet; how many notes."""
        places = [place for place in self.places
                  if not self.compared(place).disputes and not self.work(place).begun]
        for place in places:
            self._put(place, self._settled(place), finish=True)
        return len(places)

    def agreement(self, *, draws: int = 1000) -> list[Agreement]:
        """How far the two agree in the notes that both have finished.

        Raises
        ------
        DataError
            There is none.
        """
        left, right = ({str(place): getattr(self.compared(place), side) for place in self.places}
                       for side in ("left", "right"))
        return agreement(left, right, draws=draws)

    def progress(self) -> dict[str, int]:
        """Notes: finished by both, by one only, adjudicated; disputes: all, decided."""
        chosen = [self.chosen(place) for place in self.places]
        return {"notes": len(self.places), "waiting": self.waiting,
                "done": sum(self.work(place).done for place in self.places), "disputes": sum(map(len, chosen)),
                "decided": sum(len(one) - one.count(OPEN) for one in chosen)}

    def _settled(self, place: int) -> list[Span]:
        """What has to be stored beside a decision: what both say, and what no longer stands of what both said."""
        compared, spans = self.compared(place), {span.id: span for span in self.work(place).spans}
        agreed = [_as(span, ACCEPTED) for span in compared.agreed]
        current = {span.id for span in agreed} | {steady_id(span) for each in compared.disputes for span in each.sides}
        gone = [replace(span, status=REJECTED) for span in spans.values()
                if span.status == ACCEPTED and span.id not in current]
        unknown = [span for span in agreed if span.id not in spans or spans[span.id].status in (SUGGESTED, REJECTED)]
        return unknown + gone

    def _put(self, place: int, spans: list[Span], *, finish: bool) -> None:
        work = self.work(place)
        first = finish and not work.done
        if first:
            work.mark_done(done=True)
        if spans:
            work.put(*spans, amend=first)  # undone together


def _answers(dispute: Dispute, choice: str, own: Span | None, work: NoteWork) -> list[Span]:
    """The spans of a dispute, each accepted or rejected, and the adjudicator's own."""
    held = {"left": (dispute.left,), "right": (dispute.right,), "both": dispute.sides}.get(choice, ())
    answers = [_as(span, ACCEPTED if span in held else REJECTED) for span in dispute.sides]
    before = [replace(span, status=REJECTED) for span in work.spans if span.id == _own_id(dispute)]
    if own is None:
        return [*answers, *before]
    return [*answers, replace(own, id=_own_id(dispute), status=ADDED)]


def _chosen(dispute: Dispute, known: dict[str, Span]) -> str:
    own = known.get(_own_id(dispute))
    answers = {side: known.get(steady_id(span)) for side, span in (("left", dispute.left), ("right", dispute.right))
               if span is not None}
    if any(span is None or span.status == SUGGESTED for span in answers.values()):
        return OPEN
    if own is not None and own.status in HOLDING:
        return "own"
    held = [side for side, span in answers.items() if span is not None and span.status in HOLDING]
    return {0: "neither", 1: "".join(held)}.get(len(held), "both")


def _as(span: Span, status: str) -> Span:
    """An annotator's span as the adjudicator's."""
    return replace(span, id=steady_id(span), status=status)


def _own_id(dispute: Dispute) -> str:
    return sha256_json(["own", *(steady_id(span) for span in dispute.sides)])[:16]

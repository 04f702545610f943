"""Progress of a federated run: every site by name with what it has answered, the round, and how the loss falls.

It reads the run's folder only, so that it shows a run of any process, from its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import traitlets

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.wording import number
from medomicslab_nb.views.fold_progress import clock, part_text
from medomicslab_nb.views.language import text
from medomicslab_nb.views.progress_file import ProgressFile
from medomicslab_nb.views.widget import Widget

Detail = Mapping[str, Any]
_STATES = ("asked", "answered", "waiting")
_MOST_POINTS = 200
_DIGITS = re.compile(r"\d+")


class RoundProgress:
    """The sites of a run, its round and its loss.

    Attributes
    ----------
    widget : RoundTable
        What to put into the view; hidden until :meth:`show`.
    """

    def __init__(self) -> None:
        self.widget = RoundTable()
        self._follower: RoundFollower | None = None

    def show(self, record: RunRecord) -> None:
        """Show the run's present state; called again and again while it is under way."""
        if self._follower is None or self._follower.record.path != record.path:
            self._follower = RoundFollower(record)
        self.widget.state = self._follower.state()

    def hide(self) -> None:
        """Take the table away."""
        self.widget.state = {}


class RoundTable(Widget, module="round_progress"):
    """Sites, round and loss as texts that are ready to be drawn; empty: nothing is shown. It changes nothing."""

    state = traitlets.Dict().tag(sync=True)


class RoundFollower:
    """Reads what is new in a run's progress and keeps what its rounds told."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self._started = record.started
        self._events = ProgressFile(record)
        self._last: dict[str, Any] = {}
        self._detail: Detail = {}
        self._answered: dict[str, set[int]] = {}
        self._fit: tuple[frozenset[str], str] = frozenset(), ""
        self._losses: dict[int, float] = {}

    def state(self) -> dict[str, Any]:
        """What the table shows now."""
        for event in self._events.new_events():
            self._take(event)
        elapsed = (datetime.now(UTC) - datetime.fromisoformat(self._started)).total_seconds()
        words = [self._round_text(), text("folds_elapsed", elapsed=clock(elapsed))]
        losses = sorted(self._losses.items())[-_MOST_POINTS:]
        return {"line": " · ".join(words), "rows": self._rows(), "waiting": self._waiting_text(),
                "losses": [list(point) for point in losses],
                "loss": text("rounds_loss", loss=f"{losses[-1][1]:.4g}") if losses else ""}

    def _take(self, event: dict[str, Any]) -> None:
        self._last = event
        detail = event.get("detail")
        if not detail or "sites" not in detail:
            return
        self._detail, round_ = detail, int(detail["round"])
        for site, state in detail["sites"].items():
            own = self._answered.setdefault(site, set())
            if state == "answered":
                own.add(round_)
        # A fit is known by whom it asks and what: the losses of another one do not compare.
        if (fit := (frozenset(detail["sites"]), _DIGITS.sub("", detail["label"]))) != self._fit:
            self._fit, self._losses = fit, {}
        if "loss" in detail:
            self._losses[round_] = float(detail["loss"])

    def _round_text(self) -> str:
        if not self._detail:
            return part_text(self._last)
        states = self._detail["sites"]
        return text("rounds_line", round=self._detail["round"], label=self._detail["label"],
                    answered=sum(state == "answered" for state in states.values()), sites=len(states))

    def _rows(self) -> list[dict[str, str]]:
        states, losses = self._detail.get("sites", {}), self._detail.get("losses", {})
        return [{"site": site, "state": states.get(site, "idle"), "words": _state_text(states.get(site)),
                 "rounds": str(len(rounds)), "loss": number(losses.get(site))}
                for site, rounds in sorted(self._answered.items())]

    def _waiting_text(self) -> str:
        waiting = [site for site, state in self._detail.get("sites", {}).items() if state == "waiting"]
        return text("rounds_held_up", sites=", ".join(waiting)) if waiting else ""


def _state_text(state: str | None) -> str:
    return text(f"rounds_{state}") if state in _STATES else text("rounds_idle")

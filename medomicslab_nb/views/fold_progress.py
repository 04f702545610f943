"""Progress of a validation as a grid: one cell a fold, which fills when the fold is finished.

It reads the run's folder only, so that it shows a run of any process, from its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import traitlets

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.wording import metric_name, number
from medomicslab_nb.views.labels import task_label
from medomicslab_nb.views.language import text
from medomicslab_nb.views.progress_file import ProgressFile
from medomicslab_nb.views.widget import Widget

Detail = Mapping[str, Any]
_MOST_ROWS = 40  # of sets and repeats; with more only all blocks together are shown


class FoldProgress:
    """The grid of folds of a run, its current part, and how long it has taken and will take.

    Attributes
    ----------
    widget : FoldGrid
        What to put into the view; hidden until :meth:`show`.
    """

    def __init__(self) -> None:
        self.widget = FoldGrid()
        self._follower: Follower | None = None

    def show(self, record: RunRecord) -> None:
        """Show the run's present state; called again and again while it is under way."""
        if self._follower is None or self._follower.record.path != record.path:
            self._follower = Follower(record)
        self.widget.state = self._follower.state()

    def hide(self) -> None:
        """Take the grid away."""
        self.widget.state = {}


class FoldGrid(Widget, module="fold_progress"):
    """The grid as texts that are ready to be drawn; empty: nothing is shown. It changes nothing."""

    state = traitlets.Dict().tag(sync=True)


class Follower:
    """Reads what is new in a run's ``progress.jsonl`` and keeps what its folds told."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self._settings, self._started = record.settings, record.started
        self._events = ProgressFile(record)
        self._last: dict[str, Any] = {}
        self._details: dict[tuple[int, int], Detail] = {}
        self._total = 0

    def state(self) -> dict[str, Any]:
        """What the grid shows now."""
        for event in self._events.new_events():
            self._take(event)
        now = datetime.now(UTC)
        elapsed = (now - datetime.fromisoformat(self._started)).total_seconds()
        words = [part_text(self._last), text("folds_elapsed", elapsed=clock(elapsed))]
        left = remaining_s(self._last, time.time() - self._events.last_at)
        if left is not None:
            words.append(text("folds_remaining", remaining=clock(left)))
        return {"line": " · ".join(words), "done": self._last.get("done", 0), "total": self._last.get("total") or 0,
                **grid(self._details.values(), *self._shape())}

    def _take(self, event: dict[str, Any]) -> None:
        self._last = event
        detail = event.get("detail")
        if detail and "fold" in detail:
            self._details[detail["repeat"], detail["fold"]] = detail
            self._total = event.get("total") or 0

    def _shape(self) -> tuple[int, int]:
        """Repeats and folds; where patients are not cross-validated, one row of what is tested in turn."""
        if self._settings.get("validation", "cross-validation") == "cross-validation":
            return int(self._settings.get("repeats", 1)), int(self._settings.get("folds", 1))
        return 1, self._total or 1


def grid(details: Iterable[Detail], repeats: int, folds: int) -> dict[str, Any]:
    """Rows of cells (one row a set of blocks and repeat), the columns' names and a caption.

    Parameters
    ----------
    details : iterable of mapping
        What each finished fold told: ``repeat``, ``fold``, ``metric`` and ``values`` by set of blocks, or ``failed``.
    """
    told = {(int(one["repeat"]), int(one["fold"])): one for one in details}
    sets = _sets(told.values(), repeats)
    rows = [_row(name, repeat, folds, told) for name in sets or [""] for repeat in range(repeats)]
    metric = next((metric_name(str(one["metric"])) for one in told.values() if "metric" in one), "")
    return {"columns": [text("folds_fold", number=fold + 1) for fold in range(folds)], "rows": rows,
            "caption": text("folds_caption", metric=metric) if sets else ""}


def _sets(details: Iterable[Detail], repeats: int) -> list[str]:
    names = list(dict.fromkeys(name for one in details for name in one.get("values", {})))
    return names if len(names) * repeats <= _MOST_ROWS else names[-1:]


def _row(name: str, repeat: int, folds: int, told: Mapping[tuple[int, int], Detail]) -> dict[str, Any]:
    own = [told.get((repeat, fold)) for fold in range(folds)]
    known = [value for one in own if one and (value := one.get("values", {}).get(name)) is not None]
    return {"set": name or text("folds_all"), "repeat": str(repeat + 1), "cells": [_cell(one, name) for one in own],
            "mean": number(sum(known) / len(known)) if known else ""}


def _cell(detail: Detail | None, name: str) -> dict[str, str]:
    if detail is None:
        return {"state": "waiting", "text": "", "label": text("folds_waiting")}
    if detail.get("failed"):
        return {"state": "failed", "text": "!", "label": text("folds_failed")}
    value = number(detail.get("values", {}).get(name)) or "✓"
    return {"state": "done", "text": value, "label": value}


def part_text(event: Mapping[str, Any]) -> str:
    """``nested cross-validation: 3 of 10``."""
    if not event or event.get("finished") or "task" not in event:
        return text("folds_starting") if not event else task_label(str(event.get("task", "")))
    task = task_label(str(event["task"]))
    if event.get("total") is None:
        return text("folds_task_open", task=task, done=event.get("done", 0))
    return text("folds_task", task=task, done=event.get("done", 0), total=event["total"])


def remaining_s(event: Mapping[str, Any], since_s: float) -> float | None:
    """Seconds that the present part may still take, if its steps take as long as those before; None: unknown.

    Parameters
    ----------
    since_s : float
        Seconds since the event.
    """
    done, total = event.get("done") or 0, event.get("total") or 0
    if not done or not total or event.get("finished"):
        return None
    return max(0.0, float(event["elapsed_s"]) / done * (total - done) - since_s)


def clock(seconds: float) -> str:
    """``45 s``, ``2 min 05 s``, ``3 h 10 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

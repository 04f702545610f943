"""Progress events and plain lines."""

from __future__ import annotations

import io

import pytest

from medomicslab_nb.errors import Cancelled
from medomicslab_nb.progress import Event, PlainLines, Progress


def test_events_of_a_task() -> None:
    events: list[Event] = []
    with Progress([events.append]).task("folds", total=2) as step:
        step()
        step()
    assert [(e.done, e.total, e.finished) for e in events] == [
        (0, 2, False),
        (1, 2, False),
        (2, 2, False),
        (2, 2, True),
    ]


def test_cancel_is_noticed_at_a_step_and_the_task_is_closed() -> None:
    events: list[Event] = []
    asked = False
    with pytest.raises(Cancelled), Progress([events.append], lambda: asked).task("folds", total=2) as step:
        asked = True
        step()
    assert events[-1].finished


def test_plain_lines_are_few() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream, every_s=5)
    for second in range(21):
        lines(Event("folds", second, 20, float(second)))
    lines(Event("folds", 20, 20, 20.5, finished=True))
    assert stream.getvalue().splitlines() == [
        "folds: 5/20, 5 s",
        "folds: 10/20, 10 s",
        "folds: 15/20, 15 s",
        "folds: 20/20, 20 s",
        "folds: 20/20, 20 s done",
    ]


def test_a_task_under_two_seconds_prints_nothing() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    lines(Event("quick", 1, 1, 1.0))
    lines(Event("quick", 1, 1, 1.5, finished=True))
    assert stream.getvalue() == ""


def test_a_step_tells_what_was_done_and_older_events_tell_nothing() -> None:
    events: list[Event] = []
    with Progress([events.append]).task("folds", total=2) as step:
        step(detail={"repeat": 0, "fold": 1})
        step()
    assert [event.detail for event in events] == [None, {"repeat": 0, "fold": 1}, None, None]
    stored = {"task": "folds", "done": 1, "total": 2, "elapsed_s": 0.5, "finished": False}
    assert Event(**stored).detail is None

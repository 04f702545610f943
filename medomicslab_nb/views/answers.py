"""Answers to what a widget's module asks from the browser: for what must not stand in synced state.

A question is a custom message ``{"ask": name, "token": t, "number": n, ...}``. The answer goes to every open tab with
the token and number of the question, so that others can ignore it. ``widgets/ask.js`` is the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.views.language import text

Question = Mapping[str, Any]
Handler = Callable[[Question], Mapping[str, Any]]


class Answers:
    """Answers a widget's questions one after the other, in a thread, so that no other widget waits.

    A handler gets the question and returns JSON types. What it raises is told in words instead.

    Parameters
    ----------
    widget : Widget
    handlers : mapping of name to handler
    at_once : mapping of name to handler
        Those that must not wait for the others, such as a cancel; they must be quick.
    """

    def __init__(self, widget: Any, handlers: Mapping[str, Handler], at_once: Mapping[str, Handler] | None = None,
                 ) -> None:
        self._widget = widget
        self._handlers = dict(handlers)
        self._at_once = dict(at_once or {})
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=type(widget).__name__)
        widget.on_msg(self._hear)

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        name = content.get("ask") if isinstance(content, Mapping) else None
        if name in self._at_once:
            self._answer(self._at_once[name], content)
        elif name in self._handlers:
            self._worker.submit(self._answer, self._handlers[name], content)

    def _answer(self, handler: Handler, question: Question) -> None:
        try:
            reply: Mapping[str, Any] = {"answer": handler(question)}
        except Exception as error:
            # A question without an answer would leave the browser waiting for ever.
            reply = {"fault": in_words(error)}
        self._widget.send({"token": question.get("token"), "number": question.get("number"), **reply})


def in_words(error: Exception) -> str:
    """What to tell a person of an error; of an unforeseen one the kind only, since its text may name patients."""
    if isinstance(error, MedomicsError):
        return str(error)
    if isinstance(error, PermissionError):
        return text("no_permission")
    if isinstance(error, OSError) and error.strerror:
        return text("file_fault", reason=error.strerror)
    return text("unforeseen", kind=type(error).__name__)

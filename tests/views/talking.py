"""The browser's side of a widget's questions, for tests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any


class Talk:
    """Asks a widget as its module in the browser does, and waits for the answer."""

    def __init__(self, widget: Any, token: str = "tab-1") -> None:
        self.widget = widget
        self.token = token
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self._number = 0
        widget.send = self._hear

    def _hear(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        # What cannot be written as JSON would not arrive in the browser either.
        self.sent.append((json.loads(json.dumps(content)), list(buffers or [])))

    def reply(self, question: str, /, timeout_s: float = 20, **values: Any) -> dict[str, Any]:
        """The whole message that answers."""
        self._number += 1
        number = self._number
        self.widget._handle_custom_msg({"ask": question, "token": self.token, "number": number, **values}, [])
        return until(lambda: next((content for content, _ in self.sent if content.get("number") == number), None),
                     timeout_s)

    def ask(self, question: str, /, **values: Any) -> dict[str, Any]:
        """The answer; a fault fails the test."""
        found = self.reply(question, **values)
        assert "fault" not in found, found
        return found["answer"]

    def fault(self, question: str, /, **values: Any) -> str:
        """The words of a question's fault."""
        found = self.reply(question, **values)
        assert "answer" not in found, found
        return found["fault"]


def until(found: Callable[[], Any], timeout_s: float = 20) -> Any:
    """Wait for something that is not None or False."""
    end = time.monotonic() + timeout_s
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.01)

"""A site at work in a process of its own, so that its node stays small and survives whatever happens to it.

The process starts with the first letter and ends when none has come for a while; pandas and what it draws in take
several times the memory of a node that waits. Letters and replies go through its standard streams, each as eight bytes
of length and the content.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from medomicslab_nb.federated.messages import Reply
from medomicslab_nb.stages import load

OPENER = "medomicslab_nb.federated.site_process:open_site"
"""How a site is opened, unless somebody says otherwise."""

_HEAD = 8
_REST_S = 60.0
_TICK_S = 0.5


class AnsweringSite(Protocol):
    """A :class:`~medomicslab_nb.federated.site.Site`, or what stands in for one."""

    def answer(self, letter: bytes) -> bytes: ...


class SiteProcess:
    """The site of a study, asked one letter after the other.

    Parameters
    ----------
    study : Path
    site : str
        Its name, for what is said when it cannot answer itself.
    opener : str
        ``module:function`` that gives the :class:`~medomicslab_nb.federated.site.Site` of a study's path.
    """

    def __init__(self, study: Path, site: str, opener: str) -> None:
        self._study, self._site, self._opener = study, site, opener
        self._process: subprocess.Popen[bytes] | None = None
        self._used = 0.0

    def answer(self, letter: bytes) -> bytes:
        """The site's reply, or in its name that it could not give one."""
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        try:
            _write(process.stdin, letter)
            reply = _read(process.stdout)
        except OSError:
            reply = None
        self._used = time.monotonic()
        if reply is not None:
            return reply
        code = self.end()
        how = f"was ended by signal {-code}, perhaps for want of memory" if code < 0 else f"ended with code {code}"
        return Reply(self._site, {}, refused=f"the site's process {how}; its own log says more").pack()

    def rest(self) -> None:
        """End the process when it has not been asked for a while."""
        if self._process is not None and time.monotonic() - self._used > _REST_S:
            self.end()

    def end(self) -> int:
        """End the process; gives its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # it was gone before it had read its letter
            process.stdin.close()
        try:
            code = process.wait(timeout=_TICK_S * 10)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        return code

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.end()
        if self._process is None:
            self._process = subprocess.Popen([sys.executable, "-m", __name__, str(self._study), self._opener],
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self._process


def open_site(study: Path) -> AnsweringSite:
    """The site that a study's folder ``site`` describes."""
    from medomicslab_nb.federated.site import Site

    return Site.of_study(study)


def serve(study: Path, opener: str) -> None:
    """Answer letters until there are no more."""
    letters, replies = _streams()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    site = None
    while (letter := _read(letters)) is not None:
        try:
            site = site or load(opener)(study)
            reply = site.answer(letter)
        except Exception as error:
            logging.getLogger(__name__).exception("the site could not be opened")
            reply = Reply("", {}, refused=f"the site could not be opened ({type(error).__name__}); its own log says "
                                          "why").pack()
        _write(replies, reply)


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """The two ends towards the node; whatever is printed goes to the log."""
    letters, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return letters, replies


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(_HEAD, "big") + content)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """What was written, or None when the other side is gone."""
    head = stream.read(_HEAD)
    if len(head) < _HEAD:
        return None
    content = stream.read(int.from_bytes(head, "big"))
    return content if len(content) == int.from_bytes(head, "big") else None


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])

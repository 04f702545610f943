"""The rounds that have been answered, on disk: a run that was stopped or killed goes on from them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Question, Reply, fingerprint, pack, unpack
from medomicslab_nb.files import write_bytes

_QUESTION = "__question__"


class Journal:
    """A folder with one file a round, written when all sites of the round have answered.

    What is stored is what left the sites anyway. An answer is given again to the same question only, so that a
    journal of other settings, sites or code is never used.

    Parameters
    ----------
    folder : Path, optional
        None: nothing is kept, as for a replay, which must ask anew.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def read(self, number: int, question: str) -> dict[str, bytes] | None:
        """The replies (packed) of a round, by site; None when there are none to this question."""
        if self.folder is None:
            return None
        with contextlib.suppress(OSError, DataError, KeyError):  # a file that is damaged is no answer
            stored = unpack(_file(self.folder, number).read_bytes())
            if stored.pop(_QUESTION) == question:
                return {site: content.tobytes() for site, content in stored.items()}
        return None

    def write(self, number: int, question: str, replies: Mapping[str, bytes]) -> None:
        """Keep the replies of a round, in one step."""
        if self.folder is None:
            return
        arrays = {site: np.frombuffer(content, dtype=np.uint8) for site, content in replies.items()}
        write_bytes(_file(self.folder, number), pack({_QUESTION: question, **arrays}))

    def forget(self) -> None:
        """Remove all rounds: the run is complete, or the sites' data have changed."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _file(folder: Path, number: int) -> Path:
    return folder / f"round-{number:05d}.bin"


def question_key(question: Question, sites: tuple[str, ...], plan: str, code: str) -> str:
    """What tells one question to these sites from any other."""
    content = {site: fingerprint(pack(question.for_site(site))) for site in sites}
    return fingerprint(pack({"step": question.step, "sites": content, "plan": plan, "code": code}))


def same_data(stored: Mapping[str, bytes], fresh: Mapping[str, Reply]) -> bool:
    """Whether every site has the patients that it had when the stored replies were given."""
    return all(site in stored and Reply.unpack(stored[site]).data == reply.data for site, reply in fresh.items())

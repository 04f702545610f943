"""What travels: a question to the sites, and what a site releases in answer.

Values are arrays and JSON types only, so that no message can carry code, and each has one form as bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from medomicslab_nb.errors import DataError

Values = Mapping[str, Any]
"""Arrays (numbers or bool, no objects) and JSON types, by name."""

_LENGTH = 8
_NUMBERS = "biuf"
_HEAD = "__head__"


@dataclass(frozen=True)
class Question:
    """One round: what the coordinator asks of sites.

    Attributes
    ----------
    step : str
        Name of a step, see :data:`~medomicslab_nb.federated.steps.STEPS`.
    values : mapping
        What the sites need for it. A site keeps nothing between rounds: everything is in the question.
    label : str
        What the round is about, for people: "Newton step 3".
    each : mapping
        Values for one site only, by its name; they come on top of ``values``.
    sites : tuple of str, optional
        Who is asked; None: every site of the run.
    detail : mapping
        Numbers of the rounds before to show while it runs, e.g. the loss. JSON types.
    """

    step: str
    values: Values
    label: str = ""
    each: Mapping[str, Values] = field(default_factory=dict)
    sites: tuple[str, ...] | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def for_site(self, site: str) -> dict[str, Any]:
        """What this site is sent."""
        return {**self.values, **self.each.get(site, {})}


@dataclass(frozen=True)
class Release:
    """What a step wants to let out of a site; the site's policy decides.

    Attributes
    ----------
    values : mapping
    words : str
        What it is, for the audit log and the report: "gradient (14 numbers) and information (14 x 14) of a logistic
        regression, summed over 118 patients". Nothing identifying, no single value.
    patients : int
        Over how many patients every number is summed: the fewest.
    cells : sequence of int
        Counts that are released, or that stand behind a released number; each is 0 or at least the policy's minimum.
    """

    values: Values
    words: str
    patients: int
    cells: Sequence[int] = ()


@dataclass(frozen=True)
class Letter:
    """A question on its way to one site.

    Attributes
    ----------
    run : str
        The run that asks; the site's audit log names it.
    round : int
        Counted from 1 within the run; the same again when a run is resumed.
    step : str
    label : str
    plan : str
        Canonical JSON of the run's settings, which the site has approved.
    code : str
        Hash of the coordinator's code, see :func:`~medomicslab_nb.federated.approval.code_hash`.
    values : mapping
    """

    run: str
    round: int
    step: str
    label: str
    plan: str
    code: str
    values: Values

    def pack(self) -> bytes:
        head = {"run": self.run, "round": self.round, "step": self.step, "label": self.label, "plan": self.plan,
                "code": self.code}
        return pack({**self.values, _HEAD: head})

    @classmethod
    def unpack(cls, content: bytes) -> Letter:
        values = unpack(content)
        return cls(**values.pop(_HEAD), values=values)


@dataclass(frozen=True)
class Reply:
    """What a site says: a release, or why there is none.

    Attributes
    ----------
    site : str
        The name that the site gives itself.
    words : str
        What was released, as in :class:`Release`.
    patients : int
    refused : str
        Why nothing was released, in one scrubbed sentence for the coordinator; empty otherwise.
    code : str
        Hash of the code that answered.
    data : str
        Fingerprint of the site's patients with the plan's salt: another one says that the data changed, and no more.
    """

    site: str
    values: Values
    words: str = ""
    patients: int = 0
    refused: str = ""
    code: str = ""
    data: str = ""

    def pack(self) -> bytes:
        head = {"site": self.site, "words": self.words, "patients": self.patients, "refused": self.refused,
                "code": self.code, "data": self.data}
        return pack({**self.values, _HEAD: head})

    @classmethod
    def unpack(cls, content: bytes) -> Reply:
        values = unpack(content)
        return cls(values=values, **values.pop(_HEAD))


class Transport(Protocol):
    """How letters get to sites: one of the backends."""

    def ask(self, letters: Mapping[str, bytes], deadline_s: float) -> Iterator[tuple[str, bytes]]:
        """Send each site its letter (packed), and give the replies (packed) by site as they come in.

        Ends when all have answered or ``deadline_s`` seconds have passed; who has not answered by then is missing.
        A reply that comes later, to a letter that was asked before, is dropped.
        """


Answers = dict[str, Values]
"""Values by site, in the order of the sites' names."""

Task = Generator[Question, Answers, Any]
"""Mathematics of the coordinator: yields questions, gets answers, returns its result. Given the same answers it asks
the same questions, so that a run is resumed by giving it the stored answers again."""


def only(task: Task, sites: Sequence[str]) -> Task:
    """The same task with these sites alone."""
    chosen = tuple(sites)
    answers: Answers | None = None
    while True:
        try:
            question = next(task) if answers is None else task.send(answers)
        except StopIteration as end:
            return end.value
        asked = chosen if question.sites is None else tuple(site for site in question.sites if site in chosen)
        answers = yield Question(question.step, question.values, question.label, question.each, asked, question.detail)


def pack(values: Values) -> bytes:
    """Values as bytes; the same values give the same bytes.

    Eight bytes of length, then JSON: the values that are no arrays, and name, type and shape of each array; then the
    arrays' numbers one after the other, little-endian.

    Raises
    ------
    DataError
        A value is neither an array of numbers nor of a JSON type.
    """
    arrays = {name: _plain(name, values[name]) for name in sorted(values) if isinstance(values[name], np.ndarray)}
    head = {"values": {name: value for name, value in values.items() if name not in arrays},
            "arrays": [[name, array.dtype.str, array.shape] for name, array in arrays.items()]}
    try:
        text = json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"a value cannot travel: {error}", where="message", todo="Send arrays and JSON types") from None
    return b"".join([len(text).to_bytes(_LENGTH, "little"), text, *(array.tobytes() for array in arrays.values())])


def unpack(content: bytes) -> dict[str, Any]:
    """The values that :func:`pack` was given.

    Raises
    ------
    DataError
        These are no such bytes.
    """
    try:
        start = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
        head = json.loads(content[_LENGTH:start])
        values = dict(head["values"])
        for name, kind, shape in head["arrays"]:
            values[name], start = _array(content, start, np.dtype(kind), shape)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise _no_message() from None
    if start != len(content):
        raise _no_message()
    return values


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in _NUMBERS:
        raise DataError(f"'{name}' is an array of {array.dtype}", where="message", todo="Send numbers only")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _array(content: bytes, start: int, kind: np.dtype, shape: Any) -> tuple[np.ndarray, int]:
    """An array that begins at ``start``, and where it ends."""
    if kind.kind not in _NUMBERS or not all(isinstance(length, int) and length >= 0 for length in shape):
        raise ValueError
    count = math.prod(shape)
    end = start + count * kind.itemsize
    if end > len(content):
        raise ValueError
    return np.frombuffer(content, kind, count, start).reshape(shape).copy(), end


def _no_message() -> DataError:
    return DataError("what came is no message of this version", where="message",
                     todo="Install the same version of medomicslab_nb at the coordinator and at every site")


def fingerprint(content: bytes) -> str:
    """sha256 of a packed message."""
    return hashlib.sha256(content).hexdigest()

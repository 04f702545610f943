"""The coordinator: asks the sites round by round, and never goes on with fewer than were named.

Who takes part is decided once, by name, in the first round: the required sites, and of the others those that answer
then. From then on every one of them must answer every round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from medomicslab_nb.errors import RunError
from medomicslab_nb.federated.journal import Journal, question_key, same_data
from medomicslab_nb.federated.messages import Letter, Question, Reply, Task, Transport

TASK = "federated rounds"


@dataclass(frozen=True)
class Quorum:
    """Which sites must answer, and what happens when one does not.

    Attributes
    ----------
    sites : tuple of str
        All sites of the run, sorted.
    required : frozenset of str
        Those without which the run does not begin.
    missing : {"stop", "wait"}
    deadline_s : float
        Seconds that a site has for an answer.
    patience_s : float
        Seconds that a missing site is waited for.
    """

    sites: tuple[str, ...]
    required: frozenset[str]
    missing: Literal["stop", "wait"] = "stop"
    deadline_s: float = 300.0
    patience_s: float = 24 * 3600.0

    def __post_init__(self) -> None:
        unknown = sorted(self.required - set(self.sites))
        if unknown:
            raise RunError(f"the required site '{unknown[0]}' is none of the sites", where="setting 'required'",
                           todo=f"The sites are: {', '.join(self.sites)}")


@dataclass(frozen=True)
class Released:
    """One answer of a site, as the report shows it."""

    site: str
    round: int
    step: str
    words: str
    patients: int
    bytes: int


@dataclass
class Conversation:
    """What has been asked and answered.

    Attributes
    ----------
    result : object
        What the task returned.
    rounds : list of dict
        round, step, label, sites (how many answered), and the numbers that the next question brought along.
    released : list of Released
    replayed : int
        Rounds whose answers came from the journal.
    notes : list of str
        Sites that take no part and why, answers that were late, in whole sentences.
    """

    result: Any = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    released: list[Released] = field(default_factory=list)
    replayed: int = 0
    notes: list[str] = field(default_factory=list)


class Coordinator:
    """Drives a task over a transport.

    Parameters
    ----------
    transport : Transport
    quorum : Quorum
    run : str
        Identifier of the run, for the sites' audit logs.
    plan : str
        Canonical JSON of the settings, which sites have approved.
    code : str
        Hash of the code that must answer.
    journal : Journal
    progress : Progress
    """

    def __init__(self, transport: Transport, quorum: Quorum, *, run: str, plan: str, code: str, journal: Journal,
                 progress: Any) -> None:
        self._transport, self._quorum, self._journal, self._progress = transport, quorum, journal, progress
        self._run, self._plan, self._code = run, plan, code
        self._taking_part = quorum.sites
        self._data: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._talk = Conversation()

    def converse(self, task: Task) -> Conversation:
        """Ask until the task has its result.

        Raises
        ------
        RunError
            A site refuses, is missing too long, or answers with another code or name; the message names the site.
        """
        talk = self._talk
        with self._progress.task(TASK) as step:
            question: Question | None = next(task)
            while question is not None:
                number = len(talk.rounds) + 1
                replies = self._round(number, question, step)
                talk.rounds.append({"round": number, "step": question.step, "label": question.label,
                                    "sites": len(replies)})
                step(detail=self._detail(question, dict.fromkeys(replies, "answered")))
                question = self._send(task, {site: reply.values for site, reply in replies.items()})
        self._journal.forget()
        return talk

    def _send(self, task: Task, answers: dict[str, Any]) -> Question | None:
        try:
            question = task.send(answers)
        except StopIteration as end:
            self._talk.result = end.value
            return None
        # What the coordinator has learned from a round comes with its next question.
        self._talk.rounds[-1].update(question.detail)
        return question

    def _round(self, number: int, question: Question, step: Callable[..., None]) -> dict[str, Reply]:
        asked = self._asked(question)
        key = question_key(question, asked, self._plan, self._code)
        stored = self._journal.read(number, key)
        # The first round is always asked: its answers tell whether the sites still have the patients of the others.
        if stored is not None and number > 1:
            self._talk.replayed += 1
            contents = stored
        else:
            contents = self._ask(number, question, asked, step)
            if number == 1 and stored is not None and not same_data(stored, _replies(contents)):
                self._talk.notes.append("The data of a site have changed since the run was stopped: it began again.")
                self._journal.forget()
            self._journal.write(number, key, contents)
        replies = _replies(contents)
        for site, reply in replies.items():
            self._talk.released.append(Released(site, number, question.step, reply.words, reply.patients,
                                                len(contents[site])))
        return replies

    def _asked(self, question: Question) -> tuple[str, ...]:
        sites = self._taking_part if question.sites is None else question.sites
        return tuple(site for site in self._taking_part if site in sites)

    def _ask(self, number: int, question: Question, sites: Sequence[str],
             step: Callable[..., None]) -> dict[str, bytes]:
        """The replies (packed) of all these sites; in the first round, of those that take part."""
        letters = {site: self._letter(number, question, site).pack() for site in sites}
        contents: dict[str, bytes] = {}
        states = dict.fromkeys(sites, "asked")
        begin = time.monotonic()
        while len(contents) < len(letters):
            step(0, detail=self._detail(question, states))
            lacking = {site: letter for site, letter in letters.items() if site not in contents}
            for site, content in self._transport.ask(lacking, self._quorum.deadline_s):
                if not self._accepts(site, content, first=number == 1):
                    del letters[site], states[site]
                    continue
                contents[site], states[site] = content, "answered"
                step(0, detail=self._detail(question, states))
            self._stop_if_refused()
            for site in [site for site in letters if site not in contents]:
                states[site] = "waiting"
                if not self._waits_for(site, number, time.monotonic() - begin):
                    del letters[site], states[site]
        self._taking_part = tuple(sorted(contents)) if number == 1 else self._taking_part
        return {site: contents[site] for site in sorted(contents)}

    def _letter(self, number: int, question: Question, site: str) -> Letter:
        return Letter(self._run, number, question.step, question.label, self._plan, self._code,
                      question.for_site(site))

    def _accepts(self, site: str, content: bytes, *, first: bool) -> bool:
        """Whether the reply counts; False for a refusal, which ends the run or the part that the site takes in it."""
        reply = Reply.unpack(content)
        if reply.site != site:
            raise RunError("an answer came in the name of another site", where=f"site {site}",
                           todo="Check which study folder this site serves, and under which name it is registered")
        if reply.refused:
            if first and site not in self._quorum.required:
                self._talk.notes.append(f"Site '{site}' takes no part: {reply.refused}")
                return False
            self._refused[site] = reply.refused
            return False
        if reply.code != self._code:
            raise RunError(f"the site's code ({reply.code[:12]}) is not the coordinator's ({self._code[:12]})",
                           where=f"site {site}", todo="Install the same version of medomicslab_nb at both")
        if self._data.setdefault(site, reply.data) != reply.data:
            raise RunError("the site's data changed during the run", where=f"site {site}",
                           todo="Run again: sums over different patients cannot be put together")
        return True

    def _stop_if_refused(self) -> None:
        """All refusals of a round are told at once: the next run would meet the next one otherwise."""
        if not self._refused:
            return
        names = sorted(self._refused)
        if len(names) == 1:
            raise RunError(self._refused[names[0]], where=f"site {names[0]}")
        raise RunError("; ".join(f"{name}: {self._refused[name]}" for name in names), where=f"sites {', '.join(names)}")

    def _waits_for(self, site: str, number: int, waited_s: float) -> bool:
        """Whether a site that has not answered in time is asked again; False for one that need not take part.

        Raises
        ------
        RunError
            It is required, and is not waited for, or has been long enough.
        """
        if number == 1 and site not in self._quorum.required:
            self._talk.notes.append(f"Site '{site}' takes no part: it did not answer the first round.")
            return False
        if self._quorum.missing == "wait" and waited_s < self._quorum.patience_s:
            note = f"Site '{site}' answered round {number} after the deadline; the others waited for it."
            if note not in self._talk.notes:
                self._talk.notes.append(note)
            return True
        raise RunError(f"no answer in round {number} within {_words(waited_s)}", where=f"site {site}",
                       todo="See that it takes part (medomicslab site check), then run again with the same "
                            "settings: the rounds before are kept. The setting missing=wait waits instead")

    def _detail(self, question: Question, states: Mapping[str, str]) -> dict[str, Any]:
        return {"round": len(self._talk.rounds) + (0 if set(states.values()) == {"answered"} else 1),
                "label": question.label or question.step, "sites": dict(states), **question.detail}


def _replies(contents: Mapping[str, bytes]) -> dict[str, Reply]:
    return {site: Reply.unpack(content) for site, content in contents.items()}


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else \
        f"{seconds / 3600:.0f} h"

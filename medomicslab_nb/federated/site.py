"""A site: answers letters with what its rules let out, and with a refusal in one sentence otherwise."""

from __future__ import annotations

import hashlib
import json
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError, MedomicsError
from medomicslab_nb.federated.approval import Approvals, check_code, code_hash, read_plan
from medomicslab_nb.federated.audit import AuditLog, Entry
from medomicslab_nb.federated.gaps import widened
from medomicslab_nb.federated.ledger import PATIENTS, Ledger
from medomicslab_nb.federated.messages import Letter, Reply, Values, fingerprint
from medomicslab_nb.federated.patients import SitePatients, read_patients
from medomicslab_nb.federated.plan import plan_hash
from medomicslab_nb.federated.policy import (
    BY_COLUMN,
    check_columns,
    check_network,
    check_patients,
    check_question,
    check_release,
    check_spent,
    cohorts,
    cuts_told,
    is_private,
    part_asked,
    rows_of,
)
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings
from medomicslab_nb.federated.site_folder import read_site
from medomicslab_nb.federated.steps import get_step
from medomicslab_nb.protect import scrub
from medomicslab_nb.study import open_study

ReadPatients = Callable[[FederatedSettings], SitePatients]

_LONGEST_TEXT = 600
_WITHHELD = "held back, since the site's identifiers cannot be read and looked for; see its file site/errors.log"


class Site:
    """One site, whichever way letters come to it.

    Parameters
    ----------
    name : str
    patients : callable
        The patients for a run's settings. Giving the same object again says that they are the same.
    policy : PolicySettings or callable
        The rules, or what gives those that are in force now: they are asked for with every letter.
    audit : AuditLog, optional
        None: in memory.
    approvals : Approvals, optional
        None: every plan of the code that runs here.
    ledger : Ledger
    errors : Path, optional
        Where unexpected errors are written with all details, which may hold values: it stays at the site.
    identifiers : callable, optional
        Every identifier of the site; those of the patients of a question are looked for in any case.
    """

    def __init__(self, name: str, patients: ReadPatients, policy: PolicySettings | Callable[[], PolicySettings],
                 audit: AuditLog | None, approvals: Approvals | None, ledger: Ledger, *, errors: Path | None = None,
                 identifiers: Callable[[], frozenset[str]] = frozenset) -> None:
        self.name = name
        self._rules = policy if callable(policy) else lambda: policy
        self.audit = AuditLog() if audit is None else audit
        self._code = code_hash()  # now: what cannot be read must not be noticed while an error is told
        self.failure = ""
        """The last unexpected error with its details, for who runs the site."""
        self._patients = patients
        self._approvals = Approvals() if approvals is None else approvals
        self._ledger = ledger
        self._errors = errors
        self._identifiers = identifiers
        self._known: _Known | None = None
        # The last answer with noise, for when it is asked again: other noise would spend privacy again.
        self._private: tuple[str, Reply] | None = None
        self._plans: dict[str, tuple[FederatedSettings, str]] = {}

    @classmethod
    def of_study(cls, study: Path | str) -> Site:
        """The site that a study's folder ``site`` describes.

        Raises
        ------
        StudyError
            The study is no site, or its ledger is damaged.
        SettingsError
            Its rules are wrong.
        """
        folder = read_site(study)
        reader = _StudyReader(folder.study_path)
        return cls(folder.site, reader, lambda: read_site(study).policy, AuditLog(folder.path / "audit.jsonl"),
                   Approvals(folder.path / "approvals"), Ledger(folder.path / "ledger.jsonl"),
                   errors=folder.path / "errors.log", identifiers=reader.identifiers)

    @classmethod
    def simulated(cls, name: str, patients: SitePatients | ReadPatients, policy: PolicySettings) -> Site:
        """A site that is a part of a study: with the coordinator's own code, and everything in memory."""
        read = patients if callable(patients) else lambda _settings: patients
        return cls(name, read, policy, None, None, Ledger())

    def answer(self, letter: bytes) -> bytes:
        """The reply to a letter; whatever happens, there is one, and it is in the audit log.

        The same letter again has the same answer.
        """
        asked = None
        try:
            asked = _opened(letter)
            return self._release(asked)
        except Exception as error:
            return self._refuse(asked, error)

    def _release(self, letter: Letter) -> bytes:
        check_code(letter.code)
        settings, plan = self._plan(letter.plan)
        self._approvals.check(plan, letter.code)
        step = get_step(letter.step)
        policy = self._rules()
        check_question(policy, settings, step.name, self.audit.released_today())
        check_network(settings, letter.values)
        if is_private(settings, step.name):
            if self._private is not None and self._private[0] == _question(letter):
                return self._sent(letter, "released", self._private[1])
            check_spent(settings, self._spent(plan))
        known = self._know(self._patients(settings))
        part = part_asked(letter.values)
        check_columns(policy, settings, known.patients)
        check_patients(policy, known.patients, part, step.name)
        minimum = policy.minimum_count
        seen = known.seen(part, step.name, letter.values, minimum, self._ledger)
        release = step(seen.patients, letter.values, minimum)
        check_release(policy, release)
        cuts = {f"{what} {known.outcome(part, self._ledger)}": counts for what, counts
                in cuts_told(step.name, letter.values, release.values).items()}
        self._ledger.admit(seen.cohorts, minimum, run=letter.run, cuts=cuts)
        words = self._clean(f"{release.words}{seen.words}")
        reply = Reply(self.name, release.values, words, release.patients, code=self._code,
                      data=self._ledger.keyed(f"{letter.plan}\0{known.fingerprint}"))
        if is_private(settings, step.name):
            self._private = _question(letter), reply
        return self._sent(letter, "released", reply)

    def _spent(self, plan: str) -> int:
        """Answers with differential privacy that have left for a plan, whichever run asked."""
        log = self.audit.read()
        return int(((log["event"] == "released") & (log["plan"] == plan) & (log["step"] == "network")).sum())

    def _plan(self, text: str) -> tuple[FederatedSettings, str]:
        if text not in self._plans:
            self._plans = {text: (read_plan(text), plan_hash(text))}
        return self._plans[text]

    def _know(self, patients: SitePatients) -> _Known:
        if self._known is None or self._known.patients is not patients:
            self._known = _Known(patients)
        return self._known

    def _refuse(self, letter: Letter | None, error: Exception) -> bytes:
        if not isinstance(error, MedomicsError):
            self._keep(error)
        letter = letter or Letter("", 0, "", "", "", "", {})
        reply = Reply(self.name, {}, refused=self._told(error), code=self._code)
        try:
            return self._sent(letter, "refused", reply)
        except Exception as unwritten:  # nothing leaves but that the log could not be written
            return replace(reply, refused=self._told(unwritten)).pack()

    def _told(self, error: Exception) -> str:
        """What the coordinator is told of an error: our own words without identifiers, of others only the kind."""
        if isinstance(error, MedomicsError):
            return self._clean(str(error))
        return (f"an unexpected error ({type(error).__name__}); its details may hold values of patients, and stay at "
                "the site in its file site/errors.log")

    def _clean(self, text: str) -> str:
        known = self._known.identifiers if self._known else frozenset()
        try:
            known |= self._identifiers()
        except Exception as error:  # whatever it is: a text that cannot be looked through does not leave
            self._keep(error)
            return _WITHHELD
        return " ".join(scrub(text, known).split())[:_LONGEST_TEXT]

    def _sent(self, letter: Letter, event: Any, reply: Reply) -> bytes:
        content = reply.pack()
        plan = self._plans[letter.plan][1] if letter.plan in self._plans else ""
        self.audit.append(Entry(event, self._clean(letter.run), letter.round, self._clean(letter.step),
                                reply.words or reply.refused, reply.patients, len(content), fingerprint(content),
                                reply.code, plan))
        return content

    def _keep(self, error: Exception) -> None:
        self.failure = "".join(traceback.format_exception(error))
        if self._errors is None:
            return
        text = f"{datetime.now(UTC).isoformat(timespec='seconds')}\n{self.failure}\n"
        try:
            handle = os.open(self._errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
        except OSError:
            return  # the refusal leaves without its details


def _question(letter: Letter) -> str:
    """What tells a question from any other, whichever run asks it."""
    return fingerprint(Letter("", 0, letter.step, "", letter.plan, letter.code, letter.values).pack())


def _opened(content: bytes) -> Letter:
    """A letter whose parts are of the types that they should be.

    Raises
    ------
    DataError
    """
    try:
        letter = Letter.unpack(content)
        if isinstance(letter.round, int) and all(isinstance(getattr(letter, name), str)
                                                 for name in ("run", "step", "label", "plan", "code")):
            return letter
    except Exception:  # noqa: S110  (whatever was sent, it was no letter)
        pass
    raise DataError("what came is no letter of a federated run", where="federated message",
                    todo="Install the same version of medomicslab_nb at the coordinator and at every site")


@dataclass
class _Known:
    """What was found out about patients that stay the same from round to round."""

    patients: SitePatients

    def __post_init__(self) -> None:
        self.identifiers = frozenset(map(str, self.patients.frame.index))
        self.fingerprint = patients_fingerprint(self.patients)
        self._seen: dict[tuple[str, str, str], _Seen] = {}

    def outcome(self, part: str, ledger: Ledger) -> str:
        """Keyed hash of the patients of a part with their outcomes and follow-up."""
        rows = rows_of(self.patients, part)
        endpoint = self.patients.endpoint
        parts = [np.asarray(self.patients.frame.index[rows], dtype=str), endpoint.outcome[rows],
                 *(array[rows] for array in (endpoint.time, endpoint.entry) if array is not None)]
        return ledger.keyed("\0".join(" ".join(map(str, array)) for array in parts))

    def seen(self, part: str, step: str, values: Values, minimum: int, ledger: Ledger) -> _Seen:
        """The patients as a step sees them."""
        by_column = step in BY_COLUMN
        columns = {name: values.get(name) for name in ("numeric", "categories", "zeros") if by_column}
        asked = part, step, json.dumps(columns, sort_keys=True)
        if asked not in self._seen:
            patients = self.patients
            wider: tuple[str, ...] = ()
            if by_column:
                patients, wider = widened(patients, rows_of(patients, part), values, minimum, ledger.keyed)
            found = cohorts(patients, part, step, minimum)
            words = f"; left out, so that at least {minimum} lack a value: some of {', '.join(wider)}" if wider else ""
            self._seen[asked] = _Seen(patients, words, self._hashed(found, ledger))
        return self._seen[asked]


    def _hashed(self, cohorts: Mapping[str, pd.Index], ledger: Ledger) -> dict[str, frozenset[str]]:
        """The same with hashes for patients; one set for all that are equal, of which there may be a thousand."""
        hashes = {patient: ledger.member(patient) for patient in self.patients.frame.index}
        everybody = cohorts[PATIENTS]
        of_all = frozenset(hashes[patient] for patient in everybody)
        return {name: of_all if len(who) == len(everybody) else frozenset(hashes[patient] for patient in who)
                for name, who in cohorts.items()}


@dataclass(frozen=True)
class _Seen:
    """Patients as a step sees them, what was left out of their values, and who stands behind sums over them."""

    patients: SitePatients
    words: str
    cohorts: Mapping[str, frozenset[str]]


def patients_fingerprint(patients: SitePatients) -> str:
    """sha256 over everything that a step can see of patients."""
    content = hashlib.sha256("\0".join(map(str, patients.frame.columns)).encode())
    endpoint = patients.endpoint
    for column in (patients.frame.index, *(patients.frame[name] for name in patients.frame.columns)):
        content.update(pd.util.hash_array(np.asarray(column, dtype=object).astype(str)).tobytes())
    for array in (endpoint.outcome, endpoint.time, endpoint.entry, endpoint.cause, patients.testing):
        content.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


class _StudyReader:
    """The patients of a study folder, read again when something in it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[Any, SitePatients] | None = None
        self._named: tuple[Any, frozenset[str]] | None = None

    def __call__(self, settings: FederatedSettings) -> SitePatients:
        state = (settings, self._state())
        if self._read is None or self._read[0] != state:
            self._read = state, read_patients(open_study(self._path), settings)[0]
        return self._read[1]

    def identifiers(self) -> frozenset[str]:
        state = self._state()
        if self._named is None or self._named[0] != state:
            self._named = state, open_study(self._path).identifiers()
        return self._named[1]

    def _state(self) -> tuple[Any, ...]:
        """Tables are replaced by renaming their file, and runs by a new folder: both change a time."""
        files = [self._path / "study.yaml", *sorted((self._path / "tables").glob("*.yaml")), self._path / "runs"]
        return tuple((path.name, path.stat().st_mtime_ns) for path in files if path.exists())

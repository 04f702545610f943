"""Differencing: over which patients sums have left a site, and which further sums would give away a few of them.

Two sums of the same thing over cohorts that differ by one patient give that patient's values, and so may three sums
over cohorts that differ by many. Therefore a site notes the patients of every release, as keyed hashes that stay with
it, and refuses one from which, together with what left before, a sum over fewer patients than the minimum follows. The
same holds of numbers of patients up to some time: two curves with other bins tell who is between the ends of both.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from medomicslab_nb.errors import ProtectionError, StudyError
from medomicslab_nb.federated.appending import append_line, lines_of, locked

PATIENTS = "patients"
"""Name of the cohort itself, among the sets of patients that stand behind a release."""
COLUMN = "column "
"""Begins the names of the others: who of them has a value in that column."""

_SECRET_BYTES = 32
_MEMBER_DIGITS = 16  # 64 bits: two of 100,000 patients share a hash with probability 3e-10
_PRIME = 2**31 - 1  # products of two residues fit 64 bits


class Ledger:
    """The cohorts of which sums have left.

    Parameters
    ----------
    path : Path, optional
        A file that is appended to only; the secret of the hashes is beside it, with the ending ``.key``. None: in
        memory, with a secret that is none, for sites that are simulated.

    Raises
    ------
    StudyError
        The ledger is there and its secret is not: hashes of the same patients would be others.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._secret = b"simulated" if path is None else _secret(path)
        self._cohorts: dict[str, set[frozenset[str]]] = {}
        self._cuts: dict[str, dict[float, int]] = {}
        self._read_to = 0

    def member(self, patient: object) -> str:
        """A patient's hash, which nobody can compute without the secret."""
        return self.keyed(f"patient\0{patient}")[:_MEMBER_DIGITS]

    def keyed(self, text: str) -> str:
        """A keyed hash (HMAC-SHA256) of a text, 64 hexadecimal digits."""
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def admit(self, cohorts: Mapping[str, Iterable[str]], minimum: int, *, run: str = "",
              cuts: Mapping[str, Mapping[float, int]] = MappingProxyType({})) -> None:
        """Note the patients of a release that is about to leave, or refuse it.

        Parameters
        ----------
        cohorts : mapping
            Hashes of the patients behind it, by what is summed: :data:`PATIENTS` or :data:`COLUMN` and a name.
            Sets are compared with earlier ones of the same name.
        minimum : int
            By fewer patients no two cohorts may differ, nor any that follow from several.
        run : str
        cuts : mapping of str to mapping
            How many patients are told to have at most a value, by that value; by whom and what is counted. Compared
            with earlier ones of the same name.

        Raises
        ------
        ProtectionError
            Together with earlier releases it would tell of 1 to ``minimum`` - 1 patients. Nothing is noted.
        StudyError
            The ledger is damaged or cannot be written.
        """
        sets = {name: frozenset(members) for name, members in cohorts.items()}
        if not self._new(sets) and not self._new_cuts(cuts):
            return
        with locked(self._path):
            self._refresh()
            new = self._new(sets)
            for name, members in new.items():
                refuse_differencing(list(self._cohorts.get(name, ())), members, minimum, name)
            for name, counts in cuts.items():
                refuse_narrowing({**self._cuts.get(name, {}), **counts}, minimum)
            for members in dict.fromkeys(new.values()):
                names = [name for name, same in new.items() if same == members]
                self._note({"of": names, "members": sorted(members)}, run)
            for name, counts in self._new_cuts(cuts).items():
                self._note({"of": [name], "cuts": [[at, count] for at, count in counts.items()]}, run)

    def _new(self, sets: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        return {name: members for name, members in sets.items()
                if members and members not in self._cohorts.get(name, ())}

    def _new_cuts(self, cuts: Mapping[str, Mapping[float, int]]) -> dict[str, Mapping[float, int]]:
        return {name: counts for name, counts in cuts.items() if not counts.items() <= self._cuts.get(name, {}).items()}

    def _note(self, entry: Mapping[str, Any], run: str) -> None:
        if self._path is not None:
            about = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "run": run}
            append_line(self._path, json.dumps({**about, **entry}, ensure_ascii=False, separators=(",", ":")))
        self._remember(entry)

    def _remember(self, entry: Mapping[str, Any]) -> None:
        members = frozenset(entry.get("members", ()))
        for name in entry["of"]:
            if "cuts" in entry:
                self._cuts.setdefault(name, {}).update(entry["cuts"])
            else:
                self._cohorts.setdefault(name, set()).add(members)

    def _refresh(self) -> None:
        """What other processes of the site have noted since."""
        if self._path is None:
            return
        lines, self._read_to = lines_of(self._path, self._read_to)
        for line in lines:
            entry = _parsed(line, self._path.name)
            if entry is not None:
                self._remember(entry)


def refuse_differencing(earlier: Sequence[frozenset[str]], new: frozenset[str], minimum: int, name: str) -> None:
    """Refuse a cohort that, with those of which sums have left, singles out 1 to ``minimum`` - 1 patients.

    Raises
    ------
    ProtectionError
    """
    known = "" if name == PATIENTS else f" who have a value in '{name.removeprefix(COLUMN)}'"
    todo = ("Use the same patients as before (same outcome, columns, seed, holdout and test), or wait until enough "
            "have been added")
    if any(0 < len(new ^ old) < minimum for old in earlier):
        raise ProtectionError(f"the patients{known} differ by fewer than {minimum} from those of an earlier release: "
                              "the difference of the two would be about these few", todo=todo)
    if follows_few([*earlier, new], minimum):
        raise ProtectionError(f"together with earlier releases, sums over fewer than {minimum} patients{known} would "
                              "follow", todo=todo)


def refuse_narrowing(cuts: Mapping[float, int], minimum: int) -> None:
    """Refuse numbers of patients up to several values between two of which 1 to ``minimum`` - 1 patients are.

    Raises
    ------
    ProtectionError
    """
    between = np.diff([0, *(cuts[at] for at in sorted(cuts))])
    if ((between > 0) & (between < minimum)).any():
        raise ProtectionError("the bins are others than those of an earlier release, and fewer than "
                              f"{minimum} patients would be known to lie between the ends of both",
                              todo="Use the same bins and horizon as before")


def follows_few(cohorts: Sequence[frozenset[str]], minimum: int) -> bool:
    """Whether sums over cohorts can be combined to one that concerns 1 to ``minimum`` - 1 patients.

    Patients in exactly the same cohorts can only be told apart as a group. The sums over all groups that follow are
    the row space of the table cohorts x groups, whose reduced form shows every combination of one or two groups.
    Combinations in which three groups or more, of fewer than ``minimum`` patients together, remain may be missed.
    """
    pattern, sizes = _groups(cohorts)
    if not (sizes < minimum).any():
        return False
    largest_first = np.argsort(-sizes, kind="stable")
    pattern, sizes = pattern[:, largest_first], sizes[largest_first]
    reduced, pivots = _reduced(pattern)
    if any(sizes[row != 0].sum() < minimum for row in reduced):
        return True
    return any(sizes[one] + sizes[two] < minimum for one, two in _pairs(reduced, pivots))


def _groups(cohorts: Sequence[frozenset[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Which group of patients is in which cohort, shape (n_cohorts, n_groups), and the sizes of the groups."""
    everybody = sorted(frozenset().union(*cohorts))
    table = np.array([[patient in cohort for patient in everybody] for cohort in cohorts], dtype=np.int64)
    pattern, sizes = np.unique(table, axis=1, return_counts=True)
    return pattern, sizes


def _reduced(table: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Reduced row echelon form modulo a prime, without rows of zeros, and the columns of its leading ones.

    Exact numbers would be fractions that grow; a rank is another one modulo a large prime by chance only.
    """
    rows = table % _PRIME
    pivots: list[int] = []
    for column in range(rows.shape[1]):
        top = len(pivots)
        candidates = np.flatnonzero(rows[top:, column])
        if not len(candidates):
            continue
        rows[[top, top + candidates[0]]] = rows[[top + candidates[0], top]]
        rows[top] = rows[top] * pow(int(rows[top, column]), -1, _PRIME) % _PRIME
        others = np.flatnonzero(rows[:, column])
        others = others[others != top]
        rows[others] = (rows[others] - rows[others, column][:, None] * rows[top]) % _PRIME
        pivots.append(column)
        if len(pivots) == len(rows):
            break
    return rows[:len(pivots)], pivots


def _pairs(reduced: np.ndarray, pivots: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Leading columns of two rows that are multiples of each other elsewhere: together only these two remain."""
    rest = np.delete(reduced, pivots, axis=1)
    seen: dict[bytes, list[int]] = {}
    for row, pivot in zip(rest, pivots, strict=True):
        filled = row[row != 0]
        if not len(filled):
            continue
        scaled = row * pow(int(filled[0]), -1, _PRIME) % _PRIME
        same = seen.setdefault(scaled.tobytes(), [])
        yield from ((earlier, pivot) for earlier in same)
        same.append(pivot)


def _secret(path: Path) -> bytes:
    key = path.with_suffix(".key")
    with locked(path):
        if not key.exists():
            if path.exists() and path.stat().st_size:
                raise StudyError("the secret of the ledger is missing", where=key.name,
                                 todo="Restore it from a copy: without it nobody can tell which patients sums have "
                                      "left for")
            handle = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(secrets.token_hex(_SECRET_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
    try:
        secret = bytes.fromhex(key.read_text(encoding="utf-8"))
    except ValueError:
        secret = b""
    if len(secret) != _SECRET_BYTES:
        raise StudyError("the secret of the ledger is damaged", where=key.name, todo="Restore it from a copy")
    return secret


def _parsed(line: bytes, where: str) -> dict[str, Any] | None:
    """An entry; None for the beginning of one that a crash cut off, after which nothing has left."""
    try:
        entry: dict[str, Any] = json.loads(line)
        return entry
    except ValueError:
        if line.startswith(b"{") and not line.endswith(b"}"):
            return None
        raise StudyError("a line is damaged: it cannot be told which patients sums have left for", where=where,
                         todo="Restore the file from a copy") from None

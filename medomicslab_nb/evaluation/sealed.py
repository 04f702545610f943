"""A sealed test set: patients drawn once, never seen in development, and looked at once.

The seal is a split of the study (fold 1 = sealed, fold 0 = development) with a log beside it. It can be neither made
again nor removed; each opening is written into the log before the patients are handed out. Only who reaches for the
files themselves can get around it, and the log's checksum of the split then no longer fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import split_name
from medomicslab_nb.files import FORMAT_PREFIX, read_document, write_json

FORMAT_VERSION = 1
SEALED, DEVELOPMENT = 1, 0

_FEWEST = 2  # patients of each class (with the event, without it) on either side


@dataclass(frozen=True)
class Opening:
    """One entry of a seal's log."""

    run: str
    when: str
    """UTC, ISO 8601."""
    digest: str
    """The sha256 of the run's settings."""
    reason: str
    repeated: bool
    """The same settings had opened it before: a replay, or a run that had failed."""


@dataclass(frozen=True)
class Seal:
    """A sealed test set and its history.

    Attributes
    ----------
    patients : Index
        The sealed patients, sorted.
    n, n_development : int
        Sealed patients, and those of development when the seal was made.
    seen : tuple of str
        Runs that had used some of the sealed patients before the seal was made.
    notes : tuple of str
        What a reader must know, in whole sentences.
    """

    name: str
    endpoint: str
    patients: pd.Index
    made: str
    by: str
    share: float
    seed: int
    centres: tuple[str, ...]
    n: int
    n_development: int
    seen: tuple[str, ...]
    openings: tuple[Opening, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, in whole sentences."""
        how = f"centres {', '.join(self.centres)}" if self.by == "centre" else "drawn at random, stratified by outcome"
        notes = [f"{self.n} patients were sealed as a test set on {self.made[:10]} ({how}); {self.n_development} were "
                 "left for development."]
        if self.seen:
            earlier = "1 earlier run" if len(self.seen) == 1 else f"{len(self.seen)} earlier runs"
            notes.append(f"{earlier} had used patients that were sealed afterwards: what was "
                         "chosen in them is no longer independent of this test.")
        first = [opening for opening in self.openings if not opening.repeated]
        if first:
            notes.append(f"The seal was opened on {first[0].when[:10]} by run {first[0].run}.")
        return tuple(notes)


def seal(study: Any, endpoint: Endpoint, *, share: float = 0.2, seed: int = 0,
         by: Literal["random", "centre"] = "random", centre: pd.Series | None = None,
         centres: Sequence[str] = ()) -> Seal:
    """Draw a test set and seal it, once for each endpoint of a study.

    Parameters
    ----------
    study : Study
    endpoint : Endpoint
        With every patient of the study that has it. Patients who come later belong to development.
    share : float
        Share of the patients to seal; with ``by="centre"`` centres are drawn until it is reached.
    by : {"random", "centre"}
        Patients at random within each class (event, quartile) of the outcome, or whole centres.
    centre : Series, index = patient
        Centre of each patient, for ``by="centre"``.
    centres : sequence of str
        The centres to seal; none named: drawn at random.

    Raises
    ------
    DataError
        There is a seal already, the patients are too few, or a patient has no centre.
    """
    if not 0 < share < 1:
        raise DataError(f"the share is {share:g}", where="sealed test", todo="Choose it between 0 and 1, e.g. 0.2")
    order = np.argsort(endpoint.patients.to_numpy(), kind="stable")
    ordered = endpoint.take(order)
    if by == "centre":
        names = _centre_names(ordered, centre)
        chosen = _drawn_centres(names, share, seed, centres)
        sealed = np.isin(names, chosen)
    else:
        if centre is not None or centres:
            raise DataError("centres are given, but patients are drawn at random", where="sealed test",
                            todo="Use by='centre' to seal whole centres")
        chosen, sealed = [], _drawn_patients(ordered.strata, share, seed)
    _check_sides(ordered, sealed)
    split = pd.DataFrame({"patient": ordered.patients.to_numpy(), "repeat": 0, "fold": sealed.astype(int)})
    name = _name(endpoint.name)
    _refuse_second(study, endpoint, _digest(split))
    log = {"format": FORMAT_PREFIX + "seal", "format_version": FORMAT_VERSION, "name": name, "endpoint": endpoint.name,
           "columns": [list(column) for column in endpoint.columns], "made": datetime.now(UTC).isoformat(), "by": by,
           "share": share, "seed": seed, "centres": sorted(chosen), "n": int(sealed.sum()),
           "n_development": int((~sealed).sum()), "sha256": _digest(split),
           "seen": _seen_by(study, ordered.patients[sealed]), "openings": []}
    with study.lock():
        # First the log: who finds it without its split, because the power failed, can only make the same split.
        if not _log_path(study, name).exists():
            write_json(_log_path(study, name), log)
    study.save_splits(name, split)
    return _seal(study, _Log(study, name))


def find_seal(study: Any, endpoint: Endpoint) -> Seal | None:
    """The seal that covers an endpoint, or None.

    An endpoint asked for by another name (a column's instead of the endpoint's) is known by the columns it comes from.

    Raises
    ------
    DataError
        The seal was tampered with.
    """
    log = _find(study, endpoint)
    return None if log is None else _seal(study, log)


def sealed_patients(study: Any, endpoint: Endpoint) -> pd.Index:
    """The patients that development must not see; empty without a seal."""
    found = find_seal(study, endpoint)
    return pd.Index([], dtype=object) if found is None else found.patients


def open_seal(study: Any, endpoint: Endpoint, *, run: str, digest: str, reason: str) -> Seal:
    """Open the seal for one run, and write that into the log first.

    Parameters
    ----------
    run : str
        Identifier of the run that looks.
    digest : str
        The sha256 of its settings: the same settings may look again (a replay, a run that had failed), no others.
    reason : str
        Why, in words.

    Raises
    ------
    DataError
        There is no seal, no reason is given, or another run with other settings has opened it.
    """
    if not reason.strip() or not run or not digest:
        raise DataError("a run, its settings' digest and a reason are needed", where="sealed test",
                        todo="Say why the seal is opened: it can be done once")
    found = _find(study, endpoint)
    if found is None:
        raise DataError("there is no sealed test set", where=f"endpoint {endpoint.name}",
                        todo="Seal one before development")
    _seal(study, found)  # checks it
    with study.lock():
        log = _Log(study, found.name)
        others = [entry for entry in log.openings if entry.digest != digest]
        if others:
            first = others[0]
            raise DataError(f"the sealed test was opened on {first.when[:19].replace('T', ' ')} UTC by run {first.run} "
                            f"({first.reason}); a second look with other settings would be a choice among tests",
                            where=f"endpoint {endpoint.name}",
                            todo="Report that run, or validate on patients who were not there yet")
        entry = Opening(run, datetime.now(UTC).isoformat(), digest, reason.strip(), repeated=bool(log.openings))
        write_json(log.path, {**log.content, "openings": [*log.content["openings"], vars(entry)]})
    return _seal(study, _Log(study, found.name))


# -- drawing ----------------------------------------------------------------------------------------------------------


def _drawn_patients(strata: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Rows drawn in each stratum, bool, shape (n,); what rounding leaves goes to the largest remainders."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5EA1]))
    groups = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    wanted = np.array([len(group) * share for group in groups])
    counts = np.floor(wanted).astype(int)
    left = round(len(strata) * share) - int(counts.sum())
    for group in np.argsort(-(wanted - counts), kind="stable")[:left]:
        counts[group] += 1
    sealed = np.zeros(len(strata), dtype=bool)
    for group, count in zip(groups, counts, strict=True):
        sealed[rng.permutation(group)[:count]] = True
    return sealed


def _centre_names(endpoint: Endpoint, centre: pd.Series | None) -> np.ndarray:
    if centre is None:
        raise DataError("the patients' centres are not given", where="sealed test",
                        todo="Name the column of the centres in the data dictionary (role 'centre')")
    names = centre.reindex(endpoint.patients)
    unknown = int(names.isna().sum())
    if unknown:
        raise DataError(f"the centre of {unknown} of {len(names)} patients is not known", where="sealed test",
                        todo="Complete the column of the centres")
    return names.astype(str).to_numpy()


def _drawn_centres(names: np.ndarray, share: float, seed: int, wanted: Sequence[str]) -> list[str]:
    known = sorted(set(names))
    absent = [name for name in wanted if name not in known]
    if absent:
        raise DataError(f"{len(absent)} of the named centres have no patient with this outcome", where="sealed test",
                        todo=f"The centres are: {', '.join(known)}")
    if wanted:
        return list(dict.fromkeys(wanted))
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5EA1]))
    drawn: list[str] = []
    for name in rng.permutation(known):
        if np.isin(names, drawn).mean() >= share:
            break
        drawn.append(str(name))
    return drawn


def _check_sides(endpoint: Endpoint, sealed: np.ndarray) -> None:
    """Both sides need patients of each class, or with the event; a continuous outcome just patients."""
    for side, rows in (("sealed part", sealed), ("development part", ~sealed)):
        part = endpoint.take(np.flatnonzero(rows))
        if endpoint.kind == "survival":
            least = int(part.outcome.sum())
        elif endpoint.kind == "continuous":
            least = len(part)
        else:
            classes = len(endpoint.classes) or 2
            least = int(np.bincount(part.outcome.astype(int), minlength=classes).min())
        if least < _FEWEST:
            raise DataError(f"the {side} would hold {len(part)} patients, {least} of them of the smallest class or "
                            "with the event", where=f"endpoint {endpoint.name}",
                            todo="Seal another share or other centres, or add patients")


def _seen_by(study: Any, patients: pd.Index) -> list[str]:
    """Completed runs whose predictions hold any of these patients."""
    return [record.id for record in study.runs
            if record.status == "completed" and "predictions" in record.tables
            and "patient" in (table := record.table("predictions")).columns and table["patient"].isin(patients).any()]


# -- the files --------------------------------------------------------------------------------------------------------


class _Log:
    """A seal's log as it is stored."""

    def __init__(self, study: Any, name: str) -> None:
        self.name = name
        self.path = _log_path(study, name)
        self.content: Mapping[str, Any] = read_document(self.path, "seal", FORMAT_VERSION)

    @property
    def openings(self) -> list[Opening]:
        return [Opening(**entry) for entry in self.content["openings"]]

    def covers(self, endpoint: Endpoint) -> bool:
        columns = {tuple(column) for column in self.content["columns"]}
        return self.content["endpoint"] == endpoint.name or bool(columns & set(endpoint.columns))


def _name(endpoint: str) -> str:
    # The name of no split of folds: those end in their seed.
    return split_name(endpoint, folds=0, seed=0).removesuffix("0folds-seed0") + "sealed"


def _log_path(study: Any, name: str) -> Path:
    return Path(study.path) / "splits" / f"{name}.seal.json"


def _find(study: Any, endpoint: Endpoint) -> _Log | None:
    folder = Path(study.path) / "splits"
    pins = getattr(study, "pins", None)
    for path in sorted(folder.glob("*.seal.json")):
        log = _Log(study, path.name.removesuffix(".seal.json"))
        # In the replay of a run that is older than the seal there is none.
        if log.covers(endpoint) and (pins is None or f"splits/{log.name}" in pins):
            return log
    if study.resolve_splits(_name(endpoint.name)) is not None:
        raise _tampered(endpoint.name, "its log is missing")
    return None


def _refuse_second(study: Any, endpoint: Endpoint, digest: str) -> None:
    log = _find(study, endpoint)
    if log is None or (study.resolve_splits(log.name) is None and log.content["sha256"] == digest):
        return
    raise DataError(f"a test set was sealed on {log.content['made'][:10]} ({log.content['n']} patients)",
                    where=f"endpoint {log.content['endpoint']}",
                    todo="A seal cannot be made again: another draw would be a choice among tests")


def _seal(study: Any, log: _Log) -> Seal:
    content = log.content
    split = study.splits(log.name)
    if split is None or _digest(split) != content["sha256"]:
        raise _tampered(str(content["endpoint"]), "its patients are missing or were changed")
    patients = pd.Index(split.loc[split["fold"] == SEALED, "patient"]).sort_values()
    return Seal(log.name, str(content["endpoint"]), patients, str(content["made"]), str(content["by"]),
                float(content["share"]), int(content["seed"]), tuple(content["centres"]), int(content["n"]),
                int(content["n_development"]), tuple(content["seen"]), tuple(log.openings))


def _tampered(endpoint: str, what: str) -> DataError:
    return DataError(f"the sealed test set was changed outside of medomicslab_nb: {what}",
                     where=f"endpoint {endpoint}", todo="Restore the folder 'splits' of the study from a copy")


def _digest(split: pd.DataFrame) -> str:
    rows = sorted(zip(split["patient"].astype(str), split["fold"].astype(int), strict=True))
    return hashlib.sha256("\n".join(f"{patient}\t{fold}" for patient, fold in rows).encode()).hexdigest()

"""The rules of a site: what is looked at before patients are asked about, and again before anything leaves.

Every refusal is a :class:`ProtectionError` that says which rule, in words that hold no value of a patient.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.federated.ledger import COLUMN, PATIENTS
from medomicslab_nb.federated.messages import Release, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings

PARTS = {"training": "in the part that trains the model", "testing": "in the part that judges the model", "all": ""}

_SUMMARIES = ("moments", "combat", "histogram")
_JUDGED = ("evaluate", "shap")
_STEPS = {
    "logistic": (*_SUMMARIES, "logistic", *_JUDGED),
    "linear": (*_SUMMARIES, "linear", *_JUDGED),
    "cox": (*_SUMMARIES, "cox", *_JUDGED),
    "kaplan-meier": ("times",),
    "network": (*_SUMMARIES, "network", *_JUDGED),
    "trees": (*_SUMMARIES, "tree", *_JUDGED),
}
BY_COLUMN = frozenset({"moments", "histogram", "combat", "logistic", "linear", "cox", "network", "tree", "shap"})
"""Steps that sum over columns, so that who has a value matters."""


def steps_of(settings: FederatedSettings) -> tuple[str, ...]:
    """Names of the steps that a run with these settings may ask for."""
    left_out = {name for name, wanted in (("combat", settings.harmonisation), ("shap", settings.explain))
                if not wanted}
    return ("schema", *(name for name in _STEPS[settings.algorithm] if name not in left_out))


def part_asked(values: Values) -> str:
    """Which patients a question is about, as steps understand it: training, testing or all.

    Raises
    ------
    DataError
        None of these.
    """
    part = values.get("part", "training")
    if not isinstance(part, str) or part not in PARTS:
        raise DataError("a part of the patients was asked for that there is not", where="federated message",
                        todo="Install the same version of medomicslab_nb at the coordinator and at every site")
    return part


def check_question(policy: PolicySettings, settings: FederatedSettings, step: str, answered: int) -> None:
    """Refuse an algorithm or a step that is not allowed, and questions after the day's last.

    Parameters
    ----------
    answered : int
        Questions that were answered in the last 24 hours.

    Raises
    ------
    ProtectionError
    """
    if policy.algorithms and settings.algorithm not in policy.algorithms:
        raise ProtectionError(f"the algorithm {settings.algorithm} is not allowed here",
                              todo=f"Allowed: {', '.join(policy.algorithms)}")
    if step not in steps_of(settings):
        raise ProtectionError(f"the step '{step}' is no part of {settings.algorithm}, which was approved",
                              todo="Run what was approved, or have another plan approved")
    if answered >= policy.rounds_per_day:
        raise ProtectionError(f"{policy.rounds_per_day} questions have been answered in 24 hours, the most that are "
                              "allowed here", todo="Go on tomorrow: rounds that were answered are kept")


def check_network(settings: FederatedSettings, values: Values) -> None:
    """Refuse a network, or a privacy, that is not the approved plan's: noise could be turned off in a question.

    Raises
    ------
    ProtectionError
    """
    for name in ("network", "privacy"):
        if name in values and values[name] != getattr(settings, name).model_dump(mode="json"):
            raise ProtectionError(f"the question's settings of '{name}' are not those of the plan, which was approved",
                                  todo="Run what was approved, or have another plan approved")


def is_private(settings: FederatedSettings, step: str) -> bool:
    """Whether an answer to this step spends privacy."""
    return settings.privacy.kind != "none" and step == "network"


def check_spent(settings: FederatedSettings, spent: int) -> None:
    """Refuse training with differential privacy beyond the plan's rounds, of all its runs together.

    Parameters
    ----------
    spent : int
        Private answers that have left for this plan.

    Raises
    ------
    ProtectionError
    """
    if spent >= settings.network.rounds:
        raise ProtectionError(f"the privacy that this plan may spend here was spent in {spent} rounds",
                              todo="Have another plan approved, e.g. with another seed: its epsilon comes on top")


def check_columns(policy: PolicySettings, settings: FederatedSettings, patients: SitePatients) -> None:
    """Refuse columns that are not allowed: those that are used at this site, whatever the question names.

    Raises
    ------
    ProtectionError
        Names the columns.
    """
    if not policy.columns:
        return
    allowed = frozenset(policy.columns)
    used = [*patients.frame.columns, *settings.test, *_outcome_columns(settings, patients, allowed)]
    refused = sorted({name for name in map(str, used) if name not in allowed and _bare(name) not in allowed})
    if refused:
        raise ProtectionError(f"these columns are not allowed here: {', '.join(refused)}",
                              todo="Leave them out of 'predictors', or ask the site to allow them")


def _outcome_columns(settings: FederatedSettings, patients: SitePatients, allowed: frozenset[str]) -> list[str]:
    """Those of the outcome, follow-up included; an endpoint of the dictionary may be allowed by its name too."""
    columns = [column for _, column in patients.endpoint.columns]
    if not columns:
        return [name for name in (settings.outcome, settings.time) if name]
    named = settings.outcome in allowed and settings.outcome not in columns
    return [] if named else columns


def _bare(column: str) -> str:
    """Columns of one name in two tables are called "table: column"."""
    return column.rsplit(": ", 1)[-1]


def check_patients(policy: PolicySettings, patients: SitePatients, part: str, step: str) -> None:
    """Refuse to take part with too few patients or events, in all and in the part that is asked for.

    The part that judges a model is a share of the site: the steps that judge hold back what rests on few patients or
    events of it, and need no more than that it has as many patients as the minimum count, or none. Any other step is
    held to the whole minimum there.

    Raises
    ------
    ProtectionError
        Says what is lacking, and never how much there is.
    """
    _check_part(policy, patients, "all")
    if 0 < int(patients.testing.sum()) < policy.minimum_count:
        raise ProtectionError(f"fewer than {policy.minimum_count} patients would judge the model: what is told of the "
                              "others and of all would be about these few",
                              todo="Set 'holdout' to 0, or choose one, or a 'test', with which more judge")
    if part != "testing" or step not in _JUDGED:
        _check_part(policy, patients, part)


def rows_of(patients: SitePatients, part: str) -> np.ndarray:
    """Who of the patients is in the part; bool, shape (n_patients,)."""
    return {"training": ~patients.testing, "testing": patients.testing}.get(part, np.ones(len(patients), dtype=bool))


def _check_part(policy: PolicySettings, patients: SitePatients, part: str) -> None:
    rows = rows_of(patients, part)
    count = int(rows.sum())
    _refuse_few(count, policy.minimum_patients, "patients with a known outcome", part)
    if patients.endpoint.kind in ("binary", "survival"):
        events = int(np.sum(patients.endpoint.event[rows]))
        _refuse_few(events, policy.minimum_events, "patients with the event", part)
        if patients.endpoint.kind == "binary":
            _refuse_few(count - events, policy.minimum_events, "patients without the event", part)


def _refuse_few(count: int, minimum: int, who: str, part: str) -> None:
    if count < minimum:
        where = f" {PARTS[part]}" if PARTS[part] else ""
        raise ProtectionError(f"there are fewer than {minimum} {who}{where}, the least with which this site takes part",
                              todo="Leave the site out, or choose an outcome and a holdout with which it has more")


def cohorts(patients: SitePatients, part: str, step: str, minimum: int) -> dict[str, pd.Index]:
    """The patients behind a release by what is summed, for the ledger.

    All of the part, and for steps that sum over columns those with a value in each. A column that fewer than
    ``minimum`` of them know is left out: steps take it for one that nobody knows.
    """
    frame = patients.frame[rows_of(patients, part)]
    found = {PATIENTS: frame.index}
    if step in BY_COLUMN:
        known = {f"{COLUMN}{name}": frame.index[frame[name].notna()] for name in frame.columns}
        found |= {name: who for name, who in known.items() if len(who) >= minimum}
    return found


def cuts_told(step: str, values: Values, released: Values) -> dict[str, dict[float, int]]:
    """Of a question for bins of time: how many events, and how many censored patients, are told to be up to when."""
    if step != "times" or "edges" not in values:
        return {}
    edges = np.asarray(values["edges"], dtype=float)
    found = {}
    for what, ends in (("events", released["event_ends"]), ("censored", released["censored_ends"])):
        inside = np.asarray(ends, dtype=int) < len(edges)
        at, counts = edges[np.asarray(ends, dtype=int)[inside]], np.cumsum(released[what])[inside]
        found[what] = dict(zip(at.tolist(), counts.tolist(), strict=True))
    return found


def check_release(policy: PolicySettings, release: Release) -> None:
    """Refuse numbers behind which there are fewer patients than the minimum; a text alone may say so.

    Raises
    ------
    ProtectionError
    """
    minimum = policy.minimum_count
    if all(isinstance(value, str) for value in release.values.values()):
        return
    if release.patients < minimum:
        raise ProtectionError(f"what was asked for rests on fewer than {minimum} patients", todo=_FEWER)
    small = sum(0 < cell < minimum for cell in release.cells)
    if small:
        raise ProtectionError(f"{small} of {len(release.cells)} counts behind what was asked for are from 1 to "
                              f"{minimum - 1}", todo=_FEWER)


_FEWER = "Ask for less detail (fewer bins, fewer columns or categories), or leave the site out"

"""Somebody who sees all that leaves a site tries to get at single patients.

Each attack is tried twice: at a site without rules, where it must work, so that it is one; and at a site with the rules
that are the default, where it must fail for the reason that is named. What is not protected has tests of its own,
at the end: docs/federated_privacy.md says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.evaluation.endpoints import survival_endpoint
from medomicslab_nb.federated.ledger import Ledger
from medomicslab_nb.federated.messages import Reply
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings
from medomicslab_nb.federated.site import Site
from tests.federated.some_patients import SETTINGS, ask, some_patients

OPEN = PolicySettings(minimum_patients=1, minimum_events=0, minimum_count=1)
RULES = PolicySettings()
VICTIM = "PAT-0017"
NUMBERS = ("age", "marker")
CURVE = FederatedSettings(outcome="death", time="months", algorithm="kaplan-meier")

Run = Callable[[PolicySettings], Any]


class Hospital:
    """A site whose patients change from run to run, as those of a hospital do."""

    def __init__(self, policy: PolicySettings, patients: SitePatients) -> None:
        self.patients = patients
        self.site = Site("Basel", lambda _: self.patients, policy, None, None, Ledger())

    def ask(self, step: str, values: Mapping[str, Any], settings: FederatedSettings = SETTINGS) -> Reply:
        return ask(self.site, step, dict(values), settings=settings)

    def values(self, step: str, values: Mapping[str, Any], settings: FederatedSettings = SETTINGS) -> Mapping[str, Any]:
        """What it releases; a refusal ends the attack."""
        reply = self.ask(step, values, settings)
        if reply.refused:
            raise Refused(reply.refused)
        return reply.values


class Refused(Exception):
    pass


def question(part: str = "training", *, mean: float = 0.0, **more: Any) -> dict[str, Any]:
    """About age and marker in their own units; filled with ``mean``."""
    return {"part": part, "numeric": list(NUMBERS), "categories": {}, "zeros": [], "mean": np.full(2, mean),
            "scale": np.ones(2), "coef": np.zeros(3), **more}


def record(patients: SitePatients, name: str = VICTIM) -> tuple[list[float], bool]:
    """What the attack is after."""
    outcome = patients.endpoint.event[patients.endpoint.patients.get_loc(name)]
    return patients.frame.loc[name, list(NUMBERS)].astype(float).tolist(), bool(outcome)


def without(patients: SitePatients, name: str = VICTIM) -> SitePatients:
    return patients.where(patients.frame.index != name)


def in_training(count: int = 80) -> SitePatients:
    """Patients of whom some judge, and the victim does not."""
    patients = some_patients(count)
    assert not patients.testing[patients.frame.index.get_loc(VICTIM)]
    return patients


def from_gradients(difference: np.ndarray) -> tuple[list[float], bool]:
    """One patient's part of a gradient at 0 is (outcome - 1/2) times (1, age, marker)."""
    return list(difference[1:] / difference[0]), bool(difference[0] > 0)


def assert_found(found: tuple[list[float], bool], patients: SitePatients) -> None:
    values, outcome = record(patients)
    assert found[0] == pytest.approx(values)
    assert found[1] == outcome


# -- the gradient of one record

def test_gradient_of_a_site_with_one_patient():
    patients = some_patients(80, holdout=0)
    one = patients.where(patients.frame.index == VICTIM)

    def attack(policy: PolicySettings) -> tuple[list[float], bool]:
        return from_gradients(Hospital(policy, one).values("logistic", question())["gradient"])

    assert_found(attack(OPEN), patients)
    with pytest.raises(Refused, match="fewer than 20 patients with a known outcome"):
        attack(RULES)


@pytest.mark.parametrize("part", ["testing", "training"])
def test_a_column_that_picks_out_one_patient(part):
    """{"postcode": "4051"} makes one patient the judge, or all but one."""
    patients = some_patients(80, holdout=0)
    picked = patients.frame.index == VICTIM
    patients = replace(patients, testing=picked if part == "testing" else ~picked)

    def attack(policy: PolicySettings) -> tuple[list[float], bool]:
        settings = SETTINGS.model_copy(update={"test": {"postcode": "4051"}})
        return from_gradients(Hospital(policy, patients).values("logistic", question(part), settings)["gradient"])

    assert_found(attack(OPEN), patients)
    expected = "would judge the model" if part == "testing" else "in the part that trains the model"
    with pytest.raises(Refused, match=f"fewer than .* {expected}"):
        attack(RULES)


def test_events_of_one_patient():
    """Of a Cox model with one event, the gradient is this patient's record less the mean of all."""
    patients = some_patients(80, holdout=0)
    time = pd.Series(np.linspace(1, 60, 80), index=patients.frame.index)
    endpoint = survival_endpoint("death", time, pd.Series(patients.frame.index == VICTIM, index=time.index))
    patients = replace(patients, endpoint=endpoint)
    at_risk = patients.frame.loc[(time >= time[VICTIM]).to_numpy(), list(NUMBERS)].astype(float)

    def attack(policy: PolicySettings) -> list[float]:
        settings = SETTINGS.model_copy(update={"algorithm": "cox", "outcome": "death", "time": "months"})
        asked = question(ties="efron", coef=np.zeros(2))
        return list(Hospital(policy, patients).values("cox", asked, settings)["gradient"] + at_risk.mean())

    assert attack(OPEN) == pytest.approx(record(patients)[0])
    with pytest.raises(Refused, match="fewer than 5 patients with the event"):
        attack(RULES)


# -- differences of runs

def change_added(patients: SitePatients) -> tuple[SitePatients, SitePatients]:
    return without(patients), patients


def change_removed(patients: SitePatients) -> tuple[SitePatients, SitePatients]:
    return patients, without(patients)


def change_held_out(patients: SitePatients) -> tuple[SitePatients, SitePatients]:
    """Another seed, holdout or test column of the same patients, that moves one of them."""
    return patients, replace(patients, testing=patients.testing | (patients.frame.index == VICTIM))


def change_exchanged(patients: SitePatients) -> tuple[SitePatients, SitePatients]:
    """One patient is no longer in training; another, whom the attacker knows, is."""
    moved = patients.testing | (patients.frame.index == VICTIM)
    moved[np.flatnonzero(patients.testing)[0]] = False
    return patients, replace(patients, testing=moved)


@pytest.mark.parametrize("step", ["logistic", "moments"])
@pytest.mark.parametrize("change", [change_added, change_removed, change_held_out])
def test_difference_of_two_runs(change, step):
    patients = in_training()
    before, after = change(patients)
    sign = -1 if change is change_added else 1

    def attack(policy: PolicySettings) -> np.ndarray:
        hospital = Hospital(policy, before)
        first = sums(hospital, step)
        hospital.patients = after
        return sign * (first - sums(hospital, step))

    found = attack(OPEN)
    if step == "logistic":
        assert_found(from_gradients(found), patients)
    else:
        assert list(found) == pytest.approx(record(patients)[0])
    with pytest.raises(Refused, match="differ by fewer than 5"):
        attack(RULES)


def sums(hospital: Hospital, step: str, part: str = "training") -> np.ndarray:
    values = hospital.values(step, question(part))
    return values["gradient"] if step == "logistic" else values["mean"] * values["count"]


def test_difference_with_a_patient_whom_the_attacker_knows():
    patients = in_training()
    before, after = change_exchanged(patients)
    known = patients.frame.index[np.flatnonzero(patients.testing)[0]]

    def attack(policy: PolicySettings) -> np.ndarray:
        hospital = Hospital(policy, before)
        first = sums(hospital, "moments")
        hospital.patients = after
        return first - sums(hospital, "moments") + np.array(record(patients, known)[0])

    assert list(attack(OPEN)) == pytest.approx(record(patients)[0])
    with pytest.raises(Refused, match="differ by fewer than 5"):
        attack(RULES)


def test_a_holdout_that_is_a_little_larger():
    """Shares are drawn by hash, and the smaller is a part of the larger: a real plan that shifts few patients."""
    shares = np.linspace(0.25, 0.3, 51)
    before = some_patients(80, holdout=0.25)
    after = next(one for share in shares if (one := some_patients(80, holdout=share)).testing.sum()
                 == before.testing.sum() + 1)
    moved = before.frame.index[after.testing & ~before.testing][0]

    def attack(policy: PolicySettings) -> np.ndarray:
        hospital = Hospital(policy, before)
        first = sums(hospital, "moments")
        hospital.patients = after
        return first - sums(hospital, "moments")

    assert list(attack(OPEN)) == pytest.approx(record(before, moved)[0])
    with pytest.raises(Refused, match="differ by fewer than 5"):
        attack(RULES)


def test_both_parts_of_one_run_and_both_of_another_with_other_seed():
    """No two of the four cohorts are alike; both parts together are all, and of these one came between the runs."""
    whole = some_patients(120, split_seed=2)
    before = without(some_patients(120, split_seed=1))

    def attack(policy: PolicySettings) -> np.ndarray:
        hospital = Hospital(policy, before)
        first = sums(hospital, "moments") + sums(hospital, "moments", "testing")
        hospital.patients = whole
        return sums(hospital, "moments") + sums(hospital, "moments", "testing") - first

    assert list(attack(OPEN)) == pytest.approx(record(whole)[0])
    with pytest.raises(Refused, match="together with earlier releases, sums over fewer than 5 patients"):
        attack(RULES)


def test_a_value_that_was_filled_in_between_two_runs():
    """The same patients, of whom one has got a value."""
    after = in_training()
    frame = after.frame.copy()
    frame.loc[frame.index[60:70], "marker"] = np.nan
    after = replace(after, frame=frame)
    lacking = frame.copy()
    lacking.loc[VICTIM, "marker"] = np.nan
    before = replace(after, frame=lacking)

    def attack(policy: PolicySettings) -> float:
        hospital = Hospital(policy, before)
        first = sums(hospital, "moments")
        hospital.patients = after
        return (sums(hospital, "moments") - first)[1]

    assert attack(OPEN) == pytest.approx(record(after)[0][1])
    with pytest.raises(Refused, match="who have a value in 'marker' differ by fewer than 5"):
        attack(RULES)


def test_the_difference_is_refused_after_a_restart_too(tmp_path):
    patients = in_training()

    def site() -> Hospital:
        hospital = Hospital(RULES, patients)
        hospital.site = Site("Basel", lambda _: hospital.patients, RULES, None, None, Ledger(tmp_path / "ledger.jsonl"))
        return hospital

    site().values("moments", question())
    again = site()
    again.patients = without(patients)
    with pytest.raises(Refused, match="differ by fewer than 5"):
        again.values("moments", question())


# -- who is alone with something

def test_the_only_patient_without_a_value():
    """Two models with other means for the gap: the difference is about who lacks the value, in all other columns."""
    patients = in_training()
    frame = patients.frame.copy()
    frame.loc[VICTIM, "marker"] = np.nan
    patients = replace(patients, frame=frame)
    known = patients.training_part.frame["marker"].notna()

    def attack(policy: PolicySettings) -> float:
        """The sum of age over who has a marker is in the cross products, times the difference of the means."""
        hospital = Hospital(policy, patients)
        asked = [question(mean=mean) for mean in (0.0, 1.0)]
        cross = [hospital.values("logistic", one)["information"] * 4 for one in asked]
        count, age = cross[0][0, 0], cross[0][0, 1]
        # Sum over who has a marker of (age - m) (marker - m) is cross[1, 2], with m = 0 and m = 1.
        sum_marker, product = cross[0][0, 2], cross[0][1, 2]
        with_marker = product - sum_marker - cross[1][1, 2] + (count - cross_lacking(cross, count))
        return age - with_marker

    def cross_lacking(cross: list[np.ndarray], count: float) -> float:
        """How many lack the marker: the sum of marker - m is less by m for each who has one."""
        return count - (cross[0][0, 2] - cross[1][0, 2])

    assert known.sum() == len(known) - 1
    assert attack(OPEN) == pytest.approx(record(patients)[0][0])
    of_several = attack(RULES)
    ages = patients.training_part.frame["age"]
    assert abs(of_several - ages[VICTIM]) > ages.sort_values().head(4).sum()  # the sum of five patients' ages


def with_outcome(patients: SitePatients, outcome: bool) -> SitePatients:
    """The same patients, of whom the victim has this outcome."""
    event = patients.endpoint.outcome.copy()
    event[patients.frame.index.get_loc(VICTIM)] = outcome
    return replace(patients, endpoint=replace(patients.endpoint, outcome=event))


def test_a_column_of_two_values_of_which_one_patient_has_the_rarer():
    """The gradient of an indicator is the outcome of who has it."""
    patients = some_patients(80, holdout=0)
    patients = replace(patients, frame=patients.frame.assign(marker=(patients.frame.index == VICTIM).astype(float)))

    def attack(policy: PolicySettings, outcome: bool) -> float:
        return Hospital(policy, with_outcome(patients, outcome)).values("logistic", question())["gradient"][2]

    assert (attack(OPEN, True), attack(OPEN, False)) == (0.5, -0.5)
    assert attack(RULES, True) == attack(RULES, False) == 0  # the column counts as missing, for all
    assert Hospital(RULES, patients).values("moments", question())["few"] == ["marker"]


def test_a_category_that_one_patient_has():
    patients = some_patients(80, holdout=0)
    frame = patients.frame.assign(sex=np.where(patients.frame.index == VICTIM, "other", patients.frame["sex"]))
    patients = replace(patients, frame=frame)
    asked = {**question(), "numeric": [], "categories": {"sex": ["f", "m", "other"]}}

    def levels(policy: PolicySettings) -> list[str]:
        return Hospital(policy, patients).values("schema", {})["columns"]["sex"]["levels"]

    def attack(policy: PolicySettings, outcome: bool) -> float:
        return Hospital(policy, with_outcome(patients, outcome)).values("logistic", asked)["gradient"][2]

    assert levels(OPEN) == ["f", "m", "other"]
    assert (attack(OPEN, True), attack(OPEN, False)) == (0.5, -0.5)
    assert levels(RULES) == ["f", "m"]
    assert attack(RULES, True) == attack(RULES, False) == 0  # who asks for it all the same learns nothing


# -- bins

@pytest.fixture
def oldest() -> SitePatients:
    patients = some_patients(80, holdout=0)
    frame = patients.frame.copy()
    frame.loc[VICTIM, "age"] = 104.3
    return replace(patients, frame=frame)


TREES = SETTINGS.model_copy(update={"algorithm": "trees"})


def test_bins_that_hold_one_patient(oldest):
    grid = np.arange(15.0, 115.0, 0.25)

    def attack(policy: PolicySettings) -> tuple[float, list[int]]:
        found = Hospital(policy, oldest).values("histogram", question(grid=grid), TREES)["columns"]["age"]
        inside = [end for end, count in zip(found["ends"], found["counts"], strict=True) if count][-1]
        start = [0, *found["ends"]][found["ends"].index(inside)]
        return grid[min(inside, len(grid) - 1)] - grid[max(start - 1, 0)], found["counts"]

    width, counts = attack(OPEN)
    assert width <= 0.5
    assert 1 in counts
    width, counts = attack(RULES)
    assert width > 10
    assert not [count for count in counts if 0 < count < 5]


def followed() -> SitePatients:
    patients = some_patients(80, holdout=0)
    rng = np.random.default_rng(5)
    time = pd.Series(rng.exponential(30, 80).round(2) + 0.5, index=patients.frame.index)
    endpoint = survival_endpoint("death", time, pd.Series(rng.random(80) < 0.5, index=time.index))
    return replace(patients, endpoint=endpoint)


def cumulative(values: Mapping[str, Any], edges: np.ndarray) -> dict[float, int]:
    """Events up to each time that was told."""
    ends = np.asarray(values["event_ends"], dtype=int)
    return dict(zip(edges[ends].tolist(), np.cumsum(values["events"]).tolist(), strict=True))


def test_bins_of_time_that_hold_one_event():
    patients = followed()
    edges = np.linspace(0, 120, 1201)

    def attack(policy: PolicySettings) -> list[float]:
        values = Hospital(policy, patients).values("times", {"part": "all", "edges": edges}, CURVE)
        ends, counts = np.asarray(values["event_ends"], dtype=int), np.asarray(values["events"])
        starts = np.append(0, ends[:-1])
        return [edges[end] for start, end, count in zip(starts, ends, counts, strict=True)
                if count == 1 and end - start == 1]

    times = patients.endpoint.time[patients.endpoint.event]
    found = attack(OPEN)
    assert len(found) > 20
    assert all(np.abs(times - one).min() <= 0.1 for one in found)
    assert attack(RULES) == []


def test_two_curves_with_other_bins():
    """Between two times that are told, one in each run, there is one event: its time is known to the day."""
    patients = followed()
    edges = {bins: np.linspace(0, 60, bins + 1) for bins in (20, 21)}

    def attack(policy: PolicySettings) -> list[tuple[float, float]]:
        hospital = Hospital(policy, patients)
        told: dict[float, int] = {}
        for one in edges.values():
            told |= cumulative(hospital.values("times", {"part": "all", "edges": one}, CURVE), one)
        at = sorted(told)
        return [(a, b) for a, b in pairwise(at) if told[b] - told[a] == 1]

    times = patients.endpoint.time[patients.endpoint.event]
    narrow = attack(OPEN)
    assert narrow
    assert all(((times > a) & (times <= b)).sum() == 1 for a, b in narrow)
    with pytest.raises(Refused, match="bins"):
        attack(RULES)


# -- what is not protected: docs/federated_privacy.md says each of these

def test_not_protected_a_correction_between_two_runs():
    """The same patients, one value of whom was corrected: the difference of the sums is the correction."""
    patients = in_training()
    frame = patients.frame.copy()
    frame.loc[VICTIM, "age"] += 7.5
    hospital = Hospital(RULES, patients)
    first = sums(hospital, "moments")
    hospital.patients = replace(patients, frame=frame)
    assert list(sums(hospital, "moments") - first) == pytest.approx([7.5, 0])


def test_not_protected_a_coordinator_who_asks_for_a_model_that_no_fit_would_reach():
    """With a steep enough model each patient counts fully or not at all: two cuts with one patient between them."""
    patients = some_patients(80, holdout=0)
    ages = patients.frame["age"].sort_values()
    lower, age, upper = (ages.iloc[place] for place in (39, 40, 41))
    victim = ages.index[40]
    assert lower < age < upper

    def gradient(cut: float) -> np.ndarray:
        return hospital.values("logistic", question() | {"coef": np.array([-1e4 * cut, 1e4, 0.0])})["gradient"]

    hospital = Hospital(RULES, patients)
    difference = gradient((age + upper) / 2) - gradient((lower + age) / 2)
    assert list(difference[1:]) == pytest.approx(record(patients, victim)[0])


def test_not_protected_two_columns_that_nearly_the_same_patients_lack():
    """Ten lack the one and the same ten but one the other: sums over who lacks which differ by this one."""
    patients = some_patients(80, holdout=0)
    frame = patients.frame.assign(weight=np.linspace(50, 90, 80))
    frame.loc[frame.index[10:20], "marker"] = np.nan
    frame.loc[frame.index[10:20].drop(VICTIM), "weight"] = np.nan
    patients = replace(patients, frame=frame)
    hospital = Hospital(RULES, patients)

    def age_of_those_with(column: str) -> float:
        """The cross product of age and a column, with two means for its gaps."""
        asked = {**question(), "numeric": ["age", column]}
        two = [4 * hospital.values("logistic", {**asked, "mean": np.array([0.0, mean])})["information"]
               for mean in (0.0, 1.0)]
        return two[0][1, 2] - two[1][1, 2]

    assert age_of_those_with("weight") - age_of_those_with("marker") == pytest.approx(record(patients)[0][0])


def test_not_protected_how_many_lack_a_value():
    patients = some_patients(80, holdout=0)
    frame = patients.frame.copy()
    frame.loc[VICTIM, "marker"] = np.nan
    columns = Hospital(RULES, replace(patients, frame=frame)).values("schema", {})["columns"]
    assert columns["marker"]["known"] == 79

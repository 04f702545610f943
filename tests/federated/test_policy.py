from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.evaluation.endpoints import continuous_endpoint, survival_endpoint
from medomicslab_nb.federated.ledger import COLUMN, PATIENTS
from medomicslab_nb.federated.messages import Release
from medomicslab_nb.federated.policy import (
    check_columns,
    check_patients,
    check_question,
    check_release,
    cohorts,
    part_asked,
    steps_of,
)
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings
from medomicslab_nb.federated.steps import STEPS
from medomicslab_nb.federated.tasks.parts import part_of
from tests.federated.some_patients import SETTINGS, some_patients

POLICY = PolicySettings()


def settings(**changes) -> FederatedSettings:
    return SETTINGS.model_copy(update=changes)


# -- before patients are asked about

def test_an_algorithm_that_is_not_allowed_is_refused():
    check_question(PolicySettings(algorithms=("cox", "logistic")), SETTINGS, "logistic", 0)
    with pytest.raises(ProtectionError, match=r"logistic is not allowed here\. Allowed: cox"):
        check_question(PolicySettings(algorithms=("cox",)), SETTINGS, "schema", 0)


@pytest.mark.parametrize(("algorithm", "step"), [("kaplan-meier", "logistic"), ("kaplan-meier", "moments"),
                                                 ("logistic", "tree"), ("logistic", "network"), ("linear", "cox")])
def test_a_step_that_the_plan_does_not_need_is_refused(algorithm, step):
    with pytest.raises(ProtectionError, match=f"'{step}' is no part of {algorithm}"):
        check_question(POLICY, settings(algorithm=algorithm), step, 0)


def test_harmonisation_and_explanation_are_answered_only_where_the_plan_says_so():
    assert "combat" in steps_of(settings(harmonisation=True))
    assert "combat" not in steps_of(settings())
    assert "shap" not in steps_of(settings(explain=False))


def test_every_step_belongs_to_some_plan():
    plans = [settings(algorithm=name, harmonisation=True)
             for name in ("logistic", "linear", "cox", "kaplan-meier", "network", "trees")]
    assert {step for plan in plans for step in steps_of(plan)} == set(STEPS)


def test_questions_after_the_days_last_are_refused():
    policy = PolicySettings(rounds_per_day=10)
    check_question(policy, SETTINGS, "moments", 9)
    with pytest.raises(ProtectionError, match="10 questions have been answered in 24 hours"):
        check_question(policy, SETTINGS, "moments", 10)


# -- columns

@pytest.mark.parametrize("allowed", [("age", "marker", "sex", "relapse"), ()])
def test_columns_that_are_allowed_may_be_used(allowed):
    check_columns(PolicySettings(columns=allowed), SETTINGS, some_patients())


def test_other_columns_are_refused_by_name():
    with pytest.raises(ProtectionError, match="not allowed here: marker, sex"):
        check_columns(PolicySettings(columns=("age", "relapse")), SETTINGS, some_patients())


def test_the_outcome_is_a_column_too():
    with pytest.raises(ProtectionError, match="not allowed here: relapse"):
        check_columns(PolicySettings(columns=("age", "marker", "sex")), SETTINGS, some_patients())


def test_the_column_that_says_who_judges_is_one_too():
    policy = PolicySettings(columns=("age", "marker", "sex", "relapse"))
    with pytest.raises(ProtectionError, match="not allowed here: postcode"):
        check_columns(policy, settings(test={"postcode": "4051"}), some_patients())


def test_what_is_used_counts_and_not_what_the_plan_names():
    """Without predictors in the plan, every predictor of this site's dictionary is used."""
    policy = PolicySettings(columns=("age", "relapse"))
    with pytest.raises(ProtectionError, match="marker"):
        check_columns(policy, settings(predictors={}), some_patients())


def test_columns_of_one_name_in_two_tables_are_known_by_it():
    patients = some_patients()
    patients = replace(patients, frame=patients.frame.rename(columns={"age": "clinical: age"}))
    check_columns(PolicySettings(columns=("age", "marker", "sex", "relapse")), SETTINGS, patients)


PREDICTORS = ("age", "marker", "sex")


@pytest.mark.parametrize(("outcome", "allowed", "refused"), [
    ("relapse", ("relapsed", "months"), ""), ("relapse", ("relapse",), ""), ("relapse", ("relapsed",), "months"),
    ("relapsed", ("relapsed", "months"), ""), ("relapsed", ("relapsed",), "months"),
    ("relapse", (), "months, relapsed")])
def test_an_endpoint_of_the_dictionary_is_known_by_its_columns_or_its_name(outcome, allowed, refused):
    patients = some_patients()
    endpoint = replace(patients.endpoint, columns=(("clinical", "relapsed"), ("clinical", "months")))
    policy = PolicySettings(columns=(*PREDICTORS, *allowed))
    if not refused:
        check_columns(policy, settings(outcome=outcome), replace(patients, endpoint=endpoint))
        return
    with pytest.raises(ProtectionError, match=rf"not allowed here: {refused}\. Leave"):
        check_columns(policy, settings(outcome=outcome), replace(patients, endpoint=endpoint))


# -- patients

def with_events(events: int, count: int = 60, testing: int = 0):
    patients = some_patients(count)
    outcome = np.arange(count) < events
    return replace(patients, endpoint=replace(patients.endpoint, outcome=outcome),
                   testing=np.arange(count) >= count - testing)


def test_a_site_with_enough_patients_takes_part():
    check_patients(POLICY, some_patients(20, holdout=0), "training", "logistic")


def test_a_site_with_few_patients_takes_no_part_and_does_not_say_how_many_it_has():
    with pytest.raises(ProtectionError, match="fewer than 20 patients with a known outcome") as refused:
        check_patients(POLICY, some_patients(19, holdout=0), "all", "schema")
    assert "19" not in str(refused.value)


@pytest.mark.parametrize(("events", "what"), [(0, "with the event"), (4, "with the event"), (56, "without the event"),
                                              (60, "without the event")])
def test_a_site_with_few_positive_or_few_negative_cases_takes_no_part(events, what):
    with pytest.raises(ProtectionError, match=f"fewer than 5 patients {what}"):
        check_patients(POLICY, with_events(events), "all", "schema")


def test_the_part_that_trains_is_looked_at_too():
    patients = with_events(8, testing=0)
    testing = np.zeros(60, dtype=bool)
    testing[2:9] = True  # six of the eight events judge the model
    patients = replace(patients, testing=testing)
    check_patients(POLICY, patients, "all", "schema")
    with pytest.raises(ProtectionError, match="in the part that trains the model"):
        check_patients(POLICY, patients, "training", "logistic")


@pytest.mark.parametrize("testing", [0, 5, 6])
def test_who_judges_may_be_fewer_but_not_fewer_than_the_count(testing):
    check_patients(POLICY, with_events(20, testing=testing), "testing", "evaluate")


@pytest.mark.parametrize("testing", [1, 4])
@pytest.mark.parametrize("part", ["training", "testing", "all"])
def test_one_patient_is_not_singled_out_as_the_judge(testing, part):
    with pytest.raises(ProtectionError, match="fewer than 5 patients would judge the model"):
        check_patients(POLICY, with_events(20, testing=testing), part, "evaluate")


@pytest.mark.parametrize("step", ["moments", "logistic", "linear", "cox", "network", "tree", "histogram"])
def test_sums_over_who_judges_need_as_many_as_sums_over_who_trains(step):
    with pytest.raises(ProtectionError, match="in the part that judges"):
        check_patients(POLICY, with_events(30, testing=12), "testing", step)


def test_of_a_follow_up_only_the_events_are_counted():
    patients = some_patients(40, holdout=0)
    time = pd.Series(np.arange(1.0, 41.0), index=patients.frame.index)
    everybody = survival_endpoint("os", time, pd.Series(1, index=time.index))
    check_patients(POLICY, replace(patients, endpoint=everybody), "all", "times")
    few = survival_endpoint("os", time, (time < 5).astype(int))
    with pytest.raises(ProtectionError, match="fewer than 5 patients with the event"):
        check_patients(POLICY, replace(patients, endpoint=few), "all", "times")


def test_a_number_has_no_events():
    patients = some_patients(40, holdout=0)
    endpoint = continuous_endpoint("size", patients.frame["marker"])
    check_patients(POLICY, replace(patients, endpoint=endpoint), "all", "linear")


@pytest.mark.parametrize(("values", "part"), [({}, "training"), ({"part": "testing"}, "testing"),
                                              ({"part": "all", "numeric": []}, "all")])
def test_the_part_is_what_steps_take_for_it(values, part):
    assert part_asked(values) == part
    assert len(part_of(some_patients(60), values)) == len(cohorts(some_patients(60), part, "schema", 5)[PATIENTS])


@pytest.mark.parametrize("part", ["", "everybody", 1, None, ["all"]])
def test_a_part_that_there_is_not_is_refused(part):
    with pytest.raises(DataError):
        part_asked({"part": part})


# -- who stands behind a release

def test_a_release_stands_for_its_part():
    patients = some_patients(60)
    parts = {part: set(cohorts(patients, part, "evaluate", 5)[PATIENTS]) for part in ("training", "testing", "all")}
    assert parts["training"] | parts["testing"] == parts["all"] == set(patients.frame.index)
    assert not parts["training"] & parts["testing"]
    assert parts["testing"] == set(patients.testing_part.frame.index)


def test_sums_over_columns_stand_for_who_has_a_value():
    patients = some_patients(60, holdout=0)
    frame = patients.frame.copy()
    frame.iloc[:10, 0] = np.nan
    frame.iloc[:57, 1] = np.nan
    found = cohorts(replace(patients, frame=frame), "training", "moments", 5)
    assert set(found[f"{COLUMN}age"]) == set(frame.index[10:])
    assert set(found[f"{COLUMN}sex"]) == set(frame.index)
    assert f"{COLUMN}marker" not in found  # of three patients: the steps leave it out
    assert set(cohorts(patients, "all", "schema", 5)) == {PATIENTS}


# -- before anything leaves

def release(patients: int, cells: tuple[int, ...] = ()) -> Release:
    return Release({"sum": 1.5}, "sums", patients, cells)


def test_that_there_are_too_few_may_be_said():
    check_release(POLICY, Release({"few": "it has no patients to judge the model"}, "nothing but that", 0))


def test_what_rests_on_enough_may_leave():
    check_release(POLICY, release(5, (0, 5, 17, 0)))


@pytest.mark.parametrize("patients", [0, 1, 4])
def test_what_rests_on_few_may_not(patients):
    with pytest.raises(ProtectionError, match="rests on fewer than 5 patients"):
        check_release(POLICY, release(patients))


def test_a_small_count_may_not_and_is_not_told():
    with pytest.raises(ProtectionError, match="2 of 4 counts behind what was asked for are from 1 to 4"):
        check_release(POLICY, release(50, (0, 1, 4, 5)))


def test_the_site_sets_the_count():
    with pytest.raises(ProtectionError):
        check_release(PolicySettings(minimum_count=10), release(50, (9,)))
    check_release(PolicySettings(minimum_count=1), release(1, (1,)))

"""Endpoints: what is refused, what is decided, and where they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.outcomes import list_outcomes
from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import binary_endpoint, find_endpoint, survival_endpoint
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column

IDS = pd.Index([f"P{i}" for i in (3, 1, 2, 4)], name="patient")


def series(values, name="x") -> pd.Series:
    return pd.Series(values, index=IDS, name=name)


def test_patients_are_sorted_and_those_without_outcome_left_out_with_a_note():
    endpoint = binary_endpoint("response", series([1.0, 0.0, np.nan, 1.0]))
    assert list(endpoint.patients) == ["P1", "P3", "P4"]
    assert endpoint.event.tolist() == [False, True, True]
    assert endpoint.notes == ("1 of 4 patients have no value for 'response' and were left out.",)
    assert (endpoint.kind, endpoint.metric, endpoint.events) == ("binary", "auc", 2)


@pytest.mark.parametrize("values", [[1, 0, 0, 1], [True, False, False, True], ["yes", "no", "No", "YES"],
                                    ["1.0", "0", "0.0", "1"], ["dead", "alive", "alive", "dead"]])
def test_events_in_the_usual_words(values):
    assert binary_endpoint("x", series(values)).event.tolist() == [False, False, True, True]


def test_other_classes_need_the_positive_one():
    grades = series(["low", "high", "middle", "high"])
    with pytest.raises(DataError, match=r"Set 'positive'.*high, low, middle"):
        binary_endpoint("grade", grades)
    assert binary_endpoint("grade", grades, positive="high").events == 2
    with pytest.raises(DataError, match="no patient has the class 'High'"):
        binary_endpoint("grade", grades, positive="High")


def test_bad_input_48_one_class():
    with pytest.raises(DataError, match="one class only"):
        binary_endpoint("death", series([0, 0, 0, 0]))
    with pytest.raises(DataError, match="no patient has this outcome"):
        binary_endpoint("death", series([np.nan] * 4))


def test_bad_input_48_negative_times():
    with pytest.raises(DataError, match="'days' is negative in 1 patients"):
        survival_endpoint("death", series([10, -1, 5, 3], "days"), series([1, 0, 1, 0]))
    with pytest.raises(DataError, match="infinite"):
        survival_endpoint("death", series([10, np.inf, 5, 3], "days"), series([1, 0, 1, 0]))
    with pytest.raises(DataError, match="2 follow-up times are no numbers"):
        survival_endpoint("death", series(["10", "long", "5", "short"], "days"), series([1, 0, 1, 0]))


def test_bad_input_48_no_events():
    with pytest.raises(DataError, match="no patient had the event"):
        survival_endpoint("death", series([10, 1, 5, 3]), series([0, 0, 0, 0]))


@pytest.fixture
def study(tmp_path):
    study = create_study(tmp_path / "s")
    frame = pd.DataFrame({"patient": list("abcd"), "days": [4.0, 3, 2, 1], "dead": [1, 0, 1, 0],
                          "relapse": [0, 0, 1, 1], "age": [50, 60, 70, 80]})
    study.add_table("clinical", frame, columns={
        "patient": Column(role="identifier", type="text"), "days": Column(role="time", unit="days", endpoint="os"),
        "dead": Column(role="event", endpoint="os"), "relapse": Column(role="outcome", type="boolean"),
        "age": Column()})
    return study


def test_endpoint_is_found_by_its_name_in_the_dictionary(study):
    endpoint = find_endpoint(study, "os")
    assert endpoint.time.tolist() == [4, 3, 2, 1]
    assert endpoint.unit == "days"
    assert endpoint.columns == (("clinical", "dead"), ("clinical", "days"))
    assert find_endpoint(study, "relapse").kind == "binary"
    assert find_endpoint(study, "relapse", time="days").kind == "survival"


def test_unknown_endpoint_gives_the_nearest(study):
    with pytest.raises(DataError, match="Did you mean 'relapse'"):
        find_endpoint(study, "relaps")
    with pytest.raises(DataError, match="no column 'months'"):
        find_endpoint(study, "relapse", time="months")


def test_outcome_in_a_table_with_several_rows_per_patient_is_refused(study):
    visits = pd.DataFrame({"patient": ["a", "a", "b"], "response": [0, 1, 1]})
    study.add_table("visits", visits, level="visit", columns={"response": Column(role="outcome")})
    with pytest.raises(DataError, match="1 rows repeat a patient"):
        find_endpoint(study, "response")


def declare(study, **columns):
    study.update_columns("clinical", columns)


def test_outcome_and_time_of_one_endpoint_are_survival_in_both_stages(study):
    declare(study, dead=Column(role="outcome", endpoint="os"))
    endpoint = find_endpoint(study, "os")
    assert (endpoint.kind, endpoint.columns) == ("survival", (("clinical", "dead"), ("clinical", "days")))
    outcomes = {outcome.name: outcome for outcome in list_outcomes(CorrectedStudy(study, DataSettings()))}
    assert (outcomes["os"].kind, outcomes["os"].time_column) == ("survival", "days")
    assert outcomes["relapse"].kind == "binary"


def test_event_column_of_an_endpoint_is_used_with_its_time(study):
    endpoint = find_endpoint(study, "dead")
    assert endpoint.time.tolist() == [4, 3, 2, 1]
    assert "with its time 'days'" in endpoint.notes[0]
    first = list_outcomes(CorrectedStudy(study, DataSettings()), "dead")[0]
    assert (first.kind, first.time_column) == ("survival", "days")


def test_event_without_a_time_is_said_to_be_one(study):
    declare(study, relapse=Column(role="event"))
    endpoint = find_endpoint(study, "relapse")
    assert endpoint.kind == "binary"
    assert "event without a follow-up time" in endpoint.notes[0]


def test_several_candidates_of_one_endpoint_are_named(study):
    declare(study, relapse=Column(role="event", endpoint="os"))
    with pytest.raises(DataError, match="dead with days of table clinical; relapse with days of table clinical"):
        find_endpoint(study, "os")
    listed = list_outcomes(CorrectedStudy(study, DataSettings()))
    assert [outcome.name for outcome in listed] == ["os"]
    assert "several columns may be the outcome 'os'" in listed[0].fault


def test_candidates_in_several_tables_are_named(study):
    other = pd.DataFrame({"patient": list("abcd"), "relapse": [0, 1, 1, 0], "dead": [0, 1, 1, 0]})
    study.add_table("late", other, columns={"relapse": Column(role="outcome"), "dead": Column()})
    with pytest.raises(DataError, match="relapse of table clinical; relapse of table late"):
        find_endpoint(study, "relapse")
    with pytest.raises(DataError, match="dead with days of table clinical; dead of table late"):
        find_endpoint(study, "dead")


def test_time_in_another_table_than_the_event_is_refused(study):
    declare(study, relapse=Column(role="event", endpoint="dfs"))
    other = pd.DataFrame({"patient": list("abcd"), "months": [1.0, 2, 3, 4]})
    study.add_table("late", other, columns={"months": Column(role="time", endpoint="dfs")})
    with pytest.raises(DataError, match="is in table clinical, its follow-up time in table late"):
        find_endpoint(study, "dfs")

"""Endpoints: what is refused, what is decided, and where they come from."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.outcomes import list_outcomes
from medomicslab_nb.data.settings import Correction, DataSettings
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import (
    binary_endpoint,
    continuous_endpoint,
    find_endpoint,
    multiclass_endpoint,
    survival_endpoint,
)
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


def test_bad_input_48_infinite_or_constant_numbers_and_words():
    with pytest.raises(DataError, match="infinite in 1 patients"):
        continuous_endpoint("dose", series([1.0, np.inf, 2, 3]))
    with pytest.raises(DataError, match="infinite in 1 patients"):
        multiclass_endpoint("grade", series([1.0, np.inf, 2, 3]))
    with pytest.raises(DataError, match="every patient has the same value"):
        continuous_endpoint("dose", series([2.0, 2, 2, np.nan]))
    with pytest.raises(DataError, match="2 values of the outcome are no numbers"):
        continuous_endpoint("dose", series(["1", "low", "2", "high"]))
    with pytest.raises(DataError, match="are no numbers"):
        continuous_endpoint("dose", series(pd.to_datetime(["2020-01-01"] * 4)))


def test_bad_input_48_one_and_two_classes():
    with pytest.raises(DataError, match="one class only"):
        multiclass_endpoint("grade", series(["a"] * 4))
    with pytest.raises(DataError, match=r"two classes only.*binary"):
        multiclass_endpoint("grade", series(["a", "b", "a", "b"]))


@pytest.mark.parametrize(("values", "classes", "codes"), [
    ([10.0, 2, 3, 2], ("2", "3", "10"), [0, 1, 2, 0]),
    (["III", "I", "II", "I"], ("I", "II", "III"), [0, 1, 2, 0]),
    (pd.Categorical(["b", "a", "c", "a"]), ("a", "b", "c"), [0, 2, 1, 0]),
])
def test_classes_are_ordered_and_patients_sorted(values, classes, codes):
    endpoint = multiclass_endpoint("grade", series(values))
    assert (endpoint.kind, endpoint.metric, endpoint.classes) == ("multiclass", "auc_ovr", classes)
    assert list(endpoint.patients) == ["P1", "P2", "P3", "P4"]
    assert endpoint.outcome.tolist() == codes
    assert endpoint.outcome.dtype.kind == "i"
    assert endpoint.events == 1


def test_numbers_are_an_endpoint_with_unit():
    endpoint = continuous_endpoint("dose", series([1.5, np.nan, "2", 0]), unit="Gy")
    assert (endpoint.kind, endpoint.metric, endpoint.unit, len(endpoint)) == ("continuous", "r2", "Gy", 3)
    assert endpoint.outcome.tolist() == [2.0, 1.5, 0.0]
    assert "1 of 4 patients" in endpoint.notes[0]
    with pytest.raises(TypeError, match="no events"):
        _ = endpoint.event


def test_event_at_time_0_is_allowed():
    endpoint = survival_endpoint("os", series([0.0, 1, 2, 3]), series([1, 0, 1, 0]))
    assert endpoint.time.min() == 0 and endpoint.events == 2


def test_entry_is_kept_with_its_patients():
    entry = series([1.0, 0, np.nan, 2])
    endpoint = survival_endpoint("os", series([5.0, 4, 3, 2.5]), series([1, 0, 1, 0]), entry=entry)
    assert list(endpoint.patients) == ["P1", "P3", "P4"]
    assert endpoint.entry.tolist() == [0, 1, 2]
    assert endpoint.take(np.array([2])).entry.tolist() == [2]


@pytest.mark.parametrize(("entry", "words"), [
    ([5.0, 0, 4, 1], "2 of 4 patients come under observation"), ([-1.0, 0, 0, 0], "'x' is negative in 1"),
    (["0", "?", "0", "0"], "1 follow-up times are no numbers"), ([np.inf, 0, 0, 0], "infinite"),
])
def test_bad_input_48_entry_after_the_end_or_negative(entry, words):
    with pytest.raises(DataError, match=words):
        survival_endpoint("os", series([5.0, 4, 3, 2]), series([1, 0, 1, 0]), entry=series(entry))


@pytest.mark.parametrize(("cause", "interest", "causes", "codes"), [
    ([2, 0, 1, 1], "", ("1", "2"), [0, 1, 2, 1]),
    ([2, 0, 1, 1], "2", ("2", "1"), [0, 2, 1, 2]),
    (["cancer", None, "heart", "censored"], "heart", ("heart", "cancer"), [0, 1, 2, 0]),
    (["cancer", "", "cancer", " No "], "", ("cancer",), [0, 1, 1, 0]),
    ([1.0, np.nan, 10, 2], "10", ("10", "1", "2"), [0, 1, 2, 3]),
])
def test_causes_are_told_apart(cause, interest, causes, codes):
    endpoint = survival_endpoint("css", series([5.0, 4, 3, 2]), cause=series(cause), cause_of_interest=interest)
    assert (endpoint.causes, endpoint.cause.tolist()) == (causes, codes)
    assert endpoint.event.tolist() == [code == 1 for code in codes]
    assert any("competing events" in note for note in endpoint.notes) == (len(causes) > 1)


def test_causes_that_are_not_clear_are_refused():
    time = series([5.0, 4, 3, 2])
    with pytest.raises(DataError, match=r"not clear which cause is the event.*'positive'.*cancer, heart"):
        survival_endpoint("css", time, cause=series(["cancer", None, "heart", None]))
    with pytest.raises(DataError, match="no patient has the cause 'lung'"):
        survival_endpoint("css", time, cause=series(["cancer", None, "heart", None]), cause_of_interest="lung")
    with pytest.raises(DataError, match="no patient had the event"):
        survival_endpoint("css", time, cause=series([0, 0, 0, None]))


@pytest.mark.parametrize("event", [[1, 0, 1, 0], [0, 0, 1, 0]])
def test_a_competing_cause_may_count_as_event_or_not(event):
    cause = series(["heart", None, "cancer", None])
    endpoint = survival_endpoint("css", series([5.0, 4, 3, 2]), series(event), cause=cause, cause_of_interest="cancer")
    assert endpoint.cause.tolist() == [0, 1, 2, 0]


def test_event_and_cause_that_contradict_each_other_are_refused():
    cause = series(["heart", None, "cancer", None])
    with pytest.raises(DataError, match="contradict each other in 2 of 4 patients"):
        survival_endpoint("css", series([5.0, 4, 3, 2]), series([1, 1, 0, 0]), cause=cause, cause_of_interest="cancer")


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


N = 24
KINDS = {
    "grade": (["I", "II", "III"] * 8, Column(type="category"), "multiclass"),
    "stage": ([1, 2, 3, 4] * 6, Column(type="category"), "multiclass"),
    "psa": (np.arange(N) / 3, Column(unit="ng/mL"), "continuous"),
    "count": (np.arange(N), Column(type="integer"), "continuous"),
    "sex": (["f", "m"] * 12, Column(type="category"), "not clear which of its 2 values"),
    "ecog": ([0, 1, 2, 3] * 6, Column(), "not clear what kind of outcome its 4 different values make.*'kind'.*0, 1, 2"),
    "score": ([0, 1, 2, 3] * 6, Column(type="integer"), "'kind'.*'positive'"),
    "code": ([0, 1, 9] * 8, Column(type="boolean"), "not clear what kind"),
    "status": ([0, 1, 2] * 8, Column(role="event", type="category"), "not clear what kind"),
    "name": ([f"n{i}" for i in range(N)], Column(type="text"), "its 24 different values"),
    "seen": (pd.date_range("2020-01-01", periods=N), Column(type="date"), "it holds dates"),
    "free": (["x", "y", "z"] * 8, None, "multiclass"),
    "typed": (["1", "2", "?"] * 8, Column(), "not clear what kind"),
}


@pytest.fixture
def kinds(tmp_path):
    study = create_study(tmp_path / "kinds")
    values = {name: kind[0] for name, kind in KINDS.items()}
    frame = pd.DataFrame({"patient": [f"P{i:02d}" for i in range(N)], **values})
    study.add_table("clinical", frame, columns={name: kind[1] for name, kind in KINDS.items() if kind[1]})
    return study


@pytest.mark.parametrize("name", KINDS)
def test_kind_is_found_or_asked_for(kinds, name):
    expected = KINDS[name][2]
    if " " not in expected and "'" not in expected:
        assert find_endpoint(kinds, name).kind == expected
    else:
        with pytest.raises(DataError, match=expected):
            find_endpoint(kinds, name)


@pytest.mark.parametrize(("name", "options", "kind"), [
    ("ecog", {"kind": "multiclass"}, "multiclass"), ("ecog", {"kind": "continuous"}, "continuous"),
    ("ecog", {"positive": "3"}, "binary"), ("grade", {"positive": "III"}, "binary"),
    ("stage", {"kind": "continuous"}, "continuous"), ("sex", {"positive": "f"}, "binary"),
    ("name", {"kind": "multiclass"}, "multiclass"),
])
def test_kind_can_be_set(kinds, name, options, kind):
    endpoint = find_endpoint(kinds, name, **options)
    assert (endpoint.kind, endpoint.columns) == (kind, (("clinical", name),))


def test_kinds_that_do_not_fit_are_refused(kinds, study):
    with pytest.raises(DataError, match=r"no follow-up time.*'time'"):
        find_endpoint(kinds, "grade", kind="survival")
    with pytest.raises(DataError, match=r"no kind of endpoint 'cox'.*auto, binary"):
        find_endpoint(kinds, "grade", kind="cox")
    endpoint = find_endpoint(study, "os", kind="binary")
    assert (endpoint.kind, endpoint.columns[-1]) == ("binary", ("clinical", "days"))
    assert "used without its follow-up time 'days'" in endpoint.notes[0]
    assert find_endpoint(kinds, "psa").unit == "ng/mL"


def with_entry(study, **columns):
    frame = pd.DataFrame({"patient": list("abcd"), "days": [4.0, 3, 2, 1], "died": [1, 0, 1, 0],
                          "why": ["cancer", None, "other", None], "start": [0.0, 1, 1, 0.5]})
    study.add_table("late", frame, columns={
        "patient": Column(role="identifier", type="text"), "days": Column(role="time", unit="days", endpoint="css"),
        **columns})
    return study


def test_entry_and_cause_are_found_through_the_dictionary(study):
    with_entry(study, died=Column(role="event", endpoint="css"), why=Column(role="cause", endpoint="css"),
               start=Column(role="entry", endpoint="css"))
    endpoint = find_endpoint(study, "css", positive="cancer")
    assert endpoint.columns == tuple(("late", name) for name in ("died", "days", "start", "why"))
    assert (endpoint.entry.tolist(), endpoint.cause.tolist()) == ([0, 1, 1, 0.5], [1, 0, 2, 0])
    assert find_endpoint(study, "why", positive="other").causes == ("other", "cancer")
    with pytest.raises(DataError, match="not clear which cause"):
        find_endpoint(study, "css")


def test_a_cause_needs_no_event_and_an_entry_no_endpoint(study):
    with_entry(study, died=Column(role="ignore"), why=Column(role="cause", endpoint="css"), start=Column(role="entry"))
    endpoint = find_endpoint(study, "css", positive="cancer")
    assert (endpoint.event.tolist(), endpoint.entry.tolist()) == ([True, False, False, False], [0, 1, 1, 0.5])
    assert endpoint.columns == tuple(("late", name) for name in ("why", "days", "start"))


def test_an_entry_is_used_with_a_time_that_is_set(study):
    with_entry(study, died=Column(role="ignore"), why=Column(role="ignore"), start=Column(role="entry"))
    study.update_columns("late", {"died": Column(role="outcome", endpoint="gone"), "days": Column(role="ignore")})
    endpoint = find_endpoint(study, "gone", time="days")
    assert endpoint.entry.tolist() == [0, 1, 1, 0.5]
    assert find_endpoint(study, "gone").kind == "binary"


def test_entry_or_cause_in_another_table_is_refused(study):
    with_entry(study, days=Column(), died=Column(), why=Column(role="cause", endpoint="os"), start=Column())
    with pytest.raises(DataError, match="in table clinical, its cause in table late"):
        find_endpoint(study, "dead")
    study.update_columns("late", {"why": Column(role="ignore"), "start": Column(role="entry", endpoint="os")})
    with pytest.raises(DataError, match="in table clinical, its time of entry in table late"):
        find_endpoint(study, "os")


def test_bad_input_92_what_makes_an_endpoint_never_predicts(study):
    with_entry(study, died=Column(role="ignore"), why=Column(role="cause", endpoint="css"), start=Column(role="entry"))
    endpoint = find_endpoint(study, "css", positive="cancer")
    assert {column for _, column in endpoint.columns} == {"why", "days", "start"}
    assert CorrectedStudy(study, DataSettings()).names_of("late", "predictor") == []


def test_roles_of_the_dictionary_and_of_corrections_are_the_same():
    roles = set(get_args(Column.model_fields["role"].annotation))
    correction = get_args(get_args(Correction.model_fields["role"].annotation)[0])
    assert roles == set(correction) >= {"entry", "cause", "stratum"}

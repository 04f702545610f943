"""Endpoints from dates: a worked example by hand, what is left out and said, and what can never happen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.event_dates import build_endpoint, endpoint_from_dates
from medomicslab_nb.evaluation.event_dates_settings import EventDates
from medomicslab_nb.settings import Settings
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column

START = pd.Timestamp("2020-01-01")
NEVER = None

# Days from the diagnosis, which is on 1 January 2020 for everybody, so that the answer can be worked out by hand.
#      progression  death  contact      OS          PFS          TTP, death competes
EXAMPLE = {
    "A": (100, 300, 300, (300, 1), (100, 1), (100, 1)),      # progression, then death
    "B": (NEVER, 200, 200, (200, 1), (200, 1), (200, 2)),    # death without progression
    "C": (150, NEVER, 400, (400, 0), (150, 1), (150, 1)),    # alive with progression
    "D": (NEVER, NEVER, 500, (500, 0), (500, 0), (500, 0)),  # alive without
    "E": (250, 250, 250, (250, 1), (250, 1), (250, 1)),      # both on one day: the progression comes first
    "F": (NEVER, 350, 90, (350, 1), (350, 1), (350, 2)),     # died after the last contact: it counts
    "G": (NEVER, NEVER, 0, (0, 0), (0, 0), (0, 0)),          # never seen again
    "H": (0, 800, 800, (800, 1), (0, 1), (0, 1)),            # progression on the first day
    "I": (NEVER, 900, NEVER, (900, 1), (900, 1), (900, 2)),  # last contact missing, but the death is known
    "J": (NEVER, NEVER, NEVER, None, None, None),            # nothing known: left out
}


def dates(**columns) -> pd.DataFrame:
    """Days from the start as dates; patients are called A, B, ..."""
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({name: START + pd.to_timedelta(pd.Series(days, dtype=float), unit="D")
                          for name, days in columns.items()})
    return frame.set_axis(pd.Index([chr(65 + i) for i in range(n)], name="patient"))


def example() -> pd.DataFrame:
    rows = list(EXAMPLE.values())
    return dates(diagnosis=[0] * len(rows), progression=[row[0] for row in rows], death=[row[1] for row in rows],
                 contact=[row[2] for row in rows])


OS = EventDates(anchor="diagnosis", events=("death",), last_contact="contact")
PFS = EventDates(anchor="diagnosis", events=("progression", "death"), last_contact="contact")
TTP = EventDates(anchor="diagnosis", events=("progression",), competing=("death",), last_contact="contact")


def changed(recipe: EventDates, **fields) -> EventDates:
    return EventDates.model_validate({**recipe.model_dump(), **fields})


@pytest.mark.parametrize(("recipe", "answer"), [(OS, 3), (PFS, 4), (TTP, 5)])
def test_ten_patients_worked_by_hand(recipe, answer):
    endpoint = build_endpoint("x", example(), recipe)
    expected = {patient: row[answer] for patient, row in EXAMPLE.items() if row[answer]}
    assert list(endpoint.patients) == list(expected)
    assert endpoint.time.tolist() == [time for time, _ in expected.values()]
    assert endpoint.event.tolist() == [code == 1 for _, code in expected.values()]
    if recipe is TTP:
        assert endpoint.cause.tolist() == [code for _, code in expected.values()]
        assert endpoint.causes == ("progression", "death")
    assert endpoint.unit == "days"


def test_what_was_decided_is_said_with_counts():
    notes = " ".join(build_endpoint("pfs", example(), PFS).notes)
    assert "1 of 10 patients have neither an event nor a date of last contact and were left out" in notes
    assert "1 patients have an event after their last contact: the event counts" in notes
    assert "'progression' in 4, 'death' in 3 patients" in notes
    assert "competing events: 'death' (3)" in " ".join(build_endpoint("ttp", example(), TTP).notes)


def test_administrative_end_and_maximum_end_follow_up():
    end = build_endpoint("os", example(), changed(OS, administrative="2020-09-07"))  # day 250
    assert list(end.patients) == list("ABCDEFGHI")
    assert end.time.tolist() == [250, 200, 250, 250, 250, 250, 0, 250, 250]
    assert list(end.patients[end.event]) == ["B", "E"]  # E: on that very day
    assert "4 patients have their first event after the end of follow-up" in " ".join(end.notes)
    most = build_endpoint("os", example(), changed(OS, maximum=250))
    assert (most.time.tolist(), most.event.tolist()) == (end.time.tolist(), end.event.tolist())


def test_without_a_last_contact_all_are_followed_to_the_administrative_end():
    recipe = changed(OS, last_contact="", administrative="2021-01-01")  # day 366: 2020 is a leap year
    endpoint = build_endpoint("os", example(), recipe)
    assert endpoint.time.tolist() == [300, 200, 366, 366, 250, 350, 366, 366, 366, 366]
    assert endpoint.events == 4
    assert "last contact" not in " ".join(endpoint.notes)


def test_patients_who_came_after_the_administrative_end_are_left_out():
    frame = dates(diagnosis=[0, 0, 400], death=[100, NEVER, 500], contact=[100, 300, 500])
    endpoint = build_endpoint("os", frame, changed(OS, administrative="2021-01-01"))
    assert list(endpoint.patients) == ["A", "B"]
    assert "1 of 3 patients have an anchor date after the administrative end" in endpoint.notes[0]


@pytest.mark.parametrize(("unit", "days"), [("months", 30.4375), ("years", 365.25)])
def test_time_in_other_units(unit, days):
    endpoint = build_endpoint("os", example(), changed(OS, unit=unit, maximum=400 / days))
    assert endpoint.unit == unit
    np.testing.assert_allclose(endpoint.time * days, [300, 200, 400, 400, 250, 350, 0, 400, 400], rtol=1e-12)


def test_late_entry():
    frame = dates(diagnosis=[0] * 6, referred=[-5, 10, 100, 300, NEVER, 50], death=[80, 90, 90, 400, 50, 50],
                  contact=[80, 90, 90, 400, 50, 50])
    endpoint = build_endpoint("os", frame, changed(OS, entry="referred", unit="days"))
    assert list(endpoint.patients) == ["A", "B", "D"]
    assert (endpoint.entry.tolist(), endpoint.time.tolist()) == ([0, 10, 300], [80, 90, 400])
    assert "1 of 6 patients have no date of entry and were left out." in endpoint.notes
    assert any(note.startswith("2 of 6 patients have an event or the end") for note in endpoint.notes)


def test_missing_anchors_are_left_out_and_times_of_day_ignored():
    frame = dates(diagnosis=[0.9, NEVER, 0.1], death=[10.1, 20, NEVER], contact=[10.5, 20, 30.99])
    endpoint = build_endpoint("os", frame, OS)
    assert endpoint.time.tolist() == [10, 30]
    assert "1 of 3 patients have no anchor date and were left out." in endpoint.notes


def test_bad_input_48_events_before_the_anchor():
    frame = dates(diagnosis=[0, 50, 50], progression=[NEVER, 10, 20], death=[10, 40, NEVER], contact=[10, 60, 90])
    with pytest.raises(DataError, match=r"negative.*'progression' in 2 patients, 'death' in 1 patients"):
        build_endpoint("pfs", frame, PFS)
    with pytest.raises(DataError, match="'contact' in 1 patients"):
        build_endpoint("os", dates(diagnosis=[0, 50], death=[10, NEVER], contact=[10, 20]), OS)


def test_bad_input_48_nobody_left_or_no_event():
    with pytest.raises(DataError, match="no patient had the event"):
        build_endpoint("os", dates(diagnosis=[0, 0], death=[NEVER] * 2, contact=[5, 6]), OS)
    with pytest.raises(DataError, match="2 of 2 patients have no anchor date"):
        build_endpoint("os", dates(diagnosis=[NEVER] * 2, death=[5, 6], contact=[5, 6]), OS)


@pytest.mark.parametrize(("values", "words"), [
    (["2020-03-01", "soon", None], "1 of 3 values are no dates"), ([1.0, 2.0, 3.0], "it holds numbers, not dates"),
])
def test_dates_that_are_none(values, words):
    frame = dates(diagnosis=[0, 0, 0], contact=[5, 6, 7]).assign(death=values)
    with pytest.raises(DataError, match=words):
        build_endpoint("os", frame, OS)


def test_dates_without_a_day_are_said():
    frame = dates(diagnosis=[0, 0], contact=[60, 70]).assign(death=["2020-02", None])
    endpoint = build_endpoint("os", frame, OS)
    assert endpoint.time.tolist() == [31, 70]
    assert "1 dates name no day" in " ".join(endpoint.notes)


def test_repeated_patients_and_missing_columns_are_refused():
    frame = example()
    with pytest.raises(DataError, match="1 rows repeat a patient"):
        build_endpoint("os", pd.concat([frame, frame[:1]]), OS)
    with pytest.raises(DataError, match="no column 'death'"):
        build_endpoint("os", frame.drop(columns="death"), OS)


@pytest.mark.parametrize(("fields", "words"), [
    ({"last_contact": ""}, "give 'last_contact' or 'administrative'"), ({"events": ()}, "at least 1"),
    ({"competing": ["death"]}, "death cannot be two things"), ({"last_contact": "death"}, "death cannot be two"),
    ({"maximum": 0}, "greater than 0"), ({"unit": "weeks"}, "'days', 'months' or 'years'"),
    ({"administrative": "soon"}, "valid date"),
])
def test_recipes_that_contradict_themselves(fields, words):
    with pytest.raises(ValidationError, match=words):
        changed(OS, **fields)


def test_recipe_is_written_as_yaml_and_read_back():
    class Example(Settings):
        stage = "example"
        dates: EventDates | None = None

    settings = Example(dates=changed(TTP, administrative="2021-01-01"))
    assert Example.parse(settings.to_yaml()) == settings
    assert Example.parse("dates: {events: [death], administrative: 2021-01-01}").dates.administrative.year == 2021


DAY = st.one_of(st.none(), st.integers(0, 60))
PATIENT = st.tuples(DAY, DAY, DAY, st.integers(-5, 30))


@settings(max_examples=150, deadline=None)
@given(st.lists(PATIENT, min_size=1, max_size=8), st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_time_is_never_negative_and_earlier_censoring_adds_no_event(rows, first, second, late):
    progression, death, contact, referred = zip(*rows, strict=True)
    frame = dates(diagnosis=[0] * len(rows), progression=progression, death=death, contact=contact, referred=referred)
    early, later = sorted([first, second])
    found = []
    for maximum in (early, later):
        try:
            recipe = changed(TTP, maximum=maximum, entry="referred" if late else "")
            found.append(build_endpoint("x", frame, recipe))
        except DataError:
            found.append(None)
        else:
            endpoint = found[-1]
            assert (endpoint.time >= 0).all() and (endpoint.time <= maximum).all()
            assert endpoint.entry is None or (endpoint.entry < endpoint.time).all()
            brute = {patient: ending(*row, maximum, late) for patient, row in zip(frame.index, rows, strict=True)}
            assert dict(zip(endpoint.patients, zip(endpoint.time, endpoint.cause, strict=True), strict=True)) == {
                patient: end for patient, end in brute.items() if end}
    if found[0] is not None:
        assert found[1] is not None
        events = [set(endpoint.patients[endpoint.event]) for endpoint in found]
        assert events[0] <= events[1]


def ending(progression, death, contact, referred, maximum, late):
    """End of one patient's follow-up and its code, one case after the other; None when left out."""
    happened = [(day, code) for day, code in ((progression, 1), (death, 2)) if day is not None]
    day, code = min(happened) if happened else (contact, 0)
    if day is None:
        return None
    end = (maximum, 0) if day > maximum else (day, code)
    return None if late and max(referred, 0) >= end[0] else end


IDENTIFIER = Column(role="identifier", type="text")
DATE = Column(role="date", type="date")


@pytest.fixture
def study(tmp_path):
    study = create_study(tmp_path / "s", index_date="treated")
    frame = example().rename_axis("patient").reset_index()
    treated = frame["diagnosis"] + pd.to_timedelta([0, 0, 30] + [0] * 7, unit="D")
    study.add_table("clinical", frame[["patient", "diagnosis"]].assign(treated=treated),
                    columns={"patient": IDENTIFIER, "diagnosis": DATE, "treated": DATE})
    study.add_table("follow_up", frame.drop(columns="diagnosis"),
                    columns={"patient": IDENTIFIER, **dict.fromkeys(("progression", "death", "contact"), DATE)})
    return study


def test_dates_are_found_in_a_studys_tables_and_never_predict(study):
    endpoint = endpoint_from_dates(study, "pfs", PFS)
    assert endpoint.time.tolist() == build_endpoint("pfs", example(), PFS).time.tolist()
    assert endpoint.columns == (("clinical", "diagnosis"), ("follow_up", "progression"), ("follow_up", "death"),
                                ("follow_up", "contact"))
    assert endpoint.patients.name == "patient"


def test_bad_input_92_time_before_the_index_date_is_said(study):
    assert "For 1 patients time is counted from before the index date" in endpoint_from_dates(study, "os", OS).notes[-1]
    late = endpoint_from_dates(study, "os", changed(OS, entry="treated"))
    assert "For 1 patients" not in " ".join(late.notes)
    assert late.entry.max() == 30


def test_the_index_date_is_the_anchor_where_none_is_named(study, tmp_path):
    endpoint = endpoint_from_dates(study, "os", changed(OS, anchor=""))
    assert endpoint.time.tolist()[:3] == [300, 200, 370]
    bare = create_study(tmp_path / "bare")
    bare.add_table("clinical", example().reset_index(), columns={"patient": IDENTIFIER})
    with pytest.raises(DataError, match="no index date"):
        endpoint_from_dates(bare, "os", changed(OS, anchor=""))


def test_columns_in_no_table_or_in_several_are_refused(study):
    with pytest.raises(DataError, match="'relapse' are: it is in no table"):
        endpoint_from_dates(study, "os", changed(OS, events=["relapse"]))
    study.add_table("other", example().reset_index(), columns={"patient": IDENTIFIER})
    with pytest.raises(DataError, match="'death' are: they are in tables follow_up, other"):
        endpoint_from_dates(study, "os", changed(OS, anchor=""))
    assert endpoint_from_dates(study, "os", changed(OS, table="other")).columns[0] == ("other", "diagnosis")
    with pytest.raises(DataError, match="no table 'elsewhere'"):
        endpoint_from_dates(study, "os", changed(OS, table="elsewhere"))


def test_bad_input_44_repeated_patients_in_the_table_of_dates_are_refused(study):
    rows = example().reset_index()[["patient", "death"]].rename(columns={"death": "died"})
    study.add_table("visits", pd.concat([rows, rows[:1]]), level="visit", columns={"patient": IDENTIFIER})
    with pytest.raises(DataError, match="1 rows repeat a patient"):
        endpoint_from_dates(study, "os", changed(OS, events=["died"]))

"""Change between visits, against numbers worked by hand and numpy's least squares, and never from later values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.visits import MEASURES, changes

INDEX = pd.Series(pd.to_datetime(["2020-01-01"] * 5 + [None]), index=pd.Index(list("bacdef"), name="patient"))


def visits(*rows, column="psa") -> pd.DataFrame:
    """Rows of (patient, day after the index date, value)."""
    patients, days, values = zip(*rows, strict=True)
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(pd.Series(days, dtype=float), unit="D")
    return pd.DataFrame({"date": dates.to_numpy(), column: values}, index=pd.Index(patients, name="patient"))


FRAME = visits(
    ("a", -60, 9.0), ("a", -10, 4.0), ("a", 0, np.nan), ("a", 30, 6.0), ("a", 60, 8.0), ("a", 91, 100.0),
    ("b", -5, 0.0), ("b", 40, 3.0),
    ("c", -5, 2.0), ("c", 10, 3.0),
    ("d", 60, 5.0), ("d", 35, 4.0),
    ("e", -1, 7.0), ("e", np.nan, 8.0),
    ("f", -1, 7.0), ("x", 50, 1.0))

# Window (30, 90]: the last value after day 30.
BY_HAND = {
    # baseline, last, change, relative, slope per day, visits
    "b": (0, 3, 3, np.nan, 3 / 45, 2),  # a baseline of 0
    "a": (4, 8, 4, 1.0, np.polyfit([-10, 30, 60], [4, 6, 8], 1)[0], 3),  # day 91 is too late
    "c": (2, np.nan, np.nan, np.nan, 1 / 15, 2),  # nothing in the window
    "d": (np.nan, 5, np.nan, np.nan, 1 / 25, 2),  # nothing at the beginning
    "e": (7, np.nan, np.nan, np.nan, np.nan, 1),  # a row without date
    "f": (np.nan, np.nan, np.nan, np.nan, np.nan, 0),  # no index date
}


def test_measures_by_hand():
    found = changes(FRAME, "date", INDEX, window=(30, 90))
    assert list(found.columns) == [f"psa {measure}" for measure in MEASURES]
    assert list(found.index) == list(BY_HAND)
    order = ["baseline", "last", "change", "relative", "slope", "visits"]
    np.testing.assert_allclose(found[[f"psa {name}" for name in order]].to_numpy(), np.array(list(BY_HAND.values())),
                               rtol=1e-12)


@pytest.mark.parametrize(("unit", "days"), [("months", 30.4375), ("years", 365.25)])
def test_other_units_change_the_slope_only(unit, days):
    plain = changes(FRAME, "date", INDEX, window=(30, 90))
    found = changes(FRAME, "date", INDEX, window=(30 / days, 90 / days), unit=unit)
    pd.testing.assert_frame_equal(found.assign(**{"psa slope": found["psa slope"] / days}), plain)


def test_bad_input_92_values_after_the_window_are_never_used():
    """Whatever is added after the end of the window, the numbers stay the same."""
    rng = np.random.default_rng(0)
    before = changes(FRAME, "date", INDEX, window=(0, 60))
    later = visits(*((patient, day, value) for patient in "abcdef"
                     for day, value in zip(rng.choice(np.arange(61, 400), 5, replace=False), rng.normal(size=5) * 1e6,
                                           strict=True)))
    more = pd.concat([FRAME[FRAME["date"] <= pd.Timestamp("2020-03-01")], later])
    pd.testing.assert_frame_equal(changes(more, "date", INDEX, window=(0, 60)), before)
    shuffled = more.iloc[rng.permutation(len(more))]
    pd.testing.assert_frame_equal(changes(shuffled, "date", INDEX, window=(0, 60)), before)


def test_slopes_are_those_of_numpy():
    rng = np.random.default_rng(1)
    days = {patient: np.sort(rng.choice(np.arange(0, 200), 6, replace=False)) for patient in "abcde"}
    values = {patient: rng.normal(100, 10, 6) for patient in "abcde"}
    frame = visits(*((patient, day, value) for patient in "abcde"
                     for day, value in zip(days[patient], values[patient], strict=True)))
    found = changes(frame, "date", INDEX, window=(0, 200), how=["slope"])
    expected = [np.polyfit(days[patient], values[patient], 1)[0] if patient in days else np.nan
                for patient in INDEX.index]
    np.testing.assert_allclose(found["psa slope"], expected, rtol=1e-9)


def test_several_values_of_one_day_have_no_slope_and_the_latest_counts():
    frame = visits(*(("a", 40 + hour / 24, float(hour)) for hour in (3, 1, 2)))
    found = changes(frame, "date", INDEX, window=(0.0, 3.0), unit="months").loc["a"]
    assert np.isnan(found["psa slope"])
    assert (found["psa last"], found["psa visits"]) == (3, 3)


def test_several_columns_and_chosen_measures():
    frame = FRAME.assign(size=range(len(FRAME)), note="x", whole=pd.array([1] * len(FRAME), dtype="Int64"))
    found = changes(frame, "date", INDEX, window=(30, 90), how=["change"])
    assert list(found.columns) == ["psa change", "size change", "whole change"]
    chosen = changes(frame, "date", INDEX, window=(30, 90), how=["last", "visits"], columns=["size"])
    assert list(chosen.columns) == ["size last", "size visits"]
    assert set(chosen.dtypes) == {np.dtype("float64")}


def test_no_column_of_numbers_gives_no_column():
    found = changes(FRAME[["date"]], "date", INDEX, window=(0, 90))
    assert (list(found.index), found.shape[1]) == (list(INDEX.index), 0)


def test_no_visit_at_all():
    found = changes(FRAME[:0], "date", INDEX, window=(0, 90))
    assert found.drop(columns="psa visits").isna().all(axis=None)
    assert (found["psa visits"] == 0).all()


def test_bad_input_44_a_patient_and_time_point_twice():
    with pytest.raises(DataError, match="2 rows repeat a patient and a time point"):
        changes(pd.concat([FRAME, FRAME[:2]]), "date", INDEX, window=(0, 90))
    missing = pd.concat([FRAME, visits(("e", np.nan, 9.0))])
    pd.testing.assert_frame_equal(changes(missing, "date", INDEX, window=(30, 90)),
                                  changes(FRAME, "date", INDEX, window=(30, 90)))


def test_bad_input_46_infinities_and_words_are_refused():
    with pytest.raises(DataError, match="1 values are infinite"):
        changes(visits(("a", 1, np.inf)), "date", INDEX, window=(0, 90))
    with pytest.raises(DataError, match="holds no numbers"):
        changes(FRAME.assign(psa="high"), "date", INDEX, window=(0, 90), columns=["psa"])


@pytest.mark.parametrize(("options", "words"), [
    ({"window": (30, 30)}, "window"), ({"window": (-10, 30)}, "window"), ({"window": (0, np.inf)}, "window"),
    ({"window": (0, np.nan)}, "window"), ({"how": ["ratio"]}, "no measure of change 'ratio'"),
    ({"how": []}, "no measure of change"),
    ({"columns": ["crp"]}, "no column 'crp'"), ({"unit": "weeks"}, "unit 'weeks'"),
])
def test_settings_that_do_not_fit_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        changes(FRAME, "date", INDEX, **{"window": (0, 90), **options})

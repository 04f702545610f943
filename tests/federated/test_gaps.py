from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.federated.gaps import widened
from medomicslab_nb.federated.ledger import Ledger
from medomicslab_nb.federated.tasks.preparation import encoded
from tests.federated.some_patients import some_patients

QUESTION = {"numeric": ["age", "marker"], "categories": {"sex": ["f", "m"]}, "zeros": []}
KEY = Ledger().keyed


def everybody(patients) -> np.ndarray:
    return np.ones(len(patients), dtype=bool)


def with_gaps(**gaps: int):
    """So many patients, from the first on, without a value."""
    patients = some_patients(60, holdout=0)
    frame = patients.frame.copy()
    for name, count in gaps.items():
        frame.iloc[:count, frame.columns.get_loc(name)] = np.nan
    return replace(patients, frame=frame)


@pytest.mark.parametrize(("gaps", "lacking"), [(0, 0), (1, 5), (4, 5), (5, 5), (30, 30), (60, 60)])
def test_as_many_lack_a_value_as_the_minimum(gaps, lacking):
    patients, names = widened(with_gaps(marker=gaps), everybody(with_gaps()), QUESTION, 5, KEY)
    assert patients.frame["marker"].isna().sum() == lacking
    assert names == (("marker",) if gaps in (1, 4) else ())


def test_patients_without_a_value_stay_without():
    patients, _ = widened(with_gaps(marker=2), everybody(with_gaps()), QUESTION, 5, KEY)
    assert patients.frame["marker"].isna()[:2].all()


def test_it_is_always_the_same_patients():
    first, _ = widened(with_gaps(marker=1), everybody(with_gaps()), QUESTION, 5, KEY)
    other_columns = {"numeric": ["marker"], "categories": {}, "zeros": []}
    second, _ = widened(with_gaps(marker=1), everybody(with_gaps()), other_columns, 5, KEY)
    assert first.frame["marker"].equals(second.frame["marker"])


def test_nobody_outside_can_tell_who(tmp_path):
    chosen = {tuple(np.flatnonzero(widened(with_gaps(marker=1), everybody(with_gaps()), QUESTION, 5, Ledger(
        tmp_path / f"{number}.jsonl").keyed)[0].frame["marker"].isna())) for number in range(4)}
    assert len(chosen) == 4


def test_what_is_given_is_not_changed():
    patients = with_gaps(marker=1)
    before = patients.frame.copy()
    widened(patients, everybody(patients), QUESTION, 5, KEY)
    pd.testing.assert_frame_equal(patients.frame, before)


def test_only_the_part_that_is_asked_for_counts():
    patients = with_gaps(marker=3)
    rows = np.arange(60) >= 2  # one of the three is in it
    changed, _ = widened(patients, rows, QUESTION, 5, KEY)
    assert changed.frame["marker"][rows].isna().sum() == 5
    assert changed.frame["marker"][~rows].equals(patients.frame["marker"][~rows])


def test_a_zero_that_means_missing_is_a_gap():
    patients = some_patients(60, holdout=0)
    frame = patients.frame.copy()
    frame.iloc[0, 0] = 0.0
    patients = replace(patients, frame=frame)
    assert widened(patients, everybody(patients), QUESTION, 5, KEY)[1] == ()
    changed, names = widened(patients, everybody(patients), {**QUESTION, "zeros": ["age"]}, 5, KEY)
    assert names == ("age",)
    assert (changed.frame["age"].isna() | (changed.frame["age"] == 0)).sum() == 5


def test_a_rare_category_is_a_gap():
    patients = some_patients(60, holdout=0)
    frame = patients.frame.copy()
    frame.iloc[0, 2] = "other"
    patients = replace(patients, frame=frame)
    changed, names = widened(patients, everybody(patients), QUESTION, 5, KEY)
    assert names == ("sex",)
    assert np.isnan(encoded(changed, QUESTION, 5).matrix[:, 2]).sum() == 5


def test_the_more_common_of_two_values_gives():
    """Otherwise the rarer might become rarer than the minimum, and the whole question be refused."""
    patients = some_patients(60, holdout=0)
    frame = patients.frame.assign(marker=[np.nan, *[1.0] * 5, *[0.0] * 54])
    changed, _ = widened(replace(patients, frame=frame), everybody(patients), QUESTION, 5, KEY)
    assert (changed.frame["marker"] == 1).sum() == 5
    encoded(changed, QUESTION, 5)


def test_a_column_that_the_site_lacks_is_left_to_the_step():
    question = {**QUESTION, "numeric": ["psa"]}
    assert widened(with_gaps(), everybody(with_gaps()), question, 5, KEY)[1] == ()


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_steps_see_no_gap_of_few(seed, minimum):
    """Whatever gaps there are: in what regressions are fitted to, none or enough patients lack a column."""
    rng = np.random.default_rng(seed)
    patients = some_patients(60, holdout=0)
    frame = patients.frame.assign(sex=rng.choice(["f", "m", "x", "y"], 60, p=[0.5, 0.4, 0.07, 0.03]))
    for name in frame:
        frame.loc[rng.random(60) < rng.choice([0.0, 0.03, 0.1, 0.95]), name] = np.nan
    patients = replace(patients, frame=frame, categorical=("sex",))
    question = {"numeric": ["age", "marker"], "categories": {"sex": ["f", "m", "x"]}, "zeros": []}
    changed, _ = widened(patients, everybody(patients), question, minimum, KEY)
    lacking = np.isnan(encoded(changed, question, minimum).matrix).sum(axis=0)
    assert not [count for count in lacking if 0 < count < minimum]

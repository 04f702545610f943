"""Splits: stratified, made once, extended but never reshuffled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import (
    check_cohort_folds,
    extend_splits,
    fold_rows,
    make_splits,
    split_name,
    study_splits,
)
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import check_name


def endpoint(n: int, events: int, prefix: str = "P") -> Endpoint:
    event = np.zeros(n, bool)
    event[np.random.default_rng(0).permutation(n)[:events]] = True
    return Endpoint("os", event, pd.Index([f"{prefix}{i:04d}" for i in range(n)], name="patient"))


@settings(max_examples=40)
@given(n=st.integers(20, 80), share=st.floats(0.2, 0.8), folds=st.integers(2, 4), seed=st.integers(0, 1000))
def test_every_patient_is_held_out_once_per_repeat_and_events_are_spread(n, share, folds, seed):
    target = endpoint(n, round(n * share))
    splits = make_splits(target, folds=folds, repeats=2, seed=seed)
    assert not splits.duplicated(["patient", "repeat"]).any()
    for _, part in splits.groupby("repeat"):
        events = part["fold"][part["patient"].map(pd.Series(target.event, target.patients)).to_numpy(bool)]
        assert np.ptp(np.bincount(part["fold"], minlength=folds)) <= 2
        assert np.ptp(np.bincount(events, minlength=folds)) <= 1


def test_order_of_rows_does_not_matter_but_the_seed_does():
    target = endpoint(50, 20)
    shuffled = target.take(np.random.default_rng(1).permutation(50))
    pd.testing.assert_frame_equal(make_splits(target, folds=5, repeats=2, seed=3),
                                  make_splits(shuffled, folds=5, repeats=2, seed=3))
    assert not make_splits(target, folds=5, repeats=2, seed=3).equals(make_splits(target, folds=5, repeats=2, seed=4))
    repeats = [part["fold"].tolist() for _, part in make_splits(target, folds=5, repeats=2, seed=3).groupby("repeat")]
    assert repeats[0] != repeats[1]


@settings(max_examples=25)
@given(before=st.integers(20, 60), more=st.integers(0, 30), repeats=st.integers(2, 3))
def test_extension_moves_nobody(before, more, repeats):
    target = endpoint(before + more, (before + more) // 2)
    stored = make_splits(target.take(np.arange(before)), folds=2, repeats=2, seed=0)
    extended = extend_splits(stored, target, folds=2, repeats=repeats, seed=0)
    pd.testing.assert_frame_equal(extended.head(len(stored)), stored)
    assert not extended.duplicated(["patient", "repeat"]).any()
    assert len(extended) == repeats * (before + more)


def test_new_patients_fill_the_smallest_fold():
    target = endpoint(40, 20)
    extended = extend_splits(make_splits(target.take(np.arange(31)), folds=3, repeats=1, seed=0), target, folds=3,
                             repeats=1, seed=0)
    assert np.ptp(np.bincount(extended["fold"])) <= 2


def test_study_keeps_its_split(tmp_path):
    study, target = create_study(tmp_path / "s"), endpoint(40, 20)
    options = {"folds": 4, "repeats": 2, "seed": 0}
    first = study_splits(study, target.take(np.arange(36)), **options)
    later = study_splits(study, target, **options)
    pd.testing.assert_frame_equal(later.head(len(first)), first)
    again = study_splits(study, target.take(np.arange(20)), **options)
    pd.testing.assert_frame_equal(again, later)
    assert fold_rows(again, target.patients, 1).shape == (40,)


def test_too_few_events_for_the_folds():
    with pytest.raises(DataError, match=r"Use fewer folds \(at most 3\)"):
        make_splits(endpoint(40, 3), folds=5, repeats=1, seed=0)


@given(st.text(min_size=1, max_size=80))
def test_split_names_are_file_names(name):
    check_name(split_name(name, folds=5, seed=2**31 - 1))


def test_split_names_do_not_collide():
    assert len({split_name(name, folds=5, seed=0) for name in ("a b", "a_b", "a/b", "a" * 70, "a" * 71)}) == 5


def test_patients_added_with_fewer_repeats_get_folds_in_the_others_later(tmp_path):
    study, target = create_study(tmp_path / "s"), endpoint(40, 20)
    study_splits(study, target.take(np.arange(36)), folds=4, repeats=2, seed=0)
    study_splits(study, target, folds=4, repeats=1, seed=0)
    later = study_splits(study, target, folds=4, repeats=2, seed=0)
    assert later.groupby("repeat").size().tolist() == [40, 40]
    assert set(fold_rows(later, target.patients, 1)) == {0, 1, 2, 3}


def test_a_patient_without_a_fold_is_an_error():
    target = endpoint(40, 20)
    splits = make_splits(target.take(np.arange(36)), folds=4, repeats=1, seed=0)
    with pytest.raises(DataError, match="4 of 40 patients have no fold in repeat 0"):
        fold_rows(splits, target.patients, 0)


def test_runs_at_once_with_different_repeats_both_keep_their_split(tmp_path):
    study, target = create_study(tmp_path / "s"), endpoint(40, 20)
    name = split_name("os", folds=4, seed=0)
    study.save_splits(name, make_splits(target, folds=4, repeats=3, seed=0))
    study.save_splits(name, make_splits(target, folds=4, repeats=2, seed=0))
    pd.testing.assert_frame_equal(study.splits(name), make_splits(target, folds=4, repeats=3, seed=0))
    moved = make_splits(target, folds=4, repeats=4, seed=0).assign(fold=lambda frame: (frame["fold"] + 1) % 4)
    with pytest.raises(StudyError, match="patients would change folds"):
        study.save_splits(name, moved)


def test_cohort_that_empties_a_fold_is_refused():
    target = endpoint(40, 20)
    splits = make_splits(target, folds=4, repeats=2, seed=0)
    check_cohort_folds(splits, target, folds=4, repeats=2)
    number = fold_rows(splits, target.patients, 1)
    with pytest.raises(DataError, match=r"fold 3 of repeat 2 empty.*Use fewer folds"):
        check_cohort_folds(splits, target.take(np.flatnonzero(number != 2)), folds=4, repeats=2)
    with pytest.raises(DataError, match="fold 3 of repeat 2 with too few patients with the event"):
        check_cohort_folds(splits, target.take(np.flatnonzero((number != 2) | ~target.event)), folds=4, repeats=2)
    few = target.take(np.concatenate([np.flatnonzero(target.event & (number == fold))[:1] for fold in (0, 1)]
                                     + [np.flatnonzero(~target.event)]))
    with pytest.raises(DataError, match="too few patients with the event"):
        check_cohort_folds(splits.assign(fold=splits["fold"] % 2), few, folds=2, repeats=2)

"""The preparation over sites is scikit-learn's on all patients together; small counts and no patient's value leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings as tried, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import only, pack
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.preparation import (
    Preparation,
    encoded,
    prepare,
    prepared,
    prepared_to_score,
    standardise,
)
from medomicslab_nb.federated.tasks.schema import check_schema
from tests.federated.tasks.conftest import at_site, drive, pooled_matrix, sites_with_gaps


def over_sites(settings=FederatedSettings(outcome="outcome")):  # noqa: B008
    """Schema and preparation as one task."""
    schema = yield from check_schema(settings)
    return (yield from prepare(schema))


def stacked(sites, preparation, minimum=1):
    """Prepared training patients of all sites, in the order of the sites' names."""
    return np.concatenate([prepared(sites[site], {**preparation.values(), **preparation.each().get(site, {})}, minimum)
                           for site in sorted(sites)])


@pytest.mark.realdata
def test_heart_is_standardised_as_pooled(heart):
    preparation = drive(over_sites(), heart)
    assert np.abs(stacked(heart, preparation) - pooled_matrix(heart, preparation)).max() < 1e-9
    chol = preparation.columns.index("chol")
    values = np.concatenate([one.frame["chol"].to_numpy() for one in heart.values()])
    assert preparation.mean[chol] == pytest.approx(np.nanmean(values[values != 0]), rel=1e-12)
    swiss = prepared(heart["switzerland"], preparation.values(), 1)
    assert not swiss[:, chol].any(), "imputed with the mean of the others"
    assert np.ptp(swiss[:, preparation.columns.index("oldpeak")]) > 1


@given(sites_with_gaps())
@tried(max_examples=60)
def test_any_sites_are_standardised_as_pooled(sites):
    preparation = drive(over_sites(), sites)
    assert np.abs(stacked(sites, preparation) - pooled_matrix(sites, preparation)).max() < 1e-9


def test_means_are_of_training_patients():
    frame = pd.DataFrame({"x": [1.0, 3.0, 1000.0, np.nan]})
    testing = np.array([False, False, True, True])
    patients = at_site(frame, np.array([1, 0, 1, 0], bool), testing=testing)
    preparation = drive(over_sites(), {"a": patients})
    assert preparation.mean.tolist() == [2.0] and preparation.patients == {"a": 2}
    values = preparation.values() | {"part": "testing"}
    assert prepared_to_score(patients, values).tolist() == [[998.0], [0.0]]
    assert len(prepared(patients, preparation.values() | {"part": "all"}, 1)) == 4


def test_summary_and_availability():
    sites = {"a": at_site(pd.DataFrame({"x": [1.0, 2, 6], "s": ["I", "II", None]}), np.array([1, 0, 1], bool)),
             "b": at_site(pd.DataFrame({"x": [np.nan, 3.0], "s": ["II", "II"]}), np.array([1, 0], bool))}
    preparation = drive(over_sites(), sites)
    assert preparation.columns == ("x", "s=II") and preparation.sources == ("x", "s")
    summary = preparation.summary().set_index("column")
    assert summary.loc["x"].tolist() == ["number", 4, 3.0, pytest.approx(np.std([1, 2, 6, 3], ddof=1))]
    assert summary.loc["s=II", "mean"] == 0.75
    known = preparation.availability().to_numpy().tolist()
    assert known == [["a", "x", 3], ["a", "s", 2], ["b", "x", 1], ["b", "s", 2]]


def test_columns_keep_their_names_in_whatever_order_a_table_has_them():
    """A mapping travels in the order of its names; the mean under a name is that column's."""
    frame = pd.DataFrame({"z": ["no", "no", "no", "yes"], "x": [1.0, 2, 6, 3], "a": ["I", "III", "II", "II"]})
    preparation = drive(over_sites(), {"one": at_site(frame, np.array([1, 0, 1, 0], bool))})
    summary = preparation.summary().set_index("column")["mean"]
    assert summary.to_dict() == {"x": 3.0, "a=II": 0.5, "a=III": 0.25, "z=yes": 0.25}


def test_another_unit_is_pointed_out():
    rng = np.random.default_rng(0)
    frames = {name: pd.DataFrame({"chol": rng.normal(210 + 20 * number, 40, 80), "age": rng.normal(60, 9, 80)})
              for number, name in enumerate("abc")}
    frames["b"]["chol"] /= 38.67  # mmol/l
    sites = {name: at_site(frame, np.arange(80) % 2 == 0) for name, frame in frames.items()}
    notes = drive(over_sites(), sites).notes
    assert [note for note in notes if "check its unit" in note] == [
        "The mean of 'chol' at b is more than 3 standard deviations from that of the other sites: check its unit."]


def test_a_constant_column_is_zero_and_has_scale_one():
    sites = {name: at_site(pd.DataFrame({"x": np.full(n, 0.1), "y": np.arange(n) * 1.0}), np.arange(n) % 2 == 0)
             for name, n in (("a", 7), ("b", 11))}
    preparation = drive(over_sites(), sites)
    assert preparation.scale[0] == 1 and preparation.sd[0] == 0
    assert np.abs(stacked(sites, preparation)[:, 0]).max() < 1e-15


def test_a_new_category_counts_as_missing():
    patients = at_site(pd.DataFrame({"s": ["I", "II", "V", None]}), np.array([1, 0, 1, 0], bool))
    values = Preparation((), {"s": ("I", "II", "III")}).values()
    found = encoded(patients, values, 1).matrix
    assert found[:2].tolist() == [[0, 0], [1, 0]] and np.isnan(found[2:]).all()


def test_an_untyped_empty_column_is_missing_and_text_is_refused_without_a_word_of_it():
    patients = at_site(pd.DataFrame({"x": pd.Series([None, None], dtype=object)}), np.array([1, 0], bool))
    values = Preparation(("x",), {}).values()
    assert np.isnan(encoded(patients, values, 1).matrix).all()
    text = at_site(pd.DataFrame({"x": ["Meier", "Muller"]}), np.array([1, 0], bool))
    with pytest.raises(DataError, match="'x' hold text") as caught:
        encoded(text, values, 1)
    assert "Meier" not in str(caught.value)


def test_a_column_that_a_site_lacks_is_named():
    patients = at_site(pd.DataFrame({"x": [1.0, 2.0]}), np.array([1, 0], bool))
    with pytest.raises(DataError, match="'marker'"):
        drive(standardise(Preparation(("x", "marker"), {})), {"a": patients})


def test_combat_comes_before_the_means():
    sites = {"a": at_site(pd.DataFrame({"x": [1.0, 3.0]}), np.array([1, 0], bool)),
             "b": at_site(pd.DataFrame({"x": [12.0, 18.0]}), np.array([1, 0], bool))}
    preparation = Preparation(("x",), {}, centre=np.array([5.0]), location={"a": np.array([2.0]), "b": np.array([15])},
                              spread={"a": np.array([1.0]), "b": np.array([3.0])})
    fitted = drive(standardise(preparation), sites)
    assert fitted.mean.tolist() == [5.0] and fitted.scale.tolist() == [1.0]
    assert stacked(sites, fitted)[:, 0].tolist() == [-1, 1, -1, 1]


def test_what_few_patients_have_counts_as_missing():
    columns = {"known": np.append([1.5, 2.5, 3.5], np.full(37, np.nan)), "flag": np.append([1.0, 1.0], np.zeros(38)),
               "nodes": np.append([3.0, 7.0, 1.0], np.zeros(37)), "age": np.linspace(40, 80, 40),
               "stage": np.repeat(["I", "II", "IV"], [20, 16, 4])}
    full = {"known": np.linspace(0, 9, 40), "flag": np.arange(40) % 2, "nodes": np.arange(40) % 5,
            "age": np.linspace(30, 70, 40), "stage": np.repeat(["I", "II", "IV"], [20, 10, 10])}
    sites = {name: at_site(pd.DataFrame(data), np.arange(40) % 2 == 0) for name, data in
             (("large", full), ("small", columns))}
    preparation = drive(over_sites(), sites, minimum=5)
    small = encoded(sites["small"], preparation.values(), 5)
    assert small.few == ("known", "flag", "nodes") and small.rare == ("stage",)
    assert np.isnan(small.matrix[:, :3]).all() and not np.isnan(small.matrix[:, 3]).any()
    assert np.isnan(small.matrix[36:, 4:]).all() and not np.isnan(small.matrix[:36, 4:]).any()
    said = " ".join(preparation.notes)
    assert all(f"'{name}' counts as missing at small" in said for name in ("known", "flag", "nodes"))
    assert "'stage' counts as missing for patients with its rarest categories at small" in said
    exact = drive(over_sites(), sites, minimum=1)
    assert not exact.notes and exact.known["small"].tolist() == [3, 40, 40, 40, 40, 40]
    everything = prepared_to_score(sites["small"], exact.values())
    assert everything[:2, 1].tolist() == prepared(sites["small"], exact.values(), 1)[:2, 1].tolist()


@given(sites_with_gaps(), st.integers(2, 12))
@tried(max_examples=60)
def test_nothing_rests_on_few_patients(sites, minimum):
    """Of each column nobody or enough are known, and nobody or enough have another value than the usual one."""
    categorical = sites["a"].categorical
    values = Preparation(tuple(name for name in sites["a"].frame if name not in categorical),
                         dict.fromkeys(categorical, ("I", "II", "III"))).values()
    for one in sites.values():
        for column in encoded(one, values, minimum).matrix.T:
            known = column[~np.isnan(column)]
            usual = np.unique(known, return_counts=True)[1].max(initial=0)
            assert len(known) == 0 or len(known) >= minimum
            assert len(known) == usual or len(known) - usual >= minimum


def test_sites_alone_and_without_one():
    rng = np.random.default_rng(3)
    sites = {name: at_site(pd.DataFrame({"x": rng.normal(k, 1, 20)}), np.arange(20) % 2 == 0)
             for k, name in enumerate("abc")}
    for chosen in (["b"], ["a", "c"]):
        preparation = drive(only(over_sites(), chosen), sites)
        assert preparation.sites == tuple(chosen)
        mean = np.concatenate([sites[site].frame["x"] for site in chosen]).mean()
        assert preparation.mean[0] == pytest.approx(mean, rel=1e-13)


def test_no_predictor_left_is_said():
    sites = {"a": at_site(pd.DataFrame({"x": np.full(9, np.nan)}), np.arange(9) % 2 == 0)}
    with pytest.raises(DataError, match="no predictor"):
        drive(over_sites(), sites)


def test_a_replayed_task_asks_the_same():
    """What resuming a run rests on."""
    sites = {"a": at_site(pd.DataFrame({"x": [1.0, 2.0, 5.0]}), np.array([1, 0, 1], bool))}
    logs = [[], []]
    first, second = (drive(over_sites(), sites, log=log) for log in logs)
    asked = [[(question.step, pack(question.for_site(site))) for site, question, _ in log] for log in logs]
    assert asked[0] == asked[1] and len(asked[0]) == 2
    assert first.mean.tolist() == second.mean.tolist()

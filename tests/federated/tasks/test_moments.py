"""Quantiles from counts, and no patient's value in any answer of the preparation or a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings as tried, strategies as st

from medomicslab_nb.federated.messages import pack
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.linear import fit_linear
from medomicslab_nb.federated.tasks.logistic import fit_logistic
from medomicslab_nb.federated.tasks.moments import histogram_step, moments_step, quantile_edges, quartiles
from medomicslab_nb.federated.tasks.preparation import Preparation, prepare, prepared, standardise
from medomicslab_nb.federated.tasks.schema import check_schema
from tests.federated.tasks.conftest import at_site, drive, pooled, sites_with_gaps


def edges_of(sites, bins, minimum=1):
    preparation = drive(standardise(Preparation(tuple(next(iter(sites.values())).frame), {})), sites, minimum)
    return drive(quantile_edges(preparation, bins), sites, minimum)


def three_sites(draw, n=300):
    rng = np.random.default_rng(0)
    return {name: at_site(pd.DataFrame({"x": draw(rng, n)}), np.arange(n) % 2 == 0) for name in "abc"}


@pytest.mark.parametrize("draw", [
    lambda rng, n: rng.normal(5, 2, n), lambda rng, n: rng.lognormal(3, 1, n), lambda rng, n: rng.exponential(1, n),
    lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, rng.uniform(-1, 1, n)),
], ids=["normal", "lognormal", "exponential", "uniform with gaps"])
@pytest.mark.parametrize("minimum", [1, 5])
def test_bins_hold_about_equally_many(draw, minimum):
    sites = three_sites(draw)
    edges = edges_of(sites, 8, minimum)["x"]
    values = pooled(sites)[0]["x"].dropna()
    shares = np.bincount(np.searchsorted(edges, values), minlength=8) / len(values)
    assert len(edges) == 7 and (np.diff(edges) > 0).all()
    assert np.abs(shares - 1 / 8).max() < 0.035


def test_repeated_values_are_cut_between():
    sites = three_sites(lambda rng, n: rng.choice([0.0, 1.0, 2.0, 3.0], n, p=[0.6, 0.2, 0.1, 0.1]))
    edges = edges_of(sites, 16)["x"]
    assert len(edges) == 3 and all(low + 0.1 < edge < low + 0.9 for low, edge in enumerate(edges))
    two = edges_of(three_sites(lambda rng, n: (rng.random(n) < 0.2) * 1.0), 16)["x"]
    assert len(two) == 1 and 0.1 < two[0] < 0.9


def test_a_column_without_values_that_differ_has_no_edges():
    assert len(edges_of(three_sites(lambda rng, n: np.full(n, 4.2)), 8)["x"]) == 0


@given(sites_with_gaps(), st.integers(2, 12))
@tried(max_examples=40)
def test_counts_are_none_or_enough(sites, minimum):
    numeric = tuple(name for name in sites["a"].frame if name not in sites["a"].categorical)
    preparation = drive(standardise(Preparation(numeric, {})), sites)
    for one in sites.values():
        values = preparation.values()
        moments = moments_step(one, values, minimum)
        assert all(count == 0 or count >= minimum for count in moments.values["count"])
        histogram = histogram_step(one, {**values, "grid": np.linspace(-3, 3, 30)}, minimum)
        counts = [count for column in histogram.values["columns"].values() for count in column["counts"]]
        assert all(count == 0 or count >= minimum for count in counts)
        assert set(counts) <= set(histogram.cells) and set(moments.values["count"]) <= set(moments.cells)
        for name, column in histogram.values["columns"].items():
            assert sum(column["counts"]) == moments.values["count"][numeric.index(name)]


def numbers_in(value):
    """Every number of an answer."""
    if isinstance(value, dict):
        return np.concatenate([[], *map(numbers_in, value.values())])
    if isinstance(value, list | tuple):
        return np.concatenate([[], *map(numbers_in, value)])
    return np.ravel(value).astype(float) if isinstance(value, int | float | np.ndarray) else np.empty(0)


def holds_a_value(answer, patients, preparation) -> bool:
    """Whether a number of an answer is some patient's value, raw, standardised or of the outcome."""
    own = np.concatenate([patients.frame.to_numpy().ravel(), patients.endpoint.outcome,
                          prepared(patients, preparation.values(), 1).ravel()])
    told = numbers_in(answer)[:, None]
    return bool(np.isclose(np.abs(told), np.abs(own[np.isfinite(own) & (own != 0)])[None, :], rtol=1e-9, atol=0).any())


@pytest.mark.parametrize("minimum", [5, 10])
def test_no_patient_s_value_and_no_name_leaves(minimum):
    rng = np.random.default_rng(5)
    sites = {}
    for name in "abc":
        frame = pd.DataFrame(rng.normal(3, 2, (60, 4)), columns=list("wxyz"))
        frame.loc[rng.random(60) < 0.5, "x"] = np.nan
        frame.loc[(np.arange(60) > 1) & (name == "b"), "y"] = np.nan  # two patients alone have it
        frame.loc[(np.arange(60) > 0) & (name == "c"), "z"] = 0.0  # one alone is not 0
        sites[name] = at_site(frame, rng.normal(size=60) * 3 + 20)
    log = []

    def everything():
        schema = yield from check_schema(FederatedSettings(outcome="outcome", algorithm="linear"))
        preparation = yield from prepare(schema)
        yield from quantile_edges(preparation, 16)
        yield from fit_linear(preparation)
        return preparation

    preparation = drive(everything(), sites, minimum, log)
    assert {question.step for _, question, _ in log} == {"schema", "moments", "histogram", "linear"}
    for site, _, release in log:
        assert not holds_a_value(dict(release.values), sites[site], preparation)
        assert not any(patient.encode() in pack(release.values) for patient in sites[site].frame.index)
        assert not any(patient in release.words for patient in sites[site].frame.index)
    # The check itself can fail: with a minimum of 1 the one patient's value is the sum of the column.
    leaky = moments_step(sites["c"], preparation.values(), 1)
    sums = {"sum": leaky.values["count"] * leaky.values["mean"]}
    assert holds_a_value(sums, sites["c"], preparation)


def test_words_say_what_leaves():
    patients = at_site(pd.DataFrame({"x": np.arange(30.0), "y": np.append(np.full(28, np.nan), [1.0, 2.0])}),
                       np.arange(30) % 2 == 0)
    preparation = drive(standardise(Preparation(("x", "y"), {})), {"a": patients})
    words = moments_step(patients, preparation.values(), 5).words
    assert "2 columns" in words and "30 patients" in words and "too few values in y" in words
    log = []
    drive(fit_logistic(replace(preparation)), {"a": patients}, log=log)
    assert log[0][2].words == ("log likelihood, gradient (3 numbers) and information (3 x 3) of a logistic regression, "
                               "summed over 30 patients with 15 events")


def test_quartiles_are_those_of_all_patients_to_the_width_of_a_bin() -> None:
    rng = np.random.default_rng(5)
    sites = {site: at_site(pd.DataFrame({"normal": rng.normal(50 + 3 * place, 8, 400),
                                         "skewed": rng.lognormal(1 + 0.2 * place, 0.8, 400),
                                         "gaps": np.where(rng.random(400) < 0.4, np.nan, rng.normal(size=400))}),
                           rng.random(400) < 0.5) for place, site in enumerate("abc")}

    def task():
        schema = yield from check_schema(FederatedSettings(outcome="outcome"))
        preparation = yield from prepare(schema)
        return preparation, (yield from quartiles(preparation))

    preparation, found = drive(task(), sites, minimum=5)
    frame, _ = pooled(sites)
    expected = frame.quantile([0.25, 0.5, 0.75]).T
    for _, row in found.iterrows():
        scale = preparation.scale[preparation.numeric.index(row["column"])]
        np.testing.assert_allclose(row[["lower_quartile", "median", "upper_quartile"]].astype(float),
                                   expected.loc[row["column"]], atol=0.08 * scale)

"""Table 1 against hand numbers and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from medomicslab_nb.data.table_one import standardised_difference, table_one


@pytest.fixture
def cohort() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame({"age": rng.normal(60, 10, 80).round(1), "er": rng.choice(["neg", "pos"], 80),
                         "grade": rng.integers(1, 4, 80), "size": np.where(rng.random(80) < 0.1, np.nan, 2.5)},
                        index=[f"P{i}" for i in range(80)])


@pytest.fixture
def groups(cohort) -> pd.Series:
    return pd.Series(["0"] * 50 + ["1"] * 30, index=cohort.index)


def test_numbers_are_those_of_statsmodels(cohort, groups):
    _, numbers = table_one(cohort, groups, outcome="death")
    for group, members in groups.groupby(groups):
        row = numbers.query(f"variable == 'age' and group == 'death = {group}'").iloc[0]
        expected = DescrStatsW(cohort.loc[members.index, "age"], ddof=1)
        assert row["mean"] == pytest.approx(expected.mean)
        assert row["sd"] == pytest.approx(expected.std)
        assert row["median"] == pytest.approx(np.median(cohort.loc[members.index, "age"]))


def test_difference_of_means_by_hand():
    # Means 2 and 4, variances 1 and 4: 2 / sqrt(2.5).
    a, b = pd.Series([1.0, 2.0, 3.0]), pd.Series([2.0, 4.0, 6.0])
    assert standardised_difference([a, b], categorical=False) == pytest.approx(2 / np.sqrt(2.5))


def test_difference_of_two_categories_is_the_formula_for_proportions():
    a, b = pd.Series(["x"] * 30 + ["y"] * 70), pd.Series(["x"] * 50 + ["y"] * 50)
    expected = 0.2 / np.sqrt((0.3 * 0.7 + 0.5 * 0.5) / 2)  # Austin 2009
    assert standardised_difference([a, b], categorical=True) == pytest.approx(expected)


def test_difference_of_several_categories_by_hand():
    p, q = np.array([0.5, 0.3]), np.array([0.2, 0.3])  # categories b and c; a is the rest
    a = pd.Series(["a"] * 20 + ["b"] * 50 + ["c"] * 30)
    b = pd.Series(["a"] * 50 + ["b"] * 20 + ["c"] * 30)
    s = (np.array([[0.25, -0.15], [-0.15, 0.21]]) + np.array([[0.16, -0.06], [-0.06, 0.21]])) / 2
    expected = np.sqrt((p - q) @ np.linalg.inv(s) @ (p - q))  # Yang & Dalton 2012
    assert standardised_difference([a, b], categorical=True) == pytest.approx(expected)


def test_several_groups_give_the_largest_difference():
    parts = [pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 3.0]), pd.Series([5.0, 6.0, 7.0])]
    assert standardised_difference(parts, categorical=False) == pytest.approx(4.0)


@pytest.mark.parametrize("parts", [[pd.Series([1.0, 2.0])], [pd.Series([1.0]), pd.Series([np.nan])],
                                   [pd.Series([1.0, 1.0]), pd.Series([1.0, 1.0])]])
def test_degenerate_differences_are_not_a_number(parts):
    assert np.isnan(standardised_difference(parts, categorical=False))


def test_text_has_counts_percentages_and_missing_values(cohort, groups):
    text, _ = table_one(cohort, groups, outcome="death")
    assert list(text.columns) == ["variable", "category", "overall", "death = 0", "death = 1", "smd", "missing"]
    assert text.iloc[0, 2:5].tolist() == ["80", "50", "30"]
    positive = text.query("variable == 'er' and category == 'pos'").iloc[0]
    count = int((cohort["er"] == "pos").sum())
    assert positive["overall"] == f"{count} ({100 * count / 80:.1f}%)"
    missing = int(cohort["size"].isna().sum())
    assert text.query("variable == 'size'").iloc[0]["missing"] == f"{missing} ({100 * missing / 80:.1f}%)"
    assert text.query("variable == 'grade'")["category"].tolist() == ["1", "2", "3"]


def test_patients_without_outcome_count_overall_only(cohort, groups):
    text, _ = table_one(cohort, groups.iloc[:60], outcome="death")
    assert text.iloc[0, 2:5].tolist() == ["80", "50", "10"]


def test_without_outcome_there_is_one_column(cohort):
    text, numbers = table_one(cohort)
    assert list(text.columns) == ["variable", "category", "overall", "smd", "missing"]
    assert numbers["smd"].isna().all()


def test_bad_input_84_formula_categories_are_harmless_when_exported(cohort):
    from medomicslab_nb.protect import safe_cells

    text, _ = table_one(pd.DataFrame({"note": ["=cmd()", "fine"]}, index=["a", "b"]))
    assert "=cmd()" in text["category"].tolist()
    assert "'=cmd()" in safe_cells(text)["category"].tolist()


def test_bad_input_51_all_missing_variable_is_shown_as_such(cohort):
    text, _ = table_one(cohort.assign(empty=np.nan)[["empty", "age"]])
    assert text.query("variable == 'empty'")[["category", "overall", "missing"]].values.tolist() == [
        ["no value", "", "80 (100.0%)"]]


@pytest.mark.parametrize("halves", [(["a", "b"], ["c", "d"]), (["a"], ["b"])])
def test_groups_without_a_common_category_have_no_overlap(halves):
    a, b = (pd.Series(half * 10) for half in halves)
    assert np.isnan(standardised_difference([a, b], categorical=True))
    values = pd.concat([a, b], ignore_index=True)
    groups = pd.Series(["0"] * len(a) + ["1"] * len(b))
    text, numbers = table_one(pd.DataFrame({"x": values}), groups, outcome="death")
    assert text.loc[text["variable"] == "x", "smd"].iloc[0] == "no overlap"
    assert numbers["smd"].isna().all()


def test_categories_that_do_not_vary_have_no_difference():
    frame = pd.DataFrame({"x": ["a"] * 20})
    text, _ = table_one(frame, pd.Series(["0", "1"] * 10), outcome="death")
    assert text.loc[text["variable"] == "x", "smd"].iloc[0] == ""

"""Intraclass correlation: the published table, brute force, and the cases in which it does not exist."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as f_distribution
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from medomicslab_nb.evaluation.agreement import intraclass_correlation

# Shrout and Fleiss 1979, table 2: six subjects, four judges.
TABLE = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


# Estimates of the paper; limits as the R package psych prints them for the same table.
@pytest.mark.parametrize(("form", "estimate", "lower", "upper"), [
    ("ICC(1,1)", 0.17, -0.13, 0.72), ("ICC(A,1)", 0.29, 0.02, 0.76), ("ICC(C,1)", 0.71, 0.34, 0.95)])
def test_table_of_shrout_and_fleiss(form, estimate, lower, upper):
    found = intraclass_correlation(TABLE, form=form)
    assert found.estimate[0] == pytest.approx(estimate, abs=0.005)
    assert found.lower[0] == pytest.approx(lower, abs=0.005)
    assert found.upper[0] == pytest.approx(upper, abs=0.006)
    assert found.subjects.tolist() == [6]


@pytest.mark.parametrize("form", ["ICC(1,1)", "ICC(A,1)", "ICC(C,1)"])
def test_equal_to_the_analysis_of_variance_of_statsmodels(form):
    ratings = np.random.default_rng(0).normal(size=(9, 3, 2)).cumsum(axis=0) + np.array([0, 1])
    found = intraclass_correlation(ratings, form=form)
    n, k = ratings.shape[:2]
    for feature in range(2):
        long = pd.DataFrame({"y": ratings[:, :, feature].ravel(), "s": np.repeat(np.arange(n), k).astype(str),
                             "r": np.tile(np.arange(k), n).astype(str)})
        if form == "ICC(1,1)":
            mean = anova_lm(ols("y ~ s", long).fit())["mean_sq"]
            expected = (mean["s"] - mean["Residual"]) / (mean["s"] + (k - 1) * mean["Residual"])
        else:
            mean = anova_lm(ols("y ~ s + r", long).fit())["mean_sq"]
            raters = k / n * (mean["r"] - mean["Residual"]) if form == "ICC(A,1)" else 0
            expected = (mean["s"] - mean["Residual"]) / (mean["s"] + (k - 1) * mean["Residual"] + raters)
        assert found.estimate[feature] == pytest.approx(expected)


def test_unbalanced_one_way_with_a_single_rating_left_out():
    ratings = TABLE.copy()
    ratings[2, 3] = np.nan
    groups = [row[~np.isnan(row)] for row in ratings]
    values = np.concatenate(groups)
    n, total = len(groups), len(values)
    between = sum(len(group) * (group.mean() - values.mean()) ** 2 for group in groups) / (n - 1)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (total - n)
    k = (total - sum(len(group) ** 2 for group in groups) / total) / (n - 1)
    found = intraclass_correlation(ratings)
    assert found.estimate[0] == pytest.approx((between - within) / (between + (k - 1) * within))
    low = between / within / f_distribution.ppf(0.975, n - 1, total - n)
    assert found.lower[0] == pytest.approx((low - 1) / (low + k - 1))


def test_two_way_leaves_out_subjects_without_all_ratings_feature_by_feature():
    both = np.stack([TABLE, TABLE], axis=2)
    both[1, 2, 1] = np.nan
    found = intraclass_correlation(both, form="ICC(A,1)")
    alone = intraclass_correlation(np.delete(TABLE, 1, axis=0), form="ICC(A,1)")
    assert found.subjects.tolist() == [6, 5]
    assert found.estimate[1] == pytest.approx(alone.estimate[0])
    assert found.upper[1] == pytest.approx(alone.upper[0])


@pytest.mark.parametrize("form", ["ICC(1,1)", "ICC(A,1)", "ICC(C,1)"])
def test_constant_perfect_and_too_few(form):
    constant = np.full((5, 3), 0.1)
    perfect = np.tile(np.arange(5.0)[:, None], (1, 3)) + 0.1
    missing = np.full((5, 3), np.nan)
    found = intraclass_correlation(np.stack([constant, perfect, missing], axis=2), form=form)
    assert np.isnan(found.estimate[[0, 2]]).all()
    assert np.isnan(found.lower[[0, 2]]).all()
    assert found.estimate[1] == found.lower[1] == found.upper[1] == 1
    assert np.isnan(intraclass_correlation(TABLE[:1], form=form).estimate[0])
    assert np.isnan(intraclass_correlation(TABLE[:, :1], form=form).estimate[0])


def test_limits_cover_the_true_value():
    rng = np.random.default_rng(1)
    # 2,000 features of 20 subjects and 4 raters; variance 3 between subjects, 1 within: ICC .75.
    ratings = rng.normal(size=(20, 1, 2000)) * np.sqrt(3) + rng.normal(size=(20, 4, 2000))
    found = intraclass_correlation(ratings)
    covered = ((found.lower <= 0.75) & (found.upper >= 0.75)).mean()
    assert covered == pytest.approx(0.95, abs=0.015)


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="subjects, raters"):
        intraclass_correlation(np.arange(4.0))

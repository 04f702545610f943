"""ComBat: neuroCombat's values, the paper's formulas, and rows that know nothing of each other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from medomicslab_nb.models.harmonisation import ComBat

# 18 patients of three centres and what neuroCombat 0.2.12 makes of them (no covariates).
VALUES = np.array([
    [5.00, 10.30, -3.27, -0.89], [4.55, 9.01, -2.94, 1.34], [4.51, 9.38, -2.51, 0.36], [5.11, 9.07, -3.03, 0.70],
    [3.66, 9.54, -4.90, -1.29], [3.16, 9.76, -4.27, 0.27], [9.99, 22.62, -2.81, 1.15], [9.68, 23.22, -2.12, 1.22],
    [8.28, 21.38, -0.31, 0.83], [9.70, 24.76, -1.46, 1.67], [9.92, 23.12, -1.91, 1.90], [11.79, 19.90, -0.45, 1.94],
    [3.36, 11.00, -3.24, -2.20], [4.07, 9.58, -4.19, -0.32], [3.93, 9.67, -2.56, -1.68], [4.20, 8.54, -3.87, -2.19],
    [3.42, 8.80, -3.10, 0.15], [2.68, 8.21, -3.35, -2.99]])
CENTRES = np.repeat(np.array(["a", "b", "c"], dtype=object), 6)
NEUROCOMBAT = np.array([
    [6.6319, 14.6542, -2.5506, -0.8747], [6.1604, 13.0457, -2.2300, 1.3141], [6.1185, 13.5071, -1.8122, 0.3522],
    [6.7472, 13.1206, -2.3174, 0.6859], [5.2279, 13.7066, -4.1344, -1.2673], [4.7040, 13.9809, -3.5223, 0.2639],
    [6.0349, 13.9542, -3.8916, -0.3371], [5.7950, 14.3983, -3.3295, -0.2675], [4.7120, 13.0364, -1.8549, -0.6554],
    [5.8105, 15.5381, -2.7918, 0.1800], [5.9807, 14.3243, -3.1584, 0.4088], [7.4273, 11.9410, -1.9690, 0.4486],
    [5.6263, 15.4496, -2.5473, -0.5329], [6.4559, 13.9427, -3.6459, 1.1016], [6.2923, 14.0382, -1.7610, -0.0808],
    [6.6078, 12.8390, -3.2758, -0.5242], [5.6964, 13.1149, -2.3854, 1.5103], [4.8318, 12.4888, -2.6745, -1.2198]])


def three_centres(n: int = 90, p: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Centres of unequal size that differ in location and scale, feature by feature."""
    rng = np.random.default_rng(seed)
    centre = rng.choice(np.array(["north", "south", "west"], dtype=object), n, p=[0.5, 0.3, 0.2])
    shift, scale = rng.normal(size=(3, p)), rng.uniform(0.5, 2, size=(3, p))
    which = np.searchsorted(["north", "south", "west"], centre.astype(str))
    return rng.normal(size=(n, p)) * scale[which] + shift[which] + rng.normal(size=p) * 10, centre


def combat_of_the_paper(values, centre):
    """Johnson 2007 with matrices, a feature at a time, until the estimates stand."""
    names = sorted(set(centre))
    design = np.array([[float(one == name) for name in names] for one in centre])
    y, n = values.T, len(centre)
    beta = y @ design @ np.linalg.inv(design.T @ design)
    mean = beta @ design.sum(axis=0) / n
    sigma = np.sqrt(((y - beta @ design.T) ** 2).sum(axis=1) / n)
    z = (y - mean[:, None]) / sigma[:, None]
    result = np.empty_like(z)
    for name in names:
        part = z[:, centre == name]
        size = part.shape[1]
        gamma_hat, delta_hat = part.mean(axis=1), part.var(axis=1, ddof=1)
        gamma_bar, tau2 = gamma_hat.mean(), gamma_hat.var(ddof=1)
        m, s2 = delta_hat.mean(), delta_hat.var(ddof=1)
        lambda_, theta = (m ** 2 + 2 * s2) / s2, (m ** 3 + m * s2) / s2
        for feature in range(len(part)):
            delta = delta_hat[feature]
            for _ in range(500):
                gamma = (size * tau2 * gamma_hat[feature] + delta * gamma_bar) / (size * tau2 + delta)
                delta = (theta + 0.5 * ((part[feature] - gamma) ** 2).sum()) / (size / 2 + lambda_ - 1)
            result[feature, centre == name] = (part[feature] - gamma) / np.sqrt(delta)
    return (result * sigma[:, None] + mean[:, None]).T


def test_values_of_neurocombat():
    # neuroCombat stops its iteration at a change of 1e-4.
    assert ComBat().fit(VALUES, CENTRES).transform(VALUES, CENTRES) == pytest.approx(NEUROCOMBAT, abs=2e-3)


def test_formulas_of_the_paper():
    values, centre = three_centres()
    found = ComBat().fit(values, centre).transform(values, centre)
    assert found == pytest.approx(combat_of_the_paper(values, centre), rel=1e-7, abs=1e-7)


def test_centres_agree_afterwards():
    values, centre = three_centres(3000)
    found = ComBat().fit(values, centre).transform(values, centre)
    means = np.array([found[centre == name].mean(axis=0) for name in ("north", "south", "west")])
    deviations = np.array([found[centre == name].std(axis=0) for name in ("north", "south", "west")])
    pooled = deviations.mean(axis=0)
    assert (np.ptp(means, axis=0) / pooled).max() < 0.05
    assert (np.ptp(deviations, axis=0) / pooled).max() < 0.05
    before = np.array([values[centre == name].mean(axis=0) for name in ("north", "south", "west")])
    assert (np.ptp(before, axis=0) / pooled).mean() > 1


def test_rows_of_a_known_centre_one_by_one_are_those_together():
    values, centre = three_centres()
    combat = ComBat().fit(values[:60], centre[:60])
    together = combat.transform(values[60:], centre[60:])
    alone = [combat.transform(values[[row]], centre[[row]])[0] for row in range(60, 90)]
    assert np.array_equal(together, np.array(alone))


def test_missing_values_stay_missing_and_do_not_count():
    values, centre = three_centres()
    values[np.random.default_rng(0).random(values.shape) < 0.1] = np.nan
    values[centre == "west", 3] = np.nan
    combat = ComBat().fit(values, centre)
    found = combat.transform(values, centre)
    assert np.array_equal(np.isnan(found), np.isnan(values))
    assert np.isfinite(combat.location_).all()
    assert (combat.scale_ > 0).all()
    column = values[:, 0]
    assert combat.mean_[0] == pytest.approx(np.nanmean(column))
    residual = column.copy()
    for name in set(centre):
        residual[centre == name] -= np.nanmean(column[centre == name])
    assert combat.sigma_[0] == pytest.approx(np.nanstd(residual))


def test_features_constant_in_a_centre_in_all_or_everywhere():
    values, centre = three_centres()
    values[centre == "west", 0] = 0.1
    values[:, 1] = 0.1 + np.searchsorted(["north", "south", "west"], centre.astype(str))
    values[:, 2] = 0.1
    combat = ComBat().fit(values, centre)
    found = combat.transform(values, centre)
    assert np.isfinite(found).all()
    assert combat.scale_[combat.centres_.index("west"), 0] == 1
    assert found[:, 1] == pytest.approx(np.full(90, values[:, 1].mean()))
    assert found[:, 2] == pytest.approx(values[:, 2])
    # The others do not notice but through the prior, which these features do not take part in.
    rest = ComBat().fit(values[:, 3:], centre).transform(values[:, 3:], centre)
    assert found[:, 3:] == pytest.approx(rest, abs=0.2)


def test_one_feature_is_standardised_without_a_prior():
    values, centre = three_centres(p=1)
    found = ComBat().fit(values, centre).transform(values, centre)
    deviations = [found[centre == name].std(ddof=1) for name in ("north", "south", "west")]
    assert deviations == pytest.approx([deviations[0]] * 3)
    assert [found[centre == name].mean() for name in ("north", "south", "west")] == pytest.approx([values.mean()] * 3)


def test_equal_features_have_a_sharp_prior():
    values, centre = three_centres(p=1)
    found = ComBat().fit(np.tile(values, (1, 4)), centre).transform(np.tile(values, (1, 4)), centre)
    assert np.isfinite(found).all()
    assert found == pytest.approx(np.tile(found[:, :1], (1, 4)))


def test_small_centre_is_left_as_it_is_and_does_not_count():
    values, centre = three_centres()
    small = np.concatenate([centre, np.array(["tiny"] * 4, dtype=object)])
    extended = np.vstack([values, np.full((4, 40), 1e3)])
    combat = ComBat().fit(extended, small)
    found = combat.transform(extended, small)
    assert np.array_equal(found[-4:], extended[-4:])
    assert np.array_equal(found[:90], ComBat().fit(values, centre).transform(values, centre))
    assert combat.notes(small) == ["Centre 'tiny' has fewer than 5 training patients: its values were left "
                                   "unharmonised."]
    # Many of its patients in a test set change nothing: their centre was in training.
    many = np.full(30, "tiny", dtype=object)
    assert np.array_equal(combat.transform(values[:30], many), values[:30])


def test_new_centre_by_its_own_predictors_from_twenty_patients_on():
    values, centre = three_centres(400)
    combat = ComBat().fit(values[:300], centre[:300])
    new, name = values[300:] * 3 + 5, np.full(100, "east", dtype=object)
    found = combat.transform(new, name)
    assert (np.abs(found.mean(axis=0) - combat.mean_) / combat.sigma_).max() < 0.05
    assert "transductive" in combat.notes(name)[0]
    assert "100 patients" in combat.notes(name)[0]
    few = combat.transform(new[:19], name[:19])
    assert np.array_equal(few, new[:19])
    assert combat.notes(name[:19]) == ["Centre 'east' was not in training and has fewer than 20 patients: its values "
                                       "were left unharmonised."]
    # Other centres' rows in the same table change neither.
    mixed = combat.transform(np.vstack([values[:50], new]), np.concatenate([centre[:50], name]))
    assert np.array_equal(mixed[50:], found)
    assert np.array_equal(mixed[:50], combat.transform(values[:50], centre[:50]))


def test_single_training_centre_is_the_reference_of_new_ones():
    values, _ = three_centres(200)
    combat = ComBat().fit(values, np.full(200, "here", dtype=object))
    assert combat.transform(values, np.full(200, "here", dtype=object)) == pytest.approx(values)
    there = combat.transform(values * 2 + 1, np.full(200, "there", dtype=object))
    assert there.mean(axis=0) == pytest.approx(values.mean(axis=0), abs=0.5)


def test_unknown_centres_stay_as_they_are():
    values, centre = three_centres()
    gaps = centre.copy()
    gaps[:5] = None
    gaps[5] = np.nan
    combat = ComBat().fit(values, gaps)
    assert np.array_equal(combat.transform(values, gaps)[:6], values[:6])
    assert combat.notes(gaps) == ["For 6 of 90 patients the centre is not known: their values were left unharmonised."]
    assert np.array_equal(combat.transform(values, None), values)
    assert combat.notes(None) == ["No centre was given, so the values were left unharmonised."]
    assert combat.notes(centre) == []
    nobody = np.full(90, None, dtype=object)
    assert np.array_equal(ComBat().fit(values, nobody).transform(values, nobody), values)


def test_the_outcome_is_no_argument():
    assert clone(ComBat()).get_params() == {}

"""ComBat from the moments of sites against ComBat fitted on the pooled patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from medomicslab_nb.federated.messages import only
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.combat import harmonise
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.models.harmonisation import ComBat
from tests.federated.tasks.conftest import at_site, drive

NAMES = ("energy", "entropy", "volume", "contrast", "constant")


def hospitals(sizes=(60, 34, 40), seed=3) -> dict[str, SitePatients]:
    """Devices that measure on scales of their own, with gaps that differ between them."""
    rng = np.random.default_rng(seed)
    sites = {}
    for number, n in enumerate(sizes):
        values = rng.normal(size=(n, 5)) * rng.uniform(0.5, 3, 5) + rng.normal(size=5) * 4 + [0, 50, 1000, 0, 0]
        values[:, 4] = 7.0
        values[rng.random((n, 5)) < 0.1 * number] = np.nan
        frame = pd.DataFrame(values, columns=list(NAMES))
        sites["abc"[number]] = at_site(frame, rng.random(n) < 0.4, testing=rng.random(n) < 0.2)
    return sites


def together(sites, names=None) -> tuple[np.ndarray, np.ndarray]:
    """Values of the training patients and their sites."""
    parts = {name: one.training_part for name, one in sites.items() if names is None or name in names}
    return (np.concatenate([part.frame[list(NAMES)].to_numpy() for part in parts.values()]),
            np.concatenate([np.repeat(np.array([name], dtype=object), len(part)) for name, part in parts.items()]))


def at_the_sites(preparation, sites, part="training") -> np.ndarray:
    return np.concatenate([prepared(one, {**preparation.values(), **preparation.each().get(name, {}), "part": part}, 1)
                           for name, one in sites.items()])


@pytest.mark.parametrize("sizes", [(60, 34, 25), (60,), (40, 30, 4)])
def test_equal_to_combat_of_the_pooled_patients(sizes):
    sites = hospitals(sizes)
    found = drive(harmonise(Preparation(NAMES, {})), sites)
    values, centre = together(sites)
    combat = ComBat().fit(values, centre)
    assert list(found.location) == combat.centres_
    np.testing.assert_allclose(found.centre, combat.mean_, rtol=1e-12)
    np.testing.assert_allclose(list(found.location.values()), combat.location_, rtol=1e-9)
    np.testing.assert_allclose(list(found.spread.values()), combat.scale_, rtol=1e-9)
    filled = SimpleImputer().fit_transform(combat.transform(values, centre))
    expected = StandardScaler().fit_transform(filled)
    np.testing.assert_allclose(at_the_sites(found, sites), expected, atol=1e-9)
    left = [note for note in found.notes if "unharmonised" in note]
    assert len(left) == (sizes[-1] < 5)


def test_patients_who_judge_take_no_part():
    sites = hospitals()
    moved = {name: replace(one, frame=one.frame.mask(pd.Series(one.testing, one.frame.index), 1e6))
             for name, one in sites.items()}
    assert any((moved[name].frame != sites[name].frame).any(axis=None) for name in sites)
    first, second = (drive(harmonise(Preparation(NAMES, {})), one) for one in (sites, moved))
    for name in sites:
        np.testing.assert_array_equal(first.location[name], second.location[name])


def test_a_site_outside_the_model_is_harmonised_by_its_own_predictors():
    sites = hospitals()
    found = drive(harmonise(Preparation(NAMES, {}), training=("a", "b")), sites)
    values, centre = together(sites, ("a", "b"))
    combat = ComBat().fit(values, centre)
    outside, own = together(sites, ("c",))
    expected = combat.transform(outside, own)
    harmonised = found.centre + (outside - found.location["c"]) / found.spread["c"]
    np.testing.assert_allclose(harmonised, expected, rtol=1e-9)
    assert tuple(found.patients) == ("a", "b")
    assert [note.split()[0] for note in found.notes if "its own patients together" in note] == ["c"]
    alone = drive(only(harmonise(Preparation(NAMES, {})), ("a", "b")), sites)
    np.testing.assert_array_equal(alone.mean, found.mean)


def test_a_site_where_everybody_judges_is_harmonised_by_those():
    sites = hospitals()
    judging = {**sites, "c": replace(sites["c"].training_part, testing=np.ones(len(sites["c"].training_part), bool))}
    found = drive(harmonise(Preparation(NAMES, {}), ("a", "b"), ("c",)), judging)
    expected = drive(harmonise(Preparation(NAMES, {}), ("a", "b")), sites)
    np.testing.assert_allclose(found.location["c"], expected.location["c"])
    assert tuple(found.patients) == ("a", "b")


def test_only_moments_leave():
    log = []
    drive(harmonise(Preparation(NAMES, {})), hospitals(), minimum=5, log=log)
    released = [release for _, question, release in log if question.step == "combat"]
    assert all(set(release.values) == {"count", "mean", "squares", "patients"} for release in released)
    assert all("5 numeric columns" in release.words for release in released)


def test_without_numeric_columns_there_is_nothing_to_harmonise():
    sites = {name: at_site(pd.DataFrame({"stage": ["I", "II"] * 10}), np.arange(20) % 3 == 0) for name in "ab"}
    found = drive(harmonise(Preparation((), {"stage": ("I", "II")})), sites)
    assert found.centre is None and found.mean == pytest.approx([0.5])

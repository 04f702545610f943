"""Networks and trees of a continuous outcome do not depend on its unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.federated.messages import Task
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.settings import NetworkSettings, PrivacySettings, TreesSettings
from medomicslab_nb.federated.tasks.moments import quantile_edges
from medomicslab_nb.federated.tasks.network import fit_network
from medomicslab_nb.federated.tasks.outcome_scale import OutcomeScale
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared_to_score, standardise
from medomicslab_nb.federated.tasks.trees import fit_trees
from tests.federated.tasks.conftest import at_site, drive


def some_sites(unit: float, offset: float) -> dict[str, SitePatients]:
    rng = np.random.default_rng(2)
    sites = {}
    for number, name in enumerate("abc"):
        n = 60 + 30 * number
        x = rng.normal(number, 1, (n, 2))
        outcome = np.sin(x[:, 0]) + 2 * x[:, 1] + rng.normal(scale=0.3, size=n)
        frame = pd.DataFrame(x, columns=["x", "y"])
        sites[name] = at_site(frame, offset + unit * outcome, testing=np.arange(n) % 4 == 0)
    return sites


def network() -> Task:
    preparation = yield from standardise(Preparation(("x", "y"), {}))
    model = yield from fit_network(preparation, NetworkSettings(rounds=15, learning_rate=0.1), PrivacySettings(), 0,
                                   "continuous")
    return preparation, model


def trees() -> Task:
    preparation = yield from standardise(Preparation(("x", "y"), {}))
    edges = yield from quantile_edges(preparation, 12)
    return preparation, (yield from fit_trees(preparation, edges, TreesSettings(rounds=15)))


def explained(task: Callable[[], Task], sites: dict[str, SitePatients], minimum: int = 1) -> float:
    """R2 over the patients who judge."""
    preparation, model = drive(task(), sites, minimum)
    judging = [site.testing_part for site in sites.values()]
    values = {**preparation.values(), "part": "testing"}
    predicted = np.concatenate([model.score(prepared_to_score(part, values)) for part in judging])
    outcome = np.concatenate([part.endpoint.outcome for part in judging])
    return float(1 - np.square(outcome - predicted).sum() / np.square(outcome - outcome.mean()).sum())


@pytest.mark.parametrize("task", [network, trees])
def test_any_unit_gives_the_same_model(task: Callable[[], Task]) -> None:
    usual = explained(task, some_sites(1.0, 0.0))
    assert usual > 0.75
    for unit, offset in ((1e4, 5e5), (1e-5, 0.0), (-3.0, 1e6)):
        assert explained(task, some_sites(unit, offset)) == pytest.approx(usual, abs=0.03)


def test_mean_and_deviation_are_those_of_all_training_patients() -> None:
    sites = some_sites(10.0, 100.0)
    preparation = drive(standardise(Preparation(("x",), {})), sites)
    outcome = np.concatenate([site.training_part.endpoint.outcome for site in sites.values()])
    assert preparation.outcome.mean == pytest.approx(outcome.mean(), rel=1e-12)
    assert preparation.outcome.sd == pytest.approx(outcome.std(), rel=1e-12)


def test_other_outcomes_stay_as_they_are() -> None:
    sites = some_sites(1.0, 0.0)
    classes = {name: replace(site, endpoint=replace(site.endpoint, outcome=site.endpoint.outcome > 0))
               for name, site in sites.items()}
    log: list = []
    assert drive(standardise(Preparation(("x",), {})), classes, log=log).outcome == OutcomeScale()
    assert all("outcome" not in release.words for _, _, release in log)


def test_what_leaves_is_said() -> None:
    log: list = []
    drive(standardise(Preparation(("x",), {})), some_sites(1.0, 0.0), log=log)
    assert all(release.words.endswith("; mean and sum of squares of the outcome") for _, _, release in log)

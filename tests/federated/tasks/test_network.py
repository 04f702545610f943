"""Networks over sites: what must be exact, what must be learnt, and what must not be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import only, pack
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.settings import NetworkSettings, PrivacySettings
from medomicslab_nb.federated.tasks.network import Network, fit_network, network_step, score
from medomicslab_nb.federated.tasks.network_layers import initial_weights, layers, sizes_of
from medomicslab_nb.federated.tasks.network_privacy import epsilon
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from tests.federated.tasks.conftest import at_site, drive

NONE = PrivacySettings()
SITES = ("east", "north", "west")
COLUMNS = tuple("abcd")
PREPARATION = Preparation(COLUMNS, {}, mean=np.zeros(4), scale=np.ones(4))


def unlike_sites(seed: int = 0) -> dict[str, SitePatients]:
    """Three hospitals with other patients and other rates of the event; risk is highest in the middle of "a"."""
    generator = np.random.default_rng(seed)
    sites = {}
    for number, site in enumerate(SITES):
        n = (90, 140, 60)[number]
        x = generator.normal((number - 1) * 1.2, 1.0, (n, 4)) * [1, 1, 0.5, 1]
        y = generator.random(n) < expit(2.5 - 1.5 * x[:, 0]**2 + 0.8 * x[:, 1])
        sites[site] = at_site(pd.DataFrame(x, columns=list(COLUMNS)), y, testing=np.arange(n) % 3 == 0)
    return sites


def permuted(sites: Mapping[str, SitePatients], seed: int) -> dict[str, SitePatients]:
    """The same with outcomes of other patients, from whichever site."""
    outcome = np.random.default_rng(seed).permutation(np.concatenate([sites[site].endpoint.outcome for site in SITES]))
    ends = np.cumsum([len(sites[site]) for site in SITES])[:-1]
    return {site: replace(sites[site], endpoint=replace(sites[site].endpoint, outcome=part))
            for site, part in zip(SITES, np.split(outcome, ends), strict=True)}


def followed_sites(seed: int = 0) -> dict[str, SitePatients]:
    generator = np.random.default_rng(seed)
    sites = {}
    for number, site in enumerate(SITES):
        x = generator.normal(size=(100, 4))
        time = np.ceil(20 * generator.exponential(np.exp(-x[:, 0] + 0.5 * x[:, 1])) * (1 + number))
        sites[site] = at_site(pd.DataFrame(x, columns=list(COLUMNS)), generator.random(100) < 0.7, time=time,
                              testing=np.arange(100) % 4 == 0, unit="days")
    return sites


def fitted(sites: Mapping[str, SitePatients], *, privacy: PrivacySettings = NONE, seed: int = 0, kind: str = "binary",
           names: tuple[str, ...] = SITES, **settings: Any) -> Network:
    task = only(fit_network(PREPARATION, NetworkSettings(**settings), privacy, seed, kind), names)
    return drive(task, sites)


def matrix_of(sites: Mapping[str, SitePatients], part: str) -> np.ndarray:
    return np.concatenate([prepared(sites[site], {**PREPARATION.values(), "part": part}, 1) for site in SITES])


def auc(network: Network, sites: Mapping[str, SitePatients]) -> float:
    outcome = np.concatenate([sites[site].testing_part.endpoint.outcome for site in SITES])
    return roc_auc_score(outcome, network.score(matrix_of(sites, "testing")))


# What must be exact

@pytest.mark.parametrize("hidden", [(), (3,)])
def test_fedavg_of_one_full_step_is_gradient_descent_on_all_patients(hidden: tuple[int, ...]) -> None:
    sites = unlike_sites()
    found = fitted(sites, hidden=hidden, rounds=12, epochs=1, batch=1000, learning_rate=0.3)
    x = torch.tensor(matrix_of(sites, "training"))
    y = torch.tensor(np.concatenate([sites[site].training_part.endpoint.outcome for site in SITES])).double()
    start = initial_weights(sizes_of(4, hidden), 0)
    parameters = [torch.tensor(part, requires_grad=True) for layer in layers(start, sizes_of(4, hidden))
                  for part in layer]
    for _ in range(12):
        value = x @ parameters[0].T + parameters[1]
        if hidden:
            value = torch.tanh(value) @ parameters[2].T + parameters[3]
        chance = torch.sigmoid(value[:, 0])
        loss = -(y * chance.log() + (1 - y) * (1 - chance).log()).mean()
        for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.data -= 0.3 * slope
    expected = np.concatenate([parameter.detach().numpy().ravel() for parameter in parameters])
    np.testing.assert_allclose(found.weights, expected, atol=1e-12)


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox", "fedadam"])
def test_the_same_seed_gives_the_same_bytes(strategy: str) -> None:
    sites = unlike_sites()
    first, again, other = (fitted(sites, strategy=strategy, rounds=3, seed=seed) for seed in (0, 0, 1))
    assert first.weights.tobytes() == again.weights.tobytes() and first.losses == again.losses
    assert not np.allclose(first.weights, other.weights)


def test_the_number_of_threads_changes_no_byte() -> None:
    sites, before = unlike_sites(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two = fitted(sites, rounds=2, hidden=(64,))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert two.weights.tobytes() == fitted(sites, rounds=2, hidden=(64,)).weights.tobytes()


def test_each_round_visits_patients_in_another_order() -> None:
    """With the same weights in, the second round's weights out differ from the first's."""
    patients = unlike_sites()["east"]
    values = question_values()
    out = [network_step(patients, {**values, "number": number}, 1).values["weights"] for number in (1, 2, 1)]
    assert not np.array_equal(out[0], out[1]) and np.array_equal(out[0], out[2])


def question_values(*, privacy: PrivacySettings = NONE, seed: int = 0, **settings: Any) -> dict[str, Any]:
    network = NetworkSettings(**settings)
    return {**PREPARATION.values(), "network": network.model_dump(mode="json"), "number": 1, "seed": seed,
            "privacy": privacy.model_dump(mode="json"), "kind": "binary",
            "weights": initial_weights(sizes_of(4, network.hidden), 0)}


# What must be learnt

@pytest.mark.parametrize("strategy", ["fedavg", "fedprox", "fedadam"])
def test_together_beats_the_mean_of_alone_where_sites_differ(strategy: str) -> None:
    sites = unlike_sites()
    settings = {"strategy": strategy, "rounds": 60, "epochs": 2, "learning_rate": 0.2, "proximal": 0.01}
    together = fitted(sites, **settings)
    alone = [auc(fitted(sites, names=(site,), **settings), sites) for site in SITES]
    assert auc(together, sites) > np.mean(alone) + 0.03
    assert together.losses[-1] < together.losses[0] - 0.05


def test_fedprox_pulls_towards_the_weights_that_came() -> None:
    patients = unlike_sites()["east"]
    moved = []
    for proximal in (0.0, 1.0, 5.0):
        values = question_values(strategy="fedprox", proximal=proximal, epochs=40, learning_rate=0.1)
        moved.append(np.linalg.norm(network_step(patients, values, 1).values["weights"] - values["weights"]))
    assert moved[0] > 1.5 * moved[1] > 1.5 * moved[2] > 0
    plain = network_step(patients, question_values(epochs=40, learning_rate=0.1), 1).values["weights"]
    values = question_values(strategy="fedprox", proximal=0.0, epochs=40, learning_rate=0.1)
    assert np.array_equal(plain, network_step(patients, values, 1).values["weights"])


def test_permuted_outcomes_give_chance() -> None:
    worlds = [permuted(unlike_sites(seed), seed) for seed in range(24)]
    found = [auc(fitted(sites, rounds=5, learning_rate=0.2), sites) for sites in worlds]
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(24) < 0.05


def test_survival_learns_the_order_within_every_site() -> None:
    sites = followed_sites()
    network = fitted(sites, kind="survival", rounds=10, learning_rate=0.1)
    for site in SITES:
        part = sites[site].testing_part
        risk = network.score(prepared(sites[site], {**PREPARATION.values(), "part": "testing"}, 1))
        truth = part.frame["a"] - 0.5 * part.frame["b"]
        reached, best = (concordance_index_censored(part.endpoint.outcome, part.endpoint.time, np.asarray(values))[0]
                         for values in (risk, truth))
        assert reached > best - 0.05 > 0.6


def test_a_stored_network_scores_the_same() -> None:
    sites = unlike_sites()
    network = fitted(sites, rounds=2, hidden=(5, 3))
    stored = {**network.values(), "weights": network.weights.tolist()}
    assert np.array_equal(score(stored, matrix_of(sites, "all")), network.score(matrix_of(sites, "all")))
    assert network.values()["model"] == "network"


# What must not be told

def test_words_and_counts_of_a_release() -> None:
    release = network_step(unlike_sites()["east"], question_values(hidden=(3,)), 5)
    assert release.words == "weights of a network (19 numbers) after 2 passes over 60 patients, and its mean loss " \
                            "over them before"
    assert (release.patients, tuple(release.cells)) == (60, (60,))
    assert set(release.values) == {"weights", "n", "loss"}


LOCAL = PrivacySettings(kind="local", noise=1.0, clip=1.0)
CENTRAL = PrivacySettings(kind="central", noise=0.5, clip=2.0)


def gradient_sum(patients: SitePatients, privacy: PrivacySettings) -> np.ndarray:
    """What one step over all patients moves the weights by, as the sum of gradients that was released."""
    values = question_values(privacy=privacy, epochs=1, batch=len(patients), learning_rate=0.1, hidden=())
    after = network_step(patients, {**values, "part": "all"}, 1).values["weights"]
    return (values["weights"] - after) * len(patients) / 0.1


def with_extreme_patient(patients: SitePatients) -> SitePatients:
    frame = patients.frame.copy()
    frame.iloc[0] = [1e4, -1e4, 1e4, -1e4]
    return SitePatients(frame, patients.categorical, patients.endpoint, patients.testing)


def test_clipping_bounds_what_one_patient_can_do() -> None:
    patients = unlike_sites()["east"]
    silent = PrivacySettings(kind="local", noise=1e-9, clip=0.3)
    changed = with_extreme_patient(patients)
    assert np.linalg.norm(gradient_sum(changed, silent) - gradient_sum(patients, silent)) <= 2 * 0.3 + 1e-6
    assert np.linalg.norm(gradient_sum(changed, NONE) - gradient_sum(patients, NONE)) > 100


def test_taking_a_patient_away_moves_the_sum_by_the_norm_at_most() -> None:
    patients = with_extreme_patient(unlike_sites()["east"])
    silent = PrivacySettings(kind="local", noise=1e-9, clip=0.3)
    fewer = patients.where(np.arange(len(patients)) > 0)
    assert 0.1 < np.linalg.norm(gradient_sum(patients, silent) - gradient_sum(fewer, silent)) <= 0.3 + 1e-6


def test_noise_has_the_stated_size_and_no_seed() -> None:
    """The same question, the same seed, PyTorch and numpy seeded alike: the noise is another each time."""
    patients, sums = unlike_sites()["east"], []
    for _ in range(60):
        torch.manual_seed(0)
        np.random.seed(0)
        sums.append(gradient_sum(patients, PrivacySettings(kind="local", noise=2.0, clip=0.5)))
    noise = np.array(sums) - np.mean(sums, axis=0)
    assert noise.std() == pytest.approx(1.0, rel=0.15)
    assert len(np.unique(noise)) == noise.size == 60 * 5


def test_the_chance_to_be_drawn_is_the_one_that_is_counted() -> None:
    """Without noise, steps of about a third of the patients differ in whom they hold."""
    patients = unlike_sites()["east"]
    silent = PrivacySettings(kind="local", noise=1e-9, clip=1.0)
    values = question_values(privacy=silent, epochs=1, batch=20)
    out = [network_step(patients, values, 1).values["weights"] for _ in range(3)]
    assert not np.allclose(out[0], out[1], atol=1e-6) and not np.allclose(out[1], out[2], atol=1e-6)


def test_local_privacy_tells_each_sites_epsilon_and_no_loss() -> None:
    sites = unlike_sites()
    network = fitted(sites, privacy=LOCAL, rounds=5, epochs=2, batch=20)
    patients = {site: len(sites[site].training_part) for site in SITES}
    expected = {site: epsilon(1.0, 20 / n, 5 * 2 * -(-n // 20), 1e-5) for site, n in patients.items()}
    assert network.epsilons == pytest.approx(expected) and network.epsilon == max(expected.values())
    assert network.losses == () and network.delta == 1e-5
    release = network_step(sites["east"], question_values(privacy=LOCAL), 1)
    assert set(release.values) == {"weights", "n"} and "epsilon" in release.words


def test_local_privacy_still_learns() -> None:
    sites = unlike_sites()
    network = fitted(sites, privacy=PrivacySettings(kind="local", noise=0.3, clip=1.0), rounds=60, learning_rate=0.2)
    assert auc(network, sites) > auc(fitted(sites, rounds=1, learning_rate=1e-9), sites) + 0.1


def test_fedprox_pulls_with_privacy_too() -> None:
    patients, moved = unlike_sites()["east"], []
    for proximal in (0.0, 5.0):
        values = question_values(privacy=PrivacySettings(kind="local", noise=1e-6), strategy="fedprox", epochs=40,
                                 proximal=proximal, learning_rate=0.1)
        moved.append(np.linalg.norm(network_step(patients, values, 1).values["weights"] - values["weights"]))
    assert moved[1] < moved[0] / 2


def test_central_privacy_clips_at_the_site_and_tells_epsilon() -> None:
    sites = unlike_sites()
    values = question_values(privacy=CENTRAL, learning_rate=5.0)
    release = network_step(sites["east"], values, 1)
    assert np.linalg.norm(release.values["weights"] - values["weights"]) == pytest.approx(2.0)
    assert set(release.values) == {"weights", "n", "secret"} and len(release.values["secret"]) == 32
    network = fitted(sites, privacy=CENTRAL, rounds=5)
    assert network.epsilons == pytest.approx(dict.fromkeys(SITES, epsilon(0.5, 1.0, 5, 1e-5)))
    assert network.losses == ()


def test_central_noise_is_another_in_each_round_and_each_run() -> None:
    """Without anything learnt, what moves the weights is noise of the stated size."""
    sites = unlike_sites()
    paths = []
    for _ in range(2):
        log: list = []
        drive(fit_network(PREPARATION, NetworkSettings(rounds=4, learning_rate=1e-12, hidden=(64,)), CENTRAL, 0,
                          "binary"), sites, log=log)
        paths.append(np.diff([question.values["weights"] for site, question, _ in log if site == "east"], axis=0))
    steps = np.concatenate(paths)
    assert steps.std() == pytest.approx(0.5 * 2.0 / 3, rel=0.1)
    assert np.abs(np.corrcoef(steps)[np.triu_indices(6, 1)]).max() < 0.2


@pytest.mark.parametrize("privacy", [NONE, LOCAL, CENTRAL], ids=lambda privacy: privacy.kind)
def test_stored_answers_lead_to_the_same_questions(privacy: PrivacySettings) -> None:
    """So that a stopped run goes on: its noise is in the answers."""
    sites, stored, asked = unlike_sites(), [], []
    network = NetworkSettings(rounds=4)
    task = fit_network(PREPARATION, network, privacy, 0, "binary")
    question = next(task)
    result = None
    while result is None:
        asked.append(pack(question.values))
        stored.append({site: network_step(sites[site], question.for_site(site), 1).values for site in SITES})
        try:
            question = task.send(stored[-1])
        except StopIteration as end:
            result = end.value
    again = fit_network(PREPARATION, network, privacy, 0, "binary")
    question = next(again)
    for content, answers in zip(asked, stored, strict=True):
        assert pack(question.values) == content
        try:
            question = again.send(answers)
        except StopIteration as end:
            assert end.value.weights.tobytes() == result.weights.tobytes()


# What is refused

def test_local_privacy_is_refused_for_survival() -> None:
    with pytest.raises(DataError, match="partial likelihood"):
        next(fit_network(PREPARATION, NetworkSettings(), LOCAL, 0, "survival"))
    with pytest.raises(DataError, match="partial likelihood"):
        network_step(followed_sites()["east"], question_values(privacy=LOCAL), 1)


@pytest.mark.parametrize("kind", ["local", "central"])
def test_a_delta_that_promises_nothing_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match=r"delta 0\.5"):
        fitted(unlike_sites(), privacy=PrivacySettings(kind=kind, delta=0.5), rounds=1)


def test_divergence_names_the_site() -> None:
    sites = unlike_sites()
    sites["north"] = with_extreme_patient(sites["north"].where(~sites["north"].testing))
    task = fit_network(PREPARATION, NetworkSettings(hidden=(), learning_rate=1e306), NONE, 0, "binary")
    with pytest.raises(DataError, match=r"site north.*learning_rate"), np.errstate(all="ignore"):
        drive(task, {"north": sites["north"]})

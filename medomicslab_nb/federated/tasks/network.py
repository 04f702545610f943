"""A network whose weights travel: trained at every site in turn of rounds, averaged at the coordinator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medomicslab_nb.errors import DataError, MissingExtraError
from medomicslab_nb.evaluation.endpoints import Kind
from medomicslab_nb.federated.messages import Answers, Question, Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.settings import NetworkSettings, PrivacySettings
from medomicslab_nb.federated.tasks.losses import losses_of
from medomicslab_nb.federated.tasks.network_layers import forward, in_units, initial_weights, sizes_of
from medomicslab_nb.federated.tasks.network_privacy import clipped, epsilon, fresh_secret, noisy_mean, sampling
from medomicslab_nb.federated.tasks.network_strategy import mean_change, server_of
from medomicslab_nb.federated.tasks.outcome_scale import in_deviations
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.stages import load

_TASKS = "medomicslab_nb.federated.tasks"
_WHERE = "federated network"


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes
    ----------
    kind : {"binary", "continuous", "survival"}
    columns : tuple of str
        Prepared columns, in the order of its inputs.
    hidden : tuple of int
        Units of each hidden layer.
    weights : ndarray
        See :mod:`~medomicslab_nb.federated.tasks.network_layers`.
    losses : tuple of float
        Of each round before its training, over all sites' patients; empty with differential privacy, which a loss
        without noise would break.
    epsilons : dict of str to float
        Local privacy: what each site's patients have spent. Central: what each site has, under every site's name.
    delta : float
        Probability with which an epsilon may be exceeded; 0 without privacy.
    """

    kind: Kind
    columns: tuple[str, ...]
    hidden: tuple[int, ...]
    weights: np.ndarray
    losses: tuple[float, ...] = ()
    epsilons: Mapping[str, float] | None = None
    delta: float = 0.0

    @property
    def epsilon(self) -> float | None:
        """The largest of the sites; None without privacy. Sites have different patients, so theirs do not add up."""
        return max(self.epsilons.values()) if self.epsilons else None

    def values(self) -> dict[str, Any]:
        """What travels and is stored."""
        return {"model": "network", "kind": self.kind, "hidden": list(self.hidden), "weights": self.weights}

    def score(self, matrix: np.ndarray) -> np.ndarray:
        """Logit, prediction or log hazard ratio of each row of prepared columns."""
        return score(self.values(), matrix)


def score(values: Values, matrix: np.ndarray) -> np.ndarray:
    """Score of each row of ``matrix``, shape (n, columns): a logit, a prediction or a log hazard ratio."""
    return forward(np.asarray(values["weights"]), sizes_of(matrix.shape[1], values["hidden"]), matrix)


def fit_network(preparation: Preparation, network: NetworkSettings, privacy: PrivacySettings, seed: int,
                kind: Kind) -> Task:
    """Train a network over the sites.

    Each round every site trains the coordinator's network on its own patients; the coordinator takes the mean of what
    changed, weighted by patients, as its strategy says. Without privacy the same seed gives the same bytes. With it the
    noise is the operating system's, see :mod:`~medomicslab_nb.federated.tasks.network_privacy`, and no two runs are
    alike; with central privacy all sites weigh the same.

    A continuous outcome is trained on in standard deviations, and so are the losses of it; the network that comes back
    predicts in its unit.

    Returns
    -------
    Network

    Raises
    ------
    DataError
        Training diverges, delta is too large for the number of patients, or local privacy is asked for survival.
    MissingExtraError
    """
    _refuse_private_survival(kind, privacy)
    fixed = {**preparation.values(), **preparation.outcome.values(), "network": network.model_dump(mode="json"),
             "privacy": privacy.model_dump(mode="json"), "seed": seed, "kind": kind}
    weights = initial_weights(sizes_of(len(preparation.columns), network.hidden), seed)
    server = server_of(network)
    losses: list[float] = []
    detail: dict[str, Any] = {}
    patients: dict[str, int] = {}
    for number in range(1, network.rounds + 1):
        answers = yield Question("network", {**fixed, "weights": weights, "number": number},
                                 f"Training of the network, round {number} of {network.rounds}", preparation.each(),
                                 detail=detail)
        _refuse_diverged(answers)
        patients = {site: int(values["n"]) for site, values in answers.items()}
        _refuse_delta(privacy, patients)
        weights = server(weights, _change(answers, weights, privacy))
        detail = losses_of(answers)
        losses += [detail["loss"]] if detail else []
    weights = in_units(weights, sizes_of(len(preparation.columns), network.hidden), preparation.outcome)
    return Network(kind, tuple(preparation.columns), network.hidden, weights, tuple(losses),
                   _epsilons(network, privacy, patients), privacy.delta if privacy.kind != "none" else 0.0)


def _change(answers: Answers, weights: np.ndarray, privacy: PrivacySettings) -> np.ndarray:
    changes = [values["weights"] - weights for values in answers.values()]
    if privacy.kind == "central":
        site_secrets = [np.asarray(values["secret"], dtype=np.uint8).tobytes() for values in answers.values()]
        return noisy_mean(changes, site_secrets, privacy.noise, privacy.clip)
    return mean_change(changes, [int(values["n"]) for values in answers.values()])


def _epsilons(network: NetworkSettings, privacy: PrivacySettings,
              patients: Mapping[str, int]) -> dict[str, float] | None:
    if privacy.kind == "none":
        return None
    if privacy.kind == "central":  # every site is in every round
        return dict.fromkeys(patients, epsilon(privacy.noise, 1.0, network.rounds, privacy.delta))
    spent = {}
    for site, count in patients.items():
        rate, steps = sampling(count, network.batch, network.epochs)
        spent[site] = epsilon(privacy.noise, rate, steps * network.rounds, privacy.delta)
    return spent


def network_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Train the network that the question brings on the site's patients."""
    part = part_of(patients, values)
    network, privacy = NetworkSettings(**values["network"]), PrivacySettings(**values["privacy"])
    _refuse_private_survival(part.endpoint.kind, privacy)
    matrix, endpoint = prepared(part, values, minimum), in_deviations(part.endpoint, values)
    weights = np.asarray(values["weights"], dtype=float)
    sizes = sizes_of(matrix.shape[1], network.hidden)
    if privacy.kind == "local":
        train = _load("private_training:privately_trained", "local differential privacy", "private")
        after, told = train(weights, sizes, matrix, endpoint, network, privacy), {}
    else:
        train = _load("network_training:trained", "a federated network", "deep")
        after = train(weights, sizes, matrix, endpoint, network, (int(values["seed"]), int(values["number"])))
        told = {"loss": _load("network_training:mean_loss", "a federated network", "deep")(
            weights, sizes, matrix, endpoint)}
    if privacy.kind == "central":
        after = weights + clipped(after - weights, privacy.clip)
        told = {"secret": np.frombuffer(fresh_secret(), dtype=np.uint8)}
    return Release({"weights": after, "n": len(part), **told}, _words(network, privacy, len(part), len(weights)),
                   len(part), (len(part),))


def _words(network: NetworkSettings, privacy: PrivacySettings, patients: int, numbers: int) -> str:
    passes = f"{network.epochs} pass{'es' if network.epochs > 1 else ''} over {patients} patients"
    if privacy.kind == "local":
        rate, steps = sampling(patients, network.batch, network.epochs)
        spent = epsilon(privacy.noise, rate, steps, privacy.delta)
        return (f"weights of a network ({numbers} numbers) after {passes} with each patient's gradients clipped and "
                f"noised: epsilon {spent:.3g} at delta {privacy.delta:g} for this round alone")
    if privacy.kind == "central":
        return (f"weights of a network ({numbers} numbers) after {passes}, their change clipped to norm "
                f"{privacy.clip:g}, and 32 random bytes for the coordinator's noise")
    return f"weights of a network ({numbers} numbers) after {passes}, and its mean loss over them before"


def _load(function: str, feature: str, extra: str) -> Any:
    """A function of a module that needs PyTorch or Opacus."""
    try:
        return load(f"{_TASKS}.{function}")
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "opacus"):
            raise
        raise MissingExtraError(feature, extra) from None


def _refuse_private_survival(kind: Kind, privacy: PrivacySettings) -> None:
    if privacy.kind == "local" and kind == "survival":
        raise DataError("a partial likelihood is no sum over patients, so that one patient's part cannot be clipped",
                        where="setting 'privacy.kind'", todo="Choose central, or an outcome without follow-up time")


def _refuse_delta(privacy: PrivacySettings, patients: Mapping[str, int]) -> None:
    protected = max(patients.values()) if privacy.kind == "local" else len(patients)
    if privacy.kind != "none" and privacy.delta * protected >= 1:
        raise DataError(f"delta {privacy.delta:g} would allow that one of {protected} is revealed outright",
                        where="setting 'privacy.delta'", todo=f"Set it well below {1 / protected:.1g}")


def _refuse_diverged(answers: Answers) -> None:
    for site, values in answers.items():
        if not np.isfinite(values["weights"]).all():
            raise DataError("the network's weights grew without limit in training", where=f"{_WHERE}, site {site}",
                            todo="Lower network.learning_rate")

"""Training of a network on one site's patients, by stochastic gradient descent in PyTorch.

Imported only where a network is trained. Numbers are float64 and one thread computes, so that the same question to the
same patients gives the same bytes. Outcomes are arrays of shape (n, 1), or (n, 3) for survival: time, event, entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.settings import NetworkSettings

Loss = Callable[[Tensor, Tensor], Tensor]


def module_of(weights: np.ndarray, sizes: Sequence[int]) -> nn.Sequential:
    """The network of :func:`~medomicslab_nb.federated.tasks.network_layers.forward` as a PyTorch module."""
    parts: list[nn.Module] = []
    for inputs, units in pairwise(sizes):
        parts += [nn.Linear(inputs, units, dtype=torch.float64), nn.Tanh()]
    module = nn.Sequential(*parts[:-1])
    vector_to_parameters(torch.tensor(weights, dtype=torch.float64), module.parameters())
    return module


def weights_of(module: nn.Module) -> np.ndarray:
    """Its weights as they travel."""
    return parameters_to_vector(module.parameters()).detach().numpy().copy()


def tensors(matrix: np.ndarray, endpoint: Endpoint) -> tuple[Tensor, Tensor]:
    """Predictors, shape (n, columns), and outcome."""
    outcome = endpoint.outcome.astype(float)
    if endpoint.time is not None:
        entry = np.full(len(outcome), -np.inf) if endpoint.entry is None else endpoint.entry
        outcome = np.column_stack([endpoint.time, outcome, entry])
    return torch.tensor(matrix, dtype=torch.float64), torch.tensor(outcome.reshape(len(matrix), -1),
                                                                   dtype=torch.float64)


def trained(weights: np.ndarray, sizes: Sequence[int], matrix: np.ndarray, endpoint: Endpoint,
            network: NetworkSettings, seed: Sequence[int]) -> np.ndarray:
    """Weights after ``network.epochs`` passes over the patients.

    FedProx adds ``proximal / 2`` times the squared distance to the weights that came in.

    Parameters
    ----------
    seed : sequence of int
        Of the order of the patients: the run's, and the round.
    """
    module = module_of(weights, sizes)
    x, y = tensors(matrix, endpoint)
    loss = LOSSES[endpoint.kind]
    start = torch.tensor(weights, dtype=torch.float64)
    weight = network.proximal / 2 if network.strategy == "fedprox" else 0.0
    optimiser = torch.optim.SGD(module.parameters(), lr=network.learning_rate)
    with one_thread():
        for rows in batches(len(matrix), network, seed):
            optimiser.zero_grad()
            total = loss(module(x[rows])[:, 0], y[rows])
            if weight:
                total = total + weight * (parameters_to_vector(module.parameters()) - start).square().sum()
            total.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return weights_of(module)


def batches(patients: int, network: NetworkSettings, seed: Sequence[int]) -> Iterator[np.ndarray]:
    """Rows of each step: in each pass every patient once, in an order drawn anew."""
    generator = np.random.default_rng(seed)
    for _ in range(network.epochs):
        order = generator.permutation(patients)
        for start in range(0, patients, network.batch):
            yield order[start:start + network.batch]


def mean_loss(weights: np.ndarray, sizes: Sequence[int], matrix: np.ndarray, endpoint: Endpoint) -> float:
    """Loss over all patients of the site, a mean over patients; over events for survival."""
    x, y = tensors(matrix, endpoint)
    with one_thread(), torch.no_grad():
        return float(LOSSES[endpoint.kind](module_of(weights, sizes)(x)[:, 0], y))


def logistic_loss(score: Tensor, outcome: Tensor) -> Tensor:
    """Minus the mean log likelihood of the classes."""
    return nn.functional.binary_cross_entropy_with_logits(score, outcome[:, 0])


def squared_loss(score: Tensor, outcome: Tensor) -> Tensor:
    """Half the mean squared error."""
    return (score - outcome[:, 0]).square().mean() / 2


def cox_loss(score: Tensor, outcome: Tensor) -> Tensor:
    """Minus the log partial likelihood (Breslow's rule for ties) over the events; 0 without one.

    Who is at risk is looked up among the patients given, so that a batch of all gives the site's own likelihood and a
    smaller one an approximation of it [1]_.

    References
    ----------
    .. [1] Kvamme H, Borgan O, Scheel I. Time-to-event prediction with neural networks and Cox regression.
       J Mach Learn Res 2019;20(129).
    """
    time, event, entry = outcome.unbind(1)
    at_risk = (time[None, :] >= time[:, None]) & (entry[None, :] < time[:, None])  # (who has the time, who is at risk)
    hazard = torch.where(at_risk, score[None, :], -torch.inf).logsumexp(1)
    return -(event * (score - hazard)).sum() / event.sum().clamp(min=1)


LOSSES: Mapping[str, Loss] = {"binary": logistic_loss, "continuous": squared_loss, "survival": cox_loss}
"""By kind of endpoint."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order whatever the number of processors."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""Training at a site with local differential privacy (DP-SGD), by Opacus' gradients of single patients.

Imported only where a network is trained so. Answers differ each time, on purpose: see
:mod:`~medomicslab_nb.federated.tasks.network_privacy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from opacus.grad_sample import GradSampleModule  # type: ignore[import-untyped]
from opacus.optimizers import DPOptimizer  # type: ignore[import-untyped]
from torch import nn

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.settings import NetworkSettings, PrivacySettings
from medomicslab_nb.federated.tasks.network_privacy import fresh_secret, normals, sampling, uniforms
from medomicslab_nb.federated.tasks.network_training import Loss, module_of, one_thread, tensors, weights_of


def _logistic(score: torch.Tensor, outcome: torch.Tensor) -> torch.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(score, outcome[:, 0], reduction="sum")


def _squared(score: torch.Tensor, outcome: torch.Tensor) -> torch.Tensor:
    return (score - outcome[:, 0]).square().sum() / 2


LOSSES: Mapping[str, Loss] = {"binary": _logistic, "continuous": _squared}
"""By kind of endpoint, as sums over patients. A partial likelihood is none: no patient's share can be clipped."""


class SecretOptimizer(DPOptimizer):  # type: ignore[misc]  # Opacus ships no types
    """Opacus' optimiser with noise of the operating system."""

    def add_noise(self) -> None:
        deviation = self.noise_multiplier * self.max_grad_norm
        for parameter in self.params:
            drawn = torch.tensor(normals(fresh_secret(), parameter.numel())).view_as(parameter)
            parameter.grad = parameter.summed_grad.view_as(parameter) + deviation * drawn


def privately_trained(weights: np.ndarray, sizes: Sequence[int], matrix: np.ndarray, endpoint: Endpoint,
                      network: NetworkSettings, privacy: PrivacySettings) -> np.ndarray:
    """Weights after a round's steps, each over patients drawn with the chance of :func:`sampling`.

    FedProx pulls by weights alone, after the noise, and spends nothing.
    """
    rate, steps = sampling(len(matrix), network.batch, network.epochs)
    module = GradSampleModule(module_of(weights, sizes), loss_reduction="sum")
    x, y = tensors(matrix, endpoint)
    x.requires_grad_()  # Opacus' hooks ask for it
    optimiser = SecretOptimizer(torch.optim.SGD(module.parameters(), lr=network.learning_rate),
                                noise_multiplier=privacy.noise, max_grad_norm=privacy.clip,
                                expected_batch_size=rate * len(matrix))
    start = [parameter.detach().clone() for parameter in module.parameters()]
    weight = network.proximal if network.strategy == "fedprox" else 0.0
    with one_thread():
        for _ in range(steps):
            rows = np.flatnonzero(uniforms(fresh_secret(), len(matrix)) < rate)
            optimiser.zero_grad()
            LOSSES[endpoint.kind](module(x[rows])[:, 0], y[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.pre_step()
            for parameter, before in zip(module.parameters(), start, strict=True):
                parameter.grad += weight * (parameter.detach() - before)
            optimiser.original_optimizer.step()
    return weights_of(module)

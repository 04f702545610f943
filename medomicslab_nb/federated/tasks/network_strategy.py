"""How the coordinator makes one network of those of the sites; tested against Flower's strategies of the same names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medomicslab_nb.federated.settings import NetworkSettings

Server = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""New weights of the weights of this round and the sites' mean change."""

_FIRST, _SECOND, _FLOOR = 0.9, 0.99, 1e-3  # beta 1, beta 2 and tau of Reddi et al., as in Flower


def mean_change(changes: Sequence[np.ndarray], patients: Sequence[int]) -> np.ndarray:
    """Mean of the sites' changes, weighted by their patients."""
    mean: np.ndarray = np.average(np.stack(changes), axis=0, weights=patients)
    return mean


def server_of(network: NetworkSettings) -> Server:
    """What the settings ask for; one that has moments keeps them from round to round."""
    return Adam(network.server_learning_rate) if network.strategy == "fedadam" else add


def add(weights: np.ndarray, change: np.ndarray) -> np.ndarray:
    """FedAvg [1]_ and FedProx [2]_: the mean network of the sites.

    References
    ----------
    .. [1] McMahan HB et al. Communication-efficient learning of deep networks from decentralized data. AISTATS 2017.
    .. [2] Li T et al. Federated optimization in heterogeneous networks. MLSys 2020.
    """
    return np.asarray(weights + change)


class Adam:
    """FedAdam [1]_: the mean change is taken for a gradient by Adam with bias-corrected rate.

    Parameters
    ----------
    rate : float
        About how far a weight moves in a round.

    References
    ----------
    .. [1] Reddi S et al. Adaptive federated optimization. ICLR 2021.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._round = 0
        self._mean = np.zeros(1)
        self._square = np.zeros(1)

    def __call__(self, weights: np.ndarray, change: np.ndarray) -> np.ndarray:
        self._round += 1
        self._mean = _FIRST * self._mean + (1 - _FIRST) * change
        self._square = _SECOND * self._square + (1 - _SECOND) * change**2
        power = self._round + 1  # Flower's exponent
        rate = self._rate * np.sqrt(1 - _SECOND**power) / (1 - _FIRST**power)
        return np.asarray(weights + rate * self._mean / (np.sqrt(self._square) + _FLOOR))

"""Differential privacy of a network's training: clipping, noise that nobody can draw again, and epsilon.

Two kinds. *Local*: at every step of training the site clips each patient's gradient and adds noise before anything
leaves (DP-SGD [1]_); what is protected is that one patient is among the site's. *Central*: each site's change of the
weights is clipped, and the coordinator, who sees it, adds noise to their sum [2]_; what is protected is that one site
takes part, against all who see the model and not the coordinator's files.

Noise that comes from the run's seed could be drawn again and taken off by everyone who knows the settings. It comes
from the operating system instead: in the local kind directly, at the site; in the central kind from 32 random bytes
that each site draws and sends with its change, so that a run that goes on from stored answers adds the very same noise,
which nobody can know who lacks the bytes of one site. **Runs with privacy are therefore not repeatable byte by byte.**
Noise is made of SHAKE-256 and not by PyTorch, whose generator uses 32 bits of its seed: all of them can be tried.

What epsilon does not cover: numbers of patients, and the means, deviations and categories by which columns are
prepared, leave the sites without noise; so do the measures by which a model is judged. A run that is done again, or a
question that is answered again, spends epsilon again.

References
----------
.. [1] Abadi M et al. Deep learning with differential privacy. CCS 2016.
.. [2] McMahan HB et al. Learning differentially private recurrent language models. ICLR 2018.
"""

from __future__ import annotations

import hashlib
import secrets
import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.special import ndtri

from medomicslab_nb.errors import MissingExtraError

_BYTES = 32  # of a secret: more than can be tried


def fresh_secret() -> bytes:
    """Random bytes of the operating system."""
    return secrets.token_bytes(_BYTES)


def uniforms(secret: bytes, count: int) -> np.ndarray:
    """Numbers between 0 and 1, both excluded, shape (count,); the same secret gives the same."""
    whole = np.frombuffer(hashlib.shake_256(secret).digest(8 * count), dtype="<u8")
    return ((whole >> np.uint64(12)).astype(float) + 0.5) / 2.0**52


def normals(secret: bytes, count: int) -> np.ndarray:
    """Standard normal numbers, shape (count,).

    Each is half the sum of four, as in Opacus' secure mode: the gaps between floating point numbers then no longer tell
    the number that the noise was added to [1]_.

    References
    ----------
    .. [1] Holohan N, Braghin S. Secure random sampling in differential privacy. ESORICS 2021.
    """
    return np.asarray(ndtri(uniforms(secret, 4 * count)).reshape(4, count).sum(axis=0) / 2)


def clipped(change: np.ndarray, norm: float) -> np.ndarray:
    """The change, shortened to ``norm`` if it is longer."""
    return change * min(1.0, norm / max(float(np.linalg.norm(change)), np.finfo(float).tiny))


def noisy_mean(changes: Sequence[np.ndarray], site_secrets: Sequence[bytes], noise: float, norm: float) -> np.ndarray:
    """Mean of the sites' clipped changes, every site counting the same, with noise on their sum.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise in multiples of ``norm``.
    """
    total = sum(clipped(change, norm) for change in changes)
    drawn = normals(b"".join(site_secrets), len(changes[0]))
    return np.asarray((total + noise * norm * drawn) / len(changes))


def sampling(patients: int, batch: int, epochs: int) -> tuple[float, int]:
    """Chance of each patient to be in a step, and steps of a round; a step has ``batch`` patients on average."""
    return min(1.0, batch / patients), epochs * -(-patients // batch)


@cache  # a tenth of a second, and the same in every round
def epsilon(noise: float, rate: float, steps: int, delta: float) -> float:
    """What ``steps`` of noise spend, by Opacus' accountant of Renyi differential privacy.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise in multiples of the clipping norm.
    rate : float
        Chance of each patient to be in a step; 1: everyone is in every step.
    delta : float
        Probability with which epsilon may be exceeded.

    Raises
    ------
    MissingExtraError
    """
    try:
        from opacus.accountants import RDPAccountant  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("differential privacy", "private") from None
    accountant = RDPAccountant()
    accountant.history = [(noise, rate, steps)]
    with warnings.catch_warnings():
        # At its first or last order the bound still holds; a finer one might be lower.
        warnings.filterwarnings("ignore", "Optimal order is the", UserWarning)
        return float(accountant.get_epsilon(delta))

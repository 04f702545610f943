"""Clipping, noise and epsilon, each against what it must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from opacus.accountants import RDPAccountant
from scipy.stats import kstest

from medomicslab_nb.federated.tasks.network_privacy import (
    clipped,
    epsilon,
    fresh_secret,
    noisy_mean,
    normals,
    sampling,
    uniforms,
)


@pytest.mark.parametrize(("noise", "rate", "steps"), [(1.0, 0.1, 200), (1.0, 1.0, 30), (4.0, 0.25, 60)])
def test_epsilon_is_what_opacus_counts_step_by_step(noise: float, rate: float, steps: int) -> None:
    accountant = RDPAccountant()
    for _ in range(steps):
        accountant.step(noise_multiplier=noise, sample_rate=rate)
    assert epsilon(noise, rate, steps, 1e-5) == pytest.approx(accountant.get_epsilon(delta=1e-5), rel=1e-12)


def test_epsilon_of_one_gaussian_release_bounds_the_exact_one() -> None:
    """Exact by Balle and Wang 2018: noise 1 has delta 1e-5 at epsilon 4.377; Renyi orders bound it from above."""
    assert 4.377 < epsilon(1.0, 1.0, 1, 1e-5) < 4.377 * 1.15


def test_more_noise_and_fewer_steps_spend_less() -> None:
    assert epsilon(2.0, 0.1, 100, 1e-5) < epsilon(1.0, 0.1, 100, 1e-5) < epsilon(1.0, 0.1, 400, 1e-5)


def test_every_epsilon_is_told_even_at_the_ends_of_the_orders() -> None:
    assert epsilon(1e-3, 1.0, 100, 1e-5) > 1e5
    assert 0 < epsilon(1000.0, 0.01, 1, 1e-5) < 0.5


def test_a_step_has_the_batch_on_average() -> None:
    assert sampling(100, 32, 2) == (0.32, 8)
    assert sampling(20, 32, 3) == (1.0, 3)


def test_what_is_longer_is_shortened_and_the_rest_untouched() -> None:
    assert np.linalg.norm(clipped(np.array([30.0, 40.0]), 1.0)) == pytest.approx(1.0)
    assert clipped(np.array([0.3, 0.4]), 1.0).tolist() == [0.3, 0.4]
    assert clipped(np.zeros(2), 1.0).tolist() == [0.0, 0.0]


def test_normals_are_normal_and_uniforms_stay_inside() -> None:
    drawn, even = normals(b"one", 20_000), uniforms(b"two", 20_000)
    assert kstest(drawn, "norm").pvalue > 0.01 and kstest(even, "uniform").pvalue > 0.01
    assert even.min() > 0 and even.max() < 1
    assert np.isfinite(normals(b"\xff", 100)).all()


def test_noise_is_the_same_for_the_secret_and_another_for_another() -> None:
    assert np.array_equal(normals(b"one", 5), normals(b"one", 5))
    assert abs(np.corrcoef(normals(b"one", 5000), normals(b"onf", 5000))[0, 1]) < 0.05
    assert fresh_secret() != fresh_secret()


def test_a_seed_that_everyone_knows_changes_no_secret() -> None:
    secrets = []
    for _ in range(2):
        torch.manual_seed(0)
        np.random.seed(0)
        secrets.append(fresh_secret())
    assert secrets[0] != secrets[1]


def test_pytorch_uses_32_bits_of_a_seed() -> None:
    """Why noise is not PyTorch's: 2 ** 32 seeds can be tried. If this fails, the module's text is to be corrected."""
    drawn = [torch.randn(3, generator=torch.Generator().manual_seed(seed)) for seed in (5, 5 + 2**40)]
    assert torch.equal(*drawn)


def test_the_mean_has_noise_of_the_stated_size() -> None:
    changes = [np.zeros(50_000)] * 4
    drawn = noisy_mean(changes, [fresh_secret() for _ in changes], noise=2.0, norm=0.5)
    assert drawn.std() == pytest.approx(2.0 * 0.5 / 4, rel=0.03)


def test_no_site_moves_the_sum_by_more_than_the_norm() -> None:
    secrets, change = [b"a", b"b"], np.array([3.0, 4.0])
    without = noisy_mean([change, np.zeros(2)], secrets, 1.0, 1.0)
    with_huge = noisy_mean([change, np.full(2, 1e9)], secrets, 1.0, 1.0)
    assert np.linalg.norm(2 * (with_huge - without)) == pytest.approx(1.0)


def test_the_secret_of_one_site_is_enough_to_hide_the_noise() -> None:
    changes = [np.zeros(2000)] * 2
    first, second = (noisy_mean(changes, [b"known", hidden], 1.0, 1.0) for hidden in (b"x", b"y"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1

"""How much faster than a loop over roc_auc_score is the bootstrap of an AUC, and are the limits the same?

Both take the same samples, in turn (A B A B ...). Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # one thread, read before numpy is
    os.environ.setdefault(name, "1")

import numpy as np
from sklearn.metrics import roc_auc_score

from medomicslab_nb.evaluation.decision import decision_curve
from medomicslab_nb.evaluation.intervals import (
    bootstrap_auc,
    bootstrap_auprc,
    bootstrap_c_index,
    bootstrap_mean,
    bootstrap_weights,
)

LIMIT_S = 0.1


def main() -> None:
    options = _options()
    rng = np.random.default_rng(0)
    n, draws = options.patients, options.draws
    observed = rng.random(n) < 0.4
    score = rng.normal(size=n) + observed
    followed = rng.exponential(size=n)
    probability = 1 / (1 + np.exp(-score))
    samples = [np.repeat(np.arange(n), row.astype(int)) for chunk in bootstrap_weights(n, draws, 0) for row in chunk]

    def loop() -> tuple[float, float]:
        values = [roc_auc_score(observed[rows], score[rows]) for rows in samples]
        lower, upper = np.quantile(values, [0.025, 0.975])
        return float(lower), float(upper)

    def ours() -> tuple[float, float]:
        found = bootstrap_auc(observed, score, draws=draws)
        return found.lower, found.upper

    ours()
    fast, slow = [], []
    for _ in range(options.rounds):
        fast.append(_seconds(ours))
        slow.append(_seconds(loop))
    others: dict[str, Callable[[], object]] = {
        "auprc_s": lambda: bootstrap_auprc(observed, score, draws=draws),
        "brier_s": lambda: bootstrap_mean((probability - observed) ** 2, draws=draws),
        "c_index_s": lambda: bootstrap_c_index(observed, followed, score, draws=draws),
        "decision_curve_band_s": lambda: decision_curve(observed, probability, draws=draws),
        "decision_curve_s": lambda: decision_curve(observed, probability),
    }
    same = bool(np.allclose(ours(), loop(), atol=1e-12))
    figures = {"patients": n, "draws": draws, "auc_s": round(float(np.median(fast)), 4),
               "loop_s": round(float(np.median(slow)), 4),
               "ratio": round(float(np.median(slow) / np.median(fast)), 1), "same_limits": same,
               **{name: round(float(np.median([_seconds(call) for _ in range(options.rounds)])), 4)
                  for name, call in others.items()}}
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}={value}")
    if not same or figures["auc_s"] > LIMIT_S:
        raise SystemExit(f"the limits differ, or it takes longer than {LIMIT_S} s")


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=351)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()

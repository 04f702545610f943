"""Patients of a site that never were, and letters to it, for tests of what a site lets out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.evaluation.endpoints import binary_endpoint
from medomicslab_nb.federated.approval import code_hash
from medomicslab_nb.federated.messages import Letter, Reply
from medomicslab_nb.federated.patients import SitePatients, is_held_out
from medomicslab_nb.federated.plan import plan_of
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.site import Site

SETTINGS = FederatedSettings(outcome="relapse", predictors={"clinical": ("age", "marker", "sex")})


def some_patients(count: int = 80, *, seed: int = 0, without: tuple[int, ...] = (), split_seed: int = 0,
                  holdout: float = 0.25) -> SitePatients:
    """Patients PAT-0000, PAT-0001, ...: the same number is the same patient; some may be left out by number."""
    rng = np.random.default_rng(seed)
    everybody = 500
    names = [f"PAT-{number:04d}" for number in range(everybody)]
    frame = pd.DataFrame({"age": rng.normal(61, 11, everybody).round(1), "marker": rng.lognormal(1, 0.6, everybody),
                          "sex": rng.choice(["f", "m"], everybody)}, index=pd.Index(names, name="patient"))
    outcome = pd.Series((rng.random(everybody) < 0.4).astype(int), index=frame.index)
    rows = [number for number in range(count) if number not in without]
    frame, outcome = frame.iloc[rows], outcome.iloc[rows]
    testing = np.array([is_held_out(name, split_seed, holdout) for name in frame.index], dtype=bool)
    return SitePatients(frame, ("sex",), binary_endpoint("relapse", outcome), testing)


def letter(step: str, values: dict[str, Any] | None = None, *, settings: FederatedSettings = SETTINGS,
           run: str = "run-1", number: int = 1, code: str = "") -> bytes:
    """A letter of an honest coordinator, or of one with other code."""
    return Letter(run, number, step, "a round", plan_of(settings), code or code_hash(), values or {}).pack()


def ask(site: Site, step: str, values: dict[str, Any] | None = None, **more: Any) -> Reply:
    """What a site says to it."""
    return Reply.unpack(site.answer(letter(step, values, **more)))

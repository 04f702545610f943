"""The loss of a round: over all sites and of each, for people to watch while a model is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from medomicslab_nb.federated.messages import Answers


def losses_of(answers: Answers) -> dict[str, Any]:
    """``loss``, the mean over the sites' patients, and ``losses`` by site; empty where a site does not tell."""
    if any("loss" not in values for values in answers.values()):
        return {}
    losses = {site: float(values["loss"]) for site, values in answers.items()}
    patients = [int(values["n"]) for values in answers.values()]
    return {"loss": float(np.average(list(losses.values()), weights=patients)), "losses": losses}

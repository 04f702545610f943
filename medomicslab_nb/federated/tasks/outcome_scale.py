"""A continuous outcome in standard deviations from its mean, so that a model is trained alike whatever its unit.

Learning rates, clipping norms and the smallest gain of a split are numbers without a unit. Mean and standard deviation
are those of the training patients of all sites that make the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.messages import Answers, Values
from medomicslab_nb.federated.tasks.column_moments import ColumnMoments

_NAME = "outcome"


@dataclass(frozen=True)
class OutcomeScale:
    """Mean and standard deviation (divisor n) of a continuous outcome; 0 and 1 for any other, which stays as it is."""

    mean: float = 0.0
    sd: float = 1.0

    @classmethod
    def of_sites(cls, answers: Answers) -> Self:
        """From what sites gave by :func:`outcome_moments`."""
        told = [ColumnMoments(*(np.array(values[_NAME][part]) for part in ("count", "mean", "squares")))
                for values in answers.values() if _NAME in values]
        if not told:
            return cls()
        total = ColumnMoments.together(told)
        sd = float(np.sqrt(total.squares[0] / total.count[0]))
        return cls(float(total.mean[0]), sd if sd > 0 else 1.0)

    def values(self) -> dict[str, Any]:
        """A part of every question that trains a model."""
        return {_NAME: {"mean": self.mean, "sd": self.sd}}


def outcome_moments(endpoint: Endpoint) -> dict[str, Mapping[str, list[float]]]:
    """What a site tells of a continuous outcome: count, mean and sum of squares about it; of any other nothing."""
    if endpoint.kind != "continuous":
        return {}
    moments = ColumnMoments.of(endpoint.outcome[:, None])
    return {_NAME: {name: part.tolist() for name, part in moments.values().items()}}


def in_deviations(endpoint: Endpoint, values: Values) -> Endpoint:
    """The endpoint that a site trains on."""
    scale = values.get(_NAME)
    if scale is None or endpoint.kind != "continuous":
        return endpoint
    return replace(endpoint, outcome=(endpoint.outcome - scale["mean"]) / scale["sd"])

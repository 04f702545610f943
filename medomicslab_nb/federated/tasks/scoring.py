"""Scores of any federated model, whatever algorithm it is of, from values that travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Values
from medomicslab_nb.stages import load

SCORES: Mapping[str, str] = {
    name: f"medomicslab_nb.federated.tasks.{name}:score" for name in ("regression", "network", "trees")}
"""Function by which patients are scored, by ``values["model"]``."""

_PREFIX = "model:"


def score(values: Values, matrix: np.ndarray) -> np.ndarray:
    """Logit of the probability, prediction, or log hazard ratio of prepared patients, shape (n,).

    Parameters
    ----------
    values : mapping
        What ``.values()`` of a fitted model gave.
    matrix : ndarray, shape (n, n_prepared)

    Raises
    ------
    DataError
        There is no such kind of model, or it gives something that is no number.
    """
    name = values.get("model")
    if name not in SCORES:
        raise DataError("a question is about a kind of model that this version does not have",
                        where="federated message", todo=f"Use one of {', '.join(SCORES)}")
    found = np.asarray(load(SCORES[str(name)])(values, matrix), dtype=float)
    if found.shape != (len(matrix),) or not np.isfinite(found).all():
        raise DataError("the model gives scores that are no finite numbers", where="federated model",
                        todo="Fit it again with a larger penalty or a lower learning rate")
    return found


def as_question(model: Values) -> dict[str, Any]:
    """A model's values under names that nothing else in a question has."""
    return {f"{_PREFIX}{name}": value for name, value in model.items()}


def from_question(values: Values) -> dict[str, Any]:
    """The model's values in a question."""
    return {name.removeprefix(_PREFIX): value for name, value in values.items() if name.startswith(_PREFIX)}

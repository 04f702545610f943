"""What moves the predictions of a federated model: mean absolute SHAP values over the patients of all sites."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medomicslab_nb.federated.messages import Question, Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.parts import Part
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.federated.tasks.scoring import as_question, from_question, score
from medomicslab_nb.models.shap_values import column_groups, mixed_predictions, permutation_attribution

_CHUNK = 500  # patients explained at once: always as many permutations, however many a site has


def mean_shap(preparation: Preparation, model: Values, part: Part = "training", seed: int = 0) -> Task:
    """Mean absolute SHAP value of each original column, on the scale of the score (logit, outcome, log hazard).

    A column that is absent has its mean over all sites, so that the values of a patient do not depend on who else is
    at the site, and the means are those of the pooled patients. For a regression they are exact: the mean of
    ``|coef * (x - mean)|``, a category's indicators added up. Of any other model they are estimated by antithetic
    permutations of the columns, the same at every site.

    Returns
    -------
    DataFrame
        column, mean_shap; the largest first.
    """
    players = [*preparation.numeric, *preparation.categories]
    values = {**preparation.values(), **as_question(model), "part": part, "seed": seed,
              "players": len(players), "groups": column_groups(preparation.sources, players)}
    answers = yield Question("shap", values, "Mean absolute SHAP values", preparation.each())
    patients = sum(int(answer["patients"]) for answer in answers.values())
    total = sum((answer["total"] for answer in answers.values()), np.zeros(len(players)))
    table = pd.DataFrame({"column": players, "mean_shap": total / patients})
    return table.sort_values("mean_shap", ascending=False, kind="stable", ignore_index=True)


def shap_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Sum over the site's patients of the absolute SHAP values of each column."""
    matrix = prepared(patients, values, minimum)
    model, groups = from_question(values), np.asarray(values["groups"], dtype=int)
    players, n = int(values["players"]), len(matrix)
    total = np.zeros(players)
    for start in range(0, n, _CHUNK):
        total += np.abs(_values(model, matrix[start:start + _CHUNK], groups, players, int(values["seed"]))).sum(axis=0)
    return Release({"total": total, "patients": n}, f"sum of absolute SHAP values of {players} columns over {n} "
                   "patients", n, (n,))


def _values(model: Values, matrix: np.ndarray, groups: np.ndarray, players: int, seed: int) -> np.ndarray:
    """SHAP values, shape (n, players), against a patient with the mean of every column: 0, as they are standardised."""
    mean = np.zeros(matrix.shape[1])

    def predict(present: np.ndarray, _: int) -> np.ndarray:
        return mixed_predictions(lambda mixed: score(model, mixed), matrix, mean, groups, present)

    return permutation_attribution(predict, players, len(matrix), 1, seed=seed).values

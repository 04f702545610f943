"""Random forests, whose out-of-bag scores take the place of inner folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sksurv.ensemble import RandomSurvivalForest

from medomicslab_nb.evaluation.endpoints import Endpoint, Kind
from medomicslab_nb.models.learners.problem import ALL_KINDS, Problem, SearchOptions, Tuned, target

TREES = 200
LEAF = 3
"""Patients in a leaf of a tree, at least."""

_MOST_TRIED = 64  # columns tried at a split of a survival tree, at most: of 20,000 genes the root would take minutes


@dataclass(frozen=True)
class Forest:
    """Random forest, or random survival forest, of 200 trees; nothing is tuned."""

    name: str = "forest"
    space: str = "nothing to choose: 200 trees, leaves of 3 patients or more"
    kinds: frozenset[Kind] = ALL_KINDS

    def tune(self, problem: Problem) -> Tuned:
        """Fit on all training patients; each is scored by the trees that did not see it."""
        forest = fit_forest(problem.endpoint, problem.matrix, problem.options)
        unseen = _out_of_bag(forest)
        # A model file has no need of what it says about its training patients, one by one.
        for name in [name for name in vars(forest) if name.startswith("oob_") and name.endswith("_")]:
            delattr(forest, name)
        return Tuned(forest, unseen, f"{len(forest.estimators_)} trees")


FOREST = Forest()


def fit_forest(endpoint: Endpoint, train: np.ndarray, options: SearchOptions) -> Any:
    """A forest with out-of-bag scores of the training rows."""
    common = {"min_samples_leaf": LEAF, "oob_score": True, "random_state": options.seed, "n_jobs": 1}
    if endpoint.kind == "survival":
        # low_memory keeps one number per leaf, the sum of its cumulative hazard over the event times: the risk score.
        tried = min(max(1, int(np.sqrt(train.shape[1]))), _MOST_TRIED)
        return RandomSurvivalForest(TREES, low_memory=True, max_features=tried, **common).fit(train, target(endpoint))
    if endpoint.kind == "continuous":
        return RandomForestRegressor(TREES, max_features=1 / 3, **common).fit(train, endpoint.outcome)
    weights = "balanced_subsample" if options.balanced else None
    return RandomForestClassifier(TREES, class_weight=weights, **common).fit(train, endpoint.outcome)


def _out_of_bag(forest: Any) -> np.ndarray:
    if isinstance(forest, RandomForestClassifier):
        shares = np.asarray(forest.oob_decision_function_)
        return shares[:, 1] if shares.shape[1] == 2 else shares
    return np.asarray(forest.oob_prediction_)

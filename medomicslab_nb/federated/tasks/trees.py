"""Boosted trees: each round every site grows a small tree on bins that all share; the best gets its leaves from all.

A round has two questions. In the first each site answers where its own tree would split, as numbers of columns and
bins, and how much of the loss that would take off there. The coordinator keeps the tree that takes off most. In the
second every site answers the sums of gradients and hessians of its patients in each leaf of that tree, and the leaf's
step is Newton's over all sites: minus the sum of gradients over the sum of hessians. With one site this is plain
boosting [1]_. Choosing among trees that sites have grown needs no counts of bins within branches, which would be small.

No number that leaves rests on fewer patients than the policy's minimum. A site takes neighbouring bins of few patients
together, so that two cuts of a column have none or enough of them between them; it grows no leaf of few, and where a
leaf of another site's tree holds few of its patients, it counts them in the largest leaf of the neighbouring branch.
Leaves of different trees can still differ by a few patients where cuts of several columns cross.

References
----------
.. [1] Chen T, Guestrin C. XGBoost: a scalable tree boosting system. KDD 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medomicslab_nb.federated.messages import Answers, Question, Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.settings import TreesSettings
from medomicslab_nb.federated.tasks.losses import losses_of
from medomicslab_nb.federated.tasks.outcome_scale import in_deviations
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.federated.tasks.tree_gradients import gradients
from medomicslab_nb.federated.tasks.tree_growth import (
    RIDGE,
    Leaves,
    Splits,
    bins_of,
    gain_of,
    grow,
    leaf_of,
    leaves_of,
    without_few,
)


@dataclass(frozen=True)
class Trees:
    """Boosted trees.

    Attributes
    ----------
    columns : tuple of str
        Prepared columns.
    edges : ndarray, shape (n_columns, n_edges)
        Upper ends of bins on the prepared scale, ascending, filled up with infinity.
    base : float
        Score before the first tree.
    column, bin : ndarray of int, shape (n_trees, 2 ** depth - 1)
        Splits, see :class:`~medomicslab_nb.federated.tasks.tree_growth.Splits`.
    step : ndarray, shape (n_trees, 2 ** depth)
        What each leaf adds to the score.
    losses : tuple of float
        Before each round, over all sites' patients.
    """

    columns: tuple[str, ...]
    edges: np.ndarray
    base: float
    column: np.ndarray
    bin: np.ndarray
    step: np.ndarray
    losses: tuple[float, ...] = ()

    def values(self) -> dict[str, Any]:
        """What travels and is stored."""
        return {"model": "trees", "edges": self.edges, "base": self.base, "column": self.column, "bin": self.bin,
                "step": self.step}

    def score(self, matrix: np.ndarray) -> np.ndarray:
        """Logit, prediction or log hazard ratio of each row of prepared columns."""
        return score(self.values(), matrix)


def score(values: Values, matrix: np.ndarray) -> np.ndarray:
    """Score of each row of ``matrix``, shape (n, columns): a logit, a prediction or a log hazard ratio."""
    return _score(values, bins_of(matrix, np.asarray(values["edges"])))


def _score(values: Values, bins: np.ndarray) -> np.ndarray:
    column, split, step = (np.asarray(values[name]) for name in ("column", "bin", "step"))
    leaf = leaf_of(bins, Splits(column, split))
    return np.asarray(values["base"] + step[np.arange(len(step)), leaf].sum(axis=1))


def fit_trees(preparation: Preparation, edges: Mapping[str, np.ndarray], trees: TreesSettings) -> Task:
    """Boost trees over the sites: ``2 * trees.rounds + 1`` questions.

    A continuous outcome is trained on in standard deviations, and so are the losses of it.

    Parameters
    ----------
    edges : mapping of column to ndarray
        Where numeric columns may be cut, in their own units; indicators of categories are cut between no and yes.

    Returns
    -------
    Trees
    """
    model = _start(preparation, edges, trees)
    common, each = {**preparation.values(), **preparation.outcome.values()}, preparation.each()
    none = Splits.none(depth=0)
    answers = yield Question("tree", {**common, **model, **_candidate(none)}, "Trees: score to start from", each)
    model["base"] = float(_newton(answers, ridge=0.0)[0])
    losses: list[float] = []
    detail: dict[str, Any] = {}
    for number in range(1, trees.rounds + 1):
        label = f"Trees, round {number} of {trees.rounds}"
        answers = yield Question("tree", {**common, **model, "depth": trees.depth}, f"{label}: a tree of each site",
                                 each, detail=detail)
        detail = losses_of(answers)
        losses.append(detail["loss"])
        splits = _best(answers)
        answers = yield Question("tree", {**common, **model, **_candidate(splits)}, f"{label}: leaves of the best",
                                 each)
        step = trees.learning_rate * _newton(answers, RIDGE)
        model |= {name: np.vstack([model[name], row])
                  for name, row in (("column", splits.column), ("bin", splits.bin), ("step", step))}
    scale = preparation.outcome
    return Trees(tuple(preparation.columns), model["edges"], scale.mean + scale.sd * model["base"], model["column"],
                 model["bin"], scale.sd * model["step"], tuple(losses))


def _start(preparation: Preparation, edges: Mapping[str, np.ndarray], trees: TreesSettings) -> dict[str, Any]:
    splits = np.zeros((0, 2**trees.depth - 1), dtype=int)
    return Trees(tuple(preparation.columns), edge_matrix(preparation, edges), 0.0, splits, splits,
                 np.zeros((0, 2**trees.depth))).values()


def _candidate(splits: Splits) -> dict[str, np.ndarray]:
    return {"candidate_column": splits.column, "candidate_bin": splits.bin}


def _best(answers: Answers) -> Splits:
    """The tree that takes most off the loss of the site that grew it; of equal ones the first site's."""
    best = max(answers.values(), key=lambda values: float(values["gain"]))
    return Splits(best["column"], best["bin"])


def _newton(answers: Answers, ridge: float) -> np.ndarray:
    """Step of each leaf over all sites; 0 where nobody is."""
    gradient, hessian = (np.sum([values[name] for values in answers.values()], axis=0)
                         for name in ("gradient", "hessian"))
    total = hessian + ridge
    return np.asarray(-gradient / np.where(total > 0, total, np.inf))


def edge_matrix(preparation: Preparation, edges: Mapping[str, np.ndarray]) -> np.ndarray:
    """Edges of each prepared column on the standardised scale, shape (n_columns, most edges), filled with infinity."""
    raw = [np.asarray(edges[name] if name in preparation.numeric else [0.5], dtype=float)
           for name in preparation.columns]
    matrix = np.full((len(raw), max(len(values) for values in raw)), np.inf)
    for row, values in enumerate(raw):
        matrix[row, :len(values)] = (values - preparation.mean[row]) / preparation.scale[row]
    return matrix


def tree_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Grow a tree on the site's patients, given the trees so far; or the leaves of a tree that the question brings."""
    part = part_of(patients, values)
    bins = bins_of(prepared(part, values, minimum), np.asarray(values["edges"]))
    gradient, hessian, loss = gradients(in_deviations(part.endpoint, values), _score(values, bins))
    bins = without_few(bins, minimum)
    if "candidate_column" in values:
        splits = Splits(np.asarray(values["candidate_column"]), np.asarray(values["candidate_bin"]))
        leaves = leaves_of(bins, gradient, hessian, splits).merged(minimum)
        return _release(leaves, {"gradient": leaves.gradient, "hessian": leaves.hessian},
                        "sums of gradient and hessian in {leaves} of a tree, over {n} patients, at least {least} in "
                        "each")
    splits = grow(bins, gradient, hessian, int(values["depth"]), minimum)
    leaves = leaves_of(bins, gradient, hessian, splits)
    told = {"column": splits.column, "bin": splits.bin, "gain": gain_of(leaves), "loss": loss, "n": len(part)}
    return _release(leaves, told, "columns and bins where a tree splits {n} patients into {leaves}, at least {least} "
                                  "in each; what that takes off the loss, and the mean loss")


def _release(leaves: Leaves, told: Values, words: str) -> Release:
    held = leaves.count[leaves.count > 0]
    number = f"{len(held)} {'leaf' if len(held) == 1 else 'leaves'}"
    return Release(told, words.format(leaves=number, n=held.sum(), least=held.min()), int(held.min()),
                   tuple(int(count) for count in held))

"""Boosted trees: each round every site grows one small tree on bins that all share, and the coordinator joins them.

What leaves a site is where the tree splits, as numbers of columns and bins, and of each leaf how many patients it holds
(never fewer than the policy's minimum) with the sums of their gradients and hessians. A patient's step in a round is a
Newton step over the leaves that the patient falls into, one at each site: minus the sum of their gradients over the sum
of their hessians. Where all sites split alike, that is the leaf of one tree grown on all patients; with one site it is
plain boosting [1]_.

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
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.federated.tasks.tree_gradients import gradients
from medomicslab_nb.federated.tasks.tree_growth import RIDGE, Tree, bins_of, grow, leaf_of

_TREE = ("column", "bin", "gradient", "hessian")


@dataclass(frozen=True)
class Trees:
    """Boosted trees of several sites.

    Attributes
    ----------
    columns : tuple of str
        Prepared columns.
    edges : ndarray, shape (n_columns, n_edges)
        Upper ends of bins, ascending, filled up with infinity.
    base : float
        Score before the first tree.
    learning_rate : float
    column, bin : ndarray of int, shape (n_trees, 2 ** depth - 1)
        Splits, see :class:`~medomicslab_nb.federated.tasks.tree_growth.Tree`.
    gradient, hessian : ndarray, shape (n_trees, 2 ** depth)
        Sums of each leaf.
    starts : ndarray of int, shape (n_rounds,)
        First tree of each round.
    losses : tuple of float
        Before each round, over all sites' patients.
    """

    columns: tuple[str, ...]
    edges: np.ndarray
    base: float
    learning_rate: float
    column: np.ndarray
    bin: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    starts: np.ndarray
    losses: tuple[float, ...] = ()

    def values(self) -> dict[str, Any]:
        """What travels and is stored."""
        return {"model": "trees", "edges": self.edges, "base": self.base, "learning_rate": self.learning_rate,
                "column": self.column, "bin": self.bin, "gradient": self.gradient, "hessian": self.hessian,
                "starts": self.starts}

    def score(self, matrix: np.ndarray) -> np.ndarray:
        """Logit, prediction or log hazard ratio of each row of prepared columns."""
        return score(self.values(), matrix)


def score(values: Values, matrix: np.ndarray) -> np.ndarray:
    """Score of each row of ``matrix``, shape (n, columns): a logit, a prediction or a log hazard ratio."""
    return _score(values, bins_of(matrix, np.asarray(values["edges"])))


def _score(values: Values, bins: np.ndarray) -> np.ndarray:
    total = np.full(len(bins), float(values["base"]))
    starts = np.asarray(values["starts"], dtype=int)
    if not len(starts):
        return total
    leaf, trees = leaf_of(bins, values["column"], values["bin"]), np.arange(len(values["column"]))
    gradient = np.add.reduceat(values["gradient"][trees, leaf], starts, axis=1)  # (n_patients, n_rounds)
    hessian = np.add.reduceat(values["hessian"][trees, leaf], starts, axis=1)
    return np.asarray(total - values["learning_rate"] * (gradient / (hessian + RIDGE)).sum(axis=1))


def fit_trees(preparation: Preparation, edges: Mapping[str, np.ndarray], trees: TreesSettings) -> Task:
    """Boost trees over the sites.

    Parameters
    ----------
    edges : mapping of column to ndarray
        Where numeric columns may be cut, in their own units; indicators of categories are cut between no and yes.

    Returns
    -------
    Trees
    """
    model = _start(preparation, edges, trees)
    losses: list[float] = []
    for number in range(trees.rounds + 1):
        depth = trees.depth if number else 0
        label = f"Trees, round {number} of {trees.rounds}" if number else "Trees, score to start from"
        answers = yield Question("tree", {**preparation.values(), **model, "depth": depth}, label, preparation.each(),
                                 detail={"loss": losses[-1]} if losses else {})
        losses.append(float(np.average([values["loss"] for values in answers.values()],
                                       weights=[values["n"] for values in answers.values()])))
        model = _joined(model, answers) if number else {**model, "base": _base(answers)}
    parts = {name: value for name, value in model.items() if name != "model"}
    return Trees(tuple(preparation.columns), losses=tuple(losses[1:]), **parts)


def _start(preparation: Preparation, edges: Mapping[str, np.ndarray], trees: TreesSettings) -> dict[str, Any]:
    splits, sums = np.zeros((0, 2**trees.depth - 1), dtype=int), np.zeros((0, 2**trees.depth))
    return Trees(tuple(preparation.columns), edge_matrix(preparation, edges), 0.0, trees.learning_rate, splits, splits,
                 sums, sums, np.zeros(0, dtype=int)).values()


def _base(answers: Answers) -> float:
    """One Newton step from 0 for all patients alike: the mean of a continuous outcome; 0 for survival."""
    gradient, hessian = (sum(float(values[name].sum()) for values in answers.values())
                         for name in ("gradient", "hessian"))
    return -gradient / hessian if hessian > 0 else 0.0


def _joined(model: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    """The model with the sites' trees of one more round."""
    grown = {name: np.concatenate([model[name], np.stack([values[name] for values in answers.values()])])
             for name in _TREE}
    return {**model, **grown, "starts": np.append(model["starts"], len(model["column"]))}


def edge_matrix(preparation: Preparation, edges: Mapping[str, np.ndarray]) -> np.ndarray:
    """Edges of each prepared column on the standardised scale, shape (n_columns, most edges), filled with infinity."""
    raw = [np.asarray(edges[name] if name in preparation.numeric else [0.5], dtype=float)
           for name in preparation.columns]
    matrix = np.full((len(raw), max(len(values) for values in raw)), np.inf)
    for row, values in enumerate(raw):
        matrix[row, :len(values)] = (values - preparation.mean[row]) / preparation.scale[row]
    return matrix


def tree_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Grow a tree on the site's patients, given the trees so far."""
    part = part_of(patients, values)
    bins = bins_of(prepared(part, values, minimum), np.asarray(values["edges"]))
    gradient, hessian, loss = gradients(part.endpoint, _score(values, bins))
    tree = grow(bins, gradient, hessian, int(values["depth"]), minimum)
    released = {"column": tree.column, "bin": tree.bin, "gradient": tree.gradient, "hessian": tree.hessian,
                "count": tree.count, "loss": loss, "n": len(part)}
    return Release(released, _words(tree, len(part)), int(tree.count[tree.count > 0].min()),
                   tuple(int(count) for count in tree.count))


def _words(tree: Tree, patients: int) -> str:
    counts = tree.count[tree.count > 0]
    return (f"a tree of {len(counts)} lea{'ves' if len(counts) > 1 else 'f'} grown on {patients} patients, with at "
            f"least {counts.min()} in each: columns and bins of its splits, patients and sums of gradient and hessian "
            "of each leaf; and the mean loss before")

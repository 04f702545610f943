"""Means, standard deviations and quantiles of columns over sites, of which only sums and counts leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.federated.messages import Answers, Question, Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.column_moments import ColumnMoments
from medomicslab_nb.federated.tasks.merged_bins import group_sums, in_words, merged_ends
from medomicslab_nb.federated.tasks.outcome_scale import outcome_moments
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, encoded

_GRID = 0.05 * np.sinh(np.linspace(-5.5, 5.5, 256))
"""Edges of fine bins in standard deviations from the mean, dense where a skewed column has most of its patients; the
first and the last bin are open, so that nobody's extreme is told."""

QUARTILES = (0.25, 0.5, 0.75)


def quantile_edges(preparation: Preparation, bins: int) -> Task:
    """Where to cut each numeric column into bins of about equally many training patients (one question).

    Parameters
    ----------
    bins : int
        At most; fewer where values repeat.

    Returns
    -------
    dict of str to ndarray, shape (n_edges,)
        Upper ends of the bins but the last, ascending, in the unit of the column (harmonised, if it is); empty for a
        column that cannot be cut. A cut in a gap without patients lies inside it.
    """
    counted = yield from _counted_together(preparation)
    return {name: _in_units(preparation, name, _GRID[_cuts(counted[name], bins)]) for name in preparation.numeric}


def quartiles(preparation: Preparation) -> Task:
    """Quartiles of the training patients in whom a numeric column is known (one question).

    Each is right to the width of a bin, a twentieth of a standard deviation about the mean, where many patients are.

    Returns
    -------
    DataFrame
        column, lower_quartile, median, upper_quartile; in the unit of the column.
    """
    counted = yield from _counted_together(preparation)
    places = {name: np.interp(QUARTILES, cumulative[:-1] / max(cumulative[-1], 1), _GRID)
              for name, cumulative in counted.items()}
    rows = [[name, *_in_units(preparation, name, places[name])] for name in preparation.numeric]
    return pd.DataFrame(rows, columns=["column", "lower_quartile", "median", "upper_quartile"])


def _counted_together(preparation: Preparation) -> Task:
    """Patients of all sites up to each edge of the grid and in all, by numeric column."""
    answers: Answers = yield Question("histogram", {**preparation.values(), "grid": _GRID}, "Quantiles of columns",
                                      preparation.each())
    return {name: _cumulative([values["columns"][name] for values in answers.values()])
            for name in preparation.numeric}


def _in_units(preparation: Preparation, name: str, standardised: np.ndarray) -> np.ndarray:
    position = preparation.numeric.index(name)
    return np.asarray(preparation.mean[position] + preparation.scale[position] * standardised)


def moments_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Count, mean and sum of squares about the mean of each column before gaps are filled, and of a continuous outcome.

    ``few`` and ``rare`` name the columns of which something counts as missing, see
    :class:`~medomicslab_nb.federated.tasks.preparation.Encoded`.
    """
    found = encoded(patients, values, minimum)
    moments = ColumnMoments.of(found.matrix)
    n, columns = found.matrix.shape
    words = f"count, mean and sum of squares of {columns} columns ({3 * columns} numbers) over {n} patients"
    missing = [f"{kind} in {', '.join(names)}" for kind, names in
               (("too few values", found.few), ("rare categories", found.rare)) if names]
    if missing:
        words += f"; counted as missing: {'; '.join(missing)}"
    outcome = outcome_moments(part_of(patients, values).endpoint)
    words += "; mean and sum of squares of the outcome" if outcome else ""
    return Release({**moments.values(), **outcome, "patients": n, "few": list(found.few), "rare": list(found.rare)},
                   words, n, [n, *moments.count.tolist()])


def histogram_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Patients of each numeric column between the edges of ``values["grid"]``, in standard deviations from the mean.

    Neighbouring bins with too few patients are told as one. Each bin contains its upper edge.
    """
    names, grid = values["numeric"], np.asarray(values["grid"])
    matrix = encoded(patients, values, minimum).matrix[:, :len(names)]
    standardised = (matrix - values["mean"][:len(names)]) / values["scale"][:len(names)]
    columns = {name: _counted(standardised[:, position], grid, minimum) for position, name in enumerate(names)}
    cells = [count for column in columns.values() for count in column["counts"]]
    n = len(matrix)
    words = f"numbers of patients in {in_words(len(cells), minimum)}, of {len(columns)} columns, over {n} patients"
    return Release({"columns": columns}, words, n, [n, *cells])


def _counted(column: np.ndarray, grid: np.ndarray, minimum: int) -> dict[str, Any]:
    places = np.searchsorted(grid, column[~np.isnan(column)], side="left")
    counts = np.bincount(places, minlength=len(grid) + 1)[:, None]
    ends = merged_ends(counts, minimum)
    return {"ends": ends.tolist(), "counts": group_sums(counts, ends)[:, 0].tolist()}


def _cumulative(columns: list[Mapping[str, Any]]) -> np.ndarray:
    """Patients of all sites up to each edge of the grid and in all; within a merged bin spread evenly."""
    places = np.arange(1, len(_GRID) + 2)
    return np.asarray(sum(np.interp(places, [0, *column["ends"]], [0, *np.cumsum(column["counts"])])
                          for column in columns))


def _cuts(cumulative: np.ndarray, bins: int) -> np.ndarray:
    """Positions in the grid of the edges nearest to the quantiles, each in the middle of the gap that it is in."""
    total = cumulative[-1]
    near = 1e-9 * total  # rounding of what was spread over merged bins
    wanted = np.linspace(0, total, bins + 1)[1:-1]
    above = np.searchsorted(cumulative, wanted - near, side="left")
    below = np.maximum(above - 1, 0)
    reached = cumulative[np.where(wanted - cumulative[below] < cumulative[above] - wanted, below, above)]
    reached = reached[(reached > near) & (reached < total - near)]
    first = np.searchsorted(cumulative, reached - near, side="left")
    last = np.searchsorted(cumulative, reached + near, side="right") - 1
    return np.unique((first + last) // 2)

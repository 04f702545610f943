"""Count, mean and sum of squares about the mean of columns with gaps, at one site and over sites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import numpy as np

from medomicslab_nb.federated.messages import Values


@dataclass(frozen=True)
class ColumnMoments:
    """Moments of each column, over the patients in whom it is known; all of shape (n_columns,).

    Sites are combined by the formula of Chan, Golub and LeVeque [1]_, which keeps the digits that sums of squares
    about zero would lose.

    Attributes
    ----------
    count : ndarray of int
    mean : ndarray
        0 where nobody has a value.
    squares : ndarray
        Sum of squares about ``mean``.

    References
    ----------
    .. [1] Chan TF, Golub GH, LeVeque RJ. Algorithms for computing the sample variance: analysis and recommendations.
       Am Stat 1983;37:242-247.
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> Self:
        """Of a matrix, shape (n_patients, n_columns), NaN = missing."""
        missing = np.isnan(matrix)
        count = len(matrix) - missing.sum(axis=0)
        mean = np.where(missing, 0.0, matrix).sum(axis=0) / np.maximum(count, 1)
        deviations = np.where(missing, 0.0, matrix - mean)
        return cls(count, mean, (deviations**2).sum(axis=0))

    @classmethod
    def received(cls, values: Values) -> Self:
        """From what a site released, see :meth:`values`."""
        return cls(values["count"], values["mean"], values["squares"])

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """Of the patients of all parts, which must be at least one."""
        return reduce(lambda one, other: one.joined(other), parts)

    def joined(self, other: Self) -> Self:
        """Of the patients of both."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        apart = other.mean - self.mean
        return type(self)(count, self.mean + share * apart,
                          self.squares + other.squares + apart**2 * share * self.count)

    def values(self) -> dict[str, Any]:
        return {"count": self.count, "mean": self.mean, "squares": self.squares}

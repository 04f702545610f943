"""Patients unlike those of the training: a model says something of them too, but nothing was ever checked there.

Distances are taken in the prepared space (imputed, encoded, scaled), in which the model works. With fewer columns
than half the patients: Mahalanobis distance with Ledoit and Wolf's shrunk covariance [1]_. With more: principal
components, the distance among them and the distance from them, the larger of both counts [2]_. The limit is the
quantile of the distances that training patients have from models of the *other* training patients, so that a share
``false_alarms`` of patients like them is flagged, whatever the distribution.

References
----------
.. [1] Ledoit O, Wolf M. A well-conditioned estimator for large-dimensional covariance matrices. J Multivar Anal
   2004;88:365-411.
.. [2] Hubert M, Rousseeuw PJ, Vanden Branden K. ROBPCA: a new approach to robust principal component analysis.
   Technometrics 2005;47:64-79 (score and orthogonal distance; here without the robust estimates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.covariance import LedoitWolf

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.conformal import conformal_quantile
from medomicslab_nb.evaluation.splits import fold_numbers

FALSE_ALARMS = 0.01
"""Share of patients like those of the training that is flagged."""

FEWEST = 20
"""Training patients below which nothing is flagged: a limit would be chance."""

_FOLDS = 10
_EXPLAINED = 0.8  # share of the variance that the principal components explain
_ROWS_PER_COMPONENT = 5


@dataclass(frozen=True)
class Applicability:
    """Where the training patients lie, and how far from them is too far.

    Attributes
    ----------
    columns : tuple of str
        Original column of each prepared column.
    kept : ndarray of int
        Prepared columns that vary.
    centre : ndarray, shape (n_kept,)
    directions : ndarray, shape (n_axes, n_kept)
        Orthonormal axes.
    spread : ndarray, shape (n_axes,)
        Standard deviation of the training patients along each.
    units : ndarray, shape (2,)
        Distance among the axes and distance from them that count as 1; the second is infinite without a remainder.
    limit : float
        Distance from which a patient is flagged.
    false_alarms : float
        Share of patients like those of the training beyond the limit: what was asked for, or 1 / (n + 1) when there
        are too few training patients for it.
    n : int
        Training patients.
    """

    columns: tuple[str, ...]
    kept: np.ndarray
    centre: np.ndarray
    directions: np.ndarray
    spread: np.ndarray
    units: np.ndarray
    limit: float
    false_alarms: float
    n: int

    def distance(self, prepared: np.ndarray) -> np.ndarray:
        """Distance of each prepared row, shape (n,); above :attr:`limit` is unlike the training patients."""
        return np.max(self._both(prepared) / self.units, axis=1)

    def flagged(self, prepared: np.ndarray) -> np.ndarray:
        """Rows unlike the training patients, bool, shape (n,)."""
        return self.distance(prepared) > self.limit

    def _both(self, prepared: np.ndarray) -> np.ndarray:
        """Distance among the axes and distance from them, shape (n, 2)."""
        moved = np.asarray(prepared, dtype=float)[:, self.kept] - self.centre
        along = moved @ self.directions.T
        among = np.sqrt(((along / self.spread) ** 2).sum(axis=1))
        rest = (moved**2).sum(axis=1) - (along**2).sum(axis=1)
        return np.column_stack([among, np.sqrt(np.maximum(rest, 0.0))])

    def to_dict(self) -> dict[str, Any]:
        """Plain values and arrays, for the model file."""
        return {"columns": list(self.columns), "kept": self.kept, "centre": self.centre,
                "directions": self.directions, "spread": self.spread, "units": self.units, "limit": self.limit,
                "false_alarms": self.false_alarms, "n": self.n}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Applicability:
        """What :meth:`to_dict` gave."""
        arrays = {name: np.asarray(content[name], dtype=float) for name in ("centre", "directions", "spread", "units")}
        kept = np.asarray(content["kept"], dtype=int)
        columns = tuple(str(name) for name in content["columns"])
        width = len(kept)
        if (arrays["centre"].shape != (width,) or arrays["units"].shape != (2,)
                or arrays["directions"].shape != (len(arrays["spread"]), width)
                or np.any((kept < 0) | (kept >= len(columns)))):
            raise ValueError("applicability")
        return cls(columns, kept, limit=float(content["limit"]), false_alarms=float(content["false_alarms"]),
                   n=int(content["n"]), **arrays)


def fit_applicability(prepared: np.ndarray, columns: list[str] | None = None, *, false_alarms: float = FALSE_ALARMS,
                      seed: int = 0) -> Applicability | None:
    """Learn where training patients lie.

    Parameters
    ----------
    prepared : ndarray, shape (n, n_prepared)
        Prepared rows of the training patients; see :func:`prepared_matrix`.
    columns : list of str
        Original column of each prepared column.
    false_alarms : float
        Share of patients like these that may be flagged.

    Returns
    -------
    Applicability or None
        None with fewer than :data:`FEWEST` patients or without a column that varies.
    """
    prepared = np.asarray(prepared, dtype=float)
    n = len(prepared)
    names = tuple(columns if columns is not None else (f"{i}" for i in range(prepared.shape[1])))
    if n < FEWEST:
        return None
    kept = np.flatnonzero(np.ptp(prepared, axis=0) > 1e-9)
    if not len(kept):
        return None
    rows = prepared[:, kept]
    # Distances among the rows are all that the limit depends on, so that n coordinates tell it as well as 20,000.
    reduced = _coordinates(rows) if len(kept) > n else rows
    folds = fold_numbers(np.zeros(n, dtype=int), min(_FOLDS, n), seed)
    # One number of axes for all: with more of them distances are larger.
    count = _n_components(reduced, n - int(np.bincount(folds).max())) if len(kept) >= n / 2 else None
    distances = np.empty((n, 2))
    for fold in range(int(folds.max()) + 1):
        test = folds == fold
        distances[test] = _fitted(reduced[~test], count)._both(reduced[test])
    rate = max(false_alarms, 1 / (n + 1))
    units = np.array([conformal_quantile(part, rate) for part in distances.T])
    # Without a remainder its distance is rounding error.
    units[units <= 1e-6 * max(1.0, float(units[0]))] = np.inf
    limit = conformal_quantile(np.max(distances / units, axis=1), rate)
    fitted = _fitted(rows, count)
    if count is not None:
        # Half the file; the rounding is far below the differences between patients.
        fitted = replace(fitted, directions=fitted.directions.astype(np.float32))
    return replace(fitted, columns=names, kept=kept, units=units, limit=limit, false_alarms=rate, n=n)


def prepared_matrix(model: Any, frame: pd.DataFrame, centre: pd.Series | None = None) -> tuple[np.ndarray, list[str]]:
    """Rows as the model's members see them, each column once, and the original column of each prepared one.

    Of a block of which a patient has nothing, the prepared columns are zero: the training mean.

    Raises
    ------
    DataError
        The model has no parts.
    """
    blocks, names = [], []
    covered: set[str] = set()
    for part in model.parts:
        if set(part.columns) <= covered:
            continue
        covered |= set(part.columns)
        present = part.present(frame)
        rows = frame.loc[present, part.columns]
        original = list(part.preparation.columns_)
        matrix = np.zeros((len(frame), len(original)))
        if len(rows):
            matrix[present] = part.preparation.transform(rows, None if centre is None else centre[present])
        blocks.append(matrix)
        names += original
    if not blocks:
        raise DataError("the model has no parts", where="model", todo="Fit it again")
    return np.hstack(blocks), names


def _coordinates(rows: np.ndarray) -> np.ndarray:
    """The rows in n directions that span them, centred: the distances among them stay, shape (n, n)."""
    moved = rows - rows.mean(axis=0)
    values, left = np.linalg.eigh(moved @ moved.T)
    return left * np.sqrt(np.maximum(values, 0.0))


def _n_components(rows: np.ndarray, fitted: int) -> int:
    """Principal components that explain most of the variance; no more than ``fitted`` rows can tell."""
    moved = rows - rows.mean(axis=0)
    values = np.linalg.eigvalsh(moved @ moved.T)[::-1]
    explained = int(np.searchsorted(np.cumsum(values) / values.sum(), _EXPLAINED)) + 1
    return min(explained, max(1, fitted // _ROWS_PER_COMPONENT))


def _fitted(rows: np.ndarray, count: int | None) -> Applicability:
    """Centre and axes of some patients, ``count`` principal ones or all; units and limit are still open."""
    n, width = rows.shape
    centre = rows.mean(axis=0)
    if count is None:
        values, vectors = np.linalg.eigh(LedoitWolf().fit(rows).covariance_)
        directions, spread = vectors.T, np.sqrt(np.maximum(values, 1e-12 * values[-1]))
    else:
        directions, spread = _components(rows - centre, count)
    return Applicability((), np.arange(width), centre, directions, spread, np.ones(2),
                         float("nan"), float("nan"), n)


def _components(moved: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal components, shape (count, n_columns), and the spread along them.

    By the inner products of the rows: with more columns than rows their matrix is the small one.
    """
    values, left = np.linalg.eigh(moved @ moved.T)
    values, left = values[::-1][:count], left[:, ::-1][:, :count]
    lengths = np.sqrt(np.maximum(values, 1e-12 * values[0]))
    return left.T @ moved / lengths[:, None], lengths / np.sqrt(len(moved) - 1)

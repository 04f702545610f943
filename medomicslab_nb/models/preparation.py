"""Preparation of predictors inside a training fold: what is learned there is applied to anybody else.

The order: near-zero variance, ICC filter, harmonisation between centres, imputation, encoding, scaling, representatives
of correlated columns, selection. Nothing is looked at but the rows that :meth:`Preparation.fit` is given.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.evaluation.agreement import intraclass_correlation
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.harmonisation import ComBat
from medomicslab_nb.models.preparation_settings import PreparationSettings
from medomicslab_nb.models.selection import representatives, select

WIDE = 100
"""Numeric columns up to which it is a predictor of its own that a value was missing."""
CATEGORIES = 20
"""Columns that a categorical column becomes at most; its rarer categories share the last."""
ITERATIVE_COLUMNS = 500
"""Numeric columns up to which iterative imputation is offered."""
PERTURBED_PATIENTS = 10
"""Training patients with perturbed values, with fewer of whom nothing is said about reproducibility."""

_NEIGHBOURS = 20  # predictors of a column in iterative imputation
_ROUNDS = 5
_SMALL = 20  # patients below which a single one may make a column vary
_FLAT = 1e-12  # standard deviation, as a share of the mean, that is rounding error


class Preparation(BaseEstimator):
    """Impute, harmonise, encode, scale and select, with what the training rows say.

    Parameters
    ----------
    settings : PreparationSettings or mapping
    categorical : sequence of str
        Columns that are categories.
    seed : int
        Of iterative imputation and stability selection.

    Attributes
    ----------
    columns_ : list of str
        The original column of each prepared column.
    selected_ : list of str
        Original columns that survived, each once.
    frequency_ : dict
        Stability selection: share of the subsamples in which an original column was chosen, if it ever was.
    notes_ : list of str
        What was left out or decided, in whole sentences.

    Notes
    -----
    Numbers: the median for missing values, unit variance; with at most 100 numeric columns also a column "was
    missing" for each that misses values. Categories: a column for each, with "missing" as one, at most 20; two-valued
    ones become one column. A category that is new is all zeros, in a two-valued column the training mean. Columns are
    left out in which fewer than 2 training patients differ from the most common value (below 20 patients: none).
    When nothing is left, a single column of zeros remains, so that models predict the average.
    """

    def __init__(self, settings: PreparationSettings | Mapping[str, Any] | None = None,
                 categorical: Sequence[str] = (), seed: int = 0) -> None:
        self.settings = settings.model_dump(mode="json") if isinstance(settings, PreparationSettings) else settings
        self.categorical = categorical
        self.seed = seed

    def fit(self, frame: pd.DataFrame, endpoint: Endpoint, companions: Companions | None = None) -> Self:
        """Learn from training patients.

        Parameters
        ----------
        frame : DataFrame, shape (n_patients, n_columns)
            Index = patient, in the endpoint's order. Numbers as float, categories as text.
        endpoint : Endpoint
            Seen by the selection only.
        companions : Companions, optional
            Centres and perturbed values; those of other patients are not looked at.

        Raises
        ------
        DataError
            Perturbed values repeat a patient and perturbation.
        SettingsError
            Iterative imputation of more than 500 columns.
        """
        if not frame.index.equals(endpoint.patients):
            raise ValueError("frame and endpoint must hold the same patients in the same order")
        settings = PreparationSettings.model_validate(dict(self.settings or {}))
        companions = (companions or Companions()).restrict(frame.index)
        self.notes_: list[str] = []
        self.frequency_: dict[str, float] = {}
        values = self._fit_columns(frame, companions.perturbed, settings.icc)
        values = self._fit_harmonisation(values, companions.centre if settings.harmonisation else None)
        self._fit_imputation(values, settings.imputation)
        prepared = self._assembled(frame, self._imputed(values))
        self._fit_scaling(prepared)
        self._fit_selection(prepared, endpoint, settings)
        self._fit_names(frame)
        if self.combat_ is None and not self.regressions_:
            self._prune()
        return self

    def transform(self, frame: pd.DataFrame, centre: pd.Series | None = None) -> np.ndarray:
        """Prepared rows, float64, shape (n_patients, n_prepared).

        A row depends on no other row, but for a centre that is new: see :meth:`centre_notes`.

        Parameters
        ----------
        frame : DataFrame
            Index = patient; other columns than :attr:`needed_` are not looked at.
        centre : Series, index = patient, optional
            Where centres were harmonised; without it, values are left as they are.

        Raises
        ------
        DataError
            A needed column is missing.
        """
        if not len(self.kept_):
            return np.zeros((len(frame), 1))
        absent = pd.Index(self.needed_).difference(frame.columns, sort=False)
        if len(absent):
            raise DataError(f"{len(absent)} columns are missing, e.g. '{absent[0]}'", where="table of predictors",
                            todo="Give the columns with which the model was trained")
        values = _numbers(frame, self.numeric_)
        if self.combat_ is not None:
            names = None if centre is None else centre.reindex(frame.index).to_numpy()
            values[:, self.harmonised_] = self.combat_.transform(values[:, self.harmonised_], names)
        prepared = self._assembled(frame, self._imputed(values))
        # One layout in memory, whatever the frame's: sums over it round the same way everywhere.
        return np.ascontiguousarray(self._scaled(prepared, self.kept_))

    def centre_notes(self, centre: pd.Series | None) -> list[str]:
        """What must be said of how :meth:`transform` harmonises patients of these centres, in whole sentences."""
        return [] if self.combat_ is None else self.combat_.notes(None if centre is None else centre.to_numpy())

    @property
    def needed_(self) -> list[str]:
        """Original columns without which :meth:`transform` does not work."""
        return list(dict.fromkeys([*self.numeric_, *self.gaps_, *self.levels_]))

    def _fit_columns(self, frame: pd.DataFrame, perturbed: pd.DataFrame | None, least_icc: float) -> np.ndarray:
        """Choose columns that vary and are reproducible; the values of the numeric ones."""
        fewest = 2 if len(frame) >= _SMALL else 1  # patients that must differ from the others
        names, categories = frame.columns.tolist(), set(self.categorical)
        columns = np.array([column for column in names if column not in categories], dtype=object)
        values = _numbers(frame, list(columns))
        missing = np.isnan(values)
        gaps = missing.sum(axis=0)
        medians = _medians(values, gaps)
        # A value that nearly everybody has is the median.
        vary = ((values != medians) & ~missing).sum(axis=0) >= fewest
        told = (np.minimum(gaps, len(values) - gaps) >= fewest) & (len(columns) <= WIDE)
        levels = {column: _levels(frame[column], fewest) for column in names if column in categories}
        self.levels_ = {column: found for column, found in levels.items() if found["shown"]}
        self._note(int((~vary & ~told).sum()) + len(levels) - len(self.levels_), frame.shape[1],
                   "hardly vary among the training patients and were left out")
        if perturbed is not None:
            reproducible = self._reproducible(frame.index, columns, values, perturbed, least_icc)
            vary, told = vary & reproducible, told & reproducible
        self.numeric_, self.gaps_, self.medians_ = list(columns[vary]), list(columns[told]), medians[vary]
        return values if vary.all() else values[:, vary]

    def _reproducible(self, patients: pd.Index, columns: np.ndarray, values: np.ndarray, perturbed: pd.DataFrame,
                      least: float) -> np.ndarray:
        """Columns that reach the ICC, or that were not perturbed."""
        reached, judged = np.ones(len(columns), dtype=bool), np.isin(columns, list(perturbed.columns))
        n = perturbed["patient"].nunique()
        if not judged.any():
            return reached
        if n < PERTURBED_PATIENTS:
            self.notes_.append(f"Fewer than {PERTURBED_PATIENTS} training patients have perturbed values, so "
                               "reproducibility was not judged.")
            return reached
        ratings = _ratings(patients, list(columns[judged]), values[:, judged], perturbed)
        # NaN, a column that is constant in these patients, does not show that it is reproducible.
        reached[judged] = intraclass_correlation(ratings).estimate >= least
        self._note(int((~reached).sum()), int(judged.sum()),
                   f"do not reach an ICC(1,1) of {least:g} in {n} perturbed training patients and were left out")
        return reached

    def _fit_harmonisation(self, values: np.ndarray, centre: pd.Series | None) -> np.ndarray:
        """Harmonise the columns that have more than two values; medians are those of harmonised values."""
        self.combat_: ComBat | None = None
        self.harmonised_ = np.empty(0, dtype=int)
        if centre is None or not values.shape[1]:
            return values
        names = centre.to_numpy()
        self.harmonised_ = np.flatnonzero(_more_than_two(values))
        combat = ComBat().fit(values[:, self.harmonised_], names)
        self.notes_ += combat.notes(names)
        if not combat.centres_ or not len(self.harmonised_):
            return values
        self.combat_ = combat
        values[:, self.harmonised_] = combat.transform(values[:, self.harmonised_], names)
        self.medians_ = _medians(values, np.isnan(values).sum(axis=0))
        return values

    def _fit_imputation(self, values: np.ndarray, imputation: str) -> None:
        self.regressions_: dict[str, np.ndarray] = {}
        if imputation != "iterative":
            return
        if values.shape[1] > ITERATIVE_COLUMNS:
            raise SettingsError(f"iterative imputation of {values.shape[1]} columns was asked for, and "
                                f"{ITERATIVE_COLUMNS} are the most", where="setting 'imputation'",
                                todo="Choose 'simple', or fewer columns")
        if np.isnan(values).any() and values.shape[1] > 1:
            self.regressions_ = _fit_regressions(values, self.medians_, self.seed)

    def _imputed(self, values: np.ndarray) -> np.ndarray:
        """Fill the gaps in place."""
        rows, columns = np.nonzero(np.isnan(values))
        if not len(rows):
            return values
        values[rows, columns] = self.medians_[columns]
        return _regressed(values, rows, columns, self.regressions_) if self.regressions_ else values

    def _assembled(self, frame: pd.DataFrame, values: np.ndarray) -> np.ndarray:
        """Numbers, "was missing" columns and encoded categories, not yet scaled."""
        parts = [values]
        if self.gaps_:
            parts.append(frame[self.gaps_].isna().to_numpy(dtype=float))
        parts += [_encoded(frame[column], levels) for column, levels in self.levels_.items()]
        return np.asfortranarray(np.hstack(parts)) if len(parts) > 1 else values

    def _fit_scaling(self, prepared: np.ndarray) -> None:
        self.means_ = prepared.mean(axis=0)
        self.scales_ = prepared.std(axis=0)
        usable = np.isfinite(self.scales_) & (self.scales_ > _FLAT * np.abs(self.means_))
        self.kept_ = np.flatnonzero(usable)
        self._note(int((~usable).sum()), len(usable), "have no spread once prepared and were left out")

    def _scaled(self, prepared: np.ndarray, columns: np.ndarray) -> np.ndarray:
        if len(columns) < prepared.shape[1]:
            prepared = prepared[:, columns]
        scaled = prepared - self.means_[columns]
        scaled /= self.scales_[columns]
        return scaled

    def _fit_selection(self, prepared: np.ndarray, endpoint: Endpoint, settings: PreparationSettings) -> None:
        before = len(self.kept_)
        if settings.correlation is not None:
            self.kept_ = self.kept_[representatives(self._scaled(prepared, self.kept_), settings.correlation)]
            self._note(before - len(self.kept_), before, "are represented by another with an absolute Spearman "
                       f"correlation of at least {settings.correlation:g}")
        if settings.selection == "none" or not len(self.kept_):
            return
        found = select(self._scaled(prepared, self.kept_), endpoint, settings.selection, settings.features,
                       seed=self.seed)
        if found.frequency is not None:
            origins = self._origins()
            for column, share in zip(self.kept_, found.frequency, strict=True):
                if share > self.frequency_.get(origins[column], 0.0):
                    self.frequency_[origins[column]] = float(share)
        self.kept_ = self.kept_[np.sort(found.order)]

    def _origins(self) -> list[str]:
        """The original column of each column before selection."""
        return [*self.numeric_, *self.gaps_,
                *(column for column, levels in self.levels_.items() for _ in levels["shown"])]

    def _fit_names(self, frame: pd.DataFrame) -> None:
        origins = self._origins()
        self.columns_ = [origins[position] for position in self.kept_]
        self.selected_ = list(dict.fromkeys(self.columns_))
        if not self.columns_:
            self.columns_ = list(frame.columns[:1])
            self.notes_.append("No column is left: everybody gets the average prediction.")

    def _prune(self) -> None:
        """Forget what only columns that were left out need."""
        used = set(self.columns_)
        origins = self._origins()
        n_numeric, n_gaps = len(self.numeric_), len(self.gaps_)
        kept = np.zeros(len(origins), dtype=bool)
        kept[self.kept_] = True
        stays = kept.copy()
        stays[n_numeric + n_gaps:] = [column in used for column in origins[n_numeric + n_gaps:]]
        numeric, gaps = stays[:n_numeric], stays[n_numeric:n_numeric + n_gaps]
        self.medians_ = self.medians_[numeric]
        self.numeric_ = [column for column, stay in zip(self.numeric_, numeric, strict=True) if stay]
        self.gaps_ = [column for column, stay in zip(self.gaps_, gaps, strict=True) if stay]
        self.levels_ = {column: levels for column, levels in self.levels_.items() if column in used}
        self.means_, self.scales_ = self.means_[stays], self.scales_[stays]
        self.kept_ = np.flatnonzero(kept[stays])

    def _note(self, count: int, total: int, sentence: str) -> None:
        if count:
            self.notes_.append(f"{count} of {total} columns {sentence}.")


def _numbers(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """A copy of numeric columns, float64, each column in one piece of memory."""
    return np.array(frame[columns].to_numpy(dtype=float), order="F", copy=True)


def _medians(values: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Median of each column without its missing values; NaN where there are no others."""
    ordered = np.sort(values, axis=0)  # missing values last
    count, columns = len(values) - gaps, np.arange(values.shape[1])
    return (ordered[(count - 1) // 2, columns] + ordered[count // 2, columns]) / 2


def _more_than_two(values: np.ndarray) -> np.ndarray:
    """Columns with more than two values: there is no location and scale to move in a yes or no."""
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    return ((values != low) & (values != high) & ~np.isnan(values)).any(axis=0)


def _ratings(patients: pd.Index, columns: list[str], values: np.ndarray, perturbed: pd.DataFrame) -> np.ndarray:
    """Original and perturbed values, shape (n_perturbed_patients, 1 + n_perturbations, n_columns)."""
    repeated = perturbed.duplicated(["patient", "perturbation"])
    if repeated.any():
        raise DataError(f"{int(repeated.sum())} rows repeat a patient and perturbation", where="perturbed values",
                        todo="Keep one row for each, as for the features themselves")
    rows, subjects = pd.factorize(perturbed["patient"])
    raters, kinds = pd.factorize(perturbed["perturbation"], use_na_sentinel=False)
    once = ~patients.duplicated()  # a bootstrap sample repeats patients
    ratings = np.full((len(subjects), 1 + len(kinds), len(columns)), np.nan)
    ratings[:, 0] = values[once][patients[once].get_indexer(subjects)]
    ratings[rows, 1 + raters] = perturbed[columns].to_numpy(dtype=float)
    return ratings


def _levels(column: pd.Series, fewest: int) -> dict[str, Any]:
    """How a category is encoded.

    ``names``: values with a place of their own, sorted; after them ``rest`` (the rarer ones, and new ones) and
    ``missing``, where there are such. ``shown``: places that become columns. ``unknown``: value of these columns for
    a value without a place.
    """
    counts = column.astype(object).dropna().astype(str).value_counts()
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    missing = int(column.isna().sum())
    room = CATEGORIES - bool(missing)
    names = sorted(counts.index[:room if len(counts) <= room else room - 1])
    rest = int(counts.sum() - counts[names].sum())
    sizes = [*(int(counts[name]) for name in names), *([rest] if rest else []), *([missing] if missing else [])]
    # Two places say the same twice, so the second is enough; who is in neither is an average patient.
    shown = [1] if len(sizes) == 2 else list(range(len(sizes)))
    return {"names": names, "rest": bool(rest), "missing": bool(missing),
            "shown": [place for place in shown if min(sizes[place], len(column) - sizes[place]) >= fewest],
            "unknown": sizes[1] / len(column) if len(sizes) == 2 else 0.0}


def _encoded(column: pd.Series, levels: Mapping[str, Any]) -> np.ndarray:
    """One column for each place that is shown, shape (n_patients, n_shown)."""
    codes, found = pd.factorize(column.to_numpy(dtype=object))
    places = {name: place for place, name in enumerate(levels["names"])}
    other = len(places) if levels["rest"] else -1
    empty = len(places) + bool(levels["rest"]) if levels["missing"] else -1
    # A missing value has the code -1: the last.
    place = np.array([*(places.get(str(name), other) for name in found), empty])[codes]
    shown = (place[:, None] == np.array(levels["shown"])).astype(float)
    shown[place == -1] = levels["unknown"]
    return shown


def _fit_regressions(values: np.ndarray, medians: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Iterative imputation: what scikit-learn's finds, as arrays, each row a regression in the order of their use."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    spread = np.nanstd(values, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    # Standardised, since the prior of the regression treats all coefficients alike.
    imputer = IterativeImputer(n_nearest_features=_NEIGHBOURS, max_iter=_ROUNDS, initial_strategy="median",
                               skip_complete=True, random_state=seed, min_value=(low - medians) / spread,
                               max_value=(high - medians) / spread)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of rounds is part of the method
        imputer.fit((values - medians) / spread)
    steps = imputer.imputation_sequence_
    return {"low": low, "high": high, "centre": medians, "spread": spread,
            "target": np.array([step.feat_idx for step in steps]),
            "neighbours": np.array([step.neighbor_feat_idx for step in steps]),
            "coefficients": np.array([step.estimator.coef_ for step in steps]),
            "intercepts": np.array([step.estimator.intercept_ for step in steps])}


def _regressed(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, regressions: Mapping[str, np.ndarray]
               ) -> np.ndarray:
    """Replace the medians at the given places by the regressions' values, in place."""
    gaps = {column: rows[columns == column] for column in np.unique(columns)}
    centre, spread = regressions["centre"], regressions["spread"]
    for step, target in enumerate(regressions["target"]):
        at = gaps.get(target)
        if at is None:
            continue
        near = regressions["neighbours"][step]
        known = (values[np.ix_(at, near)] - centre[near]) / spread[near]
        # Not a matrix product, whose rounding would depend on the number of rows.
        predicted = (known * regressions["coefficients"][step]).sum(axis=1) + regressions["intercepts"][step]
        values[at, target] = np.clip(centre[target] + spread[target] * predicted, regressions["low"][target],
                                     regressions["high"][target])
    return values

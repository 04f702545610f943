"""Predictors as numbers without gaps, the same way at every site: what all sites share, and what a site does with it.

A site takes the columns that are used, counts impossible zeros as missing, removes what is special to the site (ComBat)
from numeric columns, turns categories into indicators, fills gaps with the mean of all sites and standardises. With a
minimum count of 1 this is scikit-learn's ``SimpleImputer(mean)`` and ``StandardScaler`` on the patients of all sites.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Answers, Question, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.column_moments import ColumnMoments
from medomicslab_nb.federated.tasks.outcome_scale import OutcomeScale
from medomicslab_nb.federated.tasks.parts import part_of

if TYPE_CHECKING:
    from medomicslab_nb.federated.tasks.schema import Schema

_ENCODED = "encoded"  # what a site keeps: the matrix does not change from round to round
_FAR = 3.0  # standard deviations between the means of a site and of the others that no two hospitals' patients explain
_FLAT = 1e-14  # of the mean in the standard deviation: rounding error, and the column constant


@dataclass(frozen=True)
class Preparation:
    """How predictors become numbers, the same at every site.

    Attributes
    ----------
    numeric : tuple of str
        Columns of numbers.
    categories : mapping of str to tuple of str
        Categorical columns and their levels; the first is the reference and has no column.
    zeros : tuple of str
        Numeric columns in which 0 means missing.
    mean, scale : ndarray, shape (n_prepared,)
        Of each prepared column over the training patients of all sites; ``scale`` is the standard deviation (divisor
        n) after gaps were filled with the mean, 1 for a column that is constant.
    sd : ndarray, shape (n_prepared,)
        Standard deviation (divisor n - 1) over the patients in whom the column is known; 0 where it is constant.
    known : mapping of str to ndarray of int, shape (n_prepared,)
        Training patients of each site in whom each prepared column is known.
    patients : mapping of str to int
        Training patients of each site.
    centre : ndarray, shape (n_numeric,), optional
    location, spread : mapping of str to ndarray, shape (n_numeric,)
        ComBat: a numeric value of a site becomes ``centre + (value - location) / spread``. A site without them is
        left as it is.
    outcome : OutcomeScale
        Of the same patients as the means.
    notes : tuple of str
        What was decided, in whole sentences.
    """

    numeric: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    zeros: tuple[str, ...] = ()
    mean: np.ndarray = field(default_factory=lambda: np.empty(0))
    scale: np.ndarray = field(default_factory=lambda: np.empty(0))
    sd: np.ndarray = field(default_factory=lambda: np.empty(0))
    known: Mapping[str, np.ndarray] = field(default_factory=dict)
    patients: Mapping[str, int] = field(default_factory=dict)
    centre: np.ndarray | None = None
    location: Mapping[str, np.ndarray] = field(default_factory=dict)
    spread: Mapping[str, np.ndarray] = field(default_factory=dict)
    outcome: OutcomeScale = field(default_factory=OutcomeScale)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Mappings travel in the order of their names: so do the columns that a site makes of them.
        object.__setattr__(self, "categories", dict(sorted(self.categories.items())))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the prepared columns: numeric ones, then "stage=III" for each level but the first."""
        return (*self.numeric, *(f"{name}={level}" for name, levels in self.categories.items()
                                 for level in levels[1:]))

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites whose patients the means are of."""
        return tuple(self.patients)

    @property
    def sources(self) -> tuple[str, ...]:
        """The original column of each prepared column."""
        return (*self.numeric, *(name for name, levels in self.categories.items() for _ in levels[1:]))

    def values(self) -> dict[str, Any]:
        """What a site needs to prepare its patients; a part of every question about them."""
        values = {"numeric": list(self.numeric), "categories": {name: list(levels) for name, levels
                                                                in self.categories.items()},
                  "zeros": list(self.zeros), "mean": self.mean, "scale": self.scale}
        return values if self.centre is None else {**values, "centre": self.centre}

    def each(self) -> dict[str, Values]:
        """The same for one site only: its location and spread."""
        return {site: {"location": self.location[site], "spread": self.spread[site]} for site in self.location}

    def availability(self) -> pd.DataFrame:
        """Training patients in whom a column counts as known: site, column, known."""
        first = {name: position for position, name in reversed(list(enumerate(self.sources)))}
        return pd.DataFrame([(site, name, int(known[first[name]])) for site, known in self.known.items()
                             for name in (*self.numeric, *self.categories)], columns=["site", "column", "known"])

    def summary(self) -> pd.DataFrame:
        """Each prepared column over all sites: column, kind, known, mean, sd."""
        known = sum(self.known.values(), np.zeros(len(self.columns), dtype=int))
        kinds = ["number"] * len(self.numeric) + ["category"] * (len(self.columns) - len(self.numeric))
        return pd.DataFrame({"column": self.columns, "kind": kinds, "known": known, "mean": self.mean, "sd": self.sd})


@dataclass(frozen=True)
class Encoded:
    """A site's predictors before gaps are filled.

    Attributes
    ----------
    matrix : ndarray, shape (n_patients, n_prepared)
        NaN = missing.
    few : tuple of str
        Columns that count as missing for all, because too few patients have a value or another value than the rest.
    rare : tuple of str
        Categorical columns in which patients with a rare level count as missing.
    """

    matrix: np.ndarray
    few: tuple[str, ...]
    rare: tuple[str, ...]


def prepare(schema: Schema) -> Task:
    """The :class:`Preparation` that the training patients of all sites make (one question).

    Raises
    ------
    DataError
        No column is left.
    """
    if not schema.columns:
        raise DataError("no predictor has values that differ", where="predictors", todo="Choose other predictors")
    return (yield from standardise(Preparation(schema.numeric, schema.categories, schema.zeros, notes=schema.notes)))


def standardise(preparation: Preparation) -> Task:
    """The same preparation with the means and scales of the sites that are asked, by the step "moments".

    For a preparation whose columns, zeros or ComBat have changed; what it says of means before does not matter.
    """
    answers: Answers = yield Question("moments", preparation.values(), "Means and standard deviations",
                                      preparation.each())
    total = ColumnMoments.together(ColumnMoments.received(values) for values in answers.values())
    patients = {site: int(values["patients"]) for site, values in answers.items()}
    flat = total.squares <= total.count * (_FLAT * np.abs(total.mean))**2
    squares = np.where(flat, 0.0, total.squares)
    scale = np.where(flat, 1.0, np.sqrt(squares / max(sum(patients.values()), 1)))
    return replace(preparation, mean=total.mean, scale=scale, sd=np.sqrt(squares / np.maximum(total.count - 1, 1)),
                   known={site: values["count"] for site, values in answers.items()}, patients=patients,
                   outcome=OutcomeScale.of_sites(answers),
                   notes=(*preparation.notes, *_small_counts(preparation, answers), *_far_off(preparation, answers)))


def prepared(patients: SitePatients, values: Values, minimum: int) -> np.ndarray:
    """Predictors of the patients of ``values["part"]``, standardised and without gaps, shape (n, n_prepared).

    For sums over columns that leave: what :func:`encoded` says of small counts holds, counted among these very
    patients. Scores of a model are those of :func:`prepared_to_score`.

    Raises
    ------
    DataError
        As :func:`encoded`.
    """
    return _standardised(encoded(patients, values, minimum).matrix, values)


def prepared_to_score(patients: SitePatients, values: Values) -> np.ndarray:
    """The same with every value as it is, however rare: for a model's scores, of which no single column is told."""
    return _standardised(encoded(patients, values, 1).matrix, values)


def encoded(patients: SitePatients, values: Values, minimum: int) -> Encoded:
    """Predictors of the patients of ``values["part"]`` before gaps are filled.

    No number that is told of a column may rest on 1 to ``minimum`` - 1 patients. A column that is known for so few
    counts as missing, and so does one in which all but so few have the same value, e.g. the rarer of two: its sum
    would tell theirs. A level that so few have counts as missing for them.

    Raises
    ------
    DataError
        The site lacks a column, or holds text in one of numbers.
    """
    part = part_of(patients, values)
    asked = repr([values["numeric"], values["categories"], values["zeros"], minimum])
    if part.memory.get(_ENCODED, ("",))[0] != asked:
        part.memory[_ENCODED] = asked, _encoded(part.frame, values, minimum)
    found: Encoded = part.memory[_ENCODED][1]
    if "location" not in values:  # not harmonised, or a site that is left as it is
        return found
    numbers = _harmonised(found.matrix[:, :len(values["numeric"])], values)
    return replace(found, matrix=np.column_stack([numbers, found.matrix[:, len(values["numeric"]):]]))


def _encoded(frame: pd.DataFrame, values: Values, minimum: int) -> Encoded:
    lacking = [name for name in (*values["numeric"], *values["categories"]) if name not in frame]
    if lacking:
        raise DataError(f"this site does not have the columns {_quoted(lacking)}", where="predictors",
                        todo="Bring the study's tables to the columns that all sites have")
    numbers, few = _numbers(frame, values, minimum)
    indicators, rare = _indicators(frame, values["categories"], minimum)
    matrix = np.column_stack([numbers, *indicators])
    matrix.flags.writeable = False  # it is used again
    return Encoded(matrix, few, rare)


def as_numbers(frame: pd.DataFrame, names: Sequence[str], zeros: Sequence[str]) -> np.ndarray:
    """Numeric columns with impossible zeros as missing, shape (n_patients, n_names), NaN = missing.

    Raises
    ------
    DataError
        A column holds text.
    """
    numbers = np.empty((len(frame), len(names)))
    try:
        for position, name in enumerate(names):
            numbers[:, position] = frame[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        text = [name for name in names if not pd.api.types.is_numeric_dtype(frame[name]) and frame[name].notna().any()]
        raise DataError(f"the columns {_quoted(text)} hold text, and at other sites numbers", where="predictors",
                        todo="Code them in the same way at all sites") from None
    impossible = np.array([name in zeros for name in names], dtype=bool)
    numbers[(numbers == 0) & impossible] = np.nan
    return numbers


def is_few(count: int, minimum: int) -> bool:
    """Whether a count must not be told."""
    return 0 < count < minimum


def _numbers(frame: pd.DataFrame, values: Values, minimum: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numeric columns as :func:`as_numbers`, and those that too few patients have, which are missing throughout."""
    names = values["numeric"]
    numbers = as_numbers(frame, names, values["zeros"])
    few = []
    for position, name in enumerate(names if minimum > 1 else ()):
        counts = np.unique(numbers[~np.isnan(numbers[:, position]), position], return_counts=True)[1]
        known = int(counts.sum())
        if is_few(known, minimum) or is_few(known - int(counts.max(initial=0)), minimum):
            numbers[:, position] = np.nan
            few.append(name)
    return numbers, tuple(few)


def _indicators(frame: pd.DataFrame, categories: Mapping[str, Sequence[str]],
                minimum: int) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """For each categorical column an array (n_patients, n_levels - 1), and the columns that have rare levels here."""
    found, rare = [], []
    for name, levels in sorted(categories.items()):
        counts = frame[name].value_counts()
        scarce = set(counts.index[counts < minimum])
        if scarce:
            rare.append(name)
        positions = {level: position for position, level in enumerate(levels) if level not in scarce}
        codes = frame[name].map(positions).to_numpy(dtype=float, na_value=np.nan)
        one_hot = (codes[:, None] == np.arange(1, len(levels))).astype(float)
        one_hot[np.isnan(codes)] = np.nan
        found.append(one_hot)
    return found, tuple(rare)


def _harmonised(numbers: np.ndarray, values: Values) -> np.ndarray:
    return np.asarray(values["centre"] + (numbers - values["location"]) / values["spread"])


def _standardised(matrix: np.ndarray, values: Values) -> np.ndarray:
    filled = np.where(np.isnan(matrix), values["mean"], matrix)
    return np.asarray((filled - values["mean"]) / values["scale"])


def _small_counts(preparation: Preparation, answers: Answers) -> list[str]:
    """Notes on what counts as missing at some site."""
    notes = []
    for name in (*preparation.numeric, *preparation.categories):
        few = [site for site, values in answers.items() if name in values["few"]]
        rare = [site for site, values in answers.items() if name in values["rare"]]
        if few:
            notes.append(f"'{name}' counts as missing at {', '.join(few)}: too few patients there have a value, or "
                         "another value than the rest.")
        if rare:
            notes.append(f"'{name}' counts as missing for patients with its rarest categories at {', '.join(rare)}.")
    return notes


def _far_off(preparation: Preparation, answers: Answers) -> list[str]:
    """Notes on sites whose numbers lie so far from those of all the others that the unit may be another."""
    moments = {site: ColumnMoments.received(values) for site, values in answers.items()}
    notes = []
    for site, own in moments.items() if len(moments) > 1 else ():
        others = ColumnMoments.together(part for other, part in moments.items() if other != site)
        spread = np.maximum(_deviation(own), _deviation(others))
        far = (np.abs(own.mean - others.mean) > _FAR * spread) & (spread > 0) & (own.count > 0) & (others.count > 0)
        notes += [f"The mean of '{name}' at {site} is more than {_FAR:g} standard deviations from that of the other "
                  "sites: check its unit." for name, wrong in zip(preparation.numeric, far, strict=False) if wrong]
    return notes


def _deviation(moments: ColumnMoments) -> np.ndarray:
    return np.asarray(np.sqrt(moments.squares / np.maximum(moments.count, 1)))


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")

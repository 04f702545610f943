"""What drives a fitted model: SHAP values by original column, of its score and of the risk by stated times.

The score is a weighted sum of parts, and its SHAP values are those of the parts summed: exact for linear parts and for
trees, by permutations otherwise (:mod:`medomicslab_nb.models.shap_values`). A risk by some time is no linear function
of the score: its values are estimated by permutations of the columns, on the scale of probabilities, where the most
important columns are players of their own and all others one together. Both add up for every patient.

Tables have one row per number, with its n and its interval: the percentile bootstrap of patients, for the model as it
is. It says nothing of how another sample would have changed the model; the selection frequency does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medomicslab_nb.evaluation.intervals import bootstrap_weights
from medomicslab_nb.models.learners.problem import raw_score
from medomicslab_nb.models.shap_values import (
    PERMUTATIONS,
    Attribution,
    column_groups,
    exact_attribution,
    mixed_predictions,
    permutation_attribution,
)
from medomicslab_nb.progress import Progress

if TYPE_CHECKING:
    from medomicslab_nb.models.risk_model import Part, RiskModel

TOP_FEATURES = 20
"""Features of which the SHAP values of every patient are kept."""

OTHERS = "all other features"
"""The player that stands for every column without values of its own."""

_DRAWS = 1000
_WIDE = 2000  # columns whose bootstrap is computed at once


@dataclass(frozen=True)
class Predictors:
    """Predictors as a model takes them.

    Attributes
    ----------
    frame : DataFrame, shape (n, n_columns)
        With every column that the model needs.
    centre : Series, optional
        Centre of each patient, for models that harmonise centres.
    """

    frame: pd.DataFrame
    centre: pd.Series | None = None


@dataclass(frozen=True)
class Estimation:
    """How values that have no closed form are estimated: number of permutations, seed, and where progress goes."""

    permutations: int = PERMUTATIONS
    seed: int = 0
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class Labels:
    """What the tables call things.

    Attributes
    ----------
    blocks : str
        The set of blocks that the model was fitted on.
    block_of : mapping
        The block of each column.
    categorical : collection of str
    classes : sequence of str
        Of a multi-class model.
    """

    blocks: str
    block_of: Mapping[str, str]
    categorical: Sequence[str] = ()
    classes: Sequence[str] = ()


def explain_score(model: RiskModel, patients: Predictors, *, background: Predictors | None = None,
                  estimation: Estimation | None = None) -> Attribution:
    """SHAP values of the score by original column: base + sum over columns = ``model.score``.

    What preparation made of one column is summed. In a patient in whom a whole block is missing, what that adds to the
    score, less the base of the part that uses it, is shared equally by the part's columns.

    Parameters
    ----------
    background : Predictors, optional
        Whom permutations compare with, best the training patients; default ``patients``.

    Returns
    -------
    Attribution
        Of shape (n, n_columns), or (n, n_columns, n_classes); columns are those of ``patients.frame``.
    """
    estimation = estimation or Estimation()
    columns = list(patients.frame.columns)
    shape = (len(patients.frame), len(columns), *([len(model.classes)] if model.kind == "multiclass" else []))
    values, squares, base = np.zeros(shape), np.zeros(shape), np.zeros(shape[2:])
    methods = []
    for part in model.parts:
        factor = part.weight / part.scale
        inside = part.present(patients.frame)
        found = _part_attribution(part, patients, inside, background or patients, estimation)
        if inside.any():
            values[inside] += factor * _by_column(part, found.values, columns)
            squares[inside] += factor**2 * _by_column(part, found.error**2, columns)
        used = np.isin(columns, list(set(part.preparation.columns_)))
        values[np.ix_(~inside, used)] += (part.absent - factor * (found.base - part.centre)) / max(1, int(used.sum()))
        base = base + factor * (found.base - part.centre)
        methods.append(f"{part.kind}: {found.method}")
    return Attribution(values, base, np.sqrt(squares), "; ".join(dict.fromkeys(methods)))


def explain_risk(model: RiskModel, patients: Predictors, times: Sequence[float], features: Sequence[str], *,
                 background: Predictors | None = None, estimation: Estimation | None = None) -> Attribution:
    """SHAP values of the risk by each time: base + sum over players = ``model.risk_at(score, times)``.

    Parameters
    ----------
    times : sequence of float
        In the unit of the follow-up, within the model's baseline.
    features : sequence of str
        Columns that are players of their own; :data:`OTHERS` is the last player.

    Returns
    -------
    Attribution
        Shape (n, n_features + 1, n_times), on the scale of probabilities, with Monte-Carlo errors.
    """
    estimation = estimation or Estimation()
    background = background or patients
    players = [*features, OTHERS]
    games = [_PartGame.of(part, patients, background, players) for part in model.parts]

    def predict(present: np.ndarray, row: int) -> np.ndarray:
        score = sum((game.score(present, row) for game in games), np.zeros((len(present), len(patients.frame))))
        risks = model.risk_at(score.ravel(), np.asarray(times, dtype=float))
        return np.asarray(risks).reshape(*score.shape, len(times))

    return permutation_attribution(predict, len(players), len(patients.frame), len(background.frame),
                                   permutations=estimation.permutations, seed=estimation.seed,
                                   progress=estimation.progress)


@dataclass(frozen=True)
class _PartGame:
    """A part's contribution to the score, where some players have a background patient's values."""

    part: Part
    prepared: np.ndarray
    background: np.ndarray
    groups: np.ndarray
    missing: np.ndarray
    """Whether all of a player's columns in this part are missing, bool, shape (n, players)."""
    missing_background: np.ndarray

    @classmethod
    def of(cls, part: Part, patients: Predictors, background: Predictors, players: Sequence[str]) -> _PartGame:
        def group(names: Sequence[str]) -> np.ndarray:
            found = column_groups(names, players)
            return np.where(found < 0, len(players) - 1, found)

        def missing(frame: pd.DataFrame) -> np.ndarray:
            gaps, places = frame[part.columns].isna().to_numpy(), group(part.columns)
            return np.stack([gaps[:, places == player].all(axis=1) for player in range(len(players))], axis=1)

        return cls(part, _prepared(part, patients), _prepared(part, background), group(part.preparation.columns_),
                   missing(patients.frame), missing(background.frame))

    def score(self, present: np.ndarray, row: int) -> np.ndarray:
        """Weighted contributions, shape (n_coalitions, n)."""
        scores = mixed_predictions(self.part.score_prepared, self.prepared, self.background[row], self.groups, present)
        absent = np.where(present[:, None, :], self.missing[None], self.missing_background[row]).all(axis=2)
        return np.where(absent, self.part.absent, scores)


def importance_table(found: Attribution, columns: Sequence[str], labels: Labels, *, seed: int = 0,
                     confidence: float = 0.95) -> pd.DataFrame:
    """Mean absolute SHAP value of each feature over patients, largest first, for each class of a multi-class model.

    Returns
    -------
    DataFrame
        blocks, [class,] feature, block, mean_abs_shap, lower, upper, n, error (Monte-Carlo standard error, mean over
        patients; 0 where values are exact), selected (whether the model uses it), method.
    """
    tables = []
    for name, values, error in _by_class(found, labels):
        mean, lower, upper = bootstrap_mean_abs(values, seed=seed, confidence=confidence)
        table = pd.DataFrame({"blocks": labels.blocks, "feature": list(columns),
                              "block": [labels.block_of[column] for column in columns], "mean_abs_shap": mean,
                              "lower": lower, "upper": upper, "n": len(values), "error": _mean(error),
                              "selected": mean > 0, "method": found.method})
        tables.append(_with_class(table, name).sort_values("mean_abs_shap", ascending=False, kind="stable"))
    return pd.concat(tables, ignore_index=True)


def block_table(found: Attribution, columns: Sequence[str], labels: Labels, *, seed: int = 0,
                confidence: float = 0.95) -> pd.DataFrame:
    """Mean absolute SHAP value of each block, whose columns' values are summed in every patient first.

    Returns
    -------
    DataFrame
        blocks, [class,] block, n_features, mean_abs_shap, lower, upper, share (of the sum over blocks), n, method.
    """
    names = list(dict.fromkeys(labels.block_of[column] for column in columns))
    place = np.array([names.index(labels.block_of[column]) for column in columns])
    tables = []
    for name, values, _ in _by_class(found, labels):
        summed = np.stack([values[:, place == block].sum(axis=1) for block in range(len(names))], axis=1)
        mean, lower, upper = bootstrap_mean_abs(summed, seed=seed, confidence=confidence)
        total = mean.sum()
        tables.append(_with_class(pd.DataFrame({
            "blocks": labels.blocks, "block": names, "n_features": np.bincount(place, minlength=len(names)),
            "mean_abs_shap": mean, "lower": lower, "upper": upper,
            "share": mean / total if total > 0 else np.full(len(names), np.nan), "n": len(values),
            "method": found.method}), name))
    return pd.concat(tables, ignore_index=True)


def patient_table(found: Attribution, frame: pd.DataFrame, features: Sequence[str], labels: Labels) -> pd.DataFrame:
    """SHAP values of every patient in long form, for some features.

    ``value`` is a number, or the position of the ``category`` among the sorted ones; ``row`` is the patient's position.
    """
    places = {column: place for place, column in enumerate(frame.columns)}
    parts = []
    for name, values, _ in _by_class(found, labels):
        parts += [_with_class(_one_feature(frame[feature], feature, values[:, places[feature]], labels), name)
                  for feature in features]
    empty = _with_class(_one_feature(pd.Series(dtype=float), "", np.empty(0), labels),
                        None if found.values.ndim == 2 else "")
    return pd.concat(parts, ignore_index=True) if parts else empty


def risk_table(found: Attribution, features: Sequence[str], times: Sequence[float], labels: Labels) -> pd.DataFrame:
    """SHAP values of the risk by each time in long form.

    Returns
    -------
    DataFrame
        blocks, time, feature, block, row, shap, error (Monte-Carlo standard error), base (risk without knowing
        anything), n. Base plus the values of a row's features, :data:`OTHERS` among them, is the risk by that time.
    """
    players = [*features, OTHERS]
    n = len(found.values)
    parts = [pd.DataFrame({"blocks": labels.blocks, "time": float(time), "feature": player,
                           "block": labels.block_of.get(player, ""), "row": np.arange(n),
                           "shap": found.values[:, i, at], "error": found.error[:, i, at],
                           "base": float(found.base[at]), "n": n})
             for at, time in enumerate(times) for i, player in enumerate(players)]
    return pd.concat(parts, ignore_index=True)


def top_features(found: Attribution, columns: Sequence[str], most: int = TOP_FEATURES) -> list[str]:
    """The features with the largest mean absolute SHAP value, summed over classes; only such as are used at all."""
    size = np.abs(found.values).mean(axis=0)
    size = size if size.ndim == 1 else size.sum(axis=1)
    order = np.argsort(-size, kind="stable")[:most]
    return [columns[i] for i in order if size[i] > 0]


def bootstrap_mean_abs(values: np.ndarray, *, seed: int = 0,
                       confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean absolute value of each column with the limits of a percentile bootstrap of rows.

    Parameters
    ----------
    values : ndarray, shape (n, p)

    Returns
    -------
    mean, lower, upper : ndarray, shape (p,)
        Limits are NaN with fewer than two rows; everything is NaN without any.
    """
    sizes = np.abs(values)
    n, width = sizes.shape
    if n < 2:
        mean = sizes.mean(axis=0) if n else np.full(width, np.nan)
        return mean, np.full(width, np.nan), np.full(width, np.nan)
    weights = np.concatenate(list(bootstrap_weights(n, _DRAWS, seed))) / n
    limits = [np.quantile(weights @ sizes[:, start:start + _WIDE], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
              for start in range(0, width, _WIDE)]
    lower, upper = np.concatenate(limits, axis=1) if limits else np.empty((2, 0))
    return sizes.mean(axis=0), lower, upper


def explanation_tables(model: RiskModel, patients: Predictors, labels: Labels, *, times: Sequence[float] = (),
                       background: Predictors | None = None, estimation: Estimation | None = None,
                       confidence: float = 0.95) -> dict[str, pd.DataFrame]:
    """Every table of this module: importance, importance_blocks, shap and, with ``times``, shap_survival."""
    estimation = estimation or Estimation()
    columns = list(patients.frame.columns)
    found = explain_score(model, patients, background=background, estimation=estimation)
    features = top_features(found, columns)
    tables = {"importance": importance_table(found, columns, labels, seed=estimation.seed, confidence=confidence),
              "importance_blocks": block_table(found, columns, labels, seed=estimation.seed, confidence=confidence),
              "shap": patient_table(found, patients.frame, features, labels)}
    if len(times):
        risk = explain_risk(model, patients, times, features, background=background, estimation=estimation)
        tables["shap_survival"] = risk_table(risk, features, times, labels)
    return tables


def _part_attribution(part: Part, patients: Predictors, inside: np.ndarray, background: Predictors,
                      estimation: Estimation) -> Attribution:
    """SHAP values of a part's raw score by prepared column, or by original column where they are estimated.

    Of the patients ``inside``; where there is none, of the mean of the training patients, for the base.
    """
    prepared = _prepared(part, patients)[inside] if inside.any() else np.zeros((1, len(part.preparation.columns_)))

    def predict(matrix: np.ndarray) -> np.ndarray:
        return raw_score(part.estimator, matrix)

    exact = exact_attribution(part.estimator, predict, prepared)
    if exact is not None:
        return exact
    known = _prepared(part, background)[part.present(background.frame)]
    players = list(dict.fromkeys(part.preparation.columns_))
    groups = column_groups(part.preparation.columns_, players)
    return permutation_attribution(
        lambda present, row: mixed_predictions(predict, prepared, known[row], groups, present), len(players),
        len(prepared), len(known), permutations=estimation.permutations, seed=estimation.seed,
        progress=estimation.progress)


def _by_column(part: Part, values: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """Values summed by original column, shape (n, n_columns[, n_classes])."""
    names = list(part.preparation.columns_)
    if values.shape[1] != len(names):  # estimated: by original column already
        names = list(dict.fromkeys(names))
    places = {column: place for place, column in enumerate(columns)}
    summed = np.zeros((len(values), len(columns), *values.shape[2:]))
    np.add.at(summed, (slice(None), np.array([places[name] for name in names], dtype=int)), values)
    return summed


def _prepared(part: Part, patients: Predictors) -> np.ndarray:
    return np.asarray(part.preparation.transform(patients.frame[part.columns], patients.centre))


def _by_class(found: Attribution, labels: Labels) -> list[tuple[str | None, np.ndarray, np.ndarray]]:
    if found.values.ndim == 2:
        return [(None, found.values, found.error)]
    return [(name, found.values[:, :, k], found.error[:, :, k]) for k, name in enumerate(labels.classes)]


def _with_class(table: pd.DataFrame, name: str | None) -> pd.DataFrame:
    if name is not None:
        table.insert(1, "class", name)
    return table


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0) if len(values) else np.full(values.shape[1], np.nan)


def _one_feature(column: pd.Series, feature: str, values: np.ndarray, labels: Labels) -> pd.DataFrame:
    category = feature in set(labels.categorical)
    codes = pd.Categorical(column).codes if category else column
    return pd.DataFrame({"blocks": labels.blocks, "row": np.arange(len(column)), "feature": feature,
                         "value": np.asarray(codes, dtype=float),
                         "category": column.fillna("missing").astype(str).to_numpy() if category else "",
                         "shap": values})

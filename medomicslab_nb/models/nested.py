"""Repeated nested cross-validation: one case per set of blocks, repeat and fold; everything is learned inside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medomicslab_nb.cache import Cache
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import discrimination
from medomicslab_nb.evaluation.splits import fold_rows, make_splits
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.default import RiskModel, default_horizon, fit_models

CASE_VERSION = 1
"""Raised when :func:`evaluate_fold` gives other results."""

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "scikit-survival")
"""Libraries whose versions change results."""


@dataclass(frozen=True)
class FoldCase:
    """A training and a test fold of one set of blocks.

    Attributes
    ----------
    frame : DataFrame, shape (n_patients, n_columns)
        Predictors of all patients.
    train, test : ndarray of int
        Rows.
    learners : tuple of str
        Names as in tables.
    horizon : float or None
        Time of the calibrated risk; None for a binary endpoint.
    """

    blocks: str
    repeat: int
    fold: int
    frame: pd.DataFrame
    categorical: tuple[str, ...]
    endpoint: Endpoint
    train: np.ndarray
    test: np.ndarray
    learners: tuple[str, ...]
    inner_folds: int
    seed: int
    horizon: float | None

    @property
    def name(self) -> str:
        return f"{self.blocks} | repeat {self.repeat} | fold {self.fold}"

    def key(self, content: str) -> str:
        """Key in the cache; ``content`` is :func:`data_digest` of frame and endpoint."""
        rows = hashlib.sha256(self.train.tobytes() + b"|" + self.test.tobytes()).hexdigest()
        settings = {"categorical": list(self.categorical), "learners": list(self.learners), "blocks": self.blocks,
                    "repeat": self.repeat, "fold": self.fold, "inner_folds": self.inner_folds, "seed": self.seed,
                    "horizon": self.horizon}
        return Cache.key([content, rows], settings, CASE_VERSION, PACKAGES)


def fold_cases(name: str, design: Design, endpoint: Endpoint, splits: pd.DataFrame, *, folds: int, repeats: int,
               learners: Sequence[str], inner_folds: int, seed: int, horizon: float | None) -> list[FoldCase]:
    """The cases of one set of blocks, by repeat and fold."""
    cases = []
    for repeat in range(repeats):
        number = fold_rows(splits, endpoint.patients, repeat)
        for fold in range(folds):
            cases.append(FoldCase(name, repeat, fold, design.frame, design.categorical, endpoint,
                                  np.flatnonzero(number != fold), np.flatnonzero(number == fold), tuple(learners),
                                  inner_folds, seed, horizon))
    return cases


def cross_validate(design: Design, endpoint: Endpoint, *, learners: Sequence[str], folds: int = 5, repeats: int = 2,
                   inner_folds: int = 5, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Repeated nested cross-validation without a study, in this process: tables ``predictions`` and ``folds``.

    Parameters
    ----------
    design, endpoint
        For the same patients in the same order.
    learners : sequence of str
        Names as in tables.
    """
    splits = make_splits(endpoint, folds=folds, repeats=repeats, seed=seed)
    horizon = None if endpoint.time is None else default_horizon(endpoint)
    cases = fold_cases("all", design, endpoint, splits, folds=folds, repeats=repeats, learners=learners,
                       inner_folds=inner_folds, seed=seed, horizon=horizon)
    results = {case.name: evaluate_fold(case) for case in cases}
    return {table: gather(results, table) for table in ("predictions", "folds")}


def evaluate_fold(case: FoldCase) -> dict[str, pd.DataFrame]:
    """Fit on the training fold, predict the test fold: tables ``predictions`` and ``folds``."""
    models = fit_models(case.frame.iloc[case.train], case.endpoint.take(case.train), categorical=case.categorical,
                        learners=case.learners, inner_folds=case.inner_folds, seed=case.seed, horizon=case.horizon)
    held_out = case.endpoint.take(case.test)
    predictions, folds = [], []
    for learner, model in models.items():
        score = model.score(case.frame.iloc[case.test])
        predictions.append(_predictions(case, learner, model, score, held_out))
        folds.append({"blocks": case.blocks, "learner": learner, "repeat": case.repeat, "fold": case.fold,
                      "metric": held_out.metric, "value": discrimination(held_out, score),
                      "n_train": len(case.train), "n_test": len(case.test), "events_test": held_out.events,
                      "chosen": model.chosen})
    return {"predictions": pd.concat(predictions, ignore_index=True), "folds": pd.DataFrame(folds)}


def _predictions(case: FoldCase, learner: str, model: RiskModel, score: np.ndarray,
                 held_out: Endpoint) -> pd.DataFrame:
    probability = model.probability(score)
    frame = pd.DataFrame({"patient": held_out.patients.to_numpy(), "blocks": case.blocks, "learner": learner,
                          "repeat": case.repeat, "fold": case.fold, "score": score})
    if held_out.time is None:
        return frame.assign(probability=probability, observed=held_out.event)
    return frame.assign(probability=np.nan, time=held_out.time, event=held_out.event, risk_at_horizon=probability,
                        high_risk=score > model.cut_off)


def data_digest(frame: pd.DataFrame, endpoint: Endpoint) -> str:
    """The sha256 of predictors, patients and outcome."""
    digest = hashlib.sha256(repr(list(frame.columns)).encode())
    digest.update("\x00".join(endpoint.patients).encode())
    numeric = frame.select_dtypes("number")
    digest.update(np.ascontiguousarray(numeric.to_numpy(dtype=float)).tobytes())
    other = frame.drop(columns=numeric.columns)
    digest.update(repr(other.astype(object).where(other.notna(), None).to_numpy().tolist()).encode())
    digest.update(endpoint.event.tobytes())
    digest.update(b"" if endpoint.time is None else endpoint.time.tobytes())
    return digest.hexdigest()


def gather(results: Mapping[str, Mapping[str, pd.DataFrame]], table: str) -> pd.DataFrame:
    """One table of all cases, in their order."""
    return pd.concat([tables[table] for tables in results.values()], ignore_index=True)



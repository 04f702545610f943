"""Who is trained on and who is tested on: the schemes of validation, and what is repeated to judge their result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medomicslab_nb.cache import Cache
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import discrimination
from medomicslab_nb.evaluation.permutation import permuted
from medomicslab_nb.evaluation.splits import make_splits
from medomicslab_nb.models.fitting import FitOptions, Patients, Sets, fit_models
from medomicslab_nb.models.nested import (
    CASE_VERSION,
    FoldCase,
    cross_validation_cases,
    evaluate_fold,
    packages_of,
)

SHARE = 0.632
"""Share of the patients in a subsample, as many as a bootstrap sample holds different ones."""


def centre_cases(patients: Patients, *, sets: Sets, learners: Sequence[str], options: FitOptions) -> list[FoldCase]:
    """Every centre held out in turn, in the order of their names.

    Raises
    ------
    DataError
        Fewer than two centres, a patient without one, or too few with an outcome outside a centre.
    """
    centre = patients.companions.centre
    if centre is None:
        raise DataError("the centres of the patients are not known", where="setting 'validation'",
                        todo="Give a column the role 'centre' in the data dictionary, or name it in 'centre'")
    known = centre.reindex(patients.frame.index)
    if known.isna().any():
        raise DataError(f"the centre of {int(known.isna().sum())} of {len(known)} patients is not known",
                        where="setting 'validation'", todo="Complete the column, or leave these patients out")
    names = sorted(known.unique())
    if len(names) < 2:
        raise DataError("all patients are of one centre", where="setting 'validation'",
                        todo="Use cross-validation")
    values = known.to_numpy()
    return [FoldCase(0, number, patients, np.flatnonzero(values != name), np.flatnonzero(values == name), sets,
                     tuple(learners), options, str(name)) for number, name in enumerate(names)]


def held_out_case(development: Patients, test: Patients, together: Patients, *, sets: Sets, learners: Sequence[str],
                  options: FitOptions) -> FoldCase:
    """Train on all patients of development, test on all others: external tables, or the sealed test."""
    n = len(development.endpoint)
    return FoldCase(0, 0, together, np.arange(n), n + np.arange(len(test.endpoint)), sets, tuple(learners), options)


@dataclass(frozen=True)
class PermutedCase:
    """One permutation of the outcome, under which a cross-validation is repeated."""

    number: int
    patients: Patients
    sets: Sets
    learner: str
    options: FitOptions
    folds: int

    def key(self, content: str) -> str:
        """Key in the cache; ``content`` is the digest of the patients."""
        return Cache.key([content], {"permutation": self.number, "learner": self.learner, "folds": self.folds,
                                     "sets": {name: list(blocks) for name, blocks in self.sets.items()},
                                     "options": self.options.canonical()}, CASE_VERSION,
                         packages_of([self.learner], self.options))


def evaluate_permutation(case: PermutedCase) -> dict[str, pd.DataFrame]:
    """Cross-validate once with the outcome permuted: table ``null`` with the mean over folds.

    Within centres, where they are known: centres with different outcomes stay different. Number 0 leaves the outcome
    as it is.
    """
    centre = case.patients.companions.centre
    within = None if centre is None else centre.fillna("unknown").to_numpy()
    endpoint = case.patients.endpoint
    if case.number:
        endpoint = permuted(endpoint, case.options.seed + case.number, within=within)
    splits = make_splits(endpoint, folds=case.folds, repeats=1, seed=case.options.seed + case.number)
    cases = cross_validation_cases(replace(case.patients, endpoint=endpoint), splits, folds=case.folds, repeats=1,
                                   sets=case.sets, learners=[case.learner], options=case.options)
    folds = pd.concat([evaluate_fold(fold)["folds"] for fold in cases])
    values = folds.loc[folds["metric"] == endpoint.metric, "value"]
    return {"null": pd.DataFrame({"permutation": [case.number], "value": [float(values.mean())]})}


@dataclass(frozen=True)
class SubsampleCase:
    """One subsample to train on; everybody else is tested."""

    number: int
    patients: Patients
    sets: Sets
    learner: str
    options: FitOptions

    def key(self, content: str) -> str:
        """Key in the cache; ``content`` is the digest of the patients."""
        return Cache.key([content], {"subsample": self.number, "learner": self.learner,
                                     "sets": {name: list(blocks) for name, blocks in self.sets.items()},
                                     "options": self.options.canonical()}, CASE_VERSION,
                         packages_of([self.learner], self.options))


def evaluate_subsample(case: SubsampleCase) -> dict[str, pd.DataFrame]:
    """Fit on 63.2 % of the patients, test on the others: table ``subsamples``; number 0 is the apparent performance.

    Without replacement: a patient drawn twice would stand on both sides of an inner fold, and selection finds too much
    in bootstrap samples [1]_.

    References
    ----------
    .. [1] Binder H, Schumacher M. Adapting prediction error estimates for biased complexity selection in
       high-dimensional bootstrap samples. Stat Appl Genet Mol Biol 2008;7:Article12.
    """
    n = len(case.patients.endpoint)
    train = test = np.arange(n)
    if case.number:
        train = _stratified(case.patients.endpoint, case.options.seed + case.number)
        test = np.setdiff1d(np.arange(n), train)
    (model,) = fit_models(case.patients.take(train), case.sets, [case.learner], case.options).values()
    frame = case.patients.frame.iloc[test]
    score = model.score(frame, case.patients.companions.restrict(frame.index).centre)
    held_out = case.patients.endpoint.take(test)
    value = discrimination(held_out, model.probability(score) if held_out.kind == "continuous" else score)
    return {"subsamples": pd.DataFrame({"subsample": [case.number], "value": [value], "n_test": [len(test)]})}


def _stratified(endpoint: Endpoint, seed: int) -> np.ndarray:
    """Rows of a subsample with the same shares of classes or events, sorted."""
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(rows)[:max(1, round(SHARE * len(rows)))]
             for stratum in np.unique(endpoint.strata) if len(rows := np.flatnonzero(endpoint.strata == stratum))]
    return np.sort(np.concatenate(parts))

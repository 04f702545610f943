"""Splits of patients into folds: stratified by outcome, made once per study, and extended but never reshuffled.

A split is a table (patient, repeat, fold). Every row of every table of a patient goes where the patient goes.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint

_COLUMNS = ["patient", "repeat", "fold"]


def make_splits(endpoint: Endpoint, *, folds: int, repeats: int, seed: int) -> pd.DataFrame:
    """Repeated stratified k-fold of an endpoint's patients.

    Depends on the sorted identifiers, the outcome and the seed only. Repeat r is the same however many follow it.

    Returns
    -------
    DataFrame
        patient, repeat (from 0), fold (from 0); one row per patient and repeat.

    Raises
    ------
    DataError
        Fewer patients with, or without, the event than folds.
    """
    check_folds(endpoint, folds)
    order = np.argsort(endpoint.patients.to_numpy(), kind="stable")
    sorted_endpoint = endpoint.take(order)
    parts = []
    for repeat in range(repeats):
        fold = fold_numbers(sorted_endpoint.strata, folds, _seed(seed, repeat))
        parts.append(pd.DataFrame({"patient": sorted_endpoint.patients, "repeat": repeat, "fold": fold}))
    return pd.concat(parts, ignore_index=True)


def extend_splits(stored: pd.DataFrame, endpoint: Endpoint, *, folds: int, repeats: int, seed: int) -> pd.DataFrame:
    """A stored split with the patients and repeats that it lacks; what it holds stays as it is.

    A new patient goes to the fold that holds the fewest patients of the same outcome.
    """
    fresh = make_splits(endpoint, folds=folds, repeats=repeats, seed=seed)
    parts = [stored]
    for repeat in range(repeats):
        old = stored[stored["repeat"] == repeat]
        if old.empty:
            parts.append(fresh[fresh["repeat"] == repeat])
        elif not set(endpoint.patients) <= set(old["patient"]):
            parts.append(_new_patients(old, endpoint, repeat, folds))
    return pd.concat(parts, ignore_index=True)[_COLUMNS]


def study_splits(study: Any, endpoint: Endpoint, *, folds: int, repeats: int, seed: int) -> pd.DataFrame:
    """The study's split for an endpoint: made the first time, then kept, and extended for new patients.

    Parameters
    ----------
    study : Study
    endpoint : Endpoint
        With all patients of the study that have it, so that the choice of a cohort moves nobody.
    """
    name = split_name(endpoint.name, folds=folds, seed=seed)
    stored = study.splits(name)
    if stored is None:
        study.save_splits(name, make_splits(endpoint, folds=folds, repeats=repeats, seed=seed))
    else:
        extended = extend_splits(stored, endpoint, folds=folds, repeats=repeats, seed=seed)
        if len(extended) > len(stored):
            study.save_splits(name, extended)
    return study.splits(name)


def split_name(endpoint: str, *, folds: int, seed: int) -> str:
    """The name under which a study keeps a split; a digest stands for what a file name cannot hold."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", endpoint)[:32]
    if plain != endpoint or not plain[0].isalnum():
        plain = f"s{plain}-{hashlib.sha256(endpoint.encode()).hexdigest()[:8]}"
    return f"{plain}-{folds}folds-seed{seed}"


def fold_rows(splits: pd.DataFrame, patients: pd.Index, repeat: int) -> np.ndarray:
    """Fold number of each of ``patients`` in one repeat, shape (n_patients,).

    Raises
    ------
    DataError
        A patient has no fold: never silently the fold of somebody else.
    """
    numbers = splits[splits["repeat"] == repeat].set_index("patient")["fold"].reindex(patients)
    without = int(numbers.isna().sum())
    if without:
        raise DataError(f"{without} of {len(patients)} patients have no fold in repeat {repeat}", where="splits",
                        todo="Use another seed, which makes a new split")
    return numbers.to_numpy(dtype=int)


def fold_numbers(strata: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold number of each row, shape (n,), stratified; deterministic for a given order of rows."""
    numbers = np.empty(len(strata), dtype=int)
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(cut.split(strata, strata)):
        numbers[test] = fold
    return numbers


def check_folds(endpoint: Endpoint, folds: int) -> None:
    """Refuse more folds than there are patients with, or without, the event, in a class, or in all.

    Raises
    ------
    DataError
    """
    least = len(endpoint) // 2 if endpoint.kind == "continuous" else endpoint.events
    if endpoint.kind == "binary" or (endpoint.kind == "survival" and endpoint.events < len(endpoint)):
        least = min(endpoint.events, len(endpoint) - endpoint.events)
    if least >= folds:
        return
    counts = {"multiclass": f"in every class; the smallest has {least}",
              "continuous": f"twice over; there are {len(endpoint)}"}.get(
        endpoint.kind, f"with and {folds} without the event; {endpoint.events} of {len(endpoint)} have it")
    raise DataError(f"{folds} folds need at least {folds} patients {counts}", where=f"endpoint {endpoint.name}",
                    todo=f"Use fewer folds (at most {least})" if least > 1 else "Add patients")


def check_cohort_folds(splits: pd.DataFrame, endpoint: Endpoint, *, folds: int, repeats: int) -> None:
    """Refuse a cohort so small that a fold cannot be trained on or tested in.

    Parameters
    ----------
    endpoint : Endpoint
        Of the patients that remain.

    Raises
    ------
    DataError
        A test fold without a patient with the event (binary: or without one without it; multi-class: of some class),
        or a training fold with fewer than two of them.
    """
    # Survival needs no censored patients: events at different times can be compared.
    strata = endpoint.strata if endpoint.kind != "continuous" else np.zeros(len(endpoint), dtype=int)
    wanted = (1,) if endpoint.kind == "survival" else np.unique(strata)
    for repeat in range(repeats):
        number = fold_rows(splits, endpoint.patients, repeat)
        for value in wanted:
            tested = np.bincount(number[strata == value], minlength=folds)
            trained = tested.sum() - tested
            for fold in np.flatnonzero((tested < 1) | (trained < 2)):
                _refuse_fold(endpoint, int((number == fold).sum()), int(fold), repeat, int(value))


def _refuse_fold(endpoint: Endpoint, n: int, fold: int, repeat: int, value: int) -> None:
    of = f"of class '{endpoint.classes[value]}'" if endpoint.classes else f"{'with' if value else 'without'} the event"
    lack = f"with too few patients {of}" if n and endpoint.kind != "continuous" else "empty"
    raise DataError(f"the cohort leaves fold {fold + 1} of repeat {repeat + 1} {lack}",
                    where=f"endpoint {endpoint.name}", todo="Use fewer folds, or a larger cohort")


def _seed(seed: int, repeat: int) -> int:
    return int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])


def _new_patients(old: pd.DataFrame, endpoint: Endpoint, repeat: int, folds: int) -> pd.DataFrame:
    """Rows for the patients of ``endpoint`` that one repeat of a stored split lacks."""
    strata = pd.Series(endpoint.strata, index=endpoint.patients)
    known = old["patient"].map(strata)
    sizes = {value: np.bincount(old.loc[known.eq(value), "fold"].astype(int), minlength=folds)
             for value in np.unique(endpoint.strata)}
    rows = []
    for patient in sorted(set(endpoint.patients) - set(old["patient"])):
        count = sizes[strata[patient]]
        fold = int(np.argmin(count))
        count[fold] += 1
        rows.append((patient, repeat, fold))
    return pd.DataFrame(rows, columns=_COLUMNS)

"""Leakage through estimators and procedures: what they were fitted on before, what they remember, what they look at.

Nothing here trusts a name: estimators are looked into, then fitted on outcomes that were shuffled, and whole procedures
are run on them.
"""

from __future__ import annotations

import contextlib
import functools
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import Binarizer
from sksurv.util import Surv

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import Finding, numbers, some
from medomicslab_nb.evaluation.leak_cut_point import KIND as CUT_POINT, cut_is_best
from medomicslab_nb.evaluation.leak_fitted import chosen_from
from medomicslab_nb.evaluation.metrics import auc, c_index

KIND = "fitted_outside"

Procedure = Callable[[pd.DataFrame, Endpoint], float | np.ndarray]

_HOLDERS = (np.ndarray, pd.DataFrame, pd.Series, dict, list, types.FunctionType)
_DEPTH = 8
_LARGE = 20  # numbers in an array from which it may hold patients
_PROBES = 4
_SAME = 1e-6
_KNOWN = 0.6  # AUC on the true outcome after fitting on shuffled ones
_MOST_COLUMNS = 3_000
_ANSWERS = ("predict_proba", "decision_function", "predict")
# Arrays that scikit-learn's own estimators take and that hold no patients: values to choose from, and splits.
_CHOICES = frozenset({"param_grid", "param_distributions", "alphas", "Cs", "cv", "scoring", "quantiles"})
_PLAIN = (str, bytes, int, float, complex, bool, type(None), np.generic, np.dtype, np.random.RandomState,
          np.random.Generator)


# -- estimators -------------------------------------------------------------------------------------------------------


def lint_estimator(estimator: Any, frame: pd.DataFrame, endpoint: Endpoint, *, seed: int = 0) -> list[Finding]:
    """What an estimator brings along, remembers or looks at that it must not.

    Parameters
    ----------
    estimator : scikit-learn or scikit-survival estimator
        As it would be handed to cross-validation.
    frame : DataFrame, shape (n, p)
        What it is fitted on; ``endpoint`` in the same order.

    Notes
    -----
    Looked for: parts that are fitted already; tables, arrays and fitted estimators in its parameters, attributes,
    functions and their closures; thresholds that are optimal cut-points of these patients. Then copies are fitted on
    shuffled outcomes of half the patients and asked about the others: they must not tell the true outcomes, must not
    ignore the outcomes given, must answer for each patient whatever others are asked about, and the columns that they
    use must not always be the same few that go best with the true outcome.
    """
    findings = [*_brought_along(estimator, len(frame)), *_thresholds(estimator, frame, endpoint)]
    predicts = any(hasattr(part, name) for part in (estimator, type(estimator)) for name in _ANSWERS)
    if not (predicts and hasattr(estimator, "fit")):
        return findings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [*findings, *_probed(_Probes(estimator, frame, endpoint, seed))]


def _name(estimator: Any) -> str:
    return type(estimator).__name__


def _finding(level: str, what: str, where: str, todo: str, value: float, n: int) -> Finding:
    return Finding(KIND, "alarm" if level == "alarm" else "notice", what, where, todo, round(float(value), 4), n)


def _brought_along(estimator: Any, n: int) -> Iterator[Finding]:
    """Fitted parts and data in an estimator, by looking into it."""
    seen: set[str] = set()
    for where, content, word in _contents(estimator, _name(estimator), 0, set()):
        if where in seen:
            continue
        seen.add(where)
        if word == "fitted":
            yield _finding("alarm", f"{where} ({type(content).__name__}) is fitted already, on patients who may be "
                           "tested on.", where, "Hand in an estimator without anything fitted; it is fitted inside the "
                           "folds", 1.0, n)
        else:
            size = _size(content)
            level = "alarm" if size >= max(_LARGE, min(n, 50) // 2) else "notice"
            yield _finding(level, f"{where} holds data of its own ({size} values).", where,
                           "Leave data out of estimators; they see patients only when they are fitted", size, n)


def _contents(thing: Any, where: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Any, str]]:
    """Everything reachable from an estimator that is fitted, or holds data."""
    if depth > _DEPTH or isinstance(thing, _PLAIN) or id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray | pd.DataFrame | pd.Series | pd.Index):
        if _size(thing) >= _LARGE:
            yield where, thing, "data"
        return
    if hasattr(thing, "fit") and not isinstance(thing, type) and _is_fitted(thing):
        yield where, thing, "fitted"
        return
    yield from _many_numbers(thing, where)
    for name, part in _parts(thing):
        yield from _contents(part, f"{where}.{name}", depth + 1, seen)


def _many_numbers(thing: Any, where: str) -> Iterator[tuple[str, Any, str]]:
    values = thing.values() if isinstance(thing, dict) else thing
    if isinstance(thing, dict | list | tuple | set | frozenset) and len(thing) >= _LARGE and all(
            isinstance(value, int | float | np.number | np.ndarray) for value in values):
        yield where, thing, "data"


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """What a container, function or object holds, by name."""
    if isinstance(thing, dict):
        yield from ((str(key)[:30], value) for key, value in thing.items())
    elif isinstance(thing, list | tuple | set | frozenset):
        for position, value in enumerate(thing):
            named = isinstance(value, tuple) and len(value) in (2, 3) and isinstance(value[0], str)
            yield (value[0], value[1]) if named else (str(position), value)
    elif isinstance(thing, functools.partial):
        yield from (("func", thing.func), ("args", thing.args), ("keywords", thing.keywords))
    elif isinstance(thing, types.MethodType):
        yield from (("self", thing.__self__), ("func", thing.__func__))
    elif isinstance(thing, types.FunctionType):
        yield from _of_function(thing)
    elif isinstance(thing, BaseEstimator) or _is_foreign(thing):
        foreign = _is_foreign(thing)
        yield from ((name, value) for name, value in vars(thing).items()
                    if not name.startswith("__") and (foreign or name not in _CHOICES))
        # What the classes that people write hold themselves, and what their methods use.
        yield from ((name, value) for name, value in vars(type(thing)).items()
                    if foreign and isinstance(value, _HOLDERS) and not name.startswith("__"))


def _is_foreign(thing: Any) -> bool:
    """Whether an object is of a class that people wrote themselves, not of a library."""
    package = type(thing).__module__.partition(".")[0]
    return hasattr(thing, "__dict__") and not isinstance(thing, type | types.ModuleType) and package not in {
        "sklearn", "numpy", "pandas", "scipy", "sksurv", "builtins", "joblib", "lightgbm", "xgboost"}


def _of_function(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Closures, defaults and the module's names that a function uses."""
    if function.__module__.partition(".")[0] in {"numpy", "sklearn", "scipy", "pandas", "sksurv"}:
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue
    yield from (("defaults", value) for value in (function.__defaults__ or (), function.__kwdefaults__ or {}))
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if not isinstance(value, types.ModuleType | type | types.BuiltinFunctionType):
            yield name, value


def _is_fitted(thing: Any) -> bool:
    """By scikit-learn's convention: attributes that end with one underscore; or what the object says itself."""
    if type(thing).__name__ == "FrozenEstimator":
        return True
    if hasattr(thing, "__dict__") and any(
            name.endswith("_") and not name.startswith("_") and not name.endswith("__") for name in vars(thing)):
        return True
    said = getattr(thing, "__sklearn_is_fitted__", None)
    if said is None or not getattr(type(thing), "__module__", "").startswith("sklearn.pipeline"):
        return False
    try:
        # An empty or stateless pipeline calls itself fitted although it has learned nothing.
        return bool(said()) and any(_is_fitted(step) for _, step in thing.steps if hasattr(step, "fit"))
    except (ValueError, TypeError, AttributeError):
        return False


def _size(content: Any) -> int:
    if isinstance(content, np.ndarray | pd.DataFrame | pd.Series | pd.Index):
        return int(content.size)
    return len(content)


def _thresholds(estimator: Any, frame: pd.DataFrame, endpoint: Endpoint) -> Iterator[Finding]:
    """Thresholds written into an estimator that are the best cut of a column in these patients."""
    parts = [estimator, *(estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ())]
    values = numbers(frame)
    for part in parts:
        if isinstance(part, Binarizer) and values.shape[1] <= _MOST_COLUMNS and part.threshold != 0:
            for name in values.columns:
                if cut_is_best(values[name].to_numpy(), part.threshold, endpoint) == 0:
                    yield Finding(CUT_POINT, "alarm", f"The threshold {part.threshold:g} cuts '{name}' where it "
                                  "separates the outcome of these patients best.", f"{_name(estimator)}, '{name}'",
                                  "Choose the threshold inside the folds", float(part.threshold), len(frame))
                    break


# -- probes -----------------------------------------------------------------------------------------------------------


class _Probes:
    """Copies of an estimator, fitted on shuffled outcomes of half the patients."""

    def __init__(self, estimator: Any, frame: pd.DataFrame, endpoint: Endpoint, seed: int) -> None:
        self.estimator, self.frame, self.endpoint = estimator, frame, endpoint
        self.rng = np.random.default_rng(seed)

    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and test rows, half of each group of the outcome."""
        strata, train = self.endpoint.strata, np.zeros(len(self.endpoint), dtype=bool)
        for value in np.unique(strata):
            rows = self.rng.permutation(np.flatnonzero(strata == value))
            train[rows[: (len(rows) + 1) // 2]] = True
        return np.flatnonzero(train), np.flatnonzero(~train)

    def fitted(self, train: np.ndarray, outcome: Endpoint) -> Any:
        return _copy(self.estimator).fit(self.frame.iloc[train], as_target(outcome))

    def shuffled_pair(self, train: np.ndarray) -> tuple[Endpoint, Endpoint]:
        """The training outcomes in random order, and the opposite of that: what one gains by chance the other loses."""
        part = self.endpoint.take(train)
        order = self.rng.permutation(len(part))
        shuffled = part.take(order)
        if part.kind == "binary":
            return shuffled, replace(shuffled, outcome=~shuffled.outcome)
        if part.kind == "multiclass":
            return shuffled, replace(shuffled, outcome=(shuffled.outcome + 1) % len(part.classes))
        if part.kind == "continuous":
            return shuffled, replace(shuffled, outcome=shuffled.outcome.max() + shuffled.outcome.min()
                                     - shuffled.outcome)
        risk = np.argsort(np.where(shuffled.event, shuffled.time, np.median(np.asarray(part.time))), kind="stable")
        opposite = np.empty(len(part), dtype=int)
        opposite[risk] = risk[::-1]
        return shuffled, shuffled.take(opposite)


def _copy(estimator: Any) -> Any:
    return clone(estimator, safe=False)


def as_target(endpoint: Endpoint) -> np.ndarray:
    """The outcome as scikit-learn (0 and 1, codes, values) or scikit-survival (event, time) take it."""
    if endpoint.time is not None:
        return np.asarray(Surv.from_arrays(endpoint.event, endpoint.time))
    return endpoint.outcome.astype(int) if endpoint.kind == "binary" else endpoint.outcome


def answers(model: Any, rows: pd.DataFrame) -> np.ndarray:
    """What a fitted model says of patients, shape (n, k): probabilities, decisions or predictions."""
    for name in _ANSWERS:
        if hasattr(model, name):
            said = np.asarray(getattr(model, name)(rows), dtype=float)
            return said.reshape(len(rows), -1)
    raise TypeError("it does not predict")


def _probed(probes: _Probes) -> Iterator[Finding]:
    """Every probe that the estimator can answer; one that it fails is left out, the first with a notice."""
    name = _name(probes.estimator)
    models: list[tuple[Any, np.ndarray]] = []
    try:
        known = _knowledge(probes, models)
    except Exception as error:  # whatever a foreign estimator raises
        yield _finding("notice", f"It could not be fitted on shuffled outcomes ({type(error).__name__}), so what it "
                       "remembers was not looked at.", name, "Hand in an estimator that fits these predictors",
                       float("nan"), len(probes.frame))
        return
    yield from known
    for probe in (_ignores(probes, name), _looks_at_others(probes, models[0], name), _always_the_same(probes, models)):
        with contextlib.suppress(Exception):
            yield from probe


def _knowledge(probes: _Probes, models: list[tuple[Any, np.ndarray]]) -> list[Finding]:
    """Whether it tells true outcomes after fitting on shuffled ones; the fitted models are added to ``models``."""
    known, n = [], len(probes.frame)
    for _ in range(_PROBES):
        train, test = probes.halves()
        told = []
        for outcome in probes.shuffled_pair(train):
            model = probes.fitted(train, outcome)
            told.append(_tells(answers(model, probes.frame.iloc[test]), probes.endpoint.take(test)))
            models.append((model, test))
        known.append(float(np.mean(told)))
    mean, error = float(np.mean(known)), float(np.std(known, ddof=1)) / np.sqrt(len(known)) + 0.15 / np.sqrt(n)
    if mean < _KNOWN or mean - 0.5 <= 4 * error:
        return []
    return [_finding("alarm", f"Fitted on shuffled outcomes it still tells the true ones of other patients "
                     f"({mean:.3f}): it knows them from elsewhere.", _name(probes.estimator),
                     "Hand in an estimator that learns only from what it is fitted on", mean, n)]


def _tells(said: np.ndarray, truth: Endpoint) -> float:
    """How well answers order the true outcomes; .5 = not at all."""
    if truth.kind == "binary":
        return float(np.nan_to_num(auc(truth.event, said[:, -1]), nan=0.5))
    if truth.kind == "survival":
        assert truth.time is not None
        return float(np.nan_to_num(c_index(truth.event, truth.time, said[:, -1]), nan=0.5))
    if truth.kind == "multiclass":
        if said.shape[1] == 1:
            said = (said == np.arange(len(truth.classes))).astype(float)
        values = [auc(truth.outcome == code, said[:, code]) for code in range(min(said.shape[1], len(truth.classes)))]
        return float(np.nan_to_num(np.nanmean(values), nan=0.5))
    correlation = pd.Series(truth.outcome).corr(pd.Series(said[:, -1]), method="spearman")
    return 0.5 + float(np.nan_to_num(correlation)) / 2


def _ignores(probes: _Probes, name: str) -> Iterator[Finding]:
    """Fitted on outcomes in two orders, it gives the same answers, and not one answer to all."""
    train, test = probes.halves()
    rows = probes.frame.iloc[test]
    first, second = (answers(probes.fitted(train, outcome), rows) for outcome in probes.shuffled_pair(train))
    if first.shape == second.shape and np.ptp(first, axis=0).max() > _SAME and np.allclose(first, second, atol=_SAME):
        yield _finding("alarm", "It gives the same answers whatever outcomes it is fitted on: it was fitted elsewhere.",
                       name, "Hand in an estimator that is fitted inside the folds", 1.0, len(probes.frame))


def _looks_at_others(probes: _Probes, fitted: tuple[Any, np.ndarray], name: str) -> Iterator[Finding]:
    """Answers for a patient change with the other patients that are asked about."""
    model, test = fitted
    together = answers(model, probes.frame.iloc[test])
    few = test[:10]
    alone = np.concatenate([answers(model, probes.frame.iloc[[row]]) for row in few])
    spread = np.ptp(together, axis=0).max()
    change = float(np.abs(together[:10] - alone).max())
    if change > 1e-4 * max(spread, 1e-9):
        yield _finding("alarm", "Its answer for a patient changes with the other patients it is asked about.", name,
                       "Learn everything (scaling, harmonisation, imputation) when it is fitted",
                       change / max(spread, 1e-9), len(test))


def _always_the_same(probes: _Probes, models: Sequence[tuple[Any, np.ndarray]]) -> Iterator[Finding]:
    """It uses the same few columns whatever it is fitted on, and they are those that go best with the true outcome."""
    numeric = numbers(probes.frame)
    if not 15 <= numeric.shape[1] <= _MOST_COLUMNS:
        return
    used = [_used(model, probes.frame, numeric) for model, _ in models[:4]]
    shared = set.intersection(*used)
    always = [str(name) for name in numeric.columns if name in shared]
    ever = set.union(*used)
    if not always or len(always) < 0.8 * len(ever) or len(ever) > numeric.shape[1] / 2:
        return
    for finding in chosen_from(numeric[always], numeric, probes.endpoint):
        yield replace(finding, where=f"{_name(probes.estimator)}: {some(always)}",
                      what="Whatever outcomes it is fitted on, it uses the same columns. " + finding.what)


def _used(model: Any, frame: pd.DataFrame, numeric: pd.DataFrame) -> set[str]:
    """Columns that change an answer when one patient's value becomes the column's lowest or highest.

    One copy of the patient for each column, all asked about at once.
    """
    used: set[str] = set()
    for position in (0, len(frame) // 2):
        for extreme in (numeric.min(), numeric.max()):
            copies = frame.iloc[np.full(numeric.shape[1] + 1, position)].reset_index(drop=True)
            values = np.repeat(numeric.to_numpy()[[position]], len(copies), axis=0)
            np.fill_diagonal(values[:-1], extreme.to_numpy())
            changed = pd.concat([pd.DataFrame(values, columns=numeric.columns), copies.drop(columns=numeric.columns)],
                                axis=1)[list(frame.columns)]
            said = answers(model, changed)
            moved = np.abs(said[:-1] - said[-1]).max(axis=1) > 1e-9 * max(float(np.abs(said).max()), 1e-12)
            used |= {str(name) for name in numeric.columns[moved]}
    return used


# -- procedures -------------------------------------------------------------------------------------------------------


def lint_procedure(procedure: Procedure, frame: pd.DataFrame, endpoint: Endpoint, *, permutations: int = 10,
                   seed: int = 0) -> list[Finding]:
    """Whether a whole procedure, validation included, finds something where there is nothing.

    Parameters
    ----------
    procedure : callable
        ``procedure(frame, endpoint)`` returns its measure of discrimination (with the endpoint's chance level), or
        out-of-sample predictions, shape (n,), higher for more of the outcome.
    permutations : int
        Runs with outcomes in random order. Ten find what lifts an AUC by .1 or more.

    Notes
    -----
    Alarm: the mean exceeds chance by .03 or more, beyond what is plausible by chance (one-sided t-test, p < .001).
    """
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(permutations):
        order = rng.permutation(len(endpoint))
        shuffled = replace(endpoint.take(order), patients=endpoint.patients)
        result = procedure(frame.copy(), shuffled)
        scores = np.asarray(result, dtype=float)
        values.append(float(scores) if not scores.ndim else _tells(scores.reshape(len(frame), -1), shuffled))
    chance = endpoint.chance if np.ndim(result) == 0 else 0.5
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    if not mean - chance >= 0.03 or (mean - chance) / max(error, 1e-9) < student.isf(1e-3, len(values) - 1):
        return []
    return [_finding("alarm", f"With outcomes in random order it still reaches {mean:.3f} ({chance:g} is chance, "
                     f"{len(values)} runs): what is tested on was learned from.", "procedure",
                     "Bring every step that learns (selection, scaling, tuning, cut-points) into the folds", mean,
                     len(frame))]

"""What a federated run asks, from the first question to the last: the model, its judges, and what it stands beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Task, Values, only
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.combat import harmonise
from medomicslab_nb.federated.tasks.cox import fit_cox
from medomicslab_nb.federated.tasks.evaluation import Evaluation, evaluate
from medomicslab_nb.federated.tasks.kaplan_meier import survival_curve
from medomicslab_nb.federated.tasks.linear import fit_linear
from medomicslab_nb.federated.tasks.logistic import fit_logistic
from medomicslab_nb.federated.tasks.moments import quantile_edges, quartiles
from medomicslab_nb.federated.tasks.network import fit_network
from medomicslab_nb.federated.tasks.parts import Part
from medomicslab_nb.federated.tasks.preparation import Preparation, prepare
from medomicslab_nb.federated.tasks.schema import Schema, check_schema
from medomicslab_nb.federated.tasks.shap_summary import mean_shap
from medomicslab_nb.federated.tasks.trees import fit_trees

FEDERATED, POOLED = "federated", "pooled"
DESCRIBED = 100
"""Numeric columns up to which quartiles are told."""

Pooled = Callable[[Schema, Preparation], Values | None]
"""The model of all patients together, on the prepared columns; where sites are simulated. None: there is none."""


def alone(site: str) -> str:
    """Name of the model that a site makes by itself."""
    return f"alone: {site}"


def without(site: str) -> str:
    """Name of the model that the other sites make, for this one to judge."""
    return f"without {site}"


@dataclass
class Outcome:
    """What came of a run's questions.

    Attributes
    ----------
    schema : Schema
    training : tuple of str
        Sites whose patients trained the federated model.
    preparation : Preparation, optional
    model : object, optional
        The federated model, as its fit returned it.
    performance : DataFrame
        One row a model and site that judged it: see :func:`~medomicslab_nb.federated.tasks.evaluation.evaluate`.
    quartiles : DataFrame, optional
        Of the numeric columns, where they are not too many.
    importance, curve : DataFrame, optional
    notes : list of str
    """

    schema: Schema
    training: tuple[str, ...]
    preparation: Preparation | None = None
    model: Any = None
    performance: pd.DataFrame = field(default_factory=pd.DataFrame)
    quartiles: pd.DataFrame | None = None
    importance: pd.DataFrame | None = None
    curve: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)


def program(settings: FederatedSettings, pooled: Pooled | None = None) -> Task:
    """All questions of a run; returns its :class:`Outcome`.

    Parameters
    ----------
    pooled : callable, optional
        Makes the model of all patients together, which is judged beside the federated one.
    """
    schema: Schema = yield from check_schema(settings)
    outcome = Outcome(schema, tuple(site for site in schema.sites if site not in settings.test_sites))
    outcome.notes += schema.notes
    if settings.algorithm == "kaplan-meier":
        outcome.curve = yield from survival_curve(settings.bins, settings.horizon)
        return outcome
    judges = Judges(settings, outcome)
    preparation, model = yield from _model(settings, schema, outcome.training)
    outcome.preparation, outcome.model = preparation, model
    outcome.notes += preparation.notes
    if 0 < len(preparation.numeric) <= DESCRIBED:
        outcome.quartiles = yield from only(quartiles(preparation), outcome.training)
    yield from judges.judge(FEDERATED, preparation, model.values(), calibrate=True)
    private = settings.privacy.kind != "none"
    if settings.explain and not private:
        outcome.importance = yield from only(mean_shap(preparation, model.values()), outcome.training)
    if private:
        outcome.notes.append("No other model was fitted beside it, which would spend as much privacy again, and none "
                             "is explained, which has no noise.")
        outcome.performance = judges.table()
        return outcome
    if settings.compare and pooled is not None:
        yield from judges.judge_pooled(preparation, lambda: pooled(schema, preparation))
    if settings.compare:
        for site in outcome.training:
            yield from judges.try_model(alone(site), (site,))
    if settings.external and len(outcome.training) > 2:
        for site in outcome.training:
            others = tuple(other for other in outcome.training if other != site)
            yield from judges.try_model(without(site), others, at=site)
    outcome.performance = judges.table()
    return outcome


class Judges:
    """Has models judged by the patients who trained none of them, and keeps the results.

    Parameters
    ----------
    outcome : Outcome
        Its notes are added to.
    """

    def __init__(self, settings: FederatedSettings, outcome: Outcome) -> None:
        self._settings = settings
        self._outcome = outcome
        self._found: list[tuple[str, Evaluation]] = []

    def judge(self, name: str, preparation: Preparation, model: Values, *, calibrate: bool = False) -> Task:
        """Have a model judged by everybody who is kept out of training."""
        held_out = bool(self._settings.holdout or self._settings.test)
        sites = self._outcome.schema.sites if held_out or not self._settings.test_sites else self._settings.test_sites
        part: Part = "testing" if held_out or self._settings.test_sites else "training"
        found = yield from self._evaluate(preparation, model, sites, part, calibrate=calibrate)
        self._found.append((name, found))
        if name == FEDERATED:
            self._refuse_unjudged(found)
            self._outcome.notes += found.notes
            if part == "training":
                self._outcome.notes.append("Nobody was kept out of training: the performance is that on the patients "
                                           "who made the model, and too good.")

    def _refuse_unjudged(self, found: Evaluation) -> None:
        if self._settings.test and not found.table["patients"].any():
            (column, value), = self._settings.test.items()
            raise DataError(f"no site has patients, or enough of them, with '{value}' in '{column}' to judge the model",
                            where="setting 'test'", todo="Name a value that patients have, as it stands in the table")

    def judge_pooled(self, preparation: Preparation, make: Callable[[], Values | None]) -> Task:
        """The same of the model of all patients together, if there is one; a note says why there is none."""
        try:
            model = make()
        except DataError as error:
            self._outcome.notes.append(f"There is no model of all patients together: {error.found}.")
            return
        if model is not None:
            yield from self.judge(POOLED, preparation, model)

    def try_model(self, name: str, sites: Sequence[str], at: str = "") -> Task:
        """Have the model of some sites judged like the others, or by all patients of one site that is not among them.

        Where these patients make no model, a note says why.
        """
        try:
            preparation, model = yield from _model(self._settings, self._outcome.schema, sites)
        except DataError as error:
            self._outcome.notes.append(f"There is no model '{name}': {error.found}.")
            return
        if not at:
            yield from self.judge(name, preparation, model.values())
            return
        self._found.append((name, (yield from self._evaluate(preparation, model.values(), (at,), "all"))))

    def _evaluate(self, preparation: Preparation, model: Values, sites: Sequence[str], part: Part, *,
                  calibrate: bool = False) -> Task:
        settings = self._settings
        return (yield from only(evaluate(preparation, model, settings.bins, part, settings.horizon,
                                         calibrate=calibrate), sites))

    def table(self) -> pd.DataFrame:
        """One row a model and site, with ``all`` where several judged."""
        rows = [found.table.assign(model=name) for name, found in self._found]
        table = pd.concat(rows, ignore_index=True)
        single = table["model"].str.startswith(without("")) & (table["site"] == "all")
        return table[~single].reset_index(drop=True)[["model", *[name for name in table if name != "model"]]]


def _model(settings: FederatedSettings, schema: Schema, sites: Sequence[str]) -> Task:
    """Preparation and model of these sites' training patients."""
    preparation: Preparation = yield from only(prepare(schema), sites)
    if settings.harmonisation:
        preparation = yield from harmonise(preparation, sites, settings.test_sites)
    model = yield from only(fit(settings, schema, preparation), sites)
    return preparation, model


def fit(settings: FederatedSettings, schema: Schema, preparation: Preparation) -> Task:
    """The model of the algorithm, on the training patients of the sites that are asked."""
    if settings.algorithm == "logistic":
        return (yield from fit_logistic(preparation, settings.penalty))
    if settings.algorithm == "linear":
        return (yield from fit_linear(preparation, settings.penalty))
    if settings.algorithm == "cox":
        return (yield from fit_cox(preparation, settings.penalty, settings.ties))
    if settings.algorithm == "network":
        return (yield from fit_network(preparation, settings.network, settings.privacy, settings.seed, schema.kind))
    edges = yield from quantile_edges(preparation, settings.trees.bins)
    return (yield from fit_trees(preparation, edges, settings.trees))

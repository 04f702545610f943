"""The registry of steps: everything that a site can be asked. What is not listed here is not answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Release, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.stages import load

_TASKS = "medomicslab_nb.federated.tasks"


class StepFunction(Protocol):
    """``step(patients, values, minimum) -> Release``: pure; ``minimum`` is the policy's smallest released count."""

    def __call__(self, patients: SitePatients, values: Values, minimum: int) -> Release: ...


@dataclass(frozen=True)
class Step:
    """One entry.

    Attributes
    ----------
    function : str
        ``module:attribute`` of a :class:`StepFunction`.
    summary : str
        What it lets out, for the person who approves a run.
    """

    name: str
    function: str
    summary: str

    def __call__(self, patients: SitePatients, values: Values, minimum: int) -> Release:
        return load(self.function)(patients, values, minimum)  # type: ignore[no-any-return]


def _steps(*entries: tuple[str, str, str]) -> Mapping[str, Step]:
    return {name: Step(name, f"{_TASKS}.{function}", summary) for name, function, summary in entries}


STEPS: Mapping[str, Step] = _steps(
    ("schema", "schema:schema_step",
     "names and types of columns, in how many patients each is known and zero, whether its other values lie far from "
     "0, categories that enough patients have, numbers of patients and events"),
    ("moments", "moments:moments_step", "count, sum and sum of squares of each column"),
    ("histogram", "moments:histogram_step", "numbers of patients in bins of each numeric column"),
    ("combat", "combat:combat_step", "count, mean and sum of squares of each column, for harmonisation"),
    ("logistic", "logistic:logistic_step",
     "log likelihood, gradient and information of a logistic regression, summed over patients"),
    ("linear", "linear:linear_step", "cross-products of predictors and outcome, summed over patients"),
    ("cox", "cox:cox_step",
     "partial log likelihood, gradient and information of a Cox regression within the site"),
    ("times", "kaplan_meier:times_step", "numbers of events and of censored patients in bins of time"),
    ("network", "network:network_step", "weights of a network after training at the site"),
    ("tree", "trees:tree_step",
     "where a tree splits on bins that all sites share, and sums of gradient and hessian in its leaves, each of enough "
     "patients"),
    ("evaluate", "evaluation:evaluate_step",
     "measures of the model on the site's own patients, and numbers of patients in bins of its scores"),
    ("shap", "shap_summary:shap_step", "mean absolute SHAP value of each column"),
)


def get_step(name: Any) -> Step:
    """The step of that name.

    Raises
    ------
    DataError
        There is none: the coordinator has another version, or asks for what sites do not answer.
    """
    if name in STEPS:
        return STEPS[name]
    raise DataError("a step was asked for that this version does not have", where="federated message",
                    todo="Install the same version of medomicslab_nb at the coordinator and at every site")

"""Cox regression stratified by site: each site's partial likelihood is its own, and their sum is the pooled one."""

from __future__ import annotations

import numpy as np
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.cox import Ties
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.messages import Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.federated.tasks.regression import as_regression, newton

_WHERE = "Cox regression"


def fit_cox(preparation: Preparation, penalty: float = 0.0, ties: Ties = "efron") -> Task:
    """The same fit as with all patients in one place and the sites as strata, without a time leaving any of them.

    Every site has a baseline hazard of its own; coefficients are common. Whoever has a competing event is censored
    when it happens: the hazards are cause-specific.

    Parameters
    ----------
    preparation : Preparation
    penalty : float
        Ridge on the standardised columns: ``penalty / 2 * sum(coef ** 2)`` is taken off the log partial likelihood, as
        in :class:`~medomicslab_nb.evaluation.cox.CoxRegression`.
    ties : {"efron", "breslow"}
        Approximation where events share a time.

    Returns
    -------
    Regression

    Raises
    ------
    DataError
        Columns are constant within every site or follow from each other, or a coefficient grows without end.
    """
    names = preparation.columns
    found = yield from newton("cox", {**preparation.values(), "ties": ties}, preparation.each(), names=names,
                              penalty=np.full(len(names), float(penalty)), where=_WHERE)
    return as_regression("cox", preparation, found)


def cox_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Log partial likelihood, gradient and information of the site at ``values["coef"]``."""
    part = part_of(patients, values)
    n, events = len(part), part.endpoint.events
    sums = partial_likelihood(prepared(patients, values, minimum), part.endpoint, values["coef"], values["ties"])
    columns = len(values["coef"])
    return Release(sums, f"log partial likelihood, gradient ({columns} numbers) and information ({columns} x "
                   f"{columns}) of a Cox regression over {events} events among {n} patients", n, (n, events))


def partial_likelihood(matrix: np.ndarray, endpoint: Endpoint, coef: np.ndarray, ties: Ties = "efron") -> Values:
    """Log partial likelihood of patients of one stratum and its derivatives, by statsmodels; 0 without events.

    Raises
    ------
    DataError
        The endpoint has no follow-up time.
    """
    if endpoint.time is None:
        raise DataError("the outcome of this site has no follow-up time", where=_WHERE,
                        todo="Name its column in the setting 'time'")
    columns = len(coef)
    if not endpoint.event.any():
        return _as_values(0.0, np.zeros(columns), np.zeros((columns, columns)))
    time, entry = _ranked(endpoint.time, endpoint.entry)
    model = PHReg(time, matrix, status=endpoint.event.astype(float), entry=entry, ties=ties, missing="none")
    with np.errstate(all="ignore"):  # far from the maximum hazards overflow: the coordinator halves its step
        return _as_values(model.loglike(coef), model.score(coef), -model.hessian(coef))


def _as_values(log_likelihood: float, gradient: np.ndarray, information: np.ndarray) -> Values:
    return {"log_likelihood": float(log_likelihood), "gradient": gradient, "information": information}


def _ranked(time: np.ndarray, entry: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Times by rank, and entries between them: at the very time of entry nobody is at risk yet.

    The partial likelihood depends on the order alone; to statsmodels a patient is at risk at the time of entry.
    """
    order = np.unique(time)
    return (np.searchsorted(order, time) + 1.0,
            None if entry is None else np.searchsorted(order, entry, side="right") + 0.5)

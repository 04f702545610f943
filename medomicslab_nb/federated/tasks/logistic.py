"""Logistic regression over sites, exact: the Newton steps are those of all patients together."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.federated.tasks.regression import as_regression, newton, with_intercept

_WHERE = "logistic regression"


def fit_logistic(preparation: Preparation, penalty: float = 1.0, tolerance: float = 1e-10) -> Task:
    """Logistic regression on the training patients of all sites.

    Parameters
    ----------
    penalty : float
        Ridge: ``penalty / 2`` times the sum of squares of the coefficients of standardised columns is taken off the
        log likelihood, as scikit-learn does with ``C = 1 / penalty``. The intercept has none.
    tolerance : float
        Largest change of a coefficient, per standard deviation, at which it stops.

    Returns
    -------
    Regression

    Raises
    ------
    DataError
        As :func:`~medomicslab_nb.federated.tasks.regression.newton`.
    """
    names = ("intercept", *preparation.columns)
    found = yield from newton("logistic", preparation.values(), preparation.each(), names=names,
                              penalty=np.array([0.0, *[penalty] * len(preparation.columns)]), tolerance=tolerance,
                              where=_WHERE)
    return as_regression("logistic", preparation, found)


def logistic_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Log likelihood at ``values["coef"]`` (intercept first), its gradient and information, summed over patients.

    Raises
    ------
    DataError
        The outcome is not binary, or as :func:`~medomicslab_nb.federated.tasks.preparation.encoded`.
    """
    part = part_of(patients, values)
    if part.endpoint.kind != "binary":
        raise DataError(f"the outcome is {part.endpoint.kind} and not of two classes", where=_WHERE,
                        todo="Choose the algorithm that goes with the outcome")
    design = with_intercept(prepared(patients, values, minimum))
    outcome = part.endpoint.outcome.astype(float)
    linear = design @ values["coef"]
    probability = expit(linear)
    released = {"log_likelihood": float(outcome @ linear - np.logaddexp(0.0, linear).sum()),
                "gradient": design.T @ (outcome - probability),
                # In this form no weight is lost where a probability is 1 to the last digit.
                "information": (design * (probability * expit(-linear))[:, None]).T @ design}
    n, events, size = len(part), int(outcome.sum()), design.shape[1]
    words = (f"log likelihood, gradient ({size} numbers) and information ({size} x {size}) of a logistic regression, "
             f"summed over {n} patients with {events} events")
    return Release(released, words, n, [n, events, n - events])

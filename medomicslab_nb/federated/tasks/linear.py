"""Linear regression over sites, exact: least squares of all patients together, from sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Release, Task, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared
from medomicslab_nb.federated.tasks.regression import as_regression, newton, with_intercept

_WHERE = "linear regression"


def fit_linear(preparation: Preparation, penalty: float = 1.0) -> Task:
    """Linear regression on the training patients of all sites.

    The first question gives the answer; the second corrects what rounding left and gives the residual variance.

    Parameters
    ----------
    penalty : float
        Ridge: ``penalty`` times the sum of squares of the coefficients of standardised columns is added to that of
        the residuals, as scikit-learn's ``Ridge(alpha=penalty)``. The intercept has none.

    Returns
    -------
    Regression
        The residual variance of its covariance has the divisor n - columns - 1; with a penalty there may be no more
        patients than that, and the covariance is then NaN.

    Raises
    ------
    DataError
        There is no penalty, and columns follow from each other or there are not more patients than coefficients.
    """
    names = ("intercept", *preparation.columns)
    found = yield from newton("linear", preparation.values(), preparation.each(), names=names,
                              penalty=np.array([0.0, *[penalty] * len(preparation.columns)]), where=_WHERE)
    n = sum(preparation.patients.values())
    freedom = n - int(np.isfinite(np.diag(found.covariance)).sum())
    if freedom <= 0 and not penalty:
        raise DataError(f"{n} patients are too few for {len(names)} coefficients", where=_WHERE,
                        todo="Use fewer columns, or set a penalty")
    squares = -2 * found.log_likelihood
    variance = squares / freedom if freedom > 0 else np.nan
    likelihood = -n / 2 * (np.log(2 * np.pi * max(squares / n, np.finfo(float).tiny)) + 1)
    return as_regression("linear", preparation, replace(found, covariance=found.covariance * variance,
                                                        log_likelihood=float(likelihood)))


def linear_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Half the residual sum of squares at ``values["coef"]`` (intercept first), and its derivatives.

    Its negative stands for the log likelihood, up to the variance.

    Raises
    ------
    DataError
        The outcome is no number, or as :func:`~medomicslab_nb.federated.tasks.preparation.encoded`.
    """
    part = part_of(patients, values)
    if part.endpoint.kind != "continuous":
        raise DataError(f"the outcome is {part.endpoint.kind} and not a number", where=_WHERE,
                        todo="Choose the algorithm that goes with the outcome")
    design = with_intercept(prepared(patients, values, minimum))
    residual = part.endpoint.outcome - design @ values["coef"]
    n, size = len(part), design.shape[1]
    words = (f"residual sum of squares, and cross-products of columns with the residuals ({size} numbers) and among "
             f"themselves ({size} x {size}), summed over {n} patients")
    return Release({"log_likelihood": -float(residual @ residual) / 2, "gradient": design.T @ residual,
                    "information": design.T @ design}, words, n, [n])

"""All patients together, where sites are simulated: the model that the federated one must equal, from other code.

Nothing of the federated mathematics is used here for the regressions: scikit-learn prepares and fits, and Cox
regression is that of the evaluation layer, stratified by site. A network and trees are fitted by their own tasks, on
one site that has everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medomicslab_nb.evaluation.cox import CoxRegression
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.program import fit
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.steps import get_step
from medomicslab_nb.federated.tasks.preparation import Preparation
from medomicslab_nb.federated.tasks.schema import Schema
from medomicslab_nb.models.harmonisation import ComBat

REGRESSIONS = ("logistic", "linear", "cox")

_FLAT = 1e-10  # standard deviation of a standardised column that is rounding error


def pooled_model(sites: Mapping[str, SitePatients], schema: Schema, preparation: Preparation,
                 settings: FederatedSettings) -> Mapping[str, Any] | None:
    """Values of the model of all training patients together; None where the algorithm has none.

    Harmonised columns differ by site, so that networks and trees of one site that has everybody would not be the same.
    """
    if settings.algorithm in REGRESSIONS:
        intercept, coef = pooled_coefficients(sites, preparation, settings)
        return {"model": "regression", "kind": settings.algorithm, "intercept": intercept, "coef": coef}
    if settings.harmonisation:
        return None
    everybody = _one_site(sites)
    task, answers = fit(settings, schema, preparation), None
    while True:
        try:
            question = next(task) if answers is None else task.send(answers)
        except StopIteration as end:
            return end.value.values()  # type: ignore[no-any-return]
        answers = {"all": get_step(question.step)(everybody, question.values, 1).values}


def _one_site(sites: Mapping[str, SitePatients]) -> SitePatients:
    """The training patients of all sites, as one."""
    parts = [patients.training_part for patients in sites.values()]
    endpoint = parts[0].endpoint
    joined = {name: np.concatenate([getattr(part.endpoint, name) for part in parts])
              for name in ("outcome", "time", "entry", "cause") if getattr(endpoint, name) is not None}
    frame = pd.concat([part.frame for part in parts])
    return SitePatients(frame, parts[0].categorical, replace(endpoint, patients=frame.index, **joined),
                        np.zeros(len(frame), dtype=bool))


def together(sites: Mapping[str, SitePatients]) -> tuple[pd.DataFrame, np.ndarray]:
    """Predictors of the training patients of all sites, and the site of each row."""
    parts = {site: patients.training_part for site, patients in sites.items()}
    frame = pd.concat([part.frame for part in parts.values()])
    return frame, np.repeat(list(parts), [len(part) for part in parts.values()])


def raw_columns(frame: pd.DataFrame, preparation: Preparation) -> np.ndarray:
    """Numbers and indicators of categories with their gaps, shape (n, n_columns), in the preparation's order."""
    columns = [frame[name].mask(frame[name] == 0) if name in preparation.zeros else frame[name]
               for name in preparation.numeric]
    for name, levels in preparation.categories.items():
        known = frame[name].isin(levels)
        columns += [(frame[name] == level).astype(float).where(known) for level in levels[1:]]
    return np.column_stack([column.to_numpy(dtype=float) for column in columns])


def pooled_coefficients(sites: Mapping[str, SitePatients], preparation: Preparation,
                        settings: FederatedSettings) -> tuple[float, np.ndarray]:
    """Intercept and coefficients on standardised columns, of a regression on all training patients together."""
    frame, site = together(sites)
    parts = [patients.training_part.endpoint for patients in sites.values()]
    outcome = np.concatenate([part.outcome for part in parts])
    raw = raw_columns(frame, preparation)
    if settings.harmonisation:
        numeric = slice(0, len(preparation.numeric))
        raw[:, numeric] = ComBat().fit(raw[:, numeric], site).transform(raw[:, numeric], site)
    values = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()).fit_transform(raw)
    times = [part.time for part in parts if part.time is not None]
    time = np.concatenate(times) if settings.algorithm == "cox" else None
    # Nothing can be known of a column that does not vary: solvers without a penalty stumble over it.
    varies = _varies(values, np.zeros(len(site)) if time is None else site)
    coef = np.zeros(values.shape[1])
    intercept, coef[varies] = _fitted(values[:, varies], outcome, time, site, settings)
    return intercept, coef


def _varies(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Standardised columns that differ between patients of one group; bool, shape (n_columns,)."""
    return np.asarray(np.max([values[group == one].std(axis=0) for one in np.unique(group)], axis=0) > _FLAT)


def _fitted(values: np.ndarray, outcome: np.ndarray, time: np.ndarray | None, site: np.ndarray,
            settings: FederatedSettings) -> tuple[float, np.ndarray]:
    if time is not None:
        return 0.0, CoxRegression(settings.ties, settings.penalty).fit(values, time, outcome, strata=site).coef_
    if settings.algorithm == "linear":
        fitted = Ridge(alpha=settings.penalty).fit(values, outcome)
        return float(fitted.intercept_), fitted.coef_
    inverse = 1 / settings.penalty if settings.penalty else np.inf
    # The tolerance is of the gradient's mean; the federated fit is to agree to 1e-6 in coefficients.
    logistic = LogisticRegression(C=inverse, solver="newton-cholesky", tol=1e-12, max_iter=200).fit(values, outcome)
    return float(logistic.intercept_[0]), logistic.coef_[0]

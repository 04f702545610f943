"""How well a model does at each site and over all of them, without a score of a patient leaving.

Each site tells measures of its own patients. Over all sites the AUC comes from numbers of cases and others in bins of
scores, with the limits that the bins leave; calibration, Brier score and R2 come from sums and are exact. The C-index
over all sites is that of pairs of two patients of one site, as a stratified model ranks within sites only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.messages import Answers, Question, Release, Task, Values, only
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.binned_auc import Bins, SiteBins, auc_of_bins
from medomicslab_nb.federated.tasks.concordance import Concordance, added
from medomicslab_nb.federated.tasks.merged_bins import group_sums, in_words, merged_ends
from medomicslab_nb.federated.tasks.parts import Part, part_of
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared_to_score
from medomicslab_nb.federated.tasks.regression import newton
from medomicslab_nb.federated.tasks.scoring import as_question, from_question, score
from medomicslab_nb.federated.tasks.site_measures import (
    MEASURES,
    measures,
    r2_limits,
    r2_of,
    recalibration,
    squares,
)

COLUMNS = ["site", "measure", "estimate", "standard_error", "lower", "upper", "least", "most", "patients", "events",
           "calibration_intercept", "calibration_slope", "observed_expected", "brier"]

_WHERE = "federated evaluation"
_NAN = float("nan")


@dataclass(frozen=True)
class Evaluation:
    """A model judged over sites.

    Attributes
    ----------
    measure : str
        "AUC", "C-index" or "R2"; empty when no site could be judged.
    table : DataFrame
        site ("all" first), measure, estimate, standard_error, lower, upper (95 %), least, most (what bins of scores
        leave open; the estimate itself where it is exact), patients, events, calibration_intercept, calibration_slope,
        observed_expected (events over the sum of probabilities), brier. Empty where there is no such thing. A site that
        could not be judged has 0 patients.
    notes : tuple of str
        Who was not judged and why, in whole sentences.
    """

    measure: str
    table: pd.DataFrame
    notes: tuple[str, ...]

    def row(self, site: str = "all") -> pd.Series:
        """The row of a site, or of all together."""
        return self.table[self.table["site"] == site].iloc[0]


def evaluate(preparation: Preparation, model: Values, bins: int = 50, part: Part = "testing",
             horizon: float | None = None, *, calibrate: bool = True) -> Task:
    """Judge a model on a part of the patients of all sites.

    Parameters
    ----------
    preparation : Preparation
        The one that the model was fitted with.
    model : mapping
        ``.values()`` of the fitted model.
    bins : int
        Bins of scores, cut where a normal distribution with their mean and standard deviation has its quantiles.
    part : {"testing", "training", "all"}
    horizon : float, optional
        Survival: follow-up ends there.
    calibrate : bool
        Fit the calibration over all sites too, which takes some five questions more. With one site it is the site's.

    Returns
    -------
    Evaluation
    """
    values = {**preparation.values(), **as_question(model), "part": part, "horizon": horizon}
    answers = yield Question("evaluate", values, "Measures of each site", preparation.each())
    judged = {site: answer for site, answer in answers.items() if "few" not in answer}
    notes = tuple(f"{site} was not judged: {answer['few']}." for site, answer in answers.items() if "few" in answer)
    measure = _measure(judged)
    rows = [_row(site, measure, answers[site]) for site in answers]
    together = rows[list(answers).index(next(iter(judged)))] if len(judged) == 1 else _nothing(measure)
    if len(judged) > 1:
        together = yield from only(_together(preparation, values, measure, judged, bins, calibrate), tuple(judged))
    table = pd.DataFrame([{**together, "site": "all"}, *rows], columns=COLUMNS)
    return Evaluation(measure, table.astype({"patients": int, "events": int}), notes)


def evaluate_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Measures of the site; with ``coef`` sums for calibration, with ``edges`` counts, with ``means`` sums for R2.

    Where one of the classes, or patients with or without the event, are 1 to ``minimum`` - 1, nothing is told but
    that.
    """
    endpoint = part_of(patients, values).endpoint
    scores = score(from_question(values), prepared_to_score(patients, values))
    if values["horizon"] is not None and endpoint.time is not None:
        endpoint, scores = _followed_to(float(values["horizon"]), endpoint, scores)
    few = _too_few(endpoint, minimum)
    if few:
        return Release({"few": few}, f"nothing but that {few}", len(endpoint))
    for name, answer in (("coef", _calibration), ("edges", _counts), ("means", _squares)):
        if name in values:
            return answer(endpoint, scores, values[name], minimum)
    return _measures(endpoint, scores)


def _followed_to(horizon: float, endpoint: Endpoint, scores: np.ndarray) -> tuple[Endpoint, np.ndarray]:
    assert endpoint.time is not None
    if endpoint.entry is not None:
        seen = np.flatnonzero(endpoint.entry < horizon)
        endpoint, scores = endpoint.take(seen), scores[seen]
    assert endpoint.time is not None
    return replace(endpoint, outcome=endpoint.event & (endpoint.time <= horizon),
                   time=np.minimum(endpoint.time, horizon)), scores


def _cells(endpoint: Endpoint) -> tuple[int, ...]:
    """Patients of each kind that a measure tells apart."""
    n = len(endpoint)
    return (n,) if endpoint.kind == "continuous" else (endpoint.events, n - endpoint.events)


def _too_few(endpoint: Endpoint, minimum: int) -> str:
    if not len(endpoint):
        return "it has no patients to judge the model"
    if not any(0 < count < minimum for count in _cells(endpoint)):
        return ""
    kinds = {"binary": " of one of the classes", "survival": " with the event, or without it"}
    return f"it has fewer than {minimum} patients{kinds.get(endpoint.kind, '')} to judge the model"


def _measures(endpoint: Endpoint, scores: np.ndarray) -> Release:
    cells = _cells(endpoint)
    found = {**measures(endpoint, scores), "kind": endpoint.kind, "patients": len(endpoint), "events": cells[0]}
    events = "" if endpoint.kind == "continuous" else f" with {endpoint.events} events"
    return Release(found, f"{MEASURES[endpoint.kind]} and calibration of the model, and sums of its scores and errors, "
                   f"over {len(endpoint)} patients{events}", len(endpoint), cells)


def _calibration(endpoint: Endpoint, scores: np.ndarray, coef: np.ndarray, _: int) -> Release:
    return Release(recalibration(endpoint, scores, coef),
                   f"log likelihood, gradient and information of {len(coef)} numbers of calibration over "
                   f"{len(endpoint)} patients", len(endpoint), _cells(endpoint))


def _counts(endpoint: Endpoint, scores: np.ndarray, edges: np.ndarray, minimum: int) -> Release:
    place = np.searchsorted(edges, scores, side="right")
    values: dict[str, np.ndarray] = {}
    for name, rows in (("cases", endpoint.event), ("others", ~endpoint.event)):
        counts = np.bincount(place[rows], minlength=len(edges) + 1)[:, None]
        ends = merged_ends(counts, minimum)
        values |= {f"{name}_ends": ends, name: group_sums(counts, ends)[:, 0]}
    cells = tuple(int(count) for name in ("cases", "others") for count in values[name])
    return Release(values, f"numbers of patients of each class in {in_words(len(cells), minimum)}, by score, over "
                   f"{len(scores)} patients", len(scores), cells)


def _squares(endpoint: Endpoint, scores: np.ndarray, means: np.ndarray, _: int) -> Release:
    return Release({"sums": squares(endpoint.outcome, scores, means)},
                   f"seven sums of powers of outcome and prediction over {len(scores)} patients", len(scores),
                   _cells(endpoint))


def _measure(judged: Answers) -> str:
    kinds = sorted({str(answer["kind"]) for answer in judged.values()})
    if len(kinds) > 1:
        raise DataError(f"the outcome is {' and '.join(kinds)} at different sites", where=_WHERE,
                        todo="Bring the outcome to the same kind at all sites")
    return MEASURES[kinds[0]] if kinds else ""


def _nothing(measure: str) -> dict[str, object]:
    return {"measure": measure, "patients": 0, "events": 0}


def _row(site: str, measure: str, answer: Values) -> dict[str, object]:
    if "few" in answer:
        return {**_nothing(measure), "site": site}
    row = {**answer, "site": site, "measure": measure, "least": answer.get("estimate", _NAN),
           "most": answer.get("estimate", _NAN)}
    if measure == "AUC":
        row |= _of_probabilities([answer])
    return {name: value for name, value in row.items() if name in COLUMNS}


def _of_probabilities(answers: list[Values]) -> dict[str, float]:
    observed, expected, squared, patients = (sum(float(answer[name]) for answer in answers)
                                             for name in ("observed", "expected", "squared_error", "patients"))
    return {"observed_expected": observed / expected if expected else _NAN, "brier": squared / patients}


def _together(preparation: Preparation, values: Values, measure: str, judged: Answers, bins: int,
              calibrate: bool) -> Task:
    """The row of all judged sites."""
    row = {**_nothing(measure), **{name: sum(answer[name] for answer in judged.values())
                                   for name in ("patients", "events")}}
    if measure == "R2":
        return row | (yield from _variance_explained(preparation, values, judged))
    if measure == "AUC":
        row |= _of_probabilities(list(judged.values()))
        answers = yield Question("evaluate", {**values, "edges": _edges(judged, bins)},
                                 "Patients in bins of scores", preparation.each())
        row |= vars(auc_of_bins({site: _site_bins(answer, judged[site]) for site, answer in answers.items()}))
    else:
        row |= _concordance(judged)
    if calibrate:
        row |= yield from _recalibrate(preparation, values, measure)
    return row


def _edges(judged: Answers, bins: int) -> np.ndarray:
    """Quantiles of the normal distribution with the mean and the standard deviation of all scores."""
    n, total, squared = (sum(float(answer[name]) for answer in judged.values())
                         for name in ("patients", "score", "score_squares"))
    mean = total / n
    spread = np.sqrt(max(squared / n - mean**2, 0.0))
    return np.unique(mean + spread * norm.ppf(np.arange(1, bins) / bins))


def _site_bins(answer: Values, measured: Values) -> SiteBins:
    cases, others = (Bins(np.concatenate([[0], answer[f"{name}_ends"][:-1]]), answer[f"{name}_ends"], answer[name])
                     for name in ("cases", "others"))
    return SiteBins(cases, others, float(measured.get("estimate", _NAN)))


def _concordance(judged: Mapping[str, Values]) -> dict[str, float]:
    found = added([Concordance(answer.get("estimate", _NAN), answer.get("standard_error", _NAN), int(answer["pairs"]))
                   for answer in judged.values()])
    lower, upper = found.limits()
    return {"estimate": found.estimate, "standard_error": found.standard_error, "lower": lower, "upper": upper,
            "least": found.estimate, "most": found.estimate}


def _variance_explained(preparation: Preparation, values: Values, judged: Answers) -> Task:
    n, observed, expected = (sum(float(answer[name]) for answer in judged.values())
                             for name in ("patients", "observed", "expected"))
    answers = yield Question("evaluate", {**values, "means": np.array([observed / n, expected / n])},
                             "Errors of prediction", preparation.each())
    sums = np.sum([answer["sums"] for answer in answers.values()], axis=0)
    estimate, error = r2_of(sums)
    lower, upper = r2_limits(estimate, error)
    product, spread = sums[5:]
    return {"estimate": estimate, "standard_error": error, "lower": lower, "upper": upper, "least": estimate,
            "most": estimate, "calibration_intercept": (observed - expected) / n,
            "calibration_slope": product / spread if spread > 0 else _NAN}


def _recalibrate(preparation: Preparation, values: Values, measure: str) -> Task:
    """Calibration of all judged sites together; a slope that does not exist is left out."""
    if measure == "C-index":
        found = yield from _fitted(preparation, values, ("slope",))
        return {} if found is None else {"calibration_slope": found[0]}
    found = yield from _fitted(preparation, values, ("calibration in the large", "intercept", "slope"))
    if found is not None:
        return {"calibration_intercept": found[0], "calibration_slope": found[2]}
    found = yield from _fitted(preparation, values, ("calibration in the large",))
    return {} if found is None else {"calibration_intercept": found[0]}


def _fitted(preparation: Preparation, values: Values, names: tuple[str, ...]) -> Task:
    """Numbers of calibration, or None where they have no finite answer."""
    try:
        found = yield from newton("evaluate", values, preparation.each(), names=names, penalty=np.zeros(len(names)),
                                  where=_WHERE)
    except DataError:
        return None
    known = np.isfinite(np.diag(found.covariance))
    return np.where(known, found.at, _NAN)

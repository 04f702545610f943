"""ComBat over sites: each is a centre, and tells no more than count, mean and sum of squares of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from medomicslab_nb.federated.messages import Question, Release, Task, Values, only
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.column_moments import ColumnMoments
from medomicslab_nb.federated.tasks.preparation import Preparation, encoded, standardise
from medomicslab_nb.models.harmonisation import FEWEST, FEWEST_NEW, ComBat


class SummedComBat(ComBat):
    """ComBat that is fitted on moments of the centres instead of their patients, to the same parameters."""

    def fit_moments(self, names: Sequence[str], parts: Sequence[ColumnMoments]) -> Self:
        """Learn each centre's location and scale from at least one centre."""
        self.left_, self.centres_ = [], list(names)
        self._standardise([_as_tuple(part) for part in parts], len(parts[0].mean))
        if len(parts) == 1:  # the reference, which stays as it is
            self.location_, self.scale_ = self.mean_[None].copy(), np.ones((1, len(self.mean_)))
            return self
        fitted = [self._parameters(_as_tuple(part)) for part in parts]
        self.location_, self.scale_ = (np.array(values) for values in zip(*fitted, strict=True))
        return self

    def parameters(self, name: str, part: ColumnMoments) -> tuple[np.ndarray, np.ndarray]:
        """Location and scale of a centre, of a new one by its own moments."""
        if name not in self.centres_:
            return self._parameters(_as_tuple(part))
        position = self.centres_.index(name)
        return self.location_[position], self.scale_[position]


def _as_tuple(part: ColumnMoments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return part.count.astype(float), part.mean, part.squares


def combat_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Count, mean and sum of squares of each numeric column of the site, as it is before harmonisation."""
    untouched = {name: value for name, value in values.items() if name not in ("centre", "location", "spread")}
    matrix = encoded(patients, untouched, minimum).matrix[:, :len(values["numeric"])]
    moments, n = ColumnMoments.of(matrix), len(matrix)
    return Release({**moments.values(), "patients": n},
                   f"count, mean and sum of squares of {matrix.shape[1]} numeric columns over {n} patients, for "
                   "harmonisation", n, (n, *moments.count.tolist()))


def harmonise(preparation: Preparation, training: Sequence[str] | None = None, judging: Sequence[str] = ()) -> Task:
    """The preparation with each site's location and spread of the numeric columns, and means and scales after that.

    The parameters are those of :class:`~medomicslab_nb.models.harmonisation.ComBat` fitted on the pooled training
    patients with the site as centre: the outcome takes no part. Sites with fewer than 5 of them stay as they are.
    Columns should be measurements of a device: what differs between sites because their patients do is lost.

    Parameters
    ----------
    training : sequence of str, optional
        Sites that make the model; the others that are asked are harmonised towards these by their own predictors, if
        they have 20 patients. All without it.
    judging : sequence of str
        Sites that have no training patients: of them those who judge are asked about.
    """
    each = {**preparation.each(), **{site: {**preparation.each().get(site, {}), "part": "testing"} for site in judging}}
    answers = yield Question("combat", preparation.values(), "Moments of each site, for harmonisation", each)
    makers = tuple(site for site in answers if training is None or site in training)
    if preparation.numeric:
        preparation = _with_parameters(preparation, answers, makers)
    return (yield from only(standardise(preparation), makers))


def _with_parameters(preparation: Preparation, answers: Mapping[str, Values], makers: Sequence[str]) -> Preparation:
    parts = {site: ColumnMoments.received(values) for site, values in answers.items()
             if values["patients"] >= (FEWEST if site in makers else FEWEST_NEW)}
    known = [site for site in makers if site in parts]
    left = [f"{site} has too few patients: its values were left unharmonised." for site in answers
            if site not in parts or not known]
    new = [f"{site} did not train the model: it was harmonised by the predictors of its own patients together, without "
           "their outcomes, so this cannot be repeated for one of them alone." for site in parts
           if site not in makers and known]
    preparation = replace(preparation, notes=(*preparation.notes, *left, *new))
    if not known:
        return preparation
    combat = SummedComBat().fit_moments(known, [parts[site] for site in known])
    found = {site: combat.parameters(site, part) for site, part in parts.items()}
    return replace(preparation, centre=combat.mean_, location={site: location for site, (location, _) in found.items()},
                   spread={site: spread for site, (_, spread) in found.items()})

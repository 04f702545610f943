"""What accompanies the predictors without being one."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Companions:
    """What preparation needs to know about patients beside their predictors.

    Attributes
    ----------
    centre : Series, index = patient, or None
        Hospital or scanner of each patient, text; missing where it is not known.
    perturbed : DataFrame or None
        Columns ``patient`` and ``perturbation``, then features named as in the predictors: their values in perturbed
        images and contours, or by another reader. One row per patient and perturbation.
    stratum : Series, index = patient, or None
        Groups that have a baseline hazard of their own in a plain Cox regression, text.
    """

    centre: pd.Series | None = None
    perturbed: pd.DataFrame | None = None
    stratum: pd.Series | None = None

    def restrict(self, patients: pd.Index) -> Companions:
        """What accompanies these patients, and nobody else."""
        return Companions(
            centre=None if self.centre is None else self.centre.reindex(patients),
            perturbed=None if self.perturbed is None else self.perturbed[self.perturbed["patient"].isin(patients)],
            stratum=None if self.stratum is None else self.stratum.reindex(patients))

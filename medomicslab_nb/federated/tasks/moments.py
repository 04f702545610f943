"""Means, standard deviations and quantiles of columns over sites, of which only sums and counts leave."""

from __future__ import annotations

from medomicslab_nb.federated.messages import Release, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.column_moments import ColumnMoments
from medomicslab_nb.federated.tasks.preparation import encoded


def moments_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Count, mean and sum of squares about the mean of each column before gaps are filled.

    ``few`` and ``rare`` name the columns of which something counts as missing, see
    :class:`~medomicslab_nb.federated.tasks.preparation.Encoded`.
    """
    found = encoded(patients, values, minimum)
    moments = ColumnMoments.of(found.matrix)
    n, columns = found.matrix.shape
    words = f"count, mean and sum of squares of {columns} columns ({3 * columns} numbers) over {n} patients"
    missing = [f"{kind} in {', '.join(names)}" for kind, names in
               (("too few values", found.few), ("rare categories", found.rare)) if names]
    if missing:
        words += f"; counted as missing: {'; '.join(missing)}"
    return Release({**moments.values(), "patients": n, "few": list(found.few), "rare": list(found.rare)}, words, n,
                   [n, *moments.count.tolist()])

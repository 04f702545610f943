"""Which of a site's patients a question is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Values
from medomicslab_nb.federated.patients import SitePatients

Part = Literal["training", "testing", "all"]


def part_of(patients: SitePatients, values: Values) -> SitePatients:
    """The patients that ``values["part"]`` names: training (where nothing is said), testing or all.

    The part of a part is that part, so that it does no harm to ask twice.

    Raises
    ------
    DataError
        There is no such part.
    """
    part = values.get("part", "training")
    if part not in get_args(Part):
        raise DataError("a question names a part of the patients that there is not", where="federated message",
                        todo=f"Ask for {', '.join(get_args(Part))}")
    rows = {"training": ~patients.testing, "testing": patients.testing}.get(part)
    if rows is None or rows.all():
        return patients
    # By position: looking patients up by name takes longer than all the sums of a round.
    return replace(patients, frame=patients.frame[rows], endpoint=patients.endpoint.take(np.flatnonzero(rows)),
                   testing=patients.testing[rows])

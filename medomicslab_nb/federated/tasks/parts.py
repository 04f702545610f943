"""Which of a site's patients a question is about."""

from __future__ import annotations

from typing import Literal, get_args

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
    if part == "all":
        return patients
    return patients.training_part if part == "training" else patients.testing_part

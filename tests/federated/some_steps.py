"""Steps that no site has: what they do wrong is what a site must not let out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Release, Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.steps import STEPS, Step
from medomicslab_nb.federated.tasks.parts import part_of


def sums(patients: SitePatients, values: Values, minimum: int) -> Release:
    part = part_of(patients, values)
    return Release({"age": np.array([part.frame["age"].sum()]), "n": len(part)}, f"sum over {len(part)} patients",
                   len(part), (len(part),))


def small_cell(patients: SitePatients, values: Values, minimum: int) -> Release:
    return Release({"counts": np.array([60, minimum - 1])}, "two counts", len(patients), (60, minimum - 1))


def pandas_error(patients: SitePatients, values: Values, minimum: int) -> Release:
    patients.frame["age"].astype(str).add(" years of PAT-0007").astype(float)
    raise AssertionError


def own_error_with_identifier(patients: SitePatients, values: Values, minimum: int) -> Release:
    raise DataError(f"the value of {patients.frame.index[7]} cannot be used", where="table clinical", todo="Correct it")


def identifier_in_words(patients: SitePatients, values: Values, minimum: int) -> Release:
    return Release({}, f"sum without {patients.frame.index[7]}", len(patients))


def object_array(patients: SitePatients, values: Values, minimum: int) -> Release:
    return Release({"rows": patients.frame.to_numpy(dtype=object)}, "everything", len(patients))


def out_of_memory(patients: SitePatients, values: Values, minimum: int) -> Release:
    raise MemoryError


def instead(monkeypatch: pytest.MonkeyPatch, step: Callable[..., Release], name: str = "moments") -> None:
    """Let sites answer a step by one of these."""
    monkeypatch.setitem(STEPS, name, Step(name, f"{step.__module__}:{step.__name__}", "sums"))  # type: ignore[arg-type]

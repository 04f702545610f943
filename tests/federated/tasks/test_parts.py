"""Training, testing or all, and no other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.tasks.parts import part_of
from tests.federated.tasks.conftest import at_site

TESTING = np.array([True, False, False, True, False])


@pytest.fixture
def patients():
    return at_site(pd.DataFrame({"x": np.arange(5.0)}), np.array([1, 0, 1, 0, 1], dtype=bool), testing=TESTING)


@pytest.mark.parametrize(("values", "rows"), [({}, ~TESTING), ({"part": "training"}, ~TESTING),
                                              ({"part": "testing"}, TESTING), ({"part": "all"}, np.ones(5, bool))])
def test_who_is_meant(patients, values, rows):
    part = part_of(patients, values)
    assert part.frame["x"].tolist() == np.flatnonzero(rows).tolist()
    assert part.frame.equals(patients.where(rows).frame)
    assert part.endpoint.patients.equals(part.frame.index)
    assert part.endpoint.outcome.tolist() == patients.endpoint.outcome[rows].tolist()
    again = part_of(part, values)
    assert again.frame.index.equals(part.frame.index), "the part of a part"


def test_another_part_is_refused(patients):
    with pytest.raises(DataError, match="part of the patients"):
        part_of(patients, {"part": "p0001"})

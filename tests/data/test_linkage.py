"""Who is in which table."""

from __future__ import annotations

import pandas as pd
import pytest

from medomicslab_nb.data.linkage import linkage, near_matches


def test_combinations_of_tables_are_counted():
    table = linkage({"clinical": pd.Index(["a", "b", "c", "d"]), "genes": pd.Index(["b", "c", "c", "e"])})
    assert table.to_dict("list") == {
        "tables": ["clinical", "clinical & genes", "genes"], "clinical": [True, True, False],
        "genes": [False, True, True], "patients": [2, 2, 1]}


def test_near_matches_forgive_case_zeros_and_punctuation():
    assert near_matches(pd.Index(["007", "A-1", "x"]), pd.Index(["7", "a1", "y"])) == 2
    assert near_matches(pd.Index(["a"]), pd.Index(["a", "b"])) == 0


@pytest.mark.parametrize("name", ["tables", "patients"])
def test_tables_may_be_called_as_the_columns_of_the_result(name):
    table = linkage({name: pd.Index(["a", "b"]), "genes": pd.Index(["b"])})
    assert table.to_dict("list") == {"tables": [name, f"{name} & genes"], f"table: {name}": [True, True],
                                     "genes": [False, True], "patients": [1, 1]}

"""Sites that differ are named; zeros that mean missing are found, true zeros left alone; small counts stay home."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import pack
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.schema import check_schema
from tests.federated.tasks.conftest import HEART_COLUMNS, at_site, drive

SETTINGS = FederatedSettings(outcome="disease")


def site(seed: int, n: int = 40, **columns):
    """Age, marker and stage, or columns in their place (None: without)."""
    rng = np.random.default_rng(seed)
    usual = {"age": rng.normal(60, 9, n), "marker": rng.lognormal(size=n), "stage": rng.choice(["I", "II", "III"], n)}
    frame = pd.DataFrame({name: values for name, values in (usual | columns).items() if values is not None})
    return at_site(frame, np.arange(n) % 3 == 0, name="disease")


def check(sites, minimum=1, settings=SETTINGS):
    return drive(check_schema(settings), sites, minimum)


def test_what_sites_have_in_common():
    schema = check({"north": site(0), "south": site(1, 30)})
    assert schema.numeric == ("age", "marker") and schema.categories == {"stage": ("I", "II", "III")}
    assert schema.patients == {"north": 40, "south": 30} and schema.events == {"north": 14, "south": 10}
    assert schema.known["south"] == {"age": 30, "marker": 30, "stage": 30}
    assert (schema.kind, schema.zeros, schema.notes) == ("binary", (), ())


@pytest.mark.parametrize(("wrong", "said"), [
    (site(2, marker=None), "'west' lacks 'marker'"),
    (site(2, bmi=np.ones(40)), "'west' also has 'bmi'"),
    (site(2, marker=None, crp=np.ones(40)), "'west' lacks 'marker' and also has 'crp'"),
    (site(2, age=np.array(["old", "young"] * 20)), "'age' is a category at 'west' and a number elsewhere"),
])
def test_a_site_with_other_columns_is_named(wrong, said):
    with pytest.raises(DataError) as caught:
        check({"north": site(0), "south": site(1), "west": wrong})
    assert caught.value.where == "site west" and said in caught.value.found and caught.value.todo
    assert "north" not in caught.value.where


def test_the_order_of_columns_does_not_matter():
    other = site(1)
    turned = replace(other, frame=other.frame[["stage", "marker", "age"]])
    assert check({"north": site(0), "south": turned}) == check({"north": site(0), "south": other})


def test_an_empty_column_has_the_type_of_the_others():
    empty = site(1, stage=np.full(40, np.nan))
    schema = check({"a": empty, "north": site(0)})
    assert schema.categories["stage"] == ("I", "II", "III") and schema.known["a"]["stage"] == 0


def test_a_column_that_is_empty_everywhere_is_left_out():
    gone = {"marker": np.full(40, np.nan), "stage": np.full(40, "I")}
    schema = check({"north": site(0, **gone), "south": site(1, **gone)})
    assert schema.columns == ("age",)
    assert [note.split()[0] for note in schema.notes] == ["'marker'", "'stage'"]


def test_a_site_that_only_judges_names_no_category_and_no_reference():
    judge = site(2, stage=np.array(["0", "II"] * 20))
    judge = replace(judge, testing=np.ones(40, dtype=bool))
    settings = SETTINGS.model_copy(update={"test_sites": ("west",)})
    schema = check({"north": site(0), "south": site(1), "west": judge}, settings=settings)
    assert schema.categories == {"stage": ("I", "II", "III")}
    assert "'stage' has categories at west that nobody has who trains the model (0)" in schema.notes[0]


def test_other_words_for_categories_are_pointed_out():
    schema = check({"north": site(0), "south": site(1), "west": site(2, stage=np.array(["i", "ii"] * 20))})
    assert "No other site has a category of 'stage' that west has (i, ii)" in schema.notes[0]
    assert len(schema.notes) == 1


def test_what_only_judges_know_is_left_out():
    judge = replace(site(2), testing=np.ones(40, dtype=bool))
    settings = SETTINGS.model_copy(update={"test_sites": ("west",)})
    empty = {"marker": np.full(40, np.nan)}
    schema = check({"north": site(0, **empty), "south": site(1, **empty), "west": judge}, settings=settings)
    assert schema.columns == ("age", "stage")
    with pytest.raises(DataError, match="no site is left to train"):
        check({"west": judge}, settings=settings)


@pytest.mark.parametrize(("outcome", "said"), [(np.zeros(40, bool), "no training patient has the outcome 'disease'"),
                                               (np.ones(40, bool), "every training patient")])
def test_a_site_with_one_class_is_named(outcome, said):
    south = site(1)
    south = replace(south, endpoint=replace(south.endpoint, outcome=outcome))
    with pytest.raises(DataError, match=said) as caught:
        check({"north": site(0), "south": south})
    assert caught.value.where == "site south"


def test_other_outcomes_are_refused():
    days = [at_site(site(seed).frame, np.arange(40) % 2 == 0, time=np.arange(1.0, 41), unit=unit)
            for seed, unit in enumerate(("days", "", "months"))]
    settings = FederatedSettings(outcome="os", algorithm="cox")
    assert check({"a": days[0], "b": days[1]}, settings=settings).unit == "days"
    with pytest.raises(DataError, match="unit of the outcome is 'months' and not 'days'") as caught:
        check({"a": days[0], "b": days[1], "c": days[2]}, settings=settings)
    assert caught.value.where == "site c"
    with pytest.raises(DataError, match="kind of the outcome is 'survival' and not 'binary'"):
        check({"a": site(0), "b": days[0]})


@pytest.mark.realdata
def test_swiss_cholesterol_is_missing_and_true_zeros_are_zeros(heart):
    schema = check(heart)
    assert schema.zeros == ("trestbps", "chol"), "and not oldpeak, ca, fbs, sex, exang, restecg"
    assert schema.known["switzerland"]["chol"] == 0 and schema.known["va"]["chol"] == 193 - 49
    note = next(note for note in schema.notes if "'chol'" in note)
    assert "at every site" in note and "switzerland 123, va 49" in note


@pytest.mark.realdata
def test_impossible_zeros_are_found_without_a_telling_name(heart):
    """Cholesterol under another name: by the distance of its other values, and at the Swiss site alone."""
    renamed = {name: replace(one, frame=one.frame.rename(columns={"chol": "x", "trestbps": "y"}))
               for name, one in heart.items()}
    schema = check(renamed)
    assert schema.zeros == ("x",), "a single zero, of y, is no reason"
    assert "far from 0" in next(note for note in schema.notes if "'x'" in note)


@pytest.mark.parametrize(("values", "reason"), [
    ([np.random.default_rng(0).lognormal(size=40), np.zeros(40)], "south has nothing else"),
    ([np.random.default_rng(0).lognormal(size=40), np.repeat([0.0, 1.5], 20)], ""),
    ([np.maximum(np.random.default_rng(0).normal(size=40), 0), np.zeros(40)], ""),
    ([np.random.default_rng(0).normal(size=40), np.zeros(40)], ""),
    ([np.arange(40) % 4 + 1.0, np.zeros(40)], ""),
    ([np.random.default_rng(0).uniform(90, 110, 40), np.append(np.zeros(6), np.linspace(95, 105, 34))], "far from 0"),
], ids=["whole site", "some zeros", "zeros elsewhere too", "both signs", "few values", "apart"])
def test_when_a_zero_is_missing(values, reason):
    schema = check({name: site(seed, marker=column) for seed, (name, column) in
                    enumerate(zip(("north", "south"), values, strict=True))})
    assert schema.zeros == (("marker",) if reason else ())
    assert reason in "".join(schema.notes)


def test_small_counts_are_not_told():
    rare = site(1, stage=np.repeat(["I", "II", "IV"], [20, 17, 3]), flag=np.append([0.0, 0.0], np.ones(38)),
                marker=np.append([1.2, 2.5, 3.1], np.full(37, np.nan)))
    log = []
    drive(check_schema(SETTINGS), {"north": site(0, flag=np.ones(40)), "south": rare}, 5, log)
    told = log[1][2].values["columns"]
    assert told["stage"]["levels"] == ["I", "II"] and told["stage"]["known"] == 37
    assert told["marker"]["known"] is None and told["flag"]["zero"] is None
    assert b"IV" not in pack(log[1][2].values)
    with pytest.raises(DataError, match="site south"):
        check({"north": site(0), "south": site(1, 9)}, minimum=5)  # 3 of 9 have the outcome


@pytest.mark.realdata
def test_the_same_decisions_with_small_counts_hidden(heart):
    assert check(heart, minimum=5).zeros == ("trestbps", "chol")
    assert set(check(heart, minimum=5).columns) == set(HEART_COLUMNS)

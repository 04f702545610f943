"""Preparation: values by hand, training rows only, rows that know nothing of each other, and bad inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.evaluation.agreement import intraclass_correlation
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.harmonisation import ComBat
from medomicslab_nb.models.preparation import Preparation
from medomicslab_nb.models.preparation_settings import PreparationSettings

EVERYTHING = {"imputation": "iterative", "correlation": 0.95, "selection": "stability", "features": 8}


def endpoint_of(frame: pd.DataFrame, seed: int = 0) -> Endpoint:
    event = np.random.default_rng(seed).random(len(frame)) < 0.5
    event[:2] = [False, True]
    return Endpoint("response", event, frame.index)


def fitted(frame: pd.DataFrame, settings=None, categorical=(), companions=None, endpoint=None) -> Preparation:
    preparation = Preparation(settings, list(categorical))
    return preparation.fit(frame, endpoint or endpoint_of(frame), companions or Companions())


def text(values) -> pd.Series:
    return pd.Series(values, dtype=object)


def mixed(n: int = 90, seed: int = 0) -> pd.DataFrame:
    """Numbers with gaps, a yes/no number, a two-valued and a three-valued category with gaps."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n, 6)) * [1, 10, 100, 1, 1, 1] + [0, 5, 1e4, 0, 0, 0]
    numbers[:, 5] = numbers[:, 0] + 0.1 * rng.normal(size=n)
    numbers[rng.random((n, 6)) < 0.1] = np.nan
    frame = pd.DataFrame(numbers, columns=list("abcdef"), index=pd.Index([f"p{i:03d}" for i in range(n)], name="id"))
    frame["mutated"] = (rng.random(n) < 0.3).astype(float)
    frame["sex"] = pd.Series(rng.choice(["female", "male"], n), index=frame.index, dtype=object)
    stage = rng.choice(np.array(["I", "II", "III", None], dtype=object), n)
    return frame.assign(stage=pd.Series(stage, index=frame.index, dtype=object))


CATEGORIES = ("sex", "stage")


def centres(frame: pd.DataFrame, names=("north", "south")) -> pd.Series:
    return pd.Series(np.random.default_rng(5).choice(np.array(names, dtype=object), len(frame)), index=frame.index)


def perturbed_values(frame: pd.DataFrame, noise: dict[str, float], count: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    parts = [pd.DataFrame({"patient": frame.index, "perturbation": number,
                           **{column: frame[column].to_numpy() + amount * rng.normal(size=len(frame))
                              for column, amount in noise.items()}}) for number in range(count)]
    return pd.concat(parts, ignore_index=True)


def test_values_by_hand():
    frame = pd.DataFrame({"x": [1.0, 3, np.nan, 8], "stage": text(["a", "b", np.nan, "a"]),
                          "sex": text(["f", "m", "m", "m"])})
    preparation = fitted(frame, categorical=["stage", "sex"])
    assert preparation.columns_ == ["x", "x", "stage", "stage", "stage", "sex"]
    assert preparation.selected_ == ["x", "stage", "sex"]
    raw = np.array([[1, 0, 1, 0, 0, 0], [3, 0, 0, 1, 0, 1], [3, 1, 0, 0, 1, 1], [8, 0, 1, 0, 0, 1.0]])
    assert preparation.transform(frame) == pytest.approx((raw - raw.mean(axis=0)) / raw.std(axis=0))


def test_equal_to_scikit_learn():
    frame = mixed()
    preparation = fitted(frame, categorical=CATEGORIES)
    numbers = [*"abcdef", "mutated"]
    expected = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
                             ).fit_transform(frame[numbers].to_numpy())
    found = preparation.transform(frame)
    assert found[:, :13] == pytest.approx(expected)
    assert preparation.columns_[:13] == [*numbers, *"abcdef"]
    encoded = make_pipeline(OneHotEncoder(sparse_output=False), StandardScaler()
                            ).fit_transform(frame[["sex", "stage"]].fillna("missing"))
    assert found[:, 13:] == pytest.approx(encoded[:, 1:])  # without the mirror image of "male"
    assert preparation.columns_[13:] == ["sex", "stage", "stage", "stage", "stage"]


def test_new_and_missing_categories():
    frame = pd.DataFrame({"sex": text(["f", "m", "m", "m"]), "stage": text(["a", "b", "c", "a"]),
                          "told": text(["yes", None, None, "yes"])})
    preparation = fitted(frame, categorical=["sex", "stage", "told"])
    assert preparation.columns_ == ["sex", "stage", "stage", "stage", "told"]
    new = preparation.transform(pd.DataFrame({"sex": text(["?", None]), "stage": text(["d", None]),
                                              "told": text(["no", "maybe"])}))
    zeros = np.array([[0, 0, 0.0]])
    raw = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0.0]])
    expected = (zeros - raw.mean(axis=0)) / raw.std(axis=0)
    assert new[:, 0] == pytest.approx([0, 0])  # neither: an average patient
    assert new[:, 1:4] == pytest.approx(np.vstack([expected, expected]))
    assert new[:, 4] == pytest.approx([0, 0])


def test_many_categories_share_the_last_column():
    values = [f"k{i // 3:02d}" for i in range(90)] + ["k00"] * 30
    frame = pd.DataFrame({"site": text(values)})
    preparation = fitted(frame, categorical=["site"])
    assert len(preparation.columns_) == 20
    levels = preparation.levels_["site"]
    assert levels["names"] == [f"k{i:02d}" for i in range(19)]
    rows = preparation.transform(pd.DataFrame({"site": text(["k29", "new", "k00"])}))
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])
    with_gap = fitted(pd.DataFrame({"site": text([*values, None, None])}), categorical=["site"])
    assert len(with_gap.columns_) == 20


def test_category_named_missing_is_not_a_missing_one():
    frame = pd.DataFrame({"x": text(["missing", None, "a"] * 4)})
    assert len(np.unique(fitted(frame, categorical=["x"]).transform(frame), axis=0)) == 3


def test_wide_tables_have_no_columns_of_gaps():
    values = np.random.default_rng(0).normal(size=(30, 101))
    values[:5] = np.nan
    frame = pd.DataFrame(values, columns=[f"g{i}" for i in range(101)])
    assert fitted(frame).transform(frame).shape == (30, 101)
    assert fitted(frame.iloc[:, :100]).transform(frame).shape == (30, 200)


def test_bad_input_51_column_missing_in_all_training_patients():
    train = pd.DataFrame({"x": [np.nan] * 4, "y": [1.0, 2, 3, 4], "z": text([None] * 4)})
    preparation = fitted(train, categorical=["z"])
    out = preparation.transform(pd.DataFrame({"x": [7.0, np.nan], "y": [1.0, 2.5], "z": text(["a", None])}))
    assert out[:, 0] == pytest.approx([-1.5 / np.sqrt(1.25), 0])
    assert preparation.columns_ == ["y"]
    assert preparation.notes_ == ["2 of 3 columns hardly vary among the training patients and were left out."]


def test_bad_input_50_more_columns_than_patients():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(12, 300)), columns=[f"g{i}" for i in range(300)])
    for selection in ("none", "univariate", "mrmr", "stability"):
        preparation = fitted(frame, {"selection": selection, "correlation": 0.9})
        out = preparation.transform(frame)
        assert out.shape == (12, len(preparation.columns_))
        assert np.isfinite(out).all()
        assert len(preparation.columns_) == (20 if selection != "none" else out.shape[1])


def test_columns_that_hardly_vary():
    n = 40
    frame = pd.DataFrame({"constant": 0.1, "one": np.eye(n)[0], "two": np.eye(n)[:2].sum(axis=0), "x": np.arange(n),
                          "noise": 0.1 + 1e-17 * np.arange(n), "yes": np.where(np.arange(n) < 9, 1.0, np.nan)})
    preparation = fitted(frame)
    assert preparation.selected_ == ["two", "x", "yes"]
    assert preparation.columns_ == ["two", "x", "yes"]  # of "yes", that it was said
    assert np.isfinite(preparation.transform(frame)).all()
    few = fitted(frame.iloc[:10])
    assert "one" in few.selected_


def test_nothing_left_is_a_column_of_zeros():
    frame = pd.DataFrame({"x": [1.0] * 6, "y": text(["a"] * 6)})
    preparation = fitted(frame, {"selection": "univariate", "correlation": 0.9}, ["y"])
    assert preparation.selected_ == []
    assert preparation.columns_ == ["x"]
    assert np.array_equal(preparation.transform(frame), np.zeros((6, 1)))
    assert "average" in preparation.notes_[-1]


def test_outcome_of_one_class_does_not_break_the_selection():
    frame = mixed()
    alone = Endpoint("response", np.zeros(len(frame), dtype=bool), frame.index)
    for selection in ("univariate", "mrmr", "stability"):
        preparation = fitted(frame, {"selection": selection, "features": 3}, CATEGORIES, endpoint=alone)
        assert len(preparation.columns_) == 3


@pytest.mark.parametrize("settings", [None, {"selection": "mrmr", "features": 4}, {"imputation": "iterative"},
                                      EVERYTHING])
def test_rows_one_by_one_are_those_together(settings):
    frame = mixed(150)
    centre = centres(frame)
    preparation = fitted(frame[:90], settings, CATEGORIES, Companions(centre=centre))
    test, names = frame[90:], centre[90:]
    together = preparation.transform(test, names)
    alone = np.vstack([preparation.transform(test.iloc[[row]], names.iloc[[row]]) for row in range(60)])
    assert np.array_equal(together, alone)
    shuffled = np.random.default_rng(0).permutation(60)
    assert np.array_equal(preparation.transform(test.iloc[shuffled], names), together[shuffled])
    assert np.isfinite(together).all()


@pytest.mark.parametrize("settings", [None, EVERYTHING])
def test_fitting_sees_no_row_that_it_was_not_given(settings):
    frame = mixed(150)
    centre, noisy = centres(frame), perturbed_values(frame, {"a": 0.1, "b": 1, "d": 5})
    endpoint = endpoint_of(frame)
    train = np.arange(90)
    first = fitted(frame.iloc[train], settings, CATEGORIES, Companions(centre, noisy), endpoint.take(train))
    others = noisy["patient"].isin(frame.index[90:])
    changed = noisy.copy()
    changed.loc[others, ["a", "b", "d"]] = 1e6
    elsewhere = centre.copy()
    elsewhere.iloc[90:] = "west"
    second = fitted(frame.iloc[train], settings, CATEGORIES, Companions(elsewhere, changed), endpoint.take(train))
    assert first.notes_ == second.notes_
    assert np.array_equal(first.transform(frame, centre), second.transform(frame, centre))


def test_columns_in_another_order_and_others_beside_them():
    frame = mixed()
    preparation = fitted(frame, {"selection": "univariate", "features": 3}, CATEGORIES)
    assert set(preparation.needed_) == set(preparation.selected_)
    other = frame[frame.columns[::-1]].assign(more=1.0)
    assert np.array_equal(preparation.transform(frame), preparation.transform(other))
    with pytest.raises(DataError, match="1 columns are missing"):
        preparation.transform(frame.drop(columns=preparation.needed_[0]))


def test_memory_layout_changes_no_bit():
    frame = mixed()[list("abcdef")]
    rows = pd.DataFrame(np.ascontiguousarray(frame.to_numpy()), columns=frame.columns, index=frame.index)
    columns = pd.concat([frame[[column]] for column in frame], axis=1)
    found = [fitted(one).transform(one) for one in (frame, rows, columns)]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_iterative_imputation_is_that_of_scikit_learn_and_better_than_medians():
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(200, 1))
    truth = factor * np.array([1, 20, 0.3, 5]) + rng.normal(size=(200, 4)) * np.array([0.3, 6, 0.1, 1])
    values = truth.copy()
    values[rng.random(values.shape) < 0.15] = np.nan
    frame = pd.DataFrame(values, columns=list("abcd"))
    preparation = fitted(frame[:150], {"imputation": "iterative"})
    found = preparation._imputed(values[150:].copy())
    train = values[:150]
    centre, spread = np.nanmedian(train, axis=0), np.nanstd(train, axis=0)
    reference = IterativeImputer(n_nearest_features=20, max_iter=5, initial_strategy="median", random_state=0,
                                 min_value=(np.nanmin(train, axis=0) - centre) / spread,
                                 max_value=(np.nanmax(train, axis=0) - centre) / spread)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference.fit((train - centre) / spread).transform((values[150:] - centre) / spread)
    assert found == pytest.approx(expected * spread + centre, rel=1e-9)
    gaps = np.isnan(values[150:])
    simple = np.where(gaps, centre, values[150:])
    error, plain = (np.abs((filled - truth[150:]) / spread)[gaps].mean() for filled in (found, simple))
    assert error < 0.6 * plain


def test_iterative_imputation_of_few_columns_and_of_too_many():
    one = pd.DataFrame({"x": [1.0, 2, np.nan, 4]})
    assert fitted(one, {"imputation": "iterative"}).transform(one)[2, 0] == pytest.approx(
        fitted(one).transform(one)[2, 0])
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(10, 501)), columns=[f"g{i}" for i in range(501)])
    with pytest.raises(SettingsError, match="501 columns"):
        fitted(wide, {"imputation": "iterative"})


def test_icc_filter_by_the_perturbed_values_of_training_patients():
    frame = mixed(60)
    noisy = perturbed_values(frame, {"a": 0.05, "d": 3.0, "e": 0.3})
    preparation = fitted(frame, {"icc": 0.75}, CATEGORIES, Companions(perturbed=noisy))
    assert "d" not in preparation.selected_
    assert {"a", "b", "c", "e", "f", "sex"} <= set(preparation.selected_)
    assert preparation.notes_ == ["1 of 3 columns do not reach an ICC(1,1) of 0.75 in 60 perturbed training patients "
                                  "and were left out."]
    ratings = np.stack([frame["e"], *(noisy[noisy["perturbation"] == i]["e"] for i in range(3))], axis=1)
    icc = float(intraclass_correlation(ratings).estimate[0])
    for least, stays in ((icc - 1e-6, True), (icc + 1e-6, False)):
        chosen = fitted(frame, {"icc": least}, CATEGORIES, Companions(perturbed=noisy)).selected_
        assert ("e" in chosen) == stays


def test_icc_filter_with_few_patients_with_none_and_with_repeated_rows():
    frame = mixed(60)
    noisy = perturbed_values(frame[:9], {"d": 3.0})
    few = fitted(frame, None, CATEGORIES, Companions(perturbed=noisy))
    assert "d" in few.selected_
    assert few.notes_ == ["Fewer than 10 training patients have perturbed values, so reproducibility was not judged."]
    repeated = perturbed_values(frame, {"d": 3.0})
    repeated = pd.concat([repeated, repeated.iloc[:2]])
    with pytest.raises(DataError, match="2 rows repeat"):
        fitted(frame, None, CATEGORIES, Companions(perturbed=repeated))
    foreign = perturbed_values(frame, {"d": 3.0}).rename(columns={"d": "of another block"})
    assert fitted(frame, None, CATEGORIES, Companions(perturbed=foreign)).notes_ == []


def test_patients_drawn_twice_by_a_bootstrap():
    frame = mixed(60)
    endpoint = endpoint_of(frame)
    rows = np.sort(np.random.default_rng(0).integers(0, 60, 60))
    companions = Companions(centres(frame), perturbed_values(frame, {"d": 3.0, "a": 0.1}))
    drawn = companions.restrict(frame.index[rows])
    preparation = fitted(frame.iloc[rows], None, CATEGORIES, drawn, endpoint.take(rows))
    assert "d" not in preparation.selected_
    assert preparation.combat_ is not None
    found = preparation.transform(frame.iloc[rows], drawn.centre)
    assert np.array_equal(found, preparation.transform(frame, companions.centre)[rows])


def test_harmonisation_is_combat_of_the_columns_with_more_than_two_values():
    frame = mixed()
    centre = centres(frame)
    frame.loc[centre == "north", list("abcdef")] += 30
    preparation = fitted(frame, None, CATEGORIES, Companions(centre=centre))
    names, values = centre.to_numpy(), frame[list("abcdef")].to_numpy()
    harmonised = ComBat().fit(values, names).transform(values, names)
    expected = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit_transform(harmonised)
    found = preparation.transform(frame, centre)
    assert found[:, :6] == pytest.approx(expected)
    mutated = frame["mutated"].to_numpy()
    assert found[:, 6] == pytest.approx((mutated - mutated.mean()) / mutated.std())
    without = fitted(frame, {"harmonisation": False}, CATEGORIES, Companions(centre=centre))
    assert np.array_equal(without.transform(frame, centre), fitted(frame, None, CATEGORIES).transform(frame))


def test_centres_that_were_not_in_training():
    frame = mixed(150)
    centre = centres(frame)
    preparation = fitted(frame[:90], None, CATEGORIES, Companions(centre=centre))
    test = frame[90:]
    new = pd.Series("west", index=test.index)
    assert "transductive" in preparation.centre_notes(new)[0]
    assert "left unharmonised" in preparation.centre_notes(new[:5])[0]
    assert "No centre" in preparation.centre_notes(None)[0]
    assert preparation.centre_notes(centre[90:]) == []
    few = preparation.transform(test.iloc[:5], new[:5])
    assert np.array_equal(few, preparation.transform(test)[:5])
    assert not np.array_equal(preparation.transform(test, new)[:5], few)


def test_centres_too_small_to_harmonise():
    frame = mixed(24)
    centre = pd.Series([f"c{i // 4}" for i in range(24)], index=frame.index, dtype=object)
    preparation = fitted(frame, None, CATEGORIES, Companions(centre=centre))
    assert len([note for note in preparation.notes_ if "fewer than 5" in note]) == 6
    assert np.array_equal(preparation.transform(frame, centre), fitted(frame, None, CATEGORIES).transform(frame))


def test_stability_frequencies_are_kept_by_original_column():
    frame = mixed(120)
    event = frame["b"].fillna(5).to_numpy() > 5
    preparation = fitted(frame, {"selection": "stability", "features": 2}, CATEGORIES,
                         endpoint=Endpoint("r", event, frame.index))
    assert preparation.frequency_["b"] == 1
    assert "b" in preparation.selected_
    assert set(preparation.frequency_) <= set(frame.columns)


def test_correlated_columns_are_represented():
    frame = mixed()
    preparation = fitted(frame, {"correlation": 0.9}, CATEGORIES)
    assert ("a" in preparation.columns_[:6]) != ("f" in preparation.columns_[:6])
    assert "Spearman" in preparation.notes_[0]


@pytest.mark.parametrize("settings", [None, EVERYTHING])
def test_kept_by_skops_without_patients(settings):
    import skops.io
    frame = mixed()
    centre = centres(frame)
    preparation = fitted(frame, settings, CATEGORIES, Companions(centre, perturbed_values(frame, {"a": 0.1})))
    content = skops.io.dumps(preparation)
    unknown = skops.io.get_untrusted_types(data=content)
    assert set(unknown) <= {"medomicslab_nb.models.harmonisation.ComBat",
                            "medomicslab_nb.models.preparation.Preparation"}
    read = skops.io.loads(content, trusted=unknown)
    assert np.array_equal(read.transform(frame, centre), preparation.transform(frame, centre))
    assert read.columns_ == preparation.columns_
    assert not any(patient.encode() in content for patient in frame.index)
    assert not any(patient in repr(vars(read)) for patient in frame.index)


def test_clone_settings_and_wrong_rows():
    preparation = Preparation(PreparationSettings(selection="mrmr"), ["sex"], 3)
    assert preparation.settings["selection"] == "mrmr"
    assert clone(preparation).get_params() == preparation.get_params()
    frame = mixed()
    with pytest.raises(ValueError, match="same patients"):
        preparation.fit(frame, endpoint_of(frame[::-1]))
    with pytest.raises(ValueError, match="selektion"):
        Preparation({"selektion": "mrmr"}).fit(frame, endpoint_of(frame))


def cross_validated(frame: pd.DataFrame, event: np.ndarray, centre: pd.Series, *, leak: bool) -> float:
    """AUC over held-out rows; the leak: selection on everybody."""
    endpoint, score = Endpoint("r", event, frame.index), np.empty(len(event))
    settings = {"selection": "univariate", "features": 10, "correlation": 0.9}
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(event, event):
        rows = np.arange(len(event)) if leak else train
        preparation = Preparation(settings).fit(frame.iloc[rows], endpoint.take(rows), Companions(centre=centre))
        model = LogisticRegression(C=0.1).fit(preparation.transform(frame.iloc[train], centre), event[train])
        score[test] = model.decision_function(preparation.transform(frame.iloc[test], centre))
    return float(roc_auc_score(event, score))


def test_permuted_labels_give_chance_and_a_leak_does_not():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 200)), columns=[f"g{i}" for i in range(200)],
                         index=[f"p{i:03d}" for i in range(100)])
    centre = centres(frame)
    frame[centre == "north"] += rng.normal(size=200)
    honest, leaky = [], []
    for _ in range(12):
        event = rng.permutation(np.arange(100) < 40)
        honest.append(cross_validated(frame, event, centre, leak=False))
        leaky.append(cross_validated(frame, event, centre, leak=True))
    assert np.mean(honest) == pytest.approx(0.5, abs=0.06)
    assert np.mean(leaky) > 0.7

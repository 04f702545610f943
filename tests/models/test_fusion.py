"""Fusion: weights of blocks by stacking, a penalty for each block, and patients who lack one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls
from sklearn.linear_model import LogisticRegression

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import observed_risk
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.explain import Predictors, explain_score
from medomicslab_nb.models.fitting import FitOptions, Patients, fit_models
from medomicslab_nb.models.fusion import FACTORS, block_factors, stack
from medomicslab_nb.models.learners.linear import RIDGE, linear_coefficients, linear_intercept, penalties
from medomicslab_nb.models.learners.problem import SearchOptions, raw_score
from medomicslab_nb.models.preparation_settings import PreparationSettings
from tests.models.conftest import KINDS, ids, outcome_of, two_blocks

BOTH = {"both": ("clinical", "genes")}
QUICK = [kind for kind in KINDS if kind != "truncated"]  # a ridge with times of entry takes seconds
PLAIN_PREPARATION = PreparationSettings(harmonisation=False)


def weights_of(scores, endpoint):
    return stack(scores, endpoint, [np.zeros(len(endpoint), dtype=bool)] * len(scores)).weights


def scores_of(kind: str, n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Endpoint]:
    """A score that says something, one that is noise, and the outcome; of three classes (n, 3)."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    endpoint = outcome_of(1.5 * truth, kind, seed)
    if kind != "multiclass":
        return truth, rng.normal(size=n), endpoint
    return np.outer(truth, [-1.0, 0.0, 1.0]), rng.normal(size=(n, 3)), endpoint


@pytest.mark.parametrize("kind", KINDS)
def test_stacking_gives_noise_next_to_nothing_and_halves_copies(kind):
    signal, noise, endpoint = scores_of(kind)
    weights = weights_of([signal, noise], endpoint)
    assert (weights >= 0).all()
    assert weights[1] < 0.15 * weights[0]
    copies = weights_of([signal, signal.copy()], endpoint)
    assert copies[0] == pytest.approx(copies[1], rel=1e-3)
    # The prior pulls the two halves less than the whole.
    assert copies.sum() == pytest.approx(weights_of([signal, np.zeros_like(signal)], endpoint)[0], rel=0.06)
    backwards = weights_of([signal, -signal], endpoint)
    assert backwards[1] == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_that_say_nothing_share_equally(kind):
    signal, _, endpoint = scores_of(kind)
    assert weights_of([-signal, -signal, -signal], endpoint).tolist() == [1 / 3] * 3
    assert weights_of([signal], endpoint).tolist() == [1.0]


def test_stacking_weights_are_those_of_other_code():
    rng = np.random.default_rng(3)
    scores = [rng.normal(size=300) for _ in range(3)]
    risk = scores[0] + 0.5 * scores[1] - 0.3 * scores[2]
    endpoint = outcome_of(risk, "continuous")
    outcome = (endpoint.outcome - endpoint.outcome.mean()) / endpoint.outcome.std()
    # Unit prior: as many rows of zeros, one for each weight.
    expected, _ = nnls(np.vstack([np.column_stack(scores), np.eye(3)]), np.concatenate([outcome, np.zeros(3)]))
    assert weights_of(scores, endpoint) == pytest.approx(expected, abs=1e-3)
    endpoint = outcome_of(scores[0] + 0.5 * scores[1] + 0.3 * scores[2], "binary")
    expected = LogisticRegression(C=1.0, tol=1e-9).fit(np.column_stack(scores), endpoint.event).coef_[0]
    assert (expected > 0).all()
    assert weights_of(scores, endpoint) == pytest.approx(expected, abs=2e-3)


def test_factors_of_blocks_are_the_best_that_were_tried():
    tried = []

    def value(factors):
        tried.append(dict(factors))
        return -abs(np.log(factors["a"] / FACTORS[2])) - abs(np.log(factors["b"] / 1.0))

    assert block_factors(["a", "b"], value) == {"a": FACTORS[2], "b": 1.0}
    assert len(tried) == 1 + 2 * len(FACTORS)
    assert block_factors(["a"], value) == {"a": 1.0}
    assert block_factors(["a", "b"], lambda factors: float("nan")) == {"a": 1.0, "b": 1.0}


# A forest cannot use times of entry.
@pytest.mark.parametrize(("kind", "learner"), [(kind, learner) for kind in KINDS for learner in (DEFAULT, "ridge")
                                               if (kind, learner) != ("truncated", DEFAULT)])
def test_a_missing_block_adds_the_same_to_all_who_lack_it(kind, learner, few_trees):
    patients = two_blocks(kind, 150)
    frame = patients.frame.copy()
    frame.iloc[100:, 3:] = np.nan
    models = fit_models(replace(patients, frame=frame), {**BOTH, "clinical": ("clinical",), "genes": ("genes",)},
                        [learner])
    model = models["both", learner]
    assert {part.block for part in model.parts} == {"clinical", "genes"}
    score = model.score(frame)
    clinical = replace_parts(model, [part for part in model.parts if part.block == "clinical"])
    absent = sum(part.absent for part in model.parts)
    assert score[100:] == pytest.approx(clinical.score(frame)[100:] + absent)
    assert not np.allclose(score[:100], clinical.score(frame)[:100] + absent)
    alone = models["genes", learner]
    assert alone.score(frame)[100:] == pytest.approx(np.zeros_like(score[100:]) + alone.parts[0].absent)
    for part in model.parts:
        values = raw_score(part.estimator, part.preparation.transform(frame[part.columns][part.present(frame)]))
        # 0 stands for the mean of scores by models that did not see the patient.
        spread = np.abs(values - part.centre).mean()
        assert np.abs(values.mean(axis=0) - part.centre).max() < 0.6 * spread


def replace_parts(model, parts):
    return type(model)(**{**model.get_params(deep=False), "parts": parts})


@pytest.mark.parametrize("kind", QUICK)
def test_the_model_of_a_block_is_made_from_those_who_have_it(kind):
    """Fifty more patients without genes, some without anything of it: not one bit of its model changes."""
    patients = two_blocks(kind, 150)
    rng = np.random.default_rng(1)
    frame = patients.frame.copy()
    without = np.sort(rng.permutation(150)[:50])
    frame.loc[frame.index[without], list(patients.blocks["genes"])] = np.nan
    having = np.setdiff1d(np.arange(150), without)
    alone = fit_models(replace(patients, frame=frame).take(having), {"genes": ("genes",)}, ["ridge"])["genes", "ridge"]
    everybody = fit_models(replace(patients, frame=frame), {"genes": ("genes",)}, ["ridge"])["genes", "ridge"]
    ours, theirs = everybody.parts[0], alone.parts[0]
    # Inner folds are cut over everybody, so that another penalty may be chosen; the fit at a penalty is the same.
    matrix = ours.preparation.transform(frame.iloc[having][ours.columns])
    assert np.array_equal(matrix, theirs.preparation.transform(frame.iloc[having][ours.columns]))
    numbers = [RIDGE.strengths(patients.endpoint, matrix).tolist().index(s) for s in
               [min(penalties(matrix), key=lambda value, part=part: abs(value - float(part.split()[1])))
                for part in (everybody.chosen, alone.chosen)]]
    own = patients.endpoint.take(having)
    for part, number in zip((ours, theirs), numbers, strict=True):
        fitted = RIDGE.fit(own, matrix, number, SearchOptions())
        assert raw_score(part.estimator, matrix) == pytest.approx(raw_score(fitted, matrix), abs=1e-12)


def test_a_block_that_too_few_have_is_an_error_with_its_name():
    patients = two_blocks("binary", 60)
    frame = patients.frame.copy()
    negatives = np.flatnonzero(~patients.endpoint.event)
    frame.loc[frame.index[patients.endpoint.event], list(patients.blocks["genes"])] = np.nan
    assert len(negatives) > 20
    with pytest.raises(DataError, match=r"block genes.*30 training patients have it"):
        fit_models(replace(patients, frame=frame), BOTH, ["ridge"])


def test_a_block_that_lacks_a_whole_class_is_an_error_with_its_name():
    patients = two_blocks("multiclass", 120)
    frame = patients.frame.copy()
    for code in (0, 1, 2):
        gone = frame.copy()
        gone.loc[frame.index[patients.endpoint.outcome == code], list(patients.blocks["genes"])] = np.nan
        with pytest.raises(DataError, match="block genes"):
            fit_models(replace(patients, frame=gone), BOTH, ["ridge"])


def test_training_patients_that_lack_a_class_are_an_error():
    patients = two_blocks("multiclass", 120)
    for code in (0, 1, 2):
        with pytest.raises(DataError, match=r"0 of .* patients in the smallest class"):
            fit_models(patients.take(np.flatnonzero(patients.endpoint.outcome != code)), BOTH, ["ridge"])


@pytest.mark.parametrize("kind", KINDS)
def test_early_fusion_is_one_block_of_all_columns(kind):
    patients = two_blocks(kind)
    options = FitOptions(fusion="early", preparation=PLAIN_PREPARATION)
    early = fit_models(patients, BOTH, ["ridge"], options)["both", "ridge"]
    one = replace(patients, blocks={"all": tuple(patients.frame.columns)})
    single = fit_models(one, {"all": ("all",)}, ["ridge"], FitOptions(preparation=PLAIN_PREPARATION))["all", "ridge"]
    assert len(early.parts) == 1 and early.parts[0].block == "clinical + genes"
    assert np.array_equal(early.score(patients.frame), single.score(patients.frame))
    assert np.array_equal(early.offset, single.offset) and early.slope == single.slope


@pytest.mark.parametrize("kind", QUICK)
def test_late_fusion_of_one_block_is_the_block(kind):
    patients = two_blocks(kind)
    fused = fit_models(patients, {**BOTH, "clinical": ("clinical",)}, ["ridge"])
    alone = fit_models(replace(patients, blocks={"clinical": patients.blocks["clinical"]}),
                       {"clinical": ("clinical",)}, ["ridge"])
    assert np.array_equal(fused["clinical", "ridge"].score(patients.frame),
                          alone["clinical", "ridge"].score(patients.frame))


@pytest.mark.parametrize("kind", QUICK)
def test_penalised_fusion_is_a_ridge_with_scaled_columns(kind):
    patients = two_blocks(kind, 150, p=20)
    model = fit_models(patients, BOTH, ["ridge"], FitOptions(fusion="penalised"))["both", "ridge"]
    (part,) = model.parts
    matrix = part.preparation.transform(patients.frame)
    by_hand = matrix @ linear_coefficients(part.estimator).T + linear_intercept(part.estimator)
    assert by_hand == pytest.approx(raw_score(part.estimator, matrix), abs=1e-9)
    assert model.chosen.startswith("penalty ")
    shares = dict(word.split(" x") for word in model.chosen.split("penalty by block ")[1].split(", "))
    factor = {block: float(share) ** -0.5 for block, share in shares.items()}
    block_of = {column: block for block, columns in patients.blocks.items() for column in columns}
    scale = np.array([factor[block_of[column]] for column in part.preparation.columns_])
    strength = float(model.chosen.split(",")[0].split()[1])
    position = int(np.argmin(np.abs(penalties(matrix) / strength - 1)))
    expected = RIDGE.fit(patients.endpoint, matrix * scale, position, SearchOptions())
    assert raw_score(part.estimator, matrix) == pytest.approx(raw_score(expected, matrix * scale), rel=0.02, abs=0.02)


def test_penalised_fusion_finds_the_block_that_matters():
    rng = np.random.default_rng(0)
    n, p = 200, 150
    frame = pd.DataFrame(rng.normal(size=(n, 3 + p)), columns=["a", "b", "c", *(f"g{i}" for i in range(p))],
                         index=ids(n))
    patients = Patients(frame, outcome_of(1.5 * frame["a"].to_numpy(), "binary"),
                        {"clinical": ("a", "b", "c"), "genes": tuple(frame.columns[3:])})
    fresh = pd.DataFrame(rng.normal(size=(2000, 3 + p)), columns=frame.columns, index=ids(2000))
    found = {}
    for fusion in ("early", "penalised"):
        model = fit_models(patients, BOTH, ["ridge"], FitOptions(fusion=fusion))["both", "ridge"]
        found[fusion] = np.corrcoef(model.score(fresh), fresh["a"])[0, 1]
    assert found["penalised"] > found["early"] + 0.1
    assert "clinical x0.01" in fit_models(patients, BOTH, ["ridge"], FitOptions(fusion="penalised"))[
        "both", "ridge"].chosen


def test_a_patient_without_any_block_has_the_average_score():
    patients = two_blocks("survival")
    model = fit_models(patients, BOTH, ["ridge"])["both", "ridge"]
    nobody = pd.DataFrame({column: [None if column == "c" else np.nan] for column in patients.frame.columns},
                          index=pd.Index(["x"], name="patient"))
    assert model.score(nobody).tolist() == [0.0]
    assert 0 < model.probability(model.score(nobody))[0] < 1


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival"])
def test_a_block_that_the_ill_lack_more_often_does_not_bias_the_risk(kind):
    rng = np.random.default_rng(4)
    n = 1200
    truth = rng.normal(size=(n, 2))
    lacking = rng.random(n) < 0.4
    risk = truth.sum(axis=1) + 1.5 * lacking
    endpoint = outcome_of(risk, kind, 5)
    frame = pd.DataFrame({"age": truth[:, 0], "gene": np.where(lacking, np.nan, truth[:, 1])}, index=endpoint.patients)
    patients = Patients(frame, endpoint, {"clinical": ("age",), "genes": ("gene",)})
    model = fit_models(patients, BOTH, ["ridge"], FitOptions(preparation=PLAIN_PREPARATION))["both", "ridge"]
    predicted = model.probability(model.score(frame))
    for rows in (lacking, ~lacking):
        if kind == "survival":
            observed = observed_risk(endpoint.event[rows], endpoint.time[rows], model.horizon)[0]
            assert predicted[rows].mean() == pytest.approx(observed, abs=0.05)
        elif kind == "multiclass":
            shares = np.bincount(endpoint.outcome[rows], minlength=3) / rows.sum()
            assert np.abs(predicted[rows].mean(axis=0) - shares).max() < 0.06
        else:
            spread = np.std(endpoint.outcome.astype(float))
            assert abs(predicted[rows].mean() - endpoint.outcome[rows].mean()) < 0.1 * spread
    again = explain_score(model, Predictors(frame))
    assert again.values.sum(axis=1) + again.base == pytest.approx(model.score(frame), abs=1e-9)


def test_too_few_patients_without_a_block_say_nothing_about_lacking_it():
    signal, noise, endpoint = scores_of("binary")
    few = np.arange(len(endpoint)) < 4
    found = stack([signal, np.where(few, 0, noise)], endpoint, [np.zeros_like(few), few])
    assert found.absent == [0.0, 0.0]

"""Nothing of a test patient reaches training: whatever is changed of them, the fitted models stay the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import make_splits
from medomicslab_nb.models.blocks import Design
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.fitting import FitOptions, Patients, _Inner, fit_models, inner_fold_numbers
from medomicslab_nb.models.learners.problem import SearchOptions
from medomicslab_nb.models.model_file import EndpointSummary, ModelFile, save
from medomicslab_nb.models.nested import (
    FoldCase,
    cross_validate,
    cross_validation_cases,
    data_digest,
    evaluate_fold,
)
from medomicslab_nb.models.preparation_settings import PreparationSettings
from medomicslab_nb.models.risk_model import RiskModel
from medomicslab_nb.models.selection_frequency import used_columns
from tests.models.conftest import KINDS, outcome_of, two_blocks, with_centres, with_perturbed

BOTH = {"clinical": ("clinical",), "clinical + genes": ("clinical", "genes")}
NOISE = {"g0": 0.05, "g1": 0.1, "g2": 3.0, "g3": 0.1}


def everything(kind: str, n: int = 120) -> Patients:
    """Centres, gaps, perturbed values and two blocks, one of which some patients lack."""
    patients = with_perturbed(with_centres(two_blocks(kind, n)), NOISE)
    frame = patients.frame.copy()
    frame.iloc[::9, 3:] = np.nan
    frame.iloc[::7, 0] = np.nan
    frame.iloc[::6, 4] = np.nan
    stratum = pd.Series(np.where(np.arange(n) % 2, "x", "y"), index=frame.index)
    return replace(patients, frame=frame, companions=replace(patients.companions, stratum=stratum))


def another_life(patients: Patients, rows: np.ndarray) -> Patients:
    """The same but for some patients, of whom all is different: outcome, predictors, centre, perturbed values."""
    rng = np.random.default_rng(99)
    index = patients.frame.index[rows]
    frame = patients.frame.copy()
    numeric = [column for column in frame.columns if column not in patients.categorical]
    frame.loc[index, numeric] = 1e3 * rng.normal(size=(len(rows), len(numeric)))
    frame.loc[index, list(patients.categorical)] = "never seen"
    endpoint = patients.endpoint
    order = np.arange(len(endpoint))
    order[rows] = rng.choice(len(endpoint), len(rows))
    changed = endpoint.take(order)
    companions = patients.companions
    centre = companions.centre.copy()
    centre[index] = rng.choice(["A", "elsewhere"], len(rows))
    perturbed = companions.perturbed.copy()
    own = perturbed["patient"].isin(index)
    columns = perturbed.columns[2:]
    perturbed.loc[own, columns] = rng.normal(size=(int(own.sum()), len(columns)))
    stratum = companions.stratum.copy()
    stratum[index] = "z"
    return replace(patients, frame=frame, endpoint=replace(changed, patients=endpoint.patients),
                   companions=Companions(centre, perturbed, stratum))


PROCEDURES = {
    "late": FitOptions(harmonised=("genes",), inner_folds=3),
    "early": FitOptions("early", harmonised=("clinical", "genes"), inner_folds=3),
    "penalised": FitOptions("penalised", harmonised=("clinical", "genes"), inner_folds=3),
    "iterative": FitOptions(preparation=PreparationSettings(imputation="iterative"), harmonised=("genes",),
                            inner_folds=3),
    "univariate": FitOptions(preparation=PreparationSettings(selection="univariate", features=2, correlation=0.9),
                             harmonised=("genes",), inner_folds=3),
    "mrmr": FitOptions(preparation=PreparationSettings(selection="mrmr", features=2), harmonised=("genes",),
                       inner_folds=3),
    "stability": FitOptions(preparation=PreparationSettings(selection="stability", features=2), harmonised=("genes",),
                            inner_folds=3),
    "balanced": FitOptions(search=SearchOptions(balanced=True), harmonised=("genes",), inner_folds=3),
}


def file_of(model: RiskModel, endpoint: Endpoint) -> bytes:
    """The model as the study keeps it."""
    return save(ModelFile(model, (), EndpointSummary.of(endpoint, horizon=model.horizon), None, None, {}, "run", "d"))


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_nothing_of_a_test_patient_reaches_training(kind, procedure, few_trees):
    patients, options = everything(kind), PROCEDURES[procedure]
    test = np.arange(0, 120, 4)
    train = np.setdiff1d(np.arange(120), test)
    changed = another_life(patients, test)
    fitted = [fit_models(one.take(train), BOTH, [DEFAULT, "lasso"], options) for one in (patients, changed)]
    third = everything(kind)
    for (name, model), other in zip(fitted[0].items(), fitted[1].values(), strict=True):
        first, second = (one.score(third.frame, third.companions.centre) for one in (model, other))
        assert np.array_equal(first, second), name
        for part in ("slope", "offset", "cut_offs", "thresholds", "chosen", "horizon"):
            assert getattr(model, part) == getattr(other, part)
    first, second = (file_of(models["clinical + genes", DEFAULT], patients.endpoint.take(train)) for models in fitted)
    assert first == second


def test_the_guard_would_notice_a_leak(few_trees):
    """The same comparison, with the changed patients in training: everything is different."""
    patients = everything("binary")
    changed = another_life(patients, np.arange(0, 120, 4))
    first, second = (fit_models(one, BOTH, ["ridge"], PROCEDURES["late"])["clinical", "ridge"]
                     for one in (patients, changed))
    frame = patients.frame.iloc[1::4]
    assert not np.allclose(first.score(frame), second.score(frame))


@pytest.mark.parametrize("kind", ["multiclass", "continuous", "competing", "truncated"])
def test_nothing_of_a_test_patient_reaches_training_of_other_outcomes(kind, few_trees):
    patients = everything(kind)
    test = np.arange(0, 120, 4)
    changed = another_life(patients, test)
    train = np.setdiff1d(np.arange(120), test)
    options = FitOptions(harmonised=("genes",), inner_folds=2)
    learner = "plain" if kind == "truncated" else DEFAULT
    first, second = (fit_models(one.take(train), BOTH, [learner], options)["clinical + genes", learner]
                     for one in (patients, changed))
    frame, centre = patients.frame, patients.companions.centre
    assert np.array_equal(first.score(frame, centre), second.score(frame, centre))
    assert first.slope == second.slope and np.array_equal(first.offset, second.offset)


@pytest.mark.parametrize("procedure", ["late", "early", "iterative", "stability"])
def test_nothing_of_an_inner_test_patient_reaches_inner_training(procedure):
    patients, options = everything("binary"), PROCEDURES[procedure]
    numbers = inner_fold_numbers(patients.endpoint, 3, 0)
    changed = another_life(patients, np.flatnonzero(numbers == 1))
    folds = [list(_Inner(one, ("genes",), numbers, options))[1] for one in (patients, changed)]
    assert np.array_equal(folds[0].train_matrix, folds[1].train_matrix)
    assert not np.array_equal(folds[0].test_matrix, folds[1].test_matrix)


def test_outcomes_of_test_patients_do_not_change_their_predictions(few_trees):
    patients = everything("survival")
    splits = make_splits(patients.endpoint, folds=3, repeats=1, seed=0)
    case = cross_validation_cases(patients, splits, folds=3, repeats=1, sets=BOTH, learners=[DEFAULT],
                                  options=PROCEDURES["late"])[0]
    before = evaluate_fold(case)["predictions"]
    endpoint = patients.endpoint
    order = np.arange(len(endpoint))
    order[case.test] = case.test[::-1]
    swapped = replace(endpoint.take(order), patients=endpoint.patients)
    after = evaluate_fold(replace(case, patients=replace(patients, endpoint=swapped)))["predictions"]
    same = ["patient", "blocks", "learner", "score", "risk_group", "risk_at_horizon"]
    pd.testing.assert_frame_equal(before[same], after[same])
    assert not before["time"].equals(after["time"])


@pytest.mark.parametrize("kind", KINDS)
def test_folds_and_predictions_of_every_kind(kind, few_trees):
    patients = everything(kind)
    learner = "ridge" if kind == "truncated" else DEFAULT
    splits = make_splits(patients.endpoint, folds=3, repeats=1, seed=0)
    cases = cross_validation_cases(patients, splits, folds=3, repeats=1, sets={"all": ("clinical",)},
                                   learners=[learner], options=FitOptions(inner_folds=2))
    assert sorted(np.concatenate([case.test for case in cases])) == list(range(120))
    assert all(not set(case.train) & set(case.test) for case in cases)
    found = evaluate_fold(cases[0])
    predictions = found["predictions"]
    assert list(predictions["patient"]) == list(patients.frame.index[cases[0].test])
    held_out = patients.endpoint.take(cases[0].test)
    if kind == "multiclass":
        assert (predictions["observed"] == np.array(held_out.classes)[held_out.outcome]).all()
        shares = predictions[[f"probability: {name}" for name in "abc"]]
        assert shares.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(shares)))
        assert (predictions["predicted"] == shares.idxmax(axis=1).str.removeprefix("probability: ")).all()
    elif kind in ("binary", "continuous"):
        assert np.array_equal(predictions["observed"], held_out.outcome)
    else:
        assert np.array_equal(predictions["time"], held_out.time)
        assert np.array_equal(predictions["event"], held_out.event)
        assert ("cause" in predictions) == (kind == "competing") and ("entry" in predictions) == (kind == "truncated")
    folds = found["folds"]
    assert folds["metric"].iloc[0] == patients.endpoint.metric
    assert (folds["n_train"] == 80).all() and (folds["n_test"] == 40).all()
    assert np.isfinite(folds["value"].iloc[0])
    assert found["used"].columns.tolist() == ["blocks", "learner", "repeat", "fold", "feature"]


def test_the_clinical_score_is_a_plain_regression_on_its_columns():
    from sklearn.linear_model import LogisticRegression

    patients = two_blocks("binary")
    patients = replace(patients, blocks={**patients.blocks, "score": ("a", "b")})
    case = FoldCase(0, 0, patients, np.arange(90), np.arange(90, 120), {"all": ("clinical", "genes")}, ("ridge",),
                    FitOptions(), score="score")
    found = evaluate_fold(case)["predictions"]
    assert found["learner"].unique().tolist() == ["ridge", "plain"]
    own = found[found["blocks"] == "score"]
    expected = LogisticRegression(C=np.inf).fit(patients.frame[["a", "b"]].iloc[:90], patients.endpoint.event[:90])
    scores = expected.decision_function(patients.frame[["a", "b"]].iloc[90:])
    assert np.corrcoef(own["score"], scores)[0, 1] == pytest.approx(1.0, abs=1e-6)


def test_a_model_that_uses_no_column_says_so():
    rng = np.random.default_rng(0)
    patients = two_blocks("binary")
    noise = replace(patients, endpoint=replace(patients.endpoint, outcome=rng.permutation(patients.endpoint.outcome)))
    case = FoldCase(0, 0, noise, np.arange(90), np.arange(90, 120), {"genes": ("genes",)}, ("lasso",), FitOptions())
    found = evaluate_fold(case)
    model = fit_models(noise.take(case.train), case.sets, ["lasso"])["genes", "lasso"]
    # Either it uses something, and says what, or nothing, and says that.
    assert len(found["used"]) >= 1
    assert set(found["used"]["feature"]) == set(used_columns(model) or [""])


@pytest.mark.parametrize("learner", ["ridge", DEFAULT])
def test_the_order_of_rows_is_that_of_identifiers_and_of_columns_hardly_matters(learner, few_trees):
    """Test patients in any order; ridge in any order of columns (a forest draws columns by position)."""
    patients = two_blocks("binary")
    model = fit_models(patients, {"all": ("clinical", "genes")}, [learner])["all", learner]
    shuffled = np.random.default_rng(0).permutation(120)
    assert np.array_equal(model.score(patients.frame.iloc[shuffled]), model.score(patients.frame)[shuffled])
    columns = patients.frame.columns[::-1]
    blocks = {name: tuple(reversed(members)) for name, members in patients.blocks.items()}
    other = fit_models(replace(patients, frame=patients.frame[columns], blocks=blocks),
                       {"all": ("clinical", "genes")}, [learner])["all", learner]
    found, expected = other.score(patients.frame), model.score(patients.frame)
    assert np.corrcoef(found, expected)[0, 1] > (0.999999 if learner == "ridge" else 0.9)


def test_cache_key_notices_every_change(few_trees):
    patients = everything("truncated")
    seen = {data_digest(patients)}

    def changed(**parts) -> None:
        digest = data_digest(replace(patients, **parts))
        assert digest not in seen, list(parts)
        seen.add(digest)

    frame = patients.frame.copy()
    frame.iloc[3, 1] = np.nextafter(frame.iloc[3, 1], 9)
    changed(frame=frame)
    frame = patients.frame.copy()
    frame.iloc[3, 2] = "x" if frame.iloc[3, 2] != "x" else "y"
    changed(frame=frame)
    changed(frame=patients.frame.rename(columns={"g5": "g6"}))
    changed(blocks={"clinical": ("a", "b", "c", "g0"), "genes": patients.blocks["genes"][1:]})
    changed(categorical=())
    endpoint = patients.endpoint
    for name in ("time", "entry"):
        values = getattr(endpoint, name).copy()
        values[5] *= 0.999
        changed(endpoint=replace(endpoint, **{name: values}))
    flipped = endpoint.outcome.copy()
    flipped[5] = ~flipped[5]
    changed(endpoint=replace(endpoint, outcome=flipped))
    changed(endpoint=replace(endpoint, patients=endpoint.patients[::-1]))
    companions = patients.companions
    for name in ("centre", "stratum"):
        values = getattr(companions, name).copy()
        values.iloc[5] = "other"
        changed(companions=replace(companions, **{name: values}))
    perturbed = companions.perturbed.copy()
    perturbed.iloc[0, 3] += 1e-9
    changed(companions=replace(companions, perturbed=perturbed))
    case = FoldCase(0, 0, patients, np.arange(60), np.arange(60, 120), BOTH, ("ridge",), FitOptions())
    keys = {case.key("x"), case.key("y")}
    for other in (replace(case, fold=1), replace(case, repeat=1), replace(case, train=np.arange(59)),
                  replace(case, sets={"a": ("clinical",)}), replace(case, learners=("lasso",)),
                  replace(case, learners=("lightgbm",)), replace(case, score="s"), replace(case, centre="A"),
                  *(replace(case, options=options) for options in PROCEDURES.values()),
                  replace(case, options=FitOptions(horizon=3.0)), replace(case, options=FitOptions(groups=3)),
                  replace(case, options=FitOptions(search=SearchOptions(optuna=True))),
                  replace(case, options=FitOptions(search=SearchOptions(seed=4)))):
        assert other.key("x") not in keys
        keys.add(other.key("x"))


def permuted_aucs(draws: int, leak: bool) -> list[float]:
    """Mean AUC over folds of the whole default, with outcomes dealt out at random."""
    patients = with_centres(two_blocks("binary", 120, p=200 if leak else 30))
    options = FitOptions(preparation=PreparationSettings(selection="univariate", features=5), harmonised=("genes",),
                         inner_folds=3)
    rng, values = np.random.default_rng(0), []
    for draw in range(draws):
        endpoint = Endpoint("y", rng.permutation(np.arange(120) < 60), patients.endpoint.patients)
        frame, blocks = patients.frame, dict(patients.blocks)
        if leak:  # genes chosen with the outcome of everybody
            difference = frame.loc[endpoint.event, list(blocks["genes"])].mean() - frame.loc[
                ~endpoint.event, list(blocks["genes"])].mean()
            best = difference.abs().sort_values().index[-4:]
            blocks["genes"] = tuple(best)
        design = Design(frame, blocks, patients.categorical)
        folds = cross_validate(design, endpoint, learners=[DEFAULT], folds=3, repeats=1, seed=draw, options=options,
                               companions=patients.companions)["folds"]
        values.append(folds.loc[folds["metric"] == "auc", "value"].mean())
    return values


def test_permuted_labels_give_chance_and_a_leak_does_not(few_trees):
    null = permuted_aucs(12, leak=False)
    assert np.mean(null) == pytest.approx(0.5, abs=max(0.03, 3 * np.std(null, ddof=1) / np.sqrt(12)))
    assert np.mean(permuted_aucs(5, leak=True)) > 0.6


def test_signal_is_found_without_a_study(few_trees):
    patients = two_blocks("survival", 200)
    folds = cross_validate(Design(patients.frame, patients.blocks, patients.categorical), patients.endpoint,
                           learners=[DEFAULT, "ridge", "forest"], folds=3, repeats=1)["folds"]
    assert folds[folds["metric"] == "c_index"].groupby("learner")["value"].mean().min() > 0.62


def test_outcome_of_the_default_seed_is_repeatable(few_trees):
    first, second = (cross_validate(Design(p.frame, p.blocks, p.categorical), p.endpoint, learners=[DEFAULT], folds=2,
                                    repeats=1) for p in [two_blocks("binary")] * 2)
    pd.testing.assert_frame_equal(first["predictions"], second["predictions"])
    assert outcome_of(np.zeros(10), "binary").kind == "binary"

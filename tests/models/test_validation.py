"""Who is trained on and who is tested on: centres, external tables, the sealed test, permutations, subsamples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import medomicslab_nb as ml
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.permutation import permuted
from medomicslab_nb.evaluation.sealed import find_seal, seal
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.fitting import FitOptions, fit_models
from medomicslab_nb.models.model_file import load
from medomicslab_nb.models.nested import evaluate_fold
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.stage import run
from medomicslab_nb.models.study_patients import read_outcome
from medomicslab_nb.models.validation import (
    PermutedCase,
    SubsampleCase,
    centre_cases,
    evaluate_permutation,
    evaluate_subsample,
    held_out_case,
)
from medomicslab_nb.progress import Progress
from medomicslab_nb.tables import Column
from tests.models.conftest import COLUMNS, PATIENT, clinical, two_blocks, with_centres
from tests.models.test_study_patients import others

SETS = {"all": ("clinical", "genes")}
FAST = {"folds": 2, "repeats": 1, "inner_folds": 2, "jobs": 1, "explain": False, "ablation": False, "compare": False,
        "learner": "ridge"}


def run_stage(study, **settings):
    return run(study, ModelsSettings(**{"outcome": "response", **FAST, **settings}), Progress())


# -- centres ----------------------------------------------------------------------------------------------------------


def test_training_never_contains_the_centre_that_is_held_out(few_trees):
    patients = with_centres(two_blocks("binary", 150))
    cases = centre_cases(patients, sets=SETS, learners=["ridge"], options=FitOptions(harmonised=("genes",)))
    assert [case.centre for case in cases] == ["A", "B", "C"]
    centre = patients.companions.centre
    for case in cases:
        assert set(centre.iloc[case.test]) == {case.centre}
        assert case.centre not in set(centre.iloc[case.train])
        assert len(case.train) + len(case.test) == 150
    found = evaluate_fold(cases[1])
    assert any("Centre 'B' was not in training" in note and "transductive" in note for note in found["notes"]["note"])
    assert found["folds"]["centre"].unique().tolist() == ["B"]


def test_a_small_new_centre_is_left_unharmonised_and_said():
    patients = with_centres(two_blocks("binary", 150))
    centre = patients.companions.centre.copy()
    centre.iloc[:12] = "tiny"
    patients = replace(patients, companions=replace(patients.companions, centre=centre))
    options = FitOptions(harmonised=("genes",))
    case = next(case for case in centre_cases(patients, sets=SETS, learners=["ridge"], options=options)
                if case.centre == "tiny")
    assert any("fewer than 20 patients: its values were left unharmonised" in note
               for note in evaluate_fold(case)["notes"]["note"])


def test_centres_that_cannot_be_held_out():
    patients = two_blocks("binary")
    options = {"sets": SETS, "learners": ["ridge"], "options": FitOptions()}
    with pytest.raises(DataError, match="the centres of the patients are not known"):
        centre_cases(patients, **options)
    with pytest.raises(DataError, match="all patients are of one centre"):
        centre_cases(with_centres(patients, ("A",)), **options)
    centred = with_centres(patients)
    centre = centred.companions.centre.copy()
    centre.iloc[:3] = None
    with pytest.raises(DataError, match="the centre of 3 of 120 patients is not known"):
        centre_cases(replace(centred, companions=replace(centred.companions, centre=centre)), **options)


def test_leave_one_centre_out_of_a_study(study, few_trees):
    frame = clinical().assign(hospital=np.array(["A", "B", "C"], dtype=object)[np.arange(90) % 3])
    study.add_table("clinical", frame, columns={**COLUMNS, "hospital": Column(role="centre", type="category")})
    result = run_stage(study, validation="leave one centre out")
    predictions = result.tables["predictions"]
    by_fold = predictions.merge(frame[["patient", "hospital"]]).groupby("fold")["hospital"].unique()
    assert [list(names) for names in by_fold] == [["A"], ["B"], ["C"]]
    folds = result.tables["folds"].query("metric == 'auc'")
    assert folds["centre"].tolist() == ["A", "B", "C"]
    own = result.tables["subgroups"].query("subgroup == 'centre'")
    for centre, part in predictions.merge(frame[["patient", "hospital"]]).groupby("hospital"):
        expected = roc_auc_score(part["observed"], part["score"])
        assert folds.loc[folds["centre"] == centre, "value"].iloc[0] == pytest.approx(expected)
        assert own.loc[own.eq(centre).any(axis=1), "estimate"].iloc[0] == pytest.approx(expected)
    # Pairs of patients of two centres count for nothing.
    assert result.metrics["estimate"] == pytest.approx(np.average(folds["value"], weights=folds["n_test"]))


# -- external tables and the sealed test ------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["response", "os"])
def test_external_validation_is_the_final_model_on_other_patients(study, outcome):
    study.add_table("clinical_b", others(60), columns=COLUMNS)
    settings = {"outcome": outcome, "validation": "external", "external": {"clinical": "clinical_b"}}
    result = run_stage(study, **settings)
    predictions = result.tables["predictions"]
    assert predictions["patient"].tolist() == others(60)["patient"].tolist()
    assert result.metrics["n"] == 60
    assert (result.tables["folds"][["n_train", "n_test"]].drop_duplicates().to_numpy() == [[90, 60]]).all()
    # What is kept is what was tested.
    frame = others(60).set_index("patient")[["age", "stage", "marker"]].assign(**{f"g{i}": np.nan for i in range(12)})
    score = load(result.models["default.skops"]).model.score(frame)
    assert predictions["score"].to_numpy() == pytest.approx(score)
    performance = result.tables["performance"].set_index("metric")
    assert (performance["aggregation"] == "held out").all()
    if outcome == "response":
        assert performance.loc["auc", "estimate"] == pytest.approx(
            roc_auc_score(predictions["observed"], predictions["score"]))
        assert performance.loc["auc", "interval"].startswith("DeLong")


def test_sealed_test_is_opened_once_for_a_reason(study):
    settings = {"outcome": "response", "validation": "sealed"}
    with pytest.raises(DataError, match="there is no sealed test set"):
        run_stage(study, **settings, reason="final")
    found = seal(study, read_outcome(study, ModelsSettings(outcome="response")), share=0.3, seed=0)
    development = run_stage(study)
    assert not set(development.tables["predictions"]["patient"]) & set(found.patients)
    assert any("were sealed as a test set" in text for text in development.warnings)
    with pytest.raises(DataError, match="reason"):
        run_stage(study, **settings)
    assert not find_seal(study, read_outcome(study, ModelsSettings(outcome="response"))).openings
    first = run_stage(study, **settings, reason="the protocol says so")
    assert set(first.tables["predictions"]["patient"]) == set(found.patients)
    assert first.metrics["n"] == len(found.patients)
    with pytest.raises(DataError, match="a second look with other settings"):
        run_stage(study, **settings, reason="the protocol says so", seed=1)
    again = run_stage(study, **settings, reason="the protocol says so")
    assert again.metrics == first.metrics
    # Development goes on without them.
    assert not set(run_stage(study).tables["predictions"]["patient"]) & set(found.patients)


def test_a_sealed_run_keeps_its_record(study):
    seal(study, read_outcome(study, ModelsSettings(outcome="response")), share=0.3, seed=0)
    done = ml.run("models", study, {"outcome": "response", **FAST, "validation": "sealed", "reason": "final"}, sinks=[])
    assert done.status == "completed"
    assert find_seal(study, read_outcome(study, ModelsSettings(outcome="response"))).openings[0].reason == "final"


def test_held_out_case_trains_on_the_first_and_tests_on_the_others():
    patients = two_blocks("binary")
    case = held_out_case(patients.take(np.arange(80)), patients.take(np.arange(80, 120)), patients, sets=SETS,
                         learners=["ridge"], options=FitOptions())
    assert np.array_equal(case.train, np.arange(80)) and np.array_equal(case.test, np.arange(80, 120))
    model = fit_models(patients.take(np.arange(80)), SETS, ["ridge"])["all", "ridge"]
    assert np.array_equal(evaluate_fold(case)["predictions"]["score"], model.score(patients.frame.iloc[80:]))


# -- permutations and subsamples --------------------------------------------------------------------------------------


def permutation(patients, number: int) -> float:
    case = PermutedCase(number, patients, {"clinical": ("clinical",)}, "ridge", FitOptions(inner_folds=3), 3)
    return float(evaluate_permutation(case)["null"]["value"].iloc[0])


def test_permutations_are_repeatable_and_differ():
    patients = two_blocks("binary")
    values = [permutation(patients, number) for number in range(5)]
    assert values == [permutation(patients, number) for number in range(5)]
    assert len(set(values)) == 5
    assert values[0] > max(values[1:])


def test_permutations_stay_within_centres(monkeypatch):
    """Centres that differ in outcome still do: a score that tells centres apart then has a null above one half."""
    patients = with_centres(two_blocks("binary"), ("A", "B"))
    seen = []
    monkeypatch.setattr("medomicslab_nb.models.validation.permuted",
                        lambda *args, **kwargs: seen.append(permuted(*args, **kwargs)) or seen[-1])
    permutation(patients, 1)
    (endpoint,) = seen
    centre = patients.companions.centre.to_numpy()
    for name in ("A", "B"):
        assert endpoint.outcome[centre == name].sum() == patients.endpoint.outcome[centre == name].sum()
    assert not np.array_equal(endpoint.outcome, patients.endpoint.outcome)


def test_permutation_test_of_the_stage(study):
    result = run_stage(study, permutations=19, blocks={"clinical": ("clinical",)})
    line = result.tables["permutation"].iloc[0]
    assert line["permutations"] == 19 and line["p"] == pytest.approx(1 / 20)
    assert line["null_mean"] == pytest.approx(0.5, abs=0.06)
    assert line["lower"] <= line["p"] <= line["upper"] + 0.06
    assert any("With the outcome permuted 19 times" in text for text in result.warnings)


def test_subsamples_hold_632_of_a_thousand_of_each_class():
    patients = two_blocks("binary", 200)
    case = SubsampleCase(3, patients, {"clinical": ("clinical",)}, "ridge", FitOptions(inner_folds=3))
    table = evaluate_subsample(case)["subsamples"]
    assert table["n_test"].tolist() == [200 - 2 * round(0.632 * 100)]
    assert 0.5 < table["value"].iloc[0] <= 1
    apparent = evaluate_subsample(replace(case, number=0))["subsamples"]
    model = fit_models(patients, {"clinical": ("clinical",)}, ["ridge"], FitOptions(inner_folds=3))["clinical", "ridge"]
    assert apparent["value"].iloc[0] == pytest.approx(
        roc_auc_score(patients.endpoint.event, model.score(patients.frame)))
    assert apparent["n_test"].tolist() == [200]


def test_632_plus_of_the_stage_by_its_formula(study, few_trees):
    result = run_stage(study, subsamples=6, learner="forest", blocks={"clinical": ("clinical",)})
    line = result.tables["plus_632"].iloc[0]
    err, out, gamma = 1 - line["apparent"], 1 - line["left_out"], 0.5
    assert err < 0.1 < out  # a forest knows its own patients
    rate = (min(out, gamma) - err) / (gamma - err)
    plus = 0.368 * err + 0.632 * out + (min(out, gamma) - err) * 0.368 * 0.632 * rate / (1 - 0.368 * rate)
    assert line["estimate_632_plus"] == pytest.approx(1 - plus)
    assert line["estimate_632"] == pytest.approx(1 - (0.368 * err + 0.632 * out))
    assert line["subsamples"] == 6


def test_keys_of_repetitions_differ():
    patients = two_blocks("binary")
    sets = {"clinical": ("clinical",)}
    keys = {PermutedCase(number, patients, sets, learner, options, folds).key("x")
            for number in (0, 1) for learner in ("ridge", DEFAULT, "xgboost") for folds in (2, 3)
            for options in (FitOptions(), FitOptions(inner_folds=4))}
    keys |= {SubsampleCase(number, patients, sets, learner, options).key("x")
             for number in (0, 1) for learner in ("ridge", DEFAULT, "xgboost")
             for options in (FitOptions(), FitOptions(inner_folds=4))}
    assert len(keys) == 24 + 12


def test_external_centres_are_new_or_known(study):
    """A hospital of development is harmonised as there; a new one by itself, and it is said."""
    frame = clinical().assign(hospital=np.array(["A", "B"], dtype=object)[np.arange(90) % 2])
    columns = {**COLUMNS, "hospital": Column(role="centre", type="category")}
    study.add_table("clinical", frame, columns=columns)
    elsewhere = others(60).assign(hospital="Z")
    study.add_table("clinical_b", elsewhere, columns=columns)
    rng = np.random.default_rng(0)
    ct = pd.DataFrame(rng.normal(size=(150, 3)), columns=["x", "y", "z"]).assign(
        patient=[*frame["patient"], *elsewhere["patient"]])
    ct["x"] += [*(frame["age"] - 60) / 5, *(elsewhere["age"] - 60) / 5]  # else the block would have no weight
    both = {"patient": PATIENT, **{name: Column() for name in "xyz"}}
    study.add_table("ct", ct.iloc[:90], block="ct", columns=both)
    study.add_table("ct_b", ct.iloc[90:], block="ct", columns=both)
    result = run_stage(study, outcome="os", validation="external",
                       external={"clinical": "clinical_b", "ct": "ct_b"},
                       blocks={"clinical": ("clinical",), "ct": ("ct",)})
    assert any("Centre 'Z' was not in training" in text for text in result.warnings)

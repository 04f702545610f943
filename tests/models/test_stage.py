"""The stage: the published tables, their bytes, and what it says in words."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.cache import pack
from medomicslab_nb.errors import DataError, SettingsError, StudyError
from medomicslab_nb.evaluation.checks import impossible_zeros
from medomicslab_nb.evaluation.endpoints import Endpoint, find_endpoint
from medomicslab_nb.evaluation.sealed import find_seal
from medomicslab_nb.evaluation.splits import study_splits
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.learners import LEARNERS
from medomicslab_nb.models.model_file import load
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.stage import run
from medomicslab_nb.models.study_patients import seal_patients
from medomicslab_nb.models.tables import score_matrix
from medomicslab_nb.progress import Progress
from medomicslab_nb.runner import replay
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column
from tests.models.conftest import COLUMNS, PATIENT, clinical, genes

FAST = {"folds": 2, "repeats": 1, "inner_folds": 2, "jobs": 1}

SCHEMA = {
    "folds": "blocks learner repeat fold metric value n_train n_test events_test chosen centre",
    "performance": "blocks learner default metric aggregation estimate lower upper n events interval",
    "ablation": "blocks n_features n_patients estimate lower upper difference difference_lower difference_upper p "
                "p_holm reference interval",
    "calibration": "blocks learner bin n predicted observed lower upper horizon",
    "decision": "blocks threshold strategy net_benefit lower upper n events",
    "roc": "blocks learner fpr tpr lower upper",
    "operating_points": "blocks threshold metric estimate lower upper n prevalence",
    "kaplan_meier": "blocks group time survival lower upper at_risk events",
    "risk_groups": "blocks group n events median_survival hazard_ratio lower upper log_rank p",
    "selection": "blocks feature block selected n share lower upper",
    "importance": "blocks feature block mean_abs_shap lower upper n error selected method",
    "importance_blocks": "blocks block n_features mean_abs_shap lower upper share n method",
    "shap": "blocks row feature value category shap",
    "shap_survival": "blocks time feature block row shap error base n",
    "partial_dependence": "feature block output value category mean lower upper p10 p90 n",
    "lint": "level kind what where todo value n",
    "nomogram_points": None,
    "nomogram_risk": None,
}
"""Columns of each table; of those without an entry another test knows them."""

BINARY = {"roc", "operating_points"}
SURVIVAL = {"kaplan_meier", "risk_groups", "shap_survival"}
MAY_BE_EMPTY = {"lint"}
SOMETIMES = {"selection", "nomogram_points", "nomogram_risk"}  # a model that uses every column has no selection


def run_stage(study, **settings):
    return run(study, ModelsSettings(**{**FAST, **settings}), Progress())


@pytest.mark.parametrize("outcome", ["response", "os"])
def test_published_tables(study, outcome, few_trees):
    result = run_stage(study, outcome=outcome)
    other = BINARY if outcome == "os" else SURVIVAL
    assert set(result.tables) - SOMETIMES == set(SCHEMA) - other - SOMETIMES | {"predictions"}
    for name, table in result.tables.items():
        assert name == "predictions" or "patient" not in table
        if SCHEMA.get(name) and len(table.columns):
            assert list(table.columns) == SCHEMA[name].split(), name
        assert len(table) or name in MAY_BE_EMPTY, name
    predictions = result.tables["predictions"]
    assert list(predictions.columns[:7]) == "patient blocks learner repeat fold score risk_group".split()
    assert not predictions.duplicated(["patient", "blocks", "learner", "repeat"]).any()
    assert predictions.groupby(["blocks", "learner"]).size().tolist() == [90] * 9
    own = clinical().set_index("patient")
    first = predictions.drop_duplicates("patient").set_index("patient").reindex(own.index)
    if outcome == "os":
        assert np.array_equal(first["time"], own["days"]) and np.array_equal(first["event"], own["dead"])
    else:
        assert np.array_equal(first["observed"], own["response"] == 1)
    ablation = result.tables["ablation"]
    assert ablation["blocks"].tolist() == ["clinical", "genes", "clinical + genes"]
    assert ablation["reference"].unique().tolist() == ["clinical"]
    assert ablation["n_features"].tolist() == [3, 12, 15]
    assert ablation["n_patients"].tolist() == [90, 90, 90]
    assert result.metrics["metric"] == ("c_index" if outcome == "os" else "auc")
    assert result.metrics["by_blocks"].keys() == {"clinical", "genes", "clinical + genes"}
    assert result.metrics["by_learner"].keys() == {DEFAULT, "ridge", "forest"}
    assert any(text.startswith("Adding genes to clinical changed") for text in result.warnings)
    frame = clinical().set_index("patient")[["age", "stage", "marker"]].assign(**dict.fromkeys(
        [f"g{i}" for i in range(12)], 0.0))
    assert np.isfinite(load(result.models["default.skops"]).model.score(frame)).all()


@pytest.mark.parametrize(("settings", "metric"), [
    ({"outcome": "stage", "kind": "multiclass", "predictors": {"clinical": ["age", "marker"]}}, "auc_ovr"),
    ({"outcome": "marker", "kind": "continuous", "predictors": {"clinical": ["age", "stage"]}}, "r2")])
def test_other_outcomes(study, settings, metric, few_trees):
    result = run_stage(study, **settings, explain=False)
    assert result.metrics["metric"] == metric
    assert result.metrics["n"] == (90 if metric == "auc_ovr" else int(clinical()["marker"].notna().sum()))
    assert {"decision", "roc", "kaplan_meier"}.isdisjoint(result.tables)
    assert ("calibration" in result.tables) == (metric == "auc_ovr")


def test_headline_is_the_mean_over_folds(study, few_trees):
    from sklearn.metrics import roc_auc_score

    result = run_stage(study, outcome="response", folds=3, repeats=2, explain=False, ablation=False)
    predictions = result.tables["predictions"]
    own = predictions[predictions["learner"] == DEFAULT]
    aucs = [roc_auc_score(part["observed"], part["score"]) for _, part in own.groupby(["repeat", "fold"])]
    assert result.metrics["estimate"] == pytest.approx(np.mean(aucs))
    assert len(aucs) == 6
    assert result.metrics["lower"] < result.metrics["estimate"] < result.metrics["upper"]
    pooled = result.tables["performance"].query("aggregation == 'pooled' and metric == 'auc' and default")
    by_repeat = [roc_auc_score(part["observed"], part["score"]) for _, part in own.groupby("repeat")]
    assert pooled["estimate"].iloc[0] == pytest.approx(np.mean(by_repeat))


@pytest.mark.parametrize("settings", [{"outcome": "os"}, {"outcome": "response", "permutations": 1, "subsamples": 2}])
def test_no_identifier_outside_of_predictions(tmp_path, settings, few_trees):
    """Identifiers that occur nowhere else: in no table but the predictions, no sentence, no number, no model file."""
    made = create_study(tmp_path / "study")
    frame = clinical().assign(patient=[f"ZQX{i:04d}" for i in range(90)])
    made.add_table("clinical", frame, columns=COLUMNS)
    result = run_stage(made, **settings, subgroups=("stage",))
    text = " ".join([*result.warnings, str(result.metrics),
                     *(table.to_csv() for name, table in result.tables.items() if name != "predictions")])
    assert "ZQX" not in text
    content = result.models["default.skops"]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not any(b"ZQX" in archive.read(name) for name in archive.namelist())
    assert result.tables["predictions"]["patient"].str.startswith("ZQX").all()


def test_order_of_rows_and_of_tables_changes_nothing(tmp_path, few_trees):
    found = []
    for number, shuffled in enumerate([clinical(), clinical().sample(frac=1, random_state=1)]):
        made = create_study(tmp_path / f"study{number}")
        made.add_table("clinical", shuffled, columns=COLUMNS)
        found.append(run_stage(made, outcome="response", explain=False))
    assert pack(found[0].tables) == pack(found[1].tables)
    assert found[0].models == found[1].models


def test_same_bytes_with_one_job_and_two(study):
    settings = {"outcome": "response", "ablation": False, "compare": False}
    one = run_stage(study, **settings)
    for entry in sorted(study.cache("models").folder.rglob("*.zip")):
        entry.unlink()
    two = run_stage(study, **settings, jobs=2)
    assert pack(one.tables) == pack(two.tables)
    assert one.models == two.models
    assert (one.metrics, one.warnings) == (two.metrics, two.warnings)


def test_cached_folds_are_not_computed_again(study, few_trees, monkeypatch):
    first = run_stage(study, outcome="response", ablation=False, explain=False)
    monkeypatch.setattr("medomicslab_nb.models.nested.fit_models", None)
    second = run_stage(study, outcome="response", ablation=False, explain=False)
    assert pack(first.tables) == pack(second.tables)


def test_cache_notices_every_change(study, few_trees):
    run_stage(study, outcome="response", ablation=False, explain=False)
    cached = len(list(study.cache("models").folder.rglob("*.zip")))
    assert cached == 2
    study.add_table("clinical", clinical().assign(age=lambda frame: frame["age"] + (frame.index == 5)), columns=COLUMNS)
    run_stage(study, outcome="response", ablation=False, explain=False)
    assert len(list(study.cache("models").folder.rglob("*.zip"))) == 2 * cached


def test_only_what_was_asked_for(study, few_trees):
    result = run_stage(study, outcome="os", learner="ridge", compare=False, ablation=False, explain=False)
    assert set(result.tables) - {"selection"} == {"predictions", "performance", "folds", "calibration", "decision",
                                                  "kaplan_meier", "risk_groups", "lint"}
    assert result.tables["performance"]["learner"].unique().tolist() == ["ridge"]
    assert result.tables["performance"]["default"].all()
    assert set(result.tables["performance"]["blocks"]) == {"clinical + genes"}


@pytest.mark.parametrize("learner", ["lasso", "elastic net", "plain", "svm", "boosting"])
def test_every_learner_alone(study, learner, monkeypatch, few_trees):
    monkeypatch.setitem(LEARNERS["boosting"].grid, "trees", (30,))
    for outcome in ("response", "os"):
        result = run_stage(study, outcome=outcome, learner=learner, compare=False, ablation=False, explain=False,
                           predictors={"genes": ("g0", "g1")})
        assert result.metrics["default"] == learner
        assert result.metrics["estimate"] > 0.5


def test_clinical_score_stands_beside_the_model(study, few_trees):
    result = run_stage(study, outcome="os", clinical_score=("age", "stage"), explain=False)
    performance = result.tables["performance"]
    score = performance[performance["blocks"] == "clinical score"]
    assert score["learner"].unique().tolist() == ["plain"] and not score["default"].any()
    assert result.metrics["blocks"] == "clinical + genes"
    assert "clinical score" not in result.tables["ablation"]["blocks"].tolist()
    with pytest.raises(DataError, match=r"setting 'clinical_score'.*no predictor 'agee'"):
        run_stage(study, outcome="os", clinical_score=("agee",))


def test_clinical_score_stands_beside_a_plain_model_and_is_not_taken_for_it(study):
    result = run_stage(study, outcome="response", learner="plain", compare=False, clinical_score=("age", "stage"),
                       explain=False)
    performance = result.tables["performance"].set_index("blocks")
    assert not performance.loc["clinical score", "default"].any() and performance.loc["clinical", "default"].all()
    assert set(result.metrics["by_blocks"]) == {"clinical", "genes", "clinical + genes"}
    for table in ("ablation", "operating_points", "decision"):
        assert "clinical score" not in result.tables[table]["blocks"].tolist()


def test_a_lasso_that_selects_nothing_is_not_counted_as_selecting_everything(study):
    rng = np.random.default_rng(4)
    noise = clinical().assign(response=rng.permutation(np.arange(90) % 2))
    study.add_table("clinical", noise, columns=COLUMNS)
    result = run_stage(study, outcome="response", learner="lasso", compare=False, ablation=False, explain=False,
                       blocks={"genes": ("genes",)}, folds=5)
    models = result.tables["folds"].query("metric == 'auc'")["chosen"]
    empty = models.str.startswith("penalty 0.").sum()
    assert empty == 5
    selection = result.tables["selection"].set_index("feature")
    coefficients = [part["score"].nunique() > 1 for _, part in result.tables["predictions"].groupby("fold")]
    # A model that gives everybody the same score used no column.
    assert selection["selected"].max() <= sum(coefficients)
    assert (selection["n"] == 5).all()


def test_cohort_restricts_and_splits_stay(study, few_trees):
    everybody = run_stage(study, outcome="os", ablation=False, explain=False).tables["predictions"]
    study.add_table("young", clinical().query("age < 62")[["patient"]], columns={"patient": Column(role="identifier")})
    result = run_stage(study, outcome="os", cohort="young", ablation=False, explain=False, blocks={"c": ("clinical",)})
    some = result.tables["predictions"]
    assert result.metrics["n"] == (clinical()["age"] < 62).sum()
    keys = ["patient", "repeat", "fold"]
    assert len(some[keys].drop_duplicates().merge(everybody[keys].drop_duplicates())) == result.metrics["n"]
    with pytest.raises(StudyError, match="Did you mean 'young'"):
        run_stage(study, outcome="os", cohort="yuong")


def test_bad_input_48_outcome_that_cannot_be_modelled(study):
    study.add_table("clinical", clinical().assign(response=1), columns=COLUMNS)
    with pytest.raises(DataError, match="one class only"):
        run_stage(study, outcome="response")
    study.add_table("clinical", clinical().assign(days=-1.0), columns=COLUMNS)
    with pytest.raises(DataError, match="negative in 90 patients"):
        run_stage(study, outcome="os")
    study.add_table("clinical", clinical().assign(response=[1] * 3 + [0] * 87), columns=COLUMNS)
    with pytest.raises(DataError, match="5 folds need at least 5 patients"):
        run_stage(study, outcome="response", folds=5)
    study.add_table("clinical", clinical().assign(dead=False), columns=COLUMNS)
    with pytest.raises(DataError, match="no patient had the event"):
        run_stage(study, outcome="os")


def test_bad_input_49_disguise_is_in_warnings_and_metrics(study, few_trees):
    frame = clinical()
    study.add_table("clinical", frame.assign(copy=frame["response"] * 3.0), columns={**COLUMNS, "copy": Column()})
    result = run_stage(study, outcome="response", ablation=False, explain=False)
    assert result.metrics["disguised"] == ["copy"]
    assert any(text.startswith("'copy' ") for text in result.warnings)


def test_bad_input_51_column_that_a_training_fold_lacks(study, few_trees):
    rare = pd.Series(np.nan, index=range(90))
    rare.iloc[4] = 1.0
    study.add_table("clinical", clinical().assign(rare=rare), columns={**COLUMNS, "rare": Column()})
    result = run_stage(study, outcome="os", ablation=False)
    assert np.isfinite(result.tables["predictions"]["score"]).all()


def test_bad_input_50_more_columns_than_patients_is_said(study, few_trees):
    study.add_table("genes", genes(90, 120), block="genes", default_column=Column(), transposed=True)
    result = run_stage(study, outcome="response", ablation=False, explain=False, learner="ridge", compare=False)
    assert any("There are more predictors (123) than patients (90)" in text for text in result.warnings)
    assert np.isfinite(result.tables["predictions"]["score"]).all()


def test_bad_input_49_time_in_disguise_is_named_and_does_not_stop_the_run(study, few_trees):
    frame = clinical()
    study.add_table("clinical", frame.assign(visits=frame["days"] / 30), columns={**COLUMNS, "visits": Column()})
    result = run_stage(study, outcome="os", ablation=False, explain=False)
    assert result.metrics["disguised"] == ["visits"]
    assert any(text.startswith("'visits' ") for text in result.warnings)


def test_bad_input_51_impossible_zeros_are_named_by_the_data_stage():
    """The data stage looks for them: a blood pressure of 0 is a missing one."""
    values = pd.Series([0.0] * 8 + list(np.random.default_rng(0).normal(120, 10, 92)))
    assert impossible_zeros(values) == 8
    assert not impossible_zeros(pd.Series([0.0] * 50 + [1.0] * 50))


def test_bad_input_92_a_predictor_dated_after_the_index_date_is_refused(tmp_path):
    made = create_study(tmp_path / "study", index_date="diagnosis")
    made.add_table("clinical", clinical().assign(diagnosis="2020-01-10"),
                   columns={**COLUMNS, "diagnosis": Column(role="index_date", type="date")})
    labs = clinical()[["patient", "marker"]].assign(taken=["2020-01-11"] * 2 + ["2020-01-10"] * 88)
    made.add_table("labs", labs, block="labs", date_column="taken", columns={
        "patient": PATIENT, "marker": Column(), "taken": Column(role="date", type="date")})
    with pytest.raises(DataError, match="2 of 90 patients have values dated after their index date"):
        run_stage(made, outcome="os")


def test_horizon_beyond_follow_up(study):
    with pytest.raises(DataError, match="nobody is followed as long"):
        run_stage(study, outcome="os", horizon=5000.0)


def test_bad_input_59_unknown_setting_gives_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'repeats'"):
        ModelsSettings.parse({"outcome": "os", "repeat": 3})


def test_stale_cohort_is_refused_and_everybody_can_be_asked_for(study, few_trees):
    """A cohort from tables that have changed since must not fall back to everybody in silence."""
    import medomicslab_nb as ml

    settings = {"outcome": "os", "folds": 2, "repeats": 1, "inner_folds": 2, "ablation": False, "explain": False,
                "blocks": {"c": ("clinical",)}}
    ml.run("data", study, {}, sinks=[])
    study.update_columns("clinical", {"age": study.info("clinical").column("age").model_copy(update={"unit": "y"})})
    with pytest.raises(StudyError, match=r"'cohort' is stale: clinical changed.*Run stage 'data' again"):
        ml.run("models", study, settings, sinks=[])
    assert ml.run("models", study, {**settings, "cohort": "all"}, sinks=[]).status == "completed"


def test_an_imported_table_named_cohort_does_not_replace_the_cohort_of_the_data_run(study, few_trees):
    import medomicslab_nb as ml

    settings = {"outcome": "os", **FAST, "ablation": False, "explain": False, "blocks": {"c": ("clinical",)}}
    step = {"label": "young", "table": "clinical", "column": "age", "keep": "<", "value": 62}
    ml.run("data", study, {"cohort": [step]}, sinks=[])
    young = int((clinical()["age"] < 62).sum())
    before = ml.run("models", study, settings, sinks=[])
    assert any(source["name"] == "run-table cohort" for source in before.inputs)
    study.add_table("cohort", clinical()[["patient"]].head(40), columns={"patient": Column(role="identifier")})
    again, comparison = replay(before, sinks=[])
    assert all(part.equal for part in comparison)
    ml.run("data", study, {"cohort": [step], "tables": ["clinical"]}, sinks=[])
    after = ml.run("models", study, settings, sinks=[])
    assert before.metrics["n"] == again.metrics["n"] == after.metrics["n"] == young
    ml.run("data", study, {"cohort": [{**step, "value": 58}]}, sinks=[])
    assert "run-table cohort" in after.stale
    named = ml.run("models", study, {**settings, "cohort": "cohort"}, sinks=[])
    assert named.metrics["n"] == 40


def test_settings_that_contradict_the_data_are_refused_before_the_sealed_test_is_opened(study):
    seal_patients(study, "os", share=0.3)
    sealed = {"outcome": "os", "validation": "sealed", "reason": "final analysis"}
    for settings, fault in [
            ({"reason": " "}, "sealed test: no reason is given. Say in the setting 'reason'"),
            ({"learner": "lightgbm"}, "'lightgbm' cannot predict a survival outcome"),
            ({"balanced": True}, "a survival outcome has no classes to weight"),
            ({"fusion": "penalised", "learner": "forest"}, "learner 'forest' has no penalty for each block")]:
        with pytest.raises(DataError, match=fault):
            run_stage(study, **{**sealed, **settings})
        assert not find_seal(study, find_endpoint(study, "os")).openings
    with pytest.raises(DataError, match="no table of external patients is named"):
        run_stage(study, outcome="os", validation="external")


def test_a_patient_without_a_score_is_an_error():
    endpoint = Endpoint("x", np.array([True, False]), pd.Index(["a", "b"], name="patient"))
    predictions = pd.DataFrame({"patient": ["a", "b", "a"], "repeat": [0, 0, 1], "score": [0.1, 0.2, 0.3]})
    with pytest.raises(DataError, match="1 of 2 patients lack an out-of-fold score"):
        score_matrix(predictions, endpoint)


def test_cohort_too_small_for_the_folds_is_refused_before_anything_is_fitted(study):
    everybody = study_splits(study, find_endpoint(study, "os"), folds=5, repeats=1, seed=0)
    few = everybody.loc[everybody["fold"] != 0, ["patient"]]
    study.add_table("few", few.reset_index(drop=True), columns={"patient": Column(role="identifier")})
    with pytest.raises(DataError, match="fold 1 of repeat 1 empty"):
        run_stage(study, outcome="os", folds=5, cohort="few", blocks={"c": ("clinical",)})

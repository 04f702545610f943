"""The stage: the published tables, their bytes, and what it says in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.cache import pack
from medomicslab_nb.errors import DataError, SettingsError, StudyError
from medomicslab_nb.evaluation.endpoints import Endpoint, find_endpoint
from medomicslab_nb.evaluation.splits import study_splits
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.explain import load_model
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.stage import run
from medomicslab_nb.models.tables import score_matrix
from medomicslab_nb.progress import Progress
from medomicslab_nb.runner import replay
from medomicslab_nb.tables import Column
from tests.models.conftest import COLUMNS, clinical

FAST = {"folds": 2, "repeats": 1, "inner_folds": 2, "jobs": 1}

SCHEMA = {
    "performance": "blocks learner default metric aggregation estimate lower upper n events interval",
    "folds": "blocks learner repeat fold metric value n_train n_test events_test chosen",
    "calibration": "blocks learner bin n predicted observed lower upper horizon",
    "importance": "blocks feature block mean_abs_shap selected",
    "shap": "blocks row feature value category shap",
    "ablation": "blocks n_features estimate lower upper difference difference_lower difference_upper p reference",
    "roc": "blocks learner fpr tpr lower upper",
    "kaplan_meier": "blocks group time survival lower upper at_risk events",
}


def run_stage(study, **settings):
    return run(study, ModelsSettings(**{**FAST, **settings}), Progress())


@pytest.mark.parametrize("outcome", ["response", "os"])
def test_published_tables(study, outcome, few_trees):
    result = run_stage(study, outcome=outcome)
    survival = outcome == "os"
    only = {"kaplan_meier"} if survival else {"roc"}
    assert set(result.tables) == (set(SCHEMA) - {"roc", "kaplan_meier"}) | only | {"predictions"}
    for name, columns in SCHEMA.items():
        if name in result.tables:
            assert list(result.tables[name].columns) == columns.split()
            assert "patient" not in result.tables[name]
    predictions = result.tables["predictions"]
    expected = "patient blocks learner repeat fold score probability"
    assert list(predictions.columns[:7]) == expected.split()
    assert predictions["probability"].isna().all() == survival
    assert not predictions.duplicated(["patient", "blocks", "learner", "repeat"]).any()
    assert predictions.groupby(["blocks", "learner"]).size().tolist() == [90] * 9
    ablation = result.tables["ablation"]
    assert ablation["blocks"].tolist() == ["clinical", "genes", "clinical + genes"]
    assert ablation["reference"].unique().tolist() == ["clinical"]
    assert ablation["n_features"].tolist() == [3, 12, 15]
    assert result.metrics["metric"] == ("c_index" if survival else "auc")
    assert result.metrics["by_blocks"].keys() == {"clinical", "genes", "clinical + genes"}
    assert result.metrics["by_learner"].keys() == {DEFAULT, "ridge", "forest"}
    assert any(text.startswith("Adding genes to clinical changed the") for text in result.warnings)
    frame = clinical().set_index("patient")[["age", "stage", "marker"]].assign(**dict.fromkeys(
        [f"g{i}" for i in range(12)], 0.0))
    assert np.isfinite(load_model(result.models["default.skops"]).score(frame)).all()


def test_no_identifier_outside_of_predictions(study, few_trees):
    result = run_stage(study, outcome="os")
    text = " ".join([*result.warnings, str(result.metrics),
                     *(table.to_csv() for name, table in result.tables.items() if name != "predictions")])
    assert not any(f"{patient}" in text.split() for patient in clinical()["patient"])


def test_same_bytes_with_one_job_and_two(study):
    settings = {"outcome": "response", "ablation": False, "compare": False}
    one = run_stage(study, **settings)
    for entry in sorted(study.cache("models").folder.rglob("*.zip")):
        entry.unlink()
    two = run_stage(study, **settings, jobs=2)
    assert pack(one.tables) == pack(two.tables)
    assert (one.metrics, one.warnings) == (two.metrics, two.warnings)


def test_cached_folds_are_not_computed_again(study, few_trees, monkeypatch):
    first = run_stage(study, outcome="response", ablation=False, explain=False)
    monkeypatch.setattr("medomicslab_nb.models.nested.fit_models", None)
    second = run_stage(study, outcome="response", ablation=False, explain=False)
    assert pack(first.tables) == pack(second.tables)


def test_cache_notices_every_change(study, few_trees):
    run_stage(study, outcome="response", ablation=False, explain=False)
    cached = len(list(study.cache("models").folder.rglob("*.zip")))
    study.add_table("clinical", clinical().assign(age=lambda frame: frame["age"] + (frame.index == 5)), columns=COLUMNS)
    run_stage(study, outcome="response", ablation=False, explain=False)
    assert len(list(study.cache("models").folder.rglob("*.zip"))) == 2 * cached


def test_only_what_was_asked_for(study, few_trees):
    result = run_stage(study, outcome="os", learner="ridge", compare=False, ablation=False, explain=False)
    assert set(result.tables) == {"predictions", "performance", "folds", "calibration", "kaplan_meier"}
    assert result.tables["performance"]["learner"].unique().tolist() == ["ridge"]
    assert result.tables["performance"]["default"].all()
    assert set(result.tables["performance"]["blocks"]) == {"clinical + genes"}


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

"""New patients: same predictions whatever the table's form; what is wrong is refused, what is new is flagged."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError, RunError
from medomicslab_nb.evaluation.risk_groups import risk_groups
from medomicslab_nb.files import sha256_of, table_bytes
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.fitting import FitOptions, Patients, fit_models
from medomicslab_nb.models.learners import trees
from medomicslab_nb.models.model_file import EndpointSummary, ModelFile, column_schema, save
from medomicslab_nb.models.predict import _centre_column, load_run_model, predict, predict_study, write_csv
from medomicslab_nb.models.preparation_settings import PreparationSettings
from medomicslab_nb.record import RunRecord
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column
from tests.models.handed_over import BLOCKS, KINDS, endpoint, fitted, predictors


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(trees, "TREES", 40)


@pytest.fixture(scope="module")
def binary():
    return fitted("binary")[0]


@pytest.fixture
def new() -> pd.DataFrame:
    """Five usual patients."""
    frame = predictors(400, 7)
    usual = frame["age"].between(50, 70) & frame["size"].between(12, 33) & (frame[list(BLOCKS["genes"])].abs() < 1
                                                                          ).all(axis=1)
    return frame[usual].head(5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learner", ["ridge", "forest"])
def test_predictions_are_the_models(kind, learner):
    file, train = fitted(kind, learner)
    found = predict(file, train)
    score = file.model.score(train)
    estimate = file.model.probability(score)
    assert list(found["patient"]) == list(train.index)
    if kind == "multiclass":
        classes = file.endpoint.classes
        assert np.array_equal(found[[f"probability: {name}" for name in classes]], estimate)
        assert found[[f"probability: {name}" for name in classes]].sum(axis=1).to_numpy() == pytest.approx(1)
        assert list(found["most_likely"]) == [classes[k] for k in np.argmax(estimate, axis=1)]
        assert "risk_group" not in found
    else:
        assert np.array_equal(found["score"], score)
        name = {"binary": "probability", "continuous": "predicted", "survival": "risk_at_horizon"}[kind]
        assert np.array_equal(found[name], estimate)
        (cut_off,) = file.model.cut_offs
        assert list(found["risk_group"] == "high risk") == list(score > cut_off)
    if kind == "survival":
        assert (found["horizon"] == file.endpoint.horizon).all()
        assert "prediction_set" not in found
    elif kind == "continuous":
        assert (found["lower"] < found["predicted"]).all()
        assert (found["upper"] > found["predicted"]).all()
    else:
        assert set(found["prediction_set"]) - {"none"}


def test_form_of_the_table_does_not_matter(binary, new):
    expected = predict(binary, new)
    assert list(expected["flags"]) == [""] * 5
    shuffled = new[new.columns[::-1]].assign(other="text", another=1.0)
    pd.testing.assert_frame_equal(predict(binary, shuffled), expected)
    as_text = new.assign(age=new["age"].map(repr), stage=new["stage"].astype(int))
    pd.testing.assert_frame_equal(predict(binary, as_text), expected)
    pd.testing.assert_frame_equal(predict(binary, new.assign(stage=new["stage"].astype(float))), expected)
    backwards = predict(binary, new.iloc[::-1]).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(backwards, expected)
    for row in range(5):
        alone = predict(binary, new.iloc[[row]]).reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected.iloc[[row]].reset_index(drop=True))


def test_missing_cells_in_any_spelling_are_missing(binary, new):
    gaps = new.assign(age=np.nan, stage=None)
    expected = predict(binary, gaps)
    for word in ("", "NA", " nan ", "?"):
        pd.testing.assert_frame_equal(predict(binary, gaps.assign(age=word, stage=word)), expected)


@pytest.mark.parametrize(("change", "message"), [
    (lambda f: f.rename(columns={"age": "Age_"}), r"1 of the 7 columns that the model uses are missing: 'age' \(is "
                                                  r"'Age_' meant\?\)"),
    (lambda f: f[["g0"]], "3 of the 7 columns that the model uses are missing: 'g1', 'g2', 'g3'"),
    (lambda f: f.drop(columns=list(f.columns)), "7 of the 7 columns"),
    (lambda f: f.assign(age=["12", "x", "y", "3", ""]), "2 of 5 values of 'age' are no numbers"),
    (lambda f: f.assign(age="1,5"), "5 of 5 values of 'age' are no numbers"),
    (lambda f: f.assign(age=np.inf), "5 of 5 values of 'age' are infinite"),
    (lambda f: f.assign(age="inf"), "5 of 5 values of 'age' are infinite"),
    (lambda f: f.assign(age=pd.Timestamp("2020-01-01")), "'age' holds dates"),
    (lambda f: pd.concat([f, f.iloc[:2]]), "2 rows repeat a patient"),
    (lambda f: pd.concat([f, f[["age"]]], axis=1), "1 column names occur twice"),
    (lambda f: f.iloc[:0], "it holds no patient"),
])
def test_what_cannot_be_right_is_refused(binary, new, change, message):
    with pytest.raises(DataError, match=message) as error:
        predict(binary, change(new))
    assert not [patient for patient in new.index if patient in str(error.value)]


def test_another_unit_is_refused_and_an_unknown_one_is_not(binary, new):
    with pytest.raises(DataError, match="1 columns are in another unit than in training"):
        predict(binary, new, units={"size": "cm"})
    for units in ({"size": "mm"}, {"size": ""}, {"age": "years"}):
        predict(binary, new, units=units)


def test_a_missing_block_counts_as_average_and_is_said(binary, new):
    found = predict(binary, new.drop(columns=list(BLOCKS["genes"])))
    assert set(found["flags"]) == {"block 'genes' is missing: it counts as in training"}
    clinical = sum(part.score_prepared(part.preparation.transform(new[part.columns]))
                   for part in binary.model.parts if part.block == "clinical")
    assert found["score"].to_numpy() == pytest.approx(clinical)
    one = new.copy()
    one.loc[one.index[0], list(BLOCKS["genes"])] = np.nan
    flags = list(predict(binary, one)["flags"])
    assert flags == ["no value in block 'genes': it counts as in training", "", "", "", ""]


def test_what_was_never_seen_is_flagged(binary, new):
    train = {column.name: column for column in binary.columns}
    strange = new.copy()
    strange.loc[strange.index[0], ["age", "g0"]] = train["age"].upper + 1, train["g0"].lower - 1
    strange.loc[strange.index[1], "stage"] = "4"
    strange.loc[strange.index[2]] = np.nan
    strange.loc[strange.index[3], "age"] = train["age"].upper * (1 + 1e-9)
    flags = list(predict(binary, strange)["flags"])
    assert flags[0].startswith("outside of the training range: 'age', 'g0'")
    assert flags[1] == "a category that was not seen in training: 'stage'"
    assert flags[2] == "no value at all: this is the prediction of an average training patient"
    assert "outside" not in flags[3]
    assert flags[4] == ""


def test_patients_from_elsewhere_are_flagged(binary, new):
    elsewhere = new.assign(age=new["age"] + 60, g0=8.0, g1=-8.0)
    found = predict(binary, elsewhere)
    assert found["flags"].str.contains("unlike the training patients").all()
    assert (found["distance"] > found["distance_limit"]).all()


def test_how_patients_of_another_centre_are_harmonised_is_said(new):
    frame = predictors(120, 0)
    centre = pd.Series(np.where(np.arange(120) % 2, "A", "B"), index=frame.index)
    outcome = endpoint(frame, "binary")
    options = FitOptions(harmonised=("genes",), preparation=PreparationSettings(harmonisation=True))
    model = fit_models(Patients(frame, outcome, BLOCKS, ("stage",), Companions(centre)), {"all": tuple(BLOCKS)},
                       ["ridge"], options)["all", "ridge"]
    assert any(part.preparation.combat_ is not None for part in model.parts)
    file = ModelFile(model, column_schema(frame, categorical=("stage",)), EndpointSummary.of(outcome))
    centres = pd.Series(["A", "A", "new", "new", None], index=new.index, dtype=object)
    flags = list(predict(file, new, centres)["flags"])
    assert flags[:2] == ["", ""]
    assert "'new'" in flags[2] == flags[3]
    assert flags[4]
    assert all(predict(file, new)["flags"])
    known = predict(file, new, centres.fillna("A").replace("new", "A"))
    assert not known["flags"].any()
    assert known["score"].to_numpy() == pytest.approx(model.score(new, pd.Series("A", index=new.index)))


def test_centres_that_were_read_as_numbers_are_the_same_centres():
    table = pd.DataFrame({"hospital": [1.0, 2.0, np.nan]}, index=["a", "b", "c"])
    assert _centre_column(table, "hospital").tolist()[:2] == ["1", "2"]
    assert _centre_column(table.iloc[:2].astype(int), "hospital").tolist() == ["1", "2"]


def test_three_risk_groups_have_names(binary, new):
    model = binary.model
    kept = model.cut_offs
    try:
        score = np.sort(model.score(new))
        model.cut_offs = [score[1], score[3]]
        groups = predict(binary, new).sort_values("score")["risk_group"]
        # A score at a cut-off belongs above it, as in the tables of the run.
        assert list(groups) == ["low risk", *["intermediate risk"] * 2, *["high risk"] * 2]
        assert list(groups) == [("low risk", "intermediate risk", "high risk")[number]
                                for number in risk_groups(score, model.cut_offs)]
        model.cut_offs = [score[0], score[1], score[2]]
        assert predict(binary, new).sort_values("score")["risk_group"].iloc[-1] == "highest quarter"
    finally:
        model.cut_offs = kept


def run_with(study, content: bytes) -> RunRecord:
    record = RunRecord.create(study.path / "runs", "models", "d" * 64, {"settings": {}, "settings_version": 1})
    path = record.path / "models" / "default.skops"
    path.parent.mkdir()
    path.write_bytes(content)
    record.update(status="completed", models={path.name: {"sha256": hashlib.sha256(content).hexdigest()}})
    return record


@pytest.fixture
def study(tmp_path, new):
    """Clinical and genes of the new patients; both have a column 'age'."""
    made = create_study(tmp_path / "study")
    clinical = new[["age", "size", "stage"]].reset_index()
    clinical["hospital"] = "A"
    made.add_table("clinical", clinical, columns={"patient": Column(role="identifier", type="text"),
                                                  "size": Column(unit="mm"), "stage": Column(type="category"),
                                                  "hospital": Column(role="centre", type="category")})
    made.add_table("genes", new[list(BLOCKS["genes"])].iloc[:3], block="genes", default_column=Column(),
                   transposed=True)
    return made


def test_tables_of_a_study_are_joined_and_predicted(study, binary, new):
    record = run_with(study, save(binary))
    found = predict_study(study, record.id, ["clinical", "genes"])
    expected = predict(binary, new)
    assert list(found["patient"]) == list(new.index)
    assert found["score"].to_numpy()[:3] == pytest.approx(expected["score"].to_numpy()[:3], abs=1e-5)
    assert found["flags"].str.contains("no value in block 'genes'").tolist() == [False] * 3 + [True] * 2
    alone = predict_study(study, record.id, "clinical", centre="hospital")
    assert alone["flags"].str.contains("block 'genes' is missing").all()
    with pytest.raises(DataError, match="there is no column 'ward'"):
        predict_study(study, record.id, "clinical", centre="ward")
    study.update_columns("clinical", {"size": Column(unit="cm")})
    with pytest.raises(DataError, match="another unit"):
        predict_study(study, record.id, "clinical")


def test_training_patients_are_flagged_where_the_run_tells(study, binary, new):
    record = run_with(study, save(binary))
    held = pd.DataFrame({"patient": new.index[:2]})
    path = record.path / "tables" / "predictions.parquet"
    path.parent.mkdir()
    path.write_bytes(table_bytes(held))
    record.update(tables={"predictions": {"sha256": sha256_of(path), "rows": 2}})
    flags = predict_study(study, record.id, "clinical")["flags"]
    assert flags.str.endswith("; was among the training patients: no test of the model").tolist() == [True] * 2 + [
        False] * 3
    record.update(settings={"validation": "sealed"})
    assert not predict_study(study, record.id, "clinical")["flags"].str.contains("among the training").any()


def test_columns_that_training_tables_shared_are_found_by_table(study, binary, new):
    columns = tuple(replace(column, name="clinical: age") if column.name == "age" else column
                    for column in binary.columns)
    train = fitted("binary")[1].rename(columns={"age": "clinical: age"})
    file, _ = fitted("binary")
    for part in file.model.parts:
        part.columns = ["clinical: age" if name == "age" else name for name in part.columns]
        part.preparation.numeric_ = ["clinical: age" if name == "age" else name for name in part.preparation.numeric_]
    file.model.columns = ["clinical: age" if name == "age" else name for name in file.model.columns]
    assert len(train)
    record = run_with(study, save(replace(file, columns=columns)))
    found = predict_study(study, record.id, "clinical")
    expected = predict(binary, new.drop(columns=list(BLOCKS["genes"])))
    assert found["score"].to_numpy() == pytest.approx(expected["score"].to_numpy())


def test_a_changed_or_absent_model_is_refused(study, binary):
    record = run_with(study, save(binary))
    path = record.path / "models" / "default.skops"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RunError, match="the model file was changed since the run"):
        load_run_model(study, record.id)
    path.unlink()
    with pytest.raises(RunError, match="the run has no model"):
        load_run_model(study, record.id)


def test_csv_is_written_once_and_starts_no_formula(binary, new, tmp_path):
    found = predict(binary, new.rename(index={new.index[0]: "=cmd()"}))
    path = tmp_path / "predictions.csv"
    write_csv(found, path)
    read = pd.read_csv(path)
    assert read["patient"].iloc[0] == "'=cmd()"
    assert read["probability"].to_numpy() == pytest.approx(found["probability"].to_numpy())
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"predictions\.csv: the file exists and is not overwritten"):
        write_csv(found, path)
    assert path.read_bytes() == before
    with pytest.raises(DataError, match="could not be written"):
        write_csv(found, tmp_path / "nowhere" / "predictions.csv")

"""A nomogram is the model: points summed by hand and read off give the model's own prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.models.companions import Companions
from medomicslab_nb.models.explain import Predictors
from medomicslab_nb.models.fitting import FitOptions, fit_models
from medomicslab_nb.models.nomogram import MOST_LINES, Nomogram, nomogram, total_points
from medomicslab_nb.models.preparation_settings import PreparationSettings
from tests.models.test_explain import model_of, patients

COLUMNS = ["age", "marker", "stage", "g0", "g1", "g2"]


def covered(frame: pd.DataFrame) -> np.ndarray:
    """Patients in whom no block is missing as a whole."""
    return frame[["g0", "g1", "g2"]].notna().any(axis=1).to_numpy()


def read_total(found: Nomogram, total: np.ndarray, column: str) -> np.ndarray:
    """Read the scale of totals at its two nearest marks, by the score, on which it is straight."""
    return np.interp(total, found.total["total_points"], found.total[column])


@pytest.mark.parametrize("learner", ["ridge", "lasso", "elastic net", "plain"])
@pytest.mark.parametrize("kind", ["binary", "continuous", "survival"])
@pytest.mark.parametrize("fusion", ["early", "late"])
def test_points_give_the_model_s_prediction(kind, learner, fusion):
    who = patients(kind)
    if learner == "plain":  # without a penalty, columns that follow from each other cannot be told apart
        who = replace(who, frame=who.frame.drop(columns="stage").fillna(0.0),
                      blocks={**who.blocks, "clinical": ("age", "marker")}, categorical=())
    model = model_of(who, learner, fusion)
    found = nomogram(model, Predictors(who.frame))
    frame = who.frame[covered(who.frame)]
    score = found.lowest_score + found.score_per_point * total_points(found, frame)
    assert score == pytest.approx(model.score(frame), abs=1e-9)
    assert model.probability(score) == pytest.approx(model.probability(model.score(frame)), abs=1e-9)


@pytest.mark.parametrize(("kind", "column"), [("binary", "probability"), ("continuous", "prediction")])
def test_the_scale_of_totals_gives_the_prediction(kind, column):
    who = patients(kind)
    model = model_of(who, "ridge", "early")
    found = nomogram(model, Predictors(who.frame))
    assert found.total["total_points"].iloc[0] == 0
    marks = found.total["total_points"].to_numpy()
    assert found.total[column].to_numpy() == pytest.approx(
        model.probability(found.lowest_score + found.score_per_point * marks), abs=1e-12)
    inside = total_points(found, who.frame)
    inside = inside[(inside >= 0) & (inside <= marks[-1])]
    assert len(inside) > 50
    assert read_total(found, inside, "score") == pytest.approx(found.lowest_score + found.score_per_point * inside)


def test_survival_has_a_scale_for_each_time():
    who = patients("survival")
    model = model_of(who, "lasso", "early")
    found = nomogram(model, Predictors(who.frame), times=[300.0, 900.0])
    for time, part in found.total.groupby("time"):
        expected = model.risk_at(part["score"].to_numpy(), [time])[:, 0]
        assert part["risk"].to_numpy() == pytest.approx(expected, abs=1e-12)
        assert part["risk"].is_monotonic_increasing
    assert set(nomogram(model, Predictors(who.frame)).total["time"]) == {model.horizon}


def test_points_begin_at_0_and_the_largest_line_has_100():
    who = patients("binary")
    found = nomogram(model_of(who, "ridge", "early"), Predictors(who.frame))
    lines = found.points.groupby("feature")["points"]
    assert lines.min().to_numpy() == pytest.approx(0, abs=1e-12)
    assert lines.max().max() == pytest.approx(100)
    age = found.points[(found.points["feature"] == "age")]
    assert age["value"].dropna().between(who.frame["age"].min(), who.frame["age"].max()).all()
    stage = found.points[found.points["feature"] == "stage"]
    assert stage["category"].tolist() == ["I", "II", "III", "missing"]
    assert stage["n"].tolist() == [*who.frame["stage"].value_counts().sort_index(), who.frame["stage"].isna().sum()]


def test_a_missing_value_has_points_where_the_model_knows_what_to_do():
    who = patients("binary")
    model = model_of(who, "ridge", "early")
    found = nomogram(model, Predictors(who.frame))
    row = who.frame.iloc[[0]].assign(marker=np.nan)
    score = found.lowest_score + found.score_per_point * total_points(found, row)
    assert score == pytest.approx(model.score(row), abs=1e-9)
    iterative = fit_models(who, {"all": ("clinical", "genes")}, ["ridge"], FitOptions(
        fusion="early", inner_folds=3, preparation=PreparationSettings(imputation="iterative")))["all", "ridge"]
    found = nomogram(iterative, Predictors(who.frame))
    assert "missing" not in set(found.points["category"])
    assert np.isnan(total_points(found, row)).all()
    complete = who.frame.dropna()
    score = found.lowest_score + found.score_per_point * total_points(found, complete)
    assert score == pytest.approx(iterative.score(complete), abs=1e-9)
    with pytest.raises(DataError, match="has an effect"):
        nomogram(iterative, Predictors(pd.concat([complete.iloc[[0]]] * 3)))


def test_an_unknown_category_has_no_points():
    who = patients("binary")
    found = nomogram(model_of(who, "ridge", "early"), Predictors(who.frame))
    assert np.isnan(total_points(found, who.frame.iloc[[0]].assign(stage="IV"))).all()


def test_other_models_have_no_nomogram():
    who = patients("binary")
    with pytest.raises(DataError, match="'forest' is none"):
        nomogram(model_of(who), Predictors(who.frame))
    several = patients("multiclass")
    with pytest.raises(DataError, match="one score for each class"):
        nomogram(model_of(several, "ridge"), Predictors(several.frame))
    empty = model_of(who, "ridge", "early")
    empty.parts = []
    with pytest.raises(DataError, match="same for everybody"):
        nomogram(empty, Predictors(who.frame))


def test_too_many_lines_and_harmonised_centres_are_refused():
    who = patients("binary")
    rng = np.random.default_rng(1)
    genes = tuple(f"x{i}" for i in range(MOST_LINES + 5))
    frame = pd.DataFrame(rng.normal(size=(90, len(genes))), columns=genes, index=who.frame.index)
    centre = pd.Series(rng.choice(["a", "b"], 90), index=frame.index)
    wide = type(who)(frame, who.endpoint, {"genes": genes}, (), Companions(centre))
    model = fit_models(wide, {"all": ("genes",)}, ["ridge"], FitOptions(inner_folds=3))["all", "ridge"]
    with pytest.raises(DataError, match=f"{len(genes)} predictors"):
        nomogram(model, Predictors(frame))
    options = FitOptions(inner_folds=3, harmonised=("genes",), preparation=PreparationSettings(harmonisation=True))
    harmonised = fit_models(wide, {"all": ("genes",)}, ["ridge"], options)["all", "ridge"]
    assert harmonised.parts[0].preparation.combat_ is not None
    with pytest.raises(DataError, match="centre to centre"):
        nomogram(harmonised, Predictors(frame, centre))

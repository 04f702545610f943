"""Newton's method over sites, and the model that comes of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.federated.messages import Question
from medomicslab_nb.federated.tasks.logistic import fit_logistic
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared, standardise
from medomicslab_nb.federated.tasks.regression import Regression, newton, score
from tests.federated.tasks.conftest import at_site, drive


def sites_of(frame, outcome, n=3):
    parts = np.array_split(np.arange(len(frame)), n)
    return {f"s{k}": at_site(frame.iloc[rows].reset_index(drop=True), outcome[rows]) for k, rows in enumerate(parts)}


def fit(sites, penalty):
    preparation = drive(standardise(Preparation(tuple(sites["s0"].frame), {})), sites)
    return preparation, drive(fit_logistic(preparation, penalty), sites)


def some(n=120, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    return frame, rng.random(n) < 1 / (1 + np.exp(-frame["a"].to_numpy()))


def test_separation_is_named_and_a_penalty_helps():
    frame, _ = some()
    outcome = frame["b"].to_numpy() > 0.3
    with pytest.raises(DataError, match=r"'b' grows without end") as caught:
        fit(sites_of(frame, outcome), 0.0)
    assert "penalty" in caught.value.todo
    assert np.isfinite(fit(sites_of(frame, outcome), 1.0)[1].coef).all()


def test_columns_that_follow_from_each_other_are_named():
    frame, outcome = some()
    frame["d"] = 2 * frame["a"] - 5
    with pytest.raises(DataError, match="'a', 'd'") as caught:
        fit(sites_of(frame, outcome), 0.0)
    assert "penalty" in caught.value.todo
    _, model = fit(sites_of(frame, outcome), 1.0)
    assert model.coef[0] == pytest.approx(model.coef[3], rel=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 2.0])
def test_a_constant_column_has_no_effect_and_no_error_bar(penalty):
    frame, outcome = some()
    plain = fit(sites_of(frame, outcome), penalty)[1]
    frame.insert(1, "same", 0.1)
    model = fit(sites_of(frame, outcome), penalty)[1]
    assert model.coef[1] == 0 and np.isnan(model.covariance[1]).all()
    np.testing.assert_allclose(np.delete(model.coef, 1), plain.coef, atol=1e-12)
    assert model.in_units()["standard_error"].isna().tolist() == [False, True, False, False]


def test_a_step_too_far_is_halved():
    """From 0, Newton's step for log cosh(at - 2) is 3.6 standard deviations too far, and full steps run away."""
    asked = []

    def answer(question: Question):
        at = question.values["coef"] - 2
        asked.append(float(question.values["coef"][0]))
        return {"log_likelihood": -np.log(np.cosh(at)).sum(), "gradient": -np.tanh(at),
                "information": np.diag(1 / np.cosh(at)**2)}

    task = newton("any", {}, {}, names=("x",), penalty=np.zeros(1))
    question = next(task)
    try:
        while True:
            question = task.send({"one": answer(question)})
    except StopIteration as end:
        found = end.value
    assert found.at[0] == pytest.approx(2, abs=1e-10) and found.rounds == len(asked)
    assert max(asked) > 5 and max(asked[3:]) < 5


def test_no_convergence_is_said():
    task = newton("any", {}, {}, names=("x",), penalty=np.zeros(1), where="test")
    next(task)
    with pytest.raises(DataError, match="did not converge") as caught:
        for number in range(1000):
            task.send({"one": {"log_likelihood": float(number), "gradient": np.ones(1), "information": np.eye(1)}})
    assert "penalty" in caught.value.todo


def test_progress_shows_the_loss():
    frame, outcome = some()
    log = []
    sites = sites_of(frame, outcome)
    preparation = drive(standardise(Preparation(("a", "b", "c"), {})), sites)
    drive(fit_logistic(preparation), sites, log=log)
    losses = [question.detail.get("loss") for site, question, _ in log if site == "s0"]
    assert losses[0] is None and losses[1] == pytest.approx(120 * np.log(2)) and losses[-1] < losses[1]
    assert [question.label for site, question, _ in log if site == "s0"][:2] == ["Newton step 1", "Newton step 2"]


def test_units_and_scores_agree():
    model = Regression("logistic", ("age", "sex"), 0.3, np.array([0.5, -1.0]), np.diag([0.04, 0.09]), -50.0, 5,
                       np.array([60.0, 0.4]), np.array([10.0, 0.5]))
    table = model.in_units()
    assert table.columns.tolist() == ["column", "coefficient", "standard_error", "lower", "upper", "ratio",
                                      "standardised"]
    assert table["coefficient"].tolist() == [0.05, -2.0] and table["standard_error"].tolist() == [0.02, 0.6]
    assert table["ratio"].tolist() == pytest.approx(np.exp([0.05, -2.0]))
    assert table["lower"][0] == pytest.approx(0.05 - 1.959964 * 0.02)
    patients = np.array([[70.0, 1.0], [50.0, 0.0]])
    in_units = model.intercept_in_units + patients @ table["coefficient"].to_numpy()
    np.testing.assert_allclose(model.score((patients - model.mean) / model.scale), in_units, rtol=1e-12)


def test_the_model_as_values_scores_the_same():
    frame, outcome = some()
    sites = sites_of(frame, outcome)
    preparation, model = fit(sites, 1.0)
    matrix = prepared(sites["s1"], preparation.values(), 1)
    assert score(model.values(), matrix).tolist() == model.score(matrix).tolist()
    assert model.values()["model"] == "regression"

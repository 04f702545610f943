"""The published tables: every number again from the predictions, by other code."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score
from sksurv.compare import compare_survival

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.splits import make_splits
from medomicslab_nb.models import tables
from medomicslab_nb.models.fitting import FitOptions
from medomicslab_nb.models.nested import cross_validation_cases, evaluate_fold, gather
from tests.models.conftest import ids, two_blocks

SETS = {"clinical": ("clinical",), "genes": ("genes",), "clinical + genes": ("clinical", "genes")}
OPTIONS = {"seed": 0, "confidence": 0.95}


def results(kind: str, learners=("ridge",), repeats: int = 2, n: int = 120, **options):
    patients = two_blocks(kind, n)
    splits = make_splits(patients.endpoint, folds=3, repeats=repeats, seed=0)
    cases = cross_validation_cases(patients, splits, folds=3, repeats=repeats, sets=SETS, learners=learners,
                                   options=FitOptions(inner_folds=3, **options))
    found = {case.name: evaluate_fold(case) for case in cases}
    return gather(found, "predictions"), gather(found, "folds"), patients.endpoint


@pytest.fixture(scope="module")
def binary():
    return results("binary")


@pytest.fixture(scope="module")
def survival():
    return results("survival", groups=3)


def nadeau_bengio(values: np.ndarray, n_train: float, n_test: float) -> tuple[float, float, float, float]:
    """Mean, standard error and p of the corrected resampled t test, as the paper has it."""
    mean, variance, count = values.mean(), values.var(ddof=1), len(values)
    error = np.sqrt((1 / count + n_test / n_train) * variance)
    return mean, error, 2 * student.sf(abs(mean / error), count - 1), student.ppf(0.975, count - 1) * error


def test_performance_by_the_formula_of_nadeau_and_bengio(binary):
    predictions, folds, endpoint = binary
    table = tables.performance(predictions, folds, endpoint, headline="ridge", horizon=None, cross_validated=True,
                               **OPTIONS)
    own = table.query("blocks == 'clinical' and metric == 'auc'").set_index("aggregation")
    part = predictions[predictions["blocks"] == "clinical"]
    aucs = np.array([roc_auc_score(rows["observed"], rows["score"]) for _, rows in part.groupby(["repeat", "fold"])])
    mean, _, _, width = nadeau_bengio(aucs, 80, 40)
    line = own.loc["fold mean"]
    assert line["estimate"] == pytest.approx(mean)
    assert line["upper"] == pytest.approx(min(mean + width, 1.0))
    assert line["lower"] == pytest.approx(mean - width)
    assert (table["n"] == 120).all() and (table["events"] == endpoint.events).all()
    brier = table.query("blocks == 'clinical' and metric == 'brier'")["estimate"].iloc[0]
    by_hand = [np.mean((rows["probability"] - rows["observed"])**2) for _, rows in part.groupby(["repeat", "fold"])]
    assert brier == pytest.approx(np.mean(by_hand)) or brier == pytest.approx(2 * np.mean(by_hand))


def test_ablation_by_hand(binary):
    predictions, folds, endpoint = binary
    sizes = {"clinical": (3, 120), "genes": (6, 120), "clinical + genes": (9, 120)}
    table = tables.ablation(folds, predictions, endpoint, sizes=sizes, reference="clinical", cross_validated=True,
                            **OPTIONS).set_index("blocks")
    aucs = folds[folds["metric"] == "auc"].pivot(index=["repeat", "fold"], columns="blocks", values="value")
    raw = {}
    for blocks in ("genes", "clinical + genes"):
        mean, _, raw[blocks], width = nadeau_bengio((aucs[blocks] - aucs["clinical"]).to_numpy(), 80, 40)
        line = table.loc[blocks]
        assert [line["difference"], line["difference_lower"], line["difference_upper"], line["p"]] == pytest.approx(
            [mean, mean - width, mean + width, raw[blocks]])
    least, most = sorted(raw, key=lambda name: raw[name])
    assert table.loc[least, "p_holm"] == pytest.approx(min(1.0, 2 * raw[least]))
    assert table.loc[most, "p_holm"] == pytest.approx(min(1.0, max(2 * raw[least], raw[most])))
    reference = table.loc["clinical"]
    assert reference["difference"] == 0 and reference[["p", "p_holm", "difference_lower"]].isna().all()
    assert table["n_features"].tolist() == [3, 6, 9]


def test_operating_points_by_counting(binary):
    predictions, _, endpoint = binary
    table = tables.operating_points(predictions, endpoint, 0.95)
    part = predictions.query("blocks == 'genes' and repeat == 0")
    positive, observed = part["at sensitivity 0.9"].to_numpy(bool), part["observed"].to_numpy(bool)
    own = table.query("blocks == 'genes' and threshold == 'training sensitivity 0.9'").set_index("metric")
    both = int((positive & observed).sum())
    assert own.loc["sensitivity", "estimate"] == pytest.approx(both / observed.sum())
    assert own.loc["specificity", "estimate"] == pytest.approx((~positive & ~observed).sum() / (~observed).sum())
    assert own.loc["ppv", "estimate"] == pytest.approx(both / positive.sum())
    assert own.loc["npv", "estimate"] == pytest.approx((~positive & ~observed).sum() / (~positive).sum())
    assert own.loc["sensitivity", "n"] == observed.sum() and own.loc["ppv", "n"] == positive.sum()
    assert (own["prevalence"] == endpoint.event.mean()).all()
    assert ((own["lower"] <= own["estimate"]) & (own["estimate"] <= own["upper"])).all()


def test_thresholds_belong_to_the_fold_in_which_the_patient_is_held_out(binary):
    predictions, _, _ = binary
    for _, rows in predictions.groupby(["blocks", "repeat", "fold"]):
        positive = rows["at specificity 0.9"].astype(bool)
        if positive.any() and (~positive).any():
            assert rows.loc[positive, "score"].min() > rows.loc[~positive, "score"].max()


def test_roc_and_calibration_hold_every_patient(binary):
    predictions, _, endpoint = binary
    curve = tables.roc(predictions, endpoint, **OPTIONS).query("blocks == 'clinical'")
    by_repeat = [roc_auc_score(rows["observed"], rows["score"])
                 for _, rows in predictions.query("blocks == 'clinical'").groupby("repeat")]
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(np.mean(by_repeat), abs=0.01)
    bins = tables.calibration(predictions, endpoint, None, 0.95).query("blocks == 'clinical'")
    assert bins["n"].sum() == 120
    assert (bins["observed"] * bins["n"]).sum() == pytest.approx(endpoint.events)
    means = predictions.query("blocks == 'clinical'").groupby("patient")["probability"].mean()
    assert (bins["predicted"] * bins["n"]).sum() == pytest.approx(means.sum())


def test_risk_groups_by_other_code(survival):
    predictions, _, _ = survival
    table = tables.groups_compared(predictions, 3).query("blocks == 'clinical'").set_index("group")
    part = predictions.query("blocks == 'clinical' and repeat == 0")
    assert table["n"].tolist() == [int((part["risk_group"] == number).sum()) for number in range(3)]
    assert table["events"].tolist() == [int(part.loc[part["risk_group"] == number, "event"].sum())
                                        for number in range(3)]
    outcome = np.array(list(zip(part["event"].astype(bool), part["time"], strict=True)),
                       dtype=[("event", bool), ("time", float)])
    statistic, p = compare_survival(outcome, part["risk_group"])
    # The table's is stratified by fold: near the plain one, and as clear.
    assert table["log_rank"].iloc[0] == pytest.approx(statistic, rel=0.5)
    assert (table["p"].iloc[0] < 0.001) == (p < 0.001)
    assert table.loc["high risk", "hazard_ratio"] > table.loc["intermediate risk", "hazard_ratio"] > 1
    curves = tables.kaplan_meier(predictions, 3, 0.95).query("blocks == 'clinical'")
    assert curves.groupby("group", sort=False)["at_risk"].first().tolist() == table["n"].tolist()
    assert curves.groupby("group", sort=False)["events"].sum().tolist() == table["events"].tolist()


def test_competing_events_are_no_events_of_interest():
    predictions, folds, endpoint = results("competing", repeats=1, horizon=1.0)
    incidence = tables.cumulative_incidence(predictions, 2, 0.95).query("blocks == 'clinical'")
    assert incidence.groupby("group")["events"].sum().sum() == endpoint.events
    survival = tables.kaplan_meier(predictions, 2, 0.95).query("blocks == 'clinical'")
    last = incidence.groupby("group")["incidence"].max() + survival.groupby("group")["survival"].min()
    assert (last < 1).all()  # one minus Kaplan-Meier would count those who die of something else as still at risk
    bins = tables.calibration(predictions, endpoint, 1.0, 0.95).query("blocks == 'clinical'")
    own = predictions.query("blocks == 'clinical'")
    assert bins["n"].sum() == 120
    assert abs((bins["observed"] * bins["n"]).sum() - own["risk_at_horizon"].sum()) / 120 < 0.08
    table = tables.performance(predictions, folds, endpoint, headline="ridge", horizon=1.0, cross_validated=True,
                               **OPTIONS)
    assert "observed_over_expected" not in set(table["metric"])
    assert table.query("metric == 'c_index'")["estimate"].notna().all()


def test_subgroups_by_other_code_and_small_cells_hidden(binary):
    predictions, _, endpoint = binary
    full = predictions[predictions["blocks"] == "clinical"]
    # Of the others the smallest is hidden, too: the few could be told by difference.
    groups = pd.Series(["few"] * 4 + ["some"] * 26 + ["many"] * 90, index=ids(120))
    table = tables.by_subgroup(full, endpoint, {"site": groups}, **OPTIONS)
    assert table["subgroup"].unique().tolist() == ["site"]
    few, many = (table[table.eq(name).any(axis=1)].iloc[0] for name in ("few", "many"))
    assert np.isnan(few["estimate"])
    expected = [roc_auc_score(rows["observed"], rows["score"])
                for _, rows in full[full["patient"].isin(ids(120)[30:])].groupby("repeat")]
    assert many["estimate"] == pytest.approx(np.mean(expected))


def test_a_patient_without_a_score_is_an_error():
    endpoint = Endpoint("x", np.array([True, False]), pd.Index(["a", "b"], name="patient"))
    predictions = pd.DataFrame({"patient": ["a", "b", "a"], "repeat": [0, 0, 1], "score": [0.1, 0.2, 0.3]})
    with pytest.raises(DataError, match="1 of 2 patients lack an out-of-fold score"):
        tables.score_matrix(predictions, endpoint)


def test_scores_are_in_the_order_of_the_endpoint(binary):
    predictions, _, endpoint = binary
    part = predictions[predictions["blocks"] == "clinical"]
    matrix = tables.score_matrix(part.sample(frac=1, random_state=0), endpoint)
    assert matrix.shape == (120, 2)
    for repeat in (0, 1):
        expected = part[part["repeat"] == repeat].set_index("patient")["score"].reindex(endpoint.patients)
        assert np.array_equal(matrix[:, repeat], expected)

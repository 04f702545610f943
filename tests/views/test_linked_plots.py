"""Linked plots: the numbers behind them are those of the run, and nothing of a single patient reaches the browser."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import observed_risk
from medomicslab_nb.evaluation.decision import decision_curve, operating_point
from medomicslab_nb.models.tables import cumulative_incidence, kaplan_meier
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.linked_data import LinkedData, histogram, offered, thresholds
from medomicslab_nb.study import Study
from medomicslab_nb.views.linked_plots import LinkedPlots, plotly_script
from tests.report.samples import BLOCKS, IDS, LEARNERS, N, finished_run, models_tables


def held_out(*, survival: bool, competing: bool = False) -> pd.DataFrame:
    """Two repeats of predictions of every model, in the format that the stage publishes."""
    draw, parts = np.random.default_rng(3), []
    event, time = draw.random(N) < 0.5, draw.integers(100, 5000, N).astype(float)
    for blocks in BLOCKS:
        for learner in LEARNERS[:2]:
            for repeat in range(2):
                risk = np.clip(0.25 + 0.3 * event + draw.normal(0, 0.15, N), 0.02, 0.98)
                frame = pd.DataFrame({"patient": IDS, "blocks": blocks, "learner": learner, "repeat": repeat,
                                      "fold": np.arange(N) % 3, "score": risk, "risk_group": (risk > 0.4).astype(int)})
                own = {"time": time, "event": event, "risk_at_horizon": risk} if survival else {
                    "probability": risk, "observed": event, "at 90% sensitivity": risk > 0.2}
                parts.append(frame.assign(**own, **({"cause": np.where(event, 1, np.arange(N) % 2 * 2)}
                                                    if competing else {})))
    return pd.concat(parts, ignore_index=True)


def a_run(study: Study, *, survival: bool, competing: bool = False, **more: pd.DataFrame) -> RunRecord:
    tables = models_tables(survival=survival) | {"predictions": held_out(survival=survival, competing=competing)}
    return finished_run(study, "models", tables | more, {"outcome": "dmfs"}, metrics={
        "horizon": 1825.0 if survival else None, "unit": "days" if survival else ""})


def first_repeat(record: RunRecord, blocks: str, learner: str) -> pd.DataFrame:
    held = record.table("predictions")
    return held[(held["blocks"] == blocks) & (held["learner"] == learner) & (held["repeat"] == 0)]


def test_thresholds_are_the_operating_points_of_the_first_repeat(study: Study) -> None:
    record = a_run(study, survival=False)
    model = LinkedData(record).model(BLOCKS[0], LEARNERS[1])
    own, table = first_repeat(record, BLOCKS[0], LEARNERS[1]), model["thresholds"]
    for row in (10, 39, 70):
        threshold = table["threshold"][row]
        expected = operating_point(own["observed"].to_numpy(bool), own["probability"].to_numpy(), threshold)
        counts = expected.set_index("metric")["events"]
        assert (table["tp"][row], table["tn"][row]) == (counts["sensitivity"], counts["specificity"])
        assert table["tp"][row] + table["fp"][row] + table["fn"][row] + table["tn"][row] == N == model["n"]
        line = expected.set_index("metric").loc["ppv"]
        assert table["ppv"][row] == f"{line['estimate']:.2f} ({line['lower']:.2f} to {line['upper']:.2f})"
        # The cut in the histogram parts the same patients, where a threshold lies between two bins.
    # No decision curve is published of this learner: it is computed of the same patients, without limits.
    curve = decision_curve(own["observed"].to_numpy(bool), own["probability"].to_numpy())
    np.testing.assert_allclose(model["decision"]["net_benefit"], curve.loc[curve["strategy"] == "model", "net_benefit"],
                               rtol=1e-5)
    assert sum(map(sum, model["histogram"]["counts"].values())) == N


def test_of_the_reported_learner_published_tables_are_shown(study: Study) -> None:
    record = a_run(study, survival=False)
    data = LinkedData(record)
    assert (data.sets[0], data.learners[0]) == (BLOCKS[-1], LEARNERS[0])
    model = data.model(BLOCKS[1], LEARNERS[0])
    assert model["roc"]["tpr"][1] == pytest.approx(0.05**0.5, rel=1e-5)
    assert model["decision"]["net_benefit"] == [0.4, 0.3, 0.2]
    assert model["calibration"]["observed"] == [0.12, 0.2, 0.45, 0.55]
    assert model["headline"] == "AUC 0.640 (0.540 to 0.740)"


@pytest.mark.parametrize("competing", [False, True])
def test_risk_groups_are_the_same_patients_in_every_plot(study: Study, competing: bool) -> None:
    record = a_run(study, survival=True, competing=competing, kaplan_meier=pd.DataFrame({"blocks": []}))
    model = LinkedData(record).model(BLOCKS[0], LEARNERS[1])
    own = first_repeat(record, BLOCKS[0], LEARNERS[1])
    groups = {group["name"]: group for group in model["groups"]}
    assert list(groups) == ["low risk", "high risk"]
    make = cumulative_incidence if competing else kaplan_meier
    curves = make(own, 2, 0.95)
    for code, (name, group) in enumerate(groups.items()):
        members = own[own["risk_group"] == code]
        assert group["row"][:3] == [name, str(len(members)), str(int(members["event"].sum()))]
        assert sum(model["histogram"]["counts"][name]) == len(members) == group["at_risk"][0]
        assert group["predicted"] == pytest.approx(members["risk_at_horizon"].mean())
        curve = curves[(curves["group"] == name) & (curves["time"] <= 1825)].iloc[-1]
        expected = curve["incidence"] if competing else 1 - curve["survival"]
        assert group["observed"] == pytest.approx(expected, rel=1e-5)
        assert group["lower"] <= group["observed"] <= group["upper"]


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize(("event", "last", "expected"), [
    (True, 1800.0, (None, None, None)),  # nobody of the group is followed to the horizon of 1825 days
    (False, 2000.0, (0.0, 0.0, 1 - 0.025**(1 / 30)))])  # no event: the limit of Clopper and Pearson
def test_observed_risk_of_a_group_is_that_of_the_evaluation(
        study: Study, competing: bool, event: bool, last: float, expected: tuple[float | None, ...]) -> None:
    held, low = held_out(survival=True), np.tile(np.arange(N) < 30, len(BLOCKS) * 4)
    held["risk_group"] = (~low).astype(int)
    held["event"] = np.where(low, event & (np.arange(len(held)) % 2 == 1), held["event"])
    held["time"] = np.where(low, last - np.arange(len(held)) % N * (10 if event else 1), held["time"])
    if competing:
        held["cause"] = held["event"].astype(int)
    record = a_run(study, survival=True, predictions=held, kaplan_meier=pd.DataFrame({"blocks": []}))
    group = LinkedData(record).model(BLOCKS[0], LEARNERS[1])["groups"][0]
    found = [group[name] for name in ("observed", "lower", "upper")]
    assert [value is None for value in found] == [value is None for value in expected]
    assert [value for value in found if value is not None] == pytest.approx(
        [value for value in expected if value is not None], rel=1e-5)
    own = first_repeat(record, BLOCKS[0], LEARNERS[1]).query("risk_group == 0")
    evaluated = observed_risk(own["event"].to_numpy(bool), own["time"].to_numpy(float), 1825.0)
    assert [value is None for value in found] == np.isnan(evaluated).tolist()


def test_a_group_without_patients_has_no_curve(study: Study) -> None:
    held = held_out(survival=True).assign(risk_group=1)
    record = a_run(study, survival=True, predictions=held, kaplan_meier=pd.DataFrame({"blocks": []}))
    assert [group["name"] for group in LinkedData(record).model(BLOCKS[0], LEARNERS[1])["groups"]] == ["high risk"]


@pytest.mark.parametrize("risk", [np.array([0.001, 0.002]), np.array([0.0, 1.0]), np.full(5, 0.25)])
def test_histogram_counts_everybody(risk: np.ndarray) -> None:
    found = histogram(risk, {"all": np.ones(len(risk), bool)})
    assert sum(found["counts"]["all"]) == len(risk)
    assert len(found["edges"]) == len(found["counts"]["all"]) + 1 <= 70


def test_shares_of_nobody_are_a_dash() -> None:
    table = thresholds(np.array([True, True]), np.array([0.2, 0.3]), 0.95)
    assert (table["specificity"][0], table["fpr"][0], table["ppv"][98]) == ("-", None, "-")


def test_runs_without_linked_plots_are_refused(study: Study) -> None:
    old = finished_run(study, "models", models_tables(), {"outcome": "dmfs"})
    assert not offered(old)
    with pytest.raises(DataError, match="no linked plots"):
        LinkedData(old)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    monkeypatch.setattr(LinkedPlots, "send", lambda self, content, buffers=None: found.append((content, buffers)))
    return found


def test_answers_carry_the_token_and_no_patient(study: Study, sent: list[tuple[Any, Any]]) -> None:
    widget = LinkedPlots(a_run(study, survival=True))
    widget._answer(widget, {"kind": "model", "token": "a", "blocks": BLOCKS[0], "learner": LEARNERS[0]}, [])
    widget._answer(widget, {"kind": "model", "token": "b", "blocks": "nothing", "learner": LEARNERS[0]}, [])
    widget._answer(widget, {"kind": "plotly", "token": "c"}, [])
    (first, _), (second, _), (third, buffers) = sent
    assert (first["token"], second["token"], third["token"]) == ("a", "b", "c")
    assert first["model"]["blocks"] == BLOCKS[0]
    assert "was not fitted" in second["fault"]
    assert gzip.decompress(buffers[0]).startswith(b"/**\n* plotly.js")
    everything = json.dumps([sent[:2], widget.get_state()], default=str)
    assert not any(patient in everything for patient in IDS)
    # What a notebook stores of it is small: the curves are not among it.
    state = {name: value for name, value in widget.get_state().items() if name not in ("_esm", "_css", "_modules")}
    assert len(json.dumps(state, default=str)) < 12_000


def test_plotly_is_sent_packed() -> None:
    assert len(plotly_script()) < 2_000_000

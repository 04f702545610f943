"""The federated stage on real and on made patients: exact, told in full, resumed, the same on every backend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import medomicslab_nb as ml
from medomicslab_nb.errors import Cancelled, DataError, RunError, SettingsError
from medomicslab_nb.federated.coordinator import TASK
from medomicslab_nb.federated.model_file import read_model
from medomicslab_nb.federated.site import Site
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column
from tests.federated.tasks.conftest import read_heart

SITES = ("north", "south", "west")
FREE = {"minimum_patients": 1, "minimum_events": 0, "minimum_count": 1}
SETTINGS = {"outcome": "death", "site_column": "hospital"}


def patients(seed: int = 3, each: int = 80) -> pd.DataFrame:
    """Three hospitals with other cases and other gaps, and one truth."""
    rng = np.random.default_rng(seed)
    rows = []
    for place, site in enumerate(SITES):
        age, marker = rng.normal(55 + 6 * place, 9, each), rng.normal(place, 1.5, each)
        risk = 0.06 * (age - 60) + 0.8 * (marker - 1) + rng.logistic(size=each)
        follow_up = rng.exponential(40 * np.exp(-0.4 * (marker - 1)), each).round(1) + 1
        rows.append(pd.DataFrame({
            "age": np.where(rng.random(each) < 0.1 * place, np.nan, age), "marker": marker,
            "grade": rng.choice(["I", "II", "III"], each), "death": (risk > 0).astype(int), "months": follow_up,
            "score": 10 + 2 * marker + rng.normal(size=each), "hospital": site}))
    frame = pd.concat(rows, ignore_index=True)
    return frame.assign(patient=[f"CASE-{number:04d}" for number in range(len(frame))])


def add(study: Study, frame: pd.DataFrame) -> Study:
    study.add_table("clinical", frame, columns={
        "grade": Column(type="category"), "death": Column(role="outcome", type="boolean"),
        "months": Column(role="time", unit="months"), "score": Column(role="outcome"),
        "hospital": Column(role="centre", type="category")})
    return study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return add(ml.create_study(tmp_path / "study"), patients())


@pytest.fixture(scope="module")
def heart(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = ml.create_study(tmp_path_factory.mktemp("heart") / "study")
    parts = [site.frame.assign(hospital=name, disease=site.endpoint.outcome.astype(int))
             for name, site in read_heart(real_data).items()]
    frame = pd.concat(parts, ignore_index=True)
    study.add_table("clinical", frame.assign(patient=[f"P{number:04d}" for number in range(len(frame))]), columns={
        "disease": Column(role="outcome", type="boolean"), "hospital": Column(role="centre", type="category")})
    return study


@pytest.fixture(scope="module")
def run(heart: Study):
    return ml.run("federated", heart, {"outcome": "disease", "site_column": "hospital"}, sinks=[])


@pytest.mark.realdata
class TestHeart:
    def test_it_is_the_model_of_all_patients_together(self, run) -> None:
        table = run.table("performance").set_index(["model", "site"])
        for site in ("all", "cleveland", "hungarian", "switzerland", "va"):
            one, other = table.loc[("federated", site)], table.loc[("pooled", site)]
            assert one["estimate"] == pytest.approx(other["estimate"], abs=0.02, nan_ok=True)

    def test_swiss_cholesterol_is_not_averaged_in(self, run) -> None:
        columns = run.table("columns").set_index("column")
        assert columns.loc["chol", "zero_is_missing"] and columns.loc["chol", "mean"] > 230
        known = run.table("availability").set_index(["site", "column"])["known"]
        assert known["switzerland", "chol"] == 0 and known["cleveland", "chol"] > 200
        assert any("'chol'" in text and "switzerland" in text for text in run.warnings)

    def test_values_that_sites_left_out_are_told(self, run) -> None:
        note, = (text for text in run.warnings if text.startswith("Some values were left out"))
        assert "cleveland: ca, thal; hungarian: restecg" in note and " va:" not in note

    def test_every_site_alone_and_left_out_is_told(self, run) -> None:
        models = set(run.table("performance")["model"])
        assert {"federated", "pooled", "alone: cleveland", "without va"} <= models
        metrics = run.metrics
        assert metrics["alone_lowest"] <= metrics["alone_highest"] < metrics["federated"] + 0.02
        assert 0.6 < metrics["external_lowest"] <= metrics["external_highest"] <= 1

    def test_what_left_is_told_in_words_and_bytes(self, run) -> None:
        released = run.table("released")
        assert set(released["site"]) == {"cleveland", "hungarian", "switzerland", "va"}
        assert (released["bytes"] > 0).all() and released["words"].str.contains(r"\d+ patients").all()
        assert run.metrics["bytes"] == released["bytes"].sum() == run.table("sites")["bytes"].sum()
        assert (released["patients"] >= 5).all()

    def test_permuted_outcomes_give_chance(self, heart: Study) -> None:
        frame = heart.table("clinical").reset_index()
        found = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            shuffled = frame.assign(disease=frame.groupby("hospital")["disease"].transform(rng.permutation))
            study = ml.create_study(heart.path.parent / f"shuffled{seed}")
            study.add_table("clinical", shuffled, columns={
                "disease": Column(role="outcome", type="boolean"), "hospital": Column(role="centre", type="category")})
            run = ml.run("federated", study, {"outcome": "disease", "site_column": "hospital", "external": False,
                                              "compare": False, "explain": False, "seed": seed,
                                              "policy": FREE}, sinks=[])
            table = run.table("performance").set_index("site")
            found.append(table.loc[["cleveland", "hungarian", "va"], "estimate"].mean())  # within, not between sites
        assert abs(np.mean(found) - 0.5) < 0.05


def test_coefficients_are_scikit_learns_on_all_patients(study: Study) -> None:
    run = ml.run("federated", study, {**SETTINGS, "holdout": 0, "external": False, "compare": False,
                                      "predictors": {"clinical": ["age", "marker", "grade"]}, "policy": FREE}, sinks=[])
    frame = patients()
    grade = frame["grade"]
    raw = np.column_stack([frame["age"], frame["marker"], grade == "II", grade == "III"]).astype(float)
    raw = np.where(np.isnan(raw), np.nanmean(raw, axis=0), raw)
    scaled = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    expected = LogisticRegression(C=1, tol=1e-12, max_iter=1000, solver="newton-cholesky").fit(scaled, frame["death"])
    found = run.table("coefficients")
    assert list(found["column"]) == ["age", "marker", "grade=II", "grade=III"]
    np.testing.assert_allclose(found["standardised"], expected.coef_[0], atol=1e-9)
    assert any("too good" in text for text in run.warnings)
    model = read_model(run.path / "models" / "federated_model.json")
    np.testing.assert_allclose(model.predict(frame), expected.predict_proba(scaled)[:, 1], atol=1e-9)
    with pytest.raises(DataError, match="there is no column 'marker'"):
        model.predict(frame.drop(columns="marker"))


@pytest.mark.parametrize(("algorithm", "more"), [
    ("linear", {"outcome": "score"}), ("cox", {"time": "months"}), ("kaplan-meier", {"time": "months"}),
    ("network", {"network": {"rounds": 4}}), ("trees", {"trees": {"rounds": 3}}),
    ("network", {"time": "months", "network": {"rounds": 3}}), ("logistic", {"harmonisation": True}),
    ("network", {"network": {"rounds": 3}, "privacy": {"kind": "central", "noise": 2.0}})])
def test_every_algorithm_has_its_result(study: Study, algorithm: str, more: dict) -> None:
    run = ml.run("federated", study, {**SETTINGS, "algorithm": algorithm, **more}, sinks=[])
    assert run.status == "completed" and run.metrics["sites"] == 3
    if algorithm == "kaplan-meier":
        curve = run.table("curve")
        assert set(curve["site"]) == {"all", *SITES} and curve["survival"].between(0, 1).all()
        return
    measure = {"linear": "R2"}.get(algorithm, "C-index" if "time" in more else "AUC")
    assert run.metrics["measure"] == measure and np.isfinite(run.metrics["federated"])
    assert ("epsilon" in run.metrics) == ("privacy" in more)
    model = read_model(run.path / "models" / "federated_model.json")
    assert model.sites == SITES
    assert np.isfinite(model.predict(patients(seed=9))).all()


@pytest.mark.parametrize(("algorithm", "more"), [
    ("network", {"network": {"rounds": 15}}), ("trees", {}), ("network", {"harmonisation": True})])
def test_networks_and_trees_predict_numbers_in_their_unit(study: Study, algorithm: str, more: dict) -> None:
    run = ml.run("federated", study, {**SETTINGS, "outcome": "score", "algorithm": algorithm, "external": False,
                                      "predictors": {"clinical": ["age", "marker", "grade"]}, **more}, sinks=[])
    assert run.metrics["measure"] == "R2" and run.metrics["federated"] > 0.6
    predicted = read_model(run.path / "models" / "federated_model.json").predict(patients())
    if "harmonisation" not in more:
        assert predicted.mean() == pytest.approx(patients()["score"].mean(), abs=0.7)


def test_where_nobody_could_be_judged_the_measure_is_told_all_the_same(study: Study) -> None:
    run = ml.run("federated", study, {**SETTINGS, "holdout": 0.1, "external": False}, sinks=[])
    assert run.metrics["measure"] == "AUC" and "federated" not in run.metrics


def test_a_curve_needs_no_predictors(tmp_path: Path) -> None:
    frame = patients()[["patient", "hospital", "death", "months"]]
    study = ml.create_study(tmp_path / "study")
    study.add_table("follow_up", frame, columns={
        "death": Column(role="outcome", type="boolean"), "months": Column(role="time", unit="months"),
        "hospital": Column(role="centre", type="category")})
    run = ml.run("federated", study, {**SETTINGS, "time": "months", "algorithm": "kaplan-meier"}, sinks=[])
    assert run.metrics["patients"] == 240 and run.metrics["events"] == int(frame["death"].sum())


def test_sites_are_folders_too_with_the_same_result(study: Study, tmp_path: Path) -> None:
    frame = patients()
    folders = {}
    for site in SITES:
        folders[site] = str(add(ml.create_study(tmp_path / site), frame[frame["hospital"] == site]).path)
    chosen = {"outcome": "death", "predictors": {"clinical": ["age", "marker", "grade"]}}
    one = ml.run("federated", study, {**chosen, "site_column": "hospital"}, sinks=[])
    other = ml.run("federated", ml.create_study(tmp_path / "coordinator"), {**chosen, "sites": folders}, sinks=[])
    assert {name: one.table_hashes[name] for name in one.tables} == other.table_hashes


def test_only_the_tables_that_are_named_are_looked_into(study: Study) -> None:
    study.add_table("genes", patients()[["patient", "marker"]].rename(columns={"marker": "g1"}), block="genes")
    run = ml.run("federated", study, {**SETTINGS, "predictors": {"clinical": ["age", "marker"]}}, sinks=[])
    assert list(run.table("columns")["column"]) == ["age", "marker"]
    assert "g1" in set(ml.run("federated", study, SETTINGS, sinks=[]).table("columns")["column"])


def test_a_true_zero_is_one_where_the_team_says_so(study: Study) -> None:
    rng = np.random.default_rng(2)
    frame = patients().assign(dose=np.where(rng.random(240) < 0.3, 0.0, rng.normal(65, 2, 240)))
    other = add(ml.create_study(study.path.parent / "other"), frame)
    quick = {**SETTINGS, "predictors": {"clinical": ["age", "dose"]}, "external": False, "compare": False}
    run = ml.run("federated", other, quick, sinks=[])
    assert any("'dose' counts as missing" in text and "true_zeros" in text for text in run.warnings)
    kept = ml.run("federated", other, {**quick, "true_zeros": ["dose"]}, sinks=[])
    mean = kept.table("columns").set_index("column").loc["dose", "mean"]
    assert mean < 55 and not any("'dose'" in text for text in kept.warnings)


def test_names_of_categories_are_those_of_their_coefficients(study: Study) -> None:
    """Mappings travel in the order of their names, whatever that of the table."""
    rng = np.random.default_rng(1)
    zone, area = rng.choice(["a", "b", "c"], 240), rng.choice(["x", "y"], 240)
    frame = patients()[["patient", "age", "hospital"]].assign(zone=zone, area=area)
    frame["death"] = (3 * (zone == "c") + rng.logistic(size=240) > 1).astype(int)
    other = ml.create_study(study.path.parent / "other")
    other.add_table("clinical", frame, columns={
        "zone": Column(type="category"), "area": Column(type="category"), "hospital": Column(role="centre"),
        "death": Column(role="outcome", type="boolean")})
    run = ml.run("federated", other, {**SETTINGS, "holdout": 0, "external": False, "compare": False}, sinks=[])
    found = run.table("coefficients").set_index("column")["coefficient"]
    assert found["zone=c"] > 1.5 and found[["zone=b", "area=y"]].abs().max() < 0.8


def test_losses_of_each_site_are_told_while_a_network_is_trained(study: Study) -> None:
    events = []
    ml.run("federated", study, {**SETTINGS, "algorithm": "network", "network": {"rounds": 3}, "compare": False,
                                "external": False}, sinks=[events.append])
    told = [event.detail["losses"] for event in events if event.detail and "losses" in event.detail]
    assert told and all(set(losses) == set(SITES) for losses in told)


def test_a_site_that_only_judges_trains_nothing(study: Study) -> None:
    run = ml.run("federated", study, {**SETTINGS, "test_sites": ["west"], "holdout": 0}, sinks=[])
    sites = run.table("sites").set_index("site")
    assert not sites.loc["west", "trains"] and sites.loc["west", ["patients", "testing_patients"]].tolist() == [0, 80]
    assert "west" not in set(run.table("availability")["site"])
    table = run.table("performance")
    assert set(table.loc[table["model"] == "federated", "site"]) == {"all", "west"}
    assert not table["model"].str.contains("west").any()


def test_sites_that_only_judge_are_harmonised_too(study: Study) -> None:
    run = ml.run("federated", study, {**SETTINGS, "test_sites": ["west"], "holdout": 0, "harmonisation": True},
                 sinks=[])
    table = run.table("performance").set_index(["model", "site"])["estimate"]
    assert table["federated", "west"] == pytest.approx(table["pooled", "west"], abs=1e-9)
    assert any(text.startswith("west did not train the model: it was harmonised") for text in run.warnings)


@pytest.mark.parametrize(("change", "kind", "words"), [
    ({"test_sites": ["wst"]}, SettingsError, "'wst' is none of the sites"),
    ({"test_sites": list(SITES)}, DataError, "no site is left to train the model")])
def test_sites_that_only_judge_must_be_some_of_the_sites(study: Study, change: dict, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        ml.run("federated", study, {**SETTINGS, **change}, sinks=[])


def test_no_site_has_the_name_of_all(tmp_path: Path) -> None:
    study = add(ml.create_study(tmp_path / "study"), patients().replace({"hospital": {"west": "all"}}))
    with pytest.raises(DataError, match="a site is called 'all'"):
        ml.run("federated", study, SETTINGS, sinks=[])


@pytest.mark.parametrize("algorithm", ["logistic", "linear", "cox"])
def test_a_column_that_does_not_vary_stops_no_model(tmp_path: Path, algorithm: str) -> None:
    frame = patients()
    of_site = frame["hospital"].map(dict(zip(SITES, (1.5, 2.5, 4.5), strict=True)))
    frame = frame.assign(scanner=of_site if algorithm == "cox" else 3.0)  # constant in each stratum, or altogether
    study = add(ml.create_study(tmp_path / "study"), frame)
    more = {"linear": {"outcome": "score"}, "cox": {"time": "months"}}.get(algorithm, {})
    run = ml.run("federated", study, {**SETTINGS, "algorithm": algorithm, "penalty": 0.0, "external": False,
                                      "predictors": {"clinical": ["age", "scanner"]}, **more}, sinks=[])
    table = run.table("coefficients").set_index("column")
    assert table.loc["scanner", "coefficient"] == 0 and np.isnan(table.loc["scanner", "standard_error"])
    assert run.metrics["federated"] == pytest.approx(run.metrics["pooled"], abs=1e-9)


def test_a_run_that_is_stopped_goes_on_where_it_was(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[str] = []
    real = Site.answer
    monkeypatch.setattr(Site, "answer", lambda self, letter: (answered.append(self.name), real(self, letter))[1])
    undisturbed = ml.run("federated", study, SETTINGS, sinks=[])
    whole = len(answered)

    def stop(event) -> None:
        if event.task == TASK and event.done == 20:
            raise KeyboardInterrupt

    with pytest.raises(Cancelled):
        ml.run("federated", study, SETTINGS, sinks=[stop])
    answered.clear()
    again = ml.run("federated", study, SETTINGS, sinks=[])
    assert again.table_hashes == undisturbed.table_hashes
    assert len(answered) < whole - 40


@pytest.mark.slow
def test_killed_with_minus_nine_it_goes_on(study: Study) -> None:
    program = ("import os, sys, medomicslab_nb as ml\n"
               "def die(event):\n"
               "    if event.done == 12: os._exit(9)\n"
               f"ml.run('federated', sys.argv[1], {SETTINGS!r}, sinks=[die])")
    assert subprocess.run([sys.executable, "-c", program, str(study.path)], check=False).returncode == 9
    run = ml.run("federated", study, SETTINGS, sinks=[])
    assert run.table_hashes == ml.run("federated", study, SETTINGS, sinks=[]).table_hashes


@pytest.mark.slow
def test_ray_gives_the_same_bytes(study: Study) -> None:
    quick = {**SETTINGS, "external": False, "compare": False}
    one = ml.run("federated", study, quick, sinks=[])
    # In a process of its own: Ray leaves files open, which would be an error here.
    program = f"import sys, medomicslab_nb as ml; ml.run('federated', sys.argv[1], {({**quick, 'backend': 'ray'})!r})"
    subprocess.run([sys.executable, "-c", program, str(study.path)], check=True)
    assert study.runs[-1].settings["backend"] == "ray"
    assert study.runs[-1].table_hashes == one.table_hashes


@pytest.mark.parametrize(("change", "kind", "words"), [
    ({"site_column": "city"}, DataError, "the column 'city' is in no table"),
    ({"site_column": ""}, SettingsError, "two sites or more"),
    ({"algorithm": "cox", "predictors": {"clinical": ["age"]}, "outcome": "event"}, DataError, "no follow-up time"),
    ({"algorithm": "kaplan-meier", "outcome": "event"}, DataError, "no follow-up time"),
    ({"required": ["east"]}, RunError, "the required site 'east' is none of the sites"),
    ({"policy": {"minimum_patients": 500}}, RunError, "sites north, south, west"),
    ({"policy": {"columns": ["death", "age"]}}, RunError, "sites north, south, west"),
    ({"policy": {"algorithms": ["cox"]}}, RunError, "sites north, south, west"),
    ({"policy": {"rounds_per_day": 2}}, RunError, "sites north, south, west"),
    ({"test": {"grade": "IV"}}, DataError, "no site has patients, or enough of them, with 'IV' in 'grade'"),
    ({"true_zeros": ["dose"]}, DataError, "there is no predictor 'dose'"),
])
def test_what_cannot_be_run_is_said_with_the_site(study: Study, change: dict, kind: type, words: str) -> None:
    alive = patients()[["patient", "death"]].rename(columns={"death": "event"})
    study.add_table("events", alive, columns={"event": Column(role="outcome", type="boolean")})
    with pytest.raises(kind, match=words):
        ml.run("federated", study, {**SETTINGS, **change}, sinks=[])


@pytest.mark.parametrize("change", [
    {"sites": {"a": "b"}}, {"backend": "deploy"}, {"test": {"a": "1", "b": "2"}}, {"privacy": {"kind": "local"}}])
def test_settings_that_contradict_each_other_are_refused(study: Study, change: dict) -> None:
    with pytest.raises(SettingsError):
        ml.run("federated", study, {**SETTINGS, **change}, sinks=[])


def test_no_identifier_and_no_value_in_what_is_kept(study: Study) -> None:
    run = ml.run("federated", study, SETTINGS, sinks=[])
    run.report()
    for path in run.path.rglob("*"):
        assert not path.is_file() or b"CASE-0" not in path.read_bytes(), path.name

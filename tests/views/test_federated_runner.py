"""The view of the federated stage: which sites, what would leave them, and what came out, in both languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import StudyError
from medomicslab_nb.federated.federation_folder import Member, create_federation
from medomicslab_nb.federated.outline import outline
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column
from medomicslab_nb.views import stage_view
from medomicslab_nb.views.federated_runner import FederatedRunner, site_columns
from tests.report.samples import FEDERATED_METRICS, federated_tables, finished_run
from tests.views.test_model_builder import wait_until

IDS = [f"PSEUDO-{number:04d}" for number in range(200)]
SETTINGS = {"outcome": "disease", "site_column": "hospital"}
COLUMNS = {"patient": Column(role="identifier", type="text"), "hospital": Column(role="centre", type="category"),
           "stage": Column(type="category"), "disease": Column(role="outcome", type="boolean")}


def clinical(rows: slice = slice(None)) -> pd.DataFrame:
    """200 patients of three hospitals, of which 'west' has twelve."""
    draw = np.random.default_rng(3)
    frame = pd.DataFrame({"patient": IDS, "hospital": ["north"] * 120 + ["south"] * 68 + ["west"] * 12,
                          "age": draw.normal(60, 9, 200).round(1), "stage": draw.choice(["I", "II"], 200)})
    return frame.assign(disease=(frame["age"] + draw.normal(0, 9, 200) > 60).astype(int))[rows]


@pytest.fixture
def hospitals(tmp_path: Path) -> Study:
    made = create_study(tmp_path / "hospitals")
    made.add_table("clinical", clinical(), columns=COLUMNS)
    return made


def parsed(**values: object) -> FederatedSettings:
    return FederatedSettings.parse({**SETTINGS, **values})


def test_outline_counts_each_sites_patients_and_says_which_would_refuse(hospitals: Study) -> None:
    found = outline(hospitals, parsed())
    assert [(site.name, site.patients) for site in found.sites] == [("north", 120), ("south", 68), ("west", 12)]
    assert sum(site.events or 0 for site in found.sites) == clinical()["disease"].sum()
    assert [bool(site.fault) for site in found.sites] == [False, False, True]
    assert found.fits == 1 + 3 + 3
    assert outline(hospitals, parsed(external=False)).fits == 4
    allowed = outline(hospitals, parsed(policy={"minimum_patients": 5, "minimum_events": 1}))
    assert [site.fault for site in allowed.sites] == ["", "", ""]


def test_outline_says_what_would_leave(hospitals: Study) -> None:
    leaves = " ".join(outline(hospitals, parsed()).leaves)
    assert "gradient and information of a logistic regression" in leaves
    assert "SHAP" in leaves
    assert "SHAP" not in " ".join(outline(hospitals, parsed(explain=False)).leaves)


def test_outline_of_study_folders_names_the_one_that_is_none(hospitals: Study, tmp_path: Path) -> None:
    for name, rows in (("north", slice(120)), ("south", slice(120, 188))):
        create_study(tmp_path / name).add_table("clinical", clinical(rows).drop(columns="hospital"), columns={
            name: column for name, column in COLUMNS.items() if name != "hospital"})
    found = outline(hospitals, FederatedSettings.parse({
        "outcome": "disease", "sites": {"south": "../south", "north": "../north", "lost": "../lost"}}))
    assert [(site.name, site.patients) for site in found.sites] == [("lost", None), ("north", 120), ("south", 68)]
    assert "no study" in found.sites[0].fault
    # A hospital that has rules of its own is not looked into.
    (tmp_path / "north" / "site").mkdir()
    found = outline(hospitals, FederatedSettings.parse({
        "outcome": "disease", "sites": {"south": "../south", "north": "../north"}}))
    assert [(site.name, site.patients) for site in found.sites] == [("north", None), ("south", 68)]


def test_outline_of_a_federation_counts_nobody(hospitals: Study, tmp_path: Path) -> None:
    folder = create_federation(tmp_path / "federation", "trial", "localhost:9092")
    folder.update("north", lambda _: Member("a" * 64))
    folder.update("south", lambda _: Member())
    settings = FederatedSettings.parse({"outcome": "disease", "federation": "../federation", "backend": "deploy"})
    found = outline(hospitals, settings)
    assert [(site.name, site.patients, bool(site.fault)) for site in found.sites] == [
        ("north", None, False), ("south", None, True)]
    with pytest.raises(StudyError):
        outline(hospitals, FederatedSettings.parse({"outcome": "disease", "federation": "../nothing"}))


def test_columns_that_may_name_the_hospital(hospitals: Study) -> None:
    assert site_columns(hospitals.tables) == ("hospital", "stage")


@pytest.mark.parametrize(("language", "words"), [
    ("en", ["would take no part", "Models to fit: 7, over 3 sites", "What would leave each site",
            "count, sum and sum of squares of each column"]),
    ("fr", ["ne participerait pas", "Modèles à ajuster : 7, sur 3 sites", "Ce qui sortirait de chaque site",
            "somme des carrés de chaque colonne"])])
def test_summary_in_words(hospitals: Study, monkeypatch: pytest.MonkeyPatch, language: str, words: list[str]) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", language)
    view = ml.view("federated", hospitals, SETTINGS)
    assert isinstance(view, FederatedRunner)
    said = view.summary(parsed())
    assert [word for word in words if word not in said] == []
    assert not any(patient in said for patient in IDS)


@pytest.mark.parametrize(("values", "words"), [
    ({"site_column": ""}, "Say where the sites are"), ({"outcome": "nothing"}, "cannot be run"),
    ({"site_column": "nowhere"}, "&#x27;nowhere&#x27; is in no table")])
def test_summary_says_why_settings_cannot_be_run(hospitals: Study, values: dict[str, object], words: str) -> None:
    view = ml.view("federated", hospitals, {"outcome": "disease"})
    assert isinstance(view, FederatedRunner)
    assert words in view.summary(parsed(**values))


def test_static_view_shows_the_sites_when_the_settings_name_them(hospitals: Study) -> None:
    shown = ml.view("federated", hospitals, SETTINGS)._repr_mimebundle_()["text/html"]
    assert "north" in shown
    assert "Endpoints" in shown
    assert "north" not in ml.view("federated", hospitals)._repr_mimebundle_()["text/html"]


def test_live_view_says_what_the_settings_mean(hospitals: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_view, "interactive", lambda: True)
    view = ml.view("federated", hospitals, SETTINGS)
    assert isinstance(view, FederatedRunner)
    assert view._below is not None
    wait_until(lambda: "Models to fit: 7" in view._below.summary.widget.value)
    view.on_settings(parsed(compare=False))
    wait_until(lambda: "Models to fit: 4" in view._below.summary.widget.value)


def test_result_of_a_number_has_no_events(hospitals: Study) -> None:
    tables = federated_tables()
    for measure, there in (("AUC", True), ("R2", False)):
        tables["performance"]["measure"] = measure
        record = finished_run(hospitals, "federated", tables, {**SETTINGS, "algorithm": "linear"},
                              metrics={**FEDERATED_METRICS, "measure": measure})
        compared = next(bundle["text/plain"] for bundle in ml.view("federated", hospitals, SETTINGS).result(record)
                        if "alone: north" in bundle.get("text/plain", ""))
        assert ("events" in compared) == there


def test_result_shows_models_side_by_side_what_left_and_what_is_not_known(hospitals: Study) -> None:
    record = finished_run(hospitals, "federated", federated_tables(), SETTINGS, metrics=FEDERATED_METRICS)
    bundles = ml.view("federated", hospitals, SETTINGS).result(record)
    text = " ".join(bundle.get("text/html", "") for bundle in bundles)
    said = ("What came out", "Federated, alone and together", "What left each site, in words", "What is not known")
    assert [words for words in said if words not in text] == []
    assert sum("application/vnd.plotly.v1+json" in bundle for bundle in bundles) == 7
    assert not any("widget" in kind for bundle in bundles for kind in bundle)
    failed = finished_run(hospitals, "federated", {}, SETTINGS, status="failed", error="the site north did not answer")
    (only,) = ml.view("federated", hospitals, SETTINGS).result(failed)
    assert "north did not answer" in only["text/html"]

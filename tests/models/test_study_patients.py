"""From a study to patients: landmark, dates, cohort, centre, perturbed values, external tables and the sealed test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.agreement import intraclass_correlation
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.sealed import seal
from medomicslab_nb.models.fitting import FitOptions, Patients, fit_models
from medomicslab_nb.models.preparation import Preparation
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.study_patients import (
    external_patients,
    read_outcome,
    sealed_patients,
    study_patients,
    together,
)
from medomicslab_nb.stages import StageResult
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column
from tests.models.conftest import COLUMNS, PATIENT, clinical, genes


def settings_of(**values) -> ModelsSettings:
    return ModelsSettings(**{"outcome": "os", **values})


def others(n: int = 40, seed: int = 3, prefix: str = "X") -> pd.DataFrame:
    """Patients of another hospital."""
    frame = clinical(n, seed)
    return frame.assign(patient=[f"{prefix}{i:04d}" for i in range(n)])


def of_others(frame: pd.DataFrame, prefix: str = "X") -> pd.DataFrame:
    return frame.set_axis(pd.Index([f"{prefix}{value}" for value in frame.index], name="patient"))


# -- development ------------------------------------------------------------------------------------------------------


def test_everybody_with_the_outcome_in_the_order_of_identifiers(tmp_path):
    made = create_study(tmp_path / "study")
    shuffled = clinical().sample(frac=1, random_state=0)
    made.add_table("clinical", shuffled, columns=COLUMNS)
    found = study_patients(made, settings_of())
    assert list(found.patients.frame.index) == list(clinical()["patient"])
    expected = clinical().set_index("patient")
    assert np.array_equal(found.patients.endpoint.time, expected["days"])
    assert np.array_equal(found.patients.frame["age"], expected["age"])
    assert found.patients.blocks == {"clinical": ("age", "stage", "marker")}
    assert found.patients.categorical == ("stage",)


def test_landmark_leaves_out_who_is_no_longer_at_risk_and_counts_from_there(study):
    found = study_patients(study, settings_of(landmark=100.0))
    expected = clinical().set_index("patient").query("days > 100")
    assert list(found.patients.frame.index) == list(expected.index)
    assert np.array_equal(found.patients.endpoint.time, expected["days"] - 100)
    assert len(found.complete) == 90
    assert any("landmark 100 days" in note for note in found.notes)
    with pytest.raises(DataError, match="a landmark needs an outcome with follow-up"):
        study_patients(study, settings_of(outcome="response", landmark=100.0))


def test_an_endpoint_built_from_dates_is_never_a_predictor(study):
    frame = clinical()
    start = pd.Timestamp("2020-01-01")
    end = start + pd.to_timedelta(frame["days"], unit="D")
    dated = frame.assign(diagnosis=start, death=end.where(frame["dead"]), contact=end)
    columns = {**COLUMNS, **{name: Column(role="date", type="date") for name in ("diagnosis", "death", "contact")}}
    study.add_table("clinical", dated, columns=columns)
    recipe = {"events": ["death"], "last_contact": "contact", "anchor": "diagnosis"}
    found = study_patients(study, settings_of(outcome="built", dates=recipe))
    expected = study_patients(study, settings_of())
    assert np.array_equal(found.patients.endpoint.time, expected.patients.endpoint.time)
    assert np.array_equal(found.patients.endpoint.event, expected.patients.endpoint.event)
    assert {"death", "contact", "diagnosis"}.isdisjoint(found.patients.frame.columns)
    assert found.patients.endpoint.name == "built"
    # As plain predictors they would tell: the dictionary's role keeps them out even when they are declared numbers.
    study.add_table("clinical", dated.assign(death=(end - start).dt.days.where(frame["dead"]).astype(float)),
                    columns={**columns, "death": Column()})
    with pytest.raises(DataError):
        study_patients(study, settings_of(outcome="built", dates=recipe, predictors={"clinical": ["age", "death"]}))


def test_cohort_restricts_and_splits_are_of_everybody(study):
    study.add_table("young", clinical().query("age < 60")[["patient"]], columns={"patient": PATIENT})
    found = study_patients(study, settings_of(cohort="young"))
    assert list(found.patients.frame.index) == list(clinical().query("age < 60")["patient"])
    assert len(found.complete) == 90
    assert any("patients with an outcome are not in the cohort" in note for note in found.notes)
    study.add_table("nobody", pd.DataFrame({"patient": ["zz"]}), columns={"patient": PATIENT})
    with pytest.raises(DataError, match="no patient of the cohort has the outcome"):
        study_patients(study, settings_of(cohort="nobody"))


def test_centre_by_role_by_name_or_none(study):
    hospitals = np.array(["A", "B", "C"], dtype=object)[np.arange(90) % 3]
    frame = clinical().assign(hospital=hospitals, scanner=np.where(np.arange(90) % 2, "x", "y"))
    study.add_table("clinical", frame, columns={**COLUMNS, "hospital": Column(role="centre", type="category"),
                                                "scanner": Column(role="ignore", type="category")})
    found = study_patients(study, settings_of()).patients
    assert list(found.companions.centre) == list(hospitals)
    assert "hospital" not in found.frame
    assert set(study_patients(study, settings_of(centre="scanner")).patients.companions.centre) == {"x", "y"}
    assert study_patients(study, settings_of(centre="none")).patients.companions.centre is None
    with pytest.raises(DataError, match="no column 'hospitl'"):
        study_patients(study, settings_of(centre="hospitl"))
    study.add_table("more", clinical()[["patient"]].assign(site="z"),
                    columns={"patient": PATIENT, "site": Column(role="centre", type="category")})
    with pytest.raises(DataError, match="several columns may be the centre: 'hospital' of table clinical, 'site'"):
        study_patients(study, settings_of())


def test_unknown_centres_are_counted(study):
    frame = clinical().assign(hospital=[None] * 4 + ["A"] * 50 + ["B"] * 36)
    study.add_table("clinical", frame, columns={**COLUMNS, "hospital": Column(role="centre", type="category")})
    found = study_patients(study, settings_of())
    assert any("The centre of 4 of 90 patients is not known" in note for note in found.notes)


def test_stratum_is_read_for_the_plain_model_only(study):
    frame = clinical().assign(arm=np.where(np.arange(90) % 2, "x", "y"))
    study.add_table("clinical", frame, columns={**COLUMNS, "arm": Column(role="stratum", type="category")})
    assert list(study_patients(study, settings_of(learner="plain")).patients.companions.stratum) == list(frame["arm"])
    assert any("within the 2 groups of 'arm'" in note
               for note in study_patients(study, settings_of(learner="plain")).notes)
    found = study_patients(study, settings_of()).patients
    assert found.companions.stratum is None and "arm" not in found.frame


def test_complete_leaves_out_who_lacks_a_block(study):
    study.add_table("genes", genes().iloc[:60], block="genes", default_column=Column(), transposed=True)
    assert len(study_patients(study, settings_of(complete=True)).patients.frame) == 60
    everybody = study_patients(study, settings_of()).patients
    assert len(everybody.frame) == 90 and everybody.frame["g0"].isna().sum() == 30


# -- perturbed values of a radiomics run ------------------------------------------------------------------------------


def radiomics(study, monkeypatch, lesions: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A run of the radiomics stage that publishes made features: one reproducible, one not, one never perturbed."""
    rng = np.random.default_rng(5)
    patients = clinical()["patient"]
    features = pd.DataFrame({"patient": patients, "CT_good": rng.normal(size=90), "CT_bad": rng.normal(size=90),
                             "CT_lesion_count": float(lesions)})
    noise = {"CT_good": 0.3, "CT_bad": 1.0}
    parts = []
    for kind in ("growth", "noise"):
        for lesion in range(lesions):
            parts.append(pd.DataFrame({"patient": patients, "modality": "CT", "lesion": str(lesion + 1), "roi": "GTV",
                                       "perturbation": kind}).assign(**{
                                           name: features[name] + 10.0 * lesion + amount * rng.normal(size=90)
                                           for name, amount in noise.items()}))
    perturbed = pd.concat(parts, ignore_index=True)
    monkeypatch.setattr("medomicslab_nb.radiomics.stage.run", lambda *args: StageResult(
        {"features": features, "perturbed": perturbed}))
    ml.run("radiomics", study, {}, sinks=[])
    return features, perturbed


def test_perturbed_values_of_a_radiomics_run_feed_the_icc_filter(study, monkeypatch):
    features, perturbed = radiomics(study, monkeypatch)
    settings = settings_of(blocks={"clinical": ["clinical"], "radiomics": ["features"]})
    patients = study_patients(study, settings).patients
    assert patients.blocks["radiomics"] == ("CT_good", "CT_bad", "CT_lesion_count")
    ratings = np.stack([features.set_index("patient")[["CT_good", "CT_bad"]],
                        *(perturbed[perturbed["perturbation"] == kind].set_index("patient")[["CT_good", "CT_bad"]]
                          for kind in ("growth", "noise"))], axis=1)
    good, bad = (float(value) for value in intraclass_correlation(ratings).estimate)
    assert bad < 0.6 < 0.8 < good
    own = patients.frame[["CT_good", "CT_bad"]]
    # The original is one of three readings, and not two of four.
    for least, kept in ((bad - 1e-6, {"CT_good", "CT_bad"}), (bad + 1e-6, {"CT_good"}), (good - 1e-6, {"CT_good"}),
                        (good + 1e-6, set())):
        preparation = Preparation({"icc": least}).fit(own, patients.endpoint, patients.companions)
        assert set(preparation.selected_) == kept
    model = fit_models(patients, {"all": ("clinical", "radiomics")}, ["ridge"], FitOptions())["all", "ridge"]
    used = {column for part in model.parts for column in part.preparation.columns_}
    assert "CT_bad" not in used and "CT_good" in used


def test_patients_with_several_lesions_do_not_judge_reproducibility(study, monkeypatch):
    """Their features are those of one lesion, and nothing says of which."""
    radiomics(study, monkeypatch, lesions=2)
    patients = study_patients(study, settings_of(blocks={"radiomics": ["features"]})).patients
    preparation = Preparation({"icc": 0.75}).fit(patients.frame, patients.endpoint, patients.companions)
    assert "CT_good" in preparation.selected_


def test_perturbed_values_of_features_that_are_no_predictors_are_not_looked_at(study, monkeypatch):
    radiomics(study, monkeypatch)
    assert study_patients(study, settings_of()).patients.companions.perturbed is None


# -- external tables --------------------------------------------------------------------------------------------------


def test_external_tables_by_the_dictionary_of_development(study):
    study.add_table("clinical_b", others(), columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    development = study_patients(study, settings)
    assert development.patients.blocks["clinical"] == ("age", "stage", "marker")
    assert len(development.patients.frame) == 90
    test = external_patients(study, settings, development)
    assert list(test.patients.frame.columns) == list(development.patients.frame.columns)
    assert list(test.patients.frame.index) == list(others()["patient"])
    assert np.array_equal(test.patients.endpoint.time, others()["days"])
    # A table that nothing stands for is a missing block.
    assert test.patients.frame[list(development.patients.blocks["genes"])].isna().all(axis=None)
    assert any("12 of 15 predictors have no value there" in note for note in test.notes)
    both = together(development.patients, test.patients)
    assert len(both.frame) == len(both.endpoint) == 130
    assert list(both.endpoint.patients) == list(both.frame.index)


def test_external_patients_who_are_in_development_are_refused(study):
    study.add_table("clinical_b", pd.concat([others(), clinical().iloc[:2]]), columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    with pytest.raises(DataError, match="2 patients are in the development and in the external tables"):
        external_patients(study, settings, study_patients(study, settings))


def test_external_columns_are_known_by_their_tables_though_others_of_their_name_are_missing(study):
    """Development calls age 'clinical: age', since the labs have one, too; external labs there are none."""
    study.add_table("labs", clinical()[["patient", "age"]].assign(crp=1.5), block="labs",
                    columns={"patient": PATIENT, "age": Column(), "crp": Column()})
    study.add_table("clinical_b", others(), columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    development = study_patients(study, settings)
    assert "clinical: age" in development.patients.frame
    test = external_patients(study, settings, development)
    assert np.array_equal(test.patients.frame["clinical: age"], others()["age"])
    assert test.patients.frame["labs: age"].isna().all()


def test_external_columns_with_other_names_are_missing_and_said(study):
    study.add_table("clinical_b", others().rename(columns={"marker": "crp"}), columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external", blocks={"c": ["clinical"]})
    development = study_patients(study, settings)
    with pytest.raises(DataError, match="no column 'marker'"):
        external_patients(study, settings, development)


def test_external_tables_without_the_outcome_or_without_tables_are_refused(study):
    study.add_table("clinical_b", others().drop(columns="dead"), columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    with pytest.raises(DataError, match="dead"):
        external_patients(study, settings, study_patients(study, settings))
    with pytest.raises(DataError, match="no external tables are named"):
        external_patients(study, settings_of(), study_patients(study, settings_of()))


def test_external_patients_need_no_centre(study):
    frame = clinical().assign(hospital=np.where(np.arange(90) % 2, "A", "B"))
    study.add_table("clinical", frame, columns={**COLUMNS, "hospital": Column(role="centre", type="category")})
    study.add_table("clinical_b", others(), columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    development = study_patients(study, settings)
    test = external_patients(study, settings, development)
    both = together(development.patients, test.patients)
    centre = both.companions.restrict(both.frame.index).centre
    assert centre.iloc[:90].notna().all() and centre.iloc[90:].isna().all()


def test_external_times_in_another_unit_are_refused(study):
    """The dictionary of development would take months for days."""
    months = others().assign(days=others()["days"] / 30.4375)
    there = {**COLUMNS, "days": Column(role="time", unit="months", endpoint="os")}
    study.add_table("clinical_b", months, columns=there)
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    with pytest.raises(DataError, match=r"'days' is in months, and in development in days"):
        external_patients(study, settings, study_patients(study, settings))


def test_external_categories_that_were_read_as_numbers_are_the_same_categories(study):
    """T stages 1, 2, 3: text there, whole numbers or numbers with gaps here."""
    stage = np.array(["1", "2", "3"], dtype=object)[np.arange(90) % 3]
    study.add_table("clinical", clinical().assign(stage=stage), columns=COLUMNS)
    ours = others()
    for values in ([1, 2, 3, 1] * 10, [1.0, 2.0, 3.0, np.nan] * 10):
        study.add_table("clinical_b", ours.assign(stage=values), columns={"patient": PATIENT})
        settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
        test = external_patients(study, settings, study_patients(study, settings))
        assert set(test.patients.frame["stage"].dropna()) == {"1", "2", "3"}


def test_external_categories_that_development_does_not_know_are_said(study):
    """Stage 1, 2, 3 there and I, II, III here would all be nobody's stage, in silence."""
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    for stage, said in (("1", ["40 of 40"]), ("II", [])):
        study.add_table("clinical_b", others().assign(stage=stage), columns={"patient": PATIENT})
        notes = external_patients(study, settings, study_patients(study, settings)).notes
        found = [note for note in notes if "categories that development does not know" in note]
        assert len(found) == len(said) and all(words in note for words, note in zip(said, found, strict=True))


def test_development_categories_with_gaps_are_the_same_as_without(study):
    """Whole numbers with a gap are read as 1.0: still category 1."""
    stage = np.where(np.arange(90) % 7 == 0, np.nan, np.arange(90) % 3 + 1.0)
    study.add_table("clinical", clinical().assign(stage=stage), columns=COLUMNS)
    assert set(study_patients(study, settings_of()).patients.frame["stage"].dropna()) == {"1", "2", "3"}


def test_external_words_in_a_column_of_numbers_are_an_error_and_not_missing_values(study):
    wrong = others().assign(marker=["high"] * 3 + ["1.5"] * 37)
    study.add_table("clinical_b", wrong, columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b"}, validation="external")
    with pytest.raises(DataError, match="3 values of 'marker' are no numbers"):
        external_patients(study, settings, study_patients(study, settings))
    words = of_others(genes(40))
    words["g0"] = ["low"] * 2 + ["1.5"] * 38
    study.add_table("clinical_b", others(), columns={"patient": PATIENT})
    study.add_table("genes_b", words.reset_index(), columns={"patient": PATIENT})
    settings = settings_of(external={"clinical": "clinical_b", "genes": "genes_b"}, validation="external")
    with pytest.raises(DataError, match="2 values of 'g0' are no numbers, as they were in development"):
        external_patients(study, settings, study_patients(study, settings))


def test_an_external_block_without_any_value_is_a_missing_block(study):
    study.add_table("clinical_b", others(), columns={"patient": PATIENT})
    empty = of_others(genes(40)) * np.nan
    study.add_table("genes_b", empty, block="genes", default_column=Column(), transposed=True)
    settings = settings_of(external={"clinical": "clinical_b", "genes": "genes_b"}, validation="external")
    test = external_patients(study, settings, study_patients(study, settings))
    assert test.patients.frame["g0"].isna().all()


def test_other_classes_or_causes_in_the_external_tables_are_refused():
    index = pd.Index(["a", "b", "c"], name="patient")
    frame = pd.DataFrame({"x": [1.0, 2, 3]}, index=index)
    def patients(classes):
        return Patients(frame, Endpoint("y", np.array([0, 1, 2]), index, classes=classes), {"c": ("x",)})

    with pytest.raises(DataError, match="other classes"):
        together(patients(("a", "b", "c")), patients(("a", "b", "d")))


# -- the sealed test --------------------------------------------------------------------------------------------------


def test_development_never_sees_the_sealed_patients(study):
    settings = settings_of(validation="sealed", reason="final")
    found = seal(study, read_outcome(study, settings), share=0.3, seed=1)
    development = study_patients(study, settings, without=found.patients)
    test = sealed_patients(study, settings, development, found.patients)
    assert set(test.patients.frame.index) == set(found.patients)
    assert set(development.patients.frame.index) == set(clinical()["patient"]) - set(found.patients)
    assert not set(development.complete.patients) & set(found.patients)
    expected = clinical().set_index("patient").loc[test.patients.frame.index]
    assert np.array_equal(test.patients.frame["age"], expected["age"])
    assert np.array_equal(test.patients.endpoint.time, expected["days"])


def test_sealed_patients_may_lack_a_block_altogether(study):
    """A sealed centre without sequencing: opening the seal must not end in an error."""
    settings = settings_of(validation="sealed", reason="final")
    found = seal(study, read_outcome(study, settings), share=0.3, seed=1)
    left = genes().loc[~genes().index.isin(found.patients)]
    study.add_table("genes", left, block="genes", default_column=Column(), transposed=True)
    development = study_patients(study, settings, without=found.patients)
    test = sealed_patients(study, settings, development, found.patients)
    assert len(test.patients.frame) == len(found.patients)
    assert test.patients.frame["g0"].isna().all()
    assert test.patients.blocks == development.patients.blocks

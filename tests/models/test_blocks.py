"""Designs: what is a predictor, who is in, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import find_endpoint
from medomicslab_nb.models.blocks import build_design, find_disguises, predictor_warnings
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column
from tests.models.conftest import COLUMNS, PATIENT, clinical, genes


def design_of(study, outcome="os", **options):
    return build_design(study, find_endpoint(study, outcome), blocks=options.get("blocks", {}),
                        predictors=options.get("predictors", {}))


def test_outcomes_of_every_endpoint_are_never_predictors(study):
    design = design_of(study)
    assert design.blocks["clinical"] == ("age", "stage", "marker")
    assert list(design.blocks) == ["clinical", "genes"]
    assert design.categorical == ("stage",)
    assert design.frame.shape == (90, 15)
    with pytest.raises(DataError, match="'days' is an outcome"):
        design_of(study, "response", predictors={"clinical": ("age", "days")})


def test_undeclared_outcome_column_is_no_predictor(study):
    study.update_columns("clinical", {"response": Column(type="integer")})
    assert "response" not in design_of(study, "response").frame
    assert "response" in design_of(study, "os").frame


def test_chosen_blocks_and_predictors(study):
    design = design_of(study, blocks={"omics": ("genes",)}, predictors={"genes": ("g3", "g1")})
    assert dict(design.blocks) == {"omics": ("g3", "g1")}
    with pytest.raises(DataError, match="no column 'g99'"):
        design_of(study, predictors={"genes": ("g99",)})
    with pytest.raises(DataError, match=r"block omics.*no table 'gene'.*Did you mean 'genes'"):
        design_of(study, blocks={"omics": ("gene",)})


def test_patients_without_a_table_stay_unless_complete_ones_are_asked_for(study):
    study.add_table("proteins", genes(60, 3).add_prefix("p").reset_index(), block="proteins")
    design = design_of(study)
    assert len(design.frame) == 90 and design.frame["pg0"].isna().sum() == 30
    assert any(note.startswith("30 of 90 patients are not in table 'proteins'") for note in design.notes)
    complete = build_design(study, find_endpoint(study, "os"), blocks={}, predictors={}, complete=True)
    assert len(complete.frame) == 60
    assert any(note.startswith("30 of 90 patients with an outcome are not in every table") for note in complete.notes)


def test_tables_without_common_patients_are_an_error(study):
    strangers = genes(20, 3).add_prefix("p")
    strangers.index = pd.Index([f"X{i}" for i in range(20)], name="patient")
    study.add_table("proteins", strangers.reset_index(), block="proteins")
    with pytest.raises(DataError, match="block proteins: none of its columns holds a value"):
        design_of(study)
    with pytest.raises(DataError, match="no patient with an outcome is in every table"):
        build_design(study, find_endpoint(study, "os"), blocks={}, predictors={}, complete=True)
    with pytest.raises(DataError, match="no patient with an outcome is in any table"):
        design_of(study, blocks={"p": ("proteins",)})


def test_columns_of_the_same_name_get_their_tables_name(study):
    study.add_table("labs", clinical()[["patient", "age"]], block="labs", columns={"age": Column()})
    assert {"clinical: age", "labs: age"} <= set(design_of(study).frame.columns)


def test_visits_are_left_out_with_a_note_or_refused_when_named(study):
    visits = pd.concat([clinical()[["patient", "marker"]]] * 2)
    study.add_table("visits", visits, level="visit", columns={"marker": Column()})
    assert any("'visits' has several rows per patient" in note for note in design_of(study).notes)
    with pytest.raises(DataError, match="90 rows repeat a patient"):
        design_of(study, blocks={"a": ("visits",)})


def test_values_that_do_not_fit_the_dictionary(study):
    frame = clinical().assign(size=["big"] + ["1.5"] * 89, note="seen", when="2020-01-01")
    study.add_table("clinical", frame, columns={**COLUMNS, "size": Column()})
    with pytest.raises(DataError, match="1 values of 'size' are no numbers"):
        design_of(study)
    study.update_columns("clinical", {"size": Column(type="category")})
    study.add_table("clinical", frame, columns={**COLUMNS, "size": Column(type="category"), "note": Column(type="text"),
                                                "when": Column(type="date")})
    assert any("'note', 'when' hold text or dates" in note for note in design_of(study).notes)


def test_bad_input_46_infinite_predictors(study):
    study.add_table("clinical", clinical().assign(age=[np.inf] + [50.0] * 89), columns=COLUMNS)
    with pytest.raises(DataError, match="1 values of 'age' are infinite"):
        design_of(study)


@pytest.mark.parametrize("outcome", ["os", "response"])
def test_bad_input_49_disguised_outcome_is_named(study, outcome):
    frame = clinical()
    truth = frame["response"] if outcome == "response" else -frame["days"]
    study.add_table("clinical", frame.assign(copy=truth * 2.0), columns={**COLUMNS, "copy": Column()})
    design = design_of(study, outcome)
    found = find_disguises(design, find_endpoint(study, outcome))
    assert [disguise.column for disguise in found] == ["copy"]
    assert predictor_warnings(design, found)[0].startswith("'copy' ")


def test_bad_input_50_more_columns_than_patients_is_said(study):
    study.add_table("genes", genes(90, 95), block="genes", default_column=Column(), transposed=True)
    assert any(text.startswith("There are more predictors (98) than patients (90)")
               for text in predictor_warnings(design_of(study), []))


def test_bad_input_51_all_missing_column_is_left_out_with_a_note(study):
    study.add_table("clinical", clinical().assign(marker=np.nan), columns=COLUMNS)
    design = design_of(study)
    assert "marker" not in design.frame
    assert any("'marker' hold no value" in note for note in design.notes)
    with pytest.raises(DataError, match="block clinical: none of its columns holds a value"):
        design_of(study, predictors={"clinical": ("marker",)})


def test_bad_input_92_values_after_the_index_date(tmp_path):
    study = create_study(tmp_path / "dated", index_date="diagnosis")
    study.add_table("clinical", clinical().assign(diagnosis="2020-01-10"),
                    columns={**COLUMNS, "diagnosis": Column(role="index_date", type="date")})
    labs = clinical()[["patient", "marker"]].assign(taken=["2020-01-11"] * 2 + ["2020-01-10"] * 88)
    study.add_table("labs", labs, block="labs", date_column="taken", columns={
        "patient": PATIENT, "marker": Column(), "taken": Column(role="date", type="date")})
    with pytest.raises(DataError, match="table labs, column taken: 2 of 90 patients have values dated after"):
        design_of(study)
    study.add_table("labs", labs.assign(taken="2020-01-10"), block="labs", date_column="taken", columns={
        "patient": PATIENT, "marker": Column(), "taken": Column(role="date", type="date")})
    assert "labs: marker" in design_of(study).frame

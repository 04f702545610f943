"""Files into the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.data.importing import import_file, name_from, prepare_file
from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column


def test_a_table_is_stored_with_its_dictionary(study, write):
    info = import_file(study, write("Our cohort (2).csv", "patient_id,age,os_time,os_event\n007,61,12,1\n8,70,9,0\n"))
    assert info.name == "Our_cohort_2"
    assert info.source == "Our cohort (2).csv"
    table = study.table(info.name)
    assert table.index.tolist() == ["007", "8"]
    assert table.index.name == "patient"
    assert info.column("os_event").role == "event"
    assert info.column("patient").role == "identifier"


def test_preparing_stores_nothing_and_tells_what_was_decided(study, write):
    prepared = prepare_file(study, write("a.csv", "ID;taille\nP1;1,5\n", "latin-1"))
    assert study.tables == {}
    assert any("'ID' is called 'patient'" in note for note in prepared.notes)


def test_corrections_replace_entries_or_some_of_their_fields(study, write):
    path = write("a.csv", "patient,size_mm,stage\nP1,1,2\nP2,3,4\n")
    info = import_file(study, path, columns={"size_mm": {"role": "ignore"}, "stage": Column(type="category")})
    assert (info.column("size_mm").role, info.column("size_mm").unit) == ("ignore", "mm")
    assert info.column("stage").type == "category"
    with pytest.raises(DataError, match="no column 'sise'"):
        import_file(study, path, columns={"sise": {"role": "ignore"}}, replace=True)


def test_bad_input_44_duplicate_patients_refused_with_counts(study, write):
    path = write("a.csv", "patient,x\nPAT-1,1\nPAT-1,2\nPAT-2,3\n")
    with pytest.raises(DataError, match=r"2 rows share their patient with another row \(1 patients\)") as error:
        import_file(study, path)
    assert "PAT" not in str(error.value)
    assert study.tables == {}


def test_bad_input_44_duplicate_patient_and_date_refused_at_level_visit(study, write):
    content = "patient,seen,x\nP1,2021-01-01,1\nP1,2021-02-01,2\n"
    info = import_file(study, write("a.csv", content), level="visit", date_column="seen")
    assert (info.level, info.date_column, info.n_rows) == ("visit", "seen", 2)
    with pytest.raises(DataError, match="patient and date"):
        import_file(study, write("b.csv", content + "P1,2021-02-01,3\n"), level="visit", date_column="seen")
    with pytest.raises(DataError, match="needs the column with their dates"):
        import_file(study, write("c.csv", content), level="visit")
    with pytest.raises(DataError, match="holds no dates"):
        import_file(study, write("d.csv", content), level="visit", date_column="x")


def test_a_refused_file_leaves_the_stored_table(study, write):
    import_file(study, write("a.csv", "patient,x\nP1,1\n"))
    with pytest.raises(DataError):
        import_file(study, write("a.csv", "patient,x\nP1,inf\n"), replace=True)
    assert study.table("a")["x"].tolist() == [1]


@pytest.mark.parametrize(("file", "name"), [("labs.2021.csv", "labs_2021"), ("labs.2022.csv.gz", "labs_2022"),
                                            ("labs.xlsx", "labs"), ("LABS.CSV", "LABS"), ("..csv", "table")])
def test_names_keep_all_but_the_ending(file, name):
    assert name_from(Path(file)) == name


def test_a_table_is_replaced_only_when_told_so(study, write):
    path = write("labs.csv", "patient,x\nP1,1\n")
    import_file(study, path)
    with pytest.raises(DataError, match=r"there is a table 'labs' already. Give --name, or --replace"):
        import_file(study, path)
    import_file(study, write("labs.csv", "patient,x\nP1,2\n"), replace=True)
    assert study.table("labs")["x"].tolist() == [2]
    import_file(study, path, "labs_2")


def test_replacing_keeps_corrections_of_columns_that_are_still_there(study, write):
    mine = {"x": {"unit": "mm"}, "y": {"role": "ignore"}, "z": {"role": "ignore"}}
    import_file(study, write("a.csv", "patient,w,x,y,z\nP1,1,1,1,1\nP2,0,2,2,2\n"), columns=mine)
    path = write("a.csv", "patient,w,x,y\nP1,5,1,1\nP2,6,2.5,2\n")
    prepared = prepare_file(study, path, replace=True, columns={"y": {"role": "outcome"}})
    assert (prepared.columns["x"].unit, prepared.columns["y"].role) == ("mm", "outcome")
    assert prepared.columns["w"].type == "integer"  # the first guess was no correction
    assert "Corrections to the dictionary that were kept from the replaced table: 2." in prepared.notes


@pytest.mark.parametrize("given", [{"name": "PAT-0001"}, {"block": "of_PAT-0001"}, {}])
def test_names_that_hold_an_identifier_are_refused(study, write, given):
    import_file(study, write("clinical.csv", "patient,x\nPAT-0001,1\nPAT-0002,2\n"))
    content = "patient,x\nPAT-0003,1\n" if given else "patient,x,mean of PAT-0001\nPAT-0003,1,2\n"
    with pytest.raises(ProtectionError, match="patient identifier") as error:
        import_file(study, write("b.csv", content), **given)
    assert "PAT" not in str(error.value)


def test_names_that_hold_an_identifier_of_the_file_itself_are_refused(study, write):
    with pytest.raises(ProtectionError):
        import_file(study, write("b.csv", "patient,x\nPAT-0003,1\n"), "PAT-0003")


def test_the_stored_file_name_has_no_identifier(study, write):
    info = import_file(study, write("PAT-0003 export.csv", "patient,x\nPAT-0003,1\n"), "labs")
    assert info.source == "[redacted] export.csv"


def test_doubtful_events_and_halves_of_endpoints_are_told(study, write):
    prepared = prepare_file(study, write("a.csv", "patient,time,cens,os_time\nP1,5,1,7\nP2,6,0,9\nP3,7,1,8\n"))
    assert any("Check that 1 means the event in 'cens'" in note for note in prepared.notes)
    assert any("'os_time' looks like the time or the event" in note for note in prepared.notes)



def wide(n: int, p: int) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(8, 2, (n, p)).astype("float32")
    return pd.DataFrame(values, index=[f"P{i}" for i in range(n)], columns=[f"G{i}" for i in range(p)])


def test_omics_are_stored_transposed_as_float32(study, tmp_path):
    frame = wide(5, 600)
    frame.to_csv(tmp_path / "genes.csv", index_label="patient")
    info = import_file(study, tmp_path / "genes.csv")
    assert info.transposed
    assert info.block == "genes"
    assert info.column("G17").role == "predictor"
    pd.testing.assert_frame_equal(study.table("genes"), frame.rename_axis("patient"))


def test_genes_by_patients_files_are_recognised_by_known_patients(study, tmp_path, write):
    import_file(study, write("clinical.csv", "patient,age\n" + "".join(f"P{i},{i + 50}\n" for i in range(5))))
    frame = wide(5, 600)
    frame.T.to_csv(tmp_path / "genes.csv", index_label="gene")
    info = import_file(study, tmp_path / "genes.csv")
    assert (info.n_rows, info.n_columns) == (5, 600)
    pd.testing.assert_frame_equal(study.table("genes"), frame.rename_axis("patient"))


def test_values_too_large_for_single_precision_are_refused(study, tmp_path):
    frame = wide(3, 600).astype(float)
    frame.iloc[0, 0] = 1e300
    frame.to_csv(tmp_path / "genes.csv", index_label="patient")
    with pytest.raises(DataError, match="single precision"):
        import_file(study, tmp_path / "genes.csv")


@pytest.mark.parametrize(("columns", "block"), [(10, "clinical"), (60, "proteins")])
def test_tables_of_many_columns_form_a_block(study, tmp_path, columns, block):
    wide(4, columns).to_csv(tmp_path / "proteins.csv", index_label="patient")
    assert import_file(study, tmp_path / "proteins.csv").block == block


@pytest.mark.realdata
def test_real_pancreas_omics_keep_their_endpoint(study, real_data):
    info = import_file(study, real_data / "paad/paad_gex.csv.gz")
    assert info.transposed
    assert (info.column("time").role, info.column("status").role) == ("time", "event")
    assert study.table("paad_gex").shape == (81, 2003)


def test_notes_of_one_patient_and_day_are_several_and_predict_nothing(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("patient,date,note,text\nP-0001,2020-01-03,cr1,Tumeur pT2.\nP-0001,2020-01-03,cr2,Pas de fièvre.\n"
                    "P-0002,,cr3,Suivi.\n", encoding="utf-8")
    study = create_study(tmp_path / "study")
    info = import_file(study, path, block="notes", date_column="date")
    assert (info.level, len(study.table("notes"))) == ("visit", 3)
    assert {name for name, column in info.columns.items() if column.role == "predictor"} == set()

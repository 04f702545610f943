"""Files of tables: right answers and named errors. Rows are numbered as a spreadsheet shows them."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from medomicslab_nb.data.reading import read_table
from medomicslab_nb.errors import DataError


def refused(path: Path, **options: object) -> str:
    """The message with which a file is refused."""
    with pytest.raises(DataError) as error:
        read_table(path, **options)  # type: ignore[arg-type]
    assert path.name in str(error.value)
    return str(error.value)


def workbook(path: Path, *sheets: list[list[object]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def test_bad_input_39_leading_zeros_kept(write):
    read = read_table(write("a.csv", "patient,age\n00123,61\n0045,70\n"))
    assert read.frame["patient"].tolist() == ["00123", "0045"]
    assert read.frame["age"].tolist() == [61, 70]


def test_bad_input_39_leading_zeros_of_other_codes_kept_and_told(write):
    read = read_table(write("a.csv", "patient,postcode\n1,01230\n2,75001\n"))
    assert read.frame["postcode"].tolist() == ["01230", "75001"]
    assert any("'postcode'" in note and "leading zeros" in note for note in read.notes)


def test_bad_input_39_leading_zeros_shown_by_a_spreadsheet_format_kept(tmp_path):
    book = workbook(tmp_path / "a.xlsx", [["patient", "age"], [123, 61], [45, 70]])
    for row in (2, 3):
        book["S1"].cell(row, 1).number_format = "00000"
    book.save(tmp_path / "a.xlsx")
    assert read_table(tmp_path / "a.xlsx").frame["patient"].tolist() == ["00123", "00045"]


def test_bad_input_39_numbers_as_parquet_identifiers_become_text_and_are_told(tmp_path):
    pd.DataFrame({"patient": [1, 2], "x": [0.5, 1.5]}).to_parquet(tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet")
    assert read.frame["patient"].tolist() == ["1", "2"]
    assert any("leading zeros" in note for note in read.notes)


def test_bad_input_40_gene_called_na_is_a_column(write):
    read = read_table(write("a.csv", "patient,NA,TP53\nP1,1.5,NA\nP2,2.5,3\n"))
    assert list(read.frame.columns) == ["patient", "NA", "TP53"]
    assert read.frame["NA"].tolist() == [1.5, 2.5]
    assert read.frame["TP53"].isna().tolist() == [True, False]


def test_bad_input_40_gene_called_na_is_a_row_label(write):
    read = read_table(write("a.csv", "gene,P1,P2\nNA,1,2\nTP53,3,NA\n"), patients=["P1", "P2"])
    assert read.transposed
    assert read.frame["patient"].tolist() == ["P1", "P2"]
    assert read.frame["NA"].tolist() == [1, 2]
    assert read.frame["TP53"].isna().tolist() == [False, True]


def test_bad_input_40_patient_called_na_is_a_patient(write):
    assert read_table(write("a.csv", "patient,x\nNA,1\nNULL,2\n")).frame["patient"].tolist() == ["NA", "NULL"]


@pytest.mark.parametrize("cells", [("2021-02-03", "13/04/2021"), ("13/04/2021", "04/13/2021"),
                                   ("13/04/2021", "14.04.2021")])
def test_bad_input_41_mixed_dates_refused(write, cells):
    message = refused(write("a.csv", "patient,seen\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))))
    assert "'seen'" in message
    assert not any(cell in message for cell in cells)


def test_bad_input_41_mixed_dates_in_a_spreadsheet_refused(tmp_path):
    workbook(tmp_path / "a.xlsx", [["patient", "seen"], ["P1", pd.Timestamp("2021-02-03")], ["P2", "13/04/2021"]])
    assert "different ways" in refused(tmp_path / "a.xlsx")


@pytest.mark.parametrize(("cells", "expected"), [
    (("2021-02-03", ""), ("2021-02-03", None)),
    (("13/04/2021", "03/04/2021"), ("2021-04-13", "2021-04-03")),
    (("04/13/2021", "04/03/2021"), ("2021-04-13", "2021-04-03")),
    (("13.4.2021", "3.4.2021"), ("2021-04-13", "2021-04-03")),
    (("2021-02-03 10:30", "2021-02-04"), ("2021-02-03 10:30", "2021-02-04")),
])
def test_bad_input_41_consistent_dates_read(write, cells, expected):
    read = read_table(write("a.csv", "patient,seen\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))))
    assert read.frame["seen"].tolist() == pd.to_datetime(list(expected), format="mixed").tolist()


def test_bad_input_41_ambiguous_dates_need_a_statement(write):
    path = write("a.csv", "patient,seen\n1,03/04/2021\n2,05/06/2021\n")
    assert "date order" in refused(path)
    day, month = (read_table(path, date_order=order).frame["seen"] for order in ("day-first", "month-first"))
    assert day.dt.month.tolist() == [4, 6]
    assert month.dt.month.tolist() == [3, 5]


def test_bad_input_41_statement_against_the_data_refused(write):
    assert "'month-first'" in refused(write("a.csv", "patient,seen\n1,13/04/2021\n"), date_order="month-first")


@pytest.mark.parametrize(("cells", "words"), [(("2021-02-31", "2021-02-03"), "row 2"),
                                              (("2021-02-03", "unknown"), "row 3"),
                                              (("01/02/21", "02/03/21"), "two digits")])
def test_bad_input_41_dates_that_are_none_refused_by_row(write, cells, words):
    message = refused(write("a.csv", "patient,seen\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))))
    assert words in message


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_bad_input_42_decimal_comma_read(write, separator):
    rows = [["patient", "size", "n"], ["P1", "1,5", "3"], ["P2", "-2,25", "4"], ["P3", "", "5"]]
    read = read_table(write("a.csv", "".join(separator.join(row) + "\n" for row in rows)))
    assert read.frame["size"].tolist()[:2] == [1.5, -2.25]
    assert read.frame["n"].tolist() == [3, 4, 5]
    assert read.decimal == ","


def test_bad_input_42_quoted_decimal_comma_in_a_comma_file_read(write):
    read = read_table(write("a.csv", 'patient,size\nP1,"1,5"\nP2,"2,25"\n'))
    assert read.frame["size"].tolist() == [1.5, 2.25]


@pytest.mark.parametrize("content", [
    'patient,n\nP1,"1,234"\nP2,"2,500"\n',  # 1.234 or 1234
    "patient;size;n\nP1;1,5;1.234\nP2;2,25;2.500\n",  # the same beside decimal commas
    'patient,n\nP1,"1,234.5"\nP2,3\n',
    "patient;n\nP1;1 234\nP2;2 345,5\n",
    "patient;n\nP1;1,5\nP2;1.5\n",
])
def test_bad_input_42_numbers_with_two_readings_refused(write, content):
    message = refused(write("a.csv", content))
    assert "thousands" in message or "decimal" in message


def test_bad_input_42_decimal_commas_in_a_comma_file_are_no_row_names(write):
    path = write("a.csv", "patient,size\nPAT-1,1,5\nPAT-2,2,25\n")
    message = refused(path)
    assert "one field more than the header" in message
    assert "PAT" not in message
    assert "one field more" in refused(write("b.csv", "pseudonym,size\nP1,1,5\nP2,2,25\n"), id_column="pseudonym")
    assert "one field more" in refused(write("c.csv", "code,size\nP1,1,5\nP2,2,25\n"), usual_id_column="code")


def test_bad_input_42_english_thousands_in_a_semicolon_file_refused(write):
    message = refused(write("a.csv", "patient;psa;dose\nP1;1.5;1,100\nP2;2.25;2,500\n"))
    assert "thousands" in message
    assert "'dose'" in message
    european = read_table(write("b.csv", "patient;psa;dose\nP1;1.500;1,100\nP2;2.250;2,5\n".replace("1.500", "1")
                                .replace("2.250", "2")))
    assert european.frame["dose"].tolist() == [1.1, 2.5]


def test_percent_signs_are_left_out_and_told_or_refused_when_mixed(write):
    read = read_table(write("a.csv", "patient,ki67\nP1,5%\nP2,12.5 %\n"))
    assert read.frame["ki67"].tolist() == [5, 12.5]
    assert any("percent" in note for note in read.notes)
    assert "1 numbers have a percent sign and 1 have none" in refused(write("b.csv", "patient,ki67\nP1,5%\nP2,0.05\n"))


def test_the_typeset_minus_is_a_minus(write):
    read = read_table(write("a.csv", "patient,shift\nP1,\u22121.5\nP2,2\n"))
    assert read.frame["shift"].tolist() == [-1.5, 2]



def test_bad_input_43_duplicate_columns_named(write):
    message = refused(write("a.csv", "patient,age,size,age, size\nP1,1,2,3,4\n"))
    assert "'age', 'size'" in message


def test_bad_input_43_duplicate_patients_as_columns_are_counted_not_named(write):
    message = refused(write("a.csv", "gene,PAT-1,PAT-1,PAT-2\nTP53,1,2,3\n"), patients=["PAT-1", "PAT-2"])
    assert "1 patients" in message
    assert "PAT-1" not in message


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "utf-8-sig", "utf-16"])
def test_bad_input_45_accents_are_right_in_every_encoding(write, encoding):
    read = read_table(write("a.csv", "patient;hôpital;taille\nÉ1;Orléans;1,5\nP2;Besançon;2\n", encoding))
    assert list(read.frame.columns) == ["patient", "hôpital", "taille"]
    assert read.frame["patient"].tolist() == ["É1", "P2"]
    assert read.frame["hôpital"].tolist() == ["Orléans", "Besançon"]
    assert any("not UTF-8" in note for note in read.notes) == (not encoding.startswith("utf-8"))


@pytest.mark.parametrize("cell", ["inf", "-Inf", "Infinity"])
def test_bad_input_46_infinities_refused_with_column_and_count(write, cell):
    message = refused(write("a.csv", f"patient,size\nP1,{cell}\nP2,2\nP3,{cell}\n"))
    assert "'size'" in message
    assert "infinite values: 2" in message


def test_bad_input_46_infinities_in_parquet_refused(tmp_path):
    pd.DataFrame({"patient": ["a", "b"], "x": [np.inf, 1]}).to_parquet(tmp_path / "a.parquet")
    assert "infinite values: 1" in refused(tmp_path / "a.parquet")


def test_bad_input_52_merged_header_cells_refused(tmp_path):
    book = workbook(tmp_path / "a.xlsx", [["patient", "tumour", None], ["", "size", "grade"], ["P1", 2, 3]])
    book["S1"].merge_cells("B1:C1")
    book.save(tmp_path / "a.xlsx")
    message = refused(tmp_path / "a.xlsx")
    assert "header cells are merged" in message
    assert "B1:C1" in message


def test_bad_input_52_title_above_the_header_refused(tmp_path):
    workbook(tmp_path / "a.xlsx", [["Our cohort", None], ["patient", "size"], ["P1", 2]])
    assert "without a name" in refused(tmp_path / "a.xlsx")


def test_spreadsheet_with_several_tables_asks_for_the_sheet(tmp_path):
    rows = [["patient", "size"], ["P1", 2]]
    workbook(tmp_path / "a.xlsx", rows, rows, [["a note"]])
    assert "S1, S2" in refused(tmp_path / "a.xlsx")
    assert "S1, S2" in refused(tmp_path / "a.xlsx", sheet="S9")
    assert read_table(tmp_path / "a.xlsx", sheet="S2").frame["size"].tolist() == [2]


def test_spreadsheet_values_keep_their_kinds(tmp_path):
    workbook(tmp_path / "a.xlsx", [["patient", "n", "x", "seen", "yes", "word"],
                                   ["P1", 3, 1.5, pd.Timestamp("2021-02-03"), True, "a"],
                                   ["P2", 4, 0.1, None, False, None]])
    frame = read_table(tmp_path / "a.xlsx").frame
    assert frame["n"].dtype == "int64"
    assert frame["x"].tolist() == [1.5, 0.1]
    assert frame["seen"].iloc[0] == pd.Timestamp("2021-02-03")
    assert frame["yes"].tolist() == [True, False]
    assert frame["word"].isna().tolist() == [False, True]


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.csv", "", "empty"),
    ("a.csv", " \n\n", "empty"),
    ("a.csv", "just a sentence\nand another\n", "not a table"),
    ("a.csv", b"a,b\n\x00\x01,2\n", "binary"),
    ("a.csv", b"PK\x03\x04rest", "zipped"),
    ("a.csv", "<html><body>404</body></html>", "web page"),
    ("a.csv", "patient,x\n", "no rows"),
    ("a.csv", "patient,x\nP1,2,3\nP2,3\n", "row 2 has 3 fields, the header has 2"),
    ("a.csv", 'patient,x\nP1,"a\nP2,3\n', "quotation mark"),
    ("a.csv", "63,1,145\n67,1,160\n", "the first row holds numbers"),
    ("a.csv", "patient,x\n,1\nP2,2\n", "row 2"),
    ("a.xlsx", b"not a workbook", "not a readable .xlsx"),
    ("a.parquet", b"not parquet", "not a readable Parquet"),
    ("a.xls", b"\xd0\xcf\x11\xe0", "old Excel"),
    ("a.pdf", b"%PDF", "ending"),
    ("a.csv.gz", b"\x1f\x8bbroken", "cannot be read"),
])
def test_what_is_no_table_is_refused_by_name(write, name, content, words):
    assert words in refused(write(name, content))


def test_missing_file_and_folder_are_refused(tmp_path):
    assert "no such file" in refused(tmp_path / "a.csv")
    assert "folder" in refused(tmp_path)


def test_missing_identifier_column_suggests_the_nearest(write):
    assert "Did you mean 'Patient_ID'?" in refused(write("a.csv", "Patient_ID,x\n1,2\n"), id_column="patientid")


def test_columns_of_a_wide_file_are_not_listed_in_errors(write):
    names = [f"SUBJ-{i:03d}" for i in range(40)]
    message = refused(write("a.csv", ",".join(["gene", *names]) + "\n" + ",".join(["TP53"] + ["1"] * 40) + "\n"),
                      id_column="patient")
    assert "SUBJ" not in message
    assert "41 columns" in message


def test_identifiers_lose_white_space_and_say_so(write):
    read = read_table(write("a.csv", "patient,x\n P1 ,1\nP2\t,2\n"))
    assert read.frame["patient"].tolist() == ["P1", "P2"]
    assert any("2 identifiers" in note for note in read.notes)


@pytest.mark.parametrize("header", ["patient_id", "PatientID", "ID", "", "sample"])
def test_identifier_columns_with_usual_names_are_found(write, header):
    read = read_table(write("a.csv", f"{header},x\n001,1\n002,2\n"))
    assert read.frame[read.id_column].tolist() == ["001", "002"]


def test_r_files_with_row_names_are_read(write):
    read = read_table(write("a.tsv", "x\ty\nP1\t1\t2\nP2\t3\t4\n"))
    assert read.frame["patient"].tolist() == ["P1", "P2"]
    assert read.frame["y"].tolist() == [2, 4]


def test_r_row_names_are_told(write):
    assert any("row names" in note for note in read_table(write("a.tsv", "x\ty\nP1\t1\t2\n")).notes)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
@pytest.mark.parametrize("start", [0, 1])
def test_row_numbers_without_a_name_are_no_predictor(write, name, start):
    read = read_table(write("a.csv", f"{name},patient,x\n{start},P1,5\n{start + 1},P2,6\n"))
    assert read.frame.columns.tolist() == ["patient", "x"]
    assert any("counts the rows" in note for note in read.notes)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_first_column_without_a_name_that_is_no_row_number_is_refused(write, name):
    assert "without a name" in refused(write("a.csv", f"{name},patient,x\n7,P1,5\n3,P2,6\n"))


def test_row_numbers_in_parquet_are_no_predictor(tmp_path):
    frame = pd.DataFrame({"Unnamed: 0": [0, 1], "patient": ["P1", "P2"], "x": [5, 6]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").frame.columns.tolist() == ["patient", "x"]
    frame.assign(**{"Unnamed: 0": [7, 3]}).to_parquet(tmp_path / "b.parquet")
    assert "without a name" in refused(tmp_path / "b.parquet")


@pytest.mark.parametrize("ends", ["\r", "\r\n", "\n"])
def test_line_ends_of_every_system_are_read(write, ends):
    read = read_table(write("a.csv", ends.join(["patient,x", "P1,1", "P2,2", ""])))
    assert read.frame.to_dict("list") == {"patient": ["P1", "P2"], "x": [1, 2]}


def test_an_endless_quotation_in_the_header_is_refused(write):
    rows = "P1,1\n" * 2_100_000
    assert "quotation mark" in refused(write("a.csv", 'patient,"x\n' + rows))


def formulas(path: Path, stored: dict[str, str]) -> Path:
    """A workbook with formulas, and what it stores as their values."""
    workbook(path, [["patient", "x"], *([f"P{i}", f"={i}+0"] for i in range(len(stored)))])
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    for row, (formula, cell) in enumerate(stored.items(), start=2):
        parts[sheet] = parts[sheet].replace(f'<c r="B{row}"><f>{formula}</f><v /></c>', cell.format(row=row))
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


def test_formulas_without_a_stored_value_are_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    workbook(path, [["patient", "x"], ["PAT-1", 1], ["PAT-2", "=1+1"], ["PAT-3", "=B2"]])
    message = refused(path)
    assert "2 formulas have no stored value (rows 3, 4)" in message
    assert "save the file" in message


def test_stored_values_of_formulas_are_read_and_empty_texts_are_missing(tmp_path):
    path = formulas(tmp_path / "a.xlsx", {"0+0": '<c r="B{row}"><f>0+0</f><v>7</v></c>',
                                          "1+0": '<c r="B{row}" t="str"><f>1+0</f><v></v></c>'})
    frame = read_table(path).frame
    assert frame["x"].iloc[0] == 7
    assert frame["x"].isna().tolist() == [False, True]



def test_nearly_numeric_column_stays_text_with_its_rows(write):
    read = read_table(write("a.csv", "patient,psa\n" + "".join(f"{i},{i}.5\n" for i in range(9)) + "9,<0.1\n"))
    assert read.frame["psa"].iloc[-1] == "<0.1"
    assert any("row 11" in note for note in read.notes)


def test_quoted_separators_newlines_and_gzip(write):
    content = b'patient,note\nP1,"a, b"\nP2,"two\nlines, "\n'
    read = read_table(write("a.csv.gz", gzip.compress(content)))
    assert read.frame["note"].tolist() == ["a, b", "two\nlines,"]


def test_bad_input_84_formula_cells_stay_text_and_are_harmless_when_exported(write):
    from medomicslab_nb.protect import safe_cells

    read = read_table(write("a.csv", 'patient,remark\nP1,"=cmd()"\nP2,@SUM(A1)\n'))
    assert read.frame["remark"].tolist() == ["=cmd()", "@SUM(A1)"]
    exported = safe_cells(read.frame).to_csv(index=False)
    assert "'=cmd()" in exported
    assert "\nP1,=" not in exported


def test_transposed_file_refuses_words_without_naming_patients(write):
    message = refused(write("a.csv", "gene,PAT-1,PAT-2\nTP53,1,2\nsex,m,f\n"), patients=["PAT-1", "PAT-2"])
    assert "PAT" not in message
    assert "2 of 2" in message


def test_annotations_among_patients_as_columns_are_left_out(write):
    content = "gene,PAT-1,PAT-2,PAT-3,PAT-9,length,symbol\nTP53,1,2,2,3,1000,a\nMYC,4,5,5,6,2000,b\n"
    read = read_table(write("a.csv", content), patients=["PAT-1", "PAT-2", "PAT-3"])
    assert read.frame["patient"].tolist() == ["PAT-1", "PAT-2", "PAT-3", "PAT-9"]  # named as patients are: a new one
    (note,) = [note for note in read.notes if "left out" in note]
    assert note.startswith("2 columns")
    assert "PAT" not in note


@pytest.mark.parametrize(("header", "doubtful"), [
    ("id,S1,S2,S3", True), (",S1,S2,S3", True), ("patient,S1,S2,S3", False), ("id,age,size,grade", False)])
def test_doubtful_orientation_is_told_where_no_patients_are_known(write, header, doubtful):
    path = write("a.csv", f"{header}\nX1,1,2,3\nX2,4,5,6\n")
    assert any("add the table of clinical data first" in note for note in read_table(path).notes) is doubtful




texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(ids=st.lists(texts.filter(lambda text: text == text.strip()), min_size=1, max_size=8),
       data=st.data(), separator=st.sampled_from([",", ";", "\t"]))
def test_identifiers_and_numbers_come_back_as_written(tmp_path_factory, ids, data, separator):
    values = data.draw(st.lists(numbers, min_size=len(ids), max_size=len(ids)))
    path = tmp_path_factory.mktemp("round") / "a.csv"
    pd.DataFrame({"patient": ids, "value": values}).to_csv(path, index=False, sep=separator)
    frame = read_table(path).frame
    assert frame["patient"].tolist() == ids
    assert frame["value"].tolist() == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(values=st.lists(st.decimals(-10_000, 10_000, places=2), min_size=2, max_size=10))
def test_decimals_come_back_from_both_notations(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("round")
    frames = []
    for comma in (False, True):
        rows = "".join(f"P{i};{str(value).replace('.', ',') if comma else value}\n" for i, value in enumerate(values))
        (folder / "a.csv").write_text("patient;value\n" + rows)
        frames.append(read_table(folder / "a.csv").frame)
    assert frames[0]["value"].tolist() == frames[1]["value"].tolist() == [float(value) for value in values]


@pytest.mark.realdata
def test_real_tables_are_read(real_data):
    clinical = read_table(real_data / "hn/hn_train_hospitals.csv")
    assert clinical.id_column == "patient_id"
    assert clinical.frame.shape == (194, 14)
    assert clinical.frame["hpv"].isna().sum() == 100
    genes = read_table(real_data / "breast_tcga/train_mrna.csv.gz").frame
    assert genes.shape == (150, 201)
    assert genes.drop(columns="patient").dtypes.eq("float64").all()


@pytest.mark.realdata
def test_bad_input_43_real_file_with_three_header_rows_refused(real_data):
    assert "more than once" in refused(real_data / "lydata/2021-clb-oropharynx.csv")


@pytest.mark.realdata
def test_real_file_without_header_refused(real_data):
    assert "first row holds numbers" in refused(real_data / "heart/processed.va.data")

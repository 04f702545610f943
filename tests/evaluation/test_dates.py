"""Index dates: one owner, dates that are dates, and what could not be compared is said in both stages (92)."""

from __future__ import annotations

import pandas as pd
import pytest

from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.quality import check_dates as data_findings
from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.dates import index_dates
from medomicslab_nb.evaluation.endpoints import find_endpoint
from medomicslab_nb.models.blocks import build_design
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column

PATIENT = Column(role="identifier", type="text")
DATE, INDEX = Column(role="date", type="date"), Column(role="index_date", type="date")


def days(*texts: str | None) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts)))


def make(tmp_path, *, role=INDEX, index_date=None, diagnosis=None, taken=None, date_column="taken",
         extra=None) -> Study:
    """Four patients, diagnosed in 2020, with one laboratory value each."""
    study = create_study(tmp_path / "s", index_date=index_date)
    diagnosis = days(*["2020-02-01"] * 4) if diagnosis is None else diagnosis
    study.add_table("clinical", pd.DataFrame({"patient": list("abcd"), "age": [50.0, 60, 70, 80], "died": [0, 1, 0, 1],
                                              "diagnosis": diagnosis}),
                    columns={"patient": PATIENT, "age": Column(), "died": Column(role="outcome"), "diagnosis": role})
    labs = pd.DataFrame({"patient": list("abcd"), "value": [1.0, 2, 3, 4], **(extra or {}),
                         "taken": days(*["2020-01-01"] * 4) if taken is None else taken})
    columns = {"patient": PATIENT, "value": Column(), "taken": DATE, **dict.fromkeys(extra or {}, INDEX)}
    study.add_table("labs", labs, block="labs", date_column=date_column, columns=columns)
    return study


def notes(study: Study) -> str:
    return " ".join(build_design(study, find_endpoint(study, "died"), blocks={}, predictors={}).notes)


def findings(study: Study) -> list[tuple[str, str, str, int]]:
    return [(found.table, found.check, found.severity, found.n)
            for found in data_findings(CorrectedStudy(study, DataSettings()))]


LATE = days("2020-03-01", *["2020-01-01"] * 3)


@pytest.mark.parametrize(("role", "index_date"), [(INDEX, None), (INDEX, "diagnosis"), (DATE, "diagnosis")])
def test_bad_input_92_with_the_role_or_the_study_naming_the_index_date(tmp_path, role, index_date):
    study = make(tmp_path, role=role, index_date=index_date, taken=LATE)
    with pytest.raises(DataError, match="1 of 4 patients have values dated after"):
        notes(study)
    assert ("labs", "after the index date", "error", 1) in findings(study)


def test_bad_input_92_a_tables_own_date_of_the_same_name_is_not_the_index_date(tmp_path):
    study = make(tmp_path, role=DATE, index_date="diagnosis")
    study.add_table("alabs", pd.DataFrame({"patient": list("abcd"), "marker": 1.0, "diagnosis": LATE}), block="a",
                    date_column="diagnosis", columns={"patient": PATIENT, "marker": Column(), "diagnosis": DATE})
    assert index_dates(study).tolist() == [pd.Timestamp("2020-02-01")] * 4
    with pytest.raises(DataError, match="table alabs, column diagnosis: 1 of 4"):
        notes(study)


def test_bad_input_92_several_index_dates(tmp_path):
    study = make(tmp_path, extra={"baseline": days(*["2020-02-01"] * 4)})
    with pytest.raises(DataError, match="'diagnosis' of table clinical, 'baseline' of table labs"):
        notes(study)
    assert findings(study) == [("", "index date unusable", "error", 0)]


def test_bad_input_92_no_index_date(tmp_path):
    study = make(tmp_path, role=DATE, index_date="surgery")
    with pytest.raises(DataError, match="no table has the index date 'surgery'"):
        notes(study)


@pytest.mark.parametrize(("values", "words"), [
    (pd.Series(["2020-02-01", "01/02/2020", "unknown", "2020-02-01"]), "2 of 4 values are no dates"),
    (pd.Series([2020, 2020, 2021, 2021]), "it holds numbers, not dates"),
])
def test_bad_input_92_dates_that_are_none(tmp_path, values, words):
    (tmp_path / "index").mkdir()
    with pytest.raises(DataError, match=words):
        notes(make(tmp_path / "index", diagnosis=values))
    study = make(tmp_path, taken=values)
    with pytest.raises(DataError, match=words):
        notes(study)
    assert findings(study) == [("labs", "dates unusable", "error", 0)]


def test_bad_input_92_missing_dates_are_counted(tmp_path):
    study = make(tmp_path, diagnosis=days("2020-02-01", None, "2020-02-01", "2020-02-01"),
                 taken=days("2020-01-01", "2020-01-01", None, "2020-01-01"))
    assert "for 2 of 4 patients the date or the index date is missing" in notes(study)
    assert findings(study) == [("labs", "date not known", "warning", 2)]


def test_bad_input_92_undeclared_date_of_a_table_is_said(tmp_path):
    study = make(tmp_path, taken=LATE, date_column=None)
    assert "nothing says that 'taken' is the date of its values" in notes(study)
    assert findings(study) == [("labs", "date not declared", "warning", 4)]


def test_patients_with_several_index_dates_are_refused(tmp_path):
    study = create_study(tmp_path / "s")
    frame = pd.DataFrame({"patient": list("aabb"), "start": days("2020-01-01", "2020-01-02", *["2020-01-01"] * 2)})
    study.add_table("visits", frame, level="visit", columns={"patient": PATIENT, "start": INDEX})
    with pytest.raises(DataError, match="1 patients have several index dates"):
        index_dates(study)

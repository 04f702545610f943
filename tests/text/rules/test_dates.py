"""Calendar dates: both languages, partial ones, and what only looks like one."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.dates import find


def dates(text: str, language: str = "fr", day_first: bool | None = None) -> list[tuple[str, str]]:
    note = Note(text, language, day_first=day_first)
    found = []
    for one in find(note):
        start, end = note.source(one.start, one.end)
        found.append((text[start:end], one.value))
    return sorted(found, key=lambda pair: text.index(pair[0]))


@pytest.mark.parametrize(("text", "expected"), [
    ("Opérée le 03/04/2021.", [("03/04/2021", "2021-04-03")]),
    ("le 3.4.21 puis le 12-11-1998", [("3.4.21", "2021-04-03"), ("12-11-1998", "1998-11-12")]),
    ("Né le 1er février 1950", [("1er février 1950", "1950-02-01")]),
    ("biopsie en août 2015, chirurgie le 12 déc. 2015", [("août 2015", "2015-08"), ("12 déc. 2015", "2015-12-12")]),
    ("scanner du 2020-03-05", [("2020-03-05", "2020-03-05")]),
    ("suivi depuis 2012 et jusqu'en 2014", [("2012", "2012"), ("2014", "2014")]),
    ("IRM 09/2019 normale", [("09/2019", "2019-09")]),
    ("traité de 2010 à 2012", [("2010", "2010"), ("2012", "2012")]),
    ("le 12/25/2020", [("12/25/2020", "2020-12-25")]),
    ("31/02/2020", []), ("TA 12/8, PA 120/80", []), ("SBR 2, grade 2/3", []), ("version 1.2.3", []),
    ("tél. 01 23 45 67 89 ou 01.23.45.67.89", []), ("3,2 x 2,8 cm", []), ("ganglions 2/12", []), ("2015 patients", []),
    ("dose de 2000 mg", []), ("3/4/5 mm", []), ("99/99/2020", []),
])
def test_french(text: str, expected: list[tuple[str, str]]) -> None:
    assert dates(text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("Seen on March 5th, 2020.", [("March 5th, 2020", "2020-03-05")]),
    ("Seen on 5 March 2020 and in June 2021", [("5 March 2020", "2020-03-05"), ("June 2021", "2021-06")]),
    ("the 3rd of May 1999", [("3rd of May 1999", "1999-05-03")]),
    ("surgery 13/04/2021", [("13/04/2021", "2021-04-13")]), ("surgery 04/13/2021", [("04/13/2021", "2021-04-13")]),
    ("on 04/04/2021", [("04/04/2021", "2021-04-04")]), ("on 03/04/2021", [("03/04/2021", "")]),
    ("12-Mar-21", [("12-Mar-21", "2021-03-12")]),
    ("in 2015", [("2015", "2015")]), ("in 2015 patients", []), ("in May we saw 2020 cells", []), ("may 30 mg help", []),
])
def test_english(text: str, expected: list[tuple[str, str]]) -> None:
    assert dates(text, "en") == expected


@pytest.mark.parametrize(("day_first", "value"), [(True, "2021-04-03"), (False, "2021-03-04")])
def test_settings_say_how_ambiguous_dates_are_read(day_first: bool, value: str) -> None:
    assert dates("on 03/04/2021", "en", day_first) == [("03/04/2021", value)]


@given(st.dates(dt.date(1930, 1, 1), dt.date(2029, 12, 31)),
       st.sampled_from(["%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d", "%d/%m/%y"]))
def test_any_date_comes_back(day: dt.date, form: str) -> None:
    assert [value for _, value in dates(f"vu le {day.strftime(form)}.")] == [day.isoformat()]


def test_offsets_after_combining_accents() -> None:
    text = "Ope\u0301re\u0301e le 3 fe\u0301vrier 2020 \U0001F600, revue le 04/05/2020"
    assert dates(text) == [("3 fe\u0301vrier 2020", "2020-02-03"), ("04/05/2020", "2020-05-04")]

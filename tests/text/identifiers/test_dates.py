"""Dates: found in every form, moved in the form in which they stand."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.text.identifiers.dates import find_dates, shifted

MOVED = [
    ("12/03/2021", "10/02/2021"), ("12.03.21", "10.02.21"), ("2021-03-12", "2021-02-10"),
    ("12 mars 2021", "10 février 2021"),
    ("1er janvier 2020", "2 décembre 2019"), ("3 JANVIER 2020", "4 DÉCEMBRE 2019"), ("mars 2021", "février 2021"),
    ("03/2021", "02/2021"), ("lundi 15 mars 2021", "samedi 13 février 2021"), ("March 12, 2021", "February 10, 2021"),
    ("March 12th, 2021", "February 10th, 2021"), ("12-Mar-2021", "10-Feb-2021"), ("12 03 1956", "11 02 1956"),
    ("20210312", "20210210"), ("12 au 15 mars 2021", "10 au 13 février 2021"), ("12 mars", "10 février"),
    ("12/03", "10/02"),
    ("l2/O3/2021", "10/02/2021"), ("13/25/2021", None), ("2019", "2019"), ("12/25/2021", "11/25/2021")]
NO_DATES = ["EVA 3/10", "TA 12/8", "pT2N1(1/14)M0", "classification FIGO de 2018", "OMS 2016", "1/3 supérieur",
            "75 mg/m2",
            "3-4 fois", "8.7 x 3.2 x 2.1 cm", "10-15 %", "J1-J8-J15", "grade 2-3", "Apgar 10-10-10",
            "SUVmax 8.4. 35 cures",
            "depuis 3 mois", "in 2 weeks", "may be 5", "version 1.2.3", "2000 mg", "en 2000 patients"]


@pytest.mark.parametrize(("written", "moved"), MOVED)
def test_a_date_moves_and_keeps_its_form(written, moved):
    language = "en" if "Mar" in written else "fr"
    assert shifted(written, -30, language) == moved


def test_month_first_is_a_setting():
    assert shifted("03/04/2021", 1, "en", month_first=True) == "03/05/2021"
    assert shifted("03/04/2021", 1, "en") == "04/04/2021"


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_is_left_alone(text):
    assert [text[one.start:one.end] for one in find_dates(text)] == []


@pytest.mark.parametrize(("text", "found"), [
    ("agee de 92 ans", ["92"]), ("a 94-year-old man", ["94"]), ("age de 89 ans", []), ("92 mois", []),
    ("aged 101", ["101"])])
def test_only_ages_over_89_are_found(text, found):
    assert [text[one.start:one.end] for one in find_dates(text)] == found


@given(st.dates(dt.date(1930, 1, 1), dt.date(2039, 12, 31)), st.dates(dt.date(1930, 1, 1), dt.date(2039, 12, 31)),
       st.integers(-365, -1))
def test_intervals_stay(first, second, days):
    moved = [dt.datetime.strptime(shifted(f"{date:%d/%m/%Y}", days, "fr"), "%d/%m/%Y").replace(tzinfo=dt.UTC)
             for date in (first, second)]
    assert moved[1] - moved[0] == dt.timedelta(days=(second - first).days)

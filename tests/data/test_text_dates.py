"""Dates in text: each form is moved and keeps its form."""

from __future__ import annotations

import pytest

from medomicslab_nb.data.text_dates import shift_text


@pytest.mark.parametrize(("before", "after"), [
    ("CT on 2021-03-01.", "CT on 2021-02-19."),
    ("CT on 2021/03/01", "CT on 2021/02/19"),
    ("TEP du 01/03/2021, stable", "TEP du 19/02/2021, stable"),
    ("TEP du 1/3/2021", "TEP du 19/2/2021"),
    ("TEP du 01.03.2021.", "TEP du 19.02.2021."),
    ("TEP du 01-03-2021", "TEP du 19-02-2021"),
    ("seen 03/25/2021", "seen 03/15/2021"),
    ("vu le 01/03/21", "vu le 19/02/21"),
    ("né le 01/03/54", "né le 19/02/54"),
    ("opéré le 1er mars 2021", "opéré le 19 février 2021"),
    ("opéré le 3 AOÛT 2021", "opéré le 24 JUILLET 2021"),
    ("seen on 3 August 2021", "seen on 24 July 2021"),
    ("seen on March 1st, 2021", "seen on February 19, 2021"),
    ("du 01/03/2021 au 11/03/2021", "du 19/02/2021 au 01/03/2021"),
    ("2021-01-05", "2020-12-26"),
    ("2021-03-01T10:30:00", "2021-02-19T10:30:00"),
])
def test_dates_are_moved_by_ten_days(before, after):
    assert shift_text(before, -10) == after


@pytest.mark.parametrize("text", ["TA 12/8, 3,5 x 2,8 cm", "pT2 N1 M0, 2/12 ganglions", "31/02/2021 n'existe pas",
                                  "version 1.2.2021.4", "tel 01.02.03.04.05", "20210301", "ratio 1/2/3", "",
                                  "en mars 2021"])
def test_what_is_no_whole_date_stays(text):
    assert shift_text(text, -10) == text


def test_compact_dates_only_where_told():
    assert shift_text("GTV_20210301 v2", -10, compact=True) == "GTV_20210219 v2"
    assert shift_text("99999999 120210301", -10, compact=True) == "99999999 120210301"
